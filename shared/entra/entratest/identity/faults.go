package identity

import (
	"net/http"
	"net/http/httptest"
	"strings"

	"bindery/shared/clock"
	"bindery/shared/entra/entratest/faults"
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
func (s *Platform) tokenFault(step, tenantID, appID string) *stsError {
	at := faults.Call{Tenant: tenantID, App: appID, Method: http.MethodPost, Grant: step}
	f := s.faults.StrikeIf(faults.Token, at, func(f *faults.Fault) bool {
		return f.Grant != "" || step == stepCode || step == stepRefresh
	})
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

// faulty runs an endpoint of the identity platform under the faults of the line:
// slow, drop and status. They strike only where their path says so, since a fault
// without one is meant for Graph.
func (s *Platform) faulty(w http.ResponseWriter, r *http.Request, endpoint func(http.ResponseWriter, *http.Request)) {
	at := faults.Call{Method: r.Method, Path: r.URL.Path, Tenant: s.tenantOfPath(r.URL.Path)}
	aimed := func(f *faults.Fault) bool { return f.Path != "" }
	if f := s.faults.StrikeIf(faults.Slow, at, aimed); f != nil {
		if clock.Sleep(r.Context(), f.Duration()) != nil {
			panic(http.ErrAbortHandler)
		}
	}
	for _, kind := range []string{faults.Drop, faults.Status} {
		f := s.faults.StrikeIf(kind, at, aimed)
		if f == nil {
			continue
		}
		if f.After() { // it takes effect, and nobody learns of it
			endpoint(httptest.NewRecorder(), r)
		}
		if kind == faults.Drop {
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
func (s *Platform) tenantOfPath(path string) string {
	segment, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return s.tenantOf(segment)
}
