package entratest

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func controlCreateTenant(s *Server, r *http.Request) (int, any, error) {
	var spec TenantSpec
	if err := readControl(r, &spec); err != nil {
		return 0, nil, err
	}
	t, err := s.CreateTenant(spec)
	return http.StatusCreated, t, err
}

func controlListTenants(s *Server, r *http.Request) (int, any, error) {
	return http.StatusOK, map[string]any{"tenants": s.Tenants()}, nil
}

// Tenants tells what all tenants hold now, in the order of their ids.
func (s *Server) Tenants() []*Tenant {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []*Tenant{}
	for _, id := range slices.Sorted(maps.Keys(s.tenants)) {
		list = append(list, tellTenant(s.tenants[id]))
	}
	return list
}

// tellTenant tells what a tenant holds now. The state's mutex is held.
func tellTenant(t *tenant) *Tenant {
	out := &Tenant{ID: t.id, Name: t.name, Admins: []Admin{}}
	for _, d := range t.domains {
		out.Domains = append(out.Domains, d.Name)
	}
	for _, id := range t.ids {
		o := t.objects[id]
		if o.Kind != kindUser || !o.active() {
			continue
		}
		out.Count++
		var roles []string
		for template, holders := range t.roles {
			if holders[id] {
				roles = append(roles, template)
			}
		}
		if slices.Sort(roles); len(roles) > 0 {
			out.Admins = append(out.Admins, Admin{ID: id, UserPrincipalName: o.text("userPrincipalName"), Roles: roles})
		}
	}
	return out
}

func controlGetTenant(s *Server, r *http.Request) (int, any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenantNamed(r.PathValue("id"))
	if t == nil {
		return 0, nil, noControl("there is no tenant %s", r.PathValue("id"))
	}
	return http.StatusOK, tellTenant(t), nil
}

// controlTenant resolves the tenant of a path: an id or a verified domain.
func controlTenant(s *Server, r *http.Request) (string, error) {
	if id := s.tenantOf(r.PathValue("id")); id != "" {
		return id, nil
	}
	return "", noControl("there is no tenant %s", r.PathValue("id"))
}

// controlTarget resolves tenant and account of a path; the account must exist.
func controlTarget(s *Server, r *http.Request) (tenantID, account string, err error) {
	if tenantID, err = controlTenant(s, r); err != nil {
		return "", "", err
	}
	account = r.PathValue("account")
	if _, ok := s.Account(tenantID, account); !ok {
		return "", "", noControl("there is no account %s in this tenant", account)
	}
	return tenantID, account, nil
}

func controlListAccounts(s *Server, r *http.Request) (int, any, error) {
	tenantID, err := controlTenant(s, r)
	if err != nil {
		return 0, nil, err
	}
	limit := 100
	if text := r.URL.Query().Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 {
			return 0, nil, badControl("limit must be a number from 1 on, not %q", text)
		}
	}
	ids, more := s.accountIDs(tenantID, strings.ToLower(r.URL.Query().Get("after")), limit)
	list := []map[string]any{}
	for _, id := range ids {
		if a, ok := s.Account(tenantID, id); ok {
			list = append(list, a)
		}
	}
	out := map[string]any{"accounts": list}
	if more {
		out["next"] = ids[len(ids)-1]
	}
	return http.StatusOK, out, nil
}

// accountIDs returns ids of active and deleted accounts in order, after one.
func (s *Server) accountIDs(tenantID, after string, limit int) (ids []string, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenants[tenantID]
	if t == nil {
		return nil, false
	}
	for _, id := range t.ids {
		if o := t.objects[id]; id <= after || o.Kind != kindUser || o.Gone {
			continue
		}
		if len(ids) == limit {
			return ids, true
		}
		ids = append(ids, id)
	}
	return ids, false
}

func controlGetAccount(s *Server, r *http.Request) (int, any, error) {
	tenantID, account, err := controlTarget(s, r)
	if err != nil {
		return 0, nil, err
	}
	a, ok := s.Account(tenantID, account)
	if !ok {
		return 0, nil, noControl("there is no account %s in this tenant", account)
	}
	return http.StatusOK, a, nil
}

func controlAddAccount(s *Server, r *http.Request) (int, any, error) {
	tenantID, err := controlTenant(s, r)
	if err != nil {
		return 0, nil, err
	}
	var given map[string]any
	if err := readControl(r, &given); err != nil {
		return 0, nil, err
	}
	id, err := s.AddAccount(tenantID, given)
	if err != nil {
		return 0, nil, err
	}
	a, _ := s.Account(tenantID, id)
	return http.StatusCreated, a, nil
}

func controlPatchAccount(s *Server, r *http.Request) (int, any, error) {
	tenantID, account, err := controlTarget(s, r)
	if err != nil {
		return 0, nil, err
	}
	before, _ := s.Account(tenantID, account)
	var patch map[string]any
	if err := readControl(r, &patch); err != nil {
		return 0, nil, err
	}
	if err := s.EditAccount(tenantID, account, patch); err != nil {
		return 0, nil, err
	}
	id, _ := before["id"].(string) // the userPrincipalName may be another now
	a, _ := s.Account(tenantID, id)
	return http.StatusOK, a, nil
}

func controlDeleteAccount(s *Server, r *http.Request) (int, any, error) {
	tenantID, account, err := controlTarget(s, r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, s.DeleteAccount(tenantID, account)
}

func controlPutRoles(s *Server, r *http.Request) (int, any, error) {
	tenantID, account, err := controlTarget(s, r)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		Roles []string `json:"roles"`
	}
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	if err := s.SetRoles(tenantID, account, in.Roles...); err != nil {
		return 0, nil, err
	}
	return controlGetTenant(s, r)
}

func controlListMutations(s *Server, r *http.Request) (int, any, error) {
	tenantID, err := controlTenant(s, r)
	if err != nil {
		return 0, nil, err
	}
	list := s.Mutations(tenantID)
	if list == nil {
		list = []Mutation{}
	}
	return http.StatusOK, map[string]any{"mutations": list}, nil
}
