package entratest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// keepDeleted is how long a deleted object can be restored.
const keepDeleted = 30 * 24 * time.Hour

// restorable tells whether an object is deleted and can still be restored.
func (o *object) restorable(now time.Time) bool {
	return !o.Gone && !o.Deleted.IsZero() && now.Sub(o.Deleted) < keepDeleted
}

func deleteScopes(kind string) []string {
	if kind == kindGroup {
		return []string{"Group.ReadWrite.All", "Directory.ReadWrite.All"}
	}
	return []string{"User.DeleteRestore.All", "User.ReadWrite.All", "Directory.ReadWrite.All"}
}

// mayRemove checks the right to delete, restore and purge an object.
func (c *call) mayRemove(o *object) *graphError {
	if !c.has(deleteScopes(o.Kind)...) {
		return denied()
	}
	if o.Kind == kindGroup {
		return c.mayEditGroup(o)
	}
	if !c.holds(globalAdmin, userAdmin, privAuthAdmin) || !mayTouch(c.roles, c.t.classOf(o.ID)) {
		return denied()
	}
	return nil
}

// deleteUser is DELETE /users/{id}: into the deleted items.
func (c *call) deleteUser() (*reply, *graphError) {
	if !c.has(deleteScopes(kindUser)...) {
		return nil, denied()
	}
	o, e := c.target(kindUser, c.ref())
	if e != nil {
		return nil, e
	}
	if e := c.mayRemove(o); e != nil {
		return nil, e
	}
	if o.flag("onPremisesSyncEnabled") {
		return nil, onPremises()
	}
	return c.softDelete(o)
}

func (c *call) softDelete(o *object) (*reply, *graphError) {
	ch := change{s: c.s, t: c.t}
	ch.put(deleted(o, c.s.now()), "userPrincipalName")
	ch.objects[0].StateVersion = ch.objects[0].Version
	ch.log = append(ch.log, c.mutation("delete", o))
	if err := ch.commit(); err != nil {
		return nil, failed(err)
	}
	return &reply{status: http.StatusNoContent}, nil
}

// deleted is a copy of an object that is in the deleted items; an account's name
// gets its id in front there, so that the name is free.
func deleted(o *object, now time.Time) *object {
	next := o.clone()
	next.Deleted = now
	if o.Kind == kindUser {
		next.Props["userPrincipalName"] = strings.ReplaceAll(o.ID, "-", "") + o.text("userPrincipalName")
	}
	return next
}

// original is the name that a deleted account had.
func original(o *object) string {
	return strings.TrimPrefix(o.text("userPrincipalName"), strings.ReplaceAll(o.ID, "-", ""))
}

func (c *call) listDeletedUsers() (*reply, *graphError) {
	if !c.has(append(slices.Clone(readUsers), "User.DeleteRestore.All")...) {
		return nil, denied()
	}
	return c.listing(kindUser, "directoryObjects/microsoft.graph.user", c.t.ids, func(o *object) bool { return o.restorable(c.s.now()) })
}

func (c *call) listDeletedGroups() (*reply, *graphError) {
	if !c.has(readGroups...) {
		return nil, denied()
	}
	return c.listing(kindGroup, "directoryObjects/microsoft.graph.group", c.t.groupsSorted(), func(o *object) bool { return o.restorable(c.s.now()) })
}

// deletedItem finds a deleted object; the id is the third segment, or the second
// below directoryObjects.
func (c *call) deletedItem() (*object, *graphError) {
	id := c.raw[1]
	if c.names[0] == "directory" {
		id = c.raw[2]
	}
	o := c.t.objects[strings.ToLower(id)]
	if o == nil || !o.restorable(c.s.now()) {
		return nil, notThere(id)
	}
	return o, nil
}

func (c *call) getDeleted() (*reply, *graphError) {
	if !c.has(append(slices.Clone(readUsers), "User.DeleteRestore.All")...) {
		return nil, denied()
	}
	o, e := c.deletedItem()
	if e != nil {
		return nil, e
	}
	if len(c.names) == 4 && c.names[3] != "microsoft.graph."+o.Kind {
		return nil, notThere(c.raw[2])
	}
	out, e := c.one(o, "directoryObjects")
	if e == nil {
		out.body.(map[string]any)["@odata.type"] = "#microsoft.graph." + o.Kind
	}
	return out, e
}

// restore is POST /directory/deletedItems/{id}/restore.
func (c *call) restore() (*reply, *graphError) {
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
	next := o.clone()
	next.Deleted = time.Time{}
	touched := []string{}
	if o.Kind == kindUser {
		touched = append(touched, "userPrincipalName")
		next.Props["userPrincipalName"] = upn
		if reconcile {
			next.Props["proxyAddresses"] = c.freeAddresses(o)
			touched = append(touched, "proxyAddresses")
		}
	}
	if e := c.t.conflict(next, true); e != nil {
		return nil, e
	}
	ch := change{s: c.s, t: c.t}
	ch.put(next, touched...)
	next.StateVersion = next.Version
	m := c.mutation("restore", next)
	if upn != original(o) {
		m.Before, m.After = map[string]any{"userPrincipalName": original(o)}, map[string]any{"userPrincipalName": upn}
	}
	ch.log = append(ch.log, m)
	if err := ch.commit(); err != nil {
		return nil, failed(err)
	}
	body := c.t.show(next, standardSet(next.Kind))
	body["@odata.context"] = c.context("directoryObjects/$entity")
	body["@odata.type"] = "#microsoft.graph." + next.Kind
	return &reply{status: http.StatusOK, body: body}, nil
}

// restoreBody reads the options of a restoration; there need not be a body.
func (c *call) restoreBody(o *object) (upn string, reconcile bool, e *graphError) {
	upn = original(o)
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
			if upn, ok = v.(string); ok {
				if e := checkText("User", "userPrincipalName", userProperties["userPrincipalName"], upn); e != nil {
					return "", false, e
				}
				if _, verified := c.t.domainOf(upn); !verified {
					return "", false, invalidValue("User", "userPrincipalName")
				}
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

// freeAddresses are the proxy addresses that nobody else took meanwhile.
func (c *call) freeAddresses(o *object) []any {
	out := []any{}
	for _, p := range o.list("proxyAddresses") {
		key := strings.ToLower(p)
		_, alias := c.t.byProxy[key]
		_, name := c.t.byUPN[strings.TrimPrefix(key, "smtp:")]
		if !alias && !name {
			out = append(out, p)
		}
	}
	return out
}

// purge is DELETE /directory/deletedItems/{id}: for good.
func (c *call) purge() (*reply, *graphError) {
	o, e := c.deletedItem()
	if e != nil {
		return nil, e
	}
	if e := c.mayRemove(o); e != nil {
		return nil, e
	}
	next := o.clone()
	next.Gone = true
	ch := change{s: c.s, t: c.t}
	ch.put(next)
	next.StateVersion = next.Version
	ch.log = append(ch.log, c.mutation("purge", o))
	if err := ch.commit(); err != nil {
		return nil, failed(err)
	}
	return &reply{status: http.StatusNoContent}, nil
}

// revokeSessions is POST /users/{id}/revokeSignInSessions.
func (c *call) revokeSessions() (*reply, *graphError) {
	if !c.has(append(slices.Clone(writeUsers), "User.RevokeSessions.All")...) {
		return nil, denied()
	}
	o, e := c.target(kindUser, c.ref())
	if e != nil {
		return nil, e
	}
	if o.ID != c.me.ID && !c.holds(globalAdmin, userAdmin, privAuthAdmin, authAdmin, helpdeskAdmin) {
		return nil, denied()
	}
	next := o.clone()
	next.Props["signInSessionsValidFromDateTime"] = stamp(c.s.now())
	next.Revocations++
	ch := change{s: c.s, t: c.t}
	ch.put(next, "signInSessionsValidFromDateTime")
	ch.log = append(ch.log, c.mutation("revoke", next))
	if err := ch.commit(); err != nil {
		return nil, failed(err)
	}
	return &reply{status: http.StatusOK, body: map[string]any{"@odata.context": c.context("Edm.Boolean"), "value": true}}, nil
}
