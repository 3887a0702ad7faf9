package plan_test

import (
	"strings"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// TestThreeWay goes through desired, base and observed of one property: the
// table of the package comment.
func TestThreeWay(t *testing.T) {
	a, b, c := text("A"), text("B"), text("C")
	none := directory.StringValue("(no base)") // stands for a base that does not know the name
	for _, tt := range []struct {
		name                    string
		desired, base, observed directory.Value
		revert, report          string // the decision under either policy
		newBase                 directory.Value
	}{
		{"all equal", a, a, a, "in-sync", "in-sync", a},
		{"only we changed", b, a, a, "update department=B; pending", "update department=B; pending", a},
		{"only the tenant changed", a, a, c, "update department=A; pending", "in-sync; ?foreign-change", a},
		{"both changed, differently", b, a, c, "update department=B; pending; ?both-changed", "update department=B; pending; ?both-changed", a},
		{"both changed to the same", b, a, b, "in-sync", "in-sync", b},
		{"no base, equal", a, none, a, "in-sync", "in-sync", a},
		{"no base, different", b, none, a, "update department=B; pending", "update department=B; pending", none},
		{"we cleared", null, a, a, "update department=; pending", "update department=; pending", a},
		{"the tenant cleared", a, a, null, "update department=A; pending", "in-sync; ?foreign-change", a},
		{"the tenant filled what we want empty", null, null, c, "update department=; pending", "in-sync; ?foreign-change", null},
		{"only a spelling differs", text("A  B"), text("A B"), text("A\u00a0B"), "in-sync", "in-sync", text("A  B")},
	} {
		for _, policy := range []string{"revert", "report"} {
			t.Run(tt.name+"/"+policy, func(t *testing.T) {
				cfg, want := config(nil), tt.revert
				if policy == "report" {
					cfg, want = config(report), tt.report
				}
				s := inSync(cfg, ann(func(u *directory.User) { u.Department = tt.desired.String() }))
				s.Account.Properties["department"], s.Binding.Base["department"] = tt.observed, tt.base
				if tt.base.Equal(none) {
					delete(s.Binding.Base, "department")
				}
				d := plan.Decide(cfg, s)
				wellFormed(t, s, d)
				if got := summary(d); got != want {
					t.Errorf("Decide = %s, want %s", got, want)
				}
				got, known := d.Base["department"]
				if wanted := !tt.newBase.Equal(none); known != wanted || known && !got.Equal(tt.newBase) {
					t.Errorf("base = %q, %v, want %q, %v", got, known, tt.newBase, wanted)
				}
				if len(d.Changes) == 1 {
					if p := d.Changes[0].Properties[0]; !p.Before.Equal(tt.observed) {
						t.Errorf("before = %q, want %q", p.Before, tt.observed)
					}
				}
			})
		}
	}
}

// TestNineCombinations: each side left the value, changed it, or emptied it.
func TestNineCombinations(t *testing.T) {
	a, b, c := text("A"), text("B"), text("C")
	for _, tt := range []struct {
		ours, theirs   directory.Value
		revert, report string
	}{
		{a, a, "in-sync", "in-sync"},
		{a, c, "update department=A; pending", "in-sync; ?foreign-change"},
		{a, null, "update department=A; pending", "in-sync; ?foreign-change"},
		{b, a, "update department=B; pending", "update department=B; pending"},
		{b, c, "update department=B; pending; ?both-changed", "update department=B; pending; ?both-changed"},
		{b, null, "update department=B; pending; ?both-changed", "update department=B; pending; ?both-changed"},
		{null, a, "update department=; pending", "update department=; pending"},
		{null, c, "update department=; pending; ?both-changed", "update department=; pending; ?both-changed"},
		{null, null, "in-sync", "in-sync"},
	} {
		for policy, want := range map[string]string{"revert": tt.revert, "report": tt.report} {
			cfg := config(func(s *directory.Settings) {
				s.ForeignChange = map[string]directory.ForeignPolicy{"department": directory.ForeignPolicy(policy)}
			})
			s := inSync(cfg, ann(func(u *directory.User) { u.Department = tt.ours.String() }))
			s.Binding.Base["department"], s.Account.Properties["department"] = a, tt.theirs
			if got := summary(plan.Decide(cfg, s)); got != want {
				t.Errorf("ours %q, theirs %q, %s: Decide = %s, want %s", tt.ours, tt.theirs, policy, got, want)
			}
		}
	}
}

// A change tells each value with its cause, and a cause of several once.
func TestReasonsTellWhen(t *testing.T) {
	cfg := config(nil)
	s := inSync(cfg, ann(func(u *directory.User) {
		u.Department, u.JobTitle, u.Updated = "Ops", "Head", time.Date(2026, 3, 4, 5, 6, 7, 8, time.FixedZone("", 3600))
	}))
	s.Account.Properties["department"], s.Binding.Base["department"] = text("Sales"), text("Sales")
	s.Account.Properties["jobTitle"], s.Binding.Base["jobTitle"] = null, null
	s.Account.Properties["surname"] = text("Theirs")
	want := `department: "Sales" → "Ops"; jobTitle: (empty) → "Head", because the directory changed at 2026-03-04T04:06:07Z; ` +
		`surname: "Theirs" → "Smith", because somebody changed it in Microsoft 365`
	if got := plan.Decide(cfg, s).Changes[0].Reason; got != want {
		t.Errorf("reason = %s\nwant     %s", got, want)
	}
}

func TestReasonsAndFindingsHoldBothValues(t *testing.T) {
	cfg := config(nil)
	s := inSync(cfg, ann(func(u *directory.User) { u.Department = "Marketing" }))
	s.Account.Properties["department"], s.Binding.Base["department"] = text("Ops"), text("Sales")
	d := plan.Decide(cfg, s)
	if len(d.Findings) != 1 || len(d.Changes) != 1 {
		t.Fatalf("Decide = %s", summary(d))
	}
	for _, v := range []string{`"Sales"`, `"Ops"`, `"Marketing"`} {
		if !strings.Contains(d.Findings[0].Message, v) {
			t.Errorf("finding %q lacks %s", d.Findings[0].Message, v)
		}
	}
	s.Account.Properties["department"] = text("Sales")
	if got, want := plan.Decide(cfg, s).Changes[0].Reason, `department: "Sales" → "Marketing", because the directory changed it`; got != want {
		t.Errorf("reason = %s, want %s", got, want)
	}
	s.Account.Properties["department"] = text(strings.Repeat("é", 400))
	if got := plan.Decide(cfg, s).Changes[0].Reason; len(got) > 600 || !strings.Contains(got, "…") {
		t.Errorf("reason of a long value has %d bytes", len(got))
	}
}

// A value that is not managed for the user any more, and that the tenant has
// changed since, is new when it is managed again.
func TestBaseForgetsWhatIsTheTenants(t *testing.T) {
	cfg := config(func(s *directory.Settings) {
		report(s)
		s.Attributes["department"] = directory.AttributeRule{Export: true}
	})
	s := inSync(cfg, ann(nil))
	s.User.Department = ""
	for _, tt := range []struct {
		observed string
		fresh    bool
		known    bool
	}{{"Sales", false, true}, {"Ops", true, true}, {"Ops", false, false}} {
		s.Account.Properties["department"], s.Fresh = text(tt.observed), directory.Recent{All: tt.fresh}
		d := plan.Decide(cfg, s)
		if _, known := d.Base["department"]; known != tt.known || summary(d) != "in-sync" {
			t.Errorf("observed %s, fresh %v: %s, base remembers: %v, want %v", tt.observed, tt.fresh, summary(d), known, tt.known)
		}
		s.Binding.Base = d.Base
	}
	s.User.Department = "Sales"
	if got := summary(plan.Decide(cfg, s)); got != "update department=Sales; pending" {
		t.Errorf("managed again: %s, want our value written although foreign changes are only reported", got)
	}
}

// Shortly after our own write the read may be older than it.
func TestFresh(t *testing.T) {
	for _, tt := range []struct {
		name     string
		desired  string
		base     string
		observed string
		want     string
		before   string
	}{
		{"our write is not visible yet", "B", "B", "A", "in-sync", ""},
		{"edited again before it is visible", "C", "B", "A", "update department=C; pending", "B"},
		{"edited back before it is visible", "A", "B", "A", "update department=A; pending", "B"},
		{"visible", "B", "B", "B", "in-sync", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(nil)
			s := inSync(cfg, ann(func(u *directory.User) { u.Department = tt.desired }))
			s.Binding.Base["department"], s.Account.Properties["department"], s.Fresh = text(tt.base), text(tt.observed), lately
			d := plan.Decide(cfg, s)
			wellFormed(t, s, d)
			if got := summary(d); got != tt.want {
				t.Errorf("Decide = %s, want %s", got, tt.want)
			}
			if len(d.Changes) > 0 && d.Changes[0].Properties[0].Before.String() != tt.before {
				t.Errorf("before = %q, want %q", d.Changes[0].Properties[0].Before, tt.before)
			}
			if len(d.Changes) == 0 && !d.Base["department"].Equal(text(tt.base)) {
				t.Errorf("base = %q, want %q", d.Base["department"], tt.base)
			}
		})
	}
}

func TestSensitivePropertiesAndRenamesAreApart(t *testing.T) {
	cfg := config(nil)
	s := inSync(cfg, ann(nil))
	s.User.Department, s.User.JobTitle, s.User.Phones = "Ops", "Head", directory.Phones{Work: "+1", Mobile: "+2"}
	s.User.AlternateEmail, s.User.Email = "a@home.example", "anna@corp.example"
	d := plan.Decide(cfg, s)
	wellFormed(t, s, d)
	want := "update department=Ops jobTitle=Head; update-sensitive businessPhones=+1 mobilePhone=+2 otherMails=a@home.example; " +
		"rename userPrincipalName=anna@corp.example; pending"
	if got := summary(d); got != want {
		t.Errorf("Decide = %s\nwant %s", got, want)
	}
	if n := plan.TallyOf(d.Changes).Effects(); n[directory.EffectUpdate] != 1 || n[sensitive] != 1 {
		t.Errorf("Effects = %v, want an update and an update-sensitive", n)
	}
	// An empty phone that an adoption fills counts as well, and a creation's does not.
	u := unbound(ann(func(u *directory.User) { u.Phones.Mobile = "+2" }))
	if d = plan.Decide(cfg, u); summary(d) != "create; pending" || plan.TallyOf(d.Changes).Total(sensitive) != 0 {
		t.Errorf("created: %s, counted as %v", summary(d), plan.TallyOf(d.Changes))
	}
	u.ByUPN = candidate(nil)
	if d = plan.Decide(cfg, u); summary(d) != "adopt; update-sensitive mobilePhone=+2; pending" || plan.TallyOf(d.Changes).Total(sensitive) != 1 {
		t.Errorf("adopted: %s, counted as %v", summary(d), plan.TallyOf(d.Changes))
	}
}

// A first load is what whoever switched the export on decided about: empty
// values of adopted accounts, filled with what the user had by then.
func TestFirstLoadOfSensitiveValues(t *testing.T) {
	since := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	adopting := func(s *plan.Subject) {}
	for _, tt := range []struct {
		name    string
		updated time.Time
		edit    func(*plan.Subject)
		free    bool
	}{
		{"loaded before", since.Add(-time.Hour), adopting, true},
		{"in the same moment", since, adopting, true},
		{"edited later", since.Add(time.Millisecond), adopting, false},
		{"nobody knows when", time.Time{}, adopting, false},
		{"replaces a value", since, func(s *plan.Subject) { s.ByUPN.Properties["mobilePhone"] = text("+9") }, false},
		{"one of two was decided about", since, func(s *plan.Subject) { s.User.Phones.Work = "+3" }, false},
		{"bound by an import", since, func(s *plan.Subject) { s.Binding.AccountID, s.Account, s.ByUPN = accountID, s.ByUPN, nil }, true},
		{"ours already", since, func(s *plan.Subject) {
			s.Binding.AccountID, s.Account, s.ByUPN, s.Binding.Base = accountID, s.ByUPN, nil, directory.Properties{"mobilePhone": null}
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(nil)
			cfg.ExportedSince = map[string]time.Time{"mobilePhone": since, "otherMails": since}
			s := unbound(ann(func(u *directory.User) { u.Phones.Mobile, u.Department, u.Updated = "+2", "Ops", tt.updated }))
			s.ByUPN = candidate(nil)
			tt.edit(&s)
			d := plan.Decide(cfg, s)
			wellFormed(t, s, d)
			tally := plan.TallyOf(d.Changes)
			if tally.Total(sensitive) != 1 {
				t.Fatalf("Decide = %s, which people see counted as %v", summary(d), tally)
			}
			held := plan.Guard(limits{sensitive: {Count: ptr(0), By: []directory.Dimension{directory.ByDepartment}}}, plan.Facts{Run: tally})
			if (held == nil) != tt.free {
				t.Errorf("free = %v, want %v: %+v", held == nil, tt.free, held)
			}
			for i := range d.Changes {
				class, in := plan.WaveClass(&d.Changes[i], false)
				if c := &d.Changes[i]; c.Effect == sensitive && in == tt.free || c.FirstLoad != (c.Effect == sensitive && tt.free) {
					t.Errorf("%s is a first load: %v, goes in waves of the kind %q", c.Effect, c.FirstLoad, class)
				}
			}
			n := 0
			for name := range tally.Counter() {
				if name[0] == 's' {
					n++
				}
			}
			if (n == 0) != tt.free {
				t.Errorf("remembered for the day and the week: %v, want %v", n > 0, !tt.free)
			}
		})
	}
}

func TestAccountEnabled(t *testing.T) {
	for _, tt := range []struct {
		name     string
		edit     func(*directory.User)
		base     directory.Value
		observed directory.Value
		blocked  bool
		fresh    bool
		want     string
	}{
		{"suspended", suspended, yes, yes, false, false, "block accountEnabled=false; revoke; pending"},
		{"deleted", deleted, yes, yes, false, false, "block accountEnabled=false; revoke; pending"},
		{"staged again", func(u *directory.User) { u.State = directory.StateStaged }, yes, yes, false, false, "block accountEnabled=false; revoke; pending"},
		{"blocked already by us", suspended, no, no, true, false, "in-sync"},
		{"blocked already by them", suspended, yes, no, false, false, "in-sync"},
		{"they enabled what we block", suspended, no, yes, true, false, "block accountEnabled=false; revoke; pending"},
		{"active again", nil, no, no, true, false, "unblock accountEnabled=true; pending"},
		{"active again, but the block is theirs", nil, no, no, false, false, "in-sync; ?blocked-at-microsoft"},
		{"they blocked an active user", nil, yes, no, false, false, "in-sync; ?blocked-at-microsoft"},
		{"they enabled after our block, then blocked", nil, yes, no, true, false, "in-sync; ?blocked-at-microsoft"},
		{"our block is not visible yet", suspended, no, yes, true, true, "in-sync"},
		{"active again before our block is visible", nil, no, yes, true, true, "unblock accountEnabled=true; pending"},
		{"our unblock is not visible yet", nil, yes, no, false, true, "in-sync"},
		{"suspended again before our unblock is visible", suspended, yes, no, false, true, "block accountEnabled=false; revoke; pending"},
		{"accountEnabled was not read", suspended, yes, null, false, false, "block accountEnabled=false; revoke; pending"},
	} {
		for _, policy := range []func(*directory.Settings){nil, report} {
			t.Run(tt.name, func(t *testing.T) {
				cfg := config(policy)
				s := inSync(cfg, ann(nil))
				if tt.edit != nil {
					tt.edit(s.User)
				}
				s.Binding.Base[onOff], s.Account.Properties[onOff], s.Binding.Blocked, s.Fresh = tt.base, tt.observed, tt.blocked, directory.Recent{All: tt.fresh}
				d := plan.Decide(cfg, s)
				wellFormed(t, s, d)
				if got := summary(d); got != tt.want {
					t.Errorf("Decide = %s, want %s", got, tt.want)
				}
			})
		}
	}
}

// A deleted user's account is blocked, and otherwise left as it is.
func TestDeletedUser(t *testing.T) {
	cfg := config(nil)
	s := inSync(cfg, ann(nil))
	deleted(s.User)
	s.User.Email = "" // freed
	s.Account.Properties["department"] = text("Renamed by them")
	if got := summary(plan.Decide(cfg, s)); got != "block accountEnabled=false; revoke; pending" {
		t.Errorf("Decide = %s", got)
	}
	s.Account.Properties[onOff], s.Binding.Base[onOff], s.Binding.Blocked = no, no, true
	d := plan.Decide(cfg, s)
	if got := summary(d); got != "in-sync" || !d.Base["department"].Equal(text("Sales")) {
		t.Errorf("after the block: %s, base %q", got, d.Base["department"])
	}
	cfg = config(func(s *directory.Settings) { s.OnDelete = "delete" })
	if got := summary(plan.Decide(cfg, s)); got != "delete; pending" {
		t.Errorf("with onDelete delete: %s", got)
	}
	suspendedOnly := inSync(cfg, ann(nil))
	suspended(suspendedOnly.User)
	if got := summary(plan.Decide(cfg, suspendedOnly)); got != "block accountEnabled=false; revoke; pending" {
		t.Errorf("a suspended user with onDelete delete: %s", got)
	}
}

// A value that breaks a rule is a problem of its own: whatever else is to be done
// about the user is done, and only an account without an essential value is not
// created.
func TestDataThatBreakRules(t *testing.T) {
	cfg := config(nil)
	broken := func(u *directory.User) {
		u.Department, u.JobTitle, u.DisplayName, u.FamilyName = strings.Repeat("x", 65), "Head", "Ann", strings.Repeat("y", 65)
	}
	s := inSync(cfg, ann(func(u *directory.User) { u.DisplayName = "Ann" }))
	broken(s.User)
	for _, tt := range []struct {
		name string
		edit func(*directory.User)
		want string
	}{
		{"active", nil, "update jobTitle=Head; pending; ?value-too-long; ?value-too-long"},
		{"suspended", suspended, "block accountEnabled=false; revoke; update jobTitle=Head; pending; ?value-too-long; ?value-too-long"},
		{"without an address", func(u *directory.User) { u.Email = "" }, "update jobTitle=Head; pending; ?address-missing; ?value-too-long; ?value-too-long"},
	} {
		u, one := *s.User, s
		if one.User = &u; tt.edit != nil {
			tt.edit(&u)
		}
		d := plan.Decide(cfg, one)
		wellFormed(t, one, d)
		if got := summary(d); got != tt.want {
			t.Errorf("%s: Decide = %s, want %s", tt.name, got, tt.want)
		}
	}
	s.Account.Properties["jobTitle"], s.Account.Properties["surname"] = text("Head"), text("Theirs")
	d := plan.Decide(cfg, s)
	wellFormed(t, s, d)
	if got := summary(d); got != "refused; !value-too-long; ?value-too-long" {
		t.Errorf("all the rest is there: Decide = %s", got)
	}
	if d.Problem.Property != "department" || d.Findings[0].Property != "surname" || !d.Base["jobTitle"].Equal(text("Head")) || !d.Base["surname"].Equal(text("Smith")) {
		t.Errorf("problem %+v, finding %+v, base %v", d.Problem, d.Findings[0], d.Base)
	}
	for _, tt := range []struct {
		edit func(*directory.User)
		by   *directory.Account
		want string
	}{
		{nil, candidate(nil), "adopt; update displayName=Ann jobTitle=Head; pending; ?value-too-long; ?value-too-long"},
		{suspended, candidate(nil), "block accountEnabled=false; revoke; adopt; update displayName=Ann jobTitle=Head; pending; ?value-too-long; ?value-too-long"},
		{nil, nil, "create; pending; ?value-too-long; ?value-too-long"},
		{func(u *directory.User) { u.DisplayName = strings.Repeat("z", 257) }, nil, "refused; !value-too-long; ?value-too-long; ?value-too-long"},
		{func(u *directory.User) { u.Email = "" }, nil, "refused; !address-missing; ?value-too-long; ?value-too-long"},
	} {
		s := unbound(ann(func(u *directory.User) {
			broken(u)
			if tt.edit != nil {
				tt.edit(u)
			}
		}))
		s.ByUPN = tt.by
		d := plan.Decide(cfg, s)
		wellFormed(t, s, d)
		if got := summary(d); got != tt.want {
			t.Errorf("without an account: %s, want %s", got, tt.want)
		}
		for _, c := range d.Changes {
			if _, sent := c.After()["department"]; c.Effect == directory.EffectCreate && (sent || c.After()["jobTitle"].String() != "Head") {
				t.Errorf("the creation writes %v", c.After())
			}
		}
		if d.Problem != nil && d.Problem.Property != upn && d.Problem.Property != "displayName" {
			t.Errorf("the problem that stops the creation is of %s", d.Problem.Property)
		}
	}
}
