package entratest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"time"
)

// Steps at which a fault of kind token can strike. A fault that names no step
// strikes where tokens are handed out.
const (
	stepAuthorize = "authorize" // the application sends the browser
	stepLogin     = "login"     // the account is known
	stepClient    = "client"    // the application's credential is checked
	stepCode      = "authorization_code"
	stepRefresh   = "refresh_token"
)

// tokenFault returns the error that a fault of kind token sets for a step.
func (s *Server) tokenFault(step, tenantID, appID string) *stsError {
	f := s.strikeIdentity("token", circumstances{tenant: tenantID, app: appID, method: http.MethodPost, grant: step},
		func(f *Fault) bool { return f.Grant != "" || step == stepCode || step == stepRefresh })
	if f == nil {
		return nil
	}
	e := aadsts(f.AADSTS)
	if f.SubError != "" {
		e.SubError = f.SubError
	}
	if f.Code != "" {
		e.Error = f.Code
	}
	if f.Message != "" {
		e.Text = f.Message
	}
	if f.Status != 0 {
		e.Status = f.Status
	}
	return e
}

// strikeIdentity is strike for the faults that also pass a test of their own.
func (s *Server) strikeIdentity(kind string, at circumstances, applies func(*Fault) bool) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.Kind != kind || !applies(f) || !f.matches(at) {
			continue
		}
		f.Matched++
		if f.Matched >= f.Nth && (f.Times == 0 || f.Struck < f.Times) {
			f.Struck++
			c := *f
			return &c
		}
	}
	return nil
}

// faulty runs an endpoint of the identity platform under the faults of the line:
// slow, drop and status. They strike only where their path says so, since a fault
// without one is meant for Graph.
func (s *Server) faulty(w http.ResponseWriter, r *http.Request, endpoint func(http.ResponseWriter, *http.Request)) {
	at := circumstances{method: r.Method, path: r.URL.Path, tenant: s.tenantOfPath(r.URL.Path)}
	aimed := func(f *Fault) bool { return f.Path != "" }
	if f := s.strikeIdentity("slow", at, aimed); f != nil {
		timer := time.NewTimer(f.duration())
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	for _, kind := range []string{"drop", "status"} {
		f := s.strikeIdentity(kind, at, aimed)
		if f == nil {
			continue
		}
		if f.after() { // it takes effect, and nobody learns of it
			endpoint(httptest.NewRecorder(), r)
		}
		if kind == "drop" {
			panic(http.ErrAbortHandler)
		}
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		e := aadsts(90033)
		e.Status = f.Status
		s.writeTokenError(w, r, e)
		return
	}
	endpoint(w, r)
}

// tenantOfPath is the tenant that the first segment of a path names, or "".
func (s *Server) tenantOfPath(path string) string {
	segment, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return s.tenantOf(segment)
}
