package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Microsoft's limits for reports (G 5): calls in any ten seconds, of an app in
// one tenant, and of an app in all of them. A little longer is counted, since
// clocks differ.
const (
	reportsWindow = 10*time.Second + 500*time.Millisecond
	tenantReports = 5
	appReports    = 122
)

func reportsKey(t directory.TenantID) table.Key {
	if t == "" {
		return table.Key{Partition: "APP", Sort: "reports"}
	}
	return table.Key{Partition: "T#" + string(t), Sort: "reports"}
}

// TakeReport takes one call of a report out of the quotas that all workers
// share. It returns 0 when the call may be made now, and else, having taken
// nothing, how long to wait before asking again.
func (s *Store) TakeReport(ctx context.Context, tenant directory.TenantID) (time.Duration, error) {
	for attempt := 1; ; attempt++ {
		now := s.Now()
		own, waitOwn, err := s.reportsWrite(ctx, tenant, tenantReports, now)
		if err != nil {
			return 0, err
		}
		app, waitApp, err := s.reportsWrite(ctx, "", appReports, now)
		if err != nil {
			return 0, err
		}
		if wait := max(waitOwn, waitApp); wait > 0 {
			return wait, nil
		}
		err = s.Table.Write(ctx, own, app)
		if _, raced := failed(err); !raced && !errors.Is(err, table.ErrBusy) {
			return 0, fail("take report", err)
		}
		if attempt == 50 {
			return time.Second, nil
		}
		if err := pauseFor(ctx, time.Duration(rand.IntN(min(attempt, 10)*10)+1)*time.Millisecond); err != nil {
			return 0, err
		}
	}
}

// reportsWrite counts a call among those of the last ten seconds, or says how
// long it takes until one of them is old enough.
func (s *Store) reportsWrite(ctx context.Context, tenant directory.TenantID, limit int, now time.Time) (table.Write, time.Duration, error) {
	key := reportsKey(tenant)
	it, err := s.Table.Get(ctx, key)
	absent := errors.Is(err, table.ErrNotFound)
	if err != nil && !absent {
		return table.Write{}, 0, fail("take report", err)
	}
	var calls, recent []int64 // Unix milliseconds, oldest first
	if !absent {
		if err := decode(it, &calls); err != nil {
			return table.Write{}, 0, err
		}
	}
	since := now.Add(-reportsWindow).UnixMilli()
	for _, c := range calls {
		if c > since {
			recent = append(recent, c)
		}
	}
	if n := len(recent); n >= limit {
		return table.Write{}, max(time.Millisecond, time.Duration(recent[n-limit]-since)*time.Millisecond), nil
	}
	w := table.Write{Put: &table.Item{Key: key, Version: it.Version + 1, Body: encode(append(recent, now.UnixMilli())), Expires: now.Add(24 * time.Hour)},
		If: table.When(table.VersionIs(it.Version))}
	if absent {
		w.If = table.Condition{Absent: true}
	}
	return w, 0, nil
}
