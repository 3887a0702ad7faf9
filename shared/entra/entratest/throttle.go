package entratest

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
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

// bucket is one token bucket at work.
type bucket struct {
	left float64
	at   time.Time
}

// cost is what a call takes.
type cost struct {
	units  float64
	writes int
	audit  bool
	photo  bool // of the service that keeps photos, which has limits of its own
}

// price is what a call costs (G 5).
func price(method string, path []string, q map[string]string) cost {
	if method != http.MethodGet {
		c := cost{units: 1, writes: 1}
		if len(path) > 0 {
			switch path[len(path)-1] {
			case "getbyids":
				c = cost{units: 5}
				if q["$select"] != "" {
					c.units = 2
				}
			case "checkmembergroups", "checkmemberobjects", "ismemberof":
				c = cost{units: 4}
			case "getmembergroups", "getmemberobjects":
				c = cost{units: 2}
			}
		}
		return c
	}
	c := cost{units: baseUnits(path), audit: len(path) > 0 && path[0] == "auditlogs", photo: photoPath(path)}
	if q["$select"] != "" {
		c.units--
	}
	if q["$expand"] != "" {
		c.units++
	}
	if n, err := strconv.Atoi(q["$top"]); err == nil && n < 20 {
		c.units--
	}
	c.units = max(c.units, 1)
	return c
}

func baseUnits(path []string) float64 {
	has := func(s string) bool { return slices.Contains(path, s) }
	switch {
	case len(path) == 0:
		return 1
	case has("transitivemembers"):
		return 5
	case has("members") && path[0] == "groups", path[0] == "subscribedskus", path[0] == "contracts":
		return 3
	case has("memberof"), has("transitivememberof"), has("licensedetails"), has("ownedobjects"),
		path[0] == "oauth2permissiongrants", path[0] == "applications", path[0] == "users" && len(path) == 1:
		return 2
	}
	return 1
}

// limit is one bucket that a call has to pass.
type limit struct {
	key   string
	rate  Rate
	take  float64
	scope string // Tenant_Application, Tenant, Application
	kind  string // Read, Write
}

// refusal tells which limit a call met.
type refusal struct {
	wait        time.Duration
	scope       string
	information string
}

// charge takes a call's cost out of all its buckets. What is asked for in vain
// counts as well: it empties the bucket that refuses. The mutex is held.
func (s *Server) charge(t *tenant, app string, c cost) (used float64, r *refusal) {
	now := s.now()
	limits := s.limits(t, app, c)
	for _, l := range limits {
		if l.take == 0 {
			continue
		}
		b := s.buckets[l.key]
		if b == nil {
			b = &bucket{left: l.rate.Capacity, at: now}
			s.buckets[l.key] = b
		}
		speed := l.rate.Capacity / l.rate.Per.Seconds()
		b.left = min(l.rate.Capacity, b.left+now.Sub(b.at).Seconds()*speed)
		b.at = now
		if b.left < l.take {
			b.left = 0
			if r == nil {
				info := "ResourceUnitLimitExceeded"
				if l.kind == "Write" {
					info = "WriteLimitExceeded"
				}
				r = &refusal{
					wait:        time.Duration(math.Ceil(l.take/speed)) * time.Second,
					scope:       l.scope + "/" + l.kind + "/" + app + "/" + t.id,
					information: info,
				}
			}
			continue
		}
		b.left -= l.take
		used = max(used, 1-b.left/l.rate.Capacity)
	}
	return used, r
}

func (s *Server) limits(t *tenant, app string, c cost) []limit {
	q := s.o.Quota
	app = strings.ToLower(app)
	if c.audit {
		return []limit{
			{"audit " + app + " " + t.id, q.AppTenantAudit, 1, "Tenant_Application", "Read"},
			{"audit " + app, q.AppAudit, 1, "Application", "Read"},
		}
	}
	if c.photo {
		return []limit{{"photos " + app + " " + t.id, q.AppTenantPhotos, 1, "Tenant_Application", "Read"}}
	}
	units := q.AppTenantUnitsL
	switch n := len(t.ids) - len(t.groupIDs); {
	case n < 50:
		units = q.AppTenantUnitsS
	case n <= 500:
		units = q.AppTenantUnitsM
	}
	return []limit{
		{"units " + app + " " + t.id, units, c.units, "Tenant_Application", "Read"},
		{"units " + app, q.AppUnits, c.units, "Application", "Read"},
		{"writes " + app + " " + t.id, q.AppTenantWrites, float64(c.writes), "Tenant_Application", "Write"},
		{"writes " + app, q.AppWrites, float64(c.writes), "Application", "Write"},
		{"writes of " + t.id, q.TenantWrites, float64(c.writes), "Tenant", "Write"},
	}
}

// refund gives units back that a refused call did not cost.
func (s *Server) refund(t *tenant, app string, units float64) {
	for _, l := range s.limits(t, app, cost{units: units}) {
		if b := s.buckets[l.key]; b != nil && l.take > 0 {
			b.left = min(l.rate.Capacity, b.left+l.take)
		}
	}
}
