package plan_test

import (
	"slices"
	"testing"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

func aliasOfAddress(s *directory.Settings) { s.UpdateMailNickname = true }

// The mailNickname is the alias of the mailbox: it is given to new accounts and
// to those that have none, and follows the address by a setting only.
func TestMailNicknameIsSetAtCreation(t *testing.T) {
	const nickname = directory.PropMailNickname
	for _, tt := range []struct {
		name     string
		settings func(*directory.Settings)
		alias    directory.Value
		email    string
		want     string
	}{
		{"adopted with another alias", nil, text("ann.smith"), address, "adopt; pending"},
		{"adopted without one", nil, null, address, "adopt; update mailNickname=ann; pending"},
		{"adopted, the alias is to follow", aliasOfAddress, text("ann.smith"), address, "adopt; update mailNickname=ann; pending"},
		{"adopted, and it is the same", aliasOfAddress, text("ANN"), address, "adopt; pending"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config(tt.settings)
			s := unbound(ann(nil))
			s.ByUPN = candidate(nil)
			s.ByUPN.Properties[nickname] = tt.alias
			d := plan.Decide(c, s)
			wellFormed(t, s, d)
			if got := summary(d); got != tt.want {
				t.Errorf("Decide = %s, want %s", got, tt.want)
			}
			if !d.Before[nickname].Equal(tt.alias) {
				t.Errorf("before = %q, want %q", d.Before[nickname], tt.alias)
			}
		})
	}
	for _, tt := range []struct {
		name      string
		settings  func(*directory.Settings)
		email     string // of the user now
		alias     string // of the account now
		want      string
		forgotten bool // the alias is the tenant's own
	}{
		{"nothing happened", nil, address, "ann", "in-sync", false},
		{"renamed by the directory", nil, "anna@corp.example", "ann", "rename userPrincipalName=anna@corp.example; pending", false},
		{"renamed, the alias is to follow", aliasOfAddress, "anna@corp.example", "ann", "update mailNickname=anna; rename userPrincipalName=anna@corp.example; pending", false},
		{"changed in the tenant", nil, address, "ann.smith", "in-sync", true},
		{"changed in the tenant, and it is to follow", aliasOfAddress, address, "ann.smith", "update mailNickname=ann; pending", false},
		{"renamed and changed", nil, "anna@corp.example", "ann.smith", "rename userPrincipalName=anna@corp.example; pending", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config(tt.settings)
			s := inSync(c, ann(nil))
			s.User.Email = tt.email
			s.Account.Properties[nickname] = text(tt.alias)
			d := plan.Decide(c, s)
			wellFormed(t, s, d)
			if got := summary(d); got != tt.want {
				t.Errorf("Decide = %s, want %s", got, tt.want)
			}
			if _, known := d.Base[nickname]; known == tt.forgotten {
				t.Errorf("base has %q, forgotten: %v", d.Base[nickname], tt.forgotten)
			}
			trace := plan.Explain(c, s, d)
			i := slices.IndexFunc(trace.Attributes, func(a plan.TraceAttribute) bool { return a.Name == nickname })
			if a := trace.Attributes[i]; tt.settings == nil && (a.Outcome == "write" || a.Outcome == "report" || a.Rule != "set at creation, and when it is empty") {
				t.Errorf("explained as %s, %s", a.Outcome, a.Rule)
			}
		})
	}
}

// Who has no name in the directory keeps the one that the account has; the
// address stands in for it in new accounts only.
func TestStandInNameOverwritesNone(t *testing.T) {
	nameless := func(u *directory.User) { u.GivenName, u.FamilyName = "", "" }
	s := unbound(ann(nameless))
	s.ByUPN = candidate(nil)
	s.ByUPN.Properties[directory.PropDisplayName] = text("Ann Smith (Sales)")
	if got := summary(plan.Decide(config(nil), s)); got != "adopt; pending" {
		t.Errorf("adopted: %s", got)
	}
	s.ByUPN.Properties[directory.PropDisplayName] = text(" ")
	if got := summary(plan.Decide(config(nil), s)); got != "adopt; update displayName=ann; pending" {
		t.Errorf("adopted without a name: %s", got)
	}
	s.User.DisplayName = "Ann S."
	s.ByUPN.Properties[directory.PropDisplayName] = text("Ann Smith (Sales)")
	if got := summary(plan.Decide(config(nil), s)); got != "adopt; update displayName=Ann S.; pending" {
		t.Errorf("adopted with a name: %s", got)
	}
}

// A code that is mended is explained.
func TestExplainSaysWhatWasMended(t *testing.T) {
	c := config(nil)
	s := inSync(c, ann(func(u *directory.User) { u.UsageLocation, u.PreferredLanguage = "UK", "de-DE" }))
	for _, a := range plan.Explain(c, s, plan.Decide(c, s)).Attributes {
		switch {
		case a.Name == directory.PropUsageLocation && (a.Desired.String() != "GB" || a.Note == ""):
			t.Errorf("usageLocation is explained as %q, %q", a.Desired, a.Note)
		case a.Name != directory.PropUsageLocation && a.Note != "":
			t.Errorf("%s is explained as %q", a.Name, a.Note)
		}
	}
}
