package plan

import (
	"fmt"

	"bindery/shared/directory"
	"bindery/shared/mapping"
)

// Release says what is to be written when a binding ends: nothing (keep), a
// block, or the values from before the binding (restore; an account that we
// created is blocked instead). Without changes the binding can go at once.
func Release(c Config, s Subject, policy directory.ReleasePolicy) Decision {
	if policy == directory.ReleaseKeep || s.Account == nil {
		return Decision{Status: directory.BindingInSync, Base: s.Binding.Base}
	}
	if status, p := untouchable(c, s.Account); p != nil {
		return Decision{Status: status, Problem: p, Base: s.Binding.Base}
	}
	d := &differ{Config: c, Subject: s, account: s.Account}
	out := Decision{Status: directory.BindingInSync, Base: s.Binding.Base}
	if policy == directory.ReleaseBlock || s.Binding.Created {
		if s.Account.Enabled() {
			block := d.change(directory.EffectBlock, "blocked because the user was released")
			block.Properties = []directory.PropertyChange{{
				Name: directory.PropAccountEnabled, Before: directory.BoolValue(true), After: directory.BoolValue(false)}}
			out.Changes = []directory.Change{block, d.change(directory.EffectRevoke, "its sessions end because the account is blocked")}
		}
	} else {
		for _, name := range s.Binding.Before.Names() {
			d.restore(name, s.Binding.Before[name])
		}
		out.Changes = append(d.updates(), d.after...)
	}
	if len(out.Changes) > 0 {
		out.Status = directory.BindingPending
	}
	return out
}

// restore gives one property its value from before the binding, unless
// somebody else has changed it since, or Microsoft does not let it be emptied.
func (d *differ) restore(name string, was directory.Value) {
	observed := d.account.Properties[name]
	base, written := d.Binding.Base[name]
	switch {
	case mapping.Same(name, was, observed):
	case name == directory.PropAccountEnabled:
		if on, _ := was.Bool(); on && d.Binding.Blocked {
			unblock := d.change(directory.EffectUnblock, "unblocked because the user was released with its values from before")
			unblock.Properties = []directory.PropertyChange{{Name: name, Before: observed, After: was}}
			d.after = append(d.after, unblock)
		}
	case was.IsNull() && !mapping.Clearable(name):
	case written && !mapping.Same(name, base, observed):
	default:
		d.add(directory.PropertyChange{Name: name, Before: observed, After: was},
			fmt.Sprintf("%s: %s → %s, as before the binding", name, quoted(observed), quoted(was)))
	}
}

// Inverse returns the change that takes an applied change back, and whether
// there is one.
func Inverse(c directory.Change) (directory.Change, bool) {
	inv := c
	inv.ID, inv.State, inv.Error, inv.RequestID = "", "", nil, ""
	inv.Properties = make([]directory.PropertyChange, len(c.Properties))
	for i, p := range c.Properties {
		inv.Properties[i] = directory.PropertyChange{Name: p.Name, Before: p.After, After: p.Before}
	}
	switch c.Effect {
	case directory.EffectUpdate, directory.EffectRename:
	case directory.EffectBlock:
		inv.Effect = directory.EffectUnblock
	case directory.EffectUnblock:
		inv.Effect = directory.EffectBlock
	case directory.EffectCreate:
		// A created account is blocked, never deleted.
		inv.Effect = directory.EffectBlock
		inv.Properties = []directory.PropertyChange{{
			Name: directory.PropAccountEnabled, Before: directory.BoolValue(true), After: directory.BoolValue(false)}}
	case directory.EffectDelete:
		inv.Effect, inv.Properties = directory.EffectRestore, []directory.PropertyChange{}
	default:
		return directory.Change{}, false
	}
	inv.Reason = "takes back: " + c.Reason
	return inv, true
}
