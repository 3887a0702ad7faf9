package managers

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

const (
	annID  = directory.UserID("usr_ann")
	bossID = directory.UserID("usr_boss")
	annAt  = directory.AccountID("a-ann")
	bossAt = directory.AccountID("a-boss")
)

// bound is a user with an account.
func bound(id directory.UserID, at directory.AccountID) person {
	u := &directory.User{ID: id, Version: 3}
	u.Email, u.State, u.DisplayName = string(id)+"@corp.example", directory.StateActive, string(id)
	return person{user: u, account: &directory.Binding{UserID: id, AccountID: at, Status: directory.BindingInSync, UserPrincipalName: u.Email}}
}

func exporting(edit ...func(*directory.Settings)) *directory.Settings {
	s := directory.Settings{Manager: directory.ManagerSettings{Export: true}}
	for _, e := range edit {
		e(&s)
	}
	s = s.Defaulted()
	return &s
}

func clearing(s *directory.Settings) { s.Manager.Clear = true }

func reporting(s *directory.Settings) {
	s.ForeignChange = map[string]directory.ForeignPolicy{directory.PropManager: directory.ForeignReport}
}

func text(id directory.AccountID) directory.Value { return directory.StringValue(string(id)) }

// ann has boss as the manager, in sync at Microsoft as the edits say.
func ann(edit ...func(*subject)) *subject {
	x := &subject{record: &directory.Binding{Object: directory.ManagerOf(annID), Wanted: 3}, person: bound(annID, annAt), manager: bound(bossID, bossAt)}
	x.user.ManagerID = bossID
	for _, e := range edit {
		e(x)
	}
	return x
}

func agreed(id directory.AccountID) func(*subject) {
	return func(x *subject) { x.record.Base = directory.Properties{directory.PropManager: text(id)} }
}

func observed(id directory.AccountID) func(*subject) {
	return func(x *subject) { x.observed = text(id) }
}

func nobody(x *subject) { x.user.ManagerID, x.manager = "", person{} }

func findings(d *decision) []string {
	var codes []string
	for _, f := range d.findings {
		codes = append(codes, f.Code)
	}
	return codes
}

func TestDecide(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 7, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name     string
		settings *directory.Settings
		x        *subject
		effect   directory.Effect
		after    directory.Value
		code     string // the finding
		ends     bool
	}{
		{name: "managed now", x: ann(), effect: directory.EffectManagerSet, after: text(bossAt)},
		{name: "managed now, over another", x: ann(observed("a-eve")), effect: directory.EffectManagerSet, after: text(bossAt)},
		{name: "so already", x: ann(observed(bossAt))},
		{name: "spelled otherwise", x: ann(observed("A-BOSS"), agreed(bossAt))},
		{name: "we changed", x: ann(agreed("a-old"), observed("a-old")), effect: directory.EffectManagerSet, after: text(bossAt)},
		{name: "they changed", x: ann(agreed(bossAt), observed("a-eve")), effect: directory.EffectManagerSet, after: text(bossAt)},
		{name: "they cleared", x: ann(agreed(bossAt)), effect: directory.EffectManagerSet, after: text(bossAt)},
		{name: "they changed, reported", settings: exporting(reporting), x: ann(agreed(bossAt), observed("a-eve")), code: directory.CodeForeignChange},
		{name: "both changed", settings: exporting(reporting), x: ann(agreed("a-old"), observed("a-eve")),
			effect: directory.EffectManagerSet, after: text(bossAt), code: directory.CodeBothChanged},
		{name: "read before our write", x: ann(agreed(bossAt), observed("a-old"), func(x *subject) { x.fresh = true })},
		{name: "changed back soon after our write", x: ann(agreed("a-old"), observed(bossAt), func(x *subject) { x.fresh = true }),
			effect: directory.EffectManagerSet, after: text(bossAt)},

		{name: "none, left alone", x: ann(nobody, observed("a-eve"))},
		{name: "none, cleared", settings: exporting(clearing), x: ann(nobody, observed("a-eve")), effect: directory.EffectManagerClear},
		{name: "none, clear already", settings: exporting(clearing), x: ann(nobody)},
		{name: "none any more, left alone", x: ann(nobody, agreed(bossAt), observed(bossAt))},

		{name: "off", settings: &directory.Settings{}, x: ann(), ends: true},
		{name: "not bound", x: ann(func(x *subject) { x.account = nil }), ends: true},
		{name: "gone for good", x: ann(func(x *subject) { x.person = person{} }), ends: true},
		{name: "deleted", x: ann(func(x *subject) { x.user.Deleted = &now })},
		{name: "being released", x: ann(func(x *subject) { x.account.Release = directory.ReleaseKeep })},
		{name: "suspended", x: ann(func(x *subject) { x.user.State = directory.StateSuspended }), effect: directory.EffectManagerSet, after: text(bossAt)},
		{name: "without an account", x: ann(func(x *subject) { x.account.AccountID = "" }), code: directory.CodeManagerWaits},
		{name: "with an account to come", x: ann(func(x *subject) { x.account.AccountID, x.account.Status = "", directory.BindingPending }),
			effect: directory.EffectManagerSet, after: text(bossAt)},

		{name: "manager not bound", x: ann(func(x *subject) { x.manager.account = nil }), code: directory.CodeManagerNotBound},
		{name: "manager being released", x: ann(func(x *subject) { x.manager.account.Release = directory.ReleaseBlock }), code: directory.CodeManagerNotBound},
		{name: "manager deleted", x: ann(func(x *subject) { x.manager.user.Deleted = &now }), code: directory.CodeManagerNotBound},
		{name: "manager gone", x: ann(func(x *subject) { x.manager = person{} }), code: directory.CodeManagerNotBound},
		{name: "manager suspended", x: ann(func(x *subject) { x.manager.user.State = directory.StateSuspended }), code: directory.CodeManagerSuspended},
		{name: "manager suspended, with clear", settings: exporting(clearing), x: ann(agreed(bossAt), observed(bossAt), func(x *subject) { x.manager.user.State = directory.StateSuspended }),
			code: directory.CodeManagerSuspended},
		{name: "manager without an account", x: ann(func(x *subject) { x.manager.account.AccountID = "" }), code: directory.CodeManagerWaits},
		{name: "manager with an account to come", x: ann(func(x *subject) { x.manager.account.AccountID, x.manager.account.Status = "", directory.BindingPending }),
			effect: directory.EffectManagerSet, after: directory.ComingManager(bossID)},
		{name: "oneself", x: ann(func(x *subject) { x.user.ManagerID, x.manager = annID, x.person }), code: directory.CodeManagerNotBound},

		{name: "read-only", x: ann(func(x *subject) { x.account.Status = directory.BindingReadOnly })},
		{name: "paused", x: ann(func(x *subject) { x.record.Status = directory.BindingPaused })},
		{name: "account paused", x: ann(func(x *subject) { x.account.Status = directory.BindingPaused })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.settings == nil {
				tt.settings = exporting()
			}
			d := decide(tt.settings, tt.x)
			var effect directory.Effect
			if d.change != nil {
				effect = d.change.Effect
				if after := d.change.Properties[0].After; !after.Equal(tt.after) || d.change.Reason == "" || d.change.Object != directory.ManagerOf(annID) {
					t.Errorf("the change is %+v, want %s afterwards", d.change, tt.after)
				}
			}
			var want []string
			if tt.code != "" {
				want = []string{tt.code}
			}
			if effect != tt.effect || d.ends != tt.ends || !slices.Equal(findings(&d), want) {
				t.Errorf("%q, findings %v, ends %t; want %q, %v, %t", effect, findings(&d), d.ends, tt.effect, want, tt.ends)
			}
		})
	}
}

// TestDecideAgain: whatever is found, once what was planned has been done nothing is
// planned any more; and taking it back gives the manager from before.
func TestDecideAgain(t *testing.T) {
	t.Parallel()
	accounts := []directory.AccountID{"", bossAt, "a-eve", "a-old"}
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 1))
		pick := func() directory.AccountID { return accounts[r.IntN(len(accounts))] }
		x := ann(observed(pick()))
		if r.IntN(2) == 0 {
			agreed(pick())(x)
		}
		switch r.IntN(5) {
		case 0:
			nobody(x)
		case 1:
			x.manager.account = nil
		case 2:
			x.manager.user.State = directory.StateSuspended
		}
		s := exporting()
		if r.IntN(2) == 0 {
			clearing(s)
		}
		if r.IntN(2) == 0 {
			reporting(s)
		}
		was := x.observed
		d := decide(s, x)
		if d.change == nil {
			x.record.Base = d.base
			if again := decide(s, x); again.change != nil {
				t.Fatalf("seed %d: nothing, then %+v", seed, again.change)
			}
			continue
		}
		if before := d.change.Properties[0].Before; !same(before, was) {
			t.Fatalf("seed %d: the change says %s was there, not %s", seed, before, was)
		}
		x.observed = d.change.Properties[0].After
		x.record.Base = directory.Properties{directory.PropManager: x.observed}
		if again := decide(s, x); again.change != nil {
			t.Fatalf("seed %d: %+v, then %+v", seed, d.change, again.change)
		}
		c, code := back("run_1", netsOf([]directory.Change{*d.change})[d.change.Object], x, false)
		if c == nil || code != "" || !same(c.Properties[0].After, was) {
			t.Fatalf("seed %d: taking %+v back is %+v, %q", seed, d.change, c, code)
		}
	}
}

// TestBack: what was changed since is left as it is.
func TestBack(t *testing.T) {
	t.Parallel()
	n := net{was: text("a-old"), wrote: text(bossAt)}
	for _, tt := range []struct {
		name   string
		x      *subject
		unread bool
		after  directory.Value
		code   string
	}{
		{name: "as it was left", x: ann(observed(bossAt)), after: text("a-old")},
		{name: "back already", x: ann(observed("a-old"))},
		{name: "changed since", x: ann(observed("a-eve")), code: plan.LeftChanged},
		{name: "cleared since", x: ann(), code: plan.LeftChanged},
		{name: "not read", x: ann(), unread: true, code: plan.LeftNotRead},
		{name: "released", code: plan.LeftReleased},
		{name: "read before our write", x: ann(observed("a-old"), agreed(bossAt), func(x *subject) { x.fresh = true }), after: text("a-old")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, code := back("run_1", n, tt.x, tt.unread)
			got := fmt.Sprint(code)
			if c != nil {
				got += c.Properties[0].After.String()
			}
			if want := tt.code + tt.after.String(); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// TestScopeMissing: a permission that is missing for managers fails their changes, and
// leaves the connection authorised.
func TestScopeMissing(t *testing.T) {
	t.Parallel()
	p := directory.Problem{Code: directory.CodeScopeMissing, Kind: directory.ProblemAuthorization, MicrosoftStatus: 403}
	v := (&batch{}).Sort(&directory.Change{}, directory.Outcome{Problem: &p})
	if v.State != directory.ChangeFailed || v.Problem == nil || v.Problem.Kind != directory.ProblemTenant {
		t.Errorf("the verdict is %+v with %+v", v, v.Problem)
	}
}
