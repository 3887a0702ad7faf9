package groups_test

import (
	"fmt"
	"testing"

	"bindery/shared/core/plan"
	"bindery/shared/core/reconcile/groups"
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

// TestDeclinedInExact: whose removal from an exact group is declined is a stranger in it from
// then on, whom nobody proposes to remove again, whatever the group is called, until our
// directory wants him once more.
func TestDeclinedInExact(t *testing.T) {
	t.Parallel()
	for _, ours := range []bool{true, false} { // whether we have put him there
		t.Run(fmt.Sprint(ours), func(t *testing.T) {
			t.Parallel()
			w, sales, _ := exported(t, 2, func(e *groups.Export) { e.Exact = true })
			late := w.user("late")
			w.bind(late)
			w.sync()
			if !ours {
				w.byHand(sales, late.Email, true)
			}
			w.add(sales, late)
			w.sync()
			w.calm()
			w.sync()
			w.guard(directory.EffectMemberRemove)
			w.release(directory.ReleaseRemove, directory.MemberOf(sales, late.ID))
			w.mark(directory.GroupRef(sales))
			w.sync()
			w.declineHeld()
			last, _ := w.lastRun()
			looked := func() {
				w.calm()
				w.mark(directory.GroupRef(sales))
				w.round()
				w.wantNothing(last.ID)
				w.wantMembers(sales, "late", "user000", "user001")
			}
			looked()
			if b := w.record(directory.MemberOf(sales, late.ID)); !b.Object.IsZero() {
				t.Errorf("the membership is still ours: %+v", b)
			}
			account := w.record(directory.AccountOf(late.ID)).AccountID
			left := w.record(directory.StrangerOf(sales, account))
			if left.Status != directory.BindingInSync || len(left.Declined) != 1 || len(left.Findings) != 1 {
				t.Errorf("the record of who is left is %s, declined %q, %+v", left.Status, left.Declined, left.Findings)
			}
			w.attribution = func(directory.TenantGroupID, []directory.AccountID) map[directory.AccountID]directory.Actor {
				return map[directory.AccountID]directory.Actor{account: {Name: "somebody"}}
			}
			w.renew()
			w.mark(directory.StrangerOf(sales, account))
			looked()
			// Our directory wants him, and lets him go: that is another decision.
			w.add(sales, late)
			w.mark(directory.StrangerOf(sales, account))
			w.sync()
			w.calm()
			w.release(directory.ReleaseRemove, directory.MemberOf(sales, late.ID))
			w.sync()
			if run, _ := w.lastRun(); run.State != directory.RunHeld {
				t.Errorf("the next removal is not proposed: the run is %s", run.State)
			}
		})
	}
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
