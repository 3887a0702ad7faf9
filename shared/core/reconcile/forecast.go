package reconcile

import (
	"context"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
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
	runs, err := s.Store.RunsByID(ctx, ids)
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
	l, _, err := s.Store.PeekLease(ctx, c.ID)
	if err != nil {
		return f, err
	}
	q, err := s.Store.AppQuota(ctx)
	if err != nil {
		return f, err
	}
	now := s.now()
	f.By = forecast(l.Pace, q, now, f.Writes)
	return f, nil
}

// aBatch is about how long a batch takes that waits for nothing.
const aBatch = 500 * time.Millisecond

func forecast(p store.Pace, q store.AppQuota, now time.Time, writes int) time.Time {
	refillTenant(&p, now)
	by := p.At
	if missing := float64(writes) - p.Writes; missing > 0 {
		by = by.Add(time.Duration(missing / rateOf(&p, now) * float64(time.Second)))
	}
	refillApp(&q, now)
	if line := now.Add(inLine(&q, q.Promised+max(0, float64(writes)-p.Portion))); line.After(by) {
		by = line
	}
	if least := now.Add(time.Duration(writes/BatchSize+1) * aBatch); least.After(by) {
		by = least
	}
	return by.UTC().Truncate(time.Second)
}
