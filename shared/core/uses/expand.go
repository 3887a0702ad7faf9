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

// ReleaseRemove has a record of a membership let go by taking the membership away, if we
// gave it.
const ReleaseRemove = directory.ReleaseRemove

// Expander brings uses up to date.
type Expander struct {
	groups   groupStore
	uses     useStore
	selected Selected
	now      func() time.Time
	log      *slog.Logger
}

// groupStore is the groups of the directory, and what of their uses is due.
type groupStore interface {
	Group(ctx context.Context, id directory.GroupID) (directory.Group, error)
	Nested(ctx context.Context, id directory.GroupID, closed func(directory.GroupID) bool) (open, kept []directory.GroupID, err error)
	NestedUsers(ctx context.Context, groups []directory.GroupID, after directory.UserID) iter.Seq2[directory.UserID, error]
	DueUses(ctx context.Context, c directory.ConnectionID, after directory.GroupID, limit int) ([]store.DueUse, directory.GroupID, error)
	EndDueUse(ctx context.Context, u store.DueUse) error
}

// useStore is uses, and how far they have been brought.
type useStore interface {
	Use(ctx context.Context, c *directory.Connection, g directory.GroupID) (directory.GroupUse, error)
	ListUses(ctx context.Context, c *directory.Connection, after directory.GroupID, limit int) ([]directory.GroupUse, directory.GroupID, error)
	UseMembers(ctx context.Context, u *directory.GroupUse, after directory.MemberRef, limit int) ([]store.UseMember, directory.MemberRef, error)
	Advance(ctx context.Context, l *store.Lease, c *directory.Connection, u *directory.GroupUse, steps []store.UseStep) error
	NoteExpanded(ctx context.Context, l *store.Lease, u *directory.GroupUse, st store.UseState) error
	DropUse(ctx context.Context, l *store.Lease, g *directory.Group, u *directory.GroupUse) error
}

// Selected binds members and lets them go, see assign.Selected.
type Selected interface {
	Bind(ctx context.Context, l *store.Lease, c *directory.Connection, use *directory.GroupUse, users []directory.UserID) (refused map[directory.UserID]string, err error)
	Release(ctx context.Context, l *store.Lease, c *directory.Connection, use *directory.GroupUse, users []directory.UserID) error
}

// NewExpander returns an Expander over a store. log may be nil.
func NewExpander(s *store.Store, selected Selected, now func() time.Time, log *slog.Logger) *Expander {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Expander{groups: s.Groups, uses: s.Uses, selected: selected, now: now, log: log}
}

// duePage is how many due uses are listed at a time.
const duePage = 25

// Due reports whether a use of a connection is due.
func (e *Expander) Due(ctx context.Context, c *directory.Connection) (bool, error) {
	due, _, err := e.groups.DueUses(ctx, c.ID, "", 1)
	return len(due) > 0, err
}

// Expand brings what is due of a connection up to date, while the lease is the caller's.
// attend is called between parts of the work: an error of it ends the work there, and is
// returned; what is left stays due. It reports whether there was anything. Errors:
// directory.ErrLeaseLost.
func (e *Expander) Expand(ctx context.Context, l *store.Lease, c *directory.Connection, attend func(context.Context) error) (some bool, err error) {
	for after := directory.GroupID(""); ; {
		due, next, err := e.groups.DueUses(ctx, c.ID, after, duePage)
		if err != nil {
			return some, err
		}
		for _, d := range due {
			if err := attend(ctx); err != nil {
				return some, err
			}
			some = true
			if err := e.one(ctx, l, c, d, attend); err != nil {
				return some, err
			}
		}
		if next == "" {
			return some, nil
		}
		after = next
	}
}

// one brings one use up to date. What somebody edits meanwhile is left to the next time.
func (e *Expander) one(ctx context.Context, l *store.Lease, c *directory.Connection, d store.DueUse, attend func(context.Context) error) error {
	use, err := e.uses.Use(ctx, c, d.GroupID)
	if errors.Is(err, directory.ErrNotFound) { // of an epoch that has passed
		return e.groups.EndDueUse(ctx, d)
	}
	if err != nil {
		return err
	}
	group, err := e.groups.Group(ctx, d.GroupID)
	if err != nil {
		return err // a group that is used is there, if only as a tombstone
	}
	x := &expansion{e: e, lease: l, conn: c, use: &use, group: &group, attend: attend, rules: use.Defaulted()}
	x.ends = use.Ending || group.Deleted != nil
	switch err := x.run(ctx); {
	case errors.Is(err, directory.ErrStale), errors.Is(err, directory.ErrBusy):
		e.log.Info("a use was edited while it was brought up to date", "connectionId", c.ID, "groupId", d.GroupID)
		return nil // it is due again, or still
	case err != nil:
		return fmt.Errorf("use of the group %s: %w", d.GroupID, err)
	}
	return e.groups.EndDueUse(ctx, d)
}

// expansion is one use on its way.
type expansion struct {
	e      *Expander
	lease  *store.Lease
	conn   *directory.Connection
	use    *directory.GroupUse
	rules  directory.UseRules // with all defaults
	group  *directory.Group
	ends   bool // nothing is wanted of the use any more
	attend func(context.Context) error

	batch []change
	state store.UseState
}

// change is a member for whom something follows.
type change struct {
	member directory.MemberRef
	was    store.UseMember
	wanted store.UsePart
}

func (x *expansion) run(ctx context.Context) error {
	if err := x.groupRecord(ctx); err != nil {
		return err
	}
	if err := x.compare(ctx); err != nil {
		return err
	}
	if err := x.flush(ctx); err != nil {
		return err
	}
	if x.use.Ending || x.group.Deleted != nil && x.use.Export == nil {
		return x.end(ctx)
	}
	x.state.At = x.e.now().UTC()
	return x.e.uses.NoteExpanded(ctx, x.lease, x.use, x.state)
}

// end drops a use that has been taken back for every member.
func (x *expansion) end(ctx context.Context) error {
	if x.use.Ending {
		return x.e.uses.DropUse(ctx, x.lease, x.group, x.use)
	}
	return nil // the group is deleted, and may come back
}

// exported is the record of the group itself: wanted as the group is now, or let go.
func (x *expansion) groupRecord(ctx context.Context) error {
	if x.rules.Export == nil && !x.ends {
		return x.stepGroup(ctx, store.UseRecord{Ref: directory.GroupRef(x.group.ID), Release: directory.ReleaseKeep})
	}
	r := store.UseRecord{Ref: directory.GroupRef(x.group.ID), Version: x.group.Edition}
	if x.ends {
		r = store.UseRecord{Ref: r.Ref, Release: directory.ReleaseKeep}
		if x.rules.Export != nil {
			r.Release = directory.ReleasePolicy(x.rules.Export.OnRelease)
		}
	}
	return x.stepGroup(ctx, r)
}

func (x *expansion) stepGroup(ctx context.Context, r store.UseRecord) error {
	return x.e.uses.Advance(ctx, x.lease, x.conn, x.use, []store.UseStep{{Records: []store.UseRecord{r}}})
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
	if slices.ContainsFunc(x.rules.Licences, func(r directory.LicenceRule) bool { return r.Via == directory.LicenceViaUser }) {
		parts |= store.UseLicensed
	}
	return parts
}

// compare goes through the members that the directory has and those that the use was
// brought to, both in the order of directory.MemberRef.Compare, and changes whoever
// differs.
func (x *expansion) compare(ctx context.Context) error {
	next, stop := iter.Pull2(x.had(ctx))
	defer stop()
	was, err, more := next()
	for member, failed := range x.members(ctx) {
		if failed != nil {
			return failed
		}
		for more && err == nil && was.Member.Compare(member) < 0 {
			if err := x.change(ctx, change{was.Member, was, 0}); err != nil {
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
		if err := x.change(ctx, change{was.Member, was, 0}); err != nil {
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
		keep, err := x.kept(ctx)
		if err != nil {
			yield(directory.MemberRef{}, err)
			return
		}
		open, kept, err := x.e.groups.Nested(ctx, x.group.ID, keep)
		if err != nil {
			yield(directory.MemberRef{}, err)
			return
		}
		slices.Sort(kept)
		for _, g := range kept {
			if !yield(directory.GroupMember(g), nil) {
				return
			}
		}
		for u, err := range x.e.groups.NestedUsers(ctx, open, "") {
			if !yield(directory.UserMember(u), err) {
				return
			}
		}
	}
}

// kept says which groups in the group stay groups, since they are exported themselves. nil:
// none does. Members are selected and licensed through them all the same, so that only a
// use that does nothing but export keeps any.
func (x *expansion) kept(ctx context.Context) (func(directory.GroupID) bool, error) {
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
	if c.was.Parts == c.wanted && c.was.Code == "" {
		return nil
	}
	x.batch = append(x.batch, c)
	if len(x.batch) < store.MaxUseSteps {
		return nil
	}
	return x.flush(ctx)
}

// flush makes what follows for some members: bindings first, then all else, with the
// note that it was done.
func (x *expansion) flush(ctx context.Context) error {
	if len(x.batch) == 0 {
		return nil
	}
	batch := x.batch
	x.batch = nil
	if err := x.attend(ctx); err != nil {
		return err
	}
	var bind, release []directory.UserID
	for i := range batch {
		c := &batch[i]
		switch {
		case c.wanted.Has(store.UseSelected):
			bind = append(bind, c.member.User())
		case c.was.Parts.Has(store.UseSelected):
			release = append(release, c.member.User())
		}
	}
	refused, err := x.e.selected.Bind(ctx, x.lease, x.conn, x.use, bind)
	if err != nil {
		return err
	}
	if err := x.e.selected.Release(ctx, x.lease, x.conn, x.use, release); err != nil {
		return err
	}
	steps := make([]store.UseStep, 0, len(batch))
	for i := range batch {
		steps = append(steps, x.step(&batch[i], refused[batch[i].member.User()]))
	}
	return x.e.uses.Advance(ctx, x.lease, x.conn, x.use, steps)
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
		x.state.Refused++
	}
	step := store.UseStep{Now: now}
	wants, had := now.Parts.Has(store.UseExported), c.was.Parts.Has(store.UseExported)
	if wants != had {
		r := store.UseRecord{Ref: memberRecord(x.group.ID, c.member)}
		if !wants {
			r.Release = x.memberRelease()
		}
		step.Records = append(step.Records, r)
	}
	wants, had = now.Parts.Has(store.UseLicensed), c.was.Parts.Has(store.UseLicensed)
	if wants != had {
		step.Records = append(step.Records, store.UseRecord{Ref: directory.Ref{Kind: directory.KindLicence, ID: c.member.ID}, Look: true})
	}
	return step
}

// memberRelease is how a membership is let go: who leaves the group is taken out of it.
// When the export ends, that is as it says.
func (x *expansion) memberRelease() directory.ReleasePolicy {
	if x.ends && (x.rules.Export == nil || x.rules.Export.OnRelease == directory.ExportKeep) {
		return directory.ReleaseKeep
	}
	if !x.ends && x.rules.Export == nil {
		return directory.ReleaseKeep // the export was taken out of the rules
	}
	return ReleaseRemove
}

func memberRecord(g directory.GroupID, m directory.MemberRef) directory.Ref {
	return directory.Ref{Kind: directory.KindMember, ID: string(g) + "." + m.ID}
}
