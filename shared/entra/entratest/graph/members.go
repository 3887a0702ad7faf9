package graph

import (
	"net/http"
	"strings"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

var memberRoutes = []route{
	{"GET", "groups/{}/members", groupLinks},
	{"GET", "groups/{}/members/$count", groupLinks},
	{"GET", "groups/{}/members/$ref", groupLinkRefs},
	{"GET", "groups/{}/members/{}", groupLinks},
	{"GET", "groups/{}/members/{}/$count", groupLinks},
	{"GET", "groups/{}/members/{}/$ref", groupLinkRef},
	{"GET", "groups/{}/owners", groupLinks},
	{"GET", "groups/{}/owners/$count", groupLinks},
	{"GET", "groups/{}/owners/$ref", groupLinkRefs},
	{"GET", "groups/{}/owners/{}", groupLinks},
	{"GET", "groups/{}/owners/{}/$ref", groupLinkRef},
	{"GET", "groups/{}/transitivemembers", transitiveMembers},
	{"GET", "groups/{}/transitivemembers/$count", transitiveMembers},
	{"GET", "groups/{}/transitivemembers/{}", transitiveMembers},
	{"POST", "groups/{}/members/$ref", addLink},
	{"POST", "groups/{}/owners/$ref", addLink},
	{"DELETE", "groups/{}/members/{}/$ref", removeLink},
	{"DELETE", "groups/{}/owners/{}/$ref", removeLink},
	{"DELETE", "groups/{}/members/{}", deleteThrough},
	{"DELETE", "groups/{}/owners/{}", deleteThrough},
	{"POST", "groups/{}/members", notContained},
	{"POST", "groups/{}/owners", notContained},
	{"PATCH", "groups/{}/members/$ref", notTargeted},
	{"PATCH", "groups/{}/owners/$ref", notTargeted},
}

// notContained refuses a POST to members itself, without /$ref.
func notContained(*call) (*reply, *odata.Error) {
	return nil, odata.BadRequest("Write requests are only supported on contained entities")
}

// notTargeted refuses a PATCH of the references.
func notTargeted(*call) (*reply, *odata.Error) {
	return nil, odata.BadRequest("The request is currently not supported on the targeted entity set")
}

// behindCollection refuses a path that goes on behind members or owners where there is
// nothing.
func behindCollection(names []string) *odata.Error {
	if len(names) < 4 || names[0] != "groups" || names[2] != "members" && names[2] != "owners" {
		return nil
	}
	return badRequest("The request URI is not valid. Since the segment '%s' refers to a collection, this must be the last segment in the request URI or it must be followed by an function or action that can be bound to it otherwise all intermediate segments must refer to a single resource.", names[2])
}

// relation is the one that a path names behind the group.
func (c *call) relation() state.Relation { return state.Relation(c.path.Names[2]) }

// linkedGroup finds the group of a path whose members or owners are read.
func (c *call) linkedGroup() (*state.Object, *odata.Error) {
	scopes := readMembers
	if c.path.Names[2] == "owners" {
		scopes = readGroups
	}
	if !c.has(scopes...) {
		return nil, denied()
	}
	o, e := c.group()
	if e != nil {
		return nil, e
	}
	if c.path.Names[2] != "owners" && c.hidden(o) {
		return nil, denied()
	}
	return o, nil
}

// linksOf are the ids of the members or owners of a group as this call sees them.
func (c *call) linksOf(r state.Relation, group string) []string {
	return c.t.LinksAt(r, group, c.now(), c.lag)
}

// groupLinks lists members or owners, with a cast or without, or counts them.
func groupLinks(c *call) (*reply, *odata.Error) {
	o, e := c.linkedGroup()
	if e != nil {
		return nil, e
	}
	return c.mixed(c.linksOf(c.relation(), o.ID), 3)
}

// transitiveMembers lists members, and those of the groups among them, each once.
func transitiveMembers(c *call) (*reply, *odata.Error) {
	o, e := c.linkedGroup()
	if e != nil {
		return nil, e
	}
	var ids []string
	found := map[string]bool{}
	for todo := []string{o.ID}; len(todo) > 0; todo = todo[1:] {
		for _, id := range c.linksOf(state.Members, todo[0]) {
			m := c.known(id)
			if found[id] || m == nil || !m.Active() {
				continue
			}
			found[id] = true
			ids = append(ids, id)
			if m.Kind == state.Group {
				todo = append(todo, id)
			}
		}
	}
	return c.mixed(ids, 3)
}

// groupLinkRefs lists references to members or owners.
func groupLinkRefs(c *call) (*reply, *odata.Error) {
	o, e := c.linkedGroup()
	if e != nil {
		return nil, e
	}
	p, e := c.page(mostTop)
	if e != nil {
		return nil, e
	}
	var objects []*state.Object
	for _, id := range c.linksOf(c.relation(), o.ID) {
		if m := c.known(id); m != nil && m.Active() {
			objects = append(objects, m)
		}
	}
	objects, next := cutMixed(objects, p)
	items := []any{}
	for _, m := range objects {
		items = append(items, map[string]any{"@odata.id": c.refOf(m)})
	}
	body := map[string]any{"@odata.context": c.context("Collection($ref)"), "value": items}
	c.goOn(body, p, next)
	return &reply{status: http.StatusOK, body: body}, nil
}

// groupLinkRef is the reference to one member or owner. No document lists it; clients
// ask for it to learn whether somebody is a member.
func groupLinkRef(c *call) (*reply, *odata.Error) {
	o, e := c.linkedGroup()
	if e != nil {
		return nil, e
	}
	m, e := c.linkedObject(o)
	if e != nil {
		return nil, e
	}
	return &reply{status: http.StatusOK, body: map[string]any{"@odata.context": c.context("$ref"), "@odata.id": c.refOf(m)}}, nil
}

// refOf is the address that Graph itself gives to an object.
func (c *call) refOf(o *state.Object) string {
	return c.base + "/directoryObjects/" + o.ID + "/Microsoft.DirectoryServices." + strings.ToUpper(o.Kind[:1]) + o.Kind[1:]
}

// linkedObject finds the member or owner that a path names behind the group.
func (c *call) linkedObject(o *state.Object) (*state.Object, *odata.Error) {
	id := c.path.Raw[3]
	if !state.IsGUID(id) {
		return nil, invalidID(id)
	}
	for _, linked := range c.linksOf(c.relation(), o.ID) {
		if m := c.known(id); strings.EqualFold(linked, id) && m != nil && m.Active() {
			return m, nil
		}
	}
	return nil, notThere(id)
}

// deleteThrough is DELETE /groups/{id}/members/{id} without $ref, and the same of
// owners: it deletes the object itself, not its membership, as Graph really does.
func deleteThrough(c *call) (*reply, *odata.Error) {
	group, e := c.group()
	if e != nil {
		return nil, e
	}
	m, e := c.linkedObject(group)
	if e != nil {
		return nil, e
	}
	o := c.t.Object(m.ID)
	if o == nil { // an application: its deletion is not simulated
		return nil, denied()
	}
	if e := c.mayRemove(o); e != nil {
		return nil, e
	}
	if o.Kind == state.Group {
		return c.removeGroup(o)
	}
	if o.Flag("onPremisesSyncEnabled") {
		return nil, onPremises()
	}
	return c.softDelete(o)
}
