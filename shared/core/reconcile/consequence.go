package reconcile

import (
	"cmp"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// consequence is what one result of a batch means for its object's binding: what
// holds for all kinds, and what the kind adds.
type consequence struct {
	b     *batch
	f     *Fate
	undo  bool // it is of a run that takes another one back
	bound *directory.Binding
	of    Consequence
	// status and later are what a failure makes of the binding.
	status directory.BindingStatus
	later  time.Duration
	waits  bool // for another object, until later
}

func (b *batch) consequenceOf(i int) *consequence {
	f := b.fateOf(i)
	q := &consequence{b: b, f: f, undo: b.undo(), bound: b.f.records[f.Change.Ref()], of: b.f.of.Consequence(f)}
	if f.Last && f.Failure != nil && !q.undo {
		attempts := 1
		if q.bound != nil {
			attempts = attemptsOf(q.bound) + 1
		}
		q.status, q.later = aftermath(f.Failure, attempts)
		if q.of.Status != "" {
			q.status, q.later = q.of.Status, 0
		}
	}
	q.later = cmp.Or(q.of.Later, q.later)
	if d := b.later[i]; d > 0 && f.Result.State == directory.ChangeOutdated && !q.undo {
		q.waits, q.later = true, d
	}
	return q
}

// fateOf is what became of a change and of the others of its object.
func (b *batch) fateOf(i int) *Fate {
	c, r := &b.k.changes[i], b.results[i]
	f := &Fate{Change: c, Result: r, Run: b.k.t.run, Now: b.s.now().UTC()}
	if out, sent := b.outcomes[i]; sent {
		f.Outcome = &out
	}
	f.Applied = r.State == directory.ChangeApplied
	f.Gained = f.Applied && c.Effect.Row().Gains
	if f.Gained {
		f.Claim = cmp.Or(r.AccountID, c.AccountID)
	}
	f.Last = true
	for j := range b.k.changes {
		if e := &b.k.changes[j]; e.Ref() == c.Ref() {
			b.addFate(f, j, e)
		}
	}
	return f
}

// addFate adds what became of another change of the object.
func (b *batch) addFate(f *Fate, j int, e *directory.Change) {
	state, problem := e.State, e.Error
	if r, now := b.results[j]; now {
		state, problem = r.State, r.Error
	} else if open(e) {
		f.Last = false
	}
	switch state {
	case directory.ChangeFailed:
		f.Failures = append(f.Failures, Failure{e, problem})
		f.Failure = cmp.Or(f.Failure, problem)
	case directory.ChangeRefused:
		f.Failure = cmp.Or(f.Failure, problem)
	case directory.ChangeOutdated:
		f.Moved = true
	case directory.ChangeDeclined:
		f.Declined = append(f.Declined, e.Effect)
	}
	if len(e.Findings) > 0 && f.Findings == nil {
		f.Findings = e.Findings
	}
}

// released reports whether the binding is being let go.
func (q *consequence) released() bool { return q.bound != nil && q.bound.Release != "" }

func (q *consequence) bindingChange() store.BindingChange {
	f := q.f
	bc := store.BindingChange{Ref: f.Change.Ref(), Claim: f.Claim, Later: q.later, Deleted: q.of.Deleted, Mutate: q.change}
	bc.Remove = f.Well() && !q.waits && q.released() // what waits is still to be taken away
	if q.undo {
		bc.Remove = bc.Remove || f.Applied && f.Change.Effect.Row().Ends
		q.undoChange(&bc)
	}
	return bc
}

// change brings a binding up to date, and has the slice remember how it is then;
// false leaves it as it is.
func (q *consequence) change(bd *directory.Binding) bool {
	changed := q.bringUpToDate(bd)
	if q.f.Change.Object.IsZero() {
		q.b.s.wrote.note(q.f.Run.ID, bd)
	}
	return changed
}

func (q *consequence) bringUpToDate(bd *directory.Binding) bool {
	f := q.f
	if q.waits {
		return q.wait(bd)
	}
	if f.Result.State == directory.ChangeOutdated && !q.undo {
		return false
	}
	if f.Claim != "" {
		bd.AccountID = f.Claim
	}
	if q.of.Written != nil {
		q.of.Written(bd)
	}
	bd.RunID, bd.Digest = f.Run.ID, 0
	switch {
	case q.undo:
		return q.undoDone(bd)
	case bd.Resting():
		return true // paused while this was sent: it stays so
	case !f.Last || f.Moved:
		return true // what has moved on is planned anew
	}
	bd.Applied, bd.Recheck = max(bd.Applied, f.Change.UserVersion), false
	if f.Failure != nil {
		bd.Status, bd.Problem = q.status, keepSince(bd.Problem, f.Failure, f.Now)
		return true
	}
	q.succeed(bd)
	return true
}

// wait leaves a binding pending, with what it waits for. Its version counts as dealt
// with, so that it rests until its time has come, or until it is marked sooner.
func (q *consequence) wait(bd *directory.Binding) bool {
	f := q.f
	bd.RunID, bd.Digest = f.Run.ID, 0
	bd.Applied = max(bd.Applied, f.Change.UserVersion)
	if !bd.Resting() {
		bd.Status, bd.Problem = directory.BindingPending, keepSince(bd.Problem, f.Result.Error, f.Now)
	}
	return true
}

// succeed is what it means for a binding that nothing is left to send and nothing
// has failed.
func (q *consequence) succeed(bd *directory.Binding) {
	bd.Status, bd.Problem, bd.Findings = directory.BindingInSync, nil, q.f.Findings
	if q.of.Agreed != nil {
		q.of.Agreed(bd)
	}
	switch {
	case len(q.f.Declined) > 0:
		bd.Findings = append(bd.Findings, plan.Declined(q.f.Declined))
	case bd.Status == directory.BindingInSync:
		bd.Agree(q.f.Change.UserVersion)
	}
}
