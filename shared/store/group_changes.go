package store

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// edits are what edits of a group, or of a user, were of, as far as it matters to those
// who use the group: of some users, or, when it is whole, of anything, these users among it.
type edits struct {
	whole   bool
	members []directory.MemberRef
	edited  bool // of notes that were read: of one at least
	// came says that it is of somebody who was deleted or has come back: the members of the groups that
	// they are in are others then.
	came bool
}

// mostNoted is how many members a note names; one of more is whole.
const mostNoted = 500

const (
	numWhole   = "whole"   // 1: a note is of anything
	numAnew    = "anew"    // 1: nothing was edited, see MakeDue
	numCame    = "came"    // 1: a note is of somebody who was deleted or has come back
	strMembers = "members" // IDs of the users whom a note is of, with blanks between them
)

// editsOf are what an edit of members is of. A group that comes or goes does so with
// whoever is in it.
func editsOf(c *MemberChange) edits {
	var e edits
	add := func(m directory.MemberRef) {
		if m.User() == "" {
			e.whole = true
			return
		}
		e.members = append(e.members, m)
	}
	for i := range c.Add {
		add(c.Add[i].Member)
	}
	for _, m := range c.Remove {
		add(m)
	}
	return e
}

// and adds what other edits were of, by the note of them.
func (e *edits) and(it *table.Item) {
	e.edited = e.edited || it.Numbers[numAnew] == 0
	e.came = e.came || it.Numbers[numCame] != 0
	for id := range strings.FieldsSeq(it.Strings[strMembers]) {
		e.members = append(e.members, directory.UserMember(directory.UserID(id)))
	}
	_, before := it.Strings[strStamp] // a note of the form before does not say of what it is
	e.whole = e.whole || before || it.Numbers[numWhole] != 0
	if len(e.members) > 2*mostNoted {
		e.whole, e.members = true, nil
	}
}

// distinct names each member once.
func (e *edits) distinct() {
	slices.SortFunc(e.members, directory.MemberRef.Compare)
	e.members = slices.Compact(e.members)
}

// note is the item of a note of its own.
func (d *db) note(at func(note string) table.Key, e edits) *table.Item {
	now := d.now()
	it := &table.Item{Key: at(directory.NewAuditEventID(now)), Numbers: map[string]int64{numAt: now.UnixMilli()}}
	if e.whole || len(e.members) > mostNoted {
		it.Numbers[numWhole] = 1
	}
	if e.came {
		it.Numbers[numCame] = 1
	}
	if len(e.members) > 0 && len(e.members) <= mostNoted {
		ids := make([]string, len(e.members))
		for i, m := range e.members {
			ids[i] = m.ID
		}
		it.Strings = map[string]string{strMembers: strings.Join(ids, " ")}
	}
	return it
}

func (d *db) changedWrite(m directory.MemberRef, e edits) table.Write {
	return table.Write{Put: d.note(func(note string) table.Key { return changedKey(m, note) }, e)}
}

func (d *db) dueWrite(c directory.ConnectionID, g directory.GroupID, e edits) table.Write {
	return table.Write{Put: d.note(func(note string) table.Key { return dueUseKey(c, g, note) }, e)}
}

// canBeUsed reports whether a connection uses a group, or may use one above it.
func canBeUsed(g *directory.Group) bool { return len(g.UsedBy) > 0 || g.Parents > 0 }

// changedWrites are the note that a group was changed, for those who use it or a group
// above it; none when nobody can.
func (d *db) changedWrites(g *directory.Group, e edits) []table.Write {
	if !canBeUsed(g) {
		return nil
	}
	return []table.Write{d.changedWrite(directory.GroupMember(g.ID), e)}
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

// notesPage is how many notes are read at a time.
const notesPage = 100

// readNote is a note that was read.
type readNote struct {
	key table.Key
	// stamp is only of a note of the form before: the one item of whoever has its name,
	// written over by each edit with another stamp. An older version may still do so.
	stamp string
}

const strStamp = "stamp"

func noteOf(it *table.Item) readNote { return readNote{it.Key, it.Strings[strStamp]} }

// notes reads all notes of whoever has a name, but for those of what is due later.
func (d *db) notes(ctx context.Context, partition, name string) (list []readNote, e edits, last time.Time, err error) {
	now := d.now()
	for it, err := range d.list(ctx, table.Query{Partition: partition, Prefix: name, Limit: notesPage}) {
		if err != nil {
			return nil, e, last, err
		}
		if it.Sort != name && !strings.HasPrefix(it.Sort, name+"#") {
			break // of a longer name, which comes behind
		}
		if comes(&it, now) {
			continue
		}
		list = append(list, noteOf(&it))
		e.and(&it)
		last = latest(last, fromMillis(it.Numbers[numAt]))
	}
	e.distinct()
	return list, e, last, nil
}

// freedGroups is of how many groups of a user it is looked at whether any is used.
const freedGroups = 50

// freed is the note that a user may be bound by the use of a group that could not bind him,
// since his binding ends; none for who is in no group that can be used. Of who is in very
// many it is not asked which they are.
func (d *db) freed(ctx context.Context, b *directory.Binding) ([]table.Write, error) {
	u := b.Ref().User()
	if u == "" {
		return nil, nil
	}
	member := directory.UserMember(u)
	in, more, err := d.groupsOf(ctx, member, "", freedGroups)
	if err != nil {
		return nil, err
	}
	groups, err := d.groups(ctx, in)
	if err != nil {
		return nil, err
	}
	used := more != ""
	for _, g := range groups {
		used = used || canBeUsed(&g)
	}
	if !used {
		return nil, nil
	}
	return []table.Write{d.changedWrite(member, edits{members: []directory.MemberRef{member}})}, nil
}

// endNotes takes notes away that were read. Nobody writes one twice, but for one of the
// form before, which stays when there is another one by now.
func (d *db) endNotes(ctx context.Context, list []readNote) error {
	for part := range slices.Chunk(list, table.MaxWrites) {
		var writes []table.Write
		for i := range part {
			end := table.Write{Delete: &part[i].key}
			if part[i].stamp == "" {
				writes = append(writes, end)
				continue
			}
			end.If = table.When(table.StringIs(strStamp, part[i].stamp))
			if err := d.table.Write(ctx, end); err != nil && !refused(err) {
				return err
			}
		}
		if len(writes) == 0 {
			continue
		}
		if err := d.table.Write(ctx, writes...); err != nil {
			return err
		}
	}
	return nil
}

// behindNotes is behind all notes of whoever has such a name: '$' follows '#'.
func behindNotes(name string) string { return name + "$" }

// changed goes through those of whom a note says that they were edited, each once,
// however many notes there are of them; through those of one type, "" for all.
func (s *Groups) changed(ctx context.Context, of directory.MemberType, page int) iter.Seq2[directory.MemberRef, error] {
	return func(yield func(directory.MemberRef, error) bool) {
		var last directory.MemberRef
		for q := (table.Query{Partition: changedAt, Prefix: string(of), Limit: page}); ; q.After = behindNotes(memberName(last)) {
			page, err := s.db.table.Query(ctx, q)
			if err != nil {
				yield(last, fail("changed groups", err))
				return
			}
			for i := range page.Items {
				m := memberNamed(page.Items[i].Sort)
				if m.ID, _, _ = strings.Cut(m.ID, "#"); m == last {
					continue
				}
				if last = m; !yield(m, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
		}
	}
}

// Changed lists groups that were edited, and users of whom MembershipCounts says that it
// matters or whose binding has ended, of which those who use the groups have not been
// told yet, up to limit.
func (s *Groups) Changed(ctx context.Context, limit int) ([]directory.MemberRef, error) {
	var list []directory.MemberRef
	for m, err := range s.changed(ctx, "", limit) {
		if err != nil {
			return nil, err
		}
		if list = append(list, m); len(list) == limit {
			break
		}
	}
	return list, nil
}

// TellUsers notes for every connection that uses a group, or one above it, that its use
// is due, if the group was changed and nobody has done so; of a user, likewise for the
// groups that the user is in. It returns those connections. It may be repeated. The groups in
// which somebody is who was deleted, or has come back, have other members from then on, and
// another MembersVersion.
func (s *Groups) TellUsers(ctx context.Context, m directory.MemberRef) ([]directory.ConnectionID, error) {
	// All are read before one is passed on, and none is taken away before that.
	notes, e, _, err := s.db.notes(ctx, changedAt, memberName(m))
	if err != nil || len(notes) == 0 {
		return nil, fail("changed group", err)
	}
	look, below, err := s.db.above(ctx, m)
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
	came := e.came
	e.came = false // which is nothing to those who use the groups
	var writes []table.Write
	var users []directory.ConnectionID
	for gid, g := range groups {
		if gid != m.Group() && !e.whole && len(e.members) == 0 {
			continue // another name, say, is nothing to a group above
		}
		for _, c := range g.UsedBy {
			writes = append(writes, s.db.dueWrite(c, gid, e))
			users = append(users, c)
		}
	}
	for part := range slices.Chunk(writes, table.MaxWrites) {
		if err := s.db.table.Write(ctx, part...); err != nil {
			return nil, fail("tell users of a group", err)
		}
	}
	if came {
		direct := slices.DeleteFunc(slices.Collect(maps.Keys(groups)), func(g directory.GroupID) bool { return below[g] != m })
		if err := s.stepMembers(ctx, direct); err != nil {
			return nil, err
		}
	}
	slices.Sort(users)
	return slices.Compact(users), fail("changed group", s.db.endNotes(ctx, notes))
}

// stepMembers raises MembersVersion of groups that are there, whatever is written of them
// meanwhile.
func (s *Groups) stepMembers(ctx context.Context, ids []directory.GroupID) error {
	writes := make([]table.Write, len(ids))
	for i, id := range ids {
		writes[i] = table.Write{
			Update: &table.Update{Key: groupKey(id), AddVersion: 1, AddNumbers: map[string]int64{numSteps: 1}, SetNumbers: map[string]int64{numStepped: s.db.now().UnixMilli()}},
			If:     table.Condition{Present: true},
		}
	}
	for part := range slices.Chunk(writes, table.MaxWrites) {
		err := s.db.table.Write(ctx, part...)
		for i := 0; refused(err) && i < len(part); i++ { // one has gone since it was read, and keeps no other one back
			if one := s.db.table.Write(ctx, part[i]); one != nil && !refused(one) {
				err = one
			}
		}
		if err != nil && !refused(err) {
			return fail("members of groups", err)
		}
	}
	return nil
}

// DueUse says that what a connection does with a group is to be looked at again, since
// the group, its members, or theirs were edited: all edits of which there were notes when
// it was read.
type DueUse struct {
	ConnectionID directory.ConnectionID
	GroupID      directory.GroupID
	At           time.Time // of the last edit, or when it is due again by itself
	// Whole says that the edits may be of anything, of Members among it; else they are of
	// these alone, and of the group itself.
	Whole   bool
	Members []directory.MemberRef
	// Edited says that there were edits at all, see MakeDue.
	Edited bool

	notes []readNote
}

// dueUse reads what is due of a use; without notes nothing is.
func (d *db) dueUse(ctx context.Context, c directory.ConnectionID, g directory.GroupID) (DueUse, error) {
	notes, e, at, err := d.notes(ctx, dueUseKey(c, g, "").Partition, string(g))
	return DueUse{c, g, at, e.whole, e.members, e.edited, notes}, err
}

// DueUses lists what is due of a connection by now, by group, from one on, up to limit; next
// is "" at the end.
func (s *Groups) DueUses(ctx context.Context, c directory.ConnectionID, after directory.GroupID, limit int) (list []DueUse, next directory.GroupID, err error) {
	q := table.Query{Partition: dueUseKey(c, "", "").Partition, Limit: max(limit, notesPage)}
	if after != "" {
		q.After = behindNotes(string(after))
	}
	for now := s.db.now(); ; q.After = string(next) {
		page, err := s.db.table.Query(ctx, q)
		if err != nil {
			return nil, "", fail("due uses", err)
		}
		for i := range page.Items {
			it := &page.Items[i]
			if next = directory.GroupID(it.Sort); comes(it, now) {
				continue
			}
			id, _, _ := strings.Cut(it.Sort, "#")
			if g := directory.GroupID(id); len(list) == 0 || list[len(list)-1].GroupID != g {
				list = append(list, DueUse{ConnectionID: c, GroupID: g})
			}
			list[len(list)-1].add(it)
		}
		switch {
		case len(list) > limit: // the next one has begun, so that the notes of the last one are all there
			return list[:limit], list[limit-1].GroupID, nil
		case page.Next == "":
			return list, "", nil
		case len(list) > 0: // the page may end among the notes of the last one
			last := &list[len(list)-1]
			next = last.GroupID
			if *last, err = s.db.dueUse(ctx, c, next); err != nil {
				return nil, "", fail("due uses", err)
			}
			return slices.DeleteFunc(list, func(u DueUse) bool { return len(u.notes) == 0 }), next, nil
		}
	}
}

// comes reports whether a note says that something is due later.
func comes(it *table.Item, now time.Time) bool { return it.Numbers[numAt] > now.UnixMilli() }

// add adds a note.
func (u *DueUse) add(it *table.Item) {
	e := edits{whole: u.Whole, members: u.Members, edited: u.Edited}
	e.and(it)
	e.distinct()
	u.Whole, u.Members, u.Edited = e.whole, e.members, e.edited
	u.At, u.notes = latest(u.At, fromMillis(it.Numbers[numAt])), append(u.notes, noteOf(it))
}

// AnyChanged reports whether an edit of one of some groups waits to be told to those who
// use it.
func (s *Groups) AnyChanged(ctx context.Context, groups []directory.GroupID) (bool, error) {
	if len(groups) == 1 {
		name := memberName(directory.GroupMember(groups[0]))
		page, err := s.db.table.Query(ctx, table.Query{Partition: changedAt, Prefix: name, Limit: 1})
		if err != nil || len(page.Items) == 0 {
			return false, fail("changed groups", err)
		}
		first := page.Items[0].Sort // a longer name comes behind
		return first == name || strings.HasPrefix(first, name+"#"), nil
	}
	// Of many it is cheaper to read what groups wait, which are few, than to look for each.
	among := make(map[directory.MemberRef]bool, len(groups))
	for _, g := range groups {
		among[directory.GroupMember(g)] = true
	}
	for m, err := range s.changed(ctx, directory.MemberGroup, notesPage) {
		if err != nil || among[m] {
			return err == nil, err
		}
	}
	return false, nil
}

// Unmoved reports whether nothing has been edited that a due use is about since it was
// read, of some groups: it is due by the same edits, and none waits to be told.
func (s *Groups) Unmoved(ctx context.Context, u DueUse, groups []directory.GroupID) (bool, error) {
	// In this order: what was told between the two has made the use due anew.
	if changed, err := s.AnyChanged(ctx, groups); changed || err != nil {
		return false, err
	}
	now, err := s.db.dueUse(ctx, u.ConnectionID, u.GroupID)
	return err == nil && slices.Equal(now.notes, u.notes), fail("due use", err)
}

// DueUse reports whether what a connection does with a group is due since something was
// edited.
func (s *Groups) DueUse(ctx context.Context, c directory.ConnectionID, g directory.GroupID) (bool, error) {
	due, err := s.db.dueUse(ctx, c, g)
	return due.Edited, fail("due use", err)
}

// noteLater is the name of the one note that says when a use is due by itself, which comes
// behind all others.
const noteLater = "~"

// laterLife is how long that note outlives its time: whoever works on the connection has
// read it long before, and nobody ends the note of a connection that is gone.
const laterLife = 30 * 24 * time.Hour

// EndDueUseUntil says what EndDueUse says, and that the use is due again at a time, though
// nothing is edited; the zero time: not by itself.
func (s *Groups) EndDueUseUntil(ctx context.Context, u DueUse, until time.Time) error {
	key := dueUseKey(u.ConnectionID, u.GroupID, noteLater)
	later := table.Write{Delete: &key}
	if !until.IsZero() {
		later = table.Write{Put: &table.Item{Key: key, Numbers: map[string]int64{numAt: until.UnixMilli(), numAnew: 1}, Expires: until.Add(laterLife)}}
	}
	if err := s.db.table.Write(ctx, later); err != nil {
		return fail("due use", err)
	}
	u.notes = slices.DeleteFunc(slices.Clone(u.notes), func(n readNote) bool { return n.key == key })
	return s.EndDueUse(ctx, u)
}

// fewNotes are read again and again by whoever works long on what is due.
const fewNotes = 8

// Gather makes one note of the many by which a use is due, or of those that do not say so,
// if it is to be looked at as a whole. Whoever goes on with a comparison that was cut off
// goes through all of it then: its steps have not counted members. It returns the use as
// it is due then.
func (s *Groups) Gather(ctx context.Context, u DueUse) (DueUse, error) {
	if u.Whole && len(u.notes) <= fewNotes {
		return u, nil
	}
	one := s.db.dueWrite(u.ConnectionID, u.GroupID, edits{whole: true, members: u.Members})
	if !u.Edited {
		one.Put.Numbers[numAnew] = 1
	}
	if err := s.db.table.Write(ctx, one); err != nil {
		return u, fail("due use", err)
	}
	if err := s.EndDueUse(ctx, u); err != nil {
		return u, err
	}
	u.Whole, u.notes = true, []readNote{noteOf(one.Put)}
	return u, nil
}

// EndDueUse says that everything that was edited until a DueUse was read has been looked
// at; an edit since stays due.
func (s *Groups) EndDueUse(ctx context.Context, u DueUse) error {
	return fail("end due use", s.db.endNotes(ctx, u.notes))
}

// MakeDue has uses of a connection looked at as a whole although nothing was edited.
func (s *Groups) MakeDue(ctx context.Context, c directory.ConnectionID, groups []directory.GroupID) error {
	for part := range slices.Chunk(groups, table.MaxWrites) {
		writes := make([]table.Write, len(part))
		for i, g := range part {
			writes[i] = s.db.dueWrite(c, g, edits{whole: true})
			writes[i].Put.Numbers[numAnew] = 1
		}
		if err := s.db.table.Write(ctx, writes...); err != nil {
			return fail("due uses", err)
		}
	}
	return nil
}

// SetUsed notes that a connection uses a group from now on, which makes the use due, or
// no longer does. It is for whoever stores uses, see usedWrites. ErrNotFound for a group
// that is not there.
func (s *Groups) SetUsed(ctx context.Context, id directory.GroupID, c directory.ConnectionID, used bool) error {
	for {
		due, err := s.db.dueUse(ctx, c, id)
		if err != nil {
			return fail("use of a group", err)
		}
		g, err := s.Group(ctx, id)
		if err != nil {
			return err
		}
		if g.IsUsedBy(c) == used {
			return nil
		}
		err = s.db.table.Write(ctx, s.db.usedWrites(&g, c, used)...)
		if err == nil && !used {
			return s.EndDueUse(ctx, due)
		}
		if !refused(err) {
			return fail("use of a group", err)
		}
	}
}

// usedWrites are, of a group as read, that a connection uses it from now on or no longer
// does, for the transaction that stores that use. They hold while nobody has written the
// group since it was read. Notes by which an ended use is due are left to whoever finds
// no use.
func (d *db) usedWrites(g *directory.Group, c directory.ConnectionID, used bool) []table.Write {
	next := *g
	next.UsedBy = slices.DeleteFunc(slices.Clone(g.UsedBy), func(other directory.ConnectionID) bool { return other == c })
	whole := edits{whole: true}
	var above []table.Write
	if g.Parents > 0 { // whoever uses a group above may do something else with this one then
		above = append(above, d.changedWrite(directory.GroupMember(g.ID), whole))
	}
	if !used {
		return append(above, groupWrite(&next))
	}
	next.UsedBy = append(next.UsedBy, c)
	slices.Sort(next.UsedBy)
	return append(above, groupWrite(&next), d.dueWrite(c, g.ID, whole))
}
