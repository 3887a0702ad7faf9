package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Whatever a slice waits for, leavers do not: while an answer of Microsoft's is
// awaited that no leaver needs, the slice looks for leavers and serves them, by
// requests of their own. It does so where nothing is half done: while pages are
// read, while a plan is being read for, while the accounts of an approved run are
// looked at, between batches, and while a batch's creations are confirmed. What was read about a user who was served meanwhile is
// read again. It does not do so while a write is under way, since one batch of
// writes is under way in a tenant at a time, and not while roles are read, since a
// leaver waits for these as well.

// lookEvery is how often leavers are looked for while something else is awaited.
const lookEvery = time.Second

// lane is what a slice knows of serving leavers in the middle of something else.
type lane struct {
	open   bool      // leavers may be served now
	looked time.Time // when they were last looked for
	due    time.Time // when a run of leavers that waits may go on; zero: none does
	served int       // runs of leavers that were done in the middle of something else
	// users are those of these runs, and by which of them.
	users map[directory.UserID]int
}

// attending does something of a run, nil for none, in the middle of which leavers
// may be served. A run of leavers itself is not interrupted.
func (w *worker) attending(r *store.RunRecord, do func() error) error {
	was := w.lane.open
	w.lane.open = r == nil || !r.Urgent
	defer func() { w.lane.open = was }()
	return do()
}

// interrupted is an error of serving leavers while something else was awaited.
type interrupted struct{ error }

func (e interrupted) Unwrap() error { return e.error }

// awaited asks Microsoft and serves leavers while the answer is not there.
func awaited[T any](ctx context.Context, w *worker, ask func(ctx context.Context) (T, error)) (T, error) {
	rctx, cancel := w.request(ctx)
	defer cancel()
	if !w.lane.open {
		return ask(rctx)
	}
	return meanwhile(rctx, ask, func() error {
		if err := w.attend(ctx); err != nil {
			return interrupted{err}
		}
		return nil
	})
}

// longRead asks Microsoft what takes many requests one after the other, none of
// which writes anything, and keeps the lease fresh until the answer is there: it
// may take longer than the lease lasts, but no longer than d.
func longRead[T any](ctx context.Context, w *worker, d time.Duration, ask func(ctx context.Context) (T, error)) (T, error) {
	rctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return meanwhile(rctx, ask, func() error { return w.inTime(ctx) })
}

// meanwhile asks, and does something each second until the answer is there; its
// error ends the waiting.
func meanwhile[T any](ctx context.Context, ask func(ctx context.Context) (T, error), do func() error) (T, error) {
	type answer struct {
		value T
		err   error
	}
	there := make(chan answer, 1)
	go func() {
		value, err := ask(ctx)
		there <- answer{value, err}
	}()
	timer := time.NewTimer(lookEvery)
	defer timer.Stop()
	for {
		select {
		case a := <-there:
			return a.value, a.err
		case <-timer.C:
		}
		if err := do(); err != nil {
			var none T
			return none, err
		}
		timer.Reset(lookEvery)
	}
}

// nap waits, and serves leavers meanwhile.
func (w *worker) nap(ctx context.Context, d time.Duration) error {
	for ; d > lookEvery && w.lane.open; d -= lookEvery {
		if err := sleep(ctx, lookEvery); err != nil {
			return err
		}
		if err := w.attend(ctx); err != nil {
			return interrupted{err}
		}
	}
	return sleep(ctx, d)
}

// attend keeps the lease fresh, and serves leavers when they were not looked for
// a moment ago.
func (w *worker) attend(ctx context.Context) error {
	if err := w.inTime(ctx); err != nil || !w.lane.open || w.now().Sub(w.lane.looked) < lookEvery {
		return err
	}
	w.lane.looked = w.now()
	return w.serveLeavers(ctx)
}

// serveLeavers brings all runs of leavers as far as they come, in the middle of
// something else.
func (w *worker) serveLeavers(ctx context.Context) error {
	made, err := w.runForLeavers(ctx)
	due := !w.lane.due.IsZero() && !w.now().Before(w.lane.due)
	if err != nil || !made && !due {
		return err
	}
	w.lane.due = time.Time{}
	outer, cfg, planned, unread, open := w.sum.RunID, w.cfg, w.tallied, w.aside, w.lane.open
	w.cfg, w.aside, w.lane.open = w.config(w.conn.Settings), nil, false
	defer func() { w.sum.RunID, w.cfg, w.tallied, w.aside, w.lane.open = outer, cfg, planned, unread, open }()
	for {
		next, err := w.nextRun(ctx)
		if pause, waits := errors.AsType[*errPause](err); waits && pause.queued {
			return nil // whoever began the wait has sent a wake-up
		}
		if err != nil || next == nil || !next.Urgent {
			return err
		}
		w.noteServed(next)
		err = w.bring(ctx, next)
		if pause, waits := errors.AsType[*errPause](err); waits && pause.single && !pause.queued {
			// Nobody waits for a run that waits for single accounts.
			err = w.Send(ctx, directory.WakeUp{ConnectionID: w.conn.ID}, pause.after)
		}
		if err != nil {
			return fmt.Errorf("run %s for leavers: %w", next.ID, err)
		}
	}
}

func (w *worker) noteServed(r *store.RunRecord) {
	w.lane.served++
	if w.lane.users == nil {
		w.lane.users = map[directory.UserID]int{}
	}
	for _, id := range r.UserIDs {
		w.lane.users[id] = w.lane.served
	}
}

// servedSince are those of the users who were served in the middle of something
// else since a count of served runs.
func (w *worker) servedSince(ids []directory.UserID, served int) []directory.UserID {
	var some []directory.UserID
	for _, id := range ids {
		if w.lane.users[id] > served && !slices.Contains(some, id) {
			some = append(some, id)
		}
	}
	return some
}
