package entratest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// CreateTenant makes a tenant with all its accounts, or nothing.
func (s *Server) CreateTenant(spec TenantSpec) (*Tenant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.newBuilder(spec)
	if err != nil {
		return nil, err
	}
	for i, a := range spec.Accounts {
		if _, err := b.account(a); err != nil {
			return nil, fmt.Errorf("accounts[%d]: %w", i, err)
		}
	}
	for i, a := range spec.Admins {
		if err := b.admin(a); err != nil {
			return nil, fmt.Errorf("admins[%d]: %w", i, err)
		}
	}
	if err := b.invent(spec.Count, spec.Seed); err != nil {
		return nil, err
	}
	for i, g := range spec.Groups {
		if err := b.group(g); err != nil {
			return nil, fmt.Errorf("groups[%d]: %w", i, err)
		}
	}
	for i, g := range spec.Grants {
		if err := b.grant(g); err != nil {
			return nil, fmt.Errorf("grants[%d]: %w", i, err)
		}
	}
	return b.finish()
}

// builder makes a tenant that nobody sees yet.
type builder struct {
	s      *Server
	t      *tenant
	groups map[string]string // lower-case name -> id
	admins []Admin
	count  int
}

func (s *Server) newBuilder(spec TenantSpec) (*builder, error) {
	id := strings.ToLower(spec.TenantID)
	if id == "" {
		id = s.newID()
	}
	switch {
	case !isGUID(id):
		return nil, fmt.Errorf("the tenant id %q is not a GUID", spec.TenantID)
	case s.tenants[id] != nil:
		return nil, fmt.Errorf("the tenant %s exists already", id)
	case strings.TrimSpace(spec.Name) == "":
		return nil, errors.New("a tenant needs a name")
	case spec.Count < 0 || spec.Count > 200_000:
		return nil, errors.New("count must be between 0 and 200000")
	}
	domains, err := s.checkDomains(spec)
	if err != nil {
		return nil, err
	}
	r := tenantRecord{ID: id, Name: spec.Name, Created: s.now(), Domains: domains, SKUs: slices.Clone(spec.Licences), Grants: map[string]grant{}}
	for i := range r.SKUs {
		if r.SKUs[i].SKUPartNumber == "" {
			return nil, fmt.Errorf("licences[%d] needs a skuPartNumber", i)
		}
		if r.SKUs[i].SKUID == "" {
			r.SKUs[i].SKUID = s.newID()
		}
	}
	return &builder{s: s, t: newTenant(r), groups: map[string]string{}}, nil
}

// checkDomains completes the domains: one initial, one default.
func (s *Server) checkDomains(spec TenantSpec) ([]domain, error) {
	var out []domain
	initial, def := -1, -1
	for _, d := range spec.Domains {
		d.Name = strings.ToLower(strings.TrimSpace(d.Name))
		if d.AuthenticationType == "" {
			d.AuthenticationType = "Managed"
		}
		if err := validDomain(d); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(o domain) bool { return o.Name == d.Name }) {
			return nil, fmt.Errorf("domain %s is listed twice", d.Name)
		}
		if holder := s.holderOf(d.Name); holder != nil && d.verified() {
			return nil, fmt.Errorf("domain %s is verified in the tenant %s", d.Name, holder.id)
		}
		if d.IsInitial || initial < 0 && strings.HasSuffix(d.Name, ".onmicrosoft.com") {
			if initial >= 0 && out[initial].IsInitial {
				return nil, errors.New("only one domain can be initial")
			}
			initial, d.IsInitial = len(out), true
		}
		if d.IsDefault {
			if def >= 0 {
				return nil, errors.New("only one domain can be default")
			}
			def = len(out)
		}
		out = append(out, d)
	}
	if initial < 0 {
		initial = len(out)
		out = append(out, domain{Name: s.initialName(spec.Name), AuthenticationType: "Managed", IsInitial: true})
	}
	if def < 0 {
		def = 0
		if !out[0].verified() {
			def = initial
		}
		out[def].IsDefault = true
	}
	return out, nil
}

// holderOf returns the tenant in which a domain is verified.
func (s *Server) holderOf(name string) *tenant {
	for _, t := range s.tenants {
		for _, d := range t.domains {
			if d.Name == name && d.verified() {
				return t
			}
		}
	}
	return nil
}

// initialName invents the *.onmicrosoft.com domain of an organisation.
func (s *Server) initialName(name string) string {
	label := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
	if label == "" {
		label = "tenant"
	}
	full := label + ".onmicrosoft.com"
	for n := 2; s.holderOf(full) != nil; n++ {
		full = fmt.Sprintf("%s%d.onmicrosoft.com", label, n)
	}
	return full
}

// account places an account as given; what Graph sets by itself is completed.
func (b *builder) account(given map[string]any) (*object, error) {
	o, err := b.s.seedUser(b.t, given)
	if err != nil {
		return nil, err
	}
	b.number(o)
	b.t.put(o)
	b.count++
	return o, nil
}

func (b *builder) admin(a AdminSpec) error {
	given := maps.Clone(a.Properties)
	if given == nil {
		given = map[string]any{}
	}
	given["userPrincipalName"] = a.UserPrincipalName
	if a.ID != "" {
		given["id"] = a.ID
	}
	if a.DisplayName != "" {
		given["displayName"] = a.DisplayName
	}
	roles, err := roleTemplates(a.Roles)
	if err != nil {
		return err
	}
	o, err := b.account(given)
	if err != nil {
		return err
	}
	setRoles(b.t.roles, o.ID, roles)
	b.admins = append(b.admins, Admin{ID: o.ID, UserPrincipalName: o.text("userPrincipalName"), Roles: roles})
	return nil
}

func (b *builder) group(g GroupSpec) error {
	if strings.TrimSpace(g.DisplayName) == "" {
		return errors.New("a group needs a displayName")
	}
	o := b.s.newObject(kindGroup)
	if g.ID != "" {
		if o.ID = strings.ToLower(g.ID); !isGUID(o.ID) || b.t.objects[o.ID] != nil {
			return fmt.Errorf("the id %q is not a GUID or is taken", g.ID)
		}
	}
	maps.Copy(o.Props, map[string]any{
		"displayName": g.DisplayName, "mailNickname": g.MailNickname, "mailEnabled": len(g.ProxyAddresses) > 0,
		"securityEnabled": true, "groupTypes": anyList(g.GroupTypes), "proxyAddresses": anyList(g.ProxyAddresses),
		"createdDateTime": stamp(o.Created),
	})
	if g.MailNickname == "" {
		o.Props["mailNickname"] = o.ID[:8]
	}
	if g.IsAssignableToRole {
		o.Props["isAssignableToRole"] = true
	}
	if g.OnPremisesSyncEnabled {
		o.Props["onPremisesSyncEnabled"] = true
	}
	maps.Copy(o.Props, g.Properties)
	for _, p := range g.ProxyAddresses {
		if b.t.byProxy[strings.ToLower(p)] != "" {
			return fmt.Errorf("the address %s is taken", p)
		}
	}
	b.number(o)
	if err := b.members(o, g); err != nil {
		return err
	}
	roles, err := roleTemplates(g.Roles)
	if err != nil {
		return err
	}
	if len(roles) > 0 && !g.IsAssignableToRole {
		return errors.New("only a group that is assignable to roles can have roles")
	}
	setRoles(b.t.roles, o.ID, roles)
	b.groups[strings.ToLower(g.DisplayName)] = o.ID
	b.t.put(o)
	return nil
}

// number gives an object that is about to be placed its version.
func (b *builder) number(o *object) {
	b.s.version++
	o.Version, o.StateVersion = b.s.version, b.s.version
	for p := range o.Props {
		o.Touched[p] = o.Version
	}
}

// members gives a group its members and owners.
func (b *builder) members(o *object, g GroupSpec) error {
	o.Members = map[string]int64{}
	for i, list := range [][]string{g.Members, g.Owners} {
		for _, ref := range list {
			m := b.resolve(ref)
			if m == nil {
				return fmt.Errorf("there is no account or group %q", ref)
			}
			if i == 0 {
				o.Members[m.ID] = o.Version
			} else {
				o.Owners = append(o.Owners, m.ID)
			}
		}
	}
	return nil
}

func (b *builder) resolve(ref string) *object {
	if o := b.t.find(ref); o != nil {
		return o
	}
	return b.t.objects[b.groups[strings.ToLower(ref)]]
}

func (b *builder) grant(g GrantSpec) error {
	if !isGUID(g.ClientID) {
		return fmt.Errorf("the client id %q is not a GUID", g.ClientID)
	}
	id := ""
	if g.UserID != "" {
		o := b.t.find(g.UserID)
		if o == nil {
			return fmt.Errorf("there is no account %q", g.UserID)
		}
		id = o.ID
	}
	addGrant(b.s, b.t.grants, g.ClientID, id, strings.Fields(g.Scope))
	return nil
}

// finish makes the tenant durable and visible, in one line of the journal.
func (b *builder) finish() (*Tenant, error) {
	s, t := b.s, b.t
	if s.journal != nil {
		if err := s.stage(entry{Kind: "tenant", ID: t.id}, t.record()); err != nil {
			return nil, err
		}
		for _, id := range t.ids {
			if err := s.stage(entry{Kind: "object", Tenant: t.id, ID: id}, t.objects[id]); err != nil {
				return nil, err
			}
		}
		batch := s.pending
		s.pending = nil
		if err := s.journal.append(batch); err != nil {
			return nil, err
		}
	}
	s.tenants[t.id] = t
	return b.describe(), nil
}

func (b *builder) describe() *Tenant {
	out := &Tenant{ID: b.t.id, Name: b.t.name, Admins: b.admins, Count: b.count}
	for _, d := range b.t.domains {
		out.Domains = append(out.Domains, d.Name)
	}
	return out
}

// newObject makes an object without properties.
func (s *Server) newObject(kind string) *object {
	return &object{ID: s.newID(), Kind: kind, Props: map[string]any{}, Touched: map[string]int64{}, Created: s.now()}
}

// addGrant adds scopes to the grant of an application and account, and makes it
// when there is none.
func addGrant(s *Server, grants map[string]grant, appID, userOID string, scopes []string) {
	for id, g := range grants {
		if strings.EqualFold(g.AppID, appID) && g.UserOID == userOID {
			g.Scopes = slices.Clone(g.Scopes)
			for _, scope := range scopes {
				if !slices.Contains(g.Scopes, scope) {
					g.Scopes = append(g.Scopes, scope)
				}
			}
			grants[id] = g
			return
		}
	}
	id := base64.RawURLEncoding.EncodeToString(s.random(32))
	grants[id] = grant{ID: id, AppID: strings.ToLower(appID), UserOID: userOID, Scopes: slices.Clone(scopes)}
}

// stamp writes a time as Graph does.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func anyList(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// plain turns any value into what encoding/json decodes, so that stored values
// compare the same before and after a restart.
func plain(v any) (any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var out any
	return out, json.Unmarshal(raw, &out)
}
