package reconcile

import (
	"errors"
	"slices"
	"testing"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
)

// TestChosenLamps: a run, a dry run and an undo may be about chosen objects of any kind,
// beside chosen users.
func TestChosenLamps(t *testing.T) {
	w := newLampWorld(t)
	refs := w.hang(4, "red")
	ann, bob := w.user("ann"), w.user("bob")
	w.bind(ann, bob)
	w.sync()
	w.paint(refs, "blue")
	for _, u := range []directory.User{ann, bob} {
		w.edit(u, func(u *directory.User) { u.JobTitle = "Chief" })
	}
	some := []directory.Ref{refs[2], refs[0], refs[2]}
	dry, err := w.runs().Start(t.Context(), caller("boss"), &w.conn, runs.Request{DryRun: true, Objects: some, UserIDs: []directory.UserID{ann.ID}})
	w.do(err)
	w.slices(1, func() {})
	r, err := w.store.Runs.Run(t.Context(), dry.ID)
	w.do(err)
	if r.State != directory.RunPlanned || r.Counts[directory.EffectUpdateSensitive] != 2 || r.Counts[directory.EffectUpdate] != 1 || !slices.Equal(r.Objects, []directory.Ref{refs[0], refs[2]}) {
		t.Errorf("the dry run is %s of %v with %v", r.State, r.Objects, r.Counts)
	}
	w.sync()
	of, _ := w.lastRun()
	if w.shining("blue") != 4 {
		t.Fatalf("%d are blue", w.shining("blue"))
	}
	undone, _ := w.undo(of.ID, runs.UndoRequest{Objects: refs[:1], UserIDs: []directory.UserID{bob.ID}})
	if undone.Applied != 2 || w.shining("red") != 1 || w.account(ann.Email)["jobTitle"] != "Chief" || w.account(bob.Email)["jobTitle"] == "Chief" {
		t.Errorf("%d undone, %d are red, ann is %v, bob %v", undone.Applied, w.shining("red"), w.account(ann.Email)["jobTitle"], w.account(bob.Email)["jobTitle"])
	}
	for _, bad := range [][]directory.Ref{{lampRef(9)}, {directory.AccountOf(ann.ID)}, {{Kind: lampKind}}} {
		if _, err := w.runs().Start(t.Context(), caller("boss"), &w.conn, runs.Request{Objects: bad}); !errors.Is(err, directory.ErrInvalid) {
			t.Errorf("a run of %v: %v", bad, err)
		}
	}
}

// TestRefsOfARun: users come first, and a place may lie among the objects.
func TestRefsOfARun(t *testing.T) {
	t.Parallel()
	r := directory.Run{UserIDs: []directory.UserID{"usr_a", "usr_b"}, Objects: []directory.Ref{lampRef(1), lampRef(2)}}
	all := []directory.Ref{directory.AccountOf("usr_a"), directory.AccountOf("usr_b"), lampRef(1), lampRef(2)}
	for from := range 5 {
		for to := from; to < 5; to++ {
			if got := r.Refs(from, to); !slices.Equal(got, all[from:to]) {
				t.Errorf("from %d to %d: %v", from, to, got)
			}
		}
	}
	for _, ref := range all {
		if !r.Names(ref) {
			t.Errorf("%s is not named", ref)
		}
	}
	if r.Names(lampRef(3)) || r.Names(directory.AccountOf("usr_c")) || (&directory.Run{}).Chosen() {
		t.Error("what is not chosen is named")
	}
}
