package audit

import (
	"context"
	"errors"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// verifyRuns looks at the runs of a connection: each that did something must have a
// link, and each must be as one of ours began and ended it.
func (x *verifyStep) verifyRuns(ctx context.Context, c *chainPlace) error {
	runs, next, err := x.verifier.Stores.Runs.ListRuns(ctx, directory.ConnectionID(c.Chain), c.Cursor, runsInStep)
	if errors.Is(err, store.ErrRecord) {
		x.reportUnreadable(ctx, c.Chain, directory.Problem{Message: "The record of a run cannot be read any more."}, err)
		c.Done = true
		return nil
	}
	if err != nil {
		return err
	}
	c.Cursor = next
	for i := range runs {
		r := &runs[i]
		if r.StartedAt.Before(x.req.Since) {
			continue // its results may be younger: those are walked
		}
		if err := x.verifyUnlinkedRun(ctx, c.Chain, r); err != nil {
			return err
		}
	}
	c.Done = c.Cursor == ""
	return nil
}

// verifyUnlinkedRun looks at a run that no link covers.
func (x *verifyStep) verifyUnlinkedRun(ctx context.Context, chain string, r *store.RunRecord) error {
	covered, err := x.hasLink(ctx, chain, string(r.ID))
	if err != nil || covered {
		return err
	}
	j, err := entriesOfRun(ctx, x.verifier.Chains.Journals, r.ID, true)
	if errors.Is(err, directory.ErrNotFound) {
		return nil
	}
	if errors.Is(err, store.ErrRecord) {
		x.report(chain, 0, string(r.ID), DiffChanged, "A record of the run cannot be read any more.")
		return nil
	}
	if err != nil {
		return err
	}
	state, err := x.verifier.Chains.Journals.RunState(ctx, r)
	if err != nil {
		return err
	}
	ok, err := x.isOurs(ctx, r.ID, state)
	if err != nil {
		return err
	}
	if !ok && state == store.SealNone && len(j.entries) == 0 && x.sealedForm != nil && !r.StartedAt.After(x.sealedForm.at) {
		x.counts[countOldRuns]++ // it did nothing, and nothing of it is proved
		return nil
	}
	if !ok {
		x.report(chain, 0, string(r.ID), DiffForged, "The run, or who approved it, does not bear the seal of one of ours.")
	}
	waits, err := x.mayStillBeLinked(ctx, r)
	if err != nil {
		return err
	}
	for _, e := range j.entries {
		ours, err := x.isOurs(ctx, r.ID, e.Seal)
		switch {
		case err != nil:
			return err
		case !ours && ok:
			x.report(chain, 0, e.ID, DiffForged, "The entry does not bear the seal of one of ours.")
		case !ours || waits:
		case r.DryRun:
			x.report(chain, 0, e.ID, DiffForged, "The entry is of a run that wrote nothing.")
		default:
			x.report(chain, 0, e.ID, DiffUnlinked, "The entry is ours and no link has it, long after its run has ended.")
		}
	}
	return nil
}

// mayStillBeLinked reports whether it is in order that a run has no link yet: it has not
// ended, or not long ago, or its mark has not waited for long.
func (x *verifyStep) mayStillBeLinked(ctx context.Context, r *store.RunRecord) (bool, error) {
	if !r.State.Ended() || x.verifier.now().Sub(r.EndedAt) < graceAfterEnd {
		return true, nil
	}
	mark, err := x.verifier.Stores.Pending.PendingLinkOf(ctx, r.ConnectionID, r.ID)
	if err != nil || mark == nil {
		return false, err
	}
	ours, err := x.isOurs(ctx, r.ID, mark.Seal)
	return ours && x.verifier.now().Sub(mark.At) < linkWithin, err
}
