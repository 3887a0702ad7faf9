package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"bindery/shared/directory"
	"bindery/shared/mapping"
)

// match decides about a user whose binding has no account yet.
func match(c Config, s Subject, w wanted) Decision {
	switch {
	case s.User.Deleted != nil:
		return Decision{Status: directory.BindingPending} // there is no account, and none is wanted
	case !s.User.Enabled() && s.ByUPN == nil:
		return Decision{Status: directory.BindingPending, Findings: []directory.Problem{*problem("not-created",
			fmt.Sprintf("The user is %s and has no account; one is created once the user is active.", s.User.State), "", "")}}
	case len(w.problems) > 0 && (s.User.Enabled() || s.ByUPN == nil):
		return refused(s, w.problems)
	case s.ByUPN != nil:
		status, p := adoptable(c, s)
		if p != nil {
			return Decision{Status: status, Problem: p, Base: s.Binding.Base}
		}
		d := diff(c, s, s.ByUPN, w)
		d.Findings = append(d.Findings, w.problems...)
		return d
	case slices.ContainsFunc(s.ByAddress, func(a directory.Account) bool { return a.External() }):
		return externalPerson(s)
	case len(s.ByAddress) > 0:
		return addressInUse(s, w)
	}
	return create(s, w)
}

func addressInUse(s Subject, w wanted) Decision {
	a := slices.MinFunc(s.ByAddress, func(a, b directory.Account) int { return cmp.Compare(a.ID, b.ID) })
	return Decision{Status: directory.BindingConflict, Problem: problem("address-in-use",
		fmt.Sprintf("Another account, %s, has the address %s as mail or proxy address.", a.UserPrincipalName(), w.values[directory.PropUserPrincipalName]),
		"Remove the address there, or change the user's address, or give that account this userPrincipalName to have it adopted.", string(a.ID))}
}

// externalPerson is about a user who is in the tenant already as somebody from
// outside: an account beside that one would make two of one person.
func externalPerson(s Subject) Decision {
	i := slices.IndexFunc(s.ByAddress, func(a directory.Account) bool { return a.External() })
	a := s.ByAddress[i]
	return Decision{Status: directory.BindingConflict, Problem: problem("external-member",
		fmt.Sprintf("The tenant knows this person as an external account, %s, whose home is another tenant or provider; no second account is made.", a.UserPrincipalName()),
		"Release the user here and bind it through the connection of its own tenant, or have the external account converted to an internal one, or removed.", string(a.ID))}
}

// create makes the account with everything that the directory knows.
func create(s Subject, w wanted) Decision {
	address := w.values[directory.PropUserPrincipalName].String()
	change := newChange(s.User, "", address, directory.EffectCreate, "created because no account has the address "+address)
	for _, name := range w.values.Names() {
		if !w.values[name].IsNull() {
			change.Properties = append(change.Properties, directory.PropertyChange{Name: name, After: w.values[name]})
		}
	}
	return Decision{Changes: []directory.Change{change}, Status: directory.BindingPending}
}

// adoptable says why the account with the user's address cannot be adopted.
func adoptable(c Config, s Subject) (directory.BindingStatus, *directory.Problem) {
	a := s.ByUPN
	if owner, taken := s.TakenBy[a.ID]; taken && owner != s.User.ID {
		return directory.BindingConflict, problem("account-bound", "The account with this address is bound to another user.",
			"Release one of the two users.", string(owner))
	}
	if status, p := untouchable(c, a); p != nil {
		return status, p
	}
	if status, p := unfit(s, a); p != nil {
		return status, p
	}
	employee, other := a.Properties[directory.PropEmployeeID], directory.StringValue(mapping.Text(s.User.EmployeeID))
	if employee.IsNull() || other.IsNull() || strings.EqualFold(employee.String(), other.String()) ||
		mapping.Same(directory.PropEmployeeID, employee, other) {
		return "", nil
	}
	return directory.BindingConflict, problem("adopt-other-employee",
		fmt.Sprintf("The account with this address has the employeeId %s, the user has %s: it may be another person.", quoted(employee), quoted(other)),
		"Correct the one that is wrong.", string(a.ID))
}

// unfit says why an account cannot become ours, whoever chose it.
func unfit(s Subject, a *directory.Account) (directory.BindingStatus, *directory.Problem) {
	switch {
	case a.Guest():
		return directory.BindingConflict, problem("adopt-guest", "The account is a guest of the tenant.",
			"Convert it to a member, or change the user's address.", string(a.ID))
	case a.External():
		return directory.BindingConflict, problem("adopt-external", "The account is that of an external member: its person signs in at another tenant or provider.",
			"Bind the user through the connection of its own tenant, or have the account converted to an internal one.", string(a.ID))
	case !a.Enabled() && s.User.Enabled() && !s.Binding.Blocked:
		return directory.BindingConflict, problem("adopt-disabled", "The account is disabled at Microsoft.",
			"Find out why it was disabled; enable it there to have it adopted.", string(a.ID))
	}
	return "", nil
}
