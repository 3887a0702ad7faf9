package groups

import (
	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

var leftMessages = map[string]string{
	plan.LeftChanged:  "Somebody changed it since; it is left as it is.",
	plan.LeftCreated:  "The tenant group was made by that run; it stays, without the members that the run gave it, and is not kept in step.",
	plan.LeftRestored: "The restored group stays; it is not deleted again.",
	plan.LeftNotRead:  "The tenant group could not be read; it is left as it is.",
	plan.LeftGone:     "The tenant group was deleted at Microsoft.",
	plan.LeftReleased: "The export has ended since; the tenant group is not ours to write.",
	plan.LeftOther:    "The tenant group is the export of another group now.",
}

func left(ref directory.Ref, id directory.AccountID, property, code string, wrote, found directory.Value) plan.Left {
	return plan.Left{Object: ref, AccountID: id, Property: property, Code: code, Message: leftMessages[code], Wrote: wrote, Found: found}
}

// undoGroup plans the inverse of a run's applied changes of one group. s.record is nil
// when the export has ended since.
//
//	group-create    nothing; listed: a group is deleted by a policy alone (invariant 16)
//	group-adopt     the values from before; the group stays ours, and paused
//	group-update    the values before, where the tenant group still has ours
//	group-delete    group-restore, as long as Microsoft keeps the group
//	group-restore   nothing; listed
//	release         group-adopt, and the values that were ours
//
// The record is paused by the undo, so that nothing is done again by itself.
func undoGroup(s groupSubject, run directory.RunID, changes []directory.Change) plan.Undone {
	u := &groupUndo{groupSubject: s, why: ", as before " + string(run), images: map[directory.Effect]directory.Change{}}
	u.ref = changes[0].Ref()
	for _, c := range changes {
		u.images[c.Effect] = c
		if c.AccountID != "" {
			u.id = c.AccountID
		}
		if c.Effect != directory.EffectGroupUpdate {
			continue
		}
		for _, p := range c.Properties {
			if !u.wrote(p.Name) {
				u.was = append(u.was, p)
			}
			for i := range u.was {
				if u.was[i].Name == p.Name {
					u.was[i].After = p.After
				}
			}
		}
	}
	u.plan()
	return u.out
}

type groupUndo struct {
	groupSubject
	ref    directory.Ref
	id     directory.AccountID
	why    string
	images map[directory.Effect]directory.Change
	was    []directory.PropertyChange // what the run made of each value
	out    plan.Undone
}

func (u *groupUndo) wrote(name string) bool {
	for _, p := range u.was {
		if p.Name == name {
			return true
		}
	}
	return false
}

func (u *groupUndo) did(e directory.Effect) bool {
	_, yes := u.images[e]
	return yes
}

func (u *groupUndo) leave(property, code string, wrote, found directory.Value) {
	u.out.Left = append(u.out.Left, left(u.ref, u.id, property, code, wrote, found))
}

func (u *groupUndo) change(e directory.Effect, reason string) directory.Change {
	name := u.images[directory.EffectGroupUpdate].UserPrincipalName
	if u.record != nil {
		name = u.name()
	}
	for _, c := range u.images {
		if name == "" {
			name = c.UserPrincipalName
		}
	}
	c := directory.Change{Object: u.ref, AccountID: u.id, UserPrincipalName: name, Effect: e, Reason: reason, Irreversible: e.Row().Irreversible}
	if u.record != nil {
		c.UserVersion = u.record.Wanted
	}
	return c
}

func (u *groupUndo) plan() {
	given, ended := u.images[directory.EffectRelease], u.did(directory.EffectRelease)
	deleted := u.did(directory.EffectGroupDelete)
	switch {
	case u.id == "":
		return // nothing was written
	case !u.owner.IsZero() && u.owner != u.ref, u.record != nil && u.record.AccountID != u.id:
		u.leave("", plan.LeftOther, directory.Null, directory.Null)
		return
	case u.record == nil && !ended && !deleted:
		u.leave("", plan.LeftReleased, directory.Null, directory.Null)
		return
	}
	again := func() {
		if u.record != nil {
			return
		}
		c := u.change(directory.EffectGroupAdopt, "adopted again because its release is undone")
		c.Created = given.Created || deleted
		c.Properties = given.Properties
		u.out.Changes = append(u.out.Changes, c)
	}
	if u.missing {
		if !deleted || u.deleted == nil {
			u.leave("", plan.LeftGone, directory.Null, directory.Null)
			return
		}
		again()
		u.out.Changes = append(u.out.Changes, u.change(directory.EffectGroupRestore, "restored because its deletion is undone"))
		return
	}
	if u.found == nil {
		u.leave("", plan.LeftNotRead, directory.Null, directory.Null)
		return
	}
	if p := u.found.ReadOnly(); p != nil {
		u.out.Left = append(u.out.Left, plan.Left{Object: u.ref, AccountID: u.id, Code: p.Code, Message: p.Message})
		return
	}
	switch {
	case u.did(directory.EffectGroupCreate):
		u.leave("", plan.LeftCreated, directory.Null, directory.Null)
	case u.did(directory.EffectGroupRestore):
		u.leave("", plan.LeftRestored, directory.Null, directory.Null)
	default:
		again()
		u.values()
	}
}

// values sets back what the run wrote, where it is still there.
func (u *groupUndo) values() {
	observed := valuesOf(u.found)
	var back []directory.PropertyChange
	for _, p := range u.was {
		is := observed[p.Name]
		if u.fresh.Has(p.Name) && mapping.Same(p.Name, is, p.Before) {
			is = p.After // an old copy
		}
		switch {
		case mapping.Same(p.Name, is, p.Before):
		case !mapping.Same(p.Name, is, p.After):
			u.leave(p.Name, plan.LeftChanged, p.After, is)
		default:
			back = append(back, directory.PropertyChange{Name: p.Name, Before: is, After: p.Before})
		}
	}
	if len(back) == 0 {
		return
	}
	reason := ""
	for _, p := range back {
		if reason != "" {
			reason += "; "
		}
		reason += p.Name + ": " + quoted(p.Before) + " → " + quoted(p.After) + u.why
	}
	c := u.change(directory.EffectGroupUpdate, reason)
	c.Properties = back
	u.out.Changes = append(u.out.Changes, c)
}

// undoMember plans the inverse of a run's applied changes of one membership. s.record
// is nil when it was let go since: then it is made anew with what is given back. Both
// group and member are those of the changes.
//
//	member-add      member-remove, if it is still there by us
//	member-remove   member-add, if it is still not there
//	group-adopt     release: the record that an undo made goes again
func undoMember(s memberSubject, changes []directory.Change) plan.Undone {
	var out plan.Undone
	net := map[pair]bool{} // what the run made of each membership
	unseen := map[pair]bool{}
	var order []pair
	adopted := false
	for i := range changes {
		c := &changes[i]
		adopted = adopted || c.Effect == directory.EffectAdopt
		if c.Effect != directory.EffectMemberAdd && c.Effect != directory.EffectMemberRemove {
			continue
		}
		p := pairOf(c, s.record)
		if _, again := net[p]; !again {
			order = append(order, p)
		}
		net[p] = c.Effect == directory.EffectMemberAdd
		unseen[p] = unseen[p] || !net[p] && !wasMember(c)
	}
	for _, p := range order {
		is, stale := s.in[p], s.fresh
		if stale && s.record != nil && agreedPair(s.record) == p {
			is, stale = hasAgreed(s.record), false // our last write tells of it
		}
		e, why := directory.EffectMemberRemove, "removed from "+s.groupName()+" because the addition is undone"
		if !net[p] {
			e, why = directory.EffectMemberAdd, "added to "+s.groupName()+" because the removal is undone"
		}
		l := func(code string) {
			out.Left = append(out.Left, left(s.ref, p.member, propMember, code, directory.BoolValue(net[p]), directory.BoolValue(is)))
		}
		switch {
		case !p.known() || s.group.gone || s.group.deleted:
			l(plan.LeftGone)
			continue
		case s.group.unread != nil:
			l(plan.LeftNotRead)
			continue
		case s.group.problem != nil:
			out.Left = append(out.Left, plan.Left{Object: s.ref, AccountID: p.member, Code: s.group.problem.Code, Message: s.group.problem.Message})
			continue
		case is != net[p] && !stale:
			if is {
				continue // it is there again, as before the run
			}
			l(plan.LeftChanged)
			continue
		case s.record == nil && net[p]:
			l(plan.LeftReleased)
			continue
		case net[p] && (!s.record.Created || agreedPair(s.record) != p):
			l(plan.LeftChanged) // others gave it, before the run or since
			continue
		case unseen[p]:
			continue // it was removed to be sure, and nobody has seen it
		}
		c := s.change(e, p, why)
		if s.record != nil {
			c.UserVersion = s.record.Wanted
		} else {
			made := directory.Change{Object: s.ref, UserPrincipalName: c.UserPrincipalName, Effect: directory.EffectAdopt, Reason: "kept in step again because its release is undone"}
			out.Changes = append(out.Changes, made)
		}
		out.Changes = append(out.Changes, c)
	}
	if adopted && s.record != nil {
		c := directory.Change{Object: s.ref, UserPrincipalName: s.member.name, Effect: directory.EffectRelease, Reason: "let go because the undo is undone", UserVersion: s.record.Wanted, Release: directory.ReleaseKeep}
		out.Changes = append(out.Changes, c)
	}
	return out
}

// wasMember reports whether a change found the membership.
func wasMember(c *directory.Change) bool {
	for _, p := range c.Properties {
		if p.Name == propMember {
			was, _ := p.Before.Bool()
			return was
		}
	}
	return false
}

// pairOf is the membership that a change wrote. One that was planned before group or
// account were there is the one that its record has since.
func pairOf(c *directory.Change, b *directory.Binding) pair {
	p := pair{member: c.AccountID}
	for _, pc := range c.Properties {
		if pc.Name == propGroup {
			p.group = directory.TenantGroupID(pc.After.String())
		}
	}
	if !p.known() && b != nil {
		return agreedPair(b)
	}
	return p
}
