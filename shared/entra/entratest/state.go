package entratest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"
)

// App is an application that is registered at Microsoft, our own or a foreign one.
type App struct {
	ID            string    `json:"clientId"`
	Name          string    `json:"name,omitempty"`
	Secret        string    `json:"clientSecret,omitempty"`
	SecretExpires time.Time `json:"clientSecretExpires,omitzero"`
	RedirectURIs  []string  `json:"redirectUris,omitempty"`
	Certificates  []string  `json:"certificates,omitempty"` // PEM
	MultiTenant   bool      `json:"multiTenant,omitempty"`
	Permissions   []string  `json:"permissions,omitempty"` // delegated ones that .default stands for
}

// accessToken is what stands behind an opaque bearer token: an account that lets
// an application act for it.
type accessToken struct {
	Token    string    `json:"token"`
	TenantID string    `json:"tenantId"`
	UserOID  string    `json:"userOid"`
	AppID    string    `json:"appId"`
	Scopes   []string  `json:"scopes,omitempty"`
	Expires  time.Time `json:"expires"`
}

// object kinds.
const (
	kindUser  = "user"
	kindGroup = "group"
)

// object is a user or a group. A stored object is never changed: a commit puts a
// changed copy in its place.
type object struct {
	ID            string           `json:"id"`
	Kind          string           `json:"kind"`
	Props         map[string]any   `json:"props"` // a key with nil: was set once and cleared
	Created       time.Time        `json:"created"`
	Deleted       time.Time        `json:"deleted,omitzero"`
	Gone          bool             `json:"gone,omitempty"` // deleted for good; only the journal of delta knows it
	Version       int64            `json:"version"`        // of the last change
	StateVersion  int64            `json:"stateVersion"`   // of the last creation, deletion or restoration
	Touched       map[string]int64 `json:"touched"`        // version of the last change of each property
	Manager       string           `json:"manager,omitempty"`
	FormerManager string           `json:"formerManager,omitempty"`
	Members       map[string]int64 `json:"members,omitempty"`     // of a group: version, negative when removed
	Owners        []string         `json:"owners,omitempty"`      // of a group
	Photo         *photo           `json:"photo,omitempty"`       // of a user
	Converted     bool             `json:"converted,omitempty"`   // of a user: it was an external one
	Revocations   int              `json:"revocations,omitempty"` // times that all sessions were revoked

	past []snapshot // what it was before, for replication lag
}

// snapshot is an object as it was until a time; nil when it did not exist.
type snapshot struct {
	until time.Time
	was   *object
}

func (o *object) active() bool { return !o.Gone && o.Deleted.IsZero() }

// text returns a property that is a string, else "".
func (o *object) text(name string) string { v, _ := o.Props[name].(string); return v }

// flag returns a property that is true.
func (o *object) flag(name string) bool { v, _ := o.Props[name].(bool); return v }

// list returns a property that is a collection of strings.
func (o *object) list(name string) []string { return stringsOf(o.Props[name]) }

func stringsOf(v any) []string {
	switch v := v.(type) {
	case []string:
		return slices.Clone(v)
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// clone is a copy that may be changed and committed.
func (o *object) clone() *object {
	c := *o
	c.Props, c.Touched, c.Members = maps.Clone(o.Props), maps.Clone(o.Touched), maps.Clone(o.Members)
	c.Owners = slices.Clone(o.Owners)
	return &c
}

// at is the object as a replica that is lag behind has it; nil: not there yet.
func (o *object) at(now time.Time, lag time.Duration) *object {
	if lag <= 0 {
		return o
	}
	for _, p := range o.past {
		if p.until.After(now.Add(-lag)) {
			return p.was
		}
	}
	return o
}

// tenant is one organisation.
type tenant struct {
	id       string
	name     string
	created  time.Time
	domains  []domain
	skus     []sku
	grants   map[string]grant
	roles    map[string]map[string]bool // template id -> ids of users and groups
	objects  map[string]*object
	ids      []string            // of objects, sorted
	groupIDs []string            // of those that are groups
	byUPN    map[string]string   // lower case, active users
	byProxy  map[string]string   // lower case with prefix, active users and groups
	byAnchor map[string]string   // onPremisesImmutableId
	byName   map[string][]string // lower case userPrincipalName, mail, proxy address -> ids of active users
	mutated  []Mutation
}

// tenantRecord is the part of a tenant that is kept in one piece.
type tenantRecord struct {
	ID      string              `json:"id"`
	Name    string              `json:"name"`
	Created time.Time           `json:"created"`
	Domains []domain            `json:"domains"`
	SKUs    []sku               `json:"skus,omitempty"`
	Grants  map[string]grant    `json:"grants,omitempty"`
	Roles   map[string][]string `json:"roles,omitempty"`
}

// grant is an oauth2PermissionGrant: what an account, or with an empty UserOID
// everybody, lets an application do.
type grant struct {
	ID      string   `json:"id"`
	AppID   string   `json:"appId"`
	UserOID string   `json:"userOid,omitempty"`
	Scopes  []string `json:"scopes"`
}

// record is a copy of the tenant's own values, to be kept or changed.
func (t *tenant) record() tenantRecord {
	r := tenantRecord{
		ID: t.id, Name: t.name, Created: t.created, Domains: slices.Clone(t.domains), SKUs: slices.Clone(t.skus),
		Grants: maps.Clone(t.grants), Roles: map[string][]string{},
	}
	for template, members := range t.roles {
		r.Roles[template] = slices.Sorted(maps.Keys(members))
	}
	return r
}

func newTenant(r tenantRecord) *tenant {
	t := &tenant{
		id: r.ID, name: r.Name, created: r.Created, domains: r.Domains, skus: r.SKUs, grants: r.Grants,
		roles: map[string]map[string]bool{}, objects: map[string]*object{},
		byUPN: map[string]string{}, byProxy: map[string]string{}, byAnchor: map[string]string{}, byName: map[string][]string{},
	}
	t.take(r)
	return t
}

// take puts a record's values into the tenant; its objects stay.
func (t *tenant) take(r tenantRecord) {
	t.name, t.created, t.domains, t.skus, t.grants = r.Name, r.Created, r.Domains, r.SKUs, r.Grants
	if t.grants == nil {
		t.grants = map[string]grant{}
	}
	t.roles = map[string]map[string]bool{}
	for template, members := range r.Roles {
		t.roles[template] = map[string]bool{}
		for _, m := range members {
			t.roles[template][m] = true
		}
	}
}

// put places an object and keeps the indexes.
func (t *tenant) put(o *object) {
	if old := t.objects[o.ID]; old != nil {
		t.index(old, false)
	} else {
		i := sort.SearchStrings(t.ids, o.ID)
		t.ids = slices.Insert(t.ids, i, o.ID)
		if o.Kind == kindGroup {
			t.groupIDs = append(t.groupIDs, o.ID)
		}
	}
	t.objects[o.ID] = o
	t.index(o, true)
}

// index adds an active object's unique values, or takes them out.
func (t *tenant) index(o *object, add bool) {
	if !o.active() {
		return
	}
	set := func(m map[string]string, key string) {
		switch {
		case key == "":
		case add:
			m[key] = o.ID
		case m[key] == o.ID:
			delete(m, key)
		}
	}
	if o.Kind == kindUser {
		set(t.byUPN, strings.ToLower(o.text("userPrincipalName")))
		set(t.byAnchor, o.text("onPremisesImmutableId"))
	}
	for _, p := range o.list("proxyAddresses") {
		set(t.byProxy, strings.ToLower(p))
	}
	if o.Kind == kindUser {
		t.indexNames(o, add)
	}
}

// indexNames keeps the index that answers "who has this address" without a walk
// over all accounts.
func (t *tenant) indexNames(o *object, add bool) {
	for _, name := range append(o.list("proxyAddresses"), o.text("userPrincipalName"), o.text("mail")) {
		name = strings.ToLower(name)
		ids := slices.DeleteFunc(t.byName[name], func(id string) bool { return id == o.ID })
		if add && name != "" {
			ids = append(ids, o.ID)
		}
		if t.byName[name] = ids; len(ids) == 0 {
			delete(t.byName, name)
		}
	}
}

// named returns the sorted ids of the active users that have one of the names.
func (t *tenant) named(names []string) []string {
	var ids []string
	for _, name := range names {
		ids = append(ids, t.byName[strings.ToLower(name)]...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// find returns the object with this id, or the active user with this
// userPrincipalName. It does not look at lag.
func (t *tenant) find(ref string) *object {
	ref = strings.ToLower(ref)
	if o := t.objects[ref]; o != nil {
		return o
	}
	if id, ok := t.byUPN[ref]; ok {
		return t.objects[id]
	}
	return nil
}

// domainOf returns the verified domain of an address.
func (t *tenant) domainOf(address string) (domain, bool) {
	_, name, _ := strings.Cut(address, "@")
	for _, d := range t.domains {
		if d.verified() && strings.EqualFold(d.Name, name) {
			return d, true
		}
	}
	return domain{}, false
}

// Mutation is one change of state, from whatever side.
type Mutation struct {
	Time      time.Time      `json:"time"`
	Kind      string         `json:"kind"` // create, update, delete, restore, revoke, purge, member-add, …; noop for a PATCH that changed nothing
	Target    string         `json:"targetKind"`
	TargetID  string         `json:"targetId"`
	Name      string         `json:"targetName,omitempty"`
	UPN       string         `json:"targetUserPrincipalName,omitempty"`
	Method    string         `json:"method,omitempty"` // empty: somebody in the portal
	Path      string         `json:"path,omitempty"`
	Before    map[string]any `json:"before,omitempty"` // of the properties that changed
	After     map[string]any `json:"after,omitempty"`
	Actor     string         `json:"actor,omitempty"` // id of the account that did it
	ActorUPN  string         `json:"actorUserPrincipalName,omitempty"`
	AppID     string         `json:"appId,omitempty"`
	RequestID string         `json:"requestId,omitempty"`
	ID        string         `json:"id"`
}

// Mutations returns every change in a tenant, oldest first.
func (s *Server) Mutations(tenantID string) []Mutation {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tenants[strings.ToLower(tenantID)]; t != nil {
		return slices.Clone(t.mutated)
	}
	return nil
}

// RegisterApp registers an application, or replaces the one with the same id.
func (s *Server) RegisterApp(app App) error {
	if !isGUID(app.ID) {
		return fmt.Errorf("the client id %q is not a GUID", app.ID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	app.ID = strings.ToLower(app.ID)
	return s.save(entry{Kind: "app", ID: app.ID}, app)
}

// expiredTokens is how long a token that expired is told from an unknown one.
const expiredTokens = 24 * time.Hour

// issueAccessToken keeps a token and returns its opaque text. Tokens that have
// expired for a day are forgotten.
func (s *Server) issueAccessToken(t accessToken) (string, error) {
	t.Token = base64.RawURLEncoding.EncodeToString(s.random(48))
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for text, old := range s.tokens {
		if now.Sub(old.Expires) > expiredTokens {
			delete(s.tokens, text)
		}
	}
	return t.Token, s.save(entry{Kind: "token", ID: t.Token}, t)
}

// persist keeps a value of the identity half durably under kind and key; a nil
// value forgets it. load returns all values of a kind. It takes the state's mutex.
func (s *Server) persist(kind, key string, v any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.save(entry{Kind: "blob", Tenant: kind, ID: key}, v)
}

func (s *Server) load(kind string) map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.blobs[kind])
}

// errUnknownTenant is returned for a tenant that does not exist.
var errUnknownTenant = errors.New("there is no such tenant")
