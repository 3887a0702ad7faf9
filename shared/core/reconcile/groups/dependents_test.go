package groups_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"bindery/shared/core/reconcile/groups"
	"bindery/shared/directory"
)

// fewReads are records, and the groups that users are in, that count how often they are
// asked.
type fewReads struct {
	groups.Records
	bindings map[directory.Ref]directory.Binding
	in       map[directory.MemberRef][]directory.GroupID
	groups   map[directory.GroupID]directory.Group
	reads    int
}

func (f *fewReads) BindingsOf(_ context.Context, _ directory.ConnectionID, refs []directory.Ref) (map[directory.Ref]directory.Binding, error) {
	f.reads++
	out := map[directory.Ref]directory.Binding{}
	for _, ref := range refs {
		if b, there := f.bindings[ref]; there {
			out[ref] = b
		}
	}
	return out, nil
}

func (f *fewReads) GroupsOf(_ context.Context, m directory.MemberRef, _ directory.GroupID, _ int) ([]directory.GroupID, directory.GroupID, error) {
	f.reads++
	return f.in[m], "", nil
}

func (f *fewReads) GroupsByID(_ context.Context, ids []directory.GroupID) (map[directory.GroupID]directory.Group, error) {
	f.reads++
	out := map[directory.GroupID]directory.Group{}
	for _, id := range ids {
		out[id] = f.groups[id]
	}
	return out, nil
}

// TestDependentsOfMany: the groups of many memberships are read together, each once, and
// the groups above those that a user is in are asked for only where there are some.
func TestDependentsOfMany(t *testing.T) {
	t.Parallel()
	f := &fewReads{bindings: map[directory.Ref]directory.Binding{}, in: map[directory.MemberRef][]directory.GroupID{}, groups: map[directory.GroupID]directory.Group{}}
	conn := directory.Connection{ID: "con_a", Epoch: 2}
	dependents := groups.Dependents(groups.Config{Records: f, Directory: f})
	leaves, left, stays := directory.GroupRef("grp_leaves"), directory.GroupRef("grp_left"), directory.GroupRef("grp_stays")
	f.bindings[leaves] = directory.Binding{Object: leaves, Epoch: 2, Release: directory.ReleaseRemove}
	f.bindings[left] = directory.Binding{Object: left, Epoch: 1, Release: directory.ReleaseRemove}
	f.bindings[stays] = directory.Binding{Object: stays, Epoch: 2}
	var members []directory.Ref
	for _, of := range []directory.Ref{leaves, left, stays} {
		for n := range 50 {
			members = append(members, directory.MemberOf(directory.GroupID(of.ID), directory.UserID(fmt.Sprint("usr_", n))))
		}
	}
	refs, err := dependents(t.Context(), &conn, members)
	if err != nil || !slices.Equal(refs, []directory.Ref{leaves}) || f.reads != 1 {
		t.Errorf("what depends on memberships: %v in %d reads, %v", refs, f.reads, err)
	}

	ann := directory.UserMember("usr_ann")
	for n := range 80 {
		g := directory.GroupID(fmt.Sprintf("grp_%02d", n))
		f.in[ann] = append(f.in[ann], g)
		f.groups[g] = directory.Group{ID: g}
	}
	f.groups["grp_07"] = directory.Group{ID: "grp_07", Parents: 1}
	f.in[directory.GroupMember("grp_07")] = []directory.GroupID{"grp_top"}
	waits := directory.MemberOf("grp_top", ann.User())
	f.bindings[waits] = directory.Binding{Object: waits, Epoch: 2, Findings: []directory.Problem{{Code: directory.CodeMemberWaits}}}
	f.reads = 0
	refs, err = dependents(t.Context(), &conn, []directory.Ref{directory.AccountOf(ann.User())})
	if err != nil || !slices.Equal(refs, []directory.Ref{waits}) || f.reads > 6 {
		t.Errorf("what depends on an account: %v in %d reads, %v", refs, f.reads, err)
	}
}
