package reconcile

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"bindery/shared/core/schedule"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// sendAll is a queue of the schedule.
type sendAll func(list []directory.WakeUp)

func (send sendAll) SendAll(_ context.Context, list []directory.WakeUp) error {
	send(list)
	return nil
}

func (sendAll) SendLoad(context.Context, directory.WakeUp, time.Duration) error { return nil }

// failingTender fails as it is told.
type failingTender struct{ err *error }

func (f failingTender) Tend(context.Context, *store.ScheduledConnection, *store.Beside, bool) error {
	return *f.err
}

// TestScheduleWakesWhoHasWork: the schedule decides as the engine would.
func TestScheduleWakesWhoHasWork(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann")
	w.bind(ann)
	w.sync()
	woken := 0
	tendErr := error(nil)
	s := schedule.New(schedule.Config{
		Stores: schedule.StoresOf(w.store), Now: w.now, Tenders: []schedule.Tender{failingTender{&tendErr}},
		Queue: sendAll(func(list []directory.WakeUp) { woken += len(list) }),
	})
	tick := func(what string, want int) {
		t.Helper()
		woken = 0
		_, err := s.Tick(t.Context())
		if !errors.Is(err, tendErr) || woken != want {
			t.Errorf("%s: woken %d times (%v), want %d", what, woken, err, want)
		}
	}
	within := func(what string, ticks int) {
		t.Helper()
		for woken = 0; woken == 0 && ticks > 0; ticks-- {
			if _, err := s.Tick(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if woken != 1 {
			t.Errorf("%s: woken %d times, want once", what, woken)
		}
	}
	tick("nothing to do", 0)
	w.edit(ann, func(u *directory.User) { u.Department = "New" })
	tick("an edit whose wake-up is still on its way", 0)
	w.skew.Add(2 * time.Minute)
	within("an edit whose wake-up was lost", store.MarkLanes)
	w.sync()
	tick("after the sync", 0)
	w.edit(ann, func(u *directory.User) { u.State = directory.StateSuspended })
	w.skew.Add(2 * time.Minute)
	tick("a leaver whose wake-up was lost", 1)
	w.sync()
	w.skew.Add(directory.DefaultInterval)
	tick("the interval is over", 1)
	tendErr = errors.New("microsoft is down")
	tick("tending fails", 1)
	tendErr = nil
	if _, _, err := w.store.Leases.AcquireLease(t.Context(), w.conn.ID, "somebody", LeaseTTL); err != nil {
		t.Fatal(err)
	}
	tick("somebody is at it", 0)
	w.sync() // has no effect but to be told that the lease is held
	w.skew.Add(LeaseTTL + time.Second)
	tick("its holder died", 1)
}

// TestEditTheIndexDoesNotShow: a slice that an edit woke, and that does not find its mark
// yet, is followed by a second look, whatever else it has found; one that the schedule
// woke, or that looks after a run, is not.
func TestEditTheIndexDoesNotShow(t *testing.T) {
	for _, more := range []string{"nothing", "pages to read", "a run without changes"} {
		w := newWorld(t)
		ann, bob := w.user("ann"), w.user("bob")
		w.bind(ann, bob)
		w.sync()
		for range 2 { // until no round shows what the run has written
			w.skew.Add(directory.DefaultInterval)
			w.sync()
		}
		w.engine.config.SecondLook = 5 * time.Second
		var sent []directory.WakeUp
		w.engine.config.Send = func(_ context.Context, wake directory.WakeUp, _ time.Duration) error {
			sent = append(sent, wake)
			return nil
		}
		slice := func(wake directory.WakeUp, due bool) Summary {
			t.Helper()
			wake.ConnectionID = w.conn.ID
			sent = nil
			before, _, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID)
			w.do(err)
			sum, err := w.engine.Slice(t.Context(), wake, time.Time{})
			w.do(err)
			after, _, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID)
			w.do(err)
			if noOp := after.Fence == before.Fence; noOp != (more == "nothing" && due) {
				t.Errorf("%s: %+v led to a no-op: %v", more, wake, noOp)
			}
			return sum
		}
		meanwhile := func() {
			w.skew.Add(directory.DefaultInterval)
			switch more {
			case "pages to read":
				w.emptyPages(3)
			case "a run without changes":
				bob = w.edit(bob, func(u *directory.User) { u.CustomAttributes = map[string]string{"note": fmt.Sprint(w.now())} })
				w.skew.Add(10 * time.Second)
			}
		}
		meanwhile()
		for _, wake := range []directory.WakeUp{{Scheduled: true}, {Second: true}} {
			if sum := slice(wake, true); sum.Again >= 0 || len(sent) > 0 {
				t.Errorf("%s: after %+v %+v is sent", more, wake, sent)
			}
			meanwhile()
		}
		w.table.IndexLag = 2 * time.Second
		w.edit(ann, func(u *directory.User) { u.Department = "New" })
		sum := slice(directory.WakeUp{}, true)
		if sum.Again != 5*time.Second || len(sent) != 1 || !sent[0].Second || sum.Applied > 0 {
			t.Fatalf("%s: %+v, sent %+v; want a second look", more, sum, sent)
		}
		w.skew.Add(sum.Again)
		if sum := slice(sent[0], false); sum.Applied != 1 {
			t.Errorf("%s: the second look came to %+v", more, sum)
		}
	}
}
