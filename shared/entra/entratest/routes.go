package entratest

import (
	"net/http"
	"slices"
	"strings"
)

// route is one operation: a pattern in which {} stands for any segment, and what
// does it. The mutex is held while it does.
type route struct {
	method, pattern string
	do              func(c *call) (*reply, *graphError)
}

// routes is all of Graph that there is.
var routes = []route{
	{"GET", "me", (*call).getUser},
	{"PATCH", "me", (*call).patchUser},
	{"GET", "users", (*call).listUsers},
	{"POST", "users", (*call).createUser},
	{"GET", "users/$count", (*call).countUsers},
	{"GET", "users/delta", (*call).deltaUsers},
	{"GET", "users/{}", (*call).getUser},
	{"PATCH", "users/{}", (*call).patchUser},
	{"DELETE", "users/{}", (*call).deleteUser},
	{"POST", "users/{}/revokesigninsessions", (*call).revokeSessions},
	{"POST", "users/{}/assignlicense", (*call).assignLicense},
	{"GET", "users/{}/licensedetails", (*call).licenseDetails},
	{"POST", "users/{}/getmembergroups", (*call).getMemberGroups},
	{"POST", "users/{}/checkmembergroups", (*call).checkMemberGroups},
	{"GET", "users/{}/manager", (*call).getManager},
	{"GET", "users/{}/manager/$ref", (*call).getManagerRef},
	{"PUT", "users/{}/manager/$ref", (*call).putManager},
	{"DELETE", "users/{}/manager/$ref", (*call).deleteManager},
	{"GET", "users/{}/photo", (*call).getPhoto},
	{"GET", "users/{}/photo/$value", (*call).getPhotoValue},
	{"GET", "users/{}/photos/{}/$value", (*call).getPhotoValue},
	{"GET", "users/{}/memberof", (*call).memberOf},
	{"GET", "users/{}/memberof/{}", (*call).memberOf},
	{"GET", "users/{}/transitivememberof", (*call).memberOf},
	{"GET", "users/{}/transitivememberof/{}", (*call).memberOf},
	{"GET", "groups", (*call).listGroups},
	{"POST", "groups", (*call).createGroup},
	{"GET", "groups/delta", (*call).deltaGroups},
	{"GET", "groups/{}", (*call).getGroup},
	{"PATCH", "groups/{}", (*call).patchGroup},
	{"DELETE", "groups/{}", (*call).deleteGroup},
	{"GET", "groups/{}/members", (*call).groupMembers},
	{"GET", "groups/{}/members/{}", (*call).groupMembers},
	{"GET", "groups/{}/transitivemembers", (*call).groupMembers},
	{"GET", "groups/{}/transitivemembers/{}", (*call).groupMembers},
	{"GET", "groups/{}/owners", (*call).groupOwners},
	{"POST", "groups/{}/members/$ref", (*call).addMember},
	{"DELETE", "groups/{}/members/$ref", (*call).removeMember},
	{"DELETE", "groups/{}/members/{}/$ref", (*call).removeMember},
	{"GET", "directory/deleteditems/microsoft.graph.user", (*call).listDeletedUsers},
	{"GET", "directory/deleteditems/microsoft.graph.group", (*call).listDeletedGroups},
	{"GET", "directory/deleteditems/{}", (*call).getDeleted},
	{"GET", "directory/deleteditems/{}/{}", (*call).getDeleted},
	{"DELETE", "directory/deleteditems/{}", (*call).purge},
	{"POST", "directory/deleteditems/{}/restore", (*call).restore},
	{"POST", "directoryobjects/{}/restore", (*call).restore},
	{"POST", "directoryobjects/getbyids", (*call).getByIDs},
	{"GET", "directoryobjects/{}", (*call).getDirectoryObject},
	{"GET", "directoryroles", (*call).listRoles},
	{"GET", "directoryroles/{}", (*call).getRole},
	{"GET", "directoryroles/{}/members", (*call).roleMembers},
	{"GET", "directoryroletemplates", (*call).listRoleTemplates},
	{"GET", "rolemanagement/directory/roleassignments", (*call).roleAssignments},
	{"GET", "rolemanagement/directory/roledefinitions", (*call).roleDefinitions},
	{"GET", "organization", (*call).listOrganization},
	{"GET", "organization/{}", (*call).getOrganization},
	{"GET", "domains", (*call).listDomains},
	{"GET", "domains/{}", (*call).getDomain},
	{"GET", "domains/{}/federationconfiguration", (*call).federation},
	{"GET", "domains/{}/serviceconfigurationrecords", (*call).serviceRecords},
	{"GET", "domains/{}/verificationdnsrecords", (*call).verificationRecords},
	{"GET", "subscribedskus", (*call).listSKUs},
	{"GET", "oauth2permissiongrants", (*call).listGrants},
	{"GET", "oauth2permissiongrants/{}", (*call).getGrant},
	{"DELETE", "oauth2permissiongrants/{}", (*call).deleteGrant},
	{"GET", "serviceprincipals", (*call).listServicePrincipals},
	{"GET", "serviceprincipals/{}", (*call).getServicePrincipal},
	{"GET", "auditlogs/directoryaudits", (*call).listAudits},
	{"GET", "auditlogs/directoryaudits/{}", (*call).getAudit},
}

// dispatch finds the operation and does it. The mutex is held.
func (c *call) dispatch() (*reply, *graphError) {
	if c.names[0] == "me" && len(c.names) > 1 { // me/… is users/{own id}/…
		c.names = append([]string{"users", c.me.ID}, c.names[1:]...)
		c.raw = append([]string{"users", c.me.ID}, c.raw[1:]...)
	}
	found := false
	for _, r := range routes {
		if !r.fits(c.names) {
			continue
		}
		if r.method == c.method {
			return r.do(c)
		}
		found = true
	}
	if found {
		return nil, &graphError{
			status: http.StatusMethodNotAllowed, code: "Request_BadRequest", free: true,
			message: "Specified HTTP method is not allowed for the request target.",
		}
	}
	return nil, noSuchPath(c.method, c.raw[len(c.raw)-1])
}

func (r route) fits(names []string) bool {
	rest := r.pattern
	for i, name := range names {
		part, after, more := strings.Cut(rest, "/")
		if part == "{}" && strings.HasPrefix(name, "$") || part != "{}" && part != name || more != (i < len(names)-1) {
			return false
		}
		rest = after
	}
	return true
}

// ref is the id in a path's second segment; of me it is the own one.
func (c *call) ref() string {
	if len(c.raw) > 1 {
		return c.raw[1]
	}
	return c.me.ID
}

// seen returns the object as this call sees it: with the lag of a replica.
func (c *call) seen(id string) *object {
	o := c.t.objects[strings.ToLower(id)]
	if o != nil {
		o = o.at(c.s.now(), c.lag)
	}
	return o
}

// lookup finds an active object of a kind, by id or, for users, by
// userPrincipalName.
func (c *call) lookup(kind, ref string) (*object, *graphError) {
	o := c.seen(ref)
	if o == nil && kind == kindUser && strings.Contains(ref, "@") {
		if c.lag == 0 {
			o = c.t.find(ref)
		} else {
			o = c.laggedByName(ref)
		}
	}
	if o == nil || o.Kind != kind || !o.active() {
		return nil, notThere(ref)
	}
	return o, nil
}

// laggedByName finds the account that had a userPrincipalName a while ago.
func (c *call) laggedByName(upn string) *object {
	for _, id := range c.t.ids {
		if o := c.seen(id); o != nil && o.active() && strings.EqualFold(o.text("userPrincipalName"), upn) {
			return o
		}
	}
	return nil
}

// target is lookup for a write: found as the replica sees it, and then the true
// state of it.
func (c *call) target(kind, ref string) (*object, *graphError) {
	o, e := c.lookup(kind, ref)
	if e != nil {
		return nil, e
	}
	if o = c.t.objects[o.ID]; !o.active() {
		return nil, notThere(ref)
	}
	return o, nil
}

// scopes that let read users, groups and the rest.
var (
	readUsers  = []string{"User.Read.All", "User.ReadWrite.All", "User.ReadUpdate.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	readSelf   = append(slices.Clone(readUsers), "User.Read", "User.ReadWrite")
	readGroups = []string{"GroupMember.Read.All", "GroupMember.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	readOrg    = []string{"Organization.Read.All", "Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	readDomain = []string{"Domain.Read.All", "Domain.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	readRoles  = []string{"RoleManagement.Read.Directory", "RoleManagement.Read.All", "RoleManagement.ReadWrite.Directory", "Directory.Read.All", "Directory.ReadWrite.All"}
	writeUsers = []string{"User.ReadWrite.All", "Directory.ReadWrite.All"}
)
