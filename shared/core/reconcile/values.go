package reconcile

import (
	"maps"
	"slices"
	"time"

	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// What of one account was written, refused and kept stands on its binding
// (directory.Binding.Writes, Refused, Kept), and is noted in the transaction that
// journals the change.

// writesLife is how long a write of ours is remembered: for as long as a read may
// be older, and until the tenant has been looked at since.
const writesLife = 2 * Grace

// noteWrite remembers on a binding what an applied change wrote. It comes before
// the values are taken over.
func noteWrite(b *directory.Binding, c *directory.Change, now time.Time) {
	if c.Effect == directory.EffectAdopt || c.Effect == directory.EffectRelease {
		return
	}
	for _, p := range c.Properties {
		delete(b.Refused, p.Name)
		delete(b.Kept, p.Name)
	}
	one := directory.PropertyWrites{At: now}
	switch c.Effect {
	case directory.EffectCreate, directory.EffectRestore, directory.EffectDelete:
		b.Writes, b.LastWrite = nil, now // without names: all of them
		return
	case directory.EffectRevoke:
		b.LastWrite = now
		return
	}
	if len(b.Writes) == 0 && b.LastWrite.After(now.Add(-writesLife)) {
		b.Writes = append(b.Writes, directory.PropertyWrites{At: b.LastWrite})
	}
	b.Writes = slices.DeleteFunc(b.Writes, func(w directory.PropertyWrites) bool { return !w.At.After(now.Add(-writesLife)) })
	for _, p := range c.Properties {
		// What was written of it before does not count any more: however often an
		// account is written to, this grows no larger than its properties.
		for i := range b.Writes {
			if w := &b.Writes[i]; w.Names != nil {
				w.Names = slices.DeleteFunc(w.Names, func(name string) bool { return name == p.Name })
				delete(w.Before, p.Name)
				delete(w.Seen, p.Name)
			}
		}
		one.Names = append(one.Names, p.Name)
		if before, kept := b.Before[p.Name]; kept && before.Equal(p.Before) || !kept && p.Before.IsNull() {
			continue
		}
		if one.Before == nil {
			one.Before = directory.Properties{}
		}
		one.Before[p.Name] = p.Before
	}
	b.Writes = slices.DeleteFunc(b.Writes, func(w directory.PropertyWrites) bool { return w.Names != nil && len(w.Names) == 0 })
	b.Writes, b.LastWrite = append(b.Writes, one), now
}

// spares reports whether a failed change failed for one of its properties only:
// the others can go without it. What takes or gives access is never put aside.
func spares(c *directory.Change, p *directory.Problem) bool {
	return p != nil && p.Property != "" && p.Property != directory.PropAccountEnabled &&
		slices.ContainsFunc(c.Properties, func(pc directory.PropertyChange) bool { return pc.Name == p.Property })
}

// noteRefusal remembers the value that Microsoft refused, so that it is not sent
// again. What may mend without an edit is tried again later: another object gives
// up the value, or somebody the mastery of it, or the tenant verifies its domain.
func (b *batch) noteRefusal(bd *directory.Binding, c *directory.Change, p *directory.Problem, now time.Time) {
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
func (b *batch) anySpared(u directory.UserID) bool {
	for j := range b.k.changes {
		c := &b.k.changes[j]
		state, problem := c.State, c.Error
		if r, now := b.results[j]; now {
			state, problem = r.State, r.Error
		}
		if c.UserID == u && state == directory.ChangeFailed && spares(c, problem) {
			return true
		}
	}
	return false
}

// atOnce is after how long a binding is looked at again that can be written to
// without what was refused: a store.BindingChange with Later 0 would not mark it.
const atOnce = time.Nanosecond

// forgetRefusals takes from subjects the refusals that are to be tried again: by
// time, or all of them because an admin asks for these users.
func (p *runPlan) forgetRefusals(list []plan.Subject) {
	asked := len(p.t.run.UserIDs) > 0 && p.t.run.Trigger == directory.TriggerAdmin && p.t.run.Kind == directory.KindSync
	for i := range list {
		b := list[i].Binding
		due := func(_ string, r directory.RefusedValue) bool {
			return asked || !r.RetryAt.IsZero() && !r.RetryAt.After(p.s.now())
		}
		if len(b.Refused) > 0 {
			b.Refused = maps.Clone(b.Refused)
			maps.DeleteFunc(b.Refused, due)
		}
	}
}

// nextRetry is when the first of refused values is to be tried again; 0: never.
func nextRetry(refused map[string]directory.RefusedValue, now time.Time) time.Duration {
	next := time.Duration(0)
	for _, r := range refused {
		if wait := max(time.Second, r.RetryAt.Sub(now)); !r.RetryAt.IsZero() && (next == 0 || wait < next) {
			next = wait
		}
	}
	return next
}

// judge finds out what Microsoft keeps of what we wrote (see plan.Judge) and
// counts it as agreed.
func (p *runPlan) judge(list []plan.Subject) map[directory.UserID]map[string]directory.KeptValue {
	judged := map[directory.UserID]map[string]directory.KeptValue{}
	for i := range list {
		s := &list[i]
		if s.Binding.Resting() {
			continue
		}
		if kept := plan.Judge(s, p.s.now().UTC()); len(kept) > 0 {
			judged[s.User.ID] = kept
			plan.Keep(s.Binding, kept)
			p.s.log.Info("values are kept otherwise than written", "connectionId", p.s.conn.ID, "userId", s.User.ID,
				"accountId", s.Binding.AccountID, "properties", slices.Sorted(maps.Keys(kept)))
		}
	}
	return judged
}

// changedValues are the agreed values that an account does not show, by name. A
// property that is not there has no value if it is one of whole, and else was
// not read.
func changedValues(b *directory.Binding, a *directory.Account, whole []string) directory.Properties {
	var out directory.Properties
	for name, base := range b.Base {
		observed, read := a.Properties[name]
		if !read && !slices.Contains(whole, name) || mapping.Same(name, base, observed) {
			continue
		}
		if out == nil {
			out = directory.Properties{}
		}
		out[name] = observed
	}
	return out
}

// lastWritten is when a property was last written by us, as far as that is noted.
func lastWritten(b *directory.Binding, name string) time.Time {
	if w := b.Written(name); w != nil {
		return w.At
	}
	if len(b.Writes) == 0 {
		return b.LastWrite
	}
	return time.Time{}
}
