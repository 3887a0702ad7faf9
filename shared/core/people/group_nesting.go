package people

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// UserIn is a user who is in a group, directly or through groups in it.
type UserIn struct {
	User directory.UserID
	// Group is one of which the user is a direct member: of several the nearest.
	Group directory.GroupID
}

// Nesting reads who is in a group however deep. It needs of the store's Groups only what
// is read.
type Nesting struct {
	Groups interface {
		GroupsByID(ctx context.Context, ids []directory.GroupID) (map[directory.GroupID]directory.Group, error)
		Members(ctx context.Context, q store.MembersQuery) ([]directory.Membership, directory.MemberRef, error)
	}
	// Page is how many users will be wanted of each group; 0: all of them.
	Page int
}

// atMost memberships are in memory at once while the users of many groups are read.
const atMost = 20_000

// Users reads the users in a group and in the groups in it, behind after, each once, in
// the order of their IDs. Deleted groups count for nothing; users who are deleted are
// among those that are read.
func (n Nesting) Users(ctx context.Context, id directory.GroupID, after directory.UserID) iter.Seq2[UserIn, error] {
	return func(yield func(UserIn, error) bool) {
		groups, err := n.Below(ctx, id)
		if err != nil {
			yield(UserIn{}, err)
			return
		}
		readers := n.readers(groups, after)
		for {
			u, err := nextUser(ctx, readers)
			if err == nil && u.User == "" || !yield(u, err) || err != nil {
				return
			}
		}
	}
}

// readers read the direct users of some groups behind one.
func (n Nesting) readers(groups []directory.GroupID, after directory.UserID) []*memberReader {
	page := atMost / max(1, len(groups))
	if n.Page > 0 {
		page = min(page, n.Page)
	}
	readers := make([]*memberReader, len(groups))
	for i, g := range groups {
		readers[i] = &memberReader{nesting: n, query: store.MembersQuery{Group: g, Type: directory.MemberUser, Limit: max(25, min(1000, page))}}
		if after != "" {
			readers[i].next = directory.UserMember(after)
		}
	}
	return readers
}

// nextUser is the first user of all that readers are at, who is then behind each of
// them; the zero UserIn at the end.
func nextUser(ctx context.Context, readers []*memberReader) (UserIn, error) {
	var first UserIn
	for _, r := range readers {
		if err := r.fill(ctx); err != nil {
			return UserIn{}, err
		}
		if len(r.list) == 0 {
			continue
		}
		if u := r.list[0].Member.User(); first.User == "" || u < first.User {
			first = UserIn{u, r.query.Group}
		}
	}
	for _, r := range readers {
		if len(r.list) > 0 && r.list[0].Member.User() == first.User {
			r.list = r.list[1:]
		}
	}
	return first, nil
}

// memberReader reads the direct users of one group, page by page.
type memberReader struct {
	nesting Nesting
	query   store.MembersQuery
	list    []directory.Membership
	next    directory.MemberRef
	ended   bool
}

func (r *memberReader) fill(ctx context.Context) error {
	for len(r.list) == 0 && !r.ended {
		r.query.After = r.next
		list, next, err := r.nesting.Groups.Members(ctx, r.query)
		if err != nil {
			return err
		}
		r.list, r.next, r.ended = list, next, next == directory.MemberRef{}
	}
	return nil
}

// Below lists a group and the groups in it, however deep, each once, the nearest first;
// none when the group itself is not there or is deleted.
func (n Nesting) Below(ctx context.Context, id directory.GroupID) ([]directory.GroupID, error) {
	seen := map[directory.GroupID]bool{id: true}
	var all []directory.GroupID
	for level := []directory.GroupID{id}; len(level) > 0; {
		groups, err := n.Groups.GroupsByID(ctx, level)
		if err != nil {
			return nil, err
		}
		var below []directory.GroupID
		for _, g := range level {
			if is, there := groups[g]; !there || is.Deleted != nil {
				continue
			}
			all = append(all, g)
			direct, err := n.groupsIn(ctx, g)
			if err != nil {
				return nil, err
			}
			for _, child := range direct {
				if !seen[child] {
					below = append(below, child)
				}
				seen[child] = true
			}
		}
		level = below
	}
	return all, nil
}

// groupsIn lists the groups that are directly in a group.
func (n Nesting) groupsIn(ctx context.Context, id directory.GroupID) ([]directory.GroupID, error) {
	var all []directory.GroupID
	for q := (store.MembersQuery{Group: id, Type: directory.MemberGroup}); ; {
		list, next, err := n.Groups.Members(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range list {
			all = append(all, list[i].Member.Group())
		}
		if q.After = next; next == (directory.MemberRef{}) {
			return all, nil
		}
	}
}

// nested lists the users in a group, however deep.
func (s *Groups) nested(ctx context.Context, id directory.GroupID, after directory.UserID, limit int) (members []Member, next string, err error) {
	if after != "" && !after.Valid() {
		_, err := memberAt("user/")
		return nil, "", err
	}
	var in []UserIn
	for u, err := range (Nesting{s.groups, limit + 1}).Users(ctx, id, after) {
		if err != nil {
			return nil, "", err
		}
		if len(in) == limit {
			next = string(in[limit-1].User)
			break
		}
		in = append(in, u)
	}
	refs := make([]directory.MemberRef, len(in))
	for i := range in {
		refs[i] = directory.UserMember(in[i].User)
	}
	who, err := s.whoIs(ctx, refs)
	if err != nil {
		return nil, "", err
	}
	for i, m := range refs {
		if view, ok := viewMember(m, who[m]); ok {
			view.Group = in[i].Group
			members = append(members, view)
		}
	}
	return members, next, nil
}

// GroupStep is a group on a way.
type GroupStep struct {
	ID   directory.GroupID `json:"id"`
	Name string            `json:"name"`
}

// UserGroup is a group in which a user, or a group, is.
type UserGroup struct {
	GroupStep
	Direct bool `json:"direct" doc:"Whether the user, or group, is a member itself"`
	// Path are the groups through which it is in it.
	Path []GroupStep `json:"path" doc:"A shortest way: a group of which the user, or group, is a direct member, then each in the one behind it, up to this group"`
}

// GroupsOfUser lists the living groups in which a user is, with the path of each, in the
// order of their IDs. A deleted user is in none.
func (s *Groups) GroupsOfUser(ctx context.Context, id directory.UserID, cursor string, limit int) (list []UserGroup, next string, err error) {
	found, err := s.users.UsersByID(ctx, []directory.UserID{id})
	if err != nil {
		return nil, "", err
	}
	u, there := found[id]
	if !there {
		return nil, "", noUser(id)
	}
	if u.Deleted != nil {
		return nil, "", nil
	}
	return s.above(ctx, directory.UserMember(id), cursor, limit)
}

// GroupsOfGroup lists the living groups in which a group is, likewise.
func (s *Groups) GroupsOfGroup(ctx context.Context, id directory.GroupID, cursor string, limit int) (list []UserGroup, next string, err error) {
	g, err := s.Get(ctx, id)
	if err != nil || g.Deleted != nil {
		return nil, "", err
	}
	return s.above(ctx, directory.GroupMember(id), cursor, limit)
}

// above is a page of the living groups in which a member is, in the order of their IDs.
func (s *Groups) above(ctx context.Context, m directory.MemberRef, cursor string, limit int) (list []UserGroup, next string, err error) {
	all, err := s.paths(ctx, m)
	if err != nil {
		return nil, "", err
	}
	slices.SortFunc(all, func(a, b UserGroup) int { return cmp.Compare(a.ID, b.ID) })
	from, _ := slices.BinarySearchFunc(all, directory.GroupID(cursor+"\x00"), func(g UserGroup, id directory.GroupID) int { return cmp.Compare(g.ID, id) })
	if cursor == "" {
		from = 0
	}
	list = all[from:]
	if len(list) > limit {
		list, next = list[:limit], string(list[limit-1].ID)
	}
	return list, next, nil
}

// paths are the living groups above a member, each with a shortest way to it, of several
// the one that is first by IDs.
func (s *Groups) paths(ctx context.Context, m directory.MemberRef) ([]UserGroup, error) {
	level, err := s.parents(ctx, m)
	if err != nil {
		return nil, err
	}
	var all []UserGroup
	way := map[directory.GroupID][]GroupStep{} // to the group below each that is seen
	for _, id := range level {
		way[id] = nil
	}
	for len(level) > 0 {
		groups, err := s.groups.GroupsByID(ctx, level)
		if err != nil {
			return nil, err
		}
		var above []directory.GroupID
		for _, id := range level {
			g, there := groups[id]
			if !there || g.Deleted != nil {
				continue
			}
			step := GroupStep{id, g.Name}
			path := append(slices.Clone(way[id]), step)
			all = append(all, UserGroup{GroupStep: step, Direct: len(path) == 1, Path: path})
			if g.Parents == 0 {
				continue
			}
			parents, err := s.parents(ctx, directory.GroupMember(id))
			if err != nil {
				return nil, err
			}
			for _, p := range parents {
				if _, seen := way[p]; !seen {
					way[p] = path
					above = append(above, p)
				}
			}
		}
		level = above
	}
	return all, nil
}

// parents are all the groups of which somebody is a direct member, by ID.
func (s *Groups) parents(ctx context.Context, m directory.MemberRef) ([]directory.GroupID, error) {
	var all []directory.GroupID
	for after := directory.GroupID(""); ; {
		list, next, err := s.groups.GroupsOf(ctx, m, after, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		if after = next; next == "" {
			return all, nil
		}
	}
}

// mostTold is how many of those who were edited one tick of the schedule takes up.
const mostTold = 100

// Tend is the groups' part of what is done at each tick of the schedule: it has those
// told who use groups that were edited, if whoever edited them died before, ends the
// memberships of those who can no longer be restored, and counts groups of earlier
// versions, once.
func (s *Groups) Tend(ctx context.Context) error {
	changed, err := s.groups.Changed(ctx, mostTold)
	for _, m := range changed {
		if err == nil {
			err = s.teller.try(ctx, m)
		}
	}
	for none := false; err == nil && !none; {
		none, err = s.groups.PurgeMembers(ctx)
	}
	for none := false; err == nil && !none; {
		none, err = s.groups.CountUncounted(ctx)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // the next tick goes on
	}
	return err
}
