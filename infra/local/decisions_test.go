package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"bindery/infra/stack"
	"bindery/infra/stacktest"
	"bindery/shared/api/admin"
	"bindery/shared/boot/app"
	"bindery/shared/boot/web"
)

// bossGateway lets everything in, for somebody who may read and decide.
type bossGateway struct{}

func (bossGateway) Claims(context.Context) admin.Claims {
	return func(name string) (string, bool) {
		text, there := map[string]string{"sub": "boss", "scope": "bindery/read bindery/approve"}[name]
		return text, there
	}
}

func (bossGateway) RequestID(context.Context) string { return "of-the-boss" }

// TestDecideInPart is an evening with a held run: the inbox tells of it, its changes are
// counted, a part is approved by a filter and with a reason in another process, and what
// was decided is carried out, told and proved.
func TestDecideInPart(t *testing.T) {
	o := stacktest.New(t)
	tenant := o.Tenant("corp.example")
	conn := o.Connect("corp.example", tenant, object{"mode": "approve"})
	var users []string
	for i, name := range []string{"ada", "bob", "cyd", "dee"} {
		users = append(users, o.User(name+"@corp.example", object{"department": []string{"Sales", "Works"}[i%2]}))
	}
	o.Bind(conn, users...)

	var held object
	o.Wait("no run is held", func() bool {
		items := o.Get("/v1/attention?urgency=decide").List("items")
		if len(items) == 1 && items[0].Text("kind") == "held-run" {
			held = items[0]
		}
		return held != nil
	})
	run := "/v1/runs/" + held.Text("runId")
	if held.Text("connectionId") != conn || held.Object("counts")["create"] != float64(4) {
		t.Errorf("the inbox says %v", held)
	}
	if n := o.Get(run + "/counts?department=Works"); n["changes"] != float64(2) || n["of"] != float64(4) {
		t.Errorf("counted: %v", n)
	}
	look := func(handler http.Handler, etag string) *httptest.ResponseRecorder {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, run, nil)
		r.Header.Set("Authorization", "Bearer "+o.API.Token)
		if etag != "" {
			r.Header.Set("If-None-Match", etag)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	etag := look(o.Stack.Handler(), "").Header().Get("ETag")
	second, err := web.API(app.NewCore(o.Stack.Core.Parts()), bossGateway{})
	if err != nil {
		t.Fatal(err)
	}
	for name, handler := range map[string]http.Handler{"the first process": o.Stack.Handler(), "the second": second} {
		if w := look(handler, etag); w.Code != http.StatusNotModified || w.Body.Len() != 0 || w.Header().Get("ETag") != etag {
			t.Errorf("%s answers %d %s, want that nothing has changed", name, w.Code, w.Body)
		}
	}

	boss := &stack.Client{Handler: second}
	if me := o.Must(boss.Get(t.Context(), "/v1/me")); me.Text("subject") != "boss" || me.Object("may")["approve"] != true || me.Object("may")["write"] != false {
		t.Errorf("the boss is %v", me)
	}
	o.Must(boss.PostJSON(t.Context(), run+"/approve", object{"where": object{"department": []string{"works"}}, "reason": "Sales starts in May"}))
	var ended object
	o.Wait("the run does not end", func() bool {
		ended = o.Get(run)
		return ended.Text("state") == "done"
	})
	if look(o.Stack.Handler(), etag).Code != http.StatusOK {
		t.Error("the run has ended, and is told to be as it was")
	}
	if d := ended.List("decisions"); ended["applied"] != float64(2) || len(d) != 1 || d[0].Text("by") != "boss" || d[0].Text("reason") != "Sales starts in May" {
		t.Errorf("ended as %v", ended)
	}
	for i, name := range []string{"ada", "bob", "cyd", "dee"} {
		if there := o.Account(tenant, name+"@corp.example") != nil; there != (i%2 == 1) {
			t.Errorf("%s has an account: %v", name, there)
		}
	}
	if left := o.Get("/v1/attention?urgency=decide").List("items"); len(left) != 0 {
		t.Errorf("still to be decided: %v", left)
	}
	if b := o.Get("/v1/users/" + users[1] + "/bindings").List("items"); len(b) != 1 || b[0].Text("connectionName") != "corp.example" || b[0].Text("status") != "in-sync" {
		t.Errorf("bob is bound by %v", b)
	}
	act := o.Get("/v1/activity?effect=approve-run").List("items")
	if len(act) != 1 || act[0].Text("comment") != "Sales starts in May" || !strings.Contains(act[0].Text("reason"), "“Sales starts in May”") || act[0].Text("apiRequestId") != "of-the-boss" {
		t.Errorf("the activity says %v", act)
	}

	o.Post("/v1/connections/"+conn+"/deactivate", object{"reason": "the contract has ended"})
	if d := o.Get("/v1/connections/" + conn).Object("deactivation"); d.Text("reason") != "the contract has ended" || d.Text("by") == "" {
		t.Errorf("deactivated by %v", d)
	}
	verify := o.Post("/v1/activity:verify", object{}).Text("id")
	o.Wait("the verification does not end", func() bool { return o.Get("/v1/jobs/"+verify).Text("state") == "done" })
	if j := o.Get("/v1/jobs/" + verify); j["refusedCount"] != float64(0) {
		t.Errorf("what was decided does not verify: %v", j)
	}
	ids := func(list []object) (ids []string) {
		for _, j := range list {
			ids = append(ids, j.Text("id"))
		}
		return ids
	}
	first, other := ids(o.Get("/v1/jobs?kind=verify-activity").List("items")), ids(o.Must(boss.Get(t.Context(), "/v1/jobs?state=done")).List("items"))
	if !slices.Equal(first, []string{verify}) || !slices.Contains(other, verify) {
		t.Errorf("jobs are listed as %v here and %v there", first, other)
	}
}
