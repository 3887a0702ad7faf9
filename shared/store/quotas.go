package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"bindery/shared/clock"
	"bindery/shared/directory"
	"bindery/shared/table"
)

// Quotas are what is left of Microsoft's quotas that all workers share.
type Quotas struct{ db *db }

// Pace is what a lease remembers of the work: what is left of Microsoft's quotas
// in the tenant, and when it was last looked at what is looked at seldom.
type Pace struct {
	directory.TenantQuota

	// Wrote is when Microsoft last made a change of an account for us.
	Wrote time.Time `json:"wr,omitzero"`
	// Noted is when a binding was last changed by a holder of the lease.
	Noted time.Time `json:"no,omitzero"`
	// Brief says that the work at hand wants the lease for a shorter time: while nobody
	// works on it, time is lost.
	Brief bool `json:"few,omitempty"`
	// DomainsAt is when the tenant's domains were last read.
	DomainsAt time.Time `json:"do,omitzero"`
	// DomainsFor is the run for whose full round they were last read, DoubtedAt
	// when they were last read because of a refusal.
	DomainsFor directory.RunID `json:"df,omitempty"`
	DoubtedAt  time.Time       `json:"dd,omitzero"`
}

// thousandths keep fractions in the table's whole numbers.
const thousandths = 1000

// AppQuota reads the app's quota; the zero value before its first use.
func (s *Quotas) AppQuota(ctx context.Context) (directory.AppQuota, error) {
	it, _, err := s.db.find(ctx, appQuotaKey)
	return decodeQuota(it), fail("app quota", err)
}

func decodeQuota(it table.Item) directory.AppQuota {
	n := it.Numbers
	return directory.AppQuota{
		Supply: float64(n["supply"]) / thousandths, Promised: float64(n["promised"]) / thousandths,
		Small: float64(n["small"]) / thousandths, At: fromMillis(n["at"]),
		Sent: it.Strings["sent"], Counts: directory.Counting(it.Strings["counts"]), CountsAt: n["countsAt"],
	}
}

// ChangeAppQuota reads the app's quota, lets change edit it and stores it,
// again when another worker was faster. false from change ends it unwritten.
func (s *Quotas) ChangeAppQuota(ctx context.Context, change func(*directory.AppQuota) bool) error {
	for attempt := 1; ; attempt++ {
		it, found, err := s.db.find(ctx, appQuotaKey)
		if err != nil {
			return fail("app quota", err)
		}
		q := decodeQuota(it)
		if !change(&q) {
			return nil
		}
		w := table.Write{
			Update: &table.Update{Key: appQuotaKey, AddVersion: 1, SetNumbers: map[string]int64{
				"supply": int64(q.Supply * thousandths), "promised": int64(q.Promised * thousandths),
				"small": int64(q.Small * thousandths), "at": q.At.UnixMilli(),
				"countsAt": q.CountsAt,
			}, SetStrings: map[string]string{"sent": q.Sent, "counts": string(q.Counts)}},
			If: table.When(table.VersionIs(it.Version)),
		}
		if !found {
			w.If = table.Condition{Absent: true}
		}
		err = s.db.table.Write(ctx, w)
		if !refused(err) && !errors.Is(err, table.ErrBusy) {
			return fail("app quota", err)
		}
		if attempt == 50 {
			return fail("app quota", table.ErrBusy)
		}
		if err := clock.Sleep(ctx, time.Duration(rand.IntN(min(attempt, 10)*10)+1)*time.Millisecond); err != nil {
			return err
		}
	}
}

// Microsoft's limits for reports (G 5): calls in any ten seconds, of an app in
// one tenant, and of an app in all of them. A little longer is counted, since
// clocks differ.
const (
	reportsWindow = 10*time.Second + 500*time.Millisecond
	tenantReports = 5
	appReports    = 122
)

// TakeReport takes one call of a report out of the quotas that all workers
// share. It returns 0 when the call may be made now, and else, having taken
// nothing, how long to wait before asking again.
func (s *Quotas) TakeReport(ctx context.Context, tenant directory.TenantID) (time.Duration, error) {
	for attempt := 1; ; attempt++ {
		now := s.db.now()
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
		err = s.db.table.Write(ctx, own, app)
		if !refused(err) && !errors.Is(err, table.ErrBusy) {
			return 0, fail("take report", err)
		}
		if attempt == 50 {
			return time.Second, nil
		}
		if err := clock.Sleep(ctx, time.Duration(rand.IntN(min(attempt, 10)*10)+1)*time.Millisecond); err != nil {
			return 0, err
		}
	}
}

// reportsWrite counts a call among those of the last ten seconds, or says how
// long it takes until one of them is old enough.
func (s *Quotas) reportsWrite(ctx context.Context, tenant directory.TenantID, limit int, now time.Time) (table.Write, time.Duration, error) {
	key := reportsKey(tenant)
	var calls, recent []int64 // Unix milliseconds, oldest first
	version, err := s.db.load(ctx, key, &calls)
	if err != nil {
		return table.Write{}, 0, fail("take report", err)
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
	item := table.Item{Key: key, Version: version + 1, Body: encode(append(recent, now.UnixMilli())), Expires: now.Add(24 * time.Hour)}
	return table.Write{Put: &item, If: unchanged(version)}, 0, nil
}
