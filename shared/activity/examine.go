package activity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// examination is one step of a verification.
type examination struct {
	*Verifier
	req    *VerifyRequest
	found  []Difference
	counts map[string]int
}

func (x *examination) add(list ...Difference) {
	for i, d := range list {
		x.counts[d.Code]++
		if i < toldInLink {
			x.found = append(x.found, d)
		}
	}
}

// begin lists the chains that are to be verified.
func (x *examination) begin(ctx context.Context, at *verifyPlace) error {
	heads, err := x.Store.Heads(ctx)
	if err != nil {
		return err
	}
	for _, h := range heads {
		if x.req.ConnectionID == "" || h.Chain == string(x.req.ConnectionID) {
			at.Chains = append(at.Chains, chainPlace{Chain: h.Chain, Last: h.Seq, Hash: h.Hash, Through: h.Through, Known: true})
		}
	}
	for _, k := range x.req.Heads {
		there := slices.ContainsFunc(at.Chains, func(c chainPlace) bool { return c.Chain == k.Chain })
		if !there && (x.req.ConnectionID == "" || k.Chain == string(x.req.ConnectionID)) {
			at.Chains = append(at.Chains, chainPlace{Chain: k.Chain, Known: true}) // the whole chain is gone
		}
	}
	for i := range at.Chains {
		if err := x.skip(ctx, &at.Chains[i]); err != nil {
			return err
		}
	}
	return nil
}

// skip goes to the first link that is young enough; links are in the order of
// their times.
func (x *examination) skip(ctx context.Context, c *chainPlace) error {
	first, err := x.Store.Links(ctx, c.Chain, 0, 1)
	if err != nil {
		return err
	}
	if len(first) > 0 {
		c.Began = first[0].At
	}
	if x.req.Since.IsZero() {
		return nil
	}
	low, high := int64(1), c.Last+1
	for low < high {
		mid := (low + high) / 2
		l, err := x.Store.Link(ctx, c.Chain, mid)
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
	return nil
}

// chain goes on with a chain.
func (x *examination) chain(ctx context.Context, c *chainPlace) error {
	switch {
	case !c.Linked:
		return x.links(ctx, c)
	case c.Chain == store.ActsChain:
		return x.strayHours(ctx, c)
	default:
		return x.strayRuns(ctx, c)
	}
}

// links verifies the next links of a chain.
func (x *examination) links(ctx context.Context, c *chainPlace) error {
	list, err := x.Store.Links(ctx, c.Chain, c.Seq, linksInStep)
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
			x.gone(c, seq, min(l.Seq-1, c.Last))
			if c.Known, c.Seq = false, min(l.Seq-1, c.Last); l.Seq > c.Last {
				break
			}
			seq = l.Seq
		}
		if err := x.link(ctx, c, seq, l); err != nil {
			return err
		}
		c.Seq, c.Previous, c.Known = seq, l.Hash, true
		if entries += l.Entries; entries > 20*store.LeavesInPart { // a step has its time
			return nil
		}
	}
	if c.Seq < c.Last && len(list) == linksInStep {
		return nil
	}
	if c.Seq < c.Last {
		x.gone(c, c.Seq+1, c.Last)
		c.Seq = c.Last
	} else if c.Last > 0 && c.Known && c.Previous != c.Hash && c.Hash != "" {
		x.add(Difference{Chain: c.Chain, Seq: c.Last, Code: DiffLinkChanged, Text: "The last link is not the one that the head of the chain names."})
	}
	c.Linked = true
	return x.heads(ctx, c)
}

// gone reports links that are missing: each, up to a number.
func (x *examination) gone(c *chainPlace, from, to int64) {
	for seq := from; seq <= to; seq++ {
		if seq-from == toldInLink {
			x.counts[DiffLinkMissing] += int(to - seq + 1)
			return
		}
		x.add(Difference{Chain: c.Chain, Seq: seq, Code: DiffLinkMissing, Text: "The link is gone, and with it the proof for its entries."})
	}
}

// heads holds the chain against what was told of it.
func (x *examination) heads(ctx context.Context, c *chainPlace) error {
	for _, k := range x.req.Heads {
		if k.Chain != c.Chain {
			continue
		}
		l, err := x.Store.Link(ctx, k.Chain, k.Seq)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return err
		}
		if err != nil || l.Hash != k.Hash || hashOf(&l.Statement) != k.Hash {
			x.add(Difference{Chain: c.Chain, Seq: k.Seq, Code: DiffHead, Text: "The chain does not have the link that was told of: it was cut off, or made anew."})
		}
	}
	return nil
}

// link verifies one link and the entries that it covers.
func (x *examination) link(ctx context.Context, c *chainPlace, seq int64, l *store.Link) error {
	x.counts["links"]++
	if d := examineLink(l, c.Chain, seq, c.Previous, c.Known); d != nil {
		x.add(*d)
		return nil // what it says of entries is worth nothing
	}
	ours, err := x.Seal.Verify(ctx, statementBytes(&l.Statement), l.MAC)
	if err != nil {
		return err
	}
	if !ours {
		x.add(Difference{Chain: c.Chain, Seq: seq, Code: DiffLinkChanged, Text: "The link's seal is not ours."})
		return nil
	}
	if !x.now().Before(l.Expires) {
		x.counts[DiffExpired] += l.Entries
		return nil
	}
	leaves, err := x.Store.Leaves(ctx, l)
	if err != nil {
		return err
	}
	if len(leaves) != l.Entries || digestOf(leaves) != l.Digest {
		x.add(Difference{Chain: c.Chain, Seq: seq, Code: DiffLeaves, Text: fmt.Sprintf("The digests of %d entries of %s are gone or changed.", l.Entries, l.Subject)})
		return nil
	}
	x.counts["entries"] += len(leaves)
	found, err := x.present(ctx, l)
	if err != nil {
		return err
	}
	diffs := compare(c.Chain, seq, leaves, found)
	if last, err := x.coveredLater(ctx, l); err != nil {
		return err
	} else if last {
		diffs = withoutInserted(diffs)
	}
	x.add(diffs...)
	return nil
}

// present makes the leaves of what stands in the table of a link's subject now.
func (x *examination) present(ctx context.Context, l *store.Link) ([]store.Leaf, error) {
	if hour, ok := subjectHour(l.Subject); ok && l.Chain == store.ActsChain {
		leaves, _, err := hourLeaves(ctx, x.Store, hour)
		return leaves, err
	}
	leaves, _, err := runLeaves(ctx, x.Store, directory.RunID(l.Subject))
	if errors.Is(err, directory.ErrNotFound) {
		return nil, nil // before its time: every entry is missing
	}
	return leaves, err
}

// coveredLater reports whether a later link of the same subject covers what came
// in after this one; it is verified in its turn. A run that bears a mark is
// about to get one.
func (x *examination) coveredLater(ctx context.Context, l *store.Link) (bool, error) {
	if l.Chain != store.ActsChain {
		if marked, err := x.Store.IsUnlinked(ctx, directory.ConnectionID(l.Chain), directory.RunID(l.Subject)); err != nil || marked {
			return marked, err
		}
	}
	seq, err := x.Store.LinkOf(ctx, l.Chain, l.Subject)
	if err != nil || seq <= l.Seq {
		return false, err
	}
	next, err := x.Store.Link(ctx, l.Chain, seq)
	if errors.Is(err, directory.ErrNotFound) {
		return false, nil
	}
	return err == nil && next.Subject == l.Subject && next.Seq == seq, err
}

func withoutInserted(list []Difference) []Difference {
	var kept []Difference
	for _, d := range list {
		if d.Code != DiffInserted {
			kept = append(kept, d)
		}
	}
	return kept
}

// strayRuns looks for runs that have ended, did something, and that no link
// covers. Those from before the chain began are left alone.
func (x *examination) strayRuns(ctx context.Context, c *chainPlace) error {
	runs, next, err := x.Store.Runs(ctx, directory.ConnectionID(c.Chain), c.Cursor, runsInStep)
	if err != nil {
		return err
	}
	c.Cursor = next
	for i := range runs {
		r := &runs[i]
		if r.StartedAt.Before(x.req.Since) || r.StartedAt.Before(c.Began) && c.Last > 0 && r.EndedAt.Before(c.Began) {
			if r.StartedAt.Before(x.req.Since) {
				c.Cursor = "" // older ones follow
			}
			continue
		}
		if err := x.strayRun(ctx, c, r); err != nil {
			return err
		}
	}
	c.Done = c.Cursor == ""
	return nil
}

func (x *examination) strayRun(ctx context.Context, c *chainPlace, r *store.RunRecord) error {
	if !r.State.Ended() || r.DryRun || x.now().Sub(r.EndedAt) < settling {
		return nil
	}
	covered, err := x.covered(ctx, c, string(r.ID))
	if err != nil || covered {
		return err
	}
	if marked, err := x.Store.IsUnlinked(ctx, r.ConnectionID, r.ID); err != nil || marked {
		return err
	}
	leaves, _, err := runLeaves(ctx, x.Store, r.ID)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return err
	}
	x.add(compare(c.Chain, 0, nil, leaves)...)
	return nil
}

// covered reports whether a subject has a link, or had one that is reported as
// gone. The pointer to it is no proof: the link itself must name the subject.
func (x *examination) covered(ctx context.Context, c *chainPlace, subject string) (bool, error) {
	seq, err := x.Store.LinkOf(ctx, c.Chain, subject)
	if err != nil || seq < 1 {
		return false, err
	}
	l, err := x.Store.Link(ctx, c.Chain, seq)
	if errors.Is(err, directory.ErrNotFound) {
		return seq <= c.Last, nil
	}
	return err == nil && l.Subject == subject, err
}

// strayHours looks for acts in hours that the chain has dealt with and found
// empty.
func (x *examination) strayHours(ctx context.Context, c *chainPlace) error {
	if c.Hour == 0 {
		from := c.Began
		if first, err := x.Store.Links(ctx, c.Chain, 0, 1); err != nil {
			return err
		} else if len(first) > 0 {
			if hour, ok := subjectHour(first[0].Subject); ok {
				from = time.Unix(hour*3600, 0)
			}
		}
		from = later(from, x.req.Since)
		if c.Hour = from.Unix()/3600 - 1; from.IsZero() {
			c.Hour = c.Through
		}
	}
	until := min(c.Through, c.Hour+hoursInStep)
	for ; c.Hour < until; c.Hour++ {
		hour := c.Hour + 1
		leaves, _, err := hourLeaves(ctx, x.Store, hour)
		if err != nil {
			return err
		}
		if len(leaves) == 0 {
			continue
		}
		covered, err := x.covered(ctx, c, hourSubject(hour))
		if err != nil {
			return err
		}
		if !covered {
			x.add(compare(c.Chain, 0, nil, leaves)...)
		}
	}
	c.Done = c.Hour >= c.Through
	return nil
}
