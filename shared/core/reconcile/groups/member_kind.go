package groups

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// memberKind is the kind of memberships in tenant groups.
type memberKind struct{ Config }

func (k *memberKind) Name() directory.Kind { return directory.KindMember }

func (k *memberKind) Open(s reconcile.Slice, t reconcile.Tenant) reconcile.Objects {
	return &memberships{open(k.Config, s, t)}
}

// memberships is the kind at work on a connection.
type memberships struct{ opened }

// memberRecord is the record of a membership; nil when it was let go.
type memberRecord struct {
	ref    directory.Ref
	record *directory.Binding
}

// surroundings is what of ours some memberships hang on.
type surroundings struct {
	groups  map[directory.GroupID]*directory.Binding
	exports map[directory.GroupID]Export
	users   map[directory.UserID]store.Subject
	owned   map[directory.Ref]bool // strangers whom our directory wants by now
	// unsettled are groups of which strangers are not to be told yet from who is wanted.
	unsettled map[directory.GroupID]bool
}

// around reads what some memberships hang on.
func (o *memberships) around(ctx context.Context, w reconcile.Work, list []memberRecord) (*surroundings, error) {
	var groupRefs, childRefs []directory.Ref
	var groupIDs, childIDs []directory.GroupID
	var users []directory.UserID
	strangers := map[directory.GroupID][]directory.AccountID{}
	for _, m := range list {
		g, member, _ := memberOf(m.ref)
		groupRefs, groupIDs = append(groupRefs, directory.GroupRef(g)), append(groupIDs, g)
		switch {
		case member.User() != "":
			users = append(users, member.User())
		case member.Group() != "":
			childRefs, childIDs = append(childRefs, directory.GroupRef(member.Group())), append(childIDs, member.Group())
		default:
			strangers[g] = append(strangers[g], strangerOf(m.ref))
		}
	}
	all, err := o.bound(ctx, uniqueRefs(append(groupRefs, childRefs...)))
	if err != nil {
		return nil, err
	}
	a := &surroundings{groups: map[directory.GroupID]*directory.Binding{}, owned: map[directory.Ref]bool{}, unsettled: map[directory.GroupID]bool{}}
	for ref, b := range all {
		a.groups[directory.GroupID(ref.ID)] = b
	}
	if a.exports, err = o.Source.Exports(ctx, o.s.Connection(), append(groupIDs, childIDs...)); err != nil {
		return nil, err
	}
	if a.users, err = o.Records.Subjects(ctx, users); err != nil {
		return nil, err
	}
	for g, ids := range strangers {
		if a.unsettled[g], err = o.unsettled(ctx, w, g); err != nil {
			return nil, err
		}
		owned, err := o.owned(ctx, g, ids)
		if err != nil {
			return nil, err
		}
		for id := range owned {
			a.owned[directory.StrangerOf(g, id)] = true
		}
	}
	return a, nil
}

func uniqueRefs(refs []directory.Ref) []directory.Ref {
	seen := map[directory.Ref]bool{}
	var list []directory.Ref
	for _, r := range refs {
		if !seen[r] {
			seen[r] = true
			list = append(list, r)
		}
	}
	return list
}

// memberOf is the group of a membership, with its member; of a stranger's the zero
// MemberRef.
func memberOf(r directory.Ref) (g directory.GroupID, m directory.MemberRef, ok bool) {
	if g, u, ok := r.Member(); ok {
		return g, directory.UserMember(u), true
	}
	if g, child, ok := r.Nested(); ok {
		return g, directory.GroupMember(child), true
	}
	g, _, ok = r.Stranger()
	return g, directory.MemberRef{}, ok
}

// idOfRecord is the object in the tenant that a user's record, or a group's, has; ""
// when it has none.
func idOfRecord(b *directory.Binding) directory.AccountID {
	if b == nil {
		return ""
	}
	return b.AccountID
}

// subject is what is known of a membership without asking the tenant.
func (o *memberships) subject(a *surroundings, m memberRecord) memberSubject {
	g, member, _ := memberOf(m.ref)
	settings := o.s.Connection().Settings
	s := memberSubject{ref: m.ref, record: m.record, policy: settings.Foreign(directory.ForeignMembers), in: map[pair]bool{}}
	if m.record != nil {
		s.fresh = m.record.LastWrite.Add(reconcile.Grace).After(o.s.Now())
	}
	s.group.unsettled, s.group.ended = a.unsettled[g], a.groups[g] == nil
	if e, exported := a.exports[g]; exported {
		s.group.export, s.group.name = &e, e.Group.Name
	}
	if b := a.groups[g]; b != nil {
		s.group.name = cmp.Or(s.group.name, b.UserPrincipalName)
		s.group.id = directory.TenantGroupID(b.AccountID)
		s.group.coming = b.AccountID == "" && b.Release == "" && !b.Resting() && (b.Dirty() || b.Problem == nil)
		if s.group.coming && s.group.export != nil {
			s.group.id = s.group.export.Adopt // who is in it is known before it is adopted
		}
	}
	switch {
	case member.User() != "":
		s.member = o.userFacts(a.users[member.User()], member.User())
	case member.Group() != "":
		child := a.groups[member.Group()]
		s.member = memberFacts{name: string(member.Group()), id: idOfRecord(child), coming: child != nil && child.AccountID == ""}
		if e, exported := a.exports[member.Group()]; exported {
			s.member.name = e.Group.Name
		}
		if child == nil {
			s.member.missing = problem(directory.CodeMemberNotBound, fmt.Sprintf("The group %s is not exported through this connection.", s.member.name), "Export it as well, or have nested groups flattened.", string(member.Group()))
		}
	default:
		s.member = memberFacts{name: string(strangerOf(m.ref)), id: strangerOf(m.ref)}
		if m.record != nil && m.record.UserPrincipalName != "" {
			s.member.name = m.record.UserPrincipalName
		}
		s.owned = a.owned[m.ref]
	}
	if s.member.id != "" && member.Group() == "" {
		s.member.protected, _ = o.s.Protected(s.member.id, s.member.name)
	}
	return s
}

// userFacts are what is known of a user as a member.
func (o *memberships) userFacts(row store.Subject, id directory.UserID) memberFacts {
	f := memberFacts{name: string(id), deleted: row.User == nil || row.User.Deleted != nil}
	if row.User != nil {
		f.name, f.department = row.User.Email, row.User.Department
	}
	b := row.Binding
	if b != nil && (b.Epoch != o.s.Epoch() || b.ConnectionID != o.s.Connection().ID) {
		b = nil
	}
	if b != nil {
		if b.UserPrincipalName != "" {
			f.name = b.UserPrincipalName
		}
		f.id = b.AccountID
		f.coming = b.AccountID == "" && b.Release == "" && !b.Resting() && (b.Dirty() || b.Status == directory.BindingPending)
	}
	f.domain = directory.DomainOf(f.name)
	switch {
	case b == nil:
		f.missing = problem(directory.CodeMemberNotBound, fmt.Sprintf("The user %s is not bound through this connection, and so is no member of the tenant group.", f.name),
			"Bind the user, or have the connection select the members of the group.", string(id))
	case b.AccountID == "" && !f.coming:
		f.missing = problem(directory.CodeMemberNotBound, fmt.Sprintf("The user %s has no account in the tenant, and so is no member of the tenant group.", f.name),
			"See what keeps the user's binding from being in sync.", string(id))
	}
	return f
}

// ask reads who is in which group for subjects: the pair that is wanted, and the one
// that was agreed.
func (o *memberships) ask(ctx context.Context, w reconcile.Work, list []memberSubject, more func(s *memberSubject) []pair) error {
	var ids []directory.TenantGroupID
	pairs := make([][]pair, len(list))
	for i := range list {
		s := &list[i]
		for _, p := range append(more(s), s.wanted()) {
			if p.known() {
				pairs[i] = append(pairs[i], p)
				ids = append(ids, p.group)
			}
		}
		if s.group.id != "" {
			ids = append(ids, s.group.id)
		}
	}
	found, err := o.reads.groupsNow(ctx, w, distinct(ids))
	if err != nil {
		return err
	}
	questions := map[directory.TenantGroupID]*question{}
	at := map[directory.TenantGroupID][]asked{}
	for i := range list {
		s := &list[i]
		o.facts(s, found)
		for _, p := range pairs[i] {
			switch see := found[p.group]; {
			case see.problem != nil:
				s.group.unread = about(see.problem, string(p.group))
			case see.group != nil:
				at[p.group] = append(at[p.group], asked{s, p})
				q := questions[p.group]
				if q == nil {
					q = &question{group: p.group}
					questions[p.group] = q
				}
				q.of = append(q.of, p.member)
			}
		}
	}
	return o.reads.rollsNow(ctx, w, inOrder(questions, at), func(id directory.TenantGroupID, in *roll) error {
		for _, a := range at[id] {
			switch {
			case in.problem != nil:
				a.subject.group.unread = about(in.problem, string(id))
			case in.known():
				a.subject.in[a.pair] = in.has(a.pair.member)
				if id == a.subject.group.id {
					a.subject.group.size = in.size
				}
			}
		}
		return nil
	})
}

// asked is a membership that a subject asks about.
type asked struct {
	subject *memberSubject
	pair    pair
}

// inOrder are questions, by group. Of accounts of users alone it is asked what these are
// members of.
func inOrder(questions map[directory.TenantGroupID]*question, at map[directory.TenantGroupID][]asked) []question {
	list := make([]question, 0, len(questions))
	for _, id := range slices.Sorted(maps.Keys(questions)) {
		q := *questions[id]
		if slices.ContainsFunc(at[id], func(a asked) bool { _, _, user := a.subject.ref.Member(); return !user }) {
			q.of = nil
		}
		q.of = distinct(q.of)
		list = append(list, q)
	}
	return list
}

// facts are what the tenant says of a subject's group. For one that was let go it is
// the group that we gave the membership in.
func (o *memberships) facts(s *memberSubject, found map[directory.TenantGroupID]seen) {
	id := s.group.id
	if s.record != nil && s.record.Release != "" {
		if old, given := givenPair(s.record); given || old.group != "" {
			id = old.group
		}
	}
	see, read := found[id]
	switch {
	case id == "" || !read:
	case see.problem != nil:
		s.group.unread = about(see.problem, string(id))
	case see.group != nil:
		if p := see.group.ReadOnly(); p != nil {
			s.group.problem = about(p, string(id))
		}
	case see.deleted != nil:
		s.group.deleted = true
	default:
		s.group.gone = true
	}
	if (s.group.deleted || s.group.gone) && id == s.group.id {
		s.group.id, s.group.coming = "", false
	}
}

func agreedOf(s *memberSubject) []pair {
	if s.record == nil {
		return nil
	}
	return []pair{agreedPair(s.record), sentPair(s.record)}
}

// Decide reads and decides memberships.
func (o *memberships) Decide(ctx context.Context, w reconcile.Work, refs []directory.Ref) (reconcile.Decided, error) {
	var out reconcile.Decided
	records, err := o.bound(ctx, refs)
	if err != nil {
		return out, err
	}
	var list []memberRecord
	for _, ref := range refs {
		if b := records[ref]; b != nil {
			list = append(list, memberRecord{ref, b})
		}
	}
	return out, o.decideEach(ctx, w, list, &out)
}

func (o *memberships) decideEach(ctx context.Context, w reconcile.Work, list []memberRecord, out *reconcile.Decided) error {
	subjects, err := o.subjects(ctx, w, list, agreedOf)
	if err != nil {
		return err
	}
	o.attribute(ctx, w, subjects)
	for i := range subjects {
		s := &subjects[i]
		d := decideMember(*s)
		later := time.Duration(0)
		if p := s.wanted(); s.fresh && len(d.Changes) == 0 && p.known() && s.in[p] != hasAgreed(s.record) {
			later = reconcile.Grace // the read may be older than our write
		}
		for n := range d.Changes {
			c := &d.Changes[n]
			g, _, _ := memberOf(s.ref)
			c.Scope, c.ScopeName, c.ScopeSize = string(g), s.group.name, s.group.size
		}
		if s.group.export != nil && s.stranger() && len(d.Changes) > 0 {
			out.Editors = append(out.Editors, s.group.export.By...)
		}
		if b := s.leftByDecision(); d.gone && b != nil && !w.Run.DryRun {
			out.Unwritten = append(out.Unwritten, leftStranger(b)) // before the other record goes
		}
		o.decided(out, w, s.record, d.Decision, d.gone, later)
		if n := len(out.Unwritten) - 1; len(d.Changes) == 0 && (d.others || d.ours) {
			mutate := out.Unwritten[n].Mutate
			out.Unwritten[n].Mutate = func(b *directory.Binding) bool {
				changed := mutate(b)
				if changed && !b.Resting() {
					b.Created = d.ours
				}
				return changed
			}
		}
	}
	return nil
}

// leftStranger has a record say that a removal was declined.
func leftStranger(b *directory.Binding) store.BindingChange {
	removal := b.Declined[0]
	b.Declined = nil
	return store.BindingChange{Ref: b.Object, Create: b, Mutate: func(now *directory.Binding) bool {
		if slices.Contains(now.Declined, removal) {
			return false
		}
		now.Declined = append(slices.Clone(now.Declined), removal)
		return true
	}}
}

func (o *memberships) subjects(ctx context.Context, w reconcile.Work, list []memberRecord, more func(*memberSubject) []pair) ([]memberSubject, error) {
	a, err := o.around(ctx, w, list)
	if err != nil {
		return nil, err
	}
	subjects := make([]memberSubject, len(list))
	for i, m := range list {
		subjects[i] = o.subject(a, m)
	}
	if err := o.ask(ctx, w, subjects, more); err != nil {
		return nil, err
	}
	return subjects, o.nameStrangers(ctx, w, subjects)
}

// nameStrangers reads who the strangers are that are in an exact group: people decide about
// names, and an account may be protected by its name. Whom nobody could read is left alone.
func (o *memberships) nameStrangers(ctx context.Context, w reconcile.Work, list []memberSubject) error {
	var ids []directory.AccountID
	var at []*memberSubject
	for i := range list {
		if s := &list[i]; s.stranger() && s.in[s.wanted()] {
			ids, at = append(ids, s.member.id), append(at, s)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	names, unread, err := reconcile.AccountNames(ctx, w, o.reads.tenant.Lookup, ids)
	if err != nil {
		return err
	}
	for _, s := range at {
		if p := unread[s.member.id]; p != nil {
			s.group.unread = about(p, string(s.member.id))
		}
		if name := names[s.member.id]; name != "" {
			s.member.name, s.member.domain = name, directory.DomainOf(name)
			s.member.protected, _ = o.s.Protected(s.member.id, name)
		}
	}
	return nil
}

// mostAsked is of how many groups a page asks who changed them.
const mostAsked = 5

// attribute finds out who at Microsoft changed memberships that are not as they were
// agreed. What is not found out stays unsaid.
func (o *memberships) attribute(ctx context.Context, w reconcile.Work, list []memberSubject) {
	if o.Attribution == nil || w.Run.Urgent {
		return
	}
	changed := map[directory.TenantGroupID][]*memberSubject{}
	for i := range list {
		s := &list[i]
		p := s.wanted()
		foreign := s.stranger() && s.in[p] || !s.stranger() && s.record.Release == "" && hasAgreed(s.record) && agreedPair(s.record) == p && !s.in[p]
		if p.known() && foreign && !s.fresh && !s.record.Resting() {
			changed[p.group] = append(changed[p.group], s)
		}
	}
	asked := 0
	for id, subjects := range changed {
		if asked++; asked > mostAsked {
			return
		}
		var who []directory.AccountID
		since := o.s.Now()
		for _, s := range subjects {
			who = append(who, s.member.id)
			if s.record.LastWrite.Before(since) {
				since = s.record.LastWrite
			}
		}
		if oldest := o.s.Now().Add(-30 * 24 * time.Hour); since.Before(oldest) {
			since = oldest
		}
		var found map[directory.AccountID]directory.Actor
		err := w.Read(ctx, 0, func(ctx context.Context) (err error) {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			found, err = o.Attribution(ctx, o.s.Connection(), id, who, since)
			return err
		})
		if err != nil {
			o.s.Log().Debug("who changed a group was not found out", "connectionId", o.s.Connection().ID, "error", err)
			return
		}
		for _, s := range subjects {
			if by, known := found[s.member.id]; known && by.Name != "" {
				s.by = &by
			}
		}
	}
}

// Explain decides about one membership.
func (o *memberships) Explain(ctx context.Context, w reconcile.Work, ref directory.Ref) (reconcile.Explained, error) {
	records, err := o.bound(ctx, []directory.Ref{ref})
	if err != nil {
		return reconcile.Explained{}, err
	}
	if records[ref] == nil {
		return reconcile.Explained{}, fmt.Errorf("membership %s: %w", ref.ID, directory.ErrBusy)
	}
	subjects, err := o.subjects(ctx, w, []memberRecord{{ref, records[ref]}}, agreedOf)
	if err != nil {
		return reconcile.Explained{}, err
	}
	o.attribute(ctx, w, subjects)
	d := decideMember(subjects[0]).Decision
	o.permit(&d)
	return explained(d), nil
}

// Undo plans the inverse of changes of memberships.
func (o *memberships) Undo(ctx context.Context, w reconcile.Work, changes []directory.Change) (plan.Undone, error) {
	var out plan.Undone
	refs, parts := byRef(changes)
	records, err := o.bound(ctx, refs)
	if err != nil {
		return out, err
	}
	list := make([]memberRecord, len(refs))
	for i, ref := range refs {
		list[i] = memberRecord{ref, records[ref]}
	}
	o.reads.forget()
	subjects, err := o.subjects(ctx, w, list, func(s *memberSubject) []pair {
		var pairs []pair
		for i := range parts[s.ref] {
			pairs = append(pairs, pairOf(&parts[s.ref][i], s.record))
		}
		return pairs
	})
	if err != nil {
		return out, err
	}
	for i := range subjects {
		u := undoMember(subjects[i], parts[subjects[i].ref])
		out.Changes, out.Left = append(out.Changes, u.Changes...), append(out.Left, u.Left...)
	}
	return out, nil
}

// read returns of changes who is in which groups now: the members that they name.
func (o *memberships) read(ctx context.Context, w reconcile.Work, changes []*directory.Change) (map[directory.TenantGroupID]*roll, error) {
	o.reads.forget()
	return o.membersAmong(ctx, w, changes, func(c *directory.Change) pair { return pairOf(c, nil) })
}

// membersAmong are the rolls of the groups of changes, as far as they tell of the members
// that these name.
func (o *memberships) membersAmong(ctx context.Context, w reconcile.Work, changes []*directory.Change, of func(*directory.Change) pair) (map[directory.TenantGroupID]*roll, error) {
	named := map[directory.TenantGroupID]*question{}
	for _, c := range changes {
		p := of(c)
		if !p.known() {
			continue
		}
		if named[p.group] == nil {
			named[p.group] = &question{group: p.group}
		}
		named[p.group].of = append(named[p.group].of, p.member)
	}
	questions := make([]question, 0, len(named))
	for _, id := range slices.Sorted(maps.Keys(named)) {
		questions = append(questions, question{id, distinct(named[id].of)})
	}
	for _, c := range changes {
		if _, _, user := c.Object.Member(); !user {
			for i := range questions {
				questions[i].of = nil
			}
			break
		}
	}
	out := map[directory.TenantGroupID]*roll{}
	return out, o.reads.rollsNow(ctx, w, questions, func(id directory.TenantGroupID, in *roll) error {
		out[id] = in.only(named[id].of)
		return nil
	})
}

// Drifted reads the groups of changes: who has become a member meanwhile is not added,
// and who is none any more not removed.
func (o *memberships) Drifted(ctx context.Context, w reconcile.Work, all []directory.Change, places []int) (map[int]reconcile.Verdict, error) {
	list := make([]*directory.Change, len(places))
	for n, i := range places {
		list[n] = &all[i]
	}
	rolls, err := o.read(ctx, w, list)
	if err != nil {
		return nil, err
	}
	out := map[int]reconcile.Verdict{}
	for n, i := range places {
		p := pairOf(list[n], nil)
		in := rolls[p.group]
		switch {
		case !p.known() || in == nil:
		case in.problem != nil:
			out[i] = outdated("Whether the membership is still as it was could not be read.")
		case in.missing:
			out[i] = outdated("The tenant group is not there any more.")
		case in.has(p.member) && list[n].Effect == directory.EffectMemberAdd:
			out[i] = outdated("The membership is there by now.")
		case !in.has(p.member) && list[n].Effect == directory.EffectMemberRemove && wasMember(list[n]):
			out[i] = outdated("The membership is not there any more.")
		}
	}
	return out, nil
}

// Names are none.
func (o *memberships) Names(*directory.Change) (gives, takes string) { return "", "" }

// ReadBack reads the groups of changes.
func (o *memberships) ReadBack(ctx context.Context, w reconcile.Work, changes []*directory.Change) ([]plan.ReadBack, error) {
	rolls, err := o.read(ctx, w, changes)
	if err != nil {
		return nil, err
	}
	out := make([]plan.ReadBack, len(changes))
	for n, c := range changes {
		p := pairOf(c, nil)
		out[n] = plan.ReadAgrees
		if in := rolls[p.group]; in != nil && (in.problem != nil || !in.missing && in.has(p.member) != (c.Effect == directory.EffectMemberAdd)) {
			out[n] = plan.Unread(w.Now().Sub(c.At))
		}
	}
	return out, nil
}

// Taken is what is wrong when a membership is another one's; it is claimed for none.
func (o *memberships) Taken(by directory.Ref) *directory.Problem {
	return problem(directory.CodeObjectConflict, "The membership is another one's.", "", by.ID)
}

// Bundle has the additions to one group go together, and so its removals.
func (o *memberships) Bundle(c *directory.Change) (string, int) {
	g, _, _ := memberOf(c.Object)
	return string(g), mostTogether(c.Effect)
}

// Batch sends changes of memberships.
func (o *memberships) Batch(w reconcile.Work) reconcile.Batch {
	return &memberBatch{o: o, w: w, pairs: map[directory.ChangeID]pair{}, met: map[directory.ChangeID]bool{}, written: map[directory.TenantGroupID]bool{}}
}
