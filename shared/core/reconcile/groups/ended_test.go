package groups_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
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

// endExport has an export end with a policy, as the expansion of its use does.
func (w *world) endExport(g directory.GroupID, policy directory.ReleasePolicy, members ...directory.User) {
	w.Helper()
	w.mu.Lock()
	delete(w.exports, g)
	w.mu.Unlock()
	w.release(policy, directory.GroupRef(g))
	for _, u := range members {
		w.release(directory.ReleaseRemove, directory.MemberOf(g, u.ID))
	}
}

// TestDeletedWithMembers: a group is deleted in the run that takes its members out, and
// after them. Undone, it is back with all of them, and they are ours.
func TestDeletedWithMembers(t *testing.T) {
	t.Parallel()
	w, sales, users := exported(t, 2)
	group := directory.GroupRef(sales)
	id := w.record(group).AccountID
	w.endExport(sales, directory.ReleaseDelete, users...)
	w.sync()
	run := w.want("1 group-delete:applied, 2 member-remove:applied")
	for _, ref := range []directory.Ref{group, directory.MemberOf(sales, users[0].ID), directory.MemberOf(sales, users[1].ID)} {
		if b := w.record(ref); !b.Object.IsZero() {
			t.Errorf("%s is still there: %s, %+v", ref, b.Status, b.Problem)
		}
	}
	w.undo(run.ID)
	if in := w.members(id); !slices.Equal(in, []string{"user000", "user001"}) {
		t.Errorf("after the undo the members are %v", in)
	}
	for _, u := range users {
		if b := w.record(directory.MemberOf(sales, u.ID)); !b.Created {
			t.Errorf("after the undo the membership of %s is not ours: %+v", u.Email, b)
		}
	}
}

// TestDeletionWaitsForMembers: while one member cannot be taken out the group is not
// deleted, and says what it waits for; once he is out, it is. A membership that an admin
// has left in the tenant is not waited for.
func TestDeletionWaitsForMembers(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{true, false} { // whether the refusal is known before the export ends
		t.Run(fmt.Sprint(early), func(t *testing.T) {
			t.Parallel()
			w, sales, users := exported(t, 3)
			group := directory.GroupRef(sales)
			id := string(w.record(group).AccountID)
			stuck := w.record(directory.AccountOf(users[0].ID)).AccountID
			sim := w.rt
			w.rt = &meddler{rt: sim, deny: func(method, url string) string {
				if method == http.MethodDelete && strings.Contains(url, string(stuck)) {
					return "Insufficient privileges to complete the operation."
				}
				return ""
			}}
			w.release(directory.ReleaseKeep, directory.MemberOf(sales, users[2].ID))
			if early {
				w.release(directory.ReleaseRemove, directory.MemberOf(sales, users[0].ID))
				w.slices()
			}
			w.endExport(sales, directory.ReleaseDelete, users[:2]...)
			w.slices()
			w.wait(3 * time.Minute)
			w.slices()
			if g, _ := w.sim.Group(simTenant, id); g["deletedDateTime"] != nil {
				t.Fatal("the group was deleted although a member could not be taken out")
			}
			if b := w.record(group); b.Problem == nil || b.Problem.Code != directory.CodeGroupMembersLeft {
				t.Errorf("the record of the group is %s, %+v", b.Status, b.Problem)
			}
			w.rt = sim
			for range 4 {
				w.wait(time.Hour)
				w.slices()
			}
			if g, _ := w.sim.Group(simTenant, id); g["deletedDateTime"] == nil {
				t.Error("the group was not deleted once the member was out")
			}
			if b := w.record(group); !b.Object.IsZero() {
				t.Errorf("the record of the group is still there: %s, %+v", b.Status, b.Problem)
			}
		})
	}
}

// TestRecordsGoWithDeletedGroup: memberships in a tenant group that somebody deleted and
// that is not ours any more are no matter of ours: their records do not wait until
// Microsoft has emptied its recycle bin.
func TestRecordsGoWithDeletedGroup(t *testing.T) {
	t.Parallel()
	w, sales, users := exported(t, 2)
	w.must(w.sim.DeleteGroup(simTenant, "", string(w.record(directory.GroupRef(sales)).AccountID)))
	w.endExport(sales, directory.ReleaseDelete)
	w.sync()
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
