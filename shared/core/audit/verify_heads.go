package audit

import (
	"context"
	"fmt"
	"slices"

	"bindery/shared/directory"
)

// compareRequestedHeads holds the chain against the heads that the request names.
func (x *verifyStep) compareRequestedHeads(ctx context.Context, c *chainPlace) error {
	var list []directory.ChainHead
	for _, k := range x.req.Heads {
		if k.Chain == c.Chain {
			list = append(list, directory.ChainHead{Chain: k.Chain, Seq: k.Seq, Hash: k.Hash})
		}
	}
	return x.compareHeads(ctx, list, "The chain does not have the link that was told of: it was cut off, or made anew.")
}

// compareKeptHeads holds the chain against the heads that are kept where the table's writer
// cannot reach, some at a time.
func (x *verifyStep) compareKeptHeads(ctx context.Context, c *chainPlace) error {
	if x.verifier.Keep == nil {
		c.Held = true
		return nil
	}
	list, err := x.verifier.Keep.Kept(ctx, c.Chain, max(c.Kept, c.From), keptInStep)
	if err != nil {
		return fmt.Errorf("heads that are kept: %w", err)
	}
	x.counts["heads"] += len(list)
	if err := x.compareHeads(ctx, list, "The chain does not have the link whose head is kept outside: it was cut off, or made anew."); err != nil {
		return err
	}
	if len(list) < keptInStep {
		c.Held = true
		return nil
	}
	c.Kept = list[len(list)-1].Seq
	if list[0].Seq < c.Kept {
		c.Kept-- // of the last one there may be more
	}
	return nil
}

// compareOtherChains holds the other chains against where the audit chain says that they
// ended.
func (x *verifyStep) compareOtherChains(ctx context.Context, leaves []directory.ChainLeaf) error {
	for i := range leaves {
		h, ok := headOfLeaf(&leaves[i])
		if !ok {
			continue
		}
		err := x.compareHeads(ctx, []directory.ChainHead{h}, "The chain does not have the link that the chain of acts knows: it was cut off, or made anew.")
		if err != nil {
			return err
		}
	}
	return nil
}

// compareHeads holds links against heads.
func (x *verifyStep) compareHeads(ctx context.Context, heads []directory.ChainHead, text string) error {
	for part := range slices.Chunk(heads, linksReadAtOnce) {
		seqs := make([]int64, 0, len(part))
		for _, h := range part {
			if !slices.Contains(seqs, h.Seq) {
				seqs = append(seqs, h.Seq)
			}
		}
		links, err := x.verifier.Stores.Links.LinksAt(ctx, part[0].Chain, seqs)
		if err != nil {
			return err
		}
		for _, h := range part {
			if l, there := links[h.Seq]; !there || l.Hash != h.Hash || hashOf(&l.ChainStatement) != h.Hash {
				x.report(h.Chain, h.Seq, "", DiffHead, text)
			}
		}
	}
	return nil
}
