package groups_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/reconcile/groups"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// adoptable is a world with two bound users, of whom one, and an admin, are in a tenant
// group that is to be adopted.
func adoptable(t *testing.T) (*world, directory.AccountID, []directory.User) {
	w, users := bound(t, 2)
	w.calm()
	w.sync()
	id, err := w.sim.AddGroup(simTenant, "", entratest.GroupSpec{DisplayName: "Vertrieb", Members: []string{adminUPN, users[0].Email}})
	w.must(err)
	w.wait(time.Hour)
	return w, directory.AccountID(id), users
}

// TestUndoLeavesOthersMembers: the undo of an adoption takes whom the run added, and
// nobody who was there before.
func TestUndoLeavesOthersMembers(t *testing.T) {
	t.Parallel()
	w, id, users := adoptable(t)
	sales := w.export("Sales", func(e *groups.Export) { e.Adopt = directory.TenantGroupID(id) })
	w.add(sales, users...)
	w.sync()
	run, _ := w.lastRun()
	w.wait(time.Hour)
	w.wantMembers(sales, "admin", "user000", "user001")
	w.undo(run.ID)
	w.wantMembers(sales, "admin", "user000")
}

// TestUndoKeepsOldGroup: a creation that met the group of an earlier export is undone
// without deleting it.
func TestUndoKeepsOldGroup(t *testing.T) {
	t.Parallel()
	w, sales, users := exported(t, 1)
	ref := directory.GroupRef(sales)
	id := w.record(ref).AccountID
	w.release(directory.ReleaseKeep, directory.MemberOf(sales, users[0].ID), ref)
	w.sync()
	w.wait(24 * time.Hour)
	w.sync()
	w.select_(ref)
	w.sync()
	run, _ := w.lastRun()
	if again := w.record(ref).AccountID; again != id {
		t.Fatalf("the group is exported as %s again, want %s", again, id)
	}
	w.wait(time.Hour)
	w.undo(run.ID)
	if _, changes := w.lastRun(); len(changes) > 0 {
		t.Errorf("the undo has %s", effects(changes))
	}
	if in := w.members(id); len(in) != 1 {
		t.Errorf("the members are %v", in)
	}
}

// TestAdoptionHeld: a membership that was there before an adoption is not ours, however
// long the run with the adoption was held; so it stays when it is let go.
func TestAdoptionHeld(t *testing.T) {
	t.Parallel()
	w, id, users := adoptable(t)
	none := 0
	w.settings(func(s *directory.Settings) {
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectMemberAdd: {Count: &none}}
	})
	w.sync()
	sales := w.export("Sales", func(e *groups.Export) { e.Adopt = directory.TenantGroupID(id) })
	refs := w.add(sales, users...)
	w.sync()
	run, _ := w.lastRun()
	if run.State != directory.RunHeld {
		t.Fatalf("the run is %s", run.State)
	}
	w.approve(run.ID)
	if theirs, ours := w.record(refs[0]), w.record(refs[1]); theirs.Created || !ours.Created {
		t.Errorf("the membership that was there is ours: %v; that which was not: %v", theirs.Created, ours.Created)
	}
	w.calm()
	w.sync()
	w.release(directory.ReleaseRemove, refs...)
	w.sync()
	if in := w.members(id); len(in) != 2 || in[0] != "admin" || in[1] != "user000" {
		t.Errorf("the members are %v", in)
	}
}

// TestAdoptionRefused: nobody is added to a tenant group that is not ours in the end.
func TestAdoptionRefused(t *testing.T) {
	t.Parallel()
	w, id, users := adoptable(t)
	works := w.export("Works", func(e *groups.Export) { e.Adopt = directory.TenantGroupID(id) })
	w.sync()
	sales := w.export("Sales", func(e *groups.Export) { e.Adopt = directory.TenantGroupID(id) })
	w.add(sales, users...)
	w.sync()
	w.calm()
	w.sync()
	if b := w.record(directory.GroupRef(sales)); b.AccountID != "" {
		t.Errorf("the group's record is %+v", b)
	}
	w.wantMembers(works, "admin", "user000")
}

// TestAccountAdoptedWithGroup: of an account that the same run adopts it is found out
// whether it was in the group before.
func TestAccountAdoptedWithGroup(t *testing.T) {
	t.Parallel()
	w, _ := bound(t, 1)
	none := 0
	w.settings(func(s *directory.Settings) {
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectMemberAdd: {Count: &none}}
	})
	_, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": "old@" + simDomain, "displayName": "Old Example", "mailNickname": "old", "accountEnabled": true})
	w.must(err)
	id, err := w.sim.AddGroup(simTenant, "", entratest.GroupSpec{DisplayName: "Vertrieb", Members: []string{"old@" + simDomain}})
	w.must(err)
	w.wait(time.Hour)
	u := w.user("old")
	w.bind(u)
	sales := w.export("Sales", func(e *groups.Export) { e.Adopt = directory.TenantGroupID(id) })
	ref := w.add(sales, u)[0]
	w.sync()
	run, changes := w.lastRun()
	if run.State != directory.RunHeld {
		t.Fatalf("the run is %s with %s", run.State, effects(changes))
	}
	w.approve(run.ID)
	if b := w.record(ref); b.Status != directory.BindingInSync || b.Base == nil || b.Created {
		t.Errorf("the record of the membership is %+v", b)
	}
}

// TestFewOfALargeGroup: of a few memberships in a group of several pages not all of its
// members are read, and what is found is as if they had been.
func TestFewOfALargeGroup(t *testing.T) {
	t.Parallel()
	w, users := bound(t, 4)
	crowd := make([]string, 1200)
	for i := range crowd {
		id, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": fmt.Sprintf("crowd%04d@%s", i, simDomain), "displayName": "Crowd"})
		w.must(err)
		crowd[i] = id
	}
	id, err := w.sim.AddGroup(simTenant, "", entratest.GroupSpec{DisplayName: "Vertrieb", Members: append(crowd, users[0].Email)})
	w.must(err)
	w.wait(time.Hour)
	w.sync()
	sales := w.export("Sales", func(e *groups.Export) { e.Adopt = directory.TenantGroupID(id) })
	w.sync()
	w.wait(time.Hour)
	w.sync()
	pages := func() (pages int) {
		for _, r := range w.sim.Requests() {
			if strings.Contains(r.Path, "/members?") {
				pages++
			}
		}
		return pages
	}
	w.sim.ResetRequests()
	refs := w.add(sales, users[:3]...)
	w.sync()
	w.want("2 member-add:applied")
	if n := pages(); n != 1 {
		t.Errorf("%d pages of the group's members were read for three of them, want one", n)
	}
	if w.record(refs[0]).Created || !w.record(refs[1]).Created {
		t.Error("who was there before counts as ours, or whom we added does not")
	}
	w.wait(time.Hour)
	w.must(w.sim.SetMember(simTenant, "", id, users[1].Email, false)) // somebody takes one out
	w.release(directory.ReleaseRemove, refs[2])
	w.mark(refs[1])
	w.sync()
	w.want("1 member-add:applied, 1 member-remove:applied")
}

// TestAccountAdoptedIntoOldGroup: that a tenant group is of our making says nothing of who
// has come into it since: an account that is adopted later, and was there, is not there by
// us.
func TestAccountAdoptedIntoOldGroup(t *testing.T) {
	t.Parallel()
	w, sales, _ := exported(t, 1)
	w.guard(directory.EffectMemberAdd)
	_, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": "old@" + simDomain, "displayName": "Old Example", "mailNickname": "old", "accountEnabled": true})
	w.must(err)
	w.byHand(sales, "old@"+simDomain, true)
	w.wait(time.Hour)
	w.sync()
	u := w.user("old")
	w.bind(u)
	ref := w.add(sales, u)[0]
	w.sync()
	run, changes := w.lastRun()
	if run.State != directory.RunHeld {
		t.Fatalf("the run is %s with %s", run.State, effects(changes))
	}
	w.approve(run.ID)
	if b := w.record(ref); b.Status != directory.BindingInSync || b.Base == nil || b.Created {
		t.Errorf("the record of the membership is %+v", b)
	}
	w.release(directory.ReleaseRemove, ref)
	w.sync()
	w.wantMembers(sales, "old", "user000")
}
