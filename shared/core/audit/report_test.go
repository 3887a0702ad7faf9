package audit

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/platform/heads"
	"bindery/shared/platform/signer"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/memory"
	"bindery/shared/testworld"
)

// world is a directory with one connection, and its lease.
type world struct {
	*testworld.World
	store *store.Store
	table *memory.Table
	conn  directory.Connection
	lease store.Lease
	keep  *heads.Memory // outside of the table
	keys  sync.Map      // of all items that were ever written
}

func newWorld(t *testing.T) *world {
	t.Helper()
	records := testworld.New(t)
	w := &world{World: records, store: records.Store, table: records.Table, keep: &heads.Memory{}}
	w.table.After = func(_ context.Context, call memory.Call) error {
		for _, w2 := range call.Writes {
			w.keys.Store(w2.Key(), true)
		}
		return nil
	}
	w.store = w.Seal(signer.NewSessions(testSeal{"k"}))
	w.conn = w.connect("HQ", "tenant-1")
	w.hold()
	return w
}

// sealed is a store of a process of its own over another table.
func (w *world) sealed(t store.Table) *store.Store {
	return store.New(t, store.Options{Now: w.Now, Sealer: signer.NewSessions(testSeal{"k"})})
}

// items are all items of the table.
func (w *world) items() []table.Item {
	w.Helper()
	var list []table.Item
	w.keys.Range(func(key, _ any) bool {
		it, err := w.table.Get(w.Context(), key.(table.Key))
		if !errors.Is(err, table.ErrNotFound) {
			w.must(err)
			list = append(list, it)
		}
		return true
	})
	return list
}

func (w *world) must(err error) {
	w.Helper()
	w.Must(err)
}

func (w *world) connect(name, tenant string) directory.Connection {
	w.Helper()
	return w.Connected(directory.Connection{
		Name: name, Tenant: &directory.Tenant{ID: directory.TenantID(tenant), Domains: []directory.Domain{{Name: tenant + ".example"}}},
		AuthorizedBy: &directory.Administrator{ObjectID: "admin-oid", UserPrincipalName: "ada@" + tenant + ".example"},
	})
}

// hold takes the lease of the connection anew.
func (w *world) hold() {
	w.Helper()
	w.must(w.store.Leases.BreakLease(w.Context(), w.conn.ID))
	var err error
	w.lease, w.conn, err = w.store.Leases.AcquireLease(w.Context(), w.conn.ID, "test", time.Hour)
	w.must(err)
}

// edit is a change for a run of a test.
func edit(user, account, property, before, after string) directory.Change {
	return directory.Change{
		UserID: directory.UserID(user), AccountID: directory.AccountID(account), UserPrincipalName: user + "@corp.example", Effect: directory.EffectUpdate,
		Properties: []directory.PropertyChange{{Name: property, Before: directory.StringValue(before), After: directory.StringValue(after)}}, Reason: "the directory says so",
	}
}

// run records a run with the changes, applies them in batches of batch, and
// ends it.
func (w *world) run(batch int, changes ...directory.Change) store.RunRecord {
	w.Helper()
	r := w.begin(changes...)
	w.apply(&r, 0, 0, batch, changes)
	w.end(&r, directory.RunDone)
	return r
}

func (w *world) begin(changes ...directory.Change) store.RunRecord {
	w.Helper()
	return w.beginWith(nil, changes...)
}

// beginWith is begin of a run that asked completes.
func (w *world) beginWith(asked func(*store.RunRecord), changes ...directory.Change) store.RunRecord {
	w.Helper()
	var r store.RunRecord
	r.ID, r.ConnectionID, r.Epoch = directory.NewRunID(w.Now()), w.conn.ID, w.conn.Epoch
	r.Kind, r.State, r.StartedAt, r.Trigger = directory.KindSync, directory.RunPlanning, w.Now().UTC(), directory.TriggerEdit
	r.Counts = map[directory.Effect]int{}
	if asked != nil {
		asked(&r)
	}
	w.must(w.store.Runs.CreateRun(w.Context(), directory.AuditEvent{}, &r))
	w.must(w.store.Runs.AppendChunk(w.Context(), &w.lease, &r, changes))
	return r
}

// apply journals the changes from the first on, batch by batch.
func (w *world) apply(r *store.RunRecord, chunk, first, batch int, changes []directory.Change) {
	w.Helper()
	for seq, at := first/batch, first; at < len(changes); seq, at = seq+1, at+batch {
		j := store.Journal{Run: r, Chunk: chunk, Seq: seq}
		for i := at; i < min(at+batch, len(changes)); i++ {
			j.Results = append(j.Results, store.Result{Index: i, State: directory.ChangeApplied, RequestID: fmt.Sprintf("req-%d", i), At: w.Now().UTC()})
			j.Refs = append(j.Refs, changes[i].Ref())
		}
		w.must(w.store.Runs.Journal(w.Context(), &w.lease, &w.conn, j))
		w.Advance(time.Second)
	}
}

func (w *world) end(r *store.RunRecord, state directory.RunState) {
	w.Helper()
	fresh, err := w.store.Runs.Run(w.Context(), r.ID)
	w.must(err)
	*r = fresh
	r.State, r.EndedAt = state, w.Now().UTC()
	w.must(w.store.Runs.SaveRun(w.Context(), &w.lease, r))
}

func edits(n int, user func(i int) string) []directory.Change {
	list := make([]directory.Change, n)
	for i := range list {
		list[i] = edit(user(i), fmt.Sprintf("acc-%d", i), "department", "old", fmt.Sprintf("new %d", i))
	}
	return list
}

// all reads a list to its end in pages.
func (w *world) all(r *Report, q Query, limit int) []Entry {
	w.Helper()
	var list []Entry
	for next := ""; ; {
		page, more, err := r.List(w.Context(), q, next, limit)
		w.must(err)
		if len(page) > limit {
			w.Fatalf("a page of %d entries, asked for %d", len(page), limit)
		}
		list = append(list, page...)
		if next = more; next == "" {
			return list
		}
	}
}

func TestListIsCompleteAndNewestFirstWhateverThePageSize(t *testing.T) {
	w := newWorld(t)
	report := &Report{Stores: ReportStoresOf(w.store)}
	user := func(i int) string { return fmt.Sprintf("usr_%02d", i%7) }
	first := w.run(20, edits(50, user)...)
	w.Advance(time.Hour)
	w.must(w.store.Audit.RecordAuditEvent(w.Context(), directory.AuditEvent{Kind: "bind", By: "eve", ConnectionID: w.conn.ID, UserIDs: []directory.UserID{"usr_01", "usr_02"}}))
	w.Advance(time.Hour)
	second := w.run(20, edits(5, user)...)
	other := w.connect("Other", "tenant-2")
	w.must(w.store.Audit.RecordAuditEvent(w.Context(), directory.AuditEvent{Kind: "sign-in", By: "bob", ConnectionID: other.ID}))
	for _, limit := range []int{1, 3, 20, 21, 500} {
		for _, c := range []struct {
			what string
			q    Query
			want int
		}{
			{"everything", Query{}, 50 + 2 + 5 + 1},
			{"of the connection", Query{ConnectionID: w.conn.ID}, 50 + 2 + 5},
			{"of the other connection", Query{ConnectionID: other.ID}, 1},
			{"of a user", Query{UserID: "usr_01"}, 7 + 1 + 1},
			{"of a user and a connection", Query{UserID: "usr_01", ConnectionID: other.ID}, 0},
			{"of a run", Query{RunID: first.ID}, 50},
			{"of the later run", Query{RunID: second.ID}, 5},
			{"of an effect", Query{Effect: "update"}, 55},
			{"of a kind", Query{Effect: "bind"}, 2},
			{"since", Query{ConnectionID: w.conn.ID, Since: second.StartedAt}, 5},
			{"until", Query{ConnectionID: w.conn.ID, Until: second.StartedAt}, 52},
		} {
			list := w.all(report, c.q, limit)
			if len(list) != c.want {
				t.Errorf("%s by %d = %d entries, want %d", c.what, limit, len(list), c.want)
			}
			seen := map[string]bool{}
			for i, e := range list {
				if seen[e.ID] {
					t.Errorf("%s by %d: %s comes twice", c.what, limit, e.ID)
				}
				seen[e.ID] = true
				if i > 0 && e.At.After(list[i-1].At) {
					t.Errorf("%s by %d: %s is newer than the one before", c.what, limit, e.ID)
				}
			}
		}
	}
}

func TestEntrySaysWhatWasDone(t *testing.T) {
	w := newWorld(t)
	report := &Report{Stores: ReportStoresOf(w.store)}
	r := w.begin(edit("usr_ann", "acc-ann", "jobTitle", "Clerk", "Chief"))
	r.State, r.ApprovedBy = directory.RunApplying, "boss"
	w.must(w.store.Runs.SaveRun(w.Context(), &w.lease, &r))
	w.apply(&r, 0, 0, 20, []directory.Change{edit("usr_ann", "acc-ann", "jobTitle", "Clerk", "Chief")})
	got := w.all(report, Query{UserID: "usr_ann"}, 10)
	if len(got) != 1 {
		t.Fatalf("entries = %d, want 1", len(got))
	}
	e := got[0]
	if e.Kind != KindChange || e.RunID != r.ID || e.ApprovedBy != "boss" || e.AccountID != "acc-ann" || e.RequestID != "req-0" || e.State != directory.ChangeApplied ||
		len(e.Properties) != 1 || e.Properties[0].Before.String() != "Clerk" || e.Properties[0].After.String() != "Chief" || e.Trigger != directory.TriggerEdit {
		t.Errorf("entry = %s", e.line())
	}
	var back Entry
	if err := json.Unmarshal(e.line(), &back); err != nil || string(back.line()) != string(e.line()) {
		t.Errorf("an entry read back is %s, %v; want %s", back.line(), err, e.line())
	}
}

func TestListRefusesWhatCannotBe(t *testing.T) {
	w := newWorld(t)
	report := &Report{Stores: ReportStoresOf(w.store)}
	for _, cursor := range []string{"x", "1", "-1~a", "~a", "1~"} {
		if _, _, err := report.List(w.Context(), Query{}, cursor, 5); err == nil {
			t.Errorf("List(next %q) = nil error", cursor)
		}
	}
	now := w.Now()
	if _, _, err := report.List(w.Context(), Query{Since: now, Until: now}, "", 5); err == nil {
		t.Error("List(since = until) = nil error")
	}
	if _, _, err := report.List(w.Context(), Query{RunID: "run_none"}, "", 5); err == nil {
		t.Error("List(of no run) = nil error")
	}
}

func TestCSVIsHarmless(t *testing.T) {
	list := []Entry{
		{ID: "1", Kind: KindChange, Properties: []directory.PropertyChange{
			{Name: "displayName", Before: directory.StringValue("=HYPERLINK(\"http://x\")"), After: directory.StringValue("-1")},
			{Name: "otherMails", After: directory.ListValue("a@b.example", "c@d.example")}}},
		{ID: "2", Kind: "bind", Reason: "said \"so\",\nand so"},
	}
	rows, err := csv.NewReader(strings.NewReader(string(CSV(list)))).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("CSV = %q, %v", rows, err)
	}
	column := func(row int, name string) string { return rows[row][slices.Index(columns, name)] }
	if got := column(1, "before"); got != "'=HYPERLINK(\"http://x\")" {
		t.Errorf("before = %q", got)
	}
	if got := column(1, "after"); got != "'-1" {
		t.Errorf("after = %q", got)
	}
	if got := column(2, "after"); got != "a@b.example; c@d.example" {
		t.Errorf("after of a list = %q", got)
	}
	if got := column(3, "reason"); got != "said \"so\",\nand so" {
		t.Errorf("reason = %q", got)
	}
	for _, formula := range []string{"=1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1"} {
		if got := escapeFormula(formula); got != "'"+formula {
			t.Errorf("harmless(%q) = %q", formula, got)
		}
	}
}

func TestActOfNobodyLeavesNoTrace(t *testing.T) {
	w := newWorld(t)
	ctx := context.WithoutCancel(w.Context())
	if _, err := w.store.Connections.ModifyConnection(ctx, directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error { c.Name = "New"; return nil }); err != nil {
		t.Fatal(err)
	}
	if got := w.all(&Report{Stores: ReportStoresOf(w.store)}, Query{}, 10); len(got) != 0 {
		t.Errorf("entries = %v", got)
	}
}
