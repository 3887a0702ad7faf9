package reconcile

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"bindery/shared/core/protect"
	"bindery/shared/core/quota"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Times of the engine.
const (
	// LeaseTTL is how long a lease lasts from its last renewal.
	LeaseTTL = 60 * time.Second
	// briefLease is how long it lasts where a dead worker costs time, see
	// session.noteBrief: a request of a batch, which ends requestMargin before, still
	// has many times as long as flights are made to take.
	briefLease = 25 * time.Second
	// lastWrites is how many writes are few: what the bucket gains in a LeaseTTL, and
	// while the successor of a dead worker sends that.
	lastWrites = 1500
	// requestMargin is how long before the lease's end every request must have
	// ended, so that nothing is in flight when somebody else takes over.
	requestMargin = 10 * time.Second
	// SliceTime is how long one slice works.
	SliceTime = 2 * time.Minute
	// longestNap is the longest wait inside a slice; a longer one ends it.
	longestNap = quota.LongestNap
	// maxAttempts is how many slices in a row may end without durable progress.
	maxAttempts = 5
	// restAfterFailure is how long a connection rests after a failed run, so
	// that a fault that stays does not turn into a loop.
	restAfterFailure = 5 * time.Minute
	// Grace is how long after our own write a differing read is not taken for
	// somebody else's change (Graph replicates for minutes).
	Grace = 5 * time.Minute
)

// Config is what an Engine stands on. Open, Send and the stores are needed.
type Config struct {
	Stores Stores
	Open   Open
	Send   Send
	// PasswordKey returns the key that temporary passwords are derived with.
	PasswordKey func(ctx context.Context) (directory.Secret, error)
	// Lost notes that an admin must authorise the connection again, since
	// Microsoft refuses it as a whole; nil: nobody notes it.
	Lost func(ctx context.Context, c *directory.Connection, p directory.Problem) error
	// Attribution finds out who changed properties of an account at Microsoft; nil:
	// nobody asks.
	Attribution Attribution
	// Attest finds out whether a run is as one of ours began and approved it; nil:
	// nobody asks. What is done for somebody who did not ask for it, or by an
	// approval that nobody gave, would be sealed in that name.
	Attest Attest
	// Kinds are those of objects that are kept in step besides accounts.
	Kinds []Kind
	// Uses has what connections do with groups followed by bindings and records of
	// kinds; nil: they do nothing with groups.
	Uses Uses
	// Dependents names the objects that may have waited for one of others (Verdict.Later),
	// which has its counterpart in the tenant now, or none any more, or whose account
	// can be written to again, or was blocked or unblocked by us. They are marked. What
	// is missed when a slice dies is found when its time has come.
	// nil: nothing depends on anything.
	Dependents Dependents
	Now        func() time.Time // nil means time.Now
	Log        *slog.Logger     // nil means silence
	// SecondLook is how long a slice that found nothing waits before it looks
	// again, since marks are found through an index that lags; 0 means 5 s,
	// negative means never.
	SecondLook time.Duration

	flow func(t quota.Tenant, waiting int) quota.Flow // how much is sent at once; nil: as the tenant's quota says
}

// Engine works on connections.
type Engine struct {
	config    Config
	protected *protect.Reader
}

// New returns an Engine. It panics on two kinds of one name.
func New(c Config) *Engine {
	checkKinds(c.Kinds)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.SecondLook == 0 {
		c.SecondLook = 5 * time.Second
	}
	if c.flow == nil {
		c.flow = quota.Tenant.Flow
	}
	return &Engine{config: c, protected: protect.NewReader(c.Stores.Protections, c.Now)}
}

// Summary is what one slice did, for its log line. It holds IDs and numbers only.
type Summary struct {
	ConnectionID directory.ConnectionID
	RunID        directory.RunID
	State        directory.RunState
	Skipped      string // why nothing was done
	Pages        int    // of accounts read
	Planned      int
	Sent         int
	Applied      int
	Failed       int
	Refused      int // by planning or right before a write
	// ProtectedLeavers counts users who should lose access and do not, since
	// their account must not or cannot be written to, or their binding is paused.
	ProtectedLeavers int
	// Broken says that an error ended the slice which no wait is the answer to. It
	// is tried again.
	Broken bool
	Again  time.Duration // a wake-up was queued with this delay; negative: none
}

// Slice works on a connection until nothing is left to do, the deadline is
// near, or Microsoft asks to wait. It may be called at any time and any number
// of times; one at a time works, the others end at once. What is left to do is
// woken again through Send. An error is returned only when even that failed;
// others are logged and recorded with the run.
func (e *Engine) Slice(ctx context.Context, wake directory.WakeUp, deadline time.Time) (Summary, error) {
	id := wake.ConnectionID
	w := e.newInvocation(wake, deadline)
	w.leavers.bring = w.bring // here, so that a binary that only explains links nothing of what writes
	done, err := w.noOp(ctx, id)
	if done || errors.Is(err, directory.ErrNotFound) {
		return w.s.sum, nil
	}
	if err != nil {
		return w.unleased(ctx, id, err)
	}
	if err := w.acquire(ctx, id); err != nil {
		return w.notAcquired(ctx, err)
	}
	return w.release(ctx, w.work(ctx))
}

// newInvocation is an invocation before it knows its connection.
func (e *Engine) newInvocation(wake directory.WakeUp, deadline time.Time) *invocation {
	st := &e.config.Stores
	s := &session{keep: leaseKeeper{st.Leases, st.Counts}, now: e.config.Now, log: e.config.Log, sum: Summary{ConnectionID: wake.ConnectionID, Again: -1}}
	s.until, s.secondLook = s.now().Add(SliceTime), max(0, e.config.SecondLook)
	if d := deadline.Add(-15 * time.Second); !deadline.IsZero() && d.Before(s.until) {
		s.until = d
	}
	w := &invocation{config: &e.config, protected: e.protected, s: s, wake: wake, outcomes: outcomes{}, reached: map[directory.RunID]*runs.Progress{}}
	w.dependents = &dependents{s: s, of: e.config.Dependents, marks: st.Marks, send: e.config.Send}
	w.just = &justRead{bindingStore: st.Bindings, now: s.now}
	w.queue = &runQueue{s: s, open: st.OpenRuns, runs: st.Runs, chunks: st.Chunks, marks: st.Marks, bindings: st.Bindings, journal: st.Journal}
	for _, k := range e.config.Kinds {
		w.queue.kinds = append(w.queue.kinds, k.Name())
	}
	if uses := e.config.Uses; uses != nil {
		w.queue.due = func(ctx context.Context) (bool, error) {
			if !s.conn.UsesGroups {
				return false, nil
			}
			return uses.Due(ctx, &s.conn)
		}
	}
	w.cadence = &cadence{s: s, send: e.config.Send, back: wake.ReadBack, stirred: func() bool { return w.dependents.any() || w.dependents.marked }}
	w.leavers = &leavers{s: s, queue: w.queue, marks: st.Marks, send: e.config.Send, dealtWith: map[directory.UserID]time.Time{}}
	return w
}

// acquire takes the connection's lease, and with it the connection as it is.
func (w *invocation) acquire(ctx context.Context, id directory.ConnectionID) error {
	version := w.s.conn.Version
	lease, conn, err := w.takeLease(ctx, id)
	w.s.lease, w.s.conn = lease, conn
	if err == nil && lease.NoneOpen() {
		w.queue.known = openIDs{fresh: w.s.now(), listed: lease.NoneOpenAt}
	}
	if conn.Version != version {
		w.tools = nil // made from what the connection was before
	}
	return err
}

func (w *invocation) takeLease(ctx context.Context, id directory.ConnectionID) (store.Lease, directory.Connection, error) {
	leases := w.config.Stores.Leases
	if w.peeked == nil {
		return leases.AcquireLease(ctx, id, rand.Text(), LeaseTTL)
	}
	ttl := LeaseTTL
	if w.peeked.Pace.Brief && !w.peeked.NoneOpen() {
		ttl = briefLease // a run goes on; one that is planned first need not renew it
	}
	return leases.TakeLease(ctx, w.peeked, rand.Text(), ttl)
}

// notAcquired ends a slice that did not get the lease.
func (w *invocation) notAcquired(ctx context.Context, err error) (Summary, error) {
	sum := &w.s.sum
	switch {
	case errors.Is(err, store.ErrLeaseHeld):
		sum.Skipped = "another worker holds the lease"
		if !w.wake.Watch && w.wake.ReadBack == "" {
			return *sum, nil
		}
		// The holder may be dead: look again when its lease has run out.
		sum.Again = max(0, w.s.lease.Until.Sub(w.s.now())) + time.Second
		return *sum, w.config.Send(ctx, w.wake, sum.Again)
	case errors.Is(err, directory.ErrNotFound):
		sum.Skipped = "there is no such connection"
		return *sum, nil
	}
	return *sum, err
}

// unleased ends a slice that failed before it took the lease.
func (w *invocation) unleased(ctx context.Context, id directory.ConnectionID, err error) (Summary, error) {
	sum := &w.s.sum
	pause, paused := pauseOf(err)
	switch {
	case paused:
		sum.Again = pause.after
	case errors.Is(err, directory.ErrUnauthorized):
		sum.Skipped = "authorisation lost"
		return *sum, nil
	default:
		sum.Again, sum.Broken = 30*time.Second, true
		w.s.log.Error("slice failed", "connectionId", id, "error", err)
	}
	return *sum, w.config.Send(ctx, directory.WakeUp{ConnectionID: id}, sum.Again)
}

// stirTime is how long the end of a slice looks at what depends on its work.
const stirTime = 4 * time.Second

// release gives the lease back, unless that was done with the end of a run, and queues
// what is left to do.
func (w *invocation) release(ctx context.Context, err error) (Summary, error) {
	sum := &w.s.sum
	pause, paused := pauseOf(err)
	inOrder := err == nil || paused && pause.second // else something may be stored, or not
	switch {
	case errors.Is(err, directory.ErrLeaseLost) && !w.s.lease.Released:
		// Somebody else has the connection, or its epoch has passed.
		sum.Skipped = "the lease was lost"
		return *sum, nil
	case paused && pause.queued:
		err = nil
	case paused:
		sum.Again = pause.after
		err = nil
	case errors.Is(err, directory.ErrUnauthorized):
		sum.Skipped, err = "authorisation lost", nil
	case err != nil:
		sum.Again, sum.Broken = 30*time.Second, true
	}
	// A slice that is being stopped still gives its lease back.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	leases, id := w.config.Stores.Leases, w.s.conn.ID
	if !w.s.lease.Released && w.dependents.any() { // with what the slice was cut off from
		w.s.until = w.s.now().Add(stirTime)
		if stirred := w.dependents.stir(ctx, closed{w.s}); errors.Is(stirred, directory.ErrLeaseLost) {
			sum.Skipped = "the lease was lost"
			return *sum, nil
		}
	}
	if inOrder {
		w.s.end.NoneOpen = w.queue.known.noneSince()
	}
	var released error
	if !w.s.lease.Released { // else somebody else may have it
		released = leases.ReleaseLease(ctx, &w.s.lease, w.s.end, false)
	}
	if errors.Is(released, store.ErrWanted) {
		// A wake-up came meanwhile: its sender may be a leaver, who does not
		// wait for what this slice waits for.
		if sent := w.config.Send(ctx, directory.WakeUp{ConnectionID: id}, 0); sent != nil {
			// A lease that runs out tells the next slice that there may be more to do.
			return *sum, errors.Join(err, sent)
		}
		released = leases.ReleaseLease(ctx, &w.s.lease, w.s.end, true)
		if sum.Again < 0 {
			sum.Again = 0
			return *sum, errors.Join(err, released)
		}
	}
	if sum.Again < 0 {
		return *sum, errors.Join(err, released)
	}
	again := directory.WakeUp{ConnectionID: id, Second: paused && pause.second}
	if sendErr := w.config.Send(ctx, again, sum.Again); sendErr != nil {
		return *sum, errors.Join(err, released, sendErr)
	}
	if err := errors.Join(err, released); err != nil {
		w.s.log.Error("slice failed", "connectionId", id, "runId", sum.RunID, "error", err)
	}
	return *sum, nil
}
