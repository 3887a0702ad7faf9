package entratest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

func controlListGrants(s *Server, r *http.Request) (int, any, error) {
	tenantID, err := controlTenant(s, r)
	if err != nil {
		return 0, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []grant{}
	for _, id := range slices.Sorted(maps.Keys(s.tenants[tenantID].grants)) {
		list = append(list, s.tenants[tenantID].grants[id])
	}
	return http.StatusOK, map[string]any{"grants": list}, nil
}

func controlPostGrant(s *Server, r *http.Request) (int, any, error) {
	tenantID, err := controlTenant(s, r)
	if err != nil {
		return 0, nil, err
	}
	var in GrantSpec
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	app, ok := s.application(in.ClientID)
	if !ok {
		return 0, nil, badControl("no application %q is registered; POST /_control/apps first", in.ClientID)
	}
	oid := ""
	if in.UserID != "" {
		a, ok := s.Account(tenantID, in.UserID)
		if !ok {
			return 0, nil, badControl("there is no account %s in this tenant", in.UserID)
		}
		oid, _ = a["id"].(string)
	}
	scope, e := parseScope(in.Scope, app.ID, false)
	if e != nil || scope.Default || len(scope.Graph)+len(scope.OIDC) == 0 {
		return 0, nil, badControl("scope must name delegated permissions of Graph that exist")
	}
	if err := s.grant(tenantID, app.ID, oid, append(scope.Graph, scope.OIDC...), ""); err != nil {
		return 0, nil, err
	}
	_, body, err := controlListGrants(s, r)
	return http.StatusCreated, body, err
}

func controlDeleteGrants(s *Server, r *http.Request) (int, any, error) {
	tenantID, err := controlTenant(s, r)
	if err != nil {
		return 0, nil, err
	}
	id := r.URL.Query().Get("clientId")
	if id == "" {
		return 0, nil, badControl("say whose grants by ?clientId=")
	}
	return http.StatusNoContent, nil, s.revokeGrants(tenantID, id)
}

// tellApp is an application without its credentials.
func tellApp(a App) map[string]any {
	return map[string]any{
		"clientId": a.ID, "name": a.name(), "redirectUris": a.RedirectURIs, "multiTenant": a.MultiTenant,
		"permissions": a.Permissions, "hasSecret": a.Secret != "", "certificates": len(a.Certificates),
	}
}

func controlListApps(s *Server, r *http.Request) (int, any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []map[string]any{}
	for _, id := range slices.Sorted(maps.Keys(s.apps)) {
		list = append(list, tellApp(s.apps[id]))
	}
	return http.StatusOK, map[string]any{"apps": list}, nil
}

func controlPostApp(s *Server, r *http.Request) (int, any, error) {
	var app App
	if err := readControl(r, &app); err != nil {
		return 0, nil, err
	}
	for _, p := range app.Permissions {
		if known, ok := catalogueName(p); !ok || known != p {
			return 0, nil, badControl("there is no delegated permission %q", p)
		}
	}
	if err := s.RegisterApp(app); err != nil {
		return 0, nil, badControl("%v", err)
	}
	return http.StatusCreated, tellApp(app), nil
}

func controlGetClock(s *Server, r *http.Request) (int, any, error) {
	return http.StatusOK, map[string]any{"now": s.now().UTC()}, nil
}

func controlPostClock(s *Server, r *http.Request) (int, any, error) {
	var in struct {
		Advance string `json:"advance"`
	}
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	d, err := time.ParseDuration(in.Advance)
	if err != nil || d <= 0 {
		return 0, nil, badControl("advance must be a length of time above zero such as 72h or 90s, not %q", in.Advance)
	}
	if err := s.Advance(d); err != nil {
		return 0, nil, err
	}
	return controlGetClock(s, r)
}

func controlListFaults(s *Server, r *http.Request) (int, any, error) {
	return http.StatusOK, map[string]any{"faults": s.Faults()}, nil
}

func controlPostFault(s *Server, r *http.Request) (int, any, error) {
	var f Fault
	if err := readControl(r, &f); err != nil {
		return 0, nil, err
	}
	id, err := s.SetFault(f)
	if err != nil {
		return 0, nil, badControl("%v", err)
	}
	return http.StatusCreated, map[string]any{"id": id}, nil
}

func controlDeleteFaults(s *Server, r *http.Request) (int, any, error) {
	s.ClearFaults()
	return http.StatusNoContent, nil, nil
}

func controlPostKeys(s *Server, r *http.Request) (int, any, error) {
	var in struct {
		Retire bool `json:"retire"`
	}
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	id, err := s.RotateKeys(in.Retire)
	if err != nil {
		return 0, nil, fmt.Errorf("making a key: %w", err)
	}
	return http.StatusCreated, map[string]any{"kid": id}, nil
}

func controlListRequests(s *Server, r *http.Request) (int, any, error) {
	var since time.Time
	if text := r.URL.Query().Get("since"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			return 0, nil, badControl("since must be an RFC 3339 time, not %q", text)
		}
	}
	list := []Request{}
	units := 0.0
	for _, q := range s.Requests() {
		if q.Time.Before(since) {
			continue
		}
		list = append(list, q)
		units += float64(q.ResourceUnits)
	}
	return http.StatusOK, map[string]any{"requests": list, "count": len(list), "resourceUnits": units}, nil
}

func controlDeleteRequests(s *Server, r *http.Request) (int, any, error) {
	s.ResetRequests()
	return http.StatusNoContent, nil, nil
}
