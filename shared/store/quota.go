package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Pace is what a lease remembers of the work: what is left of Microsoft's quotas
// in the tenant, and when it was last looked at what is looked at seldom.
type Pace struct {
	directory.TenantQuota

	// Wrote is when Microsoft last made a change of ours.
	Wrote time.Time `json:"wr,omitzero"`
	// Few says that the work at hand has few writes left.
	Few bool `json:"few,omitempty"`
	// DomainsAt is when the tenant's domains were last read.
	DomainsAt time.Time `json:"do,omitzero"`
	// DomainsFor is the run for whose full round they were last read, DoubtedAt
	// when they were last read because of a refusal.
	DomainsFor directory.RunID `json:"df,omitempty"`
	DoubtedAt  time.Time       `json:"dd,omitzero"`
}

var appKey = table.Key{Partition: "APP", Sort: "writes"}

// thousandths keep fractions in the table's whole numbers.
const thousandths = 1000

// AppQuota reads the app's quota; the zero value before its first use.
func (s *Store) AppQuota(ctx context.Context) (directory.AppQuota, error) {
	it, err := s.Table.Get(ctx, appKey)
	if errors.Is(err, table.ErrNotFound) {
		return directory.AppQuota{}, nil
	}
	return decodeQuota(it), fail("app quota", err)
}

func decodeQuota(it table.Item) directory.AppQuota {
	n := it.Numbers
	return directory.AppQuota{
		Supply: float64(n["supply"]) / thousandths, Promised: float64(n["promised"]) / thousandths,
		Small: float64(n["small"]) / thousandths, At: fromMillis(n["at"]),
	}
}

// ChangeAppQuota reads the app's quota, lets change edit it and stores it,
// again when another worker was faster. false from change ends it unwritten.
func (s *Store) ChangeAppQuota(ctx context.Context, change func(*directory.AppQuota) bool) error {
	for attempt := 1; ; attempt++ {
		it, err := s.Table.Get(ctx, appKey)
		absent := errors.Is(err, table.ErrNotFound)
		if err != nil && !absent {
			return fail("app quota", err)
		}
		q := decodeQuota(it)
		if !change(&q) {
			return nil
		}
		w := table.Write{
			Update: &table.Update{Key: appKey, AddVersion: 1, SetNumbers: map[string]int64{
				"supply": int64(q.Supply * thousandths), "promised": int64(q.Promised * thousandths),
				"small": int64(q.Small * thousandths), "at": q.At.UnixMilli(),
			}},
			If: table.When(table.VersionIs(it.Version)),
		}
		if absent {
			w.If = table.Condition{Absent: true}
		}
		err = s.Table.Write(ctx, w)
		if _, raced := failed(err); !raced && !errors.Is(err, table.ErrBusy) {
			return fail("app quota", err)
		}
		if attempt == 50 {
			return fail("app quota", table.ErrBusy)
		}
		if err := pauseFor(ctx, time.Duration(rand.IntN(min(attempt, 10)*10)+1)*time.Millisecond); err != nil {
			return err
		}
	}
}

func pauseFor(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
