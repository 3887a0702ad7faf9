package store

import (
	"context"
	"fmt"
	"slices"

	"bindery/shared/directory"
	"bindery/shared/table"
)

const (
	strSource   = "source"   // whose a membership is
	numNestings = "nestings" // how often a group was put into another one
)

func membershipItem(m *directory.Membership) *table.Item {
	it := &table.Item{Key: membershipKey(m.Group, m.Member), Numbers: map[string]int64{numAt: millis(m.Added)}}
	if m.Source != "" {
		it.Strings = map[string]string{strSource: string(m.Source)}
	}
	return it
}

func decodeMembership(g directory.GroupID, it *table.Item) directory.Membership {
	return directory.Membership{
		Group: g, Member: memberNamed(it.Sort[len(membersPrefix):]),
		Source: directory.Source(it.Strings[strSource]), Added: fromMillis(it.Numbers[numAt]),
	}
}

// MembersQuery selects the direct members of a group, in the order of
// directory.MemberRef.Compare.
type MembersQuery struct {
	Group directory.GroupID
	Type  directory.MemberType // "" lists both
	After directory.MemberRef  // exclusive; the zero MemberRef begins
	Limit int                  // 0: as many as one call of the table gives, some thousands
}

// Members lists the memberships of a group, strongly consistent. Those of members who are
// deleted are among them: whoever asks for more than that reads the members. next is
// where to go on After; the zero MemberRef says that this was the last page.
func (s *Groups) Members(ctx context.Context, q MembersQuery) (list []directory.Membership, next directory.MemberRef, err error) {
	tq := table.Query{Partition: groupKey(q.Group).Partition, Prefix: membersPrefix, Limit: q.Limit}
	if q.Type != "" {
		tq.Prefix += string(q.Type) + "#"
	}
	if q.After != (directory.MemberRef{}) {
		tq.After = membersPrefix + memberName(q.After)
		if (table.Key{Partition: tq.Partition, Sort: tq.After}).Check() != nil {
			return nil, next, badCursor()
		}
	}
	page, err := s.db.table.Query(ctx, tq)
	if err != nil {
		return nil, next, fail("members", err)
	}
	for i := range page.Items {
		list = append(list, decodeMembership(q.Group, &page.Items[i]))
	}
	if page.Next != "" && len(list) > 0 {
		next = list[len(list)-1].Member
	}
	return list, next, nil
}

// MembershipsAmong reads which of some members a group has directly.
func (s *Groups) MembershipsAmong(ctx context.Context, g directory.GroupID, members []directory.MemberRef) (map[directory.MemberRef]directory.Membership, error) {
	keys := make([]table.Key, len(members))
	for i, m := range members {
		keys[i] = membershipKey(g, m)
	}
	found := make(map[directory.MemberRef]directory.Membership, len(members))
	for it, err := range s.db.each(ctx, keys) {
		if err != nil {
			return nil, fail("memberships", err)
		}
		m := decodeMembership(g, &it)
		found[m.Member] = m
	}
	return found, nil
}

// GroupsOf lists the groups in which somebody is directly, in the order of their IDs,
// strongly consistent; deleted groups are among them. limit 0: as many as one call of
// the table gives. next is where to go on after, "" at the end.
func (s *Groups) GroupsOf(ctx context.Context, m directory.MemberRef, after directory.GroupID, limit int) (list []directory.GroupID, next directory.GroupID, err error) {
	return s.db.groupsOf(ctx, m, after, limit)
}

func (d *db) groupsOf(ctx context.Context, m directory.MemberRef, after directory.GroupID, limit int) (list []directory.GroupID, next directory.GroupID, err error) {
	q := table.Query{Partition: memberPartition(m), Prefix: memberOfPrefix, Limit: limit}
	if after != "" {
		q.After = memberOfPrefix + string(after)
		if (table.Key{Partition: q.Partition, Sort: q.After}).Check() != nil {
			return nil, "", badCursor()
		}
	}
	page, err := d.table.Query(ctx, q)
	if err != nil {
		return nil, "", fail("groups of "+m.String(), err)
	}
	for i := range page.Items {
		list = append(list, directory.GroupID(page.Items[i].Sort[len(memberOfPrefix):]))
	}
	if page.Next != "" && len(list) > 0 {
		next = list[len(list)-1]
	}
	return list, next, nil
}

// allGroupsOf are all the groups in which somebody is directly.
func (d *db) allGroupsOf(ctx context.Context, m directory.MemberRef) ([]directory.GroupID, error) {
	var all []directory.GroupID
	for after := directory.GroupID(""); ; {
		list, next, err := d.groupsOf(ctx, m, after, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		if next == "" {
			return all, nil
		}
		after = next
	}
}

// above walks from a member up to the groups that it is in, however deep, nearest first.
// below is for each of them one that is directly in it, on the way from m.
func (d *db) above(ctx context.Context, m directory.MemberRef) (order []directory.GroupID, below map[directory.GroupID]directory.MemberRef, err error) {
	below = map[directory.GroupID]directory.MemberRef{}
	for look := []directory.MemberRef{m}; len(look) > 0; look = look[1:] {
		parents, err := d.allGroupsOf(ctx, look[0])
		if err != nil {
			return nil, nil, err
		}
		for _, p := range parents {
			if _, known := below[p]; !known && directory.GroupMember(p) != m {
				below[p] = look[0]
				order = append(order, p)
				look = append(look, directory.GroupMember(p))
			}
		}
	}
	return order, below, nil
}

// nestWrites store, with an edit of the members of g, in how many groups those groups
// are that become members, or no longer are; and that a nesting took place.
func (s *Groups) nestWrites(ctx context.Context, g *directory.Group, c MemberChange) ([]table.Write, error) {
	var added, removed []directory.GroupID
	for i := range c.Add {
		if id := c.Add[i].Member.Group(); id != "" {
			added = append(added, id)
		}
	}
	for _, m := range c.Remove {
		if id := m.Group(); id != "" {
			removed = append(removed, id)
		}
	}
	var writes []table.Write
	if len(added) > 0 {
		nesting, err := s.noCycle(ctx, g.ID, added)
		if err != nil {
			return nil, err
		}
		writes = append(writes, nesting)
	}
	children, err := s.db.groups(ctx, slices.Concat(added, removed))
	if err != nil {
		return nil, err
	}
	for _, id := range added {
		child, there := children[id]
		if !there || child.Deleted != nil {
			return nil, fmt.Errorf("nest group %s: %w", id, directory.ErrNotFound)
		}
		child.Parents++
		writes = append(writes, groupWrite(&child))
	}
	for _, id := range removed {
		if child, there := children[id]; there {
			child.Parents--
			writes = append(writes, groupWrite(&child))
		}
	}
	return writes, nil
}

// noCycle is the write by which groups may be put into g as long as no other nesting
// takes place. *GroupCycle when one of them is g, or g is in it.
func (s *Groups) noCycle(ctx context.Context, g directory.GroupID, members []directory.GroupID) (table.Write, error) {
	it, found, err := s.db.find(ctx, nestingKey)
	if err != nil {
		return table.Write{}, fail("nesting", err)
	}
	_, below, err := s.db.above(ctx, directory.GroupMember(g))
	if err != nil {
		return table.Write{}, err
	}
	for _, m := range members {
		if m == g {
			return table.Write{}, &GroupCycle{Groups: []directory.GroupID{g}}
		}
		if _, above := below[m]; !above {
			continue
		}
		circle := []directory.GroupID{g}
		for at := m; at != g; at = below[at].Group() {
			circle = append(circle, at)
		}
		return table.Write{}, &GroupCycle{Groups: circle}
	}
	seen := table.Condition{Absent: true}
	if found {
		seen = table.When(table.NumberIs(numNestings, table.Equal, it.Numbers[numNestings]))
	}
	return table.Write{Update: &table.Update{Key: nestingKey, AddNumbers: map[string]int64{numNestings: 1}}, If: seen}, nil
}
