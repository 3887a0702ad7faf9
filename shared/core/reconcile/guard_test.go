package reconcile

import (
	"fmt"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
)

// TestGuardOverSeveralRuns: a bulk edit that comes in bit by bit is held as if
// it had come at once; what an admin approved does not count against others.
func TestGuardOverSeveralRuns(t *testing.T) {
	w := newWorld(t)
	var users []directory.User
	for i := range 40 {
		users = append(users, w.user(fmt.Sprintf("user%02d", i)))
	}
	for i := 0; i < len(users); i += 10 {
		w.bind(users[i : i+10]...)
	}
	w.sync()
	blocked := func() (n int) {
		for _, u := range users {
			if w.account(u.Email)["accountEnabled"] == false {
				n++
			}
		}
		return n
	}
	suspend := func(from, to int) {
		for _, u := range users[from:to] {
			w.edit(u, func(u *directory.User) { u.State = directory.StateSuspended })
		}
		w.sync()
	}
	suspend(0, 3)
	suspend(3, 5)
	if n := blocked(); n != 5 {
		t.Fatalf("%d accounts are blocked, want the 5 that the guard allows", n)
	}
	suspend(5, 7)
	run, _ := w.lastRun()
	if n := blocked(); n != 5 || run.State != directory.RunHeld {
		t.Fatalf("%d accounts are blocked, the last run is %s, want 5 and held", n, run.State)
	}
	suspend(7, 8)
	list, _, err := w.store.Runs.ListRuns(t.Context(), w.conn.ID, "", 100)
	w.do(err)
	held := 0
	for _, r := range list {
		if r.State == directory.RunHeld {
			held, run = held+1, r.Run
		}
	}
	if held != 1 || run.Counts[directory.EffectBlock] != 3 {
		t.Fatalf("%d runs are held, the last with %v, want one decision about 3 blocks", held, run.Counts)
	}
	admins := w.runs()
	if _, err := admins.Approve(t.Context(), caller("admin"), run.ID, plan.Approval{All: true}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if n := blocked(); n != 8 {
		t.Errorf("%d accounts are blocked after the approval, want 8", n)
	}
	w.skew.Add(3 * time.Hour)
	w.port.token = signIn(t, w.sim)
	suspend(8, 10)
	if n := blocked(); n != 10 {
		t.Errorf("%d accounts are blocked hours later, want 10", n)
	}
}

// TestTwoUsersOneAddress: of two users with one mapped address, bound together,
// the first gets the account and the other is a conflict; nobody waits.
func TestTwoUsersOneAddress(t *testing.T) {
	w := newWorld(t)
	w.conn.Settings.DomainMap = map[string]string{"other.example": simDomain}
	w.saveConn()
	same := func(email string) func(*directory.User) {
		return func(u *directory.User) { u.Email, u.GivenName, u.DisplayName = email, "Clash", "Clash" }
	}
	a := w.user("clash", same("clash@"+simDomain))
	b := w.user("clasher", same("clash@other.example"))
	c := w.user("carl")
	w.bind(a, b, c)
	w.sync()
	states := map[directory.BindingStatus]int{}
	for _, u := range []directory.User{a, b, c} {
		states[w.binding(u).Status]++
	}
	if states[directory.BindingInSync] != 2 || states[directory.BindingConflict] != 1 {
		t.Errorf("bindings are %v, want two in sync and one conflict", states)
	}
}

// TestForeignBlockSoonAfterOurWrite: a block by Microsoft's admins right after a
// write of ours is theirs, whatever the directory does afterwards (invariant 11).
func TestForeignBlockSoonAfterOurWrite(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann")
	w.bind(ann)
	w.sync()
	id := w.account(ann.Email)["id"].(string)
	if status, _, raw, err := w.port.do(t.Context(), "PATCH", "/users/"+id, map[string]any{"accountEnabled": false}); err != nil || status != 204 {
		t.Fatalf("PATCH = %d %s, %v", status, raw, err)
	}
	w.edit(ann, func(u *directory.User) { u.State = directory.StateSuspended })
	w.sync()
	w.edit(ann, func(u *directory.User) { u.State = directory.StateActive })
	w.sync()
	if w.account(ann.Email)["accountEnabled"] != false {
		t.Error("a block that is not ours was lifted")
	}
	w.skew.Add(2 * Grace)
	w.sync()
	if b := w.binding(ann); len(b.Findings) != 1 || b.Findings[0].Code != "blocked-at-microsoft" {
		t.Errorf("findings = %+v, want blocked-at-microsoft", b.Findings)
	}
}

// TestGuardOverDayAndWeek: few blocks at a time, hours and days apart, are held
// once they add up to more than a day, or a week, may bring.
func TestGuardOverDayAndWeek(t *testing.T) {
	w := newWorld(t)
	users := w.people(60)
	next := 0
	suspend := func(n int) directory.RunState {
		t.Helper()
		w.port.token = signIn(t, w.sim)
		for range n {
			w.edit(users[next], func(u *directory.User) { u.State = directory.StateSuspended })
			next++
		}
		w.sync()
		for _, r := range w.allRuns() {
			if r.Counts[directory.EffectBlock] == n {
				return r.State
			}
		}
		return ""
	}
	held := func(period directory.Period) {
		t.Helper()
		for _, r := range w.allRuns() {
			if r.State == directory.RunHeld {
				if len(r.Held.Limits) == 0 || r.Held.Limits[0].Period != period {
					t.Errorf("held for %+v, want the limit over %s", r.Held.Limits, period)
				}
				if _, err := w.runs().Approve(t.Context(), caller("boss"), r.ID, plan.Approval{}); err != nil {
					t.Fatal(err)
				}
				w.sync()
				return
			}
		}
		t.Error("no run is held")
	}
	// A run may bring 5, a day 10, a week 20.
	for day := range 2 {
		for range 2 {
			if state := suspend(5); state != directory.RunDone {
				t.Fatalf("day %d: 5 blocks are %s", day, state)
			}
			w.skew.Add(3 * time.Hour)
		}
		if day == 0 {
			if state := suspend(1); state != directory.RunHeld {
				t.Fatalf("the eleventh block of a day is %s", state)
			}
			held(directory.PeriodDay)
		}
		w.skew.Add(26 * time.Hour)
	}
	if state := suspend(1); state != directory.RunHeld {
		t.Fatalf("the 21st block of a week is %s", state)
	}
	held(directory.PeriodWeek)
	w.skew.Add(8 * 24 * time.Hour)
	if state := suspend(1); state != directory.RunDone {
		t.Errorf("a week later one block is %s", state)
	}
	blocked := 0
	for _, u := range users {
		if w.account(u.Email)["accountEnabled"] == false {
			blocked++
		}
	}
	if blocked != 21 {
		t.Errorf("%d accounts are blocked, want 21", blocked)
	}
}

// TestShrunkenSource: while the directory has lost many of its users no leaver
// goes, however often it is looked at, until an admin has let a run go that was
// held for it. What it had at the last run counts, whatever that run did.
func TestShrunkenSource(t *testing.T) {
	w := newWorld(t)
	many := 1000
	w.settings(func(s *directory.Settings) {
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectBlock: {Count: &many}}
	})
	users := w.people(40)
	w.skew.Add(2 * Grace)
	remove := func(from, to int) {
		for _, u := range users[from:to] {
			w.edit(u, func(u *directory.User) { now := w.now(); u.Deleted = &now })
		}
		w.sync()
	}
	blocked := func() (n int) {
		for _, u := range users {
			if w.account(u.Email)["accountEnabled"] == false {
				n++
			}
		}
		return n
	}
	remove(0, 20)
	w.skew.Add(time.Minute)
	remove(20, 21)
	w.edit(users[30], func(u *directory.User) { u.JobTitle = "Boss" })
	w.sync()
	w.skew.Add(time.Minute)
	remove(21, 22)
	if n := blocked(); n != 0 {
		t.Fatalf("%d accounts are blocked although the directory has shrunk", n)
	}
	for _, r := range w.allRuns() {
		if r.State == directory.RunHeld {
			if f := r.Held.Facts; len(f) != 1 || f[0].Code != directory.HeldSourceShrank || f[0].Then != 40 || f[0].Now != 18 {
				t.Errorf("held for %+v", f)
			}
			if _, err := w.runs().Approve(t.Context(), caller("boss"), r.ID, all); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.sync()
	remove(22, 23)
	if n := blocked(); n != 23 {
		t.Errorf("%d accounts are blocked after the approval, want 23", n)
	}
}

// TestNewSettingsNamedUsers: the first plan after new settings is held if it
// touches many, also when it names them.
func TestNewSettingsNamedUsers(t *testing.T) {
	w := newWorld(t)
	users := w.people(30)
	w.ghosts(300) // who raise nothing
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.WorkAddress.City = "Rome" })
	}
	w.sync()
	w.settings(func(s *directory.Settings) { s.Attributes["city"] = directory.AttributeRule{Export: true} })
	r, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, runs.Request{UserIDs: ids(users)})
	w.do(err)
	w.sync()
	got, err := w.store.Runs.Run(t.Context(), r.ID)
	w.do(err)
	if got.State != directory.RunHeld || got.Held.Facts[0].Code != directory.HeldSettingsChanged || w.account(users[0].Email)["city"] != nil {
		t.Errorf("the run is %s (%+v), the city %v", got.State, got.Held, w.account(users[0].Email)["city"])
	}
}
