package audit

import (
	"context"
	"errors"
	"sort"
	"strconv"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// LinkHours links the audit events of every hour that has passed and was not dealt with,
// and where the other chains ended, in the audit chain.
func (c *Chain) LinkHours(ctx context.Context) error {
	last := c.lastHour()
	h, err := c.Stores.Heads.Head(ctx, directory.AuditChain)
	if err != nil || h.Version > 0 && h.Seal == store.SealGood && h.Through >= last {
		return err
	}
	b, err := c.readOrBeginSealedForm(ctx)
	if err != nil {
		return err
	}
	if h, err = c.head(ctx, directory.AuditChain); err != nil || h.Through >= last {
		return err
	}
	// First the heads: whoever dies after this line does it once more.
	if err := c.linkHeads(ctx, b, h.Through); err != nil {
		return err
	}
	until := min(last, h.Through+hoursAtOnce)
	for hour := h.Through + 1; hour <= until; hour++ {
		if err := c.linkHour(ctx, b, hour); err != nil {
			return err
		}
	}
	if h, err = c.head(ctx, directory.AuditChain); err != nil || h.Through >= until {
		return err
	}
	if err := c.Stores.Heads.PassHours(ctx, h, until); !errors.Is(err, directory.ErrStale) {
		return err
	}
	return nil // another tick is at it
}

// lastHour is the last hour (since 1970) that is over.
func (c *Chain) lastHour() int64 { return c.now().Add(-graceAfterEnd).Unix()/3600 - 1 }

func (c *Chain) linkHour(ctx context.Context, b *sealedForm, hour int64) error {
	j, err := entriesOfHour(ctx, c.Stores.AuditEvents, hour, true)
	if err != nil || len(j.entries) == 0 {
		return err
	}
	st := directory.ChainStatement{Chain: directory.AuditChain, Subject: hourSubject(hour), Expires: j.expires.UTC(), Reason: directory.ChainHour,
		Due: time.Unix((hour+1)*3600, 0).UTC(), Through: hour, Begun: b.seq}
	leaves, err := c.sealedLeaves(ctx, &st, j.entries, func(b *sealedForm, e *storedEntry) bool { return b.mayBeUnsealedEvent(e.At) })
	if err != nil {
		return err
	}
	_, err = c.addLink(ctx, &st, leaves, nil)
	return err
}

// linkHeads links where those chains end that have grown since an hour that was
// dealt with: a chain that is cut off later, or made anew, is not the one that
// the audit chain knows.
func (c *Chain) linkHeads(ctx context.Context, b *sealedForm, through int64) error {
	heads, err := c.Stores.Heads.Heads(ctx)
	if err != nil {
		return err
	}
	since := time.Unix((through+1)*3600, 0).Add(-clockSkew)
	var leaves []directory.ChainLeaf
	for i := range heads {
		h := &heads[i]
		if h.Chain == directory.AuditChain || h.Seq == 0 || h.At.Before(since) || h.At.Before(b.at.Add(-clockSkew)) {
			continue // older ones are known already, if only by how the form began
		}
		if h.Seal != store.SealGood {
			if *h, err = c.trueHead(ctx, *h); err != nil || h.Seq == 0 {
				return err
			}
		}
		leaves = append(leaves, headLeaf(h.Chain, h.Seq, h.Hash))
	}
	if len(leaves) == 0 {
		return nil
	}
	_, err = c.addAuditLink(ctx, directory.ChainHeads, b.seq, leaves, through)
	return err
}

// addAuditLink links what is no entry: it is due now, and kept as long as entries.
func (c *Chain) addAuditLink(ctx context.Context, why directory.ChainReason, begun int64, leaves []directory.ChainLeaf, through int64) (*directory.ChainLink, error) {
	sort.Slice(leaves, func(i, j int) bool { return compareLeaves(leaves[i], leaves[j]) < 0 })
	now := c.now().UTC().Truncate(time.Second)
	st := directory.ChainStatement{Chain: directory.AuditChain, Subject: string(why) + " " + now.Format(time.RFC3339), Reason: why,
		Due: now, Expires: now.Add(c.retention()), Through: through, Begun: begun}
	return c.addLink(ctx, &st, leaves, nil)
}

// Leaves of links that are not of entries.
const (
	leafHead = "head:" // chain and number; the sum is the link's hash
	leafRun  = "run:"  // a run; the sum is its connection
)

func headLeaf(chain string, seq int64, hash string) directory.ChainLeaf {
	return directory.ChainLeaf{ID: leafHead + chain + ":" + strconv.FormatInt(seq, 10), Sum: hash}
}

// headOfLeaf is the head that a leaf says.
func headOfLeaf(l *directory.ChainLeaf) (directory.ChainHead, bool) {
	name, ok := strings.CutPrefix(l.ID, leafHead)
	at := strings.LastIndexByte(name, ':')
	if !ok || at < 0 {
		return directory.ChainHead{}, false
	}
	seq, err := strconv.ParseInt(name[at+1:], 10, 64)
	return directory.ChainHead{Chain: name[:at], Seq: seq, Hash: l.Sum}, err == nil
}
