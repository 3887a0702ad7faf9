package faults

import (
	"math"
	"strings"
	"sync"
	"time"
)

// Rate is a token bucket: it holds Capacity and is filled again in Per.
type Rate struct {
	Capacity float64
	Per      time.Duration
}

// Quota holds Microsoft's limits; a zero field means Microsoft's number.
type Quota struct {
	AppTenantUnitsS Rate // resource units of one app in a tenant of under 50 users
	AppTenantUnitsM Rate // of 50 to 500
	AppTenantUnitsL Rate // of more
	AppTenantWrites Rate
	AppUnits        Rate // of one app over all tenants
	AppWrites       Rate
	TenantWrites    Rate // of all apps in one tenant
	AppTenantAudit  Rate // calls of the audit log
	AppAudit        Rate
	AppTenantPhotos Rate // calls of one app in a tenant to the service that keeps photos
}

func (q Quota) filled() Quota {
	set := func(r *Rate, capacity float64, per time.Duration) {
		if r.Capacity <= 0 || r.Per <= 0 {
			*r = Rate{capacity, per}
		}
	}
	set(&q.AppTenantUnitsS, 3500, 10*time.Second)
	set(&q.AppTenantUnitsM, 5000, 10*time.Second)
	set(&q.AppTenantUnitsL, 8000, 10*time.Second)
	set(&q.AppTenantWrites, 3000, 150*time.Second)
	set(&q.AppUnits, 150_000, 20*time.Second)
	set(&q.AppWrites, 35_000, 5*time.Minute)
	set(&q.TenantWrites, 18_000, 5*time.Minute)
	set(&q.AppTenantAudit, 5, 10*time.Second)
	set(&q.AppAudit, 122, 10*time.Second)
	set(&q.AppTenantPhotos, 10_000, 10*time.Minute)
	return q
}

// Limiter holds the buckets at work. It may be used by several goroutines at once.
type Limiter struct {
	quota Quota

	mu      sync.Mutex
	buckets map[string]*bucket
}

// NewLimiter makes a Limiter whose buckets are full.
func NewLimiter(q Quota) *Limiter {
	return &Limiter{quota: q.filled(), buckets: map[string]*bucket{}}
}

// bucket is one token bucket at work.
type bucket struct {
	left float64
	at   time.Time
}

// fill adds what has flowed in since the last look.
func (b *bucket) fill(r Rate, now time.Time) {
	b.left = min(r.Capacity, b.left+now.Sub(b.at).Seconds()*r.speed())
	b.at = now
}

// speed is what flows in within a second.
func (r Rate) speed() float64 { return r.Capacity / r.Per.Seconds() }

// Payer is who a call is charged to.
type Payer struct {
	Tenant string
	Users  int // that the tenant has
	App    string
}

// Refusal tells which limit a call met.
type Refusal struct {
	Wait        time.Duration // whole seconds
	Scope       string        // x-ms-throttle-scope
	Information string        // x-ms-throttle-information
}

// limit is one bucket that a call has to pass.
type limit struct {
	key   string
	rate  Rate
	take  float64
	scope string // Tenant_Application, Tenant, Application
	kind  string // Read, Write
}

// refuse tells of a bucket that a call found too empty.
func (l limit) refuse(p Payer) *Refusal {
	information := "ResourceUnitLimitExceeded"
	if l.kind == "Write" {
		information = "WriteLimitExceeded"
	}
	return &Refusal{
		Wait:        time.Duration(math.Ceil(l.take/l.rate.speed())) * time.Second,
		Scope:       l.scope + "/" + l.kind + "/" + p.App + "/" + p.Tenant,
		Information: information,
	}
}

// Charge takes a call's cost out of all its buckets and returns how much of the
// emptiest one is used, 0 to 1. What is asked for in vain counts as well: it empties
// the bucket that refuses.
func (l *Limiter) Charge(now time.Time, p Payer, c Cost) (used float64, refused *Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, li := range l.limits(p, c) {
		if li.take == 0 {
			continue
		}
		b := l.buckets[li.key]
		if b == nil {
			b = &bucket{left: li.rate.Capacity, at: now}
			l.buckets[li.key] = b
		}
		b.fill(li.rate, now)
		if b.left >= li.take {
			b.left -= li.take
			used = max(used, 1-b.left/li.rate.Capacity)
			continue
		}
		b.left = 0
		if refused == nil {
			refused = li.refuse(p)
		}
	}
	return used, refused
}

// Refund gives units back that a refused call did not cost.
func (l *Limiter) Refund(p Payer, units float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, li := range l.limits(p, Cost{Units: units}) {
		if b := l.buckets[li.key]; b != nil && li.take > 0 {
			b.left = min(li.rate.Capacity, b.left+li.take)
		}
	}
}

func (l *Limiter) limits(p Payer, c Cost) []limit {
	q := l.quota
	app := strings.ToLower(p.App)
	both := app + " " + p.Tenant
	if c.Audit {
		return []limit{
			{"audit " + both, q.AppTenantAudit, 1, "Tenant_Application", "Read"},
			{"audit " + app, q.AppAudit, 1, "Application", "Read"},
		}
	}
	if c.Photo {
		return []limit{{"photos " + both, q.AppTenantPhotos, 1, "Tenant_Application", "Read"}}
	}
	writes := float64(c.Writes)
	return []limit{
		{"units " + both, q.unitsOf(p.Users), c.Units, "Tenant_Application", "Read"},
		{"units " + app, q.AppUnits, c.Units, "Application", "Read"},
		{"writes " + both, q.AppTenantWrites, writes, "Tenant_Application", "Write"},
		{"writes " + app, q.AppWrites, writes, "Application", "Write"},
		{"writes of " + p.Tenant, q.TenantWrites, writes, "Tenant", "Write"},
	}
}

// unitsOf is the limit of resource units in a tenant with a number of users.
func (q Quota) unitsOf(users int) Rate {
	switch {
	case users < 50:
		return q.AppTenantUnitsS
	case users <= 500:
		return q.AppTenantUnitsM
	}
	return q.AppTenantUnitsL
}
