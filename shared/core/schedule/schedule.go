package schedule

import (
	"context"
	"errors"
	"math/rand/v2"
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
	// workers is how many connections are looked at at once: as many as
	// AWS's SDK keeps connections to DynamoDB open. Measured with the SDK, at 5 ms
	// a call: 5 workers make 700 calls a second, 10 make 1,100, and 20 make 560 at
	// twice the CPU, since most of their calls begin with a handshake.
	workers = 10
	// turns is in how many ticks a connection has each of its turns: a
	// lane of ordinary marks in each but the last one.
	turns = store.MarkLanes
	// sendTime is left at the end for the last wake-ups.
	sendTime = 2 * time.Second
	// roundTime is how long the round of a tick without a deadline goes on, and
	// choresTime what of a tick is left for the chores.
	roundTime  = 5 * time.Minute
	choresTime = 20 * time.Second
	// lineTime is left of the deadline, for the line that the invocation ends with.
	lineTime = 2 * time.Second
)

// Stores are what the schedule reads, and the place of a round that it keeps.
type Stores struct {
	Connections Connections
	Marks       Marks
	Uses        Uses
	Rounds      Rounds
	Jobs        Jobs
}

// StoresOf are those of a store.
func StoresOf(s *store.Store) Stores {
	return Stores{Connections: s.Schedule, Marks: s.Marks, Uses: s.Groups, Rounds: s.Schedule, Jobs: s.Jobs}
}

// Connections are read page by page, with what stands beside each.
type Connections interface {
	ScheduledConnections(ctx context.Context, after directory.ConnectionID, limit int) ([]store.ScheduledConnection, bool, error)
	Beside(ctx context.Context, id directory.ConnectionID) (store.Beside, error)
}

// Marks tells whether one is old.
type Marks interface {
	OldMark(ctx context.Context, c *directory.Connection, lane int, after, before time.Time) (bool, error)
}

// Uses tells what of the uses of groups is due.
type Uses interface {
	DueUses(ctx context.Context, c directory.ConnectionID, after directory.GroupID, limit int) ([]store.DueUse, directory.GroupID, error)
}

// Rounds keeps the place of a round; SaveRound is directory.ErrStale when another
// schedule has moved it.
type Rounds interface {
	Round(ctx context.Context) (store.Round, error)
	SaveRound(ctx context.Context, r *store.Round) error
}

// Jobs finds the jobs that nobody works on.
type Jobs interface {
	OpenJobs(ctx context.Context) ([]store.OpenJob, error)
	StalledJobs(ctx context.Context, open []store.OpenJob) ([]store.OpenJob, error)
}

// Queue takes wake-ups for sync, of which on an error some may have been taken, and
// for load.
type Queue interface {
	SendAll(ctx context.Context, list []directory.WakeUp) error
	SendLoad(ctx context.Context, w directory.WakeUp, delay time.Duration) error
}

// Tender looks after something of every connection, whatever its status, at each
// tick. What it needs to know has been read: a connection that wants nothing
// should cost no call. seldom says that this is the one of a few ticks in which
// what costs a call all the same is looked at.
type Tender interface {
	Tend(ctx context.Context, l *store.ScheduledConnection, b *store.Beside, seldom bool) error
}

// Chore is done once in a tick, after the round, within choresTime.
type Chore func(ctx context.Context) error

// Config is what a Scheduler works with.
type Config struct {
	Stores  Stores
	Queue   Queue
	Tenders []Tender
	Chores  []Chore
	Now     func() time.Time // nil means time.Now
}

// Scheduler does the ticks of one process.
type Scheduler struct {
	cfg Config

	mu    sync.Mutex
	ticks int // of this process; 0: none yet
}

// New returns a Scheduler.
func New(cfg Config) *Scheduler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Scheduler{cfg: cfg}
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

// Tick is one tick: a round, or what of it the time allows, and the chores. Its
// error tells of what failed; the next tick makes up for it.
func (s *Scheduler) Tick(ctx context.Context) (Ticked, error) {
	all := s.timeFor(ctx, roundTime+choresTime)
	within, cancel := context.WithTimeout(ctx, max(all-choresTime, all/2))
	t, err := s.Round(within)
	cancel()
	for _, chore := range s.cfg.Chores {
		if failed := s.do(ctx, chore); failed != nil {
			t.Failed++
			err = errors.Join(err, failed)
		}
	}
	return t, err
}

func (s *Scheduler) do(ctx context.Context, chore Chore) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeFor(ctx, choresTime))
	defer cancel()
	return chore(ctx)
}

// timeFor is how long something may take: so long, but not past the deadline.
func (s *Scheduler) timeFor(ctx context.Context, most time.Duration) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return most
	}
	return min(most, max(0, deadline.Sub(s.cfg.Now())-lineTime))
}

// Round gives every connection its turn, as far as ctx's deadline lets it, and
// wakes the jobs that nobody works on. A failure with one of them does not keep
// the others from their turn; the first of the failures are returned together.
func (s *Scheduler) Round(ctx context.Context) (Ticked, error) {
	over, cancel := context.WithDeadline(ctx, lastBegin(ctx))
	defer cancel()
	results := newResults()
	r := &round{
		cfg: s.cfg, turn: s.nextTurn(), over: over.Done(), slots: make(chan struct{}, workers),
		results: results, wakeUps: &outbox{queue: s.cfg.Queue, results: results},
	}
	r.wakeJobs(ctx)
	r.visitAll(ctx)
	r.workers.Wait()
	r.wakeUps.flush(ctx)
	return results.end()
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
		s.ticks = 1 + rand.IntN(turns)
	}
	s.ticks++
	return s.ticks % turns
}
