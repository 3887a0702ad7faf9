package reconcile

import (
	"maps"
	"slices"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// accountFate is what became of a change of an account, with what follows from it
// for the record.
type accountFate struct {
	*Fate
	b   *accountBatch
	row store.Subject
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

// Consequence is what a result means for a user's binding.
func (b *accountBatch) Consequence(f *Fate) Consequence {
	q := &accountFate{Fate: f, b: b, row: b.rows[f.Change.UserID]}
	out := Consequence{Written: q.noteWritten, Agreed: q.succeed}
	q.alias, q.otherAlias = b.otherNickname(f.Change, q.row)
	if f.Change.Effect == directory.EffectCreate {
		if f.Gained {
			q.password = b.usedPassword(f)
		}
		q.forget = f.Result.State == directory.ChangeFailed && refusedPassword(f)
	}
	undo := f.Run.Kind == directory.KindUndo
	if f.Last && f.Failure != nil && !undo && anySpared(f) {
		out.Status, out.Later = directory.BindingRefused, atOnce
	}
	if f.Well() && q.asPlanned() {
		q.agreed = q.afterSuccess()
		if q.row.User.Deleted == nil {
			out.Later = nextRetry(leftOut(q.agreed.problems, q.agreed.refused), f.Now)
		}
	}
	if undo && q.row.User != nil && !q.row.User.Enabled() {
		out.Later = time.Second // looked at again at once: an access may come back that should not
	}
	return out
}

// agreement is what counts as agreed with an account once all was written that was
// planned: what the directory wants but for what has a problem, and which of
// Microsoft's refusals stand.
type agreement struct {
	desired  directory.Properties
	problems []directory.Problem
	refused  map[string]directory.RefusedValue
}

// asPlanned reports whether the user is as the change was planned from, and stays
// bound.
func (q *accountFate) asPlanned() bool {
	return q.row.Binding != nil && q.row.User != nil && q.row.User.Version == q.Change.UserVersion && q.row.Binding.Release == ""
}

func (q *accountFate) afterSuccess() agreement {
	after := *q.row.Binding
	after.Refused = maps.Clone(after.Refused)
	written := q.Change.After()
	maps.DeleteFunc(after.Refused, func(name string, _ directory.RefusedValue) bool {
		_, wrote := written[name]
		// What the plan does not tell of is over: the account has the value.
		return wrote && q.Applied && q.Change.Effect != directory.EffectAdopt || !tellsOf(q.Findings, name)
	})
	desired, problems := plan.Desired(q.b.a.cfg, q.row.User, &after)
	return agreement{desired, problems, after.Refused}
}

// noteWritten notes on a binding what was written, or refused.
func (q *accountFate) noteWritten(bd *directory.Binding) {
	if q.Applied {
		if before, kept := q.b.befores[q.Change.AccountID]; kept && q.Change.Effect == directory.EffectAdopt && bd.Before == nil {
			bd.Before, bd.Created = maps.Clone(before.Before), before.Created
		}
		noteWrite(bd, q.Change, q.Now)
		applied(bd, q.Change, q.Claim)
		if q.Gained {
			bd.Password, bd.TemporaryPassword = q.password, q.password != nil
		}
		if q.otherAlias {
			plan.Keep(bd, map[string]directory.KeptValue{directory.PropMailNickname: q.alias})
		}
	}
	if q.Result.State == directory.ChangeFailed && spares(q.Change, q.Result.Error) {
		q.b.noteRefusal(bd, q.Change, q.Result.Error, q.Now)
	}
	if q.forget && bd.Password != nil && !bd.Password.Doubt {
		bd.Password = nil
	}
}

// succeed notes what is agreed with the account once all was written.
func (q *accountFate) succeed(bd *directory.Binding) {
	maps.DeleteFunc(bd.Refused, func(name string, _ directory.RefusedValue) bool {
		_, stands := q.agreed.refused[name]
		return !stands
	})
	if problems := q.agreed.problems; len(problems) > 0 {
		bd.Status, bd.Problem = directory.BindingRefused, keepSince(nil, &problems[0], q.Now)
		bd.Findings = slices.DeleteFunc(slices.Clone(q.Findings), func(f directory.Problem) bool {
			return f.Code == problems[0].Code && f.Property == problems[0].Property // the binding's problem
		})
	}
	if len(q.Declined) > 0 {
		return // what was declined is not agreed
	}
	agree(bd, plan.WithoutCreationOnly(q.b.a.cfg, q.row.User, q.agreed.desired), q.b.s.conn.Settings)
	if bd.Status == directory.BindingInSync && plan.OnlyKept(q.Findings) {
		bd.Digest = q.b.a.digester.Of(asRead(bd))
	}
}

// noteRefusal remembers the value that Microsoft refused, so that it is not sent
// again. What may mend without an edit is tried again later: another object gives
// up the value, or somebody the mastery of it, or the tenant verifies its domain.
func (b *accountBatch) noteRefusal(bd *directory.Binding, c *directory.Change, p *directory.Problem, now time.Time) {
	r := directory.RefusedValue{Value: c.After()[p.Property], Rule: plan.RuleOf(b.a.cfg.Settings, p.Property), Problem: *p}
	r.Problem.Since, r.Problem.Attempts = now, 1
	if old, again := bd.Refused[p.Property]; again && old.Problem.Code == p.Code {
		r.Problem.Since, r.Problem.Attempts = old.Problem.Since, old.Problem.Attempts+1
	}
	if p.Kind != directory.ProblemData || speaksOfDomains[p.Code] {
		r.RetryAt = now.Add(backoff(r.Problem.Attempts))
	}
	if bd.Refused == nil {
		bd.Refused = map[string]directory.RefusedValue{}
	}
	bd.Refused[p.Property] = r
}

// anySpared reports whether something of a user failed for a single property: then
// the rest is planned again at once, without that. What else failed is tried once
// more with it, and rests when it fails again.
func anySpared(f *Fate) bool {
	return slices.ContainsFunc(f.Failures, func(one Failure) bool { return spares(one.Change, one.Problem) })
}
