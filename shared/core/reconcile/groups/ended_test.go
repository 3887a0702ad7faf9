package groups_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"bindery/shared/directory"
)

// TestExactExportEnds: with the export of an exact group its strangers are no matter of
// ours any more, those whom we have removed and those whom we have spared: the group is
// let go, and leaves no records behind.
func TestExactExportEnds(t *testing.T) {
	t.Parallel()
	for policy, strangers := range map[directory.ReleasePolicy]int{
		directory.ReleaseEmpty: 1, directory.ReleaseKeep: 1, directory.ReleaseDelete: 1, directory.ReleaseRestore: 120,
	} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			w, sales, users := exported(t, 1)
			group := directory.GroupRef(sales)
			var refs []directory.Ref
			for i := range strangers {
				id, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": fmt.Sprintf("stranger%d@%s", i, simDomain), "displayName": "Stranger"})
				w.must(err)
				w.byHand(sales, id, true)
				refs = append(refs, directory.StrangerOf(sales, directory.AccountID(id)))
			}
			w.byHand(sales, adminUPN, true)
			admin, _ := w.sim.Account(simTenant, adminUPN)
			refs = append(refs, directory.StrangerOf(sales, directory.AccountID(admin["id"].(string))))
			e := w.exports[sales]
			e.Exact = true
			w.set(sales, e)
			w.mark(group)
			w.sync()
			if run, _ := w.lastRun(); run.State == directory.RunHeld {
				w.approve(run.ID)
			}
			w.wantMembers(sales, "admin", "user000")
			for _, ref := range refs {
				if w.record(ref).Object.IsZero() {
					t.Fatalf("no record of the stranger %s", ref)
				}
			}
			w.mu.Lock()
			delete(w.exports, sales)
			w.mu.Unlock()
			id := w.record(group).AccountID
			w.mark(refs[0]) // is looked at with the group
			w.release(directory.ReleaseRemove, directory.MemberOf(sales, users[0].ID))
			w.release(policy, group)
			w.sync()
			w.round()
			if policy == directory.ReleaseRestore {
				for range 3 { // whom we have taken out is put back first
					w.wait(2 * time.Minute)
					w.sync()
				}
				if in := w.members(id); len(in) != 1+strangers {
					t.Errorf("%d are members in the end: %v", len(in), in)
				}
			}
			for _, ref := range slices.Concat(refs, []directory.Ref{group}) {
				if b := w.record(ref); !b.Object.IsZero() {
					t.Errorf("%s is still there: %s, %+v", ref, b.Status, b.Problem)
				}
			}
		})
	}
}

// TestDeletedWithMembers: memberships in a tenant group that was deleted with the end of
// its export are no matter of ours any more: their records do not wait until Microsoft
// has emptied its recycle bin.
func TestDeletedWithMembers(t *testing.T) {
	t.Parallel()
	w, sales, users := exported(t, 2)
	group := directory.GroupRef(sales)
	w.mu.Lock()
	delete(w.exports, sales)
	w.mu.Unlock()
	w.release(directory.ReleaseDelete, group)
	w.sync()
	w.want("1 group-delete:applied")
	for _, u := range users {
		w.release(directory.ReleaseRemove, directory.MemberOf(sales, u.ID))
	}
	w.sync()
	w.round()
	for _, u := range users {
		if b := w.record(directory.MemberOf(sales, u.ID)); !b.Object.IsZero() {
			t.Errorf("the membership is still there: %s, %+v", b.Status, b.Problem)
		}
	}
}
