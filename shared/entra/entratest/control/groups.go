package control

import (
	"net/http"

	"bindery/shared/entra/entratest/portal"
	"bindery/shared/entra/entratest/state"
)

// actor is the account by which something is done in the portal; empty: nobody known.
func actor(r *http.Request) string { return r.URL.Query().Get("actor") }

// group resolves tenant and group of a path; the group must exist.
func (a *API) group(r *http.Request) (tenantID, id string, err error) {
	if tenantID, err = a.tenant(r); err != nil {
		return "", "", err
	}
	group, ok := a.on.Portal.Group(tenantID, r.PathValue("group"))
	if !ok {
		return "", "", missing("there is no group %s in this tenant", r.PathValue("group"))
	}
	return tenantID, state.Text(group["id"]), nil
}

// showGroup answers with a group.
func (a *API) showGroup(status int, tenantID, id string) (int, any, error) {
	group, _ := a.on.Portal.Group(tenantID, id)
	return status, group, nil
}

func (a *API) listGroups(r *http.Request) (int, any, error) {
	tenantID, err := a.tenant(r)
	if err != nil {
		return 0, nil, err
	}
	list := []map[string]any{}
	for _, id := range a.on.Portal.GroupIDs(tenantID) {
		if group, ok := a.on.Portal.Group(tenantID, id); ok {
			list = append(list, group)
		}
	}
	return http.StatusOK, map[string]any{"groups": list}, nil
}

func (a *API) addGroup(r *http.Request) (int, any, error) {
	tenantID, err := a.tenant(r)
	if err != nil {
		return 0, nil, err
	}
	var spec portal.GroupSpec
	if err := read(r, &spec); err != nil {
		return 0, nil, err
	}
	id, err := a.on.Portal.AddGroup(tenantID, actor(r), spec)
	if err != nil {
		return 0, nil, err
	}
	return a.showGroup(http.StatusCreated, tenantID, id)
}

func (a *API) getGroup(r *http.Request) (int, any, error) {
	tenantID, id, err := a.group(r)
	if err != nil {
		return 0, nil, err
	}
	return a.showGroup(http.StatusOK, tenantID, id)
}

func (a *API) patchGroup(r *http.Request) (int, any, error) {
	tenantID, id, err := a.group(r)
	if err != nil {
		return 0, nil, err
	}
	var given map[string]any
	if err := read(r, &given); err != nil {
		return 0, nil, err
	}
	if err := a.on.Portal.EditGroup(tenantID, actor(r), id, given); err != nil {
		return 0, nil, err
	}
	return a.showGroup(http.StatusOK, tenantID, id)
}

func (a *API) deleteGroup(r *http.Request) (int, any, error) {
	tenantID, id, err := a.group(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, a.on.Portal.DeleteGroup(tenantID, actor(r), id)
}

func (a *API) putMember(r *http.Request) (int, any, error) {
	return a.setLink(r, state.Members, true)
}

func (a *API) deleteMember(r *http.Request) (int, any, error) {
	return a.setLink(r, state.Members, false)
}

func (a *API) putOwner(r *http.Request) (int, any, error) { return a.setLink(r, state.Owners, true) }

func (a *API) deleteOwner(r *http.Request) (int, any, error) {
	return a.setLink(r, state.Owners, false)
}

// setLink makes the account of a path a member or an owner of its group, or takes it
// away.
func (a *API) setLink(r *http.Request, relation state.Relation, is bool) (int, any, error) {
	tenantID, id, err := a.group(r)
	if err != nil {
		return 0, nil, err
	}
	if err := a.on.Portal.SetLink(tenantID, actor(r), id, relation, r.PathValue("account"), is); err != nil {
		return 0, nil, err
	}
	return a.showGroup(http.StatusOK, tenantID, id)
}

func (a *API) putGroupSettings(r *http.Request) (int, any, error) {
	tenantID, err := a.tenant(r)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		Settings map[string]string `json:"settings"`
		Lifetime int               `json:"lifetime"`
	}
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	if err := a.on.Portal.SetGroupSettings(tenantID, in.Settings, in.Lifetime); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, in, nil
}
