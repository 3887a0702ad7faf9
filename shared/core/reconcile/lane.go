package reconcile

import (
	"context"
	"time"

	"bindery/shared/clock"
	"bindery/shared/directory"
)

// Whatever is waited for, leavers do not wait: while an answer of Microsoft's is
// awaited that no leaver needs, leavers are looked for and served, by requests of
// their own. That is so where nothing is half done: while pages are read, while a
// plan is being read for, while the accounts of an approved run are looked at,
// between flights, and while a flight's creations are confirmed. What was read
// about a user who was served meanwhile is read again. It is not so while a write
// is under way, since one flight of writes is under way in a tenant at a time, nor
// until it is journalled what became of the write, and not while roles are read,
// since a leaver waits for these as well. Requests of a flight that hang have leavers
// wait for leaverPatience at most (flight.mind).
//
// Whoever waits is given a lane; what must not be interrupted is given closed.

// lookEvery is how often leavers are looked for while something else is awaited.
const lookEvery = time.Second

// lane is the way of leavers past what is under way.
type lane interface {
	// open reports whether leavers may be served now.
	open() bool
	// news says that there is something to attend to at once; nil: there never is.
	news() <-chan struct{}
	// wanted reports whether there are leavers to be served.
	wanted(ctx context.Context) bool
	// attend keeps the lease fresh, and serves leavers when they were not looked
	// for a moment ago.
	attend(ctx context.Context) error
	// serve serves the leavers that there are.
	serve(ctx context.Context) error
	// came reports whether leavers have been marked since about a time whom nobody has
	// served.
	came(ctx context.Context, since time.Time) (bool, error)
	// served counts the runs of leavers that were done in the middle of something
	// else, and servedSince returns those of users who were in one after a count.
	served() int
	servedSince(ids []directory.UserID, count int) []directory.UserID
}

// closed is the lane past what must not be interrupted: it keeps the lease fresh
// and serves nobody.
type closed struct{ s *session }

func (closed) open() bool                                             { return false }
func (closed) news() <-chan struct{}                                  { return nil }
func (closed) wanted(context.Context) bool                            { return false }
func (c closed) attend(ctx context.Context) error                     { return c.s.inTime(ctx) }
func (closed) serve(context.Context) error                            { return nil }
func (closed) came(context.Context, time.Time) (bool, error)          { return false, nil }
func (closed) served() int                                            { return 0 }
func (closed) servedSince([]directory.UserID, int) []directory.UserID { return nil }

// until is a lane that is closed from some moment on. Between a write and its
// journal a crash would leave it untold what took effect, so nothing else may be
// begun there.
type until struct {
	s    *session
	past lane
	shut bool
}

func (u *until) open() bool { return !u.shut && u.past.open() }

func (u *until) news() <-chan struct{} { return u.past.news() }

func (u *until) wanted(ctx context.Context) bool { return u.past.wanted(ctx) }

func (u *until) attend(ctx context.Context) error {
	if u.shut {
		return u.s.inTime(ctx)
	}
	return u.past.attend(ctx)
}

func (u *until) serve(ctx context.Context) error {
	if u.shut {
		return nil
	}
	return u.past.serve(ctx)
}

func (u *until) came(ctx context.Context, since time.Time) (bool, error) {
	return u.past.came(ctx, since)
}

func (u *until) served() int { return u.past.served() }

func (u *until) servedSince(ids []directory.UserID, count int) []directory.UserID {
	return u.past.servedSince(ids, count)
}

// interrupted is an error of serving leavers while something else was awaited.
type interrupted struct{ error }

func (e interrupted) Unwrap() error { return e.error }

// awaited asks Microsoft and serves leavers while the answer is not there.
func awaited[T any](ctx context.Context, s *session, l lane, ask func(ctx context.Context) (T, error)) (T, error) {
	rctx, cancel := s.request(ctx)
	defer cancel()
	if !l.open() {
		return ask(rctx)
	}
	return meanwhile(rctx, ask, l.news(), func() error {
		if err := l.attend(ctx); err != nil {
			return interrupted{err}
		}
		return nil
	})
}

// longRead asks Microsoft what takes many requests one after the other, none of
// which writes anything, and keeps the lease fresh until the answer is there: it
// may take longer than the lease lasts, but no longer than d.
func longRead[T any](ctx context.Context, s *session, d time.Duration, ask func(ctx context.Context) (T, error)) (T, error) {
	rctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return meanwhile(rctx, ask, nil, func() error { return s.inTime(ctx) })
}

// meanwhile asks, and does something each second and at any news until the answer is
// there. When that fails the question is called off, and waited for: what was asked does
// not outlive whoever asked it, or a function that sleeps would wake up with it in its
// next invocation.
func meanwhile[T any](ctx context.Context, ask func(ctx context.Context) (T, error), news <-chan struct{}, do func() error) (T, error) {
	type answer struct {
		value T
		err   error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
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
		case <-news:
		case <-timer.C:
		}
		if err := do(); err != nil {
			cancel()
			<-there
			var none T
			return none, err
		}
		timer.Reset(lookEvery)
	}
}

// nap waits, and serves leavers meanwhile.
func nap(ctx context.Context, l lane, d time.Duration) error {
	for ; d > lookEvery && l.open(); d -= lookEvery {
		if err := clock.Sleep(ctx, lookEvery); err != nil {
			return err
		}
		if err := l.attend(ctx); err != nil {
			return interrupted{err}
		}
	}
	return clock.Sleep(ctx, d)
}
