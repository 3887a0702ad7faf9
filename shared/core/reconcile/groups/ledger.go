package groups

import (
	"slices"

	"bindery/shared/directory"
)

// noteMember brings the record of a membership to what an applied change made of it.
// already says that it was so before: then the membership is not ours to take back.
func noteMember(b *directory.Binding, e directory.Effect, p pair, already bool) {
	switch e {
	case directory.EffectMemberAdd:
		b.Created = !already || b.Created && agreedPair(b) == p && hasAgreed(b)
		b.Base = agreedOn(p, true)
	case directory.EffectMemberRemove:
		b.Created = false
		b.Base = agreedOn(p, false)
	}
}

// noteGroup brings the record of a group to what an applied change made of it.
func noteGroup(b *directory.Binding, c *directory.Change) {
	switch c.Effect {
	case directory.EffectGroupAdopt:
		if c.Created {
			b.Created = true
		}
		if b.Before == nil {
			b.Before = c.After()
		}
		b.Base = directory.Properties{propName: b.Before[propName]}
	case directory.EffectGroupCreate:
		b.Created, b.Before, b.Base = true, nil, c.After()
	case directory.EffectGroupRestore:
		if c.Created { // of an earlier export: nothing is agreed about it so far
			b.Created, b.Before, b.Base = true, nil, directory.Properties{propReturned: directory.BoolValue(true)}
		}
	case directory.EffectGroupUpdate:
		b.Base = cloned(b.Base)
		for _, p := range c.Properties {
			b.Base[p.Name] = p.After
			delete(b.Refused, p.Name)
		}
	}
	if name, wrote := c.After()[propName]; wrote {
		b.UserPrincipalName = name.String()
	}
}

// knows returns the object that the record of a membership already accounts for: the
// stranger whom it is about, or the account that we have put into the group, or that an
// undo has left there, or that is being let go. "": none.
func knows(b *directory.Binding) directory.AccountID {
	if a := strangerOf(b.Object); a != "" {
		return a
	}
	if p, given := givenPair(b); given {
		return folded(p.member)
	}
	if hasAgreed(b) && (b.Resting() || b.Release != "") {
		return folded(agreedPair(b).member)
	}
	return ""
}

// noteSent notes that a membership is about to be given, until noteMember says what became
// of it; false: the record says so already.
func noteSent(b *directory.Binding, p pair) bool {
	if given, yes := givenPair(b); yes && given == p {
		return false
	}
	b.Base = cloned(b.Base)
	b.Base[propSent] = directory.ListValue(string(p.group), string(p.member))
	return true
}

// forgetSent notes that a membership was not given.
func forgetSent(b *directory.Binding, p pair) {
	if sentPair(b) == p {
		b.Base = cloned(b.Base)
		delete(b.Base, propSent)
	}
}

// strangers are the members of a tenant group whom our directory does not want in it:
// those that are neither owned nor known already. Only accounts and groups are; what
// else can be a member, such as a device, is for nobody's directory to say.
func strangers(members map[directory.AccountID]directory.TenantMemberType, owned, known map[directory.AccountID]bool) []directory.AccountID {
	var list []directory.AccountID
	for id, is := range members {
		if (is == directory.TenantMemberUser || is == directory.TenantMemberGroup) && !owned[id] && !known[id] {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return list
}
