package licences

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"bindery/shared/core/licensing"
	"bindery/shared/core/plan"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
)

// GroupKind is the kind of the licences that exported groups give their members. What
// becomes of them at each member is told by the member's own record, see Kind.
type GroupKind struct{ kind *Kind }

// NewGroups returns the kind of groups' licences beside that of accounts'.
func NewGroups(k *Kind) *GroupKind { return &GroupKind{k} }

// Name is directory.KindGroupLicence.
func (k *GroupKind) Name() directory.Kind { return directory.KindGroupLicence }

// Open returns what works on the licences of a connection's exported groups.
func (k *GroupKind) Open(s reconcile.Slice, tenant reconcile.Tenant) reconcile.Objects {
	o := k.kind.open(s, tenant)
	o.records.groups, o.groups = true, map[directory.AccountID]*directory.TenantGroup{}
	return &groupObjects{o}
}

// Dependents are the licences that wait for a tenant group, or go with it.
func (k *GroupKind) Dependents(ctx context.Context, c *directory.Connection, ref directory.Ref) ([]directory.Ref, error) {
	if ref.Kind != directory.KindGroup || !c.Wants(directory.ScopeLicences) {
		return nil, nil
	}
	mine := directory.GroupLicenceOf(directory.GroupID(ref.ID))
	r := &records{store: k.kind.store, conn: c}
	found, err := r.of(ctx, []directory.Ref{mine})
	if err != nil || found[mine] == nil {
		return nil, err
	}
	return []directory.Ref{mine}, nil
}

// exports are the exported groups of some records, each with the binding of its tenant
// group. What the export is let go by is no matter here: what was given by it is taken
// back while it is, or after.
func (r *records) exports(ctx context.Context, ids []directory.UserID) (map[directory.UserID]person, error) {
	refs := make([]directory.Ref, 0, 2*len(ids))
	for _, id := range ids {
		g := directory.GroupID(id)
		refs = append(refs, directory.GroupRef(g), directory.GroupLicenceOf(g))
	}
	found, err := r.of(ctx, refs)
	if err != nil {
		return nil, err
	}
	out := make(map[directory.UserID]person, len(ids))
	for _, id := range ids {
		p := person{there: true}
		switch export, mine := found[directory.GroupRef(directory.GroupID(id))], found[directory.GroupLicenceOf(directory.GroupID(id))]; {
		case export != nil:
			is := *export
			is.Release = ""
			p.account = &is
		case mine != nil && accountOf(mine.Base) != "":
			p.account = &directory.Binding{Object: directory.GroupRef(directory.GroupID(id)), AccountID: accountOf(mine.Base), UserPrincipalName: mine.UserPrincipalName}
		}
		out[id] = p
	}
	return out, nil
}

// readGroups reads tenant groups, and answers what they give as if it were given to
// themselves.
func (o *objects) readGroups(ctx context.Context, ids []directory.AccountID) ([]directory.Read[directory.AccountLicences], error) {
	groups := make([]directory.TenantGroupID, len(ids))
	for i, id := range ids {
		groups[i] = directory.TenantGroupID(id)
	}
	found, err := o.tenant.Groups(ctx, groups)
	if err != nil {
		return nil, err
	}
	out := make([]directory.Read[directory.AccountLicences], len(found))
	for i := range found {
		f := &found[i]
		out[i] = directory.Read[directory.AccountLicences]{Problem: f.Problem, Retry: f.Retry, RetryAfter: f.RetryAfter, Scope: f.Scope}
		if g := f.Value; g != nil {
			o.groups[ids[i]] = g
			out[i].Value = &directory.AccountLicences{AccountID: ids[i], Enabled: true, Assigned: g.Licences}
			for _, l := range g.Licences {
				out[i].Value.States = append(out[i].Value.States, directory.LicenceState{AssignedLicence: l, State: "Active"})
			}
		}
	}
	return out, nil
}

// groupObjects are the licences of a connection's exported groups.
type groupObjects struct{ *objects }

// Decide decides about groups, each by itself: which of their members get a seat is for
// the members' records to say.
func (o *groupObjects) Decide(ctx context.Context, w reconcile.Work, refs []directory.Ref) (reconcile.Decided, error) {
	var out reconcile.Decided
	list, err := o.decide(ctx, w, refs)
	if err != nil {
		return out, err
	}
	for _, h := range list {
		o.add(&out, w, h)
	}
	return out, nil
}

// Explain decides about one group, for a person.
func (o *groupObjects) Explain(ctx context.Context, w reconcile.Work, ref directory.Ref) (reconcile.Explained, error) {
	list, err := o.decide(ctx, w, []directory.Ref{ref})
	if err != nil {
		return reconcile.Explained{}, err
	}
	if len(list) == 0 {
		return reconcile.Explained{}, fmt.Errorf("licences of the group %s: %w", ref.ID, directory.ErrBusy)
	}
	return explained(list[0]), nil
}

func (o *groupObjects) decide(ctx context.Context, w reconcile.Work, refs []directory.Ref) ([]*holding, error) {
	list, err := o.holdings(ctx, refs)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if err := o.observe(ctx, w, list); err != nil {
		return nil, err
	}
	skus, err := o.skus(ctx, w)
	if err != nil {
		return nil, err
	}
	settings := o.settings(w)
	holders := make([]licensing.Holder, len(list))
	of := map[directory.UserID]*holding{}
	for _, h := range list {
		o.prepare(&settings, h, skus)
		if err := o.keep(ctx, h, skus, w.Now()); err != nil {
			return nil, err
		}
		of[h.holder.User] = h
	}
	if err := o.whoChanged(ctx, w, list); err != nil {
		return nil, err
	}
	for i, h := range list {
		holders[i] = h.holder
	}
	p := licensing.Make(skus, holders, licensing.Options{ReportForeign: settings.Foreign(directory.PropLicences) == directory.ForeignReport, Groups: true})
	take(&p, of, skus)
	for _, h := range list {
		h.finish()
		if err := o.countPeople(ctx, w, h); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// prepare says what a group is to give and gives, and what stands in the way of any
// change.
func (o *groupObjects) prepare(s *directory.Settings, h *holding, skus []directory.LicenceSKU) {
	h.begin(skus)
	d, c := &h.decision, o.s.Connection()
	seen := o.groups[h.accountID()]
	switch {
	case h.record.Resting():
		d.status, d.problem, d.findings = directory.BindingPaused, h.record.Problem, h.record.Findings
	case h.record.Release != "":
		d.ends = true // the tenant group stays as it is
	case (h.account == nil || h.gone) && len(h.rules) == 0:
		d.ends = true
	case h.account == nil, h.gone, h.account.AccountID == "" && h.account.Status != directory.BindingPending:
		d.status, d.problem, d.later = directory.BindingPending, groupWaits(), reconcile.Rest(h.record)
	case h.unread != nil:
		d.status, d.problem, d.later = directory.BindingFailed, h.unread, reconcile.Rest(h.record)
	case !c.HasScope(directory.ScopeLicences):
		d.status, d.problem = directory.BindingFailed, notPermitted()
	case h.account.Resting():
		h.stand()
	case seen != nil && seen.ReadOnly() != nil:
		d.status, d.problem = directory.BindingReadOnly, seen.ReadOnly()
		d.problem.Holder = "group " + h.account.UserPrincipalName
	case seen != nil && !seen.Security && len(h.rules) > 0:
		t := directory.ProblemTypeOf(directory.CodeGroupNotSecurityEnabled)
		d.status = directory.BindingRefused
		d.problem = &directory.Problem{Code: t.Code, Kind: t.Kind, Message: t.Means, Next: t.Next, Steps: t.Steps, Holder: "group " + h.account.UserPrincipalName}
	default:
		h.holder.Fixed = false
	}
}

func groupWaits() *directory.Problem {
	t := directory.ProblemTypeOf(directory.CodeGroupWaits)
	return &directory.Problem{Code: t.Code, Message: "The tenant group is not there, so it gives nobody a licence.", Next: "It is looked at again by itself."}
}

// keep has what the members are to be given themselves from now on stay with the group
// until they have it: between the two there is no moment without. Members who cannot get it
// are asked about ever less often.
func (o *groupObjects) keep(ctx context.Context, h *holding, skus []directory.LicenceSKU, now time.Time) error {
	if h.holder.Fixed {
		return nil
	}
	gives, moves := map[directory.SKUID]bool{}, map[directory.SKUID]bool{}
	for i := range h.rules {
		gives[wishOf(&h.rules[i], skus).SKU] = true
	}
	for i := range h.group.Directly {
		sku := wishOf(&h.group.Directly[i], skus).SKU
		if _, ours := h.holder.Given[sku]; ours && !gives[sku] {
			moves[sku] = true
		}
	}
	if len(moves) == 0 {
		return nil
	}
	lacks, err := o.anyLacks(ctx, h)
	if err != nil || lacks == "" {
		return err
	}
	h.holder.Kept = moves
	t := directory.ProblemTypeOf(directory.CodeLicenseMoves)
	sku := slices.Min(slices.Collect(maps.Keys(moves)))
	h.decision.status, h.decision.later = directory.BindingPending, h.waitsAs(directory.CodeLicenseMoves, now)
	h.decision.problem = &directory.Problem{Code: t.Code, Property: directory.LicenceProperty(sku), Holder: lacks, Next: t.Next,
		Message: fmt.Sprintf("The members are given %s themselves from now on, and not all of them have it: the group keeps it until then. It waits for %s, perhaps for others.", directory.ProductNameOf(skus, sku), lacks)}
	return nil
}

// anyLacks names somebody of a group whose own licences are not as they are to be; "":
// there is nobody.
func (o *groupObjects) anyLacks(ctx context.Context, h *holding) (name string, err error) {
	if !h.group.Expanded {
		return "members who are not gone through yet", nil
	}
	people := *o.records
	people.groups = false
	err = people.source.LicensedMembers(ctx, people.conn, directory.GroupID(h.record.Object.ID), func(users []directory.UserID) (bool, error) {
		for part := range slices.Chunk(users, 100) {
			refs := make([]directory.Ref, len(part))
			for i, u := range part {
				refs[i] = directory.LicenceOf(u)
			}
			found, err := people.of(ctx, refs)
			if err != nil {
				return false, err
			}
			persons, err := people.persons(ctx, part)
			if err != nil {
				return false, err
			}
			for i, u := range part {
				p := persons[u]
				if p.user == nil || p.account == nil || p.account.AccountID == "" || p.user.Deleted != nil {
					continue // is no member of the tenant group, or leaves
				}
				if b := found[refs[i]]; b == nil || b.Dirty() || b.Marked || b.Status != directory.BindingInSync {
					name = p.account.UserPrincipalName
					return false, nil
				}
			}
		}
		return true, nil
	})
	return name, err
}

// mostPages is how many pages of a group's members are counted: more than these are more
// than any limit lets pass unseen.
const mostPages = 20

// countPeople notes on a group's changes how many people they are about: those who are in
// the tenant group, or will be once it is made.
func (o *groupObjects) countPeople(ctx context.Context, w reconcile.Work, h *holding) error {
	if len(h.decision.changes) == 0 {
		return nil
	}
	n, unread, err := o.people(ctx, w, directory.GroupID(h.record.Object.ID), h.accountID())
	if err != nil {
		return err
	}
	if unread != nil { // the guard could not tell what it lets pass
		h.decision.changes, h.decision.base = nil, h.record.Base
		h.decision.status, h.decision.problem, h.decision.later = directory.BindingFailed, unread, reconcile.Rest(h.record)
		return nil
	}
	for i := range h.decision.changes {
		h.decision.changes[i].People = n
	}
	return nil
}

func (o *groupObjects) people(ctx context.Context, w reconcile.Work, g directory.GroupID, id directory.AccountID) (n int, unread *directory.Problem, err error) {
	if id == "" {
		err := o.records.source.LicensedMembers(ctx, o.records.conn, g, func(users []directory.UserID) (bool, error) {
			n += len(users)
			return true, nil
		})
		return n, nil, err
	}
	var page directory.MemberPage
	err = w.Read(ctx, memberUnits, func(ctx context.Context) error {
		found, err := o.tenant.Members(ctx, []directory.TenantGroupID{directory.TenantGroupID(id)})
		if err != nil {
			return err
		}
		switch f := &found[0]; {
		case f.Value != nil:
			page = *f.Value
		case f.Problem != nil:
			unread = f.Problem
		}
		return nil
	})
	for pages := 1; err == nil && unread == nil; pages++ {
		for _, m := range page.Members {
			if m.Type == directory.TenantMemberUser {
				n++
			}
		}
		if page.Next == "" || pages == mostPages {
			break
		}
		err = w.Read(ctx, memberUnits, func(ctx context.Context) (err error) {
			page, err = o.tenant.MoreMembers(ctx, page.Next)
			return err
		})
	}
	return n, unread, err
}

// memberUnits is what a page of members costs of the quota for reading (GG 1).
const memberUnits = 3

// Undo plans the inverse of changes of groups' licences.
func (o *groupObjects) Undo(ctx context.Context, w reconcile.Work, changes []directory.Change) (plan.Undone, error) {
	out, err := o.objects.Undo(ctx, w, changes)
	if err != nil {
		return out, err
	}
	for i := range out.Changes {
		c := &out.Changes[i]
		n, unread, err := o.people(ctx, w, directory.GroupID(c.Object.ID), c.AccountID)
		if err == nil && unread != nil {
			err = fmt.Errorf("members of the group %s: %s: %w", c.Object.ID, unread.Message, directory.ErrUnavailable)
		}
		if err != nil {
			return plan.Undone{}, err
		}
		c.People = n
	}
	return out, nil
}
