package reconcile

import (
	"context"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// drain does slices as the queue has them until nothing asks for one.
func (w *world) drain(sum Summary) {
	w.Helper()
	for range 10 {
		if sum.Again < 0 {
			return
		}
		w.skew.Add(max(time.Second, sum.Again))
		var err error
		sum, err = w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		w.do(err)
	}
	w.Error("the engine does not come to rest")
}

// TestNamedAfterADeath: the wake-up of a second user, a leaver or not, found the lease
// held by the slice of a first one, which died then. The first one's wake-up comes again,
// and the second one is not forgotten.
func TestNamedAfterADeath(t *testing.T) {
	for _, leaves := range []bool{false, true} {
		died := 0
		for at := 1; ; at++ {
			w := newWorld(t)
			users := w.people(30)[:2]
			w.edit(users[0], title("Head"))
			rt := w.port.rt
			came := false
			k := &trouble{at: at, kind: killBefore}
			w.port.rt = onFirst(rt, func() {
				w.edit(users[1], func(u *directory.User) {
					u.JobTitle = "Head"
					if leaves {
						u.State = directory.StateSuspended
					}
				})
				sum := w.woken(users[1])
				came = sum.Skipped != ""
				k.install(w)
			})
			wake := directory.WakeUp{ConnectionID: w.conn.ID, UserID: users[0].ID}
			_, _ = w.engine.Slice(t.Context(), wake, time.Time{})
			k.remove(w)
			w.port.rt = rt
			if k.n < at || !came {
				break
			}
			died++
			w.skew.Add(6 * time.Minute)
			sum, err := w.engine.Slice(t.Context(), wake, time.Time{})
			w.do(err)
			w.drain(sum)
			a := w.account(users[1].Email)
			if !leaves && a["jobTitle"] != "Head" || leaves && a["accountEnabled"] != false {
				t.Errorf("death at call %d, leaves %v: the second user's account is %v, %v", at, leaves, a["jobTitle"], a["accountEnabled"])
			}
		}
		if died == 0 {
			t.Errorf("leaves %v: nothing has died", leaves)
		}
	}
}

// TestWantedIsNotSent: the wake-up that a release owes does not go out, and what it is
// owed to is not forgotten.
func TestWantedIsNotSent(t *testing.T) {
	w := newWorld(t)
	users := w.people(2)
	w.edit(users[0], title("Head"))
	rt := w.port.rt
	w.port.rt = onFirst(rt, func() {
		w.edit(users[1], title("Head"))
		w.woken(users[1])
	})
	send := w.engine.config.Send
	w.engine.config.Send = func(ctx context.Context, u directory.WakeUp, d time.Duration) error {
		if u.ReadBack == "" && d == 0 {
			return table.ErrBusy
		}
		return send(ctx, u, d)
	}
	wake := directory.WakeUp{ConnectionID: w.conn.ID, UserID: users[0].ID}
	if _, err := w.engine.Slice(t.Context(), wake, time.Time{}); err == nil {
		t.Error("a wake-up that is not sent is told to nobody")
	}
	w.engine.config.Send = send
	w.port.rt = rt
	w.skew.Add(6 * time.Minute)
	sum, err := w.engine.Slice(t.Context(), wake, time.Time{})
	w.do(err)
	w.drain(sum)
	if got := w.account(users[1].Email)["jobTitle"]; got != "Head" {
		t.Errorf("the second user has the title %v", got)
	}
}

// TestLeaverWithoutAWakeUp: a leaver whose wake-up was never sent is served with the
// next edit of whomever.
func TestLeaverWithoutAWakeUp(t *testing.T) {
	w := newWorld(t)
	users := w.people(30)
	w.edit(users[1], func(u *directory.User) { u.State = directory.StateSuspended })
	w.edit(users[0], title("Head"))
	w.woken(users[0])
	if w.account(users[0].Email)["jobTitle"] != "Head" || w.account(users[1].Email)["accountEnabled"] != false {
		t.Error("the leaver or the edit was passed over")
	}
}

// TestLeaverSeenBeforeAFollower: a leaver who keeps a flight from leaving is served next,
// however long ago leavers were last listed.
func TestLeaverSeenBeforeAFollower(t *testing.T) {
	w := newWorld(t)
	users := w.people(30)
	inv := w.engine.newInvocation(directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
	w.do(inv.acquire(t.Context(), w.conn.ID))
	l := inv.leavers
	if made, err := l.makeRun(t.Context()); made || err != nil {
		t.Fatal(made, err)
	}
	w.skew.Add(time.Second)
	w.edit(users[0], func(u *directory.User) { u.State = directory.StateSuspended })
	w.skew.Add(12 * time.Second) // a flight is under way
	if !l.wanted(t.Context()) {
		t.Fatal("the leaver is not seen")
	}
	if made, err := l.makeRun(t.Context()); err != nil || !made {
		t.Errorf("no run is made for the leaver: %v", err)
	}
}
