package directory

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func scopesOf(list []Permission) []string {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.Scope
	}
	return names
}

// What is asked for is what settings and rules want, and what is lacking of it is what
// was not granted, by whatever name.
func TestPermissions(t *testing.T) {
	t.Parallel()
	const base = "https://graph.microsoft.com/User.ReadWrite.All"
	for name, tc := range map[string]struct {
		settings        string
		rules, granted  []string
		wanted, lacking []string
	}{
		"without any setting":      {`{}`, nil, []string{base}, []string{ScopeGroupMembers}, []string{ScopeGroupMembers}},
		"granted":                  {`{}`, nil, []string{base, "groupmember.read.all"}, []string{ScopeGroupMembers}, nil},
		"with Graph's address":     {`{}`, nil, []string{base, "https://graph.microsoft.com/GroupMember.Read.All"}, []string{ScopeGroupMembers}, nil},
		"by a wider one":           {`{}`, nil, []string{base, ScopeGroups}, []string{ScopeGroupMembers}, nil},
		"not wider":                {`{}`, nil, []string{base, "GroupMember.ReadBasic.All"}, []string{ScopeGroupMembers}, []string{ScopeGroupMembers}},
		"left out":                 {`{"protectGroups":false}`, nil, []string{base}, nil, nil},
		"not known what":           {`{"groups":true}`, nil, nil, []string{ScopeGroupMembers, ScopeGroups}, nil},
		"by settings":              {`{"protectGroups":false,"groups":true,"licences":true,"auditLog":true}`, nil, []string{base, ScopeGroups}, []string{ScopeAuditLog, ScopeGroups, ScopeLicences}, []string{ScopeAuditLog, ScopeLicences}},
		"by a rule":                {`{"protectGroups":false}`, []string{ScopeLicences}, []string{base}, []string{ScopeLicences}, []string{ScopeLicences}},
		"reading is not writing":   {`{"protectGroups":false}`, []string{ScopeGroups}, []string{base, "Group.Read.All"}, []string{ScopeGroups}, []string{ScopeGroups}},
		"no rule wants the log":    {`{"protectGroups":false}`, []string{ScopeAuditLog}, []string{base}, nil, nil},
		"a rule that is not known": {`{"protectGroups":false}`, []string{"Mail.Read"}, []string{base}, nil, nil},
	} {
		s, err := ParseSettings([]byte(tc.settings))
		if err != nil {
			t.Fatal(err)
		}
		c := Connection{Settings: s, RuleScopes: tc.rules, Scopes: tc.granted}
		if got := scopesOf(c.Wanted()); !slices.Equal(got, tc.wanted) {
			t.Errorf("%s: wanted are %q, want %q", name, got, tc.wanted)
		}
		if got := scopesOf(c.Lacking()); !slices.Equal(got, tc.lacking) {
			t.Errorf("%s: lacking are %q, want %q", name, got, tc.lacking)
		}
		for _, p := range c.Lacking() {
			if x := p.Problem(); p.For == "" || p.Without == "" || x.Code != CodeScopeMissing || x.Next == "" || !strings.Contains(x.Message, p.Scope) {
				t.Errorf("%s: %+v", name, x)
			}
		}
	}
}

// What rules want is wanted until the epoch ends, with which they end.
func TestWantedOfEpoch(t *testing.T) {
	t.Parallel()
	c := Connection{Epoch: 1}
	c.Want(ScopeGroups)
	c.EndEpoch(time.Now())
	if c.Wants(ScopeGroups) || !c.Want(ScopeGroups) || !c.Wants(ScopeGroups) {
		t.Errorf("in the next epoch rules want %q", c.RuleScopes)
	}
}

// A rule's wish is noted once, and on no record that others hold.
func TestWant(t *testing.T) {
	t.Parallel()
	list := make([]string, 0, 4)
	c := Connection{RuleScopes: list}
	if !c.Want(ScopeGroups) || c.Want(ScopeGroups) || !c.Want(ScopeLicences) || len(c.RuleScopes) != 2 {
		t.Errorf("rules want %q", c.RuleScopes)
	}
	if list[:1][0] != "" {
		t.Error("another record's list was written to")
	}
}

// Settings that an earlier version stored say nothing of protectGroups where it was off:
// it is on.
func TestGroupsAreProtectedByDefault(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{`{}`: true, `{"protectGroups":true}`: true, `{"protectGroups":false}`: false} {
		s, err := ParseSettings([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := *s.Defaulted().ProtectGroups; got != want {
			t.Errorf("%s protects groups: %v", text, got)
		}
	}
}
