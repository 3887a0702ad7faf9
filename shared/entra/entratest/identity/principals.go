package identity

import (
	"html"
	"slices"
	"strings"
	"time"

	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

// consentRoles are the directory roles whose holders may consent for what only an
// administrator may. A User Administrator may not.
var consentRoles = []string{roles.GlobalAdministrator, roles.PrivilegedRoleAdministrator, roles.ApplicationAdministrator, roles.CloudApplicationAdministrator}

// principal is an account as the identity platform sees it, at one moment.
type principal struct {
	TenantID, TenantName string
	OID, UPN, Name, Mail string
	Enabled, Guest       bool
	Consents             bool // holds one of consentRoles, by itself or by a group
	Epoch                int
	ValidFrom            string // the account's signInSessionsValidFromDateTime
}

// principalOf copies what matters here.
func principalOf(t *state.Tenant, o *state.Object) principal {
	return principal{
		TenantID: t.ID, TenantName: t.Name, OID: o.ID, UPN: o.Text("userPrincipalName"),
		Name: o.Text("displayName"), Mail: o.Text("mail"), Enabled: o.Flag("accountEnabled"),
		Guest: o.Text("userType") == "Guest", Epoch: o.Revocations, ValidFrom: o.Text("signInSessionsValidFromDateTime"),
		Consents: slices.ContainsFunc(consentRoles, func(role string) bool { return holds(t, o.ID, role) }),
	}
}

// holds tells whether an account has a role, by itself or as a member of a group.
func holds(t *state.Tenant, oid, role string) bool {
	return slices.ContainsFunc(t.Roles[role], func(holder string) bool {
		group := t.Object(holder)
		member := group != nil && group.Kind == state.Group && group.Active() && t.Linked(state.Members, group.ID, oid)
		return holder == oid || member
	})
}

// whoMay names, for whoever has just met the simulator, the accounts that may consent to an
// application, of the tenants that a flow may sign in to; there are few of them.
func (s *Platform) whoMay(f *flow) string {
	only := s.tenantOf(f.Segment)
	tx := s.state.Begin()
	defer tx.End()
	var names []string
	for _, t := range tx.Tenants() {
		if only != "" && t.ID != only {
			continue
		}
		for _, role := range consentRoles {
			for _, holder := range t.Roles[role] {
				if o := t.Object(holder); o != nil && o.Kind == state.User && o.Active() && o.Flag("accountEnabled") {
					names = append(names, html.EscapeString(o.Text("userPrincipalName")))
				}
			}
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) == 0 {
		return ""
	}
	more := ""
	if len(names) > mostWhoMay {
		names, more = names[:mostWhoMay], ", …"
	}
	return " Who may consent here: <code>" + strings.Join(names, "</code>, <code>") + "</code>" + more + "."
}

// mostWhoMay is how many accounts are named.
const mostWhoMay = 5

// principal finds an active account by its id.
func (s *Platform) principal(tenantID, oid string) (principal, bool) {
	tx := s.state.Begin()
	defer tx.End()
	t := tx.Tenant(tenantID)
	if t == nil {
		return principal{}, false
	}
	o := t.Object(oid)
	if o == nil || o.Kind != state.User || !o.Active() {
		return principal{}, false
	}
	return principalOf(t, o), true
}

// signIn finds the account that a login names, for an authority.
func (s *Platform) signIn(segment, login string) (principal, *stsError) {
	tx := s.state.Begin()
	defer tx.End()
	_, name, _ := strings.Cut(login, "@")
	wanted := tx.TenantNamed(segment)
	home := tx.TenantNamed(name)
	switch {
	case home == nil || state.IsGUID(name):
		return principal{}, aadsts(50034, name)
	case wanted != nil && wanted != home:
		return principal{}, aadsts(50020, login, wanted.Name)
	}
	o := home.Holder(state.ByName, login)
	if o == nil {
		return principal{}, aadsts(50034, home.Name)
	}
	return principalOf(home, o), nil
}

// authority tells what a path's first segment stands for: one tenant, or the
// words organizations, common and consumers.
func (s *Platform) authority(segment string) (kind string, ok bool) {
	switch kind = strings.ToLower(segment); kind {
	case "organizations", "common", "consumers":
		return kind, true
	case consumerTenant:
		return "consumers", true
	}
	return "tenant", s.tenantOf(segment) != ""
}

// tenantOf is the id of the tenant that a segment names, or "".
func (s *Platform) tenantOf(segment string) string {
	tx := s.state.Begin()
	defer tx.End()
	if t := tx.TenantNamed(segment); t != nil {
		return t.ID
	}
	return ""
}

// sameAuthority compares two segments; a tenant's id and its domains are the same.
func (s *Platform) sameAuthority(a, b string) bool {
	if id := s.tenantOf(a); id != "" {
		return id == s.tenantOf(b)
	}
	return strings.EqualFold(a, b)
}

func (s *Platform) tenantName(id string) string {
	tx := s.state.Begin()
	defer tx.End()
	if t := tx.Tenant(id); t != nil {
		return t.Name
	}
	return id
}

// realm tells how the users of a verified domain sign in.
func (s *Platform) realm(name string) (d state.Domain, brand string, ok bool) {
	tx := s.state.Begin()
	defer tx.End()
	t := tx.TenantNamed(name)
	if t == nil || state.IsGUID(name) {
		return state.Domain{}, "", false
	}
	d, ok = t.DomainOf("@" + name)
	return d, t.Name, ok
}

// signInURL is where a federated domain's users are sent.
func signInURL(d state.Domain) string {
	return state.Text(d.FederationConfiguration["passiveSignInUri"])
}

// application finds a registered application.
func (s *Platform) application(id string) (state.App, bool) {
	tx := s.state.Begin()
	defer tx.End()
	return tx.App(id)
}

// registered tells whether an address is a redirect URI of any application.
func (s *Platform) registered(uri string) bool {
	tx := s.state.Begin()
	defer tx.End()
	return slices.ContainsFunc(tx.Apps(), func(app state.App) bool { return slices.Contains(app.RedirectURIs, uri) })
}

// checkSecret compares a client secret; a right one may have expired.
func checkSecret(app state.App, secret string, now time.Time) *stsError {
	switch {
	case app.Secret == "" || !sameSecret(app.Secret, secret):
		return aadsts(7000215, app.ID)
	case !app.SecretExpires.IsZero() && !now.Before(app.SecretExpires):
		return aadsts(7000222, app.ID)
	}
	return nil
}
