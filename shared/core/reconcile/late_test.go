package reconcile

import (
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// late is a directory whose clock lags: its marks are older than what was done
// before they were made. So are marks that are found late, on any clock.
func (w *world) late() *store.Store {
	return store.New(w.table, store.Options{Now: func() time.Time { return w.now().Add(-3 * time.Second) }})
}

// TestLateEditsOfAHeldPlan: what was edited after a held plan was made is planned
// with the rest at once, though its mark seems to be older than the plan; and a plan
// that has seen everything stays as it is, with the decisions about it.
func TestLateEditsOfAHeldPlan(t *testing.T) {
	w := newWorld(t)
	users := w.people(32)
	phone := func(n string) func(*directory.User) {
		return func(u *directory.User) { u.Phones.Mobile = n }
	}
	slow := w.late()
	heldWith := func(n int) directory.Run {
		t.Helper()
		run, _ := w.lastRun()
		if run.State != directory.RunHeld || run.Counts[directory.EffectUpdateSensitive] != n {
			t.Fatalf("the run is %s with %v, want it held with %d phones", run.State, run.Counts, n)
		}
		return run
	}
	for _, u := range users[:30] {
		w.edit(u, phone("+1 666"))
	}
	w.sync()
	heldWith(30)

	w.editIn(slow, users[30], phone("+1 666"))
	w.sync()
	heldWith(31)

	w.editIn(slow, users[30], phone("+1 777"))
	w.sync()
	first := heldWith(31)

	for range 3 {
		w.skew.Add(time.Second)
		w.sync()
		if run := heldWith(31); run.ID != first.ID {
			t.Fatalf("nothing was edited, and run %s takes the place of %s", run.ID, first.ID)
		}
	}
	if _, err := w.runs().Approve(t.Context(), caller("admin"), first.ID, plan.Approval{All: true}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if got := w.account(users[30].Email)["mobilePhone"]; got != "+1 777" {
		t.Errorf("the account that was edited late has %v", got)
	}
}

// TestLateEditOfAHeldLeaver: so it is with leavers, who have runs of their own.
func TestLateEditOfAHeldLeaver(t *testing.T) {
	w := newWorld(t)
	users := w.people(12)
	w.suspend(users...)
	before, _ := w.lastRun()
	if before.State != directory.RunHeld {
		t.Fatalf("the run is %s with %v, want it held", before.State, before.Counts)
	}
	w.sync()
	if same, _ := w.lastRun(); same.ID != before.ID {
		t.Fatalf("nothing was edited, and run %s takes the place of %s", same.ID, before.ID)
	}
	w.editIn(w.late(), users[0], func(u *directory.User) { u.State = directory.StateActive })
	w.sync()
	run, _ := w.lastRun()
	if run.State != directory.RunHeld || run.Counts[directory.EffectBlock] != 11 {
		t.Errorf("the run is %s with %v, want it held with 11 blocks", run.State, run.Counts)
	}
}
