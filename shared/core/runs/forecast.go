package runs

import (
	"context"
	"time"

	"bindery/shared/core/quota"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Forecast says when the writes that stand open for a connection will have been
// made, as far as Microsoft's quotas decide it.
type Forecast struct {
	Writes int       // that stand open, as Microsoft counts them
	By     time.Time // when the last of them is expected; zero when an admin has to act first
}

// Forecast estimates when the runs under way will end. Held runs do not count:
// they wait for an admin.
func (s *Service) Forecast(ctx context.Context, c *directory.Connection) (Forecast, error) {
	ids, err := s.open.OpenRuns(ctx, c.ID)
	if err != nil || c.Status != directory.StatusActive {
		return Forecast{}, err
	}
	runs, err := s.open.RunsByID(ctx, ids)
	if err != nil {
		return Forecast{}, err
	}
	var f Forecast
	held := false
	for _, r := range runs {
		if r.Epoch == c.Epoch && !r.DryRun && !r.State.Ended() && r.State != directory.RunHeld {
			f.Writes += unsentWrites(&r)
		}
		held = held || r.State == directory.RunHeld
	}
	if f.Writes == 0 && held {
		return f, nil
	}
	l, _, err := s.leases.PeekLease(ctx, c.ID)
	if err != nil {
		return f, err
	}
	q, err := s.quota.AppQuota(ctx)
	if err != nil {
		return f, err
	}
	f.By = quota.Forecast(l.Pace.TenantQuota, q, s.now(), f.Writes)
	return f, nil
}

// Unsent is how many changes of a run are still to be sent, at least one.
func Unsent(r *store.RunRecord) int {
	n := r.PlanRefused - r.Applied - r.Failed - r.Refused
	for _, k := range r.Counts {
		n += k
	}
	return max(1, n)
}

// unsentWrites is how many writes Microsoft counts for what a run has still to send: of
// members who are added, a third (directory.MemberWrites), as far as they fill their requests.
// What is left of a run is what goes last of it.
func unsentWrites(r *store.RunRecord) int {
	left, writes := Unsent(r), 0
	for phase := directory.LastPhase; phase >= 0; phase-- {
		for i := range directory.Effects {
			row := &directory.Effects[i]
			if row.Phase != phase {
				continue
			}
			n := min(left, r.Counts[row.Effect])
			if left -= n; row.Effect == directory.EffectMemberAdd {
				n = directory.MemberWrites(n)
			}
			writes += n
		}
	}
	return max(1, writes+left) // of what the run does not count by effect, each is one
}
