package admin

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// troubled binds a user whose binding has a problem; code "" means none.
func (w *world) troubled(name, code string, steps ...directory.Step) string {
	w.t.Helper()
	id := w.user(fmt.Sprintf(`{"email":"%s@corp.example","givenName":"N","familyName":"M"}`, name))
	ctx := w.t.Context()
	u, err := w.store.Users.User(ctx, directory.UserID(id))
	if err == nil {
		err = w.store.Bindings.Bind(ctx, directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{User: &u}})
	}
	var b directory.Binding
	if err == nil {
		b, err = w.store.Bindings.Binding(ctx, u.ID)
	}
	if code != "" && err == nil {
		b.Status = directory.BindingConflict
		b.Problem = &directory.Problem{Code: code, Kind: directory.ProblemConflict, Message: "Taken.", MicrosoftCode: "ObjectConflict", RequestID: "req-" + id,
			Holder: "g-1", HolderKind: directory.HolderGroup, Since: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC), Attempts: 2, Steps: steps}
		err = w.store.Bindings.UpdateBinding(ctx, directory.AuditEvent{}, &b, false, false)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func (w *world) connPath() string { return "/v1/connections/" + string(w.conn.ID) }

func TestProblemsByCause(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	step := directory.Step{Text: "Try again.", Call: "POST /v1/connections/{connectionId}/bindings/{userId}/retry"}
	ann := w.troubled("ann", "address-taken-by-group", step)
	ben := w.troubled("ben", "address-taken-by-group", step)
	first, second := min(ann, ben), max(ann, ben)
	w.troubled("cid", "account-gone")
	w.troubled("dan", "")
	problems := w.connPath() + "/problems"

	a := w.want(200, "", "GET", problems, "")
	items := a.body["items"].([]any)
	if len(items) != 2 || a.body["more"] != nil {
		t.Fatalf("problems %s, want two causes", a.raw)
	}
	cause := items[1].(map[string]any)
	if cause["code"] != "address-taken-by-group" || cause["users"] != float64(2) || fmt.Sprint(cause["examples"]) != fmt.Sprint([]string{first, second}) ||
		fmt.Sprint(cause["statuses"]) != "map[conflict:2]" || fmt.Sprint(cause["holders"]) != "[g-1]" || cause["firstSince"] != "2026-03-02T08:00:00Z" {
		t.Errorf("cause %v", cause)
	}
	call := cause["steps"].([]any)[0].(map[string]any)["call"].(string)
	if !strings.Contains(call, string(w.conn.ID)) {
		t.Errorf("the step's call is %s", call)
	}

	a = w.want(200, "", "GET", problems+"/address-taken-by-group?limit=1", "")
	if items = a.body["items"].([]any); len(items) != 1 || a.text("next") == "" {
		t.Fatalf("users %s, want one and a next", a.raw)
	}
	a = w.want(200, "", "GET", problems+"/address-taken-by-group?limit=1&next="+a.text("next"), "")
	one := a.body["items"].([]any)[0].(map[string]any)
	p := one["problem"].(map[string]any)
	if one["userId"] != second || p["requestId"] != "req-"+second || p["microsoftCode"] != "ObjectConflict" || p["attempts"] != float64(2) || !strings.Contains(fmt.Sprint(p["steps"]), second) {
		t.Errorf("second user %v", one)
	}
	if a = w.want(200, "", "GET", problems+"/address-taken", ""); len(a.body["items"].([]any)) != 0 {
		t.Errorf("the beginning of a code lists %s", a.raw)
	}
	w.want(422, "invalid-parameter", "GET", problems+"/No%23Code", "")
	w.want(404, "not-found", "GET", "/v1/connections/con_none/problems", "")

	a = w.want(200, "", "GET", w.connPath()+"/bindings?status=conflict", "")
	for _, b := range a.body["items"].([]any) {
		b := b.(map[string]any)
		p := b["problem"].(map[string]any)
		if p["since"] == nil || p["attempts"] == nil || p["requestId"] == nil || strings.Contains(fmt.Sprint(p["steps"]), "{") {
			t.Errorf("binding %v", b)
		}
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, ben := w.troubled("ann", "account-gone"), w.troubled("ben", "account-gone")
	free := w.user(`{"email":"free@corp.example"}`)
	conn := w.connPath()

	w.want(404, "no-such-problem", "POST", conn+"/problems/quota-exceeded/retry", "")
	w.want(404, "not-found", "POST", conn+"/bindings/"+free+"/retry", "")
	w.want(404, "not-found", "POST", conn+"/bindings/usr_none/retry", "")
	a := w.want(202, "", "POST", conn+"/bindings/"+ann+"/retry", "")
	if users := fmt.Sprint(a.body["userIds"]); a.text("kind") != "sync" || !strings.Contains(users, ann) || strings.Contains(users, ben) || !strings.Contains(a.header.Get("Location"), a.text("id")) {
		t.Errorf("retry of one %s, Location %q", a.raw, a.header.Get("Location"))
	}
	a = w.want(202, "", "POST", conn+"/problems/account-gone/retry", "")
	runs := a.body["runs"].([]any)
	if len(runs) != 1 {
		t.Fatalf("retry of a cause %s", a.raw)
	}
	run := w.want(200, "", "GET", "/v1/runs/"+runs[0].(map[string]any)["id"].(string), "")
	if users := fmt.Sprint(run.body["userIds"]); !strings.Contains(users, ann) || !strings.Contains(users, ben) || run.text("askedBy") != "admin" {
		t.Errorf("its run %s", run.raw)
	}
	if a := w.as(map[string]string{"sub": "reader", "scope": ScopeRead}, "POST", conn+"/problems/account-gone/retry", ""); a.status != 403 {
		t.Errorf("retry with the scope for reading = %d", a.status)
	}
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.troubled("ann", "account-gone")
	binding := w.connPath() + "/bindings/" + ann
	w.want(422, "invalid-reason", "POST", binding+"/pause", `{"reason":"`+strings.Repeat("ö", 1001)+`"}`)
	w.want(422, "invalid-reason", "POST", binding+"/pause", `{"reason":"a\u0007b"}`)
	w.want(400, "invalid-body", "POST", binding+"/pause", `{"why":"x"}`)
	w.want(409, "binding-not-paused", "POST", binding+"/resume", "")
	w.want(404, "not-found", "POST", w.connPath()+"/bindings/usr_none/pause", "")

	a := w.want(200, "", "POST", binding+"/pause", `{"reason":" an investigation "}`)
	p, _ := a.body["problem"].(map[string]any)
	if a.text("status") != "paused" || p["code"] != directory.CodePausedByAdmin || p["message"] != "Paused by admin: an investigation" || strings.Contains(fmt.Sprint(p["steps"]), "{") {
		t.Errorf("paused %s", a.raw)
	}
	w.want(409, "binding-paused", "POST", binding+"/retry", "")
	w.want(404, "no-such-problem", "POST", w.connPath()+"/problems/"+directory.CodePausedByAdmin+"/retry", "")
	if a = w.want(200, "", "GET", w.connPath()+"/bindings?status=paused", ""); len(a.body["items"].([]any)) != 1 {
		t.Errorf("paused bindings %s", a.raw)
	}
	w.want(200, "", "POST", binding+"/pause", "") // for no reason; again
	if a = w.want(200, "", "POST", binding+"/resume", ""); a.text("status") != "pending" || a.body["problem"] != nil {
		t.Errorf("resumed %s", a.raw)
	}
	if a = w.want(200, "", "GET", w.connPath()+"/problems", ""); len(a.body["items"].([]any)) != 0 {
		t.Errorf("problems after resuming %s", a.raw)
	}
	marks, _, err := w.store.Marks.ListMarks(t.Context(), w.conn.ID, w.conn.Epoch, "", 10)
	if err != nil || len(marks) == 0 {
		t.Errorf("a resumed binding is not marked: %v, %v", marks, err)
	}

	b, err := w.store.Bindings.Binding(t.Context(), directory.UserID(ann))
	if err != nil {
		t.Fatal(err)
	}
	b.Release = directory.ReleaseBlock
	if err := w.store.Bindings.UpdateBinding(t.Context(), directory.AuditEvent{}, &b, false, false); err != nil {
		t.Fatal(err)
	}
	w.want(409, "binding-released", "POST", binding+"/pause", "")
}

// readable is a tenant that Explain can read; fault is what its reads answer.
type readable struct {
	reconcile.Tenant
	fault error
	retry bool
}

func (r *readable) RoleHolders(context.Context) (directory.Privileged, error) {
	return directory.Privileged{}, nil
}

func (r *readable) Lookup(_ context.Context, refs, _ []string) ([]directory.Found, error) {
	out := make([]directory.Found, len(refs))
	for i := range out {
		out[i].Retry = r.retry
	}
	return out, r.fault
}

func (r *readable) Search(_ context.Context, addresses, _ []string) ([]directory.Found, error) {
	return make([]directory.Found, len(addresses)), nil
}

func (r *readable) TenantDomains(context.Context) ([]directory.TenantDomain, error) { return nil, nil }

func (r *readable) Externals(_ context.Context, addresses, _ []string) ([]directory.Found, error) {
	return make([]directory.Found, len(addresses)), nil
}

func TestExplain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := &readable{}
	w.api.Engine = reconcile.New(reconcile.Config{Stores: reconcile.StoresOf(w.store), Now: w.now,
		Open: func(context.Context, *directory.Connection) (reconcile.Tenant, error) { return tenant, nil }})
	ann := w.troubled("ann", "address-taken-by-group", directory.Step{Text: "Again.", Call: "POST /v1/connections/{connectionId}/bindings/{userId}/retry"})
	free := w.user(`{"email":"free@corp.example"}`)
	query := "/explain?connectionId=" + string(w.conn.ID)

	w.want(422, "invalid-parameter", "GET", "/v1/users/"+ann+"/explain", "")
	w.want(404, "not-found", "GET", "/v1/users/usr_none"+query, "")
	w.want(404, "not-found", "GET", "/v1/users/"+ann+"/explain?connectionId=con_none", "")
	if a := w.want(200, "", "GET", "/v1/users/"+free+query, ""); a.body["bound"] != false || !strings.Contains(a.text("summary"), "not bound") || a.body["attributes"] == nil {
		t.Errorf("of a user who is not bound: %s", a.raw)
	}

	for _, at := range []string{"&about=manager", "&about=licences", "&about=membership&groupId=grp_1"} {
		if a := w.want(200, "", "GET", "/v1/users/"+free+query+at, ""); a.body["bound"] != false || !strings.Contains(a.text("summary"), "Nobody asks") || a.body["object"] == nil {
			t.Errorf("%s: %s", at, a.raw)
		}
	}
	if a := w.want(200, "", "GET", "/v1/groups/grp_1"+query, ""); !strings.Contains(a.text("summary"), "not exported") {
		t.Errorf("of a group: %s", a.raw)
	}
	w.want(422, "invalid-parameter", "GET", "/v1/users/"+free+query+"&about=membership", "")
	w.want(422, "invalid-parameter", "GET", "/v1/users/"+free+query+"&groupId=grp_1", "")
	w.want(422, "invalid-parameter", "GET", "/v1/users/"+free+query+"&about=shoes", "")

	a := w.want(200, "", "GET", "/v1/users/"+ann+query, "")
	decision := a.body["decision"].(map[string]any)
	changes := decision["changes"].([]any)
	if len(changes) != 1 || changes[0].(map[string]any)["effect"] != "create" || a.text("summary") != "The next run makes 1 change." {
		t.Errorf("explained as %s", a.raw)
	}
	if at := a.body["address"].(map[string]any); at["mapped"] != "ann@corp.example" || strings.Contains(fmt.Sprint(a.body["binding"]), "{userId}") {
		t.Errorf("address %v, binding %v", at, a.body["binding"])
	}
	for _, member := range []string{"binding", "account", "protection", "guard", "attributes"} {
		if a.body[member] == nil {
			t.Errorf("%s is not explained", member)
		}
	}

	tenant.fault = directory.ErrUnavailable
	w.want(502, "microsoft-unavailable", "GET", "/v1/users/"+ann+query, "")
	tenant.fault = fmt.Errorf("token: %w", directory.ErrUnauthorized)
	w.want(409, "needs-authorization", "GET", "/v1/users/"+ann+query, "")
	tenant.fault, tenant.retry = nil, true
	w.want(503, "throttled", "GET", "/v1/users/"+ann+query, "")
	tenant.retry = false

	b, err := w.store.Bindings.Binding(t.Context(), directory.UserID(ann))
	if err != nil {
		t.Fatal(err)
	}
	b.AccountID, b.LastWrite = "acc-1", w.now() // made a moment ago, and not visible yet
	if err := w.store.Bindings.UpdateBinding(t.Context(), directory.AuditEvent{}, &b, false, false); err != nil {
		t.Fatal(err)
	}
	if a := w.want(503, "explain-later", "GET", "/v1/users/"+ann+query, ""); a.header.Get("Retry-After") == "" {
		t.Errorf("no Retry-After with %s", a.raw)
	}

	c, err := w.store.Connections.Connection(t.Context(), w.conn.ID)
	if err != nil {
		t.Fatal(err)
	}
	c.Status = directory.StatusNeedsAuthorization
	w.saveConn(c)
	if a := w.want(200, "", "GET", "/v1/users/"+ann+query, ""); a.body["bound"] != true || !strings.Contains(a.text("summary"), "needs-authorization") {
		t.Errorf("of a connection that is not authorised: %s", a.raw)
	}
}

// TestProblemsOfAPastEpoch: what was wrong before a connection was deactivated is
// not shown afterwards, nor once it is authorised and its users bound again,
// although the rows stay in the table for a while.
func TestProblemsOfAPastEpoch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	ann := directory.UserID(w.troubled("ann", "account-gone"))
	w.troubled("ben", "account-gone")
	none := func(when string) {
		t.Helper()
		if a := w.want(200, "", "GET", w.connPath()+"/problems", ""); len(a.body["items"].([]any)) != 0 {
			t.Errorf("%s: problems %s", when, a.raw)
		}
		if a := w.want(200, "", "GET", w.connPath()+"/problems/account-gone", ""); len(a.body["items"].([]any)) != 0 {
			t.Errorf("%s: users %s", when, a.raw)
		}
	}
	if a := w.want(200, "", "GET", w.connPath()+"/problems", ""); len(a.body["items"].([]any)) != 1 {
		t.Fatalf("problems %s", a.raw)
	}
	c, _, err := w.store.Connections.DeactivateConnection(ctx, directory.AuditEvent{}, w.conn.ID)
	if err != nil {
		t.Fatal(err)
	}
	none("deactivated")
	c.Status = directory.StatusActive
	w.saveConn(c)
	none("authorised again")
	u, err := w.store.Users.User(ctx, ann)
	if err != nil {
		t.Fatal(err)
	}
	old, err := w.store.Bindings.Binding(ctx, ann)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Bindings.Bind(ctx, directory.AuditEvent{}, &c, "admin", []store.Selection{{User: &u, Stale: &old}}); err != nil {
		t.Fatal(err)
	}
	none("bound again")
	w.want(404, "no-such-problem", "POST", w.connPath()+"/problems/account-gone/retry", "")
	b, err := w.store.Bindings.Binding(ctx, ann)
	if err != nil {
		t.Fatal(err)
	}
	b.Status, b.Problem = directory.BindingConflict, &directory.Problem{Code: "account-gone", Message: "Gone."}
	if err := w.store.Bindings.UpdateBinding(ctx, directory.AuditEvent{}, &b, false, false); err != nil {
		t.Fatal(err)
	}
	if a := w.want(200, "", "GET", w.connPath()+"/problems", ""); !strings.Contains(a.raw, `"users":1`) {
		t.Errorf("the new problem and no old one: %s", a.raw)
	}
}

func TestAdoptOverTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const account = "22222222-aaaa-4bbb-8ccc-000000000009"
	id := w.troubled("jo", "address-in-use", directory.Step{Text: "Adopt it.", Call: directory.CallAdopt, AccountID: account})
	conn := "/v1/connections/" + string(w.conn.ID)
	if a := w.want(200, "", "GET", conn+"/problems/address-in-use", ""); !strings.Contains(a.raw, account) || !strings.Contains(a.raw, id+"/adopt") {
		t.Errorf("users %s", a.raw)
	}
	// Of a cause with many users, one user's account is nobody else's step.
	if a := w.want(200, "", "GET", conn+"/problems", ""); strings.Contains(a.raw, account) {
		t.Errorf("causes %s", a.raw)
	}
	w.want(409, "account-not-offered", "POST", conn+"/bindings/"+id+"/adopt", `{"accountId":"22222222-aaaa-4bbb-8ccc-000000000001"}`)
	w.want(400, "invalid-body", "POST", conn+"/bindings/"+id+"/adopt", `{}`)
	w.want(200, "", "POST", conn+"/bindings/"+id+"/adopt", `{"accountId":"`+account+`"}`)
	if b, err := w.store.Bindings.Binding(t.Context(), directory.UserID(id)); err != nil || b.Adopt != account {
		t.Errorf("the binding adopts %q, %v", b.Adopt, err)
	}
}
