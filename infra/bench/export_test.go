package bench

import (
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/entra/entratest"
)

// exported is how many accounts a load creates.
const exported = 20_000

// export measures a load of new accounts.
func export(t *testing.T, r *report) {
	synctest.Test(t, func(t *testing.T) {
		took, used := load(t, entratest.Quota{}, 0)
		r.add("export.quota_ratio", leastTime(exported, 3000, 20)/took.Seconds(), "ratio", higher, "20,000 new accounts: least possible time by quota ÷ time taken")
		r.add("export.throttled", float64(used.Throttled), "answers", lower, "429 answers in that load")
		r.add("export.time_s", took.Seconds(), "s", lower, "that load")
		r.add("export.requests", float64(used.Requests), "requests", lower, "that load")
	})
}

// leastTime is how long writes take at least by a bucket.
func leastTime(writes, capacity, refill float64) float64 { return max(0, (writes-capacity)/refill) }

// load creates accounts and returns how long that took.
func load(t *testing.T, quota entratest.Quota, killEach int) (time.Duration, usage) {
	w := newWorld(t, quota, 0)
	defer w.cloud.stop()
	s := w.sites[0]
	newcomers(t, w.raw, s, exported)
	w.cloud.killEach = killEach
	w.cloud.tick()
	before := w.ledger.read()
	w.wakeUp(s)
	took := w.until("loaded", 4*time.Hour, 250*time.Millisecond, func() bool { return w.loaded(s) })
	w.complete(s, exported)
	return took, w.ledger.read().minus(before)
}

// loaded tells whether nothing is left to do for a site.
func (w *world) loaded(s *site) bool {
	w.Helper()
	runs, err := w.raw.OpenRuns(w.Context(), s.conn.ID)
	w.do(err)
	if len(runs) > 0 {
		return false
	}
	marks, _, err := w.raw.Marks(w.Context(), s.conn.ID, s.conn.Epoch, "", 1)
	w.do(err)
	return len(marks) == 0
}

// complete fails the test unless the tenant has as many accounts as it should,
// each made once, beside its admin.
func (w *world) complete(s *site, accounts int) {
	w.Helper()
	names := map[string]bool{}
	for _, m := range w.sim.Mutations(string(s.conn.Tenant.ID)) {
		if m.Kind != "create" {
			continue
		}
		if names[m.UPN] {
			w.Errorf("%s was created twice", m.UPN)
		}
		names[m.UPN] = true
	}
	for _, tenant := range w.sim.Tenants() {
		if tenant.ID == string(s.conn.Tenant.ID) && tenant.Count != accounts+1 {
			w.Errorf("the tenant has %d accounts, want %d", tenant.Count-1, accounts)
		}
	}
}
