package control

import (
	"maps"
	"net/http"
	"slices"

	"bindery/shared/entra/entratest/identity"
	"bindery/shared/entra/entratest/portal"
	"bindery/shared/entra/entratest/state"
)

func (a *API) createTenant(r *http.Request) (int, any, error) {
	var spec portal.TenantSpec
	if err := read(r, &spec); err != nil {
		return 0, nil, err
	}
	t, err := a.on.Portal.CreateTenant(spec)
	return http.StatusCreated, t, err
}

func (a *API) listTenants(*http.Request) (int, any, error) {
	return http.StatusOK, map[string]any{"tenants": a.on.Portal.Tenants()}, nil
}

func (a *API) getTenant(r *http.Request) (int, any, error) {
	t, ok := a.on.Portal.Tenant(r.PathValue("id"))
	if !ok {
		return 0, nil, missing("there is no tenant %s", r.PathValue("id"))
	}
	return http.StatusOK, t, nil
}

// tenant resolves the tenant of a path: an id or a verified domain.
func (a *API) tenant(r *http.Request) (id string, err error) {
	tx := a.on.State.Begin()
	defer tx.End()
	if t := tx.TenantNamed(r.PathValue("id")); t != nil {
		return t.ID, nil
	}
	return "", missing("there is no tenant %s", r.PathValue("id"))
}

func (a *API) putDomain(r *http.Request) (int, any, error) {
	tenantID, err := a.tenant(r)
	if err != nil {
		return 0, nil, err
	}
	domain := state.Domain{AuthenticationType: "Managed"}
	if err := read(r, &domain); err != nil {
		return 0, nil, err
	}
	domain.Name = r.PathValue("domain")
	if err := a.on.Portal.SetDomain(tenantID, domain); err != nil {
		return 0, nil, err
	}
	return a.getTenant(r)
}

func (a *API) deleteDomain(r *http.Request) (int, any, error) {
	tenantID, err := a.tenant(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, a.on.Portal.RemoveDomain(tenantID, r.PathValue("domain"))
}

func (a *API) listMutations(r *http.Request) (int, any, error) {
	tenantID, err := a.tenant(r)
	if err != nil {
		return 0, nil, err
	}
	list := append([]state.Mutation{}, a.on.Portal.Mutations(tenantID)...)
	return http.StatusOK, map[string]any{"mutations": list}, nil
}

func (a *API) listGrants(r *http.Request) (int, any, error) {
	tenantID, err := a.tenant(r)
	if err != nil {
		return 0, nil, err
	}
	tx := a.on.State.Begin()
	defer tx.End()
	grants := tx.Tenant(tenantID).Grants
	list := []state.Grant{}
	for _, id := range slices.Sorted(maps.Keys(grants)) {
		list = append(list, grants[id])
	}
	return http.StatusOK, map[string]any{"grants": list}, nil
}

func (a *API) postGrant(r *http.Request) (int, any, error) {
	tenantID, err := a.tenant(r)
	if err != nil {
		return 0, nil, err
	}
	var in portal.GrantSpec
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	app, ok := a.app(in.ClientID)
	if !ok {
		return 0, nil, bad("no application %q is registered; POST /_control/apps first", in.ClientID)
	}
	oid := ""
	if in.UserID != "" {
		account, ok := a.on.Portal.Account(tenantID, in.UserID)
		if !ok {
			return 0, nil, bad("there is no account %s in this tenant", in.UserID)
		}
		oid = state.Text(account["id"])
	}
	scopes, err := identity.ParsePermissions(in.Scope)
	if err != nil {
		return 0, nil, bad("%v", err)
	}
	if err := a.on.Identity.Grant(tenantID, app.ID, oid, scopes, ""); err != nil {
		return 0, nil, err
	}
	_, body, err := a.listGrants(r)
	return http.StatusCreated, body, err
}

func (a *API) app(id string) (state.App, bool) {
	tx := a.on.State.Begin()
	defer tx.End()
	return tx.App(id)
}

func (a *API) deleteGrants(r *http.Request) (int, any, error) {
	tenantID, err := a.tenant(r)
	if err != nil {
		return 0, nil, err
	}
	id := r.URL.Query().Get("clientId")
	if id == "" {
		return 0, nil, bad("say whose grants by ?clientId=")
	}
	return http.StatusNoContent, nil, a.on.Identity.RevokeGrants(tenantID, id)
}
