package entratest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"
)

// Kinds of the durable records of the identity platform.
const (
	keysKind    = "signingKeys"
	refreshKind = "refreshToken"
)

// consentRoles are the directory roles whose holders may consent for what only an
// administrator may. A User Administrator may not.
var consentRoles = []string{globalAdmin, privRoleAdmin, appAdmin, cloudAppAdmin}

// principal is an account as the identity platform sees it, at one moment.
type principal struct {
	TenantID, TenantName string
	OID, UPN, Name, Mail string
	Enabled, Guest       bool
	Consents             bool // holds one of consentRoles, by itself or by a group
	Epoch                int
	ValidFrom            string // the account's signInSessionsValidFromDateTime
}

func (p principal) mayConsent() bool { return p.Consents }

// principalOf copies what matters here. The state's mutex is held.
func principalOf(t *tenant, o *object) principal {
	p := principal{
		TenantID: t.id, TenantName: t.name, OID: o.ID, UPN: o.text("userPrincipalName"),
		Name: o.text("displayName"), Mail: o.text("mail"), Enabled: o.flag("accountEnabled"),
		Guest: o.text("userType") == "Guest", Epoch: o.Revocations, ValidFrom: o.text("signInSessionsValidFromDateTime"),
	}
	for _, role := range consentRoles {
		for holder := range t.roles[role] {
			group := t.objects[holder]
			member := group != nil && group.Kind == kindGroup && group.active() && group.Members[o.ID] > 0
			p.Consents = p.Consents || holder == o.ID || member
		}
	}
	return p
}

// principal finds an active account by its id.
func (s *Server) principal(tenantID, oid string) (principal, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenants[tenantID]
	if t == nil {
		return principal{}, false
	}
	o := t.objects[oid]
	if o == nil || o.Kind != kindUser || !o.active() {
		return principal{}, false
	}
	return principalOf(t, o), true
}

// signIn finds the account that a login names, for an authority.
func (s *Server) signIn(segment, login string) (principal, *stsError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, name, _ := strings.Cut(login, "@")
	wanted := s.tenantNamed(segment)
	home := s.tenantNamed(name)
	switch {
	case home == nil || isGUID(name):
		return principal{}, aadsts(50034, name)
	case wanted != nil && wanted != home:
		return principal{}, aadsts(50020, login, wanted.name)
	}
	id, ok := home.byUPN[strings.ToLower(login)]
	if !ok {
		return principal{}, aadsts(50034, home.name)
	}
	return principalOf(home, home.objects[id]), nil
}

// tenantNamed finds a tenant by its id or by one of its verified domains. The
// state's mutex is held.
func (s *Server) tenantNamed(name string) *tenant {
	if name == "" {
		return nil
	}
	if t := s.tenants[strings.ToLower(name)]; t != nil {
		return t
	}
	for _, t := range s.tenants {
		if _, ok := t.domainOf("@" + name); ok {
			return t
		}
	}
	return nil
}

// authority tells what a path's first segment stands for: one tenant, or the
// words organizations, common and consumers.
func (s *Server) authority(segment string) (kind string, ok bool) {
	switch kind = strings.ToLower(segment); kind {
	case "organizations", "common", "consumers":
		return kind, true
	case consumerTenant:
		return "consumers", true
	}
	return "tenant", s.tenantOf(segment) != ""
}

// tenantOf is the id of the tenant that a segment names, or "".
func (s *Server) tenantOf(segment string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tenantNamed(segment); t != nil {
		return t.id
	}
	return ""
}

// sameAuthority compares two segments; a tenant's id and its domains are the same.
func (s *Server) sameAuthority(a, b string) bool {
	if id := s.tenantOf(a); id != "" {
		return id == s.tenantOf(b)
	}
	return strings.EqualFold(a, b)
}

func (s *Server) tenantName(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tenants[id]; t != nil {
		return t.name
	}
	return id
}

// application finds a registered application.
func (s *Server) application(id string) (App, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, ok := s.apps[strings.ToLower(id)]
	return app, ok
}

// realm tells how the users of a verified domain sign in.
func (s *Server) realm(name string) (d domain, brand string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenantNamed(name)
	if t == nil || isGUID(name) {
		return domain{}, "", false
	}
	d, ok = t.domainOf("@" + name)
	return d, t.name, ok
}

// signInURL is where a federated domain's users are sent.
func signInURL(d domain) string {
	u, _ := d.FederationConfiguration["passiveSignInUri"].(string)
	return u
}

// registered tells whether an address is a redirect URI of any application.
func (s *Server) registered(uri string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, app := range s.apps {
		if slices.Contains(app.RedirectURIs, uri) {
			return true
		}
	}
	return false
}

// name is what pages call an application.
func (a App) name() string {
	if a.Name == "" {
		return a.ID
	}
	return a.Name
}

// checkSecret compares a client secret; a right one may have expired.
func (a App) checkSecret(secret string, now time.Time) *stsError {
	switch {
	case a.Secret == "" || !sameSecret(a.Secret, secret):
		return aadsts(7000215, a.ID)
	case !a.SecretExpires.IsZero() && !now.Before(a.SecretExpires):
		return aadsts(7000222, a.ID)
	}
	return nil
}

// granted returns the scopes that an account, or its organization for everybody,
// lets an application have; known is false when there is no grant at all.
func (s *Server) granted(tenantID, appID, oid string) (scopes []string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenants[tenantID]
	if t == nil {
		return nil, false
	}
	for _, id := range slices.Sorted(maps.Keys(t.grants)) {
		g := t.grants[id]
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

// grant adds scopes to what an account, or with an empty oid everybody, lets an
// application have. by is the account that consents; empty: somebody in the portal.
func (s *Server) grant(tenantID, appID, oid string, scopes []string, by string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenants[tenantID]
	if t == nil {
		return errUnknownTenant
	}
	grants := maps.Clone(t.grants)
	addGrant(s, grants, appID, oid, scopes)
	for id, g := range grants {
		old, existed := t.grants[id]
		m := Mutation{Kind: "update", Target: "oauth2PermissionGrant", TargetID: id, AppID: g.AppID, Actor: by,
			Before: map[string]any{"scope": strings.Join(old.Scopes, " ")}, After: map[string]any{"scope": strings.Join(g.Scopes, " ")}}
		if !existed {
			m.Kind = "create"
		}
		if !slices.Equal(old.Scopes, g.Scopes) {
			return s.putGrants(t, grants, m) // at most one grant changed
		}
	}
	return nil
}

// revokeGrants removes the grants of an application, as an administrator who
// takes the consent back.
func (s *Server) revokeGrants(tenantID, appID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenants[tenantID]
	if t == nil {
		return errUnknownTenant
	}
	grants := maps.Clone(t.grants)
	var log []Mutation
	for id, g := range t.grants {
		if strings.EqualFold(g.AppID, appID) {
			delete(grants, id)
			log = append(log, Mutation{Kind: "delete", Target: "oauth2PermissionGrant", TargetID: id, AppID: g.AppID,
				Before: map[string]any{"scope": strings.Join(g.Scopes, " ")}})
		}
	}
	sort.Slice(log, func(i, j int) bool { return log[i].TargetID < log[j].TargetID })
	return s.putGrants(t, grants, log...)
}

// putGrants commits a tenant's grants. The state's mutex is held.
func (s *Server) putGrants(t *tenant, grants map[string]grant, log ...Mutation) error {
	r := t.record()
	r.Grants = grants
	c := &change{s: s, t: t, record: &r, log: log}
	return c.commit()
}

// mintAccess makes an access token for Graph.
func (s *Server) mintAccess(p principal, app App, scopes []string, expires time.Time) (string, error) {
	return s.issueAccessToken(accessToken{
		TenantID: p.TenantID, UserOID: p.OID, AppID: app.ID, Scopes: scopes, Expires: expires,
	})
}

// newSecret makes 256 random bits as text, for codes, flows and refresh tokens.
func (s *Server) newSecret() string { return base64url.EncodeToString(s.random(32)) }

// randomN is a number from 0 to n-1.
func (s *Server) randomN(n int) int {
	b := s.random(4)
	return int(uint32(b[0])|uint32(b[1])<<8|uint32(b[2])<<16|uint32(b[3])<<24) % n
}

// keepRefresh stores a refresh token and forgets those that are long dead.
func (s *Server) keepRefresh(t refreshToken) error {
	if err := s.persist(refreshKind, t.Token, t); err != nil {
		return err
	}
	for _, dead := range s.identity.putRefresh(t, s.now()) {
		if err := s.persist(refreshKind, dead, nil); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) persistKeys(keys []*signingKey) error { return s.persist(keysKind, "all", keys) }

// loadIdentity takes the durable records back when a simulator is opened.
func (s *Server) loadIdentity() error {
	if raw, ok := s.load(keysKind)["all"]; ok {
		if err := json.Unmarshal(raw, &s.identity.keys); err != nil {
			return fmt.Errorf("read the signing keys: %w", err)
		}
		for _, k := range s.identity.keys {
			if err := k.parse(); err != nil {
				return fmt.Errorf("read the signing key %s: %w", k.ID, err)
			}
		}
	}
	for _, raw := range s.load(refreshKind) {
		var t refreshToken
		if err := json.Unmarshal(raw, &t); err != nil {
			return fmt.Errorf("read a refresh token: %w", err)
		}
		s.identity.putRefresh(t, s.now())
	}
	return nil
}
