package connect

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"bindery/shared/clock"
	"bindery/shared/core/recall"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Config is what a Service is told. Functions that no method of a process
// calls may be nil: Deactivate and SweepSecrets need none of them.
type Config struct {
	LoginBaseURL string // empty: https://login.microsoftonline.com
	ClientID     string // of the Entra app
	ClientSecret func(ctx context.Context) (directory.Secret, error)
	// ForgetClientSecret has a remembered client secret read anew, since Microsoft
	// refuses it: it may have been rotated. nil: none is remembered.
	ForgetClientSecret func()
	// RedirectURL is as registered with the app, and ends in /callback. The page
	// that begins an authorisation has the same address with /start.
	RedirectURL string
	// StateKey is the HMAC key that PKCE verifiers, nonces, cookies and the seals of
	// confirmations are derived with; at least 16 bytes.
	StateKey func(ctx context.Context) (directory.Secret, error)
	HTTP     *http.Client     // nil: a client with timeouts
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: silent
	// Report is told of faults that only those who run Bindery can mend; nil: nobody is.
	Report func(ctx context.Context, f Fault)
}

// Stores are the records that the service works on, by concern. Errors:
// directory.ErrNotFound, ErrStale, ErrBusy, and *directory.Claimed from the claims.
type Stores struct {
	Connections connections
	Epochs      epochs
	Claims      claims
	States      states
	Leases      leases
	Counts      counts
	Events      auditEvents
}

// StoresOf are those of a store.
func StoresOf(s *store.Store) Stores {
	return Stores{Connections: s.Connections, Epochs: s.Connections, Claims: s.Claims, States: s.SignIns, Leases: s.SignIns,
		Counts: s.Counters, Events: s.Audit}
}

type connections interface {
	CreateConnection(ctx context.Context, act directory.AuditEvent, c *directory.Connection) error
	Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error)
	ModifyConnection(ctx context.Context, act directory.AuditEvent, id directory.ConnectionID, change func(*directory.Connection) error) (directory.Connection, error)
	DeleteConnection(ctx context.Context, act directory.AuditEvent, id directory.ConnectionID) error
}

// epochs end, each in one write.
type epochs interface {
	// DeactivateConnection raises the epoch and sets the status in one write;
	// false when the connection was deactivated already.
	DeactivateConnection(ctx context.Context, act directory.AuditEvent, id directory.ConnectionID) (directory.Connection, bool, error)
	// EndEpoch raises the epoch in one write; change edits what stands in the next one.
	EndEpoch(ctx context.Context, act directory.AuditEvent, id directory.ConnectionID, change func(was, next *directory.Connection) error) (directory.Connection, error)
}

// counts tell how many are bound.
type counts interface {
	BoundCount(ctx context.Context, id directory.ConnectionID, epoch int64) (int, error)
}

// auditEvents are what was done that is no write of something else.
type auditEvents interface {
	RecordAuditEvent(ctx context.Context, act directory.AuditEvent) error
}

// claims of a connection's epoch; what it holds already may be claimed again.
type claims interface {
	ClaimTenant(ctx context.Context, c *directory.Connection, tenant directory.TenantID) error
	ClaimDomains(ctx context.Context, c *directory.Connection, domains []string) error
	ReleaseDomains(ctx context.Context, c *directory.Connection, domains []string) error
	ReleaseTenant(ctx context.Context, c *directory.Connection, tenant directory.TenantID) error
}

// states are kept under their hashes; TakeState gives each to one caller only.
type states interface {
	PutState(ctx context.Context, act directory.AuditEvent, hash string, st directory.OAuthState) error
	State(ctx context.Context, hash string) (directory.OAuthState, error)
	TakeState(ctx context.Context, hash string) (directory.OAuthState, error)
}

type leases interface {
	TokenLease(ctx context.Context, id directory.ConnectionID, epoch int64, holder string, ttl time.Duration) (bool, error)
	ReleaseTokenLease(ctx context.Context, id directory.ConnectionID, epoch int64, holder string) error
}

// Vault keeps the tokens. The errors of Get and Put are a directory.ErrNotFound
// when there is no such secret, that of Create a directory.ErrConflict when there
// is one; Delete of none is no error. A callback only creates.
type Vault interface {
	Get(ctx context.Context, name string) (directory.Secret, error)
	Create(ctx context.Context, name string, value directory.Secret) error
	Put(ctx context.Context, name string, value directory.Secret) error
	Delete(ctx context.Context, name string) error
}

// Queue wakes others: sync for a connection, the doctor for it, and the sweep of
// what its past epochs left.
type Queue interface {
	Wake(ctx context.Context, id directory.ConnectionID, delay time.Duration) error
	WakeCheck(ctx context.Context, id directory.ConnectionID) error
	WakeSweep(ctx context.Context, id directory.ConnectionID, delay time.Duration) error
}

// Graph is what a callback asks of the tenant: at most four calls.
type Graph interface {
	Organization(ctx context.Context) (directory.Tenant, error)
	Me(ctx context.Context) (directory.Account, error)
	MyRoles(ctx context.Context) ([]directory.Role, error)
}

// Service does the work of this package. It is safe for concurrent use.
type Service struct {
	cfg    Config
	stores Stores
	vault  Vault
	queue  Queue
	graph  func(TokenSource) Graph
	http   *http.Client
	keys   *keySet

	mu        sync.Mutex // never held across a call
	cache     map[tokenKey]cachedTokens
	keptAlive map[tokenKey]time.Time // when the keep-alive last looked
}

// New returns a Service. graph opens Microsoft Graph with a token; only
// Callback uses it.
func New(cfg Config, stores Stores, vault Vault, queue Queue, graph func(TokenSource) Graph) *Service {
	if cfg.LoginBaseURL == "" {
		cfg.LoginBaseURL = "https://login.microsoftonline.com"
	}
	cfg.LoginBaseURL = strings.TrimRight(cfg.LoginBaseURL, "/")
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	client := http.Client{Timeout: 20 * time.Second}
	if cfg.HTTP != nil {
		client = *cfg.HTTP
	}
	// A redirect would carry the client secret and the tokens elsewhere.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s := &Service{
		cfg: cfg, stores: stores, vault: vault, queue: queue, graph: graph, http: &client,
		cache: make(map[tokenKey]cachedTokens), keptAlive: make(map[tokenKey]time.Time),
	}
	s.keys = &keySet{
		url:    cfg.LoginBaseURL + "/" + anyOrganization + "/discovery/v2.0/keys",
		issuer: s.issuer, client: s.http, known: recall.Memory[string, []signingKey]{For: keysFor, Now: cfg.Now},
	}
	return s
}

// anyOrganization is the authority of all work accounts: the first time, before
// the tenant is known.
const anyOrganization = "organizations"

func (s *Service) now() time.Time { return s.cfg.Now().UTC() }

// issuer is the issuer of a tenant's id_tokens.
func (s *Service) issuer(tenant string) string { return s.cfg.LoginBaseURL + "/" + tenant + "/v2.0" }

// secretName is where the tokens of a sign-in lie; no name is ever used again.
// Earlier versions had one secret for an epoch, and its sign-in has no ID.
func secretName(id directory.ConnectionID, epoch int64, in directory.SignInID) string {
	name := "connections/" + string(id) + "/" + strconv.FormatInt(epoch, 10)
	if in != "" {
		name += "/" + string(in)
	}
	return name
}

// Times of the leases. A holder's deadline ends leaseMargin before its lease.
const (
	tokenLease   = 10 * time.Second
	confirmLease = 30 * time.Second // hundreds of domains
	leaseMargin  = time.Second
	// sweepDelay lets every lease of an old epoch end before the sweep deletes
	// its secret for the last time.
	sweepDelay = confirmLease + 5*time.Second
)

// errLeaseTaken: somebody else has the epoch's lease.
var errLeaseTaken = fmt.Errorf("somebody else works on the authorisation: %w", directory.ErrBusy)

// withLease runs f while this process holds the lease of a connection's epoch,
// with a deadline before the lease ends; errLeaseTaken when another has it.
func (s *Service) withLease(ctx context.Context, id directory.ConnectionID, epoch int64, ttl time.Duration, f func(context.Context) error) error {
	holder := rand.Text()
	bounded, cancel := context.WithTimeout(ctx, ttl-leaseMargin)
	defer cancel()
	got, err := s.stores.Leases.TokenLease(bounded, id, epoch, holder, ttl)
	if err != nil {
		return fmt.Errorf("token lease: %w", err)
	}
	if !got {
		return errLeaseTaken
	}
	err = f(bounded)
	back, cancelBack := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancelBack()
	if e := s.stores.Leases.ReleaseTokenLease(back, id, epoch, holder); e != nil {
		s.cfg.Log.Warn("a token lease was not given back and runs out by itself", "connectionId", string(id), "error", e)
	}
	return err
}

// withLeaseSoon is exclusive that waits for the lease, for about as long as a
// holder may have it.
func (s *Service) withLeaseSoon(ctx context.Context, id directory.ConnectionID, epoch int64, ttl time.Duration, f func(context.Context) error) error {
	give := s.now().Add(tokenLease + 2*time.Second)
	for {
		err := s.withLease(ctx, id, epoch, ttl, f)
		if !errors.Is(err, errLeaseTaken) || s.now().After(give) {
			return err
		}
		if err := clock.Sleep(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
}
