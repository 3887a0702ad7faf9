package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bindery/shared/core/mapping"
	"bindery/shared/directory"
)

// differ collects the changes of one account.
type differ struct {
	Config
	Subject
	account   *directory.Account
	base      directory.Properties // that of the binding, until agree or forget differs
	own       bool                 // base is a copy
	ordinary  update
	sensitive update
	before    []directory.Change // phase 0
	after     []directory.Change // rename, unblock
	findings  []directory.Problem
}

// update is a change under way that writes several properties.
type update struct {
	change  directory.Change
	reasons []reason
}

// reason is why one property is written.
type reason struct{ what, why string }

func newDiffer(c Config, s Subject, a *directory.Account) *differ {
	return &differ{Config: c, Subject: s, account: a, base: s.Binding.Base}
}

// edit makes base a copy that may be changed. Most accounts are as agreed, and
// need none.
func (d *differ) edit() {
	if !d.own {
		d.base, d.own = maps.Clone(d.base), true
	}
	if d.base == nil {
		d.base = directory.Properties{}
	}
}

// agree notes that both sides have a value.
func (d *differ) agree(name string, v directory.Value) {
	if base, known := d.base[name]; known && base.Equal(v) {
		return
	}
	d.edit()
	d.base[name] = v
}

// diff compares the wanted values with an account. An account that is not ours
// yet is adopted; only a block comes before that.
func diff(c Config, s Subject, a *directory.Account, w wanted) Decision {
	d := newDiffer(c, s, a)
	out := Decision{Status: directory.BindingInSync}
	var adopt []directory.Change
	if !s.adopted() {
		out.Before = d.snapshot()
		reason := "adopted because its userPrincipalName equals the user's address"
		switch {
		case s.Binding.AccountID != "":
			reason = "adopted because the user was bound to this account"
		case s.Binding.Adopt == a.ID:
			reason = "adopted because an admin has said that the account is the user's"
		case s.Linked != nil && s.Linked.ID == a.ID:
			reason = "adopted because the user was imported from this account, or had it before"
		}
		switch want, wanted := w.values[directory.PropUserPrincipalName]; {
		case !wanted:
			// Whose name it would be is not known: it is not agreed, lest it counts as
			// ours once the user's address is right.
			delete(out.Before, directory.PropUserPrincipalName)
		case d.ownName(want):
			delete(out.Before, directory.PropUserPrincipalName)
			reason += fmt.Sprintf("; its userPrincipalName stays %s, and not %s, by the setting adoptedUserPrincipalName",
				quoted(a.Properties[directory.PropUserPrincipalName]), quoted(want))
		}
		adopt = append(adopt, d.change(directory.EffectAdopt, reason))
	}
	if s.User.Deleted != nil && c.Settings.OnDelete == "delete" {
		out.Changes = []directory.Change{d.change(directory.EffectDelete, "deleted because the user was deleted and the connection's settings say so")}
		out.Status, out.Base = directory.BindingPending, d.base
		return out
	}
	if !w.partial {
		d.forget(w)
	}
	for name := range c.Mapper.EachManaged() {
		want, wanted := w.values[name]
		switch {
		case !wanted, name == directory.PropUserPrincipalName && d.ownName(want):
		case name == directory.PropAccountEnabled:
			d.enabled(want)
		default:
			d.property(name, want)
		}
	}
	updates := d.updates()
	if len(adopt) > 0 {
		for i := range updates {
			updates[i].FirstLoad = d.firstLoad(&updates[i])
		}
	}
	out.Changes = slices.Concat(d.before, adopt, updates, d.after)
	out.Findings, out.Base = d.findings, d.base
	if len(out.Changes) > 0 {
		out.Status = directory.BindingPending
	}
	return out
}

// ownName reports whether the account keeps a sign-in name that is not the one
// wanted. It has a name of its own as long as no name was agreed: an adoption
// notes none that is not made of the user's address, and once the two are equal
// they are agreed like any other value.
func (d *differ) ownName(want directory.Value) bool {
	if d.Settings.AdoptedUserPrincipalName == directory.AdoptedNameEmail {
		return false
	}
	_, agreed := d.base[directory.PropUserPrincipalName]
	return !agreed && !mapping.Same(directory.PropUserPrincipalName, want, d.account.Properties[directory.PropUserPrincipalName])
}

// forget drops the agreed values of what is not managed for this user any more
// and has changed in the tenant since: it is the tenant's now, and counts as new
// when it is managed again. What still has our value is remembered, so that a
// release can give back what was there before.
func (d *differ) forget(w wanted) {
	for name, base := range d.Binding.Base {
		if _, managed := w.values[name]; managed || slices.Contains(w.left, name) || d.Fresh.Has(name) {
			continue
		}
		if observed, read := d.account.Properties[name]; read && !mapping.Same(name, base, observed) {
			d.edit()
			delete(d.base, name)
		}
	}
}

// snapshot is the account's managed values before it becomes ours. A block that
// is ours came before the adoption.
func (d *differ) snapshot() directory.Properties {
	before := directory.Properties{}
	for name := range d.Mapper.EachManaged() {
		before[name] = d.account.Properties[name]
	}
	if d.ourBlock() {
		before[directory.PropAccountEnabled] = directory.BoolValue(true)
	}
	return before
}

// firstLoad reports whether an adoption's sensitive values are all such as
// whoever switched their export on decided about.
func (d *differ) firstLoad(c *directory.Change) bool {
	return c.Effect == directory.EffectUpdateSensitive && !slices.ContainsFunc(c.Properties, func(p directory.PropertyChange) bool {
		since, decided := d.ExportedSince[p.Name]
		return !p.Before.IsNull() || !decided || d.User.Updated.IsZero() || d.User.Updated.After(since)
	})
}

func (d *differ) change(e directory.Effect, reason string) directory.Change {
	return newChange(d.User, d.account.ID, d.account.UserPrincipalName(), e, reason)
}

// newChange makes a change without properties.
func newChange(u *directory.User, id directory.AccountID, userPrincipalName string, e directory.Effect, reason string) directory.Change {
	c := directory.Change{
		UserID: u.ID, AccountID: id, UserPrincipalName: userPrincipalName, UserVersion: u.Version,
		Effect: e, Properties: []directory.PropertyChange{}, Reason: reason, Irreversible: e.Row().Irreversible,
	}
	c.Department, c.Domain = PartOf(u, userPrincipalName)
	return c
}

// observed is the value that counts as the tenant's. Soon after a write of ours
// a read that differs from what was agreed may come from a replica that has not
// heard of it; then the agreed value counts, and stale says so.
func (d *differ) observed(name string) (v directory.Value, stale bool) {
	v = d.account.Properties[name]
	if name == directory.PropAccountEnabled {
		v = directory.BoolValue(d.account.Enabled())
	}
	if base, known := d.base[name]; known && d.Fresh.Has(name) && !mapping.Same(name, base, v) {
		return base, true
	}
	return v, false
}

// property decides one property by the table in the package comment.
func (d *differ) property(name string, want directory.Value) {
	observed, stale := d.observed(name)
	base, known := d.base[name]
	if mapping.Same(name, want, observed) {
		if !stale {
			d.agree(name, want)
		}
		return
	}
	kept, knows := d.Binding.Kept[name]
	knows = knows && mapping.Same(name, kept.Wanted, want) // another wish is written
	if knows && mapping.Same(name, kept.Kept, observed) {
		d.agree(name, kept.Kept)
		d.findings = append(d.findings, tellsOfKept(name, kept, string(d.account.ID)))
		return
	}
	if !stale && d.leaves(name, observed) {
		return
	}
	by := d.actor(name)
	why := "the directory changed it"
	if at := d.User.Updated; !at.IsZero() {
		why = "the directory changed at " + at.UTC().Format(time.RFC3339)
	}
	weChanged, theyChanged := !knows && !mapping.Same(name, base, want), !mapping.Same(name, base, observed)
	switch {
	case !known:
		why = "the directory manages it now"
	case weChanged && theyChanged:
		d.finding(directory.CodeBothChanged, fmt.Sprintf("%s was changed from %s to %s in Microsoft 365%s and to %s in the directory; the directory's value wins.",
			name, quoted(base), quoted(observed), by, quoted(want)), "", by)
		why += fmt.Sprintf(" (Microsoft 365 had changed it from %s)", quoted(base))
	case theyChanged && d.Settings.Foreign(name) == directory.ForeignReport:
		d.finding(directory.CodeForeignChange, fmt.Sprintf("%s was changed from %s to %s in Microsoft 365%s; by the connection's settings that is only reported.",
			name, quoted(base), quoted(observed), by), "Change the user to the new value, or set foreignChange to revert.", by)
		return
	case theyChanged:
		why = "somebody changed it in Microsoft 365"
		if by != nil {
			why = "it was changed in Microsoft 365" + by.String()
		}
	}
	d.add(written(name, observed, want), ", because "+why)
}

// leaves reports whether an account keeps a value that the directory has only to
// give to new accounts. When it is not the one that was agreed, it is the
// tenant's own from now on.
func (d *differ) leaves(name string, observed directory.Value) bool {
	if mapping.Canonical(name, observed).IsNull() || !atCreation(d.Config, d.User, name) {
		return false
	}
	if base, known := d.base[name]; known && !mapping.Same(name, base, observed) {
		d.edit()
		delete(d.base, name)
	}
	return true
}

// atCreation reports whether what the directory wants of a property counts for
// accounts that have no value of it: the mailNickname, which is the alias of
// the mailbox and made of the address, unless the settings want it to follow;
// a displayName that stands in for the name of a user who has none; and the default
// usageLocation, or one that is not exported.
func atCreation(c Config, u *directory.User, name string) bool {
	switch name {
	case directory.PropMailNickname:
		return !c.Settings.UpdateMailNickname
	case directory.PropDisplayName:
		return mapping.Nameless(u)
	case directory.PropUsageLocation:
		return c.Settings.DefaultUsageLocation != "" && (!c.Settings.Attributes[name].Export || mapping.Text(u.UsageLocation) == "")
	}
	return false
}

// WithoutCreationOnly leaves out of what the directory wants of a user's account
// what it keeps as it is: with that nothing is agreed unless it was written.
func WithoutCreationOnly(c Config, u *directory.User, desired directory.Properties) directory.Properties {
	kept := maps.Clone(desired)
	maps.DeleteFunc(kept, func(name string, _ directory.Value) bool { return atCreation(c, u, name) })
	return kept
}

// ourBlock reports whether a block that is in force is ours. Once the account
// was agreed to be enabled, a later block is somebody else's.
func (d *differ) ourBlock() bool {
	agreed, known := d.Binding.Base[directory.PropAccountEnabled]
	on, _ := agreed.Bool()
	return d.Binding.Blocked && !(known && on)
}

// enabled decides about accountEnabled.
func (d *differ) enabled(want directory.Value) {
	observed, stale := d.observed(directory.PropAccountEnabled)
	on, _ := want.Bool()
	switch {
	case want.Equal(observed):
		if !stale {
			d.agree(directory.PropAccountEnabled, want)
		}
	case !on:
		if stale && !d.account.Enabled() {
			// It may be blocked already, and then not by us: the block is sent to
			// be sure, and its before says that it is not ours to lift.
			observed = directory.BoolValue(false)
		}
		reason := "blocked because " + whyDisabled(d.User)
		if d.ourBlock() {
			reason = "blocked again, because somebody enabled it in Microsoft 365 while " + whyDisabled(d.User)
		}
		d.before = append(d.before, d.block(observed, reason)...)
	case d.ourBlock():
		d.after = append(d.after, d.switched(directory.EffectUnblock, observed, want, "unblocked because the user is active again"))
	case !stale:
		by := d.actor(directory.PropAccountEnabled)
		d.finding(directory.CodeBlockedAtMicrosoft, "The account is blocked at Microsoft"+by.String()+", and not by us; it is left so, since Microsoft's admins may be handling an incident.",
			"Enable it in Microsoft 365 once it is safe.", by)
	}
}

// block makes the two changes that take a leaver's access away.
func (d *differ) block(observed directory.Value, reason string) []directory.Change {
	return []directory.Change{
		d.switched(directory.EffectBlock, observed, directory.BoolValue(false), reason),
		d.change(directory.EffectRevoke, "its sessions end because the account is blocked"),
	}
}

func (d *differ) switched(e directory.Effect, before, after directory.Value, reason string) directory.Change {
	c := d.change(e, reason)
	c.Properties = []directory.PropertyChange{{Name: directory.PropAccountEnabled, Before: before, After: after}}
	return c
}

func whyDisabled(u *directory.User) string {
	if u.Deleted != nil {
		return "the user was deleted in the directory"
	}
	return "the user is " + string(u.State) + " in the directory"
}

// add puts a property's change where it belongs. why ends the sentence that
// begins with the two values.
func (d *differ) add(pc directory.PropertyChange, why string) {
	r := reason{fmt.Sprintf("%s: %s → %s", pc.Name, quoted(pc.Before), quoted(pc.After)), why}
	switch {
	case pc.Name == directory.PropUserPrincipalName:
		rename := d.change(directory.EffectRename, r.what+r.why)
		rename.Properties = []directory.PropertyChange{pc}
		d.after = append(d.after, rename)
	case directory.Sensitive(pc.Name):
		d.join(&d.sensitive, directory.EffectUpdateSensitive, pc, r)
	default:
		d.join(&d.ordinary, directory.EffectUpdate, pc, r)
	}
}

func (d *differ) join(u *update, e directory.Effect, pc directory.PropertyChange, r reason) {
	if u.change.Effect == "" {
		u.change = d.change(e, "")
	}
	u.change.Properties = append(u.change.Properties, pc)
	u.reasons = append(u.reasons, r)
}

func (d *differ) updates() []directory.Change {
	var list []directory.Change
	for _, u := range []*update{&d.ordinary, &d.sensitive} {
		if u.change.Effect != "" {
			u.change.Reason = sentence(u.reasons)
			list = append(list, u.change)
		}
	}
	return list
}

// sentence tells reasons in their order, those that follow each other for the
// same cause with the cause once.
func sentence(list []reason) string {
	var b strings.Builder
	for i, r := range list {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(r.what)
		if i == len(list)-1 || list[i+1].why != r.why {
			b.WriteString(r.why)
		}
	}
	return b.String()
}

func (d *differ) finding(code, message, next string, by *directory.Actor) {
	p := problem(code, message, next, string(d.account.ID))
	p.By = by
	d.findings = append(d.findings, *p)
}

// actor returns who changed a property at Microsoft, if that is known.
func (d *differ) actor(name string) *directory.Actor {
	if a, known := d.Changed[name]; known {
		return &a
	}
	return nil
}
