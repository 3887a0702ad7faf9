package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// listChains lists the chains that are to be verified: those that have a head, those
// of all connections, and those that are known outside of the table.
func (x *verifyStep) listChains(ctx context.Context) error {
	names := map[string]bool{directory.AuditChain: true}
	heads, err := x.verifier.Chains.Heads.Heads(ctx)
	if err != nil {
		return err
	}
	for _, h := range heads {
		names[h.Chain] = true
	}
	for _, k := range x.req.Heads {
		names[k.Chain] = true
	}
	if x.verifier.Keep != nil {
		kept, err := x.verifier.Keep.Chains(ctx)
		if err != nil {
			return fmt.Errorf("heads that are kept: %w", err)
		}
		for _, name := range kept {
			names[name] = true
		}
	}
	for c, err := range everyConnection(ctx, x.verifier.Chains.Connections) {
		if err != nil {
			return err
		}
		names[string(c.ID)] = true
	}
	if x.req.ConnectionID != "" {
		names = map[string]bool{string(x.req.ConnectionID): true}
	}
	for _, name := range sortedNames(names) {
		c := chainPlace{Chain: name, Known: true}
		if err := x.findEnd(ctx, &c); err != nil {
			return err
		}
		if err := x.skipOldLinks(ctx, &c); err != nil {
			return err
		}
		x.at.Chains = append(x.at.Chains, c)
	}
	return nil
}

// findEnd finds where a chain ends. The links themselves are read first: a head that
// says less than they do was put back.
func (x *verifyStep) findEnd(ctx context.Context, c *chainPlace) error {
	last, err := x.verifier.Chains.Links.LinksBefore(ctx, c.Chain, 0, 1)
	if err != nil {
		return err
	}
	h, err := x.verifier.Chains.Heads.Head(ctx, c.Chain)
	if err != nil {
		return err
	}
	c.Last, c.Hash, c.Through, c.Sealed = h.Seq, h.Hash, h.Through, h.Version > 0 && h.Seal == store.SealGood
	var l directory.ChainLink
	if len(last) > 0 {
		l = last[0]
	}
	switch {
	case l.Seq > h.Seq:
		x.report(c.Chain, h.Seq, "", DiffHeadChanged, fmt.Sprintf("The head of the chain says link %d, and there is link %d.", h.Seq, l.Seq))
		c.Last, c.Hash, c.Through = l.Seq, "", hourDealtWith(&l.ChainStatement)
	case h.Seal == store.SealBroken && !(l.Form == 0 && l.Seq == h.Seq && l.Hash == h.Hash),
		h.Seal == store.SealNone && h.Version > 0 && l.Form != 0:
		x.report(c.Chain, h.Seq, "", DiffHeadChanged, "The head of the chain bears no seal of ours.")
		c.Through = hourDealtWith(&l.ChainStatement)
	case h.Seal != store.SealGood: // of an older version
		c.Through = hourDealtWith(&l.ChainStatement)
	}
	return nil
}

// skipOldLinks goes to the first link that is young enough; links are in the order of
// their times.
func (x *verifyStep) skipOldLinks(ctx context.Context, c *chainPlace) error {
	if x.req.Since.IsZero() {
		return nil
	}
	low, high := int64(1), c.Last+1
	for low < high {
		mid := (low + high) / 2
		l, err := x.verifier.Chains.Links.Link(ctx, c.Chain, mid)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return err
		}
		if err == nil && l.At.Before(x.req.Since) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	c.Seq, c.Known = low-1, low == 1
	c.From = c.Seq
	return nil
}

// verifyChain goes on with a chain: its links, then what was kept of it, then its runs.
func (x *verifyStep) verifyChain(ctx context.Context, c *chainPlace) error {
	switch {
	case !c.Linked:
		return x.verifyLinks(ctx, c)
	case !c.Held:
		return x.compareKeptHeads(ctx, c)
	case c.Chain != directory.AuditChain:
		return x.verifyRuns(ctx, c)
	}
	x.checkAuditLag(c)
	c.Done = true
	return nil
}

// checkAuditLag reports that the audit chain has not dealt with hours that are long
// over.
func (x *verifyStep) checkAuditLag(c *chainPlace) {
	through := time.Unix((c.Through+1)*3600, 0)
	if c.Sealed && x.at.Began.Sub(through) > linkWithin {
		x.report(c.Chain, c.Last, "", DiffUnlinked, fmt.Sprintf("The acts since %s are not part of the chain yet: the schedule stands still, or the head was put back.", through.UTC().Format(time.RFC3339)))
	}
}

func sortedNames(names map[string]bool) []string {
	list := make([]string, 0, len(names))
	for name := range names {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
