package groups

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
)

// MostStreamed is of how many groups Microsoft tells changes by one link (GG 7). With
// more exported ones the changes of all groups of the tenant are read: an idle round is
// one request in either case.
const MostStreamed = 50

// What a link of ours begins with: of which groups its changes are. What is behind it
// is Microsoft's.
const (
	ofAll  = "all "
	ofSome = "some-"
)

// unitsOfDelta is what a page of changes costs of the tenant's quota for reading.
const unitsOfDelta = 2

// Begins reports whether some group is exported.
func (o *tenantGroups) Begins(ctx context.Context, _ reconcile.Work) (bool, error) {
	ids, _, err := o.exported(ctx, 1)
	return len(ids) > 0, err
}

// exported are the tenant groups that are ours, up to a number; 0: all. refs are those
// to compare where changes may have been missed: what we have just written, or made
// ours, is as it was read then.
func (o *tenantGroups) exported(ctx context.Context, most int) (ids []directory.TenantGroupID, refs []directory.Ref, err error) {
	c := o.s.Connection()
	recent := o.s.Now().Add(-reconcile.Grace)
	for cursor := ""; ; {
		list, next, err := o.Records.ListBindingsUnder(ctx, directory.KindGroup, "", c.ID, o.s.Epoch(), cursor, 500)
		if err != nil {
			return nil, nil, err
		}
		for i := range list {
			b := &list[i]
			if b.AccountID == "" {
				continue
			}
			ids = append(ids, directory.TenantGroupID(b.AccountID))
			if !b.LastWrite.After(recent) && !b.AccountSince.After(recent) {
				refs = append(refs, b.Ref())
			}
		}
		if cursor = next; cursor == "" || most > 0 && len(ids) >= most {
			return ids, refs, nil
		}
	}
}

// streamOf is of which groups a round is.
func streamOf(ids []directory.TenantGroupID) string {
	if len(ids) > MostStreamed {
		return ofAll
	}
	h := fnv.New64a()
	for _, id := range slices.Sorted(slices.Values(ids)) {
		fmt.Fprintln(h, id)
	}
	return fmt.Sprintf("%s%016x ", ofSome, h.Sum64())
}

// Round reads a page of what has changed of the exported groups. It proves nothing
// (GG 7): it says what is to be read directly. A round begins with changes to come, and
// with all groups compared; so it does when others are exported by now.
func (o *tenantGroups) Round(ctx context.Context, w reconcile.Work, link string) (reconcile.RoundPage, error) {
	stream, theirs, _ := strings.Cut(link, " ")
	stream += " "
	if strings.HasPrefix(link, ofSome) {
		ids, _, err := o.exported(ctx, MostStreamed+1)
		if err != nil {
			return reconcile.RoundPage{}, err
		}
		if streamOf(ids) != stream {
			link = ""
		}
	}
	if link == "" {
		return o.begin(ctx, w)
	}
	var page directory.TenantGroupDelta
	err := w.Read(ctx, unitsOfDelta, func(ctx context.Context) (err error) {
		page, err = o.reads.tenant.GroupDelta(ctx, nil, theirs)
		return err
	})
	if err != nil {
		return reconcile.RoundPage{}, err
	}
	out := pageOf(stream, page)
	out.Marks, err = o.toCompare(ctx, page.Marks)
	return out, err
}

// begin is the first page of a round.
func (o *tenantGroups) begin(ctx context.Context, w reconcile.Work) (reconcile.RoundPage, error) {
	ids, refs, err := o.exported(ctx, 0)
	if err != nil {
		return reconcile.RoundPage{}, err
	}
	stream := streamOf(ids)
	if stream == ofAll {
		ids = nil
	}
	var page directory.TenantGroupDelta
	err = w.Read(ctx, unitsOfDelta, func(ctx context.Context) (err error) {
		page, err = o.reads.tenant.GroupDeltaFromNow(ctx, ids)
		return err
	})
	if err != nil {
		return reconcile.RoundPage{}, err
	}
	out := pageOf(stream, page)
	out.Marks = refs
	return out, nil
}

func pageOf(stream string, page directory.TenantGroupDelta) reconcile.RoundPage {
	out := reconcile.RoundPage{}
	for i := range page.Marks {
		m := &page.Marks[i]
		out.IDs = append(out.IDs, directory.AccountID(m.ID))
		for _, member := range m.Members { // a large group comes on page after page (GG 7)
			out.IDs = append(out.IDs, directory.AccountID(m.ID)+" "+member.ID)
		}
	}
	if page.Next != "" {
		out.Next = stream + page.Next
	}
	if page.DeltaLink != "" {
		out.DeltaLink = stream + page.DeltaLink
	}
	return out
}

// toCompare are our objects that a page tells of, but for what it shows as it was
// agreed: what we wrote comes back with the next round.
func (o *tenantGroups) toCompare(ctx context.Context, marks []directory.TenantGroupMark) ([]directory.Ref, error) {
	ids := make([]directory.AccountID, 0, len(marks))
	for i := range marks {
		ids = append(ids, directory.AccountID(marks[i].ID))
	}
	owners, err := o.Owners.ObjectOwners(ctx, directory.KindGroup, o.s.Connection(), ids)
	if err != nil || len(owners) == 0 {
		return nil, err
	}
	var out []directory.Ref
	for i := range marks {
		m := &marks[i]
		owner, ours := owners[directory.AccountID(m.ID)]
		if !ours {
			continue
		}
		refs, whole, err := o.membersToCompare(ctx, directory.GroupID(owner.ID), m)
		if err != nil {
			return nil, err
		}
		out = append(out, refs...)
		if refs, err = o.licencesToCompare(ctx, directory.GroupID(owner.ID), m); err != nil {
			return nil, err
		}
		out = append(out, refs...)
		if whole || m.Removed || m.Profile {
			out = append(out, owner)
		}
	}
	return uniqueRefs(out), nil
}

// licencesToCompare are the licences of a group that are not any more as we gave them.
func (o *tenantGroups) licencesToCompare(ctx context.Context, group directory.GroupID, m *directory.TenantGroupMark) ([]directory.Ref, error) {
	if m.Licences == nil {
		return nil, nil
	}
	ref := directory.GroupLicenceOf(group)
	records, err := o.bound(ctx, []directory.Ref{ref})
	if err != nil || records[ref] == nil || directory.LicencesAsGiven(records[ref].Base, m.Licences) {
		return nil, err
	}
	return []directory.Ref{ref}, nil
}

// membersToCompare are the memberships that a group's changes may concern. whole says
// that somebody came of whom there is no record: in an exact group that is a stranger,
// whom the group itself looks for.
func (o *tenantGroups) membersToCompare(ctx context.Context, group directory.GroupID, m *directory.TenantGroupMark) (refs []directory.Ref, whole bool, err error) {
	if len(m.Members) == 0 {
		return nil, false, nil
	}
	ids := make([]directory.AccountID, len(m.Members))
	for i := range m.Members {
		ids[i] = m.Members[i].ID
	}
	refOf := map[directory.AccountID]directory.Ref{}
	for _, kind := range []directory.Kind{directory.KindAccount, directory.KindGroup} {
		owners, err := o.Owners.ObjectOwners(ctx, kind, o.s.Connection(), ids)
		if err != nil {
			return nil, false, err
		}
		for id, owner := range owners {
			refOf[id] = membershipRef(group, owner)
		}
	}
	ask := make([]directory.Ref, 0, 2*len(ids))
	for _, id := range ids {
		ask = append(ask, directory.StrangerOf(group, id))
		if ref, ours := refOf[id]; ours {
			ask = append(ask, ref)
		}
	}
	records, err := o.bound(ctx, uniqueRefs(ask))
	if err != nil {
		return nil, false, err
	}
	for i := range m.Members {
		c := &m.Members[i]
		known := false
		for _, ref := range []directory.Ref{refOf[c.ID], directory.StrangerOf(group, c.ID)} {
			b := records[ref]
			if b == nil {
				continue
			}
			known = true
			p := agreedPair(b)
			if b.Base == nil || p.group != m.ID || folded(p.member) != folded(c.ID) || hasAgreed(b) == c.Removed {
				refs = append(refs, ref)
			}
		}
		whole = whole || !known && !c.Removed
	}
	return refs, whole, nil
}

// membershipRef is that of what of ours an object of the tenant is, in a group.
func membershipRef(group directory.GroupID, owner directory.Ref) directory.Ref {
	if u := owner.User(); u != "" {
		return directory.MemberOf(group, u)
	}
	return directory.NestedIn(group, directory.GroupID(owner.ID))
}

// Expand has all groups compared, a page at a time, with each full round: what the
// changes did not tell of is found then.
func (o *tenantGroups) Expand(ctx context.Context, _ reconcile.Work, cursor string) (next string, err error) {
	c := o.s.Connection()
	list, next, err := o.Records.ListBindingsUnder(ctx, directory.KindGroup, "", c.ID, o.s.Epoch(), cursor, 100)
	if err != nil {
		return "", err
	}
	var refs []directory.Ref
	for i := range list {
		if list[i].AccountID != "" && !list[i].Marked {
			refs = append(refs, list[i].Ref())
		}
	}
	if len(refs) == 0 {
		return next, nil
	}
	return next, o.Marks.MarkRecheck(ctx, o.s.Lease(), refs, o.s.Now())
}
