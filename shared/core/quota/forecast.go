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
	if missing := float64(writes) - tenant.Writes; missing > 0 {
		by = by.Add(t.timeFor(missing))
	}
	if wait := t.forecastWindow(writes); now.Add(wait).After(by) {
		by = now.Add(wait)
	}
	refillApp(&app, now)
	if line := now.Add(inLine(&app, app.Promised+max(0, float64(writes)-tenant.Portion))); line.After(by) {
		by = line
	}
	if appCounts(&app, now) == directory.CountsWindow {
		s := parseSent(app.Sent, appWindow+late, now)
		if wait := s.waitForAll(now, writes, int(appWrites)-smallReserve); now.Add(wait).After(by) {
			by = now.Add(wait)
		}
	}
	if least := now.Add(t.timeOfFlights(writes)); least.After(by) {
		by = least
	}
	return by.UTC().Truncate(time.Second)
}

// forecastWindow is how long writes of a load have to wait for a window, where one is
// known to be counted.
func (t Tenant) forecastWindow(writes int) time.Duration {
	if t.counting() != directory.CountsWindow {
		return 0
	}
	s := t.sent()
	return s.waitForAll(t.now, writes, Work{Left: writes}.limit())
}

// timeOfFlights is about how long it takes to send writes that wait for nothing, in
// flights as wide as the tenant's last ones.
func (t Tenant) timeOfFlights(writes int) time.Duration {
	f := t.flow()
	flight := max(aFlight, f.takes(batchSize)+between)
	return time.Duration(ceil(writes, batchSize*f.Width)) * flight
}
