package graph

import (
	"net/http"
	"strings"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

var managerRoutes = []route{
	{"GET", "users/{}/manager", getManager},
	{"GET", "users/{}/manager/$ref", getManagerRef},
	{"PUT", "users/{}/manager/$ref", putManager},
	{"DELETE", "users/{}/manager/$ref", deleteManager},
	{"GET", "users/{}/directreports", directReports},
	{"GET", "users/{}/directreports/{}", directReports},
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
	o, e := c.managed()
	if e != nil {
		return nil, e
	}
	m, e := c.managerLink()
	if e != nil {
		return nil, e
	}
	if e := fitsAsManager(m); e != nil {
		return nil, e
	}
	return c.setManager(o, m.ID)
}

// fitsAsManager refuses what cannot be a manager. [K]: that an account can be its own
// manager and that a circle is taken (GG 10); the sentence for another kind of object.
func fitsAsManager(m *state.Object) *odata.Error {
	if m.Kind != state.User {
		return badValue("InvalidValue", "manager", "The reference target of type '"+state.TableOf(m.Kind).Resource+"' is invalid for the 'manager' reference.")
	}
	return nil
}

// managerLink finds the account that the body of a PUT names.
func (c *call) managerLink() (*state.Object, *odata.Error) {
	if len(strings.TrimSpace(string(c.body))) == 0 {
		return nil, odata.BadRequest("An unexpected 'EndOfInput' node was found when reading from the JSON reader. A 'StartObject' node was expected.")
	}
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	link := state.Text(body["@odata.id"])
	i := strings.LastIndex(strings.ToLower(link), "/directoryobjects/")
	if i >= 0 {
		if id := link[i+len("/directoryobjects/"):]; !state.IsGUID(id) {
			return nil, badRequest("Invalid object identifier '%s'.", id)
		}
	}
	return c.linked(link)
}

// directReports lists the accounts whose manager an account is, with a cast or without.
func directReports(c *call) (*reply, *odata.Error) {
	if !c.has(readUsers...) {
		return nil, denied()
	}
	o, e := c.lookup(state.User, c.ref())
	if e != nil {
		return nil, e
	}
	var ids []string
	for _, id := range c.t.IDs(state.User) {
		if r := c.seen(id); r != nil && r.Active() && r.Manager == o.ID {
			ids = append(ids, id)
		}
	}
	return c.mixed(ids, 3)
}

func deleteManager(c *call) (*reply, *odata.Error) {
	o, e := c.managed()
	if e != nil {
		return nil, e
	}
	if c.managerOf(o) == nil {
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
