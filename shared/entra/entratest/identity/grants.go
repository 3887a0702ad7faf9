package identity

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/state"
)

// granted returns the scopes that an account, or its organization for everybody,
// lets an application have; known is false when there is no grant at all.
func (s *Platform) granted(tenantID, appID, oid string) (scopes []string, known bool) {
	tx := s.state.Begin()
	defer tx.End()
	t := tx.Tenant(tenantID)
	if t == nil {
		return nil, false
	}
	for _, id := range slices.Sorted(maps.Keys(t.Grants)) {
		g := t.Grants[id]
		if !strings.EqualFold(g.AppID, appID) || g.UserOID != "" && g.UserOID != oid {
			continue
		}
		known = true
		for _, scope := range g.Scopes {
			scopes = appendOnce(scopes, scope)
		}
	}
	return scopes, known
}

// Grant adds scopes to what an account, or with an empty oid everybody, lets an
// application have. by is the account that consents; empty: somebody in the portal.
func (s *Platform) Grant(tenantID, appID, oid string, scopes []string, by string) error {
	tx := s.state.Begin()
	defer tx.End()
	t := tx.Tenant(tenantID)
	if t == nil {
		return state.ErrNoTenant
	}
	next := t.Clone()
	next.AddGrant(s.state.Random, appID, oid, scopes)
	change := tx.Change(t)
	change.SetOrganization(next)
	changed := false
	for id, g := range next.Grants {
		old, existed := t.Grants[id]
		if slices.Equal(old.Scopes, g.Scopes) {
			continue
		}
		changed = true
		m := mutation("update", g)
		m.Actor = by
		m.Before = scopeOf(old)
		m.After = scopeOf(g)
		if !existed {
			m.Kind = "create"
		}
		change.Log(m)
	}
	if !changed {
		return nil
	}
	return change.Commit()
}

// RevokeGrants removes the grants of an application, as an administrator who
// takes the consent back.
func (s *Platform) RevokeGrants(tenantID, appID string) error {
	tx := s.state.Begin()
	defer tx.End()
	t := tx.Tenant(tenantID)
	if t == nil {
		return state.ErrNoTenant
	}
	next := t.Clone()
	change := tx.Change(t)
	for _, id := range slices.Sorted(maps.Keys(t.Grants)) {
		g := t.Grants[id]
		if !strings.EqualFold(g.AppID, appID) {
			continue
		}
		delete(next.Grants, id)
		m := mutation("delete", g)
		m.Before = scopeOf(g)
		change.Log(m)
	}
	change.SetOrganization(next)
	return change.Commit()
}

func mutation(kind string, g state.Grant) state.Mutation {
	return state.Mutation{Kind: kind, Target: "oauth2PermissionGrant", TargetID: g.ID, AppID: g.AppID}
}

func scopeOf(g state.Grant) map[string]any {
	return map[string]any{"scope": strings.Join(g.Scopes, " ")}
}

// ParsePermissions reads a scope parameter that names delegated permissions of Graph
// and scopes of OpenID Connect, each as it is spelt in a grant.
func ParsePermissions(scope string) ([]string, error) {
	q, e := parseScope(scope, "", false)
	all := append(q.Graph, q.OIDC...)
	if e != nil || q.Default || len(all) == 0 {
		return nil, errors.New("scope must name delegated permissions of Graph that exist")
	}
	return all, nil
}

// IsPermission tells whether a delegated permission of Graph exists, so spelt.
func IsPermission(name string) bool {
	_, ok := graphPermissions[name]
	return ok
}
