package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// purgeAgain is when memberships of somebody who is deleted, and stays for a connection's
// sake beyond TombstoneLife, are looked at again.
const purgeAgain = 24 * time.Hour

// purgeWrite notes, with the deletion of a user or a group, that its memberships are to
// be ended once it can no longer be restored.
func purgeWrite(m directory.MemberRef, at time.Time) table.Write {
	return table.Write{Put: &table.Item{Key: purgeKey(m, at)}}
}

// PurgeMembers ends some memberships of one user or group that can no longer be
// restored, and with the last of them takes such a group away, and what clients of SCIM
// have pushed. none says that there was
// nobody whose day has come. What it leaves undone it does when it is called again.
func (s *Groups) PurgeMembers(ctx context.Context) (none bool, err error) {
	page, err := s.db.table.Query(ctx, table.Query{Partition: purgesAt, Limit: 1})
	if err != nil {
		return false, fail("purges", err)
	}
	if len(page.Items) == 0 || page.Items[0].Sort > place(s.db.now(), "~") {
		return true, nil
	}
	key := page.Items[0].Key
	_, name, _ := strings.Cut(key.Sort, "#")
	m := memberNamed(name)
	state, err := s.purgeable(ctx, m)
	if err != nil {
		return false, err
	}
	writes := []table.Write{{Delete: &key}}
	switch state {
	case stays:
		writes = append(writes, purgeWrite(m, s.db.now().Add(purgeAgain)))
	case goes:
		if more, err := s.purge(ctx, m); err != nil || more {
			return false, err
		}
		if err := s.db.purgeDocuments(ctx, m); err != nil {
			return false, err
		}
		if id := m.Group(); id != "" {
			group := groupKey(id)
			writes = append(writes, table.Write{Delete: &group})
		}
	}
	return false, fail("purge", s.db.table.Write(ctx, writes...))
}

type purgeState int

const (
	lives purgeState = iota // was restored
	stays                   // deleted, and can be restored for a while
	goes
)

func (s *Groups) purgeable(ctx context.Context, m directory.MemberRef) (purgeState, error) {
	var err error
	var deleted *time.Time
	if id := m.Group(); id != "" {
		var g directory.Group
		g, err = s.Group(ctx, id)
		deleted = g.Deleted
	} else {
		var u directory.User
		u, err = s.db.user(ctx, m.User())
		deleted = u.Deleted
	}
	switch {
	case errors.Is(err, directory.ErrNotFound):
		return goes, nil
	case err != nil:
		return lives, err
	case deleted == nil:
		return lives, nil
	}
	return stays, nil
}

// purge ends some memberships of m, and of a group some of those in it; more says that
// there may be others.
func (s *Groups) purge(ctx context.Context, m directory.MemberRef) (more bool, err error) {
	parents, next, err := s.db.groupsOf(ctx, m, "", MaxMemberChange)
	if err != nil {
		return false, err
	}
	for _, p := range parents {
		if err := s.leave(ctx, p, m); err != nil {
			return false, err
		}
	}
	id := m.Group()
	if id == "" || next != "" {
		return next != "", nil
	}
	list, after, err := s.Members(ctx, MembersQuery{Group: id, Limit: MaxMemberChange})
	if err != nil {
		return false, err
	}
	members := make([]directory.MemberRef, len(list))
	for i := range list {
		members[i] = list[i].Member
	}
	return after != (directory.MemberRef{}), s.leave(ctx, id, members...)
}

// leave ends memberships in a group, whatever became of the group, and of the members.
func (s *Groups) leave(ctx context.Context, id directory.GroupID, members ...directory.MemberRef) error {
	for len(members) > 0 {
		it, found, err := s.db.find(ctx, groupKey(id))
		if err != nil || !found {
			return fail("group", err) // a group goes after the last of its memberships
		}
		g, err := decodeGroup(it)
		if err != nil {
			return err
		}
		there, err := s.MembershipsAmong(ctx, id, members)
		if err != nil {
			return err
		}
		members = slices.DeleteFunc(members, func(m directory.MemberRef) bool {
			_, member := there[m]
			return !member
		})
		if len(members) == 0 {
			return nil
		}
		_, err = s.ChangeMembers(ctx, directory.AuditEvent{}, &g, MemberChange{Remove: members})
		if !errors.Is(err, directory.ErrStale) {
			return err
		}
	}
	return nil
}
