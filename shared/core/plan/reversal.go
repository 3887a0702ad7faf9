package plan

import "bindery/shared/directory"

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
