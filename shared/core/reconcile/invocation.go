package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"bindery/shared/core/incident"
	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/core/protect"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// invocation is one invocation at work on a connection: it finds out what is to be
// done, and has its tools do it.
type invocation struct {
	config    *Config
	protected *protect.Reader
	wake      directory.WakeUp
	s         *session
	queue     *runQueue
	cadence   *cadence
	leavers   *leavers
	outcomes  outcomes
	reached   map[directory.RunID]*runs.Progress // how far this slice has come with runs
	tools     *tools                             // once the tenant is open
	peeked    *store.Lease                       // before it is taken
	just      *justRead
	// dependents are those of objects that this slice has changed.
	dependents *dependents
	// changesKinds says that it has worked on objects of other kinds than accounts.
	changesKinds bool
	besideAt     time.Time // when other work was last looked for beside a run that goes one change at a time
}

// tools are what works with a tenant, for as long as the connection's record is
// as it was when they were made.
type tools struct {
	observe  *observer
	shield   *shield
	domains  *domainReader
	rounds   *rounds
	accounts *accounts
	planner  *planner
	applier  *applier
}

// task is the work on one run.
type task struct {
	run   *store.RunRecord
	at    *runs.Progress
	tally *tally
	// unstored are the changes of the plan's last chunk, until they are stored with what
	// the guard says of it.
	unstored []directory.Change
	// stored are the first chunks of the plan, by number, as this slice has just stored
	// them, each until it is worked on; storedAt is when the plan was complete.
	stored   map[int][]directory.Change
	storedAt time.Time
	// renewed is the renewal of the lease with the plan, for the first flight; zero: there
	// was none, or that flight has left.
	renewed renewal
	// unsealed says that the run may be from before records were sealed.
	unsealed bool
	lane     lane // past what may be interrupted of it
}

// keptChunks is how many chunks are not read again after they were stored.
const keptChunks = 2

// keep keeps a chunk of the plan that was just stored.
func (t *task) keep(number int, changes []directory.Change) {
	if number >= keptChunks || t.run.Kind != directory.KindSync {
		return
	}
	if t.stored == nil {
		t.stored = map[int][]directory.Change{}
	}
	t.stored[number] = changes
}

// open opens the tenant, once a slice.
func (w *invocation) open(ctx context.Context) (*tools, error) {
	if w.tools != nil {
		return w.tools, nil
	}
	tenant, err := w.config.Open(ctx, &w.s.conn)
	if err != nil {
		return nil, err
	}
	w.tools = w.toolsFor(tenant)
	return w.tools, nil
}

func (w *invocation) toolsFor(tenant Tenant) *tools {
	c, st, s := w.config, &w.config.Stores, w.s
	t := &tools{}
	recent := &sinceListed{s: s}
	journal := notedJournal{st.Journal, recent, w.just, w.dependents}
	t.observe = &observer{s: s, tenant: tenant, bindings: w.just, accounts: st.Accounts, addresses: &addressBook{s: s, tenant: tenant}, answers: newAddressAnswers(w.outcomes)}
	t.shield = &shield{s: s, tenant: tenant, reader: w.protected, observe: t.observe}
	s.shield = t.shield
	cfg := t.shield.config(s.conn.Settings)
	t.shield.selected = cfg.Mapper.Selected()
	digester := mapping.NewDigester(cfg.Mapper, s.settingsDigest())
	t.domains = &domainReader{s: s, tenant: tenant, connections: st.Connections}
	t.rounds = &rounds{s: s, tenant: tenant, cfg: cfg, managed: cfg.Mapper.Managed(), digester: digester, cadence: w.cadence, domains: t.domains,
		bindings: st.Bindings, accounts: st.Accounts, standings: st.Standings, marks: st.Marks, pages: st.Rounds, seen: st.Seen, runs: st.Runs, chunks: st.Chunks, uses: c.Uses, journal: journal, journalled: recent}
	acc := &accounts{s: s, cfg: cfg, digester: digester, tenant: tenant, observe: t.observe, actors: &actorFinder{s: s, who: c.Attribution}, shield: t.shield, domains: t.domains,
		send: c.Send, passwordKey: c.PasswordKey, uses: c.Uses, journal: journal, marks: st.Marks, bindings: w.just, owners: st.Accounts, users: st.Users}
	t.accounts = acc
	kinds := &kinds{}
	kinds.add(directory.KindAccount, acc)
	for _, k := range c.Kinds {
		kinds.add(k.Name(), k.Open(Slice{s}, tenant))
	}
	t.rounds.kinds = kinds
	guard := &guard{s: s, queue: w.queue, shield: t.shield, chunks: st.Chunks, runs: st.Runs, counts: st.Counts, users: st.Users, clients: st.Clients, bindings: st.Bindings, calls: st.Calls}
	moves := moves{s: s, send: c.Send}
	t.planner = &planner{s: s, shield: t.shield, kinds: kinds, rounds: t.rounds, queue: w.queue, guard: guard,
		cadence: w.cadence, moves: moves, send: c.Send, runs: st.Runs, chunks: st.Chunks, journal: journal, marks: st.Marks, bindings: st.Bindings}
	waves := &waves{s: s, settings: cfg.Settings.Breaker, kinds: kinds, queue: w.queue, chunks: st.Chunks}
	t.applier = &applier{s: s, kinds: kinds, tenant: tenant, shield: t.shield, queue: w.queue, cadence: w.cadence, domains: t.domains, waves: waves, moves: moves, dependents: w.dependents,
		outcomes: w.outcomes, sent: t.observe.answers.sent, forbidden: map[directory.Kind]map[directory.Ref]bool{}, alone: map[directory.ChangeID]bool{}, send: c.Send, attests: c.Attest != nil,
		connections: st.Connections, runs: st.Runs, chunks: st.Chunks, journal: journal, bindings: st.Bindings, quota: st.Quota, calls: st.Calls, flow: c.flow}
	return t
}

// work does one thing after the other until nothing is left.
func (w *invocation) work(ctx context.Context) error {
	if !w.s.conn.Authorized() {
		w.s.sum.Skipped = "the connection is " + string(w.s.conn.Status)
		return nil
	}
	if err := w.takeNamed(ctx); err != nil {
		return err
	}
	for {
		if err := w.s.inTime(ctx); err != nil {
			return err
		}
		if err := w.dependents.stir(ctx, w.leavers); err != nil {
			return err
		}
		if err := w.resumeUnread(ctx); err != nil {
			return err
		}
		if w.tools != nil && w.tools.domains.doubted {
			if err := w.tools.domains.readDoubted(ctx, w.leavers); err != nil {
				return w.outside(ctx, err)
			}
		}
		if _, err := w.leavers.makeRun(ctx); err != nil {
			return err
		}
		run, err := w.leavers.next(ctx)
		if err != nil {
			return err
		}
		if run != nil && isSerial(run) {
			made, err := w.beside(ctx)
			if err != nil {
				return err
			}
			if made {
				continue
			}
		}
		if run == nil {
			again, err := w.idle(ctx)
			if err != nil || !again {
				return err
			}
			continue
		}
		if err := w.bring(ctx, run); err != nil || w.s.lease.Released {
			return err
		}
	}
}

// bring works on a run until it ends or is held.
func (w *invocation) bring(ctx context.Context, run *store.RunRecord) error {
	t, err := w.open(ctx)
	if err == nil {
		err = w.step(ctx, t, run)
	}
	if errors.Is(err, errAside) {
		return nil
	}
	if err != nil {
		err = w.runFailed(ctx, run, err)
	}
	if errors.Is(err, errDecided) { // an admin has cancelled it, say: it is listed anew
		return nil
	}
	return err
}

// step brings a run forward until it ends, is held, or the slice must end.
func (w *invocation) step(ctx context.Context, tools *tools, r *store.RunRecord) error {
	w.s.sum.RunID = r.ID
	delete(w.reached, r.ID) // an admin may have decided since
	at, err := runs.ProgressOf(r)
	if err != nil {
		return err
	}
	if r.Attempts >= maxAttempts {
		return w.queue.fail(ctx, r, at.LastError)
	}
	resumed := !w.queue.begin(r.ID)
	if resumed {
		r.Attempts++
		if r.State == directory.RunWaiting {
			r.State, r.Waiting, at.Single = at.Resumed(), nil, false
		}
	}
	tools.observe.answers.resume(r, at)
	starts := at.Clean && r.State == directory.RunApplying
	if starts {
		at.Clean = false // durable before anything is sent
	}
	if resumed || starts {
		if err := w.queue.save(ctx, r, at); err != nil {
			return err
		}
	}
	w.outcomes.restore(at)
	old := false
	if !isDraft(r) { // which is made of nothing that was read
		if old, err = w.attest(ctx, r); err != nil {
			return err
		}
	}
	defer tools.shield.drop()
	if readsFirst(r) {
		tools.shield.ahead(ctx)
	} else if err := tools.shield.load(ctx); err != nil {
		return err
	}
	t := &task{run: r, at: at, tally: &tally{run: r, counts: plan.Tally{}}, unsealed: old, lane: w.leavers.of(r)}
	if r.State == directory.RunApplying && tools.shield.now().Unread() != "" {
		return w.holdUnread(ctx, t)
	}
	defer func() { w.changesKinds = w.changesKinds || len(r.Kinds) > 0 }()
	if r.State == directory.RunPlanning {
		w.s.lease.Pace.Brief = false
		err := tools.planner.plan(ctx, t)
		if errors.Is(err, errNotAlone) {
			w.withOthers()
			return nil // nothing of it is stored
		}
		if err != nil || r.State != directory.RunApplying {
			return err
		}
	}
	if err := tools.shield.load(ctx); err != nil {
		return err
	}
	w.reached[r.ID] = at
	if err := tools.applier.apply(ctx, t); !errors.Is(err, errRolesUnread) {
		return err
	}
	return w.holdUnread(ctx, t)
}

// readsFirst reports whether a run is planned by reading what it is about before
// anything is decided, so that who is protected is asked for meanwhile.
func readsFirst(r *store.RunRecord) bool {
	return r.State == directory.RunPlanning && r.Kind == directory.KindSync && !readsRound(r)
}

// holdUnread holds a run whose changes may not be sent, since it is not known who
// is protected.
func (w *invocation) holdUnread(ctx context.Context, t *task) error {
	r := t.run
	held := plan.Guard(nil, plan.Facts{Unprotected: w.tools.shield.now().Unread()})
	switch {
	case r.ApprovedBy != "" && heldUnread(r.Held):
		held = r.Held
	case r.Held != nil && (t.at.Exempt || r.ApprovedBy != ""):
		// What was found stays true of the changes that wait, or is what was
		// decided about.
		held.Limits = r.Held.Limits
		held.Facts = append(held.Facts, r.Held.Facts...)
		held.Reasons = append(held.Reasons, r.Held.Reasons...)
	}
	r.Held = held
	w.queue.hold(r)
	return w.queue.save(ctx, r, t.at)
}

// resumeUnread puts a run before the guard again that was held since it could not
// be read who is protected, once it can: with the settings, the mode and the
// history of now, without what of it has gone already. Each call takes one run,
// so that what it applies counts for the next. What an admin approved goes on as
// approved. Whoever is protected is refused when the change is sent.
func (w *invocation) resumeUnread(ctx context.Context) error {
	open, err := w.queue.list(ctx)
	if err != nil {
		return err
	}
	for i := range open {
		r := &open[i]
		if r.State != directory.RunHeld || !heldUnread(r.Held) {
			continue
		}
		tools, err := w.open(ctx)
		if err != nil {
			return w.outside(ctx, err)
		}
		if err := tools.shield.load(ctx); err != nil {
			return w.outside(ctx, err)
		}
		if tools.shield.now().Unread() != "" {
			return nil
		}
		at, err := runs.ProgressOf(r)
		if err != nil {
			return err
		}
		at.Recheck()
		r.State = directory.RunApplying
		if r.ApprovedBy == "" {
			r.State, r.Held = directory.RunPlanning, nil
		}
		r.Cursor = at.Encode()
		if err := w.queue.saved(ctx, r); !errors.Is(err, errDecided) {
			return err
		}
	}
	return nil
}

// idle is what happens when no run is open: the tenant is read when that is
// due, marks become a run, and a slice that found nothing looks once more.
func (w *invocation) idle(ctx context.Context) (again bool, err error) {
	if due, link := w.cadence.due(); due {
		w.s.lease.Pace.Brief = false
		if err := w.readRound(ctx, link); err != nil {
			return false, err
		}
	}
	if w.changesKinds && w.tools != nil {
		w.changesKinds = false
		if err := w.tools.rounds.beginKinds(ctx, w.leavers); err != nil {
			return false, w.outside(ctx, err)
		}
	}
	if w.cadence.nothingElse() {
		// But for leavers, who wait for no schedule: the wake-up of one may be lost.
		w.leavers.quiet = time.Time{}
		return w.leavers.makeRun(ctx)
	}
	more, err := w.expand(ctx)
	if err != nil {
		return false, err
	}
	trigger := directory.TriggerEdit
	if w.cadence.read {
		trigger = directory.TriggerSchedule
	}
	made, err := w.queue.makeFromMarks(ctx, trigger)
	if err != nil || made || more {
		return true, err
	}
	if w.s.end.State == "" && w.cadence.read {
		w.s.end.State, w.s.end.At = directory.RunDone, w.s.now()
		w.s.noteAllPlanned()
	}
	if w.looksAgain() {
		return false, &errPause{after: w.config.SecondLook, why: "a second look", second: true}
	}
	return false, nil
}

// beside is what goes before the next change of a run that goes one change at a time:
// the tenant is read when that is due, and marks become a run.
// It is looked for now and then, so that the run comes forward whatever is marked.
func (w *invocation) beside(ctx context.Context) (made bool, err error) {
	if w.s.now().Sub(w.besideAt) < listEvery/2 {
		return false, nil
	}
	w.besideAt = w.s.now()
	if due, link := w.cadence.due(); due {
		if err := w.readRound(ctx, link); err != nil {
			return false, err
		}
	}
	if _, err := w.expand(ctx); err != nil {
		return false, err
	}
	newer, err := w.queue.newerMarks(ctx)
	if err != nil || !newer {
		return false, err
	}
	return w.queue.makeFromMarks(ctx, directory.TriggerEdit)
}

// expand has what the connection does with groups followed by records, whose marks then
// become a run.
func (w *invocation) expand(ctx context.Context) (more bool, err error) {
	if w.config.Uses == nil || !w.s.conn.UsesGroups {
		return false, nil
	}
	return w.config.Uses.Expand(ctx, &w.s.lease, &w.s.conn, w.leavers.attend)
}

// looksAgain reports whether the slice, which has nothing left to do, is followed by a
// second look: the index that marks are found through may not have shown the edit that
// woke it. The schedule and the look after a run are woken by nobody's edit, and a run
// that wrote something is followed by its own look.
func (w *invocation) looksAgain() bool {
	if w.wake.Second || w.config.SecondLook < 0 || w.cadence.wrote {
		return false
	}
	found := w.cadence.read || w.s.end.State != ""
	return !found || !w.wake.Scheduled && w.wake.ReadBack == ""
}

// readRound reads a round that no run has asked for.
func (w *invocation) readRound(ctx context.Context, link store.ReadLink) error {
	tools, err := w.open(ctx)
	if err != nil {
		return w.outside(ctx, err)
	}
	err = tools.rounds.readRound(ctx, w.leavers, link)
	if loop, yes := directory.PagingLoop(err); yes {
		return w.recordLoop(ctx, loop) // whatever else is to be done goes on
	}
	w.cadence.read = err == nil
	if err != nil {
		return w.outside(ctx, err)
	}
	return nil
}

// recordLoop makes a run of a reading that no run had asked for and that failed,
// so that it is told as other failures are.
func (w *invocation) recordLoop(ctx context.Context, loop *directory.Problem) error {
	r := runs.NewRecord(w.s.conn.ID, w.s.lease.Epoch, w.s.now())
	r.Trigger = directory.TriggerSchedule
	if err := w.queue.create(ctx, &r); err != nil {
		return err
	}
	w.queue.begin(r.ID)
	err := w.queue.fail(ctx, &r, loop)
	if _, rests := pauseOf(err); rests {
		return nil // it is the reading that rests
	}
	return err
}

// outside turns an error from reading, when there is no run to record it with,
// into the slice's end.
func (w *invocation) outside(ctx context.Context, err error) error {
	if _, paused := pauseOf(err); paused {
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
func (w *invocation) unauthorized(ctx context.Context, err error) error {
	p, ok := errors.AsType[*directory.Problem](err)
	if !ok || p.Kind != directory.ProblemAuthorization || errors.Is(err, directory.ErrUnauthorized) {
		return err
	}
	if w.config.Lost != nil {
		err = errors.Join(err, w.config.Lost(ctx, &w.s.conn, *p))
	}
	return fmt.Errorf("%w: %w", directory.ErrUnauthorized, err)
}

// runFailed records why a slice could not go on with its run. Waits that
// Microsoft asks for and the slice's own end do not count as attempts.
func (w *invocation) runFailed(ctx context.Context, r *store.RunRecord, err error) error {
	if errors.Is(err, directory.ErrLeaseLost) || errors.Is(err, errDecided) {
		return err
	}
	err = w.unauthorized(ctx, err)
	fresh := redraft(r)
	if !isDraft(r) {
		var getErr error
		if fresh, getErr = w.config.Stores.Runs.Run(ctx, r.ID); getErr != nil {
			return errors.Join(err, getErr)
		}
	}
	at, progressErr := runs.ProgressOf(&fresh)
	if progressErr != nil {
		return errors.Join(err, progressErr)
	}
	if fresh.State.Ended() {
		return err
	}
	at.UnknownOutcomes = w.outcomes.of(r.ID)
	if w.tools != nil {
		at.Clean = w.tools.observe.answers.leavesClean(r.ID, at.Clean)
	}
	if now := w.reached[r.ID]; now != nil && now.Phase >= at.Phase {
		at.Phase, at.Chunk = now.Phase, now.Chunk // what is before has nothing left to send
	}
	pause, paused := pauseOf(err)
	throttled, isThrottled := errors.AsType[*directory.ThrottledError](err)
	_, looped := directory.PagingLoop(err)
	switch {
	case paused && pause.cause == nil && pause.after == 0:
		fresh.Attempts = max(0, fresh.Attempts-1)
		return errors.Join(w.queue.save(ctx, &fresh, at), err)
	case paused:
		fresh.Attempts = max(0, fresh.Attempts-1)
		fresh.Waiting = &directory.Waiting{Until: w.s.now().Add(pause.after).UTC(), Why: pause.why}
	case isThrottled:
		fresh.Attempts = max(0, fresh.Attempts-1)
		err = &errPause{after: throttled.RetryAfter, why: "Microsoft asked to wait", cause: err}
		fresh.Waiting = &directory.Waiting{Until: w.s.now().Add(throttled.RetryAfter).UTC(), Why: "Microsoft asked to wait (429)"}
	case errors.Is(err, errNotOurs), looped:
		return w.queue.fail(ctx, &fresh, incident.ProblemOf(ctx, w.s.log, slog.LevelError, "run failed", err, sliceFailed, "connectionId", w.s.conn.ID, "runId", r.ID))
	case errors.Is(err, directory.ErrUnauthorized):
		fresh.Attempts = max(0, fresh.Attempts-1)
		fresh.Waiting = &directory.Waiting{Why: "an admin must authorise the connection again"}
	default:
		w.s.sum.Broken = !directory.Transient(err)
		line, level := "slice failed", slog.LevelWarn
		if fresh.Attempts >= maxAttempts {
			line, level = "run failed", slog.LevelError
		}
		at.LastError = incident.ProblemOf(ctx, w.s.log, level, line, err, sliceFailed, "connectionId", w.s.conn.ID, "runId", r.ID, "attempts", fresh.Attempts)
		if fresh.Attempts >= maxAttempts {
			return w.queue.fail(ctx, &fresh, at.LastError)
		}
		delay := time.Duration(fresh.Attempts*fresh.Attempts) * 5 * time.Second
		fresh.Waiting = &directory.Waiting{Until: w.s.now().Add(delay).UTC(), Why: at.LastError.Message}
		err = &errPause{after: delay, why: "after an error", cause: err}
	}
	at.WaitFrom(fresh.State, paused && pause.single)
	fresh.State = directory.RunWaiting
	if fresh.Urgent && fresh.Waiting != nil {
		w.leavers.due = fresh.Waiting.Until
	}
	if saveErr := w.queue.save(ctx, &fresh, at); saveErr != nil {
		return errors.Join(err, saveErr)
	}
	return err
}

// sliceFailed is what is shown of an error that nobody foresaw.
var sliceFailed = directory.Problem{Code: directory.CodeSliceFailed, Kind: directory.ProblemTransient, Message: "A step of the run ended with an error of Bindery's own.",
	Next: "It is tried again; after five tries without progress the run fails. Whoever runs Bindery finds the cause in the log, under the incident."}

// outcomes are changes of which nobody knows whether they took effect. They
// outlive the slice with the run's progress.
type outcomes map[directory.ChangeID]runs.UnknownOutcome

// restore adds those that an earlier slice did not find out.
func (o outcomes) restore(at *runs.Progress) {
	for id, u := range at.UnknownOutcomes {
		if _, known := o[id]; !known {
			o[id] = u
		}
	}
}

// of are those of a run; nil when there are none.
func (o outcomes) of(run directory.RunID) map[directory.ChangeID]runs.UnknownOutcome {
	var some map[directory.ChangeID]runs.UnknownOutcome
	for id, u := range o {
		if r, _, _, ok := store.Place(id); ok && r == run {
			if some == nil {
				some = map[directory.ChangeID]runs.UnknownOutcome{}
			}
			some[id] = u
		}
	}
	return some
}
