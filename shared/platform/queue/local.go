package queue

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"log/slog"
	"sync"
	"time"
)

// LocalConfig is how a Local behaves.
type LocalConfig struct {
	Visibility  time.Duration    // how long a message is hidden while it is worked on; 18 minutes when zero
	Retry       time.Duration    // how long after a failure it is tried again; when zero, once its Visibility ends
	MaxReceives int              // tries before it is a dead letter; 5 when zero
	Now         func() time.Time // nil means time.Now
	Log         *slog.Logger     // nil: nothing is logged
}

// Local is a queue in this process, with the manners of SQS: at least once, by
// due time, a message under work hidden until its visibility timeout, a dead
// letter after too many tries. It waits by timers only, and so works in virtual
// time. What it holds is lost with the process: the table knows what is to be
// done, and the schedule wakes it up.
type Local struct {
	cfg LocalConfig

	mu      sync.Mutex
	waiting messages
	changed chan struct{} // closed when an earlier message may have come
	seq     int64
	dead    [][]byte
}

const (
	defaultVisibility  = 18 * time.Minute
	defaultMaxReceives = 5
	maxDead            = 1000 // the oldest are forgotten
)

// NewLocal returns an empty queue.
func NewLocal(cfg LocalConfig) *Local {
	cfg.Visibility = cmp.Or(cfg.Visibility, defaultVisibility)
	cfg.MaxReceives = cmp.Or(cfg.MaxReceives, defaultMaxReceives)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Local{cfg: cfg}
}

var _ Queue = (*Local)(nil)

// message is a body in the queue. While it is worked on it stays there, due
// when its visibility ends.
type message struct {
	body     []byte
	due      time.Time
	seq      int64 // tells apart what is due at the same time
	receives int
	index    int // in the heap; -1 once it is gone
}

// Send puts a body in the queue, to arrive after the delay.
func (q *Local) Send(ctx context.Context, body []byte, delay time.Duration) error {
	return q.SendMany(ctx, []Message{{body, delay}})
}

// SendMany puts all messages in the queue, or none.
func (q *Local) SendMany(ctx context.Context, all []Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, m := range all {
		if err := checkBody(m.Body); err != nil {
			return err
		}
	}
	now := q.cfg.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range all {
		q.seq++
		heap.Push(&q.waiting, &message{body: bytes.Clone(m.Body), due: now.Add(max(0, m.Delay)), seq: q.seq})
	}
	q.announce()
	return nil
}

// Len returns the number of messages that wait or are worked on.
func (q *Local) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// Dead returns the bodies of the dead letters, oldest first.
func (q *Local) Dead() [][]byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := make([][]byte, len(q.dead))
	for i, b := range q.dead {
		out[i] = bytes.Clone(b)
	}
	return out
}

// Run hands messages to handle, workers at once, until ctx ends; then it waits
// for the handlers under way. A message whose handler fails comes again.
func (q *Local) Run(ctx context.Context, workers int, handle func(ctx context.Context, body []byte) error) {
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for {
				m := q.receive(ctx)
				if m == nil {
					return
				}
				q.acknowledge(m, handle(ctx, bytes.Clone(m.body)))
			}
		})
	}
	group.Wait()
}

// receive waits for a message that is due and hides it. It returns nil when
// ctx ends.
func (q *Local) receive(ctx context.Context) *message {
	for ctx.Err() == nil {
		m, wait, changed := q.next()
		if m != nil {
			return m
		}
		var fire <-chan time.Time
		var timer *time.Timer
		if wait > 0 {
			timer = time.NewTimer(wait)
			fire = timer.C
		}
		select {
		case <-fire:
		case <-changed:
		case <-ctx.Done():
		}
		if timer != nil {
			timer.Stop()
		}
	}
	return nil
}

// next takes the first message that is due; or says how long to wait for the
// first that is there, 0 for none, and what tells of an earlier one.
func (q *Local) next() (m *message, wait time.Duration, changed <-chan struct{}) {
	now := q.cfg.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) > 0 {
		first := q.waiting[0]
		if wait := first.due.Sub(now); wait > 0 {
			return nil, wait, q.listen()
		}
		if first.receives < q.cfg.MaxReceives {
			first.receives++
			first.due = now.Add(q.cfg.Visibility)
			heap.Fix(&q.waiting, 0)
			return first, 0, nil
		}
		heap.Pop(&q.waiting)
		if q.dead = append(q.dead, first.body); len(q.dead) > maxDead {
			q.dead = q.dead[1:]
		}
		q.cfg.Log.Error("message became a dead letter", "receives", first.receives, "bytes", len(first.body))
	}
	return nil, 0, q.listen()
}

// acknowledge takes a message off the queue, or has it come again.
func (q *Local) acknowledge(m *message, err error) {
	now := q.cfg.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	if m.index < 0 {
		return // its visibility had ended, and another worker was done with it
	}
	if err == nil {
		heap.Remove(&q.waiting, m.index)
		return
	}
	q.cfg.Log.Warn("message comes again", "receives", m.receives, "error", err)
	if q.cfg.Retry > 0 {
		m.due = now.Add(q.cfg.Retry)
		heap.Fix(&q.waiting, m.index)
		q.announce()
	}
}

// listen and announce want the lock held. The channel is made by who waits,
// so that it belongs to the waiter's bubble of virtual time.
func (q *Local) listen() <-chan struct{} {
	if q.changed == nil {
		q.changed = make(chan struct{})
	}
	return q.changed
}

func (q *Local) announce() {
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}
