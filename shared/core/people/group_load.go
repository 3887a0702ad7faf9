package people

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// A file of groups has a line for a group, for a member of one, or for both at once: the
// group is the one of its name, made if there is none, and edited by what else the line
// says of it; the member is a user, by address or ID, or a group, by name. A load adds
// members and takes none away. A line may name groups of the lines before it.

// The attributes of a line that are no group's.
const (
	memberEmail = "member"
	memberID    = "memberId"
	memberGroup = "memberGroup"
)

var memberAttributes = map[string]*directory.Attribute{
	memberEmail: {Path: memberEmail, Form: directory.FormEmail, MaxCharacters: 254},
	memberID:    {Path: memberID, Form: directory.FormID, MaxCharacters: 64},
	memberGroup: {Path: memberGroup, Form: directory.FormText, MaxCharacters: 256},
}

// groupLineShape is the shape of the lines of a file of groups.
var groupLineShape = &shape{
	noun: groupShape.noun, code: groupShape.code, holders: groupShape.holders, readOnly: groupShape.readOnly,
	attribute: func(path string) (*directory.Attribute, bool) {
		if a, ok := memberAttributes[path]; ok {
			return a, true
		}
		return groupAttribute(path)
	},
	columns: readGroupColumns,
	known:   knownGroupNames,
}

// groupNames are the names of columns of a file of groups, folded: our own, and those of
// the lists of groups and of members that the Entra admin centre and PowerShell write.
var groupNames = map[string]string{
	"name": "name", "group": "name", "groupname": "name", "groupdisplayname": "name", "displayname": "name",
	"description": "description", "groupdescription": "description",
	"mailnickname": "mailNickname", "alias": "mailNickname",
	"externalid": "externalId",
	"member":     memberEmail, "memberemail": memberEmail, "email": memberEmail, "mail": memberEmail, "userprincipalname": memberEmail, "upn": memberEmail,
	"memberid": memberID, "userid": memberID,
	"membergroup": memberGroup, "membergroupname": memberGroup,
}

func groupColumn(name string) string {
	if strings.HasPrefix(name, customPrefix) {
		return name
	}
	return groupNames[foldName(name)]
}

func knownGroupNames(_ *shape, names []string) int {
	n := 0
	for _, name := range names {
		if groupColumn(tidyName(name)) != "" {
			n++
		}
	}
	return n
}

// readGroupColumns reads the header row of a file of groups and reports every name that
// is wrong.
func readGroupColumns(s *shape, names []string, unknown UnknownColumns) (columns, error) {
	names = tidyHeader(names)
	if err := checkColumns(s, names); err != nil {
		return columns{}, err
	}
	c := columns{shape: s}
	var faults []directory.FieldError
	for i, name := range names {
		col := column{name: name, path: groupColumn(name)}
		fault := ""
		key, custom := strings.CutPrefix(col.path, customPrefix)
		switch {
		case name == "":
			col.ignored = "has no name: a value in it is a fault of its line"
		case col.path == "" && slices.Contains(s.readOnly, name):
			fault = "is read-only; leave the column out"
		case col.path == "" && unknown == UnknownIgnore:
			col.ignored = "is not an attribute of a group or of a member"
		case col.path == "":
			fault = "is not an attribute of a group or of a member"
		case custom:
			fault = checkKey(key)
		case c.gives(col.path):
			fault = "is there twice"
		}
		if fault != "" {
			faults = append(faults, columnFault(i, name, fault))
		}
		c.list = append(c.list, col)
	}
	if !c.gives("name") {
		faults = append(faults, directory.FieldError{Field: "name", Detail: "is a column that the file needs: the name of the group"})
	}
	if faults != nil {
		r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidHeader, "The header row was not accepted and nothing was loaded.",
			"Name the columns name, description, mailNickname, externalId, customAttributes.…, member, memberId and memberGroup; or load with unknownColumns=ignore what is to be left out.")
		r.Fields = faults
		return c, r
	}
	c.sort()
	return c, nil
}

// groupLoader writes some lines of a file of groups.
type groupLoader struct {
	groups  *Groups
	find    userFinder
	by      string
	act     directory.AuditEvent
	source  directory.Source
	check   bool // writes nothing
	planned *plannedGroups

	named map[string]directory.Group  // by folded name
	users map[string]directory.UserID // by folded address
	edit  *memberEdit                 // of the group whose members are being added
	part  []groupMember               // not added yet
	out   loaded
}

// groupMember is a member that a line names.
type groupMember struct {
	line loadLine
	ref  directory.MemberRef
}

// plannedGroups are what a check remembers of the lines before: those groups and
// memberships that a load would have made.
type plannedGroups struct {
	groups  map[string]directory.Group // by folded name
	ids     map[directory.GroupID]bool // of those that are not there yet
	members map[uint64]bool
}

// mostPlanned is how many memberships a check remembers: of more it counts those that
// stand in the file again as added again.
const mostPlanned = 200_000

func newPlannedGroups() *plannedGroups {
	return &plannedGroups{groups: map[string]directory.Group{}, ids: map[directory.GroupID]bool{}, members: map[uint64]bool{}}
}

// add remembers a membership; false when it is remembered already.
func (p *plannedGroups) add(group string, m directory.MemberRef) bool {
	h := hashed(group + "\x00" + m.String())
	if p.members[h] {
		return false
	}
	if len(p.members) < mostPlanned {
		p.members[h] = true
	}
	return true
}

func (s *Loads) groupLoader(j *jobs.Job, in loadInput, p *plannedGroups) *groupLoader {
	return &groupLoader{
		groups: s.groups, find: s.find, by: j.By(), act: j.AuditEvent(directory.AuditLoad), source: in.Source, check: in.CheckOnly, planned: p,
		out: loaded{counts: map[string]int{}, woken: map[directory.ConnectionID]bool{}},
	}
}

// load writes the lines, in their order.
func (l *groupLoader) load(ctx context.Context, lines []loadLine) (loaded, error) {
	if err := l.read(ctx, lines); err != nil {
		return loaded{}, err
	}
	for _, line := range lines {
		if err := l.line(ctx, line); err != nil {
			return loaded{}, err
		}
	}
	return l.out, l.end(ctx)
}

// read looks up the groups and the users that the lines name.
func (l *groupLoader) read(ctx context.Context, lines []loadLine) error {
	var names, addresses []string
	for _, line := range lines {
		names = append(names, line.Edit["name"], line.Edit[memberGroup])
		addresses = append(addresses, line.Edit[memberEmail])
	}
	owners, err := l.groups.groups.GroupIDsByName(ctx, slices.DeleteFunc(names, func(n string) bool { return n == "" }))
	if err != nil {
		return err
	}
	groups, err := l.groups.groups.GroupsByID(ctx, slices.Collect(maps.Values(owners)))
	if err != nil {
		return err
	}
	l.named = map[string]directory.Group{}
	for name, id := range owners {
		if g, there := groups[id]; there && g.Deleted == nil {
			l.named[name] = g
		}
	}
	if l.check {
		maps.Copy(l.named, l.planned.groups)
	}
	l.users, err = l.find.UserIDsByEmail(ctx, addresses)
	return err
}

func (l *groupLoader) line(ctx context.Context, line loadLine) error {
	switch {
	case line.Code != "":
		l.refuse(line, line.Code, line.Detail)
		return nil
	case line.Edit["name"] == "":
		l.refuse(line, directory.CodeInvalidGroup, "name is required.")
		return nil
	}
	e := maps.Clone(line.Edit)
	maps.DeleteFunc(e, func(path, _ string) bool { return memberAttributes[path] != nil })
	member, named, fault := l.member(line)
	if fault != nil {
		l.refuse(line, fault.Code, fault.Detail)
		return nil
	}
	g, there := l.named[directory.FoldName(e["name"])]
	if there && len(e) == 1 && named { // which says nothing of the group but its name
		return l.add(ctx, g, groupMember{line, member})
	}
	if err := l.flush(ctx); err != nil {
		return err
	}
	did, err := l.group(ctx, e, there)
	if err != nil {
		r, is := errors.AsType[*directory.Refusal](err)
		if !is {
			return err
		}
		l.refuse(line, r.Code, faultText(r))
		return nil
	}
	l.out.counts[did]++
	if !named {
		l.note(line)
		return nil
	}
	return l.add(ctx, l.named[directory.FoldName(e["name"])], groupMember{line, member})
}

// member is whom a line names; not named says nobody.
func (l *groupLoader) member(line loadLine) (m directory.MemberRef, named bool, fault *directory.Refusal) {
	email, id, group := line.Edit[memberEmail], line.Edit[memberID], line.Edit[memberGroup]
	many := 0
	for _, text := range []string{email, id, group} {
		if text != "" {
			many++
		}
	}
	switch {
	case many == 0:
		return m, false, nil
	case many > 1:
		return m, true, &directory.Refusal{Code: directory.CodeInvalidLine, Detail: "The line names several members; write a line for each."}
	case id != "":
		return directory.UserMember(directory.UserID(id)), true, nil
	case email != "":
		u, known := l.users[directory.FoldAddress(email)]
		if !known {
			return m, true, &directory.Refusal{Code: directory.CodeUserNotFound, Detail: fmt.Sprintf("There is no user with the address %q.", email)}
		}
		return directory.UserMember(u), true, nil
	}
	g, known := l.named[directory.FoldName(group)]
	if !known {
		return m, true, &directory.Refusal{Code: directory.CodeGroupNotFound, Detail: fmt.Sprintf("There is no group %q, and no line before this one makes it.", group)}
	}
	return directory.GroupMember(g.ID), true, nil
}

// group makes or edits the group of a line, and says what became of it: created, updated
// or unchanged.
func (l *groupLoader) group(ctx context.Context, e edit, there bool) (string, error) {
	name := directory.FoldName(e["name"])
	for range maxTries {
		did, g, err := l.groupOnce(ctx, e, l.named[name], there)
		if taken, is := errors.AsType[*store.GroupNameTaken](err); is && !there { // somebody was faster: it is an edit now
			there = true
			l.named[name] = directory.Group{ID: taken.Owner}
			continue
		}
		if errors.Is(err, directory.ErrStale) {
			continue
		}
		if err == nil {
			l.named[name] = g
			if l.check {
				l.planned.groups[name] = g
				l.planned.ids[g.ID] = l.planned.ids[g.ID] || !there
			}
		}
		return did, groupTaken(err)
	}
	return "", fmt.Errorf("group %q is being edited all the time: %w", e["name"], directory.ErrBusy)
}

func (l *groupLoader) groupOnce(ctx context.Context, e edit, g directory.Group, there bool) (string, directory.Group, error) {
	if !there {
		g, err := l.groups.compose(e, l.source)
		if err != nil || l.check {
			return "created", g, err
		}
		g.EditedBy(l.by, l.groups.now())
		return "created", g, l.groups.groups.CreateGroups(ctx, l.act, &g)
	}
	old := g
	if !l.check {
		var err error
		if old, err = l.groups.living(ctx, g.ID); err != nil {
			return "", g, err
		}
	}
	next := old
	changed, err := e.applyGroup(&next, l.source)
	if err != nil || !changed {
		return "unchanged", old, err
	}
	if l.check {
		return "updated", next, nil
	}
	next.EditedBy(l.by, l.groups.now())
	told, err := l.groups.groups.UpdateGroup(ctx, l.act, &old, &next)
	if err == nil {
		l.groups.tell(ctx, g.ID, told)
	}
	return "updated", next, err
}

// add adds a member to a group; flush stores it, together with others of that group.
func (l *groupLoader) add(ctx context.Context, g directory.Group, m groupMember) error {
	other := l.edit != nil && l.edit.group.ID != g.ID
	again := slices.ContainsFunc(l.part, func(o groupMember) bool { return o.ref == m.ref })
	if other || again || len(l.part) == store.MaxMemberChange {
		if err := l.flush(ctx); err != nil {
			return err
		}
	}
	if other {
		if err := l.end(ctx); err != nil {
			return err
		}
	}
	if l.edit == nil {
		l.edit = &memberEdit{groups: l.groups, act: l.act, by: l.by, source: l.source, group: g, asksWho: true, decide: toAdd}
	}
	l.part = append(l.part, m)
	return nil
}

// flush stores the members that wait for it, and counts what became of each.
func (l *groupLoader) flush(ctx context.Context) error {
	part := l.part
	l.part = nil
	if len(part) == 0 {
		return nil
	}
	refs := make([]directory.MemberRef, len(part))
	for i := range part {
		refs[i] = part[i].ref
	}
	l.edit.out = MembersEdited{}
	if l.check {
		if err := l.plan(ctx, refs); err != nil {
			return err
		}
	} else if err := l.edit.part(ctx, refs); err != nil {
		r, is := errors.AsType[*directory.Refusal](err) // the group is gone meanwhile
		if !is {
			return err
		}
		for _, m := range part {
			l.refuse(m.line, r.Code, r.Detail)
		}
		return nil
	}
	why := map[directory.MemberRef]directory.RefusedItem{}
	for _, item := range l.edit.out.Refused {
		m := directory.UserMember(item.UserID)
		if item.GroupID != "" {
			m = directory.GroupMember(item.GroupID)
		}
		why[m] = item
	}
	for _, m := range part {
		item, refused := why[m.ref]
		switch {
		case refused:
			l.refuse(m.line, item.Code, item.Detail)
		case slices.Contains(l.edit.out.Unchanged, m.ref):
			l.out.counts["membersUnchanged"]++
			l.note(m.line)
		default:
			l.out.counts["membersAdded"]++
			l.note(m.line)
		}
	}
	return nil
}

// plan decides about members as a load would, and writes nothing. Whether a group would
// be in itself only the load finds out.
func (l *groupLoader) plan(ctx context.Context, refs []directory.MemberRef) error {
	g := l.edit.group
	var stored, planned []directory.MemberRef
	for _, m := range refs {
		if l.planned.ids[m.Group()] {
			planned = append(planned, m)
		} else {
			stored = append(stored, m)
		}
	}
	known, err := l.edit.look(ctx, stored)
	if err != nil {
		return err
	}
	_, out := toAdd(l.source, stored, known, l.groups.now())
	for _, m := range slices.Concat(out.Done, planned) {
		if !l.planned.add(directory.FoldName(g.Name), m) {
			out.Unchanged = append(out.Unchanged, m)
		}
	}
	l.edit.out = out
	return nil
}

// end stores what waits for it, and has those told who use the group.
func (l *groupLoader) end(ctx context.Context) error {
	if err := l.flush(ctx); err != nil {
		return err
	}
	if l.edit != nil {
		l.groups.tell(ctx, l.edit.group.ID, l.edit.told)
		l.edit = nil
	}
	return nil
}

func (l *groupLoader) note(line loadLine) {
	for _, warning := range line.Warnings {
		l.out.notes = append(l.out.notes, directory.JobNote{Line: line.Line, Name: line.Edit["name"], Warning: warning})
	}
}

func (l *groupLoader) refuse(line loadLine, code, detail string) {
	l.out.refused = append(l.out.refused, directory.RefusedItem{
		Line: line.Line, Name: cmp.Or(line.Edit[memberEmail], line.Edit[memberID], line.Edit[memberGroup], line.Edit["name"]), Code: code, Detail: detail,
	})
}
