package store

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Uses are what connections do with groups of the directory.
//
// A use is one item of its connection. What has followed from it for each member
// stands beside it, a small item a member (UseMember), so that bringing a use up to
// date is a comparison of two sorted lists: the members that the directory has, and
// those that the use has been brought to. Such an item is written in the transaction
// that makes, or ends, the records that follow from it, while the lease is ours: who
// brings a use up to date and dies has done a part of it whole, and who was overtaken
// writes nothing.
//
// A use counts only while its epoch is the connection's. SweepUses takes those of
// epochs that have passed away.
type Uses struct{ db *db }

// useRecord is a use as it is stored: also with what is not shown of it.
type useRecord struct {
	directory.GroupUse
	Editors []directory.Edit `json:"editors,omitempty"`
}

func useItem(u *directory.GroupUse) *table.Item {
	return &table.Item{
		Key: useKey(u.ConnectionID, u.GroupID), Version: u.Version, Numbers: map[string]int64{numEpoch: u.Epoch},
		Body: encode(useRecord{GroupUse: *u, Editors: u.Editors}),
	}
}

func decodeUse(it table.Item) (directory.GroupUse, error) {
	var r useRecord
	err := decode(it, &r)
	u := r.GroupUse
	u.Editors, u.Version, u.Epoch = r.Editors, it.Version, it.Numbers[numEpoch]
	return u, err
}

// Use reads what a connection does with a group. ErrNotFound when that is nothing, or
// was in an epoch that has passed.
func (s *Uses) Use(ctx context.Context, c *directory.Connection, g directory.GroupID) (directory.GroupUse, error) {
	it, err := s.db.table.Get(ctx, useKey(c.ID, g))
	if err == nil && it.Numbers[numEpoch] != c.Epoch {
		err = table.ErrNotFound
	}
	if err != nil {
		return directory.GroupUse{}, fail("use of the group "+string(g), err)
	}
	return decodeUse(it)
}

// UsesAmong reads what a connection does with some groups.
func (s *Uses) UsesAmong(ctx context.Context, c *directory.Connection, ids []directory.GroupID) (map[directory.GroupID]directory.GroupUse, error) {
	keys := make([]table.Key, len(ids))
	for i, id := range ids {
		keys[i] = useKey(c.ID, id)
	}
	uses := make(map[directory.GroupID]directory.GroupUse, len(ids))
	for it, err := range s.db.each(ctx, keys) {
		if err != nil {
			return nil, fail("uses of groups", err)
		}
		u, err := decodeUse(it)
		if err != nil {
			return nil, err
		}
		if u.Epoch == c.Epoch {
			uses[u.GroupID] = u
		}
	}
	return uses, nil
}

// ListUses lists what a connection does with groups, by group, from one on, up to limit
// (0: as many as one call of the table gives); next is "" at the end.
func (s *Uses) ListUses(ctx context.Context, c *directory.Connection, after directory.GroupID, limit int) (list []directory.GroupUse, next directory.GroupID, err error) {
	q := table.Query{Partition: useKey(c.ID, "").Partition, Prefix: usePrefix, Limit: limit}
	if after != "" {
		q.After = usePrefix + string(after)
		if (table.Key{Partition: q.Partition, Sort: q.After}).Check() != nil {
			return nil, "", badCursor()
		}
	}
	page, err := s.db.table.Query(ctx, q)
	if err != nil {
		return nil, "", fail("uses of groups", err)
	}
	for _, it := range page.Items {
		u, err := decodeUse(it)
		if err != nil {
			return nil, "", err
		}
		if u.Epoch == c.Epoch {
			list = append(list, u)
		}
		next = u.GroupID
	}
	if page.Next == "" {
		next = ""
	}
	return list, next, nil
}

// PutUse stores what a connection does with a group, over the version that was read (0:
// there was none that counts), while the connection's epoch and status are as in c and
// the group as read. The use is due by that. ErrStale when something moved.
func (s *Uses) PutUse(ctx context.Context, act directory.AuditEvent, c *directory.Connection, g *directory.Group, u *directory.GroupUse) error {
	it, found, err := s.db.find(ctx, useKey(c.ID, g.ID))
	if err != nil {
		return fail("use of a group", err)
	}
	counts := found && it.Numbers[numEpoch] == c.Epoch
	if counts != (u.Version > 0) || counts && it.Version != u.Version {
		return fmt.Errorf("use of a group: %w", directory.ErrStale)
	}
	next := *u
	next.Epoch, next.Version = c.Epoch, it.Version+1
	put := table.Write{Put: useItem(&next), If: unchanged(it.Version)}
	writes := append([]table.Write{checkTarget(c), put}, s.db.usedWrites(g, c.ID, true)...)
	writes = append(writes, s.db.record(act, subject{connection: c.ID, groups: []directory.GroupID{g.ID}})...)
	err = s.db.table.Write(ctx, writes...)
	if refused(err) {
		return fmt.Errorf("use of a group: %w", directory.ErrStale)
	}
	if err == nil {
		*u = next
	}
	return fail("use of a group", err)
}

// UseState is how far a use has been brought.
type UseState struct {
	// At is when it was last brought up to date to the end; zero: not yet.
	At      time.Time
	Members int // users and groups that it is about
	Refused int // of them, those whom it selects and who cannot be bound
	// Version is that of the use which was brought up to date, and Retried when those who
	// could not be bound were last tried again.
	Version int64
	Retried time.Time
	// Problem is why it does not come to the end; "" when it does.
	Problem string
	// Some says that only some members were looked at: NoteExpanded leaves the numbers as
	// the steps have counted them.
	Some bool
}

// Numbers of a use, beside its body: whoever brings it up to date writes them and leaves
// what an admin said, and its version, as it is.
const (
	numExpanded   = "expanded" // Unix milliseconds
	numUseMembers = "members"
	numUseRefused = "refused"
	numUseVersion = "expandedVersion"
	numUseRetried = "retried" // Unix milliseconds
	strUseProblem = "problem"
)

// NoteExpanded stores that a use has been brought up to date to the end, or with a Problem
// only that it could not be, while the lease
// is ours and the use as read. ErrStale when an admin has edited it meanwhile.
func (s *Uses) NoteExpanded(ctx context.Context, l *Lease, u *directory.GroupUse, st UseState) error {
	up := &table.Update{Key: useKey(u.ConnectionID, u.GroupID), SetStrings: map[string]string{strUseProblem: st.Problem}}
	if st.Problem == "" {
		up.SetNumbers = map[string]int64{numExpanded: millis(st.At), numUseVersion: u.Version, numUseRetried: millis(st.Retried)}
		if !st.Some {
			up.SetNumbers[numUseMembers], up.SetNumbers[numUseRefused] = int64(st.Members), int64(st.Refused)
		}
	}
	err := s.db.table.Write(ctx, l.check(), table.Write{Update: up, If: table.When(table.VersionIs(u.Version), table.NumberIs(numEpoch, table.Equal, l.Epoch))})
	return staleOrLost("use of a group", l, err)
}

// UseState reads how far a use has been brought. ErrNotFound when there is none.
func (s *Uses) UseState(ctx context.Context, c *directory.Connection, g directory.GroupID) (UseState, error) {
	it, err := s.db.table.Get(ctx, useKey(c.ID, g))
	if err != nil {
		return UseState{}, fail("use of the group "+string(g), err)
	}
	return UseState{
		At: fromMillis(it.Numbers[numExpanded]), Members: int(it.Numbers[numUseMembers]), Refused: int(it.Numbers[numUseRefused]),
		Version: it.Numbers[numUseVersion], Retried: fromMillis(it.Numbers[numUseRetried]), Problem: it.Strings[strUseProblem],
	}, nil
}

// DropUse takes a use away that has come to its end, while the lease is ours and the use
// and the group are as read. ErrStale when they are not.
func (s *Uses) DropUse(ctx context.Context, l *Lease, g *directory.Group, u *directory.GroupUse) error {
	key := useKey(u.ConnectionID, u.GroupID)
	writes := []table.Write{l.check(), {Delete: &key, If: table.When(table.VersionIs(u.Version), table.NumberIs(numEpoch, table.Equal, l.Epoch))}}
	writes = append(writes, s.db.usedWrites(g, u.ConnectionID, false)...)
	return staleOrLost("end of a use", l, s.db.table.Write(ctx, writes...))
}

// UsePart is what of a use has followed for a member.
type UsePart int64

// The parts. They are stored as a sum: never change one.
const (
	UseSelected UsePart = 1 << iota // the member is bound by it
	UseExported                     // there is a record of the membership
	UseLicensed                     // there is a record of the member's licences
)

// Has reports whether all of some parts are in p.
func (p UsePart) Has(parts UsePart) bool { return p&parts == parts }

// UseMember is how far a use has been brought for one member.
type UseMember struct {
	Member directory.MemberRef
	Parts  UsePart
	// Code is why the member is not bound although the use selects its members; "" when
	// nothing is wrong.
	Code string
	// Since is when the member came to the use.
	Since time.Time
}

const strCode = "code"

func useMemberItem(u *directory.GroupUse, m *UseMember) *table.Item {
	it := &table.Item{
		Key:     useMemberKey(u.ConnectionID, u.Epoch, u.GroupID, m.Member),
		Numbers: map[string]int64{numUseParts: int64(m.Parts), numAt: millis(m.Since)},
	}
	if m.Code != "" {
		it.Strings = map[string]string{strCode: m.Code}
		it.Index1 = unboundKey(u.ConnectionID, u.Epoch, u.GroupID, m.Member)
	}
	return it
}

// numUseParts is the sum of the parts of a use that a member has.
const numUseParts = "parts"

// UseMembers lists the members to which a use has been brought, in the order of
// directory.MemberRef.Compare, from one on, up to limit (0: as many as one call of the
// table gives); next is the zero MemberRef at the end.
func (s *Uses) UseMembers(ctx context.Context, u *directory.GroupUse, after directory.MemberRef, limit int) (list []UseMember, next directory.MemberRef, err error) {
	q := table.Query{Partition: useMemberKey(u.ConnectionID, u.Epoch, u.GroupID, directory.MemberRef{}).Partition, Limit: limit}
	if after != (directory.MemberRef{}) {
		q.After = memberName(after)
		if (table.Key{Partition: q.Partition, Sort: q.After}).Check() != nil {
			return nil, next, badCursor()
		}
	}
	page, err := s.db.table.Query(ctx, q)
	if err != nil {
		return nil, next, fail("members of a use", err)
	}
	for i := range page.Items {
		list = append(list, decodeUseMember(&page.Items[i]))
	}
	if page.Next != "" && len(list) > 0 {
		next = list[len(list)-1].Member
	}
	return list, next, nil
}

func decodeUseMember(it *table.Item) UseMember {
	return UseMember{memberNamed(it.Sort), UsePart(it.Numbers[numUseParts]), it.Strings[strCode], fromMillis(it.Numbers[numAt])}
}

// UseMembersAmong reads how far a use has been brought for some members; who is not in it
// is left out.
func (s *Uses) UseMembersAmong(ctx context.Context, u *directory.GroupUse, members []directory.MemberRef) (map[directory.MemberRef]UseMember, error) {
	keys := make([]table.Key, len(members))
	for i, m := range members {
		keys[i] = useMemberKey(u.ConnectionID, u.Epoch, u.GroupID, m)
	}
	found := make(map[directory.MemberRef]UseMember, len(members))
	for it, err := range s.db.each(ctx, keys) {
		if err != nil {
			return nil, fail("members of a use", err)
		}
		m := decodeUseMember(&it)
		found[m.Member] = m
	}
	return found, nil
}

// RefusedMembers lists members of a use who could not be bound, up to limit. One of the
// last moments may be missing.
func (s *Uses) RefusedMembers(ctx context.Context, u *directory.GroupUse, limit int) ([]directory.MemberRef, error) {
	var list []directory.MemberRef
	for it, err := range s.db.list(ctx, table.Query{Index: 1, Partition: unboundKey(u.ConnectionID, u.Epoch, u.GroupID, directory.MemberRef{}).Partition, Limit: min(limit, table.MaxGet)}) {
		if err != nil {
			return nil, fail("members of a use who cannot be bound", err)
		}
		if list = append(list, memberNamed(it.Sort)); len(list) == limit {
			break
		}
	}
	return list, nil
}

// LicensedBy lists the groups by whose use through a connection a user is to have
// licences, strongly consistent, with the time since when.
func (s *Uses) LicensedBy(ctx context.Context, c *directory.Connection, u directory.UserID) (map[directory.GroupID]time.Time, error) {
	by := map[directory.GroupID]time.Time{}
	for it, err := range s.db.list(ctx, table.Query{Partition: licensedKey(c.ID, c.Epoch, u, "").Partition}) {
		if err != nil {
			return nil, fail("licensed by", err)
		}
		by[directory.GroupID(it.Sort)] = fromMillis(it.Numbers[numAt])
	}
	return by, nil
}

// UseStep brings a use up to date for one member.
type UseStep struct {
	// Now is how the member stands by it; without Parts and Code, it is in the use no
	// longer. The zero Member: the step is about no member, only about records.
	Now UseMember
	// Was is what had followed for the member before.
	Was UsePart
	// Records are those that follow.
	Records []UseRecord
	// Members and Refused are how many more of each the use has by the step. Whoever goes
	// through all members counts them instead.
	Members, Refused int
}

// UseRecord is a record of a kind besides accounts that follows from a use: it is
// there, wanted and marked, or it is being let go, or is looked at again.
type UseRecord struct {
	Ref directory.Ref
	// Version is that which must reach the tenant, of an object that has one; 0: there is
	// nothing about it but whether it is there.
	Version int64
	// Release has it let go; "" has it there. What is not there needs no letting go.
	Release directory.ReleasePolicy
	// Look has it looked at again, whatever is wanted of it.
	Look bool
	// Only says that it is not made where it is not there.
	Only bool
}

// MaxUseSteps is how many steps one Advance takes.
const MaxUseSteps = 20

// Advance brings a use forward by steps, each of another member, all or none, while the
// lease is ours. by is who asked for the use. It may be repeated. ErrStale: a record was
// written meanwhile, or the use, which counts its members, try again.
func (s *Uses) Advance(ctx context.Context, l *Lease, c *directory.Connection, u *directory.GroupUse, asked []string, steps []UseStep) error {
	var keys []table.Key
	for i := range steps {
		for _, r := range steps[i].Records {
			keys = append(keys, bindingKey(r.Ref, c.ID))
		}
	}
	items := make(map[table.Key]table.Item, len(keys))
	for it, err := range s.db.each(ctx, keys) {
		if err != nil {
			return fail("records of a use", err)
		}
		items[it.Key] = it
	}
	a := advance{db: s.db, conn: c, use: u, asked: asked, now: s.db.now().UTC(), made: map[directory.Kind]int64{}, writes: []table.Write{l.check()}}
	for i := range steps {
		if err := a.step(&steps[i], items); err != nil {
			return err
		}
	}
	if a.members != 0 || a.refused != 0 {
		counts := &table.Update{Key: useKey(c.ID, u.GroupID), AddNumbers: map[string]int64{numUseMembers: int64(a.members), numUseRefused: int64(a.refused)}}
		a.writes = append(a.writes, table.Write{Update: counts, If: table.When(table.VersionIs(u.Version), table.NumberIs(numEpoch, table.Equal, l.Epoch))})
	}
	for kind, n := range a.made {
		a.writes = append(a.writes, addBound(c.ID, c.Epoch, kind, n, 0))
	}
	return staleOrLost("records of a use", l, s.db.table.Write(ctx, a.writes...))
}

// advance is the transaction of an Advance.
type advance struct {
	db     *db
	conn   *directory.Connection
	use    *directory.GroupUse
	asked  []string
	now    time.Time
	made   map[directory.Kind]int64
	writes []table.Write

	members, refused int // by how many more
}

func (a *advance) step(step *UseStep, items map[table.Key]table.Item) error {
	a.members, a.refused = a.members+step.Members, a.refused+step.Refused
	if err := a.records(step, items); err != nil || step.Now.Member == (directory.MemberRef{}) {
		return err
	}
	m := &step.Now
	key := useMemberKey(a.use.ConnectionID, a.use.Epoch, a.use.GroupID, m.Member)
	if m.Parts == 0 && m.Code == "" {
		a.writes = append(a.writes, table.Write{Delete: &key})
	} else {
		a.writes = append(a.writes, table.Write{Put: useMemberItem(a.use, m)})
	}
	if user := m.Member.User(); user != "" {
		licensed := licensedKey(a.use.ConnectionID, a.use.Epoch, user, a.use.GroupID)
		switch {
		case m.Parts.Has(UseLicensed):
			a.writes = append(a.writes, table.Write{Put: &table.Item{Key: licensed, Numbers: map[string]int64{numAt: millis(m.Since)}}})
		case step.Was.Has(UseLicensed):
			a.writes = append(a.writes, table.Write{Delete: &licensed})
		}
	}
	return nil
}

func (a *advance) records(step *UseStep, items map[table.Key]table.Item) error {
	for _, r := range step.Records {
		it, found := items[bindingKey(r.Ref, a.conn.ID)]
		if err := a.record(r, it, found); err != nil {
			return err
		}
	}
	return nil
}

// record writes what becomes of a record, as it was read.
func (a *advance) record(r UseRecord, it table.Item, found bool) error {
	counts := found && it.Numbers[numEpoch] == a.conn.Epoch && it.Strings[strConnection] == string(a.conn.ID)
	if !counts {
		if r.Release != "" || r.Only {
			return nil
		}
		sel := Selection{Object: r.Ref, Version: max(r.Version, 1)}
		b := sel.binding(a.conn, a.use.By, a.now)
		b.AskedBy = a.asked
		item := markedItem(&b, a.now)
		put := table.Write{Put: &item, If: table.Condition{Absent: true}}
		if found {
			put.If = table.When(table.VersionIs(it.Version), table.NumberIs(numEpoch, table.Equal, it.Numbers[numEpoch]))
		}
		a.made[r.Ref.Kind]++
		a.writes = append(a.writes, put)
		return nil
	}
	b, err := decodeBinding(it)
	if err != nil {
		return err
	}
	if b.Release == r.Release && b.Wanted >= r.Version && !r.Look {
		return nil
	}
	b.AskedBy = a.asked
	if !r.Look || r.Ref.Kind == directory.KindGroupLicence { // a user's licences are let go with the account, or not
		b.Release, b.ReleasedBy = r.Release, ""
		if r.Release != "" {
			b.ReleasedBy = a.use.By
		}
	}
	b.Status = directory.BindingPending
	a.writes = append(a.writes, renewedWrite(it, &b, max(b.Wanted+1, r.Version), a.now))
	return nil
}

// sweptUses is how many items SweepUses takes away in a call.
const sweptUses = 300

// SweepUses takes the uses of epochs that have passed away, of a connection that is gone
// (without Epoch) all of them, with how far they had been
// brought, up to a few hundred items a call, and reports whether any may be left.
func (s *Uses) SweepUses(ctx context.Context, c *directory.Connection) (more bool, err error) {
	for it, err := range s.db.list(ctx, table.Query{Partition: useKey(c.ID, "").Partition, Prefix: usePrefix, Limit: sweptUses}) {
		if err != nil {
			return true, fail("sweep uses", err)
		}
		if c.Epoch != 0 && it.Numbers[numEpoch] >= c.Epoch {
			continue // c may have been read before the connection was authorised anew
		}
		u, err := decodeUse(it)
		if err != nil {
			return true, err
		}
		if more, err := s.sweepUse(ctx, &u, it); err != nil || more {
			return true, err
		}
	}
	return s.sweepUserLicences(ctx, c)
}

func (s *Uses) sweepUse(ctx context.Context, u *directory.GroupUse, it table.Item) (more bool, err error) {
	members, next, err := s.UseMembers(ctx, u, directory.MemberRef{}, sweptUses)
	if err != nil {
		return true, err
	}
	for part := range slices.Chunk(members, table.MaxWrites/2) {
		var writes []table.Write
		for i := range part {
			key := useMemberKey(u.ConnectionID, u.Epoch, u.GroupID, part[i].Member)
			writes = append(writes, table.Write{Delete: &key})
			if user := part[i].Member.User(); user != "" {
				licensed := licensedKey(u.ConnectionID, u.Epoch, user, u.GroupID)
				writes = append(writes, table.Write{Delete: &licensed})
			}
		}
		if err := s.db.table.Write(ctx, writes...); err != nil {
			return true, fail("sweep uses", err)
		}
	}
	if next != (directory.MemberRef{}) {
		return true, nil
	}
	if more, err := s.sweepDue(ctx, u, it); more || err != nil {
		return true, err
	}
	key := it.Key
	writes := []table.Write{{Delete: &key, If: table.When(table.VersionIs(it.Version))}}
	g, err := s.db.groups(ctx, []directory.GroupID{u.GroupID})
	if err != nil {
		return true, err
	}
	if group, there := g[u.GroupID]; there {
		writes = append(writes, s.db.usedWrites(&group, u.ConnectionID, false)...)
	}
	err = s.db.table.Write(ctx, writes...)
	if refused(err) { // it is used again by now, or the group was edited
		return true, nil
	}
	return false, fail("sweep uses", err)
}

// sweepDue takes the notes away by which a use of an epoch that has passed is due; more
// says that it is used again by now. Notes are listed first: whoever uses the group anew
// after that has left one of their own.
func (s *Uses) sweepDue(ctx context.Context, u *directory.GroupUse, it table.Item) (more bool, err error) {
	due, err := s.db.dueUse(ctx, u.ConnectionID, u.GroupID)
	if err != nil || len(due.notes) == 0 {
		return false, fail("sweep uses", err)
	}
	now, found, err := s.db.find(ctx, it.Key)
	if err != nil || !found || now.Version != it.Version {
		return true, fail("sweep uses", err)
	}
	return false, fail("sweep uses", s.db.endNotes(ctx, due.notes))
}

// NestedUsers hands on the users who are in a group, directly or through groups in it,
// each once, in the order of their IDs; those of them who are deleted are among them.
// Only a few pages are in memory at a time, of each of the groups.
func (s *Groups) NestedUsers(ctx context.Context, groups []directory.GroupID, after directory.UserID) iter.Seq2[directory.UserID, error] {
	return func(yield func(directory.UserID, error) bool) {
		streams := make([]*userStream, len(groups))
		for i, g := range groups {
			streams[i] = &userStream{store: s, q: MembersQuery{Group: g, Type: directory.MemberUser, Limit: nestedPage}}
			if after != "" {
				streams[i].q.After = directory.UserMember(after)
			}
		}
		for {
			least, err := leastOf(ctx, streams)
			if err != nil || least == "" {
				if err != nil {
					yield("", err)
				}
				return
			}
			if !yield(least, nil) {
				return
			}
		}
	}
}

// leastOf takes the least of the users whom streams are at from all of them; "" when all
// have ended.
func leastOf(ctx context.Context, streams []*userStream) (directory.UserID, error) {
	var least directory.UserID
	for _, st := range streams {
		u, err := st.head(ctx)
		if err != nil {
			return "", err
		}
		if u != "" && (least == "" || u < least) {
			least = u
		}
	}
	for _, st := range streams {
		if len(st.list) > 0 && st.list[0] == least {
			st.list = st.list[1:]
		}
	}
	return least, nil
}

// nestedPage is how many members of each group are read at a time.
const nestedPage = 500

// userStream is the users who are directly in a group, page by page.
type userStream struct {
	store *Groups
	q     MembersQuery
	list  []directory.UserID
	ended bool
}

// head is the next of them; "" at the end.
func (st *userStream) head(ctx context.Context) (directory.UserID, error) {
	for len(st.list) == 0 && !st.ended {
		page, next, err := st.store.Members(ctx, st.q)
		if err != nil {
			return "", err
		}
		for i := range page {
			st.list = append(st.list, page[i].Member.User())
		}
		st.q.After, st.ended = next, next == (directory.MemberRef{})
	}
	if len(st.list) == 0 {
		return "", nil
	}
	return st.list[0], nil
}

// ErrNested says that more groups are in a group than a use goes through.
var ErrNested = fmt.Errorf("more than %d groups in a group", MaxNested)

// MaxNested is how many groups are gone through below one.
const MaxNested = 2000

// Nested are a group and all groups in it, at any depth, that are not deleted; the group
// itself is the first of them. Errors: ErrNested. keep says which are not gone into: kept has these, unless
// they are among the others too. nil keeps none.
func (s *Groups) Nested(ctx context.Context, id directory.GroupID, keep func(directory.GroupID) bool) (all, kept []directory.GroupID, err error) {
	all = []directory.GroupID{id}
	seen := map[directory.GroupID]bool{id: true}
	for at := 0; at < len(all); at++ {
		q := MembersQuery{Group: all[at], Type: directory.MemberGroup}
		for {
			page, next, err := s.Members(ctx, q)
			if err != nil {
				return nil, nil, err
			}
			fresh, err := s.living(ctx, page, seen)
			if err != nil {
				return nil, nil, err
			}
			for _, g := range fresh {
				if keep != nil && keep(g) {
					kept = append(kept, g)
				} else {
					all = append(all, g)
				}
			}
			if len(all)+len(kept) > MaxNested {
				return nil, nil, fmt.Errorf("group %s: %w", id, ErrNested)
			}
			if next == (directory.MemberRef{}) {
				break
			}
			q.After = next
		}
	}
	return all, kept, nil
}

// living are the groups of a page of members that are not deleted and not seen before.
func (s *Groups) living(ctx context.Context, page []directory.Membership, seen map[directory.GroupID]bool) ([]directory.GroupID, error) {
	var ids []directory.GroupID
	for i := range page {
		if g := page[i].Member.Group(); !seen[g] {
			seen[g] = true
			ids = append(ids, g)
		}
	}
	found, err := s.GroupsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(ids, func(id directory.GroupID) bool {
		g, there := found[id]
		return !there || g.Deleted != nil
	}), nil
}
