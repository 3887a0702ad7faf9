package portal

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

// maxInvented bounds how many accounts a tenant is made with.
const maxInvented = 200_000

// Portal changes the tenants of a state. It may be used by several goroutines at once.
type Portal struct{ state *state.Store }

// New makes the portal of a state.
func New(s *state.Store) *Portal { return &Portal{s} }

// CreateTenant makes a tenant with all its accounts, or nothing.
func (p *Portal) CreateTenant(spec TenantSpec) (*Tenant, error) {
	tx := p.state.Begin()
	defer tx.End()
	b, err := newBuilder(tx, p.state.Random, spec)
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
	if err := b.draft.Commit(); err != nil {
		return nil, err
	}
	return b.describe(), nil
}

// Tenants tells what all tenants hold now, in the order of their ids.
func (p *Portal) Tenants() []*Tenant {
	tx := p.state.Begin()
	defer tx.End()
	list := []*Tenant{}
	for _, t := range tx.Tenants() {
		list = append(list, tell(t))
	}
	return list
}

// Tenant tells what a tenant holds now; false when there is none of this id or with
// this verified domain.
func (p *Portal) Tenant(name string) (*Tenant, bool) {
	tx := p.state.Begin()
	defer tx.End()
	t := tx.TenantNamed(name)
	if t == nil {
		return nil, false
	}
	return tell(t), true
}

func tell(t *state.Tenant) *Tenant {
	out := &Tenant{ID: t.ID, Name: t.Name, Admins: []Admin{}}
	for _, d := range t.Domains {
		out.Domains = append(out.Domains, d.Name)
	}
	for _, id := range t.IDs(state.User) {
		o := t.Object(id)
		if !o.Active() {
			continue
		}
		out.Count++
		if direct := directRoles(t, id); len(direct) > 0 {
			out.Admins = append(out.Admins, Admin{ID: id, UserPrincipalName: o.Text("userPrincipalName"), Roles: direct})
		}
	}
	return out
}

// directRoles are the template ids of the roles that an account has by itself, sorted.
func directRoles(t *state.Tenant, id string) []string {
	var out []string
	for template, holders := range t.Roles {
		if slices.Contains(holders, id) {
			out = append(out, template)
		}
	}
	slices.Sort(out)
	return out
}

// builder makes a tenant that nobody sees yet.
type builder struct {
	tx     *state.Tx
	random *state.Random
	draft  *state.Draft
	groups map[string]string // lower-case name -> id
	admins []Admin
	count  int
}

func newBuilder(tx *state.Tx, random *state.Random, spec TenantSpec) (*builder, error) {
	id := strings.ToLower(spec.TenantID)
	if id == "" {
		id = random.ID()
	}
	switch {
	case !state.IsGUID(id):
		return nil, fmt.Errorf("the tenant id %q is not a GUID", spec.TenantID)
	case tx.Tenant(id) != nil:
		return nil, fmt.Errorf("the tenant %s exists already", id)
	case strings.TrimSpace(spec.Name) == "":
		return nil, errors.New("a tenant needs a name")
	case spec.Count < 0 || spec.Count > maxInvented:
		return nil, fmt.Errorf("count must be between 0 and %d", maxInvented)
	}
	domains, err := newDomains(tx, spec)
	if err != nil {
		return nil, err
	}
	subscriptions, err := newSKUs(random, spec.Licences)
	if err != nil {
		return nil, err
	}
	draft := tx.Draft(state.Organization{ID: id, Name: spec.Name, Created: tx.Now(), Domains: domains, SKUs: subscriptions, GroupSettings: spec.GroupSettings, GroupLifetime: spec.GroupLifetime})
	return &builder{tx: tx, random: random, draft: draft, groups: map[string]string{}}, nil
}

// account places an account as given; what Graph sets by itself is completed.
func (b *builder) account(given map[string]any) (*state.Object, error) {
	o, err := newAccount(b.tx, b.draft.Tenant, given)
	if err != nil {
		return nil, err
	}
	b.draft.Put(o)
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
	templates, err := roles.Templates(a.Roles)
	if err != nil {
		return err
	}
	o, err := b.account(given)
	if err != nil {
		return err
	}
	b.draft.SetRoles(o.ID, templates)
	b.admins = append(b.admins, Admin{ID: o.ID, UserPrincipalName: o.Text("userPrincipalName"), Roles: templates})
	return nil
}

func (b *builder) group(g GroupSpec) error {
	o, err := newGroup(b.tx, b.draft.Tenant, g)
	if err != nil {
		return err
	}
	templates, err := roles.Templates(g.Roles)
	if err != nil {
		return err
	}
	if len(templates) > 0 && !o.Flag("isAssignableToRole") {
		return errors.New("only a group that is assignable to roles can have roles")
	}
	links := map[state.Relation][]string{state.Members: g.Members, state.Owners: g.Owners}
	for r, refs := range links {
		if links[r], err = b.resolve(refs); err != nil {
			return err
		}
	}
	b.draft.SetRoles(o.ID, templates)
	b.groups[strings.ToLower(g.DisplayName)] = o.ID
	b.draft.Put(o)
	for r, ids := range links {
		for _, id := range ids {
			b.draft.Link(o, r, id)
		}
	}
	return nil
}

// resolve returns the ids of accounts and of groups further up in the list.
func (b *builder) resolve(refs []string) ([]string, error) {
	var ids []string
	for _, ref := range refs {
		o := b.draft.Find(ref)
		if o == nil {
			o = b.draft.Object(b.groups[strings.ToLower(ref)])
		}
		if o == nil {
			return nil, fmt.Errorf("there is no account or group %q", ref)
		}
		ids = append(ids, o.ID)
	}
	return ids, nil
}

func (b *builder) grant(g GrantSpec) error {
	if !state.IsGUID(g.ClientID) {
		return fmt.Errorf("the client id %q is not a GUID", g.ClientID)
	}
	id := ""
	if g.UserID != "" {
		o := b.draft.Find(g.UserID)
		if o == nil {
			return fmt.Errorf("there is no account %q", g.UserID)
		}
		id = o.ID
	}
	b.draft.AddGrant(b.random, g.ClientID, id, strings.Fields(g.Scope))
	return nil
}

func (b *builder) describe() *Tenant {
	out := &Tenant{ID: b.draft.ID, Name: b.draft.Name, Admins: b.admins, Count: b.count}
	for _, d := range b.draft.Domains {
		out.Domains = append(out.Domains, d.Name)
	}
	return out
}
