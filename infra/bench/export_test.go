package bench

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/entra/entratest"
)

// Microsoft's quota of writes of one app in one tenant, and of the app over all
// tenants (G 5): a bucket and how much it gets back in a second.
const (
	tenantBucket = 3000
	tenantRefill = 20.0
	appBucket    = 35_000
	appRefill    = 35_000.0 / 300
)

// leastTime is how long writes take at least by a bucket.
func leastTime(writes, capacity, refill float64) float64 { return max(0, (writes-capacity)/refill) }

// exported is how many accounts a load creates.
const exported = 20_000

// export measures a load of new accounts.
func export(t *testing.T, r *report) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoad(t, entratest.Quota{})
		l.run()
		r.add("export.quota_ratio", leastTime(exported, tenantBucket, tenantRefill)/l.took.Seconds(), "ratio", higher, "20,000 new accounts: least possible time by quota ÷ time taken")
		r.add("export.throttled", float64(l.used.Throttled), "answers", lower, "429 answers in that load")
		r.add("export.time_s", l.took.Seconds(), "s", lower, fmt.Sprintf("that load, in %d slices", l.slices))
		r.add("export.first_write_s", l.first.Seconds(), "s", lower, "that load: until its first write, since the plan is whole before it begins")
		r.add("export.requests", float64(l.used.Requests), "requests", lower, fmt.Sprintf("that load: %d items, %g resource units, %d calls of the table", l.used.Items, l.used.Units, l.used.Calls))
		r.add("first.calls_per_user_20k", float64(l.whole.Items)/exported, "calls", lower, fmt.Sprintf("that load, of Graph, the items of a batch each, until the look at the tenant after the run: %d requests", l.whole.Requests))
		r.add("export.dead_letters", float64(l.cloud.dead), "messages", lower, fmt.Sprintf("in that load and the two hours after; at most %d invocations were under way at once", l.cloud.most))
		r.add("export.billed_s", l.billed.Seconds(), "s", lower, "that load: what all invocations took together")
	})
}

// looping is the same load on a Lambda that takes sync for a loop.
func looping(t *testing.T, r *report) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoad(t, entratest.Quota{})
		l.cloud.loops = false
		l.run()
		r.add("export.stopped_ratio", leastTime(exported, tenantBucket, tenantRefill)/l.took.Seconds(), "ratio", higher, "the same without RecursiveLoop: Allow in the template")
		r.add("export.stopped_dead_letters", float64(l.cloud.dead), "messages", lower, fmt.Sprintf("then: chains that Lambda stopped after %d invocations, %d refusals", lineage, l.cloud.refused))
		if l.cloud.dead == 0 {
			t.Error("a load of 20,000 accounts has no chain that is too long: the template need not allow loops")
		}
	})
}

// killSeeds is how often the load with killed slices is made: how much a death
// costs depends on the call at which it comes.
const killSeeds = 12

// killed is the same load with every twentieth slice killed. Each seed has a world
// and a time of its own, so that they go at once.
func killed(t *testing.T, r *report) {
	ratios := make([]float64, killSeeds)
	var deaths, slicesBegun atomic.Int64
	t.Run("seeds", func(t *testing.T) {
		for seed := range ratios {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					l := newLoad(t, entratest.Quota{})
					l.cloud.killFrom(uint64(seed))
					l.run()
					ratios[seed] = leastTime(exported, tenantBucket, tenantRefill) / l.took.Seconds()
					deaths.Add(int64(l.cloud.killed))
					slicesBegun.Add(int64(l.cloud.slices))
				})
			})
		}
	})
	var all []string
	for _, ratio := range ratios {
		all = append(all, fmt.Sprintf("%.3f", ratio))
	}
	worst := slices.Min(ratios)
	r.add("export.killed_ratio", worst, "ratio", higher, "the same, one slice in 20 killed at any of its calls: the worst of "+strings.Join(all, ", "))
	r.add("export.killed_slices", float64(deaths.Load()), "slices", higher, fmt.Sprintf("in those loads, of %d", slicesBegun.Load()))
}

// surprise is the same load in a tenant whose real quota is lower than Microsoft says.
func surprise(t *testing.T, r *report) {
	const share = 0.7
	synctest.Test(t, func(t *testing.T) {
		l := newLoad(t, entratest.Quota{AppTenantWrites: entratest.Rate{Capacity: share * tenantBucket, Per: 150 * time.Second}})
		l.run()
		r.add("export.surprise_ratio", leastTime(exported, share*tenantBucket, share*tenantRefill)/l.took.Seconds(), "ratio", higher, "the real quota is 70 % of the documented one: least time by the real one ÷ time taken")
		r.add("export.surprise_throttled", float64(l.used.Throttled), "answers", lower, "429 answers in that load")
	})
}

// load is one tenant that gets new accounts.
type load struct {
	*world
	to    *site
	took  time.Duration
	first time.Duration // until the first account was there
	used  usage
	whole usage // with the look at the tenant after the run

	slices int           // that it took
	billed time.Duration // what they took together
}

func newLoad(t *testing.T, quota entratest.Quota) *load {
	t.Helper()
	l := &load{world: newWorld(t, quota, oldHands)}
	l.to = l.sites[0]
	l.settle(l.to)
	newcomers(t, l.raw, l.to, exported)
	l.cloud.tick()
	return l
}

// oldHands are users who have been in sync for long when a load begins.
const oldHands = 200

// run creates the accounts and checks what has become of it.
func (l *load) run() {
	l.Helper()
	defer l.cloud.stop()
	before := l.ledger.read()
	slices, billed := l.cloud.begunAndBilled()
	l.wakeUp(l.to)
	l.first = l.until("writing", time.Hour, 50*time.Millisecond, func() bool { return l.ledger.read().Changes > before.Changes })
	l.took = l.first + l.until("loaded", 4*time.Hour, 250*time.Millisecond, func() bool { return l.loaded(l.to) })
	l.used = l.ledger.read().minus(before)
	l.slices, l.billed = l.cloud.begunAndBilled()
	l.slices, l.billed = l.slices-slices, l.billed-billed
	l.cloud.rest()
	l.whole = l.ledger.read().minus(before)
	time.Sleep(2 * time.Hour) // what fails for good is a dead letter by then
	l.complete(l.to, oldHands+exported)
}

// loaded tells whether nothing is left to do for a site.
func (w *world) loaded(s *site) bool {
	w.Helper()
	runs, err := w.raw.Runs.OpenRuns(w.Context(), s.conn.ID)
	w.do(err)
	if len(runs) > 0 {
		return false
	}
	marks, _, err := w.raw.Marks.ListMarks(w.Context(), s.conn.ID, s.conn.Epoch, "", 1)
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
