package admin

import (
	"fmt"
	"strings"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/store"
)

func TestAttentionOverTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.want(200, "", "GET", "/v1/attention", "")
	if len(a.body["items"].([]any)) != 0 || a.body["connections"] != float64(1) || a.body["counts"].(map[string]any)["decide"] != float64(0) {
		t.Errorf("where nothing needs anybody: %s", a.raw)
	}
	run := w.heldRun()
	w.troubled("ann", "address-taken-by-group")
	a = w.want(200, "", "GET", "/v1/attention", "")
	items := a.body["items"].([]any)
	if len(items) != 2 || a.body["counts"].(map[string]any)["broken"] != float64(1) {
		t.Fatalf("attention %s", a.raw)
	}
	first := items[0].(map[string]any)
	if first["kind"] != "held-run" || first["runId"] != string(run) || first["connectionName"] != "HQ" || first["counts"].(map[string]any)["block"] != float64(2) {
		t.Errorf("the most urgent is %v", first)
	}
	if a = w.want(200, "", "GET", "/v1/attention?urgency=broken&connectionId="+string(w.conn.ID), ""); len(a.body["items"].([]any)) != 1 || strings.Contains(a.raw, string(run)) {
		t.Errorf("what is broken: %s", a.raw)
	}
	w.want(422, "invalid-parameter", "GET", "/v1/attention?urgency=none", "")
	w.want(404, "not-found", "GET", "/v1/attention?connectionId=con_none", "")
	w.want(422, "invalid-cursor", "GET", "/v1/attention?next=x", "")

	other := w.conn
	other.ID, other.Name, other.Version = directory.NewConnectionID(w.now()), "Branch", 0
	other.Tenant = &directory.Tenant{ID: "tenant-2"}
	if err := w.store.Connections.CreateConnection(t.Context(), directory.AuditEvent{}, &other); err != nil {
		t.Fatal(err)
	}
	found, looked, next := 0, 0.0, ""
	for range 3 {
		a = w.want(200, "", "GET", "/v1/attention?limit=1&next="+next, "")
		found, looked, next = found+len(a.body["items"].([]any)), looked+a.body["connections"].(float64), a.text("next")
		if next == "" {
			break
		}
	}
	if found != 2 || looked != 2 || next != "" {
		t.Errorf("page by page %d items of %v connections, next %q", found, looked, next)
	}
	// What is too large for one answer comes as a shorter page.
	w.api.most = 600
	if a = w.want(200, "", "GET", "/v1/attention", ""); a.body["connections"] != float64(1) || a.text("next") == "" {
		t.Errorf("an answer that is too large: %s", a.raw)
	}
}

// Whoever has an answer already is told that it has not changed, and is told what has.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.heldRun()
	run := "/v1/runs/" + string(id)
	job := "/v1/jobs/" + w.want(202, "", "POST", "/v1/activity:verify", `{}`).text("id")
	for _, path := range []string{run, w.connPath() + "/runs", job, "/v1/attention", "/v1/attention?urgency=decide"} {
		a := w.want(200, "", "GET", path, "")
		etag := a.header.Get("ETag")
		if !strings.HasPrefix(etag, `"`) || len(etag) < 10 {
			t.Fatalf("%s has the ETag %s", path, etag)
		}
		for _, have := range []string{etag, "W/" + etag, `"other", ` + etag, "*"} {
			a := w.do("GET", path, "", "If-None-Match", have)
			if a.status != 304 || a.raw != "" || a.header.Get("ETag") != etag || a.header.Get("Content-Type") != "" {
				t.Errorf("%s with %s = %d %s", path, have, a.status, a.raw)
			}
		}
		if a := w.do("GET", path, "", "If-None-Match", `"other"`); a.status != 200 || a.raw == "" || a.header.Get("ETag") != etag {
			t.Errorf("%s with another = %d", path, a.status)
		}
	}
	etag := w.want(200, "", "GET", run, "").header.Get("ETag")
	w.want(200, "", "POST", run+"/cancel", "")
	if a := w.do("GET", run, "", "If-None-Match", etag); a.status != 200 || a.text("state") != "cancelled" {
		t.Errorf("after a change: %d %s", a.status, a.raw)
	}
	if a := w.do("GET", "/v1/runs/run_none", "", "If-None-Match", "*"); a.status != 404 {
		t.Errorf("a run that is not there = %d", a.status)
	}
}

// What a journal counts on a run changes its ETag as well, though not its version.
func TestUnchangedByProgress(t *testing.T) {
	t.Parallel()
	var r directory.Run
	r.State = directory.RunApplying
	seen := map[string]bool{}
	for i := range 3 {
		r.Applied = i
		out, err := conditionally(IfNone{}, viewRun(r))
		if err != nil {
			t.Fatal(err)
		}
		seen[out.ETag] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d ETags of 3 states", len(seen))
	}
}

func TestBindingsOfUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, ben := w.troubled("ann", "address-taken-by-group"), w.user(`{"email":"ben@corp.example","givenName":"N","familyName":"M"}`)
	if a := w.want(200, "", "GET", "/v1/users/"+ben+"/bindings", ""); len(a.body["items"].([]any)) != 0 {
		t.Errorf("of a user who is not bound: %s", a.raw)
	}
	w.want(404, "user-not-found", "GET", "/v1/users/usr_none/bindings", "")
	refs := []directory.Ref{directory.ManagerOf(directory.UserID(ann)), directory.LicenceOf(directory.UserID(ann))}
	w.boundBeside(refs...)
	a := w.want(200, "", "GET", "/v1/users/"+ann+"/bindings", "")
	items := a.body["items"].([]any)
	if len(items) != 1 {
		t.Fatalf("bindings %s", a.raw)
	}
	b := items[0].(map[string]any)
	if b["userId"] != ann || b["connectionId"] != string(w.conn.ID) || b["connectionName"] != "HQ" || b["connectionStatus"] != "active" || b["status"] != "conflict" || b["problem"].(map[string]any)["code"] != "address-taken-by-group" {
		t.Errorf("the binding is %v", b)
	}
	var about []string
	for _, x := range b["beside"].([]any) {
		about = append(about, x.(map[string]any)["about"].(string))
	}
	if fmt.Sprint(about) != "[manager licences]" {
		t.Errorf("beside it stand %v", about)
	}
	w.want(200, "", "POST", "/v1/connections/"+string(w.conn.ID)+"/deactivate", "")
	if a := w.want(200, "", "GET", "/v1/users/"+ann+"/bindings", ""); len(a.body["items"].([]any)) != 0 {
		t.Errorf("after the deactivation: %s", a.raw)
	}
}

// boundBeside binds objects of other kinds than accounts.
func (w *world) boundBeside(refs ...directory.Ref) {
	w.t.Helper()
	for _, ref := range refs {
		if err := w.store.Bindings.Bind(w.t.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{Object: ref, Version: 1}}); err != nil {
			w.t.Fatal(err)
		}
	}
}
