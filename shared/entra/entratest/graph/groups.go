package graph

import (
	"maps"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

// groups is the resource of groups.
var groups = &resource{
	table: state.Groups, set: "groups", relations: []string{"members"},
	read: readGroups, readDeleted: readGroups, remove: writeGroups,
	mayRemove: mayEditGroup,
	audit: auditing{noun: "Group", category: "GroupManagement", activities: map[string]activity{
		"create":         {"Add group", "Add"},
		"update":         {"Update group", "Update"},
		"license":        {"Set group license", "Assign"},
		"license-start":  {"Start applying group based license to users", "Assign"},
		"license-finish": {"Finish applying group based license to users", "Assign"},
		"delete":         {"Delete group", "Delete"},
		"restore":        {"Restore Group", "Update"},
		"purge":          {"Hard Delete group", "Delete"},
		"member-add":     {"Add member to group", "Assign"},
		"member-remove":  {"Remove member from group", "Unassign"},
	}},
}

var groupRoutes = []route{
	{"GET", "groups", list(groups)},
	{"POST", "groups", createGroup},
	{"GET", "groups/delta", delta(groups)},
	{"GET", "groups/{}", getGroup},
	{"PATCH", "groups/{}", patchGroup},
	{"DELETE", "groups/{}", deleteGroup},
	{"GET", "directory/deleteditems/microsoft.graph.group", listDeleted(groups)},
}

// Permissions for groups.
var (
	readGroups  = []string{"GroupMember.Read.All", "GroupMember.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	writeGroups = []string{"Group.ReadWrite.All", "Directory.ReadWrite.All"}
)

func getGroup(c *call) (*reply, *odata.Error) {
	if !c.has(readGroups...) {
		return nil, denied()
	}
	o, e := c.lookup(state.Group, c.ref())
	if e != nil {
		return nil, e
	}
	return c.one(o, "groups")
}

// checkGroupBody validates the members of a body.
func checkGroupBody(body map[string]any, own *state.Object) (map[string]any, *odata.Error) {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		v := body[name]
		if strings.Contains(name, "@odata.") {
			continue
		}
		p, ok := state.Groups.Properties[name]
		creating := own == nil && name == "isAssignableToRole"
		switch {
		case !ok:
			return nil, unknownProperty(name, "Group")
		case !p.Write && !creating:
			return nil, readOnly(name)
		case v == nil && own == nil:
			continue
		}
		v, e := checkValue("Group", name, p, v)
		if e != nil {
			return nil, e
		}
		out[name] = v
	}
	return out, nil
}

func createGroup(c *call) (*reply, *odata.Error) {
	if !c.has(with(writeGroups, "Group.Create")...) || !c.holds(roles.GlobalAdministrator, roles.UserAdministrator, roles.GroupsAdministrator, roles.DirectoryWriters) {
		return nil, denied()
	}
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	given, e := checkGroupBody(body, nil)
	if e != nil {
		return nil, e
	}
	for _, name := range []string{"displayName", "mailEnabled", "mailNickname", "securityEnabled"} {
		if given[name] == nil {
			return nil, required("Group", name)
		}
	}
	unified := slices.Contains(state.Texts(given["groupTypes"]), "Unified")
	if given["mailEnabled"] == true && !unified {
		return nil, badRequest("The service does not currently support writes of mail-enabled groups. Please ensure that the mail-enablement property is unset and the security-enablement property is set.")
	}
	if given["isAssignableToRole"] == true && !c.mayAssignRoles() {
		return nil, denied()
	}
	o := c.tx.NewObject(state.Group)
	maps.Copy(o.Props, given)
	o.Props["createdDateTime"] = state.Stamp(o.Created)
	o.Members = map[string]int64{}
	if unified {
		mail := state.Text(given["mailNickname"]) + "@" + c.t.InitialDomain()
		o.Props["mail"] = mail
		o.Props["proxyAddresses"] = []any{"SMTP:" + mail}
	}
	members, e := c.bound(o, body["members@odata.bind"])
	if e != nil {
		return nil, e
	}
	return c.create(o, members)
}

// mayAssignRoles tells whether the caller may touch groups that can be given roles.
func (c *call) mayAssignRoles() bool {
	return c.has("RoleManagement.ReadWrite.Directory") && c.holds(roles.GlobalAdministrator, roles.PrivilegedRoleAdministrator)
}

// mayEditGroup checks role and kind of a group that is to be changed.
func mayEditGroup(c *call, o *state.Object) *odata.Error {
	if o.Flag("isAssignableToRole") && !c.mayAssignRoles() {
		return denied()
	}
	if !c.holds(roles.GlobalAdministrator, roles.UserAdministrator, roles.GroupsAdministrator, roles.DirectoryWriters) && !slices.Contains(o.Owners, c.me.ID) {
		return denied()
	}
	return nil
}

func patchGroup(c *call) (*reply, *odata.Error) {
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	binds := body["members@odata.bind"]
	onlyMembers := binds != nil && len(body) == 1
	if !c.has(writeGroups...) && !(onlyMembers && c.has("GroupMember.ReadWrite.All")) {
		return nil, denied()
	}
	o, e := c.target(state.Group, c.ref())
	if e != nil {
		return nil, e
	}
	if e := mayEditGroup(c, o); e != nil {
		return nil, e
	}
	given, e := checkGroupBody(body, o)
	if e != nil {
		return nil, e
	}
	if o.Flag("onPremisesSyncEnabled") {
		return nil, onPremises()
	}
	next := o.Clone()
	maps.Copy(next.Props, given)
	if binds == nil {
		return c.update(o, next)
	}
	if e := editableMembers(o); e != nil {
		return nil, e
	}
	return c.bindMembers(o, next, binds)
}

func deleteGroup(c *call) (*reply, *odata.Error) {
	if !c.has(writeGroups...) {
		return nil, denied()
	}
	o, e := c.target(state.Group, c.ref())
	if e != nil {
		return nil, e
	}
	if e := mayEditGroup(c, o); e != nil {
		return nil, e
	}
	if o.Flag("onPremisesSyncEnabled") {
		return nil, onPremises()
	}
	return c.softDelete(o)
}
