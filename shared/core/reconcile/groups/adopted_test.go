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
