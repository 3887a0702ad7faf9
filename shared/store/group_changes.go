package store

import (
	"context"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// strStamp is of a note: another one with each edit, so that a note is taken away only
// by whoever has seen the last.
const strStamp = "stamp"

// changedWrites are the note that a group was changed, for those who use it or a group
// above it; none when nobody can.
func (d *db) changedWrites(g *directory.Group) []table.Write {
	if len(g.UsedBy) == 0 && g.Parents == 0 {
		return nil
	}
	return []table.Write{{Put: d.note(changedKey(directory.GroupMember(g.ID)))}}
}

// MembershipCounts reports whether an edit of a user changes who the members of groups
// are, or which of them can be bound: an address may have come into a domain of the
// connection.
func MembershipCounts(old, next *directory.User) bool {
	if old.Email != next.Email || old.UserName != next.UserName {
		return true
	}
	counts := func(u *directory.User) (living, staged bool) {
		return u.Deleted == nil, u.State == directory.StateStaged
	}
	livedBefore, stagedBefore := counts(old)
	lives, staged := counts(next)
	return livedBefore != lives || stagedBefore != staged
}

func (d *db) note(key table.Key) *table.Item {
	now := d.now()
	return &table.Item{
		Key: key, Numbers: map[string]int64{numAt: now.UnixMilli()},
		Strings: map[string]string{strStamp: directory.NewAuditEventID(now)},
	}
}

// freed is the note that a user may be bound by the use of a group that could not bind him,
// since his binding ends; none for who is in no group.
func (d *db) freed(ctx context.Context, b *directory.Binding) ([]table.Write, error) {
	u := b.Ref().User()
	if u == "" {
		return nil, nil
	}
	in, _, err := d.groupsOf(ctx, directory.UserMember(u), "", 1)
	if err != nil || len(in) == 0 {
		return nil, err
	}
	return []table.Write{{Put: d.note(changedKey(directory.UserMember(u)))}}, nil
}

// endNote takes a note away, unless there is another one by now.
func (d *db) endNote(ctx context.Context, key table.Key, stamp string) error {
	err := d.table.Write(ctx, table.Write{Delete: &key, If: table.When(table.StringIs(strStamp, stamp))})
	if refused(err) {
		return nil
	}
	return err
}

// Changed lists groups that were edited, and users of whom MembershipCounts says that it
// matters or whose binding has ended, of which those who use the groups have not been told yet, up to
// limit.
func (s *Groups) Changed(ctx context.Context, limit int) ([]directory.MemberRef, error) {
	page, err := s.db.table.Query(ctx, table.Query{Partition: changedAt, Limit: limit})
	if err != nil {
		return nil, fail("changed groups", err)
	}
	list := make([]directory.MemberRef, len(page.Items))
	for i := range page.Items {
		list[i] = memberNamed(page.Items[i].Sort)
	}
	return list, nil
}

// TellUsers notes for every connection that uses a group, or one above it, that its use
// is due, if the group was changed and nobody has done so; of a user, likewise for the
// groups that the user is in. It returns those connections. It may be repeated.
func (s *Groups) TellUsers(ctx context.Context, m directory.MemberRef) ([]directory.ConnectionID, error) {
	it, found, err := s.db.find(ctx, changedKey(m))
	if err != nil || !found {
		return nil, fail("changed group", err)
	}
	look, _, err := s.db.above(ctx, m)
	if err != nil {
		return nil, err
	}
	if g := m.Group(); g != "" {
		look = append(look, g)
	}
	groups, err := s.db.groups(ctx, look)
	if err != nil {
		return nil, err
	}
	var writes []table.Write
	var users []directory.ConnectionID
	for gid, g := range groups {
		for _, c := range g.UsedBy {
			writes = append(writes, table.Write{Put: s.db.note(dueUseKey(c, gid))})
			users = append(users, c)
		}
	}
	for part := range slices.Chunk(writes, table.MaxWrites) {
		if err := s.db.table.Write(ctx, part...); err != nil {
			return nil, fail("tell users of a group", err)
		}
	}
	slices.Sort(users)
	return slices.Compact(users), fail("changed group", s.db.endNote(ctx, it.Key, it.Strings[strStamp]))
}

// DueUse says that what a connection does with a group is to be looked at again, since
// the group, its members, or theirs were edited. There is one at most for both.
type DueUse struct {
	ConnectionID directory.ConnectionID
	GroupID      directory.GroupID
	At           time.Time // of the last edit, or when it is due again by itself

	stamp string
}

// DueUses lists what is due of a connection by now, by group, from one on, up to limit; next
// is "" at the end.
func (s *Groups) DueUses(ctx context.Context, c directory.ConnectionID, after directory.GroupID, limit int) (list []DueUse, next directory.GroupID, err error) {
	now := s.db.now()
	for len(list) == 0 {
		page, err := s.db.table.Query(ctx, table.Query{Partition: dueUseKey(c, after).Partition, After: string(after), Limit: limit})
		if err != nil {
			return nil, "", fail("due uses", err)
		}
		for i := range page.Items {
			d := dueUse(c, &page.Items[i])
			if after = d.GroupID; !d.At.After(now) {
				list = append(list, d)
			}
		}
		if page.Next == "" {
			return list, "", nil
		}
	}
	return list, after, nil
}

func dueUse(c directory.ConnectionID, it *table.Item) DueUse {
	return DueUse{c, directory.GroupID(it.Sort), fromMillis(it.Numbers[numAt]), it.Strings[strStamp]}
}

// AnyChanged reports whether an edit of one of some groups waits to be told to those who
// use it.
func (s *Groups) AnyChanged(ctx context.Context, groups []directory.GroupID) (bool, error) {
	keys := make([]table.Key, len(groups))
	for i, g := range groups {
		keys[i] = changedKey(directory.GroupMember(g))
	}
	for _, err := range s.db.each(ctx, keys) {
		return err == nil, fail("changed groups", err)
	}
	return false, nil
}

// Unmoved reports whether nothing has been edited that a due use is about since it was
// read, of some groups: it is due by the same edit, and none waits to be told.
func (s *Groups) Unmoved(ctx context.Context, u DueUse, groups []directory.GroupID) (bool, error) {
	// In this order: what was told between the two has made the use due anew.
	if changed, err := s.AnyChanged(ctx, groups); changed || err != nil {
		return false, err
	}
	it, found, err := s.db.find(ctx, dueUseKey(u.ConnectionID, u.GroupID))
	return found && it.Strings[strStamp] == u.stamp, fail("due use", err)
}

// DueUse reports whether what a connection does with a group is due.
func (s *Groups) DueUse(ctx context.Context, c directory.ConnectionID, g directory.GroupID) (bool, error) {
	it, found, err := s.db.find(ctx, dueUseKey(c, g))
	return found && !dueUse(c, &it).At.After(s.db.now()), fail("due use", err)
}

// PostponeDueUse says what EndDueUse says, and that the use is due again at a time.
func (s *Groups) PostponeDueUse(ctx context.Context, u DueUse, until time.Time) error {
	up := &table.Update{Key: dueUseKey(u.ConnectionID, u.GroupID), SetNumbers: map[string]int64{numAt: until.UnixMilli()}}
	err := s.db.table.Write(ctx, table.Write{Update: up, If: table.When(table.StringIs(strStamp, u.stamp))})
	if refused(err) {
		return nil // there is another edit by now
	}
	return fail("due use", err)
}

// EndDueUse says that everything that was edited until a DueUse was read has been looked
// at; an edit since stays due.
func (s *Groups) EndDueUse(ctx context.Context, u DueUse) error {
	return fail("end due use", s.db.endNote(ctx, dueUseKey(u.ConnectionID, u.GroupID), u.stamp))
}

// SetUsed notes that a connection uses a group from now on, which makes the use due, or
// no longer does. It is for whoever stores uses, see usedWrites. ErrNotFound for a group
// that is not there.
func (s *Groups) SetUsed(ctx context.Context, id directory.GroupID, c directory.ConnectionID, used bool) error {
	for {
		g, err := s.Group(ctx, id)
		if err != nil {
			return err
		}
		if g.IsUsedBy(c) == used {
			return nil
		}
		err = s.db.table.Write(ctx, s.db.usedWrites(&g, c, used)...)
		if !refused(err) {
			return fail("use of a group", err)
		}
	}
}

// usedWrites are, of a group as read, that a connection uses it from now on or no longer
// does, for the transaction that stores that use. They hold while nobody has written the
// group since it was read.
func (d *db) usedWrites(g *directory.Group, c directory.ConnectionID, used bool) []table.Write {
	next := *g
	next.UsedBy = slices.DeleteFunc(slices.Clone(g.UsedBy), func(other directory.ConnectionID) bool { return other == c })
	due := dueUseKey(c, g.ID)
	var above []table.Write
	if g.Parents > 0 { // whoever uses a group above may do something else with this one then
		above = append(above, table.Write{Put: d.note(changedKey(directory.GroupMember(g.ID)))})
	}
	if !used {
		return append(above, groupWrite(&next), table.Write{Delete: &due})
	}
	next.UsedBy = append(next.UsedBy, c)
	slices.Sort(next.UsedBy)
	return append(above, groupWrite(&next), table.Write{Put: d.note(due)})
}
