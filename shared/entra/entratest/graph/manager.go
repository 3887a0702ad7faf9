package graph

import (
	"net/http"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

var managerRoutes = []route{
	{"GET", "users/{}/manager", getManager},
	{"GET", "users/{}/manager/$ref", getManagerRef},
	{"PUT", "users/{}/manager/$ref", putManager},
	{"DELETE", "users/{}/manager/$ref", deleteManager},
}

// managerOf returns the manager that an account has, nil when there is none, or none
// any more.
func (c *call) managerOf(o *state.Object) *state.Object {
	if o.Manager == "" {
		return nil
	}
	m := c.seen(o.Manager)
	if m == nil || !m.Active() {
		return nil
	}
	return m
}

// manager finds the manager of the account of a path.
func (c *call) manager() (*state.Object, *odata.Error) {
	if !c.has(readUsers...) {
		return nil, denied()
	}
	o, e := c.lookup(state.User, c.ref())
	if e != nil {
		return nil, e
	}
	m := c.managerOf(o)
	if m == nil {
		return nil, notThere("manager")
	}
	return m, nil
}

func getManager(c *call) (*reply, *odata.Error) {
	m, e := c.manager()
	if e != nil {
		return nil, e
	}
	out, e := c.one(m, "directoryObjects")
	return typed(m, out, e)
}

func getManagerRef(c *call) (*reply, *odata.Error) {
	m, e := c.manager()
	if e != nil {
		return nil, e
	}
	return &reply{status: http.StatusOK, body: map[string]any{
		"@odata.context": c.context("$ref"), "@odata.id": c.base + "/directoryObjects/" + m.ID + "/Microsoft.DirectoryServices.User",
	}}, nil
}

func putManager(c *call) (*reply, *odata.Error) {
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	o, e := c.managed()
	if e != nil {
		return nil, e
	}
	m, e := c.linked(state.Text(body["@odata.id"]))
	if e != nil {
		return nil, e
	}
	if m.ID == o.ID || m.Kind != state.User {
		return nil, badRequest("The manager must be another user.")
	}
	return c.setManager(o, m.ID)
}

func deleteManager(c *call) (*reply, *odata.Error) {
	o, e := c.managed()
	if e != nil {
		return nil, e
	}
	if o.Manager == "" {
		return nil, notThere("manager")
	}
	return c.setManager(o, "")
}

// managed finds an account whose manager may be changed.
func (c *call) managed() (*state.Object, *odata.Error) {
	if !c.has(writeUsers...) || !c.holds(roles.GlobalAdministrator, roles.UserAdministrator, roles.DirectoryWriters) {
		return nil, denied()
	}
	o, e := c.target(state.User, c.ref())
	if e != nil {
		return nil, e
	}
	if o.Flag("onPremisesSyncEnabled") {
		return nil, onPremises()
	}
	return o, nil
}

func (c *call) setManager(o *state.Object, id string) (*reply, *odata.Error) {
	ch := c.tx.Change(c.t)
	if o.Manager == id {
		ch.Log(c.mutation("noop", o))
		return commit(ch)
	}
	m := c.mutation("update", o)
	m.Before = map[string]any{"manager": o.Manager}
	m.After = map[string]any{"manager": id}
	next := o.Clone()
	next.FormerManager = o.Manager
	next.Manager = id
	ch.Put(next, "manager")
	ch.Log(m)
	return commit(ch)
}
