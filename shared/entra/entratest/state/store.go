package state

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config says where a state is kept.
type Config struct {
	Now  func() time.Time // the clock is this plus what Advance added
	Dir  string           // empty: memory only; else the state is durable in this folder
	Seed int64            // of ids and secrets; 0: random
}

// Store is the whole state of one simulator. It may be used by several goroutines at
// once.
type Store struct {
	Random *Random

	wall   func() time.Time
	offset atomic.Int64 // of the clock, in nanoseconds

	mu      sync.Mutex // held by a Tx; guards everything below
	journal *journal   // nil without a folder
	pending []entry    // of the commit under way
	version int64
	tenants map[string]*Tenant
	apps    map[string]App // by lower-case id
	tokens  map[string]AccessToken
	records map[string]map[string][]byte // by kind and key
}

// ErrNoTenant is returned for a tenant that does not exist.
var ErrNoTenant = errors.New("there is no such tenant")

// Open makes a state, or opens the one that is in c.Dir.
func Open(c Config) (*Store, error) {
	s := &Store{
		wall: c.Now, tenants: map[string]*Tenant{}, apps: map[string]App{}, tokens: map[string]AccessToken{},
		records: map[string]map[string][]byte{},
	}
	if c.Dir != "" {
		j, err := openJournal(c.Dir, s)
		if err != nil {
			return nil, err
		}
		s.journal = j
	}
	starts, err := s.countStart()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.Random = newRandom(c.Seed, starts)
	return s, nil
}

// countStart counts the starts, so that a seeded simulator does not hand out the
// same ids again after a restart. It returns how many were before.
func (s *Store) countStart() (starts uint64, err error) {
	if raw, ok := s.records["start"]["n"]; ok {
		if _, err := fmt.Sscan(string(raw), &starts); err != nil {
			return 0, fmt.Errorf("read the number of starts: %w", err)
		}
	}
	return starts, s.SaveRecord("start", "n", starts+1)
}

// Close closes the journal file.
func (s *Store) Close() error {
	tx := s.Begin()
	defer tx.End()
	if s.journal == nil {
		return nil
	}
	err := s.journal.close()
	s.journal = nil
	return err
}

// Now is the simulator's clock.
func (s *Store) Now() time.Time { return s.wall().Add(time.Duration(s.offset.Load())).UTC() }

// Advance moves the clock forward, for expiries; nothing waits for it.
func (s *Store) Advance(d time.Duration) error {
	if d < 0 {
		return errors.New("the clock only moves forward")
	}
	tx := s.Begin()
	defer tx.End()
	return s.save(entry{Kind: "blob", Tenant: "clock", ID: "offset"}, s.offset.Load()+int64(d))
}

// SaveRecord keeps a value durably under kind and key; a nil value forgets it.
func (s *Store) SaveRecord(kind, key string, v any) error {
	tx := s.Begin()
	defer tx.End()
	return s.save(entry{Kind: "blob", Tenant: kind, ID: key}, v)
}

// Records returns all values of a kind as JSON, by key.
func (s *Store) Records(kind string) map[string][]byte {
	tx := s.Begin()
	defer tx.End()
	return maps.Clone(s.records[kind])
}

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

// Title is what pages call the application.
func (a App) Title() string {
	if a.Name == "" {
		return a.ID
	}
	return a.Name
}

// RegisterApp registers an application, or replaces the one with the same id.
func (s *Store) RegisterApp(app App) error {
	if !IsGUID(app.ID) {
		return fmt.Errorf("the client id %q is not a GUID", app.ID)
	}
	tx := s.Begin()
	defer tx.End()
	app.ID = strings.ToLower(app.ID)
	return s.save(entry{Kind: "app", ID: app.ID}, app)
}

// AccessToken is what stands behind an opaque bearer token: an account that lets an
// application act for it.
type AccessToken struct {
	Token    string    `json:"token"`
	TenantID string    `json:"tenantId"`
	UserOID  string    `json:"userOid"`
	AppID    string    `json:"appId"`
	Scopes   []string  `json:"scopes,omitempty"`
	Expires  time.Time `json:"expires"`
}

// expiredTokens is how long a token that expired is told from an unknown one.
const expiredTokens = 24 * time.Hour

// IssueToken keeps an access token and returns its opaque text. Tokens that have
// expired for a day are forgotten.
func (s *Store) IssueToken(t AccessToken) (string, error) {
	t.Token = s.Random.Secret(48)
	tx := s.Begin()
	defer tx.End()
	now := s.Now()
	for text, old := range s.tokens {
		if now.Sub(old.Expires) > expiredTokens {
			delete(s.tokens, text)
		}
	}
	return t.Token, s.save(entry{Kind: "token", ID: t.Token}, t)
}

// Tx is the state while nobody else reads or changes it.
type Tx struct{ s *Store }

// Begin waits until nobody has the state, and takes it until the End.
func (s *Store) Begin() *Tx {
	s.mu.Lock()
	return &Tx{s}
}

// End gives the state to others.
func (tx *Tx) End() { tx.s.mu.Unlock() }

// Now is the simulator's clock.
func (tx *Tx) Now() time.Time { return tx.s.Now() }

// Version is that of the last change, in whatever tenant.
func (tx *Tx) Version() int64 { return tx.s.version }

// NewObject makes an object without properties, which is not placed yet.
func (tx *Tx) NewObject(kind string) *Object {
	return &Object{ID: tx.s.Random.ID(), Kind: kind, Props: map[string]any{}, Touched: map[string]int64{}, Created: tx.Now()}
}

// Tenant returns the tenant with an id, nil when there is none.
func (tx *Tx) Tenant(id string) *Tenant { return tx.s.tenants[strings.ToLower(id)] }

// Tenants returns all tenants in the order of their ids.
func (tx *Tx) Tenants() []*Tenant {
	var out []*Tenant
	for _, id := range slices.Sorted(maps.Keys(tx.s.tenants)) {
		out = append(out, tx.s.tenants[id])
	}
	return out
}

// TenantNamed finds a tenant by its id or by one of its verified domains.
func (tx *Tx) TenantNamed(name string) *Tenant {
	if name == "" {
		return nil
	}
	if t := tx.Tenant(name); t != nil {
		return t
	}
	return tx.DomainHolder(name)
}

// DomainHolder returns the tenant in which a domain is verified.
func (tx *Tx) DomainHolder(name string) *Tenant {
	for _, t := range tx.s.tenants {
		if _, ok := t.DomainOf("@" + name); ok {
			return t
		}
	}
	return nil
}

// App finds a registered application.
func (tx *Tx) App(id string) (App, bool) {
	app, ok := tx.s.apps[strings.ToLower(id)]
	return app, ok
}

// Apps returns all registered applications in the order of their ids.
func (tx *Tx) Apps() []App {
	var out []App
	for _, id := range slices.Sorted(maps.Keys(tx.s.apps)) {
		out = append(out, tx.s.apps[id])
	}
	return out
}

// AccessToken finds what stands behind a bearer token.
func (tx *Tx) AccessToken(text string) (AccessToken, bool) {
	t, ok := tx.s.tokens[text]
	return t, ok
}
