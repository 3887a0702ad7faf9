package people

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// pushedGroupWriter writes groups with what was pushed of them.
type pushedGroupWriter interface {
	CreatePushed(ctx context.Context, act directory.AuditEvent, g *directory.Group, e *store.DocumentEdit) error
	UpdatePushed(ctx context.Context, act directory.AuditEvent, old, g *directory.Group, e *store.DocumentEdit) (told bool, err error)
}

// PushedGroup is a group as a client comes upon it.
type PushedGroup struct {
	Group    directory.Group
	Document store.Document // of version 0 when the client has not pushed the group
}

// GroupPush is what a client wants of a group but for its members.
type GroupPush struct {
	Name       string // "" leaves it
	ExternalID string
	// Members are those who are to follow into a group that is to be made. Until FinishGroup,
	// the same group is made again by going on with it.
	Members []directory.UserID
}

// unfinishedFor is how long a group that was cut off is gone on with: who tries again does
// so by then, and whoever comes later means another one.
const unfinishedFor = time.Hour

// requestLives is how long a request is at work at most: the gateway before it ends it then.
const requestLives = 30 * time.Second

// GroupInMaking says that the very group which is to be made was begun by another request,
// which may be at work until then.
type GroupInMaking struct{ Until time.Time }

func (e *GroupInMaking) Error() string { return "another request makes the same group" }

// Unwrap makes it one that passes.
func (e *GroupInMaking) Unwrap() error { return directory.ErrBusy }

// making names what a group is made with; "" where no members follow.
func (p *GroupPush) making() string {
	if len(p.Members) == 0 {
		return ""
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q", p.Name, p.ExternalID, slices.Compact(slices.Sorted(slices.Values(p.Members))))
	return hex.EncodeToString(h.Sum(nil))
}

// GroupResult is what became of it.
type GroupResult struct {
	PushedGroup
	Changed []string
	Notes   []string
	Resumed bool // CreateGroup goes on with a group that was made and is unfinished
}

// groupDocument is the body of every group's document: all that is kept is the externalId.
var groupDocument = []byte("{}")

// CreateGroup makes a group. A group of the same externalId that is deleted stays so: its
// members would come back, of whom the client says nothing. One that the client has made a
// moment ago with the very same members, not all of whom were put in yet, is gone on with:
// the client was told to try again, or told nothing. While the request that made it may be at
// work, or another one that goes on with it, that is a *GroupInMaking.
func (s *Pushes) CreateGroup(ctx context.Context, by directory.Caller, c *directory.ScimClient, p GroupPush) (GroupResult, error) {
	of, known, err := s.documents.ByExternalID(ctx, c.ID, directory.MemberGroup, p.ExternalID)
	if err != nil {
		return GroupResult{}, err
	}
	if known {
		switch g, err := s.groups.Get(ctx, of.Group()); {
		case err != nil && !errors.Is(err, directory.ErrNotFound):
			return GroupResult{}, err
		case err == nil && g.Deleted == nil:
			return s.goOn(ctx, by, c, g.ID, p, externalIDTaken())
		}
	}
	e, err := takeGroup(map[string]string{"name": p.Name, "externalId": p.ExternalID})
	if err != nil {
		return GroupResult{}, err
	}
	g, err := s.groups.compose(e, by.WritesAs())
	if err != nil {
		return GroupResult{}, err
	}
	g.EditedBy(by.Subject, s.groups.now())
	doc := &store.DocumentEdit{Old: &store.Document{}, New: newDocument(c, directory.GroupMember(g.ID), p.ExternalID, groupDocument, nil), Freed: of}
	if doc.New.Unfinished = p.making(); doc.New.Unfinished != "" {
		doc.New.Working = s.groups.now().Add(requestLives)
	}
	err = s.writeTo.CreatePushed(ctx, by.AuditEvent(directory.AuditCreateGroup), &g, doc)
	if taken, is := errors.AsType[*store.GroupNameTaken](err); is {
		return s.goOn(ctx, by, c, taken.Owner, p, pushTaken(err))
	}
	if err != nil {
		return GroupResult{}, pushTaken(err)
	}
	return GroupResult{PushedGroup: PushedGroup{g, *doc.New}, Changed: groupPaths(&g.GroupProfile)}, nil
}

// goOn makes a group that the client has made already, as long as it is unfinished, nobody
// is at work on it and nobody else has edited it; else it is refused. Of several requests one
// notes that it is at work.
func (s *Pushes) goOn(ctx context.Context, by directory.Caller, c *directory.ScimClient, id directory.GroupID, p GroupPush, refusal error) (GroupResult, error) {
	for try := 0; ; try++ {
		r, err := s.mayGoOn(ctx, by, c, id, p, refusal)
		if err == nil {
			err = s.documents.NoteMaking(ctx, &r.Document, r.Document.Unfinished, s.groups.now().Add(requestLives))
		}
		if !errors.Is(err, directory.ErrStale) || try == maxTries {
			r.Resumed = err == nil
			return r, err
		}
	}
}

func (s *Pushes) mayGoOn(ctx context.Context, by directory.Caller, c *directory.ScimClient, id directory.GroupID, p GroupPush, refusal error) (GroupResult, error) {
	r, err := s.EditGroup(ctx, by, c, id, func(now *PushedGroup) (GroupPush, error) {
		others := slices.ContainsFunc(now.Group.EditorsSince(time.Time{}), func(editor string) bool { return editor != by.Subject })
		old := s.groups.now().After(now.Document.Created.Add(unfinishedFor))
		if now.Document.Unfinished == "" || now.Document.Unfinished != p.making() || old || others {
			return GroupPush{}, refusal
		}
		if until := now.Document.Working; s.groups.now().Before(until) {
			return GroupPush{}, &GroupInMaking{until}
		}
		return p, nil
	})
	if errors.Is(err, directory.ErrNotFound) { // to this client
		err = refusal
	}
	return r, err
}

// LeaveGroup notes of a group that CreateGroup has returned that nobody is at work on it any
// more, though not all members are in it: the same POST may go on at once. Where somebody else
// has written its document since, they know better.
func (s *Pushes) LeaveGroup(ctx context.Context, g *PushedGroup) error {
	err := s.documents.NoteMaking(ctx, &g.Document, g.Document.Unfinished, time.Time{})
	if errors.Is(err, directory.ErrStale) {
		return nil
	}
	return err
}

// FinishGroup notes that a group has the members that it was made with. Without the note
// the same POST goes on with it for a while, and finds nothing to do.
func (s *Pushes) FinishGroup(ctx context.Context, c *directory.ScimClient, g *PushedGroup) error {
	for try := 0; g.Document.Unfinished != ""; try++ {
		err := s.documents.NoteMaking(ctx, &g.Document, "", time.Time{})
		if !errors.Is(err, directory.ErrStale) || try == maxTries {
			return err
		}
		if g.Document, err = s.documents.Document(ctx, c.ID, directory.GroupMember(g.Group.ID)); err != nil {
			return err
		}
	}
	return nil
}

// takeGroup brings a client's texts to an edit of a group.
func takeGroup(want map[string]string) (edit, error) {
	e := edit{}
	var faults []directory.FieldError
	for _, path := range slices.Sorted(maps.Keys(want)) {
		c := groupShape.clean(path, want[path])
		if c.fault != "" {
			faults = append(faults, directory.FieldError{Field: path, Detail: c.fault})
		}
		e[path] = c.text
	}
	return e, groupShape.invalid(faults)
}

// EditGroup lets change say what a client wants of a living group that it sees.
func (s *Pushes) EditGroup(ctx context.Context, by directory.Caller, c *directory.ScimClient, id directory.GroupID, change func(now *PushedGroup) (GroupPush, error)) (GroupResult, error) {
	for try := 0; ; try++ {
		now, err := s.GetGroup(ctx, c, id)
		if err != nil {
			return GroupResult{}, err
		}
		p, err := change(&now)
		if err != nil {
			return GroupResult{}, err
		}
		r, err := s.pushGroup(ctx, by, c, &now, p)
		if !errors.Is(err, directory.ErrStale) || try == maxTries {
			return r, pushTaken(err)
		}
	}
}

func (s *Pushes) pushGroup(ctx context.Context, by directory.Caller, c *directory.ScimClient, now *PushedGroup, p GroupPush) (GroupResult, error) {
	g, want := now.Group, map[string]string{}
	out := GroupResult{PushedGroup: *now}
	if p.Name != "" {
		want["name"] = p.Name
	}
	if p.ExternalID != now.Document.ExternalID && (g.ExternalID == "" || g.ExternalID == now.Document.ExternalID) {
		want["externalId"] = p.ExternalID
	}
	e, err := takeGroup(want)
	if err != nil {
		return out, err
	}
	for path, text := range e {
		if owner, owned := g.Owners[path]; owned && owner != by.WritesAs() && groupText(&g.GroupProfile, path) != text {
			delete(e, path)
			out.Notes = append(out.Notes, fmt.Sprintf("%s: not taken, owned by %s", path, owner))
		}
	}
	changed, err := e.applyGroup(&g, by.WritesAs())
	if err != nil {
		return out, err
	}
	for path := range e {
		if groupText(&g.GroupProfile, path) != groupText(&now.Group.GroupProfile, path) {
			out.Changed = append(out.Changed, path)
		}
	}
	slices.Sort(out.Changed)
	doc := &store.DocumentEdit{Old: &now.Document, New: newDocument(c, directory.GroupMember(g.ID), p.ExternalID, groupDocument, nil)}
	doc.New.Unfinished, doc.New.Working = now.Document.Unfinished, now.Document.Working
	if sameDocument(doc) {
		doc = nil
	}
	switch {
	case !changed && doc == nil:
		return out, nil
	case !changed:
		if err := s.documents.SaveDocument(ctx, g.Edition, doc); err != nil {
			return out, err
		}
	default:
		g.EditedBy(by.Subject, s.groups.now())
		told, err := s.writeTo.UpdatePushed(ctx, by.AuditEvent(directory.AuditEditGroup), &now.Group, &g, doc)
		if err != nil {
			return out, err
		}
		s.groups.tell(ctx, g.ID, told)
	}
	if out.Group = g; doc != nil {
		out.Document = *doc.New
	}
	return out, nil
}

// DeleteGroup makes a living group that a client sees a tombstone, once check lets it: the
// very group that check has seen.
func (s *Pushes) DeleteGroup(ctx context.Context, by directory.Caller, c *directory.ScimClient, id directory.GroupID, check func(*PushedGroup) error) error {
	for try := 0; ; try++ {
		now, err := s.GetGroup(ctx, c, id)
		if err != nil {
			return err
		}
		if err := check(&now); err != nil {
			return err
		}
		if mayDecideGroup(&now.Group, by.WritesAs()) != nil {
			return directory.Refuse(directory.ErrForbidden, directory.CodeOwnedElsewhere, "Whether the group is there is decided by another source.", "Delete the group there, or leave it: its members can be edited here.")
		}
		g, at := now.Group, s.groups.now().UTC()
		g.Deleted = &at
		g.EditedBy(by.Subject, at)
		told, err := s.writeTo.UpdatePushed(ctx, by.AuditEvent(directory.AuditDeleteGroup), &now.Group, &g, nil)
		if errors.Is(err, directory.ErrStale) && try < maxTries {
			continue
		}
		if err == nil {
			s.groups.tell(ctx, id, told)
		}
		return err
	}
}

// GetGroup reads a living group that a client sees.
func (s *Pushes) GetGroup(ctx context.Context, c *directory.ScimClient, id directory.GroupID) (PushedGroup, error) {
	found, err := s.groupsByID(ctx, c, []directory.GroupID{id})
	if err != nil {
		return PushedGroup{}, err
	}
	if len(found) == 0 {
		return PushedGroup{}, noGroup(id)
	}
	return found[0], nil
}

func (s *Pushes) groupsByID(ctx context.Context, c *directory.ScimClient, ids []directory.GroupID) ([]PushedGroup, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id directory.GroupID) bool { return !id.Valid() })
	groups, err := s.groups.groups.GroupsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	return s.groupsWithDocuments(ctx, c, inOrder(ids, groups))
}

func (s *Pushes) groupsWithDocuments(ctx context.Context, c *directory.ScimClient, groups []directory.Group) ([]PushedGroup, error) {
	refs := make([]directory.MemberRef, len(groups))
	for i := range groups {
		refs[i] = directory.GroupMember(groups[i].ID)
	}
	docs, err := s.documents.DocumentsAmong(ctx, c.ID, refs)
	if err != nil {
		return nil, err
	}
	var list []PushedGroup
	for i := range groups {
		if d := docs[refs[i]]; sees(c, groups[i].Deleted != nil, &d) {
			list = append(list, PushedGroup{groups[i], d})
		}
	}
	return list, nil
}

// GroupKey is what one group at most has, or few: those of a member.
type GroupKey struct {
	ID               directory.GroupID
	ExternalID, Name string           // one of them
	Member           directory.UserID // who is directly in it
}

// FindGroups finds the groups of a key that a client sees.
func (s *Pushes) FindGroups(ctx context.Context, c *directory.ScimClient, k GroupKey) ([]PushedGroup, error) {
	switch {
	case k.ExternalID != "":
		of, _, err := s.documents.ByExternalID(ctx, c.ID, directory.MemberGroup, k.ExternalID)
		if err != nil || of.Group() == "" {
			return nil, err
		}
		return s.groupsByID(ctx, c, []directory.GroupID{of.Group()})
	case k.Name != "":
		owners, err := s.groups.groups.GroupIDsByName(ctx, []string{k.Name})
		if err != nil || len(owners) == 0 {
			return nil, err
		}
		return s.groupsByID(ctx, c, slices.Collect(maps.Values(owners)))
	case k.Member != "":
		if !k.Member.Valid() {
			return nil, nil
		}
		ids, err := s.GroupsOf(ctx, k.Member)
		if err != nil {
			return nil, err
		}
		return s.groupsByID(ctx, c, ids)
	}
	return s.groupsByID(ctx, c, []directory.GroupID{k.ID})
}

// GroupsOf are the groups in which a user is directly.
func (s *Pushes) GroupsOf(ctx context.Context, id directory.UserID) ([]directory.GroupID, error) {
	var all []directory.GroupID
	for after := directory.GroupID(""); ; {
		list, next, err := s.groups.groups.GroupsOf(ctx, directory.UserMember(id), after, 0)
		if err != nil {
			return nil, err
		}
		if all = append(all, list...); next == "" {
			return all, nil
		}
		after = next
	}
}

// ListGroups lists the groups that a client sees and that keep accepts, as List does.
func (s *Pushes) ListGroups(ctx context.Context, c *directory.ScimClient, cursor string, limit int, keep func(*PushedGroup) (bool, error)) (list []PushedGroup, next string, err error) {
	return accepted(cursor, limit, keep, func(g *PushedGroup) string { return string(g.Group.ID) }, func(cursor string, limit int) ([]PushedGroup, string, error) {
		return s.groupPage(ctx, c, cursor, limit)
	})
}

func (s *Pushes) groupPage(ctx context.Context, c *directory.ScimClient, cursor string, limit int) ([]PushedGroup, string, error) {
	if !c.OwnOnly {
		p, err := s.groups.groups.ListGroups(ctx, cursor, limit, func(g *directory.Group) bool { return g.Deleted == nil })
		if err != nil {
			return nil, "", err
		}
		list, err := s.groupsWithDocuments(ctx, c, p.Groups)
		return list, p.Next, err
	}
	docs, next, err := s.documents.Pushed(ctx, c.ID, directory.MemberGroup, cursor, limit)
	if err != nil {
		return nil, "", err
	}
	ids := make([]directory.GroupID, len(docs))
	for i := range docs {
		ids[i] = docs[i].Of.Group()
	}
	list, err := s.groupsByID(ctx, c, ids)
	return list, next, err
}

// maxCounted is how many groups are counted one by one.
const maxCounted = 5000

// CountGroups is how many groups a client sees. Until the groups of an earlier version are
// counted it is, of more than maxCounted, at least so many.
func (s *Pushes) CountGroups(ctx context.Context, c *directory.ScimClient) (int, error) {
	if c.OwnOnly {
		return s.documents.CountPushed(ctx, c.ID, directory.MemberGroup)
	}
	n, known, err := s.groups.groups.CountGroups(ctx)
	if err != nil || known {
		return n, err
	}
	n = 0
	for cursor := ""; n < maxCounted; {
		p, err := s.groups.groups.ListGroups(ctx, cursor, 500, func(g *directory.Group) bool { return g.Deleted == nil })
		if err != nil {
			return 0, err
		}
		if n += len(p.Groups); p.Next == "" {
			break
		}
		cursor = p.Next
	}
	return n, nil
}

// Members are the users who are directly in a group and not deleted, with their names, in
// the order of their IDs.
func (s *Pushes) Members(ctx context.Context, id directory.GroupID) ([]Member, error) {
	var all []Member
	for cursor := ""; ; {
		p, err := s.groups.Members(ctx, id, MemberFilter{Type: directory.MemberUser}, cursor, 500)
		if err != nil {
			return nil, err
		}
		if all = append(all, p.Members...); p.Next == "" {
			return all, nil
		}
		cursor = p.Next
	}
}

// Enrolled are the users who are directly in a group, also those who are deleted: their
// memberships return with them, so that whoever empties the group means these as well.
func (s *Pushes) Enrolled(ctx context.Context, id directory.GroupID) ([]directory.UserID, error) {
	var all []directory.UserID
	for q := (store.MembersQuery{Group: id, Type: directory.MemberUser}); ; {
		list, next, err := s.groups.groups.Members(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range list {
			all = append(all, list[i].Member.User())
		}
		if q.After = next; next == (directory.MemberRef{}) {
			return all, nil
		}
	}
}

// Seen leaves of some users those whom a client may see in a group: of one that sees only its
// own, whom it has pushed. Who is deleted is among them.
func (s *Pushes) Seen(ctx context.Context, c *directory.ScimClient, users []directory.UserID) ([]directory.UserID, error) {
	if !c.OwnOnly || len(users) == 0 {
		return users, nil
	}
	refs := make([]directory.MemberRef, 0, len(users))
	for _, u := range users {
		if u.Valid() {
			refs = append(refs, directory.UserMember(u))
		}
	}
	pushed := make(map[directory.MemberRef]bool, len(refs))
	for part := range slices.Chunk(refs, 500) { // a document may be large
		docs, err := s.documents.DocumentsAmong(ctx, c.ID, part)
		if err != nil {
			return nil, err
		}
		for of, d := range docs {
			pushed[of] = d.Version != 0
		}
	}
	return slices.DeleteFunc(slices.Clone(users), func(u directory.UserID) bool { return !pushed[directory.UserMember(u)] }), nil
}

// AreMembers says who of some users is directly in a group.
func (s *Pushes) AreMembers(ctx context.Context, id directory.GroupID, users []directory.UserID) (map[directory.UserID]bool, error) {
	refs := make([]directory.MemberRef, 0, len(users))
	for _, u := range users {
		if u.Valid() {
			refs = append(refs, directory.UserMember(u))
		}
	}
	there, err := s.groups.groups.MembershipsAmong(ctx, id, refs)
	in := make(map[directory.UserID]bool, len(there))
	for m := range there {
		in[m.User()] = true
	}
	return in, err
}

// ChangeMembers takes users out of a group and puts others in, in portions. Those who are
// not there are left out, with a note each; what was done before an error stays, and is
// unchanged when the call is repeated. seen, unless nil, is the version of the members that
// the caller saw: where they have another by the first write, nothing is done.
func (s *Pushes) ChangeMembers(ctx context.Context, by directory.Caller, id directory.GroupID, add, remove []directory.UserID, seen *int64) (changed bool, notes []string, err error) {
	return s.changeMembers(ctx, by, id, add, remove, seen, false)
}

// FillGroup puts those into a group with whom it is made, likewise: it is not updated by that.
func (s *Pushes) FillGroup(ctx context.Context, by directory.Caller, id directory.GroupID, add []directory.UserID, seen *int64) (changed bool, notes []string, err error) {
	return s.changeMembers(ctx, by, id, add, nil, seen, true)
}

func (s *Pushes) changeMembers(ctx context.Context, by directory.Caller, id directory.GroupID, add, remove []directory.UserID, seen *int64, made bool) (changed bool, notes []string, err error) {
	for _, part := range []struct {
		users []directory.UserID
		edit  memberEdit
	}{
		{remove, memberEdit{act: by.AuditEvent(directory.AuditRemoveMembers), decide: toRemove}},
		{add, memberEdit{act: by.AuditEvent(directory.AuditAddMembers), asksWho: true, made: made, decide: toPush}},
	} {
		var refs []directory.MemberRef
		for _, u := range part.users {
			if u.Valid() {
				refs = append(refs, directory.UserMember(u))
			} else {
				notes = append(notes, fmt.Sprintf("the member %q is no user here and was left out", u))
			}
		}
		for some := range slices.Chunk(refs, MaxMembers) {
			done, err := s.groups.editMembers(ctx, part.edit, by, id, some, seen)
			if len(done.Done) > 0 { // of an error, too, some may be done
				changed, seen = true, nil // from here on the edit is on its way
			}
			if err != nil {
				return changed, notes, err
			}
			for _, r := range done.Refused {
				notes = append(notes, fmt.Sprintf("the member %s was left out: %s", r.UserID, r.Detail))
			}
		}
	}
	return changed, notes, nil
}

// toPush is toAdd by a client, whose lists name those, too, whom others have put in: a
// membership that is there stays whose it is.
func toPush(src directory.Source, members []directory.MemberRef, known *knownMembers, now time.Time) (store.MemberChange, MembersEdited) {
	c, out := toAdd(src, members, known, now)
	c.Own = nil
	return c, out
}
