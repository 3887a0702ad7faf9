package plan

import (
	"bindery/shared/directory"
	"bindery/shared/mapping"
)

// Inverse returns the change that takes an applied change back, and whether
// there is one: an adoption, ended sessions and a restored account stay, and
// what Microsoft does not let be emptied keeps its value. A created account is
// blocked, never deleted.
func Inverse(c directory.Change) (directory.Change, bool) {
	inv := directory.Change{
		UserID: c.UserID, AccountID: c.AccountID, UserPrincipalName: c.UserPrincipalName,
		Effect: c.Effect, Properties: []directory.PropertyChange{}, Reason: "takes back: " + c.Reason,
	}
	switch c.Effect {
	case directory.EffectUpdate, directory.EffectRename:
		inv.Properties = swapped(c.Properties)
		if name := c.After()[directory.PropUserPrincipalName]; !name.IsNull() {
			inv.UserPrincipalName = name.String()
		}
		return inv, len(inv.Properties) > 0
	case directory.EffectBlock:
		inv.Effect, inv.Properties = directory.EffectUnblock, swapped(c.Properties)
	case directory.EffectUnblock:
		inv.Effect, inv.Properties = directory.EffectBlock, swapped(c.Properties)
	case directory.EffectCreate:
		inv.Effect = directory.EffectBlock
		inv.Properties = append(inv.Properties, directory.PropertyChange{
			Name: directory.PropAccountEnabled, Before: directory.BoolValue(true), After: directory.BoolValue(false)})
	case directory.EffectDelete:
		inv.Effect = directory.EffectRestore
	default:
		return directory.Change{}, false
	}
	return inv, true
}

// swapped turns before and after around, where that can be written.
func swapped(list []directory.PropertyChange) []directory.PropertyChange {
	out := make([]directory.PropertyChange, 0, len(list))
	for _, p := range list {
		if p.Before.IsNull() && !mapping.Clearable(p.Name) {
			continue
		}
		out = append(out, directory.PropertyChange{Name: p.Name, Before: p.After, After: p.Before})
	}
	return out
}
