package store

import (
	"context"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// The number of groups is the sum of counters, as that of users is. Tables of earlier
// versions have groups that no counter counts, so each group says whether one does
// (directory.Group.Counted), in the very write that counts it: nobody is counted twice,
// whoever dies when. CountUncounted goes once through all groups for the others.
//
// An earlier version that takes turns with this one while it is deployed knows nothing of
// that and would lose what a group says. So for groupCountWait after this version has come
// to the table nobody is counted; then whoever makes, deletes or restores groups counts,
// and once nobody is at work any more who began before, the others are gone through.
const groupCountWait = time.Hour

// groupCountState says how far that is: numAt is when this version came, strNext where the
// count of the others goes on.
var groupCountState = table.Key{Partition: "GROUPS", Sort: "count"}

const (
	numCounted = "counted" // 1 of a group that a counter counts, and of the state once all are
	strNext    = "next"
)

func groupCountKey(shard int) table.Key {
	return table.Key{Partition: "GROUPS#count#" + shardName(shard), Sort: "count"}
}

// groupCountWrite adds to the number of groups, in the transaction that makes, deletes or
// restores them. One group of several stands for all.
func groupCountWrite(g directory.GroupID, n int64) table.Write {
	return table.Write{Update: &table.Update{Key: groupCountKey(shardOf(string(g))), AddNumbers: map[string]int64{numCount: n}}}
}

// countsGroups reports whether new groups are counted yet.
func (d *db) countsGroups(ctx context.Context) (bool, error) {
	it, found, err := d.find(ctx, groupCountState)
	return found && !d.now().Before(fromMillis(it.Numbers[numAt]).Add(groupCountWait)), fail("count of groups", err)
}

// countWrites are, with an edit by which a group comes or goes, those that count it.
// next says then whether it is counted.
func (d *db) countWrites(ctx context.Context, old, next *directory.Group) ([]table.Write, error) {
	next.Counted = old.Counted
	switch {
	case old.Deleted == nil && next.Deleted != nil && old.Counted:
		next.Counted = false
		return []table.Write{groupCountWrite(next.ID, -1)}, nil
	case old.Deleted != nil && next.Deleted == nil:
		counts, err := d.countsGroups(ctx)
		if err != nil || !counts {
			return nil, err
		}
		next.Counted = true
		return []table.Write{groupCountWrite(next.ID, 1)}, nil
	}
	return nil, nil
}

// CountGroups returns how many groups the directory has, tombstones left out. known is
// false until all groups of an earlier version are counted.
func (s *Groups) CountGroups(ctx context.Context) (n int, known bool, err error) {
	keys := []table.Key{groupCountState}
	for i := range shards {
		keys = append(keys, groupCountKey(i))
	}
	sum := int64(0)
	for it, err := range s.db.each(ctx, keys) {
		if err != nil {
			return 0, false, fail("count of groups", err)
		}
		if it.Key == groupCountState {
			known = it.Numbers[numCounted] == 1
			continue
		}
		sum += it.Numbers[numCount]
	}
	return int(sum), known, nil
}

// CountUncounted counts some groups of earlier versions, once it is time; none says that
// there is nothing to do, or not yet. What it leaves undone it does when it is called
// again, and nothing twice, whoever calls it at once.
func (s *Groups) CountUncounted(ctx context.Context) (none bool, err error) {
	state, found, err := s.db.find(ctx, groupCountState)
	switch {
	case err != nil:
		return false, fail("count of groups", err)
	case !found:
		came := &table.Item{Key: groupCountState, Numbers: map[string]int64{numAt: millis(s.db.now())}}
		if err := s.db.table.Write(ctx, table.Write{Put: came, If: table.Condition{Absent: true}}); err != nil && !refused(err) {
			return false, fail("count of groups", err)
		}
		return true, nil
	case state.Numbers[numCounted] == 1 || s.db.now().Before(fromMillis(state.Numbers[numAt]).Add(2*groupCountWait)):
		return true, nil
	}
	page, err := s.ListGroups(ctx, state.Strings[strNext], table.MaxGet, func(g *directory.Group) bool { return g.Deleted == nil && !g.Counted })
	if err != nil {
		return false, err
	}
	for i := range page.Groups {
		if err := s.count(ctx, page.Groups[i]); err != nil {
			return false, err
		}
	}
	next := &table.Item{Key: groupCountState, Numbers: map[string]int64{numAt: state.Numbers[numAt]}}
	if page.Next == "" {
		next.Numbers[numCounted] = 1
	} else {
		next.Strings = map[string]string{strNext: page.Next}
	}
	return page.Next == "", fail("count of groups", s.db.table.Write(ctx, table.Write{Put: next}))
}

// count counts a group as it was read, or as it is by now, unless it is counted or deleted.
func (s *Groups) count(ctx context.Context, g directory.Group) error {
	for g.Deleted == nil && !g.Counted {
		next := g
		next.Counted = true
		err := s.db.table.Write(ctx, groupWrite(&next), groupCountWrite(g.ID, 1))
		if !refused(err) {
			return fail("count of groups", err)
		}
		it, found, err := s.db.find(ctx, groupKey(g.ID))
		if err != nil || !found {
			return fail("count of groups", err)
		}
		if g, err = decodeGroup(it); err != nil {
			return err
		}
	}
	return nil
}
