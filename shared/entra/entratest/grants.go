package entratest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// graphPrincipal stands for Microsoft Graph itself, the resource of every grant.
func (t *tenant) graphPrincipal() string { return t.roleID("00000003-0000-0000-c000-000000000000") }

// servicePrincipal is the id of an application in this tenant.
func (t *tenant) servicePrincipal(appID string) string { return t.roleID(strings.ToLower(appID)) }

func (c *call) showGrant(g grant) map[string]any {
	out := map[string]any{
		"id": g.ID, "clientId": c.t.servicePrincipal(g.AppID), "consentType": "AllPrincipals", "principalId": nil,
		"resourceId": c.t.graphPrincipal(), "scope": strings.Join(g.Scopes, " "),
	}
	if g.UserOID != "" {
		out["consentType"], out["principalId"] = "Principal", g.UserOID
	}
	return out
}

var readGrants = []string{"DelegatedPermissionGrant.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}

func (c *call) listGrants() (*reply, *graphError) {
	if !c.has(readGrants...) {
		return nil, denied()
	}
	items := []any{}
	for _, id := range slices.Sorted(maps.Keys(c.t.grants)) {
		items = append(items, c.showGrant(c.t.grants[id]))
	}
	return c.pagedList("oauth2PermissionGrants", items)
}

func (c *call) getGrant() (*reply, *graphError) {
	if !c.has(readGrants...) {
		return nil, denied()
	}
	g, ok := c.t.grants[c.ref()]
	if !ok {
		return nil, notThere(c.ref())
	}
	return c.first(c.plainList("oauth2PermissionGrants", []any{c.showGrant(g)}))
}

func (c *call) deleteGrant() (*reply, *graphError) {
	if !c.has("DelegatedPermissionGrant.ReadWrite.All", "Directory.ReadWrite.All") || !c.holds(globalAdmin, privRoleAdmin, appAdmin, cloudAppAdmin) {
		return nil, denied()
	}
	g, ok := c.t.grants[c.ref()]
	if !ok {
		return nil, notThere(c.ref())
	}
	r := c.t.record()
	delete(r.Grants, g.ID)
	m := c.mutation("delete", &object{ID: g.ID, Kind: "oauth2PermissionGrant"})
	m.Before = map[string]any{"scope": strings.Join(g.Scopes, " ")}
	ch := change{s: c.s, t: c.t, record: &r, log: []Mutation{m}}
	if err := ch.commit(); err != nil {
		return nil, failed(err)
	}
	return &reply{status: http.StatusNoContent}, nil
}

// servicePrincipals are the applications that this tenant knows: those with a
// grant, and Graph.
func (c *call) servicePrincipals() map[string]map[string]any {
	show := func(appID, name string) map[string]any {
		return map[string]any{"id": c.t.servicePrincipal(appID), "appId": appID, "displayName": name, "servicePrincipalType": "Application", "accountEnabled": true}
	}
	const graphApp = "00000003-0000-0000-c000-000000000000"
	out := map[string]map[string]any{graphApp: show(graphApp, "Microsoft Graph")}
	for _, g := range c.t.grants {
		name := c.s.apps[g.AppID].Name
		out[g.AppID] = show(g.AppID, name)
	}
	return out
}

var readApps = []string{"Application.Read.All", "Application.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}

func (c *call) listServicePrincipals() (*reply, *graphError) {
	if !c.has(readApps...) {
		return nil, denied()
	}
	items := []any{}
	all := c.servicePrincipals()
	for _, id := range slices.Sorted(maps.Keys(all)) {
		items = append(items, all[id])
	}
	return c.pagedList("servicePrincipals", items)
}

func (c *call) getServicePrincipal() (*reply, *graphError) {
	if !c.has(readApps...) {
		return nil, denied()
	}
	ref := strings.ToLower(c.ref())
	app, byApp := strings.CutPrefix(ref, "(appid)")
	for id, sp := range c.servicePrincipals() {
		if byApp && id == app || !byApp && sp["id"] == ref {
			return c.first(c.plainList("servicePrincipals", []any{sp}))
		}
	}
	return nil, notThere(strings.TrimPrefix(ref, "(appid)"))
}
