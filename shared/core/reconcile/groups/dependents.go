package groups

import (
	"context"
	"maps"
	"slices"

	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
)

// Dependents are, for reconcile.Config.Dependents, the memberships that may have waited
// for an account or a tenant group: those that say so. A group that is being let go waits
// for its memberships, of which a load has many thousands: of all together each group is
// looked at once.
func Dependents(c Config) reconcile.Dependents {
	return func(ctx context.Context, conn *directory.Connection, refs []directory.Ref) ([]directory.Ref, error) {
		var all []directory.Ref
		of := map[directory.Ref]bool{}
		for _, ref := range refs {
			list, err := c.dependents(ctx, conn, ref)
			if err != nil {
				return nil, err
			}
			all = append(all, list...)
			if group, _, is := memberOf(ref); is {
				of[directory.GroupRef(group)] = true
			}
		}
		if len(of) == 0 {
			return all, nil
		}
		found, err := c.Records.BindingsOf(ctx, conn.ID, slices.Collect(maps.Keys(of)))
		for ref, b := range found {
			if b.Epoch == conn.Epoch && b.Release != "" {
				all = append(all, ref)
			}
		}
		return all, err
	}
}

// dependents are those of a user, or of a group.
func (c Config) dependents(ctx context.Context, conn *directory.Connection, ref directory.Ref) ([]directory.Ref, error) {
	switch {
	case ref.User() != "":
		refs, err := c.membershipsOf(ctx, directory.UserMember(ref.User()))
		if err != nil {
			return nil, err
		}
		return c.waiting(ctx, conn, withGroups(refs))
	case ref.Kind == directory.KindGroup:
		group := directory.GroupID(ref.ID)
		refs, err := c.membershipsOf(ctx, directory.GroupMember(group))
		if err != nil {
			return nil, err
		}
		nested, err := c.waiting(ctx, conn, refs)
		if err != nil {
			return nil, err
		}
		members, err := c.waitingIn(ctx, conn, group)
		return append(nested, members...), err
	}
	return nil, nil
}

// membershipsOf are the Refs of the memberships that somebody may have: in the groups
// where they are members, and in those above.
func (c Config) membershipsOf(ctx context.Context, m directory.MemberRef) ([]directory.Ref, error) {
	var refs []directory.Ref
	seen := map[directory.GroupID]bool{}
	for ahead := []directory.MemberRef{m}; len(ahead) > 0; {
		var fresh []directory.GroupID
		for _, next := range ahead {
			above, err := c.groupsOf(ctx, next)
			if err != nil {
				return nil, err
			}
			for _, g := range above {
				if seen[g] {
					continue
				}
				seen[g] = true
				fresh = append(fresh, g)
				if u := m.User(); u != "" {
					refs = append(refs, directory.MemberOf(g, u))
				} else {
					refs = append(refs, directory.NestedIn(g, m.Group()))
				}
			}
		}
		// Most groups are in no other one: nobody is asked about these by themselves.
		groups, err := c.Directory.GroupsByID(ctx, fresh)
		if err != nil {
			return nil, err
		}
		ahead = nil
		for _, g := range fresh {
			if groups[g].Parents > 0 {
				ahead = append(ahead, directory.GroupMember(g))
			}
		}
	}
	return refs, nil
}

// groupsOf are all the groups in which somebody is directly.
func (c Config) groupsOf(ctx context.Context, m directory.MemberRef) ([]directory.GroupID, error) {
	var all []directory.GroupID
	for after := directory.GroupID(""); ; {
		list, more, err := c.Directory.GroupsOf(ctx, m, after, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		if after = more; after == "" {
			return all, nil
		}
	}
}

// withGroups are memberships with their groups, of which strangers may wait to be told from
// who is wanted.
func withGroups(refs []directory.Ref) []directory.Ref {
	all := slices.Clone(refs)
	for _, ref := range refs {
		if g, _, is := memberOf(ref); is {
			all = append(all, directory.GroupRef(g))
		}
	}
	return all
}

// waiting are those of some memberships that wait for something.
func (c Config) waiting(ctx context.Context, conn *directory.Connection, refs []directory.Ref) ([]directory.Ref, error) {
	var list []directory.Ref
	for part := range slices.Chunk(refs, 100) {
		found, err := c.Records.BindingsOf(ctx, conn.ID, part)
		if err != nil {
			return nil, err
		}
		for _, ref := range part {
			if b, there := found[ref]; there && b.Epoch == conn.Epoch && waits(&b) {
				list = append(list, ref)
			}
		}
	}
	return list, nil
}

// waitingIn are the memberships in a group that wait for something.
func (c Config) waitingIn(ctx context.Context, conn *directory.Connection, group directory.GroupID) ([]directory.Ref, error) {
	var list []directory.Ref
	for cursor := ""; ; {
		records, next, err := c.Records.ListBindingsUnder(ctx, directory.KindMember, directory.MembersOf(group), conn.ID, conn.Epoch, cursor, 500)
		if err != nil {
			return nil, err
		}
		for i := range records {
			if waits(&records[i]) {
				list = append(list, records[i].Ref())
			}
		}
		if cursor = next; cursor == "" {
			return list, nil
		}
	}
}

// waits reports whether a membership waits for its account or its group.
func waits(b *directory.Binding) bool {
	for _, p := range append(slices.Clone(b.Findings), b.OpenProblems()...) {
		switch p.Code {
		case directory.CodeGroupWaits, directory.CodeMemberWaits, directory.CodeMemberNotBound:
			return true
		}
	}
	return false
}
