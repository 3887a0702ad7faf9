package quota

import (
	"time"

	"bindery/shared/directory"
)

// batchSize is how many writes go into one request, and aFlight about how long a
// flight of them takes with all that belongs to it.
const (
	batchSize = 20
	aFlight   = 500 * time.Millisecond
)

// Forecast is when so many writes will have been made in a tenant, as far as the
// quotas decide it, by what is known of how they are counted.
func Forecast(tenant directory.TenantQuota, app directory.AppQuota, now time.Time, writes int) time.Time {
	t := At(&tenant, now)
	by := tenant.At
	switch missing := float64(writes) - tenant.Writes; {
	case t.counting() == directory.CountsWindow:
		s := t.sent()
		by = later(by, now.Add(s.waitForAll(now, writes, Work{Left: writes}.limit())))
	case missing > 0:
		by = by.Add(t.timeFor(missing))
	}
	refillApp(&app, now)
	by = later(by, now.Add(inLine(&app, app.Promised+max(0, float64(writes)-tenant.Portion))))
	if appCounts(&app, now) == directory.CountsWindow {
		s := parseSent(app.Sent, appWindow+late, now)
		by = later(by, now.Add(s.waitForAll(now, writes, int(appWrites)-smallReserve)))
	}
	by = later(by, now.Add(t.timeOfFlights(writes)))
	return by.UTC().Truncate(time.Second)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// timeOfFlights is about how long it takes to send writes that wait for nothing, in
// flights as wide as the tenant's last ones.
func (t Tenant) timeOfFlights(writes int) time.Duration {
	f := t.flow()
	flight := max(aFlight, f.takes(batchSize)+between)
	return time.Duration(ceil(writes, batchSize*f.Width)) * flight
}
