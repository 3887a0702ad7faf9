package groups

import (
	"fmt"
	"slices"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// The properties of a membership, in changes and as the base of its record.
const (
	// propMember says whether there is the membership.
	propMember = directory.PropMember
	// propGroup and propAccount are the tenant group and the object in it; Null as long
	// as one of them is not there yet.
	propGroup   = "group"
	propAccount = "account"
	// propSent is the group and the account of a membership that may have been given: its
	// addition was about to be sent, and what became of that is not noted. Of a group it
	// says likewise that it may have been made.
	propSent = "sent"
)

// pair is a membership in the tenant: who is in which group.
type pair struct {
	group  directory.TenantGroupID
	member directory.AccountID
}

// known reports whether both are there.
func (p pair) known() bool { return p.group != "" && p.member != "" }

// agreedPair is the membership that a record was last brought to.
func agreedPair(b *directory.Binding) pair {
	return pair{directory.TenantGroupID(b.Base[propGroup].String()), directory.AccountID(b.Base[propAccount].String())}
}

// sentPair is the membership that may have been given, of which nobody has heard; unknown
// when there is none.
func sentPair(b *directory.Binding) pair {
	if names, _ := b.Base[propSent].List(); len(names) == 2 {
		return pair{directory.TenantGroupID(names[0]), directory.AccountID(names[1])}
	}
	return pair{}
}

// givenPair is the membership that is there by us, or may be.
func givenPair(b *directory.Binding) (p pair, yes bool) {
	if p := sentPair(b); p.known() {
		return p, true
	}
	p = agreedPair(b)
	return p, p.known() && hasAgreed(b) && b.Created
}

// hasAgreed reports whether the membership of the base is there, as far as we know.
func hasAgreed(b *directory.Binding) bool {
	yes, _ := b.Base[propMember].Bool()
	return yes
}

// agreedOn is the base of a membership that is there, or of one that we have taken.
func agreedOn(p pair, is bool) directory.Properties {
	return directory.Properties{
		propMember: directory.BoolValue(is), propGroup: directory.StringValue(string(p.group)), propAccount: directory.StringValue(string(p.member)),
	}
}

// groupFacts are what deciding about a membership needs to know of its group.
type groupFacts struct {
	// export is how the connection exports the group; nil: not any more.
	export *Export
	name   string                  // what people call it; "" when nothing says so any more
	id     directory.TenantGroupID // "": there is none yet
	// coming says that the group is about to be made, or restored.
	coming bool
	// problem is why nothing is written to it.
	problem *directory.Problem
	// unread is why it is not known whether it is there, or who is in it.
	unread *directory.Problem
	// unsettled says that whoever looks like a stranger may be somebody whom our directory
	// wants, and whose account is not known yet.
	unsettled bool
	// gone says that the tenant group is not there, for good; deleted that it is in the
	// recycle bin.
	gone, deleted bool
	// ended says that our record of the group has gone.
	ended bool
	// size is how many members it has.
	size int
}

// memberFacts are what is known of whom a membership is of.
type memberFacts struct {
	// name is what people call the member, by its userPrincipalName or its own name.
	name               string
	department, domain string
	id                 directory.AccountID // "": there is none yet
	// coming says that an account, or a nested group, is about to be made.
	coming bool
	// missing is why there is none; the finding of who is no member for it.
	missing *directory.Problem
	// deleted says that the user is deleted in our directory: what a leaver keeps is for
	// the leaver's timeline to say.
	deleted bool
	// protected is why the account must not be taken out of groups that others put it in.
	protected string
}

// memberSubject is one record of a membership with all that was read about it.
type memberSubject struct {
	ref    directory.Ref
	record *directory.Binding // nil: it has been let go, which matters to an undo only
	group  groupFacts
	member memberFacts
	policy directory.ForeignPolicy
	// in is who is in which group, of the pairs that were asked about.
	in map[pair]bool
	// fresh says that what was read may be older than our last write.
	fresh bool
	// owned says of a stranger that our directory wants the account in the group by now.
	owned bool
	by    *directory.Actor // who changed it at Microsoft, if that is known
}

// wanted is the membership that our directory wants.
func (s *memberSubject) wanted() pair { return pair{s.group.id, s.member.id} }

// stranger reports whether it is about somebody whom our directory does not want in an
// exact group.
func (s *memberSubject) stranger() bool { return strangerOf(s.ref) != "" }

// strangerOf is the object of the tenant that the Ref of a stranger's membership names;
// "" when r is none.
func strangerOf(r directory.Ref) directory.AccountID {
	_, a, _ := r.Stranger()
	return a
}

// groupName is what people call the group.
func (s *memberSubject) groupName() string {
	if s.group.name != "" {
		return quoted(directory.StringValue(s.group.name))
	}
	return "the group"
}

// memberDecision is a decision about a membership. gone says that its record has no
// reason to be any more; others that the membership was found, and is not ours whatever
// was given before it; ours that we have given it, by a write of which nobody heard.
type memberDecision struct {
	plan.Decision
	gone, others, ours bool
}

func (s *memberSubject) change(e directory.Effect, p pair, reason string) directory.Change {
	c := directory.Change{
		Object: s.ref, AccountID: p.member, UserPrincipalName: s.member.name, Department: s.member.department, Domain: s.member.domain,
		Effect: e, Reason: reason, Irreversible: e.Row().Irreversible,
	}
	is := e == directory.EffectMemberAdd
	group := directory.StringValue(string(p.group))
	c.Properties = []directory.PropertyChange{
		{Name: propMember, Before: directory.BoolValue(s.in[p]), After: directory.BoolValue(is)},
		{Name: propGroup, Before: group, After: group},
	}
	return c
}

// decideMember says what is to be done about a membership.
//
//	record        in the group   what happens
//	-----------   ------------   -------------------------------------------------------
//	wanted        no             add; what was agreed before and somebody took: put back,
//	                             or reported, by foreignChange
//	wanted        yes            nothing; it is ours only if we gave it
//	let go        ours           remove, whether it is seen or not: that a list of members
//	                             ends too early shows nowhere, and nobody must keep an access
//	                             by that
//	let go        yes, others'   nothing; in an exact group remove
//	let go        no, others'    nothing, and the record goes
//	stranger      yes            remove, unless the account is protected
//	stranger      no             nothing
//
// Soon after a write of ours what was read may be older: then the base counts.
func decideMember(s memberSubject) memberDecision {
	b := s.record
	out := memberDecision{Decision: plan.Decision{Status: directory.BindingInSync, Base: b.Base}}
	switch {
	case b.Release != "" && b.Status == directory.BindingPaused && b.Release != directory.ReleaseKeep:
		out.Status, out.Problem = directory.BindingPaused, problem(directory.CodeBindingPaused, "The membership of "+s.member.name+" in "+s.groupName()+" is paused; nothing is done about it.",
			"Resume it, or let it go with keep.", s.ref.ID)
	case b.Release != "":
		s.release(&out)
	case b.Resting():
		out.Status, out.Problem, out.Findings = directory.BindingPaused, b.Problem, b.Findings
	case s.group.export == nil:
		// Whoever ends an export lets its memberships go.
	case s.stranger():
		s.expel(&out)
	default:
		s.keep(&out)
	}
	return out
}

// keep keeps somebody in the group whom our directory wants there.
func (s *memberSubject) keep(out *memberDecision) {
	old, want := agreedPair(s.record), s.wanted()
	switch {
	case s.group.unread != nil:
		out.Status, out.Problem = directory.BindingFailed, s.group.unread
		return
	case s.group.problem != nil:
		out.Status, out.Problem = directory.BindingReadOnly, s.group.problem
		return
	case s.member.deleted && want.member == "":
		return
	case s.member.missing != nil:
		out.Findings = append(out.Findings, *s.member.missing)
		return
	case want.group == "" && !s.group.coming:
		out.Findings = append(out.Findings, *problem(directory.CodeGroupWaits, "The tenant group of "+s.groupName()+" is not there.", "See what keeps the export of the group.", s.ref.ID))
		return
	}
	given, ours := givenPair(s.record)
	if _, there := s.in[given]; there && ours && want.known() && given != want {
		// The user has another account by now: the old one is in the group by us. It is
		// taken out first, seen or not: the record tells of one membership at a time.
		out.Status = directory.BindingPending
		out.Changes = append(out.Changes, s.change(directory.EffectMemberRemove, given, "removed from "+s.groupName()+" because its user has another account now"))
		return
	}
	same := old == want && hasAgreed(s.record)
	switch {
	case !want.known():
		out.Changes = append(out.Changes, s.add(want, s.why()))
	case s.in[want]:
		out.Base = agreedOn(want, true)
		out.ours = sentPair(s.record) == want
		out.others = !out.ours && (old != want || s.seenTaken())
	case s.member.deleted:
	case same && s.fresh:
	case same && s.policy == directory.ForeignReport:
		p := problem(directory.CodeForeignChange, fmt.Sprintf("%s was taken out of the tenant group of %s in Microsoft 365%s; by the connection's settings that is only reported.",
			s.member.name, s.groupName(), s.by), "Take the member out of the directory's group as well, or set foreignChange to revert.", string(want.member))
		p.By = s.by
		out.Findings = append(out.Findings, *p)
	case same:
		why := "somebody removed it in Microsoft 365"
		if s.by != nil {
			why = "it was removed in Microsoft 365" + s.by.String()
		}
		out.Changes = append(out.Changes, s.add(want, why))
	default:
		out.Changes = append(out.Changes, s.add(want, s.why()))
	}
	if len(out.Changes) > 0 {
		out.Status = directory.BindingPending
	}
}

// seenTaken reports whether somebody had taken the member out, which was only reported:
// whoever is there again is there by others.
func (s *memberSubject) seenTaken() bool {
	return slices.ContainsFunc(s.record.Findings, func(p directory.Problem) bool { return p.Code == directory.CodeForeignChange })
}

func (s *memberSubject) why() string { return "the directory's group has this member" }

func (s *memberSubject) add(p pair, why string) directory.Change {
	return s.change(directory.EffectMemberAdd, p, "added to "+s.groupName()+" because "+why)
}

// leftByDecision is, of somebody who stays in an exact group since an admin declined the
// removal, the record of a stranger by which nobody proposes it once more; nil: it is no
// such membership.
func (s *memberSubject) leftByDecision() *directory.Binding {
	b, p := s.record, agreedPair(s.record)
	if b.Release != directory.ReleaseKeep || s.stranger() || s.group.export == nil || !s.group.export.Exact || !s.in[p] {
		return nil
	}
	removal := s.change(directory.EffectMemberRemove, p, "")
	if !slices.Contains(b.Declined, plan.Fingerprint(&removal)) {
		return nil
	}
	g, _, _ := memberOf(s.ref)
	p.member = folded(p.member)
	removal.Object, removal.AccountID = directory.StrangerOf(g, p.member), p.member
	return &directory.Binding{
		Object: removal.Object, ConnectionID: b.ConnectionID, Epoch: b.Epoch, TenantID: b.TenantID, UserPrincipalName: s.member.name,
		Status: directory.BindingPending, Wanted: 1, SelectedBy: b.SelectedBy, SelectedAt: b.SelectedAt, Declined: []string{plan.Fingerprint(&removal)},
	}
}

// release takes away what we gave.
func (s *memberSubject) release(out *memberDecision) {
	old, is := agreedPair(s.record), hasAgreed(s.record)
	given, ours := givenPair(s.record)
	if ours {
		old, is = given, true
	}
	exact := s.group.export != nil && s.group.export.Exact
	if s.record.Release == directory.ReleaseRestore && s.stranger() {
		s.giveBack(out)
		return
	}
	switch {
	case s.record.Release == directory.ReleaseKeep, !old.known(), s.stranger(), !is, !ours && !exact, s.group.gone:
		out.gone = true
	case s.group.deleted && s.group.ended && s.group.export == nil:
		out.gone = true // we have deleted it, or left it to others
	case s.group.unread != nil:
		out.Status, out.Problem = directory.BindingFailed, s.group.unread
	case s.group.deleted:
		// Somebody may restore the group, and with it the membership.
		out.Status, out.Problem = directory.BindingFailed, problem(directory.CodeGroupSoftDeleted,
			"The tenant group of "+s.groupName()+" is in the recycle bin, and the membership with it.", "It is looked at again by itself.", string(old.group))
	case s.group.problem != nil:
		out.Status, out.Problem = directory.BindingReadOnly, s.group.problem
	case !ours && !s.in[old]:
		out.gone = true
	case !ours && s.member.protected != "":
		s.spare(out)
	default:
		out.Changes = append(out.Changes, s.change(directory.EffectMemberRemove, old, "removed from "+s.groupName()+" because the directory's group does not have this member any more"))
		out.Status = directory.BindingPending
	}
}

// expel takes somebody out of an exact group whom our directory does not want there.
func (s *memberSubject) expel(out *memberDecision) {
	p := s.wanted()
	took := agreedPair(s.record) == p && !hasAgreed(s.record) && s.record.Base != nil
	switch {
	case s.owned, !s.group.export.Exact:
		out.gone = true
	case s.group.unread != nil:
		out.Status, out.Problem = directory.BindingFailed, s.group.unread
	case s.group.problem != nil:
		out.Status, out.Problem = directory.BindingReadOnly, s.group.problem
	case !p.known(), s.group.deleted, s.group.gone:
		out.gone = !took
	case !s.in[p]:
		out.gone = !took // whom we have removed can be given back
	case took && s.fresh:
	case s.group.unsettled:
		out.Status, out.Problem = directory.BindingPending, unsettled(s.groupName(), s.ref.ID)
	case s.member.protected != "":
		s.spare(out)
	default:
		why := "the directory's group does not have this member, and its export is exact"
		if s.by != nil {
			why += "; added" + s.by.String()
		}
		out.Changes = append(out.Changes, s.change(directory.EffectMemberRemove, p, "removed from "+s.groupName()+" because "+why))
		out.Status = directory.BindingPending
	}
}

// unsettled is why nobody is taken out of an exact group yet.
func unsettled(group, id string) *directory.Problem {
	return problem(directory.CodeMemberWaits, "A member of "+group+" has no account yet. It may be any that is in the tenant group already, so nobody is taken out of it.",
		"It is looked at again once the accounts of all members are known. A binding that is in conflict needs a decision.", id)
}

// giveBack puts somebody back whom an exact export has taken out.
func (s *memberSubject) giveBack(out *memberDecision) {
	old := agreedPair(s.record)
	switch {
	case !tookStranger(s.record), s.group.gone, s.in[old] && !s.fresh:
		out.gone = true
	case s.group.unread != nil:
		out.Status, out.Problem = directory.BindingFailed, s.group.unread
	case s.group.problem != nil:
		out.Status, out.Problem = directory.BindingReadOnly, s.group.problem
	default:
		out.Changes = append(out.Changes, s.change(directory.EffectMemberAdd, old, "added to "+s.groupName()+" again because it was removed from it only while the export was exact"))
		out.Status = directory.BindingPending
	}
}

// spare leaves a protected account where others put it.
func (s *memberSubject) spare(out *memberDecision) {
	out.Status = directory.BindingReadOnly
	out.Problem = problem(directory.CodeAccountProtected, "The account is protected: "+s.member.protected+". It stays in "+s.groupName()+", where we did not put it.",
		"Take it out by hand, or lift its protection, or add its user to the directory's group.", string(s.member.id))
}
