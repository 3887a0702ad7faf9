package roster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// world is a directory over a table in memory, with a tenant that a test fills.
type world struct {
	*Service
	t      *testing.T
	table  *memory.Table
	store  *store.Store
	conn   directory.Connection
	tenant *fakeTenant

	mu    sync.Mutex
	at    time.Time
	woken []directory.ConnectionID
	jobs  []directory.JobID
	runs  []RunRequest
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, table: memory.New(), tenant: &fakeTenant{size: 50}, at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	w.table.Now = w.clock
	w.store = store.New(w.table, store.Options{Now: w.clock})
	w.Service = &Service{
		Store: w.store, OpenSheet: sheets, Now: w.clock, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Open: func(context.Context, *directory.Connection) (Tenant, error) { return w.tenant, nil },
		StartRun: func(_ context.Context, c *directory.Connection, req RunRequest) (directory.Run, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.runs = append(w.runs, req)
			return directory.Run{ID: directory.NewRunID(w.at), ConnectionID: c.ID, DryRun: req.DryRun}, nil
		},
		Wake: func(_ context.Context, id directory.ConnectionID) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.woken = append(w.woken, id)
			return nil
		},
		WakeJob: func(_ context.Context, _ directory.ConnectionID, id directory.JobID) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.jobs = append(w.jobs, id)
			return nil
		},
	}
	w.conn = w.connection("HQ", "corp.example")
	return w
}

func (w *world) connection(name string, domains ...string) directory.Connection {
	w.t.Helper()
	c := directory.Connection{
		ID: directory.NewConnectionID(w.clock()), Name: name, Status: directory.StatusActive, Epoch: 1,
		Tenant:  &directory.Tenant{ID: directory.TenantID("tenant-" + name)},
		Created: w.clock(), Updated: w.clock(),
	}
	for _, d := range domains {
		c.Tenant.Domains = append(c.Tenant.Domains, directory.Domain{Name: d, AuthenticationType: "Managed"})
	}
	w.must(w.store.CreateConnection(w.t.Context(), directory.Act{}, &c))
	return c
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
	c, err := w.store.ModifyConnection(w.t.Context(), directory.Act{}, w.conn.ID, func(c *directory.Connection) error {
		change(&c.Settings)
		return nil
	})
	w.must(err)
	w.conn = c
}

// again deactivates the connection and makes it active anew.
func (w *world) again() {
	w.t.Helper()
	_, _, err := w.store.DeactivateConnection(w.t.Context(), directory.Act{}, w.conn.ID)
	w.must(err)
	w.conn, err = w.store.ModifyConnection(w.t.Context(), directory.Act{}, w.conn.ID, func(c *directory.Connection) error {
		c.Status = directory.StatusActive
		return nil
	})
	w.must(err)
}

var (
	admin = Caller{Subject: "admin"}
	ad    = Caller{Subject: "bridge", Source: directory.SourceAD}
	scim  = Caller{Subject: "hr", Source: directory.SourceSCIM}
)

// user creates a user of a JSON object.
func (w *world) user(body string, by Caller) directory.User {
	w.t.Helper()
	u, err := w.Create(w.t.Context(), []byte(body), by)
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
		p, err := w.store.ListUsers(w.t.Context(), next, 100, nil)
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
		again, delay, err := w.Work(w.t.Context(), id, w.clock().Add(time.Minute))
		w.must(err)
		w.pass(delay)
		if !again {
			j, err := w.store.Job(w.t.Context(), id)
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
		p, err := w.Job(w.t.Context(), id, next)
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

// fakeTenant lists accounts in pages of size.
type fakeTenant struct {
	mu       sync.Mutex
	accounts []directory.Account
	holders  []directory.AccountID
	size     int
	lists    int
	fail     func(call int) error // of List and Lookup
	// onward, when set, may give the page that was read from a link another link
	// onward, by the number of the call.
	onward func(link, next string, call int) string
}

func account(id, upn string, more ...string) directory.Account {
	a := directory.Account{ID: directory.AccountID(id), UserType: "Member", Properties: directory.Properties{
		directory.PropUserPrincipalName: directory.StringValue(upn), directory.PropMail: directory.StringValue(upn),
		directory.PropDisplayName: directory.StringValue("Name " + id), directory.PropGivenName: directory.StringValue("Given"),
		directory.PropSurname: directory.StringValue("Sur" + id), directory.PropAccountEnabled: directory.BoolValue(true),
	}}
	for i := 0; i+1 < len(more); i += 2 {
		a.Properties[more[i]] = directory.StringValue(more[i+1])
	}
	return a
}

func (f *fakeTenant) call() error {
	f.mu.Lock()
	f.lists++
	n, fail := f.lists, f.fail
	f.mu.Unlock()
	if fail == nil {
		return nil
	}
	return fail(n)
}

func (f *fakeTenant) List(_ context.Context, _ []string, link string) (directory.AccountPage, error) {
	if err := f.call(); err != nil {
		return directory.AccountPage{}, err
	}
	from := 0
	if link != "" {
		if _, err := fmt.Sscanf(link, "https://graph.example/v1.0/users?$skiptoken=%d", &from); err != nil {
			return directory.AccountPage{}, directory.ErrForeignLink
		}
	}
	end := min(from+f.size, len(f.accounts))
	p := directory.AccountPage{Accounts: slices.Clone(f.accounts[from:end])}
	if end < len(f.accounts) {
		p.Next = fmt.Sprintf("https://graph.example/v1.0/users?$skiptoken=%d", end)
	}
	if f.onward != nil {
		p.Next = f.onward(link, p.Next, f.lists)
	}
	return p, nil
}

func (f *fakeTenant) Lookup(_ context.Context, refs []string, _ []string) ([]directory.Found, error) {
	if err := f.call(); err != nil {
		return nil, err
	}
	out := make([]directory.Found, len(refs))
	for i, ref := range refs {
		for _, a := range f.accounts {
			if string(a.ID) == ref {
				out[i].Account = &a
			}
		}
	}
	return out, nil
}

func (f *fakeTenant) RoleHolders(context.Context) (directory.Privileged, error) {
	return directory.Privileged{Holders: f.holders}, nil
}
