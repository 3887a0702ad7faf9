package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"bindery/shared/directory"
	"bindery/shared/mapping"
)

// Config is what deciding needs besides the subject.
type Config struct {
	Mapper   *mapping.Mapper
	Settings directory.Settings // defaults filled in
	// Protected says whether an account must never be written to, and why.
	Protected func(id directory.AccountID, userPrincipalName string) (reason string, yes bool)
}

// Subject is one bound user with all that was read about it.
type Subject struct {
	User    *directory.User
	Binding *directory.Binding
	// Account is the bound account as observed. When it is nil, Missing says
	// that a direct read found it gone, and Deleted is it in the recycle bin.
	Account *directory.Account
	Missing bool
	Deleted *directory.Account
	// For a binding without an account: who has the mapped address.
	ByUPN     *directory.Account
	ByAddress []directory.Account
	TakenBy   map[directory.AccountID]directory.UserID
	// Fresh says that the observed values may be older than our last write.
	Fresh bool
}

// Decision is what is to be done for one subject.
type Decision struct {
	Changes []directory.Change // in order; ID and State are not set
	// Base is what counts as agreed when there is nothing to write.
	Base directory.Properties
	// Before holds the managed values of an account that is being adopted.
	Before   directory.Properties
	Status   directory.BindingStatus
	Problem  *directory.Problem
	Findings []directory.Problem // reported without being acted on
}

// Decide says what is to be done for a bound user.
func Decide(c Config, s Subject) Decision {
	if s.Binding.Status == directory.BindingPaused {
		return Decision{Status: directory.BindingPaused, Problem: s.Binding.Problem, Base: s.Binding.Base}
	}
	desired, problems := c.Mapper.Desired(s.User)
	if s.Binding.AccountID == "" {
		return match(c, s, desired, problems)
	}
	return bound(c, s, desired, problems)
}

// match decides about a user whose binding has no account yet.
func match(c Config, s Subject, desired directory.Properties, problems []directory.Problem) Decision {
	switch {
	case !s.User.Enabled() && (s.ByUPN == nil || s.User.Deleted != nil):
		return Decision{Status: directory.BindingPending} // no account, and none is wanted
	case len(problems) > 0:
		return refused(s, problems)
	case s.ByUPN != nil:
		if status, p := adoptable(c, s); p != nil {
			return Decision{Status: status, Problem: p}
		}
		return diff(c, s, s.ByUPN, desired)
	case len(s.ByAddress) > 0:
		a := s.ByAddress[0]
		return conflict("address-in-use",
			fmt.Sprintf("Another account, %s, has the address %s as mail or proxy address.", a.UserPrincipalName(), desired[directory.PropUserPrincipalName]),
			"Remove the address there, or change the user's address, or bind the user to that account by giving it this userPrincipalName.", string(a.ID))
	}
	change := directory.Change{
		UserID: s.User.ID, UserPrincipalName: desired[directory.PropUserPrincipalName].String(), Effect: directory.EffectCreate,
		Reason: fmt.Sprintf("created because no account has the address %s", desired[directory.PropUserPrincipalName]),
	}
	for _, name := range desired.Names() {
		if !desired[name].IsNull() {
			change.Properties = append(change.Properties, directory.PropertyChange{Name: name, After: desired[name]})
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
	employee, other := a.Properties[directory.PropEmployeeID].String(), mapping.Text(s.User.EmployeeID)
	switch {
	case strings.EqualFold(a.UserType, "Guest"):
		return directory.BindingConflict, problem("adopt-guest", "The account with this address is a guest.",
			"Convert it to a member, or change the user's address.", string(a.ID))
	case !a.Enabled() && s.User.Enabled():
		return directory.BindingConflict, problem("adopt-disabled", "The account with this address is disabled at Microsoft.",
			"Find out why it was disabled; enable it there to have it adopted.", string(a.ID))
	case employee != "" && other != "" && !strings.EqualFold(employee, other):
		return directory.BindingConflict, problem("adopt-other-employee",
			fmt.Sprintf("The account with this address has the employeeId %s, the user has %s: it may be another person.", employee, other),
			"Correct the one that is wrong.", string(a.ID))
	}
	return "", nil
}

// untouchable says why an account must not or cannot be written to.
func untouchable(c Config, a *directory.Account) (directory.BindingStatus, *directory.Problem) {
	if a.OnPremisesSync {
		return directory.BindingReadOnly, problem("synced-on-premises",
			"The account is mastered by an Active Directory that Microsoft syncs; Microsoft refuses changes to it.",
			"Change it in that Active Directory, or release the user.", string(a.ID))
	}
	if c.Protected != nil {
		if reason, yes := c.Protected(a.ID, a.UserPrincipalName()); yes {
			return directory.BindingReadOnly, problem("account-protected", "The account is protected: "+reason+".",
				"Change it by hand, or lift its protection.", string(a.ID))
		}
	}
	return "", nil
}

// bound decides about a user whose binding has an account.
func bound(c Config, s Subject, desired directory.Properties, problems []directory.Problem) Decision {
	if s.Missing {
		return gone(c, s)
	}
	if s.Account == nil {
		return Decision{Status: directory.BindingPending, Base: s.Binding.Base}
	}
	if status, p := untouchable(c, s.Account); p != nil {
		return Decision{Status: status, Problem: p, Base: s.Binding.Base}
	}
	if len(problems) > 0 {
		// What breaks a rule waits for better data; taking access away does not.
		only := directory.Properties{}
		if !s.User.Enabled() {
			only[directory.PropAccountEnabled] = directory.BoolValue(false)
		}
		d := diff(c, s, s.Account, only)
		if len(d.Changes) == 0 {
			r := refused(s, problems)
			r.Base, r.Findings = d.Base, append(r.Findings, d.Findings...)
			return r
		}
		d.Findings = append(d.Findings, problems...)
		return d
	}
	return diff(c, s, s.Account, desired)
}

// gone decides about a bound account that Microsoft has deleted.
func gone(c Config, s Subject) Decision {
	if !s.User.Enabled() {
		return Decision{Status: directory.BindingInSync, Base: s.Binding.Base} // without access, which is what is wanted
	}
	if s.Deleted == nil {
		return Decision{Status: directory.BindingConflict, Base: s.Binding.Base, Problem: problem("account-gone",
			"The account was deleted at Microsoft for good.", "Release the user and bind it again to have a new account created.", string(s.Binding.AccountID))}
	}
	if c.Settings.OnSoftDeleted != "restore" {
		return Decision{Status: directory.BindingConflict, Base: s.Binding.Base, Problem: problem("account-soft-deleted",
			"Somebody deleted the account at Microsoft; it can be restored for 30 days.",
			"Restore it there, or release the user, or set onSoftDeleted to restore.", string(s.Binding.AccountID))}
	}
	return Decision{Status: directory.BindingPending, Base: s.Binding.Base, Changes: []directory.Change{{
		UserID: s.User.ID, AccountID: s.Binding.AccountID, UserPrincipalName: s.Binding.UserPrincipalName, Effect: directory.EffectRestore,
		Properties: []directory.PropertyChange{}, Reason: "restored because somebody deleted the account of an active user",
	}}}
}

func refused(s Subject, problems []directory.Problem) Decision {
	p := problems[0]
	return Decision{Status: directory.BindingRefused, Problem: &p, Findings: slices.Clone(problems[1:]), Base: s.Binding.Base}
}

func conflict(code, message, next, holder string) Decision {
	return Decision{Status: directory.BindingConflict, Problem: problem(code, message, next, holder)}
}

func problem(code, message, next, holder string) *directory.Problem {
	return &directory.Problem{Code: code, Message: message, Next: next, Holder: holder}
}

// sensitive are written apart: Microsoft checks the target's roles for them
// (G 1.5), and the others must land all the same.
var sensitive = []string{directory.PropBusinessPhones, directory.PropMobilePhone, directory.PropOtherMails}

// differ collects the changes of one account.
type differ struct {
	Config
	Subject
	account  *directory.Account
	base     directory.Properties
	ordinary directory.Change
	guarded  directory.Change
	before   []directory.Change // phase 0
	after    []directory.Change // rename, unblock
	findings []directory.Problem
	blocked  bool
}

// diff compares the wanted values with an account. An account that the binding
// knows nothing of yet is adopted first.
func diff(c Config, s Subject, a *directory.Account, desired directory.Properties) Decision {
	d := &differ{Config: c, Subject: s, account: a, base: maps.Clone(s.Binding.Base)}
	if d.base == nil {
		d.base = directory.Properties{}
	}
	out := Decision{Status: directory.BindingInSync}
	var adopt []directory.Change
	if s.Binding.Base == nil && !s.Binding.Created {
		out.Before = directory.Properties{}
		for _, name := range c.Mapper.Managed() {
			out.Before[name] = a.Properties[name]
		}
		reason := "adopted because its userPrincipalName equals the user's address"
		if s.Binding.AccountID != "" {
			reason = "adopted because the user was imported from it"
		}
		adopt = append(adopt, d.change(directory.EffectAdopt, reason))
	}
	if s.User.Deleted != nil && c.Settings.OnDelete == "delete" {
		del := d.change(directory.EffectDelete, "deleted because the user was deleted and the connection's settings say so")
		out.Changes, out.Status, out.Base = []directory.Change{del}, directory.BindingPending, d.base
		return out
	}
	for _, name := range desired.Names() {
		d.property(name, desired[name])
	}
	out.Changes = slices.Concat(d.before, adopt, d.updates(), d.after)
	out.Findings, out.Base = d.findings, d.base
	if len(out.Changes) > 0 {
		out.Status = directory.BindingPending
	}
	return out
}

func (d *differ) change(e directory.Effect, reason string) directory.Change {
	return directory.Change{
		UserID: d.User.ID, AccountID: d.account.ID, UserPrincipalName: d.account.UserPrincipalName(),
		Effect: e, Properties: []directory.PropertyChange{}, Reason: reason,
	}
}

// property decides one property by the table in the package comment.
func (d *differ) property(name string, want directory.Value) {
	observed := d.account.Properties[name]
	if mapping.Same(name, want, observed) {
		d.base[name] = want
		return
	}
	if name == directory.PropAccountEnabled {
		d.enabled(want, observed)
		return
	}
	base, known := d.base[name]
	weChanged := !known || !mapping.Same(name, base, want)
	theyChanged := known && !mapping.Same(name, base, observed)
	reason := fmt.Sprintf("%s: %s → %s, because the directory changed it", name, quoted(observed), quoted(want))
	switch {
	case !known:
		reason = fmt.Sprintf("%s: %s → %s, because the directory manages it now", name, quoted(observed), quoted(want))
	case weChanged && theyChanged:
		d.finding("both-changed", fmt.Sprintf("%s was changed to %s in Microsoft 365 and to %s in the directory; the directory's value wins.", name, quoted(observed), quoted(want)))
		reason = fmt.Sprintf("%s: %s → %s, because the directory changed it (Microsoft 365 had changed it from %s)", name, quoted(observed), quoted(want), quoted(base))
	case theyChanged && d.Fresh:
		return
	case theyChanged && d.Settings.Foreign(name) == directory.ForeignReport:
		d.finding("foreign-change", fmt.Sprintf("%s was changed from %s to %s in Microsoft 365; by the settings it is only reported.", name, quoted(base), quoted(observed)))
		return
	case theyChanged:
		reason = fmt.Sprintf("%s: %s → %s, because somebody changed it in Microsoft 365", name, quoted(observed), quoted(want))
	}
	d.add(directory.PropertyChange{Name: name, Before: observed, After: want}, reason)
}

// enabled decides about accountEnabled.
func (d *differ) enabled(want, observed directory.Value) {
	pc := directory.PropertyChange{Name: directory.PropAccountEnabled, Before: observed, After: want}
	if on, _ := want.Bool(); !on {
		block := d.change(directory.EffectBlock, "blocked because "+whyDisabled(d.User))
		block.Properties = []directory.PropertyChange{pc}
		d.before = append(d.before, block, d.change(directory.EffectRevoke, "its sessions end because the account is blocked"))
		return
	}
	if !d.Binding.Blocked {
		d.finding("blocked-at-microsoft", "The account is blocked at Microsoft, and not by us; it is left so, since Microsoft's admins may be handling an incident.")
		return
	}
	unblock := d.change(directory.EffectUnblock, "unblocked because the user is active again")
	unblock.Properties = []directory.PropertyChange{pc}
	d.after = append(d.after, unblock)
}

func whyDisabled(u *directory.User) string {
	if u.Deleted != nil {
		return "the user was deleted in the directory"
	}
	return "the user is " + string(u.State) + " in the directory"
}

func (d *differ) add(pc directory.PropertyChange, reason string) {
	switch {
	case pc.Name == directory.PropUserPrincipalName:
		rename := d.change(directory.EffectRename, reason)
		rename.Properties = []directory.PropertyChange{pc}
		d.after = append(d.after, rename)
	case slices.Contains(sensitive, pc.Name):
		d.append(&d.guarded, pc, reason)
	default:
		d.append(&d.ordinary, pc, reason)
	}
}

func (d *differ) append(c *directory.Change, pc directory.PropertyChange, reason string) {
	if c.Effect == "" {
		*c = d.change(directory.EffectUpdate, reason)
	} else {
		c.Reason += "; " + reason
	}
	c.Properties = append(c.Properties, pc)
}

func (d *differ) updates() []directory.Change {
	var list []directory.Change
	for _, c := range []directory.Change{d.ordinary, d.guarded} {
		if c.Effect != "" {
			list = append(list, c)
		}
	}
	return list
}

func (d *differ) finding(code, message string) {
	d.findings = append(d.findings, directory.Problem{Code: code, Message: message, Holder: string(d.account.ID)})
}

func quoted(v directory.Value) string {
	if v.IsNull() {
		return "(empty)"
	}
	return fmt.Sprintf("%q", v.String())
}
