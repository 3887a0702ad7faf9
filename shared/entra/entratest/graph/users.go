package graph

import (
	"maps"
	"net/http"
	"slices"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/portal"
	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

// users is the resource of accounts.
var users = &resource{
	table: state.Users, set: "users", relations: []string{"manager"},
	read: readUsers, readDeleted: append(slices.Clone(readUsers), "User.DeleteRestore.All"),
	remove:    []string{"User.DeleteRestore.All", "User.ReadWrite.All", "Directory.ReadWrite.All"},
	mayRemove: mayRemoveUser,
	audit: auditing{noun: "User", category: "UserManagement", activities: map[string]activity{
		"create":  {"Add user", "Add"},
		"update":  {"Update user", "Update"},
		"license": {"Change user license", "Update"},
		"delete":  {"Delete user", "Delete"},
		"restore": {"Restore user", "Update"},
		"purge":   {"Hard Delete user", "Delete"},
		"revoke":  {"Update StsRefreshTokenValidFrom Timestamp", "Update"},
		"roles":   {"Add member to role", "Assign"},
	}},
}

var userRoutes = []route{
	{"GET", "me", getUser},
	{"PATCH", "me", patchUser},
	{"GET", "users", list(users)},
	{"POST", "users", createUser},
	{"GET", "users/$count", count(users)},
	{"GET", "users/delta", delta(users)},
	{"GET", "users/{}", getUser},
	{"PATCH", "users/{}", patchUser},
	{"DELETE", "users/{}", deleteUser},
	{"POST", "users/{}/revokesigninsessions", revokeSessions},
	{"GET", "directory/deleteditems/microsoft.graph.user", listDeleted(users)},
}

// Permissions for accounts.
var (
	readUsers  = []string{"User.Read.All", "User.ReadWrite.All", "User.ReadUpdate.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	readSelf   = append(slices.Clone(readUsers), "User.Read", "User.ReadWrite")
	writeUsers = []string{"User.ReadWrite.All", "Directory.ReadWrite.All"}
)

// with is a longer copy of a list of permissions.
func with(scopes []string, more ...string) []string { return append(slices.Clone(scopes), more...) }

func getUser(c *call) (*reply, *odata.Error) {
	scopes := readUsers
	if c.isMe(c.ref()) {
		scopes = readSelf
	}
	if !c.has(scopes...) {
		return nil, denied()
	}
	o, e := c.lookup(state.User, c.ref())
	if e != nil {
		return nil, e
	}
	return c.one(o, "users")
}

// createUser is POST /users.
func createUser(c *call) (*reply, *odata.Error) {
	if !c.has(with(writeUsers, "User.Create")...) || !c.holds(roles.GlobalAdministrator, roles.UserAdministrator, roles.DirectoryWriters) {
		return nil, denied()
	}
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	if e := c.race(body); e != nil {
		return nil, e
	}
	given, e := c.checkUserBody(body, nil)
	if e != nil {
		return nil, e
	}
	if e := c.checkComplete(given); e != nil {
		return nil, e
	}
	if given, e = c.treat(nil, given); e != nil {
		return nil, e
	}
	o := c.tx.NewObject(state.User)
	fillUser(o, given)
	return c.create(o)
}

// create commits a new account and answers with it.
func (c *call) create(o *state.Object) (*reply, *odata.Error) {
	if e := conflictError(c.t.Conflict(o)); e != nil {
		return nil, e
	}
	m := c.mutation("create", o)
	m.After = maps.Clone(o.Props)
	ch := c.tx.Change(c.t)
	ch.PutLifecycle(o, slices.Collect(maps.Keys(o.Props))...)
	ch.Log(m)
	if err := ch.Commit(); err != nil {
		return nil, failed(err)
	}
	set := resourceOf(o.Kind).set
	shown := c.showStandard(o)
	shown["@odata.context"] = c.context(set + "/$entity")
	return &reply{status: http.StatusCreated, body: shown, header: http.Header{"Location": {c.base + "/" + set + "/" + o.ID}}}, nil
}

// race is the fault in which another administrator creates the same name first.
func (c *call) race(body map[string]any) *odata.Error {
	upn := state.Text(body["userPrincipalName"])
	if upn == "" {
		return nil
	}
	f := c.strike(faults.RaceCreate)
	if f == nil {
		return nil
	}
	given := maps.Clone(f.Account)
	if given == nil {
		given = map[string]any{}
	}
	given["userPrincipalName"] = upn
	if _, err := portal.AddAccount(c.tx, c.t, given); err != nil {
		return failed(err)
	}
	return nil
}

// fillUser gives a new account its properties.
func fillUser(o *state.Object, given map[string]any) {
	maps.Copy(o.Props, given)
	delete(o.Props, "passwordProfile")
	created := state.Stamp(o.Created)
	o.Props["createdDateTime"] = created
	o.Props["lastPasswordChangeDateTime"] = created
	o.Props["signInSessionsValidFromDateTime"] = created
	if o.Props["userType"] == nil {
		o.Props["userType"] = "Member"
	}
	if mail := o.Text("mail"); mail != "" {
		o.Props["proxyAddresses"] = []any{"SMTP:" + mail}
	}
}

// mayRemoveUser checks the role that deleting, restoring and purging an account needs.
func mayRemoveUser(c *call, o *state.Object) *odata.Error {
	if !c.holds(roles.GlobalAdministrator, roles.UserAdministrator, roles.PrivilegedAuthenticationAdministrator) || !mayTouch(c.roles, classOf(c.t, o.ID)) {
		return denied()
	}
	return nil
}

// deleteUser is DELETE /users/{id}: into the deleted items.
func deleteUser(c *call) (*reply, *odata.Error) {
	if !c.has(users.remove...) {
		return nil, denied()
	}
	o, e := c.target(state.User, c.ref())
	if e != nil {
		return nil, e
	}
	if e := c.mayRemove(o); e != nil {
		return nil, e
	}
	if o.Flag("onPremisesSyncEnabled") {
		return nil, onPremises()
	}
	return c.softDelete(o)
}

// revokeSessions is POST /users/{id}/revokeSignInSessions.
func revokeSessions(c *call) (*reply, *odata.Error) {
	if !c.has(with(writeUsers, "User.RevokeSessions.All")...) {
		return nil, denied()
	}
	o, e := c.target(state.User, c.ref())
	if e != nil {
		return nil, e
	}
	if o.ID != c.me.ID && !c.holds(roles.GlobalAdministrator, roles.UserAdministrator, roles.PrivilegedAuthenticationAdministrator, roles.AuthenticationAdministrator, roles.HelpdeskAdministrator) {
		return nil, denied()
	}
	next := o.Clone()
	next.Props["signInSessionsValidFromDateTime"] = state.Stamp(c.now())
	next.Revocations++
	ch := c.tx.Change(c.t)
	ch.Put(next, "signInSessionsValidFromDateTime")
	ch.Log(c.mutation("revoke", next))
	if _, e := commit(ch); e != nil {
		return nil, e
	}
	return &reply{status: http.StatusOK, body: map[string]any{"@odata.context": c.context("Edm.Boolean"), "value": true}}, nil
}
