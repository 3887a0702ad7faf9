package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bindery/shared/core/quota"
	"bindery/shared/directory"
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
	// simInitial is the domain that Microsoft gives every tenant.
	simInitial = "corp.onmicrosoft.com"
)

// world is a directory, an engine and a simulated tenant.
type world struct {
	*testing.T
	sim    *entratest.Server
	table  *memory.Table
	store  *store.Store
	port   *port
	engine *Engine
	conn   directory.Connection
	wakes  []time.Duration
	skew   duration
	send   func() error // befalls the queue; nil: nothing
	made   *book
	key    directory.Secret // of temporary passwords
}

// newWorld makes a tenant with some accounts and an active connection to it.
func newWorld(t *testing.T, accounts ...map[string]any) *world {
	t.Helper()
	w := &world{T: t, table: memory.New()}
	var err error
	if w.sim, err = entratest.New(entratest.Options{BaseURL: simBase, Seed: 3, Now: w.now}); err != nil {
		t.Fatal(err)
	}
	w.table.Now = w.now
	_, err = w.sim.CreateTenant(entratest.TenantSpec{
		TenantID: simTenant, Name: "Corp", Accounts: accounts,
		Domains: []entratest.DomainSpec{{Name: simDomain, AuthenticationType: "Managed", IsDefault: true}},
		Admins:  []entratest.AdminSpec{{UserPrincipalName: "admin@" + simDomain, Roles: []string{"Global Administrator"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.sim.RegisterApp(entratest.App{ID: simApp, Secret: "s3cret", RedirectURIs: []string{simBack}, MultiTenant: true}); err != nil {
		t.Fatal(err)
	}
	w.made = &book{rt: w.sim.Transport(), passwords: map[string]string{}}
	w.port = &port{rt: w.made, base: simBase, token: signIn(t, w.sim)}
	w.store = store.New(w.table, store.Options{Now: w.now})
	w.engine = New(Config{
		Stores: StoresOf(w.store), Now: w.now, SecondLook: -1,
		Open: func(context.Context, *directory.Connection) (Tenant, error) { return w.port, nil },
		Send: func(_ context.Context, _ directory.WakeUp, d time.Duration) error {
			if w.send != nil {
				if err := w.send(); err != nil {
					return err
				}
			}
			w.wakes = append(w.wakes, d)
			return nil
		},
	})
	w.conn = directory.Connection{
		ID: directory.NewConnectionID(w.now()), Name: "Corp", Status: directory.StatusActive, Epoch: 1,
		Tenant: &directory.Tenant{ID: simTenant, Domains: []directory.Domain{
			{Name: simDomain, AuthenticationType: "Managed", IsDefault: true}, {Name: simInitial, AuthenticationType: "Managed", IsInitial: true}}},
		Settings: directory.Settings{Attributes: map[string]directory.AttributeRule{
			"department": {Export: true, Clear: true}, "jobTitle": {Export: true, Clear: true},
			"mobilePhone": {Export: true, Clear: true}, "extensionAttribute3": {Export: true, Clear: true, From: "badge"},
		}},
	}
	w.do(w.store.Connections.CreateConnection(t.Context(), directory.AuditEvent{}, &w.conn))
	t.Cleanup(w.noProtectedWrites)
	t.Cleanup(w.accountsCounted)
	return w
}

// flow has so many requests of so many changes go out at once.
func (w *world) flow(width, size int) {
	w.engine.config.flow = func(quota.Tenant, int) quota.Flow { return quota.Flow{Width: width, Size: size} }
}

// saveConn stores the connection as the test has made it.
func (w *world) saveConn() {
	w.Helper()
	var err error
	w.conn, err = w.store.Connections.ModifyConnection(w.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		*c = w.conn
		return nil
	})
	w.do(err)
}

// noProtectedWrites holds, after every test, that nothing was written to the
// Global Administrator, whatever the test did.
func (w *world) noProtectedWrites() {
	for _, m := range w.sim.Mutations(simTenant) {
		if strings.EqualFold(m.UPN, "admin@"+simDomain) && m.AppID != "" {
			w.Errorf("%s %s was sent to a protected account", m.Method, m.Path)
		}
	}
}

// accountsCounted holds, after every test, that the counter of bindings with an
// account is right.
func (w *world) accountsCounted() {
	ctx := context.Background()
	c, err := w.store.Connections.Connection(ctx, w.conn.ID)
	if err != nil {
		return // deleted by the test
	}
	n, cursor := 0, ""
	for {
		list, next, err := w.store.Bindings.ListBindings(ctx, directory.KindAccount, c.ID, c.Epoch, cursor, 0)
		if err != nil {
			w.Error(err)
			return
		}
		for i := range list {
			if list[i].AccountID != "" {
				n++
			}
			if has := list[i].AccountID != ""; has == list[i].AccountSince.IsZero() {
				w.Errorf("%s has account %q since %s", list[i].UserID, list[i].AccountID, list[i].AccountSince)
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if a, err := w.store.Counters.BoundAccounts(ctx, c.ID, c.Epoch); err != nil || a.N != n {
		w.Errorf("%d bindings have an account, the counter says %+v, %v", n, a, err)
	}
}

// duration is one that requests under way change and read at once.
type duration struct{ ns atomic.Int64 }

func (d *duration) Add(by time.Duration)  { d.ns.Add(int64(by)) }
func (d *duration) Load() time.Duration   { return time.Duration(d.ns.Load()) }
func (d *duration) Store(v time.Duration) { d.ns.Store(int64(v)) }

// deactivate lets the connection go, without the sweep; w.conn stays as it was.
func (w *world) deactivate() {
	w.Helper()
	_, _, err := w.store.Connections.DeactivateConnection(w.Context(), directory.AuditEvent{}, w.conn.ID)
	w.do(err)
}

// activate authorises a connection again that was let go.
func (w *world) activate() {
	w.Helper()
	var err error
	w.conn, err = w.store.Connections.ModifyConnection(w.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Status = directory.StatusActive
		return nil
	})
	w.do(err)
}

func (w *world) now() time.Time { return time.Now().Add(w.skew.Load()) }

// wantInSync holds that users are in sync.
func (w *world) wantInSync(users []directory.User) {
	w.Helper()
	for _, u := range users {
		if b := w.binding(u); b.Status != directory.BindingInSync {
			w.Errorf("%s is %s: %+v", u.Email, b.Status, b.Problem)
		}
	}
}

func (w *world) do(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// signIn goes through the simulator's pages and returns an access token.
func signIn(t *testing.T, sim *entratest.Server) string {
	t.Helper()
	app := browser.Client{Base: simBase, ID: simApp, Secret: "s3cret", RedirectURL: simBack}
	tok, err := app.Token(t.Context(), sim.Transport(), "admin@"+simDomain,
		"openid profile offline_access User.ReadWrite.All Organization.Read.All Domain.Read.All RoleManagement.Read.Directory")
	if err != nil {
		t.Fatal(err)
	}
	return tok.AccessToken
}

// user creates a user of the directory.
func (w *world) user(name string, edit ...func(*directory.User)) directory.User {
	w.Helper()
	u := directory.User{ID: directory.NewUserID(w.now()), Source: directory.SourceManual}
	u.Email, u.UserName, u.State = name+"@"+simDomain, name, directory.StateActive
	u.GivenName, u.FamilyName = strings.ToUpper(name[:1])+name[1:], "Example"
	for _, e := range edit {
		e(&u)
	}
	w.do(w.store.Users.CreateUsers(w.Context(), directory.AuditEvent{}, &u))
	return u
}

func (w *world) bind(users ...directory.User) {
	w.Helper()
	for i := range users {
		w.do(w.store.Bindings.Bind(w.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{User: &users[i]}}))
	}
}

// edit changes a user.
func (w *world) edit(u directory.User, change func(*directory.User)) directory.User {
	w.Helper()
	return w.editIn(w.store, u, change)
}

// editIn edits a user in a store of its own, which may have another clock.
func (w *world) editIn(s *store.Store, u directory.User, change func(*directory.User)) directory.User {
	w.Helper()
	old, err := s.Users.User(w.Context(), u.ID)
	w.do(err)
	next := old
	change(&next)
	_, err = s.Users.UpdateUser(w.Context(), directory.AuditEvent{}, &old, &next)
	w.do(err)
	return next
}

// sync runs slices until nothing is asked for any more.
func (w *world) sync() Summary {
	w.Helper()
	for range 50 {
		sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		w.do(err)
		if sum.Again < 0 {
			return sum
		}
		w.skew.Add(sum.Again)
	}
	w.Fatal("the engine does not come to rest")
	return Summary{}
}

func (w *world) binding(u directory.User) directory.Binding {
	w.Helper()
	b, err := w.store.Bindings.Binding(w.Context(), u.ID)
	w.do(err)
	return b
}

func (w *world) account(upn string) map[string]any {
	w.Helper()
	a, ok := w.sim.Account(simTenant, upn)
	if !ok {
		w.Fatalf("the tenant has no account %s", upn)
	}
	return a
}

func (w *world) lastRun() (directory.Run, []directory.Change) {
	w.Helper()
	list, _, err := w.store.Runs.ListRuns(w.Context(), w.conn.ID, "", 10)
	w.do(err)
	if len(list) == 0 {
		w.Fatal("there is no run")
	}
	// Of those of one millisecond the listing knows no order.
	slices.SortStableFunc(list, func(a, b store.RunRecord) int { return b.StartedAt.Compare(a.StartedAt) })
	changes, _, err := w.store.Runs.Changes(w.Context(), &list[0], "", 10000)
	w.do(err)
	return list[0].Run, changes
}

func effects(changes []directory.Change) string {
	var list []string
	for _, c := range changes {
		list = append(list, fmt.Sprintf("%s:%s", c.Effect, c.State))
	}
	return strings.Join(list, " ")
}
