package plan

import (
	"cmp"
	"strconv"

	"bindery/shared/core/mapping"
	"bindery/shared/directory"
)

// Release says what is to be written when a binding ends: nothing (keep), a
// block, or the values from before the binding (restore; an account that we
// created is blocked instead). Of somebody who may not sign in, and leaves the last group
// that selected him, the account is blocked in any case. Without changes and without a problem the
// binding can go at once.
func Release(c Config, s Subject, policy directory.ReleasePolicy) Decision {
	out := Decision{Status: directory.BindingInSync, Base: s.Binding.Base}
	if s.Binding.LeftGroup != "" && s.User != nil && !s.User.Enabled() && s.Binding.Status != directory.BindingPaused {
		// Who loses access loses it, whatever becomes of groups meanwhile: that somebody
		// is taken out of one is nobody's decision to let him sign in.
		policy = directory.ReleaseBlock
	}
	switch {
	case policy == directory.ReleaseKeep, s.Binding.AccountID == "", s.Missing:
		return deselected(s, out)
	case s.Binding.Status == directory.BindingPaused:
		out.Status, out.Problem = directory.BindingPaused, problem(directory.CodeBindingPaused, "The binding is paused; nothing is written to its account.",
			"Resume it, or release the user with keep.", string(s.Binding.AccountID))
		return out
	case s.Account == nil:
		out.Status, out.Problem = directory.BindingPending, problem(directory.CodeAccountNotRead, "The account could not be read, so it is not known what to write.",
			"It is read again by the next run.", string(s.Binding.AccountID))
		return out
	}
	if out.Status, out.Problem = locked(c, s.Account); out.Problem != nil {
		return out
	}
	d := newDiffer(c, s, s.Account)
	if policy == directory.ReleaseBlock || s.Binding.Created {
		if on, _ := d.observed(directory.PropAccountEnabled); on.Equal(directory.BoolValue(true)) {
			d.before = d.block(on, "blocked because the user was released")
		}
	} else {
		for _, name := range s.Binding.Before.Names() {
			d.restore(name, s.Binding.Before[name])
		}
	}
	out.Changes = append(append(d.before, d.updates()...), d.after...)
	out.Status = directory.BindingInSync
	if len(out.Changes) > 0 {
		out.Status = directory.BindingPending
	}
	return deselected(s, out)
}

// deselected adds that the binding ends with the last group that selected the user: a
// change of its own, also where nothing is written, so that the guard counts who is let
// go by an edit of a group. It remembers the values from before the binding.
func deselected(s Subject, out Decision) Decision {
	if s.Binding.LeftGroup == "" {
		return out
	}
	b := s.Binding
	ch := newChange(s.User, b.AccountID, b.UserPrincipalName, directory.EffectDeselect, "let go because the user has left the group "+strconv.Quote(cmp.Or(b.LeftGroupName, string(b.LeftGroup)))+", the last one that selected it")
	ch.Created, ch.Scope, ch.ScopeName = b.Created, string(b.LeftGroup), b.LeftGroupName
	for _, name := range b.Before.Names() {
		was := b.Before[name]
		ch.Properties = append(ch.Properties, directory.PropertyChange{Name: name, Before: was, After: was})
	}
	out.Changes = append(out.Changes, ch)
	out.Status = directory.BindingPending
	return out
}

// restore gives one property its value from before the binding, unless we
// never agreed on a value, somebody else has changed it since, or Microsoft
// does not let it be emptied. It returns why the value was left as it is.
func (d *differ) restore(name string, was directory.Value) (left string) {
	if name != directory.PropAccountEnabled {
		base, agreed := d.base[name]
		return d.back(name, was, base, agreed, ", as before the binding")
	}
	observed, _ := d.observed(name)
	on, _ := was.Bool()
	switch {
	case was.Equal(observed) || !on:
	case !d.ourBlock():
		return LeftBlocked
	default:
		d.after = append(d.after, d.switched(directory.EffectUnblock, observed, was, "unblocked because the user was released with the values from before"))
	}
	return ""
}

// back writes a value from before, as long as the account still has the one
// that we wrote. It returns why the value was left as it is.
func (d *differ) back(name string, was, wrote directory.Value, known bool, why string) (left string) {
	observed, _ := d.observed(name)
	if kept, otherwise := d.Binding.Kept[name]; otherwise && mapping.Same(name, wrote, kept.Wanted) {
		wrote = kept.Kept // that is what Microsoft made of ours
	}
	_, refused := refusedBefore(d.Config, d.Binding, name, was)
	switch {
	case mapping.Same(name, was, observed):
		return ""
	case !known || !mapping.Same(name, wrote, observed):
		return LeftChanged
	case was.IsNull() && !directory.Clearable(name):
		return LeftFilled
	case refused:
		return LeftRefused
	}
	d.add(written(name, observed, was), why)
	return ""
}
