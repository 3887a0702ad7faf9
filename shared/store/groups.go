package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Groups are the groups of the directory with their members.
//
// A group is one item, and each write of it, whatever it changes, is conditional on
// the edition that was read: its attributes, how many members it has, the groups
// above it and who uses it are never of two moments. A membership is two items,
// written together: one with the group, by which members are listed, and one with
// the member, by which the groups of a user are. Both are written in a transaction
// with the group's item, so that edits of the members of one group follow each other.
//
// # Nesting
//
// No group is in itself, however deep. Whoever puts a group into another one reads
// the number of nestings first, looks whether the first is above the second, and
// counts the number up in the transaction that nests: of two edits that would make a
// circle together the later one finds the number moved, looks again, and is refused.
//
// # Who is told of an edit
//
// A connection that uses a group (Group.UsedBy) also uses those below it. An edit of a
// group that is used, or is in another group, leaves a note in its transaction (changed);
// so does the edit by which a user begins or ceases to count as a member. TellUsers, which whoever edited calls at once, and the schedule after
// a crash, looks which groups are above it by then and notes for each connection that
// uses one of them that this use is due (DueUse); then it takes the first note away. A
// nesting that comes meanwhile leaves a note of its own.
//
// A note says whom the edit was of, when these are users, so that nobody goes through the
// others of a large group for the sake of one. Each edit leaves a note of its own, which
// is never written again and is taken away only by whoever has read it: what an edit was
// of cannot be lost behind another edit.
//
// # Those who are deleted
//
// Memberships of a deleted user, and those of a deleted group and in one, stay for as long
// as it can be restored: readers leave them out. Its deletion leaves a note for the day
// on which it can no longer be, when PurgeMembers ends them.
type Groups struct{ db *db }

// GroupNameTaken says that another group has a name.
type GroupNameTaken struct {
	Name  string
	Owner directory.GroupID
}

func (e *GroupNameTaken) Error() string {
	return fmt.Sprintf("the name %q belongs to the group %s", e.Name, e.Owner)
}

// Unwrap makes it a conflict.
func (e *GroupNameTaken) Unwrap() error { return directory.ErrConflict }

// GroupCycle says that a group cannot be put into another one, since that would be
// in itself then. Groups are those on the way, each in the one before it: the first is
// the one that was to get a member, the last the member, in which the first is.
type GroupCycle struct{ Groups []directory.GroupID }

func (e *GroupCycle) Error() string { return fmt.Sprintf("the groups %v would be a circle", e.Groups) }

// Unwrap makes it a conflict.
func (e *GroupCycle) Unwrap() error { return directory.ErrConflict }

// groupRecord is a group as it is stored: also with what is not shown of it.
type groupRecord struct {
	directory.Group
	Editors []directory.Edit `json:"editors,omitempty"`
	Parents int              `json:"parents,omitempty"`
	// MembersUpdated is zero in what an earlier version has stored.
	MembersUpdated time.Time `json:"membersUpdated,omitzero"`
}

const strGroup = "group" // whose a name is

const (
	// numSteps is how often MembersVersion has risen since the record was written, and
	// numStepped when it did so last (stepMembers).
	numSteps   = "steps"
	numStepped = "stepped"
)

func groupItem(g *directory.Group) *table.Item {
	it := &table.Item{
		Key:     groupKey(g.ID),
		Index1:  table.Key{Partition: groupsPartition(shardOf(string(g.ID))), Sort: string(g.ID)},
		Version: g.Edition, Body: encode(groupRecord{*g, g.Editors, g.Parents, g.MembersUpdated}),
	}
	if g.Counted {
		it.Numbers = map[string]int64{numCounted: 1}
	}
	return it
}

func decodeGroup(it table.Item) (directory.Group, error) {
	var r groupRecord
	err := decode(it, &r)
	g := r.Group
	g.MembersVersion += it.Numbers[numSteps]
	g.Editors, g.Parents, g.MembersUpdated = r.Editors, r.Parents, latest(r.MembersUpdated, fromMillis(it.Numbers[numStepped]))
	g.Edition, g.Counted = it.Version, it.Numbers[numCounted] == 1
	return g, err
}

// groupWrite stores a group over the edition that was read, as the next one.
func groupWrite(g *directory.Group) table.Write {
	read := g.Edition
	g.Edition++
	return table.Write{Put: groupItem(g), If: table.When(table.VersionIs(read))}
}

func groupNameWrite(g *directory.Group) table.Write {
	return table.Write{
		Put: &table.Item{Key: groupNameKey(g.Name), Strings: map[string]string{strGroup: string(g.ID)}},
		If:  table.Condition{Absent: true, AnyOf: [][]table.Test{{table.StringIs(strGroup, string(g.ID))}}},
	}
}

// gone reports whether a group's time as a tombstone is over. What a connection uses
// stays until that has done with it.
func (d *db) gone(g *directory.Group) bool {
	return g.Deleted != nil && len(g.UsedBy) == 0 && !d.now().Before(g.Deleted.Add(TombstoneLife))
}

// MaxNewGroups is how many groups CreateGroups takes.
const MaxNewGroups = 30

// CreateGroups stores up to MaxNewGroups new groups at version 1 in one transaction,
// all or none. *GroupNameTaken when a name is in use.
func (s *Groups) CreateGroups(ctx context.Context, act directory.AuditEvent, groups ...*directory.Group) error {
	return s.createGroups(ctx, act, nil, groups...)
}

// CreatePushed stores a new group, likewise, with the document that a client has pushed of
// it. *ExternalIDTaken when the client has another group of that externalId.
func (s *Groups) CreatePushed(ctx context.Context, act directory.AuditEvent, g *directory.Group, e *DocumentEdit) error {
	return s.createGroups(ctx, act, e, g)
}

func (s *Groups) createGroups(ctx context.Context, act directory.AuditEvent, pushed *DocumentEdit, groups ...*directory.Group) error {
	counts, err := s.db.countsGroups(ctx)
	if err != nil {
		return err
	}
	var writes []table.Write
	for _, g := range groups {
		g.Version, g.Edition, g.Counted = 1, 1, counts
		writes = append(writes, table.Write{Put: groupItem(g), If: table.Condition{Absent: true}}, groupNameWrite(g))
	}
	for _, g := range groups { // behind the names, whose places tell what was refused
		if from := g.ImportedFrom; from != nil {
			writes = append(writes, table.Write{Put: &table.Item{Key: importedGroupKey(from.TenantID, from.GroupID), Strings: map[string]string{strGroup: string(g.ID)}}})
		}
	}
	if counts && len(groups) > 0 {
		writes = append(writes, groupCountWrite(groups[0].ID, int64(len(groups))))
	}
	external := -1
	if pushed != nil {
		docs, at, err := s.db.documentWrites(ctx, pushed, groups[0].Updated, true, false, true)
		if err != nil {
			return err
		}
		if at >= 0 {
			external = len(writes) + at
		}
		writes = append(writes, docs...)
	}
	writes = append(writes, s.db.record(act, groupsSubject(groups...))...)
	err = s.db.table.Write(ctx, writes...)
	if f, ok := failed(err); ok {
		if err := externalTaken(f, external); err != nil {
			return err
		}
		for i, g := range groups {
			if it := f[2*i+1]; it != nil {
				return &GroupNameTaken{Name: g.Name, Owner: directory.GroupID(it.Strings[strGroup])}
			}
		}
		if pushed != nil { // whoever had the externalId has come back, or is gone, at this moment
			return fmt.Errorf("create groups: %w", directory.ErrStale)
		}
		return fmt.Errorf("create groups: %w", directory.ErrConflict)
	}
	return fail("create groups", err)
}

// Group reads a group, tombstones included. ErrNotFound.
func (s *Groups) Group(ctx context.Context, id directory.GroupID) (directory.Group, error) {
	it, err := s.db.table.Get(ctx, groupKey(id))
	if err != nil {
		return directory.Group{}, fail("group "+string(id), err)
	}
	g, err := decodeGroup(it)
	if err == nil && s.db.gone(&g) {
		return directory.Group{}, fail("group "+string(id), table.ErrNotFound)
	}
	return g, err
}

// GroupsByID reads the groups that exist among ids, tombstones included, in no order.
func (s *Groups) GroupsByID(ctx context.Context, ids []directory.GroupID) (map[directory.GroupID]directory.Group, error) {
	return s.db.groups(ctx, ids)
}

func (d *db) groups(ctx context.Context, ids []directory.GroupID) (map[directory.GroupID]directory.Group, error) {
	keys := make([]table.Key, len(ids))
	for i, id := range ids {
		keys[i] = groupKey(id)
	}
	groups := make(map[directory.GroupID]directory.Group, len(ids))
	for it, err := range d.each(ctx, keys) {
		if err != nil {
			return nil, fail("groups", err)
		}
		g, err := decodeGroup(it)
		if err != nil {
			return nil, err
		}
		if !d.gone(&g) {
			groups[g.ID] = g
		}
	}
	return groups, nil
}

// ImportedGroups returns the living groups that imports made of groups of a tenant, by
// tenant group.
func (s *Groups) ImportedGroups(ctx context.Context, tenant directory.TenantID, ids []directory.TenantGroupID) (map[directory.TenantGroupID]directory.Group, error) {
	of := make(map[table.Key]directory.TenantGroupID, len(ids))
	for _, id := range ids {
		of[importedGroupKey(tenant, id)] = id
	}
	made := map[directory.GroupID]directory.TenantGroupID{}
	for it, err := range s.db.each(ctx, slices.Collect(maps.Keys(of))) {
		if err != nil {
			return nil, fail("imported groups", err)
		}
		made[directory.GroupID(it.Strings[strGroup])] = of[it.Key]
	}
	groups, err := s.GroupsByID(ctx, slices.Collect(maps.Keys(made)))
	if err != nil {
		return nil, err
	}
	out := make(map[directory.TenantGroupID]directory.Group, len(groups))
	for id, g := range groups {
		if g.Deleted == nil {
			out[made[id]] = g
		}
	}
	return out, nil
}

// GroupIDsByName returns which group has which name, by folded name.
func (s *Groups) GroupIDsByName(ctx context.Context, names []string) (map[string]directory.GroupID, error) {
	keys := make(map[table.Key]string, len(names))
	for _, n := range names {
		if k := groupNameKey(n); k.Check() == nil { // nobody can have a name that no key holds
			keys[k] = directory.FoldName(n)
		}
	}
	owners := make(map[string]directory.GroupID, len(keys))
	for it, err := range s.db.each(ctx, keysOf(keys)) {
		if err != nil {
			return nil, fail("groups by name", err)
		}
		owners[keys[it.Key]] = directory.GroupID(it.Strings[strGroup])
	}
	return owners, nil
}

func keysOf(m map[table.Key]string) []table.Key {
	keys := make([]table.Key, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

// GroupPage is one page of a listing.
type GroupPage struct {
	Groups []directory.Group
	Next   string
}

// ListGroups lists the groups that keep accepts (nil: all living ones), tombstones
// included, in a stable order, at most limit. A call looks at a bounded number of
// groups: a page may hold fewer than limit, or none, and still have a Next.
func (s *Groups) ListGroups(ctx context.Context, cursor string, limit int, keep func(*directory.Group) bool) (GroupPage, error) {
	if keep == nil {
		keep = func(g *directory.Group) bool { return g.Deleted == nil }
	}
	var out GroupPage
	for range 8 {
		next, err := s.db.listShards(ctx, cursor, limit-len(out.Groups), func(shard int) table.Query {
			return table.Query{Index: 1, Partition: groupsPartition(shard)}
		}, func(it table.Item) error {
			g, err := decodeGroup(it)
			if err == nil && !s.db.gone(&g) && keep(&g) {
				out.Groups = append(out.Groups, g)
			}
			return err
		})
		if err != nil {
			return GroupPage{}, err
		}
		cursor, out.Next = next, next
		if next == "" || len(out.Groups) >= limit {
			break
		}
	}
	return out, nil
}

// UpdateGroup stores the attributes of g, or that it is deleted or restored, over old,
// as which it was read; it raises the version and moves the name. ErrStale when somebody
// else was faster, of the members too; *GroupNameTaken. told reports that there is
// somebody to be told of the edit (TellUsers).
func (s *Groups) UpdateGroup(ctx context.Context, act directory.AuditEvent, old, g *directory.Group) (told bool, err error) {
	return s.UpdatePushed(ctx, act, old, g, nil)
}

// UpdatePushed is UpdateGroup with the document that a client has pushed of the group, or
// nil. ErrStale when that has changed since it was read, too; *ExternalIDTaken.
func (s *Groups) UpdatePushed(ctx context.Context, act directory.AuditEvent, old, g *directory.Group, pushed *DocumentEdit) (told bool, err error) {
	next := *g
	next.Edition = old.Edition
	next.Version = old.Version + 1
	next.Updated = s.db.now().UTC()
	counted, err := s.db.countWrites(ctx, old, &next)
	if err != nil {
		return false, err
	}
	writes := []table.Write{groupWrite(&next)}
	before, after := directory.FoldName(old.Name), directory.FoldName(next.Name)
	name := -1
	if next.Deleted == nil && (old.Deleted != nil || before != after) {
		name = len(writes)
		writes = append(writes, groupNameWrite(&next))
	}
	if old.Deleted == nil && (next.Deleted != nil || before != after) {
		k := groupNameKey(old.Name)
		writes = append(writes, table.Write{Delete: &k})
	}
	if old.Deleted == nil && next.Deleted != nil {
		writes = append(writes, purgeWrite(directory.GroupMember(next.ID), next.Deleted.Add(TombstoneLife)))
	}
	noted := s.db.changedWrites(&next, edits{whole: (old.Deleted == nil) != (next.Deleted == nil), came: (old.Deleted == nil) != (next.Deleted == nil)})
	writes = append(writes, noted...)
	writes = append(writes, counted...)
	docs, external, err := s.db.documentsBeside(ctx, directory.GroupMember(g.ID), next.Updated, old.Deleted == nil, next.Deleted == nil, pushed)
	if err != nil {
		return false, err
	}
	if external >= 0 {
		external += len(writes)
	}
	writes = append(writes, docs...)
	edited := groupsSubject(&next)
	edited.properties = groupChanges(old, &next)
	writes = append(writes, s.db.record(act, edited)...)
	err = s.db.table.Write(ctx, writes...)
	if f, ok := failed(err); ok {
		if it, hit := f[0]; hit && it == nil {
			return false, fail("update group", table.ErrNotFound)
		}
		if err := externalTaken(f, external); err != nil {
			return false, err
		}
		if it, hit := f[name]; hit && it != nil && len(f) == 1 {
			return false, &GroupNameTaken{Name: next.Name, Owner: directory.GroupID(it.Strings[strGroup])}
		}
		return false, fmt.Errorf("update group: %w", directory.ErrStale)
	}
	if err != nil {
		return false, fail("update group", err)
	}
	*g = next
	return len(noted) > 0, nil
}

// MemberChange is an edit of the direct members of a group. No member is in it twice.
type MemberChange struct {
	Add    []directory.Membership
	Own    []directory.Membership // members already, whose membership becomes another source's
	Remove []directory.MemberRef
	// Made says that the group is made with these members: its members are not updated by it.
	Made bool
}

// Len is how many members the edit is of.
func (c *MemberChange) Len() int { return len(c.Add) + len(c.Own) + len(c.Remove) }

// MaxMemberChange is how many members one MemberChange may have: groups take four writes
// of the transaction, users three.
const MaxMemberChange = 23

// ChangeMembers edits the direct members of g, as it was read before it was found out
// which of them are members already: those of Add must not be, all others must. All
// or none; g is as stored then. ErrStale when somebody else has edited the group since,
// ErrNotFound when a group of Add is not there or is deleted, *GroupCycle when g is in
// it. told as with UpdateGroup.
func (s *Groups) ChangeMembers(ctx context.Context, act directory.AuditEvent, g *directory.Group, c MemberChange) (told bool, err error) {
	next := *g
	next.MembersVersion++
	if !c.Made {
		next.MembersUpdated = s.db.now().UTC()
	}
	next.Members += len(c.Add) - len(c.Remove)
	writes := []table.Write{groupWrite(&next)}
	nested, err := s.nestWrites(ctx, &next, c)
	if err != nil {
		return false, err
	}
	writes = append(writes, nested...)
	edited := groupsSubject(&next)
	for _, m := range c.Add {
		m.Group = next.ID
		writes = append(writes, table.Write{Put: membershipItem(&m)}, table.Write{Put: &table.Item{Key: memberOfKey(m.Member, next.ID)}})
		edited.member(m.Member)
	}
	for _, m := range c.Own {
		m.Group = next.ID
		writes = append(writes, table.Write{Put: membershipItem(&m)})
	}
	for _, m := range c.Remove {
		there, back := membershipKey(next.ID, m), memberOfKey(m, next.ID)
		writes = append(writes, table.Write{Delete: &there}, table.Write{Delete: &back})
		edited.member(m)
	}
	noted := s.db.changedWrites(&next, editsOf(&c))
	writes = append(writes, noted...)
	writes = append(writes, s.db.record(act, edited)...)
	err = s.db.table.Write(ctx, writes...)
	if refused(err) {
		return false, fmt.Errorf("change members: %w", directory.ErrStale)
	}
	if err != nil {
		return false, fail("change members", err)
	}
	*g = next
	return len(noted) > 0, nil
}
