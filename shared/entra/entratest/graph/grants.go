package graph

import (
	"maps"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

var grantRoutes = []route{
	{"GET", "oauth2permissiongrants", listGrants},
	{"GET", "oauth2permissiongrants/{}", getGrant},
	{"DELETE", "oauth2permissiongrants/{}", deleteGrant},
	{"GET", "serviceprincipals", listServicePrincipals},
	{"GET", "serviceprincipals/{}", getServicePrincipal},
}

// Permissions for grants and applications.
var (
	readGrants = []string{"DelegatedPermissionGrant.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	readApps   = with(readGrants, "Application.Read.All", "Application.ReadWrite.All")
)

// graphApp is Microsoft Graph itself, the resource of every grant.
const graphApp = "00000003-0000-0000-c000-000000000000"

// grantTarget is the kind of a mutation's target.
const grantTarget = "oauth2PermissionGrant"

// grantAuditing is how the audit log tells of grants.
var grantAuditing = auditing{noun: "ServicePrincipal", category: "ApplicationManagement", activities: map[string]activity{
	"create": {"Add delegated permission grant", "Assign"},
	"update": {"Add delegated permission grant", "Update"},
	"delete": {"Remove delegated permission grant", "Unassign"},
}}

// servicePrincipal is the id of an application in a tenant.
func servicePrincipal(t *state.Tenant, appID string) string {
	return derivedID(t, strings.ToLower(appID))
}

func (c *call) showGrant(g state.Grant) map[string]any {
	out := map[string]any{
		"id": g.ID, "clientId": servicePrincipal(c.t, g.AppID), "consentType": "AllPrincipals", "principalId": nil,
		"resourceId": servicePrincipal(c.t, graphApp), "scope": strings.Join(g.Scopes, " "),
	}
	if g.UserOID != "" {
		out["consentType"] = "Principal"
		out["principalId"] = g.UserOID
	}
	return out
}

func listGrants(c *call) (*reply, *odata.Error) {
	if !c.has(readGrants...) {
		return nil, denied()
	}
	items := []any{}
	for _, id := range slices.Sorted(maps.Keys(c.t.Grants)) {
		items = append(items, c.showGrant(c.t.Grants[id]))
	}
	return c.paged("oauth2PermissionGrants", items, mostTop)
}

func getGrant(c *call) (*reply, *odata.Error) {
	if !c.has(readGrants...) {
		return nil, denied()
	}
	g, ok := c.t.Grants[c.ref()]
	if !ok {
		return nil, notThere(c.ref())
	}
	return c.single("oauth2PermissionGrants", c.showGrant(g))
}

func deleteGrant(c *call) (*reply, *odata.Error) {
	if !c.has("DelegatedPermissionGrant.ReadWrite.All", "Directory.ReadWrite.All") ||
		!c.holds(roles.GlobalAdministrator, roles.PrivilegedRoleAdministrator, roles.ApplicationAdministrator, roles.CloudApplicationAdministrator) {
		return nil, denied()
	}
	g, ok := c.t.Grants[c.ref()]
	if !ok {
		return nil, notThere(c.ref())
	}
	next := c.t.Clone()
	delete(next.Grants, g.ID)
	m := c.mutation("delete", &state.Object{ID: g.ID, Kind: grantTarget})
	m.Before = map[string]any{"scope": strings.Join(g.Scopes, " ")}
	ch := c.tx.Change(c.t)
	ch.SetOrganization(next)
	ch.Log(m)
	return commit(ch)
}

// servicePrincipals are the applications that this tenant knows, by their client id:
// those with a grant, and Graph.
func (c *call) servicePrincipals() map[string]map[string]any {
	show := func(appID, name string) map[string]any {
		return map[string]any{"id": servicePrincipal(c.t, appID), "appId": appID, "displayName": name, "servicePrincipalType": "Application", "accountEnabled": true}
	}
	out := map[string]map[string]any{graphApp: show(graphApp, "Microsoft Graph")}
	for _, g := range c.t.Grants {
		app, _ := c.tx.App(g.AppID)
		out[g.AppID] = show(g.AppID, app.Name)
	}
	return out
}

func listServicePrincipals(c *call) (*reply, *odata.Error) {
	if !c.has(readApps...) {
		return nil, denied()
	}
	items := []any{}
	all := c.servicePrincipals()
	for _, id := range slices.Sorted(maps.Keys(all)) {
		items = append(items, all[id])
	}
	return c.paged("servicePrincipals", items, mostTop)
}

func getServicePrincipal(c *call) (*reply, *odata.Error) {
	if !c.has(readApps...) {
		return nil, denied()
	}
	ref := strings.ToLower(c.ref())
	app, byApp := strings.CutPrefix(ref, "(appid)")
	for id, sp := range c.servicePrincipals() {
		if byApp && id == app || !byApp && sp["id"] == ref {
			return c.single("servicePrincipals", sp)
		}
	}
	return nil, notThere(app)
}
