package licences

import (
	"context"
	"maps"
	"slices"
	"strings"

	"bindery/shared/core/licensing"
	"bindery/shared/core/plan"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
)

// net is what a run made of one product of one account.
type net struct{ was, wrote directory.Value }

// netsOf adds the changes of a run up, by user and product.
func netsOf(changes []directory.Change) map[directory.Ref]map[string]net {
	all := map[directory.Ref]map[string]net{}
	for i := range changes {
		c := &changes[i]
		if c.Effect == directory.EffectLicenceReprocess {
			continue // Microsoft was asked, and no more
		}
		if all[c.Object] == nil {
			all[c.Object] = map[string]net{}
		}
		for _, p := range c.Properties {
			n, again := all[c.Object][p.Name]
			if !again {
				n.was = p.Before
			}
			n.wrote = p.After
			all[c.Object][p.Name] = n
		}
	}
	return all
}

// Undo plans the inverse of changes, product by product, as far as accounts still have
// what these left.
func (o *objects) Undo(ctx context.Context, w reconcile.Work, changes []directory.Change) (plan.Undone, error) {
	var out plan.Undone
	nets := netsOf(changes)
	refs := slices.SortedFunc(maps.Keys(nets), func(a, b directory.Ref) int { return strings.Compare(a.ID, b.ID) })
	list, err := o.undone(ctx, refs, accountsOf(changes))
	if err != nil {
		return out, err
	}
	if err := o.observe(ctx, w, list); err != nil {
		return out, err
	}
	for n, h := range list {
		h.holder.Held = h.held
		c, left := back(w.Run.UndoOf, refs[n], h, nets[refs[n]])
		if c != nil {
			out.Changes = append(out.Changes, *c)
		}
		out.Left = append(out.Left, left...)
	}
	return out, nil
}

// accountsOf are the accounts that changes were of, by whose licences they are.
func accountsOf(changes []directory.Change) map[directory.Ref]directory.AccountID {
	of := make(map[directory.Ref]directory.AccountID, len(changes))
	for i := range changes {
		of[changes[i].Object] = changes[i].AccountID
	}
	return of
}

// undone reads those whom changes are about, each in its place. A record that has gone is
// as one that says nothing; who has no account bound is looked at by the one that the
// changes were of.
func (o *objects) undone(ctx context.Context, refs []directory.Ref, of map[directory.Ref]directory.AccountID) ([]*holding, error) {
	found, err := o.records.of(ctx, refs)
	if err != nil {
		return nil, err
	}
	ids := make([]directory.UserID, len(refs))
	for i, ref := range refs {
		ids[i] = user(ref)
	}
	persons, err := o.records.persons(ctx, ids)
	if err != nil {
		return nil, err
	}
	list := make([]*holding, len(refs))
	for i, ref := range refs {
		h := &holding{record: found[ref], person: persons[ids[i]], former: of[ref]}
		if h.record == nil {
			h.record = &directory.Binding{Object: ref}
			if h.user != nil {
				h.record.Wanted = h.user.Version
			}
		}
		list[i] = h
	}
	return list, nil
}

// back is the change that takes back what a run made of one account's products, and what
// is left as it is. What the ledger does not know of is nobody's but others': the same
// product, given by somebody else after ours was taken, stays.
func back(run directory.RunID, ref directory.Ref, h *holding, nets map[string]net) (*directory.Change, []plan.Left) {
	switch {
	case !h.there || h.accountID() == "" || h.account == nil && !onlyTook(nets):
		return nil, []plan.Left{plan.LeftOf(ref, plan.LeftReleased)}
	case h.held == nil:
		return nil, []plan.Left{plan.LeftOf(ref, plan.LeftNotRead)}
	}
	var left []plan.Left
	from, to, ours := licensing.Ledger{}, licensing.Ledger{}, h.given()
	given, adjusted, taken := 0, 0, 0
	for _, name := range slices.Sorted(maps.Keys(nets)) {
		n := nets[name]
		sku, _ := directory.LicenceOfProperty(name)
		observed := h.direct(sku)
		_, gave := ours[sku]
		switch {
		case observed.Equal(n.was):
			continue
		case !observed.Equal(n.wrote), !observed.IsNull() && !gave:
			l := plan.LeftOf(ref, plan.LeftChanged)
			l.Property, l.Wrote, l.Found = name, n.wrote, observed
			left = append(left, l)
			continue
		}
		is, has := directory.LicencePlansOff(observed)
		was, had := directory.LicencePlansOff(n.was)
		if has {
			from[sku] = is
		}
		switch {
		case !had:
			taken++
		case !has:
			to[sku], given = was, given+1
		default:
			to[sku], adjusted = was, adjusted+1
		}
	}
	if given+adjusted+taken == 0 {
		return nil, left
	}
	c := changeOf(h, licensing.EffectOf(given, adjusted, taken), from, to)
	c.Reason, c.UserVersion = "has the licences from before "+string(run)+" again", h.record.Wanted
	return &c, left
}

// onlyTook reports whether a run has given nothing: what it took from somebody who left is
// given back to whom the same undo makes ours again.
func onlyTook(nets map[string]net) bool {
	for _, n := range nets {
		if !n.wrote.IsNull() {
			return false
		}
	}
	return true
}

// found is what the tenant has of the products of some changes, each in its place; nil:
// it is not known, or the change's account is not.
func (o *objects) found(ctx context.Context, w reconcile.Work, changes []*directory.Change) ([]*holding, error) {
	refs := make([]directory.Ref, len(changes))
	of := make(map[directory.Ref]directory.AccountID, len(changes))
	for i, c := range changes {
		refs[i], of[c.Object] = c.Object, c.AccountID
	}
	list, err := o.undone(ctx, refs, of)
	if err != nil {
		return nil, err
	}
	if err := o.observe(ctx, w, list); err != nil {
		return nil, err
	}
	for _, h := range list {
		h.holder.Held = h.held
	}
	return list, nil
}

// Drifted reads the licences that changes are about: exactly what was approved is
// written, or nothing. What is as a change wants it may be so by that change itself, of
// which nobody heard: it is sent again, and so noted as ours.
func (o *objects) Drifted(ctx context.Context, w reconcile.Work, all []directory.Change, places []int) (map[int]reconcile.Verdict, error) {
	var list []*directory.Change
	var at []int
	for _, i := range places {
		if all[i].AccountID != "" {
			list, at = append(list, &all[i]), append(at, i)
		}
	}
	found, err := o.found(ctx, w, list)
	if err != nil {
		return nil, err
	}
	out := map[int]reconcile.Verdict{}
	for n, c := range list {
		p := &directory.Problem{Code: directory.CodeOutdated, Next: "The next run plans it anew."}
		h := found[n]
		switch {
		case h.held == nil:
			p.Message = "Whether the account's licences are still as they were could not be read."
		case h.differs(c, before) && h.differs(c, afterwards) && !earlier(all, at[n]):
			p.Message = "The account's licences changed after this was planned."
		default:
			continue
		}
		out[at[n]] = reconcile.Verdict{State: directory.ChangeOutdated, Problem: p}
	}
	return out, nil
}

// earlier reports whether another change of the same user goes first, so that what is
// read now says nothing about this one.
func earlier(all []directory.Change, i int) bool {
	return slices.ContainsFunc(all[:i], func(c directory.Change) bool {
		return c.Object == all[i].Object && (c.State == directory.ChangePlanned || c.State == directory.ChangeApproved)
	})
}

// differs reports whether a product of an account is not as a change has it.
func (h *holding) differs(c *directory.Change, as func(*directory.PropertyChange) directory.Value) bool {
	return slices.ContainsFunc(c.Properties, func(p directory.PropertyChange) bool {
		sku, is := directory.LicenceOfProperty(p.Name)
		return is && !h.direct(sku).Equal(as(&p))
	})
}

// stillHas reports whether an account is read as having all that a change takes away.
func (h *holding) stillHas(c *directory.Change) bool {
	return !slices.ContainsFunc(c.Properties, func(p directory.PropertyChange) bool {
		sku, is := directory.LicenceOfProperty(p.Name)
		return is && p.After.IsNull() && !p.Before.IsNull() && h.direct(sku).IsNull()
	})
}

func before(p *directory.PropertyChange) directory.Value { return p.Before }

func afterwards(p *directory.PropertyChange) directory.Value { return p.After }

// ReadBack reads the licences that were written.
func (o *objects) ReadBack(ctx context.Context, w reconcile.Work, changes []*directory.Change) ([]plan.ReadBack, error) {
	found, err := o.found(ctx, w, changes)
	if err != nil {
		return nil, err
	}
	out := make([]plan.ReadBack, len(changes))
	for n, c := range changes {
		out[n] = plan.ReadAgrees
		if h := found[n]; h.held == nil || h.differs(c, afterwards) {
			out[n] = plan.Unread(w.Now().Sub(c.At))
		}
	}
	return out, nil
}

// Names are none: nobody else's licence is in the way of one.
func (o *objects) Names(*directory.Change) (gives, takes string) { return "", "" }

// Taken is not met: the record of licences claims no object of the tenant.
func (o *objects) Taken(by directory.Ref) *directory.Problem {
	return &directory.Problem{Code: directory.CodeAccountBound, Message: "The account is bound to another user.", Holder: by.ID}
}

// Batch sends changes of licences.
func (o *objects) Batch(w reconcile.Work) reconcile.Batch { return &batch{o: o, w: w} }
