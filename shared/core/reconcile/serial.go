package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// The tenant takes some changes one at a time (EffectRow.Serial), each of which may
// take a second. A run that has nothing else left holds nobody back: leavers, other
// runs and new marks go between any two of its changes. What it has still to send
// stays marked meanwhile, so that newer runs pass that over, as long as nothing else
// is wanted of it.

// serialRuns are the open runs that go one change at a time, as they were last listed.
type serialRuns struct {
	plans  []*plannedRun
	since  time.Time // of the oldest mark that they may not have seen
	marks  bool      // all of them are of marks
	looked time.Time // when other work was last looked for
}

// any reports whether there is one.
func (s *serialRuns) any() bool { return len(s.plans) > 0 }

// isSerial reports whether a run goes one change at a time.
func isSerial(r *store.RunRecord) bool {
	if len(r.Kinds) == 0 || r.State != directory.RunApplying && r.State != directory.RunWaiting {
		return false // no change of accounts does
	}
	at, err := runs.ProgressOf(r)
	return err == nil && at.Serial && at.StateBehind(r.State) == directory.RunApplying
}

// noteSerial notes which of the open runs go one change at a time. What was read of
// their plans is kept.
func (q *runQueue) noteSerial(open []store.RunRecord) {
	before := q.serial.plans
	q.serial.plans, q.serial.since, q.serial.marks = nil, time.Time{}, true
	for i := range open {
		r := &open[i]
		if !isSerial(r) {
			continue
		}
		p := &plannedRun{queue: q, run: r}
		if at := slices.IndexFunc(before, func(b *plannedRun) bool { return b.run.ID == r.ID }); at >= 0 {
			p.wants = before[at].wants
		}
		q.serial.plans = append(q.serial.plans, p)
		if since := p.since(); q.serial.since.IsZero() || since.Before(q.serial.since) {
			q.serial.since = since
		}
		q.serial.marks = q.serial.marks && ofMarks(r)
	}
}

// otherThan reports, now and then, whether anything is to be done besides a run that
// goes one change at a time.
func (q *runQueue) otherThan(ctx context.Context, id directory.RunID) (bool, error) {
	now := q.s.now()
	if now.Sub(q.serial.looked) < listEvery {
		return false, nil
	}
	q.serial.looked = now
	open, err := q.list(ctx)
	if err != nil {
		return false, err
	}
	for i := range open {
		r := &open[i]
		waits := r.State == directory.RunWaiting && r.Waiting != nil && r.Waiting.Until.After(now)
		if r.ID != id && r.State != directory.RunHeld && !waits && !isSerial(r) {
			return true, nil
		}
	}
	if q.due != nil {
		if due, err := q.due(ctx); err != nil || due {
			return due, err
		}
	}
	return q.newerMarks(ctx)
}

// newerMarks reports whether objects are marked of which no run that goes one change at
// a time brings about what is wanted.
func (q *runQueue) newerMarks(ctx context.Context) (bool, error) {
	open, err := q.list(ctx)
	if err != nil {
		return false, err
	}
	if q.noteSerial(open); !q.serial.any() {
		return false, nil
	}
	refs, _, err := q.newer(ctx, 1)
	if err != nil || len(refs) == 0 {
		return false, err
	}
	for i := range open {
		if heldOfMarks(open[i]) {
			return q.markedSince(ctx, &open[i])
		}
	}
	return true, nil
}

// newer lists up to so many such objects; all says that these are all there are.
func (q *runQueue) newer(ctx context.Context, most int) (refs []directory.Ref, all bool, err error) {
	for marks, err := range q.marks.MarkedSince(ctx, q.s.conn.ID, q.s.lease.Epoch, q.serial.since) {
		if err != nil {
			return nil, false, err
		}
		some, err := q.withoutSerial(ctx, refsOf(marks))
		if err != nil {
			return nil, false, err
		}
		refs = append(refs, some...)
		if len(refs) > most {
			return refs[:most], false, nil
		}
	}
	return refs, true, nil
}

// withoutSerial leaves out the objects of which a run that goes one change at a time
// has still to send what is wanted.
func (q *runQueue) withoutSerial(ctx context.Context, refs []directory.Ref) ([]directory.Ref, error) {
	for _, p := range q.serial.plans {
		if err := p.read(ctx); err != nil {
			return nil, err
		}
		var planned []directory.Ref
		for _, ref := range refs {
			if _, in := p.wants[ref]; in {
				planned = append(planned, ref)
			}
		}
		if len(planned) == 0 {
			continue
		}
		bound, err := q.bindings.BindingsOf(ctx, q.s.conn.ID, planned)
		if err != nil {
			return nil, err
		}
		refs = slices.DeleteFunc(slices.Clone(refs), func(ref directory.Ref) bool {
			b, there := bound[ref]
			done := b.RunID == p.run.ID && b.Applied >= b.Wanted
			want, in := p.wants[ref]
			return in && there && !done && want == wish{b.Wanted, b.Release}
		})
	}
	return refs, nil
}

// makeBeside makes a run of what is marked besides what runs that go one change at a
// time have still to send.
func (q *runQueue) makeBeside(ctx context.Context, open []store.RunRecord, trigger directory.Trigger) (made bool, err error) {
	began := q.s.now()
	refs, all, err := q.newer(ctx, planPage)
	if err != nil || len(refs) == 0 {
		return false, err
	}
	held := slices.ContainsFunc(open, heldOfMarks)
	switch newer, err := q.supersedeOlder(ctx, open); {
	case errors.Is(err, errDecided):
		return true, nil // what was decided goes first
	case err != nil || !newer:
		return false, err
	}
	if held || !all || !q.serial.marks {
		q.draftOf(trigger, q.s.now(), handed{}) // what is marked is listed, and these are passed over
		return true, nil
	}
	q.draftOf(trigger, began, handed{refs: refs})
	return true, nil
}
