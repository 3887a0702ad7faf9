package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// HeadFacts are the facts of a notification of a chain's head.
type HeadFacts struct {
	Chain string    `json:"chain"`
	Seq   int64     `json:"seq"`
	Hash  string    `json:"hash"`
	At    time.Time `json:"at"`
}

// publishHead keeps a head outside of the table and tells others of it. Whatever of it
// fails, the schedule does all of it again.
func (c *Chain) publishHead(ctx context.Context, chain string, seq int64, hash string, at time.Time) error {
	n := directory.Notification{
		ID: fmt.Sprintf("head:%s:%d", chain, seq), Type: directory.NotificationHead, At: at.UTC(),
		Text:  fmt.Sprintf("The chain %s of the activity has the link %d with the hash %s. Keep it: it proves later that nothing before it was changed.", chain, seq, hash),
		Facts: HeadFacts{chain, seq, hash, at.UTC()},
	}
	if chain != directory.AuditChain {
		n.ConnectionID = directory.ConnectionID(chain)
	}
	var kept error
	if c.Keep != nil {
		kept = c.Keep.Keep(ctx, directory.ChainHead{Chain: chain, Seq: seq, Hash: hash, At: at.UTC()})
	}
	if errors.Is(kept, directory.ErrConflict) { // an earlier one stays; this is told, since others may keep it
		kept = c.alarm(ctx, chain, DiffHead, fmt.Sprint(seq), fmt.Sprintf("Another link %d of the chain was told of before: the chain was cut off and made anew.", seq))
	}
	if err := errors.Join(kept, c.Publish.Publish(ctx, n)); err != nil {
		return err
	}
	return c.Stores.Heads.HeadPublished(ctx, chain, seq)
}

// publishHeads tells heads that nobody was told of. That one was told counts only
// when one of ours says so. There are many when heads begin to be kept: what this
// tick has no time for is the next one's, and so is all when none gets through.
func (c *Chain) publishHeads(ctx context.Context) error {
	heads, err := c.Stores.Heads.Heads(ctx)
	if err != nil {
		return err
	}
	due := make(chan *store.Head)
	var mu sync.Mutex
	var errs []error
	var group sync.WaitGroup
	for range publishAtOnce {
		group.Go(func() {
			for h := range due {
				if err := c.publishDueHead(ctx, h); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	for i := range heads {
		h := &heads[i]
		if h.Seal == store.SealGood && isPublished(h) || c.now().Sub(h.At) < publishAfter {
			continue
		}
		mu.Lock()
		failed := len(errs)
		mu.Unlock()
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < publishMargin || failed >= publishAtOnce {
			break
		}
		due <- h
	}
	close(due)
	group.Wait()
	return errors.Join(errs...)
}

// publishDueHead tells one head, of what it truly is.
func (c *Chain) publishDueHead(ctx context.Context, h *store.Head) error {
	if h.Seal != store.SealGood {
		real, err := c.trueHead(ctx, *h)
		if err != nil {
			return err
		}
		h = &real
	}
	if isPublished(h) {
		return nil
	}
	return c.publishHead(ctx, h.Chain, h.Seq, h.Hash, h.At)
}

// isPublished reports whether one of ours says that a head was told, or there is none
// to tell.
func isPublished(h *store.Head) bool {
	return h.Seq == 0 || h.Seq <= h.Published && h.PublishedSeal == store.SealGood
}
