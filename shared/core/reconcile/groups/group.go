package groups

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// The properties of a tenant group that are kept in step, by Graph's names.
const (
	propName        = directory.PropDisplayName
	propDescription = "description"
	propNickname    = directory.PropMailNickname
	// propExact says in the base that strangers were looked for since the export is
	// exact; from then on changes at Microsoft tell of new ones.
	propExact = "exact"
	// propReturned says in the base that the tenant group is one of an earlier export: it
	// may have members whom others gave it.
	propReturned = "returned"
)

// Export is a group of our directory with how a connection exports it.
type Export struct {
	Group *directory.Group
	Kind  directory.TenantGroupKind // security or Microsoft 365
	// Exact removes members whom our directory does not want, whoever added them.
	Exact bool
	// Adopt is the tenant group that an admin has named; "": one is created.
	Adopt directory.TenantGroupID
	// Renew has a tenant group that somebody deleted restored, or made anew once it is
	// gone for good; otherwise that is reported. So has the setting onSoftDeleted.
	Renew bool
	// Welcome has Microsoft write to those who become members of a Microsoft 365 group.
	Welcome bool
	// Expanded says that every member that our directory wants has a record. Before
	// that nobody is a stranger.
	Expanded bool
	// By are the subjects of those who chose all this since the group was last agreed.
	By []string
}

// groupSubject is one exported group with all that was read about it.
type groupSubject struct {
	record *directory.Binding
	export *Export // nil: the connection does not export it any more
	policy directory.ForeignPolicy
	// found is the bound group, or the one to adopt. When it is nil, missing says that
	// a direct read found it gone, and deleted is it in the recycle bin.
	found, deleted *directory.TenantGroup
	missing        bool
	// former is, of a group that has no tenant group, the one that we made for it and
	// deleted with the end of an earlier export: it is in the recycle bin.
	former *directory.TenantGroup
	// unread is why it is not known whether the group is there, or who its members are.
	unread *directory.Problem
	// owner is what of ours the group to adopt is already; the zero Ref: nothing.
	owner directory.Ref
	// members is how many records of memberships there are yet, of a group that is
	// being let go; of one that is to be deleted, besides those that the same run takes
	// away before.
	members int
	// strangers are records of strangers that go before that of such a group;
	// givenBack are those of whom we took out, and are to be put back before it goes.
	// moreStrangers says that these are not all.
	strangers, givenBack []*directory.Binding
	moreStrangers        bool
	// compared says that strangers have been looked for, now or before.
	compared bool
	// unsettled says that nobody is known to be a stranger so far: a member whom our
	// directory wants may have any account.
	unsettled bool
	// unexpanded says that strangers are still to be looked for: not all whom our
	// directory wants there are known yet.
	unexpanded bool
	fresh      directory.Recent
	changed    map[string]directory.Actor
	now        time.Time
}

// name is what people call the group.
func (s *groupSubject) name() string {
	switch {
	case s.export != nil:
		return s.export.Group.Name
	case s.found != nil:
		return s.found.DisplayName
	}
	return s.record.UserPrincipalName
}

// quoted is the name in a sentence.
func (s *groupSubject) quoted() string { return quoted(directory.StringValue(s.name())) }

func (s *groupSubject) change(e directory.Effect, reason string) directory.Change {
	return directory.Change{
		Object: s.record.Ref(), AccountID: s.record.AccountID, UserPrincipalName: s.name(), Effect: e, Reason: reason,
		Properties: []directory.PropertyChange{}, Irreversible: e.Row().Irreversible,
	}
}

// decideGroup says what is to be done for an exported group.
func decideGroup(s groupSubject) plan.Decision {
	switch b := s.record; {
	case b.Release != "":
		return releaseGroup(s)
	case b.Resting():
		return plan.Decision{Status: directory.BindingPaused, Problem: b.Problem, Base: b.Base, Findings: b.Findings}
	case s.export == nil || s.export.Group.Deleted != nil:
		// Whoever ends an export says what becomes of the group by releasing the record.
		return plan.Decision{Status: directory.BindingInSync, Base: b.Base}
	case b.AccountID != "":
		return keepGroup(s)
	case s.export.Adopt != "":
		return adoptGroup(s)
	case s.former != nil:
		return returnGroup(s)
	}
	return createGroup(s)
}

// returnGroup brings the tenant group of an earlier export back: it keeps its uniqueName in
// the recycle bin, so that no other can be made by it.
func returnGroup(s groupSubject) plan.Decision {
	out := plan.Decision{Status: directory.BindingPending, Base: s.record.Base}
	id := string(s.former.ID)
	switch kind := s.former.Kind(); {
	case !s.owner.IsZero() && s.owner != s.record.Ref():
		out.Status, out.Problem = directory.BindingConflict, taken(s.owner)
		return out
	case s.former.ReadOnly() != nil:
		out.Status, out.Problem = directory.BindingReadOnly, about(s.former.ReadOnly(), id)
		return out
	case kind != s.export.Kind:
		out.Status, out.Problem = directory.BindingConflict, problem(directory.CodeGroupOtherKind,
			fmt.Sprintf("%s was exported as a %s before. That group is in the recycle bin, where it keeps the name by which Bindery recognises its own.", s.quoted(), kindWords(kind)),
			"Delete that group for good in Entra, or export the group as a "+kindWords(kind)+" again. It is looked at again by itself.", id)
		return out
	}
	c := s.change(directory.EffectGroupRestore, "restored because the connection exports the group again, and its tenant group, which was deleted with the end of the last export, is in the recycle bin")
	c.AccountID, c.Created = directory.AccountID(s.former.ID), true
	out.Changes = append(out.Changes, c)
	return out
}

// wishes are the values that our directory wants of a group that is there. A
// description that it does not have is not managed until it has had one: Microsoft
// fills in that of a Microsoft 365 group by itself (GG 2.1).
func (s *groupSubject) wishes() directory.Properties {
	g := s.export.Group
	want := directory.Properties{propName: directory.StringValue(mapping.Text(g.Name))}
	_, agreed := s.record.Base[propDescription]
	if v := directory.StringValue(mapping.Text(g.Description)); !v.IsNull() || agreed {
		want[propDescription] = v
	}
	return want
}

// valuesOf are the properties of a tenant group as it was read.
func valuesOf(g *directory.TenantGroup) directory.Properties {
	return directory.Properties{
		propName: directory.StringValue(g.DisplayName), propDescription: directory.StringValue(g.Description),
		propNickname: directory.StringValue(g.MailNickname),
	}
}

// createGroup makes a new tenant group. That it is made once is for its uniqueName to
// say, whatever becomes of the answers.
func createGroup(s groupSubject) plan.Decision {
	out := plan.Decision{Status: directory.BindingPending, Base: s.record.Base}
	g := s.export.Group
	values := directory.Properties{propName: directory.StringValue(mapping.Text(g.Name)), propDescription: directory.StringValue(mapping.Text(g.Description))}
	var problem *directory.Problem
	values[propNickname], problem = nickname(s.record, g)
	for _, name := range []string{propName, propDescription} {
		if r, refused := s.record.Refused[name]; refused && r.Value.Equal(values[name]) {
			problem = &r.Problem
		}
	}
	if problem != nil {
		out.Status, out.Problem = directory.BindingRefused, problem
		return out
	}
	c := s.change(directory.EffectGroupCreate, "created because the connection exports the group as a "+kindWords(s.export.Kind))
	for _, name := range values.Names() {
		if !values[name].IsNull() {
			c.Properties = append(c.Properties, directory.PropertyChange{Name: name, After: values[name]})
		}
	}
	out.Changes = append(out.Changes, c)
	return out
}

func kindWords(k directory.TenantGroupKind) string {
	if k == directory.GroupMicrosoft365 {
		return "Microsoft 365 group"
	}
	return "security group"
}

// adoptGroup takes the tenant group that an admin has named, and no other.
func adoptGroup(s groupSubject) plan.Decision {
	out := plan.Decision{Status: directory.BindingConflict, Base: s.record.Base}
	id := string(s.export.Adopt)
	switch {
	case s.missing:
		out.Problem = problem(directory.CodeGroupGone, "The tenant group that "+s.quoted()+" is to adopt is not there.",
			"Name another tenant group in the connection's use of the group, or leave adopt out to have one created.", id)
		return out
	case s.found == nil:
		out.Status, out.Problem = directory.BindingFailed, s.notRead(id)
		return out
	case !s.owner.IsZero() && s.owner != s.record.Ref():
		out.Problem = taken(s.owner)
		return out
	}
	if p := s.found.ReadOnly(); p != nil {
		out.Status, out.Problem = directory.BindingReadOnly, about(p, id)
		return out
	}
	if kind := s.found.Kind(); kind != s.export.Kind {
		out.Problem = problem(directory.CodeGroupOtherKind, fmt.Sprintf("The tenant group %s is a %s, and %s is to be exported as a %s.", quoted(directory.StringValue(s.found.DisplayName)), kindWords(kind), s.quoted(), kindWords(s.export.Kind)),
			"Export the group as a "+kindWords(kind)+", or name another tenant group.", id)
		return out
	}
	c := s.change(directory.EffectGroupAdopt, "adopted because an admin has named this tenant group")
	c.AccountID, out.Before = directory.AccountID(s.export.Adopt), valuesOf(s.found)
	for _, name := range out.Before.Names() {
		c.Properties = append(c.Properties, directory.PropertyChange{Name: name, Before: out.Before[name], After: out.Before[name]})
	}
	d := s.diff()
	out.Changes, out.Findings, out.Status = append(out.Changes, c), d.findings, directory.BindingPending
	if u := d.update(); u != nil {
		u.AccountID = c.AccountID
		out.Changes = append(out.Changes, *u)
	}
	return out
}

// keepGroup keeps a bound group as our directory says.
func keepGroup(s groupSubject) plan.Decision {
	out := plan.Decision{Status: directory.BindingInSync, Base: s.record.Base}
	switch {
	case s.missing:
		return goneGroup(s)
	case s.found == nil:
		out.Status, out.Problem = directory.BindingFailed, s.notRead(string(s.record.AccountID))
		return out
	}
	if p := s.found.ReadOnly(); p != nil {
		out.Status, out.Problem = directory.BindingReadOnly, about(p, string(s.found.ID))
		return out
	}
	d := s.diff()
	if _, known := d.base[propExact]; known || s.compared {
		d.agree(propExact, directory.BoolValue(s.compared))
	}
	out.Base, out.Findings = d.base, d.findings
	if s.unsettled {
		out.Findings = append(out.Findings, *unsettled(s.name(), string(s.found.ID)))
	}
	if u := d.update(); u != nil {
		out.Changes, out.Status = append(out.Changes, *u), directory.BindingPending
	}
	if len(d.problems) > 0 {
		if len(out.Changes) > 0 {
			out.Findings = append(out.Findings, d.problems...)
		} else {
			out.Status, out.Problem, out.Findings = directory.BindingRefused, &d.problems[0], append(d.problems[1:], out.Findings...)
		}
	}
	return out
}

// goneGroup decides about a bound group that somebody at Microsoft has deleted.
func goneGroup(s groupSubject) plan.Decision {
	out := plan.Decision{Status: directory.BindingConflict, Base: s.record.Base}
	id := string(s.record.AccountID)
	switch {
	case s.deleted == nil && s.export.Renew:
		again := createGroup(s)
		for i := range again.Changes {
			again.Changes[i].AccountID, again.Changes[i].Reason = "", "created anew because somebody deleted the tenant group for good"
		}
		return again
	case s.deleted == nil:
		out.Problem = problem(directory.CodeGroupGone, "The tenant group of "+s.quoted()+" was deleted at Microsoft for good.",
			"Set onSoftDeleted to restore to have it made anew, or end the export.", id)
	case !s.export.Renew:
		out.Problem = problem(directory.CodeGroupSoftDeleted, "Somebody deleted the tenant group of "+s.quoted()+" at Microsoft; it can be restored for 30 days.",
			"Restore it there, or set onSoftDeleted to restore, or end the export.", id)
	default:
		if p := s.deleted.ReadOnly(); p != nil {
			out.Status, out.Problem = directory.BindingReadOnly, about(p, id)
			return out
		}
		out.Status = directory.BindingPending
		out.Changes = append(out.Changes, s.change(directory.EffectGroupRestore, "restored because somebody deleted a tenant group that the connection exports"))
	}
	return out
}

// groupDiff compares what our directory wants of a tenant group with what was agreed
// and what is there, by the table of package plan.
type groupDiff struct {
	*groupSubject
	base     directory.Properties
	own      bool // base is a copy
	write    []directory.PropertyChange
	reasons  []string
	findings []directory.Problem
	problems []directory.Problem
}

func (s *groupSubject) diff() *groupDiff {
	d := &groupDiff{groupSubject: s, base: s.record.Base}
	want, observed := s.wishes(), valuesOf(s.found)
	for _, name := range want.Names() {
		d.property(name, want[name], observed[name])
	}
	return d
}

func (d *groupDiff) agree(name string, v directory.Value) {
	if base, known := d.base[name]; known && base.Equal(v) {
		return
	}
	if !d.own {
		d.base, d.own = cloned(d.base), true
	}
	d.base[name] = v
}

func (d *groupDiff) property(name string, want, observed directory.Value) {
	base, known := d.base[name]
	stale := known && d.fresh.Has(name) && !mapping.Same(name, base, observed)
	if stale {
		observed = base // the read may be older than our write
	}
	if mapping.Same(name, want, observed) {
		if !stale {
			d.agree(name, want)
		}
		return
	}
	if r, refused := d.record.Refused[name]; refused && r.Value.Equal(want) {
		d.problems = append(d.problems, r.Problem)
		return
	}
	weChanged, theyChanged := !mapping.Same(name, base, want), !mapping.Same(name, base, observed)
	who := d.actor(name)
	why := "the directory changed it"
	switch {
	case !known:
		why = "the directory manages it now"
	case weChanged && theyChanged:
		d.finding(directory.CodeBothChanged, fmt.Sprintf("%s was changed from %s to %s in Microsoft 365%s and to %s in the directory; the directory's value wins.",
			name, quoted(base), quoted(observed), who, quoted(want)), "", who)
	case theyChanged && d.policy == directory.ForeignReport:
		d.finding(directory.CodeForeignChange, fmt.Sprintf("%s was changed from %s to %s in Microsoft 365%s; by the connection's settings that is only reported.",
			name, quoted(base), quoted(observed), who), "Change the group to the new value, or set foreignChange to revert.", who)
		return
	case theyChanged:
		why = "somebody changed it in Microsoft 365"
		if who != nil {
			why = "it was changed in Microsoft 365" + who.String()
		}
	}
	d.write = append(d.write, directory.PropertyChange{Name: name, Before: observed, After: want})
	d.reasons = append(d.reasons, fmt.Sprintf("%s: %s → %s, because %s", name, quoted(observed), quoted(want), why))
}

// actor is who changed a property at Microsoft; nil when that is not known.
func (s *groupSubject) actor(name string) *directory.Actor {
	if a, known := s.changed[name]; known {
		return &a
	}
	return nil
}

func (d *groupDiff) finding(code, message, next string, by *directory.Actor) {
	p := problem(code, message, next, string(d.found.ID))
	p.By = by
	d.findings = append(d.findings, *p)
}

// update is the change that writes what differs; nil when nothing does.
func (d *groupDiff) update() *directory.Change {
	if len(d.write) == 0 {
		return nil
	}
	c := d.change(directory.EffectGroupUpdate, strings.Join(d.reasons, "; "))
	c.Properties = d.write
	return &c
}

// releaseGroup says what is to be written when the export of a group ends. Without
// changes and without a problem the record can go at once.
//
//	keep     nothing: the tenant group stays as it is
//	empty    nothing of its own, once the memberships that we gave are taken away
//	restore  the values from before an adoption, and then as empty
//	delete   as empty, and then the tenant group is deleted, if we made it; one that was
//	         there before us stays as with keep
//
// A deletion waits for the memberships too, although it takes them along: one that is held,
// was refused or is paused would go all the same, and what is brought back by an undo would
// have members who count as others' from then on. It is planned with the removals, so that
// an admin sees and takes back both together, and is sent once these are done
// (groupBatch.Confirm).
func releaseGroup(s groupSubject) plan.Decision {
	out := plan.Decision{Status: directory.BindingInSync, Base: s.record.Base}
	id := string(s.record.AccountID)
	deletes := s.record.Release == directory.ReleaseDelete && s.record.Created
	switch {
	case id == "", s.missing, s.record.Release == directory.ReleaseKeep, s.record.Release == directory.ReleaseDelete && !deletes:
		return out
	case s.record.Status == directory.BindingPaused:
		out.Status, out.Problem = directory.BindingPaused, problem(directory.CodeBindingPaused, "The export of "+s.quoted()+" is paused; nothing is written to the tenant group.",
			"Resume it, or end the export with keep.", id)
		return out
	case s.found == nil:
		out.Status, out.Problem = directory.BindingFailed, s.notRead(id)
		return out
	}
	if p := s.found.ReadOnly(); p != nil && (deletes || s.record.Release == directory.ReleaseRestore) {
		out.Status, out.Problem = directory.BindingReadOnly, about(p, id)
		return out
	}
	switch {
	case deletes && len(s.found.Licences) > 0:
		out.Status, out.Problem = directory.BindingFailed, problem(directory.CodeGroupHasLicenses, "The tenant group of "+s.quoted()+" gives licences to its members; Microsoft deletes none that does.",
			"Take the licences from the group in Entra; it is tried again by itself. Or end the export with keep.", id)
		return out
	case s.members > 0:
		out.Status, out.Problem = directory.BindingPending, membersLeft(s.members, s.quoted(), id)
		return out
	case deletes:
		out.Changes = append(out.Changes, s.change(directory.EffectGroupDelete, "deleted because its export ended, and the policy says so"))
		out.Status = directory.BindingPending
		return out
	}
	if s.record.Release == directory.ReleaseRestore && !s.record.Created {
		out.Changes = s.back(s.record.Before, ", as before the group was adopted")
	}
	if len(out.Changes) > 0 {
		out.Status = directory.BindingPending
	}
	return out
}

// membersLeft is why a group is not let go yet.
func membersLeft(n int, group, id string) *directory.Problem {
	return problem(directory.CodeGroupMembersLeft, fmt.Sprintf("%d memberships are still to be dealt with before the tenant group of %s is let go.", n, group),
		"It is looked at again by itself. See what keeps them: each is a binding of the kind member with its own problem.", id)
}

// back writes values from before, as long as the tenant group still has those that
// were agreed.
func (s *groupSubject) back(before directory.Properties, why string) []directory.Change {
	d := &groupDiff{groupSubject: s, base: s.record.Base}
	observed := valuesOf(s.found)
	for _, name := range before.Names() {
		was, is := before[name], observed[name]
		base, agreed := s.record.Base[name]
		if agreed && s.fresh.Has(name) {
			is = base
		}
		if !agreed || mapping.Same(name, was, is) || !mapping.Same(name, base, is) {
			continue
		}
		d.write = append(d.write, directory.PropertyChange{Name: name, Before: is, After: was})
		d.reasons = append(d.reasons, fmt.Sprintf("%s: %s → %s%s", name, quoted(is), quoted(was), why))
	}
	if u := d.update(); u != nil {
		return []directory.Change{*u}
	}
	return nil
}

// taken is what is wrong when a tenant group is the export of another group.
func taken(by directory.Ref) *directory.Problem {
	return problem(directory.CodeGroupTaken, "The tenant group is the export of another group.",
		"End that export, or name another tenant group.", by.ID)
}

func (s *groupSubject) notRead(id string) *directory.Problem {
	if s.unread != nil {
		return about(s.unread, id)
	}
	return problem(directory.CodeGroupNotRead, "The tenant group could not be read, so it is not known what to write.", "It is read again by the next run.", id)
}

func problem(code, message, next, holder string) *directory.Problem {
	return &directory.Problem{Code: code, Message: message, Next: next, Holder: holder}
}

// about is a problem of the registry that tells which object it is of.
func about(p *directory.Problem, holder string) *directory.Problem {
	q := *p
	q.Holder = holder
	return &q
}

func quoted(v directory.Value) string {
	if v.IsNull() {
		return "(empty)"
	}
	const longest = 80
	s := []rune(v.String())
	if len(s) > longest {
		s = append(slices.Clone(s[:longest-1]), '…')
	}
	return fmt.Sprintf("%q", string(s))
}

func cloned(p directory.Properties) directory.Properties {
	out := directory.Properties{}
	for name, v := range p {
		out[name] = v
	}
	return out
}
