package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/connect"
	"bindery/shared/directory"
	"bindery/shared/store"
)

func TestProblems(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := "/v1/connections/" + string(w.conn.ID)
	user := "/v1/users/" + w.user(`{"email":"a@corp.example"}`)
	for _, test := range []struct {
		method, path, body string
		status             int
		code, fields       string
	}{
		{"GET", "/v1/nothing", "", 404, "no-such-route", ""},
		{"PUT", user, "{}", 405, "method-not-allowed", ""},
		{"GET", "/v1/users?limit=0", "", 422, "invalid-parameter", "limit"},
		{"GET", "/v1/users?limit=2501", "", 422, "invalid-parameter", "limit"},
		{"GET", "/v1/users?limit=x&state=gone", "", 422, "invalid-parameter", "limit state"},
		{"GET", "/v1/users?color=red", "", 422, "invalid-parameter", "color"},
		{"GET", "/v1/users?next=junk", "", 422, "invalid-cursor", ""},
		{"GET", conn + "/accounts?next=junk", "", 422, "invalid-cursor", ""},
		{"GET", conn + "/accounts?bound=maybe", "", 422, "invalid-parameter", "bound"},
		{"GET", conn + "/bindings?next=junk", "", 422, "invalid-cursor", ""},
		{"GET", "/v1/users/usr_none", "", 404, "user-not-found", ""},
		{"GET", "/v1/connections/con_none", "", 404, "not-found", ""},
		{"GET", "/v1/connections/con_none/bindings", "", 404, "not-found", ""},
		{"GET", "/v1/connections/con_none/runs", "", 404, "not-found", ""},
		{"GET", "/v1/runs/run_none", "", 404, "not-found", ""},
		{"GET", "/v1/runs/run_none/changes", "", 404, "not-found", ""},
		{"GET", "/v1/jobs/job_none", "", 404, "job-not-found", ""},
		{"POST", "/v1/users", "", 400, "invalid-body", ""},
		{"POST", "/v1/users", "{", 400, "invalid-body", ""},
		{"POST", "/v1/users", "[]", 400, "invalid-body", ""},
		{"POST", "/v1/users", "null", 400, "invalid-body", ""},
		{"POST", "/v1/users", `{"nick":"x"}`, 422, "invalid-user", "nick"},
		{"POST", "/v1/users", `{"email":"A@corp.example"}`, 409, "email-taken", ""},
		{"PATCH", user, `{"id":"x"}`, 422, "invalid-user", "id"},
		{"POST", "/v1/connections", `{"name":"x","color":"red"}`, 400, "invalid-body", "color"},
		{"POST", "/v1/connections", `{"name":7}`, 400, "invalid-body", "name"},
		{"POST", "/v1/connections", `{"name":"x"} {}`, 400, "invalid-body", ""},
		{"POST", "/v1/connections", `{"name":"x","settings":{"colour":1}}`, 422, "invalid-settings", ""},
		{"PATCH", conn, `{"settings":{"interval":"1m","attributes":{"shoeSize":{"export":true}}}}`, 422, "invalid-settings", "settings.attributes.shoeSize settings.interval"},
		{"PATCH", conn, `{"settings":[]}`, 422, "invalid-settings", "settings"},
		{"PATCH", conn, `{"name":" "}`, 422, "invalid-connection", "name"},
		{"PATCH", conn, `{"status":"active"}`, 400, "invalid-body", "status"},
		{"PATCH", "/v1/connections/con_none", `{"name":"x"}`, 404, "not-found", ""},
		{"DELETE", conn, "", 409, "conflict", ""},
		{"POST", conn + "/confirm", `{"tenantId":"other","objectId":"o"}`, 409, "other-tenant", ""},
		{"POST", conn + "/bindings", `{}`, 422, "invalid-user-ids", "userIds"},
		{"POST", conn + "/bindings", `{"userIds":"usr"}`, 400, "invalid-body", "userIds"},
		{"POST", conn + "/bindings", `{"userIds":["a"],"all":true}`, 400, "invalid-body", ""},
		{"POST", conn + "/bindings", `{"all":true,"previous":true}`, 400, "invalid-body", ""},
		{"POST", conn + "/bindings", `{"everybody":true}`, 400, "invalid-body", "everybody"},
		{"DELETE", conn + "/bindings/usr_none", "", 404, "not-bound", ""},
		{"DELETE", conn + "/bindings/usr_none?then=burn", "", 422, "invalid-parameter", "then"},
		{"POST", conn + "/imports", `{}`, 400, "invalid-body", ""},
		{"POST", conn + "/imports", `{"all":true,"accountIds":["a"]}`, 400, "invalid-body", ""},
		{"POST", conn + "/runs", `{"userIds":[]}`, 422, "no-users", ""},
		{"GET", "/v1/users/%00", "", 422, "invalid-parameter", "id"},
		{"POST", "/v1/runs/%C3%28/cancel", "", 422, "invalid-parameter", "id"},
		{"POST", conn + "/runs", `{"settings":{}}`, 422, "settings-need-dry-run", ""},
		{"POST", conn + "/runs", `{"dryRun":true,"settings":{"mode":"wild"}}`, 422, "invalid-settings", "settings.mode"},
		{"POST", "/v1/runs/run_none/cancel", "", 404, "not-found", ""},
		{"POST", "/v1/runs/run_none/approve", "", 404, "not-found", ""},
		{"POST", "/v1/users:load", `{"email":"a@b.example"}`, 202, "", ""},
		{"POST", "/v1/users:load", `[]`, 422, "invalid-file", ""},
		{"POST", user + "/temporary-password", "", 404, "not-found", ""},
	} {
		a := w.want(test.status, test.code, test.method, test.path, test.body)
		var fields []string
		list, _ := a.body["errors"].([]any)
		for _, e := range list {
			m := e.(map[string]any)
			fields = append(fields, m["field"].(string))
			if m["detail"] == "" {
				t.Errorf("%s %s names %s without a reason", test.method, test.path, m["field"])
			}
		}
		if got := strings.Join(fields, " "); got != test.fields {
			t.Errorf("%s %s names %q, want %q (%s)", test.method, test.path, got, test.fields, a.raw)
		}
	}
	if a := w.do("PUT", user, "{}"); a.header.Get("Allow") != "GET, PATCH, DELETE" {
		t.Errorf("Allow = %q", a.header.Get("Allow"))
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err    error
		status int
		code   string
	}{
		{fmt.Errorf("x: %w", directory.ErrNotFound), 404, "not-found"},
		{directory.ErrStale, 409, "changed-meanwhile"},
		{directory.Refuse(directory.ErrStale, "version-mismatch", "d", "n"), 412, "version-mismatch"},
		{directory.ErrBusy, 503, "busy"},
		{&directory.ThrottledError{RetryAfter: 90 * time.Second}, 503, "throttled"},
		{directory.ErrUnavailable, 502, "microsoft-unavailable"},
		{&connect.TokenError{Class: connect.ErrNeedsAuthorization, Problem: directory.Problem{Code: "revoked", Message: "m"}}, 409, "revoked"},
		{&connect.TokenError{Class: connect.ErrTransient, Problem: directory.Problem{Code: "later", Message: "m"}}, 502, "later"},
		{&connect.TokenError{Class: connect.ErrConfiguration, Problem: directory.Problem{Code: "no-app", Message: "m"}}, 500, "no-app"},
		{directory.ErrUnauthorized, 409, "needs-authorization"},
		{&store.AddressTaken{Field: "email"}, 409, "conflict"},
		{&directory.Claimed{What: "tenant"}, 409, "conflict"},
		{&directory.Problem{Code: "graph-says-no", Message: "No."}, 502, "graph-says-no"},
		{context.DeadlineExceeded, 504, "timeout"},
		{errors.New("secret detail"), 500, "internal"},
	} {
		p := classify(test.err)
		if p.Status != test.status || p.Code != test.code || p.Detail == "" || strings.Contains(p.Detail+p.NextStep, "secret") {
			t.Errorf("classify(%v) = %+v, want %d %s", test.err, p, test.status, test.code)
		}
		if (test.status == 503) != (p.retry > 0) {
			t.Errorf("classify(%v) retries after %v", test.err, p.retry)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := "/v1/connections/" + string(w.conn.ID)
	big := strings.Repeat(" ", MaxBody-2) + "{}"
	for _, path := range []string{"/v1/users", conn + "/imports", "/v1/users:load", conn + "/runs"} {
		w.want(413, "body-too-large", "POST", path, big+" ")
		if a := w.do("POST", path, big); a.status == 413 || a.status >= 500 {
			t.Errorf("POST %s of the largest size = %d %s", path, a.status, a.raw)
		}
	}
}

func TestUserLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.want(201, "", "POST", "/v1/users", `{"email":"jo@corp.example","phones":{"work":"1"},"customAttributes":{"a":"1"}}`)
	path := a.header.Get("Location")
	if a.header.Get("ETag") != `"1"` || path != "/v1/users/"+a.text("id") || a.text("state") != "active" {
		t.Errorf("created %s, ETag %s, Location %s", a.raw, a.header.Get("ETag"), path)
	}
	if got := w.want(200, "", "GET", path, ""); got.raw != a.raw || got.header.Get("ETag") != `"1"` {
		t.Errorf("GET %s = %s, want what the create answered", path, got.raw)
	}
	w.want(200, "", "PATCH", path, `{"department":"Sales","phones":null}`, "If-Match", `"1"`, "Content-Type", "application/merge-patch+json")
	w.want(412, "version-mismatch", "PATCH", path, `{"department":"R&D"}`, "If-Match", `"1"`)
	w.want(412, "version-mismatch", "PATCH", path, `{"department":"R&D"}`, "If-Match", `junk`)
	w.want(200, "", "PATCH", path, `{"department":"R&D"}`, "If-Match", `*`)
	a = w.want(200, "", "POST", path+"/suspend", "", "If-Match", `W/"3"`)
	if a.text("state") != "suspended" || a.header.Get("ETag") != `"4"` || strings.Contains(a.raw, "phones") {
		t.Errorf("suspended = %s", a.raw)
	}
	w.want(412, "version-mismatch", "POST", path+"/activate", "", "If-Match", `"1"`)
	w.want(200, "", "POST", path+"/activate", "")
	w.want(412, "version-mismatch", "DELETE", path, "", "If-Match", `"1"`)
	if a := w.want(204, "", "DELETE", path, ""); a.raw != "" {
		t.Errorf("DELETE answers %q", a.raw)
	}
	if a := w.want(200, "", "GET", path, ""); a.text("deleted") == "" {
		t.Errorf("the tombstone is %s", a.raw)
	}
	w.want(409, "user-deleted", "PATCH", path, `{"department":"x"}`)
	w.want(200, "", "POST", path+"/restore", "")
	if a := w.want(200, "", "GET", "/v1/users?email=JO@corp.example", ""); len(a.body["items"].([]any)) != 1 {
		t.Errorf("found %s", a.raw)
	}
	if a := w.want(200, "", "GET", "/v1/users?text=nobody", ""); len(a.body["items"].([]any)) != 0 {
		t.Errorf("found %s", a.raw)
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 25 {
		w.user(fmt.Sprintf(`{"email":"p%d@corp.example"}`, i))
	}
	seen := map[string]bool{}
	next := ""
	for pages := 0; ; pages++ {
		a := w.want(200, "", "GET", "/v1/users?limit=4&next="+next, "")
		items := a.body["items"].([]any)
		if len(items) > 4 || pages > 50 {
			t.Fatalf("page %d has %d items", pages, len(items))
		}
		for _, u := range items {
			seen[u.(map[string]any)["id"].(string)] = true
		}
		if next = a.text("next"); next == "" {
			break
		}
	}
	if len(seen) != 25 {
		t.Errorf("%d users in all pages, want 25", len(seen))
	}
}

func TestConnectionLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.want(201, "", "POST", "/v1/connections", `{"name":"Branch","expectedDomain":"branch.example","settings":{"interval":"1h","attributes":{"jobTitle":{"export":true}}}}`)
	path := a.header.Get("Location")
	if a.text("authorizationUrl") == "" || a.text("status") != "pending" || a.body["boundCount"] != 0.0 {
		t.Errorf("created %s", a.raw)
	}
	if a := w.want(200, "", "GET", path, ""); a.text("authorizationUrl") != "" || a.text("name") != "Branch" {
		t.Errorf("read %s", a.raw)
	}
	// Settings are merged; null takes one back.
	a = w.want(200, "", "PATCH", path, `{"settings":{"attributes":{"city":{"export":true}},"interval":null}}`)
	s := a.body["settings"].(map[string]any)
	if attributes := s["attributes"].(map[string]any); len(attributes) != 2 || s["interval"] != nil {
		t.Errorf("settings = %v", s)
	}
	if a := w.want(200, "", "PATCH", path, `{"name":"New","settings":null}`); a.text("name") != "New" || len(a.body["settings"].(map[string]any)) != 0 {
		t.Errorf("after settings:null %s", a.raw)
	}
	if a := w.want(200, "", "GET", "/v1/connections", ""); len(a.body["items"].([]any)) != 2 {
		t.Errorf("listed %s", a.raw)
	}
	w.want(200, "", "POST", path+"/authorize", "")
	w.want(200, "", "POST", "/v1/connections/"+string(w.conn.ID)+"/confirm", `{"tenantId":"tenant-1","objectId":"admin-1"}`)
	if a := w.want(200, "", "POST", path+"/deactivate", ""); a.text("status") != "deactivated" || a.body["released"] != 0.0 {
		t.Errorf("deactivated %s", a.raw)
	}
	w.want(409, "connection-not-active", "POST", path+"/runs", "")
	w.want(409, "connection-not-active", "GET", path+"/accounts", "")
	w.want(204, "", "DELETE", path, "")
	w.want(404, "not-found", "GET", path, "")
}

func TestMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := "/v1/connections/" + string(w.conn.ID)
	in := w.user(`{"email":"in@corp.example"}`)
	out := w.user(`{"email":"out@else.example"}`)
	a := w.want(200, "", "GET", conn+"/accounts?bound=false", "")
	if items := a.body["items"].([]any); len(items) != 1 || items[0].(map[string]any)["verdict"] != "new" {
		t.Errorf("accounts = %s", a.raw)
	}
	a = w.want(200, "", "POST", conn+"/bindings", fmt.Sprintf(`{"userIds":[%q,%q]}`, in, out))
	if b, r := a.body["bound"].([]any), a.body["refused"].([]any); len(b) != 1 || len(r) != 1 || r[0].(map[string]any)["code"] != "domain-not-claimed" {
		t.Errorf("bound %s", a.raw)
	}
	run := a.body["dryRun"].(map[string]any)["href"].(string)
	if a := w.want(200, "", "GET", run, ""); a.body["dryRun"] != true || a.text("state") != "planning" || a.body["counts"] != nil {
		t.Errorf("the dry run is %s", a.raw)
	}
	w.want(200, "", "GET", run+"/changes", "")
	a = w.want(200, "", "GET", conn+"/bindings?status=pending", "")
	if items := a.body["items"].([]any); len(items) != 1 || items[0].(map[string]any)["userId"] != in {
		t.Errorf("bindings %s", a.raw)
	}
	if a := w.want(200, "", "GET", conn+"/bindings?status=in-sync", ""); len(a.body["items"].([]any)) != 0 {
		t.Errorf("bindings in-sync %s", a.raw)
	}
	if a := w.want(200, "", "GET", conn, ""); a.body["boundCount"] != 1.0 {
		t.Errorf("connection %s", a.raw)
	}
	a = w.want(202, "", "POST", conn+"/bindings", `{"all":true}`)
	job := w.want(200, "", "GET", a.header.Get("Location"), "")
	if job.text("kind") != "bind" || job.text("state") != "queued" || job.body["refused"] == nil {
		t.Errorf("job %s", job.raw)
	}
	a = w.want(202, "", "POST", conn+"/imports", `{"all":true,"bind":true}`)
	if a.header.Get("Location") != "/v1/jobs/"+a.text("id") || a.text("kind") != "import" {
		t.Errorf("import %s", a.raw)
	}
	if a := w.want(204, "", "DELETE", conn+"/bindings/"+in, ""); a.raw != "" {
		t.Errorf("release answers %q", a.raw)
	}
	u, err := w.store.Users.User(t.Context(), directory.UserID(in))
	if err != nil {
		t.Fatal(err)
	}
	err = w.store.Bindings.Bind(t.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{User: &u, AccountID: "acc-1", UserPrincipalName: "in@corp.example"}})
	if err != nil {
		t.Fatal(err)
	}
	a = w.want(202, "", "DELETE", conn+"/bindings/"+in+"?then=block", "")
	if a.text("kind") != "release" || a.header.Get("Location") != "/v1/runs/"+a.text("id") {
		t.Errorf("release %s", a.raw)
	}
	w.want(200, "", "POST", "/v1/runs/"+a.text("id")+"/cancel", "")
	w.want(409, "run-ended", "POST", "/v1/runs/"+a.text("id")+"/cancel", "")
	a = w.want(202, "", "POST", conn+"/runs", "")
	if a.body["dryRun"] != false || a.text("trigger") != "admin" {
		t.Errorf("run %s", a.raw)
	}
	w.want(202, "", "POST", conn+"/runs", `{"dryRun":true,"full":true,"settings":{"mode":"approve"}}`)
	if a := w.want(200, "", "GET", conn+"/runs?limit=2", ""); len(a.body["items"].([]any)) != 2 || a.text("next") == "" {
		t.Errorf("runs %s", a.raw)
	}
}

func TestLoadTypes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, test := range []struct {
		kind, body string
		status     int
		code       string
	}{
		{"text/csv; charset=utf-8", "email\na@corp.example\n", 202, ""},
		{"application/x-ndjson", `{"email":"a@corp.example"}`, 202, ""},
		{"text/csv", `{"email":"a@corp.example"}`, 422, "invalid-file"},
		{"application/octet-stream", "email\nx\n", 202, ""},
		{"", "email\nx\n", 202, ""},
		{"application/vnd.ms-excel", "email;x\r\nx\r\n", 422, "invalid-header"},
		{"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "PK\x03\x04", 422, "invalid-file"},
		{"image/png", "x", 415, "unsupported-media-type"},
		{"text/csv; charset=latin1", "email\nx\n", 202, ""},
		{"text/csv; charset=koi8-r", "email\nx\n", 415, "unsupported-charset"},
	} {
		a := w.want(test.status, test.code, "POST", "/v1/users:load", test.body, "Content-Type", test.kind)
		if test.status == 202 && (a.text("kind") != "load" || a.body["total"] != 1.0) {
			t.Errorf("load of %s = %s", test.kind, a.raw)
		}
	}
	// What becomes of a file is said in the query, and its answer tells how it is read.
	file := "Work Email\tFirst name\tShoe size\na@corp.example\tAnn\t38\n"
	a := w.want(202, "", "POST", "/v1/users:load?check=true&applyStatus=true&unknownColumns=ignore", file, "Content-Type", "text/csv")
	if told, _ := a.body["file"].(map[string]any); a.text("kind") != "check" || told["separator"] != "\t" || !strings.Contains(a.raw, `{"name":"Work Email","attribute":"email"}`) {
		t.Errorf("check = %s", a.raw)
	}
	w.want(422, "invalid-header", "POST", "/v1/users:load?unknownColumns=refuse", file, "Content-Type", "text/csv")
	w.want(422, "invalid-file", "POST", "/v1/users:load?sheet=People", file, "Content-Type", "text/csv")
	w.want(422, "invalid-parameter", "POST", "/v1/users:load?check=perhaps", file, "Content-Type", "text/csv")
	w.want(422, "invalid-parameter", "POST", "/v1/users:load?unknownColumns=drop", file, "Content-Type", "text/csv")
}
