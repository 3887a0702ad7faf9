package reconcile

import (
	"time"

	"bindery/shared/store"
)

// Microsoft's documented write quota of an app in a tenant: a bucket of 3,000
// that refills at 20 a second (G 5). We refill a little slower.
const (
	quotaCapacity = 3000
	quotaRefill   = 20 * 0.98
)

// pace takes n writes out of the tenant's bucket and returns how long to wait
// before sending them. A wait that is too long for a nap takes nothing.
func (w *worker) pace(n int) time.Duration {
	now := w.now()
	p := w.lease.Pace
	if p.At.IsZero() {
		p = store.Pace{Tokens: quotaCapacity, At: now}
	}
	if since := now.Sub(p.At); since > 0 {
		p.Tokens, p.At = min(quotaCapacity, p.Tokens+since.Seconds()*quotaRefill), now
	}
	// At may lie ahead: Microsoft asked to wait until then.
	wait := max(0, p.At.Sub(now))
	if missing := float64(n) - p.Tokens; missing > 0 {
		wait += time.Duration(missing / quotaRefill * float64(time.Second))
	}
	if wait <= longestNap {
		p.Tokens -= float64(n)
	}
	w.lease.Pace = p
	return wait
}
