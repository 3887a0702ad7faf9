package admin

import (
	"context"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// heldRun stores a held run with changes of three users.
func (w *world) heldRun() directory.RunID {
	w.t.Helper()
	ctx := w.t.Context()
	lease, _, err := w.store.Leases.AcquireLease(ctx, w.conn.ID, "test", time.Minute)
	if err != nil {
		w.t.Fatal(err)
	}
	r := store.RunRecord{Run: directory.Run{ID: directory.NewRunID(lease.Until), ConnectionID: w.conn.ID, Epoch: 1, Kind: directory.KindSync,
		State: directory.RunPlanning, StartedAt: lease.Until, Counts: map[directory.Effect]int{directory.EffectBlock: 2, directory.EffectUpdate: 1}}}
	if err := w.store.Runs.CreateRun(ctx, directory.AuditEvent{}, &r); err != nil {
		w.t.Fatal(err)
	}
	var changes []directory.Change
	for i, e := range []directory.Effect{directory.EffectBlock, directory.EffectBlock, directory.EffectUpdate} {
		p := directory.PropertyChange{Name: "accountEnabled", Before: directory.BoolValue(true), After: directory.BoolValue(false)}
		if e == directory.EffectUpdate {
			p = directory.PropertyChange{Name: "jobTitle", Before: directory.StringValue("=1+1"), After: directory.StringValue("Boss")}
		}
		changes = append(changes, directory.Change{UserID: directory.UserID(fmt.Sprintf("usr_%d", i)), AccountID: "acc", UserPrincipalName: fmt.Sprintf("u%d@corp.example", i),
			Department: []string{"Sales", "Works", "Works"}[i], Domain: "corp.example", Effect: e, Reason: "because", Properties: []directory.PropertyChange{p}})
	}
	if err := w.store.Runs.AppendChunk(ctx, &lease, &r, changes); err != nil {
		w.t.Fatal(err)
	}
	r.State, r.Held = directory.RunHeld, &directory.Held{Reasons: []string{"too many"}}
	if err := w.store.Runs.SaveRun(ctx, &lease, &r, store.Note{Name: store.NoteParts, Body: runs.Parts{}}); err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.Leases.ReleaseLease(ctx, &lease, store.RunEnd{}, true); err != nil {
		w.t.Fatal(err)
	}
	return r.ID
}

func TestChangesAreFilteredAndShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	run := "/v1/runs/" + string(w.heldRun())
	for query, n := range map[string]int{
		"": 3, "?effect=block": 2, "?effect=block,update": 3, "?userId=usr_1": 1, "?property=jobTitle": 1, "?department=works": 2,
		"?department=works&effect=block": 1, "?domain=CORP.example": 3, "?domain=other.example": 0, "?state=planned": 3, "?state=applied": 0,
	} {
		if a := w.want(200, "", "GET", run+"/changes"+query, ""); len(a.body["items"].([]any)) != n {
			t.Errorf("%s lists %s, want %d", query, a.raw, n)
		}
	}
	a := w.want(200, "", "GET", run+"/changes?limit=2", "")
	if len(a.body["items"].([]any)) != 2 || !strings.Contains(a.header.Get("Link"), `rel="next"`) {
		t.Fatalf("page %s, Link %q", a.raw, a.header.Get("Link"))
	}
	if a = w.want(200, "", "GET", run+"/changes?limit=2&next="+a.text("next"), ""); len(a.body["items"].([]any)) != 1 || a.text("next") != "" {
		t.Errorf("second page %s", a.raw)
	}
	w.want(422, "unknown-effect", "GET", run+"/changes?effect=explode", "")
	w.want(422, "invalid-cursor", "GET", run+"/changes?next=x", "")

	rows, err := csv.NewReader(strings.NewReader(w.text(run+"/changes", "text/csv"))).ReadAll()
	if err != nil || len(rows) != 4 || rows[0][0] != "change" || rows[3][9] != "'=1+1" {
		t.Errorf("CSV %v, %v; want a header, three lines, and no formula", rows, err)
	}
	if lines := w.text(run+"/changes", "text/plain"); strings.Count(lines, "\n") != 3 || !strings.Contains(lines, "u0@corp.example") {
		t.Errorf("text %q", lines)
	}
	w.want(200, "", "GET", run+"/parts", "")
	w.want(200, "", "GET", run+"/left", "")
	w.want(404, "not-found", "GET", "/v1/runs/run_none/parts", "")
}

// text gets a form that is not JSON.
func (w *world) text(path, accept string) string {
	w.t.Helper()
	a := w.plain("GET", path, accept)
	if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), accept) {
		w.t.Fatalf("GET %s = %d %s", path, a.status, a.header.Get("Content-Type"))
	}
	return a.raw
}

func TestApproval(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.heldRun()
	run := "/v1/runs/" + string(id)
	w.want(422, "nothing-chosen", "POST", run+"/approve", `{"changeIds":[]}`)
	w.want(422, "no-such-change", "POST", run+"/approve", `{"changeIds":["run_other.0.0"]}`)
	w.want(422, "no-such-change", "POST", run+"/approve", `{"changeIds":["`+string(id)+`.7.0"]}`)
	w.want(422, "unknown-effect", "POST", run+"/approve", `{"effects":["explode"]}`)
	w.want(400, "invalid-body", "POST", run+"/approve", `{"effect":["block"]}`)
	a := w.want(200, "", "POST", run+"/approve", `{"changeIds":["`+string(id)+`.0.0"],"effects":["update"]}`)
	if a.text("state") != "applying" || a.text("approvedBy") != "admin" || a.text("approvedAt") == "" {
		t.Errorf("approval %s", a.raw)
	}
	w.want(409, "run-not-held", "POST", run+"/approve", "")
	w.want(409, "run-not-held", "POST", run+"/decline", "")
	if a := w.want(200, "", "POST", "/v1/runs/"+string(w.heldRun())+"/decline", ""); a.text("state") != "applying" {
		t.Errorf("decline %s", a.raw)
	}
}

func TestUndoIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	run := "/v1/runs/" + string(w.heldRun())
	w.want(409, "run-not-ended", "POST", run+"/undo", "")
	w.want(422, "nothing-chosen", "POST", run+"/undo", `{"userIds":[]}`)
	w.want(200, "", "POST", run+"/cancel", "")
	w.want(409, "nothing-to-undo", "POST", run+"/undo", "")
	w.want(404, "not-found", "POST", "/v1/runs/run_none/undo", "")
	conn := "/v1/connections/" + string(w.conn.ID)
	w.want(422, "release-needs-dry-run", "POST", conn+"/runs", `{"release":"block"}`)
	w.want(422, "invalid-release", "POST", conn+"/runs", `{"dryRun":true,"release":"explode"}`)
	w.want(202, "", "POST", conn+"/runs", `{"dryRun":true,"release":"block"}`)
}

func TestProtection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.conn.AuthorizedBy = &directory.Administrator{ObjectID: "22222222-aaaa-4bbb-8ccc-000000000001", UserPrincipalName: "ada@corp.example"}
	w.saveConn(w.conn)
	conn := "/v1/connections/" + string(w.conn.ID) + "/protection"
	a := w.want(200, "", "GET", conn, "")
	if list := a.body["accounts"].([]any); len(list) != 2 || list[1].(map[string]any)["accountId"] != holder {
		t.Fatalf("protection %s", a.raw)
	}
	for i, want := range []any{nil, "root@corp.example"} { // who is not there any more has no name
		if name := a.body["accounts"].([]any)[i].(map[string]any)["userPrincipalName"]; name != want {
			t.Errorf("the account %d is called %v, want %v", i, name, want)
		}
	}
	lift := conn + "/" + holder + "/lift"
	w.want(422, "invalid-lift", "POST", lift, `{"minutes":0}`)
	w.want(422, "invalid-lift", "POST", lift, `{"minutes":1441}`)
	w.want(400, "invalid-body", "POST", lift, `{"hours":1}`)
	w.want(422, "invalid-reason", "POST", lift, `{"minutes":5,"reason":"a\nb"}`)
	w.want(409, "cannot-be-lifted", "POST", conn+"/22222222-AAAA-4bbb-8ccc-000000000001/lift", `{"minutes":5}`)
	w.want(404, "not-found", "DELETE", lift, "")
	a = w.want(200, "", "POST", lift, `{"minutes":90,"reason":"name change"}`)
	if a.text("until") != "2026-03-02T10:30:00Z" || a.text("by") != "admin" {
		t.Errorf("lift %s", a.raw)
	}
	if a = w.want(200, "", "GET", conn, ""); !strings.Contains(a.raw, "name change") {
		t.Errorf("protection %s", a.raw)
	}
	w.want(204, "", "DELETE", lift, "")
	if a = w.want(200, "", "GET", conn, ""); strings.Contains(a.raw, "name change") {
		t.Errorf("protection %s", a.raw)
	}
}

// slowNames has no name before whoever asks has waited long enough.
type slowNames struct{ Accounts }

func (slowNames) Names(ctx context.Context, _ *directory.Connection, _ []directory.AccountID) (map[directory.AccountID]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// Who is protected is told without names when the tenant does not tell them soon.
func TestProtectionWithoutNames(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.api.Accounts = slowNames{w.api.Accounts}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second) // as a call of the API has it
		defer cancel()
		p, err := w.api.getProtection(ctx, Caller{}, &ConnectionPath{ID: string(w.conn.ID)})
		if err != nil || len(p.Body.Accounts) != 1 || p.Body.Accounts[0].AccountID != holder || p.Body.Accounts[0].UserPrincipalName != "" {
			t.Fatalf("%+v, %v", p, err)
		}
		if took := time.Since(began); took != namesWithin || ctx.Err() != nil {
			t.Errorf("took %s, %v", took, ctx.Err())
		}
	})
}

func TestProblemsOverTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.user(`{"email":"ann@corp.example","userName":"ann","givenName":"Ann","familyName":"X","state":"active"}`)
	conn := "/v1/connections/" + string(w.conn.ID)
	w.want(200, "", "POST", conn+"/bindings", `{"userIds":["`+id+`"]}`)
	binding := conn + "/bindings/" + id
	if a := w.want(200, "", "POST", binding+"/pause", `{"reason":"on leave"}`); a.text("status") != "paused" || !strings.Contains(a.raw, "on leave") || !strings.Contains(a.raw, "bindings/"+id+"/resume") {
		t.Errorf("pause %s", a.raw)
	}
	w.want(409, "binding-paused", "POST", binding+"/retry", "")
	if a := w.want(200, "", "GET", conn+"/problems", ""); !strings.Contains(a.raw, "paused-by-admin") {
		t.Errorf("problems %s", a.raw)
	}
	if a := w.want(200, "", "GET", conn+"/problems/paused-by-admin", ""); len(a.body["items"].([]any)) != 1 {
		t.Errorf("users %s", a.raw)
	}
	w.want(404, "no-such-problem", "POST", conn+"/problems/paused-by-admin/retry", "")
	if a := w.want(200, "", "POST", binding+"/resume", ""); a.text("status") != "pending" {
		t.Errorf("resume %s", a.raw)
	}
	w.want(409, "binding-not-paused", "POST", binding+"/resume", "")
	w.want(202, "", "POST", binding+"/retry", "")
	w.want(404, "not-found", "POST", conn+"/bindings/usr_none/retry", "")
	w.want(404, "not-found", "GET", "/v1/users/usr_none/explain?connectionId="+string(w.conn.ID), "")
	w.want(422, "invalid-parameter", "GET", "/v1/users/"+id+"/explain", "")
	other := w.user(`{"email":"ben@corp.example","userName":"ben","givenName":"Ben","familyName":"X","state":"active"}`)
	if a := w.want(200, "", "GET", "/v1/users/"+other+"/explain?connectionId="+string(w.conn.ID), ""); a.body["bound"] != false || a.text("summary") == "" {
		t.Errorf("explain %s", a.raw)
	}
}

// TestRunOfUsersNotBound: a run names users who are bound through its
// connection, and none besides; the refusal says who is not, and why.
func TestRunOfUsersNotBound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, ben, cleo := w.troubled("ann", ""), w.user(`{"email":"ben@corp.example","givenName":"N","familyName":"M"}`), w.troubled("cleo", "")
	other := w.conn
	other.ID, other.Version = directory.NewConnectionID(time.Now()), 0
	other.Tenant = &directory.Tenant{ID: "22222222-aaaa-4bbb-8ccc-00000000000f"}
	if err := w.store.Connections.CreateConnection(t.Context(), directory.AuditEvent{}, &other); err != nil {
		t.Fatal(err)
	}
	runs := w.connPath() + "/runs"
	w.want(202, "", "POST", runs, `{"userIds":["`+ann+`","`+cleo+`"]}`)
	for _, more := range []string{"", `,"dryRun":true`, `,"dryRun":true,"release":"block"`} {
		a := w.want(422, "users-not-bound", "POST", runs, `{"userIds":["`+ann+`","`+ben+`","usr_none"]`+more+`}`)
		if strings.Contains(a.raw, ann) || !strings.Contains(a.raw, ben+": the user is not bound") || !strings.Contains(a.raw, "usr_none: there is no such user") || !strings.Contains(a.raw, "userIds[2]") {
			t.Errorf("refusal %s", a.raw)
		}
	}
	a := w.want(422, "users-not-bound", "POST", "/v1/connections/"+string(other.ID)+"/runs", `{"userIds":["`+cleo+`"]}`)
	if !strings.Contains(a.raw, cleo+": the user is bound through another connection") {
		t.Errorf("refusal %s", a.raw)
	}
}
