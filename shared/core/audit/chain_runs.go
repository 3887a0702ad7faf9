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

// LinkRuns links the runs of a connection (with "", of all) that have ended and
// bear a mark. A failure with one does not keep the others from their turn.
func (c *Chain) LinkRuns(ctx context.Context, id directory.ConnectionID) error {
	var errs []error
	for last := (*store.PendingLink)(nil); ; {
		marks, err := c.Stores.Pending.PendingLinks(ctx, id, last, pendingAtOnce)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for i := range marks {
			if ctx.Err() != nil {
				return errors.Join(append(errs, ctx.Err())...)
			}
			if err := c.linkRun(ctx, &marks[i]); err != nil {
				errs = append(errs, fmt.Errorf("link %s: %w", marks[i].RunID, err))
			}
		}
		if len(marks) < pendingAtOnce {
			return errors.Join(errs...)
		}
		last = &marks[len(marks)-1]
	}
}

// linkRun links one run, unless its results may still change. A mark is a wish
// to look at the run, no more: what is linked is what bears the seal of the
// worker that did it, whoever left the mark.
func (c *Chain) linkRun(ctx context.Context, mark *store.PendingLink) error {
	if err := c.checkPending(ctx, mark); err != nil {
		return err
	}
	run, err := c.Stores.Runs.Run(ctx, mark.RunID)
	due := mark.At
	if err == nil && mark.Seal != store.SealGood {
		due = run.EndedAt // what the mark says of it is worth nothing
	}
	finished := run.State == directory.RunDone || run.State == directory.RunFailed
	if err == nil && !finished && c.now().Sub(due) < graceAfterEnd {
		return nil
	}
	var j entrySet
	if err == nil {
		j, err = entriesOfRun(ctx, c.Stores.Journals, mark.RunID, true)
	}
	if errors.Is(err, directory.ErrNotFound) {
		return c.linkGoneRun(ctx, mark)
	}
	if err != nil {
		return err
	}
	if !run.State.Ended() || run.DryRun || run.ConnectionID != mark.ConnectionID {
		if err := c.alarm(ctx, string(mark.ConnectionID), DiffForged, string(mark.RunID), "A mark says that the run is to be linked, and the run is not one that could be."); err != nil {
			return err
		}
		return c.Stores.Pending.DropPendingLink(ctx, mark)
	}
	if run.State == directory.RunFailed {
		if err := c.Publish.Publish(ctx, failedNotification(&run.Run, c.now())); err != nil {
			return err
		}
	}
	return c.linkEndedRun(ctx, mark, &run, j, due)
}

// linkEndedRun links what a run that has ended did, unless it has its link.
func (c *Chain) linkEndedRun(ctx context.Context, mark *store.PendingLink, run *store.RunRecord, j entrySet, due time.Time) error {
	facts := directory.FactsOf(&run.Run)
	st := directory.ChainStatement{Chain: string(mark.ConnectionID), Subject: string(mark.RunID), Expires: j.expires.UTC(),
		Reason: directory.ChainEnded, Due: due.UTC(), Run: &facts}
	asEnded := mark.Seal != store.SealGood || mark.Facts == "" || mark.Facts == store.FactsSum(&run.Run)
	if !asEnded { // then nothing of it is taken for what it was
		if still, err := c.Stores.Pending.IsPending(ctx, mark); err != nil || !still {
			return err // marked anew since it was read: the next look links it
		}
		for i := range j.entries {
			j.entries[i].Seal = store.SealBroken
		}
	}
	leaves, err := c.sealedLeaves(ctx, &st, j.entries, func(b *sealedForm, _ *storedEntry) bool { return b.mayBeUnsealed(mark.RunID, c.now()) })
	if err != nil {
		return err
	}
	if !asEnded && st.Refused == 0 {
		st.Refused = 1
		if err := c.alarm(ctx, st.Chain, DiffForged, st.Subject, "The run is not what it was when it ended."); err != nil {
			return err
		}
	}
	if len(leaves) == 0 && st.Refused == 0 {
		return c.Stores.Pending.DropPendingLink(ctx, mark)
	}
	again, err := c.needsLink(ctx, &st, leaves, mark, run)
	if err != nil {
		return err // the mark stays until it is known that the run has its link
	}
	if !again {
		return c.Stores.Pending.DropPendingLink(ctx, mark)
	}
	_, err = c.addLink(ctx, &st, leaves, mark)
	return err
}

// checkPending raises an alarm for a mark that none of ours has left.
func (c *Chain) checkPending(ctx context.Context, mark *store.PendingLink) error {
	if mark.Seal == store.SealGood {
		return nil
	}
	if mark.Seal == store.SealNone {
		b, err := c.readOrBeginSealedForm(ctx)
		if err != nil || b.mayBeUnsealed(mark.RunID, c.now()) {
			return err
		}
	}
	return c.alarm(ctx, string(mark.ConnectionID), DiffForged, string(mark.RunID), "The mark of a run that is to be linked bears no seal of ours.")
}

// linkGoneRun deals with the mark of a run that is not there. After its time that is
// as it should be. Before, somebody has taken it away: that is what is linked.
func (c *Chain) linkGoneRun(ctx context.Context, mark *store.PendingLink) error {
	if mark.Seal != store.SealGood || c.now().Sub(mark.At) > c.retention()-linkWithin {
		return c.Stores.Pending.DropPendingLink(ctx, mark)
	}
	st := directory.ChainStatement{Chain: string(mark.ConnectionID), Subject: string(mark.RunID), Expires: mark.At.Add(c.retention()).UTC(),
		Reason: directory.ChainEnded, Due: mark.At.UTC()}
	l, err := c.lastLinkOf(ctx, &st, mark, time.Time{})
	if err != nil {
		return err
	}
	if l != nil {
		return c.Stores.Pending.DropPendingLink(ctx, mark) // its entries are linked: a verification misses them
	}
	if err := c.alarm(ctx, st.Chain, DiffMissing, st.Subject, "A run that has ended was gone before it could be linked."); err != nil {
		return err
	}
	_, err = c.addLink(ctx, &st, nil, mark)
	return err
}

// needsLink says whether a run is to get a link: its first one, or one more since
// results came in late. Of one more it must be a sealed mark that says so, and
// all that was linked before must be among it.
func (c *Chain) needsLink(ctx context.Context, st *directory.ChainStatement, leaves []directory.ChainLeaf, mark *store.PendingLink, run *store.RunRecord) (bool, error) {
	l, err := c.lastLinkOf(ctx, st, mark, run.StartedAt)
	if err != nil || l == nil {
		return err == nil, err
	}
	if l.Digest == digestOf(leaves) {
		return false, nil
	}
	st.Reason, st.Earlier = directory.ChainLate, l.Seq
	before, err := c.Stores.Leaves.Leaves(ctx, l)
	if err != nil {
		return false, err
	}
	late := mark.Seal == store.SealGood && mark.Why == store.BecauseLate || mark.Seal == store.SealNone && l.Form == 0
	if late && containsLeaves(leaves, before) && digestOf(before) == l.Digest {
		return true, nil
	}
	return false, c.alarm(ctx, st.Chain, DiffTwice, st.Subject, "A linked run is to be linked once more, without results of ours that came in late, or without some that were there.")
}

// containsLeaves reports whether sorted leaves hold all of others.
func containsLeaves(leaves, others []directory.ChainLeaf) bool {
	for _, l := range others {
		if _, there := slices.BinarySearchFunc(leaves, l, compareLeaves); !there {
			return false
		}
	}
	return true
}

// lastLinkOf finds the last link of a statement's subject; nil when it has none. The
// pointer to it may have been taken away, so that without one the chain itself
// is searched: back to when the run ended, as the mark says, before which it
// cannot have had a link; or to when it began, where the mark says that it has
// one.
func (c *Chain) lastLinkOf(ctx context.Context, st *directory.ChainStatement, mark *store.PendingLink, began time.Time) (*directory.ChainLink, error) {
	seq, err := c.Stores.Links.LinkOf(ctx, st.Chain, st.Subject)
	if err != nil {
		return nil, err
	}
	if seq > 0 {
		l, err := c.Stores.Links.Link(ctx, st.Chain, seq)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return nil, err
		}
		if err == nil && l.Subject == st.Subject {
			if ours, err := c.isGenuine(ctx, &l, st.Chain, seq); err != nil || ours {
				return &l, err
			}
		}
	}
	return c.searchLastLink(ctx, st, mark, began)
}

// searchLastLink finds the last link of a statement's subject in the chain itself.
func (c *Chain) searchLastLink(ctx context.Context, st *directory.ChainStatement, mark *store.PendingLink, began time.Time) (*directory.ChainLink, error) {
	since := began
	if mark.Seal == store.SealGood && mark.Why == store.BecauseEnded {
		since = mark.At
	}
	since = since.Add(-clockSkew)
	limit := 1 // most often nothing was linked since
	for before := int64(0); ; limit = linksAtOnce {
		list, err := c.Stores.Links.LinksBefore(ctx, st.Chain, before, limit)
		if err != nil || len(list) == 0 {
			return nil, err
		}
		for i := range list {
			l := &list[i]
			if l.Subject == st.Subject {
				if ours, err := c.isGenuine(ctx, l, st.Chain, l.Seq); err != nil || ours {
					return l, err
				}
			}
			if l.Hash != "" && l.At.Before(since) {
				return nil, nil
			}
		}
		before = list[len(list)-1].Seq
	}
}
