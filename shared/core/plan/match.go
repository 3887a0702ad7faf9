package plan

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"bindery/shared/core/mapping"
	"bindery/shared/directory"
)

// match decides about a user whose binding has no account yet.
func match(c Config, s Subject, w wanted) Decision {
	matched := s.ByUPN != nil || s.Linked != nil || chosen(c, s) != nil
	switch {
	case s.User.Deleted != nil:
		return Decision{Status: directory.BindingPending} // there is no account, and none is wanted
	case !s.User.Enabled() && !matched:
		return Decision{Status: directory.BindingPending, Findings: []directory.Problem{*problem(directory.CodeNotCreated,
			fmt.Sprintf("The user is %s and has no account; one is created once the user is active.", s.User.State), "", "")}}
	case w.whole && (s.User.Enabled() || !matched):
		return refused(s, w.problems)
	case chosen(c, s) != nil:
		a := chosen(c, s)
		status, p := takable(c, s, a)
		return adoption(c, s, a, w, status, p)
	case s.Linked != nil && s.ByUPN != nil && s.Linked.ID != s.ByUPN.ID && !ofAnother(s, s.ByUPN):
		return twoAccounts(s)
	case s.Linked != nil:
		status, p := takable(c, s, s.Linked)
		return adoption(c, s, s.Linked, w, status, p)
	case s.ByUPN != nil:
		status, p := adoptable(c, s)
		if p == nil {
			status, p = anothers(s, s.ByUPN)
		}
		return adoption(c, s, s.ByUPN, w, status, p)
	case s.LinkedDeleted != nil:
		return linkedDeleted(c, s)
	case slices.ContainsFunc(essential, func(name string) bool { return slices.Contains(w.left, name) }):
		return refused(s, essentialFirst(w.problems))
	case slices.ContainsFunc(s.ByAddress, func(a directory.Account) bool { return a.External() }):
		return externalPerson(s)
	case len(s.ByAddress) > 0:
		return addressInUse(c, s, w)
	}
	return create(c, s, w)
}

// essentialFirst puts what keeps an account from being created before the rest.
func essentialFirst(problems []directory.Problem) []directory.Problem {
	list := slices.Clone(problems)
	sort.SliceStable(list, func(i, j int) bool {
		return slices.Contains(essential, list[i].Property) && !slices.Contains(essential, list[j].Property)
	})
	return list
}

// addressInUse is about an address that others have as mail or proxy address. A
// single such account may be the person's own, under another sign-in name: an
// admin may have it adopted.
func addressInUse(c Config, s Subject, w wanted) Decision {
	a := slices.MinFunc(s.ByAddress, func(a, b directory.Account) int { return cmp.Compare(a.ID, b.ID) })
	p := problem(directory.CodeAddressInUse,
		fmt.Sprintf("Another account, %s, has the address %s as mail or proxy address.", a.UserPrincipalName(), w.values[directory.PropUserPrincipalName]),
		"Remove the address there, or change the user's address, or give that account this userPrincipalName to have it adopted.", string(a.ID))
	if _, unlike := matching(c, s, &a); len(s.ByAddress) == 1 && unlike == nil {
		p.Next = "If the account is this person's, have it adopted. Otherwise remove the address there, or change the user's address."
		p.Steps = []directory.Step{{Text: "Adopt the account, if it is this person's.", Call: directory.CallAdopt, AccountID: a.ID}}
	}
	if owner, made := s.MadeOf[a.ID]; made && owner != s.User.ID {
		p.Message += fmt.Sprintf(" The user %s was imported from that account.", owner)
	}
	return Decision{Status: directory.BindingConflict, Problem: p}
}

// linkedDeleted is about a user whose known account lies in the recycle bin. When
// another one has the address by now, it may have been made in its place.
func linkedDeleted(c Config, s Subject) Decision {
	p := problem(directory.CodeAccountSoftDeleted,
		fmt.Sprintf("The account that the user is known to have, %s, was deleted at Microsoft; it can be restored for 30 days.", s.LinkedDeleted.UserPrincipalName()),
		"Restore it there to have it adopted, or delete it there for good to have a new one created.", string(s.LinkedDeleted.ID))
	if len(s.ByAddress) == 1 {
		a := &s.ByAddress[0]
		if _, unlike := matching(c, s, a); unlike == nil {
			p.Message += fmt.Sprintf(" Another account, %s, has the user's address as mail or proxy address.", a.UserPrincipalName())
			p.Next = "If that one was made in its place, have it adopted. Otherwise restore the deleted one there, or delete it there for good."
			p.Steps = []directory.Step{{Text: "Adopt the account, if it was made in place of the deleted one.", Call: directory.CallAdopt, AccountID: a.ID}}
		}
	}
	return Decision{Status: directory.BindingConflict, Problem: p}
}

// externalPerson is about a user who is in the tenant already as somebody from
// outside: an account beside that one would make two of one person.
func externalPerson(s Subject) Decision {
	i := slices.IndexFunc(s.ByAddress, func(a directory.Account) bool { return a.External() })
	a := s.ByAddress[i]
	return Decision{Status: directory.BindingConflict, Problem: problem(directory.CodeExternalMember,
		fmt.Sprintf("The tenant knows this person as an external account, %s, whose home is another tenant or provider; no second account is made.", a.UserPrincipalName()),
		"Release the user here and bind it through the connection of its own tenant, or have the external account converted to an internal one, or removed.", string(a.ID))}
}

// create makes the account with everything that the directory knows and nobody
// has refused.
func create(c Config, s Subject, w wanted) Decision {
	wish := w.values[directory.PropMailNickname]
	alias, p := nickname(c, s, wish)
	if p != nil {
		return refused(s, append([]directory.Problem{*p}, w.problems...))
	}
	address := w.values[directory.PropUserPrincipalName].String()
	change := newChange(s.User, "", address, directory.EffectCreate, "created because no account has the address "+address)
	out := Decision{Status: directory.BindingPending, Findings: w.problems}
	if !alias.Equal(wish) {
		w.values[directory.PropMailNickname] = alias
		change.Reason += fmt.Sprintf("; with the mailNickname %s, because another object has %s", quoted(alias), quoted(wish))
		out.Findings = append(out.Findings, tellsOfKept(directory.PropMailNickname, directory.KeptValue{Wanted: wish, Kept: alias, Code: directory.CodeSuffixed}, ""))
	}
	for _, name := range w.values.Names() {
		if !w.values[name].IsNull() {
			change.Properties = append(change.Properties, directory.PropertyChange{Name: name, After: w.values[name]})
		}
	}
	out.Changes = []directory.Change{change}
	return out
}

// chosen is the candidate of which an admin has said that it is the user's; nil
// when nobody has, and when it is none any more.
func chosen(c Config, s Subject) *directory.Account {
	id := s.Binding.Adopt
	switch {
	case id == "":
		return nil
	case s.Linked != nil && s.Linked.ID == id:
		return s.Linked
	case s.ByUPN != nil && s.ByUPN.ID == id:
		if _, p := matching(c, s, s.ByUPN); p == nil {
			return s.ByUPN
		}
	case s.ByUPN == nil && len(s.ByAddress) == 1 && s.ByAddress[0].ID == id:
		if _, p := matching(c, s, &s.ByAddress[0]); p == nil {
			return &s.ByAddress[0]
		}
	}
	return nil
}

// adoption adopts an account, unless a problem says why not.
func adoption(c Config, s Subject, a *directory.Account, w wanted, status directory.BindingStatus, p *directory.Problem) Decision {
	if p != nil {
		return Decision{Status: status, Problem: p, Base: s.Binding.Base}
	}
	if met := withoutMet(s.Binding, a); met != s.Binding {
		w = want(c, s.User, met)
	}
	return w.over(s, diff(c, s, a, w))
}

// twoAccounts is about a user who is known to have one account, while another
// one has its address: an admin knows which is the person's.
func twoAccounts(s Subject) Decision {
	p := problem(directory.CodeTwoAccounts, fmt.Sprintf("The user is known to have the account %s, and another one, %s, has the user's address.",
		s.Linked.UserPrincipalName(), s.ByUPN.UserPrincipalName()),
		"Say which account is the user's, or change the address of the user or of the account that is not.", string(s.ByUPN.ID))
	p.Steps = []directory.Step{
		{Text: "Take the account that the user is known to have.", Call: directory.CallAdopt, AccountID: s.Linked.ID},
		{Text: "Take the one with the user's address.", Call: directory.CallAdopt, AccountID: s.ByUPN.ID},
	}
	return Decision{Status: directory.BindingConflict, Problem: p}
}

// ofAnother reports whether another user is bound to an account, or was imported
// from it: then it is not this user's, whatever it is called.
func ofAnother(s Subject, a *directory.Account) bool {
	bound, taken := s.TakenBy[a.ID]
	from, made := s.MadeOf[a.ID]
	return taken && bound != s.User.ID || made && from != s.User.ID
}

// anothers says that an import made another user of an account, who keeps it
// whatever it is called. Only an admin knows better.
func anothers(s Subject, a *directory.Account) (directory.BindingStatus, *directory.Problem) {
	owner, made := s.MadeOf[a.ID]
	if !made || owner == s.User.ID {
		return "", nil
	}
	p := problem(directory.CodeAccountOfAnotherUser, fmt.Sprintf("The account with this address, %s, is the one that another user was imported from.", a.UserPrincipalName()),
		"Change the user's address, or delete one of the two users if they are one person. If the account is this user's, have it adopted.", string(owner))
	p.Steps = []directory.Step{{Text: "Adopt the account, if it is this user's.", Call: directory.CallAdopt, AccountID: a.ID}}
	return directory.BindingConflict, p
}

// takable says why an account cannot become the user's, whoever says that it is.
func takable(c Config, s Subject, a *directory.Account) (directory.BindingStatus, *directory.Problem) {
	if owner, taken := s.TakenBy[a.ID]; taken && owner != s.User.ID {
		return directory.BindingConflict, problem(directory.CodeAccountBound, "The account with this address is bound to another user.",
			"Release one of the two users.", string(owner))
	}
	if status, p := untouchable(c, a); p != nil {
		return status, p
	}
	return unfit(s, a)
}

// adoptable says why the account with the user's address cannot be adopted.
func adoptable(c Config, s Subject) (directory.BindingStatus, *directory.Problem) {
	return matching(c, s, s.ByUPN)
}

// matching says why an account that only an address tells to be the user's cannot
// be adopted: it may be another person's.
func matching(c Config, s Subject, a *directory.Account) (directory.BindingStatus, *directory.Problem) {
	if status, p := takable(c, s, a); p != nil {
		return status, p
	}
	if p := OtherEmployee(s.User, a.ID, a.Properties[directory.PropEmployeeID]); p != nil {
		return directory.BindingConflict, p
	}
	return "", nil
}

// OtherEmployee says why an account that only an address tells to be a user's may be
// another person's: both have an employeeId, and not the same. nil when they do not
// contradict each other.
func OtherEmployee(u *directory.User, id directory.AccountID, employee directory.Value) *directory.Problem {
	other := directory.StringValue(mapping.Text(u.EmployeeID))
	if employee.IsNull() || other.IsNull() || strings.EqualFold(mapping.Text(employee.String()), other.String()) ||
		mapping.Same(directory.PropEmployeeID, employee, other) {
		return nil
	}
	return problem(directory.CodeAdoptOtherEmployee,
		fmt.Sprintf("The account with this address has the employeeId %s, the user has %s: it may be another person.", quoted(employee), quoted(other)),
		"Correct the one that is wrong; or, if it is one person all the same, have the bound user adopt the account.", string(id))
}

// unfit says why an account cannot become ours, whoever chose it.
func unfit(s Subject, a *directory.Account) (directory.BindingStatus, *directory.Problem) {
	switch {
	case a.Guest():
		return directory.BindingConflict, problem(directory.CodeAdoptGuest, "The account is a guest of the tenant.",
			"Convert it to a member, or change the user's address.", string(a.ID))
	case a.External():
		return directory.BindingConflict, problem(directory.CodeAdoptExternal, "The account is that of an external member: its person signs in at another tenant or provider.",
			"Bind the user through the connection of its own tenant, or have the account converted to an internal one.", string(a.ID))
	case !a.Enabled() && s.User.Enabled() && !s.Binding.Blocked:
		return directory.BindingConflict, problem(directory.CodeAdoptDisabled, "The account is disabled at Microsoft.",
			"Find out why it was disabled; enable it there to have it adopted.", string(a.ID))
	}
	return "", nil
}
