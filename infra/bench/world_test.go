package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"bindery/infra/stack"
	"bindery/shared/boot/app"
	"bindery/shared/core/people"
	"bindery/shared/core/reconcile"
	"bindery/shared/core/uses"
	"bindery/shared/directory"
	"bindery/shared/entra"
	"bindery/shared/entra/entratest"
	"bindery/shared/entra/entratest/browser"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

const (
	simBase   = "https://m365.example"
	simSecret = "not-a-secret-of-anybody"
	publicURL = "https://bindery.example"
	simBack   = publicURL + "/oauth/callback"
	simScopes = "openid profile offline_access User.ReadWrite.All Organization.Read.All Domain.Read.All RoleManagement.Read.Directory Group.ReadWrite.All GroupMember.Read.All LicenseAssignment.ReadWrite.All"

	roundTrip = 80 * time.Millisecond
	tableCall = 5 * time.Millisecond
)

// world is Bindery on a simulated AWS with a simulated Microsoft 365.
type world struct {
	*testing.T
	sim    *entratest.Server
	mem    *memory.Table
	raw    *store.Store // what the bench itself uses: free, and not counted
	meter  *meter
	wire   *wire
	ledger *ledger
	cloud  *cloud
	users  *people.Users
	groups *people.Groups
	uses   *uses.Service
	sites  []*site
	tokens map[directory.ConnectionID]*tokens
}

// site is one tenant with its connection.
type site struct {
	conn   directory.Connection
	domain string
	people style
	tokens *tokens
	users  []directory.UserID
	// everybody has the tenant have a group of all accounts.
	everybody bool
}

// everybodyID is the tenant's group of all accounts.
const everybodyID directory.TenantGroupID = "44444444-aaaa-4bbb-8ccc-000000000001"

func (s *site) groups() []entratest.GroupSpec {
	if !s.everybody {
		return nil
	}
	all := entratest.GroupSpec{ID: string(everybodyID), DisplayName: "Everybody there"}
	for n := range s.users {
		all.Members = append(all.Members, string(accountID(n)))
	}
	return []entratest.GroupSpec{all}
}

// newWorld must be called inside a bubble.
func newWorld(t *testing.T, quota entratest.Quota, sizes ...int) *world {
	t.Helper()
	w := &world{T: t, mem: memory.New(), ledger: &ledger{}, tokens: map[directory.ConnectionID]*tokens{}}
	var err error
	if w.sim, err = entratest.New(entratest.Options{BaseURL: simBase, Seed: 3, Quota: quota}); err != nil {
		t.Fatal(err)
	}
	microsoft, err := stack.Simulated(w.sim, simBase, directory.NewSecret(simSecret), publicURL)
	w.do(err)
	w.raw = store.New(w.mem, store.Options{})
	w.meter = &meter{mem: w.mem, latency: tableCall, to: w.ledger}
	w.wire = &wire{next: microsoft.Transport, trip: roundTrip, to: w.ledger}
	metered := w.records() // of the API and the schedule
	w.cloud = &cloud{limits: templateLimits(t), newProcess: func(send reconcile.Send) *process { return w.process(w.records(), send) }}
	w.cloud.scheduleOver(metered, nil)
	edits := people.UsersConfig{Stores: people.StoresOf(metered), Wake: w.cloud}
	w.users, w.groups = people.NewUsers(edits), people.NewGroups(edits)
	w.uses = uses.New(uses.Config{Store: metered, Wake: func(ctx context.Context, id directory.ConnectionID) error { return w.cloud.Wake(ctx, id, 0) }})
	for i, n := range sizes {
		w.sites = append(w.sites, w.site(i, n, rich))
	}
	w.cloud.start(t.Context())
	sim := w.sim
	t.Cleanup(func() { sim.Close() })
	return w
}

func (w *world) do(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// process is a cold function's engine and adapter.
func (w *world) process(s *store.Store, send reconcile.Send) *process {
	graph, err := entra.New(entra.Config{BaseURL: simBase + "/v1.0", Transport: w.wire})
	if err != nil {
		panic(err)
	}
	config := reconcile.Config{
		Stores: reconcile.StoresOf(s), Send: send, Attest: w.chain(s).Attest, Now: time.Now,
		Open: func(_ context.Context, c *directory.Connection) (reconcile.Tenant, error) {
			return graph.Tenant(w.tokens[c.ID]), nil
		},
	}
	app.JoinKinds(&config, s, nil, nil)
	return &process{engine: reconcile.New(config)}
}

// site makes a tenant with n accounts, users bound to them that are in sync, and
// the connection between them.
func (w *world) site(i, n int, people style) *site {
	w.Helper()
	return w.make(&site{people: people}, i, n)
}

// make makes what site describes.
func (w *world) make(s *site, i, n int) *site {
	w.Helper()
	s.domain = fmt.Sprintf("corp%d.example", i)
	tenant := fmt.Sprintf("22222222-aaaa-4bbb-8ccc-%012d", i+1)
	initial := fmt.Sprintf("corp%d.onmicrosoft.com", i)
	// The record has the domains that the tenant has, as after an authorisation: else
	// the first round ends the slice, to go on with the record as it is then.
	domains := []directory.Domain{{Name: s.domain, AuthenticationType: "Managed", IsDefault: true}, {Name: initial, AuthenticationType: "Managed", IsInitial: true}}
	s.conn = directory.Connection{
		ID: directory.NewConnectionID(time.Now()), Name: s.domain, Status: directory.StatusActive, Epoch: 1,
		Tenant:   &directory.Tenant{ID: directory.TenantID(tenant), Domains: domains},
		Settings: s.people.settings(),
	}
	w.do(w.raw.Connections.CreateConnection(w.Context(), directory.AuditEvent{}, &s.conn))
	accounts := fill(w.T, w.raw, s, n)
	_, err := w.sim.CreateTenant(entratest.TenantSpec{
		Groups:   s.groups(),
		TenantID: tenant, Name: s.domain, Accounts: accounts,
		Domains:  []entratest.DomainSpec{{Name: s.domain, IsDefault: true}, {Name: initial, IsInitial: true}},
		Admins:   []entratest.AdminSpec{{UserPrincipalName: "admin@" + s.domain, Roles: []string{"Global Administrator"}}},
		Licences: []entratest.LicenceSpec{{SKUPartNumber: seated, Enabled: 1_000_000}},
	})
	w.do(err)
	s.tokens = &tokens{sim: w.sim, wire: w.wire}
	w.tokens[s.conn.ID] = s.tokens
	w.do(s.tokens.signIn(w.Context(), "admin@"+s.domain))
	return s
}

// tokens is the way of a connection to its access token, renewed as it expires.
// Two at once may renew it twice: no lock is held while a request is under way.
type tokens struct {
	sim  *entratest.Server
	wire http.RoundTripper

	mu      sync.Mutex
	access  string
	refresh string
	expires time.Time
}

// signIn goes through the simulator's pages.
func (s *tokens) signIn(ctx context.Context, admin string) error {
	q := url.Values{"client_id": {stack.ClientID}, "response_type": {"code"}, "redirect_uri": {simBack}, "state": {"s"}, "scope": {simScopes}}
	back, err := browser.Authorize(ctx, s.sim.Transport(), simBase+"/organizations/oauth2/v2.0/authorize?"+q.Encode(), admin)
	if err != nil {
		return err
	}
	return s.redeem(ctx, s.sim.Transport(), url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {simBack}})
}

func (s *tokens) redeem(ctx context.Context, rt http.RoundTripper, form url.Values) error {
	form.Set("client_id", stack.ClientID)
	form.Set("client_secret", simSecret)
	body := form.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, simBase+"/organizations/oauth2/v2.0/token", stringReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Expires int    `json:"expires_in"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Access == "" || answer.Refresh == "" {
		return fmt.Errorf("the token endpoint answered %d: %w", resp.StatusCode, directory.ErrUnauthorized)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access, s.refresh = answer.Access, answer.Refresh
	s.expires = time.Now().Add(time.Duration(answer.Expires)*time.Second - 5*time.Minute)
	return nil
}

// Token implements entra.TokenSource.
func (s *tokens) Token(ctx context.Context) (directory.Secret, error) {
	s.mu.Lock()
	access, refresh, live := s.access, s.refresh, time.Now().Before(s.expires)
	s.mu.Unlock()
	if live {
		return directory.NewSecret(access), nil
	}
	if err := s.redeem(ctx, s.wire, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}); err != nil {
		return directory.Secret{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return directory.NewSecret(s.access), nil
}

// Renew implements entra.TokenSource.
func (s *tokens) Renew(ctx context.Context, _ directory.Secret) (directory.Secret, error) {
	s.mu.Lock()
	s.expires = time.Time{}
	s.mu.Unlock()
	return s.Token(ctx)
}

// settle has a site's tenant read, as the confirmation of a connection does before
// anybody is bound, and lets some time pass.
func (w *world) settle(s *site) {
	w.Helper()
	w.wakeUp(s)
	w.cloud.rest()
	time.Sleep(10 * time.Minute)
}

// until waits for something, looking each so often, and returns how long it took.
func (w *world) until(what string, limit, every time.Duration, cond func() bool) time.Duration {
	w.Helper()
	begun := time.Now()
	for !cond() {
		if time.Since(begun) > limit {
			w.Fatalf("after %s: still not %s", limit, what)
		}
		time.Sleep(every)
	}
	return time.Since(begun)
}

// measured is what happens from do until nothing is under way any more.
func (w *world) measured(do func()) usage {
	w.Helper()
	before := w.ledger.read()
	do()
	w.cloud.rest()
	return w.ledger.read().minus(before)
}

// wakeUp queues the schedule's wake-up for a site.
func (w *world) wakeUp(s *site) {
	w.cloud.deliver(message{WakeUp: directory.WakeUp{ConnectionID: s.conn.ID, Scheduled: true}}, queueHop)
}
