package graph

import (
	"net/url"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

var memberRoutes = []route{
	{"GET", "groups/{}/members", groupMembers},
	{"GET", "groups/{}/members/{}", groupMembers},
	{"GET", "groups/{}/transitivemembers", groupMembers},
	{"GET", "groups/{}/transitivemembers/{}", groupMembers},
	{"GET", "groups/{}/owners", groupOwners},
	{"POST", "groups/{}/members/$ref", addMember},
	{"DELETE", "groups/{}/members/$ref", removeMember},
	{"DELETE", "groups/{}/members/{}/$ref", removeMember},
	{"DELETE", "groups/{}/members/{}", deleteThrough},
	{"DELETE", "groups/{}/owners/{}", deleteThrough},
}

// maxBound is how many members one request can add.
const maxBound = 20

// bound reads addresses of members to be added to a group, all or none, and returns
// their ids.
func (c *call) bound(group *state.Object, v any) ([]string, *odata.Error) {
	if v == nil {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok || len(list) > maxBound {
		return nil, badRequest("members@odata.bind takes up to %d addresses.", maxBound)
	}
	var ids []string
	for _, link := range list {
		m, e := c.linked(state.Text(link))
		if e != nil {
			return nil, e
		}
		if group.HasMember(m.ID) || slices.Contains(ids, m.ID) {
			return nil, alreadyMember()
		}
		ids = append(ids, m.ID)
	}
	return ids, nil
}

func alreadyMember() *odata.Error {
	return badRequest("One or more added object references already exist for the following modified properties: 'members'.")
}

// linked finds the object that an absolute address names.
func (c *call) linked(link string) (*state.Object, *odata.Error) {
	bad := badRequest("Invalid URL format specified in @odata.id: '%s'.", link)
	u, err := url.Parse(link)
	if err != nil || !u.IsAbs() {
		return nil, bad
	}
	path, e := odata.ParsePath(c.method, u.Path, operations)
	n := len(path.Names)
	if e != nil || n < 2 {
		return nil, bad
	}
	set := path.Names[n-2]
	id := path.Raw[n-1]
	if set != "users" && set != "directoryobjects" && set != "groups" {
		return nil, bad
	}
	o := c.seen(id)
	if o == nil && set == "users" {
		o, _ = c.lookup(state.User, id)
	}
	if o == nil || !o.Active() {
		return nil, notThere(id)
	}
	return c.t.Object(o.ID), nil
}

// editableMembers refuses groups whose members come from elsewhere.
func editableMembers(o *state.Object) *odata.Error {
	types := o.List("groupTypes")
	switch {
	case slices.Contains(types, "DynamicMembership"):
		return denied()
	case o.Flag("onPremisesSyncEnabled"):
		return onPremises()
	case o.Flag("mailEnabled") && !slices.Contains(types, "Unified"):
		return badRequest("Cannot Update a mail-enabled security groups and or distribution list.")
	}
	return nil
}

// bindMembers commits a changed copy of a group with further members.
func (c *call) bindMembers(o, next *state.Object, binds any) (*reply, *odata.Error) {
	ids, e := c.bound(o, binds)
	if e != nil {
		return nil, e
	}
	names, _, after := state.Difference(o, next)
	m := c.mutation("member-add", next)
	m.After = after
	m.After["members"] = binds
	ch := c.tx.Change(c.t)
	ch.Put(next, append(names, "members")...)
	for _, id := range ids {
		ch.SetMember(next, id, true)
	}
	ch.Log(m)
	return commit(ch)
}

// addMember is POST /groups/{id}/members/$ref.
func addMember(c *call) (*reply, *odata.Error) {
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	o, e := c.memberTarget()
	if e != nil {
		return nil, e
	}
	m, e := c.linked(state.Text(body["@odata.id"]))
	if e != nil {
		return nil, e
	}
	if o.HasMember(m.ID) {
		return nil, alreadyMember()
	}
	return c.setMember(o, m.ID, true)
}

// memberTarget finds the group of a path, whose members may be changed.
func (c *call) memberTarget() (*state.Object, *odata.Error) {
	if !c.has(with(writeGroups, "GroupMember.ReadWrite.All")...) {
		return nil, denied()
	}
	o, e := c.target(state.Group, c.ref())
	if e != nil {
		return nil, e
	}
	if e := mayEditGroup(c, o); e != nil {
		return nil, e
	}
	return o, editableMembers(o)
}

func (c *call) setMember(o *state.Object, id string, member bool) (*reply, *odata.Error) {
	kind := "member-add"
	if !member {
		kind = "member-remove"
	}
	next := o.Clone()
	m := c.mutation(kind, next)
	m.After = map[string]any{"member": id}
	ch := c.tx.Change(c.t)
	ch.Put(next, "members")
	ch.SetMember(next, id, member)
	ch.Log(m)
	return commit(ch)
}

// removeMember is DELETE /groups/{id}/members/{id}/$ref, or with ?$id= and @id=.
func removeMember(c *call) (*reply, *odata.Error) {
	o, e := c.memberTarget()
	if e != nil {
		return nil, e
	}
	id := strings.ToLower(c.path.Raw[3])
	if len(c.path.Raw) == 4 {
		m, e := c.linked(c.options["$id"] + c.options["@id"])
		if e != nil {
			return nil, e
		}
		id = m.ID
	}
	if !o.HasMember(id) {
		return nil, notThere(id)
	}
	return c.setMember(o, id, false)
}

// deleteThrough is DELETE /groups/{id}/members/{id} without $ref, and the same of
// owners: it deletes the object itself, not its membership, as Graph really does.
func deleteThrough(c *call) (*reply, *odata.Error) {
	group, e := c.lookup(state.Group, c.ref())
	if e != nil {
		return nil, e
	}
	id := strings.ToLower(c.path.Raw[3])
	o := c.t.Object(id)
	related := group.HasMember(id)
	if c.path.Names[2] == "owners" {
		related = slices.Contains(group.Owners, id)
	}
	if !related || o == nil || !o.Active() {
		return nil, notThere(id)
	}
	if e := c.mayRemove(o); e != nil {
		return nil, e
	}
	if o.Flag("onPremisesSyncEnabled") {
		return nil, onPremises()
	}
	return c.softDelete(o)
}

// groupMembers lists members, with a cast or without.
func groupMembers(c *call) (*reply, *odata.Error) {
	if !c.has(readGroups...) {
		return nil, denied()
	}
	o, e := c.lookup(state.Group, c.ref())
	if e != nil {
		return nil, e
	}
	found := map[string]bool{}
	c.collectMembers(o, c.path.Names[2] == "transitivemembers", found)
	var ids []string
	for id := range found {
		ids = append(ids, id)
	}
	return c.mixed(ids, 3)
}

// collectMembers adds the active members of a group to found, also those of the
// groups among them.
func (c *call) collectMembers(group *state.Object, nested bool, found map[string]bool) {
	for id := range group.Members {
		m := c.seen(id)
		if !group.HasMember(id) || found[id] || m == nil || !m.Active() {
			continue
		}
		found[id] = true
		if nested && m.Kind == state.Group {
			c.collectMembers(m, nested, found)
		}
	}
}

func groupOwners(c *call) (*reply, *odata.Error) {
	if !c.has(readGroups...) {
		return nil, denied()
	}
	o, e := c.lookup(state.Group, c.ref())
	if e != nil {
		return nil, e
	}
	return c.mixed(slices.Clone(o.Owners), 3)
}
