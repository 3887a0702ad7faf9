package audit

import (
	"context"
	"fmt"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// verifyLinks verifies the next links of a chain.
func (x *verifyStep) verifyLinks(ctx context.Context, c *chainPlace) error {
	list, err := x.verifier.Stores.Links.Links(ctx, c.Chain, c.Seq, linksInStep)
	if err != nil {
		return err
	}
	entries := 0
	for i := range list {
		l := &list[i]
		seq := c.Seq + 1
		if l.Seq > c.Last && seq > c.Last {
			break // newer than the verification
		}
		if l.Seq > seq { // read by its place: those between are gone
			x.reportMissingLinks(c, seq, min(l.Seq-1, c.Last))
			if c.Known, c.Seq = false, min(l.Seq-1, c.Last); l.Seq > c.Last {
				break
			}
			seq = l.Seq
		}
		genuine, err := x.verifyLink(ctx, c, seq, l)
		if err != nil {
			return err
		}
		c.Seq, c.Previous, c.Known = seq, l.Hash, genuine          // what is wrong with one link is said once
		if entries += l.Entries; entries > 20*store.LeavesInPart { // a step has its time
			return nil
		}
	}
	if c.Seq < c.Last && len(list) == linksInStep {
		return nil
	}
	if c.Seq < c.Last {
		x.reportMissingLinks(c, c.Seq+1, c.Last)
		c.Seq = c.Last
	} else if c.Last > 0 && c.Known && c.Previous != c.Hash && c.Hash != "" && c.Seq > c.From {
		x.report(c.Chain, c.Last, "", DiffLinkChanged, "The last link is not the one that the head of the chain names.")
	}
	c.Linked = true
	return x.compareRequestedHeads(ctx, c)
}

// reportMissingLinks reports links that are missing: each, up to a number.
func (x *verifyStep) reportMissingLinks(c *chainPlace, from, to int64) {
	for seq := from; seq <= to; seq++ {
		if seq-from == maxNamedInLink {
			x.counts[DiffLinkMissing] += int(to - seq + 1)
			return
		}
		x.report(c.Chain, seq, "", DiffLinkMissing, "The link is gone, and with it the proof for its entries.")
	}
}

// verifyLink verifies one link and the entries that it covers, and reports whether the
// link is one of ours.
func (x *verifyStep) verifyLink(ctx context.Context, c *chainPlace, seq int64, l *directory.ChainLink) (genuine bool, err error) {
	x.counts["links"]++
	if d := checkLink(l, c.Chain, seq, c.Previous, c.Known); d != nil {
		x.addDifferences(*d)
		return false, nil // what it says of entries is worth nothing
	}
	ours, err := x.verifier.Signer.Verify(ctx, statementBytes(&l.ChainStatement), l.MAC)
	if err != nil {
		return false, err
	}
	if !ours {
		x.report(c.Chain, seq, "", DiffLinkChanged, "The link's seal is not ours.")
		return false, nil
	}
	if err := x.verifyStatement(ctx, c, l); err != nil {
		return false, err
	}
	return true, x.verifyCovered(ctx, c, l)
}

// verifyCovered verifies what a genuine link covers.
func (x *verifyStep) verifyCovered(ctx context.Context, c *chainPlace, l *directory.ChainLink) error {
	of := l.Reason != directory.ChainHeads && l.Reason != directory.ChainBegin // entries
	if !x.verifier.now().Before(l.Expires) {
		if of {
			x.counts[DiffExpired] += l.Entries
		}
		return nil
	}
	leaves, err := x.verifier.Chains.Leaves.Leaves(ctx, l)
	if err != nil {
		return err
	}
	if len(leaves) != l.Entries || digestOf(leaves) != l.Digest {
		x.report(c.Chain, l.Seq, "", DiffLeaves, fmt.Sprintf("The digests of %d entries of %s are gone or changed.", l.Entries, l.Subject))
		return nil
	}
	if !of {
		return x.compareOtherChains(ctx, leaves)
	}
	if x.counts["entries"] += len(leaves); l.Form == 0 {
		x.counts[countOld] += len(leaves)
	}
	x.counts[countOld] += l.Unsealed
	return x.verifyEntries(ctx, c, l, leaves)
}

// verifyStatement holds what a link of the sealed form says against the rest.
func (x *verifyStep) verifyStatement(ctx context.Context, c *chainPlace, l *directory.ChainLink) error {
	if l.Form != directory.ChainFormSealed {
		return nil
	}
	x.addDifferences(linkFindings(l)...)
	if c.Chain == directory.AuditChain {
		if l.Through < c.Passed {
			x.report(c.Chain, l.Seq, "", DiffLinkChanged, "The link says that fewer hours were dealt with than the one before.")
		}
		c.Passed = l.Through
		return nil
	}
	if l.AuditHead == nil || l.AuditHead.Seq == c.Crossed {
		return nil
	}
	c.Crossed = l.AuditHead.Seq
	return x.compareHeads(ctx, []directory.ChainHead{{Chain: directory.AuditChain, Seq: l.AuditHead.Seq, Hash: l.AuditHead.Hash}},
		fmt.Sprintf("The chain of acts does not have the link that link %d of %s was made beside: it was cut off, or made anew.", l.Seq, l.Chain))
}
