package licences

import (
	"context"

	"bindery/shared/core/licensing"
	"bindery/shared/directory"
)

// Of very many who compete for seats, those who are looked at together are a part. The
// others are known by their rules only, which is enough to leave a seat to each of them who
// is before in line: so the order is that of all, and what is left to somebody who turns out
// need none is given out when the line is looked at next.

// mostClaims is how many others are gone through, when seats are short. Of more than these
// the order is that of parts: it would take longer to know them than to serve them.
const mostClaims = 20000

// claims are the products that others than some may need who compete for seats as well, if
// seats of a product may be short.
func (o *objects) claims(ctx context.Context, k *outlook, but []directory.Ref, seats []licensing.Seats, skus []directory.LicenceSKU) ([]licensing.Claim, error) {
	_, records, err := o.records.store.BoundObjects(ctx, directory.KindLicence, o.s.Connection().ID, o.s.Epoch())
	if err != nil {
		return nil, err
	}
	short := map[directory.SKUID]bool{}
	for i := range seats {
		if s := &seats[i]; s.Total-s.Used < max(records, len(but)+1) || s.Waiting > 0 {
			short[s.SKU] = true
		}
	}
	if len(short) == 0 {
		return nil, nil
	}
	others, err := o.others(ctx, k, but)
	if err != nil || len(others) == 0 {
		return nil, err
	}
	var list []licensing.Claim
	err = o.records.source.Wishes(ctx, o.s.Connection(), func(u directory.UserID, r *Rule) {
		given, is := others[u]
		w := wishOf(r, skus)
		if _, has := given[w.SKU]; is && !has && short[w.SKU] {
			list = append(list, licensing.Claim{User: u, SKU: w.SKU, Priority: w.Priority, Since: w.Since})
			given[w.SKU] = nil // a second wish claims no second seat
		}
	})
	return list, err
}

// others are those who wait for a seat or are marked, without some and those who have been
// decided about in the run, with what we gave them.
func (o *objects) others(ctx context.Context, k *outlook, but []directory.Ref) (map[directory.UserID]licensing.Ledger, error) {
	c := o.s.Connection()
	r := &rivals{all: map[directory.Ref]bool{}, but: map[directory.Ref]bool{}, most: mostClaims}
	for ref := range k.decided {
		r.but[ref] = true
	}
	for _, ref := range but {
		r.but[ref] = true
	}
	err := paged(func(cursor string) (string, error) {
		waiting, next, err := o.records.store.ListProblems(ctx, c.ID, c.Epoch, directory.CodeWaitingForSeat, cursor, 0)
		for i := range waiting {
			r.add(waiting[i].Ref())
		}
		return r.unlessFull(next), err
	})
	if err != nil {
		return nil, err
	}
	err = paged(func(cursor string) (string, error) {
		marks, next, err := o.records.store.ListMarks(ctx, c.ID, c.Epoch, cursor, manyMarks)
		for _, m := range marks {
			r.add(m.Ref)
		}
		return r.unlessFull(next), err
	})
	if err != nil {
		return nil, err
	}
	out := make(map[directory.UserID]licensing.Ledger, len(r.all))
	refs := make([]directory.Ref, 0, len(r.all))
	for ref := range r.all {
		refs = append(refs, ref)
	}
	const page = 1000
	for len(refs) > 0 {
		n := min(page, len(refs))
		found, err := o.records.of(ctx, refs[:n])
		if err != nil {
			return nil, err
		}
		for ref, b := range found {
			out[user(ref)] = ledger(b.Base, accountOf(b.Base))
		}
		refs = refs[n:]
	}
	return out, nil
}
