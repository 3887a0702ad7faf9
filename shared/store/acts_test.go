package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// acts lists what was recorded, oldest first.
func acts(t *testing.T, s *Store) []directory.AuditEvent {
	t.Helper()
	var list []directory.AuditEvent
	for after := ""; ; {
		records, next, err := s.Audit.Activity(t.Context(), ActivityQuery{Forward: true, After: after, Limit: 3})
		must(t, err)
		for _, r := range records {
			if r.AuditEvent != nil {
				list = append(list, *r.AuditEvent)
			}
		}
		if after = next; after == "" {
			return list
		}
	}
}

// An act stands in the table with what it did, or not at all.
func TestActIsPartOfWhatItDoes(t *testing.T) {
	s, c := newStore(t)
	conn := activeConnection(t, s)
	act := directory.AuditEvent{Kind: directory.AuditEditConnection, By: "ada"}
	fault := errors.New("no")
	_, err := s.Connections.ModifyConnection(t.Context(), act, conn.ID, func(*directory.Connection) error { return fault })
	if !errors.Is(err, fault) || len(acts(t, s)) != 0 {
		t.Errorf("a refused edit = %v, recorded %v", err, acts(t, s))
	}
	moved := 0
	_, err = s.Connections.ModifyConnection(t.Context(), act, conn.ID, func(c *directory.Connection) error {
		if moved++; moved == 1 { // somebody is faster: the edit is done again, and told once
			_, err := s.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, conn.ID, func(c *directory.Connection) error { c.Name = "Other"; return nil })
			must(t, err)
		}
		c.Settings.Interval = directory.Duration(time.Hour)
		return nil
	})
	must(t, err)
	got := acts(t, s)
	if len(got) != 1 || got[0].By != "ada" || got[0].ConnectionID != conn.ID || len(got[0].Properties) != 1 ||
		got[0].Properties[0].Name != "settings.interval" || got[0].Properties[0].After.String() != `"1h0m0s"` || !got[0].At.Equal(c.Now()) {
		t.Errorf("acts = %+v", got)
	}
	// What is given no act is recorded by nobody.
	u := newUser(t, s, "ann@corp.example")
	must(t, s.Bindings.Bind(t.Context(), directory.AuditEvent{}, &conn, "ada", []Selection{{User: &u}}))
	if n := len(acts(t, s)); n != 1 {
		t.Errorf("acts = %d, want 1", n)
	}
}

func TestBulkBindingsAreRecordedPartByPart(t *testing.T) {
	s, _ := newStore(t)
	conn := activeConnection(t, s)
	act := directory.AuditEvent{Kind: directory.AuditBind, By: "ada"}
	for part := range 2 {
		var list []Selection
		for i := range MaxBind { // as large as a transaction gets: stale rows and accounts as well
			u := newUser(t, s, fmt.Sprintf("u%d-%d@corp.example", part, i))
			old := directory.Binding{UserID: u.ID, ConnectionID: "con_old", Epoch: 1, AccountID: "old"}
			item := bindingItem(&old)
			must(t, s.Users.db.table.Write(t.Context(), table.Write{Put: &item}))
			list = append(list, Selection{User: &u, Stale: &old, AccountID: directory.AccountID(fmt.Sprintf("acc-%d-%d", part, i))})
		}
		must(t, s.Bindings.Bind(t.Context(), act, &conn, "ada", list))
	}
	got := acts(t, s)
	if len(got) != 2 || len(got[0].UserIDs) != MaxBind || got[0].ID == got[1].ID {
		t.Fatalf("acts = %+v", got)
	}
	last := got[1].UserIDs[MaxBind-1]
	records, _, err := s.Audit.Activity(t.Context(), ActivityQuery{Object: directory.AccountOf(last), Limit: 5})
	if err != nil || len(records) != 1 || records[0].AuditEvent.ID != got[1].ID {
		t.Errorf("of the last user = %+v, %v", records, err)
	}
}

func TestActsOfAnHour(t *testing.T) {
	s, c := newStore(t)
	var want []string
	for i := range 5 {
		must(t, s.Audit.RecordAuditEvent(t.Context(), directory.AuditEvent{Kind: directory.AuditKind(fmt.Sprint("k", i)), By: "ada"}))
		want = append(want, fmt.Sprint("k", i))
		c.Advance(10 * time.Minute)
	}
	list, err := s.Audit.AuditEvents(t.Context(), time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC).Unix()/3600)
	must(t, err)
	var got []string
	for _, a := range list {
		got = append(got, string(a.Kind))
	}
	if !slices.Equal(got, want) || !list[0].Expires.Equal(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC).Add(s.Users.db.retention)) || list[0].Misplaced {
		t.Errorf("Acts = %q, %+v, want %q", got, list[0], want)
	}
}

func TestAnActMayBeLong(t *testing.T) {
	s, _ := newStore(t)
	long := directory.StringValue(string(make([]byte, 300<<10)))
	must(t, s.Audit.RecordAuditEvent(t.Context(), directory.AuditEvent{Kind: "edit", By: "ada", Properties: []directory.PropertyChange{{Name: "x", After: long}}}))
	if got := acts(t, s); len(got) != 1 || got[0].Properties[0].After.String() != "(too long)" {
		t.Errorf("acts = %.200v", got)
	}
}

// A batch whose transaction has no room for the hints of its users keeps them
// all the same.
func TestHintsThatDoNotFit(t *testing.T) {
	s, _ := newStore(t)
	conn := activeConnection(t, s)
	l, conn, err := s.Leases.AcquireLease(t.Context(), conn.ID, "test", time.Minute)
	must(t, err)
	r := RunRecord{Run: directory.Run{ID: directory.NewRunID(s.Users.db.now()), ConnectionID: conn.ID, Epoch: 1, State: directory.RunApplying}}
	must(t, s.Runs.CreateRun(t.Context(), directory.AuditEvent{}, &r))
	j := Journal{Run: &r, Tally: map[string]int{"applied/update": 130}}
	for i := range 130 {
		j.Results = append(j.Results, Result{Index: i, State: directory.ChangeApplied, At: s.Users.db.now()})
		j.Refs = append(j.Refs, directory.AccountOf(directory.UserID(fmt.Sprint("usr_", i))))
	}
	must(t, s.Runs.Journal(t.Context(), &l, &conn, j))
	for _, u := range []directory.UserID{"usr_0", "usr_64", "usr_129"} {
		records, _, err := s.Audit.Activity(t.Context(), ActivityQuery{Object: directory.AccountOf(u), Limit: 5})
		if err != nil || len(records) != 1 || len(records[0].Results) != 130 {
			t.Errorf("Activity of %s = %+v, %v", u, records, err)
		}
	}
}

// Whoever takes protection away is on record.
func TestLiftsAreActs(t *testing.T) {
	s, c := newStore(t)
	conn := activeConnection(t, s)
	must(t, s.Protection.PutProtectionOverride(t.Context(), directory.AuditEvent{Kind: "lift-protection", By: "ada"}, &conn, &ProtectionOverride{AccountID: "acc-1", Until: c.Now().Add(time.Hour)}))
	c.Advance(time.Minute)
	must(t, s.Protection.DeleteProtectionOverride(t.Context(), directory.AuditEvent{Kind: "end-lift", By: "bob"}, conn.ID, "acc-1"))
	got := acts(t, s)
	if len(got) != 2 || got[0].By != "ada" || got[0].AccountID != "acc-1" || got[0].ConnectionID != conn.ID || got[0].Detail == "" || got[1].Kind != "end-lift" {
		t.Errorf("acts = %+v", got)
	}
}

func TestMovesAreActs(t *testing.T) {
	s, _ := newStore(t)
	from := activeConnection(t, s)
	to := directory.Connection{ID: "con_to", Name: "Other", Status: directory.StatusActive, Epoch: 1, Tenant: &directory.Tenant{ID: "tenant-2"}}
	must(t, s.Connections.CreateConnection(t.Context(), directory.AuditEvent{}, &to))
	u := newUser(t, s, "ann@corp.example")
	bind(t, s, &from, u)
	b, err := s.Bindings.Binding(t.Context(), u.ID)
	must(t, err)
	must(t, s.Bindings.MoveNow(t.Context(), directory.AuditEvent{Kind: "move-user", By: "ada"}, &from, &to, &u, &u, &b, "ada"))
	got := acts(t, s)
	if len(got) != 1 || got[0].By != "ada" || got[0].ConnectionID != from.ID || !slices.Equal(got[0].UserIDs, []directory.UserID{u.ID}) || !strings.Contains(got[0].Detail, "con_to") {
		t.Errorf("acts = %+v", got)
	}
}

// keyed is a sealer of tests: whoever has the key.
type keyed string

func (k keyed) Seal(_ context.Context, message []byte) (string, error) {
	return fmt.Sprintf("%x", sha256.Sum256(append([]byte(k), message...))), nil
}

func (k keyed) Sealed(ctx context.Context, message []byte, seal string) (bool, error) {
	want, err := k.Seal(ctx, message)
	return want == seal, err
}

// Who asked for a job or an authorisation is who the record says only as long as
// nobody has changed it: acts are sealed in that name.
func TestWhoAskedIsSealed(t *testing.T) {
	s, c := newStore(t)
	s.Users.db.sealer = keyed("k")
	forge := func(key table.Key, old, with string) {
		t.Helper()
		it, err := s.Users.db.table.Get(t.Context(), key)
		must(t, err)
		it.Body = bytes.Replace(it.Body, []byte(old), []byte(with), 1)
		must(t, s.Users.db.table.(sealing).Table.Write(t.Context(), table.Write{Put: &it}))
	}
	job := JobRecord{Job: directory.Job{ID: directory.NewJobID(c.Now()), Kind: directory.JobImport, AskedBy: "ada", State: directory.JobQueued, Created: c.Now()}}
	must(t, s.Jobs.CreateJob(t.Context(), directory.AuditEvent{}, &job))
	lease, read, err := s.Jobs.AcquireJob(t.Context(), job.ID, time.Minute)
	if err != nil || read.By() != "ada" {
		t.Fatalf("AcquireJob = %q, %v", read.By(), err)
	}
	read.Counts = map[string]int{"created": 1}
	must(t, s.Jobs.SaveJob(t.Context(), lease, &read, nil, 0))
	if _, read, err = s.Jobs.AcquireJob(t.Context(), job.ID, time.Second); err != nil || read.By() != "ada" {
		t.Errorf("after progress = %q, %v", read.By(), err)
	}
	c.Advance(time.Minute)
	forge(jobKey(job.ID), `"ada"`, `"eve"`)
	lease, read, err = s.Jobs.AcquireJob(t.Context(), job.ID, time.Minute)
	if err != nil || read.By() != directory.BySystem {
		t.Errorf("of a job that was changed = %q, %v", read.By(), err)
	}
	read.State = directory.JobDone
	must(t, s.Jobs.SaveJob(t.Context(), lease, &read, nil, 0))
	for _, a := range acts(t, s) {
		if a.By == "eve" {
			t.Errorf("an act is sealed in the name of somebody who did not ask: %+v", a)
		}
	}
	must(t, s.SignIns.PutState(t.Context(), directory.AuditEvent{}, "h", directory.OAuthState{ConnectionID: "con_1", RequestedBy: "ada", Expires: c.Now().Add(time.Minute)}))
	if st, err := s.SignIns.State(t.Context(), "h"); err != nil || st.RequestedBy != "ada" {
		t.Errorf("State = %+v, %v", st, err)
	}
	forge(table.Key{Partition: "S#h", Sort: "state"}, `"ada"`, `"eve"`)
	for what, ask := range map[string]func(context.Context, string) (directory.OAuthState, error){"State": s.SignIns.State, "TakeState": s.SignIns.TakeState} {
		if st, err := ask(t.Context(), "h"); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("%s of one that was changed = %+v, %v", what, st, err)
		}
	}
}
