package store

import (
	"testing"

	"bindery/shared/directory"
)

// A group that has gone since it was read keeps no other one from having its members'
// version raised.
func TestStepMembersOfAGroupThatIsGone(t *testing.T) {
	t.Parallel()
	s, c := newStore(t)
	ids := []directory.GroupID{directory.NewGroupID(c.Now())} // there is none
	for _, name := range []string{"A", "B"} {
		g := directory.Group{ID: directory.NewGroupID(c.Now()), Source: directory.SourceManual, GroupProfile: directory.GroupProfile{Name: name}}
		must(t, s.Groups.CreateGroups(t.Context(), directory.AuditEvent{}, &g))
		ids = append(ids, g.ID)
	}
	must(t, s.Groups.stepMembers(t.Context(), ids))
	for _, id := range ids[1:] {
		g, err := s.Groups.Group(t.Context(), id)
		if must(t, err); g.MembersVersion != 1 {
			t.Errorf("%s: version %d", g.Name, g.MembersVersion)
		}
	}
	if _, err := s.Groups.Group(t.Context(), ids[0]); err == nil {
		t.Error("the group that is gone was made anew")
	}
}
