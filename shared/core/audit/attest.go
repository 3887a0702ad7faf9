package audit

import (
	"context"

	"bindery/shared/store"
)

// Attest finds out whether a run is as one of ours began and approved it, or may
// be from before records were sealed. For one that is neither it raises an alarm.
func (c *Chain) Attest(ctx context.Context, r *store.RunRecord) (ours, old bool, err error) {
	state, err := c.Stores.Journals.RunState(ctx, r)
	if err != nil || state == store.SealGood {
		return err == nil, false, err
	}
	if state == store.SealNone {
		b, err := c.readOrBeginSealedForm(ctx)
		if err != nil || b.mayBeUnsealed(r.ID, c.now()) {
			return false, err == nil, err
		}
	}
	return false, false, c.alarm(ctx, string(r.ConnectionID), DiffForged, string(r.ID),
		"A run that is to be carried out, or its approval, does not bear the seal of one of ours. It was ended.")
}
