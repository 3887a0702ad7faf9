package bench

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// dearItem is what each further item of a batch takes in a tenant where batches are
// dear.
const dearItem = 40 * time.Millisecond

// outcome is what it took to bring people into an empty tenant.
type outcome struct {
	took time.Duration // until the last account is there, and for us the run has ended
	used usage         // for us until the look at the tenant afterwards too
}

// first measures first loads: people who are in the directory are bound in one go,
// in a tenant that has nobody but its admin and has been read, as when its connection
// was confirmed; and scripts that have the same people in a file do the same to a
// tenant like it.
func first(t *testing.T, r *report) {
	for _, n := range []int{200, 1000} {
		ours, script := firstLoad(t, n, 0), scriptLoad(t, n, best, 0)
		loop := loopLoad(t, n)
		r.add(fmt.Sprintf("first.%d_s", n), ours.took.Seconds(), "s", lower,
			fmt.Sprintf("%d people bound in one go, from the wake-up to the end of the run: %d requests, %d calls in them, %d of the table", n, ours.used.Requests, ours.used.Items, ours.used.Calls))
		r.add(fmt.Sprintf("first.%d_ratio", n), ours.took.Seconds()/script.took.Seconds(), "ratio", lower,
			fmt.Sprintf("that ÷ the best script's time, %.2f s: it lists once, compares, and sends batches of 20, four in flight: %d requests, %d calls", script.took.Seconds(), script.used.Requests, script.used.Items))
		r.add(fmt.Sprintf("first.%d_loop_ratio", n), loop.took.Seconds()/ours.took.Seconds(), "ratio", higher,
			fmt.Sprintf("the time of the loop that admins write (GET, compare, POST), %.1f s, ÷ ours: %d requests", loop.took.Seconds(), loop.used.Requests))
		if n == 1000 {
			r.add("first.calls_per_user", float64(ours.used.Items)/float64(n), "calls", lower, "of Graph, the items of a batch each, from the wake-up until the look at the tenant after the run")
		}
	}
	const n = 1000
	ours, single := firstLoad(t, n, dearItem), scriptLoad(t, n, oneByOne, dearItem)
	script := scriptLoad(t, n, best, dearItem)
	r.add("first.dear_batch_ratio", ours.took.Seconds()/single.took.Seconds(), "ratio", lower,
		fmt.Sprintf("1,000 people where a batch takes %s for each further item: %.2f s and %d requests ÷ calls one by one, eight at a time, %.2f s; the best script's batches take %.2f s", dearItem, ours.took.Seconds(), ours.used.Requests, single.took.Seconds(), script.took.Seconds()))
}

// dear makes batches dear.
func (w *world) dear(item time.Duration) {
	w.Helper()
	if item > 0 {
		_, err := w.sim.SetFault(entratest.Fault{Kind: "dear-batch", Seconds: item.Seconds()})
		w.do(err)
	}
}

// firstLoad is Bindery's.
func firstLoad(t *testing.T, n int, item time.Duration) (o outcome) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{}, 0)
		defer w.cloud.stop()
		s := w.sites[0]
		w.settle(s)
		w.dear(item)
		newcomers(t, w.raw, s, n)
		o.used = w.measured(func() {
			begun := time.Now()
			w.wakeUp(s)
			w.until("loaded", time.Hour, 5*time.Millisecond, func() bool { return w.loaded(s) })
			o.took = time.Since(begun)
		})
		w.complete(s, n)
	})
	return o
}

// scriptLoad is a script's.
func scriptLoad(t *testing.T, n int, how manners, item time.Duration) (o outcome) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{}, 0)
		defer w.cloud.stop()
		w.dear(item)
		s := w.sites[0]
		people := wantedOf(t, s, newUsers(s, n))
		o.used = w.measured(func() {
			begun := time.Now()
			w.synchronise(s, people, how)
			o.took = time.Since(begun)
		})
		w.complete(s, n)
	})
	return o
}

// loopLoad is the loop's.
func loopLoad(t *testing.T, n int) (o outcome) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{}, 0)
		defer w.cloud.stop()
		s := w.sites[0]
		users := newUsers(s, n)
		o.used = w.measured(func() {
			begun := time.Now()
			w.script(s, users)
			o.took = time.Since(begun)
		})
		w.complete(s, n)
	})
	return o
}

// fewSize is how large the tenant is into which two people come.
const fewSize = 1000

// few measures two people who are bound by a call of the API, in a tenant that has
// been in sync for long.
func few(t *testing.T, r *report) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{}, fewSize)
		defer w.cloud.stop()
		s := w.sites[0]
		w.wakeUp(s)
		w.cloud.rest()
		time.Sleep(2 * time.Hour) // what is kept for an hour is gone
		w.wakeUp(s)
		w.cloud.rest()
		users := newUsers(s, 2)
		var ids []directory.UserID
		for i := range users {
			w.do(w.raw.Users.CreateUsers(t.Context(), directory.AuditEvent{}, &users[i]))
			ids = append(ids, users[i].ID)
		}
		metered := w.records()
		bindings := assign.NewBindings(assign.BindingsConfig{Stores: assign.StoresOf(metered), Wake: w.cloud,
			Runs: starter{runs.New(runs.Config{Stores: runs.StoresOf(metered), Wake: w.cloud.Wake})}})
		w.meter.units = true
		var took time.Duration
		used := w.measured(func() {
			begun := time.Now()
			bound, err := bindings.Bind(t.Context(), directory.Caller{Subject: "bench"}, s.conn.ID, ids)
			w.do(err)
			if len(bound.Bound) != len(ids) || bound.DryRun == nil {
				t.Fatalf("bound %+v", bound)
			}
			w.until("loaded", time.Hour, 5*time.Millisecond, func() bool { return w.loaded(s) })
			took = time.Since(begun)
		})
		w.complete(s, fewSize+len(ids))
		r.add("few.requests", float64(used.Requests), "requests", lower, fmt.Sprintf("two people bound by a call of the API, with its dry run, to a tenant of %d: all from the call until the look at the tenant after the run", fewSize))
		r.add("few.calls", float64(used.Items), "calls", lower, "those, the items of a batch each")
		r.add("few.latency_s", took.Seconds(), "s", lower, "from the call to the end of the run")
		r.add("few.table_units", used.ReadUnits+used.WriteUnits, "units", lower, fmt.Sprintf("%g read and %g write units in %d calls", used.ReadUnits, used.WriteUnits, used.Calls))
	})
}

// starter starts a binding's dry run, as the product does.
type starter struct{ runs *runs.Service }

func (s starter) Start(ctx context.Context, c *directory.Connection, req assign.RunRequest) (directory.Run, error) {
	return s.runs.Start(ctx, req.By, c, runs.Request{Kind: req.Kind, DryRun: req.DryRun, UserIDs: req.UserIDs, Trigger: req.Trigger, Audit: req.Audit})
}
