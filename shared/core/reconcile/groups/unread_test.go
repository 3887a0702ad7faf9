package groups_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/reconcile"
	"bindery/shared/core/reconcile/groups"
	"bindery/shared/directory"
)

// meddler stands between the engine and the tenant: it loses answers, and has some
// requests of a batch be forbidden.
type meddler struct {
	rt   http.RoundTripper
	lose func(body string) bool
	deny func(method, url string) string // the message of a 403; "": it is let through
}

func (m *meddler) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	answer, err := m.rt.RoundTrip(r)
	switch {
	case err != nil:
		return nil, err
	case m.lose != nil && m.lose(string(body)):
		return nil, context.DeadlineExceeded
	case m.deny == nil || !strings.HasSuffix(r.URL.Path, "$batch"):
		return answer, nil
	}
	return answer, m.forbid(body, answer)
}

func (m *meddler) forbid(body []byte, answer *http.Response) error {
	var asked struct {
		Requests []struct{ ID, Method, URL string }
	}
	var all struct {
		Responses []map[string]any `json:"responses"`
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		return err
	}
	if err := json.NewDecoder(answer.Body).Decode(&all); err != nil {
		return err
	}
	for _, q := range asked.Requests {
		message := m.deny(q.Method, q.URL)
		for _, a := range all.Responses {
			if message != "" && a["id"] == q.ID {
				a["status"] = http.StatusForbidden
				a["body"] = map[string]any{"error": map[string]any{"code": "Authorization_RequestDenied", "message": message}}
			}
		}
	}
	raw, err := json.Marshal(all)
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	answer.Header.Del("Content-Length")
	return err
}

// slices runs slices as long as they ask for more, some at most: a run may be waiting.
func (w *world) slices() {
	w.Helper()
	for range 30 {
		sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		w.must(err)
		if sum.Again < 0 {
			return
		}
		w.wait(sum.Again)
	}
}

// TestOneGroupUnreadable: a tenant group that may not be read, or whose members may not,
// is a matter of its own records: others go on, and it is looked at again.
func TestOneGroupUnreadable(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"the group": "", "its members": "/members"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, users := bound(t, 2)
			sales, works := w.export("Sales"), w.export("Works")
			ref := w.add(sales, users[0])[0]
			w.sync()
			w.calm()
			id := string(w.record(directory.GroupRef(sales)).AccountID)
			rt := w.rt
			w.rt = &meddler{rt: rt, deny: func(method, url string) string {
				if method == http.MethodGet && strings.Contains(url, id+path) {
					return "Insufficient privileges to complete the operation."
				}
				return ""
			}}
			w.change(sales, func(e *groups.Export) { e.Group.Name = "Sales 2" })
			w.change(works, func(e *groups.Export) { e.Group.Name = "Works 2" })
			w.mark(ref)
			late := w.user("late")
			w.bind(late)
			w.slices()
			w.wait(reconcile.Grace)
			b, err := w.store.Bindings.Binding(w.Context(), late.ID)
			w.must(err)
			if b.AccountID == "" {
				t.Error("one group that may not be read keeps a new user from getting an account")
			}
			if name := w.record(directory.GroupRef(works)).UserPrincipalName; name != "Works 2" {
				t.Errorf("the other group is still called %s", name)
			}
			if b := w.record(ref); b.Status != directory.BindingFailed || b.Problem == nil {
				t.Errorf("the record of a membership there is %s with %+v", b.Status, b.Problem)
			}
			w.wantMembers(sales, "user000")
			w.rt = rt
			w.wait(time.Hour)
			w.sync()
			if b, m := w.record(directory.GroupRef(sales)), w.record(ref); b.Status != directory.BindingInSync || m.Status != directory.BindingInSync || !m.Created {
				t.Errorf("once it can be read, the records are %+v and %+v", b, m)
			}
		})
	}
}

// TestScopeMissing: that the connection lacks a permission that only groups need fails
// their changes; the connection stays authorised, and its accounts are kept in step.
func TestScopeMissing(t *testing.T) {
	t.Parallel()
	w, users := bound(t, 3)
	sales := w.export("Sales")
	w.sync()
	w.calm()
	w.rt = &meddler{rt: w.rt, deny: func(method, url string) string {
		if method != http.MethodGet && strings.Contains(url, "/groups/") {
			return "Required scopes are missing in the token."
		}
		return ""
	}}
	refs := w.add(sales, users...)
	late := w.user("late")
	w.bind(late)
	w.slices()
	run, _ := w.lastRun()
	if run.State != directory.RunDone || run.Waiting != nil {
		t.Errorf("the run is %s, waiting for %+v", run.State, run.Waiting)
	}
	for _, ref := range refs {
		if b := w.record(ref); b.Status != directory.BindingFailed || b.Problem == nil {
			t.Errorf("the record of a membership is %s with %+v", b.Status, b.Problem)
		}
	}
	b, err := w.store.Bindings.Binding(w.Context(), late.ID)
	w.must(err)
	if b.AccountID == "" {
		t.Error("a permission that only groups need keeps a new user from getting an account")
	}
}

// TestScopeNotGranted: nothing is sent that the connection was not granted the
// permission for; what it needs is said.
func TestScopeNotGranted(t *testing.T) {
	t.Parallel()
	w, users := bound(t, 1)
	var err error
	w.conn, err = w.store.Connections.ModifyConnection(w.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Scopes = []string{"User.ReadWrite.All"}
		return nil
	})
	w.must(err)
	sales := w.export("Sales")
	w.add(sales, users...)
	before := len(w.sim.Mutations(simTenant))
	w.slices()
	if b := w.record(directory.GroupRef(sales)); b.Status != directory.BindingFailed || b.Problem == nil || b.Problem.Code != directory.CodeScopeMissing {
		t.Errorf("the record of the group is %s with %+v", b.Status, b.Problem)
	}
	if n := len(w.sim.Mutations(simTenant)); n != before {
		t.Errorf("%d writes were sent", n-before)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestAlreadyAfterThrottling: that a request was turned away unread does not make ours
// what others gave meanwhile.
func TestAlreadyAfterThrottling(t *testing.T) {
	still(t, func(t *testing.T) {
		w, users := bound(t, 1)
		sales := w.export("Sales")
		w.sync()
		w.calm()
		rt, sent := w.rt, 0
		w.rt = roundTripper(func(r *http.Request) (*http.Response, error) {
			var body []byte
			if r.Body != nil {
				body, _ = io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
			}
			if !strings.Contains(string(body)+r.URL.Path, "/members/$ref") {
				return rt.RoundTrip(r)
			}
			if sent++; sent > 1 {
				return rt.RoundTrip(r)
			}
			w.byHand(sales, users[0].Email, true)
			return &http.Response{
				StatusCode: http.StatusTooManyRequests, Request: r, Header: http.Header{"Retry-After": {"2"}},
				Body: io.NopCloser(strings.NewReader(`{"error": {"code": "TooManyRequests", "message": "Too many requests"}}`)),
			}, nil
		})
		ref := w.add(sales, users...)[0]
		w.sync()
		if b := w.record(ref); b.Status != directory.BindingInSync || b.Created || sent != 2 {
			t.Errorf("after %d requests the record of the membership is %+v", sent, b)
		}
	})
}

// TestAbsentTooSoon: that Microsoft does not know a membership moments after we gave it
// does not mean that it is taken away: it is tried until it is.
func TestAbsentTooSoon(t *testing.T) {
	t.Parallel()
	w, users := bound(t, 2)
	sales := w.export("Sales")
	w.sync()
	w.calm()
	refs := w.add(sales, users...)
	w.sync()
	rt, lags := w.rt, true
	w.rt = roundTripper(func(r *http.Request) (*http.Response, error) {
		if !lags || r.Method != http.MethodDelete && !w.removes(r) {
			return rt.RoundTrip(r)
		}
		lags = false
		return w.absent(r)
	})
	w.release(directory.ReleaseRemove, refs[0])
	w.slices()
	if lags {
		t.Fatal("no removal was sent")
	}
	w.wait(15 * time.Minute)
	w.sync()
	w.wantMembers(sales, "user001")
	if b := w.record(refs[0]); !b.Object.IsZero() {
		t.Errorf("the record of the membership is still there: %+v", b)
	}
}

// removes reports whether a request, or one of its batch, removes a member.
func (w *world) removes(r *http.Request) bool {
	if r.Body == nil {
		return false
	}
	body, err := io.ReadAll(r.Body)
	w.must(err)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return strings.Contains(string(body), `"DELETE"`) && strings.Contains(string(body), "/$ref")
}

// absent answers a removal, alone or the only one of its batch, as Microsoft does of whom
// a group does not have.
func (w *world) absent(r *http.Request) (*http.Response, error) {
	inner := `{"error": {"code": "Request_BadRequest", "message": "One or more removed object references do not exist for the following modified properties: 'members'."}}`
	status, text := http.StatusBadRequest, inner
	if strings.HasSuffix(r.URL.Path, "$batch") {
		var asked struct{ Requests []struct{ ID string } }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			return nil, err
		}
		status, text = http.StatusOK, `{"responses": [{"id": "`+asked.Requests[0].ID+`", "status": 400, "headers": {"Content-Type": "application/json"}, "body": `+inner+`}]}`
	}
	return &http.Response{StatusCode: status, Request: r, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text))}, nil
}
