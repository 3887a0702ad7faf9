package faults

import (
	"math"
	"strings"
	"sync"
	"time"
)

// Rate is how much is let through in what time. It is a token bucket, which holds
// Capacity and is filled again in Per; or with Window a sliding window, in which no
// Per has more than Capacity, so that after a burst nothing comes back before the
// burst is as old as the window. Microsoft documents buckets; tenants were seen that
// count windows.
type Rate struct {
	Capacity float64
	Per      time.Duration
	Window   bool
}

// Quota holds Microsoft's limits; a field without Capacity or Per means Microsoft's
// number, counted as the field says.
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
			r.Capacity = capacity
			r.Per = per
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

// Limiter holds the meters at work. It may be used by several goroutines at once.
type Limiter struct {
	quota Quota

	mu     sync.Mutex
	meters map[string]meter
}

// NewLimiter makes a Limiter of which nothing is used.
func NewLimiter(q Quota) *Limiter {
	return &Limiter{quota: q.filled(), meters: map[string]meter{}}
}

// speed is what a bucket gains within a second.
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

// limit is one rate that a call has to keep.
type limit struct {
	key   string
	rate  Rate
	take  float64
	scope string // Tenant_Application, Tenant, Application
	kind  string // Read, Write
}

// refuse tells of a limit that a call met, which lets it through after a wait.
func (l limit) refuse(p Payer, wait time.Duration) *Refusal {
	information := "ResourceUnitLimitExceeded"
	if l.kind == "Write" {
		information = "WriteLimitExceeded"
	}
	return &Refusal{
		Wait:        time.Duration(math.Ceil(wait.Seconds())) * time.Second,
		Scope:       l.scope + "/" + l.kind + "/" + p.App + "/" + p.Tenant,
		Information: information,
	}
}

// Charge counts a call's cost on all its meters and returns how much of the fullest
// one is used, 0 to 1. What is asked for in vain counts as well: it uses up the limit
// that refuses.
func (l *Limiter) Charge(now time.Time, p Payer, c Cost) (used float64, refused *Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, li := range l.limits(p, c) {
		if li.take == 0 {
			continue
		}
		m := l.meters[li.key]
		if m == nil {
			m = li.rate.meter(now)
			l.meters[li.key] = m
		}
		share, wait := m.take(now, li.take)
		if wait == 0 {
			used = max(used, share)
		} else if refused == nil {
			refused = li.refuse(p, wait)
		}
	}
	return used, refused
}

// Refund gives units back that a refused call did not cost.
func (l *Limiter) Refund(p Payer, units float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, li := range l.limits(p, Cost{Units: units}) {
		if m := l.meters[li.key]; m != nil && li.take > 0 {
			m.giveBack(li.take)
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
