package reconcile

import (
	"context"
	"slices"
	"strconv"
	"testing"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// TestProblemsAndRetry: one cause of many users is one entry; a retry plans all
// of them again; a paused binding waits until it is resumed.
func TestProblemsAndRetry(t *testing.T) {
	w := newWorld(t)
	tenant := &stubborn{port: w.port}
	w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return tenant, nil }
	users := w.people(300)
	w.skew.Add(2 * Grace)
	tenant.problem = &directory.Problem{Code: "license-none-left", Kind: directory.ProblemTenant, Message: "No licence is left.", MicrosoftCode: "Request_BadRequest"}
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.JobTitle = "Boss" })
	}
	w.sync()
	tenant.problem = &directory.Problem{Code: "value-refused", Kind: directory.ProblemData, Message: "Not so."}
	w.edit(users[0], func(u *directory.User) { u.JobTitle = "Chief" })
	w.sync()
	causes, more, err := w.runs().ProblemGroups(t.Context(), &w.conn)
	if err != nil || more || len(causes) != 2 {
		t.Fatalf("causes %+v, %v, %v", causes, more, err)
	}
	first := causes[0]
	if first.Code != "license-none-left" || first.Users != 299 || first.Statuses[directory.BindingFailed] != 299 || len(first.Examples) != 10 || first.FirstSince.IsZero() {
		t.Errorf("cause %+v", first)
	}
	if causes[1].Users != 1 || causes[1].Statuses[directory.BindingRefused] != 1 {
		t.Errorf("cause %+v", causes[1])
	}
	list, next, err := w.runs().Affected(t.Context(), &w.conn, "license-none-left", "", 100)
	if err != nil || len(list) != 100 || next == "" || list[0].Problem.MicrosoftCode != "Request_BadRequest" {
		t.Errorf("%d users, next %q, %v", len(list), next, err)
	}

	if _, err := w.runs().Pause(t.Context(), caller("ada"), &w.conn, users[1].ID, "on leave"); err != nil {
		t.Fatal(err)
	}
	tenant.problem = nil
	started, next, err := w.runs().Retry(t.Context(), caller("ada"), &w.conn, "license-none-left", "")
	if err != nil || next != "" || len(started) != 1 || len(started[0].UserIDs) != 298 {
		t.Fatalf("retry %v, %v", started, err)
	}
	if r, err := w.runs().RetryOne(t.Context(), caller("ada"), &w.conn, users[0].ID); err != nil || len(r.UserIDs) != 1 {
		t.Fatal(err)
	}
	if _, err := w.runs().RetryOne(t.Context(), caller("ada"), &w.conn, users[1].ID); err == nil {
		t.Error("a paused binding is retried")
	}
	w.sync()
	if n := titled(w, users, "Boss"); n != 298 || w.account(users[0].Email)["jobTitle"] != "Chief" {
		t.Errorf("%d accounts have the new title after the retry, want 298", n)
	}
	causes, _, err = w.runs().ProblemGroups(t.Context(), &w.conn)
	if err != nil || len(causes) != 1 || causes[0].Code != directory.CodePausedByAdmin || causes[0].Examples[0] != users[1].ID {
		t.Errorf("causes %+v, %v; want the pause only", causes, err)
	}
	w.edit(users[1], func(u *directory.User) { u.Department = "Elsewhere" })
	w.sync()
	if w.account(users[1].Email)["department"] == "Elsewhere" || w.binding(users[1]).Status != directory.BindingPaused {
		t.Error("an edit wrote to a binding that an admin has paused")
	}
	if _, err := w.runs().Resume(t.Context(), caller("resumer"), &w.conn, users[1].ID); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if a := w.account(users[1].Email); a["department"] != "Elsewhere" || a["jobTitle"] != "Boss" || w.binding(users[1]).Status != directory.BindingInSync {
		t.Errorf("after resuming the binding is %s", w.binding(users[1]).Status)
	}
	if causes, _, err = w.runs().ProblemGroups(t.Context(), &w.conn); err != nil || len(causes) != 0 {
		t.Errorf("causes %+v, %v; want none", causes, err)
	}
	if _, _, err := w.runs().Retry(t.Context(), caller("ada"), &w.conn, "license-none-left", ""); err == nil {
		t.Error("a retry of nothing is accepted")
	}
}

// plagued lists problems that no binding stands behind.
type plagued struct {
	runs.Bindings
	list []store.ProblemRecord
}

func (p plagued) ListProblems(_ context.Context, _ directory.ConnectionID, _ int64, _, cursor string, limit int) ([]store.ProblemRecord, string, error) {
	from, _ := strconv.Atoi(cursor)
	to := min(from+limit, len(p.list))
	next := ""
	if to < len(p.list) {
		next = strconv.Itoa(to)
	}
	return append([]store.ProblemRecord(nil), p.list[from:to]...), next, nil
}

// TestRetryOfMany: a cause of more users than one call takes is retried to its
// end by calling again, each user once; what is left is never passed over in
// silence, and paused bindings are nothing to call again for.
func TestRetryOfMany(t *testing.T) {
	w := newWorld(t)
	const most = 20 * runs.MaxRunUsers
	for _, paused := range []bool{false, true} {
		list := make([]store.ProblemRecord, most+2500)
		for i := range list {
			list[i] = store.ProblemRecord{UserID: directory.NewUserID(w.now()), Status: directory.BindingFailed}
			if paused && i >= most {
				list[i].Status = directory.BindingPaused
			}
		}
		stores := runs.StoresOf(w.store)
		stores.Bindings = plagued{w.store.Bindings, list}
		admins := w.runsOn(stores, func() error { return nil })
		planned, calls := map[directory.UserID]bool{}, 0
		for next := ""; ; calls++ {
			started, more, err := admins.Retry(t.Context(), caller("ada"), &w.conn, "cause", next)
			w.do(err)
			for _, r := range started {
				for _, u := range r.UserIDs {
					if planned[u] {
						t.Fatalf("%s is planned twice", u)
					}
					planned[u] = true
				}
			}
			if next = more; next == "" {
				break
			}
		}
		want := len(list)
		if paused {
			want = most
		}
		if len(planned) != want || calls != map[bool]int{false: 1, true: 0}[paused] {
			t.Errorf("%d users planned in %d further calls, want %d", len(planned), calls, want)
		}
	}
}

// TestRetryBesideAnotherKind: objects of other kinds with a problem are retried with the
// users.
func TestRetryBesideAnotherKind(t *testing.T) {
	w := newWorld(t)
	ann := directory.NewUserID(w.now())
	stores := runs.StoresOf(w.store)
	stores.Bindings = plagued{w.store.Bindings, []store.ProblemRecord{
		{Object: lampRef(1), Status: directory.BindingFailed, Problem: directory.Problem{Code: "cause"}},
		{UserID: ann, Status: directory.BindingFailed, Problem: directory.Problem{Code: "cause"}},
	}}
	admins := w.runsOn(stores, func() error { return nil })
	started, _, err := admins.Retry(t.Context(), caller("ada"), &w.conn, "cause", "")
	if w.do(err); len(started) != 1 || !slices.Equal(started[0].UserIDs, []directory.UserID{ann}) || !slices.Equal(started[0].Objects, []directory.Ref{lampRef(1)}) {
		t.Errorf("started %+v", started)
	}
	groups, _, err := admins.ProblemGroups(t.Context(), &w.conn)
	if w.do(err); len(groups) != 1 || !slices.Equal(groups[0].Examples, []directory.UserID{ann}) {
		t.Errorf("groups %+v", groups)
	}
}
