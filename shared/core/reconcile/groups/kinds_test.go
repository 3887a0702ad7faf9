package groups_test

import (
	"slices"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

var _ = entratest.GroupSpec{}

// TestGroupWithMembers: a record of a group and of two memberships become, in one run, a
// group with two members whose accounts the same run makes; a second run plans nothing.
func TestGroupWithMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people(2)
	sales := w.export("Sales")
	refs := w.add(sales, users...)
	w.sync()
	run, changes := w.lastRun()
	if got, want := effects(changes), "2 create:applied, 1 group-create:applied, 2 member-add:applied"; got != want || run.State != directory.RunDone {
		t.Fatalf("the run is %s (%+v) with %s, want %s%s", run.State, run.Held, got, want, problems(changes))
	}
	g := w.record(directory.GroupRef(sales))
	if g.AccountID == "" || g.Status != directory.BindingInSync || !g.Created {
		t.Errorf("the group's record is %+v", g)
	}
	if in := w.members(g.AccountID); !slices.Equal(in, []string{"user000", "user001"}) {
		t.Errorf("the members are %v", in)
	}
	for _, ref := range refs {
		if b := w.record(ref); b.Status != directory.BindingInSync || b.Dirty() || !b.Created {
			t.Errorf("the record of a membership is %+v", b)
		}
	}
	w.sync()
	if again, _ := w.lastRun(); again.ID != run.ID {
		t.Errorf("a second run after the first: %s", effects(changes)) // invariant 9
	}
}
