package graph

import (
	"net/http"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

var membershipRoutes = []route{
	{"POST", "users/{}/getmembergroups", getMemberGroups},
	{"POST", "users/{}/checkmembergroups", checkMemberGroups},
	{"GET", "users/{}/memberof", memberOf},
	{"GET", "users/{}/memberof/{}", memberOf},
	{"GET", "users/{}/transitivememberof", memberOf},
	{"GET", "users/{}/transitivememberof/{}", memberOf},
}

// memberOf lists groups and directory roles of an account: direct ones, or for
// transitiveMemberOf those through groups too.
func memberOf(c *call) (*reply, *odata.Error) {
	scopes := slices.Concat(readUsers, readGroups, readRoles)
	if c.isMe(c.ref()) {
		scopes = append(scopes, "User.Read", "User.ReadWrite")
	}
	if !c.has(scopes...) {
		return nil, denied()
	}
	o, e := c.lookup(state.User, c.ref())
	if e != nil {
		return nil, e
	}
	transitive := c.path.Names[2] == "transitivememberof"
	groups := c.t.DirectGroupsOf(o.ID)
	if transitive {
		groups = c.t.GroupsOf(o.ID)
	}
	var ids []string
	for _, g := range groups {
		ids = append(ids, g.ID)
	}
	for template, holders := range c.t.Roles {
		through := transitive && slices.ContainsFunc(groups, func(g *state.Object) bool { return slices.Contains(holders, g.ID) })
		if through || slices.Contains(holders, o.ID) {
			ids = append(ids, derivedID(c.t, template))
		}
	}
	return c.mixed(ids, 3)
}

// getMemberGroups is POST /users/{id}/getMemberGroups.
func getMemberGroups(c *call) (*reply, *odata.Error) {
	groups, body, e := c.memberGroups()
	if e != nil {
		return nil, e
	}
	only := body["securityEnabledOnly"] == true
	return c.groupIDs(groups, func(g *state.Object) bool { return !only || g.Flag("securityEnabled") })
}

// maxChecked is how many groups one checkMemberGroups can name.
const maxChecked = 20

// checkMemberGroups is POST /users/{id}/checkMemberGroups.
func checkMemberGroups(c *call) (*reply, *odata.Error) {
	groups, body, e := c.memberGroups()
	if e != nil {
		return nil, e
	}
	asked := state.Texts(body["groupIds"])
	if len(asked) == 0 || len(asked) > maxChecked {
		return nil, badRequest("groupIds takes 1 to %d ids.", maxChecked)
	}
	return c.groupIDs(groups, func(g *state.Object) bool {
		return slices.ContainsFunc(asked, func(id string) bool { return strings.EqualFold(id, g.ID) })
	})
}

// memberGroups are the groups of the account of a path, and the request's body.
func (c *call) memberGroups() ([]*state.Object, map[string]any, *odata.Error) {
	if !c.has(with(readUsers, readGroups...)...) {
		return nil, nil, denied()
	}
	body, e := c.object()
	if e != nil {
		return nil, nil, e
	}
	o, e := c.lookup(state.User, c.ref())
	if e != nil {
		return nil, nil, e
	}
	return c.t.GroupsOf(o.ID), body, nil
}

// groupIDs answers with the ids of those groups that are wanted.
func (c *call) groupIDs(groups []*state.Object, wanted func(*state.Object) bool) (*reply, *odata.Error) {
	ids := []any{}
	for _, g := range groups {
		if wanted(g) {
			ids = append(ids, g.ID)
		}
	}
	return &reply{status: http.StatusOK, body: map[string]any{"@odata.context": c.context("Collection(Edm.String)"), "value": ids}}, nil
}
