package groups_test

import (
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
