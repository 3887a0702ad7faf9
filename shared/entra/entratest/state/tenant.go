package state

import (
	"maps"
	"slices"
	"sort"
	"strings"
	"time"
)

// Organization is the part of a tenant that is kept in one piece.
type Organization struct {
	ID        string              `json:"id"`
	Name      string              `json:"name"`
	Created   time.Time           `json:"created"`
	Domains   []Domain            `json:"domains"`
	SKUs      []SKU               `json:"skus,omitempty"`
	Licensing Licensing           `json:"licensing,omitzero"`
	Grants    map[string]Grant    `json:"grants,omitempty"` // by id
	Roles     map[string][]string `json:"roles,omitempty"`  // template id -> sorted ids of users and groups

	GroupSettings map[string]string `json:"groupSettings,omitempty"` // of Microsoft 365 groups, by name
	GroupLifetime int               `json:"groupLifetime,omitempty"` // days after which they expire; 0: never
}

// Settings of Microsoft 365 groups that rules here read.
const (
	enableGroupCreation = "EnableGroupCreation"         // "false": not for everybody
	groupCreationGroup  = "GroupCreationAllowedGroupId" // whose members may all the same
)

// MayCreateUnified tells whether somebody without a role may make Microsoft 365 groups.
func (t *Tenant) MayCreateUnified(id string) bool {
	return !strings.EqualFold(t.GroupSettings[enableGroupCreation], "false") || t.Linked(Members, strings.ToLower(t.GroupSettings[groupCreationGroup]), id)
}

// DefaultDomain is the name in which new addresses are made.
func (t *Tenant) DefaultDomain() string {
	for _, d := range t.Domains {
		if d.IsDefault {
			return d.Name
		}
	}
	return t.InitialDomain()
}

// Domain is one domain of a tenant.
type Domain struct {
	Name                        string           `json:"name"`
	AuthenticationType          string           `json:"authenticationType,omitempty"` // Managed (default) or Federated
	IsDefault                   bool             `json:"isDefault,omitempty"`
	IsInitial                   bool             `json:"isInitial,omitempty"`
	IsVerified                  *bool            `json:"isVerified,omitempty"` // default true
	FederationConfiguration     map[string]any   `json:"federationConfiguration,omitempty"`
	ServiceConfigurationRecords []map[string]any `json:"serviceConfigurationRecords,omitempty"`
}

// Verified tells whether the domain is proven to be the tenant's.
func (d Domain) Verified() bool { return d.IsVerified == nil || *d.IsVerified }

// Federated tells whether the domain's users sign in elsewhere.
func (d Domain) Federated() bool { return d.AuthenticationType == "Federated" }

// Grant is an oauth2PermissionGrant: what an account, or with an empty UserOID
// everybody, lets an application do.
type Grant struct {
	ID      string   `json:"id"`
	AppID   string   `json:"appId"`
	UserOID string   `json:"userOid,omitempty"`
	Scopes  []string `json:"scopes"`
}

// Clone is a copy that may be changed and put.
func (o Organization) Clone() Organization {
	o.Domains = slices.Clone(o.Domains)
	o.SKUs = slices.Clone(o.SKUs)
	o.GroupSettings = maps.Clone(o.GroupSettings)
	o.Grants = maps.Clone(o.Grants)
	if o.Grants == nil {
		o.Grants = map[string]Grant{}
	}
	roles := map[string][]string{}
	for template, holders := range o.Roles {
		roles[template] = slices.Clone(holders)
	}
	o.Roles = roles
	return o
}

// SetRoles makes templates the direct roles of a user or group, in a copy.
func (o *Organization) SetRoles(principal string, templates []string) {
	for template, holders := range o.Roles {
		o.Roles[template] = slices.DeleteFunc(holders, func(id string) bool { return id == principal })
	}
	for _, template := range templates {
		holders := append(o.Roles[template], principal)
		slices.Sort(holders)
		o.Roles[template] = slices.Compact(holders)
	}
}

// AddGrant adds scopes to the grant of an application and account, and makes it when
// there is none, in a copy.
func (o *Organization) AddGrant(r *Random, appID, userOID string, scopes []string) {
	for known, g := range o.Grants {
		if !strings.EqualFold(g.AppID, appID) || g.UserOID != userOID {
			continue
		}
		g.Scopes = slices.Clone(g.Scopes)
		for _, scope := range scopes {
			if !slices.Contains(g.Scopes, scope) {
				g.Scopes = append(g.Scopes, scope)
			}
		}
		o.Grants[known] = g
		return
	}
	id := r.Secret(32)
	o.Grants[id] = Grant{ID: id, AppID: strings.ToLower(appID), UserOID: userOID, Scopes: slices.Clone(scopes)}
}

// Tenant is one organisation with its objects.
type Tenant struct {
	Organization

	objects map[string]*Object
	ids     map[string][]string // by kind, sorted
	unique  map[Index]map[string]string
	named   map[string][]string // lower-case name -> ids of active objects
	links   map[Relation]*linkTable
	now     func() time.Time
	log     []Mutation
	seats   map[string]int  // by the id of the SKU: active users who have it
	waiting map[string]bool // groups whose licences have not reached their members yet
}

func newTenant(o Organization, now func() time.Time) *Tenant {
	return &Tenant{
		Organization: o.Clone(), objects: map[string]*Object{}, ids: map[string][]string{},
		unique: map[Index]map[string]string{ByName: {}, ByAnchor: {}, ByAddress: {}, ByUniqueName: {}, ByAlias: {}}, named: map[string][]string{}, links: newLinkTables(), now: now,
		seats: map[string]int{}, waiting: map[string]bool{},
	}
}

// Object returns the object with an id, also a deleted one; nil when there never was
// one.
func (t *Tenant) Object(id string) *Object { return t.objects[strings.ToLower(id)] }

// IDs are those of all objects of a kind, deleted ones too, sorted. The list must not
// be changed.
func (t *Tenant) IDs(kind string) []string { return t.ids[kind] }

// Any tells whether a condition holds for an object of the tenant, of whatever kind and
// also a deleted one.
func (t *Tenant) Any(holds func(*Object) bool) bool {
	for _, o := range t.objects {
		if holds(o) {
			return true
		}
	}
	return false
}

// Mutations returns every change of the tenant, oldest first. The list must not be
// changed.
func (t *Tenant) Mutations() []Mutation { return t.log }

// Find returns the object with this id, or the active user with this
// userPrincipalName. It does not look at lag.
func (t *Tenant) Find(ref string) *Object {
	if o := t.Object(ref); o != nil {
		return o
	}
	return t.Holder(ByName, ref)
}

// Holder returns the object that has a unique value: an active one, or a deleted group
// that keeps it.
func (t *Tenant) Holder(index Index, value string) *Object {
	return t.objects[t.unique[index][index.key(value)]]
}

// Named returns the sorted ids of the active objects that have one of the names.
func (t *Tenant) Named(names []string) []string {
	var ids []string
	for _, name := range names {
		ids = append(ids, t.named[strings.ToLower(name)]...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// DomainOf returns the verified domain of an address.
func (t *Tenant) DomainOf(address string) (Domain, bool) {
	_, name, _ := strings.Cut(address, "@")
	for _, d := range t.Domains {
		if d.Verified() && strings.EqualFold(d.Name, name) {
			return d, true
		}
	}
	return Domain{}, false
}

// InitialDomain is the name that the tenant was made with.
func (t *Tenant) InitialDomain() string {
	for _, d := range t.Domains {
		if d.IsInitial {
			return d.Name
		}
	}
	return ""
}

// Conflict is a value that must be unique and that another object has.
type Conflict struct {
	Property string
	With     *Object
}

// Conflict finds another active object with a value that must be unique. Of an
// active object the values that changed are looked at, of any other all of them. A
// name is an address as well: neither may be the other of somebody else.
func (t *Tenant) Conflict(o *Object) *Conflict {
	old := t.objects[o.ID]
	if old == nil || !old.Active() {
		old = &Object{}
	}
	for _, u := range TableOf(o.Kind).Unique {
		before := u.Index.keys(u.values(old))
		for _, key := range u.Index.keys(u.values(o)) {
			if slices.Contains(before, key) {
				continue
			}
			if other := t.other(u.Index, key, o); other != nil {
				return &Conflict{u.Property, other}
			}
			if other := t.otherName(u.Index, key, o); other != nil {
				return &Conflict{"proxyAddresses", other}
			}
		}
	}
	return nil
}

// other returns the holder of a value unless it is the object itself.
func (t *Tenant) other(index Index, value string, o *Object) *Object {
	holder := t.Holder(index, value)
	if holder == nil || holder.ID == o.ID || !holder.Active() && !holder.Restorable(t.now()) {
		return nil
	}
	return holder
}

// otherName looks for a name among the addresses, and for an address among the names.
func (t *Tenant) otherName(index Index, value string, o *Object) *Object {
	switch index {
	case ByName:
		return t.other(ByAddress, "smtp:"+value, o)
	case ByAddress:
		return t.other(ByName, strings.TrimPrefix(value, "smtp:"), o)
	}
	return nil
}

// put places an object and keeps the indexes.
func (t *Tenant) put(o *Object) {
	if old := t.objects[o.ID]; old != nil {
		t.index(old, false)
	} else {
		ids := t.ids[o.Kind]
		t.ids[o.Kind] = slices.Insert(ids, sort.SearchStrings(ids, o.ID), o.ID)
	}
	t.objects[o.ID] = o
	t.index(o, true)
	t.noteWaiting(o)
}

// index adds an active object's values to the indexes, or takes them out.
func (t *Tenant) index(o *Object, add bool) {
	table := TableOf(o.Kind)
	for _, u := range table.Unique {
		if !o.Active() && !o.keepsNames(u.Property) {
			continue
		}
		holders := t.unique[u.Index]
		for _, key := range u.Index.keys(u.values(o)) {
			if add {
				holders[key] = o.ID
			} else if holders[key] == o.ID {
				delete(holders, key)
			}
		}
	}
	if !o.Active() {
		return
	}
	t.countSeats(o, add)
	for _, property := range table.Names {
		for _, name := range o.Values(property) {
			t.indexName(strings.ToLower(name), o.ID, add)
		}
	}
}

func (t *Tenant) indexName(name, id string, add bool) {
	ids := slices.DeleteFunc(t.named[name], func(other string) bool { return other == id })
	if add {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		delete(t.named, name)
		return
	}
	t.named[name] = ids
}

// DirectGroupsOf returns the active groups that list an object.
func (t *Tenant) DirectGroupsOf(id string) []*Object {
	var out []*Object
	for _, group := range t.GroupsTo(Members, id, time.Time{}, 0) {
		if g := t.objects[group]; g.Active() {
			out = append(out, g)
		}
	}
	return out
}

// GroupsOf returns the groups that hold an object, directly or through others.
func (t *Tenant) GroupsOf(id string) []*Object {
	var out []*Object
	seen := map[string]bool{}
	for todo := []string{id}; len(todo) > 0; todo = todo[1:] {
		for _, g := range t.DirectGroupsOf(todo[0]) {
			if !seen[g.ID] {
				seen[g.ID] = true
				out = append(out, g)
				todo = append(todo, g.ID)
			}
		}
	}
	return out
}

// RolesOf returns the template ids of an account's roles, direct ones and those of
// its groups, sorted.
func (t *Tenant) RolesOf(id string) []string {
	holders := []string{id}
	for _, g := range t.GroupsOf(id) {
		holders = append(holders, g.ID)
	}
	var out []string
	for template, ids := range t.Roles {
		if slices.ContainsFunc(holders, func(h string) bool { return slices.Contains(ids, h) }) {
			out = append(out, template)
		}
	}
	slices.Sort(out)
	return out
}

// Identities are how the person of an account signs in. Those of one that was invited
// are elsewhere, also when nobody said so.
func (t *Tenant) Identities(o *Object) []any {
	if given, _ := o.Props["identities"].([]any); len(given) > 0 {
		return given
	}
	origin := o.Text("creationType")
	upn := o.Text("userPrincipalName")
	if (origin == "Invitation" || origin == "SelfServiceSignUp") && !o.Converted {
		return t.ExternalIdentities("ExternalAzureAD", upn)
	}
	return []any{t.ownIdentity(upn)}
}

// ExternalIdentities are those of an account whose person signs in elsewhere. The
// name at home is not told, except of a one-time passcode sent by mail.
func (t *Tenant) ExternalIdentities(issuer, upn string) []any {
	return []any{map[string]any{"signInType": "federated", "issuer": issuer, "issuerAssignedId": nil}, t.ownIdentity(upn)}
}

func (t *Tenant) ownIdentity(upn string) any {
	return map[string]any{"signInType": "userPrincipalName", "issuer": t.InitialDomain(), "issuerAssignedId": upn}
}
