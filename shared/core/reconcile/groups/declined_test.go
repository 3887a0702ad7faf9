package groups_test

import (
	"testing"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// declineHeld declines the run that is held, as a whole.
func (w *world) declineHeld() {
	w.Helper()
	run, _ := w.lastRun()
	if run.State != directory.RunHeld {
		w.Fatalf("the run is %s, not held", run.State)
	}
	_, err := w.runs().Approve(w.Context(), directory.Caller{Subject: "boss"}, run.ID, plan.Approval{})
	w.must(err)
	w.sync()
	w.round()
}

// guard has every run held that has one change of an effect.
func (w *world) guard(e directory.Effect) {
	w.Helper()
	none := 0
	w.settings(func(s *directory.Settings) { s.Guard = map[directory.Effect]directory.Limit{e: {Count: &none}} })
}

// TestDeclinedRemoval: whose removal is declined stays in the tenant group by somebody's
// word, not by our directory's: nobody puts him back whom others take out.
func TestDeclinedRemoval(t *testing.T) {
	t.Parallel()
	w, sales, users := exported(t, 2)
	w.guard(directory.EffectMemberRemove)
	ref := directory.MemberOf(sales, users[0].ID)
	w.release(directory.ReleaseRemove, ref)
	w.sync()
	w.declineHeld()
	w.wantMembers(sales, "user000", "user001")
	if b := w.record(ref); !b.Object.IsZero() {
		t.Errorf("the membership is still ours: %+v", b)
	}
	last, _ := w.lastRun()
	w.byHand(sales, users[0].Email, false)
	w.round()
	w.wantNothing(last.ID)
	w.wantMembers(sales, "user001")
}

// TestDeclinedDeletion: a tenant group whose deletion is declined stays, and is ours no
// more.
func TestDeclinedDeletion(t *testing.T) {
	t.Parallel()
	w, sales, _ := exported(t, 0)
	w.guard(directory.EffectGroupDelete)
	id := string(w.record(directory.GroupRef(sales)).AccountID)
	w.mu.Lock()
	delete(w.exports, sales)
	w.mu.Unlock()
	w.release(directory.ReleaseDelete, directory.GroupRef(sales))
	w.sync()
	w.declineHeld()
	if g, there := w.sim.Group(simTenant, id); !there || g["deletedDateTime"] != nil {
		t.Errorf("the tenant group is %v", g)
	}
	if b := w.record(directory.GroupRef(sales)); !b.Object.IsZero() {
		t.Errorf("the group is still ours: %+v", b)
	}
}
