package bench

import (
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/core/reconcile"
	"bindery/shared/entra/entratest"
)

func TestTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := realNow()
		lap := func(what string) { fmt.Printf("%s: %.1f s real\n", what, realNow().Sub(begun).Seconds()) }
		n, size, people := 60, 100, 1000
		if os.Getenv("BIG") != "" {
			n, people = 250, 5000
		}
		w := newWorld(t, entratest.Quota{})
		defer w.cloud.stop()
		w.sites = append(w.sites, w.site(0, people, slim))
		s := w.sites[0]
		w.settle(s)
		w.cloud.tick()
		lap("filled")
		groups := w.fillGroups(s, 0, n, size)
		lap("groups")
		before := w.ledger.read()
		last := before
		at := time.Now()
		w.cloud.log = func(sum reconcile.Summary, err error) {
			if sum.Skipped != "" {
				return
			}
			u := w.ledger.read().minus(last)
			last = w.ledger.read()
			fmt.Printf("%7.2fs run %s %s planned %d sent %d applied %d failed %d skipped %q again %s err %v | calls %d rd %.0f wr %d req %d chg %d\n", time.Since(at).Seconds(), sum.RunID, sum.State, sum.Planned, sum.Sent, sum.Applied, sum.Failed, sum.Skipped, sum.Again, err, u.Calls, u.ReadUnits, u.Writes, u.Requests, u.Changes)
		}
		w.use(s, groups, asSecurityGroup)
		lap("uses")
		took := w.bring(s)
		lap("brought")
		u := w.ledger.read().minus(before)
		least := leastTime(float64(n)+float64(n*size/20*7), tenantBucket, tenantRefill)
		fmt.Printf("took %s, least %.0f, %+v\n", took, least, u)
		reqs := map[string]int{}
		for _, m := range w.sim.Mutations(string(s.conn.Tenant.ID)) {
			reqs[m.Kind]++
		}
		fmt.Println(reqs)
		weight := 0
		for _, q := range w.sim.Requests() {
			if q.Batch == "" || q.Item > 0 {
				weight += q.Writes
			}
		}
		fmt.Println("writes charged", weight)
		w.meter.units = true
		time.Sleep(2 * time.Hour)
		w.wakeUp(s)
		w.cloud.rest()
		time.Sleep(5 * time.Minute)
		fmt.Println("--- idle")
		idle := w.measured(func() { w.wakeUp(s) })
		fmt.Printf("idle %+v\n", idle)
		w.editMember(groups[0], s.users[people-1])
		w.cloud.rest()
		time.Sleep(time.Minute)
		fmt.Println("--- one")
		w.sim.ResetRequests()
		var latency time.Duration
		one := w.measured(func() { latency = w.editMember(groups[1], s.users[people-2]) })
		fmt.Printf("one %s %+v\n", latency, one)
		for _, q := range w.sim.Requests() {
			fmt.Println(q.Time.Format("05.000"), q.Method, q.Path, q.Status, q.Item)
		}
	})
}
