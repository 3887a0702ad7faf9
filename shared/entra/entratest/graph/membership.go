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
	{"POST", "groups/{}/getmembergroups", getMemberGroups},
	{"POST", "groups/{}/checkmembergroups", checkMemberGroups},
	{"GET", "users/{}/memberof", memberOf},
	{"GET", "users/{}/memberof/$count", memberOf},
	{"GET", "users/{}/memberof/{}", memberOf},
	{"GET", "users/{}/transitivememberof", memberOf},
	{"GET", "users/{}/transitivememberof/$count", memberOf},
	{"GET", "users/{}/transitivememberof/{}", memberOf},
	{"GET", "groups/{}/memberof", memberOf},
	{"GET", "groups/{}/memberof/$count", memberOf},
	{"GET", "groups/{}/memberof/{}", memberOf},
	{"GET", "groups/{}/transitivememberof", memberOf},
	{"GET", "groups/{}/transitivememberof/$count", memberOf},
	{"GET", "groups/{}/transitivememberof/{}", memberOf},
}

// memberOf lists groups and directory roles of an account or a group: direct ones, or
// for transitiveMemberOf those through groups too.
func memberOf(c *call) (*reply, *odata.Error) {
	o, e := c.member(readRoles)
	if e != nil {
		return nil, e
	}
	ids := c.groupsOf(o.ID, c.path.Names[2] == "transitivememberof")
	holds := func(holders []string) bool {
		return slices.ContainsFunc(holders, func(h string) bool {
			return h == o.ID || c.path.Names[2] == "transitivememberof" && slices.Contains(ids, h)
		})
	}
	out := slices.Clone(ids)
	for template, holders := range c.t.Roles {
		if holds(holders) {
			out = append(out, derivedID(c.t, template))
		}
	}
	return c.mixed(out, 3)
}

// groupsOf are the ids of the groups that hold an object as this call sees it,
// directly or through others too.
func (c *call) groupsOf(id string, transitive bool) []string {
	var out []string
	found := map[string]bool{}
	for todo := []string{id}; len(todo) > 0; todo = todo[1:] {
		for _, group := range c.t.GroupsTo(state.Members, todo[0], c.now(), c.lag) {
			if g := c.seen(group); !found[group] && g != nil && g.Active() {
				found[group] = true
				out = append(out, group)
				if transitive {
					todo = append(todo, group)
				}
			}
		}
	}
	return out
}

// member finds the account or group of a path whose memberships are asked for; more
// are further permissions that do.
func (c *call) member(more []string) (*state.Object, *odata.Error) {
	ofUser := c.path.Names[0] == "users"
	scopes := slices.Concat(readMembers, more)
	if ofUser {
		scopes = append(scopes, readUsers...)
	}
	if ofUser && c.isMe(c.ref()) {
		scopes = append(scopes, "User.Read", "User.ReadWrite")
	}
	if !c.has(scopes...) {
		return nil, denied()
	}
	if ofUser {
		return c.lookup(state.User, c.ref())
	}
	return c.group()
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

// memberGroups are the groups of the account or group of a path, and the request's
// body.
func (c *call) memberGroups() ([]*state.Object, map[string]any, *odata.Error) {
	body, e := c.object()
	if e != nil {
		return nil, nil, e
	}
	o, e := c.member(nil)
	if e != nil {
		return nil, nil, e
	}
	var groups []*state.Object
	for _, id := range c.groupsOf(o.ID, true) {
		groups = append(groups, c.seen(id))
	}
	return groups, body, nil
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
