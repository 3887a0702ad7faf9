package graph

import (
	"net/http"
	"slices"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

// Permissions for groups and their members (GG 1).
var (
	readGroups     = []string{"GroupMember.Read.All", "GroupMember.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	readGroupNames = with(readGroups, "Group.ReadBasic.All")
	readMembers    = with(readGroups, "GroupMember.ReadBasic.All")
	writeGroups    = []string{"Group.ReadWrite.All", "Directory.ReadWrite.All"}
	writeMembers   = with(writeGroups, "GroupMember.ReadWrite.All")
	removeGroups   = []string{"Group.ReadWrite.All"} // Directory.ReadWrite.All deletes no group
)

// basicGroup are the properties that Group.ReadBasic.All shows. [K]: "names only".
var basicGroup = []string{"id", "displayName"}

// Roles with which members and owners are changed, beside those that edit groups.
var (
	securityMemberEditors = []string{roles.IntuneAdministrator}
	unifiedMemberEditors  = []string{roles.ExchangeAdministrator, roles.SharePointAdministrator, roles.TeamsAdministrator, roles.YammerAdministrator}
)

// groupRemovers are the roles with which groups are deleted, restored and renewed.
var groupRemovers = []string{roles.GlobalAdministrator, roles.UserAdministrator, roles.GroupsAdministrator}

// maxCreated, maxRoleGroups and maxOwners are limits of the directory (GG 2.5).
const (
	maxCreated    = 250 // groups of one who has no role for it
	maxRoleGroups = 500 // groups that can be given roles, in a tenant
	maxOwners     = 100 // of one group
)

// owns tells whether the signed-in account is an owner of a group.
func (c *call) owns(o *state.Object) bool { return c.t.Linked(state.Owners, o.ID, c.me.ID) }

// mayCreateGroup checks that the caller may make such a group: with a role, or as any
// member of the tenant that does not forbid it, up to a number.
func (c *call) mayCreateGroup(o *state.Object) *odata.Error {
	if c.holds(groupCreators...) {
		return nil
	}
	if c.me.Text("userType") == "Guest" || o.Unified() && !c.t.MayCreateUnified(c.me.ID) {
		return denied()
	}
	made := 0
	for _, id := range c.t.IDs(state.Group) {
		if g := c.t.Object(id); g.Active() && g.Creator == c.me.ID {
			made++
		}
	}
	if made >= maxCreated { // [K]: the words
		return overQuota("The directory object quota limit for the Principal has been exceeded. Please ask your administrator to increase the quota limit or delete objects to reduce the used quota.")
	}
	return nil
}

// mayEdit checks role and kind of a group that is to be changed by holders of some
// roles, or by its owners. Of a group that can be given roles the ordinary ones do not
// do (GG 3.6), of a restricted one none that is not scoped to its unit (GG 18).
func (c *call) mayEdit(o *state.Object, allowed []string) *odata.Error {
	may := c.owns(o) || c.holds(allowed...)
	if o.Flag("isAssignableToRole") {
		may = c.has("RoleManagement.ReadWrite.Directory") && (c.owns(o) || c.holds(roles.GlobalAdministrator, roles.PrivilegedRoleAdministrator))
	}
	switch {
	case !may:
		return denied()
	case o.Flag("isManagementRestricted"):
		return restricted()
	}
	return nil
}

// mayPatchGroup checks the right to a PATCH, which may edit the group or only add to
// its members.
func (c *call) mayPatchGroup(o *state.Object, edits bool) *odata.Error {
	if edits {
		return c.mayEdit(o, groupCreators)
	}
	return c.mayEditMembers(o)
}

func mayRemoveGroup(c *call, o *state.Object) *odata.Error { return c.mayEdit(o, groupRemovers) }

// mayEditMembers checks the right to change members and owners of a group.
func (c *call) mayEditMembers(o *state.Object) *odata.Error {
	more := securityMemberEditors
	if o.Unified() {
		more = unifiedMemberEditors
	}
	return c.mayEdit(o, append(slices.Clone(groupCreators), more...))
}

// mayAssignRoles checks the right to make a group that can be given roles.
func (c *call) mayAssignRoles() *odata.Error {
	if !c.has("RoleManagement.ReadWrite.Directory") || !c.holds(roles.GlobalAdministrator, roles.PrivilegedRoleAdministrator) {
		return denied()
	}
	return nil
}

// premium refuses what takes a premium licence, by a fault.
func (c *call) premium() *odata.Error {
	if c.strike(faults.Premium) != nil {
		return denied()
	}
	return nil
}

// editable refuses a change of a group that is kept elsewhere.
func editable(o *state.Object, binds bool) *odata.Error {
	switch {
	case o.Flag("onPremisesSyncEnabled"):
		return onPremises()
	case o.InExchange() && binds:
		return exchangeMembers()
	case o.InExchange(): // [K]: which of the two refusals
		return badRequest("Unable to update the specified properties for objects that have originated within an external service.")
	}
	return nil
}

// memberable refuses a change of who is in a group where that comes from elsewhere. A
// rule makes the members of a dynamic group, and not its owners.
func memberable(o *state.Object, r state.Relation) *odata.Error {
	switch {
	case o.Flag("onPremisesSyncEnabled"):
		return onPremises()
	case o.InExchange():
		return exchangeMembers()
	case o.Dynamic() && r == state.Members && o.Team():
		return teamsForbids()
	case o.Dynamic() && r == state.Members:
		return denied()
	}
	return nil
}

// hidden tells whether the members of a group are not the caller's to see: they take a
// permission of their own. [K]
func (c *call) hidden(o *state.Object) bool {
	return o.Text("visibility") == "HiddenMembership" && !c.has("Member.Read.Hidden") &&
		!c.owns(o) && !c.t.Linked(state.Members, o.ID, c.me.ID)
}

// conceals tells whether the caller sees no more of an object than that it is there:
// the token has no permission for its kind (GG 3.7).
func (c *call) conceals(kind, id string) bool {
	switch kind {
	case state.User:
		return id != c.me.ID && !c.has(with(readUsers, "User.ReadBasic.All")...)
	case state.Group:
		return !c.has(readGroupNames...)
	case servicePrincipalKind:
		return !c.has(readApps...)
	}
	return false
}

// invalidID refuses what is no id at all.
func invalidID(id string) *odata.Error { return badRequest("Invalid object identifier '%s'.", id) }

// teamsForbids refuses members of a team that a rule makes, in Teams' own words
// (GG 22 row 30).
func teamsForbids() *odata.Error {
	return &odata.Error{Status: http.StatusForbidden, Code: "Forbidden", Message: "You do not have permission to perform this operation."}
}

func exchangeMembers() *odata.Error {
	return badRequest("Cannot Update a mail-enabled security groups and or distribution list.")
}

// restricted refuses a change of an object in a restricted management unit.
func restricted() *odata.Error {
	e := denied()
	e.Message += " Target object is a member of a restricted management administrative unit and can only be modified by administrators scoped to that administrative unit." +
		" Check that you are assigned a role that has permission to perform the operation for this restricted management administrative unit. Learn more: https://go.microsoft.com/fwlink/?linkid=2197831"
	return e
}

func overQuota(message string) *odata.Error {
	return &odata.Error{Status: http.StatusForbidden, Code: "Directory_QuotaExceeded", Message: message}
}

// notMail refuses groups that only Exchange makes, and those of no use at all.
func notMail() *odata.Error {
	return badRequest("The service does not currently support writes of mail-enabled groups. Please ensure that the mail-enablement property is unset and the security-enablement property is set.")
}
