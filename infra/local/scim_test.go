package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bindery/infra/stack"
	"bindery/infra/stacktest"
	"bindery/shared/clock"
)

// pusher is an identity provider that pushes to the stack.
type pusher struct {
	o           *stacktest.World
	id          string
	base, token string
}

func newPusher(o *stacktest.World, name string) *pusher {
	client := o.Post("/v1/scim-clients", stack.Object{"name": name})
	id := client.Text("id")
	return &pusher{o, id, client.Text("basePath"), o.Post("/v1/scim-clients/"+id+"/tokens", nil).Text("token")}
}

// send sends a request that must be answered with a status, and returns the id of whom it
// is about.
func (p *pusher) send(status int, method, path, body string) string {
	p.o.Helper()
	_, id, _ := strings.Cut(p.answer(status, method, path, body), `"id":"`)
	id, _, _ = strings.Cut(id, `"`)
	return id
}

func (p *pusher) answer(status int, method, path, body string) string {
	p.o.Helper()
	r := httptest.NewRequestWithContext(p.o.Context(), method, "http://localhost"+p.base+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+p.token)
	w := httptest.NewRecorder()
	p.o.Stack.Handler().ServeHTTP(w, r)
	if w.Code != status {
		p.o.Fatalf("%s %s %s: %d %s", method, path, body, w.Code, w.Body)
	}
	return w.Body.String()
}

func (p *pusher) patch(id, value string) {
	p.o.Helper()
	p.send(http.StatusOK, "PATCH", "/Users/"+id, `{"Operations":[{"op":"replace","value":`+value+`}]}`)
}

// TestQuestionIdentityProvider: can Okta or Entra ID say who comes and goes? By SCIM: a
// joiner, a mover, a leaver and a comeback reach Microsoft 365, and a mass deactivation is
// held, with the client named, until somebody has looked.
func TestQuestionIdentityProvider(t *testing.T) {
	o := stacktest.New(t)
	tenant := o.Tenant("corp.example")
	conn := o.Connect("corp.example", tenant, nil)
	okta := newPusher(o, "Okta")
	const people = 30
	ids := make([]string, people)
	for i := range ids {
		ids[i] = okta.send(http.StatusCreated, "POST", "/Users", fmt.Sprintf(`{"userName":"u%d@corp.example","externalId":"00u%d","active":true,"displayName":"U %d","name":{"givenName":"U","familyName":"%d"}}`, i, i, i, i))
	}
	o.Bind(conn, ids...)
	for _, id := range ids {
		o.Binding(conn, id, "in-sync")
	}
	is := func(upn, property string, want any) func() bool {
		return func() bool { return fmt.Sprint(o.Account(tenant, upn)[property]) == fmt.Sprint(want) }
	}
	okta.patch(ids[0], `{"name.familyName":"Moved"}`)
	o.Wait("the mover's name", is("u0@corp.example", "surname", "Moved"))
	okta.patch(ids[0], `{"active":"False"}`)
	o.Wait("the leaver's block", is("u0@corp.example", "accountEnabled", false))
	if back := okta.send(http.StatusCreated, "POST", "/Users", `{"userName":"u0@corp.example","externalId":"00u0"}`); back != ids[0] {
		t.Errorf("somebody else came back: %s", back)
	}
	o.Wait("the comeback", is("u0@corp.example", "accountEnabled", true))

	for _, id := range ids {
		okta.patch(id, `{"active":false}`)
	}
	var held stack.Object
	o.Wait("the mass deactivation to be held", func() bool {
		for _, r := range o.Get("/v1/connections/" + conn + "/runs").List("items") {
			if r.Text("state") == "held" {
				held = r
			}
		}
		return held != nil
	})
	if why := fmt.Sprint(o.Get("/v1/runs/" + held.Text("id"))["held"]); !strings.Contains(why, `"Okta"`) || !strings.Contains(why, okta.id) {
		t.Errorf("held for %s", why)
	}
	enabled := 0
	for i := range ids {
		if is(fmt.Sprintf("u%d@corp.example", i), "accountEnabled", true)() {
			enabled++
		}
	}
	if enabled < people-10 {
		t.Errorf("of %d accounts %d are left enabled", people, enabled)
	}
	if _, err := o.API.Patch(t.Context(), "/v1/scim-clients/"+okta.id, stack.Object{"paused": true}); err != nil {
		t.Fatal(err)
	}
	okta.send(http.StatusServiceUnavailable, "GET", "/Users", "")
}

// TestTakeBackOfAMassDeactivation: a client suspends everybody by mistake, which is held;
// it is paused, what it did is taken back as one act, and the next run has nothing to do.
func TestTakeBackOfAMassDeactivation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := stacktest.New(t)
		tenant := o.Tenant("corp.example")
		conn := o.Connect("corp.example", tenant, nil)
		okta := newPusher(o, "Okta")
		var ids []string
		for i := range 30 {
			ids = append(ids, okta.send(http.StatusCreated, "POST", "/Users", fmt.Sprintf(`{"userName":"u%d@corp.example","externalId":"00u%d","active":true,"name":{"givenName":"U","familyName":"%d"}}`, i, i, i)))
		}
		o.Bind(conn, ids...)
		for _, id := range ids {
			o.Binding(conn, id, "in-sync")
		}
		if err := clock.Sleep(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		since := time.Now()
		shown, _, _ := strings.Cut(okta.answer(http.StatusOK, "GET", "/Users/"+ids[0], ""), `"meta"`)
		for _, id := range ids {
			okta.patch(id, `{"active":false}`)
		}
		held := ""
		o.Wait("the mass deactivation to be held", func() bool {
			for _, r := range o.Get("/v1/connections/" + conn + "/runs").List("items") {
				if r.Text("state") == "held" {
					held = r.Text("id")
				}
			}
			return held != ""
		})
		take := func(more string) stack.Object {
			j := o.Post("/v1/scim-clients/"+okta.id+"/take-back", stack.Object{"since": since.UTC().Format(time.RFC3339Nano), more: true})
			o.Wait("the take-back", func() bool { return o.Get("/v1/jobs/"+j.Text("id")).Text("state") == "done" })
			return o.Get("/v1/jobs/" + j.Text("id"))
		}
		for _, more := range []string{"dryRun", "pause"} {
			if counts := fmt.Sprint(take(more)["counts"]); counts != "map[edited:30]" {
				t.Errorf("%s: %s", more, counts)
			}
		}
		o.Wait("everybody to be in sync", func() bool {
			for i, id := range ids {
				if o.Account(tenant, fmt.Sprintf("u%d@corp.example", i))["accountEnabled"] != true || o.Get("/v1/users/"+id).Text("state") != "active" {
					return false
				}
			}
			return true
		})
		for _, id := range ids {
			o.Binding(conn, id, "in-sync")
		}
		r := o.Post("/v1/connections/"+conn+"/runs", stack.Object{"dryRun": true})
		o.Wait("a dry run", func() bool { r = o.Get("/v1/runs/" + r.Text("id")); return r.Text("endedAt") != "" })
		if changes := o.Get("/v1/runs/" + r.Text("id") + "/changes").List("items"); len(changes) > 0 {
			t.Errorf("the next run would do something: %v", changes)
		}
		if is := o.Get("/v1/runs/" + held).Text("state"); is != "superseded" {
			t.Errorf("the held run is %s", is)
		}
		if _, err := o.API.Patch(t.Context(), "/v1/scim-clients/"+okta.id, stack.Object{"paused": false}); err != nil {
			t.Fatal(err)
		}
		if again := okta.answer(http.StatusOK, "GET", "/Users/"+ids[0], ""); !strings.HasPrefix(again, shown) || !strings.Contains(shown, `"active":true`) {
			t.Errorf("the client is shown %s, and was %s", again, shown)
		}
	})
}
