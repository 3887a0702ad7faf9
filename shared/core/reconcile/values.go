package reconcile

import (
	"slices"
	"time"

	"bindery/shared/core/mapping"
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
	if c.Effect.Row().Remembers {
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

// atOnce is after how long a binding is looked at again that can be written to
// without what was refused: a store.BindingChange with Later 0 would not mark it.
const atOnce = time.Nanosecond

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
