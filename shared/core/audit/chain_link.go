package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// sealedLeaves takes those entries that bear the seal of whoever did what they say,
// and counts the others: those from before records were sealed, which old says,
// and those that are not ours, which are left out.
func (c *Chain) sealedLeaves(ctx context.Context, st *directory.ChainStatement, entries []storedEntry, old func(*sealedForm, *storedEntry) bool) ([]directory.ChainLeaf, error) {
	leaves := make([]directory.ChainLeaf, 0, len(entries))
	var b *sealedForm
	for i := range entries {
		e := &entries[i]
		if e.Seal == store.SealNone {
			if b == nil {
				var err error
				if b, err = c.readOrBeginSealedForm(ctx); err != nil {
					return nil, err
				}
			}
			if old(b, e) {
				st.Unsealed++
				leaves = append(leaves, e.ChainLeaf)
				continue
			}
		}
		if e.Seal != store.SealGood {
			st.Refused++
			continue
		}
		leaves = append(leaves, e.ChainLeaf)
	}
	if st.Refused == 0 {
		return leaves, nil
	}
	return leaves, c.alarm(ctx, st.Chain, DiffForged, st.Subject,
		fmt.Sprintf("%d entries of %s bear no seal of ours. They were left out of its link.", st.Refused, st.Subject))
}

// addLink appends a link and tells its head. The statement's own part is given; its
// place in the chain is found here, anew for as long as others are faster. The
// link is nil when another has made it.
func (c *Chain) addLink(ctx context.Context, st *directory.ChainStatement, leaves []directory.ChainLeaf, mark *store.PendingLink) (*directory.ChainLink, error) {
	var last store.Head
	for try := 1; ; try++ {
		h, err := c.head(ctx, st.Chain)
		if err == nil && try > 1 && h == last {
			h, err = c.trueHead(ctx, h) // nobody was faster: the head was put back
		}
		if err != nil {
			return nil, err
		}
		last = h
		if st.Chain == directory.AuditChain {
			if st.Reason == directory.ChainHour && h.Through >= st.Through {
				return nil, nil // another was faster
			}
			h.Through = max(h.Through, st.Through)
			st.Through = h.Through
		} else if st.AuditHead, err = c.auditHead(ctx); err != nil {
			return nil, err
		}
		l, err := c.nextLink(ctx, h, *st, leaves)
		if err != nil {
			return nil, err
		}
		if err := c.Stores.Leaves.PutLeaves(ctx, &l.ChainStatement, leaves); err != nil {
			return nil, err
		}
		err = c.Stores.Links.AddLink(ctx, h, &l, mark)
		if err == nil {
			return &l, c.publishHead(ctx, l.Chain, l.Seq, l.Hash, l.At)
		}
		if !errors.Is(err, directory.ErrStale) || try == linkTries || st.Reason == directory.ChainBegin { // it begins once
			return nil, err
		}
		if mark != nil {
			still, stillErr := c.Stores.Pending.IsPending(ctx, mark)
			if stillErr != nil || !still {
				return nil, stillErr // linked, or marked anew: then the next look links it
			}
		}
	}
}

// auditHead is where the audit chain ends: links of the others say it, so that
// neither can be cut off without the other.
func (c *Chain) auditHead(ctx context.Context) (*directory.ChainLinkRef, error) {
	h, err := c.head(ctx, directory.AuditChain)
	if err != nil || h.Seq == 0 {
		return nil, err
	}
	return &directory.ChainLinkRef{Seq: h.Seq, Hash: h.Hash}, nil
}

// nextLink makes the next link of a chain.
func (c *Chain) nextLink(ctx context.Context, h store.Head, st directory.ChainStatement, leaves []directory.ChainLeaf) (directory.ChainLink, error) {
	st.Seq, st.At, st.Previous, st.Form = h.Seq+1, c.now().UTC().Truncate(time.Millisecond), h.Hash, directory.ChainFormSealed
	st.Entries, st.Digest, st.Parts = len(leaves), digestOf(leaves), (len(leaves)+store.LeavesInPart-1)/store.LeavesInPart
	l := directory.ChainLink{ChainStatement: st, Hash: hashOf(&st)}
	var err error
	l.MAC, l.Key, err = c.Signer.Sign(ctx, statementBytes(&st))
	return l, err
}
