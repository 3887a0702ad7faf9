package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table/memory"
)

// testClock is a time that a test moves.
type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newStore(t *testing.T) (*Store, *testClock) {
	t.Helper()
	c := &testClock{now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	tab := memory.New()
	tab.Now = c.Now
	return New(tab, Options{Now: c.Now}), c
}

func activeConnection(t *testing.T, s *Store) directory.Connection {
	t.Helper()
	c := directory.Connection{
		ID: directory.NewConnectionID(s.Users.db.now()), Name: "HQ", Status: directory.StatusActive, Epoch: 1,
		Tenant: &directory.Tenant{ID: "tenant-1", Domains: []directory.Domain{{Name: "corp.example"}}},
	}
	must(t, s.Connections.CreateConnection(t.Context(), directory.AuditEvent{}, &c))
	return c
}

func newUser(t *testing.T, s *Store, email string) directory.User {
	t.Helper()
	u := directory.User{ID: directory.NewUserID(s.Users.db.now()), Source: directory.SourceManual}
	u.Email, u.UserName, u.State = email, email, directory.StateActive
	must(t, s.Users.CreateUsers(t.Context(), directory.AuditEvent{}, &u))
	return u
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func bind(t *testing.T, s *Store, c *directory.Connection, users ...directory.User) {
	t.Helper()
	var list []Selection
	for i := range users {
		list = append(list, Selection{User: &users[i]})
	}
	must(t, s.Bindings.Bind(t.Context(), directory.AuditEvent{}, c, "admin", list))
}

func TestUserAddressesAreUnique(t *testing.T) {
	s, _ := newStore(t)
	ctx := t.Context()
	ann := newUser(t, s, "Ann@corp.example")
	twin := directory.User{ID: directory.NewUserID(s.Users.db.now())}
	twin.Email, twin.UserName = " ann@CORP.example", "other"
	err := s.Users.CreateUsers(ctx, directory.AuditEvent{}, &twin)
	taken, ok := errors.AsType[*AddressTaken](err)
	if !ok || taken.Owner != ann.ID || taken.Field != "email" {
		t.Fatalf("CreateUser with a taken address = %v", err)
	}
	moved := ann
	moved.Email = "ann.new@corp.example"
	if _, err := s.Users.UpdateUser(ctx, directory.AuditEvent{}, &ann, &moved); err != nil {
		t.Fatal(err)
	}
	twin.UserName = "twin"
	must(t, s.Users.CreateUsers(ctx, directory.AuditEvent{}, &twin))
	if id, _ := userIDByEmail(ctx, s, "ann.new@corp.example"); id != ann.ID {
		t.Errorf("new address belongs to %q", id)
	}
	if _, err := s.Users.UpdateUser(ctx, directory.AuditEvent{}, &ann, &moved); !errors.Is(err, directory.ErrStale) {
		t.Errorf("UpdateUser from an old version = %v, want ErrStale", err)
	}
}

func TestTombstoneFreesAddressAndKeepsBinding(t *testing.T) {
	s, _ := newStore(t)
	ctx := t.Context()
	c := activeConnection(t, s)
	ann := newUser(t, s, "ann@corp.example")
	bind(t, s, &c, ann)
	gone := ann
	at := s.Users.db.now()
	gone.Deleted = &at
	conn, err := s.Users.UpdateUser(ctx, directory.AuditEvent{}, &ann, &gone)
	if err != nil || conn != c.ID {
		t.Fatalf("delete = %q, %v", conn, err)
	}
	fresh := newUser(t, s, "ann@corp.example")
	if _, err := s.Bindings.Binding(ctx, fresh.ID); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("the new user inherits a binding: %v", err)
	}
	if marks, _, err := s.Marks.UrgentMarks(ctx, c.ID, c.Epoch, "", 10); err != nil || len(marks) != 1 || marks[0].Ref.User() != ann.ID {
		t.Errorf("UrgentMarks = %v, %v", marks, err)
	}
}

func TestOneBindingAUser(t *testing.T) {
	s, _ := newStore(t)
	ctx := t.Context()
	a, b := activeConnection(t, s), activeConnection(t, s)
	ann := newUser(t, s, "ann@corp.example")
	bind(t, s, &a, ann)
	if err := s.Bindings.Bind(ctx, directory.AuditEvent{}, &b, "admin", []Selection{{User: &ann}}); !errors.Is(err, directory.ErrStale) {
		t.Fatalf("second binding = %v, want ErrStale", err)
	}
	if n, _ := s.Counters.BoundCount(ctx, a.ID, 1); n != 1 {
		t.Errorf("bound = %d, want 1", n)
	}
	// Once a is deactivated its row is stale and b may overwrite it.
	old, did, err := s.Connections.DeactivateConnection(ctx, directory.AuditEvent{}, a.ID)
	if err != nil || !did || old.Epoch != 2 {
		t.Fatalf("deactivate = %+v, %v, %v", old, did, err)
	}
	stale, err := s.Bindings.Binding(ctx, ann.ID)
	must(t, err)
	must(t, s.Bindings.Bind(ctx, directory.AuditEvent{}, &b, "admin", []Selection{{User: &ann, Stale: &stale}}))
	former, _, err := s.Bindings.Former(ctx, a.ID, "", 10)
	if err != nil || len(former) != 1 || former[0].UserID != ann.ID {
		t.Errorf("Former = %v, %v", former, err)
	}
	if _, did, err := s.Connections.DeactivateConnection(ctx, directory.AuditEvent{}, a.ID); did || err != nil {
		t.Errorf("second deactivation = %v, %v", did, err)
	}
}

func TestLeaseFencing(t *testing.T) {
	s, clk := newStore(t)
	ctx := t.Context()
	c := activeConnection(t, s)
	first, _, err := s.Leases.AcquireLease(ctx, c.ID, "w1", time.Minute)
	must(t, err)
	if _, _, err := s.Leases.AcquireLease(ctx, c.ID, "w2", time.Minute); !errors.Is(err, ErrLeaseHeld) {
		t.Fatalf("second lease = %v", err)
	}
	if err := s.Leases.ReleaseLease(ctx, &first, RunEnd{}, false); !errors.Is(err, ErrWanted) {
		t.Fatalf("release of a wanted lease = %v, want ErrWanted", err)
	}
	must(t, s.Leases.RenewLease(ctx, &first, time.Minute))
	clk.Advance(2 * time.Minute)
	second, _, err := s.Leases.AcquireLease(ctx, c.ID, "w2", time.Minute)
	must(t, err)
	if second.Fence <= first.Fence {
		t.Errorf("second lease = %+v after %+v", second, first)
	}
	if err := s.Leases.RenewLease(ctx, &first, time.Minute); !errors.Is(err, directory.ErrLeaseLost) {
		t.Errorf("renewal by the old holder = %v, want ErrLeaseLost", err)
	}
	r := RunRecord{}
	r.ID, r.ConnectionID, r.Epoch = directory.NewRunID(s.Users.db.now()), c.ID, 1
	must(t, s.Runs.CreateRun(ctx, directory.AuditEvent{}, &r))
	if err := s.Runs.AppendChunk(ctx, &first, &r, []directory.Change{{Effect: directory.EffectUpdate}}); !errors.Is(err, directory.ErrLeaseLost) {
		t.Errorf("chunk by the old holder = %v, want ErrLeaseLost", err)
	}
	must(t, s.Runs.AppendChunk(ctx, &second, &r, []directory.Change{{Effect: directory.EffectUpdate}}))
	if _, _, err := s.Connections.DeactivateConnection(ctx, directory.AuditEvent{}, c.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Leases.RenewLease(ctx, &second, time.Minute); !errors.Is(err, directory.ErrLeaseLost) {
		t.Errorf("renewal after the epoch passed = %v, want ErrLeaseLost", err)
	}
}

func TestMarkIsClearedOnlyAtTheAppliedVersion(t *testing.T) {
	s, _ := newStore(t)
	ctx := t.Context()
	c := activeConnection(t, s)
	ann := newUser(t, s, "ann@corp.example")
	bind(t, s, &c, ann)
	l, _, err := s.Leases.AcquireLease(ctx, c.ID, "w", time.Minute)
	must(t, err)
	dealt := func(version int64) BindingChange {
		return BindingChange{Ref: directory.AccountOf(ann.ID), Mutate: func(b *directory.Binding) bool {
			b.Applied, b.Status = version, directory.BindingInSync
			return true
		}}
	}
	edited := ann
	edited.Department = "Sales"
	if _, err := s.Users.UpdateUser(ctx, directory.AuditEvent{}, &ann, &edited); err != nil {
		t.Fatal(err)
	}
	must(t, s.Runs.Journal(ctx, &l, &c, Journal{Bindings: []BindingChange{dealt(ann.Version)}}))
	marks, _, err := s.Marks.ListMarks(ctx, c.ID, 1, "", 10)
	if err != nil || len(marks) != 1 {
		t.Fatalf("marks after an older version was applied = %v, %v; want one", marks, err)
	}
	must(t, s.Runs.Journal(ctx, &l, &c, Journal{Bindings: []BindingChange{dealt(edited.Version)}}))
	if marks, _, err = s.Marks.ListMarks(ctx, c.ID, 1, "", 10); err != nil || len(marks) != 0 {
		t.Fatalf("marks after the version was applied = %v, %v; want none", marks, err)
	}
	must(t, s.Marks.MarkRecheck(ctx, &l, []directory.Ref{directory.AccountOf(ann.ID)}, s.Users.db.now().Add(time.Hour)))
	if marks, _, _ = s.Marks.ListMarks(ctx, c.ID, 1, "", 10); len(marks) != 0 {
		t.Errorf("a mark of a time to come shows: %v", marks)
	}
	// A look that can wait does not make an edit wait.
	bob := newUser(t, s, "bob@corp.example")
	bind(t, s, &c, bob)
	suspended := bob
	suspended.State = directory.StateSuspended
	if _, err := s.Users.UpdateUser(ctx, directory.AuditEvent{}, &bob, &suspended); err != nil {
		t.Fatal(err)
	}
	must(t, s.Marks.MarkRecheck(ctx, &l, []directory.Ref{directory.AccountOf(bob.ID)}, s.Users.db.now().Add(time.Hour)))
	if marks, _, _ = s.Marks.UrgentMarks(ctx, c.ID, 1, "", 10); len(marks) != 1 {
		t.Errorf("the mark of a suspension waits for a later look: %v", marks)
	}
}

func TestJournalIsWrittenOnce(t *testing.T) {
	s, _ := newStore(t)
	ctx := t.Context()
	c := activeConnection(t, s)
	ann := newUser(t, s, "ann@corp.example")
	bind(t, s, &c, ann)
	l, _, err := s.Leases.AcquireLease(ctx, c.ID, "w", time.Minute)
	must(t, err)
	r := RunRecord{}
	r.ID, r.ConnectionID, r.Epoch = directory.NewRunID(s.Users.db.now()), c.ID, 1
	must(t, s.Runs.CreateRun(ctx, directory.AuditEvent{}, &r))
	must(t, s.Runs.AppendChunk(ctx, &l, &r, []directory.Change{{UserID: ann.ID, Effect: directory.EffectCreate}}))
	j := Journal{Run: &r, Chunk: 0, Seq: 0, Results: []Result{{Index: 0, State: directory.ChangeApplied, AccountID: "acc-1"}},
		Bindings: []BindingChange{{Ref: directory.AccountOf(ann.ID), Claim: "acc-1", Mutate: func(b *directory.Binding) bool {
			b.AccountID, b.Applied = "acc-1", 1
			return true
		}}}}
	must(t, s.Runs.Journal(ctx, &l, &c, j))
	if err := s.Runs.Journal(ctx, &l, &c, j); !errors.Is(err, directory.ErrStale) {
		t.Fatalf("second journal of the same results = %v, want ErrStale", err)
	}
	changes, results, err := s.Runs.Chunk(ctx, r.ID, 0)
	if err != nil || results != 1 || changes[0].State != directory.ChangeApplied || changes[0].AccountID != "acc-1" {
		t.Errorf("Chunk = %+v, %d, %v", changes, results, err)
	}
	got, err := s.Runs.Run(ctx, r.ID)
	if err != nil || got.Applied != 1 {
		t.Errorf("run = %+v, %v", got.Run, err)
	}
	bob := newUser(t, s, "bob@corp.example")
	bind(t, s, &c, bob)
	j2 := Journal{Run: &r, Chunk: 0, Seq: 1, Results: []Result{{Index: 0}}, Bindings: []BindingChange{{Ref: directory.AccountOf(bob.ID), Claim: "ACC-1",
		Mutate: func(b *directory.Binding) bool { b.AccountID = "acc-1"; return true }}}}
	if _, taken := errors.AsType[*directory.Claimed](s.Runs.Journal(ctx, &l, &c, j2)); !taken {
		t.Error("an account was claimed by two users")
	}
}

func TestClaimsGoToOneAndUndoThemselves(t *testing.T) {
	s, _ := newStore(t)
	ctx := t.Context()
	a, b := activeConnection(t, s), activeConnection(t, s)
	domains := make([]string, 120)
	for i := range domains {
		domains[i] = fmt.Sprintf("d%03d.example", i)
	}
	must(t, s.Claims.ClaimDomains(ctx, &a, domains[100:101]))
	err := s.Claims.ClaimDomains(ctx, &b, domains)
	held, ok := errors.AsType[*directory.Claimed](err)
	if !ok || held.Holder != a.ID || held.Name != domains[100] {
		t.Fatalf("ClaimDomains = %v", err)
	}
	c := activeConnection(t, s)
	must(t, s.Claims.ClaimDomains(ctx, &c, domains[:100]))
	if _, _, err := s.Connections.DeactivateConnection(ctx, directory.AuditEvent{}, a.ID); err != nil {
		t.Fatal(err)
	}
	must(t, s.Claims.ClaimDomains(ctx, &b, domains[100:]))
	must(t, s.Claims.ClaimTenant(ctx, &b, "t"))
	if _, ok := errors.AsType[*directory.Claimed](s.Claims.ClaimTenant(ctx, &c, "t")); !ok {
		t.Error("a tenant was claimed twice")
	}
}

func TestStateIsTakenOnce(t *testing.T) {
	s, _ := newStore(t)
	ctx := context.Background()
	must(t, s.SignIns.PutState(ctx, directory.AuditEvent{}, "h", directory.OAuthState{ConnectionID: "c"}))
	var wins, losses int
	for range 3 {
		if _, err := s.SignIns.TakeState(ctx, "h"); err == nil {
			wins++
		} else if errors.Is(err, directory.ErrNotFound) {
			losses++
		}
	}
	if wins != 1 || losses != 2 {
		t.Errorf("wins %d, losses %d", wins, losses)
	}
}

func TestListingsPageToTheEnd(t *testing.T) {
	s, _ := newStore(t)
	ctx := t.Context()
	c := activeConnection(t, s)
	var users []directory.User
	for i := range 90 {
		users = append(users, newUser(t, s, fmt.Sprintf("u%d@corp.example", i)))
	}
	for i := 0; i < len(users); i += MaxBind {
		bind(t, s, &c, users[i:min(i+MaxBind, len(users))]...)
	}
	for _, limit := range []int{1, 7, 90, 500} {
		seen := map[directory.UserID]bool{}
		for cursor := ""; ; {
			list, next, err := s.Bindings.ListBindings(ctx, directory.KindAccount, c.ID, 1, cursor, limit)
			must(t, err)
			if len(list) > limit {
				t.Fatalf("limit %d: page of %d", limit, len(list))
			}
			for _, b := range list {
				seen[b.UserID] = true
			}
			if cursor = next; next == "" {
				break
			}
		}
		found := map[directory.UserID]bool{}
		for cursor := ""; ; {
			page, err := s.Users.ListUsers(ctx, cursor, limit, nil)
			must(t, err)
			for _, u := range page.Users {
				found[u.ID] = true
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		marked := map[directory.UserID]bool{}
		for cursor := ""; ; {
			marks, next, err := s.Marks.ListMarks(ctx, c.ID, 1, cursor, limit)
			must(t, err)
			for _, m := range marks {
				marked[m.Ref.User()] = true
			}
			if cursor = next; next == "" {
				break
			}
		}
		if len(seen) != 90 || len(found) != 90 || len(marked) != 90 {
			t.Errorf("limit %d: bindings %d, users %d, marks %d, want 90 each", limit, len(seen), len(found), len(marked))
		}
	}
	moved, more, err := s.Bindings.Sweep(ctx, &c, "tenant-1", 1)
	if err != nil || moved == 0 {
		t.Fatalf("Sweep = %d, %v, %v", moved, more, err)
	}
	for more {
		_, more, err = s.Bindings.Sweep(ctx, &c, "tenant-1", 1)
		must(t, err)
	}
	former, _, err := s.Bindings.Former(ctx, c.ID, "", 200)
	if err != nil || len(former) != 90 {
		t.Errorf("former = %d, %v; want 90", len(former), err)
	}
}

// A binding from before agreements were kept apart has agreed to what was applied.
func TestBindingOfBeforeAgreements(t *testing.T) {
	now := map[string]any{}
	b := directory.Binding{UserID: "usr_1", Applied: 7, Wanted: 7}
	it := bindingItem(&b)
	if got, err := decodeBinding(it); err != nil || got.Agreed != 0 {
		t.Errorf("never agreed: %d, %v", got.Agreed, err)
	}
	must(t, json.Unmarshal(encode(b), &now))
	delete(now, "agreed")
	it.Body = encode(now)
	if got, err := decodeBinding(it); err != nil || got.Agreed != 7 {
		t.Errorf("of before: %d, %v", got.Agreed, err)
	}
}

// userIDByEmail returns who has an address, or "" for nobody.
func userIDByEmail(ctx context.Context, s *Store, address string) (directory.UserID, error) {
	m, err := s.Users.UserIDsByEmail(ctx, []string{address})
	return m[directory.FoldAddress(address)], err
}
