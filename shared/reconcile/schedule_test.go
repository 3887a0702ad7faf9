package reconcile

import (
	"context"
	"errors"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

func TestScheduleWakesWhoHasWork(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann")
	w.bind(ann)
	w.sync()
	woken := 0
	tendErr := error(nil)
	s := &Scheduler{
		Store: w.store, Now: w.now,
		Wake:    func(context.Context, directory.ConnectionID, time.Duration) error { woken++; return nil },
		WakeJob: func(context.Context, store.OpenJob) error { return nil },
		Tend:    func(context.Context, *directory.Connection) error { return tendErr },
	}
	tick := func(what string, want int) {
		t.Helper()
		woken = 0
		_, err := s.Tick(t.Context())
		if !errors.Is(err, tendErr) || woken != want {
			t.Errorf("%s: woken %d times (%v), want %d", what, woken, err, want)
		}
	}
	tick("nothing to do", 0)
	w.edit(ann, func(u *directory.User) { u.Department = "New" })
	tick("an edit whose wake-up is still on its way", 0)
	w.skew += 2 * markPatience
	tick("an edit whose wake-up was lost", 1)
	w.sync()
	tick("after the sync", 0)
	w.skew += directory.DefaultInterval
	tick("the interval is over", 1)
	tendErr = errors.New("microsoft is down")
	tick("tending fails", 1)
	tendErr = nil
	if _, _, err := w.store.AcquireLease(t.Context(), w.conn.ID, "somebody", LeaseTTL); err != nil {
		t.Fatal(err)
	}
	tick("somebody is at it", 0)
	w.sync() // has no effect but to be told that the lease is held
	w.skew += LeaseTTL + time.Second
	tick("its holder died", 1)
}
