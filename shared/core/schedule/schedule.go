package schedule

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Times and sizes of the schedule.
const (
	// markPatience is how old a mark must be before the schedule takes its
	// wake-up for lost.
	markPatience = time.Minute
	// turnTime bounds what is done for one connection, so that one that hangs
	// keeps a worker no longer.
	turnTime = 10 * time.Second
	// scheduleWorkers is how many connections are looked at at once: as many as
	// AWS's SDK keeps connections to DynamoDB open. Measured with the SDK, at 5 ms
	// a call: 5 workers make 700 calls a second, 10 make 1,100, and 20 make 560 at
	// twice the CPU, since most of their calls begin with a handshake.
	scheduleWorkers = 10
	// scheduleTurns is in how many ticks a connection has each of its turns: a
	// lane of ordinary marks in each but the last one.
	scheduleTurns = store.MarkLanes
	// sendTime is left at the end for the last wake-ups.
	sendTime = 2 * time.Second
	// wakesAtOnce is how many wake-ups one message batch takes.
	wakesAtOnce = 10
	// errorsTold is how many errors one tick tells of.
	errorsTold = 5
)

// Scheduler finds out, every few minutes, which connections and jobs have work
// that nobody is doing, and wakes them. It does none of the work itself.
//
// # Rounds
//
// A round goes through all connections, in the order of their IDs, several at
// once. As a rule a tick is a round. A tick that runs out of time stops, and the
// next one goes on behind the last connection that had its turn; so all have
// one, however many there are and whatever becomes of some of them. Where the
// round stands is stored whenever another page of connections begins: when the
// process dies in a page, the next tick begins behind it. Two schedules at once
// do the same twice, which does no harm: each thing that is done is conditional,
// and a wake-up too many finds nothing to do.
//
// # What a connection costs
//
// A page of a hundred connections is two calls of the table, and holds where
// their work stands. Of each, one call reads what stands beside it. When it is
// due, that is all; else two lanes of marks are looked at, for edits whose
// wake-up was lost: the urgent one at each tick, the others in turn. (A run that
// the interval begins looks at all of them.)
type Scheduler struct {
	Store Store
	// Send asks for slices of connections and jobs.
	Send func(ctx context.Context, list []directory.WakeUp) error
	// Tend is called with every connection, whatever its status, and what stands
	// beside it: tokens that nobody confirmed go, tokens that nobody uses are kept
	// alive. seldom says that it is one of those ticks, one of scheduleTurns, in
	// which what costs another call is looked at.
	Tend func(ctx context.Context, l *store.Listed, b *store.Beside, seldom bool) error
	Now  func() time.Time // nil means time.Now

	mu    sync.Mutex
	ticks int // of this process; 0: none yet
}

// Store is what the Scheduler needs of package store.
type Store interface {
	ListConnections(ctx context.Context, after directory.ConnectionID, limit int) ([]store.Listed, bool, error)
	Beside(ctx context.Context, id directory.ConnectionID) (store.Beside, error)
	OldMark(ctx context.Context, c *directory.Connection, lane int, after, before time.Time) (bool, error)
	Round(ctx context.Context) (store.Round, error)
	SaveRound(ctx context.Context, r *store.Round) error
	OpenJobs(ctx context.Context) ([]store.OpenJob, error)
	StalledJobs(ctx context.Context, open []store.OpenJob) ([]store.OpenJob, error)
}

// Ticked counts what one tick did.
type Ticked struct {
	Connections int // that had their turn
	Woken       int // of them
	Failed      int // of them, and other things that failed
	Jobs        int // woken
	// Cut says that the time was over before the round was.
	Cut bool
	// Gauges are those of the last round that ended; of this one so far when
	// none has.
	Gauges map[string]int
}

// Tick gives every connection its turn, as far as ctx's deadline lets it, and
// wakes the jobs that nobody works on. A failure with one of them does not keep
// the others from their turn; the first of the failures are returned together.
func (s *Scheduler) Tick(ctx context.Context) (Ticked, error) {
	over, cancel := context.WithDeadline(ctx, lastBegin(ctx))
	defer cancel()
	t := &tick{Scheduler: s, turn: s.nextTurn(), slots: make(chan struct{}, scheduleWorkers), over: over.Done()}
	t.jobs(ctx)
	t.round(ctx)
	t.workers.Wait()
	t.send(ctx, t.wakes)
	if t.Failed > len(t.errs) {
		t.errs = append(t.errs, fmt.Errorf("%d failures in all", t.Failed))
	}
	return t.Ticked, errors.Join(t.errs...)
}

// lastBegin is until when turns begin: so that the last of them can end, and its
// wake-up be sent.
func lastBegin(ctx context.Context) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Now().Add(24 * time.Hour)
	}
	left := time.Until(deadline)
	return time.Now().Add(max(left-turnTime-sendTime, left/2))
}

// nextTurn counts the ticks, from a random one on: a process may live for one.
func (s *Scheduler) nextTurn() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ticks == 0 {
		s.ticks = 1 + rand.IntN(scheduleTurns)
	}
	s.ticks++
	return s.ticks % scheduleTurns
}

func (s *Scheduler) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// tick is one tick at work.
type tick struct {
	*Scheduler
	turn    int
	over    <-chan struct{} // closed when no turn is to begin any more
	slots   chan struct{}   // one for each worker
	workers sync.WaitGroup

	mu    sync.Mutex     // holds what follows
	sum   map[string]int // of the round so far
	wakes []directory.WakeUp
	errs  []error
	Ticked
}

// jobs wakes the jobs that nobody works on. They come first: connections may use
// up the tick's time.
func (t *tick) jobs(ctx context.Context) {
	short, cancel := context.WithTimeout(ctx, turnTime)
	defer cancel()
	open, err := t.Store.OpenJobs(short)
	if err == nil {
		open, err = t.Store.StalledJobs(short, open)
	}
	t.failed(err)
	for _, j := range open {
		t.wake(ctx, directory.WakeUp{ConnectionID: j.ConnectionID, JobID: j.ID})
	}
}

// round goes on with the round that the last tick left, or begins one.
func (t *tick) round(ctx context.Context) {
	r, err := t.Store.Round(ctx)
	if err != nil {
		t.failed(err)
		return
	}
	if t.sum = r.Sum; t.sum == nil {
		t.sum = map[string]int{}
	}
	at := &bookmark{tick: t, round: r, stored: r.After != ""}
	whole := t.pages(ctx, at)
	t.workers.Wait()
	switch {
	case whole:
		t.Gauges = t.sum
		at.round.Last = t.sum
		at.moves(ctx, "", nil)
	case at.round.Last != nil:
		t.Gauges = at.round.Last
	default:
		t.Gauges = t.sum
	}
}

// pages begins the turns of the connections that are left in the round; false
// when it did not come to its end.
func (t *tick) pages(ctx context.Context, at *bookmark) bool {
	for after := at.round.After; ; {
		page, more, err := t.Store.ListConnections(ctx, after, 0)
		if err != nil {
			t.failed(err)
			return false
		}
		if more || at.stored {
			at.stored = true // not for the one page of a small installation
			behind := directory.ConnectionID("")
			if more {
				behind = page[len(page)-1].ID
			}
			at.moves(ctx, behind, t.summed())
		}
		for i := range page {
			if !t.begin(ctx, &page[i]) {
				t.Cut, at.stored = true, true
				t.workers.Wait()
				at.moves(ctx, after, t.summed())
				return false
			}
			after = page[i].ID
		}
		if !more {
			return true
		}
	}
}

// bookmark is where the round stands, as it is stored.
type bookmark struct {
	*tick
	round  store.Round
	stored bool // it is worth a write
	shared bool // another schedule has moved it meanwhile, and goes on doing so
}

func (p *bookmark) moves(ctx context.Context, after directory.ConnectionID, sum map[string]int) {
	if !p.stored || p.shared {
		return
	}
	p.round.After, p.round.Sum = after, sum
	err := p.Store.SaveRound(ctx, &p.round)
	if p.shared = errors.Is(err, directory.ErrStale); !p.shared {
		p.failed(err)
	}
}

// begin gives a connection its turn as soon as a worker is free; false when the
// time is over before that.
func (t *tick) begin(ctx context.Context, l *store.Listed) bool {
	select {
	case <-t.over:
		return false
	default:
	}
	select {
	case <-t.over:
		return false
	case t.slots <- struct{}{}:
	}
	t.workers.Go(func() {
		defer func() { <-t.slots }()
		if err := t.look(ctx, l); err != nil {
			t.failed(fmt.Errorf("connection %s: %w", l.ID, err))
		}
		t.mu.Lock()
		t.Connections++
		t.mu.Unlock()
	})
	return true
}

// look is the turn of one connection. It is woken before it is tended: what
// fails or hangs there keeps nobody from syncing.
func (t *tick) look(ctx context.Context, l *store.Listed) (err error) {
	turn, cancel := context.WithTimeout(ctx, turnTime)
	defer cancel()
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	if l.Err != nil {
		return l.Err
	}
	b, err := t.Store.Beside(turn, l.ID)
	if err != nil {
		return err
	}
	now := t.now()
	t.mu.Lock()
	gauge(t.sum, l, b.Runs, now)
	t.mu.Unlock()
	work, err := t.hasWork(turn, l, b.Runs, now)
	if err == nil && work {
		t.wake(ctx, directory.WakeUp{ConnectionID: l.ID})
	}
	return errors.Join(err, t.Tend(turn, l, &b, t.turn == scheduleTurns-1))
}

// hasWork decides as the engine would: something stands open and nobody is at
// it, or the tenant is to be read again.
func (t *tick) hasWork(ctx context.Context, l *store.Listed, runs []store.RunRecord, now time.Time) (bool, error) {
	if !l.Authorized() || l.LeaseUntil.After(now) {
		return false, nil
	}
	if !l.LeaseUntil.IsZero() {
		return true, nil // its holder died
	}
	var readAt, held time.Time
	if l.Link.Link != "" && !l.Link.Full {
		readAt = l.Link.At
	}
	interval := time.Duration(l.Settings.Defaulted().Interval)
	rests := l.Link.Rest.After(now) // its pages turned in a circle
	if !rests && (directory.ReadDue(interval, readAt, now) || directory.FullReadDue(l.ID, l.FullAt, now)) {
		return true, nil
	}
	for i := range runs {
		if runs[i].State != directory.RunHeld {
			return true, nil
		}
		if runs[i].StartedAt.After(held) {
			held = runs[i].StartedAt
		}
	}
	// A held plan keeps its marks; only newer ones are work.
	marked, err := t.Store.OldMark(ctx, &l.Connection, 0, held, now.Add(-markPatience))
	if lane := 1 + t.turn; err == nil && !marked && lane < store.MarkLanes {
		marked, err = t.Store.OldMark(ctx, &l.Connection, lane, held, now.Add(-markPatience))
	}
	return marked, err
}

// wake asks for a slice; ten are asked for at once.
func (t *tick) wake(ctx context.Context, w directory.WakeUp) {
	t.mu.Lock()
	t.wakes = append(t.wakes, w)
	var full []directory.WakeUp
	if len(t.wakes) == wakesAtOnce {
		full, t.wakes = t.wakes, nil
	}
	t.mu.Unlock()
	t.send(ctx, full)
}

func (t *tick) send(ctx context.Context, list []directory.WakeUp) {
	if len(list) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, turnTime)
	defer cancel()
	err := t.Send(ctx, list)
	t.failed(err)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range list {
		switch {
		case err != nil: // it is still due at the next tick
		case w.JobID != "":
			t.Jobs++
		default:
			t.Woken++
		}
	}
}

// failed notes what failed, and tells of the first few.
func (t *tick) failed(err error) {
	if err == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.Failed++; t.Failed <= errorsTold {
		t.errs = append(t.errs, err)
	}
}

// summed is what the round's gauges add up to so far.
func (t *tick) summed() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.sum)
}
