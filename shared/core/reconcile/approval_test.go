package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// all approves everything.
var all = plan.Approval{All: true}

func (w *world) runs() *runs.Service {
	return w.runsOn(runs.StoresOf(w.store), func() error { return nil })
}

// runsOn is what admins ask of runs, on their records and with a queue.
func (w *world) runsOn(s runs.Stores, wake func() error) *runs.Service {
	return runs.New(runs.Config{Stores: s, Now: w.now,
		Wake: func(context.Context, directory.ConnectionID, time.Duration) error { return wake() }})
}

// caller is an admin of a name.
func caller(subject string) directory.Caller { return directory.Caller{Subject: subject} }

// people makes bound users and syncs them.
func (w *world) people(n int) []directory.User {
	w.Helper()
	users := make([]directory.User, n)
	for i := range users {
		users[i] = w.user(fmt.Sprintf("user%03d", i), func(u *directory.User) {
			u.Department, u.JobTitle = []string{"Sales", "Works", "Legal"}[i%3], "Clerk"
		})
	}
	for i := 0; i < n; i += 10 {
		w.bind(users[i:min(i+10, n)]...)
	}
	w.sync()
	return users
}

func (w *world) settings(change func(*directory.Settings)) {
	w.Helper()
	var err error
	w.conn, err = w.store.Connections.ModifyConnection(w.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		change(&c.Settings)
		return nil
	})
	w.do(err)
}

func (w *world) states(id directory.RunID) map[directory.ChangeState]int {
	w.Helper()
	r, err := w.store.Runs.Run(w.Context(), id)
	w.do(err)
	changes, _, err := w.store.Runs.Changes(w.Context(), &r, "", 100000)
	w.do(err)
	n := map[directory.ChangeState]int{}
	for _, c := range changes {
		n[c.State]++
	}
	return n
}

// TestApprovalOfAPart: chosen changes are applied, the others are declined and
// not proposed again until something about them changes.
func TestApprovalOfAPart(t *testing.T) {
	w := newWorld(t)
	w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
	users := w.people(3)
	run, changes := w.lastRun()
	if run.State != directory.RunHeld || len(changes) != 3 || run.Held.Facts[0].Code != directory.HeldApproveMode {
		t.Fatalf("run is %s with %d changes, want held with 3", run.State, len(changes))
	}
	approve := func(a plan.Approval) directory.Run {
		t.Helper()
		r, _ := w.lastRun()
		if _, err := w.runs().Approve(t.Context(), caller("boss"), r.ID, a); err != nil {
			t.Fatal(err)
		}
		w.sync()
		got, err := w.store.Runs.Run(t.Context(), r.ID)
		w.do(err)
		return got.Run
	}
	approve(plan.Approval{All: true})
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.JobTitle, u.Email = "Boss", "new."+u.Email })
	}
	w.sync()
	run, changes = w.lastRun()
	if got := effects(changes); len(changes) != 6 {
		t.Fatalf("plan is %s, want an update and a rename of each", got)
	}
	// One user's changes, and all renames.
	done := approve(plan.Approval{ChangeIDs: []directory.ChangeID{changes[0].ID}, Effects: []directory.Effect{directory.EffectRename}})
	if done.State != directory.RunDone || done.ApprovedBy != "boss" || done.ApprovedAt.IsZero() {
		t.Fatalf("run is %s, approved by %q", done.State, done.ApprovedBy)
	}
	if n := w.states(run.ID); n[directory.ChangeApplied] != 4 || n[directory.ChangeDeclined] != 2 {
		t.Fatalf("states %v, want 4 applied and 2 declined", n)
	}
	boss := 0
	for _, u := range users {
		if w.account("new." + u.Email)["jobTitle"] == "Boss" {
			boss++
		}
		b := w.binding(u)
		if b.Status != directory.BindingInSync {
			t.Errorf("binding of %s is %s (%v)", u.Email, b.Status, b.Problem)
		}
	}
	if boss != 1 {
		t.Errorf("%d accounts have the new title, want the chosen one", boss)
	}
	before := len(w.allRuns())
	if _, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, runs.Request{Full: true}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if run, changes = w.lastRun(); run.State != directory.RunDone || len(changes) != 0 || len(w.allRuns()) != before+1 {
		t.Fatalf("a full run is %s with %s: what was declined is proposed again", run.State, effects(changes))
	}
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.JobTitle = "Chief" })
	}
	w.sync()
	if run, changes = w.lastRun(); run.State != directory.RunHeld || len(changes) != 3 {
		t.Fatalf("after an edit the run is %s with %s, want held with 3 updates", run.State, effects(changes))
	}
	approve(plan.Approval{}) // declined as a whole
	if n := w.states(run.ID); n[directory.ChangeDeclined] != 3 {
		t.Fatalf("states %v, want 3 declined", n)
	}
}

func (w *world) allRuns() []directory.Run {
	w.Helper()
	list, _, err := w.store.Runs.ListRuns(w.Context(), w.conn.ID, "", 100)
	w.do(err)
	out := make([]directory.Run, len(list))
	for i := range list {
		out[i] = list[i].Run
	}
	return out
}

// TestApprovedIsWhatWasSeen: between the plan and its approval one user is
// edited and one account changed by somebody else: these two are outdated, alone,
// and planned anew.
func TestApprovedIsWhatWasSeen(t *testing.T) {
	w := newWorld(t)
	users := w.people(4)
	w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.JobTitle = "Boss" })
	}
	w.sync()
	run, _ := w.lastRun()
	w.skew.Add(2 * Grace)
	w.edit(users[0], func(u *directory.User) { u.JobTitle = "Chief" })
	w.patch(users[1].Email, map[string]any{"jobTitle": "Hacker"})
	if _, err := w.runs().Approve(t.Context(), caller("boss"), run.ID, plan.Approval{All: true}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if n := w.states(run.ID); n[directory.ChangeApplied] != 2 || n[directory.ChangeOutdated] != 2 {
		t.Fatalf("states %v, want 2 applied and 2 outdated", n)
	}
	next, changes := w.lastRun()
	if next.ID == run.ID || next.State != directory.RunHeld || len(changes) != 2 {
		t.Fatalf("the last run is %s with %s, want a held one about the two", next.State, effects(changes))
	}
	for _, c := range changes {
		if before := c.Properties[0].Before.String(); c.UserID == users[1].ID && before != "Hacker" {
			t.Errorf("planned anew from %q", before)
		}
	}
	if got := w.account(users[1].Email)["jobTitle"]; got != "Hacker" {
		t.Errorf("jobTitle is %v: an approval wrote over what nobody had seen", got)
	}
}

// patch changes an account as an admin at Microsoft would.
func (w *world) patch(upn string, body map[string]any) {
	w.Helper()
	id := w.account(upn)["id"].(string)
	if status, _, raw, err := w.port.do(w.Context(), "PATCH", "/users/"+id, body); err != nil || status != 204 {
		w.Fatalf("PATCH = %d %s, %v", status, raw, err)
	}
}

// TestHeldRunLetsLeaversGo: a plan that is held for its renames still takes away
// access that was to be taken away.
func TestHeldRunLetsLeaversGo(t *testing.T) {
	w := newWorld(t)
	users := w.people(60)
	for i, u := range users {
		w.edit(u, func(u *directory.User) {
			if u.Email = "new." + u.Email; i < 2 {
				u.State = directory.StateSuspended
			}
		})
	}
	// As if the urgent lane had been missed: one run plans for all.
	w.engine.config.Stores.Marks = noUrgency{w.engine.config.Stores.Marks}
	if _, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, runs.Request{UserIDs: ids(users)}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	all := w.allRuns()
	var held directory.Run
	for _, r := range all {
		if r.State == directory.RunHeld && len(r.UserIDs) > 0 {
			held = r
		}
	}
	if held.ID == "" || held.Applied == 0 {
		t.Fatalf("runs are %d, want a held one that has blocked the leavers", len(all))
	}
	for i, u := range users {
		if on := w.account(u.Email)["accountEnabled"]; on != (i >= 2) {
			t.Errorf("accountEnabled of %s is %v", u.Email, on)
		}
	}
}

// noUrgency is a table whose urgent marks nobody sees.
type noUrgency struct{ markStore }

func (noUrgency) UrgentMarks(context.Context, directory.ConnectionID, int64, string, int) ([]store.Mark, string, error) {
	return nil, "", nil
}

func ids(users []directory.User) []directory.UserID {
	list := make([]directory.UserID, len(users))
	for i := range users {
		list[i] = users[i].ID
	}
	return list
}

// TestOvertaken: a held run expires when a newer plan is about everybody whom it
// is about, also when there is nothing left to write; any other newer plan
// leaves it.
func TestOvertaken(t *testing.T) {
	w := newWorld(t)
	users := w.people(3)
	w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
	w.skew.Add(2 * Grace)
	start := func(req runs.Request) directory.Run {
		t.Helper()
		w.skew.Add(time.Minute)
		r, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, req)
		w.do(err)
		w.sync()
		return r
	}
	is := func(what string, r directory.Run, want directory.RunState) {
		t.Helper()
		if got, err := w.runs().Run(t.Context(), r.ID); err != nil || got.State != want {
			t.Errorf("%s is %s, %v; want %s", what, got.State, err, want)
		}
	}
	w.patch(users[0].Email, map[string]any{"jobTitle": "Foreign"})
	w.patch(users[1].Email, map[string]any{"jobTitle": "Foreign"})
	both := start(runs.Request{UserIDs: ids(users[:2])})
	is("the run of two users", both, directory.RunHeld)
	one := start(runs.Request{UserIDs: ids(users[:1])})
	is("the run of two users, after one of the first,", both, directory.RunHeld)
	is("the run of the first", one, directory.RunHeld)
	three := start(runs.Request{UserIDs: ids(users)})
	is("the run of two users, after one of three,", both, directory.RunSuperseded)
	is("the run of the first, after one of three,", one, directory.RunSuperseded)
	_, err := w.runs().Approve(t.Context(), caller("admin"), both.ID, plan.Approval{})
	if r, ok := errors.AsType[*directory.Refusal](err); !ok || r.Code != "run-not-held" || !strings.Contains(r.Next, "later run") {
		t.Errorf("deciding a superseded run: %v, want run-not-held and where to decide instead", err)
	}
	is("the run of three users", three, directory.RunHeld)
	start(runs.Request{Full: true})
	is("the run of three users, after a full one,", three, directory.RunSuperseded)
	w.patch(users[0].Email, map[string]any{"jobTitle": "Clerk"})
	w.patch(users[1].Email, map[string]any{"jobTitle": "Clerk"})
	empty := start(runs.Request{Full: true})
	is("the run that found nothing", empty, directory.RunDone)
	for _, r := range w.allRuns() {
		if r.State == directory.RunHeld {
			t.Errorf("%s is held, although nothing is left to write", r.ID)
		}
	}
}

// TestDeclinedRelease: a release that is held by the guard and declined is not
// proposed again: the user stays bound.
func TestDeclinedRelease(t *testing.T) {
	w := newWorld(t)
	ann := w.people(2)[0]
	w.skew.Add(2 * Grace)
	none := 0
	w.settings(func(s *directory.Settings) {
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectBlock: {Count: &none}}
	})
	b := w.binding(ann)
	b.Release, b.Status = directory.ReleaseBlock, directory.BindingPending
	w.do(w.store.Bindings.UpdateBinding(t.Context(), directory.AuditEvent{}, &b, true, true))
	_, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, runs.Request{Kind: directory.KindRelease, UserIDs: []directory.UserID{ann.ID}, Trigger: directory.TriggerBinding})
	w.do(err)
	w.sync()
	held := 0
	for _, r := range w.allRuns() {
		if r.State == directory.RunHeld {
			held++
			if _, err := w.runs().Approve(t.Context(), caller("boss"), r.ID, plan.Approval{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if held != 1 {
		t.Errorf("%d runs are held, want one decision about one block", held)
	}
	w.sync()
	w.skew.Add(time.Hour)
	w.sync()
	for _, r := range w.allRuns() {
		if r.State == directory.RunHeld {
			t.Errorf("what was declined is held again, as %s", r.ID)
		}
	}
	if b := w.binding(ann); b.Release != "" || b.Status != directory.BindingInSync || b.Dirty() || w.account(ann.Email)["accountEnabled"] != true {
		t.Errorf("the binding is %s, to be released by %q", b.Status, b.Release)
	}
}
