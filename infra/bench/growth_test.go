package bench

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

var sizes = []struct {
	name string
	n    int
}{{"1k", 1000}, {"10k", 10_000}, {"100k", 100_000}}

// growth measures a run with nothing to do, one edited user and a full reconcile
// at three sizes of a tenant.
func growth(t *testing.T, r *report) {
	for _, size := range sizes {
		synctest.Test(t, func(t *testing.T) { steady(t, r, size.name, size.n, size.n == 100_000) })
	}
}

func steady(t *testing.T, r *report, name string, n int, main bool) {
	begun := realNow()
	w := newWorld(t, entratest.Quota{}, n)
	defer w.cloud.stop()
	s := w.sites[0]
	w.meter.units = true
	fmt.Printf("  %s filled in %.1f s\n", name, realNow().Sub(begun).Seconds())

	// The first run reads everything.
	start := time.Now()
	full := w.measured(func() { w.wakeUp(s) })
	took := time.Since(start)
	fmt.Printf("  %s read in %.1f s\n", name, realNow().Sub(begun).Seconds())

	// The connection is no new one any more.
	time.Sleep(2 * time.Hour)
	w.wakeUp(s)
	w.cloud.rest()
	time.Sleep(time.Duration(directory.DefaultInterval))
	idle := w.measured(func() { w.wakeUp(s) })

	// The first edit reads the roles for an hour's protection.
	w.edit(s, 1, `{"jobTitle":"Warm"}`)
	w.cloud.rest()
	time.Sleep(time.Minute)
	var latency time.Duration
	one := w.measured(func() { latency = w.edit(s, 2, `{"jobTitle":"Hot"}`) })

	// What follows a run: its link. The first makes the chains begin.
	records := w.records()
	chain := w.chain(records)
	w.do(chain.Tend(t.Context()))
	w.edit(s, 3, `{"jobTitle":"Last"}`)
	w.cloud.rest()
	link := w.measured(func() { w.do(chain.LinkRuns(t.Context(), s.conn.ID)) })

	count := func(what string, u usage) {
		r.add("growth."+what+"."+name+".requests", float64(u.Requests), "requests", lower, fmt.Sprintf("%d bindings, %s: requests to Graph (%d items, %g resource units)", n, what, u.Items, u.Units))
		r.add("growth."+what+"."+name+".table_units", u.ReadUnits+u.WriteUnits, "units", lower, fmt.Sprintf("%g read and %g write units in %d calls", u.ReadUnits, u.WriteUnits, u.Calls))
	}
	count("idle", idle)
	count("one_edit", one)
	count("reconcile", full)
	r.add("growth.reconcile."+name+".time_s", took.Seconds(), "s", lower, "the full reconcile, with the network")
	if !main {
		return
	}
	r.add("idle.graph_requests", float64(idle.Requests), "requests", lower, "100,000 bindings, nothing changed")
	r.add("idle.table_units", idle.ReadUnits+idle.WriteUnits, "units", lower, fmt.Sprintf("that run: %g read, %g write, %d calls that write", idle.ReadUnits, idle.WriteUnits, idle.Writes))
	r.add("one_edit.graph_requests", float64(one.Requests), "requests", lower, "one user edited among 100,000")
	r.add("one_edit.latency_s", latency.Seconds(), "s", lower, "from the edit's call to the change in the tenant")
	r.add("one_edit.table_units", one.ReadUnits+one.WriteUnits, "units", lower, "the edit itself and all that follows, without the run's link")
	r.add("one_edit.kms_calls", float64(one.Seals), "calls", lower, "of KMS, by warm processes: what is sealed is sealed by their sessions")
	r.add("link.table_units", link.ReadUnits+link.WriteUnits, "units", lower, fmt.Sprintf("the link of that run: %g read, %g write", link.ReadUnits, link.WriteUnits))
	r.add("link.kms_calls", float64(link.Seals), "calls", lower, "the link's own seal, and one for each session that the process has not met")
	r.add("reconcile.table_units", full.ReadUnits+full.WriteUnits, "units", lower, fmt.Sprintf("a full reconcile of them, nothing changed: %g read, %g write, in %d calls", full.ReadUnits, full.WriteUnits, full.Calls))
	r.add("idle.kms_calls", float64(idle.Seals), "calls", lower, "a run that finds nothing to do")
}

// edit patches the nth user and returns how long it took to reach the tenant.
func (w *world) edit(s *site, n int, patch string) time.Duration {
	w.Helper()
	seen := len(w.sim.Mutations(string(s.conn.Tenant.ID)))
	begun := time.Now()
	_, err := w.users.Patch(w.Context(), directory.Caller{Subject: "bench", Source: directory.SourceAD}, s.users[n], []byte(patch), 0)
	w.do(err)
	w.until("changed in the tenant", 10*time.Minute, 5*time.Millisecond, func() bool {
		return len(w.sim.Mutations(string(s.conn.Tenant.ID))) > seen
	})
	return time.Since(begun)
}
