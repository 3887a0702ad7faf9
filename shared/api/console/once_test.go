package console

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bindery/shared/directory"
)

// twiceForms make something new, or are of one version of something.
var twiceForms = map[string]struct {
	path, act string
	form      []string
}{
	"connection":     {"/console/connections/new", "POST /v1/connections", []string{"name", "Fabrikam", "mode", "approve"}},
	"user":           {"/console/users/new", "POST /v1/users", []string{"email", "dee@contoso.example"}},
	"group":          {"/console/groups/new", "POST /v1/groups", []string{"name", "Keepers"}},
	"source":         {"/console/sources/new", "POST /v1/scim-clients", []string{"name", "HR", "provider", "okta"}},
	"suspend":        {"/console/users/usr_1/suspend", "POST /v1/users/usr_1/suspend", []string{"version", "7"}},
	"delete a group": {"/console/groups/grp_1/delete", "DELETE /v1/groups/grp_1", []string{"version", "3"}},
}

// onceWorld is a /v1 that takes each of twiceForms once, and refuses it then.
func onceWorld(t *testing.T) *world {
	w := runWorld(t, directory.RunDone)
	for _, tt := range twiceForms {
		var once sync.Mutex
		done := false
		w.tell(map[string]any{tt.act: func(*http.Request) any {
			once.Lock()
			defer once.Unlock()
			if done && strings.Contains(tt.act, "/v1/connections") {
				return connection{ID: "con_second", Name: "Fabrikam"}
			}
			if done {
				return problem{Status: http.StatusPreconditionFailed, Code: directory.CodeVersionMismatch}
			}
			done = true
			switch tt.act {
			case "POST /v1/connections":
				return connection{ID: "con_1", Name: "Fabrikam"}
			case "POST /v1/scim-clients":
				return okta(w.now)
			case "POST /v1/groups":
				return sales(w.now)
			}
			return ann(w.now)
		}})
	}
	return w
}

// A form that is sent twice does one thing, and the second answer is that of the first: one
// after the other, and both at once.
func TestTwiceIsOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range twiceForms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := onceWorld(t)
			first, second := w.post(tt.path, tt.form...), w.post(tt.path, tt.form...)
			if told := w.told(); first.code != http.StatusSeeOther || second.code != http.StatusSeeOther || first.to != second.to || len(told) != 1 {
				t.Errorf("%d to %q, then %d to %q; called %v", first.code, first.to, second.code, second.to, told)
			}
			w.get(first.to).has(`class="flash"`)
			w.pass(onceFor + time.Second)
			w.post(tt.path, tt.form...)
			if told := w.told(); len(told) != 1 {
				t.Errorf("much later: called %v", told)
			}
			for name, row := range w.rows.list {
				if strings.Contains(string(row.sealed), "con_1") || strings.Contains(string(row.sealed), "/console/") {
					t.Errorf("the row %s is not sealed", name)
				}
			}

			w = onceWorld(t)
			began, goOn := make(chan struct{}, 2), make(chan struct{})
			slow := w.answers[tt.act].(func(*http.Request) any)
			w.tell(map[string]any{tt.act: func(r *http.Request) any {
				began <- struct{}{}
				<-goOn
				return slow(r)
			}})
			jar := w.jar
			answers := make(chan answered, 2)
			press := func() {
				own := &world{T: t, c: w.c, rows: w.rows, jar: map[string]string{}}
				for k, v := range jar {
					own.jar[k] = v
				}
				answers <- own.post(tt.path, tt.form...)
			}
			go press()
			<-began
			go press()
			close(goOn)
			a, b := <-answers, <-answers
			if told := w.told(); a.code != http.StatusSeeOther || b.code != http.StatusSeeOther || a.to != b.to || len(told) != 1 {
				t.Errorf("at once: %d to %q and %d to %q; called %v", a.code, a.to, b.code, b.to, told)
			}
		})
	}
}

// failing is a way to /v1 on which no answer comes back.
type failing struct{}

func (failing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection reset")
}

// downAtTimes is a way to /v1 that may be switched off while somebody is on it.
type downAtTimes struct {
	http.RoundTripper
	down *atomic.Bool
}

func (d downAtTimes) RoundTrip(r *http.Request) (*http.Response, error) {
	if d.down.Load() {
		return failing{}.RoundTrip(r)
	}
	return d.RoundTripper.RoundTrip(r)
}

// What came to nothing may be sent once more as it is; what may have been done is not done
// again unasked.
func TestOnceAgainAfterFailure(t *testing.T) {
	t.Parallel()
	tt := twiceForms["connection"]
	w := runWorld(t, directory.RunDone)
	for _, status := range []int{422, 409, 503} {
		w.tell(map[string]any{tt.act: problem{Status: status, Code: "no"}})
		w.post(tt.path, tt.form...)
	}
	w.tell(map[string]any{tt.act: connection{ID: "con_1"}})
	if a := w.post(tt.path, tt.form...); a.code != http.StatusSeeOther || len(w.told()) != 4 {
		t.Errorf("after failures: %d", a.code)
	}
	w = runWorld(t, directory.RunDone)
	var down atomic.Bool
	w.c.api = &http.Client{Transport: downAtTimes{w.c.api.Transport, &down}}
	down.Store(true)
	w.post(tt.path, tt.form...)
	down.Store(false)
	if a := w.post(tt.path, tt.form...); a.code != http.StatusConflict || len(w.told()) != 0 {
		t.Errorf("after no answer: %d, called %v", a.code, w.told())
	}
}

// What may have been done though an error came is not done again unasked either.
func TestOnceWhereItIsNotKnown(t *testing.T) {
	t.Parallel()
	tt := twiceForms["connection"]
	for _, status := range []int{http.StatusBadGateway, http.StatusGatewayTimeout} {
		w := runWorld(t, directory.RunDone)
		w.tell(map[string]any{tt.act: problem{Status: status}})
		w.post(tt.path, tt.form...)
		if a := w.post(tt.path, tt.form...); a.code != http.StatusConflict || len(w.told()) != 1 {
			t.Errorf("after %d: %d", status, a.code)
		}
	}
}

// Whoever opens a form anew and sends the same means it: what was made may be gone by now, and
// what was ended may be there once more under its first version.
func TestFormsOpenedAnew(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ page, path, act string }{
		"connection": {"/console/connections/new", "/console/connections/new", "POST /v1/connections"},
		"user":       {"/console/users/new", "/console/users/new", "POST /v1/users"},
		"group":      {"/console/groups/new", "/console/groups/new", "POST /v1/groups"},
		"source":     {"/console/sources/new", "/console/sources/new", "POST /v1/scim-clients"},
		"use":        {"/console/connections/con_1/groups/grp_1/end", "/console/connections/con_1/groups/grp_1/end", "DELETE /v1/connections/con_1/groups/grp_1"},
	} {
		w := runWorld(t, directory.RunDone)
		w.tell(map[string]any{tt.act: func(*http.Request) any { return map[string]any{"id": "x_1"} }})
		for range 2 {
			w.pass(time.Second)
			form := w.get(tt.page).filled(tt.path)
			if w.told(); name == "use" {
				form.Set("version", "1")
			}
			for range 2 {
				w.send(http.MethodPost, tt.path, form)
			}
			if told := w.told(); len(told) != 1 {
				t.Errorf("%s: called %v", name, told)
			}
		}
	}
}

// An act that finds the session over ends it in the table, too.
func TestOnceOfAnEndedSession(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	w.c.cfg.Sessions = strictSessions{w.c.cfg.Sessions}
	tt := twiceForms["suspend"]
	w.tell(map[string]any{tt.act: problem{Status: http.StatusUnauthorized}})
	w.post(tt.path, tt.form...)
	if n := len(w.rows.list); n != 0 {
		t.Errorf("%d rows stay", n)
	}
}

// strictSessions does nothing for whoever has gone, as a table on a network.
type strictSessions struct{ Sessions }

func (s strictSessions) EndSession(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.Sessions.EndSession(ctx, name)
}
