package groups_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"bindery/shared/core/reconcile/groups"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest/browser"
)

// exportAgain has a group exported whose export has ended.
func (w *world) exportAgain(id directory.GroupID, was groups.Export, edit ...func(*groups.Export)) {
	w.Helper()
	for _, change := range edit {
		change(&was)
	}
	w.set(id, was)
	w.select_(directory.GroupRef(id))
}

// graph does by hand what is done in Entra.
func (w *world) graph(method, path string) {
	w.Helper()
	app := browser.Client{Base: simBase, ID: simApp, Secret: "s3cret", RedirectURL: simBack}
	token, err := app.Token(w.Context(), w.sim.Transport(), adminUPN, "User.ReadWrite.All Group.ReadWrite.All")
	w.must(err)
	r, err := http.NewRequestWithContext(w.Context(), method, simBase+"/v1.0"+path, http.NoBody)
	w.must(err)
	r.Header.Set("Authorization", "Bearer "+token.AccessToken)
	answer, err := w.sim.Transport().RoundTrip(r)
	w.must(err)
	body, err := io.ReadAll(answer.Body)
	w.must(errors.Join(err, answer.Body.Close()))
	if answer.StatusCode >= http.StatusMultipleChoices {
		w.Fatalf("%s %s: %d %s", method, path, answer.StatusCode, body)
	}
}

// ended is a world in which the export of a group with two members has ended with its
// tenant group being deleted.
func ended(t *testing.T) (*world, directory.GroupID, directory.AccountID, []directory.User, groups.Export) {
	w, sales, users := exported(t, 2)
	w.byHand(sales, adminUPN, true)
	id, was := w.record(directory.GroupRef(sales)).AccountID, w.exports[sales]
	w.endExport(sales, directory.ReleaseDelete, users...)
	w.sync()
	w.want("1 group-delete:applied, 2 member-remove:applied")
	w.calm()
	return w, sales, id, users, was
}

// TestReturnedGroup: an export that begins again within Microsoft's 30 days brings its own
// tenant group back, since that keeps the uniqueName: with the members whom others gave it,
// and as our directory has it by now.
func TestReturnedGroup(t *testing.T) {
	t.Parallel()
	w, sales, id, users, was := ended(t)
	w.exportAgain(sales, was, func(e *groups.Export) { g := *e.Group; g.Name = "Sales 2"; e.Group = &g })
	w.add(sales, users...)
	admin, _ := w.sim.Account(simTenant, adminUPN)
	w.sync()
	w.wait(2 * time.Second)
	w.sync()
	if b := w.record(directory.GroupRef(sales)); b.AccountID != id || !b.Created || b.Status != directory.BindingInSync {
		t.Errorf("the record is %s of %s, made by us: %v, %+v", b.Status, b.AccountID, b.Created, b.Problem)
	}
	w.wantMembers(sales, "admin", "user000", "user001")
	w.wantGroup(string(id), "Sales 2", "")
	restored := false
	for _, r := range w.allRuns() {
		for _, c := range w.changes(r) {
			restored = restored || c.Effect == directory.EffectGroupRestore && c.State == directory.ChangeApplied
			if c.Effect == directory.EffectGroupCreate && c.At.After(w.now().Add(-time.Hour)) && c.State == directory.ChangeFailed {
				t.Errorf("a group was to be made: %+v", c.Error)
			}
		}
	}
	if !restored {
		t.Error("no group-restore is in a journal")
	}
	last, _ := w.lastRun()
	w.calm()
	w.wantNothing(last.ID)
	// It is ours as before: it ends as it did the first time, without whom others put there.
	w.endExport(sales, directory.ReleaseDelete, users...)
	w.sync()
	w.want("1 group-delete:applied, 2 member-remove:applied")
	if !slices.Contains(w.roll(id), admin["id"].(string)) {
		t.Error("who was put there by others has been taken out")
	}
}

// TestReturnedMember: who is in the group that comes back was there before us: he is not
// ours to take out.
func TestReturnedMember(t *testing.T) {
	t.Parallel()
	w, sales, id, users, was := ended(t)
	w.graph("POST", "/directory/deletedItems/"+string(id)+"/restore")
	w.must(w.sim.SetMember(simTenant, "", string(id), users[0].Email, true))
	w.must(w.sim.DeleteGroup(simTenant, "", string(id)))
	w.exportAgain(sales, was)
	refs := w.add(sales, users...)
	w.sync()
	w.wantMembers(sales, "admin", "user000", "user001")
	if b := w.record(refs[0]); b.Created || b.Status != directory.BindingInSync {
		t.Errorf("the membership that others gave is %s, ours: %v", b.Status, b.Created)
	}
	if b := w.record(refs[1]); !b.Created {
		t.Errorf("the membership that we gave is not ours: %+v", b)
	}
}

// wantNotRestored has an export wait for an admin: its tenant group is in the recycle bin,
// where others have put it.
func (w *world) wantNotRestored(g directory.GroupID) {
	w.Helper()
	if b := w.record(directory.GroupRef(g)); b.Status != directory.BindingConflict || b.Problem.Code != directory.CodeUniqueNameTaken || b.AccountID != "" {
		w.Errorf("the record is %s of %q, %+v", b.Status, b.AccountID, b.Problem)
	}
}

// TestReturnedOtherwise: where the group in the recycle bin cannot be the one that is
// wanted, or others deleted it, the record says what helps, and that does.
func TestReturnedOtherwise(t *testing.T) {
	t.Parallel()
	t.Run("another kind", func(t *testing.T) {
		t.Parallel()
		w, sales, id, _, was := ended(t)
		w.exportAgain(sales, was, func(e *groups.Export) { e.Kind = directory.GroupMicrosoft365 })
		w.sync()
		if b := w.record(directory.GroupRef(sales)); b.Status != directory.BindingConflict || b.Problem.Code != directory.CodeGroupOtherKind {
			t.Fatalf("the record is %s, %+v", b.Status, b.Problem)
		}
		w.graph("DELETE", "/directory/deletedItems/"+string(id))
		w.wait(25 * time.Hour)
		w.sync()
		w.wait(2 * time.Second)
		w.sync()
		if b := w.record(directory.GroupRef(sales)); b.Status != directory.BindingInSync || b.AccountID == id {
			t.Errorf("the record is %s of %s, %+v", b.Status, b.AccountID, b.Problem)
		}
	})
	t.Run("deleted by others before the export ended", func(t *testing.T) {
		t.Parallel()
		w, sales, _ := exported(t, 0)
		id, was := w.record(directory.GroupRef(sales)).AccountID, w.exports[sales]
		w.must(w.sim.DeleteGroup(simTenant, "", string(id)))
		w.endExport(sales, directory.ReleaseDelete)
		w.sync()
		w.calm()
		if b := w.record(directory.GroupRef(sales)); !b.Object.IsZero() {
			t.Fatalf("the record is still there: %s, %+v", b.Status, b.Problem)
		}
		w.exportAgain(sales, was)
		w.sync()
		w.wantNotRestored(sales)
	})
	t.Run("deleted by us, restored, kept, and deleted by others", func(t *testing.T) {
		t.Parallel()
		w, sales, id, _, was := ended(t)
		w.exportAgain(sales, was)
		w.sync()
		w.calm()
		if b := w.record(directory.GroupRef(sales)); b.AccountID != id {
			t.Fatalf("the record is %s of %s, %+v", b.Status, b.AccountID, b.Problem)
		}
		w.endExport(sales, directory.ReleaseKeep)
		w.sync()
		w.must(w.sim.DeleteGroup(simTenant, "", string(id)))
		w.calm()
		w.exportAgain(sales, was)
		w.sync()
		w.wantNotRestored(sales)
	})
	t.Run("deleted by others", func(t *testing.T) {
		t.Parallel()
		w, sales, users := exported(t, 1)
		id, was := w.record(directory.GroupRef(sales)).AccountID, w.exports[sales]
		w.release(directory.ReleaseKeep, directory.MemberOf(sales, users[0].ID))
		w.endExport(sales, directory.ReleaseKeep)
		w.sync()
		w.must(w.sim.DeleteGroup(simTenant, "", string(id)))
		w.exportAgain(sales, was)
		w.sync()
		if b := w.record(directory.GroupRef(sales)); b.Status != directory.BindingConflict || b.Problem.Code != directory.CodeUniqueNameTaken {
			t.Fatalf("the record is %s, %+v", b.Status, b.Problem)
		}
		w.graph("POST", "/directory/deletedItems/"+string(id)+"/restore")
		w.wait(25 * time.Hour)
		w.sync()
		w.wait(2 * time.Second)
		w.sync()
		if b := w.record(directory.GroupRef(sales)); b.Status != directory.BindingInSync || b.AccountID != id {
			t.Errorf("the record is %s of %s, %+v", b.Status, b.AccountID, b.Problem)
		}
	})
}
