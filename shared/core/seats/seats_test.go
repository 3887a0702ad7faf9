package seats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/testworld"
)

const (
	e3    directory.SKUID = "05e9a617-0261-4cee-bb44-138d3ef5d965"
	visio directory.SKUID = "c5928f49-12ba-48f7-ada3-0d743a3601d5"
	stale directory.SKUID = "00000000-0000-4000-8000-000000000009"
)

// tenant has products, and accounts in pages of Size.
type tenant struct {
	skus     []directory.LicenceSKU
	accounts []directory.AccountLicences
	size     int
	fail     error // of the next page
	failed   int
}

func (t *tenant) SKUs(context.Context) ([]directory.LicenceSKU, error) { return t.skus, nil }

func (t *tenant) ListLicences(_ context.Context, link string) (directory.LicencePage, error) {
	if t.fail != nil && link != "" {
		err := t.fail
		t.fail = nil
		t.failed++
		return directory.LicencePage{}, err
	}
	from := 0
	if link != "" {
		if _, err := fmt.Sscanf(link, "page-%d", &from); err != nil {
			return directory.LicencePage{}, directory.ErrForeignLink
		}
	}
	end := min(from+t.size, len(t.accounts))
	p := directory.LicencePage{Accounts: t.accounts[from:end]}
	if end < len(t.accounts) {
		p.Next = fmt.Sprintf("page-%d", end)
	}
	return p, nil
}

// account has products from sources: "" is itself, anything else a group.
func account(id string, enabled bool, states ...directory.LicenceState) directory.AccountLicences {
	return directory.AccountLicences{AccountID: directory.AccountID(id), Enabled: enabled, States: states}
}

func from(sku directory.SKUID, group string) directory.LicenceState {
	return directory.LicenceState{AssignedLicence: directory.AssignedLicence{SKU: sku}, AssignedByGroup: directory.TenantGroupID(group), State: "Active"}
}

type world struct {
	*testworld.World
	*Service
	tenant *tenant
	runner *jobs.Runner
	conn   directory.Connection
}

type noWaker struct{}

func (noWaker) WakeJob(context.Context, *directory.Job, time.Duration) error { return nil }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: testworld.New(t), tenant: &tenant{size: 2}}
	started := jobs.New(jobs.Config{Store: w.Store.Jobs, Wake: noWaker{}, Now: w.Now})
	w.Service = New(Config{Stores: StoresOf(w.Store), Jobs: started, Now: w.Now, Open: func(context.Context, *directory.Connection) (Tenant, error) { return w.tenant, nil }})
	w.runner = jobs.NewRunner(jobs.RunnerConfig{Store: w.Store.Jobs, Now: w.Now, Kinds: map[directory.JobKind]jobs.Kind{directory.JobLicences: w.Count}})
	w.conn = w.Connection("HQ", "corp.example")
	w.tenant.skus = []directory.LicenceSKU{
		{ID: visio, PartNumber: "VISIOCLIENT", Status: "Warning", AppliesTo: "User", Consumed: 2, Units: directory.LicenceUnits{Warning: 2}},
		{ID: e3, PartNumber: "SPE_E3", Status: "Enabled", AppliesTo: "User", Consumed: 4, Units: directory.LicenceUnits{Enabled: 10}},
	}
	return w
}

// licensed makes a user, bound to an account, with a record of licences that says what was
// given and, unless 0, the place in a line.
func (w *world) licensed(account string, place int, gave ...directory.SKUID) directory.UserID {
	w.Helper()
	ctx := w.Context()
	u := directory.User{ID: directory.NewUserID(w.Now()), Source: directory.SourceManual, Created: w.Now(), Updated: w.Now()}
	u.Email, u.DisplayName, u.State = account+"@corp.example", "Name "+account, directory.StateActive
	u.UserName = u.Email
	w.Must(w.Store.Users.CreateUsers(ctx, directory.AuditEvent{}, &u))
	w.Must(w.Store.Bindings.Bind(ctx, directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{User: &u, AccountID: directory.AccountID(account)}}))
	w.Must(w.Store.Bindings.BindMissing(ctx, &w.conn, "admin", []store.Selection{{Object: directory.LicenceOf(u.ID), Version: 1}}))
	w.journal(directory.LicenceOf(u.ID), func(b *directory.Binding) bool {
		b.Base, b.Problem = directory.Properties{"account": directory.StringValue(account)}, nil
		for _, sku := range gave {
			b.Base[directory.LicenceProperty(sku)] = directory.LicenceValue(nil)
		}
		if place != 0 {
			b.Problem = &directory.Problem{Code: directory.CodeWaitingForSeat, Property: directory.LicenceProperty(visio), Message: "waits", Place: place}
		}
		return true
	}, false)
	return u.ID
}

func (w *world) journal(ref directory.Ref, mutate func(*directory.Binding) bool, remove bool) {
	w.Helper()
	l, _, err := w.Store.Leases.AcquireLease(w.Context(), w.conn.ID, "worker", time.Minute)
	w.Must(err)
	w.Must(w.Store.Runs.Journal(w.Context(), &l, &w.conn, store.Journal{Bindings: []store.BindingChange{{Ref: ref, Mutate: mutate, Remove: remove}}}))
	w.Must(w.Store.Leases.BreakLease(w.Context(), w.conn.ID))
}

func (w *world) list() map[directory.SKUID]Product {
	w.Helper()
	l, err := w.List(w.Context(), w.conn.ID)
	w.Must(err)
	out := map[directory.SKUID]Product{}
	for _, p := range l.Products {
		out[p.SKU] = p
	}
	return out
}

func TestList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.licensed("ann", 0, e3)
	w.licensed("ben", 2, e3)
	w.licensed("cat", 1, stale)

	got := w.list()
	if p := got[e3]; p.Name != "Microsoft 365 E3" || p.Seats != (Seats{Enabled: 10, Used: 4, Free: 6}) || p.Given != 2 || p.Waiting.Users != 0 || p.Detail != "" || !p.Assignable || p.Counted != nil {
		t.Errorf("E3: %+v", p)
	}
	p := got[visio]
	if p.Name != "Visio Plan 2" || p.Seats.Free != 0 || !strings.Contains(p.Detail, "grace") || p.Waiting.Users != 2 || len(p.Waiting.Line) != 2 {
		t.Fatalf("Visio: %+v", p)
	}
	if l := p.Waiting.Line; l[0].Name != "Name cat" || l[0].Place != 1 || l[1].Name != "Name ben" {
		t.Errorf("the line: %+v", l)
	}
	if p := got[stale]; p.Status != "Gone" || p.Given != 1 || p.Detail == "" {
		t.Errorf("what the tenant has lost: %+v", p)
	}

	// The number follows the ledgers, whatever becomes of them.
	w.journal(directory.LicenceOf(ann), func(b *directory.Binding) bool {
		delete(b.Base, directory.LicenceProperty(e3))
		b.Base[directory.LicenceProperty(visio)] = directory.LicenceValue([]directory.ServicePlanID{"x"})
		return true
	}, false)
	if got := w.list(); got[e3].Given != 1 || got[visio].Given != 1 {
		t.Errorf("after a swap: %d and %d", got[e3].Given, got[visio].Given)
	}
	w.journal(directory.LicenceOf(ann), func(*directory.Binding) bool { return true }, true)
	if got := w.list(); got[e3].Given != 1 || got[visio].Given != 0 {
		t.Errorf("after the end of the record: %d and %d", got[e3].Given, got[visio].Given)
	}
	w.conn = w.Again(w.conn.ID)
	if got := w.list(); got[e3].Given != 0 || got[visio].Waiting.Users != 0 || len(got) != 2 {
		t.Errorf("in another epoch: %+v", got)
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.licensed("ann", 0, e3)
	w.licensed("ben", 0, e3)
	w.licensed("dan", 0)
	broken := from(e3, "")
	broken.State = "Error"
	w.tenant.accounts = []directory.AccountLicences{
		account("ann", true, from(e3, ""), from(e3, "group")), account("ben", false, from(e3, "")), account("cat", false, from(e3, "")),
		account("dan", true, from(e3, ""), from(visio, "group")), account("eve", true, broken), account("fay", true),
	}
	for name, fail := range map[string]error{"plain": nil, "a lost link": directory.ErrResync, "throttled": &directory.ThrottledError{RetryAfter: time.Second}} {
		w.tenant.fail = fail
		j, err := w.StartCount(t.Context(), directory.Caller{Subject: "admin"}, w.conn.ID)
		w.Must(err)
		w.finish(j.ID)
		got := w.list()
		if c := got[e3].Counted; c == nil || *c != (directory.LicenceTally{Ours: 2, Others: 2, Inherited: 1, OursDisabled: 1, AllDisabled: 2}) {
			t.Errorf("%s: E3: %+v", name, c)
		}
		if c := got[visio].Counted; c == nil || *c != (directory.LicenceTally{Inherited: 1}) {
			t.Errorf("%s: Visio: %+v", name, c)
		}
		l, err := w.List(t.Context(), w.conn.ID)
		if err != nil || l.Counted == nil || l.Counted.Accounts != 6 || l.Counted.AsOf.IsZero() {
			t.Errorf("%s: counted %+v, %v", name, l.Counted, err)
		}
		if fail != nil && w.tenant.failed == 0 {
			t.Errorf("%s: nothing failed", name)
		}
		w.tenant.failed = 0
	}
	w.conn = w.Again(w.conn.ID)
	if l, err := w.List(t.Context(), w.conn.ID); err != nil || l.Counted != nil {
		t.Errorf("a count of another epoch: %+v, %v", l.Counted, err)
	}
}

// finish works on a job until it has ended.
func (w *world) finish(id directory.JobID) {
	w.Helper()
	for range 20 {
		if _, delay, err := w.runner.Work(w.Context(), id, time.Time{}); err != nil {
			w.Fatal(err)
		} else if delay > 0 {
			w.Advance(delay)
		}
		j, err := w.Store.Jobs.Job(w.Context(), id)
		w.Must(err)
		switch j.State {
		case directory.JobDone:
			return
		case directory.JobFailed:
			w.Fatalf("the job failed: %+v", j.Error)
		}
	}
	w.Fatal("the job does not end")
}

func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.Store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Scopes = []string{"User.ReadWrite.All"}
		return nil
	})
	w.Must(err)
	_, listed := w.List(t.Context(), w.conn.ID)
	_, counted := w.StartCount(t.Context(), directory.Caller{Subject: "admin"}, w.conn.ID)
	for what, err := range map[string]error{"list": listed, "count": counted} {
		if r, is := errors.AsType[*directory.Refusal](err); !is || r.Code != "scope-missing" || !strings.Contains(r.Next, "Set licences") {
			t.Errorf("%s without the permission: %v", what, err)
		}
	}
}
