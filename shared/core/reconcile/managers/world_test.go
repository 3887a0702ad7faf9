package managers

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/reconcile"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/entra"
	"bindery/shared/entra/entratest"
	"bindery/shared/entra/entratest/browser"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

const (
	simBase   = "https://m365.example"
	simTenant = "22222222-aaaa-4bbb-8ccc-000000000001"
	simApp    = "11111111-aaaa-4bbb-8ccc-000000000001"
	simBack   = "https://bindery.example/oauth/callback"
	simDomain = "corp.example"
	simScopes = "openid profile offline_access User.ReadWrite.All Organization.Read.All Domain.Read.All RoleManagement.Read.Directory"
)

// world is a directory, the engine with managers, the adapter for Microsoft Graph and
// a simulated tenant.
type world struct {
	*testing.T
	sim    *entratest.Server
	table  *memory.Table
	store  *store.Store
	kind   *Kind
	engine *reconcile.Engine
	conn   directory.Connection
	line   *line
	theirs map[string]bool // what others did, as verifyJournal has it
	open   reconcile.Open
	skew   atomic.Int64
	send   func() error // befalls the queue; nil: nothing
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
	w := &world{T: t, table: memory.New(), theirs: map[string]bool{}}
	var err error
	w.sim, err = entratest.New(entratest.Options{BaseURL: simBase, Seed: 3, Now: w.now})
	w.do(err)
	_, err = w.sim.CreateTenant(entratest.TenantSpec{
		TenantID: simTenant, Name: "Corp",
		Domains: []entratest.DomainSpec{{Name: simDomain, AuthenticationType: "Managed", IsDefault: true}},
		Admins:  []entratest.AdminSpec{{UserPrincipalName: "admin@" + simDomain, Roles: []string{"Global Administrator"}}},
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
		Settings: directory.Settings{Manager: directory.ManagerSettings{Export: true}},
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
	w.kind = New(StoreOf(w.store))
	w.engine = reconcile.New(reconcile.Config{
		Stores: reconcile.StoresOf(w.store), Now: w.now, SecondLook: -1, Open: open, Kinds: []reconcile.Kind{w.kind}, Dependents: reconcile.EachDependents(w.kind.Dependents),
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

// user makes a user of the directory with a manager.
func (w *world) user(name string, manager directory.UserID) directory.User {
	w.Helper()
	u := directory.User{ID: directory.NewUserID(w.now()), Source: directory.SourceManual}
	u.Email, u.UserName, u.State, u.ManagerID = name+"@"+simDomain, name, directory.StateActive, manager
	u.GivenName, u.FamilyName, u.DisplayName = name, "Example", name
	w.do(w.store.Users.CreateUsers(w.Context(), directory.AuditEvent{}, &u))
	return u
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

func (w *world) settings(change func(*directory.Settings)) {
	w.Helper()
	c, err := w.store.Connections.ModifyConnection(w.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		change(&c.Settings)
		return nil
	})
	w.do(err)
	w.conn = c
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
	found, err := w.store.Bindings.BindingsOf(w.Context(), w.conn.ID, []directory.Ref{directory.ManagerOf(u.ID)})
	w.do(err)
	return found[directory.ManagerOf(u.ID)]
}

// managerOf is the name of the manager that somebody's account has in the tenant.
func (w *world) managerOf(u directory.User) string {
	w.Helper()
	a, there := w.sim.Account(simTenant, u.Email)
	if !there {
		return "no account"
	}
	id, _ := a["manager"].(string)
	if id == "" {
		return ""
	}
	boss, there := w.sim.Account(simTenant, id)
	if !there {
		return "somebody who is gone"
	}
	name, _, _ := strings.Cut(boss["userPrincipalName"].(string), "@")
	return name
}

// writes are the requests about managers that were sent, without reads.
func (w *world) writes() (list []string) {
	for _, r := range w.sim.Requests() {
		if strings.Contains(r.Path, "/manager") && r.Method != http.MethodGet {
			list = append(list, fmt.Sprintf("%s %d", r.Method, r.Status))
		}
	}
	return list
}

func (w *world) runs() *runs.Service {
	return runs.New(runs.Config{Stores: runs.StoresOf(w.store), Now: w.now, Wake: func(context.Context, directory.ConnectionID, time.Duration) error { return nil }})
}

// lastRun is the latest run with changes of managers, and these.
func (w *world) lastRun() (directory.Run, []directory.Change) {
	w.Helper()
	list, _, err := w.store.Runs.ListRuns(w.Context(), w.conn.ID, "", 50)
	w.do(err)
	slices.SortStableFunc(list, func(a, b store.RunRecord) int { return b.StartedAt.Compare(a.StartedAt) })
	for i := range list {
		changes, _, err := w.store.Runs.Changes(w.Context(), &list[i], "", 1000)
		w.do(err)
		changes = slices.DeleteFunc(changes, func(c directory.Change) bool { return c.Object.Kind != directory.KindManager })
		if len(changes) > 0 {
			return list[i].Run, changes
		}
	}
	w.Fatal("there is no run about managers")
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

// wants holds that somebody's manager is so in the tenant, and the record in sync with
// some findings.
func (w *world) wants(u directory.User, manager string, findings ...string) {
	w.Helper()
	b := w.record(u)
	var codes []string
	for _, f := range b.Findings {
		codes = append(codes, f.Code)
	}
	if b.Problem != nil {
		codes = append(codes, b.Problem.Code)
	}
	if got := w.managerOf(u); got != manager || !slices.Equal(codes, findings) {
		w.Errorf("the manager of %s is %q, the record is %s with %v (%+v); want %q and %v", u.Email, got, b.Status, codes, b.Problem, manager, findings)
	}
}
