package quota

import (
	"time"

	"bindery/shared/directory"
)

// batchSize is how many writes go into one request, and aBatch about how long one
// takes that waits for nothing.
const (
	batchSize = 20
	aBatch    = 500 * time.Millisecond
)

// Forecast is when so many writes will have been made in a tenant, as far as the
// quotas decide it.
func Forecast(tenant directory.TenantQuota, app directory.AppQuota, now time.Time, writes int) time.Time {
	t := At(&tenant, now)
	by := tenant.At
	if missing := float64(writes) - tenant.Writes; missing > 0 {
		by = by.Add(t.timeFor(missing))
	}
	refillApp(&app, now)
	if line := now.Add(inLine(&app, app.Promised+max(0, float64(writes)-tenant.Portion))); line.After(by) {
		by = line
	}
	if least := now.Add(time.Duration(writes/batchSize+1) * aBatch); least.After(by) {
		by = least
	}
	return by.UTC().Truncate(time.Second)
}
