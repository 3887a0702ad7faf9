package reconcile

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// consequence is what one result of a batch means for its user's binding.
type consequence struct {
	b   *batch
	c   *directory.Change
	r   store.Result
	row store.Subject
	now time.Time

	applied bool // Microsoft has made the change, or it needed none
	undo    bool // it is of a run that takes another one back
	gained  bool // the binding has got its account by it
	last    bool // no change of the user is left to send in the chunk
	failure *directory.Problem
	// moved and partly say that another change of the user was outdated, or declined.
	moved, partly bool
	declined      []directory.Effect
	claim         directory.AccountID
	findings      []directory.Problem
	// status and later are what a failure makes of the binding.
	status directory.BindingStatus
	later  time.Duration
	// agreed is what success makes of it.
	agreed agreement
	// alias is the mailNickname of a new account that has another one than wanted.
	alias      directory.KeptValue
	otherAlias bool
	// password is the record of that of a new account; forget says that none was
	// made with it.
	password *directory.InitialPassword
	forget   bool
}

// agreement is what counts as agreed with an account once all was written that was
// planned: what the directory wants but for what has a problem, and which of
// Microsoft's refusals stand.
type agreement struct {
	desired  directory.Properties
	problems []directory.Problem
	refused  map[string]directory.RefusedValue
}

func (b *batch) consequenceOf(i int) *consequence {
	c, r := &b.k.changes[i], b.results[i]
	q := &consequence{b: b, c: c, r: r, row: b.rows[c.UserID], now: b.s.now().UTC()}
	q.applied = r.State == directory.ChangeApplied
	q.undo = b.k.t.run.Kind == directory.KindUndo
	q.gained = q.applied && (c.Effect == directory.EffectAdopt || c.Effect == directory.EffectCreate)
	if q.gained {
		q.claim = cmp.Or(r.AccountID, c.AccountID)
	}
	q.last, q.failure = b.lastOf(i)
	q.moved, q.partly = b.movedOrDeclined(i)
	if q.partly {
		q.declined = b.declinedEffects(i)
	}
	q.findings = b.findingsOf(c.UserID)
	q.alias, q.otherAlias = b.otherNickname(c, q.row)
	if c.Effect == directory.EffectCreate {
		if q.gained {
			q.password = b.usedPassword(i, q.claim)
		}
		q.forget = r.State == directory.ChangeFailed && b.refusedPassword(i)
	}
	if q.last && q.failure != nil && !q.undo {
		q.status, q.later = q.afterFailure()
	}
	if q.last && q.failure == nil && q.asPlanned() {
		q.agreed = q.afterSuccess()
		if q.row.User.Deleted == nil && q.later == 0 {
			q.later = nextRetry(leftOut(q.agreed.problems, q.agreed.refused), q.now)
		}
	}
	return q
}

// released reports whether the binding is being let go.
func (q *consequence) released() bool { return q.row.Binding != nil && q.row.Binding.Release != "" }

// asPlanned reports whether the user is as the change was planned from, and stays
// bound.
func (q *consequence) asPlanned() bool {
	return q.row.Binding != nil && q.row.User != nil && q.row.User.Version == q.c.UserVersion && !q.released()
}

func (q *consequence) afterFailure() (directory.BindingStatus, time.Duration) {
	if q.b.anySpared(q.c.UserID) {
		return directory.BindingRefused, atOnce
	}
	attempts := 1
	if q.row.Binding != nil {
		attempts = attemptsOf(q.row.Binding) + 1
	}
	return aftermath(q.failure, attempts)
}

func (q *consequence) afterSuccess() agreement {
	after := *q.row.Binding
	after.Refused = maps.Clone(after.Refused)
	written := q.c.After()
	maps.DeleteFunc(after.Refused, func(name string, _ directory.RefusedValue) bool {
		_, wrote := written[name]
		// What the plan does not tell of is over: the account has the value.
		return wrote && q.applied && q.c.Effect != directory.EffectAdopt || !tellsOf(q.findings, name)
	})
	desired, problems := plan.Desired(q.b.a.cfg, q.row.User, &after)
	return agreement{desired, problems, after.Refused}
}

func (q *consequence) bindingChange() store.BindingChange {
	well := q.last && q.failure == nil
	bc := store.BindingChange{Ref: directory.AccountOf(q.c.UserID), Claim: q.claim, Later: q.later, Mutate: q.change}
	bc.Remove = well && q.released()
	if q.undo {
		bc.Remove = bc.Remove || q.applied && q.c.Effect == directory.EffectRelease
		q.b.undoChange(&bc, q.c, q.row, q.gained, well)
	}
	return bc
}

// change brings a binding up to date; false leaves it as it is.
func (q *consequence) change(bd *directory.Binding) bool {
	if q.r.State == directory.ChangeOutdated && !q.undo {
		return false
	}
	q.noteWritten(bd)
	bd.RunID, bd.Digest = q.b.k.t.run.ID, 0
	switch {
	case q.undo:
		return q.b.undoDone(bd, q.last, q.failure, q.now)
	case bd.Resting():
		return true // paused while this was sent: it stays so
	case !q.last || q.moved:
		return true // what has moved on is planned anew
	}
	bd.Applied, bd.Recheck = max(bd.Applied, q.c.UserVersion), false
	if q.failure != nil {
		bd.Status, bd.Problem = q.status, keepSince(bd.Problem, q.failure, q.now)
		return true
	}
	q.succeed(bd)
	return true
}

// noteWritten notes on a binding what was written, or refused.
func (q *consequence) noteWritten(bd *directory.Binding) {
	if q.applied {
		if before, kept := q.b.befores[q.c.AccountID]; kept && q.c.Effect == directory.EffectAdopt && bd.Before == nil {
			bd.Before, bd.Created = maps.Clone(before.Before), before.Created
		}
		noteWrite(bd, q.c, q.now)
		applied(bd, q.c, q.claim)
		if q.gained {
			bd.Password, bd.TemporaryPassword = q.password, q.password != nil
		}
		if q.otherAlias {
			plan.Keep(bd, map[string]directory.KeptValue{directory.PropMailNickname: q.alias})
		}
	}
	if q.r.State == directory.ChangeFailed && spares(q.c, q.r.Error) {
		q.b.noteRefusal(bd, q.c, q.r.Error, q.now)
	}
	if q.forget && bd.Password != nil && !bd.Password.Doubt {
		bd.Password = nil
	}
}

// succeed is what it means for a binding that nothing is left to send and nothing
// has failed.
func (q *consequence) succeed(bd *directory.Binding) {
	maps.DeleteFunc(bd.Refused, func(name string, _ directory.RefusedValue) bool {
		_, stands := q.agreed.refused[name]
		return !stands
	})
	bd.Status, bd.Problem, bd.Findings = directory.BindingInSync, nil, q.findings
	if problems := q.agreed.problems; len(problems) > 0 {
		bd.Status, bd.Problem = directory.BindingRefused, keepSince(nil, &problems[0], q.now)
		bd.Findings = slices.DeleteFunc(slices.Clone(q.findings), func(f directory.Problem) bool {
			return f.Code == problems[0].Code && f.Property == problems[0].Property // the binding's problem
		})
	} else if !q.partly {
		bd.Agree(q.c.UserVersion)
	}
	if q.partly {
		bd.Findings = append(bd.Findings, plan.Declined(q.declined))
		return // what was declined is not agreed
	}
	agree(bd, plan.WithoutCreationOnly(q.b.a.cfg, q.row.User, q.agreed.desired), q.b.s.conn.Settings)
	if bd.Status == directory.BindingInSync && plan.OnlyKept(q.findings) {
		bd.Digest = q.b.a.digester.Of(asRead(bd))
	}
}
