package audit

import (
	"context"
	"errors"
	"fmt"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// head reads where a chain ends. A head that is not as one of ours wrote it is
// not believed: the chain's last genuine link says where it ends.
func (c *Chain) head(ctx context.Context, chain string) (store.Head, error) {
	h, err := c.Stores.Heads.Head(ctx, chain)
	if err != nil || h.Version > 0 && h.Seal == store.SealGood {
		return h, err
	}
	return c.trueHead(ctx, h)
}

// trueHead finds the end of a chain from its links and sets the head right. It
// raises an alarm when the head was changed; that an older version has moved it
// is no reason for one.
func (c *Chain) trueHead(ctx context.Context, h store.Head) (store.Head, error) {
	l, err := c.lastGenuineLink(ctx, h.Chain)
	if err != nil {
		return h, err
	}
	real := store.Head{Chain: h.Chain, Version: h.Version, Published: h.Published, PublishedSeal: h.PublishedSeal}
	if l != nil {
		real.Seq, real.Hash, real.At, real.Through = l.Seq, l.Hash, l.At, hourDealtWith(&l.ChainStatement)
	}
	same := h.Seq == real.Seq && h.Hash == real.Hash
	if !same || h.Seal == store.SealBroken && l != nil && l.Form != 0 {
		if err := c.alarm(ctx, h.Chain, DiffHeadChanged, fmt.Sprint(h.Seq),
			fmt.Sprintf("The head of the chain says link %d; its last link is %d.", h.Seq, real.Seq)); err != nil {
			return h, err
		}
	}
	if same && h.Seal == store.SealGood || l == nil {
		return real, nil
	}
	switch err := c.Stores.Heads.PassHours(ctx, real, real.Through); {
	case errors.Is(err, directory.ErrStale): // whoever was faster has set it right
	case err != nil:
		return h, err
	default:
		real.Version++
	}
	return real, nil
}

// lastGenuineLink finds the last link of a chain that is ours; nil when there is none.
func (c *Chain) lastGenuineLink(ctx context.Context, chain string) (*directory.ChainLink, error) {
	for before := int64(0); ; {
		list, err := c.Stores.Links.LinksBefore(ctx, chain, before, linksAtOnce)
		if err != nil || len(list) == 0 {
			return nil, err
		}
		for i := range list {
			if ours, err := c.isGenuine(ctx, &list[i], chain, list[i].Seq); err != nil || ours {
				return &list[i], err
			}
		}
		before = list[len(list)-1].Seq
	}
}

// isGenuine reports whether a link is one of ours, and of its place.
func (c *Chain) isGenuine(ctx context.Context, l *directory.ChainLink, chain string, seq int64) (bool, error) {
	if checkLink(l, chain, seq, "", false) != nil {
		return false, nil
	}
	return c.Signer.Verify(ctx, statementBytes(&l.ChainStatement), l.MAC)
}

// hourDealtWith is the last hour that a link of the audit chain says was dealt with.
func hourDealtWith(st *directory.ChainStatement) int64 {
	if hour, ok := subjectHour(st.Subject); ok && st.Form == 0 && st.Chain == directory.AuditChain {
		return hour
	}
	return st.Through
}
