package licences

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bindery/shared/core/licensing"
	"bindery/shared/core/plan"
	"bindery/shared/core/reconcile"
	"bindery/shared/core/reconcile/groups"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/entra"
	"bindery/shared/entra/entratest"
	"bindery/shared/entra/entratest/browser"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// The products of the tenant. The first two have services in common.
const (
	partE3    = "SPE_E3"
	partE5    = "SPE_E5"
	partVisio = "VISIOCLIENT"
	skuVisio  = "77777777-aaaa-4bbb-8ccc-0000000000f0"
)

const (
	simBase   = "https://m365.example"
	simTenant = "22222222-aaaa-4bbb-8ccc-000000000001"
	simApp    = "11111111-aaaa-4bbb-8ccc-000000000001"
	simBack   = "https://bindery.example/oauth/callback"
	simDomain = "corp.example"
	simScopes = "openid profile offline_access User.ReadWrite.All Organization.Read.All Domain.Read.All RoleManagement.Read.Directory Group.ReadWrite.All LicenseAssignment.ReadWrite.All"
)

// world is a directory, the engine with licences, the adapter for Microsoft Graph and
// a simulated tenant that has some.
type world struct {
	*testing.T
	rules   map[directory.UserID][]Rule
	groups  map[directory.GroupID]*licensed
	sim     *entratest.Server
	table   *memory.Table
	store   *store.Store
	kind    reconcile.Kind
	who     Attribution
	wrap    func(*Kind) reconcile.Kind // nil: it is as it is
	engine  *reconcile.Engine
	conn    directory.Connection
	open    reconcile.Open
	line    *line
	skew    atomic.Int64
	version int64        // of all rules
	send    func() error // befalls the queue; nil: nothing
}

// line is the way to Microsoft, on which trouble may lie.
type line struct {
	rt http.RoundTripper
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) { return l.rt.RoundTrip(r) }

// Token and Renew make the world a TokenSource that signs in whenever it is asked: an
// access token lasts for an hour.
func (w *world) Token(ctx context.Context) (directory.Secret, error) {
	app := browser.Client{Base: simBase, ID: simApp, Secret: "s3cret", RedirectURL: simBack}
	tok, err := app.Token(ctx, w.sim.Transport(), "admin@"+simDomain, simScopes)
	if err != nil {
		return directory.Secret{}, err
	}
	return directory.NewSecret(tok.AccessToken), nil
}

func (w *world) Renew(ctx context.Context, _ directory.Secret) (directory.Secret, error) {
	return w.Token(ctx)
}

func newWorld(t *testing.T, edit ...func(*directory.Settings)) *world {
	t.Helper()
	w := &world{T: t, table: memory.New(), rules: map[directory.UserID][]Rule{}, groups: map[directory.GroupID]*licensed{}}
	var err error
	w.sim, err = entratest.New(entratest.Options{BaseURL: simBase, Seed: 3, Now: w.now})
	w.do(err)
	_, err = w.sim.CreateTenant(entratest.TenantSpec{
		TenantID: simTenant, Name: "Corp",
		Domains:  []entratest.DomainSpec{{Name: simDomain, AuthenticationType: "Managed", IsDefault: true}},
		Licences: []entratest.LicenceSpec{{SKUPartNumber: partE3, Enabled: 3}, {SKUPartNumber: partE5, Enabled: 3}, {SKUPartNumber: partVisio, SKUID: skuVisio, Enabled: 1, Plans: []entratest.LicencePlan{{ID: "77777777-aaaa-4bbb-8ccc-0000000000f1", Name: "VISIO_CLIENT"}}}},
		Admins:   []entratest.AdminSpec{{UserPrincipalName: "admin@" + simDomain, Roles: []string{"Global Administrator"}}},
	})
	w.do(err)
	w.do(w.sim.RegisterApp(entratest.App{ID: simApp, Secret: "s3cret", RedirectURIs: []string{simBack}, MultiTenant: true}))
	w.table.Now = w.now
	w.line = &line{w.sim.Transport()}
	graph, err := entra.New(entra.Config{BaseURL: simBase + "/v1.0", Transport: w.line, Now: w.now})
	w.do(err)
	tenant := graph.Tenant(w)
	w.open = func(context.Context, *directory.Connection) (reconcile.Tenant, error) { return tenant, nil }
	w.start(w.open)
	w.conn = directory.Connection{
		ID: directory.NewConnectionID(w.now()), Name: "Corp", Status: directory.StatusActive, Epoch: 1,
		Tenant:   &directory.Tenant{ID: simTenant, Domains: []directory.Domain{{Name: simDomain, AuthenticationType: "Managed", IsDefault: true}}},
		Settings: directory.Settings{Licences: true, Groups: true, DefaultUsageLocation: "CH", Attributes: map[string]directory.AttributeRule{directory.PropUsageLocation: {Export: true}}},
	}
	for _, e := range edit {
		e(&w.conn.Settings)
	}
	w.do(w.store.Connections.CreateConnection(t.Context(), directory.AuditEvent{}, &w.conn))
	return w
}

// start makes an engine of what outlives it.
func (w *world) start(open reconcile.Open) {
	w.store = store.New(w.table, store.Options{Now: w.now})
	kind := New(StoreOf(w.store), w)
	kind.Who = w.who
	w.kind = kind
	if w.wrap != nil {
		w.kind = w.wrap(kind)
	}
	w.engine = reconcile.New(reconcile.Config{
		Stores: reconcile.StoresOf(w.store), Now: w.now, SecondLook: -1, Open: open, Kinds: append(groups.Kinds(groups.Of(w.store, w)), w.kind, NewGroups(kind)), Dependents: reconcile.EachDependents(kind.Dependents),
		Send: func(context.Context, directory.WakeUp, time.Duration) error {
			if w.send != nil {
				return w.send()
			}
			return nil
		},
	})
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.skew.Load())) }

func (w *world) pass(d time.Duration) { w.skew.Add(int64(d)) }

func (w *world) do(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// Rules make the world the Source of rules.
func (w *world) Rules(_ context.Context, _ *directory.Connection, users []directory.UserID) (map[directory.UserID][]Rule, error) {
	out := map[directory.UserID][]Rule{}
	for _, u := range users {
		out[u] = w.rules[u]
	}
	return out, nil
}

// user makes a user of the directory.
func (w *world) user(name string) directory.User {
	w.Helper()
	u := directory.User{ID: directory.NewUserID(w.now()), Source: directory.SourceManual}
	u.Email, u.UserName, u.State, u.UsageLocation = name+"@"+simDomain, name, directory.StateActive, "CH"
	u.GivenName, u.FamilyName, u.DisplayName = name, "Example", name
	w.do(w.store.Users.CreateUsers(w.Context(), directory.AuditEvent{}, &u))
	return u
}

// people are bound users with accounts.
func (w *world) people(names ...string) []directory.User {
	w.Helper()
	var list []directory.User
	for _, n := range names {
		list = append(list, w.user(n))
	}
	w.bind(list...)
	w.sync()
	return list
}

// license has a user fall under rules, as an edit of a group does.
func (w *world) license(u directory.User, rules ...Rule) {
	w.Helper()
	w.rules[u.ID] = rules
	ref := directory.LicenceOf(u.ID)
	w.version++
	w.do(w.store.Bindings.BindMissing(w.Context(), &w.conn, "admin", []store.Selection{{Object: ref, Version: w.version}}))
	w.do(w.store.Marks.MarkWanted(w.Context(), &w.conn, ref, w.version, false))
}

// rule is one for a product.
func (w *world) rule(part string, off ...string) Rule {
	return Rule{SKU: part, DisabledPlans: off, Since: w.now(), By: "the group Staff", Editors: []string{"admin"}}
}

func (w *world) bind(users ...directory.User) {
	w.Helper()
	for i := range users {
		w.do(w.store.Bindings.Bind(w.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{User: &users[i]}}))
	}
}

func (w *world) edit(id directory.UserID, change func(*directory.User)) {
	w.Helper()
	old, err := w.store.Users.User(w.Context(), id)
	w.do(err)
	next := old
	change(&next)
	_, err = w.store.Users.UpdateUser(w.Context(), directory.AuditEvent{}, &old, &next)
	w.do(err)
}

// sync runs slices until nothing is asked for any more.
func (w *world) sync() {
	w.Helper()
	for range 60 {
		sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		w.do(err)
		if sum.Again < 0 {
			return
		}
		w.pass(sum.Again)
	}
	w.Fatal("the engine does not come to rest")
}

func (w *world) record(u directory.User) directory.Binding {
	w.Helper()
	found, err := w.store.Bindings.BindingsOf(w.Context(), w.conn.ID, []directory.Ref{directory.LicenceOf(u.ID)})
	w.do(err)
	return found[directory.LicenceOf(u.ID)]
}

// given is what a record says that we gave, to whichever account.
func given(b *directory.Binding) licensing.Ledger { return ledger(b.Base, accountOf(b.Base)) }

// has is what somebody's account has of licences given to it itself, in short.
func (w *world) has(u directory.User) string {
	w.Helper()
	a, there := w.sim.Account(simTenant, u.Email)
	if !there {
		return "no account"
	}
	var list []string
	raw, err := json.Marshal(a["licenseAssignmentStates"])
	w.do(err)
	var states []struct {
		SKU   string   `json:"skuId"`
		Off   []string `json:"disabledPlans"`
		Group *string  `json:"assignedByGroup"`
	}
	w.do(json.Unmarshal(raw, &states))
	for _, s := range states {
		if s.Group == nil {
			name := w.name(s.SKU)
			if len(s.Off) > 0 {
				name += fmt.Sprintf("-%d", len(s.Off))
			}
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// name is the part number of a product.
func (w *world) name(sku string) string {
	w.Helper()
	list, err := w.sim.Licences(simTenant)
	w.do(err)
	for _, s := range list {
		if s.SKUID == sku {
			return s.SKUPartNumber
		}
	}
	return sku
}

// sends are the calls about licences that were sent.
func (w *world) sends() (list []string) {
	for _, r := range w.sim.Requests() {
		if strings.HasSuffix(r.Path, "/assignLicense") {
			list = append(list, fmt.Sprint(r.Status))
		}
	}
	return list
}

func (w *world) runs() *runs.Service {
	return runs.New(runs.Config{Stores: runs.StoresOf(w.store), Now: w.now, Wake: func(context.Context, directory.ConnectionID, time.Duration) error { return nil }})
}

// lastRun is the latest run with changes of licences, and these.
func (w *world) lastRun() (directory.Run, []directory.Change) {
	w.Helper()
	list, _, err := w.store.Runs.ListRuns(w.Context(), w.conn.ID, "", 50)
	w.do(err)
	slices.SortStableFunc(list, func(a, b store.RunRecord) int { return b.StartedAt.Compare(a.StartedAt) })
	for i := range list {
		changes, _, err := w.store.Runs.Changes(w.Context(), &list[i], "", 1000)
		w.do(err)
		changes = slices.DeleteFunc(changes, func(c directory.Change) bool { return c.Object.Kind.CountsAs() != directory.KindLicence })
		if len(changes) > 0 {
			return list[i].Run, changes
		}
	}
	w.Fatal("there is no run about licences")
	return directory.Run{}, nil
}

func (w *world) undo(of directory.RunID) (directory.Run, []plan.Left) {
	w.Helper()
	run, err := w.store.Runs.Run(w.Context(), of)
	w.do(err)
	started, err := w.runs().Undo(w.Context(), directory.Caller{Subject: "boss"}, &w.conn, run.Run, runs.UndoRequest{})
	w.do(err)
	w.sync()
	if done, err := w.store.Runs.Run(w.Context(), started.ID); err == nil && done.State == directory.RunHeld {
		w.approve(started.ID)
	}
	w.pass(2 * time.Second)
	w.sync()
	done, err := w.store.Runs.Run(w.Context(), started.ID)
	w.do(err)
	left, _, err := w.runs().Left(w.Context(), started.ID, "")
	w.do(err)
	return done.Run, left
}

func (w *world) approve(id directory.RunID) {
	w.Helper()
	_, err := w.runs().Approve(w.Context(), directory.Caller{Subject: "boss"}, id, plan.Approval{All: true})
	w.do(err)
	w.sync()
}

// wants holds what somebody's account has, and that the record tells of no more than
// some problems.
func (w *world) wants(u directory.User, has string, codes ...string) {
	w.Helper()
	b := w.record(u)
	var got []string
	if b.Problem != nil {
		got = append(got, b.Problem.Code)
	}
	for _, f := range b.Findings {
		got = append(got, f.Code)
	}
	if h := w.has(u); h != has || !slices.Equal(got, codes) {
		w.Errorf("%s has %q, the record is %s with %v (%+v); want %q and %v", u.Email, h, b.Status, got, b.Problem, has, codes)
	}
}

// takes binds a user to an account that is there.
func (w *world) takes(u directory.User, id directory.AccountID, name string) {
	w.Helper()
	w.do(w.store.Bindings.Bind(w.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{User: &u, AccountID: id, UserPrincipalName: name}}))
}

// deactivate ends the connection's epoch.
func (w *world) deactivate() {
	w.Helper()
	_, _, err := w.store.Connections.DeactivateConnection(w.Context(), directory.AuditEvent{}, w.conn.ID)
	w.do(err)
}
