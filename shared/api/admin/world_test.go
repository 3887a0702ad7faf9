package admin

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/core/assign/assigntest"
	"bindery/shared/core/attention"
	"bindery/shared/core/audit"
	"bindery/shared/core/connect"
	"bindery/shared/core/doctor"
	"bindery/shared/core/jobs"
	"bindery/shared/core/passwords"
	"bindery/shared/core/people"
	"bindery/shared/core/protect"
	"bindery/shared/core/provision"
	"bindery/shared/core/reconcile"
	"bindery/shared/core/runs"
	"bindery/shared/core/safety"
	"bindery/shared/core/seats"
	"bindery/shared/core/uses"
	"bindery/shared/directory"
	"bindery/shared/platform/upload"
	"bindery/shared/platform/workbook"
	"bindery/shared/store"
	"bindery/shared/table/memory"
	"bindery/shared/testworld"
)

// world is the API over the real core and a table in memory. Only the
// authorisation and the tenant are stand-ins.
type world struct {
	t     *testing.T
	api   *API
	table *memory.Table
	store *store.Store
	now   func() time.Time
	files *upload.Folder
	http  http.Handler
	// groups are those of the connection's tenant.
	groups *assigntest.Groups
	conn   directory.Connection
}

type tokenKey struct{}

// saveConn stores a connection as the test has made it.
func (w *world) saveConn(as directory.Connection) {
	w.t.Helper()
	_, err := w.store.Connections.ModifyConnection(w.t.Context(), directory.AuditEvent{}, as.ID, func(c *directory.Connection) error {
		*c = as
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	records := testworld.New(t)
	s, now := records.Store, records.Now
	log := slog.New(slog.DiscardHandler)
	wake := func(context.Context, directory.ConnectionID, time.Duration) error { return nil }
	admins := runs.New(runs.Config{Stores: runs.StoresOf(s), Wake: wake, Now: now})
	files, err := upload.NewFolder(upload.FolderConfig{Path: t.TempDir(), BaseURL: "https://files.example", Key: func(context.Context) (directory.Secret, error) { return directory.NewSecret("key"), nil }, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	queue, starter := noWaker{}, starter{admins}
	started := jobs.New(jobs.Config{Store: s.Jobs, Wake: queue, Now: now, Log: log})
	uploads := jobs.NewUploads(jobs.UploadsConfig{Store: s.Jobs, Files: files, Jobs: started, Now: now})
	users := people.NewUsers(people.UsersConfig{Stores: people.StoresOf(s), Wake: queue, Now: now, Log: log})
	groups := people.NewGroups(people.UsersConfig{Stores: people.StoresOf(s), Wake: queue, Now: now, Log: log})
	loads := people.NewLoads(people.LoadsConfig{Stores: people.StoresOf(s), Users: users, Groups: groups, Jobs: started, Uploads: uploads, Sheets: people.Sheets(workbook.Open), Log: log})
	accounts := assign.NewCandidates(assign.CandidatesConfig{Stores: assign.StoresOf(s), Now: now,
		Open: func(context.Context, *directory.Connection) (assign.Tenant, error) { return tenant{}, nil }})
	tenantGroups := assigntest.GroupsOfEachKind()
	tenants := assign.NewGroupCandidates(assign.GroupCandidatesConfig{Stores: assign.StoresOf(s),
		Open: func(context.Context, *directory.Connection) (assign.GroupTenant, error) { return tenantGroups, nil }})
	bindings := assign.NewBindings(assign.BindingsConfig{Stores: assign.StoresOf(s), Runs: starter, Jobs: started, Wake: queue, Now: now, Log: log})
	photos := people.NewPhotos(people.PhotosConfig{Stores: people.StoresOf(s), Users: users, Jobs: started, Now: now, Log: log})
	engine := reconcile.New(reconcile.Config{Stores: reconcile.StoresOf(s), Now: now, Open: func(context.Context, *directory.Connection) (reconcile.Tenant, error) { return reading{}, nil }})
	lifts := &protect.Overrides{Store: s.Protection, Now: now}
	clients := provision.New(provision.Config{Records: s.ScimClients, Now: now})
	api, err := New(Config{
		Connections: connections{s, now}, Safety: &safety.Service{Store: s.Connections, Lifts: lifts, Now: now}, Runs: admins,
		Users: users, Groups: groups, Loads: loads, Uploads: uploads, Photos: photos, Accounts: accounts, Bindings: bindings, Jobs: started,
		Licences:     seats.New(seats.Config{Stores: seats.StoresOf(s), Jobs: started, Now: now, Open: func(context.Context, *directory.Connection) (seats.Tenant, error) { return licensed{}, nil }}),
		TenantGroups: tenants,
		Imports:      people.NewImports(people.ImportsConfig{Stores: people.StoresOf(s), Users: users, Groups: groups, Accounts: accounts, TenantGroups: tenants, Bindings: bindings, Photos: photos, Jobs: started, Now: now, Log: log}),
		Moves:        assign.NewMoves(assign.MovesConfig{Stores: assign.StoresOf(s), Users: users, Runs: starter, Wake: queue, Now: now, Log: log}),
		Stores:       StoresOf(s), Log: log,
		Engine: engine, Doctor: &doctor.Doctor{Stores: doctor.StoresOf(s), Ask: func(context.Context, directory.ConnectionID) error { return nil }}, Lifts: lifts, Now: now,
		Uses: uses.New(uses.Config{Store: s, Wake: func(context.Context, directory.ConnectionID) error { return nil }, Candidates: tenants, Now: now,
			Products: func(ctx context.Context, _ *directory.Connection) ([]directory.LicenceSKU, error) {
				return licensed{}.SKUs(ctx)
			}}),
		Passwords: passwords.New(passwords.Config{Connections: s.Connections, Bindings: s.Bindings, Key: func(context.Context) (directory.Secret, error) { return directory.NewSecret("key"), nil }}),
		Activity: &audit.Service{Reports: audit.Report{Stores: audit.ReportStoresOf(s)}, Sums: audit.Summary{Stores: audit.SummaryStoresOf(s), Now: now},
			Verifier: &audit.Verifier{Chains: audit.ChainStoresOf(s), Stores: audit.VerifyStoresOf(s), Jobs: started, Now: now}, Audits: &audit.Audit{Stores: audit.AuditStoresOf(s), Now: now}},
		ScimClients:  clients,
		ClientDoctor: doctor.ClientsOf(s, now),
		TakeBacks:    people.NewTakeBacks(people.TakeBacksConfig{Stores: people.StoresOf(s), Acts: s.Audit, Users: users, Groups: groups, Clients: clients, Jobs: started, Now: now, Log: log}),
		Gateway:      gateway{}, Attention: &attention.Service{Stores: attention.StoresOf(s, now), Now: now},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, api: api, table: records.Table, store: s, now: now, files: files, http: api.Handler(), groups: tenantGroups}
	w.conn = records.Connected(directory.Connection{Name: "HQ",
		Tenant: &directory.Tenant{ID: "tenant-1", Domains: []directory.Domain{{Name: "corp.example", AuthenticationType: "Managed"}}}})
	return w
}

// gateway is what the test says of a request.
type gateway struct{}

func (gateway) Claims(ctx context.Context) Claims {
	claims, ok := ctx.Value(tokenKey{}).(map[string]string)
	if !ok {
		return nil
	}
	return func(name string) (string, bool) {
		text, there := claims[name]
		return text, there
	}
}

func (gateway) RequestID(context.Context) string { return testRequestID }

const testRequestID = "the-tests-request"

// noWaker loses every wake-up.
type noWaker struct{}

func (noWaker) Wake(context.Context, directory.ConnectionID, time.Duration) error { return nil }

func (noWaker) WakeEdited(context.Context, directory.ConnectionID, directory.UserID) error {
	return nil
}

func (noWaker) WakeJob(context.Context, *directory.Job, time.Duration) error {
	return nil
}

// starter starts the runs of bindings.
type starter struct{ runs *runs.Service }

func (s starter) Start(ctx context.Context, c *directory.Connection, r assign.RunRequest) (directory.Run, error) {
	return s.runs.Start(ctx, r.By, c, runs.Request{Kind: r.Kind, DryRun: r.DryRun, UserIDs: r.UserIDs, Trigger: r.Trigger, Audit: r.Audit})
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (a answer) text(name string) string {
	s, _ := a.body[name].(string)
	return s
}

const everything = ScopeRead + " " + ScopeWrite + " " + ScopeAdmin + " " + ScopeApprove

// do sends a request with all scopes.
func (w *world) do(method, path, body string, header ...string) answer {
	w.t.Helper()
	return w.as(map[string]string{"sub": "admin", "scope": everything}, method, path, body, header...)
}

// as sends a request with a token's claims; nil is no token.
func (w *world) as(claims map[string]string, method, path, body string, header ...string) answer {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if claims != nil {
		r = r.WithContext(context.WithValue(r.Context(), tokenKey{}, claims))
	}
	rec := httptest.NewRecorder()
	w.http.ServeHTTP(rec, r)
	a := answer{status: rec.Code, header: rec.Header(), raw: rec.Body.String()}
	if kind, _, _ := strings.Cut(rec.Header().Get("Content-Type"), "/"); rec.Body.Len() > 0 && kind != "text" && kind != "image" {
		if err := json.Unmarshal(rec.Body.Bytes(), &a.body); err != nil {
			w.t.Errorf("%s %s answers no JSON object: %v: %s", method, path, err, a.raw)
		}
	}
	if rec.Header().Get("Cache-Control") != "no-store" {
		w.t.Errorf("%s %s may be cached", method, path)
	}
	return a
}

// want sends a request and fails the test when status or code differ.
func (w *world) want(status int, code, method, path, body string, header ...string) answer {
	w.t.Helper()
	a := w.do(method, path, body, header...)
	if a.status != status || a.text("code") != code {
		w.t.Fatalf("%s %s %.200s = %d %.600s, want %d %q", method, path, body, a.status, a.raw, status, code)
	}
	if status >= 400 {
		if ct := a.header.Get("Content-Type"); ct != problemType || a.text("title") == "" || a.text("detail") == "" || a.body["status"] != float64(status) {
			w.t.Errorf("%s %s: the problem is %s of type %q", method, path, a.raw, ct)
		}
	}
	return a
}

// plain gets a form other than JSON.
func (w *world) plain(method, path, accept string) answer {
	w.t.Helper()
	return w.do(method, path, "", "Accept", accept)
}

func (w *world) user(body string) string {
	w.t.Helper()
	return w.want(201, "", "POST", "/v1/users", body).text("id")
}

// connections stands in for package connect.
type connections struct {
	store *store.Store
	now   func() time.Time
}

func (c connections) Create(ctx context.Context, by directory.Caller, name, expected string, s directory.Settings) (directory.Connection, string, error) {
	conn := directory.Connection{ID: directory.NewConnectionID(c.now()), Name: name, Status: directory.StatusPending, Epoch: 1,
		ExpectedDomain: expected, RequestedBy: by.Subject, Settings: s, Created: c.now(), Updated: c.now()}
	return conn, "https://login.example/authorize?state=x&y=<z>", c.store.Connections.CreateConnection(ctx, by.AuditEvent(directory.AuditCreateConnection), &conn)
}

func (c connections) Authorize(ctx context.Context, by directory.Caller, id directory.ConnectionID) (string, error) {
	_, err := c.store.Connections.Connection(ctx, id)
	return "https://login.example/authorize", err
}

func (c connections) Confirm(ctx context.Context, by directory.Caller, id directory.ConnectionID, tenant directory.TenantID, _ directory.AccountID) (directory.Connection, error) {
	conn, err := c.store.Connections.Connection(ctx, id)
	if err == nil && (conn.Tenant == nil || conn.Tenant.ID != tenant) {
		err = directory.Refuse(directory.ErrConflict, "other-tenant", "It is another tenant.", "Look again.")
	}
	return conn, err
}

func (c connections) ClaimDomains(ctx context.Context, by directory.Caller, id directory.ConnectionID, names []string) (directory.Connection, error) {
	return c.store.Connections.ModifyConnection(ctx, by.AuditEvent(directory.AuditClaimDomains), id, func(conn *directory.Connection) error {
		conn.Tenant.Claim(names)
		return nil
	})
}

func (c connections) ReleaseDomain(ctx context.Context, by directory.Caller, id directory.ConnectionID, _ string) (directory.Connection, error) {
	return c.store.Connections.Connection(ctx, id)
}

func (c connections) Deactivate(ctx context.Context, by directory.Caller, id directory.ConnectionID) (connect.Deactivated, error) {
	n, err := c.store.Counters.BoundCount(ctx, id, 1)
	if err != nil {
		return connect.Deactivated{}, err
	}
	conn, _, err := c.store.Connections.DeactivateConnection(ctx, by.AuditEvent(directory.AuditDeactivateConnection), id)
	return connect.Deactivated{Released: n, Status: conn.Status}, err
}

func (c connections) Delete(ctx context.Context, by directory.Caller, id directory.ConnectionID) error {
	return c.store.Connections.DeleteConnection(ctx, by.AuditEvent(directory.AuditDeleteConnection), id)
}

// tenant has one account.
type tenant struct{}

func (tenant) List(_ context.Context, _ []string, link string) (directory.AccountPage, error) {
	if link != "" {
		return directory.AccountPage{}, directory.ErrForeignLink
	}
	return directory.AccountPage{Accounts: []directory.Account{{ID: "acc-1", Properties: directory.Properties{
		directory.PropUserPrincipalName: directory.StringValue("acc@corp.example"), directory.PropSurname: directory.StringValue("Acc"),
		directory.PropAccountEnabled: directory.BoolValue(true),
	}}}}, nil
}

func (tenant) Lookup(_ context.Context, refs []string, _ []string) ([]directory.Found, error) {
	found := make([]directory.Found, len(refs))
	for i, ref := range refs {
		if ref == holder {
			found[i].Account = &directory.Account{ID: holder, Properties: directory.Properties{directory.PropUserPrincipalName: directory.StringValue("root@corp.example")}}
		}
	}
	return found, nil
}

func (tenant) RoleHolders(context.Context) (directory.Privileged, error) {
	return directory.Privileged{}, nil
}

// reading is the tenant that the engine reads for answers to admins.
type reading struct{ reconcile.Tenant }

func (reading) RoleHolders(context.Context) (directory.Privileged, error) {
	return directory.Privileged{Holders: []directory.AccountID{holder}}, nil
}

func (reading) List(ctx context.Context, selected []string, link string) (directory.AccountPage, error) {
	return tenant{}.List(ctx, selected, link)
}

func (reading) Lookup(_ context.Context, refs []string, _ []string) ([]directory.Found, error) {
	return make([]directory.Found, len(refs)), nil
}

const holder = "22222222-aaaa-4bbb-8ccc-000000000007"

// licensed is a tenant with a product.
type licensed struct{}

func (licensed) SKUs(context.Context) ([]directory.LicenceSKU, error) {
	return []directory.LicenceSKU{{ID: "05e9a617-0261-4cee-bb44-138d3ef5d965", PartNumber: "SPE_E3", Status: "Enabled", AppliesTo: "User", Consumed: 3, Units: directory.LicenceUnits{Enabled: 5}}}, nil
}

func (licensed) ListLicences(context.Context, string) (directory.LicencePage, error) {
	return directory.LicencePage{}, directory.ErrUnavailable
}
