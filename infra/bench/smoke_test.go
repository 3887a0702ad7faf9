package bench

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/table"
)

// TestWorld goes once through the harness: a load, an edit, a kill. It measures
// nothing.
func TestWorld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{}, 40)
		defer w.cloud.stop()
		s := w.sites[0]
		w.meter.units = true
		newcomers(t, w.raw, s, 60)
		w.cloud.tick()
		used := w.measured(func() {
			w.wakeUp(s)
			w.until("loaded", time.Hour, time.Second, func() bool { return w.loaded(s) })
		})
		w.complete(s, 100)
		if used.Changes != 60 || used.Throttled != 0 || used.Requests < 4 || used.Items < 60 || used.Units < 60 {
			t.Errorf("a load of 60 accounts used %+v", used)
		}
		if used.Writes == 0 || used.WriteUnits < 120 || used.ReadUnits == 0 {
			t.Errorf("a load of 60 accounts used %+v of the table", used)
		}
		if took := w.edit(s, 3, `{"jobTitle":"Pilot"}`); took < queueHop+roundTrip/2 || took > time.Minute {
			t.Errorf("an edit reached the tenant after %s", took)
		}
		a, _ := w.sim.Account(string(s.conn.Tenant.ID), string(accountID(3)))
		if a["jobTitle"] != "Pilot" {
			t.Errorf("the account's jobTitle = %v, want Pilot", a["jobTitle"])
		}
	})
}

// TestKilled: a slice that dies sends nothing more, and another one does its work.
func TestKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{})
		defer w.cloud.stop()
		w.sites = append(w.sites, w.site(0, 0, slim))
		s := w.sites[0]
		newcomers(t, w.raw, s, 60)
		w.cloud.tick()
		w.cloud.killFrom(1)
		w.cloud.slices = firstKill - 1 // the next one
		w.wakeUp(s)
		w.until("loaded", time.Hour, time.Second, func() bool { return w.loaded(s) })
		w.complete(s, 60)
		if w.cloud.killed != 1 {
			t.Errorf("%d slices were killed, want 1", w.cloud.killed)
		}
	})
}

// Scripts find what is as it should be, and bring who is missing.
func TestScripts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{}, 40)
		defer w.cloud.stop()
		s := w.sites[0]
		var users []directory.User
		for _, id := range s.users {
			u, err := w.raw.Users.User(t.Context(), id)
			w.do(err)
			users = append(users, u)
		}
		there := wantedOf(t, s, users)
		if used := w.measured(func() { w.synchronise(s, there, best) }); used.Requests != 1 || used.Changes != 0 {
			t.Errorf("the script, with nothing to do: %+v, want one request", used)
		}
		there[7]["jobTitle"] = "Pilot"
		people := append(there, wantedOf(t, s, newUsers(s, 25))...)
		if used := w.measured(func() { w.synchronise(s, people, best) }); used.Requests != 3 || used.Items != 27 || used.Changes != 26 {
			t.Errorf("the script, with 25 to create and one to change: %+v, want 1 request that lists and 2 batches of 26 calls", used)
		}
		w.complete(s, 65)
		if a, _ := w.sim.Account(string(s.conn.Tenant.ID), string(accountID(7))); a["jobTitle"] != "Pilot" {
			t.Errorf("the account's jobTitle = %v, want Pilot", a["jobTitle"])
		}
		more := newUsers(s, 3)
		if used := w.measured(func() { w.script(s, append(users, more...)) }); used.Requests != 46+1 || used.Changes != 3+1 {
			t.Errorf("the loop over 43 people, 3 of them new and one changed: %+v, want 47 requests and 4 changes", used)
		}
		w.complete(s, 68)
	})
}

func TestFate(t *testing.T) {
	for _, late := range []bool{false, true} {
		f := &fate{at: 3, late: late}
		var got []string
		for range 4 {
			before, after := f.step()
			switch {
			case errors.Is(before, errDead):
				got = append(got, "no")
			case errors.Is(after, errDead):
				got = append(got, "unheard")
			default:
				got = append(got, "yes")
			}
		}
		want := "yes yes no no"
		if late {
			want = "yes yes unheard no"
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("calls of a process that dies at its third, late %v: %s, want %s", late, text, want)
		}
	}
}

func TestUnits(t *testing.T) {
	body := func(n int) table.Item {
		return table.Item{Key: table.Key{Partition: "p", Sort: "s"}, Body: make([]byte, n)}
	}
	placed := func(sort string) *table.Item {
		return &table.Item{Key: table.Key{Partition: "p", Sort: "s"}, Index2: table.Key{Partition: "x", Sort: sort}}
	}
	indexed := table.Page{Items: []table.Item{*placed("1"), *placed("2")}}
	for what, c := range map[string]struct{ got, want float64 }{
		"a read of nothing":                {readUnits(0), 1},
		"a read of 4096 bytes":             {readUnits(4096), 1},
		"a read of 4097 bytes":             {readUnits(4097), 2},
		"a write of 1025 bytes":            {writeUnits(1025), 2},
		"a batch of two and one missing":   {batchUnits([]table.Item{body(10), body(5000)}, 3), 4},
		"a query of two small items":       {queryUnits(&table.Query{}, &table.Page{Items: []table.Item{body(10), body(20)}}), 1},
		"a query that finds nothing, weak": {queryUnits(&table.Query{Weak: true}, &table.Page{}), 0.5},
		"an index that finds nothing":      {queryUnits(&table.Query{Index: 2}, &table.Page{}), 0.5},
		"an index with two hits":           {queryUnits(&table.Query{Index: 2}, &indexed), 2.5},
		"an index with two hits, weak":     {queryUnits(&table.Query{Index: 2, Weak: true}, &indexed), 1.5},
		"an entry that comes":              {indexUnits(nil, placed("1")), 1},
		"an entry that moves":              {indexUnits(placed("1"), placed("2")), 2},
		"an entry that stays":              {indexUnits(placed("1"), placed("1")), 0},
		"an entry that goes":               {indexUnits(placed("1"), nil), 1},
	} {
		if c.got != c.want {
			t.Errorf("%s costs %g units, want %g", what, c.got, c.want)
		}
	}
}

// A transaction costs twice as much, its checks included.
func TestPrice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{})
		defer w.cloud.stop()
		key := table.Key{Partition: "p", Sort: "check"}
		put := &table.Item{Key: table.Key{Partition: "p", Sort: "s"}, Body: make([]byte, 1500)}
		if got := w.meter.price(t.Context(), []table.Write{{Put: put}}); got != 2 {
			t.Errorf("a write of 1,500 bytes costs %g, want 2", got)
		}
		if got := w.meter.price(t.Context(), []table.Write{{Put: put}, {Check: &key, If: table.Condition{Absent: true}}}); got != 6 {
			t.Errorf("a transaction of it and a check costs %g, want 6", got)
		}
	})
}

// The queue counts delays in whole seconds, and a message takes a hop.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{}, 1)
		defer w.cloud.stop()
		begun := time.Now()
		if err := w.cloud.send(t.Context(), directory.WakeUp{ConnectionID: w.sites[0].conn.ID}, 1200*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		for w.cloud.begun() == 0 {
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(begun); took < 2*time.Second+queueHop || took > 2*time.Second+queueHop+5*time.Millisecond {
			t.Errorf("a message delayed by 1.2 s arrives after %s, want %s", took, 2*time.Second+queueHop)
		}
		w.cloud.rest()
	})
}

// Lambda stops a chain of messages at its sixteenth invocation, and what it
// stopped comes back until it is a dead letter, unless the template allows loops.
func TestLineage(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, entratest.Quota{}, 1)
			defer w.cloud.stop()
			if !w.cloud.loops {
				t.Fatal("template.yaml lets Lambda stop sync")
			}
			w.cloud.loops = allowed
			wake := directory.WakeUp{ConnectionID: w.sites[0].conn.ID, Scheduled: true} // which no second look follows
			w.cloud.deliver(message{WakeUp: wake, hops: lineage - 1}, 0)
			w.cloud.rest()
			if w.cloud.refused != 0 {
				t.Error("the sixteenth invocation was refused")
			}
			begun := time.Now()
			w.cloud.deliver(message{WakeUp: wake, hops: lineage}, 0)
			w.cloud.rest()
			if refused, dead := w.cloud.refused, w.cloud.dead; allowed && refused+dead > 0 || !allowed && (refused != w.cloud.receives || dead != 1) {
				t.Errorf("loops allowed %v: the seventeenth invocation was refused %d times and became %d dead letters", allowed, refused, dead)
			}
			if took := time.Since(begun); !allowed && took < time.Duration(w.cloud.receives-1)*w.cloud.visibility {
				t.Errorf("it was a dead letter after %s", took)
			}
		})
	}
}

// A message carries how many invocations led to it.
func TestHops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{}, 1)
		defer w.cloud.stop()
		w.cloud.loops = false
		ctx := context.WithValue(t.Context(), hopsKey{}, lineage)
		w.do(w.cloud.send(ctx, directory.WakeUp{ConnectionID: w.sites[0].conn.ID}, 0))
		w.cloud.rest()
		if w.cloud.slices != 0 || w.cloud.dead != 1 {
			t.Errorf("%d slices, %d dead letters of a message that %d invocations led to", w.cloud.slices, w.cloud.dead, lineage)
		}
	})
}

// No more invocations are under way than the template lets be.
func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{})
		defer w.cloud.stop()
		most := w.cloud.concurrency
		w.addSites(most+5, 3)
		for _, s := range w.sites {
			w.wakeUp(s)
		}
		w.cloud.rest()
		for _, s := range w.sites {
			w.complete(s, 3)
		}
		if w.cloud.most != most {
			t.Errorf("%d invocations were under way at once, want %d", w.cloud.most, most)
		}
	})
}
