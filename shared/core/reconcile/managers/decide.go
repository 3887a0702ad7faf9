package managers

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
)

// person is a user with the binding of the account, as far as that counts: it is of
// the connection and its epoch.
type person struct {
	user    *directory.User    // nil: nobody, or gone for good
	account *directory.Binding // nil: not bound through the connection
}

// named is how people call a person.
func (p *person) named() string {
	if p.user == nil {
		return "nobody"
	}
	return strings.TrimSpace(cmp.Or(p.user.DisplayName, p.user.GivenName+" "+p.user.FamilyName)) + " (" + p.user.Email + ")"
}

// subject is one user's manager with all that was read about it.
type subject struct {
	record  *directory.Binding
	person         // whose manager it is
	manager person // by our directory; empty when it names none
	// observed is the account that is the manager at Microsoft; Null: there is none.
	observed directory.Value
	// former is the account that is given back the manager from before, and before what
	// it had, of a user who is let go so.
	former directory.AccountID
	before directory.Properties
	// fresh says that what was read may be older than our last write.
	fresh bool
	// names are what people call the accounts that are, or were, the manager.
	names map[directory.AccountID]string
}

// accountID is the account that the user has, or had last.
func (x *subject) accountID() directory.AccountID {
	if x.account == nil {
		return x.former
	}
	return x.account.AccountID
}

// resumed reports whether the user was being let go with the values from before, and is
// bound again.
func (x *subject) resumed() bool {
	return x.record.Release != "" && x.account != nil && x.account.Release == ""
}

// decision is what is to be done about one user's manager.
type decision struct {
	change *directory.Change // nil: nothing is to be written
	// ends says that the manager is not kept in step any more: the record goes.
	ends     bool
	status   directory.BindingStatus
	base     directory.Properties // what counts as agreed when nothing is written
	problem  *directory.Problem
	findings []directory.Problem
	later    time.Duration // when it is looked at again though nothing happens; 0: it is not
	// wanted is what the directory wants; managed says that it wants something.
	wanted  directory.Value
	managed bool
}

// decide says what is to be done about one user's manager. See the table in the
// package comment.
func decide(s *directory.Settings, x *subject) decision {
	d := decision{status: directory.BindingInSync, base: x.record.Base}
	switch {
	case x.record.Resting():
		d.status, d.problem, d.findings = directory.BindingPaused, x.record.Problem, x.record.Findings
		return d
	case x.record.Release == directory.ReleaseRestore:
		d.giveBack(x)
		return d
	case !s.Manager.Export || x.account == nil || x.user == nil || x.record.Release != "":
		d.ends = true
		return d
	case x.user.Deleted != nil || x.account.Release != "":
		return d // whoever leaves keeps what he has
	case x.account.Resting() || x.account.Status == directory.BindingReadOnly:
		d.stand(x)
		return d
	}
	d.want(s, x)
	if !d.managed {
		d.forget(x)
		return d
	}
	if !comes(x.account) {
		d.finding(directory.CodeManagerWaits, "The user has no account yet, so "+x.manager.named()+" is not written as the manager.")
		return d
	}
	d.compare(s, x)
	return d
}

// stand leaves the manager as it is for what the account is not written to for. The record
// waits for the end of the account's pause, and is not paused itself: nobody would resume it.
func (d *decision) stand(x *subject) {
	d.status, d.problem = x.account.Status, x.account.Problem
	if x.account.Resting() {
		d.status, d.later = directory.BindingPending, reconcile.Rest(x.record)
	}
}

// giveBack gives an account the manager from before the binding, as long as it has the one
// that we gave it.
func (d *decision) giveBack(x *subject) {
	base, known := d.base[directory.PropManager]
	was, kept := x.before[directory.PropManager]
	observed := x.observed
	if x.fresh && same(was, observed) {
		observed = base // the read may be older than our write
	}
	switch {
	case x.account != nil && (x.account.Resting() || x.account.Status == directory.BindingReadOnly):
		d.stand(x)
	case x.former == "" || x.account != nil && x.account.AccountID != x.former,
		!known || !kept || !same(base, observed) || same(was, base):
		d.ends = true
	default:
		d.status = directory.BindingPending
		d.change = changeOf(x, observed, was, "the user was released with the values from before")
		if !was.IsNull() {
			d.change.Reason = "has the manager from before the binding again, because the user was released so"
		}
	}
}

// comes reports whether a binding has an account, or one is on its way: it may come
// in the same run, before managers are written.
func comes(b *directory.Binding) bool {
	return b.AccountID != "" || b.Status == directory.BindingPending
}

// want finds out which account the directory wants to be the manager, if any.
func (d *decision) want(s *directory.Settings, x *subject) {
	m := &x.manager
	switch {
	case x.user.ManagerID == "":
		d.managed = s.Manager.Clear
		return
	case x.user.ManagerID == x.user.ID:
		d.finding(directory.CodeManagerNotBound, "The user is named as the user's own manager, which is not written.")
	case m.user == nil || m.user.Deleted != nil:
		d.finding(directory.CodeManagerNotBound, "The user's manager was deleted, so nobody is written as the manager.")
	case m.account == nil || m.account.Release != "":
		d.finding(directory.CodeManagerNotBound, m.named()+" is not bound through this connection, and so is not written as the manager.")
	case !m.user.Enabled():
		d.finding(directory.CodeManagerSuspended, m.named()+" is not active, and so is not written as the manager.")
	case !comes(m.account):
		d.finding(directory.CodeManagerWaits, m.named()+" has no account yet, and so is not written as the manager.")
	case m.account.AccountID == "":
		d.managed, d.wanted = true, directory.ComingManager(m.user.ID) // resolved when it is sent
	default:
		d.managed, d.wanted = true, directory.StringValue(string(m.account.AccountID))
	}
}

// forget drops what was agreed when it is not managed any more, and is the tenant's
// by now.
func (d *decision) forget(x *subject) {
	if base, known := d.base[directory.PropManager]; known && !x.fresh && !same(base, x.observed) {
		d.base = nil
	}
}

// compare decides by what is wanted, was agreed and is there: the table of one
// property in package plan.
func (d *decision) compare(s *directory.Settings, x *subject) {
	observed := x.observed
	base, known := d.base[directory.PropManager]
	stale := known && x.fresh && !same(base, observed)
	if stale {
		observed = base
	}
	if same(d.wanted, observed) {
		if !stale {
			d.base = directory.Properties{directory.PropManager: d.wanted}
		}
		return
	}
	weChanged, theyChanged := !same(base, d.wanted), !same(base, observed)
	why := "the directory changed it"
	if at := x.user.Updated; !at.IsZero() {
		why = "the directory changed at " + at.UTC().Format(time.RFC3339)
	}
	switch {
	case !known:
		why = "the directory manages it now"
	case weChanged && theyChanged:
		d.tell(directory.CodeBothChanged, fmt.Sprintf("The manager was changed from %s to %s in Microsoft 365 and to %s in the directory; the directory's wins.",
			x.quoted(base), x.quoted(observed), x.manager.named()), "", observed)
		why += fmt.Sprintf(" (Microsoft 365 had changed it from %s)", x.quoted(base))
	case theyChanged && s.Foreign(directory.PropManager) == directory.ForeignReport:
		d.tell(directory.CodeForeignChange, fmt.Sprintf("The manager was changed from %s to %s in Microsoft 365; by the connection's settings that is only reported.",
			x.quoted(base), x.quoted(observed)), "Give the user that manager, or set foreignChange to revert.", observed)
		return
	case theyChanged:
		why = "somebody changed it in Microsoft 365"
	}
	d.status = directory.BindingPending
	d.change = changeOf(x, observed, d.wanted, why)
}

// changeOf is the change that makes an account the manager, or takes the manager
// away.
func changeOf(x *subject, before, after directory.Value, why string) *directory.Change {
	c := &directory.Change{
		Object: x.record.Ref(), AccountID: x.accountID(), UserPrincipalName: x.name(),
		Effect:     directory.EffectManagerSet,
		Properties: []directory.PropertyChange{{Name: directory.PropManager, Before: before, After: after}},
		Reason:     "has " + x.manager.named() + " as the manager, because " + why,
	}
	if after.IsNull() {
		c.Effect, c.Reason = directory.EffectManagerClear, "has no manager any more, because "+why
	}
	if x.user != nil {
		c.Department, c.Domain = plan.PartOf(x.user, c.UserPrincipalName)
	}
	return c
}

// name is what people call the account.
func (x *subject) name() string {
	switch {
	case x.account != nil && x.account.UserPrincipalName != "":
		return x.account.UserPrincipalName
	case x.user != nil:
		return x.user.Email
	}
	return x.record.UserPrincipalName
}

func (d *decision) finding(code, message string) {
	d.tell(code, message, directory.ProblemTypeOf(code).Next, directory.Null)
}

func (d *decision) tell(code, message, next string, holder directory.Value) {
	d.findings = append(d.findings, directory.Problem{Code: code, Property: directory.PropManager, Message: message, Next: next, Holder: holder.String()})
}

// same compares accounts: Microsoft may spell an ID in either case.
func same(a, b directory.Value) bool {
	return a.IsNull() == b.IsNull() && strings.EqualFold(a.String(), b.String())
}

// quoted is how a sentence names an account.
func (x *subject) quoted(v directory.Value) string {
	if v.IsNull() {
		return "(nobody)"
	}
	return cmp.Or(x.names[directory.AccountID(v.String())], v.String())
}
