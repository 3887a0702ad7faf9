package runtime

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// warm is how many idle processes of a function are kept.
const warm = 2

// Pool runs one function. It may be used by several goroutines.
type Pool struct {
	Function
	arn     string
	recycle Recycling
	log     func(line []byte)

	mu      sync.Mutex
	random  *rand.Rand
	idle    []*process
	working int
	closed  bool
	stats   Stats
	group   sync.WaitGroup // processes that answered and are not idle yet
}

// Stats count what a pool did.
type Stats struct {
	Invocations, ColdStarts int
	Recycled, KilledMidway  int
	PeakMB                  int // of the process that had most
	BiggestEvent            int // bytes
	BiggestAnswer           int // bytes
	Slowest                 time.Duration
	Errors                  []FunctionError // without the kills
}

// NewPool returns a function's pool; nothing runs yet. log gets each line that
// its processes write.
func NewPool(f Function, arn string, recycle Recycling, log func(line []byte)) *Pool {
	return &Pool{Function: f, arn: arn, recycle: recycle, log: log, random: rand.New(rand.NewPCG(recycle.Seed, 0))}
}

// Invoke hands an event to a process and returns its answer. The error is a
// *FunctionError, ErrTooLarge or ErrThrottled.
func (p *Pool) Invoke(e Event) ([]byte, error) {
	if len(e.Payload) > MaxPayload {
		return nil, ErrTooLarge
	}
	proc, err := p.take()
	if err != nil {
		p.note(e, nil, 0, err)
		return nil, err
	}
	begun := time.Now()
	i := newInvocation(&p.Function, e, p.arn)
	proc.thaw()
	var got outcome
	select {
	case proc.work <- i:
		got = p.wait(proc, i)
	case <-proc.dead:
		got = outcome{err: exitError(proc)}
	}
	p.note(e, got.payload, time.Since(begun), got.err)
	p.group.Go(func() { p.give(proc) })
	if got.err != nil {
		return nil, got.err
	}
	return got.payload, nil
}

// wait waits for the answer, the process's end, the function's timeout or the
// end that chance has in store.
func (p *Pool) wait(proc *process, i *invocation) outcome {
	timeout := time.NewTimer(time.Until(i.deadline))
	defer timeout.Stop()
	var doom <-chan time.Time
	if after, doomed := p.doom(i.Event); doomed {
		doom = time.After(after)
	}
	select {
	case got := <-i.answer:
		return got
	case <-proc.dead:
		return outcome{err: exitError(proc)}
	case <-timeout.C:
		proc.kill()
		return outcome{err: &FunctionError{Type: "Sandbox.Timedout", Message: fmt.Sprintf("Task timed out after %.2f seconds", p.Timeout.Seconds())}}
	case <-doom:
		proc.kill()
		return outcome{err: &FunctionError{Type: "Runtime.ExitError", Message: "killed in the middle, on purpose", Killed: true}}
	}
}

// exitError tells how a process ended by itself.
func exitError(proc *process) *FunctionError {
	return &FunctionError{Type: "Runtime.ExitError", Message: "the process ended: " + proc.cmd.ProcessState.String()}
}

// doom says whether, and when, a process dies in the middle of an event.
func (p *Pool) doom(e Event) (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !e.MayDie || p.stats.KilledMidway >= p.recycle.MostMiddle || !p.chance(p.recycle.Middle) {
		return 0, false
	}
	return time.Duration(p.random.Int64N(int64(200 * time.Millisecond))), true
}

func (p *Pool) chance(c Chance) bool { return c > 0 && p.random.IntN(int(c)) == 0 }

// take returns a warm process, any of them, or starts one.
func (p *Pool) take() (*process, error) {
	p.mu.Lock()
	if p.closed || p.Concurrency > 0 && p.working >= p.Concurrency {
		p.mu.Unlock()
		return nil, ErrThrottled
	}
	p.working++
	for len(p.idle) > 0 {
		n := p.random.IntN(len(p.idle))
		proc := p.idle[n]
		p.idle = append(p.idle[:n], p.idle[n+1:]...)
		if proc.alive() {
			p.mu.Unlock()
			return proc, nil
		}
	}
	p.stats.ColdStarts++
	p.mu.Unlock()
	proc, err := start(&p.Function, p.log)
	if err == nil {
		if fault := proc.ready(); fault != nil {
			err = fault
		}
	}
	if err != nil {
		p.mu.Lock()
		p.working--
		p.mu.Unlock()
		return nil, err
	}
	return proc, nil
}

// give takes a process back once it asks for its next event: it is frozen, or
// ended when there are enough, or when chance has it.
func (p *Pool) give(proc *process) {
	late := time.NewTimer(p.Timeout)
	defer late.Stop()
	select {
	case <-proc.idle:
	case <-proc.dead:
	case <-late.C: // it answered and hangs
		proc.kill()
	}
	if !p.keeps(proc) {
		proc.kill()
	}
}

// keeps takes a process back, frozen, or says that it is to end.
func (p *Pool) keeps(proc *process) bool {
	peak := proc.peak()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.working--
	p.stats.PeakMB = max(p.stats.PeakMB, peak)
	if !proc.alive() {
		return false
	}
	recycled := p.chance(p.recycle.After)
	if recycled {
		p.stats.Recycled++
	}
	if recycled || p.closed || len(p.idle) >= warm {
		return false
	}
	proc.freeze()
	p.idle = append(p.idle, proc)
	return true
}

func (p *Pool) note(e Event, answer []byte, took time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Invocations++
	p.stats.BiggestEvent = max(p.stats.BiggestEvent, len(e.Payload))
	p.stats.BiggestAnswer = max(p.stats.BiggestAnswer, len(answer))
	p.stats.Slowest = max(p.stats.Slowest, took)
	switch fault, is := errors.AsType[*FunctionError](err); {
	case !is || fault == nil:
	case fault.Killed:
		p.stats.KilledMidway++
	default:
		p.stats.Errors = append(p.stats.Errors, *fault)
	}
}

// Stats returns what has been counted.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Errors = append([]FunctionError{}, p.stats.Errors...)
	return s
}

// Close ends all processes; their logs are complete then. No event may be under
// way.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, proc := range idle {
		proc.kill()
	}
	p.group.Wait()
}
