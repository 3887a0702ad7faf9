package entra

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	graphcore "github.com/microsoftgraph/msgraph-sdk-go-core"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/entra/entratest/browser"
	"bindery/shared/entra/entratest/contract"
)

const (
	simBase   = "https://m365.example"
	simTenant = "22222222-aaaa-4bbb-8ccc-000000000001"
	simApp    = "11111111-aaaa-4bbb-8ccc-000000000001"
	simBack   = "https://bindery.example/oauth/callback"
	adminID   = "55555555-aaaa-4bbb-8ccc-000000000001"
	plainID   = "55555555-aaaa-4bbb-8ccc-000000000003"
	syncedID  = "55555555-aaaa-4bbb-8ccc-000000000004"
	boxID     = "55555555-aaaa-4bbb-8ccc-000000000005"
	memberID  = "55555555-aaaa-4bbb-8ccc-000000000006"
	ownerID   = "55555555-aaaa-4bbb-8ccc-000000000007"
	nobodyID  = "55555555-aaaa-4bbb-8ccc-0000000000ff"
	ourScopes = "openid profile offline_access User.ReadWrite.All Organization.Read.All Domain.Read.All RoleManagement.Read.Directory"
)

// world is a simulated tenant and an adapter that is signed in. Every message is
// held against the description of Graph.
type world struct {
	*testing.T
	sim    *entratest.Server
	graph  *Graph
	tokens *tokens
	tenant *Tenant
	log    *strings.Builder
	// round, when set, may answer in the place of the service.
	round func(*http.Request) (*http.Response, error)
}

// tokens is a TokenSource over the simulator.
type tokens struct {
	mu      sync.Mutex
	current string
	fresh   func() string
	err     error
	renewed int
}

func (t *tokens) Token(context.Context) (directory.Secret, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return directory.NewSecret(t.current), t.err
}

func (t *tokens) Renew(_ context.Context, rejected directory.Secret) (directory.Secret, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.renewed++
	if t.err != nil {
		return directory.Secret{}, t.err
	}
	if rejected.Reveal() == t.current {
		t.current = t.fresh()
	}
	return directory.NewSecret(t.current), nil
}

func newWorld(t *testing.T, count int, scopes ...string) *world {
	t.Helper()
	return newWorldOf(t, func(spec *entratest.TenantSpec) { spec.Count = count }, scopes...)
}

// newWorldOf is newWorld with a tenant that is described otherwise in some respect.
func newWorldOf(t *testing.T, edit func(*entratest.TenantSpec), scopes ...string) *world {
	t.Helper()
	sim, err := entratest.New(entratest.Options{BaseURL: simBase, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	unverified := false
	spec := entratest.TenantSpec{
		TenantID: simTenant, Name: "Fabrikam", Seed: 9,
		Domains: []entratest.DomainSpec{
			{Name: "fabrikam.example", IsDefault: true},
			{Name: "fed.example", AuthenticationType: "Federated"},
			{Name: "unproven.example", IsVerified: &unverified},
		},
		Accounts: []map[string]any{
			{"id": plainID, "userPrincipalName": "plain@fabrikam.example", "displayName": "Plain", "jobTitle": "Clerk", "mobilePhone": "+41 44 111 22 33",
				"businessPhones": []string{"+41 44 000 00 00"}, "otherMails": []string{"plain@home.example"}, "department": "Sales",
				"onPremisesExtensionAttributes": map[string]any{"extensionAttribute3": "b-17", "extensionAttribute4": "kept"}},
			{"id": syncedID, "userPrincipalName": "synced@fabrikam.example", "displayName": "Synced", "onPremisesSyncEnabled": true, "onPremisesImmutableId": "c3luYw=="},
			{"id": boxID, "userPrincipalName": "box@fabrikam.example", "displayName": "Box", "mail": "box@fabrikam.example",
				"proxyAddresses": []string{"SMTP:box@fabrikam.example", "smtp:o'box@fabrikam.example"}},
			{"id": memberID, "userPrincipalName": "member@fabrikam.example", "displayName": "Member"},
			{"id": ownerID, "userPrincipalName": "owner@fabrikam.example", "displayName": "Owner"},
		},
		Admins: []entratest.AdminSpec{{ID: adminID, UserPrincipalName: "admin@fabrikam.example", DisplayName: "Ada", Roles: []string{"Global Administrator", "User Administrator"}}},
		Groups: []entratest.GroupSpec{
			{DisplayName: "Trusted", IsAssignableToRole: true, Members: []string{memberID}, Owners: []string{ownerID}, Roles: []string{"Helpdesk Administrator", "Global Administrator"}},
			{DisplayName: "Staff", Members: []string{plainID}, ProxyAddresses: []string{"SMTP:staff@fabrikam.example", "smtp:all@fabrikam.example"}},
		},
	}
	edit(&spec)
	_, err = sim.CreateTenant(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.RegisterApp(entratest.App{ID: simApp, Secret: "s3cret", RedirectURIs: []string{simBack}, MultiTenant: true}); err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, sim: sim, log: &strings.Builder{}}
	scope := strings.Join(append([]string{ourScopes}, scopes...), " ")
	w.tokens = &tokens{fresh: func() string { return w.signIn(scope) }}
	w.tokens.current = w.tokens.fresh()
	w.graph, err = New(Config{
		BaseURL: simBase + "/v1.0", Transport: &detour{w, contract.New(t).Transport(sim.Transport())},
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.tenant = w.graph.Tenant(w.tokens)
	sim.ResetRequests()
	t.Cleanup(func() {
		if w.tokens.current != "" && strings.Contains(w.log.String(), w.tokens.current) || strings.Contains(w.log.String(), "@") {
			t.Error("the log has a token or a name in it")
		}
	})
	return w
}

// detour lets a test answer a request itself.
type detour struct {
	w    *world
	next http.RoundTripper
}

func (d *detour) RoundTrip(r *http.Request) (*http.Response, error) {
	if d.w.round != nil {
		if resp, err := d.w.round(r); resp != nil || err != nil {
			return resp, err
		}
	}
	return d.next.RoundTrip(r)
}

// answer makes an HTTP answer.
func answer(status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

// signIn goes through the simulator's pages.
func (w *world) signIn(scope string) string {
	w.Helper()
	app := browser.Client{Base: simBase, ID: simApp, Secret: "s3cret", RedirectURL: simBack}
	tok, err := app.Token(w.Context(), w.sim.Transport(), "admin@fabrikam.example", scope)
	if err != nil {
		w.Fatal(err)
	}
	return tok.AccessToken
}

func (w *world) fault(f entratest.Fault) {
	w.Helper()
	if _, err := w.sim.SetFault(f); err != nil {
		w.Fatal(err)
	}
}

func (w *world) account(ref string) map[string]any {
	w.Helper()
	a, ok := w.sim.Account(simTenant, ref)
	if !ok {
		w.Fatalf("the tenant has no account %s", ref)
	}
	return a
}

// write sends one write and returns its outcome.
func (w *world) write(wr directory.Write) directory.Outcome {
	w.Helper()
	out, err := w.tenant.Write(w.Context(), []directory.Write{wr})
	if err != nil || len(out) != 1 {
		w.Fatalf("Write(%s) = %d outcomes, %v", wr.Effect, len(out), err)
	}
	return out[0]
}

func creation(name string) directory.Write {
	return directory.Write{Effect: directory.EffectCreate, Password: directory.NewSecret("Xk7!qpLm29-vTz"), Properties: directory.Properties{
		"userPrincipalName": directory.StringValue(name + "@fabrikam.example"), "mailNickname": directory.StringValue(name),
		"displayName": directory.StringValue(name), "accountEnabled": directory.BoolValue(true), "jobTitle": directory.Null,
		"extensionAttribute1": directory.StringValue("one"),
	}}
}

func update(id string, p directory.Properties) directory.Write {
	return directory.Write{Effect: directory.EffectUpdate, AccountID: directory.AccountID(id), Properties: p}
}

func sprint(v any) string { return fmt.Sprint(v) }

// unchecked is an adapter without the description of Graph, which lacks some paths
// that are only used here.
func unchecked(t *testing.T, w *world) *graphcore.GraphRequestAdapterBase {
	t.Helper()
	g, err := New(Config{BaseURL: simBase + "/v1.0", Transport: w.sim.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	return g.adapter
}

// uncheckedRound is an adapter whose answers are those of w.round alone: they need
// not be what the description of Graph allows.
func uncheckedRound(t *testing.T, w *world) *graphcore.GraphRequestAdapterBase {
	t.Helper()
	g, err := New(Config{BaseURL: simBase + "/v1.0", Transport: &detour{w, w.sim.Transport()}})
	if err != nil {
		t.Fatal(err)
	}
	return g.adapter
}
