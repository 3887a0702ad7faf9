package reconcile

import (
	"strings"
	"testing"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// setGuard sets the limit of blocks as the API does.
func (w *world) setGuard(count int) {
	w.Helper()
	c, err := w.store.Connections.ModifyConnection(w.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		s := c.Settings
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectBlock: {Count: &count}}
		c.Set(s, "ann", w.now())
		return nil
	})
	w.do(err)
	w.conn = c
}

func (w *world) suspend(users ...directory.User) {
	w.Helper()
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.State = directory.StateSuspended })
	}
	w.sync()
}

func (w *world) blocked(users []directory.User) int {
	w.Helper()
	n := 0
	for _, u := range users {
		if w.account(u.Email)["accountEnabled"] == false {
			n++
		}
	}
	return n
}

// A guard that was loosened is no decision about what it held, nor about what
// comes right after: that waits, and goes once somebody has looked at it.
func TestLoosenedGuardHoldsWhatItHeld(t *testing.T) {
	for _, waiting := range []bool{true, false} {
		w := newWorld(t)
		users := w.people(30)
		w.setGuard(2)
		if waiting {
			w.suspend(users[:10]...)
			if run, _ := w.lastRun(); run.State != directory.RunHeld || w.blocked(users) != 0 {
				t.Fatalf("run is %s with %d blocked", run.State, w.blocked(users))
			}
		}
		w.setGuard(100)
		w.suspend(users[:11]...) // one more: what waited is planned anew
		run, _ := w.lastRun()
		if run.State != directory.RunHeld || w.blocked(users) != 0 || !loosened(run.Held) || !strings.Contains(strings.Join(run.Held.Reasons, "; "), "more than the 2 allowed") {
			t.Fatalf("waiting %v: run is %s, held %+v, with %d blocked", waiting, run.State, run.Held, w.blocked(users))
		}
		if !w.decide("boss", all) {
			t.Fatal("not approved")
		}
		w.sync()
		if n := w.blocked(users); n != 11 {
			t.Fatalf("%d are blocked after the approval", n)
		}
		w.suspend(users[11:20]...) // decided: the limit is the new one
		if run, _ := w.lastRun(); run.State != directory.RunDone || w.blocked(users) != 20 {
			t.Errorf("waiting %v: then the run is %s, %+v, with %d blocked", waiting, run.State, run.Held, w.blocked(users))
		}
	}
}

// What the former guard let pass goes at once, and after a day it holds nothing.
func TestLoosenedGuardEnds(t *testing.T) {
	w := newWorld(t)
	users := w.people(30)
	w.setGuard(2)
	w.setGuard(100)
	w.suspend(users[:2]...)
	if n := w.blocked(users); n != 2 {
		t.Errorf("%d are blocked, want the 2 of both guards", n)
	}
	_, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Loosened[0].At = w.now().Add(-directory.LoosenedLife)
		return nil
	})
	w.do(err)
	w.suspend(users[2:12]...)
	if run, _ := w.lastRun(); run.State != directory.RunDone || w.blocked(users) != 12 {
		t.Errorf("a day later the run is %s, %+v, with %d blocked", run.State, run.Held, w.blocked(users))
	}
}

// An approval of nothing decides nothing.
func TestLoosenedGuardStaysUndecided(t *testing.T) {
	w := newWorld(t)
	users := w.people(30)
	w.setGuard(2)
	w.setGuard(100)
	w.suspend(users[:5]...)
	run, _ := w.lastRun()
	if _, err := w.runs().Approve(t.Context(), caller("boss"), run.ID, plan.Approval{}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	w.suspend(users[5:10]...)
	if run, _ := w.lastRun(); run.State != directory.RunHeld || !loosened(run.Held) || w.blocked(users) != 0 {
		t.Errorf("after a refusal the run is %s, %+v", run.State, run.Held)
	}
}
