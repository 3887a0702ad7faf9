package graph

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

var deletedRoutes = []route{
	{"GET", "directory/deleteditems/{}", getDeleted},
	{"GET", "directory/deleteditems/{}/{}", getDeleted},
	{"DELETE", "directory/deleteditems/{}", purge},
	{"POST", "directory/deleteditems/{}/restore", restore},
	{"POST", "directoryobjects/{}/restore", restore},
}

// softDelete puts an object into the deleted items.
func (c *call) softDelete(o *state.Object) (*reply, *odata.Error) {
	ch := c.tx.Change(c.t)
	ch.PutLifecycle(o.SoftDeleted(c.now()), "userPrincipalName")
	ch.Log(c.mutation("delete", o))
	return commit(ch)
}

// deletedItem finds a deleted object; the id is the third segment, or the second
// below directoryObjects.
func (c *call) deletedItem() (*state.Object, *odata.Error) {
	id := c.path.Raw[1]
	if c.path.Names[0] == "directory" {
		id = c.path.Raw[2]
	}
	o := c.t.Object(id)
	if o == nil || !o.Restorable(c.now()) {
		return nil, notThere(id)
	}
	return o, nil
}

func getDeleted(c *call) (*reply, *odata.Error) {
	if !c.has(slices.Concat(users.readDeleted, groups.readDeleted)...) {
		return nil, denied()
	}
	o, e := c.deletedItem()
	if e != nil {
		return nil, e
	}
	if !c.has(resourceOf(o.Kind).readDeleted...) {
		return nil, denied()
	}
	if len(c.path.Names) == 4 && c.path.Names[3] != "microsoft.graph."+o.Kind {
		return nil, notThere(c.path.Raw[2])
	}
	out, e := c.one(o, "directoryObjects")
	return typed(o, out, e)
}

// restore is POST /directory/deletedItems/{id}/restore.
func restore(c *call) (*reply, *odata.Error) {
	o, e := c.deletedItem()
	if e != nil {
		return nil, e
	}
	if e := c.mayRemove(o); e != nil {
		return nil, e
	}
	upn, reconcile, e := c.restoreBody(o)
	if e != nil {
		return nil, e
	}
	next := o.Clone()
	next.Deleted = time.Time{}
	touched := []string{}
	if o.Kind == state.User {
		touched = append(touched, "userPrincipalName")
		next.Props["userPrincipalName"] = upn
	}
	if o.Kind == state.User && reconcile {
		touched = append(touched, "proxyAddresses")
		next.Props["proxyAddresses"] = c.freeAddresses(o)
	}
	if e := c.restorable(next); e != nil {
		return nil, e
	}
	m := c.mutation("restore", next)
	if former := o.FormerName(); upn != former {
		m.Before = map[string]any{"userPrincipalName": former}
		m.After = map[string]any{"userPrincipalName": upn}
	}
	ch := c.tx.Change(c.t)
	ch.PutLifecycle(next, touched...)
	ch.Log(m)
	if _, e := commit(ch); e != nil {
		return nil, e
	}
	body := c.showStandard(next)
	body["@odata.context"] = c.context("directoryObjects/$entity")
	return typed(next, &reply{status: http.StatusOK, body: body}, nil)
}

// restorable refuses an object whose unique values others took meanwhile.
func (c *call) restorable(o *state.Object) *odata.Error {
	if o.Kind == state.Group {
		return c.groupConflict(o)
	}
	return conflictError(c.t.Conflict(o))
}

// restoreBody reads the options of a restoration; there need not be a body.
func (c *call) restoreBody(o *state.Object) (upn string, reconcile bool, e *odata.Error) {
	upn = o.FormerName()
	if len(strings.TrimSpace(string(c.body))) == 0 {
		return upn, false, nil
	}
	body, e := c.object()
	if e != nil {
		return "", false, e
	}
	for name, v := range body {
		ok := true
		switch name {
		case "autoReconcileProxyConflict":
			reconcile, ok = v.(bool)
		case "newUserPrincipalName":
			upn, ok = v.(string)
			if e := c.checkNewName(upn, ok); e != nil {
				return "", false, e
			}
		case "@odata.type":
		default:
			return "", false, unknownProperty(name, "restore")
		}
		if !ok {
			return "", false, wrongType(name, "a value of its type")
		}
	}
	return upn, reconcile, nil
}

// checkNewName refuses a name that a restored account cannot have.
func (c *call) checkNewName(upn string, isText bool) *odata.Error {
	if !isText {
		return nil
	}
	if e := checkText("User", "userPrincipalName", state.Users.Properties["userPrincipalName"], upn); e != nil {
		return e
	}
	if _, verified := c.t.DomainOf(upn); !verified {
		return invalidValue("User", "userPrincipalName")
	}
	return nil
}

// freeAddresses are the proxy addresses that nobody else took meanwhile.
func (c *call) freeAddresses(o *state.Object) []any {
	out := []any{}
	for _, p := range o.List("proxyAddresses") {
		name := strings.TrimPrefix(strings.ToLower(p), "smtp:")
		if c.t.Holder(state.ByAddress, p) == nil && c.t.Holder(state.ByName, name) == nil {
			out = append(out, p)
		}
	}
	return out
}

// purge is DELETE /directory/deletedItems/{id}: for good.
func purge(c *call) (*reply, *odata.Error) {
	o, e := c.deletedItem()
	if e != nil {
		return nil, e
	}
	if e := c.mayRemove(o); e != nil {
		return nil, e
	}
	next := o.Clone()
	next.Gone = true
	ch := c.tx.Change(c.t)
	ch.PutLifecycle(next)
	ch.Unlink(o.ID)
	ch.Log(c.mutation("purge", o))
	return commit(ch)
}
