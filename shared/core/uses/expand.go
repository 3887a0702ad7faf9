package uses

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Expander brings uses up to date.
type Expander struct {
	groups   groupStore
	uses     useStore
	bindings subjectReader
	selected Selected
	now      func() time.Time
	log      *slog.Logger
}

// subjectReader reads through which connections users are bound.
type subjectReader interface {
	Subjects(ctx context.Context, users []directory.UserID) (map[directory.UserID]store.Subject, error)
}

// groupStore is the groups of the directory, and what of their uses is due.
type groupStore interface {
	Group(ctx context.Context, id directory.GroupID) (directory.Group, error)
	Nested(ctx context.Context, id directory.GroupID, closed func(directory.GroupID) bool) (open, kept []directory.GroupID, err error)
	NestedUsers(ctx context.Context, groups []directory.GroupID, after directory.UserID) iter.Seq2[directory.UserID, error]
	DueUses(ctx context.Context, c directory.ConnectionID, after directory.GroupID, limit int) ([]store.DueUse, directory.GroupID, error)
	EndDueUse(ctx context.Context, u store.DueUse) error
	MakeDue(ctx context.Context, c directory.ConnectionID, groups []directory.GroupID) error
	Gather(ctx context.Context, u store.DueUse) (store.DueUse, error)
	EndDueUseUntil(ctx context.Context, u store.DueUse, until time.Time) error
	Unmoved(ctx context.Context, u store.DueUse, groups []directory.GroupID) (bool, error)
	GroupsByID(ctx context.Context, ids []directory.GroupID) (map[directory.GroupID]directory.Group, error)
	MembershipsAmong(ctx context.Context, g directory.GroupID, members []directory.MemberRef) (map[directory.MemberRef]directory.Membership, error)
	Changed(ctx context.Context, limit int) ([]directory.MemberRef, error)
	TellUsers(ctx context.Context, m directory.MemberRef) ([]directory.ConnectionID, error)
}

// useStore is uses, and how far they have been brought.
type useStore interface {
	Use(ctx context.Context, c *directory.Connection, g directory.GroupID) (directory.GroupUse, error)
	ListUses(ctx context.Context, c *directory.Connection, after directory.GroupID, limit int) ([]directory.GroupUse, directory.GroupID, error)
	UseMembers(ctx context.Context, u *directory.GroupUse, after directory.MemberRef, limit int) ([]store.UseMember, directory.MemberRef, error)
	UseMembersAmong(ctx context.Context, u *directory.GroupUse, members []directory.MemberRef) (map[directory.MemberRef]store.UseMember, error)
	RefusedMembers(ctx context.Context, u *directory.GroupUse, limit int) ([]directory.MemberRef, error)
	UseState(ctx context.Context, c *directory.Connection, g directory.GroupID) (store.UseState, error)
	Advance(ctx context.Context, l *store.Lease, c *directory.Connection, u *directory.GroupUse, asked []string, steps []store.UseStep) error
	NoteExpanded(ctx context.Context, l *store.Lease, u *directory.GroupUse, st store.UseState) error
	DropUse(ctx context.Context, l *store.Lease, g *directory.Group, u *directory.GroupUse) error
}

// Selected binds members and lets them go, see assign.Selected.
type Selected interface {
	Bind(ctx context.Context, l *store.Lease, c *directory.Connection, use *directory.GroupUse, asked []string, users []directory.UserID) (refused map[directory.UserID]string, err error)
	Release(ctx context.Context, l *store.Lease, c *directory.Connection, use *directory.GroupUse, asked []string, users []directory.UserID) error
}

// NewExpander returns an Expander over a store. log may be nil.
func NewExpander(s *store.Store, selected Selected, now func() time.Time, log *slog.Logger) *Expander {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Expander{groups: s.Groups, uses: s.Uses, bindings: s.Bindings, selected: selected, now: now, log: log}
}

// duePage is how many due uses are listed at a time.
const duePage = 25

// Due reports whether a use of a connection is due.
func (e *Expander) Due(ctx context.Context, c *directory.Connection) (bool, error) {
	due, _, err := e.groups.DueUses(ctx, c.ID, "", 1)
	return len(due) > 0, err
}

// Anew has all members of all uses of a connection gone through, whatever was edited: who
// could not be bound is tried again.
func (e *Expander) Anew(ctx context.Context, c *directory.Connection) error {
	for after := directory.GroupID(""); ; {
		list, next, err := e.uses.ListUses(ctx, c, after, 0)
		if err != nil {
			return err
		}
		ids := make([]directory.GroupID, len(list))
		for i := range list {
			ids[i] = list[i].GroupID
		}
		if err := e.groups.MakeDue(ctx, c.ID, ids); err != nil {
			return err
		}
		if after = next; next == "" {
			return nil
		}
	}
}

// patience is for how long whoever has left a group waits for uses that cannot be brought
// up to date: one of them may be for ever.
const patience = time.Hour

// Selects reports whether a use is due by which somebody may be selected, and has not been
// for long.
func (e *Expander) Selects(ctx context.Context, c *directory.Connection) (bool, error) {
	for after := directory.GroupID(""); ; {
		due, next, err := e.groups.DueUses(ctx, c.ID, after, duePage)
		if err != nil {
			return false, err
		}
		for _, d := range due {
			if !d.Edited || d.At.Add(patience).Before(e.now()) {
				continue
			}
			use, err := e.uses.Use(ctx, c, d.GroupID)
			if errors.Is(err, directory.ErrNotFound) {
				continue
			}
			if err != nil || use.Select != nil && !use.Ending {
				return err == nil, err
			}
		}
		if next == "" {
			return false, nil
		}
		after = next
	}
}

// How long an Expand works before other work of the connection has its turn: share from
// the first part on for which something followed, so that a first load begins to be
// written while Microsoft's quota of writes is still full, and what was read before it is
// read for something; and between uses longShare, of which nothing may have followed.
const (
	share     = 5 * time.Second
	longShare = 20 * time.Second
)

// errShare ends an Expand whose share is over.
var errShare = errors.New("the share of the expansion is over")

// Expand brings what is due of a connection up to date, while the lease is the caller's,
// for as long as its share. attend is called between parts of the work: an error of it
// ends the work there, and is returned; what is left stays due. A use that cannot be
// brought up to date keeps no other one waiting: its problem is noted with it, and it
// stays due. more says that Expand is to be called again. Errors: directory.ErrLeaseLost.
func (e *Expander) Expand(ctx context.Context, l *store.Lease, c *directory.Connection, attend func(context.Context) error) (more bool, err error) {
	end := e.now().Add(longShare)
	begun := false
	var stopped error // of attend, which is not the matter of one use
	mind := func(ctx context.Context, follows bool) error {
		over := (begun || !follows) && !e.now().Before(end)
		if stopped = attend(ctx); stopped == nil && over {
			stopped = errShare
		}
		if follows && !begun {
			begun, end = true, e.now().Add(share)
		}
		return stopped
	}
	if err := e.tell(ctx, c, mind); err != nil {
		if errors.Is(stopped, errShare) {
			return true, nil
		}
		return false, err
	}
	for after := directory.GroupID(""); ; {
		due, next, err := e.groups.DueUses(ctx, c.ID, after, duePage)
		if err != nil {
			return false, err
		}
		for _, d := range due {
			err := e.one(ctx, l, c, d, mind)
			switch {
			case errors.Is(stopped, errShare):
				return true, nil
			case stopped != nil, errors.Is(err, directory.ErrLeaseLost), ctx.Err() != nil:
				return false, errors.Join(stopped, err)
			case err != nil:
				e.log.Error("a use of a group cannot be brought up to date", "connectionId", c.ID, "groupId", d.GroupID, "error", err)
			}
		}
		if next == "" {
			return false, nil
		}
		after = next
	}
}

// mostTold is how many edits are passed on before uses are brought up to date.
const mostTold = 500

// tell passes on the edits of groups that wait for that, since whoever made them has died,
// or is about to do it. Who came into one group and then left another one must not be let
// go for the second edit while nobody has heard of the first.
func (e *Expander) tell(ctx context.Context, c *directory.Connection, attend attention) error {
	due, _, err := e.groups.DueUses(ctx, c.ID, "", 1)
	if err != nil || len(due) == 0 {
		return err
	}
	list, err := e.groups.Changed(ctx, mostTold)
	if err != nil {
		return err
	}
	for _, m := range list {
		if err := attend(ctx, false); err != nil {
			return err
		}
		if _, err := e.groups.TellUsers(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// one brings one use up to date. What somebody edits meanwhile is left to the next time.
func (e *Expander) one(ctx context.Context, l *store.Lease, c *directory.Connection, d store.DueUse, attend attention) error {
	if err := attend(ctx, false); err != nil {
		return err
	}
	use, err := e.uses.Use(ctx, c, d.GroupID)
	if errors.Is(err, directory.ErrNotFound) { // of an epoch that has passed
		return e.groups.EndDueUse(ctx, d)
	}
	if err != nil {
		return err
	}
	x := &expansion{e: e, lease: l, conn: c, due: d, use: &use, attend: attend, rules: use.Defaulted()}
	switch err := x.bring(ctx); {
	case errors.Is(err, directory.ErrStale), errors.Is(err, directory.ErrBusy):
		e.log.Info("a use was edited while it was brought up to date", "connectionId", c.ID, "groupId", d.GroupID)
		for _, g := range x.open { // whoever edited one may have died before telling
			if _, err := e.groups.TellUsers(ctx, directory.GroupMember(g)); err != nil {
				return err
			}
		}
		return nil // it is due again, or still
	case errors.Is(err, directory.ErrLeaseLost), ctx.Err() != nil, attendedTo(err):
		return err
	case errors.Is(err, store.ErrNested): // until somebody edits it, which makes it due
		problem := store.UseState{Problem: tooManyNested + " What follows from the use is left as it is. Take groups out of it, or use those in it by themselves."}
		if err := e.uses.NoteExpanded(ctx, l, &use, problem); err != nil {
			return err
		}
	case err != nil:
		problem := store.UseState{Problem: "What follows from the use could not be brought up to date. It is tried again; whoever runs Bindery finds the cause in the log."}
		return errors.Join(fmt.Errorf("use of the group %s: %w", d.GroupID, err), e.uses.NoteExpanded(ctx, l, &use, problem))
	case x.refuses() && !use.Ending: // what kept them may be over without an edit
		return e.groups.EndDueUseUntil(ctx, x.due, x.state.Retried.Add(retryEvery))
	case x.before.Refused > 0:
		return e.groups.EndDueUseUntil(ctx, x.due, time.Time{})
	}
	return e.groups.EndDueUse(ctx, x.due)
}

// refuses reports whether there are members who could not be bound, once the use has been
// brought up to date.
func (x *expansion) refuses() bool {
	// While they are few all of them have been looked at.
	return x.state.Refused > 0 || !x.whole && x.before.Refused > fewRefused
}

// attention sees to other work between parts of this, of which something follows or not.
type attention func(ctx context.Context, follows bool) error

// attended is an error of whoever is to be attended to between parts of the work.
type attended struct{ error }

func (a attended) Unwrap() error { return a.error }

func attendedTo(err error) bool {
	_, is := errors.AsType[attended](err)
	return is
}

// expansion is one use on its way.
type expansion struct {
	e      *Expander
	lease  *store.Lease
	conn   *directory.Connection
	due    store.DueUse
	use    *directory.GroupUse
	rules  directory.UseRules // with all defaults
	group  *directory.Group
	ends   bool // nothing is wanted of the use any more
	attend attention

	before store.UseState               // how far it was brought the last time
	whole  bool                         // all members are gone through
	some   []directory.MemberRef        // else these
	lost   map[directory.MemberRef]bool // those of whom edits were who are not bound here
	retry  bool                         // those who could not be bound are tried again
	relook bool                         // the rules of licences may be other ones
	open   []directory.GroupID          // the group, and those in it whose members are its own
	kept   []directory.GroupID          // those in it that stay groups
	asked  []string                     // subjects of those whose edits it comes from
	batch  []change
	state  store.UseState
}

// change is a member for whom something follows.
type change struct {
	member directory.MemberRef
	was    store.UseMember
	wanted store.UsePart
	begun  bool // was is what stood before its binding was begun
}

// Those who could not be bound are tried again by every expansion when they are few, and
// else once in that time, or when the rules have changed.
const (
	fewRefused = 200
	retryEvery = 24 * time.Hour
)

// How many members are looked at by themselves when edits were of no others: a few always,
// and more as long as that is cheaper than to list all. A unit of the table lists so many
// of them, or reads one.
const (
	fewEdited = store.MaxUseSteps
	listedFor = 40
)

// bring brings the use up to date.
func (x *expansion) bring(ctx context.Context) error {
	group, err := x.e.groups.Group(ctx, x.due.GroupID)
	if err != nil {
		return err // a group that is used is there, if only as a tombstone
	}
	x.group, x.ends = &group, x.use.Ending || group.Deleted != nil
	if x.before, err = x.e.uses.UseState(ctx, x.conn, x.group.ID); err != nil {
		return err
	}
	now := x.e.now().UTC()
	if err := x.choose(ctx, now); err != nil {
		return err
	}
	if err := x.nested(ctx); err != nil {
		return err
	}
	if err := x.groupRecords(ctx); err != nil {
		return err
	}
	if err := x.compare(ctx); err != nil {
		return err
	}
	if err := x.flush(ctx); err != nil {
		return err
	}
	if x.use.Ending {
		if err := x.e.uses.DropUse(ctx, x.lease, x.group, x.use); err != nil {
			return err
		}
		_, err := x.e.groups.TellUsers(ctx, directory.GroupMember(x.group.ID)) // of what contains the group
		return err
	}
	x.state.At = now
	return x.e.uses.NoteExpanded(ctx, x.lease, x.use, x.state)
}

// choose decides who is looked at: those of whom the edits were, and the few who could not
// be bound; all when an edit may have been of anybody, or the use was not brought up to
// date before by these rules.
func (x *expansion) choose(ctx context.Context, now time.Time) error {
	b := &x.before
	few, again := b.Refused <= fewRefused, !now.Before(b.Retried.Add(retryEvery))
	x.relook = b.Version != x.use.Version
	x.retry = x.relook || few || again
	x.whole = x.due.Whole || x.ends || x.relook || b.At.IsZero() || b.Problem != "" || !few && again
	if x.some = x.due.Members; !x.whole && few && b.Refused > 0 {
		refused, err := x.e.uses.RefusedMembers(ctx, x.use, fewRefused)
		if err != nil {
			return err
		}
		x.some = slices.Concat(x.some, refused)
		slices.SortFunc(x.some, directory.MemberRef.Compare)
		x.some = slices.Compact(x.some)
	}
	n := len(x.some)
	x.whole = x.whole || n > fewEdited && n*listedFor > b.Members
	x.state = store.UseState{Retried: b.Retried, Some: !x.whole}
	if x.retry {
		x.state.Retried = now
	}
	if !x.whole {
		x.retry = true // of those who are looked at
		return nil
	}
	var err error
	x.due, err = x.e.groups.Gather(ctx, x.due)
	return err
}

// nested finds out whose members are the group's own, and who has edited any of them
// since the last expansion.
func (x *expansion) nested(ctx context.Context) error {
	x.open = []directory.GroupID{x.group.ID}
	if !x.ends {
		keep, err := x.keeps(ctx)
		if err != nil {
			return err
		}
		if x.open, x.kept, err = x.e.groups.Nested(ctx, x.group.ID, keep); err != nil {
			return err
		}
		slices.Sort(x.kept)
	}
	found, err := x.e.groups.GroupsByID(ctx, x.open)
	if err != nil {
		return err
	}
	x.asked = []string{x.use.By}
	for _, g := range found {
		x.asked = append(x.asked, g.EditorsSince(x.before.At)...)
	}
	slices.Sort(x.asked)
	x.asked = slices.DeleteFunc(slices.Compact(x.asked), func(s string) bool { return s == "" })
	return nil
}

// exports reports whether the group is to be in the tenant.
func (x *expansion) exports() bool { return !x.ends && x.rules.Export != nil }

// keepsGroup reports whether the export has ended, and the tenant's group is to stay as it
// is.
func (x *expansion) keepsGroup() bool {
	return !x.exports() && x.use.ExportRelease() == directory.ExportKeep
}

// groupRecords make the records of the group itself: wanted as the group is now, or let
// go; and that of the licences that its tenant group gives.
func (x *expansion) groupRecords(ctx context.Context) error {
	r := store.UseRecord{Ref: directory.GroupRef(x.group.ID), Version: x.group.Edition}
	if !x.exports() {
		r.Version, r.Release = 0, directory.ReleasePolicy(x.use.ExportRelease())
	}
	records := []store.UseRecord{r}
	if l, follows := x.licenceRecord(); follows {
		records = append(records, l)
	}
	return x.e.uses.Advance(ctx, x.lease, x.conn, x.use, x.asked, []store.UseStep{{Records: records}})
}

// licenceRecord is the record of the licences that the tenant group gives its members.
// With an export that ends by "keep" the tenant group stays as it is, licences and all;
// else what we gave it is taken back.
func (x *expansion) licenceRecord() (r store.UseRecord, follows bool) {
	r = store.UseRecord{Ref: directory.GroupLicenceOf(x.group.ID), Look: true}
	gives := slices.ContainsFunc(x.rules.Licences, func(r directory.LicenceRule) bool { return r.Via == directory.LicenceViaGroup })
	switch {
	case x.keepsGroup():
		r.Release, r.Look = directory.ReleaseKeep, false
	case !gives || !x.exports():
		r.Only = true
	default:
		r.Look = x.relook
	}
	return r, gives || x.ends || x.relook
}

// wanted is what follows from the use for a member.
func (x *expansion) wanted(m directory.MemberRef) store.UsePart {
	if x.ends {
		return 0
	}
	var parts store.UsePart
	if x.rules.Export != nil {
		parts |= store.UseExported
	}
	if m.User() == "" {
		return parts
	}
	if x.rules.Select != nil {
		parts |= store.UseSelected
	}
	if len(x.rules.Licences) > 0 { // those that the group gives too: whether they come is told of each member
		parts |= store.UseLicensed
	}
	return parts
}

// compare goes through the members that the directory has and those that the use was
// brought to, both in the order of directory.MemberRef.Compare, and changes whoever
// differs; or only through some of them.
func (x *expansion) compare(ctx context.Context) error {
	if err := x.findLost(ctx); err != nil {
		return err
	}
	if !x.whole {
		return x.compareSome(ctx)
	}
	next, stop := iter.Pull2(x.had(ctx))
	defer stop()
	was, err, more := next()
	for member, failed := range x.members(ctx) {
		if failed != nil {
			return failed
		}
		for more && err == nil && was.Member.Compare(member) < 0 {
			if err := x.change(ctx, change{member: was.Member, was: was}); err != nil {
				return err
			}
			was, err, more = next()
		}
		if err != nil {
			return err
		}
		c := change{member: member, wanted: x.wanted(member)}
		if more && was.Member == member {
			c.was = was
			was, err, more = next()
		}
		if err := x.change(ctx, c); err != nil {
			return err
		}
	}
	for ; more; was, err, more = next() {
		if err != nil {
			return err
		}
		if err := x.change(ctx, change{member: was.Member, was: was}); err != nil {
			return err
		}
	}
	return nil
}

// findLost finds those of whom edits were who are not bound through the connection: an admin
// may have moved them to another one, which has let them go by now. Nothing of that stands
// with the use.
func (x *expansion) findLost(ctx context.Context) error {
	if x.ends || x.rules.Select == nil {
		return nil
	}
	users := make([]directory.UserID, 0, len(x.due.Members))
	for _, m := range x.due.Members {
		users = append(users, m.User())
	}
	found, err := x.e.bindings.Subjects(ctx, users)
	if err != nil {
		return err
	}
	x.lost = map[directory.MemberRef]bool{}
	for _, u := range users {
		b := found[u].Binding
		x.lost[directory.UserMember(u)] = b == nil || b.ConnectionID != x.conn.ID || b.Epoch != x.conn.Epoch
	}
	return nil
}

// isBound reports whether a use has bound a member, and the binding is not lost.
func (x *expansion) isBound(c *change) bool {
	return c.was.Parts.Has(store.UseSelected) && c.was.Code == "" && !x.lost[c.member]
}

// compareSome looks at some users by themselves. What it costs does not depend on how many
// others there are.
func (x *expansion) compareSome(ctx context.Context) error {
	if len(x.some) == 0 {
		return nil
	}
	was, err := x.e.uses.UseMembersAmong(ctx, x.use, x.some)
	if err != nil {
		return err
	}
	in := make(map[directory.MemberRef]bool, len(x.some))
	for _, g := range x.open {
		found, err := x.e.groups.MembershipsAmong(ctx, g, x.some)
		if err != nil {
			return err
		}
		for m := range found {
			in[m] = true
		}
	}
	for _, m := range x.some {
		c := change{member: m, was: was[m]}
		if in[m] {
			c.wanted = x.wanted(m)
		}
		if err := x.change(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// members are those that the directory has: groups that are members themselves, then
// users.
func (x *expansion) members(ctx context.Context) iter.Seq2[directory.MemberRef, error] {
	return func(yield func(directory.MemberRef, error) bool) {
		if x.ends {
			return
		}
		for _, g := range x.kept {
			if !yield(directory.GroupMember(g), nil) {
				return
			}
		}
		for u, err := range x.e.groups.NestedUsers(ctx, x.open, "") {
			if !yield(directory.UserMember(u), err) {
				return
			}
		}
	}
}

// keeps says which groups in the group stay groups, since they are exported themselves. nil:
// none does. Members are selected and licensed through them all the same, so that only a
// use that does nothing but export keeps any.
func (x *expansion) keeps(ctx context.Context) (func(directory.GroupID) bool, error) {
	r := &x.rules
	if r.Export == nil || r.Export.Nested != directory.NestedKeep || r.Select != nil || len(r.Licences) > 0 {
		return nil, nil
	}
	exported := map[directory.GroupID]bool{}
	for after := directory.GroupID(""); ; {
		list, next, err := x.e.uses.ListUses(ctx, x.conn, after, 0)
		if err != nil {
			return nil, err
		}
		for i := range list {
			u := &list[i]
			exported[u.GroupID] = u.Export != nil && !u.Ending
		}
		if next == "" {
			return func(id directory.GroupID) bool { return exported[id] }, nil
		}
		after = next
	}
}

// had are the members that the use was brought to.
func (x *expansion) had(ctx context.Context) iter.Seq2[store.UseMember, error] {
	return func(yield func(store.UseMember, error) bool) {
		for after := (directory.MemberRef{}); ; {
			list, next, err := x.e.uses.UseMembers(ctx, x.use, after, 0)
			if err != nil {
				yield(store.UseMember{}, err)
				return
			}
			for _, m := range list {
				if m.Member != (directory.MemberRef{}) && !yield(m, nil) {
					return
				}
			}
			if next == (directory.MemberRef{}) {
				return
			}
			after = next
		}
	}
}

// change notes what is to follow for a member; what is as it should be is passed over.
func (x *expansion) change(ctx context.Context, c change) error {
	if c.wanted != 0 {
		x.state.Members++
	}
	if c.was.Code != "" && c.wanted != 0 {
		x.state.Refused++
	}
	if x.stands(&c) {
		return nil
	}
	x.batch = append(x.batch, c)
	if len(x.batch) < store.MaxUseSteps {
		return nil
	}
	return x.flush(ctx)
}

// stands reports whether nothing follows for a member.
func (x *expansion) stands(c *change) bool {
	if c.was.Code == codeUnderWay || c.wanted.Has(store.UseLicensed) && x.relook {
		return false
	}
	if c.wanted.Has(store.UseSelected) && c.was.Parts.Has(store.UseSelected) && !x.isBound(c) {
		return false
	}
	if c.was.Code == "" || c.wanted == 0 {
		return c.was.Parts == c.wanted && c.was.Code == ""
	}
	// Somebody who could not be bound.
	return !x.retry && c.was.Parts|store.UseSelected == c.wanted|store.UseSelected
}

// codeUnderWay marks a member whose binding is being made or let go: who dies in between
// leaves it, and whoever comes next does both anew, whatever is wanted by then.
const codeUnderWay = "under-way"

// flush makes what follows for some members: bindings first, then all else, with the
// note that it was done.
func (x *expansion) flush(ctx context.Context) error {
	if len(x.batch) == 0 {
		return nil
	}
	batch := x.batch
	x.batch = nil
	if err := x.attend(ctx, true); err != nil {
		return attended{err}
	}
	if err := x.confirmLeaving(ctx, batch); err != nil {
		return err
	}
	var bind, release []directory.UserID
	var begun []store.UseStep
	for i := range batch {
		c := &batch[i]
		user := c.member.User()
		switch {
		case user == "":
			continue
		case c.wanted.Has(store.UseSelected):
			if x.isBound(c) {
				continue
			}
			bind = append(bind, user)
		case c.was.Parts.Has(store.UseSelected) || c.was.Code != "":
			release = append(release, user)
		default:
			continue
		}
		if c.was.Code != codeUnderWay {
			now := store.UseMember{Member: c.member, Parts: c.was.Parts &^ store.UseSelected, Code: codeUnderWay, Since: c.was.Since}
			begun = append(begun, x.counted(c, store.UseStep{Was: c.was.Parts, Now: now}))
			c.begun = true
		}
	}
	if len(begun) > 0 {
		if err := x.e.uses.Advance(ctx, x.lease, x.conn, x.use, x.asked, begun); err != nil {
			return err
		}
	}
	refused, err := x.e.selected.Bind(ctx, x.lease, x.conn, x.use, x.asked, bind)
	if err != nil {
		return err
	}
	if err := x.e.selected.Release(ctx, x.lease, x.conn, x.use, x.asked, release); err != nil {
		return err
	}
	steps := make([]store.UseStep, 0, len(batch))
	for i := range batch {
		steps = append(steps, x.step(&batch[i], refused[batch[i].member.User()]))
	}
	return x.e.uses.Advance(ctx, x.lease, x.conn, x.use, x.asked, steps)
}

// confirmLeaving reads directly whether those who are to leave are in none of the groups,
// and that nobody has edited these since the comparison began: members are read page by
// page, and who moves from one group to another meanwhile may be seen in neither.
func (x *expansion) confirmLeaving(ctx context.Context, batch []change) error {
	var leaving []directory.MemberRef
	for i := range batch {
		if c := &batch[i]; c.wanted == 0 {
			leaving = append(leaving, c.member)
		}
	}
	if x.ends || len(leaving) == 0 {
		return nil
	}
	for _, g := range x.open {
		found, err := x.e.groups.MembershipsAmong(ctx, g, leaving)
		if err != nil {
			return err
		}
		for m := range found {
			if m.User() != "" { // a group in the group may have become one that is gone into
				return fmt.Errorf("%s is a member: %w", m, directory.ErrStale)
			}
		}
	}
	unmoved, err := x.e.groups.Unmoved(ctx, x.due, x.open)
	if err == nil && !unmoved {
		err = directory.ErrStale
	}
	return err
}

// step is what follows for a member besides a binding. code says why there is none.
func (x *expansion) step(c *change, code string) store.UseStep {
	now := store.UseMember{Member: c.member, Parts: c.wanted, Since: c.was.Since}
	if now.Since.IsZero() {
		now.Since = x.e.now().UTC()
	}
	if code != "" && c.wanted.Has(store.UseSelected) {
		now.Parts &^= store.UseSelected
		now.Code = code
	}
	switch was := c.was.Code != "" && c.wanted != 0; { // as it was counted
	case was && now.Code == "":
		x.state.Refused--
	case !was && now.Code != "":
		x.state.Refused++
	}
	step := store.UseStep{Was: c.was.Parts, Now: now}
	wants, had := now.Parts.Has(store.UseExported), c.was.Parts.Has(store.UseExported)
	if wants != had {
		r := store.UseRecord{Ref: memberRecord(x.group.ID, c.member)}
		if !wants {
			r.Release = x.memberRelease()
		}
		step.Records = append(step.Records, r)
	}
	wants, had = now.Parts.Has(store.UseLicensed), c.was.Parts.Has(store.UseLicensed)
	if wants != had || wants && x.relook {
		step.Records = append(step.Records, store.UseRecord{Ref: directory.LicenceOf(c.member.User()), Look: true})
	}
	return x.counted(c, step)
}

// counted is a step with what the use's numbers become by it, unless all members are gone
// through, and counted by that.
func (x *expansion) counted(c *change, step store.UseStep) store.UseStep {
	if x.whole {
		return step
	}
	number := func(is bool) int {
		if is {
			return 1
		}
		return 0
	}
	// Who is under way counts as one who could not be bound, so that the next expansion
	// looks at them although no edit was of them.
	is := func(m *store.UseMember) (member, refused int) {
		return number(m.Parts != 0 || m.Code != ""), number(m.Code != "")
	}
	was := c.was
	if c.begun {
		was.Code = codeUnderWay
	}
	members, refused := is(&was)
	step.Members, step.Refused = is(&step.Now)
	step.Members, step.Refused = step.Members-members, step.Refused-refused
	return step
}

// memberRelease is how a membership is let go: who leaves the group is taken out of it.
// When the export ends, that is as it says.
func (x *expansion) memberRelease() directory.ReleasePolicy {
	if x.keepsGroup() {
		return directory.ReleaseKeep
	}
	return directory.ReleaseRemove
}

func memberRecord(g directory.GroupID, m directory.MemberRef) directory.Ref {
	if nested := m.Group(); nested != "" {
		return directory.NestedIn(g, nested)
	}
	return directory.MemberOf(g, m.User())
}
