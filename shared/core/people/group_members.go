package people

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// MaxMembers is how many members one AddMembers or RemoveMembers names.
const MaxMembers = 500

// MembersEdited is what became of each member that an edit of members named.
type MembersEdited struct {
	Done      []directory.MemberRef // added, or removed
	Unchanged []directory.MemberRef // members already, or no members
	Refused   []directory.RefusedItem
	// Version is that of the members as the edit left them.
	Version int64
}

// AddMembers makes users and groups direct members of a group, with a result for each.
// What was done before an error stays, and is unchanged when the call is repeated.
// version, when not 0, is that of the members that the caller saw.
func (s *Groups) AddMembers(ctx context.Context, by directory.Caller, id directory.GroupID, members []directory.MemberRef, version int64) (MembersEdited, error) {
	return s.editMembers(ctx, memberEdit{act: by.AuditEvent(directory.AuditAddMembers), asksWho: true, decide: toAdd}, by, id, members, at(version))
}

// RemoveMembers ends direct memberships, likewise. Who is no member is unchanged.
func (s *Groups) RemoveMembers(ctx context.Context, by directory.Caller, id directory.GroupID, members []directory.MemberRef, version int64) (MembersEdited, error) {
	return s.editMembers(ctx, memberEdit{act: by.AuditEvent(directory.AuditRemoveMembers), decide: toRemove}, by, id, members, at(version))
}

// knownMembers is what an edit of members was decided by: of members that it names.
type knownMembers struct {
	there map[directory.MemberRef]directory.Membership // those that the group has directly
	who   map[directory.MemberRef]identity             // read only to add
}

// memberDecision sorts members into what is to be done and what is not.
type memberDecision func(src directory.Source, members []directory.MemberRef, known *knownMembers, now time.Time) (store.MemberChange, MembersEdited)

// at is the version that the members must have; 0 stands for any.
func at(version int64) *int64 {
	if version == 0 {
		return nil
	}
	return &version
}

// editMembers does an edit of which e says the kind.
func (s *Groups) editMembers(ctx context.Context, e memberEdit, by directory.Caller, id directory.GroupID, members []directory.MemberRef, seen *int64) (MembersEdited, error) {
	members, err := checkMembers(members)
	if err != nil {
		return MembersEdited{}, err
	}
	g, err := s.living(ctx, id)
	if err != nil {
		return MembersEdited{}, err
	}
	if seen != nil && *seen != g.MembersVersion {
		return MembersEdited{}, groupMoved("list of members", g.MembersVersion, *seen)
	}
	e.groups, e.by, e.source, e.group, e.seen = s, by.Subject, by.WritesAs(), g, seen != nil
	if e.known, err = e.look(ctx, members); err != nil {
		return MembersEdited{}, err
	}
	for part := range slices.Chunk(members, store.MaxMemberChange) {
		if err = e.part(ctx, part); err != nil {
			break
		}
	}
	s.tell(ctx, id, e.told)
	e.out.Version = e.group.MembersVersion
	return e.out, err
}

// checkMembers refuses too many, and IDs that nobody can have; it leaves out those that
// are named again.
func checkMembers(members []directory.MemberRef) ([]directory.MemberRef, error) {
	var faults []directory.FieldError
	seen := map[directory.MemberRef]bool{}
	var list []directory.MemberRef
	for _, m := range members {
		if !directory.UserID(m.ID).Valid() {
			faults = append(faults, directory.FieldError{Field: string(m.Type) + "Ids", Detail: fmt.Sprintf("holds %q, which is no ID", m.ID)})
		}
		if !seen[m] {
			list = append(list, m)
		}
		seen[m] = true
	}
	if len(members) == 0 || len(members) > MaxMembers {
		faults = append(faults, directory.FieldError{Field: "userIds", Detail: fmt.Sprintf("and groupIds must hold 1 to %d IDs together", MaxMembers)})
	}
	if faults == nil {
		return list, nil
	}
	r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidMembers, "The members were not accepted and nothing was changed.",
		fmt.Sprintf("Name 1 to %d members in a call, or load a file: POST /v1/groups:load.", MaxMembers))
	r.Fields = faults
	return nil, r
}

// memberEdit is an edit of the members of one group on its way.
type memberEdit struct {
	groups  *Groups
	act     directory.AuditEvent
	by      string
	source  directory.Source
	group   directory.Group // as it was read, or left, last
	seen    bool            // the first write must find it as it was read
	asksWho bool            // decide asks who the members are
	made    bool            // the group is made with them
	decide  memberDecision
	// known was read of all members at once, after the group; nil once somebody else has
	// edited that. Until then it holds for each part: of the members of a group nothing
	// changes but with its edition, on which each write is conditional, and no member is in
	// two parts.
	known *knownMembers
	told  bool // somebody is to be told
	out   MembersEdited
}

// look reads what an edit of members is decided by.
func (e *memberEdit) look(ctx context.Context, members []directory.MemberRef) (*knownMembers, error) {
	there, err := e.groups.groups.MembershipsAmong(ctx, e.group.ID, members)
	if err == nil && !e.asksWho {
		err = e.release(ctx, there)
	}
	if err != nil || !e.asksWho {
		return &knownMembers{there: there}, err
	}
	who, err := e.groups.whoIs(ctx, members)
	return &knownMembers{there, who}, err
}

// part edits up to store.MaxMemberChange members in one transaction; again when somebody
// else was faster.
func (e *memberEdit) part(ctx context.Context, members []directory.MemberRef) error {
	s := e.groups
	var refused []directory.RefusedItem // groups that would make a circle
	for try := 0; ; try++ {
		known := e.known
		if known == nil {
			var err error
			if known, err = e.look(ctx, members); err != nil {
				return err
			}
		}
		change, result := e.decide(e.source, members, known, s.now())
		change.Made = e.made
		var err error
		told := false
		if change.Len() > 0 {
			g := e.group
			g.EditedBy(e.by, s.now())
			if told, err = s.groups.ChangeMembers(ctx, e.act, &g, change); err == nil {
				e.group = g
			}
		}
		if err == nil {
			e.told, e.seen = e.told || told, false
			e.out.Done = append(e.out.Done, result.Done...)
			e.out.Unchanged = append(e.out.Unchanged, result.Unchanged...)
			e.out.Refused = slices.Concat(e.out.Refused, refused, result.Refused)
			return nil
		}
		if cycle, is := errors.AsType[*store.GroupCycle](err); is {
			m := directory.GroupMember(cycle.Groups[min(1, len(cycle.Groups)-1)])
			item, err := s.cycleItem(ctx, m, cycle)
			if err != nil {
				return err
			}
			refused = append(refused, item)
			members = slices.DeleteFunc(slices.Clone(members), func(other directory.MemberRef) bool { return other == m })
			continue
		}
		moved := errors.Is(err, directory.ErrStale) || errors.Is(err, directory.ErrNotFound)
		if !moved || try == maxTries {
			return err
		}
		read, err := s.living(ctx, e.group.ID)
		if err != nil {
			return err
		}
		if e.seen && read.MembersVersion != e.group.MembersVersion {
			return groupMoved("list of members", read.MembersVersion, e.group.MembersVersion)
		}
		e.group, e.known = read, nil
	}
}

// toAdd decides whom to add.
func toAdd(src directory.Source, members []directory.MemberRef, known *knownMembers, now time.Time) (c store.MemberChange, out MembersEdited) {
	for _, m := range members {
		is, member := known.there[m]
		who := known.who[m]
		switch {
		case who.code != "":
			out.Refused = append(out.Refused, refusedMember(m, who.code, who.detail))
		case member && owns(src) && is.Source == "":
			is.Source = src
			c.Own = append(c.Own, is)
			out.Unchanged = append(out.Unchanged, m)
		case member:
			out.Unchanged = append(out.Unchanged, m)
		default:
			c.Add = append(c.Add, directory.Membership{Member: m, Source: ownerOf(src), Added: now.UTC()})
			out.Done = append(out.Done, m)
		}
	}
	return c, out
}

// ownerOf is a source as the owner of what it writes; "" for those that own nothing.
func ownerOf(src directory.Source) directory.Source {
	if owns(src) {
		return src
	}
	return ""
}

// toRemove decides whom to remove. A membership that a source brought is ended by it
// alone.
func toRemove(src directory.Source, members []directory.MemberRef, known *knownMembers, _ time.Time) (c store.MemberChange, out MembersEdited) {
	for _, m := range members {
		is, member := known.there[m]
		switch {
		case !member:
			out.Unchanged = append(out.Unchanged, m)
		case is.Source != "" && is.Source != src:
			out.Refused = append(out.Refused, refusedMember(m, directory.CodeOwnedElsewhere,
				fmt.Sprintf("The membership is owned by the source %q, and only that source can end it.", is.Source)))
		default:
			c.Remove = append(c.Remove, m)
			out.Done = append(out.Done, m)
		}
	}
	return c, out
}

// identity is who a member is, or why it can be none.
type identity struct {
	user         *directory.User
	group        *directory.Group
	code, detail string
}

// whoIs reads members.
func (s *Groups) whoIs(ctx context.Context, members []directory.MemberRef) (map[directory.MemberRef]identity, error) {
	var userIDs []directory.UserID
	var groupIDs []directory.GroupID
	for _, m := range members {
		if u := m.User(); u != "" {
			userIDs = append(userIDs, u)
		} else {
			groupIDs = append(groupIDs, m.Group())
		}
	}
	found, err := s.users.UsersByID(ctx, userIDs)
	if err != nil {
		return nil, err
	}
	groups, err := s.groups.GroupsByID(ctx, groupIDs)
	if err != nil {
		return nil, err
	}
	who := make(map[directory.MemberRef]identity, len(members))
	for _, m := range members {
		if m.Type == directory.MemberUser {
			u, there := found[m.User()]
			who[m] = identityOfUser(m.User(), u, there)
		} else {
			g, there := groups[m.Group()]
			who[m] = identityOfGroup(m.Group(), g, there)
		}
	}
	return who, nil
}

func identityOfUser(id directory.UserID, u directory.User, there bool) identity {
	switch {
	case !there:
		return identity{code: directory.CodeUserNotFound, detail: fmt.Sprintf("There is no user %q.", id)}
	case u.Deleted != nil:
		return identity{code: directory.CodeUserDeleted, detail: fmt.Sprintf("The user %s is deleted. Restore it first.", id)}
	}
	return identity{user: &u}
}

func identityOfGroup(id directory.GroupID, g directory.Group, there bool) identity {
	switch {
	case !there:
		return identity{code: directory.CodeGroupNotFound, detail: fmt.Sprintf("There is no group %q.", id)}
	case g.Deleted != nil:
		return identity{code: directory.CodeGroupDeleted, detail: fmt.Sprintf("The group %s is deleted. Restore it first.", id)}
	}
	return identity{group: &g}
}

// cycleItem says by which groups a member would be in itself.
func (s *Groups) cycleItem(ctx context.Context, m directory.MemberRef, c *store.GroupCycle) (directory.RefusedItem, error) {
	groups, err := s.groups.GroupsByID(ctx, c.Groups)
	if err != nil {
		return directory.RefusedItem{}, err
	}
	name := func(id directory.GroupID) string {
		g := groups[id]
		if g.Deleted != nil {
			return fmt.Sprintf("%q (deleted)", g.Name)
		}
		return fmt.Sprintf("%q", g.Name)
	}
	if len(c.Groups) == 1 {
		return refusedMember(m, directory.CodeGroupCycle, fmt.Sprintf("The group %s cannot be a member of itself.", name(c.Groups[0]))), nil
	}
	var way []string
	for _, id := range slices.Concat(c.Groups[1:], c.Groups[:1]) {
		way = append(way, name(id))
	}
	return refusedMember(m, directory.CodeGroupCycle, fmt.Sprintf("The group %s cannot be a member of %s, which is in it: %s. Take one of them out first.",
		way[0], way[len(way)-1], strings.Join(way, " has "))), nil
}

// refusedMember says why a member was not taken.
func refusedMember(m directory.MemberRef, code, detail string) directory.RefusedItem {
	return directory.RefusedItem{UserID: m.User(), GroupID: m.Group(), Code: code, Detail: detail}
}

// Member is a member of a group, as people see it.
type Member struct {
	directory.MemberRef
	Name   string           `json:"name" doc:"Of a user the display name or the address, of a group the name"`
	Email  string           `json:"email,omitempty" doc:"Of a user"`
	Source directory.Source `json:"source,omitempty" doc:"The source that owns the membership: only it can end it"`
	Added  *time.Time       `json:"added,omitempty"`
	// Group is, of a nested listing, one group through which the user is a member.
	Group directory.GroupID `json:"groupId,omitempty" doc:"In a nested listing: a group of which the user is a direct member"`
}

// MemberFilter chooses members; the zero one chooses all direct ones.
type MemberFilter struct {
	Type directory.MemberType
	// Nested lists the users of the group and of all groups in it, each once.
	Nested bool
}

// MemberPage is a page of a listing of members.
type MemberPage struct {
	Members []Member
	Next    string
	Version int64 // of the direct members
}

// Members lists the members of a group, without those that are deleted: direct ones,
// groups before users, or all users in it however deep. A page may hold fewer than limit
// members, or none, and still have a Next.
func (s *Groups) Members(ctx context.Context, id directory.GroupID, f MemberFilter, cursor string, limit int) (MemberPage, error) {
	g, err := s.living(ctx, id)
	if err != nil {
		return MemberPage{}, err
	}
	page := MemberPage{Version: g.MembersVersion}
	if f.Nested {
		page.Members, page.Next, err = s.nested(ctx, id, directory.UserID(cursor), limit)
		return page, err
	}
	after, err := memberAt(cursor)
	if err != nil {
		return page, err
	}
	list, next, err := s.groups.Members(ctx, store.MembersQuery{Group: id, Type: f.Type, After: after, Limit: limit})
	if err != nil {
		return page, err
	}
	refs := make([]directory.MemberRef, len(list))
	for i := range list {
		refs[i] = list[i].Member
	}
	who, err := s.whoIs(ctx, refs)
	if err != nil {
		return page, err
	}
	for i := range list {
		if m, ok := viewMember(list[i].Member, who[list[i].Member]); ok {
			m.Source, m.Added = list[i].Source, &list[i].Added
			page.Members = append(page.Members, m)
		}
	}
	if next != (directory.MemberRef{}) {
		page.Next = next.String()
	}
	return page, nil
}

// memberAt is the member at which a cursor stands.
func memberAt(cursor string) (directory.MemberRef, error) {
	if cursor == "" {
		return directory.MemberRef{}, nil
	}
	t, id, ok := strings.Cut(cursor, "/")
	m := directory.MemberRef{Type: directory.MemberType(t), ID: id}
	if !ok || m.Type != directory.MemberUser && m.Type != directory.MemberGroup || !directory.UserID(id).Valid() {
		return m, directory.Refuse(directory.ErrInvalid, directory.CodeInvalidCursor, "The value of next was not given out by this API.", "Start the listing without next.")
	}
	return m, nil
}

// viewMember is a member as people see it; false for one that is deleted.
func viewMember(m directory.MemberRef, is identity) (Member, bool) {
	switch {
	case is.user != nil:
		name := is.user.DisplayName
		if name == "" {
			name = is.user.Email
		}
		return Member{MemberRef: m, Name: name, Email: is.user.Email}, true
	case is.group != nil:
		return Member{MemberRef: m, Name: is.group.Name}, true
	}
	return Member{}, false
}
