package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"bindery/shared/clock"
	"bindery/shared/core/reconcile"
	"bindery/shared/core/schedule"
	"bindery/shared/directory"
	"bindery/shared/store"
)

const queueHop = 50 * time.Millisecond

// errDead is what a call of a dead invocation answers.
var errDead = errors.New("the process is gone")

// fate counts the calls of one invocation and ends it at one of them.
type fate struct {
	mu    sync.Mutex
	calls int
	at    int  // the call at which it dies; 0: it lives
	late  bool // that call still takes effect
	dead  bool
}

// message is a wake-up on its way.
type message struct {
	directory.WakeUp
	hops     int // invocations of sync that led to it
	received int // deliveries that came to nothing
}

type (
	fateKey struct{}
	hopsKey struct{} // of the message that an invocation works on
)

func fateOf(ctx context.Context) *fate {
	f, _ := ctx.Value(fateKey{}).(*fate)
	return f
}

// step counts one call. The first error ends it before it takes effect, the
// second one after.
func (f *fate) step() (before, after error) {
	if f == nil {
		return nil, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return errDead, nil
	}
	f.calls++
	if f.at == 0 || f.calls < f.at {
		return nil, nil
	}
	f.dead = true
	if f.late {
		return nil, errDead
	}
	return errDead, nil
}

func (f *fate) state() (calls int, dead bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls, f.dead
}

// firstKill is the slice that is the first to die.
const firstKill = 3

// idleCalls is what a slice makes at most that finds nothing to do.
const idleCalls = 10

// process is what one Lambda process keeps between invocations.
type process struct{ engine *reconcile.Engine }

// cloud is queue, schedule and functions: as many invocations at once, and as
// long a chain of messages, as the template and Lambda allow.
type cloud struct {
	limits
	newProcess func(send reconcile.Send) *process
	scheduler  *schedule.Scheduler
	log        func(reconcile.Summary, error)

	ctx    context.Context
	cancel context.CancelFunc
	wait   sync.WaitGroup
	room   chan struct{} // holds a token for each invocation under way

	mu       sync.Mutex
	warm     []*process
	busy     int // messages and invocations under way
	slices   int
	killed   int
	errors   int
	refused  int           // deliveries that Lambda took for a loop
	dead     int           // dead letters
	most     int           // invocations at once
	billed   time.Duration // time that functions ran
	typical  int           // calls of the last slice that worked
	due      int           // slices that are to die
	killEach int           // every so manyth slice dies; 0: none
	spared   int           // slices that had begun before the first that may die
	random   *rand.Rand    // which call kills
}

func (c *cloud) start(ctx context.Context) {
	c.ctx, c.cancel = context.WithCancel(ctx)
	c.room = make(chan struct{}, c.concurrency)
}

// killFrom has every twentieth slice die from now on, at a call that the seed
// decides.
func (c *cloud) killFrom(seed uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killEach, c.spared = 20, c.slices
	c.random = rand.New(rand.NewPCG(11, seed))
}

// stop ends everything that waits and returns when nothing runs any more.
func (c *cloud) stop() {
	c.cancel()
	c.wait.Wait()
}

// send queues a message. SQS counts delays in whole seconds.
func (c *cloud) send(ctx context.Context, w directory.WakeUp, delay time.Duration) error {
	before, after := fateOf(ctx).step()
	if before != nil {
		return before
	}
	hops, _ := ctx.Value(hopsKey{}).(int)
	c.deliver(message{WakeUp: w, hops: hops}, delay.Truncate(time.Second)+wholeSecond(delay)+queueHop)
	return after
}

func wholeSecond(d time.Duration) time.Duration {
	if d > 0 && d%time.Second != 0 {
		return time.Second
	}
	return 0
}

// deliver hands a message to an invocation after a while, once there is room for
// one. What fails comes back until it is a dead letter.
func (c *cloud) deliver(m message, after time.Duration) {
	c.mu.Lock()
	c.busy++
	c.mu.Unlock()
	c.wait.Go(func() {
		if clock.Sleep(c.ctx, after) != nil {
			return
		}
		select {
		case c.room <- struct{}{}:
		case <-c.ctx.Done():
			return
		}
		received := time.Now()
		done := c.admitted(m) && c.invoke(m)
		<-c.room
		if !done && c.ctx.Err() == nil {
			c.again(m, c.visibility-time.Since(received))
		}
		c.mu.Lock()
		c.busy--
		c.mu.Unlock()
	})
}

// admitted tells whether Lambda lets a message invoke the function once more.
func (c *cloud) admitted(m message) bool {
	if c.loops || m.hops < lineage {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused++
	return false
}

func (c *cloud) again(m message, after time.Duration) {
	if m.received++; m.received >= c.receives {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.dead++
		return
	}
	c.deliver(m, after)
}

// invoke is one call of the function; false when it was killed or failed.
func (c *cloud) invoke(m message) bool {
	p, f := c.take()
	ctx, cancel := context.WithTimeout(context.WithValue(context.WithValue(c.ctx, fateKey{}, f), hopsKey{}, m.hops+1), c.timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	begun := time.Now()
	sum, err := p.engine.Slice(ctx, m.WakeUp, deadline)
	calls, dead := f.state()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.billed += time.Since(begun)
	if calls > idleCalls {
		c.typical = calls
	}
	if dead {
		c.killed++
		return false
	}
	if f.at != 0 {
		c.due++ // it ended before its hour: the next one dies in its place
	}
	c.warm = append(c.warm, p)
	if err != nil {
		c.errors++
	}
	if c.log != nil {
		c.log(sum, err)
	}
	return err == nil
}

// take gives an invocation a process, warm if there is one, and a fate.
func (c *cloud) take() (*process, *fate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slices++
	c.most = max(c.most, len(c.room))
	f := &fate{}
	if c.killEach > 0 && (c.slices-c.spared)%c.killEach == firstKill {
		c.due++
	}
	if c.due > 0 {
		c.due--
		f.at, f.late = 1+c.random.IntN(max(c.typical, 20)), c.random.IntN(2) == 0
	}
	if n := len(c.warm); n > 0 {
		p := c.warm[n-1]
		c.warm = c.warm[:n-1]
		return p, f
	}
	return c.newProcess(c.send), f
}

// tick runs the schedule until the cloud stops.
func (c *cloud) tick() {
	c.wait.Go(func() {
		for clock.Sleep(c.ctx, c.schedule) == nil {
			if _, err := c.scheduler.Round(c.ctx); err != nil && c.ctx.Err() == nil {
				c.mu.Lock()
				c.errors++
				c.mu.Unlock()
			}
		}
	})
}

// Wake is what a bulk edit does.
func (c *cloud) Wake(_ context.Context, id directory.ConnectionID, _ time.Duration) error {
	c.deliver(message{WakeUp: directory.WakeUp{ConnectionID: id}}, queueHop)
	return nil
}

// WakeEdited does so for the edit of a user.
func (c *cloud) WakeEdited(_ context.Context, id directory.ConnectionID, u directory.UserID) error {
	c.deliver(message{WakeUp: directory.WakeUp{ConnectionID: id, UserID: u}}, queueHop)
	return nil
}

// rest waits until no message is under way and nothing runs.
func (c *cloud) rest() {
	for {
		c.mu.Lock()
		busy := c.busy
		c.mu.Unlock()
		if busy == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (c *cloud) scheduleOver(s *store.Store, now func() time.Time) {
	c.scheduler = schedule.New(schedule.Config{Stores: schedule.StoresOf(s), Queue: c, Now: now})
}

// SendLoad sends nothing: no file is loaded here.
func (*cloud) SendLoad(context.Context, directory.WakeUp, time.Duration) error { return nil }

// SendAll sends the schedule's wake-ups.
func (c *cloud) SendAll(ctx context.Context, list []directory.WakeUp) error {
	for _, w := range list {
		if err := c.send(ctx, w, 0); err != nil {
			return err
		}
	}
	return nil
}

// begunAndBilled is how many slices have begun, and what they took together.
func (c *cloud) begunAndBilled() (int, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.slices, c.billed
}

// begun is how many slices have begun.
func (c *cloud) begun() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.slices
}
