package people

import (
	"testing"

	"bindery/shared/directory"
)

// A group that the client has deleted and pushed anew comes back with its externalId, which
// leads to it again: the next push makes no second one. One whose twin stays comes back
// without.
func TestTakeBackOfAGroupPushedAnew(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string // of the new one
		stays bool   // since an admin has edited it
		kept  int
	}{{"Crew", false, 0}, {"Mob", false, 0}, {"Mob", true, 2}} {
		p := newPushing(t)
		ctx := t.Context()
		old, err := p.pushes.CreateGroup(ctx, p.by, &p.client, GroupPush{Name: "Crew", ExternalID: "g1"})
		p.must(err)
		since := p.now()
		p.must(p.pushes.DeleteGroup(ctx, p.by, &p.client, old.Group.ID, func(*PushedGroup) error { return nil }))
		anew, err := p.pushes.CreateGroup(ctx, p.by, &p.client, GroupPush{Name: test.name, ExternalID: "g1"})
		p.must(err)
		if test.stays {
			_, err = p.groups.Patch(ctx, admin, anew.Group.ID, []byte(`{"description":"ours"}`), 0)
			p.must(err)
		}
		_, done := p.takeBack(since)
		if done.Counts["groupsRestored"] != 1 || done.Counts["kept"] != test.kept {
			t.Errorf("%+v: %v, %v", test, done.Counts, p.refusals(done.ID))
		}
		want := old.Group.ID
		if test.stays {
			want = anew.Group.ID
		}
		found, err := p.pushes.FindGroups(ctx, &p.client, GroupKey{ExternalID: "g1"})
		if p.must(err); len(found) != 1 || found[0].Group.ID != want || found[0].Document.ExternalID != "g1" {
			t.Errorf("%+v: the externalId leads to %+v", test, found)
		}
		if _, err := p.pushes.CreateGroup(ctx, p.by, &p.client, GroupPush{Name: "Third", ExternalID: "g1"}); codeOf(err) != directory.CodeExternalIDTaken {
			t.Errorf("%+v: a second group of the externalId: %v", test, err)
		}
		back, err := p.pushes.GetGroup(ctx, &p.client, old.Group.ID)
		if p.must(err); (back.Document.ExternalID == "") != test.stays {
			t.Errorf("%+v: it is shown with %q", test, back.Document.ExternalID)
		}
	}
}

// A group that is restored while another one has its externalId has none, and takes nothing
// from that one, whatever becomes of it.
func TestGroupRestoredBesideItsTwin(t *testing.T) {
	t.Parallel()
	p := newPushing(t)
	ctx := t.Context()
	make := func(name string) directory.GroupID {
		g, err := p.pushes.CreateGroup(ctx, p.by, &p.client, GroupPush{Name: name, ExternalID: "X"})
		p.must(err)
		return g.Group.ID
	}
	remove := func(id directory.GroupID) {
		p.must(p.pushes.DeleteGroup(ctx, p.by, &p.client, id, func(*PushedGroup) error { return nil }))
	}
	leads := func(want directory.GroupID) {
		t.Helper()
		found, err := p.pushes.FindGroups(ctx, &p.client, GroupKey{ExternalID: "X"})
		if p.must(err); len(found) != 1 || found[0].Group.ID != want {
			t.Errorf("it leads to %+v, want %s", found, want)
		}
	}
	a := make("A")
	remove(a)
	b := make("B")
	restore := func(id directory.GroupID) {
		_, err := p.groups.Restore(ctx, p.by, id, 0)
		p.must(err)
	}
	restore(a)
	leads(b)
	_, err := p.pushes.EditGroup(ctx, p.by, &p.client, a, func(now *PushedGroup) (GroupPush, error) {
		if now.Document.ExternalID != "" {
			t.Errorf("the restored one is shown with %q", now.Document.ExternalID)
		}
		return GroupPush{ExternalID: "Y"}, nil
	})
	p.must(err)
	leads(b)
	remove(b)
	_, err = p.pushes.EditGroup(ctx, p.by, &p.client, a, func(*PushedGroup) (GroupPush, error) { return GroupPush{ExternalID: "X"}, nil })
	p.must(err) // a deleted one does not keep it
	leads(a)
	restore(b)
	leads(a)
	remove(a)
	remove(b)
	restore(a) // last had by it
	leads(a)
}
