package faults

import (
	"slices"
	"testing"
	"time"
)

func set(t *testing.T, list ...Fault) *Set {
	t.Helper()
	s := NewSet()
	for _, f := range list {
		if _, err := s.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// A fault strikes from the nth call on that matches, and as often as it says.
func TestStrike(t *testing.T) {
	t.Parallel()
	s := set(t, Fault{Kind: Drop, Method: "PATCH", Path: "^/users", Tenant: "T", Nth: 2, Times: 2})
	var struck []bool
	for _, c := range []Call{
		{Tenant: "t", Method: "patch", Path: "/Users/x"}, // the first
		{Tenant: "t", Method: "GET", Path: "/users/x"},   // another method
		{Tenant: "u", Method: "PATCH", Path: "/users/x"}, // another tenant
		{Tenant: "t", Method: "PATCH", Path: "/me"},      // another path
		{Tenant: "t", Method: "PATCH", Path: "/users/x"},
		{Tenant: "t", Method: "PATCH", Path: "/users/x"},
		{Tenant: "t", Method: "PATCH", Path: "/users/x"}, // it struck often enough
	} {
		struck = append(struck, s.Strike(Drop, c) != nil)
	}
	if want := []bool{false, false, false, false, true, true, false}; !slices.Equal(struck, want) {
		t.Errorf("struck = %v, want %v", struck, want)
	}
	if s.Strike(Slow, Call{Tenant: "t", Method: "PATCH", Path: "/users/x"}) != nil {
		t.Error("a fault of another kind struck")
	}
	if f := s.List()[0]; f.Matched != 4 || f.Struck != 2 {
		t.Errorf("matched %d, struck %d", f.Matched, f.Struck)
	}
}

// Of several faults the first that strikes now does, and the calls before it are
// counted by those that do not.
func TestStrikeTakesTurns(t *testing.T) {
	t.Parallel()
	s := set(t, Fault{ID: "once", Kind: Status, Status: 503, Times: 1}, Fault{ID: "later", Kind: Status, Status: 500})
	var ids []string
	for range 3 {
		ids = append(ids, s.Strike(Status, Call{}).ID)
	}
	if want := []string{"once", "later", "later"}; !slices.Equal(ids, want) {
		t.Errorf("struck = %v, want %v", ids, want)
	}
	s.Clear("later")
	if s.Strike(Status, Call{}) != nil || len(s.List()) != 1 {
		t.Error("a fault that was cleared struck")
	}
	if s.Clear(); len(s.List()) != 0 {
		t.Error("faults are left")
	}
}

// Faults of a value come in the order in which they befall it, and end with the
// first that refuses.
func TestStrikeValues(t *testing.T) {
	t.Parallel()
	s := set(t, Fault{Kind: KeptOtherwise, Property: "city"}, Fault{Kind: ValueDropped, Property: "city"}, Fault{Kind: ValueRefused, Property: "department", Nth: 2})
	every := func(*Fault) bool { return true }
	kinds := func() (out []string) {
		for _, f := range s.StrikeValues(Call{}, every) {
			out = append(out, f.Kind)
		}
		return out
	}
	if got := kinds(); !slices.Equal(got, []string{ValueDropped, KeptOtherwise}) {
		t.Errorf("struck = %v", got)
	}
	if got := kinds(); !slices.Equal(got, []string{ValueRefused}) {
		t.Errorf("the second time struck = %v", got)
	}
}

func TestAddIsRefused(t *testing.T) {
	t.Parallel()
	for _, f := range []Fault{
		{Kind: "rain"}, {Kind: Status}, {Kind: Status, Status: 200}, {Kind: Lag}, {Kind: Slow, Seconds: 1e6}, {Kind: AuditLag, Seconds: 1e6}, {Kind: Token},
		{Kind: Drop, When: "during"}, {Kind: Drop, Path: "("}, {Kind: Drop, Nth: -1}, {Kind: ValueDropped}, {Kind: ValueDropped, Property: "createdDateTime"},
		{Kind: MemberLag}, {Kind: MemberLag, Seconds: 1, Status: 500}, {Kind: DeltaSlice, Size: -1},
	} {
		if id, err := NewSet().Add(f); err == nil {
			t.Errorf("Add(%+v) = %s, want an error", f, id)
		}
	}
	s := set(t, Fault{ID: "a", Kind: Drop}, Fault{ID: "a", Kind: Slow, Seconds: 1, When: "after"}, Fault{Kind: ValueDropped, Property: "extensionAttribute3"})
	if list := s.List(); len(list) != 2 || list[0].Kind != Slow || !list[0].After() || list[0].Duration() != time.Second || list[1].ID != "fault-1" {
		t.Errorf("the faults are %+v", list)
	}
}

// A bucket holds a burst, is filled again by the clock, and what is asked for in vain
// empties it.
func TestLimiter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	l := NewLimiter(Quota{AppTenantWrites: Rate{Capacity: 10, Per: 10 * time.Second}})
	p := Payer{Tenant: "t", Users: 10, App: "App"}
	write := Cost{Units: 1, Writes: 1}
	for i := range 10 {
		if used, refused := l.Charge(now, p, write); refused != nil || (used > 0.8) != (i >= 8) {
			t.Fatalf("write %d: used %v, refused %v", i, used, refused)
		}
	}
	_, refused := l.Charge(now, p, write)
	if refused == nil || *refused != (Refusal{time.Second, "Tenant_Application/Write/App/t", "WriteLimitExceeded"}) {
		t.Fatalf("over the limit: %+v", refused)
	}
	if _, refused := l.Charge(now, Payer{Tenant: "u", App: "App"}, write); refused != nil {
		t.Errorf("another tenant pays for this one: %+v", refused)
	}
	if _, refused := l.Charge(now, p, Cost{Units: 1}); refused != nil {
		t.Errorf("a read is refused: %+v", refused)
	}
	if _, refused := l.Charge(now.Add(500*time.Millisecond), p, write); refused == nil {
		t.Error("half a second later it is taken")
	}
	if _, refused := l.Charge(now.Add(1500*time.Millisecond), p, write); refused != nil {
		t.Errorf("a second after the last refusal: %+v", refused)
	}
}

// A window lets nothing through before what filled it is as old as the window, however
// evenly a bucket would have been filled again; a limit that only chooses the way of
// counting keeps Microsoft's number.
func TestWindow(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	l := NewLimiter(Quota{AppTenantWrites: Rate{Window: true}})
	p := Payer{Tenant: "t", Users: 10, App: "a"}
	charge := func(after time.Duration, writes int) *Refusal {
		_, refused := l.Charge(now.Add(after), p, Cost{Writes: writes})
		return refused
	}
	for i := range 3000 {
		if refused := charge(time.Duration(i)*31*time.Millisecond, 1); refused != nil { // in 93 s
			t.Fatalf("write %d is refused: %+v", i, refused)
		}
	}
	refused := charge(94*time.Second, 1)
	if refused == nil || refused.Wait < 55*time.Second || refused.Wait > 57*time.Second {
		t.Fatalf("after 3,000 writes in 93 s: %+v, want a wait of 56 s", refused)
	}
	if charge(149*time.Second, 1) == nil {
		t.Error("before the first write has left the window, another one is let through")
	}
	if refused := charge(150*time.Second+200*time.Millisecond, 1); refused != nil {
		t.Errorf("after it has left: %+v", refused)
	}
	if charge(150*time.Second+201*time.Millisecond, 100) == nil {
		t.Error("more than has left the window is let through")
	}
	if _, refused := l.Charge(now, p, Cost{Units: 3500}); refused != nil {
		t.Errorf("units pay for writes: %+v", refused)
	}
}

func TestWindowRefund(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	l := NewLimiter(Quota{AppTenantUnitsS: Rate{Capacity: 4, Per: time.Hour, Window: true}})
	p := Payer{Tenant: "t", App: "a"}
	for i := range 10 {
		if _, refused := l.Charge(now.Add(time.Duration(i)*time.Minute), p, Cost{Units: 3}); refused != nil {
			t.Fatalf("what was given back is gone: %+v", refused)
		}
		l.Refund(p, 3)
	}
	l.Charge(now.Add(time.Hour), p, Cost{Units: 3})
	if _, refused := l.Charge(now.Add(time.Hour), p, Cost{Units: 2}); refused == nil {
		t.Error("what was not given back is free")
	}
}

func TestRefund(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	l := NewLimiter(Quota{AppTenantUnitsS: Rate{Capacity: 2, Per: time.Hour}})
	p := Payer{Tenant: "t", App: "a"}
	for range 10 {
		if _, refused := l.Charge(now, p, Cost{Units: 2}); refused != nil {
			t.Fatalf("what was given back is gone: %+v", refused)
		}
		l.Refund(p, 2)
	}
}

// The limit of units grows with the tenant, and each service has limits of its own.
func TestLimits(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for users, want := range map[int]int{49: 3500, 50: 5000, 500: 5000, 501: 8000} {
		l := NewLimiter(Quota{})
		n := 0
		for ; n <= 10_000; n++ {
			if _, refused := l.Charge(now, Payer{Tenant: "t", Users: users, App: "a"}, Cost{Units: 1}); refused != nil {
				break
			}
		}
		if n != want {
			t.Errorf("with %d users there are %d units, want %d", users, n, want)
		}
	}
	l := NewLimiter(Quota{})
	for i := range 6 {
		if _, refused := l.Charge(now, Payer{Tenant: "t", App: "a"}, Cost{Units: 1, Audit: true}); (refused != nil) != (i == 5) {
			t.Errorf("call %d of the audit log: refused %+v", i, refused)
		}
	}
	if _, refused := l.Charge(now, Payer{Tenant: "t", App: "a"}, Cost{Units: 1, Photo: true}); refused != nil {
		t.Errorf("a photo pays for the audit log: %+v", refused)
	}
}

func TestPrice(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method  string
		path    []string
		options map[string]string
		want    Cost
	}{
		{"GET", []string{"users"}, nil, Cost{Units: 2}},
		{"GET", []string{"users"}, map[string]string{"$select": "id", "$top": "5"}, Cost{Units: 1}},
		{"GET", []string{"users", "x"}, map[string]string{"$expand": "manager"}, Cost{Units: 2}},
		{"GET", []string{"groups", "x", "members"}, nil, Cost{Units: 3}},
		{"GET", []string{"groups", "x", "transitivemembers"}, map[string]string{"$select": "id"}, Cost{Units: 4}},
		{"GET", []string{"users", "x", "photo", "$value"}, nil, Cost{Units: 1, Photo: true}},
		{"GET", []string{"auditlogs", "directoryaudits"}, nil, Cost{Units: 1, Audit: true}},
		{"PATCH", []string{"users", "x"}, nil, Cost{Units: 1, Writes: 1}},
		{"POST", []string{"users", "x", "getmembergroups"}, nil, Cost{Units: 2}},
		{"POST", []string{"users", "x", "checkmembergroups"}, nil, Cost{Units: 4}},
		{"POST", []string{"directoryobjects", "getbyids"}, map[string]string{"$select": "id"}, Cost{Units: 2}},
		{"POST", []string{"directoryobjects", "getbyids"}, nil, Cost{Units: 5}},
	} {
		if got := Price(tt.method, tt.path, tt.options); got != tt.want {
			t.Errorf("Price(%s %v %v) = %+v, want %+v", tt.method, tt.path, tt.options, got, tt.want)
		}
	}
	for links, want := range map[int]int{0: 1, 1: 1, 3: 1, 4: 2, 6: 2, 19: 7, 20: 7} {
		if got := (Cost{Units: 1, Writes: 1}).WithLinks(links); got != (Cost{Units: 1, Writes: want}) {
			t.Errorf("with %d links a write costs %+v, want %d writes", links, got, want)
		}
	}
	if got := Price("GET", []string{"groups"}, nil).WithLinks(0); got.Writes != 0 {
		t.Errorf("a read costs %+v", got)
	}
}
