package crashtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/entra/entratest/browser"
	"bindery/shared/store"
	"bindery/shared/table"
)

// Snapshot is a world that stands still. Worlds are opened from it that know
// nothing of each other.
type Snapshot struct {
	scenario  *Scenario
	items     []table.Item
	secrets   map[string]directory.Secret
	users     map[string]directory.UserID
	groups    map[string]directory.GroupID
	conn      directory.ConnectionID
	at        time.Time
	mutations int // of the simulator until then
}

// Prepare plays a scenario's past: a connection is authorised, users are bound
// to accounts, and all is in sync. The simulator's state is left in dir, which
// belongs to the snapshot: each world is opened with a copy of it.
func Prepare(ctx context.Context, scenario *Scenario, dir string) (_ *Snapshot, err error) {
	sim, err := entratest.New(entratest.Options{BaseURL: Base, Dir: dir, Seed: 1})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sim.Close()) }()
	w, err := newWorld(scenario, sim)
	if err != nil {
		return nil, err
	}
	rec := &recorder{Table: w.table, keys: map[table.Key]bool{}}
	w.store = store.New(rec, store.Options{})
	w.startOver(rec)
	if err := w.past(ctx); err != nil {
		return nil, err
	}
	s := &Snapshot{scenario: scenario, users: w.users, groups: w.groups, conn: w.conn, secrets: map[string]directory.Secret{}, at: time.Now(), mutations: len(sim.Mutations(simTenant))}
	if s.items, err = rec.all(ctx); err != nil {
		return nil, err
	}
	for _, name := range w.vault.Names() {
		if s.secrets[name], err = w.vault.Get(ctx, name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Open makes a world of the snapshot and of a copy of its folder, at its time.
func (s *Snapshot) Open(ctx context.Context, dir string, seed int64) (*World, error) {
	time.Sleep(time.Until(s.at))
	sim, err := entratest.New(entratest.Options{BaseURL: Base, Dir: dir, Seed: seed})
	if err != nil {
		return nil, err
	}
	w, err := newWorld(s.scenario, sim)
	if err != nil {
		return nil, errors.Join(err, sim.Close())
	}
	w.conn, w.users, w.groups = s.conn, s.users, maps.Clone(s.groups)
	for i := range s.items {
		if err := w.table.Write(ctx, table.Write{Put: &s.items[i]}); err != nil {
			return nil, errors.Join(err, sim.Close())
		}
	}
	for name, value := range s.secrets {
		if err := w.vault.Create(ctx, name, value); err != nil {
			return nil, errors.Join(err, sim.Close())
		}
	}
	w.audit.world = w
	w.start()
	return w, nil
}

// recorder remembers what was written in a table, which cannot be listed.
type recorder struct {
	table.Table
	mu   sync.Mutex
	keys map[table.Key]bool
}

func (r *recorder) Write(ctx context.Context, writes ...table.Write) error {
	r.mu.Lock()
	for i := range writes {
		r.keys[writes[i].Key()] = true
	}
	r.mu.Unlock()
	return r.Table.Write(ctx, writes...)
}

func (r *recorder) all(ctx context.Context) ([]table.Item, error) {
	var items []table.Item
	for key := range r.keys {
		item, err := r.Get(ctx, key)
		if errors.Is(err, table.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// past is what happened before the scenario begins.
func (w *World) past(ctx context.Context) error {
	spec := entratest.TenantSpec{
		TenantID: simTenant, Name: "Corp",
		Domains: []entratest.DomainSpec{{Name: simDomain, AuthenticationType: "Managed", IsDefault: true}},
		Admins:  []entratest.AdminSpec{{UserPrincipalName: "admin@" + simDomain, Roles: []string{"Global Administrator"}}},
	}
	for _, p := range w.scenario.people {
		if p.account != nil {
			spec.Accounts = append(spec.Accounts, p.existing())
		}
	}
	spec.Accounts = append(spec.Accounts, map[string]any{"userPrincipalName": "owner@" + simDomain, "displayName": "Owner", "mailNickname": "owner",
		"accountEnabled": true, "mail": "wanted@" + simDomain, "proxyAddresses": []any{"SMTP:wanted@" + simDomain}})
	if w.scenario.tenant != nil {
		w.scenario.tenant(&spec)
	}
	if _, err := w.Sim.CreateTenant(spec); err != nil {
		return err
	}
	if err := w.authorize(ctx); err != nil {
		return err
	}
	var bound []directory.UserID
	for i := range w.scenario.people {
		p := &w.scenario.people[i]
		u := p.user()
		if err := w.store.Users.CreateUsers(ctx, directory.AuditEvent{}, &u); err != nil {
			return err
		}
		if w.users[p.name] = u.ID; p.bound {
			bound = append(bound, u.ID)
		}
	}
	b, err := w.core.Bindings.Bind(ctx, admin, w.conn, bound)
	if err != nil || len(b.Refused) > 0 {
		return fmt.Errorf("bind: %v, %w", b.Refused, err)
	}
	if w.scenario.past != nil {
		if err := w.scenario.past(ctx, w); err != nil {
			return err
		}
	}
	if err := w.rest(ctx); err != nil {
		return err
	}
	// The access token dies, and what was written is no news any more.
	time.Sleep(3 * time.Hour)
	return nil
}

// authorize makes the connection and lets an admin of the tenant sign in.
func (w *World) authorize(ctx context.Context) error {
	by := directory.Caller{Subject: admin.Subject}
	c, address, err := w.core.Connect.Create(ctx, by, "Corp", "", w.scenario.settings)
	if err != nil {
		return err
	}
	status, page, err := browser.Open(browser.Serve(http.HandlerFunc(w.core.Connect.ServeSignIn))).SignIn(ctx, w.Sim.Transport(), address, "admin@"+simDomain)
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("the callback answered %d: %s, %w", status, page, err)
	}
	if c, err = w.store.Connections.Connection(ctx, c.ID); err != nil {
		return err
	}
	_, err = w.core.Connect.Confirm(ctx, directory.Caller{Subject: admin.Subject, Approve: true}, c.ID, simTenant, c.Waiting.AuthorizedBy.ObjectID)
	w.conn = c.ID
	return err
}

// Play runs the whole scenario in a world and returns the standing after each
// step. With wanted standings it waits for these.
func (w *World) play(ctx context.Context, wanted []string) ([]string, error) {
	var got []string
	for i, step := range w.scenario.steps {
		w.begun = append(w.begun, time.Now())
		if err := step.do(ctx, w); err != nil {
			return got, fmt.Errorf("step %q: %w", step.name, err)
		}
		err := w.rest(ctx)
		var now string
		if err == nil {
			now, err = w.standing(ctx)
		}
		if err == nil && wanted != nil && now != wanted[i] {
			now, err = w.await(ctx, wanted[i])
		}
		if err != nil {
			return got, fmt.Errorf("step %q: %w", step.name, err)
		}
		got = append(got, now)
	}
	return got, nil
}

// await takes turns until the world stands as wanted.
func (w *World) await(ctx context.Context, wanted string) (now string, err error) {
	err = w.until(ctx, func() (_ bool, err error) {
		now, err = w.standing(ctx)
		return now == wanted, err
	})
	if errors.Is(err, errRestless) {
		err = fmt.Errorf("%w; %s", err, difference(wanted, now))
	}
	return now, err
}

// Reference is how the scenario goes when nothing goes wrong.
type Reference struct {
	Calls     []Call
	Effects   map[directory.Effect]int // changes applied
	Approved  int                      // runs that were held, and decided by nobody but the scenario's admin
	standings []string
	journal   []string
}

// Count plays the scenario undisturbed.
func (s *Snapshot) Count(ctx context.Context, dir string) (_ *Reference, err error) {
	w, err := s.Open(ctx, dir, 2)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Sim.Close()) }()
	r := &Reference{}
	if r.standings, err = w.play(ctx, nil); err != nil {
		return nil, err
	}
	r.Calls, r.Approved = w.line.calls, w.approved
	j, err := w.readJournal(ctx)
	if err != nil {
		return nil, err
	}
	r.journal, r.Effects = j.applied(), j.effects()
	return r, w.verify(ctx, s, r)
}

// Try plays the scenario with one fault. It reports whether the fault came, and
// what is wrong at the end.
func (s *Snapshot) Try(ctx context.Context, dir string, r *Reference, f Fault) (struck bool, err error) {
	w, err := s.Open(ctx, dir, int64(100+f.Call))
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, w.Sim.Close()) }()
	w.line.fault = f
	if _, err = w.play(ctx, r.standings); err == nil {
		// Whatever still waits changes nothing any more.
		if err = w.rest(ctx); err == nil {
			err = w.verify(ctx, s, r)
		}
	}
	return w.line.struck, err
}
