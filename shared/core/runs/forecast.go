package reconcile

import (
	"context"
	"time"

	"bindery/shared/core/quota"
	"bindery/shared/directory"
)

// Forecast says when the writes that stand open for a connection will have been
// made, as far as Microsoft's quotas decide it.
type Forecast struct {
	Writes int       // that stand open, at most
	By     time.Time // when the last of them is expected; zero when an admin has to act first
}

// Forecast estimates when the runs under way will end. Held runs do not count:
// they wait for an admin.
func (s *Runs) Forecast(ctx context.Context, c *directory.Connection) (Forecast, error) {
	ids, err := s.Store.OpenRuns(ctx, c.ID)
	if err != nil || c.Status != directory.StatusActive {
		return Forecast{}, err
	}
	var f Forecast
	held := false
	runs, err := s.Store.RunsOf(ctx, ids)
	if err != nil {
		return f, err
	}
	for _, r := range runs {
		if r.Epoch == c.Epoch && !r.DryRun && !r.State.Ended() && r.State != directory.RunHeld {
			f.Writes += left(&r)
		}
		held = held || r.State == directory.RunHeld
	}
	if f.Writes == 0 && held {
		return f, nil
	}
	l, _, err := s.Store.Stand(ctx, c.ID)
	if err != nil {
		return f, err
	}
	q, err := s.Store.AppQuota(ctx)
	if err != nil {
		return f, err
	}
	f.By = quota.Forecast(l.Pace.TenantQuota, q, s.now(), f.Writes)
	return f, nil
}
