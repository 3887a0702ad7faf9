package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// runQueue is a connection's runs that have not ended, and their transitions.
type runQueue struct {
	s        *session
	open     openRunStore
	runs     runStore
	chunks   chunkStore
	marks    markStore
	bindings bindingStore
	journal  journalStore
	kinds    []directory.Kind   // known besides accounts
	begun    directory.RunID    // a run that was made here and has not been begun with
	drafts   []*store.RunRecord // runs that were made here, are not stored, and are not taken up yet
	known    openIDs
	handed   handed // what a draft was made of, until it is planned

	serial serialRuns
	due    func(ctx context.Context) (bool, error) // whether marks are still to be made; nil: they never are
}

// openIDs are the runs that have not ended, as this slice last listed them and
// changed them since. Whoever makes a run without the lease marks the lease as
// wanted in that very write, so a slice that lists them once misses none for good;
// it lists them again now and then since nobody who asks for a run is to wait for the
// end of a load.
type openIDs struct {
	ids    []directory.RunID
	fresh  time.Time // when this slice listed them, or was told that there are none; zero: not yet
	listed time.Time // when somebody listed them
}

// listEvery is how long the list of open runs is taken for what there is.
const listEvery = 2 * time.Second

// noteStored notes how this slice has stored a run.
func (o *openIDs) noteStored(r *store.RunRecord) {
	if r.State.Ended() {
		o.noteEnded(r.ID)
	} else if at, there := slices.BinarySearch(o.ids, r.ID); !there {
		o.ids = slices.Insert(o.ids, at, r.ID)
	}
}

// noteEnded notes that this slice has ended a run.
func (o *openIDs) noteEnded(id directory.RunID) {
	o.ids = slices.DeleteFunc(o.ids, func(r directory.RunID) bool { return r == id })
}

// noneSince is when somebody listed no open run; zero when one is, or nobody has looked.
// A slice that was told so and did not list them itself says no more than it was told,
// so that this ages.
func (o *openIDs) noneSince() time.Time {
	if len(o.ids) > 0 {
		return time.Time{}
	}
	return o.listed
}

// lastRun reports whether a run, once it has ended, is the last one: no other one is
// open or to be begun with. none is when somebody listed that.
func (q *runQueue) lastRun(id directory.RunID) (none time.Time, last bool) {
	others := slices.ContainsFunc(q.known.ids, func(r directory.RunID) bool { return r != id })
	return q.known.listed, !others && len(q.drafts) == 0
}

// openRuns are the IDs of the runs that have not ended, oldest first.
func (q *runQueue) openRuns(ctx context.Context) ([]directory.RunID, error) {
	now := q.s.now()
	if q.known.fresh.IsZero() || now.Sub(q.known.fresh) >= listEvery {
		ids, err := q.open.OpenRunsUnder(ctx, &q.s.lease)
		if err != nil {
			return nil, err
		}
		q.known = openIDs{ids: ids, fresh: now, listed: now}
	}
	return slices.Clone(q.known.ids), nil
}

// list reads the runs that have not ended, oldest first, and ends those of
// an epoch that has passed. Runs of a newer version are left to it: while it is
// deployed, both have slices.
func (q *runQueue) list(ctx context.Context) ([]store.RunRecord, error) {
	ids, err := q.openRuns(ctx)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	found, err := q.open.RunsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	list := make([]store.RunRecord, 0, len(ids))
	for _, id := range ids {
		r, there := found[id]
		if !there { // held for longer than records are kept
			if err := q.close(ctx, id); err != nil {
				return nil, err
			}
			continue
		}
		if !r.Known() || !q.knows(r.Kinds) {
			q.s.log.Info("a run is left to a newer version", "connectionId", q.s.conn.ID, "runId", id)
			continue
		}
		if r.Epoch != q.s.lease.Epoch && !r.State.Ended() {
			runs.EndDeactivated(&r, q.s.now())
			if err := q.saved(ctx, &r); err != nil && !errors.Is(err, errDecided) {
				return nil, err
			}
			continue
		}
		if id == q.s.lease.Run && q.s.lease.Overtaken && !r.State.Ended() {
			if err := q.endOvertaken(ctx, &r); err != nil {
				return nil, err
			}
			continue
		}
		if !r.State.Ended() {
			list = append(list, r)
		} else if err := q.close(ctx, id); err != nil { // an admin ended it, without the lease
			return nil, err
		}
	}
	return list, nil
}

// endOvertaken ends a run that stands on the lease, and that an older version has not
// seen which may have worked since: it has dealt with the users by plans of its own, or
// has left them marked. What of the run was not known to have come to a result has none
// that counts.
func (q *runQueue) endOvertaken(ctx context.Context, r *store.RunRecord) error {
	changes, results, err := q.chunks.Chunk(ctx, r.ID, 0) // it has one, see BeginRun
	if err != nil {
		return err
	}
	end := *r
	end.State, end.EndedAt, end.Waiting = directory.RunSuperseded, q.s.now().UTC(), nil
	j := store.Journal{Run: r, Seq: results, End: &end, Tally: map[string]int{}}
	for i := range changes {
		if c := &changes[i]; open(c) {
			j.Results = append(j.Results, store.Result{Index: i, State: directory.ChangeOutdated, At: end.EndedAt, Error: &directory.Problem{Code: directory.CodeOutdated,
				Message: "Another version of Bindery worked on the connection after this change was planned. Whether it was sent before that is not known.",
				Next:    "The next run plans the user anew."}})
			j.Refs = append(j.Refs, c.Ref())
			j.Tally[string(directory.ChangeOutdated)+"/"+string(c.Effect)]++
		}
	}
	err = q.journal.Journal(ctx, &q.s.lease, &q.s.conn, j)
	if errors.Is(err, store.ErrRunMoved) {
		return nil // an admin has ended it meanwhile: whoever lists it next sees that
	}
	if err == nil {
		q.known.noteEnded(r.ID)
		q.s.log.Info("a run was overtaken by another version", "connectionId", q.s.conn.ID, "runId", r.ID)
	}
	return err
}

// close takes a run off the list that is none any more.
func (q *runQueue) close(ctx context.Context, id directory.RunID) error {
	err := q.open.CloseRun(ctx, &q.s.lease, id)
	if err == nil {
		q.known.noteEnded(id)
	}
	return err
}

// knows reports whether all of some kinds are known to this version.
func (q *runQueue) knows(kinds []directory.Kind) bool {
	return !slices.ContainsFunc(kinds, func(k directory.Kind) bool { return !slices.Contains(q.kinds, k) })
}

// next picks the run to work on: one for leavers first, then the oldest that
// is not held by an admin's decision or waiting for its time. When all that is
// left waits, its error ends the slice: whoever began the wait has sent a wake-up.
// leaversDue is when the first run for leavers that waits may go on; zero: none
// does.
func (q *runQueue) next(ctx context.Context) (next *store.RunRecord, leaversDue time.Time, err error) {
	open, err := q.list(ctx)
	if err != nil {
		return nil, leaversDue, err
	}
	q.noteSerial(open)
	var wait *errPause
	for i := range open {
		r := &open[i]
		ahead := time.Duration(0)
		if r.State == directory.RunWaiting && r.Waiting != nil {
			ahead = r.Waiting.Until.Sub(q.s.now())
		}
		switch {
		case r.State == directory.RunHeld:
		case ahead > time.Second && isSerial(r): // and nobody waits for it
		case ahead > time.Second: // sooner is no reason to be called again
			if r.Urgent && (leaversDue.IsZero() || r.Waiting.Until.Before(leaversDue)) {
				leaversDue = r.Waiting.Until
			}
			if wait == nil || ahead < wait.after {
				wait = &errPause{after: ahead, why: r.Waiting.Why, queued: true}
			}
		case next == nil || turn(r) < turn(next):
			next = r
		}
	}
	if draft := q.takeDraft(next); draft != nil {
		return draft, leaversDue, nil
	}
	if next == nil && wait != nil {
		return nil, leaversDue, wait
	}
	return next, leaversDue, nil
}

// turn orders runs that can go on; those that go one change at a time come last. Of those for leavers one that had to wait
// comes after the others: it may have to wait again, which ends the slice.
func turn(r *store.RunRecord) int {
	switch {
	case r.Urgent && r.State != directory.RunWaiting:
		return 0
	case r.Urgent:
		return 1
	case isSerial(r):
		return 3
	}
	return 2
}

// create records a run that this slice begins with at once: its first attempt.
func (q *runQueue) create(ctx context.Context, r *store.RunRecord) error {
	r.Attempts, q.begun = 1, r.ID
	return q.saved(ctx, r)
}

// errDecided says that somebody else has stored a run since this slice read it: an admin
// needs no lease to approve, decline or cancel one. What they have stored counts, and
// whoever reads the run next goes by it; nothing has failed.
var errDecided = errors.New("reconcile: the run was decided about since it was read")

// ifDecided tells such a conflict from the others that a write may have.
func ifDecided(err error) error {
	if errors.Is(err, directory.ErrStale) {
		return fmt.Errorf("%w: %w", errDecided, err)
	}
	return err
}

// saved stores a run, and notes whether it is open by that. errDecided.
func (q *runQueue) saved(ctx context.Context, r *store.RunRecord, notes ...store.Note) error {
	err := ifDecided(q.runs.SaveRun(ctx, &q.s.lease, r, notes...))
	if err == nil {
		q.known.noteStored(r)
	}
	return err
}

// draft makes a run that this slice begins with at once, and that is stored when
// something of it must be durable: with its plan, once the guard has looked at it, or
// as soon as anything else is to be remembered of it. Until then nobody knows of it.
// What it is made of, marks, stands in the table; a slice that dies makes it again.
func (q *runQueue) draft(r *store.RunRecord) {
	r.Attempts = 1
	q.drafts = append(q.drafts, r)
}

// takeDraft takes up a draft, unless one that is stored comes before it: the drafts
// are the youngest.
func (q *runQueue) takeDraft(stored *store.RunRecord) *store.RunRecord {
	if len(q.drafts) == 0 {
		return nil
	}
	i := slices.IndexFunc(q.drafts, func(r *store.RunRecord) bool { return r.Urgent })
	i = max(i, 0)
	draft := q.drafts[i]
	if stored != nil && turn(stored) <= turn(draft) {
		return nil
	}
	q.drafts = slices.Delete(q.drafts, i, i+1)
	q.begun = draft.ID
	return draft
}

// isDraft reports whether a run is not stored yet.
func isDraft(r *store.RunRecord) bool { return r.Version == 0 }

// redraft is a draft as it was made, before anything was planned for it.
func redraft(r *store.RunRecord) store.RunRecord {
	fresh := runs.NewRecord(r.ConnectionID, r.Epoch, r.StartedAt)
	fresh.ID, fresh.Trigger, fresh.Urgent, fresh.UserIDs, fresh.Objects, fresh.Attempts = r.ID, r.Trigger, r.Urgent, r.UserIDs, r.Objects, r.Attempts
	return fresh
}

// begin reports whether a run was made here and is begun with only now.
func (q *runQueue) begin(id directory.RunID) bool {
	first := q.begun == id
	q.begun = ""
	return first
}

func (q *runQueue) save(ctx context.Context, r *store.RunRecord, at *runs.Progress, notes ...store.Note) error {
	r.Cursor = at.Encode()
	q.s.sum.State = r.State
	return q.saved(ctx, r, notes...)
}

// submit is save for what was decided by the settings of the connection: when these have
// been changed since the slice began, the next one decides by the new ones.
func (q *runQueue) submit(ctx context.Context, r *store.RunRecord, at *runs.Progress, notes ...store.Note) error {
	r.Cursor = at.Encode()
	q.s.sum.State = r.State
	if err := q.s.changed(ifDecided(q.runs.SubmitRun(ctx, &q.s.lease, r, notes...))); err != nil {
		return err
	}
	q.known.noteStored(r)
	return nil
}

// hold makes a run wait for an admin.
func (q *runQueue) hold(r *store.RunRecord) {
	r.State, r.Waiting = directory.RunHeld, nil
	q.s.noteRun(r)
}

// fail gives a run up; its bindings stay marked, and the connection goes on
// with the next run.
func (q *runQueue) fail(ctx context.Context, r *store.RunRecord, cause *directory.Problem) error {
	at, err := runs.ProgressOf(r)
	if err != nil {
		return err
	}
	r.State, r.EndedAt, r.Waiting = directory.RunFailed, q.s.now().UTC(), nil
	r.Error = cause
	if r.Error == nil {
		r.Error = &directory.Problem{Code: directory.CodeNoProgress, Message: fmt.Sprintf("%d slices in a row ended without progress and without an error that could be recorded.", maxAttempts),
			Next: "Look at the function's log; the connection goes on with its next run."}
	}
	q.s.noteRun(r)
	if err := q.save(ctx, r, at); err != nil {
		return err
	}
	return &errPause{after: restAfterFailure, why: "a run failed"}
}

// finish closes a run. A run that found nothing to write leaves no more than
// its record.
func (q *runQueue) finish(ctx context.Context, r *store.RunRecord, at *runs.Progress) error {
	q.end(r)
	q.noteEnd(r)
	return q.save(ctx, r, at)
}

// end has a run end well.
func (q *runQueue) end(r *store.RunRecord) {
	r.State, r.EndedAt, r.Waiting = directory.RunDone, q.s.now().UTC(), nil
}

// noteEnd remembers that a run has ended well.
func (q *runQueue) noteEnd(r *store.RunRecord) {
	q.known.noteEnded(r.ID)
	q.s.sum.State = r.State
	q.s.noteRun(r)
	if ofMarks(r) {
		q.s.noteAllPlanned()
	}
}

// supersede ends a held run whose users are planned anew; false: an admin has decided
// about it meanwhile, and it is left to what they said.
func (q *runQueue) supersede(ctx context.Context, held *store.RunRecord) (ended bool, err error) {
	end := *held
	end.State, end.EndedAt = directory.RunSuperseded, q.s.now().UTC()
	err = q.saved(ctx, &end)
	if errors.Is(err, errDecided) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	*held = end
	return true, nil
}

// supersedeCovered ends held runs whose place a newer plan takes.
func (q *runQueue) supersedeCovered(ctx context.Context, r *store.RunRecord) error {
	open, err := q.list(ctx)
	if err != nil {
		return err
	}
	for i := range open {
		if h := &open[i]; h.ID != r.ID && h.State == directory.RunHeld && covers(r, h) {
			if _, err := q.supersede(ctx, h); err != nil {
				return err
			}
		}
	}
	return nil
}

// covers reports whether a plan is about everybody whom an older one is about.
func covers(r, older *store.RunRecord) bool {
	named := !r.Chosen() || older.Chosen() && !slices.ContainsFunc(older.Refs(0, len(older.UserIDs)+len(older.Objects)), func(ref directory.Ref) bool { return !r.Names(ref) })
	switch {
	case r.Kind == directory.KindUndo || older.Kind == directory.KindUndo:
		return named && r.UndoOf == older.UndoOf && slices.Equal(r.Properties, older.Properties)
	case ofMarks(r):
		return r.Full || ofMarks(older)
	}
	return named
}

// ofMarks reports whether a run plans for everybody who is marked.
func ofMarks(r *store.RunRecord) bool {
	return !r.Chosen() && r.Kind == directory.KindSync && !r.DryRun
}

// makeFromMarks makes a run when bindings are marked, unless all of them are
// part of a plan that is held. made says that the list of runs is to be looked at anew.
func (q *runQueue) makeFromMarks(ctx context.Context, trigger directory.Trigger) (made bool, err error) {
	open, err := q.list(ctx)
	if err != nil {
		return false, err
	}
	if q.noteSerial(open); q.serial.any() {
		return q.makeBeside(ctx, open, trigger)
	}
	limit := planPage
	if slices.ContainsFunc(open, heldOfMarks) {
		limit = 1 // most of them may be that run's
	}
	began := q.s.now() // what is marked after that is newer than the run
	marks, next, err := q.marks.ListMarks(ctx, q.s.conn.ID, q.s.lease.Epoch, "", limit)
	if err != nil || len(marks) == 0 {
		return false, err
	}
	switch newer, err := q.supersedeOlder(ctx, open); {
	case errors.Is(err, errDecided):
		return true, nil // what was decided goes first
	case err != nil || !newer:
		return false, err
	}
	if limit == 1 {
		q.draftOf(trigger, q.s.now(), handed{})
	} else {
		q.draftOf(trigger, began, handed{refs: refsOf(marks), next: next})
	}
	return true, nil
}

// supersedeOlder ends held runs of all who were marked, when others are marked by now;
// false: what is marked is theirs. errDecided: one of them is held no more.
func (q *runQueue) supersedeOlder(ctx context.Context, open []store.RunRecord) (newer bool, err error) {
	for i := range open {
		held := &open[i]
		if !heldOfMarks(*held) {
			continue
		}
		newer, err := q.markedSince(ctx, held)
		if err != nil || !newer {
			return false, err
		}
		ended, err := q.supersede(ctx, held)
		if err == nil && !ended {
			err = errDecided
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// heldOfMarks reports whether a run of all who were marked is held.
func heldOfMarks(r store.RunRecord) bool { return r.State == directory.RunHeld && ofMarks(&r) }

// draftOf drafts a run of marks that were listed from a moment on.
func (q *runQueue) draftOf(trigger directory.Trigger, began time.Time, marks handed) {
	r := runs.NewRecord(q.s.conn.ID, q.s.lease.Epoch, began)
	r.Trigger = trigger
	marks.run = r.ID
	q.handed = marks
	q.draft(&r)
}

// takeHanded returns what a run was made of, once.
func (q *runQueue) takeHanded(id directory.RunID) (refs []directory.Ref, next string) {
	if q.handed.run == id {
		refs, q.handed.refs = q.handed.refs, nil
	}
	return refs, q.handed.next
}

// alone reports whether a run is of a named user.
func (q *runQueue) alone(id directory.RunID) bool { return q.handed.run == id && q.handed.alone }

// A mark has the time of the clock of whoever made it, and is found a little after
// it was made. So one that a plan has not seen may be older than the plan by lateMark,
// and such a one is looked for as long as lateFor after the plan began.
const (
	lateMark = 10 * time.Second
	lateFor  = 10 * time.Minute
)

// markedSince reports whether bindings were marked since a held run was planned. Of
// one that was stopped between two waves those marks do not count that it has
// left itself, on accounts that it wrote to or that Microsoft refused: a new plan
// would go on with what was stopped, a wave at a time.
func (q *runQueue) markedSince(ctx context.Context, held *store.RunRecord) (newer bool, err error) {
	waves := held.Held != nil && held.Held.Wave != nil
	plan := plannedRun{queue: q, run: held}
	for marks, err := range q.marks.MarkedSince(ctx, q.s.conn.ID, q.s.lease.Epoch, plan.since()) {
		if err != nil {
			return false, err
		}
		var after, late []directory.Ref
		for _, m := range marks {
			if m.At.After(held.StartedAt) {
				after = append(after, m.Ref)
			} else {
				late = append(late, m.Ref)
			}
		}
		if !waves && len(after) > 0 {
			return true, nil
		}
		bound, err := q.bindings.BindingsOf(ctx, q.s.conn.ID, after)
		if err != nil {
			return false, err
		}
		for _, b := range bound {
			if b.RunID != held.ID || b.Applied < b.Wanted || b.Release != "" {
				return true, nil
			}
		}
		unseen, err := plan.unseen(ctx, late)
		if err != nil || len(unseen) > 0 {
			return len(unseen) > 0, err
		}
	}
	return false, nil
}

// plannedRun is the plan of a held run, to be compared with marks that it may not
// have seen.
type plannedRun struct {
	queue *runQueue
	run   *store.RunRecord
	wants map[directory.Ref]wish // what its open changes are to bring about; nil: not read yet
}

// wish is what a binding asks for.
type wish struct {
	version int64
	release directory.ReleasePolicy
}

// since is the time of the oldest mark that the plan may not have seen.
func (p *plannedRun) since() time.Time {
	if p.queue.s.now().Sub(p.run.StartedAt) < lateFor {
		return p.run.StartedAt.Add(-lateMark)
	}
	return p.run.StartedAt
}

// unseen are those marked objects that ask for something else than what is planned
// for them, or for anything when nothing is.
func (p *plannedRun) unseen(ctx context.Context, marked []directory.Ref) ([]directory.Ref, error) {
	if len(marked) == 0 {
		return nil, nil
	}
	if err := p.read(ctx); err != nil {
		return nil, err
	}
	bound, err := p.queue.bindings.BindingsOf(ctx, p.queue.s.conn.ID, marked)
	if err != nil {
		return nil, err
	}
	var unseen []directory.Ref
	for _, ref := range marked {
		b, there := bound[ref]
		done := b.RunID == p.run.ID && b.Applied >= b.Wanted && b.Release == ""
		want, planned := p.wants[ref]
		if there && !done && (!planned || want != wish{b.Wanted, b.Release}) {
			unseen = append(unseen, ref)
		}
	}
	return unseen, nil
}

func (p *plannedRun) read(ctx context.Context) error {
	if p.wants != nil {
		return nil
	}
	wants := map[directory.Ref]wish{}
	for n := range p.run.Chunks {
		changes, _, err := p.queue.chunks.Chunk(ctx, p.run.ID, n)
		if err != nil {
			return err
		}
		for i := range changes {
			if c := &changes[i]; open(c) {
				wants[c.Ref()] = wish{c.UserVersion, c.Release}
			}
		}
	}
	p.wants = wants
	return nil
}

// mergeHeld makes one run of all runs for leavers that are, or are about to be,
// held: a bulk edit that trickles in is one decision for an admin, not many. What
// an admin has decided about already, and waits for the roles, stays by itself.
func (q *runQueue) mergeHeld(ctx context.Context, r *store.RunRecord) (merged bool, err error) {
	open, err := q.list(ctx)
	if err != nil {
		return false, err
	}
	all := slices.Clone(r.UserIDs)
	var others []*store.RunRecord
	for i := range open {
		h := &open[i]
		if h.ID != r.ID && h.Urgent && h.State == directory.RunHeld && h.ApprovedBy == "" && len(all)+len(h.UserIDs) <= runs.MaxRunUsers {
			all, others = append(all, h.UserIDs...), append(others, h)
		}
	}
	if len(others) == 0 {
		return false, nil
	}
	run := runs.NewRecord(q.s.conn.ID, q.s.lease.Epoch, q.s.now())
	run.Trigger, run.Urgent = directory.TriggerEdit, true
	slices.Sort(all)
	run.UserIDs = slices.Compact(all)
	if err := q.saved(ctx, &run); err != nil {
		return false, err
	}
	for _, h := range append(others, r) {
		if _, err := q.supersede(ctx, h); err != nil { // decided about: its changes go or not before the others are planned
			return false, err
		}
	}
	return true, nil
}

// exempt reports whether a held run may have changes that go all the same. Of
// an undo nothing does: its blocks are of accounts that a run made, and it waits
// for nobody who has left.
func exempt(r *store.RunRecord) bool {
	if r.Kind == directory.KindUndo {
		return false
	}
	for e, n := range r.Counts {
		if n > 0 && plan.Exempt(r.Held, &directory.Change{Effect: e}) {
			return true
		}
	}
	return false
}

// heldUnread reports whether a run is held since it is not known who is
// protected, perhaps besides other reasons.
func heldUnread(h *directory.Held) bool {
	return h != nil && h.Wave == nil &&
		slices.ContainsFunc(h.Facts, func(f directory.HeldFact) bool { return f.Code == directory.HeldRolesUnreadable })
}

// left returns where a run stands by now and how many of its changes are still to
// be sent.
func (q *runQueue) left(ctx context.Context, id directory.RunID) (state directory.RunState, left int, err error) {
	r, err := q.runs.Run(ctx, id)
	if err != nil {
		return "", 0, err
	}
	return r.State, runs.Unsent(&r), nil
}
