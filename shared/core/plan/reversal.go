package plan

import "bindery/shared/directory"

// irreversible says what an undo cannot take back of a change, by its effect.
var irreversible = map[directory.Effect]string{
	directory.EffectCreate:  "The account stays: an undo blocks it and lets it go, and never deletes it.",
	directory.EffectDelete:  "Microsoft keeps a deleted account for 30 days; after that it cannot be restored.",
	directory.EffectRestore: "The account stays: an undo blocks it, and never deletes it.",
	directory.EffectRevoke:  "Ended sessions stay ended: people sign in again.",
}

// written makes one property of a change that writes it, marked if the value
// before cannot be set back.
func written(name string, before, after directory.Value) directory.PropertyChange {
	pc := directory.PropertyChange{Name: name, Before: before, After: after}
	switch {
	case name == directory.PropUserPrincipalName:
		pc.Irreversible = "The name can be set back, but the new one may stay with the account as a proxy address."
	case before.IsNull() && !directory.Clearable(name):
		pc.Irreversible = "Microsoft does not let " + name + " be emptied again."
	}
	return pc
}
