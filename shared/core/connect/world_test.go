package connect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/platform/vault"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

const (
	loginBase    = "https://m365.example"
	clientID     = "11111111-aaaa-4bbb-8ccc-000000000001"
	clientSecret = "the-client-secret-of-the-test"
	redirectURL  = "https://app.example/oauth/callback"
	tenantID     = directory.TenantID("22222222-aaaa-4bbb-8ccc-000000000001")
	otherID      = directory.TenantID("22222222-aaaa-4bbb-8ccc-000000000002")
	stateKey     = "a-key-of-states-with-more-than-16-bytes"
	adminUPN     = "admin@contoso.example"
)

var (
	alice = directory.Caller{Subject: "alice"}
	chief = directory.Caller{Subject: "chief", Approve: true}
)

// lockedBuffer is a log that many goroutines may write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// wakes is a queue that counts.
type wakes struct {
	mu         sync.Mutex
	sync       []directory.ConnectionID
	check      []directory.ConnectionID
	sweep      []directory.ConnectionID
	sweepDelay time.Duration
	err        error
	through    func(what string, send func() error) error // nil: nothing goes wrong
}

// send is one message that may get lost.
func (w *wakes) send(what string, note func()) error {
	if w.through == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		note()
		return w.err
	}
	return w.through("queue "+what, func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		note()
		return w.err
	})
}

func (w *wakes) Wake(_ context.Context, id directory.ConnectionID, _ time.Duration) error {
	return w.send("sync", func() { w.sync = append(w.sync, id) })
}

func (w *wakes) WakeCheck(_ context.Context, id directory.ConnectionID) error {
	return w.send("check", func() { w.check = append(w.check, id) })
}

func (w *wakes) WakeSweep(_ context.Context, id directory.ConnectionID, delay time.Duration) error {
	return w.send("sweep", func() { w.sweep, w.sweepDelay = append(w.sweep, id), delay })
}

// world is a simulated Microsoft 365 with two tenants, a table, a vault and the
// service over them.
type world struct {
	*testing.T
	sim    *entratest.Server
	http   *http.Client
	sent   *counter
	table  *memory.Table
	vault  *vault.Memory
	store  *store.Store
	queue  *wakes
	log    *lockedBuffer
	shown  *lockedBuffer // every page and error
	offset time.Duration // of the service's clock
	key    string        // of the states

	mu  sync.Mutex
	jar map[string]*http.Cookie // of the one browser

	*Service
}

func newWorld(t *testing.T) *world { return newWorldIn(t, "") }

// newWorldIn is newWorld with a simulator that keeps its state in a folder, which
// may have one of before.
func newWorldIn(t *testing.T, dir string) *world {
	t.Helper()
	w := &world{T: t, table: memory.New(), vault: &vault.Memory{}, queue: &wakes{}, log: &lockedBuffer{}, shown: &lockedBuffer{}, key: stateKey, jar: map[string]*http.Cookie{}}
	sim, err := entratest.New(entratest.Options{BaseURL: loginBase, Dir: dir})
	w.check(err)
	w.sim = sim
	t.Cleanup(func() { w.sim.Close() })
	w.sent = &counter{RoundTripper: sim.Transport()}
	w.http = &http.Client{Transport: w.sent, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if _, ok := sim.Account(string(tenantID), adminUPN); !ok {
		w.tenant(tenantID, "Contoso <Ltd>", "contoso.example")
		w.tenant(otherID, "Fabrikam", "fabrikam.example")
	}
	w.check(sim.RegisterApp(entratest.App{ID: clientID, Secret: clientSecret, Name: "Bindery", RedirectURIs: []string{redirectURL}, MultiTenant: true}))
	w.store = store.New(w.table, store.Options{Now: w.now})
	w.Service = w.process()
	t.Cleanup(w.noSecrets)
	return w
}

func (w *world) now() time.Time { return time.Now().Add(w.offset) }

func (w *world) tenant(id directory.TenantID, name, domain string, more ...string) {
	w.Helper()
	spec := entratest.TenantSpec{TenantID: string(id), Name: name, Domains: []entratest.DomainSpec{{Name: domain, IsDefault: true}}}
	for _, d := range more {
		spec.Domains = append(spec.Domains, entratest.DomainSpec{Name: d})
	}
	spec.Admins = []entratest.AdminSpec{
		{UserPrincipalName: "admin@" + domain, DisplayName: "Ada Admin", Roles: []string{"Global Administrator"}},
		{UserPrincipalName: "users@" + domain, DisplayName: "Uma Users", Roles: []string{"User Administrator"}},
		{UserPrincipalName: "reader@" + domain, DisplayName: "Rita Reader", Roles: []string{"Global Reader", "Groups Administrator"}},
	}
	spec.Grants = []entratest.GrantSpec{}
	_, err := w.sim.CreateTenant(spec)
	w.check(err)
}

// process is a service of its own over the same records, as another Lambda.
func (w *world) process() *Service {
	give := func(v *string) func(context.Context) (directory.Secret, error) {
		return func(context.Context) (directory.Secret, error) { return directory.NewSecret(*v), nil }
	}
	secret := clientSecret
	return New(Config{
		LoginBaseURL: loginBase, ClientID: clientID, ClientSecret: give(&secret), RedirectURL: redirectURL, StateKey: give(&w.key),
		HTTP: w.http, Now: w.now, Log: slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}, StoresOf(w.store), w.vault, w.queue, func(ts TokenSource) Graph { return plainGraph{w.http, ts} })
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

var form = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// cookies are those of the one browser.
func (w *world) cookies() []*http.Cookie {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Values(w.jar))
}

// keep is what a browser does with a page's cookie.
func (w *world) keep(p Page) Page {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := p.Cookie; c != nil {
		if w.jar[c.Name] = c; c.MaxAge < 0 {
			delete(w.jar, c.Name)
		}
	}
	return p
}

func (w *world) query(u string) url.Values {
	w.Helper()
	at, err := url.Parse(u)
	w.check(err)
	return at.Query()
}

// depart opens the page that an authorisation begins with, goes on from it, and
// returns Microsoft's address.
func (w *world) depart(u string) string {
	w.Helper()
	p := w.keep(w.Start(w.Context(), w.query(u), w.cookies()))
	if p.Link == nil {
		w.Fatalf("the start page = %+v", p)
	}
	fmt.Fprintf(w.shown, "%+v\n", p.Title)
	p = w.keep(w.Start(w.Context(), w.query(p.Link.Address), w.cookies()))
	if p.Status != http.StatusSeeOther {
		w.Fatalf("going on from the start page = %+v", p)
	}
	return p.Location
}

// browse goes through our page and Microsoft's pages like a person and returns
// the parameters of the callback.
func (w *world) browse(u, login, button string) url.Values {
	w.Helper()
	return w.finish(w.depart(u), login, button)
}

// finish is browse from Microsoft's page on.
func (w *world) finish(u, login, button string) url.Values {
	w.Helper()
	page, to := w.fetch(http.MethodGet, u, nil)
	for range 4 {
		if to != nil {
			return to.Query()
		}
		m := form.FindStringSubmatch(page)
		if m == nil {
			w.Fatalf("no form on the page:\n%s", page)
		}
		v := url.Values{}
		for _, h := range hidden.FindAllStringSubmatch(page, -1) {
			v.Set(html.UnescapeString(h[1]), html.UnescapeString(h[2]))
		}
		if strings.Contains(page, `name="login"`) {
			v.Set("login", login)
			v.Set("next", "next")
		} else {
			v.Set(button, button)
		}
		page, to = w.fetch(http.MethodPost, loginBase+html.UnescapeString(m[1]), v)
	}
	w.Fatalf("the sign-in does not end:\n%s", page)
	return nil
}

func (w *world) fetch(method, u string, v url.Values) (string, *url.URL) {
	w.Helper()
	r, err := http.NewRequest(method, u, strings.NewReader(v.Encode()))
	w.check(err)
	if v != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := w.http.Do(r)
	w.check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	w.check(err)
	if l := resp.Header.Get("Location"); strings.HasPrefix(l, redirectURL) {
		to, err := url.Parse(l)
		w.check(err)
		return string(body), to
	}
	return string(body), nil
}

// create makes a connection.
func (w *world) create(name string) (directory.Connection, string) {
	w.Helper()
	c, u, err := w.Create(w.Context(), alice, name, "", directory.Settings{})
	w.check(err)
	return c, u
}

// connected makes a connection and takes it to active.
func (w *world) connected(name, login string) directory.Connection {
	w.Helper()
	c, u := w.create(name)
	if p := w.call(w.browse(u, login, "accept")); p.Status != 200 {
		w.Fatalf("callback = %d %s: %s", p.Status, p.Code, p.Message)
	}
	c, err := w.confirm(w.Service, c.ID)
	w.check(err)
	return c
}

// confirm confirms what waits, as one who may approve.
func (w *world) confirm(s *Service, id directory.ConnectionID) (directory.Connection, error) {
	w.Helper()
	in := w.read(id).Waiting
	if in == nil {
		in = &directory.SignIn{Tenant: directory.Tenant{ID: tenantID}, AuthorizedBy: directory.Administrator{ObjectID: w.oid(adminUPN)}}
	}
	return s.Confirm(w.Context(), chief, id, in.Tenant.ID, in.AuthorizedBy.ObjectID)
}

// oid is an account's object ID.
func (w *world) oid(upn string) directory.AccountID {
	w.Helper()
	tenant := tenantID
	if !strings.HasSuffix(upn, "@contoso.example") {
		tenant = otherID
	}
	a, ok := w.sim.Account(string(tenant), upn)
	if !ok {
		w.Fatalf("there is no account %s", upn)
	}
	return directory.AccountID(fmt.Sprint(a["id"]))
}

// authorize does a whole sign-in and returns its page.
func (w *world) authorize(id directory.ConnectionID, login string) Page {
	w.Helper()
	u, err := w.Authorize(w.Context(), alice, id)
	w.check(err)
	return w.call(w.browse(u, login, "accept"))
}

// call is Callback that remembers what was shown.
func (w *world) call(q url.Values) Page {
	p := w.keep(w.Callback(w.Context(), q, w.cookies()))
	fmt.Fprintf(w.shown, "%+v %s\n", p, p.HTML())
	return p
}

func (w *world) read(id directory.ConnectionID) directory.Connection {
	w.Helper()
	c, err := w.store.Connections.Connection(w.Context(), id)
	w.check(err)
	return c
}

// token asks for a token and remembers the error.
func (w *world) token(s *Service, c *directory.Connection) (string, error) {
	secret, err := s.Tokens(c).Token(w.Context())
	fmt.Fprintf(w.shown, "%v %+v %#v\n", err, err, secret)
	return secret.Reveal(), err
}

func (w *world) fault(f entratest.Fault) {
	w.Helper()
	_, err := w.sim.SetFault(f)
	w.check(err)
}

// counter counts requests on their way.
type counter struct {
	http.RoundTripper

	all, tokens atomic.Int64
	through     func(r *http.Request, send func() error) error // nil: nothing goes wrong
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.all.Add(1)
	if strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
		c.tokens.Add(1)
	}
	if c.through == nil {
		return c.RoundTripper.RoundTrip(r)
	}
	var resp *http.Response
	err := c.through(r, func() (err error) {
		resp, err = c.RoundTripper.RoundTrip(r)
		return err
	})
	if err != nil && resp != nil {
		resp.Body.Close()
		resp = nil
	}
	return resp, err
}

// tokenRequests is how often the token endpoint was asked since resetRequests.
func (w *world) tokenRequests() int { return int(w.sent.tokens.Load()) }

func (w *world) resetRequests() {
	w.sent.all.Store(0)
	w.sent.tokens.Store(0)
}

// age moves the clocks of the service and of the simulator.
func (w *world) age(d time.Duration) {
	w.Helper()
	w.offset += d
	w.check(w.sim.Advance(d))
}

func (w *world) stored(c *directory.Connection) tokenSet {
	w.Helper()
	in := c.SignInID
	if c.Waiting != nil {
		in = c.Waiting.ID
	}
	secret, err := w.vault.Get(w.Context(), secretName(c.ID, c.Epoch, in))
	w.check(err)
	set, err := decodeTokens(secret)
	w.check(err)
	return set
}

// noSecrets looks for every secret that still exists in what was logged and
// shown. The refresh tokens of the simulator begin with "1.".
func (w *world) noSecrets() {
	ctx := context.Background()
	w.vault.Before, w.vault.After = nil, nil
	seen := w.log.String() + w.shown.String()
	secrets := []string{clientSecret, stateKey}
	for _, name := range w.vault.Names() {
		secret, err := w.vault.Get(ctx, name)
		if err != nil {
			continue
		}
		if set, err := decodeTokens(secret); err == nil {
			secrets = append(secrets, set.refresh.Reveal(), set.access.Reveal())
		}
	}
	for _, s := range secrets {
		if s != "" && strings.Contains(seen, s) {
			w.Errorf("a secret was logged or shown (of %d bytes, beginning %.4s)", len(s), s)
		}
	}
	if m := regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{20,}|"1\.[A-Za-z0-9_-]{20,}`).FindString(seen); m != "" {
		w.Errorf("a token was logged or shown: %.8s…", m)
	}
}

// plainGraph is Graph over net/http.
type plainGraph struct {
	client *http.Client
	ts     TokenSource
}

func (g plainGraph) get(ctx context.Context, path string, into any) error {
	token, err := g.ts.Token(ctx)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, loginBase+"/v1.0"+path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token.Reveal())
	r.Header.Set("ConsistencyLevel", "eventual") // for the cast of MyRoles
	resp, err := g.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return &directory.Problem{Code: "graph", MicrosoftCode: "Fake_Code", MicrosoftStatus: resp.StatusCode}
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

func (g plainGraph) Organization(ctx context.Context) (directory.Tenant, error) {
	var orgs struct {
		Value []struct {
			ID          string `json:"id"`
			DisplayName string `json:"displayName"`
		} `json:"value"`
	}
	var domains struct {
		Value []struct {
			ID                 string `json:"id"`
			AuthenticationType string `json:"authenticationType"`
			IsDefault          bool   `json:"isDefault"`
			IsInitial          bool   `json:"isInitial"`
			IsVerified         bool   `json:"isVerified"`
		} `json:"value"`
	}
	if err := g.get(ctx, "/organization", &orgs); err != nil {
		return directory.Tenant{}, err
	}
	if err := g.get(ctx, "/domains", &domains); err != nil {
		return directory.Tenant{}, err
	}
	t := directory.Tenant{ID: directory.TenantID(orgs.Value[0].ID), DisplayName: orgs.Value[0].DisplayName}
	for _, d := range domains.Value {
		if d.IsVerified {
			t.Domains = append(t.Domains, directory.Domain{Name: d.ID, AuthenticationType: d.AuthenticationType, IsDefault: d.IsDefault, IsInitial: d.IsInitial})
		}
	}
	return t, nil
}

func (g plainGraph) Me(ctx context.Context) (directory.Account, error) {
	var me map[string]any
	err := g.get(ctx, "/me", &me)
	a := directory.Account{Properties: directory.Properties{}}
	if err == nil {
		a.ID = directory.AccountID(me["id"].(string))
		for _, p := range []string{"userPrincipalName", "displayName"} {
			text, _ := me[p].(string)
			a.Properties[p] = directory.StringValue(text)
		}
	}
	return a, err
}

func (g plainGraph) MyRoles(ctx context.Context) ([]directory.Role, error) {
	var list struct {
		Value []directory.Role `json:"value"`
	}
	err := g.get(ctx, "/me/transitiveMemberOf/microsoft.graph.directoryRole?$count=true", &list)
	return list.Value, err
}
