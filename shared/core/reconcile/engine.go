package reconcile

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"bindery/shared/core/incident"
	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
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
	// lastLease is how long it lasts while a run has few writes left. In the
	// middle of a load the tenant's bucket fills while a dead worker's lease runs
	// out, so that nothing is lost; at the end all of that is delay.
	lastLease = 35 * time.Second
	// lastWrites is how many writes are few: what the bucket gains in a LeaseTTL.
	lastWrites = 1200
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

// Engine works on connections. Its fields are set once, before use.
type Engine struct {
	Store Store
	Open  Open
	Send  Send
	// PasswordKey returns the key that temporary passwords are derived with.
	PasswordKey func(ctx context.Context) (directory.Secret, error)
	// Lost notes that an admin must authorise the connection again, since
	// Microsoft refuses it as a whole; nil: nobody notes it.
	Lost func(ctx context.Context, c *directory.Connection, p directory.Problem) error
	// Who finds out who changed properties of an account at Microsoft; nil:
	// nobody asks.
	Who Who
	// Attest finds out whether a run is as one of ours began and approved it; nil:
	// nobody asks. What is done for somebody who did not ask for it, or by an
	// approval that nobody gave, would be sealed in that name.
	Attest Attest
	Now    func() time.Time // nil means time.Now
	Log    *slog.Logger     // nil means silence
	// SecondLook is how long a slice that found nothing waits before it looks
	// again, since marks are found through an index that lags; 0 means 5 s,
	// negative means never.
	SecondLook time.Duration

	once      sync.Once // sets what is remembered up
	protected *protect.Reader
}

func (e *Engine) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}

// protections remembers who is protected in each connection's tenant.
func (e *Engine) protections() *protect.Reader {
	e.once.Do(func() { e.protected = protect.NewReader(e.Store, e.now) })
	return e.protected
}

func (e *Engine) log() *slog.Logger {
	if e.Log != nil {
		return e.Log
	}
	return slog.New(slog.DiscardHandler)
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

// worker is one slice at work.
type worker struct {
	*Engine
	lease  store.Lease
	conn   directory.Connection
	tenant Tenant
	cfg    plan.Config
	until  time.Time // the slice's end
	sum    Summary
	looked bool // has looked a second time
	looks  bool // only explains: it holds no lease, and must renew none
	read   bool // has read the tenant in this slice
	// ahead is the first page of a round, read before the lease was taken.
	ahead *aheadPage
	// doubtful holds changes of which nobody knows whether they took effect. It
	// outlives the slice with the run's cursor.
	doubtful   map[directory.ChangeID]runs.UnknownOutcome
	lane       lane                           // for leavers, in the middle of something else
	served     map[directory.UserID]time.Time // leavers dealt with, by their mark
	urgentSeen time.Time                      // when the urgent marks were last listed
	absent     map[directory.UserID]time.Time // whose address nobody had, by a direct read then
	forbidden  map[directory.UserID]bool      // refused by a 403 since the last change that Microsoft made
	asked      int                            // accounts of which Microsoft's log was asked who changed them
	aside      map[directory.UserID]aside     // whose accounts cannot be read now; nil: then nobody's are
	names      names                          // who has which address, from a listing
	protection *protect.Protection            // as read in this slice; nil before that
	back       directory.RunID                // a run of which this slice sees what became of it
	reported   map[directory.AccountID]bool   // accounts that the round which does so has shown
	wrote      bool                           // a run that wrote has ended in this slice
	begun      directory.RunID                // a run that this slice made and has not begun with
	watched    bool                           // a wake-up was sent against our own death
	managed    []string
	digester   mapping.Digester
	tallied    tallied                  // what the plan under way adds up to
	unsealed   map[directory.RunID]bool // runs from before records were sealed
	end        store.RunEnd
	// doubtDomains says that Microsoft has refused something for the tenant's
	// domains: they may be others than we believe.
	doubtDomains bool
}

// errPause ends a slice; a wake-up follows after the delay.
type errPause struct {
	after  time.Duration
	why    string
	cause  error
	second bool // the next look is the second one
	queued bool // the wake-up was sent by whoever began the wait
	single bool // the wait is for single accounts, and not for the tenant
}

func (p *errPause) Error() string { return "paused: " + p.why }

func (p *errPause) Unwrap() error { return p.cause }

// Slice works on a connection until nothing is left to do, the deadline is
// near, or Microsoft asks to wait. It may be called at any time and any number
// of times; one at a time works, the others end at once. What is left to do is
// woken again through Send. An error is returned only when even that failed;
// others are logged and recorded with the run.
func (e *Engine) Slice(ctx context.Context, wake directory.WakeUp, deadline time.Time) (Summary, error) {
	id := wake.ConnectionID
	w := &worker{
		Engine: e, looked: wake.Second, back: wake.ReadBack, sum: Summary{ConnectionID: id, Again: -1},
		doubtful: map[directory.ChangeID]runs.UnknownOutcome{}, served: map[directory.UserID]time.Time{}, absent: map[directory.UserID]time.Time{}, forbidden: map[directory.UserID]bool{},
	}
	w.until = e.now().Add(SliceTime)
	if d := deadline.Add(-15 * time.Second); !deadline.IsZero() && d.Before(w.until) {
		w.until = d
	}
	passed, err := w.pass(ctx, id)
	if passed || errors.Is(err, directory.ErrNotFound) {
		return w.sum, nil
	}
	if err != nil {
		return w.unleased(ctx, id, err)
	}
	version := w.conn.Version
	w.lease, w.conn, err = e.Store.AcquireLease(ctx, id, rand.Text(), w.leaseTTL())
	if w.conn.Version != version {
		w.tenant, w.ahead = nil, nil // made from what the connection was before
	}
	switch {
	case errors.Is(err, store.ErrLeaseHeld):
		w.sum.Skipped = "another worker holds the lease"
		if !wake.Watch && wake.ReadBack == "" {
			return w.sum, nil
		}
		// The holder may be dead: look again when its lease has run out.
		w.sum.Again = max(0, w.lease.Until.Sub(e.now())) + time.Second
		return w.sum, e.Send(ctx, wake, w.sum.Again)
	case errors.Is(err, directory.ErrNotFound):
		w.sum.Skipped = "there is no such connection"
		return w.sum, nil
	case err != nil:
		return w.sum, err
	}
	err = w.work(ctx)
	return w.finish(ctx, err)
}

// unleased ends a slice that failed before it took the lease.
func (w *worker) unleased(ctx context.Context, id directory.ConnectionID, err error) (Summary, error) {
	pause, paused := errors.AsType[*errPause](err)
	switch {
	case paused:
		w.sum.Again = pause.after
	case errors.Is(err, directory.ErrUnauthorized):
		w.sum.Skipped = "authorisation lost"
		return w.sum, nil
	default:
		w.sum.Again, w.sum.Broken = 30*time.Second, true
		w.log().Error("slice failed", "connectionId", id, "error", err)
	}
	return w.sum, w.Send(ctx, directory.WakeUp{ConnectionID: id}, w.sum.Again)
}

// finish gives the lease back and queues what is left to do.
func (w *worker) finish(ctx context.Context, err error) (Summary, error) {
	pause, paused := errors.AsType[*errPause](err)
	switch {
	case errors.Is(err, directory.ErrLeaseLost):
		// Somebody else has the connection, or its epoch has passed.
		w.sum.Skipped = "the lease was lost"
		return w.sum, nil
	case paused && pause.queued:
		err = nil
	case paused:
		w.sum.Again = pause.after
		err = nil
	case errors.Is(err, directory.ErrUnauthorized):
		w.sum.Skipped, err = "authorisation lost", nil
	case err != nil:
		w.sum.Again, w.sum.Broken = 30*time.Second, true
	}
	// A slice that is being stopped still gives its lease back.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	rel := w.Store.ReleaseLease(ctx, &w.lease, w.end, false)
	var sent error
	if errors.Is(rel, store.ErrWanted) {
		// A wake-up came meanwhile: its sender may be a leaver, who does not
		// wait for what this slice waits for.
		sent = w.Send(ctx, directory.WakeUp{ConnectionID: w.conn.ID}, 0)
		rel = w.Store.ReleaseLease(ctx, &w.lease, store.RunEnd{}, true)
		if w.sum.Again < 0 {
			w.sum.Again = 0
			return w.sum, errors.Join(err, rel, sent)
		}
	}
	if w.sum.Again < 0 {
		return w.sum, errors.Join(err, rel)
	}
	again := directory.WakeUp{ConnectionID: w.conn.ID, Second: paused && pause.second}
	if sendErr := errors.Join(sent, w.Send(ctx, again, w.sum.Again)); sendErr != nil {
		return w.sum, errors.Join(err, rel, sendErr)
	}
	if err := errors.Join(err, rel); err != nil {
		w.log().Error("slice failed", "connectionId", w.conn.ID, "runId", w.sum.RunID, "error", err)
	}
	return w.sum, nil
}

// work does one thing after the other until nothing is left.
func (w *worker) work(ctx context.Context) error {
	if !w.conn.Authorized() {
		w.sum.Skipped = "the connection is " + string(w.conn.Status)
		return nil
	}
	for {
		if err := w.inTime(ctx); err != nil {
			return err
		}
		if err := w.resumeUnread(ctx); err != nil {
			return err
		}
		if w.doubtDomains {
			if err := w.attending(nil, func() error { return w.doubtedDomains(ctx) }); err != nil {
				return w.outside(ctx, err)
			}
		}
		if _, err := w.runForLeavers(ctx); err != nil {
			return err
		}
		run, err := w.nextRun(ctx)
		if err != nil {
			return err
		}
		if run == nil {
			again, err := w.idle(ctx)
			if err != nil || !again {
				return err
			}
			continue
		}
		if err := w.bring(ctx, run); err != nil {
			return err
		}
	}
}

// bring works on a run until it ends or is held.
func (w *worker) bring(ctx context.Context, run *store.RunRecord) error {
	err := w.prepare(ctx)
	if err == nil {
		err = w.step(ctx, run)
	}
	if err != nil {
		return w.runFailed(ctx, run, err)
	}
	return nil
}

// inTime ends the slice when its time is over, and keeps the lease fresh.
func (w *worker) inTime(ctx context.Context) error {
	if !w.now().Before(w.until) {
		return &errPause{after: 0, why: "the slice's time is over"}
	}
	ttl := w.leaseTTL()
	if !w.looks && w.lease.Until.Sub(w.now()) < min(ttl-5*time.Second, LeaseTTL*2/3) {
		return w.renew(ctx)
	}
	return nil
}

// renew extends the lease. A slice whose connection was changed meanwhile ends:
// the next one begins with its settings and its authorisation as they are now.
func (w *worker) renew(ctx context.Context) error {
	err := w.Store.RenewLease(ctx, &w.lease, w.leaseTTL())
	if errors.Is(err, store.ErrConnectionChanged) {
		return &errPause{after: 0, why: "the connection was changed"}
	}
	return err
}

// quota is what Microsoft lets us ask of the tenant. It stands on the lease.
func (w *worker) quota() quota.Tenant { return quota.At(&w.lease.Pace.TenantQuota, w.now()) }

func (w *worker) leaseTTL() time.Duration {
	if w.lease.Pace.Few {
		return lastLease
	}
	return LeaseTTL
}

// request bounds a request so that it ends before the lease does.
func (w *worker) request(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithDeadline(ctx, w.lease.Until.Add(-requestMargin))
}

// prepare opens the tenant and the mapping once a slice.
func (w *worker) prepare(ctx context.Context) error {
	if w.tenant != nil {
		return nil
	}
	t, err := w.Open(ctx, &w.conn)
	if err != nil {
		return err
	}
	w.tenant = t
	w.cfg = w.config(w.conn.Settings)
	w.managed, w.digester = w.cfg.Mapper.Managed(), mapping.NewDigester(w.cfg.Mapper, w.settingsDigest())
	return nil
}

// nextRun picks the run to work on: one for leavers first, then the oldest that
// is not held by an admin's decision or waiting for its time. When all that is
// left waits, the slice ends: whoever began the wait has sent a wake-up.
func (w *worker) nextRun(ctx context.Context) (*store.RunRecord, error) {
	open, err := w.openRuns(ctx)
	if err != nil {
		return nil, err
	}
	var next *store.RunRecord
	var wait *errPause
	for i := range open {
		r := &open[i]
		ahead := time.Duration(0)
		if r.State == directory.RunWaiting && r.Waiting != nil {
			ahead = r.Waiting.Until.Sub(w.now())
		}
		switch {
		case r.State == directory.RunHeld:
		case ahead > time.Second: // sooner is no reason to be called again
			if r.Urgent && (w.lane.due.IsZero() || r.Waiting.Until.Before(w.lane.due)) {
				w.lane.due = r.Waiting.Until
			}
			if wait == nil || ahead < wait.after {
				wait = &errPause{after: ahead, why: r.Waiting.Why, queued: true}
			}
		case next == nil || turn(r) < turn(next):
			next = r
		}
	}
	if next == nil && wait != nil {
		return nil, wait
	}
	return next, nil
}

// turn orders runs that can go on. Of those for leavers one that had to wait
// comes after the others: it may have to wait again, which ends the slice.
func turn(r *store.RunRecord) int {
	switch {
	case r.Urgent && r.State != directory.RunWaiting:
		return 0
	case r.Urgent:
		return 1
	}
	return 2
}

// openRuns reads the runs that have not ended, oldest first, and ends those of
// an epoch that has passed. Runs of a newer version are left to it: while it is
// deployed, both have slices.
func (w *worker) openRuns(ctx context.Context) ([]store.RunRecord, error) {
	ids, err := w.Store.OpenRuns(ctx, w.conn.ID)
	if err != nil {
		return nil, err
	}
	found, err := w.Store.RunsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	list := make([]store.RunRecord, 0, len(ids))
	for _, id := range ids {
		r, there := found[id]
		if !there { // held for longer than records are kept
			if err := w.Store.CloseRun(ctx, w.conn.ID, id); err != nil {
				return nil, err
			}
			continue
		}
		if !r.Known() {
			w.log().Info("a run is left to a newer version", "connectionId", w.conn.ID, "runId", id)
			continue
		}
		if r.Epoch != w.lease.Epoch && !r.State.Ended() {
			runs.EndDeactivated(&r, w.now())
			if err := w.Store.SaveRun(ctx, &w.lease, &r); err != nil {
				return nil, err
			}
		}
		if !r.State.Ended() {
			list = append(list, r)
		}
	}
	return list, nil
}

// idle is what happens when no run is open: the tenant is read when that is
// due, marks become a run, and a slice that found nothing looks once more.
func (w *worker) idle(ctx context.Context) (again bool, err error) {
	if due, link := w.readDue(); due {
		w.lease.Pace.Few = false
		if err := w.prepare(ctx); err != nil {
			return false, w.outside(ctx, err)
		}
		err := w.attending(nil, func() error { return w.readRound(ctx, link) })
		if loop, yes := directory.PagingLoop(err); yes {
			// Whatever else is to be done goes on.
			err = w.recordLoop(ctx, loop)
		} else if w.read = err == nil; err != nil {
			err = w.outside(ctx, err)
		}
		if err != nil {
			return false, err
		}
	}
	created, err := w.runFromMarks(ctx)
	if err != nil || created {
		return created, err
	}
	if w.end.State == "" && w.read {
		w.end.State, w.end.At = directory.RunDone, w.now()
		w.settle()
	}
	if w.looked || w.SecondLook < 0 {
		return false, nil
	}
	look := w.SecondLook
	if look == 0 {
		look = 5 * time.Second
	}
	if w.read || w.end.State != "" {
		// The schedule looks again anyway, and a run that wrote something is
		// followed by its own last look.
		return false, nil
	}
	return false, &errPause{after: look, why: "a second look", second: true}
}

// recordLoop makes a run of a reading that no run had asked for and that failed,
// so that it is told as other failures are.
func (w *worker) recordLoop(ctx context.Context, loop *directory.Problem) error {
	r := runs.NewRecord(w.conn.ID, w.lease.Epoch, w.now())
	r.Trigger = directory.TriggerSchedule
	if err := w.create(ctx, &r); err != nil {
		return err
	}
	w.begun = ""
	err := w.failRun(ctx, &r, loop)
	if _, rests := errors.AsType[*errPause](err); rests {
		return nil // it is the reading that rests
	}
	return err
}

// outside turns an error from reading, when there is no run to record it with,
// into the slice's end.
func (w *worker) outside(ctx context.Context, err error) error {
	if _, paused := errors.AsType[*errPause](err); paused {
		return err
	}
	err = w.unauthorized(ctx, err)
	if t, ok := errors.AsType[*directory.ThrottledError](err); ok {
		return &errPause{after: t.RetryAfter, why: "Microsoft asked to wait", cause: err}
	}
	if directory.Transient(err) {
		return &errPause{after: 30 * time.Second, why: "Microsoft cannot be reached", cause: err}
	}
	return err
}

// unauthorized turns an answer that refuses the connection as a whole into a
// lost authorisation, and has it noted.
func (w *worker) unauthorized(ctx context.Context, err error) error {
	p, ok := errors.AsType[*directory.Problem](err)
	if !ok || p.Kind != directory.ProblemAuthorization || errors.Is(err, directory.ErrUnauthorized) {
		return err
	}
	if w.Lost != nil {
		err = errors.Join(err, w.Lost(ctx, &w.conn, *p))
	}
	return fmt.Errorf("%w: %w", directory.ErrUnauthorized, err)
}

// runFromMarks makes a run when bindings are marked, unless all of them are
// part of a plan that is held.
func (w *worker) runFromMarks(ctx context.Context) (bool, error) {
	marks, _, err := w.Store.ListMarks(ctx, w.conn.ID, w.lease.Epoch, "", 1)
	if err != nil || len(marks) == 0 {
		return false, err
	}
	open, err := w.openRuns(ctx)
	if err != nil {
		return false, err
	}
	for i := range open {
		held := &open[i]
		if held.State != directory.RunHeld || !ofMarks(held) {
			continue
		}
		newer, err := w.newerThan(ctx, held)
		if err != nil || !newer {
			return false, err
		}
		if err := w.supersede(ctx, held); err != nil {
			return false, err
		}
	}
	trigger := directory.TriggerEdit
	if w.read {
		trigger = directory.TriggerSchedule
	}
	r := runs.NewRecord(w.conn.ID, w.lease.Epoch, w.now())
	r.Trigger = trigger
	return true, w.create(ctx, &r)
}

// newerThan reports whether bindings were marked since a held run was planned. Of
// one that was stopped between two waves those marks do not count that it has
// left itself, on accounts that it wrote to or that Microsoft refused: a new plan
// would go on with what was stopped, a wave at a time.
func (w *worker) newerThan(ctx context.Context, held *store.RunRecord) (newer bool, err error) {
	err = w.Store.MarkedSince(ctx, w.conn.ID, w.lease.Epoch, held.StartedAt, func(refs []directory.Ref) (bool, error) {
		if held.Held == nil || held.Held.Wave == nil {
			newer = true
			return false, nil
		}
		rows, err := w.Store.Subjects(ctx, directory.UsersOf(refs))
		for _, row := range rows {
			b := row.Binding
			newer = newer || b != nil && (b.RunID != held.ID || b.Applied < b.Wanted || b.Release != "")
		}
		return !newer, err
	})
	return newer, err
}

// create records a run that this slice begins with at once: its first attempt.
func (w *worker) create(ctx context.Context, r *store.RunRecord) error {
	r.Attempts, w.begun = 1, r.ID
	return w.Store.CreateRun(ctx, directory.Act{}, r)
}

// supersede ends a held run whose users are planned anew.
func (w *worker) supersede(ctx context.Context, held *store.RunRecord) error {
	held.State, held.EndedAt = directory.RunSuperseded, w.now().UTC()
	return w.Store.SaveRun(ctx, &w.lease, held)
}

// step brings a run forward until it ends, is held, or the slice must end.
func (w *worker) step(ctx context.Context, r *store.RunRecord) error {
	w.sum.RunID = r.ID
	cur, err := runs.ProgressOf(r)
	if err != nil {
		return err
	}
	if r.Attempts >= maxAttempts {
		return w.failRun(ctx, r, cur.LastError)
	}
	if w.begun != r.ID {
		r.Attempts++
		if r.State == directory.RunWaiting {
			r.State, r.Waiting, cur.Single = cur.Resumed(), nil, false
		}
		if err := w.saveRun(ctx, r, cur); err != nil {
			return err
		}
	}
	w.begun = ""
	for id, d := range cur.UnknownOutcomes {
		if _, known := w.doubtful[id]; !known {
			w.doubtful[id] = d
		}
	}
	if err := w.attest(ctx, r); err != nil {
		return err
	}
	if err := w.loadProtection(ctx); err != nil {
		return err
	}
	if r.State == directory.RunApplying && w.shield().Unread() != "" {
		return w.holdUnread(ctx, r, cur)
	}
	if r.State == directory.RunPlanning {
		w.lease.Pace.Few = false
		if err := w.planRun(ctx, r, cur); err != nil || r.State != directory.RunApplying {
			return err
		}
	}
	if err := w.applyRun(ctx, r, cur); !errors.Is(err, errRolesUnread) {
		return err
	}
	return w.holdUnread(ctx, r, cur)
}

// holdUnread holds a run whose changes may not be sent, since it is not known who
// is protected.
func (w *worker) holdUnread(ctx context.Context, r *store.RunRecord, cur *runs.Progress) error {
	held := plan.Guard(nil, plan.Facts{Unprotected: w.shield().Unread()})
	switch {
	case r.ApprovedBy != "" && heldUnread(r.Held):
		held = r.Held
	case r.Held != nil && (cur.Exempt || r.ApprovedBy != ""): // what was found stays true of the changes that wait, or is what was decided about
		held.Limits, held.Facts, held.Reasons = r.Held.Limits, append(held.Facts, r.Held.Facts...), append(held.Reasons, r.Held.Reasons...)
	}
	r.Held = held
	w.hold(r)
	return w.saveRun(ctx, r, cur)
}

func (w *worker) saveRun(ctx context.Context, r *store.RunRecord, cur *runs.Progress, notes ...store.Note) error {
	r.Cursor = cur.Encode()
	w.sum.State = r.State
	return w.Store.SaveRun(ctx, &w.lease, r, notes...)
}

// runFailed records why a slice could not go on with its run. Waits that
// Microsoft asks for and the slice's own end do not count as attempts.
func (w *worker) runFailed(ctx context.Context, r *store.RunRecord, err error) error {
	if errors.Is(err, directory.ErrLeaseLost) {
		return err
	}
	err = w.unauthorized(ctx, err)
	fresh, getErr := w.Store.Run(ctx, r.ID)
	if getErr != nil {
		return errors.Join(err, getErr)
	}
	cur, curErr := runs.ProgressOf(&fresh)
	if curErr != nil {
		return errors.Join(err, curErr)
	}
	if fresh.State.Ended() {
		return err
	}
	cur.UnknownOutcomes = nil
	for id, d := range w.doubtful {
		if run, _, _, ok := store.Place(id); ok && run == r.ID {
			if cur.UnknownOutcomes == nil {
				cur.UnknownOutcomes = map[directory.ChangeID]runs.UnknownOutcome{}
			}
			cur.UnknownOutcomes[id] = d
		}
	}
	pause, paused := errors.AsType[*errPause](err)
	throttled, isThrottled := errors.AsType[*directory.ThrottledError](err)
	_, looped := directory.PagingLoop(err)
	switch {
	case paused && pause.cause == nil && pause.after == 0:
		fresh.Attempts = max(0, fresh.Attempts-1)
		return errors.Join(w.saveRun(ctx, &fresh, cur), err)
	case paused:
		fresh.Attempts = max(0, fresh.Attempts-1)
		fresh.Waiting = &directory.Waiting{Until: w.now().Add(pause.after).UTC(), Why: pause.why}
	case isThrottled:
		fresh.Attempts = max(0, fresh.Attempts-1)
		err = &errPause{after: throttled.RetryAfter, why: "Microsoft asked to wait", cause: err}
		fresh.Waiting = &directory.Waiting{Until: w.now().Add(throttled.RetryAfter).UTC(), Why: "Microsoft asked to wait (429)"}
	case errors.Is(err, errNotOurs), looped:
		return w.failRun(ctx, &fresh, incident.ProblemOf(ctx, w.log(), slog.LevelError, "run failed", err, sliceFailed, "connectionId", w.conn.ID, "runId", r.ID))
	case errors.Is(err, directory.ErrUnauthorized):
		fresh.Attempts = max(0, fresh.Attempts-1)
		fresh.Waiting = &directory.Waiting{Why: "an admin must authorise the connection again"}
	default:
		w.sum.Broken = !directory.Transient(err)
		line, level := "slice failed", slog.LevelWarn
		if fresh.Attempts >= maxAttempts {
			line, level = "run failed", slog.LevelError
		}
		cur.LastError = incident.ProblemOf(ctx, w.log(), level, line, err, sliceFailed, "connectionId", w.conn.ID, "runId", r.ID, "attempts", fresh.Attempts)
		if fresh.Attempts >= maxAttempts {
			return w.failRun(ctx, &fresh, cur.LastError)
		}
		delay := time.Duration(fresh.Attempts*fresh.Attempts) * 5 * time.Second
		fresh.Waiting = &directory.Waiting{Until: w.now().Add(delay).UTC(), Why: cur.LastError.Message}
		err = &errPause{after: delay, why: "after an error", cause: err}
	}
	cur.WaitFrom(fresh.State, paused && pause.single)
	fresh.State = directory.RunWaiting
	if fresh.Urgent && fresh.Waiting != nil {
		w.lane.due = fresh.Waiting.Until
	}
	if saveErr := w.saveRun(ctx, &fresh, cur); saveErr != nil {
		return errors.Join(err, saveErr)
	}
	return err
}

// failRun gives a run up; its bindings stay marked, and the connection goes on
// with the next run.
func (w *worker) failRun(ctx context.Context, r *store.RunRecord, cause *directory.Problem) error {
	cur, err := runs.ProgressOf(r)
	if err != nil {
		return err
	}
	r.State, r.EndedAt, r.Waiting = directory.RunFailed, w.now().UTC(), nil
	r.Error = cause
	if r.Error == nil {
		r.Error = &directory.Problem{Code: "no-progress", Message: fmt.Sprintf("%d slices in a row ended without progress and without an error that could be recorded.", maxAttempts),
			Next: "Look at the function's log; the connection goes on with its next run."}
	}
	w.end.RunID, w.end.State, w.end.At = r.ID, r.State, w.now()
	if err := w.saveRun(ctx, r, cur); err != nil {
		return err
	}
	return &errPause{after: restAfterFailure, why: "a run failed"}
}

// sliceFailed is what is shown of an error that nobody foresaw.
var sliceFailed = directory.Problem{Code: "slice-failed", Kind: directory.ProblemTransient, Message: "A step of the run ended with an error of Bindery's own.",
	Next: "It is tried again; after five tries without progress the run fails. Whoever runs Bindery finds the cause in the log, under the incident."}
