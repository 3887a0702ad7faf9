package people

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Groups keeps the groups of the directory and their members. It may be used by many
// goroutines.
type Groups struct {
	groups  groupStore
	users   userFinder
	orphans orphans
	teller  teller
	now     func() time.Time
}

// NewGroups returns Groups.
func NewGroups(cfg UsersConfig) *Groups {
	return &Groups{groups: cfg.Stores.Groups, users: cfg.Stores.Find, orphans: cfg.Stores.Documents, teller: teller{cfg.Stores.Groups, cfg.Wake, orSilent(cfg.Log)}, now: orNow(cfg.Now)}
}

// groupShape is the shape of groups. What a file says of a member is an attribute of its
// line, and of no group.
var groupShape = &shape{
	noun: "group", code: directory.CodeInvalidGroup, attribute: groupAttribute,
	holders:  []string{"customAttributes"},
	readOnly: []string{"id", "source", "owners", "created", "updated", "deleted", "version", "members", "membersVersion", "usedBy", "importedFrom", "warnings"},
	columns:  readGroupColumns,
	known:    knownGroupNames,
}

// groupAttributes are the attributes of a group, with how to find them in one.
var groupAttributes = []struct {
	directory.Attribute
	at func(*directory.GroupProfile) *string
}{
	{directory.Attribute{Path: "name", Form: directory.FormText, MaxCharacters: 256}, func(p *directory.GroupProfile) *string { return &p.Name }},
	{directory.Attribute{Path: "description", Form: directory.FormLines, MaxCharacters: 1024}, func(p *directory.GroupProfile) *string { return &p.Description }},
	{directory.Attribute{Path: "mailNickname", Form: directory.FormName, MaxCharacters: 64}, func(p *directory.GroupProfile) *string { return &p.MailNickname }},
	{directory.Attribute{Path: "externalId", Form: directory.FormText, MaxCharacters: 256}, func(p *directory.GroupProfile) *string { return &p.ExternalID }},
}

func groupAttribute(path string) (*directory.Attribute, bool) {
	for i := range groupAttributes {
		if groupAttributes[i].Path == path {
			return &groupAttributes[i].Attribute, true
		}
	}
	return nil, false
}

// groupText is the text of a group at a path.
func groupText(p *directory.GroupProfile, path string) string {
	if key, ok := strings.CutPrefix(path, customPrefix); ok {
		return p.CustomAttributes[key]
	}
	for _, a := range groupAttributes {
		if a.Path == path {
			return *a.at(p)
		}
	}
	return ""
}

func setGroupText(p *directory.GroupProfile, path, text string) {
	if key, ok := strings.CutPrefix(path, customPrefix); ok {
		p.CustomAttributes = withCustom(p.CustomAttributes, key, text)
	}
	for _, a := range groupAttributes {
		if a.Path == path {
			*a.at(p) = text
		}
	}
}

// groupPaths lists the attributes of a group that have a value.
func groupPaths(p *directory.GroupProfile) []string {
	var list []string
	for _, a := range groupAttributes {
		if *a.at(p) != "" {
			list = append(list, a.Path)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p.CustomAttributes)) {
		list = append(list, customPrefix+key)
	}
	return list
}

// applyGroup edits g as a caller of the source may. It reports whether anything changed;
// g is unchanged after an error.
func (e edit) applyGroup(g *directory.Group, src directory.Source) (bool, error) {
	next := *g
	owners := maps.Clone(g.Owners)
	want := e.expand(groupShape, groupPaths(&g.GroupProfile))
	err := want.write(&owners, src, func(path string) string { return groupText(&g.GroupProfile, path) },
		func(path, text string) { setGroupText(&next.GroupProfile, path, text) })
	if err != nil {
		return false, err
	}
	if f := checkGroup(&next.GroupProfile); f != nil {
		return false, groupShape.invalid(f)
	}
	if len(owners) == 0 {
		owners = nil
	}
	next.Owners = owners
	if reflect.DeepEqual(next, *g) {
		return false, nil
	}
	*g = next
	return true, nil
}

// mailNickname is what Microsoft takes as one: ASCII without blanks and the characters
// @ () \ [] " ; : <> , (the reference of the resource type group).
var mailNickname = directory.Pattern(`^[!#-'*+\-./0-9=?A-Z^_` + "`" + `a-z{|}~]{1,64}$`)

// checkGroup reports what is wrong with a group as a whole.
func checkGroup(p *directory.GroupProfile) []directory.FieldError {
	var f []directory.FieldError
	bad := func(field, detail string) { f = append(f, directory.FieldError{Field: field, Detail: detail}) }
	if p.Name == "" {
		bad("name", "is required")
	}
	if p.MailNickname != "" && !mailNickname().MatchString(p.MailNickname) {
		bad("mailNickname", "must be letters of ASCII, digits and punctuation, without blanks and @()\\[]\";:<>,")
	}
	if n := len(p.CustomAttributes); n > maxCustom {
		bad("customAttributes", fmt.Sprintf("has %d entries; at most %d are allowed", n, maxCustom))
	}
	if data, err := json.Marshal(p); err != nil || len(data) > maxProfileBytes {
		bad("customAttributes", fmt.Sprintf("makes the group larger than %d KB", maxProfileBytes>>10))
	}
	return f
}

// EditedGroup is a group as an edit left it.
type EditedGroup struct {
	directory.Group
	Warnings []directory.Warning `json:"warnings,omitempty" doc:"What of the values was changed"`
}

// Create makes a group of a JSON object with the members of directory.GroupProfile.
func (s *Groups) Create(ctx context.Context, by directory.Caller, body []byte) (EditedGroup, error) {
	e, warnings, err := groupShape.parseEdit(body)
	if err != nil {
		return EditedGroup{}, err
	}
	g, err := s.compose(e, by.WritesAs())
	if err != nil {
		return EditedGroup{}, err
	}
	g.EditedBy(by.Subject, s.now())
	if err := s.groups.CreateGroups(ctx, by.AuditEvent(directory.AuditCreateGroup), &g); err != nil {
		return EditedGroup{}, groupTaken(err)
	}
	return EditedGroup{g, warnings}, nil
}

// compose makes a new group of an edit, without storing it.
func (s *Groups) compose(e edit, src directory.Source) (directory.Group, error) {
	now := s.now().UTC()
	g := directory.Group{ID: directory.NewGroupID(now), Source: src, Created: now, Updated: now}
	_, err := e.applyGroup(&g, src)
	return g, err
}

// Get returns a group, also a deleted one as long as it can be restored.
func (s *Groups) Get(ctx context.Context, id directory.GroupID) (directory.Group, error) {
	g, err := s.groups.Group(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		return g, noGroup(id)
	}
	return g, err
}

// living is Get of a group that is not deleted.
func (s *Groups) living(ctx context.Context, id directory.GroupID) (directory.Group, error) {
	g, err := s.Get(ctx, id)
	if err == nil && g.Deleted != nil {
		err = groupDeleted(id)
	}
	return g, err
}

// Patch applies a JSON merge patch to a group. version, when not 0, is the one that the
// caller saw.
func (s *Groups) Patch(ctx context.Context, by directory.Caller, id directory.GroupID, body []byte, version int64) (EditedGroup, error) {
	e, warnings, err := groupShape.parseEdit(body)
	if err != nil {
		return EditedGroup{}, err
	}
	g, err := s.edit(ctx, by, id, version, directory.AuditEditGroup, func(g *directory.Group) (bool, error) {
		if g.Deleted != nil {
			return false, groupDeleted(id)
		}
		return e.applyGroup(g, by.WritesAs())
	})
	return EditedGroup{g, warnings}, err
}

// Delete makes a group a tombstone: its name is free at once, it has no members and is
// in no group, and it can be restored with both for 30 days. Deleting a deleted group is
// no error.
func (s *Groups) Delete(ctx context.Context, by directory.Caller, id directory.GroupID, version int64) error {
	_, err := s.edit(ctx, by, id, version, directory.AuditDeleteGroup, func(g *directory.Group) (bool, error) {
		if g.Deleted != nil {
			return false, nil
		}
		now := s.now().UTC()
		g.Deleted = &now
		return true, mayDecideGroup(g, by.WritesAs())
	})
	return err
}

// Restore brings a deleted group back as it was, with its members. It is refused when
// another group has its name meanwhile.
func (s *Groups) Restore(ctx context.Context, by directory.Caller, id directory.GroupID, version int64) (directory.Group, error) {
	return s.edit(ctx, by, id, version, directory.AuditRestoreGroup, func(g *directory.Group) (bool, error) {
		if g.Deleted == nil {
			return false, nil
		}
		g.Deleted = nil
		return true, mayDecideGroup(g, by.WritesAs())
	})
}

// mayDecideGroup refuses a caller to delete or restore a group whose name is another
// source's: that source brings the group.
func mayDecideGroup(g *directory.Group, src directory.Source) error {
	if owner, owned := g.Owners["name"]; owned && owner != src {
		return ownedElsewhere([]directory.FieldError{{Field: "name", Detail: fmt.Sprintf("is owned by the source %q", owner)}})
	}
	return nil
}

// edit reads a group, lets change edit it, and stores it when that says so; again when
// somebody else was faster, unless the caller named a version.
func (s *Groups) edit(ctx context.Context, by directory.Caller, id directory.GroupID, version int64, kind directory.AuditKind, change func(*directory.Group) (bool, error)) (directory.Group, error) {
	for try := 0; ; try++ {
		old, err := s.Get(ctx, id)
		if err != nil {
			return old, err
		}
		if version != 0 && version != old.Version {
			return old, groupMoved("group", old.Version, version)
		}
		g := old
		changed, err := change(&g)
		if err != nil {
			g = old
			changed, err = s.retry(ctx, &g, err, change)
		}
		if err != nil || !changed {
			return old, err
		}
		g.EditedBy(by.Subject, s.now())
		told, err := s.groups.UpdateGroup(ctx, by.AuditEvent(kind), &old, &g)
		if errors.Is(err, directory.ErrStale) && try < maxTries {
			continue
		}
		if err != nil {
			return old, groupTaken(err)
		}
		s.tell(ctx, id, told)
		return g, nil
	}
}

// tell has those told who use a group that was edited, if there is anybody.
func (s *Groups) tell(ctx context.Context, id directory.GroupID, somebody bool) {
	if somebody {
		s.teller.tell(ctx, directory.GroupMember(id))
	}
}

// teller has those told who use groups.
type teller struct {
	groups interface {
		TellUsers(ctx context.Context, m directory.MemberRef) ([]directory.ConnectionID, error)
	}
	waker Waker
	log   *slog.Logger
}

// tell has those told who use a group that was edited, or that an edited user is in. When
// that fails, the schedule makes up for it.
func (t teller) tell(ctx context.Context, m directory.MemberRef) {
	if err := t.try(ctx, m); err != nil {
		t.log.Warn("those who use a group were not told of an edit; the schedule makes up for it", "member", m, "error", err)
	}
}

func (t teller) try(ctx context.Context, m directory.MemberRef) error {
	connections, err := t.groups.TellUsers(ctx, m)
	for _, c := range connections {
		if err := t.waker.Wake(ctx, c, 0); err != nil {
			t.log.Warn("wake-up not sent; the schedule makes up for it", "connectionId", c, "error", err)
		}
	}
	return err
}

// GroupFilter chooses groups; a zero member chooses all living ones.
type GroupFilter struct {
	Name    string // the whole name, folded
	Source  directory.Source
	Text    string // part of a name, a description or an ID, folded
	Deleted bool   // those that are deleted and can be restored, and no others
}

func (f *GroupFilter) keeps(g *directory.Group) bool {
	if (g.Deleted != nil) != f.Deleted || f.Source != "" && g.Source != f.Source || f.Name != "" && directory.FoldName(g.Name) != directory.FoldName(f.Name) {
		return false
	}
	return f.Text == "" || directory.ContainsFolded(f.Text, string(g.ID), g.Name, g.Description, g.MailNickname, g.ExternalID)
}

// List lists groups in a stable order. A page may hold fewer than limit groups, or none,
// and still have a Next.
func (s *Groups) List(ctx context.Context, f GroupFilter, cursor string, limit int) (store.GroupPage, error) {
	if fault := sourceFault(f.Source); fault != "" {
		return store.GroupPage{}, badFilter([]directory.FieldError{{Field: "source", Detail: fault}})
	}
	if f.Name == "" || f.Deleted { // a deleted group holds no name
		return s.groups.ListGroups(ctx, cursor, limit, f.keeps)
	}
	owners, err := s.groups.GroupIDsByName(ctx, []string{f.Name})
	if err != nil {
		return store.GroupPage{}, err
	}
	found, err := s.groups.GroupsByID(ctx, slices.Collect(maps.Values(owners)))
	if err != nil {
		return store.GroupPage{}, err
	}
	var page store.GroupPage
	for _, g := range found {
		if f.keeps(&g) {
			page.Groups = append(page.Groups, g)
		}
	}
	return page, nil
}

// groupTaken turns the store's answer about a name in use into one for people.
func groupTaken(err error) error {
	t, ok := errors.AsType[*store.GroupNameTaken](err)
	if !ok {
		return err
	}
	return directory.Refuse(directory.ErrConflict, directory.CodeGroupNameTaken, fmt.Sprintf("The name %q belongs to the group %s.", t.Name, t.Owner),
		"Choose another one, or change that group first.")
}

func groupMoved(what string, is, seen int64) error {
	return directory.Refuse(directory.ErrStale, directory.CodeVersionMismatch,
		fmt.Sprintf("The %s has version %d, not %d.", what, is, seen), "Read it again and repeat the edit.")
}

func noGroup(id directory.GroupID) error {
	return directory.Refuse(directory.ErrNotFound, directory.CodeGroupNotFound, fmt.Sprintf("There is no group %q.", id), "")
}

func groupDeleted(id directory.GroupID) error {
	return directory.Refuse(directory.ErrConflict, directory.CodeGroupDeleted, fmt.Sprintf("The group %s is deleted.", id), "Restore the group first.")
}
