package assign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"bindery/shared/core/assign/assigntest"
	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/testworld"
)

// world is a directory over a table in memory, with a tenant that a test fills.
type world struct {
	*testworld.World
	*Bindings
	*Moves
	t        *testing.T
	store    *store.Store
	conn     directory.Connection
	tenant   *assigntest.Tenant
	accounts *Candidates
	started  *jobs.Service
	runner   *jobs.Runner

	mu        sync.Mutex
	runsAsked []RunRequest
}

// Start records the runs that are asked for.
func (w *world) Start(_ context.Context, c *directory.Connection, req RunRequest) (directory.Run, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runsAsked = append(w.runsAsked, req)
	return directory.Run{ID: directory.NewRunID(w.Now()), ConnectionID: c.ID, DryRun: req.DryRun}, nil
}

// noWaker loses every wake-up.
type noWaker struct{}

func (noWaker) Wake(context.Context, directory.ConnectionID, time.Duration) error { return nil }

func (noWaker) WakeJob(context.Context, *directory.Job, time.Duration) error {
	return nil
}

// fakeUsers edit addresses as they are asked to.
type fakeUsers struct{ store *store.Store }

func (f fakeUsers) Get(ctx context.Context, id directory.UserID) (directory.User, error) {
	return f.store.Users.User(ctx, id)
}

func (fakeUsers) ChangeAddress(u *directory.User, email string, _ directory.Caller) error {
	u.Email = email
	return nil
}

func (fakeUsers) Taken(_ context.Context, err error) error { return err }

func newWorld(t *testing.T) *world {
	t.Helper()
	records := testworld.New(t)
	w := &world{World: records, t: t, store: records.Store, tenant: &assigntest.Tenant{Size: 50}}
	w.accounts = w.candidates()
	w.started = jobs.New(jobs.Config{Store: w.store.Jobs, Wake: noWaker{}, Now: w.Now})
	w.Bindings = NewBindings(BindingsConfig{Stores: StoresOf(w.store), Runs: w, Jobs: w.started, Wake: noWaker{}, Now: w.Now})
	w.Moves = NewMoves(MovesConfig{Stores: StoresOf(w.store), Users: fakeUsers{w.store}, Runs: w, Wake: noWaker{}, Now: w.Now})
	w.runner = jobs.NewRunner(jobs.RunnerConfig{Store: w.store.Jobs, Now: w.Now, Kinds: map[directory.JobKind]jobs.Kind{directory.JobBind: w.Bulk}})
	w.conn = w.Connection("HQ", "corp.example")
	return w
}

// candidates are those of a fresh process.
func (w *world) candidates() *Candidates {
	return NewCandidates(CandidatesConfig{Stores: StoresOf(w.store), Now: w.Now,
		Open: func(context.Context, *directory.Connection) (Tenant, error) { return w.tenant, nil }})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// zoo fills the tenant with one account of every kind.
func (w *world) zoo() {
	tenant, settings := assigntest.Zoo()
	w.tenant = tenant
	w.settings(settings)
}

// settings changes the connection's settings.
func (w *world) settings(change func(*directory.Settings)) {
	w.t.Helper()
	w.conn = w.Settings(w.conn.ID, change)
}

// again deactivates the connection and makes it active anew.
func (w *world) again() {
	w.t.Helper()
	w.conn = w.Again(w.conn.ID)
}

var admin = directory.Caller{Subject: "admin"}

// user creates a user with the profile of a JSON object.
func (w *world) user(profile string) directory.User {
	w.t.Helper()
	u := directory.User{ID: directory.NewUserID(w.Now()), Source: directory.SourceManual, Created: w.Now(), Updated: w.Now()}
	u.State = directory.StateActive
	w.must(json.Unmarshal([]byte(profile), &u.Profile))
	u.UserName = u.Email
	w.must(w.store.Users.CreateUsers(w.t.Context(), directory.AuditEvent{}, &u))
	return u
}

// edit changes a user, whoever else does so at once.
func (w *world) edit(id directory.UserID, change func(*directory.User)) error {
	for {
		old, err := w.store.Users.User(w.t.Context(), id)
		if err != nil {
			return err
		}
		u := old
		change(&u)
		if _, err = w.store.Users.UpdateUser(w.t.Context(), directory.AuditEvent{}, &old, &u); !errors.Is(err, directory.ErrStale) {
			return err
		}
	}
}

// remove deletes a user.
func (w *world) remove(id directory.UserID) {
	w.t.Helper()
	now := w.Now()
	w.must(w.edit(id, func(u *directory.User) { u.Deleted = &now }))
}

// people creates n active users of corp.example.
func (w *world) people(n int) []directory.UserID {
	w.t.Helper()
	ids := make([]directory.UserID, n)
	for i := range n {
		ids[i] = w.user(fmt.Sprintf(`{"email":"p%d@corp.example","familyName":"P%d"}`, i, i)).ID
	}
	return ids
}

// run works on a job until it wants no more slices.
func (w *world) run(id directory.JobID) store.JobRecord {
	w.t.Helper()
	for range 2000 {
		again, delay, err := w.runner.Work(w.t.Context(), id, w.Now().Add(time.Minute))
		w.must(err)
		w.Advance(delay)
		if !again {
			j, err := w.store.Jobs.Job(w.t.Context(), id)
			w.must(err)
			return j
		}
	}
	w.t.Fatal("the job does not end")
	return store.JobRecord{}
}

// refusals lists all that a job refused.
func (w *world) refusals(id directory.JobID) []directory.RefusedItem {
	w.t.Helper()
	var list []directory.RefusedItem
	next := ""
	for {
		p, err := w.started.Get(w.t.Context(), id, next)
		w.must(err)
		list = append(list, p.Refused...)
		if next = p.Next; next == "" {
			return list
		}
	}
}

func codes(items []directory.RefusedItem) map[string]int {
	m := map[string]int{}
	for _, r := range items {
		m[r.Code]++
	}
	return m
}

// codeOf is the code of a refusal, or the error's text.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	if r, ok := errors.AsType[*directory.Refusal](err); ok {
		return r.Code
	}
	return err.Error()
}

// selects has the connection bind the members of a group.
func (w *world) selects(g directory.GroupID) {
	w.t.Helper()
	group := directory.Group{ID: g, GroupProfile: directory.GroupProfile{Name: "Sales"}, Source: directory.SourceManual, Version: 1}
	w.must(w.store.Groups.CreateGroups(w.t.Context(), directory.AuditEvent{}, &group))
	use := directory.GroupUse{ConnectionID: w.conn.ID, GroupID: g, Epoch: w.conn.Epoch}
	use.Set(directory.UseRules{Select: &directory.SelectRule{}})
	w.must(w.store.Uses.PutUse(w.t.Context(), directory.AuditEvent{}, &w.conn, &group, &use))
}
