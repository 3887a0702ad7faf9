package control

import (
	"fmt"
	"net/http"
	"time"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/graph"
	"bindery/shared/entra/entratest/identity"
	"bindery/shared/entra/entratest/state"
)

// tellApp is an application without its credentials.
func tellApp(app state.App) map[string]any {
	return map[string]any{
		"clientId": app.ID, "name": app.Title(), "redirectUris": app.RedirectURIs, "multiTenant": app.MultiTenant,
		"permissions": app.Permissions, "hasSecret": app.Secret != "", "certificates": len(app.Certificates),
	}
}

func (a *API) listApps(r *http.Request) (int, any, error) {
	tx := a.on.State.Begin()
	defer tx.End()
	list := []map[string]any{}
	for _, app := range tx.Apps() {
		list = append(list, tellApp(app))
	}
	return http.StatusOK, map[string]any{"apps": list}, nil
}

func (a *API) postApp(r *http.Request) (int, any, error) {
	var app state.App
	if err := read(r, &app); err != nil {
		return 0, nil, err
	}
	for _, p := range app.Permissions {
		if !identity.IsPermission(p) {
			return 0, nil, bad("there is no delegated permission %q", p)
		}
	}
	if err := a.on.State.RegisterApp(app); err != nil {
		return 0, nil, bad("%v", err)
	}
	return http.StatusCreated, tellApp(app), nil
}

func (a *API) getClock(r *http.Request) (int, any, error) {
	return http.StatusOK, map[string]any{"now": a.on.State.Now()}, nil
}

func (a *API) postClock(r *http.Request) (int, any, error) {
	var in struct {
		Advance string `json:"advance"`
	}
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	d, err := time.ParseDuration(in.Advance)
	if err != nil || d <= 0 {
		return 0, nil, bad("advance must be a length of time above zero such as 72h or 90s, not %q", in.Advance)
	}
	if err := a.on.State.Advance(d); err != nil {
		return 0, nil, err
	}
	return a.getClock(r)
}

func (a *API) listFaults(r *http.Request) (int, any, error) {
	return http.StatusOK, map[string]any{"faults": a.on.Faults.List()}, nil
}

func (a *API) postFault(r *http.Request) (int, any, error) {
	var f faults.Fault
	if err := read(r, &f); err != nil {
		return 0, nil, err
	}
	id, err := a.on.Faults.Add(f)
	if err != nil {
		return 0, nil, bad("%v", err)
	}
	return http.StatusCreated, map[string]any{"id": id}, nil
}

func (a *API) deleteFaults(r *http.Request) (int, any, error) {
	a.on.Faults.Clear()
	return http.StatusNoContent, nil, nil
}

func (a *API) postKeys(r *http.Request) (int, any, error) {
	var in struct {
		Retire bool `json:"retire"`
	}
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	id, err := a.on.Identity.RotateKeys(in.Retire)
	if err != nil {
		return 0, nil, fmt.Errorf("making a key: %w", err)
	}
	return http.StatusCreated, map[string]any{"kid": id}, nil
}

func (a *API) listRequests(r *http.Request) (int, any, error) {
	var since time.Time
	if text := r.URL.Query().Get("since"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			return 0, nil, bad("since must be an RFC 3339 time, not %q", text)
		}
	}
	list := []graph.Request{}
	units := 0.0
	for _, q := range a.on.Graph.Requests() {
		if q.Time.Before(since) {
			continue
		}
		list = append(list, q)
		units += q.ResourceUnits
	}
	return http.StatusOK, map[string]any{"requests": list, "count": len(list), "resourceUnits": units}, nil
}

func (a *API) deleteRequests(r *http.Request) (int, any, error) {
	a.on.Graph.ResetRequests()
	return http.StatusNoContent, nil, nil
}
