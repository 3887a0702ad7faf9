package groups_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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

const (
	simBase   = "https://m365.example"
	simTenant = "22222222-aaaa-4bbb-8ccc-000000000001"
	simApp    = "11111111-aaaa-4bbb-8ccc-000000000001"
	simBack   = "https://bindery.example/oauth/callback"
	simDomain = "corp.example"
	adminUPN  = "admin@" + simDomain
)

// world is a directory, an engine with the kinds, the real adapter and a simulated
// tenant.
type world struct {
	*testing.T
	sim    *entratest.Server
	rt     http.RoundTripper // to the tenant; a test may put something between
	table  *memory.Table
	store  *store.Store
	config reconcile.Config
	engine *reconcile.Engine
	conn   directory.Connection
	send   func() error
	begun  time.Time
	// meddled says that a test has done between two requests what it wanted.
	meddled bool

	attribution func(group directory.TenantGroupID, members []directory.AccountID) map[directory.AccountID]directory.Actor

	mu      sync.Mutex
	skew    time.Duration
	exports map[directory.GroupID]groups.Export
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) { return w.rt.RoundTrip(r) }

// tokens is a TokenSource: who signs in anew when a token is refused.
type tokens struct {
	mu      sync.Mutex
	current string
	signIn  func(ctx context.Context) (string, error)
}

func (t *tokens) Token(context.Context) (directory.Secret, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return directory.NewSecret(t.current), nil
}

func (t *tokens) Renew(ctx context.Context, rejected directory.Secret) (directory.Secret, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if rejected.Reveal() != t.current {
		return directory.NewSecret(t.current), nil
	}
	var err error
	t.current, err = t.signIn(ctx)
	return directory.NewSecret(t.current), err
}

func newWorld(t *testing.T, spec ...func(*entratest.TenantSpec)) *world {
	t.Helper()
	w := &world{T: t, table: memory.New(), exports: map[directory.GroupID]groups.Export{}}
	w.table.Now = w.now
	var err error
	w.sim, err = entratest.New(entratest.Options{BaseURL: simBase, Seed: 3, Now: w.now})
	w.must(err)
	tenant := entratest.TenantSpec{
		TenantID: simTenant, Name: "Corp",
		Domains: []entratest.DomainSpec{{Name: simDomain, AuthenticationType: "Managed", IsDefault: true}},
		Admins:  []entratest.AdminSpec{{UserPrincipalName: adminUPN, Roles: []string{"Global Administrator"}}},
	}
	for _, s := range spec {
		s(&tenant)
	}
	_, err = w.sim.CreateTenant(tenant)
	w.must(err)
	w.must(w.sim.RegisterApp(entratest.App{ID: simApp, Secret: "s3cret", RedirectURIs: []string{simBack}, MultiTenant: true}))
	w.rt = w.sim.Transport()
	app := browser.Client{Base: simBase, ID: simApp, Secret: "s3cret", RedirectURL: simBack}
	source := &tokens{signIn: func(ctx context.Context) (string, error) {
		token, err := app.Token(ctx, w.sim.Transport(), adminUPN,
			"openid profile offline_access User.ReadWrite.All Group.ReadWrite.All Organization.Read.All Domain.Read.All RoleManagement.Read.Directory GroupMember.Read.All")
		return token.AccessToken, err
	}}
	_, err = source.Renew(t.Context(), directory.Secret{})
	w.must(err)
	graph, err := entra.New(entra.Config{BaseURL: simBase + "/v1.0", Transport: w, Now: w.now})
	w.must(err)
	api := graph.Tenant(source)
	w.config = reconcile.Config{
		Now: w.now, SecondLook: -1,
		Open: func(context.Context, *directory.Connection) (reconcile.Tenant, error) { return api, nil },
		Send: func(context.Context, directory.WakeUp, time.Duration) error {
			if w.send != nil {
				return w.send()
			}
			return nil
		},
	}
	w.renew()
	w.conn = directory.Connection{
		ID: directory.NewConnectionID(w.now()), Name: "Corp", Status: directory.StatusActive, Epoch: 1,
		Tenant: &directory.Tenant{ID: simTenant, Domains: []directory.Domain{{Name: simDomain, AuthenticationType: "Managed", IsDefault: true}}},
	}
	w.must(w.store.Connections.CreateConnection(t.Context(), directory.AuditEvent{}, &w.conn))
	return w
}

// renew makes store and engine anew, of table, queue and tenant.
func (w *world) renew() {
	w.store = store.New(w.table, store.Options{Now: w.now})
	c := groups.Of(w.store, w)
	if w.attribution != nil {
		c.Attribution = func(_ context.Context, _ *directory.Connection, group directory.TenantGroupID, members []directory.AccountID, _ time.Time) (map[directory.AccountID]directory.Actor, error) {
			return w.attribution(group, members), nil
		}
	}
	w.config.Stores, w.config.Kinds = reconcile.StoresOf(w.store), groups.Kinds(c)
	w.config.Dependents = groups.Dependents(c)
	w.engine = reconcile.New(w.config)
}

// Exports is the Source.
func (w *world) Exports(_ context.Context, _ *directory.Connection, ids []directory.GroupID) (map[directory.GroupID]groups.Export, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[directory.GroupID]groups.Export{}
	for _, id := range ids {
		if e, exported := w.exports[id]; exported {
			out[id] = e
		}
	}
	return out, nil
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.skew)
}

// wait lets time pass.
func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.skew += d
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// user makes a bound user of the directory.
func (w *world) user(name string) directory.User {
	w.Helper()
	u := directory.User{ID: directory.NewUserID(w.now()), Source: directory.SourceManual}
	u.Email, u.UserName, u.State, u.GivenName, u.FamilyName = name+"@"+simDomain, name, directory.StateActive, name, "Example"
	w.must(w.store.Users.CreateUsers(w.Context(), directory.AuditEvent{}, &u))
	return u
}

func (w *world) bind(users ...directory.User) {
	w.Helper()
	for i := range users {
		w.must(w.store.Bindings.Bind(w.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{User: &users[i]}}))
	}
}

// people makes and binds users.
func (w *world) people(n int) []directory.User {
	w.Helper()
	list := make([]directory.User, n)
	for i := range list {
		list[i] = w.user(fmt.Sprintf("user%03d", i))
	}
	w.bind(list...)
	return list
}

// export makes a group of the directory, and has it exported.
func (w *world) export(name string, edit ...func(*groups.Export)) directory.GroupID {
	w.Helper()
	g := &directory.Group{ID: directory.NewGroupID(w.now()), Version: 1}
	g.Name = name
	e := groups.Export{Group: g, Kind: directory.GroupSecurity, Expanded: true, By: []string{"admin"}}
	for _, change := range edit {
		change(&e)
	}
	w.set(g.ID, e)
	w.select_(directory.GroupRef(g.ID))
	return g.ID
}

func (w *world) set(id directory.GroupID, e groups.Export) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.exports[id] = e
}

// change edits how a group is exported, and asks for it to be looked at.
func (w *world) change(id directory.GroupID, edit func(*groups.Export)) {
	w.Helper()
	w.mu.Lock()
	e := w.exports[id]
	g := *e.Group
	e.Group = &g
	edit(&e)
	w.exports[id] = e
	w.mu.Unlock()
	w.mark(directory.GroupRef(id))
}

// mark has a record looked at.
func (w *world) mark(refs ...directory.Ref) {
	w.Helper()
	for _, ref := range refs {
		w.must(w.store.Marks.MarkWanted(w.Context(), &w.conn, ref, w.record(ref).Wanted+1, false))
	}
}

// select_ makes records, as the expansion of a use does.
func (w *world) select_(refs ...directory.Ref) {
	w.Helper()
	for part := range slices.Chunk(refs, 10) {
		var list []store.Selection
		for _, ref := range part {
			list = append(list, store.Selection{Object: ref, Version: 1})
		}
		w.must(w.store.Bindings.Bind(w.Context(), directory.AuditEvent{}, &w.conn, "admin", list))
	}
}

// add has users be members of a group.
func (w *world) add(g directory.GroupID, users ...directory.User) []directory.Ref {
	w.Helper()
	var refs []directory.Ref
	for _, u := range users {
		refs = append(refs, directory.MemberOf(g, u.ID))
	}
	w.select_(refs...)
	return refs
}

// release lets records go.
func (w *world) release(policy directory.ReleasePolicy, refs ...directory.Ref) {
	w.Helper()
	for _, ref := range refs {
		b := w.record(ref)
		b.Release, b.ReleasedBy = policy, "admin"
		w.must(w.store.Bindings.UpdateBinding(w.Context(), directory.AuditEvent{}, &b, true, false))
	}
}

// record is that of an object; the zero one when there is none.
func (w *world) record(ref directory.Ref) directory.Binding {
	w.Helper()
	found, err := w.store.Bindings.BindingsOf(w.Context(), w.conn.ID, []directory.Ref{ref})
	w.must(err)
	return found[ref]
}

// sync runs slices until nothing is asked for any more.
func (w *world) sync() {
	w.Helper()
	for range 60 {
		sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		w.must(err)
		if sum.Again < 0 {
			return
		}
		w.wait(sum.Again)
	}
	w.Fatal("the engine does not come to rest")
}

func (w *world) runs() *runs.Service {
	return runs.New(runs.Config{Stores: runs.StoresOf(w.store), Now: w.now, Wake: func(context.Context, directory.ConnectionID, time.Duration) error {
		if w.send != nil {
			return w.send()
		}
		return nil
	}})
}

// allRuns are the runs, the last first, with their changes.
func (w *world) allRuns() (list []store.RunRecord) {
	w.Helper()
	list, _, err := w.store.Runs.ListRuns(w.Context(), w.conn.ID, "", 100)
	w.must(err)
	slices.SortStableFunc(list, func(a, b store.RunRecord) int { return b.StartedAt.Compare(a.StartedAt) })
	return list
}

func (w *world) changes(r store.RunRecord) []directory.Change {
	w.Helper()
	changes, _, err := w.store.Runs.Changes(w.Context(), &r, "", 10000)
	w.must(err)
	return changes
}

func (w *world) lastRun() (directory.Run, []directory.Change) {
	w.Helper()
	list := w.allRuns()
	if len(list) == 0 {
		w.Fatal("there is no run")
	}
	return list[0].Run, w.changes(list[0])
}

// approve lets a held run go on.
func (w *world) approve(id directory.RunID) {
	w.Helper()
	_, err := w.runs().Approve(w.Context(), directory.Caller{Subject: "boss"}, id, plan.Approval{All: true})
	w.must(err)
	w.sync()
}

// undo takes a run back.
func (w *world) undo(of directory.RunID) directory.Run {
	w.Helper()
	run, err := w.store.Runs.Run(w.Context(), of)
	w.must(err)
	started, err := w.runs().Undo(w.Context(), directory.Caller{}, &w.conn, run.Run, runs.UndoRequest{})
	w.must(err)
	w.sync()
	if r, err := w.store.Runs.Run(w.Context(), started.ID); err == nil && r.State == directory.RunHeld {
		w.approve(started.ID)
	}
	w.wait(2 * time.Second)
	w.sync()
	done, err := w.store.Runs.Run(w.Context(), started.ID)
	w.must(err)
	return done.Run
}

// effects counts changes by effect and state.
func effects(changes []directory.Change) string {
	n := map[string]int{}
	for _, c := range changes {
		n[fmt.Sprintf("%s:%s", c.Effect, c.State)]++
	}
	var list []string
	for _, k := range slices.Sorted(maps.Keys(n)) {
		list = append(list, fmt.Sprintf("%d %s", n[k], k))
	}
	return strings.Join(list, ", ")
}

// members are the names of a tenant group's members.
func (w *world) members(id directory.AccountID) []string {
	w.Helper()
	var list []string
	for _, a := range w.roll(id) {
		account, there := w.sim.Account(simTenant, a)
		if !there {
			list = append(list, a)
			continue
		}
		name, _, _ := strings.Cut(fmt.Sprint(account["userPrincipalName"]), "@")
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// roll are the IDs of a tenant group's members.
func (w *world) roll(id directory.AccountID) []string {
	w.Helper()
	g, there := w.sim.Group(simTenant, string(id))
	if !there {
		w.Fatalf("the tenant has no group %s", id)
	}
	list, _ := g["members"].([]string)
	return list
}

// problems tells of the changes that have one.
func problems(changes []directory.Change) string {
	text := ""
	for _, c := range changes {
		if c.Error != nil {
			text += fmt.Sprintf("\n%s %s: %s %s %s %d (%s)", c.Effect, c.UserPrincipalName, c.State, c.Error.Code, c.Error.Message, c.Error.MicrosoftStatus, c.Error.MicrosoftMessage)
		}
	}
	return text
}

// between lets a test do something before a request.
type between struct {
	rt http.RoundTripper
	do func(path, body string)
}

func (b between) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		b.do(r.URL.Path, string(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return b.rt.RoundTrip(r)
}
