package quota

import (
	"context"
	"math"
	"time"

	"bindery/shared/directory"
)

// Microsoft's documented quotas of an app in a tenant (G 5). We refill a little
// slower than Microsoft does, so that clocks that differ by a little are not
// refused.
const (
	under = 0.998

	tenantWrites    = 3000.0
	tenantRefill    = 20.0   // a second
	tenantUnits     = 3500.0 // resource units, in the smallest class of tenants
	tenantUnitsFill = 350.0  // a second
)

const (
	// leaverReserve is what a load leaves in the tenant's bucket for those who
	// must lose access now.
	leaverReserve = 60
	// smallWork is how many writes count as few.
	smallWork = 100
	// LongestNap is the longest wait that whoever asks waits for by sleeping; a
	// longer one ends its work for now.
	LongestNap = 3 * time.Second
	// shortestRest and longestRest bound how long work that has used up a quota
	// leaves the tenant alone.
	shortestRest = 4 * time.Second
	longestRest  = 30 * time.Second
	// forgetRate is how long a measured refill is believed as it is.
	forgetRate = time.Hour
	// measured is how many writes it takes to measure a refill.
	measured = 100
)

// Work is what a batch of writes is part of.
type Work struct {
	Left   int  // writes that the work still has, these among them
	Leaver bool // takes somebody's access away
}

func (w Work) small() bool { return w.Leaver || w.Left <= smallWork }

// Tenant is one tenant's quota at a moment. It works on the value that it was
// made from.
type Tenant struct {
	q   *directory.TenantQuota
	now time.Time
}

// At brings a tenant's buckets up to now.
func At(q *directory.TenantQuota, now time.Time) Tenant {
	t := Tenant{q, now.Truncate(time.Millisecond)} // finer times would only be longer in the table
	t.refill()
	return t
}

func (t Tenant) refill() {
	if t.q.At.IsZero() {
		t.q.Writes, t.q.Units, t.q.At = tenantWrites, tenantUnits, t.now
	}
	since := t.now.Sub(t.q.At).Seconds()
	if since <= 0 {
		return
	}
	t.q.Writes = short(min(tenantWrites, t.q.Writes+since*t.rate()))
	t.q.Units = short(min(tenantUnits, t.q.Units+since*tenantUnitsFill*under))
	t.q.At = t.now
}

// rate is the refill of the bucket of writes, a second: as documented, or as
// measured when Microsoft refused. What was measured is believed a little less
// every hour.
func (t Tenant) rate() float64 {
	if t.q.Rate == 0 {
		return tenantRefill * under
	}
	hours := math.Floor(t.now.Sub(t.q.RateAt).Hours() / forgetRate.Hours())
	return min(tenantRefill*under, t.q.Rate*math.Pow(1.1, max(0, hours)))
}

// Take takes n writes out of the tenant's quota and the app's and returns 0, or
// takes nothing from the tenant and returns how long to wait before asking again.
// The errors are those of app.
func (t Tenant) Take(ctx context.Context, app App, n int, w Work) (time.Duration, error) {
	if ahead := t.q.At.Sub(t.now); ahead > 0 {
		return ahead, nil
	}
	if wait := t.tenantWait(n, w); wait > 0 {
		return wait, nil
	}
	wait, err := t.portion(ctx, app, n, w)
	if err != nil || wait > 0 {
		return wait, err
	}
	t.q.Writes = max(0, t.q.Writes-float64(n))
	t.takeOfWindow(n)
	return 0, nil
}

// bucketWait is how long the tenant's own bucket has to fill first.
func (t Tenant) bucketWait(n int, w Work) time.Duration {
	floor := 0.0
	if !w.small() {
		floor = leaverReserve
	}
	missing := float64(n) + floor - t.q.Writes
	switch {
	case missing <= 0:
		return 0
	case w.Leaver:
		return t.timeFor(missing)
	}
	return t.rest(missing, float64(w.Left)+floor-t.q.Writes)
}

// rest says how long to leave a dry bucket alone: as long as it takes to have
// something worth waking up for, since nobody should pay for a function that
// sleeps, and towards the end of the work less and less, so that its last part
// goes out as it becomes possible.
func (t Tenant) rest(missing, forAll float64) time.Duration {
	need, all := t.timeFor(missing), t.timeFor(forAll)
	if all <= LongestNap {
		return max(need, all)
	}
	if need <= LongestNap && all <= shortestRest {
		return need
	}
	return max(need, min(longestRest, max(shortestRest, all/2)))
}

// timeFor is how long the bucket takes to gain so many writes.
func (t Tenant) timeFor(tokens float64) time.Duration { return seconds(tokens / t.rate()) }

// RunsOver reports whether the bucket would be full, and more, if nothing was taken for
// so long.
func (t Tenant) RunsOver(in time.Duration) bool {
	return t.q.Writes+in.Seconds()*t.rate() > tenantWrites
}

// Spend takes resource units of reads, and returns how long to wait first.
func (t Tenant) Spend(units int) time.Duration {
	t.q.Units -= float64(units)
	wait := max(0, t.q.At.Sub(t.now))
	if t.q.Units < 0 {
		wait += seconds(-t.q.Units / (tenantUnitsFill * under))
	}
	return wait
}

// Accepted counts writes that Microsoft took, to measure its quota by.
func (t Tenant) Accepted(n int) {
	t.q.Since += n
	t.acceptedOfWindow(n)
}

// Spared gives back writes that were taken for a request, and that Microsoft did not look
// at. What they took of the app's quota stays taken, which wastes a little and harms nobody.
func (t Tenant) Spared(n int) {
	if n <= 0 {
		return
	}
	t.q.Writes = short(min(tenantWrites, t.q.Writes+float64(n)))
	t.sparedOfWindow(n)
}

// Refused learns from a 429 of the scope that it speaks of. Nothing is asked for
// until after is over. The errors are those of app.
func (t Tenant) Refused(ctx context.Context, app App, after time.Duration, scope directory.ThrottleScope) error {
	if scope == directory.ThrottledApp {
		return t.refusedForApp(ctx, app, after)
	}
	if scope == directory.ThrottledTenantApp && t.refusedOfWindow() {
		t.q.Rate, t.q.DryAt, t.q.Since = 0, t.now, 0
		t.q.At = t.now.Add(after)
		return nil
	}
	// The bucket is empty, so what it took since it was empty the last time is
	// what flowed in.
	if since := t.now.Sub(t.q.DryAt).Seconds(); !t.q.DryAt.IsZero() && t.q.Since >= measured && since > 1 {
		t.q.Rate = min(tenantRefill*under, max(1, float64(t.q.Since)/since*under))
		t.q.RateAt = t.now
	}
	if t.q.Since > 0 || t.q.DryAt.IsZero() {
		t.q.DryAt, t.q.Since = t.now, 0
	}
	t.q.Writes, t.q.At = 0, t.now.Add(after)
	return nil
}

func (t Tenant) refusedForApp(ctx context.Context, app App, after time.Duration) error {
	t.q.Ticket, t.q.Portion = 0, 0
	t.q.At = t.now.Add(after)
	return app.ChangeAppQuota(ctx, func(q *directory.AppQuota) bool {
		refillApp(q, t.now)
		counted := q.Counts
		if refusedOfAppWindow(q, t.now) {
			return true
		}
		if q.Supply <= q.Promised {
			return q.Counts != counted
		}
		q.Supply, q.Small = q.Promised, 0
		return true
	})
}

// short leaves out digits that would only be longer in the table.
func short(v float64) float64 { return math.Round(v*10000) / 10000 }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
