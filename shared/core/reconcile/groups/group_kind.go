package groups

import (
	"context"
	"fmt"
	"slices"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// groupKind is the kind of tenant groups.
type groupKind struct{ Config }

func (k *groupKind) Name() directory.Kind { return directory.KindGroup }

func (k *groupKind) Open(s reconcile.Slice, t reconcile.Tenant) reconcile.Objects {
	return &tenantGroups{open(k.Config, s, t)}
}

// tenantGroups is the kind at work on a connection.
type tenantGroups struct{ opened }

// boundTo is the tenant group of a record, or the one that it is to get; "": none.
func boundTo(b *directory.Binding, e *Export) directory.TenantGroupID {
	if b.AccountID == "" && e != nil {
		return e.Adopt
	}
	return directory.TenantGroupID(b.AccountID)
}

// subjects reads all that deciding about groups needs.
func (o *tenantGroups) subjects(ctx context.Context, w reconcile.Work, records map[directory.Ref]*directory.Binding, refs []directory.Ref) ([]groupSubject, error) {
	ids := make([]directory.GroupID, 0, len(refs))
	for _, ref := range refs {
		ids = append(ids, directory.GroupID(ref.ID))
	}
	exports, err := o.Source.Exports(ctx, o.s.Connection(), ids)
	if err != nil {
		return nil, err
	}
	settings := o.s.Connection().Settings.Defaulted()
	var list []groupSubject
	var at []directory.TenantGroupID
	var claims []directory.AccountID
	for _, ref := range refs {
		b := records[ref]
		if b == nil {
			continue
		}
		s := groupSubject{record: b, policy: settings.Foreign(directory.ForeignGroups), fresh: o.fresh(b), now: w.Now()}
		if e, exported := exports[directory.GroupID(ref.ID)]; exported {
			e.Renew = e.Renew || settings.OnSoftDeleted == "restore"
			s.export = &e
		}
		if s.record, err = o.made(ctx, w, b); err != nil {
			return nil, err
		}
		id := boundTo(s.record, s.export)
		if id != "" {
			at = append(at, id)
			claims = append(claims, directory.AccountID(id))
		}
		list = append(list, s)
	}
	former, err := o.formers(ctx, list)
	if err != nil {
		return nil, err
	}
	for _, id := range former {
		at, claims = append(at, id), append(claims, directory.AccountID(id))
	}
	found, err := o.reads.groupsNow(ctx, w, at)
	if err != nil {
		return nil, err
	}
	owners, err := o.Owners.ObjectOwners(ctx, directory.KindGroup, o.s.Connection(), claims)
	if err != nil {
		return nil, err
	}
	for i := range list {
		s := &list[i]
		if id := boundTo(s.record, s.export); id != "" {
			see := found[id]
			s.found, s.deleted, s.missing, s.unread = see.group, see.deleted, see.missing(), see.problem
			s.owner = owners[directory.AccountID(id)]
		}
		if id, ended := former[s.record.Ref()]; ended {
			s.former, s.owner = o.ours(found[id].deleted, s.record), owners[directory.AccountID(id)]
		}
		if s.record.Release != "" {
			if err = o.countMemberships(ctx, s); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// formers are the tenant groups of earlier exports of those groups that are to get one.
func (o *tenantGroups) formers(ctx context.Context, list []groupSubject) (map[directory.Ref]directory.TenantGroupID, error) {
	var refs []directory.Ref
	for i := range list {
		if s := &list[i]; s.export != nil && s.record.Release == "" && boundTo(s.record, s.export) == "" {
			refs = append(refs, s.record.Ref())
		}
	}
	if len(refs) == 0 {
		return nil, nil
	}
	return o.Befores.DeletedWithExport(ctx, o.s.Connection().TenantID(), refs)
}

// ours is a group in the recycle bin, if it has the uniqueName of ours, as far as Microsoft
// tells it there.
func (o *tenantGroups) ours(g *directory.TenantGroup, b *directory.Binding) *directory.TenantGroup {
	if g == nil || g.UniqueName != "" && g.UniqueName != directory.UniqueNameOf(o.s.Connection().ID, b.Object.ID) {
		return nil
	}
	return g
}

// made is a record as it would be had we heard of the creation of its group: of one that is
// to be deleted, which may have been made. It is found by its uniqueName.
func (o *tenantGroups) made(ctx context.Context, w reconcile.Work, b *directory.Binding) (*directory.Binding, error) {
	if sent, _ := b.Base[propSent].Bool(); !sent || b.AccountID != "" || b.Release != directory.ReleaseDelete {
		return b, nil
	}
	found, err := o.reads.named(ctx, w, []string{directory.UniqueNameOf(o.s.Connection().ID, b.Object.ID)})
	if err != nil {
		return nil, err
	}
	if err := found[0].Err(); err != nil {
		return nil, err
	}
	if found[0].Value == nil {
		return b, nil
	}
	heard := *b
	heard.AccountID, heard.Created = directory.AccountID(found[0].Value.ID), true
	return &heard, nil
}

// fewLeft is with how many memberships that are to be taken away a tenant group is deleted
// by the same run. Of more the removals come first, as a run of their own.
const fewLeft = 100

// countMemberships finds the records of memberships that a group which is let go has
// left, as far as that matters: some, or none. Those of strangers go with the group's:
// nothing else lets them go. Where the group is deleted these are the memberships that
// are not taken away by the run that is planned.
func (o *tenantGroups) countMemberships(ctx context.Context, s *groupSubject) error {
	b, group := s.record, directory.GroupID(s.record.Object.ID)
	if b.Release == directory.ReleaseDelete {
		left, all, err := o.leftIn(ctx, group)
		if err != nil {
			return err
		}
		if s.members = len(left); all {
			s.members = len(slices.DeleteFunc(left, dueWithGroup))
		}
	}
	list, _, err := o.Records.ListBindingsUnder(ctx, directory.KindMember, directory.MembersOf(group), b.ConnectionID, b.Epoch, "", 100)
	if err != nil {
		return err
	}
	for i := range list {
		if b.Release != directory.ReleaseDelete && (strangerOf(list[i].Object) == "" || list[i].Release != "") {
			s.members++
		}
	}
	list, next, err := o.Records.ListBindingsUnder(ctx, directory.KindMember, directory.StrangersOf(group), b.ConnectionID, b.Epoch, "", 100)
	if err != nil {
		return err
	}
	for i := range list {
		switch x := &list[i]; {
		case x.Release != "": // what is given back goes by itself
		case b.Release == directory.ReleaseRestore && tookStranger(x):
			s.givenBack = append(s.givenBack, x)
			s.members++
		default:
			s.strangers = append(s.strangers, x)
		}
	}
	s.moreStrangers = next != "" && len(s.strangers)+len(s.givenBack) > 0
	return nil
}

// leftIn are memberships of a group that are still to be taken away, or to be let go, by a
// listing that may be behind; all says that these are all. One that stays in the tenant is
// not among them: an admin has said so.
func (o *opened) leftIn(ctx context.Context, group directory.GroupID) (left []directory.Binding, all bool, err error) {
	left, next, err := o.Records.ListBindingsUnder(ctx, directory.KindMember, directory.MembersOf(group), o.s.Connection().ID, o.s.Epoch(), "", fewLeft)
	left = slices.DeleteFunc(left, func(m directory.Binding) bool {
		return strangerOf(m.Object) != "" || m.Release == directory.ReleaseKeep
	})
	return left, next == "", err
}

// dueWithGroup reports whether a membership is taken away by the run that deletes its
// group: nothing has kept it so far.
func dueWithGroup(m directory.Binding) bool {
	return m.Release != "" && m.Problem == nil && m.Status != directory.BindingPaused
}

// tookStranger reports whether a stranger's record says that we have taken him out.
func tookStranger(b *directory.Binding) bool {
	return agreedPair(b).known() && !hasAgreed(b)
}

// giveBack has a stranger put back whom an exact export has taken out.
func giveBack(b *directory.Binding) store.BindingChange {
	return store.BindingChange{Ref: b.Ref(), Later: time.Second, Mutate: func(b *directory.Binding) bool {
		if b.Release != "" {
			return false
		}
		b.Release, b.Status = directory.ReleaseRestore, directory.BindingPending
		return true
	}}
}

// Decide reads and decides groups. Of those that are to be compared it finds the
// memberships that are not as they were agreed, and of exact ones the strangers.
func (o *tenantGroups) Decide(ctx context.Context, w reconcile.Work, refs []directory.Ref) (reconcile.Decided, error) {
	var out reconcile.Decided
	records, err := o.bound(ctx, refs)
	if err != nil {
		return out, err
	}
	subjects, err := o.subjects(ctx, w, records, refs)
	if err != nil {
		return out, err
	}
	if err := o.compareAll(ctx, w, subjects, &out); err != nil {
		return out, err
	}
	for i := range subjects {
		s := &subjects[i]
		d := decideGroup(*s)
		if s.found != nil && s.unread != nil && len(d.Changes) == 0 && d.Problem == nil {
			d.Status, d.Problem = directory.BindingFailed, about(s.unread, string(s.found.ID)) // who is in it
		}
		for _, b := range s.strangers {
			out.Unwritten = append(out.Unwritten, reconcile.Ended(b))
		}
		for _, b := range s.givenBack {
			out.Unwritten = append(out.Unwritten, giveBack(b))
		}
		o.tell(&out, w, s, d)
	}
	return out, nil
}

// tell takes in what was decided about a group.
func (o *tenantGroups) tell(out *reconcile.Decided, w reconcile.Work, s *groupSubject, d plan.Decision) {
	later := time.Duration(0)
	if s.missing && s.record.AccountID != "" && s.record.LastWrite.Add(justMade).After(o.s.Now()) && s.deleted == nil {
		// A group that was made moments ago is not known everywhere (GG 8).
		d, later = plan.Decision{Status: s.record.Status, Base: s.record.Base, Problem: s.record.Problem, Findings: s.record.Findings}, waitVisible
	}
	if s.unsettled {
		later = lookLater
	}
	if s.fresh.Any() && s.found != nil && s.differs() {
		later = reconcile.Grace
	}
	if d.Problem != nil && d.Problem.Code == directory.CodeGroupMembersLeft || s.unexpanded {
		later = time.Minute
	}
	if s.moreStrangers {
		d, later = plan.Decision{Status: directory.BindingPending, Base: s.record.Base}, time.Second
	}
	gone := len(d.Changes) == 0 && s.record.Release != "" && d.Problem == nil && later == 0
	if s.export != nil && len(d.Changes) > 0 {
		out.Editors = append(out.Editors, s.export.By...)
		out.Editors = append(out.Editors, s.export.Group.EditorsSince(s.record.LastWrite)...)
	}
	o.decided(out, w, s.record, d, gone, later)
}

// differs reports whether a group shows something else than was agreed.
func (s *groupSubject) differs() bool {
	observed := valuesOf(s.found)
	for name, base := range s.record.Base {
		if is, read := observed[name]; read && !is.Equal(base) {
			return true
		}
	}
	return false
}

// compareAll compares the groups of which that is asked for, or that are exact.
func (o *tenantGroups) compareAll(ctx context.Context, w reconcile.Work, subjects []groupSubject, out *reconcile.Decided) error {
	of := map[directory.TenantGroupID]*groupSubject{}
	var questions []question
	for i := range subjects {
		s := &subjects[i]
		if s.found == nil || s.record.AccountID == "" || s.record.Release != "" || s.record.Resting() || s.export == nil || s.found.ReadOnly() != nil {
			continue
		}
		exact := s.export.Exact && s.export.Expanded
		s.unexpanded = s.export.Exact && !exact
		before, _ := s.record.Base[propExact].Bool()
		s.compared = exact && before
		if !s.record.Recheck && (!exact || before) {
			continue
		}
		of[s.found.ID] = s
		questions = append(questions, question{group: s.found.ID})
	}
	return o.reads.rollsNow(ctx, w, questions, func(id directory.TenantGroupID, in *roll) error {
		return o.compare(ctx, w, of[id], in, out)
	})
}

// compare holds the members of a group against the records of its memberships: those that
// differ are marked, and strangers get records. Nothing is decided about them here: their
// removal goes by records of their own, so that each is journalled, declined, undone and
// found again by itself, and none is planned that is not durable.
func (o *tenantGroups) compare(ctx context.Context, w reconcile.Work, s *groupSubject, in *roll, out *reconcile.Decided) error {
	if !in.known() {
		s.unread = in.problem
		return nil
	}
	known := map[directory.AccountID]bool{}
	var differ []directory.Ref
	err := o.eachMembership(ctx, directory.GroupID(s.record.Object.ID), func(b *directory.Binding) error {
		if a := knows(b); a != "" {
			known[a] = true
		}
		if p := agreedPair(b); b.Applied >= b.Wanted && !b.Marked && !b.Resting() && b.Base != nil && (p.group != s.found.ID || in.has(p.member) != hasAgreed(b)) {
			differ = append(differ, b.Ref())
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !w.Run.DryRun && len(differ) > 0 {
		if err := o.Marks.MarkRecheck(ctx, o.s.Lease(), differ, o.s.Now()); err != nil {
			return err
		}
		out.Again = time.Second
	}
	if s.compared = s.export.Exact && s.export.Expanded; !s.compared {
		return nil
	}
	s.unsettled, err = o.unsettled(ctx, w, directory.GroupID(s.record.Object.ID))
	if s.compared = err == nil && !s.unsettled; !s.compared {
		return err // strangers are looked for once it is settled
	}
	return o.addStrangers(ctx, w, s, in, known, out)
}

// eachMembership calls do with the records of a group's memberships.
func (o *opened) eachMembership(ctx context.Context, group directory.GroupID, do func(*directory.Binding) error) error {
	for cursor := ""; ; {
		list, next, err := o.Records.ListBindingsUnder(ctx, directory.KindMember, directory.MembersOf(group), o.s.Connection().ID, o.s.Epoch(), cursor, 500)
		if err != nil {
			return err
		}
		for i := range list {
			if err := do(&list[i]); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// unsettled reports whether a member whom our directory wants in a group has no account so
// far and is to have one. It may be there, and in the group, and be found by the run that
// adopts it, or by an admin who decides a conflict: whoever looks like a stranger may be him.
func (o *opened) unsettled(ctx context.Context, w reconcile.Work, group directory.GroupID) (yes bool, err error) {
	key := planned{w.Run.ID, directory.GroupRef(group)}
	if yes, known := o.waits[key]; known {
		return yes, nil
	}
	var users []directory.UserID
	some := func() error {
		rows, err := o.Records.Subjects(ctx, users)
		for _, row := range rows {
			b := row.Binding
			yes = yes || b != nil && b.ConnectionID == o.s.Connection().ID && b.Epoch == o.s.Epoch() && b.AccountID == "" && b.Release == ""
		}
		users = nil
		return err
	}
	err = o.eachMembership(ctx, group, func(b *directory.Binding) error {
		_, member, _ := memberOf(b.Object)
		if u := member.User(); u != "" && b.Release == "" && !hasAgreed(b) && !yes {
			users = append(users, u)
		}
		if len(users) < 100 {
			return nil
		}
		return some()
	})
	if err == nil {
		err = some()
	}
	if err == nil {
		o.waits[key] = yes
	}
	return yes, err
}

// addStrangers makes records of the members of an exact group whom our directory does
// not want there. A dry run, which makes none, shows their removal at once.
func (o *tenantGroups) addStrangers(ctx context.Context, w reconcile.Work, s *groupSubject, in *roll, known map[directory.AccountID]bool, out *reconcile.Decided) error {
	candidates := strangers(in.members, nil, known)
	group := directory.GroupID(s.record.Object.ID)
	owned, err := o.owned(ctx, group, candidates)
	if err != nil {
		return err
	}
	now := w.Now().UTC()
	by := ""
	if len(s.export.By) > 0 {
		by = s.export.By[0]
	}
	var made []memberRecord
	for _, a := range candidates {
		if owned[a] {
			continue
		}
		b := &directory.Binding{
			Object: directory.StrangerOf(group, a), ConnectionID: s.record.ConnectionID, Epoch: s.record.Epoch, TenantID: s.record.TenantID,
			Status: directory.BindingPending, Wanted: 1, SelectedBy: by, SelectedAt: now,
		}
		if w.Run.DryRun {
			made = append(made, memberRecord{b.Object, b})
			continue
		}
		out.Unwritten = append(out.Unwritten, store.BindingChange{Ref: b.Object, Create: b, Mutate: func(*directory.Binding) bool { return true }})
		out.Again = time.Second
	}
	if len(made) == 0 {
		return nil
	}
	members := &memberships{o.opened}
	return members.decideEach(ctx, w, made, out)
}

// owned are those of some objects of the tenant that our directory wants in a group, by
// records that are read directly: a listing may be behind.
func (o *opened) owned(ctx context.Context, group directory.GroupID, ids []directory.AccountID) (map[directory.AccountID]bool, error) {
	out := map[directory.AccountID]bool{}
	if len(ids) == 0 {
		return out, nil
	}
	refOf := map[directory.Ref]directory.AccountID{}
	for _, kind := range []directory.Kind{directory.KindAccount, directory.KindGroup} {
		owners, err := o.Owners.ObjectOwners(ctx, kind, o.s.Connection(), ids)
		if err != nil {
			return nil, err
		}
		for id, owner := range owners {
			refOf[membershipRef(group, owner)] = id
		}
	}
	refs := make([]directory.Ref, 0, len(refOf))
	for ref := range refOf {
		refs = append(refs, ref)
	}
	records, err := o.bound(ctx, refs)
	for ref, b := range records {
		if b.Release == "" {
			out[folded(refOf[ref])] = true
		}
	}
	return out, err
}

// Explain decides about one group.
func (o *tenantGroups) Explain(ctx context.Context, w reconcile.Work, ref directory.Ref) (reconcile.Explained, error) {
	records, err := o.bound(ctx, []directory.Ref{ref})
	if err != nil {
		return reconcile.Explained{}, err
	}
	subjects, err := o.subjects(ctx, w, records, []directory.Ref{ref})
	if err != nil {
		return reconcile.Explained{}, err
	}
	if len(subjects) == 0 {
		return reconcile.Explained{}, fmt.Errorf("group %s: %w", ref.ID, directory.ErrBusy)
	}
	d := decideGroup(subjects[0])
	o.permit(&d)
	return explained(d), nil
}

func explained(d plan.Decision) reconcile.Explained {
	out := reconcile.Explained{Changes: d.Changes, Problem: d.Problem, Findings: d.Findings}
	out.Trace.Decision = plan.TraceDecision{Status: d.Status, Problem: d.Problem, Findings: d.Findings, Changes: slices.Clone(d.Changes)}
	if out.Trace.Decision.Changes == nil {
		out.Trace.Decision.Changes = []directory.Change{}
	}
	return out
}

// Undo plans the inverse of changes of groups.
func (o *tenantGroups) Undo(ctx context.Context, w reconcile.Work, changes []directory.Change) (plan.Undone, error) {
	var out plan.Undone
	refs, parts := byRef(changes)
	records, err := o.bound(ctx, refs)
	if err != nil {
		return out, err
	}
	o.reads.forget()
	subjects, err := o.subjects(ctx, w, records, refs)
	if err != nil {
		return out, err
	}
	of := map[directory.Ref]groupSubject{}
	for i := range subjects {
		of[subjects[i].record.Ref()] = subjects[i]
	}
	for _, ref := range refs {
		s := of[ref]
		id := idOf(parts[ref])
		if id != "" && (s.record == nil || s.record.AccountID != id) {
			found, err := o.reads.groupsNow(ctx, w, []directory.TenantGroupID{directory.TenantGroupID(id)})
			if err != nil {
				return out, err
			}
			owners, err := o.Owners.ObjectOwners(ctx, directory.KindGroup, o.s.Connection(), []directory.AccountID{id})
			if err != nil {
				return out, err
			}
			see := found[directory.TenantGroupID(id)]
			s.found, s.deleted, s.missing, s.owner = see.group, see.deleted, see.missing(), owners[id]
		}
		u := undoGroup(s, w.Run.UndoOf, parts[ref])
		out.Changes, out.Left = append(out.Changes, u.Changes...), append(out.Left, u.Left...)
	}
	return out, nil
}

// idOf is the object in the tenant that the last of some changes wrote to.
func idOf(changes []directory.Change) directory.AccountID {
	for i := len(changes) - 1; i >= 0; i-- {
		if changes[i].AccountID != "" {
			return changes[i].AccountID
		}
	}
	return ""
}

// byRef parts changes by their objects, in the order in which these occur.
func byRef(changes []directory.Change) ([]directory.Ref, map[directory.Ref][]directory.Change) {
	parts := map[directory.Ref][]directory.Change{}
	var refs []directory.Ref
	for _, c := range changes {
		if parts[c.Ref()] == nil {
			refs = append(refs, c.Ref())
		}
		parts[c.Ref()] = append(parts[c.Ref()], c)
	}
	return refs, parts
}

// Drifted reads the groups of changes: exactly what was approved is written, or
// nothing.
func (o *tenantGroups) Drifted(ctx context.Context, w reconcile.Work, all []directory.Change, places []int) (map[int]reconcile.Verdict, error) {
	var ids []directory.TenantGroupID
	for _, i := range places {
		if all[i].AccountID != "" {
			ids = append(ids, directory.TenantGroupID(all[i].AccountID))
		}
	}
	o.reads.forget()
	found, err := o.reads.groupsNow(ctx, w, ids)
	if err != nil {
		return nil, err
	}
	out := map[int]reconcile.Verdict{}
	for _, i := range places {
		c := &all[i]
		see := found[directory.TenantGroupID(c.AccountID)]
		if c.AccountID == "" || c.Effect == directory.EffectRelease || c.Effect == directory.EffectGroupRestore {
			continue
		}
		if see.problem != nil {
			out[i] = outdated("Whether the tenant group is still as it was could not be read.")
		} else if v := drifted(c, see.group); v.State != "" {
			out[i] = v
		}
	}
	return out, nil
}

func drifted(c *directory.Change, g *directory.TenantGroup) reconcile.Verdict {
	p := &directory.Problem{Code: directory.CodeOutdated, Next: "The next run plans it anew."}
	v := reconcile.Verdict{State: directory.ChangeOutdated, Problem: p}
	if g == nil {
		p.Message = "The tenant group changed after this was planned: it is not there any more."
		return v
	}
	if foreign := g.ReadOnly(); foreign != nil {
		return reconcile.Verdict{State: directory.ChangeRefused, Problem: about(foreign, string(g.ID))}
	}
	observed := valuesOf(g)
	for _, pc := range c.Properties {
		if is, read := observed[pc.Name]; read && !is.Equal(pc.Before) {
			p.Message = "The tenant group changed after this was planned: " + pc.Name + " is not what it was."
			return v
		}
	}
	return reconcile.Verdict{}
}

// Names are none: the names of groups need not differ.
func (o *tenantGroups) Names(*directory.Change) (gives, takes string) { return "", "" }

// Taken is what is wrong when a tenant group belongs to another group.
func (o *tenantGroups) Taken(by directory.Ref) *directory.Problem { return taken(by) }

// ReadBack reads groups that were written to.
func (o *tenantGroups) ReadBack(ctx context.Context, w reconcile.Work, changes []*directory.Change) ([]plan.ReadBack, error) {
	ids := make([]directory.TenantGroupID, len(changes))
	for n, c := range changes {
		ids[n] = directory.TenantGroupID(c.AccountID)
	}
	o.reads.forget()
	found, err := o.reads.groupsNow(ctx, w, ids)
	if err != nil {
		return nil, err
	}
	out := make([]plan.ReadBack, len(changes))
	for n, c := range changes {
		see := found[ids[n]]
		out[n] = plan.ReadAgrees
		if see.problem != nil || see.missing() != (c.Effect == directory.EffectGroupDelete) {
			out[n] = plan.Unread(w.Now().Sub(c.At))
		}
	}
	return out, nil
}

// Batch sends changes of groups.
func (o *tenantGroups) Batch(w reconcile.Work) reconcile.Batch {
	return &groupBatch{o: o, w: w}
}
