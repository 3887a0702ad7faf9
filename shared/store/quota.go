package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Pace is what is left of Microsoft's quotas for an app in a tenant, and of the
// work, as far as we know. The zero Pace says that nothing has been used.
type Pace struct {
	// Writes and Units are tokens of two buckets at the moment At; At may lie
	// ahead when Microsoft asked to wait until then.
	Writes float64   `json:"w"`
	Units  float64   `json:"u"`
	At     time.Time `json:"at"`
	// Rate is the refill of the bucket of writes, a second, as measured at
	// RateAt; 0 while it is as documented.
	Rate   float64   `json:"r,omitempty"`
	RateAt time.Time `json:"ra,omitzero"`
	// DryAt is when Microsoft last refused a write, Since how many it has
	// taken after that.
	DryAt time.Time `json:"da,omitzero"`
	Since int       `json:"n,omitempty"`
	// Ticket is our place in the line for the app's quota, Portion how many
	// writes it is good for, until PortionEnd.
	Ticket     float64   `json:"t,omitempty"`
	Portion    float64   `json:"p,omitempty"`
	PortionEnd time.Time `json:"pe,omitzero"`
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

// AppQuota is the app's quota of writes over all tenants. All workers share
// it, a portion at a time.
type AppQuota struct {
	// Supply is how many writes Microsoft has allowed since the beginning,
	// less what could not be kept because the bucket was full, and less what
	// went to the small ones; Promised is how many of them have been given
	// out, the last in line included.
	Supply   float64
	Promised float64
	// Small is what is left for those who need only a few.
	Small float64
	At    time.Time // of Supply and Small
}

var appKey = table.Key{Partition: "APP", Sort: "writes"}

// thousandths keep fractions in the table's whole numbers.
const thousandths = 1000

// AppQuota reads the app's quota; the zero value before its first use.
func (s *Store) AppQuota(ctx context.Context) (AppQuota, error) {
	it, err := s.Table.Get(ctx, appKey)
	if errors.Is(err, table.ErrNotFound) {
		return AppQuota{}, nil
	}
	return decodeQuota(it), fail("app quota", err)
}

func decodeQuota(it table.Item) AppQuota {
	n := it.Numbers
	return AppQuota{
		Supply: float64(n["supply"]) / thousandths, Promised: float64(n["promised"]) / thousandths,
		Small: float64(n["small"]) / thousandths, At: fromMillis(n["at"]),
	}
}

// ChangeAppQuota reads the app's quota, lets change edit it and stores it,
// again when another worker was faster. false from change ends it unwritten.
func (s *Store) ChangeAppQuota(ctx context.Context, change func(*AppQuota) bool) error {
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
