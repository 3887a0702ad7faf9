package admin

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"bindery/shared/core/people"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Groups keeps the groups of the directory and their members; *people.Groups does.
type Groups interface {
	Create(ctx context.Context, by directory.Caller, body []byte) (people.EditedGroup, error)
	Get(ctx context.Context, id directory.GroupID) (directory.Group, error)
	List(ctx context.Context, f people.GroupFilter, cursor string, limit int) (store.GroupPage, error)
	ByID(ctx context.Context, ids []directory.GroupID) ([]directory.Group, error)
	GroupsOfGroup(ctx context.Context, id directory.GroupID, cursor string, limit int) ([]people.UserGroup, string, error)
	Patch(ctx context.Context, by directory.Caller, id directory.GroupID, body []byte, version int64) (people.EditedGroup, error)
	Delete(ctx context.Context, by directory.Caller, id directory.GroupID, version int64) error
	Restore(ctx context.Context, by directory.Caller, id directory.GroupID, version int64) (directory.Group, error)
	Members(ctx context.Context, id directory.GroupID, f people.MemberFilter, cursor string, limit int) (people.MemberPage, error)
	AddMembers(ctx context.Context, by directory.Caller, id directory.GroupID, members []directory.MemberRef, version int64) (people.MembersEdited, error)
	RemoveMembers(ctx context.Context, by directory.Caller, id directory.GroupID, members []directory.MemberRef, version int64) (people.MembersEdited, error)
	GroupsOfUser(ctx context.Context, id directory.UserID, cursor string, limit int) ([]people.UserGroup, string, error)
}

// GroupPath names a group in a path.
type GroupPath struct {
	ID string `path:"id" maxLength:"64" pattern:"^[!-~]+$" doc:"ID of the group"`
}

// GroupEditing is what every edit of a group takes: its version, if the caller cares.
type GroupEditing struct {
	GroupPath
	IfMatch string `header:"If-Match" maxLength:"200" doc:"The ETag of the version that is edited; without it the edit goes onto whatever is there"`
}

type groupOutput struct {
	ETag string `header:"ETag"`
	Body directory.Group
}

type createdGroup struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     people.EditedGroup
}

type editedGroup struct {
	ETag string `header:"ETag"`
	Body people.EditedGroup
}

// MemberIDs is the body of an edit of members.
type MemberIDs struct {
	UserIDs  []directory.UserID  `json:"userIds,omitempty" doc:"With groupIds at most 500."`
	GroupIDs []directory.GroupID `json:"groupIds,omitempty" doc:"Groups of the directory."`
}

func (m *MemberIDs) refs() []directory.MemberRef {
	var refs []directory.MemberRef
	for _, u := range m.UserIDs {
		refs = append(refs, directory.UserMember(u))
	}
	for _, g := range m.GroupIDs {
		refs = append(refs, directory.GroupMember(g))
	}
	return refs
}

// MembersResult is the answer to an edit of members, with what became of each.
type MembersResult struct {
	Done      []directory.MemberRef   `json:"done" doc:"Added, or removed."`
	Unchanged []directory.MemberRef   `json:"unchanged" doc:"Members already, or no members."`
	Refused   []directory.RefusedItem `json:"refused"`
}

type membersOutput struct {
	ETag string `header:"ETag"`
	Body MembersResult
}

const (
	membersText = "Each member has its result: what is refused holds back none of the others, and a call that failed halfway can be repeated. " +
		"A group that would be in itself, however deep, is refused by the names of the groups on the way. A membership that a source brought is ended by that source alone. " +
		"If-Match takes the ETag of the list of members, as it is when the call begins."
	groupLoadText = "The file is the body, or was uploaded before (upload), in the forms and within the limits of POST /v1/users:load. " +
		"A line names a group (name), which is made if there is none, and edited by description, mailNickname, externalId and customAttributes.…; and one member of it or none, by member (the e-mail address of a user), memberId (a user's ID) or memberGroup (the name of a group that is there, or of a line before). " +
		"A load adds members and takes none away. Counts are created, updated and unchanged, of groups, and membersAdded and membersUnchanged."
)

func etagOf(version int64) string { return fmt.Sprintf("%q", strconv.FormatInt(version, 10)) }

func (a *API) groups() {
	create, edit := a.groupSchemas()
	register(a, operation{id: "createGroup", method: http.MethodPost, path: "/v1/groups", scope: ScopeWrite, sources: true, status: 201,
		summary: "Create a group", body: create, core: []string{allMembers}}, a.createGroup)
	register(a, operation{id: "listGroups", method: http.MethodGet, path: "/v1/groups", scope: ScopeRead, sources: true,
		summary: "List groups: the living ones, or the deleted ones that can be restored"}, a.listGroups)
	register(a, operation{id: "getGroup", method: http.MethodGet, path: "/v1/groups/{id}", scope: ScopeRead, sources: true,
		summary: "Read a group, also a deleted one that can be restored"}, a.getGroup)
	register(a, operation{id: "editGroup", method: http.MethodPatch, path: "/v1/groups/{id}", scope: ScopeWrite, sources: true,
		summary: "Edit a group, as a JSON merge patch", body: edit, types: patchTypes, core: []string{allMembers}}, a.editGroup)
	register(a, operation{id: "deleteGroup", method: http.MethodDelete, path: "/v1/groups/{id}", scope: ScopeWrite, sources: true,
		summary: "Delete a group: its name is free, it has no members and is in no group, and can be restored with both for 30 days"}, a.deleteGroup)
	register(a, operation{id: "restoreGroup", method: http.MethodPost, path: "/v1/groups/{id}/restore", scope: ScopeWrite, sources: true,
		summary: "Bring a deleted group back, with its members"}, a.restoreGroup)
	register(a, operation{id: "listMembers", method: http.MethodGet, path: "/v1/groups/{id}/members", scope: ScopeRead, sources: true,
		summary: "List the direct members of a group, or all users in it", more: "Members that are deleted are left out. Direct members come groups first, each kind by ID; the users of a nested listing by ID, each once. " +
			"The ETag is the version of the direct members."}, a.listMembers)
	register(a, operation{id: "addMembers", method: http.MethodPost, path: "/v1/groups/{id}/members", scope: ScopeWrite, sources: true, status: 200,
		summary: "Make users and groups members of a group", more: membersText, body: schema[MemberIDs](a)}, a.addMembers)
	register(a, operation{id: "removeMembers", method: http.MethodDelete, path: "/v1/groups/{id}/members", scope: ScopeWrite, sources: true, status: 200,
		summary: "Take users and groups out of a group", more: membersText, body: schema[MemberIDs](a)}, a.removeMembers)
	register(a, operation{id: "loadGroups", method: http.MethodPost, path: "/v1/groups:load", scope: ScopeWrite, sources: true, status: 202,
		summary: "Load groups and members from CSV, an Excel workbook or JSON lines", more: groupLoadText,
		body: &huma.Schema{Type: "string"}, optional: true, types: fileTypes, also: later(schema[Job](a))}, a.loadGroups)
	register(a, operation{id: "listGroupsOfGroup", method: http.MethodGet, path: "/v1/groups/{id}/groups", scope: ScopeRead, sources: true,
		summary: "List the groups in which a group is, directly or through others, with the path of each"}, a.listGroupsOfGroup)
	register(a, operation{id: "listGroupsOfUser", method: http.MethodGet, path: "/v1/users/{id}/groups", scope: ScopeRead, sources: true,
		summary: "List the groups in which a user is, directly or through others, with the path of each"}, a.listGroupsOfUser)
}

// groupSchemas describes the bodies of a create and of an edit.
func (a *API) groupSchemas() (create, edit *huma.Schema) {
	registry := a.huma.OpenAPI().Components.Schemas
	profile := registry.Schema(reflect.TypeFor[directory.GroupProfile](), false, "GroupProfile")
	c, e := *profile, *profile
	c.Required, e.Required = []string{"name"}, nil
	return &c, &e
}

func (a *API) createGroup(ctx context.Context, by Caller, in *raw) (*createdGroup, error) {
	g, err := a.Groups.Create(ctx, by.Caller, in.RawBody)
	return &createdGroup{etagOf(g.Version), "/v1/groups/" + string(g.ID), g}, err
}

func (a *API) listGroups(ctx context.Context, _ Caller, in *struct {
	Paging
	Name    string              `query:"name" maxLength:"256" pattern:"^[^\\x00-\\x1F\\x7F-\\x9F]*$" doc:"The whole name, in any letter case"`
	Source  string              `query:"source" enum:"manual,scim,ad,m365"`
	Text    string              `query:"text" maxLength:"200" pattern:"^[^\\x00-\\x1F\\x7F-\\x9F]*$" doc:"A part of a name, a description or an ID"`
	Deleted bool                `query:"deleted" doc:"Deleted groups that can be restored, and no others"`
	IDs     []directory.GroupID `query:"id" doc:"These groups, deleted ones as well; with no other filter. Those that are not there are left out."`
}) (*listOutput[directory.Group], error) {
	if len(in.IDs) > 0 {
		return listOf(ctx, a, in.Limit, named(ctx, in.IDs, in.Next, in.Name+in.Source+in.Text == "" && !in.Deleted, a.Groups.ByID))
	}
	f := people.GroupFilter{Name: in.Name, Source: directory.Source(in.Source), Text: in.Text, Deleted: in.Deleted}
	return listOf(ctx, a, in.Limit, func(limit int) ([]directory.Group, string, error) {
		p, err := a.Groups.List(ctx, f, in.Next, limit)
		return p.Groups, p.Next, err
	})
}

func (a *API) getGroup(ctx context.Context, _ Caller, in *GroupPath) (*groupOutput, error) {
	return answerGroup(a.Groups.Get(ctx, directory.GroupID(in.ID)))
}

func answerGroup(g directory.Group, err error) (*groupOutput, error) {
	return &groupOutput{etagOf(g.Version), g}, err
}

func (a *API) editGroup(ctx context.Context, by Caller, in *struct {
	GroupEditing
	raw
}) (*editedGroup, error) {
	version, err := parseIfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	g, err := a.Groups.Patch(ctx, by.Caller, directory.GroupID(in.ID), in.RawBody, version)
	return &editedGroup{etagOf(g.Version), g}, err
}

func (a *API) deleteGroup(ctx context.Context, by Caller, in *GroupEditing) (*struct{}, error) {
	version, err := parseIfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	return nil, a.Groups.Delete(ctx, by.Caller, directory.GroupID(in.ID), version)
}

func (a *API) restoreGroup(ctx context.Context, by Caller, in *GroupEditing) (*groupOutput, error) {
	version, err := parseIfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	return answerGroup(a.Groups.Restore(ctx, by.Caller, directory.GroupID(in.ID), version))
}

// memberList is a page of members, with the version of the list.
type memberList struct {
	ETag string `header:"ETag"`
	Body list[people.Member]
}

func (a *API) listMembers(ctx context.Context, _ Caller, in *struct {
	GroupPath
	Paging
	Type   string `query:"type" enum:"user,group" doc:"Only members of this type"`
	Nested bool   `query:"nested" doc:"All users in the group, also those of the groups in it, each once"`
}) (*memberList, error) {
	f := people.MemberFilter{Type: directory.MemberType(in.Type), Nested: in.Nested}
	if f.Nested && f.Type == directory.MemberGroup {
		return nil, directory.Refuse(directory.ErrInvalid, directory.CodeInvalidFilter, "A nested listing is of users.", "Leave out nested, or type.")
	}
	version := int64(0)
	out, err := listOf(ctx, a, in.Limit, func(limit int) ([]people.Member, string, error) {
		p, err := a.Groups.Members(ctx, directory.GroupID(in.ID), f, in.Next, limit)
		version = p.Version
		return p.Members, p.Next, err
	})
	if err != nil {
		return nil, err
	}
	return &memberList{etagOf(version), out.Body}, nil
}

type membersInput struct {
	GroupPath
	IfMatch string `header:"If-Match" maxLength:"200" doc:"The ETag of the list of members that is edited; without it the edit goes onto whatever is there"`
	sent[MemberIDs]
}

func (a *API) addMembers(ctx context.Context, by Caller, in *membersInput) (*membersOutput, error) {
	return editMembers(ctx, by, in, a.Groups.AddMembers)
}

func (a *API) removeMembers(ctx context.Context, by Caller, in *membersInput) (*membersOutput, error) {
	return editMembers(ctx, by, in, a.Groups.RemoveMembers)
}

func editMembers(ctx context.Context, by Caller, in *membersInput, edit func(context.Context, directory.Caller, directory.GroupID, []directory.MemberRef, int64) (people.MembersEdited, error)) (*membersOutput, error) {
	version, err := parseIfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	done, err := edit(ctx, by.Caller, directory.GroupID(in.ID), in.body.refs(), version)
	return &membersOutput{etagOf(done.Version), MembersResult{orEmpty(done.Done), orEmpty(done.Unchanged), orEmpty(done.Refused)}}, err
}

func (a *API) loadGroups(ctx context.Context, by Caller, in *struct {
	FileInput
	Check bool `query:"check" doc:"Only check: all is read, matched and counted as a load would do it, and nothing is written; the job's kind is check-groups. An upload that is checked can still be loaded"`
}) (*accepted, error) {
	return a.load(ctx, by, &in.FileInput, people.LoadOptions{Of: people.OfGroups, CheckOnly: in.Check})
}

func (a *API) listGroupsOfUser(ctx context.Context, _ Caller, in *struct {
	UserPath
	Paging
}) (*listOutput[people.UserGroup], error) {
	return listOf(ctx, a, in.Limit, func(limit int) ([]people.UserGroup, string, error) {
		return a.Groups.GroupsOfUser(ctx, directory.UserID(in.ID), in.Next, limit)
	})
}

func (a *API) listGroupsOfGroup(ctx context.Context, _ Caller, in *struct {
	GroupPath
	Paging
}) (*listOutput[people.UserGroup], error) {
	return listOf(ctx, a, in.Limit, func(limit int) ([]people.UserGroup, string, error) {
		return a.Groups.GroupsOfGroup(ctx, directory.GroupID(in.ID), in.Next, limit)
	})
}
