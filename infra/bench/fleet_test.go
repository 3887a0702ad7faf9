package bench

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/entra/entratest"
)

const (
	fleetTenants = 200
	fleetWrites  = 500

	bigTenants   = 10
	bigWrites    = 60_000
	smallTenants = 190
	smallWrites  = 20
	smallArrive  = 10 * time.Minute
)

// fleet measures many tenants that share the app's quota.
func fleet(t *testing.T, r *report) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{})
		defer w.cloud.stop()
		w.addSites(fleetTenants, fleetWrites)
		w.cloud.tick()
		before := w.ledger.read()
		open := w.sites
		for _, s := range open {
			w.wakeUp(s)
		}
		took := w.until("all loaded", 4*time.Hour, 250*time.Millisecond, func() bool {
			for len(open) > 0 && w.loaded(open[0]) {
				open = open[1:]
			}
			return len(open) == 0
		})
		used := w.ledger.read().minus(before)
		for _, s := range w.sites {
			w.complete(s, fleetWrites)
		}
		r.add("fleet.quota_ratio", leastTime(fleetTenants*fleetWrites, appBucket, appRefill)/took.Seconds(), "ratio", higher,
			fmt.Sprintf("200 tenants of 500 writes each, at once: least time by the app's quota ÷ time taken (%.1f s)", took.Seconds()))
		r.add("fleet.throttled", float64(used.Throttled), "answers", lower, "429 answers in that load")
		r.add("fleet.table_writes", float64(used.Writes), "calls", lower, fmt.Sprintf("calls of the table that write, in that load; %d requests to Graph", used.Requests))
	})
}

// small measures what a small tenant notices of big ones that wait for the app's quota.
func small(t *testing.T, r *report) {
	var alone time.Duration
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{})
		defer w.cloud.stop()
		w.addSites(1, smallWrites)
		w.cloud.tick()
		w.wakeUp(w.sites[0])
		alone = w.until("loaded", time.Hour, 20*time.Millisecond, func() bool { return w.loaded(w.sites[0]) })
	})
	synctest.Test(t, func(t *testing.T) { crowd(t, r, alone) })
}

func crowd(t *testing.T, r *report, alone time.Duration) {
	// The world is large and its garbage is not worth the memory of others.
	defer debug.SetGCPercent(debug.SetGCPercent(70))
	w := newWorld(t, entratest.Quota{})
	defer w.cloud.stop()
	w.addSites(bigTenants, bigWrites)
	w.addSites(smallTenants, 0)
	w.cloud.tick()
	for _, s := range w.sites[:bigTenants] {
		w.wakeUp(s)
	}
	drained := w.until("drained", time.Hour, time.Second, func() bool { return w.ledger.read().Changes >= appBucket })
	time.Sleep(time.Minute)
	fmt.Printf("  the app's bucket was dry after %s\n", drained)
	before := w.ledger.read()
	begun := time.Now()
	took := make([]time.Duration, smallTenants)
	random := rand.New(rand.NewPCG(5, 5))
	var all sync.WaitGroup
	for n, s := range w.sites[bigTenants:] {
		arrives := time.Duration(random.Int64N(int64(smallArrive)))
		all.Go(func() {
			time.Sleep(arrives)
			newcomers(w.T, w.raw, s, smallWrites)
			w.wakeUp(s)
			from := time.Now()
			for !w.loaded(s) && time.Since(from) < time.Hour {
				time.Sleep(20 * time.Millisecond)
			}
			took[n] = time.Since(from)
		})
	}
	all.Wait()
	used, span := w.ledger.read().minus(before), time.Since(begun)
	r.add("fleet.small_delay_s", (longest(took) - alone).Seconds(), "s", lower,
		fmt.Sprintf("app bucket dry, 10 tenants with 60,000 waiting writes each, 190 tenants of 20 writes arriving over 10 minutes: worst finish − finish alone (%.2f s)", alone.Seconds()))
	r.add("fleet.crowd_ratio", float64(used.Changes)/span.Seconds()/appRefill, "ratio", higher, "writes meanwhile ÷ what the app's quota gives back")
	r.add("fleet.crowd_throttled", float64(used.Throttled), "answers", lower, "429 answers meanwhile")
}

// addSites makes empty tenants, each with users that wait for their accounts.
func (w *world) addSites(n, newUsers int) {
	w.Helper()
	from := len(w.sites)
	for i := range n {
		w.sites = append(w.sites, w.site(from+i, 0, slim))
	}
	var both sync.WaitGroup
	for half := range 2 {
		both.Go(func() {
			for i := half; i < n; i += 2 {
				newcomers(w.T, w.raw, w.sites[from+i], newUsers)
			}
		})
	}
	both.Wait()
}
