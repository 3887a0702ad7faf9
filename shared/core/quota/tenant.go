package reconcile

import (
	"context"
	"math"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Microsoft's documented quotas of an app (G 5). We refill a little slower than
// Microsoft does, so that clocks that differ by a little are not refused.
const (
	under = 0.99

	tenantWrites    = 3000.0 // in a tenant
	tenantRefill    = 20.0   // a second
	tenantUnits     = 3500.0 // resource units, in the smallest class of tenants
	tenantUnitsFill = 350.0

	appWrites = 35000.0 // over all tenants
	appRefill = 35000.0 / 300
)

// How the quotas are shared out.
const (
	// leaverReserve is what a load leaves in the tenant's bucket for those who
	// must lose access now.
	leaverReserve = 60
	// smallReserve is what the loads of all tenants leave in the app's bucket
	// for those who need only a few writes, and what these may take at once;
	// smallRefill is how fast that fills again.
	smallReserve = 600
	smallRefill  = 15.0
	// smallWork is how many writes count as few.
	smallWork = 100
	// portion is how many writes a load takes out of the app's bucket at a time.
	portion = 300
	// portionLife is how long a portion that nobody used is good for: what is
	// kept longer would come on top of a bucket that has filled again.
	portionLife = 2 * time.Minute
)

// Waits for quota.
const (
	// shortestRest and longestRest bound how long a slice that has used up a
	// quota leaves the tenant alone.
	shortestRest = 4 * time.Second
	longestRest  = 30 * time.Second
	// longestLine bounds how long a place in line is left unlooked at.
	longestLine = 5 * time.Minute
	// forgetRate is how long a measured refill is believed as it is.
	forgetRate = time.Hour
	// measured is how many writes it takes to measure a refill.
	measured = 100
)

// work is what a batch is part of, for the pacer.
type work struct {
	left   int  // writes that the run still has, these among them
	leaver bool // takes somebody's access away
}

func (k work) small() bool { return k.leaver || k.left <= smallWork }

// pace takes n writes out of the quotas and returns 0, or takes nothing and
// returns how long to wait before asking again.
func (w *worker) pace(ctx context.Context, n int, k work) (time.Duration, error) {
	w.refill()
	p := &w.lease.Pace
	if ahead := p.At.Sub(w.now()); ahead > 0 {
		return ahead, nil
	}
	floor := 0.0
	if !k.small() {
		floor = leaverReserve
	}
	if missing := float64(n) + floor - p.Writes; missing > 0 {
		if k.leaver {
			return w.timeFor(missing), nil
		}
		return w.rest(missing, float64(k.left)+floor-p.Writes), nil
	}
	wait, err := w.portion(ctx, n, k)
	if err != nil || wait > 0 {
		return wait, err
	}
	p.Writes -= float64(n)
	return 0, nil
}

// refill brings the tenant's buckets up to now.
func (w *worker) refill() { refillTenant(&w.lease.Pace, w.now()) }

func refillTenant(p *store.Pace, now time.Time) {
	if p.At.IsZero() {
		p.Writes, p.Units, p.At = tenantWrites, tenantUnits, now
	}
	since := now.Sub(p.At).Seconds()
	if since <= 0 {
		return
	}
	p.Writes = min(tenantWrites, p.Writes+since*rateOf(p, now))
	p.Units = min(tenantUnits, p.Units+since*tenantUnitsFill*under)
	p.At = now
}

// rateOf is the refill of the tenant's bucket of writes, a second: as documented,
// or as measured when Microsoft refused. What was measured is believed a little
// less every hour.
func rateOf(p *store.Pace, now time.Time) float64 {
	if p.Rate == 0 {
		return tenantRefill * under
	}
	hours := math.Floor(now.Sub(p.RateAt).Hours() / forgetRate.Hours())
	return min(tenantRefill*under, p.Rate*math.Pow(1.1, max(0, hours)))
}

// rest says how long to leave a dry bucket alone: as long as it takes to have
// something worth waking up for, since nobody should pay for a function that
// sleeps, and towards the end of the work less and less, so that its last part
// goes out as it becomes possible.
func (w *worker) rest(missing, forAll float64) time.Duration {
	need, all := w.timeFor(missing), w.timeFor(forAll)
	if all <= longestNap {
		return max(need, all)
	}
	if need <= longestNap && all <= shortestRest {
		return need
	}
	return max(need, min(longestRest, max(shortestRest, all/2)))
}

// timeFor is how long the tenant's bucket takes to gain so many writes.
func (w *worker) timeFor(tokens float64) time.Duration {
	return time.Duration(tokens / rateOf(&w.lease.Pace, w.now()) * float64(time.Second))
}

// spend takes resource units of reads, and returns how long to wait first.
func (w *worker) spend(units float64) time.Duration {
	w.refill()
	p := &w.lease.Pace
	p.Units -= units
	wait := max(0, p.At.Sub(w.now()))
	if p.Units < 0 {
		wait += time.Duration(-p.Units / (tenantUnitsFill * under) * float64(time.Second))
	}
	return wait
}

// accepted counts writes that Microsoft took, to measure its refill by.
func (w *worker) accepted(n int) { w.lease.Pace.Since += n }

// refused learns from a 429: the bucket is empty, so what it took since it was
// empty the last time is what flowed in. Afterwards nothing is asked for.
func (w *worker) refused(ctx context.Context, after time.Duration, scope directory.ThrottleScope) error {
	now, p := w.now(), &w.lease.Pace
	w.refill()
	if scope == directory.ThrottledApp {
		p.Ticket, p.Portion = 0, 0
		p.At = now.Add(after)
		return w.Store.ChangeAppQuota(ctx, func(q *store.AppQuota) bool {
			refillApp(q, now)
			if q.Supply <= q.Promised {
				return false
			}
			q.Supply, q.Small = q.Promised, 0
			return true
		})
	}
	if since := now.Sub(p.DryAt).Seconds(); !p.DryAt.IsZero() && p.Since >= measured && since > 1 {
		p.Rate, p.RateAt = min(tenantRefill*under, max(1, float64(p.Since)/since*under)), now
	}
	if p.Since > 0 || p.DryAt.IsZero() {
		p.DryAt, p.Since = now, 0
	}
	p.Writes, p.At = 0, now.Add(after)
	return nil
}

// portion makes sure that n writes of the app's quota are ours, and returns how
// long to wait for them.
//
// Loads stand in line: each takes the next portion of all that Microsoft will
// ever allow and may use it once the supply has come past it, with a reserve
// left over. Those who need only a few writes pay out of that reserve and do
// not stand in line. A worker that dies with a portion loses it, which wastes a
// little and harms nobody.
func (w *worker) portion(ctx context.Context, n int, k work) (time.Duration, error) {
	now, p := w.now(), &w.lease.Pace
	if p.Portion > 0 && !p.PortionEnd.IsZero() && p.PortionEnd.Before(now) {
		p.Ticket, p.Portion, p.PortionEnd = 0, 0, time.Time{}
	}
	if p.Portion >= float64(n) && !p.PortionEnd.IsZero() {
		p.Portion -= float64(n)
		return 0, nil
	}
	var wait time.Duration
	var err error
	if p.Portion >= float64(n) {
		q, readErr := w.Store.AppQuota(ctx)
		refillApp(&q, now)
		wait, err = inLine(&q, p.Ticket), readErr
	} else {
		wait, err = w.takePortion(ctx, n, k)
	}
	if err != nil || wait > 0 {
		return min(wait, longestLine), err
	}
	p.Portion -= float64(n)
	p.PortionEnd = now.Add(portionLife)
	return 0, nil
}

// takePortion takes writes at once, or the next place in line.
func (w *worker) takePortion(ctx context.Context, n int, k work) (wait time.Duration, err error) {
	now, p := w.now(), &w.lease.Pace
	var got, ticket float64
	err = w.Store.ChangeAppQuota(ctx, func(q *store.AppQuota) bool {
		refillApp(q, now)
		if k.small() && (q.Small >= float64(n) || k.leaver) {
			q.Supply -= float64(n)
			q.Small = max(0, q.Small-float64(n))
			got, ticket, wait = float64(n), 0, 0
			return true
		}
		// No more than is left to do: what is promised and not used is lost.
		got = min(portion, max(float64(n), float64(k.left))-p.Portion)
		q.Promised += got
		ticket, wait = q.Promised, inLine(q, q.Promised)
		return true
	})
	if err != nil {
		return 0, err
	}
	// What is left of the last portion is older than this one, and as good.
	p.Portion += got
	p.Ticket, p.PortionEnd = max(p.Ticket, ticket), time.Time{}
	return wait, nil
}

// inLine is how long a place in line has to wait.
func inLine(q *store.AppQuota, ticket float64) time.Duration {
	missing := ticket + smallReserve - q.Supply
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / (appRefill * under) * float64(time.Second))
}

// refillApp brings the app's quota up to now. The zero quota is full.
func refillApp(q *store.AppQuota, now time.Time) {
	if q.At.IsZero() {
		q.Supply, q.Small, q.At = q.Promised+appWrites, smallReserve, now
	}
	since := now.Sub(q.At).Seconds()
	if since <= 0 {
		return
	}
	q.Supply = min(q.Promised+appWrites, q.Supply+since*appRefill*under)
	q.Small = min(smallReserve, q.Small+since*smallRefill)
	q.At = now
}
