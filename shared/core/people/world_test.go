package people

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/core/assign/assigntest"
	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table/memory"
	"bindery/shared/testworld"
)

// world is a directory over a table in memory, with a tenant that a test fills.
type world struct {
	*testworld.World
	*Users
	*Loads
	*Imports
	t        *testing.T
	table    *memory.Table
	store    *store.Store
	conn     directory.Connection
	tenant   *assigntest.Tenant
	tenants  *assigntest.Groups // groups of the tenant
	opened   assign.GroupTenant // what a connection to it opens
	managers managersOf
	files    jobs.Files
	pictures PhotoReader

	groups   *Groups
	photos   *Photos
	forms    *Forms
	accounts *assign.Candidates
	bindings *assign.Bindings
	moves    *assign.Moves
	started  *jobs.Service
	uploads  *jobs.Uploads
	runner   *jobs.Runner

	mu     sync.Mutex
	step   time.Duration
	woken  []directory.ConnectionID
	edited []directory.UserID // for whose edits
	down   error              // of each wake-up of a connection
	jobs   []directory.JobID
	runs   []assign.RunRequest
}

// Start records the runs that are asked for.
func (w *world) Start(_ context.Context, c *directory.Connection, req assign.RunRequest) (directory.Run, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs = append(w.runs, req)
	return directory.Run{ID: directory.NewRunID(w.Now()), ConnectionID: c.ID, DryRun: req.DryRun}, nil
}

// Wake records for which connections a wake-up is asked.
func (w *world) Wake(_ context.Context, id directory.ConnectionID, _ time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.woken = append(w.woken, id)
	return w.down
}

// WakeEdited records it as Wake does.
func (w *world) WakeEdited(ctx context.Context, id directory.ConnectionID, u directory.UserID) error {
	w.mu.Lock()
	w.edited = append(w.edited, u)
	w.mu.Unlock()
	return w.Wake(ctx, id, 0)
}

// WakeJob records for which jobs a wake-up is asked.
func (w *world) WakeJob(_ context.Context, j *directory.Job, _ time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jobs = append(w.jobs, j.ID)
	return nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	records := testworld.New(t)
	w := &world{World: records, t: t, table: records.Table, store: records.Store, tenant: &assigntest.Tenant{Size: 50}, tenants: &assigntest.Groups{Size: 50}, files: &fakeFiles{}}
	w.opened = w.tenants
	w.join()
	w.conn = w.Connection("HQ", "corp.example")
	return w
}

// now is the clock of the services: step passes at each look.
func (w *world) now() time.Time {
	w.Advance(w.step)
	return w.Now()
}

// join makes the services anew, over what the world has.
func (w *world) join() {
	w.started = jobs.New(jobs.Config{Store: w.store.Jobs, Wake: w, Now: w.now})
	w.uploads = jobs.NewUploads(jobs.UploadsConfig{Store: w.store.Jobs, Files: w.files, Jobs: w.started, Now: w.now})
	w.Users = NewUsers(UsersConfig{Stores: StoresOf(w.store), Wake: w, Now: w.now})
	w.groups = NewGroups(UsersConfig{Stores: StoresOf(w.store), Wake: w, Now: w.now})
	w.accounts = assign.NewCandidates(assign.CandidatesConfig{Stores: assign.StoresOf(w.store), Now: w.now,
		Open: func(context.Context, *directory.Connection) (assign.Tenant, error) { return w.tenant, nil }})
	w.bindings = assign.NewBindings(assign.BindingsConfig{Stores: assign.StoresOf(w.store), Runs: w, Jobs: w.started, Wake: w, Now: w.now})
	w.moves = assign.NewMoves(assign.MovesConfig{Stores: assign.StoresOf(w.store), Users: w.Users, Runs: w, Wake: w, Now: w.now})
	w.photos = NewPhotos(PhotosConfig{Stores: StoresOf(w.store), Users: w.Users, Jobs: w.started, Pause: -1, Now: w.now,
		Open: func(context.Context, *directory.Connection) (PhotoReader, error) { return w.pictures, nil }})
	w.Loads = NewLoads(LoadsConfig{Stores: StoresOf(w.store), Users: w.Users, Groups: w.groups, Jobs: w.started, Uploads: w.uploads, Sheets: sheets})
	w.Imports = NewImports(ImportsConfig{Stores: StoresOf(w.store), Users: w.Users, Groups: w.groups, Accounts: w.accounts, Bindings: w.bindings, Photos: w.photos, Jobs: w.started, Now: w.now,
		TenantGroups: assign.NewGroupCandidates(assign.GroupCandidatesConfig{Stores: assign.StoresOf(w.store),
			Open: func(context.Context, *directory.Connection) (assign.GroupTenant, error) { return w.opened, nil }}),
		Managers: func(context.Context, *directory.Connection) (ManagerReader, error) { return w.managers, nil }})
	w.forms = NewForms(FormsConfig{Stores: StoresOf(w.store), Jobs: w.started, Now: w.now})
	w.runner = jobs.NewRunner(jobs.RunnerConfig{Store: w.store.Jobs, Now: w.now, Kinds: map[directory.JobKind]jobs.Kind{
		directory.JobImport: w.Imports.Import, directory.JobImportGroups: w.Imports.ImportGroups, directory.JobBind: w.bindings.Bulk, directory.JobLoad: w.Loads.Load, directory.JobCheck: w.Loads.Load,
		directory.JobLoadGroups: w.Loads.Load, directory.JobCheckGroups: w.Loads.Load,
		directory.JobPhotos: w.photos.Read, directory.JobAddresses: w.forms.Renew,
	}})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
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

var (
	admin = directory.Caller{Subject: "admin"}
	ad    = directory.Caller{Subject: "bridge", Source: directory.SourceAD}
	scim  = directory.Caller{Subject: "hr", Source: directory.SourceSCIM}
)

// user creates a user of a JSON object.
func (w *world) user(body string, by directory.Caller) directory.User {
	w.t.Helper()
	u, err := w.Create(w.t.Context(), by, []byte(body))
	w.must(err)
	return u.User
}

// people creates n active users of corp.example.
func (w *world) people(n int) []directory.UserID {
	w.t.Helper()
	ids := make([]directory.UserID, n)
	for i := range n {
		ids[i] = w.user(fmt.Sprintf(`{"email":"p%d@corp.example","familyName":"P%d"}`, i, i), admin).ID
	}
	return ids
}

// all lists every living user.
func (w *world) all() []directory.User {
	w.t.Helper()
	var list []directory.User
	next := ""
	for {
		p, err := w.store.Users.ListUsers(w.t.Context(), next, 100, nil)
		w.must(err)
		list = append(list, p.Users...)
		if next = p.Next; next == "" {
			return list
		}
	}
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

// fieldsOf lists the members that a refusal names.
func fieldsOf(err error) string {
	r, ok := errors.AsType[*directory.Refusal](err)
	if !ok {
		return ""
	}
	var names []string
	for _, f := range r.Fields {
		names = append(names, f.Field)
	}
	return strings.Join(names, " ")
}
