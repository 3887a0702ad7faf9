package directory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"bindery/shared/directory"
)

// Each kind of group is told, and why it is not ours to write.
func TestTenantGroupKinds(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		group    directory.TenantGroup
		kind     directory.TenantGroupKind
		readOnly string
	}{
		"security":      {directory.TenantGroup{Security: true}, directory.GroupSecurity, ""},
		"Microsoft 365": {directory.TenantGroup{GroupTypes: []string{"Unified"}, MailEnabled: true}, directory.GroupMicrosoft365, ""},
		"Microsoft 365 with security": {directory.TenantGroup{GroupTypes: []string{"Unified"}, MailEnabled: true, Security: true},
			directory.GroupMicrosoft365, ""},
		"dynamic":                  {directory.TenantGroup{GroupTypes: []string{"DynamicMembership"}, Security: true}, directory.GroupSecurity, "group-dynamic"},
		"dynamic, by its rule":     {directory.TenantGroup{MembershipRule: "user.department -eq \"x\"", Security: true}, directory.GroupSecurity, "group-dynamic"},
		"dynamic Microsoft 365":    {directory.TenantGroup{GroupTypes: []string{"Unified", "dynamicmembership"}, MailEnabled: true}, directory.GroupMicrosoft365, "group-dynamic"},
		"mail-enabled security":    {directory.TenantGroup{MailEnabled: true, Security: true}, directory.GroupMailSecurity, "group-mail-enabled"},
		"distribution list":        {directory.TenantGroup{MailEnabled: true}, directory.GroupDistribution, "group-mail-enabled"},
		"synced":                   {directory.TenantGroup{Security: true, OnPremisesSync: true}, directory.GroupSecurity, "group-synced"},
		"synced and mail-enabled":  {directory.TenantGroup{MailEnabled: true, OnPremisesSync: true}, directory.GroupDistribution, "group-synced"},
		"role-assignable":          {directory.TenantGroup{Security: true, RoleAssignable: true}, directory.GroupSecurity, "group-role-assignable"},
		"role-assignable, dynamic": {directory.TenantGroup{GroupTypes: []string{"DynamicMembership"}, RoleAssignable: true}, directory.GroupSecurity, "group-role-assignable"},
		"restricted":               {directory.TenantGroup{Security: true, Restricted: true}, directory.GroupSecurity, "group-restricted"},
	}
	for name, tt := range tests {
		p, code := tt.group.ReadOnly(), ""
		if p != nil {
			code = p.Code
			if p.Kind != directory.ProblemReadOnly || p.Message == "" || p.Next == "" {
				t.Errorf("%s: the problem says too little: %+v", name, p)
			}
		}
		if tt.group.Kind() != tt.kind || code != tt.readOnly {
			t.Errorf("%s: kind %s, read-only %q; want %s, %q", name, tt.group.Kind(), code, tt.kind, tt.readOnly)
		}
	}
}

// Nobody is told of members before the last page is there.
func TestMemberRoll(t *testing.T) {
	t.Parallel()
	member := func(n int) directory.TenantMember {
		return directory.TenantMember{ID: directory.AccountID(fmt.Sprint("m", n)), Type: directory.TenantMemberUser}
	}
	var r directory.MemberRoll
	told := func(want int, complete bool) {
		t.Helper()
		if list, all := r.Members(); len(list) != want || all != complete {
			t.Errorf("%d members, complete %v; want %d, %v", len(list), all, want, complete)
		}
	}
	told(0, false)
	for n, p := range []directory.MemberPage{
		{Members: []directory.TenantMember{member(1), member(2)}, Next: "a"},
		{Next: "b"}, // an empty page has a next one as well
		{Members: []directory.TenantMember{member(2), member(3)}, Next: "c"},
	} {
		if err := r.Add(&p); err != nil || r.Next() != p.Next {
			t.Fatal(n, r.Next(), err)
		}
		told(0, false)
	}
	if err := r.Add(&directory.MemberPage{}); err != nil || r.Next() != "" {
		t.Fatal(r.Next(), err)
	}
	told(3, true)

	var circle directory.MemberRoll
	var err error
	for n := 0; n < 1000 && err == nil; n++ {
		err = circle.Add(&directory.MemberPage{Members: []directory.TenantMember{member(n % 2)}, Next: fmt.Sprint(n % 2)})
	}
	if _, loops := directory.PagingLoop(err); !loops {
		t.Errorf("pages in a circle end with %v", err)
	}
	if _, complete := circle.Members(); complete {
		t.Error("a roll that turned in a circle is complete")
	}
}

// Additions to one group go together, twenty at most; everything else alone.
func TestWriteRequests(t *testing.T) {
	t.Parallel()
	add := func(g string) directory.Write {
		return directory.Write{Effect: directory.EffectMemberAdd, GroupID: directory.TenantGroupID(g)}
	}
	var writes []directory.Write
	for range 22 {
		writes = append(writes, add("g"), add("h"))
	}
	writes = append(writes, directory.Write{Effect: directory.EffectMemberAdd, GroupID: "g", Alone: true})
	writes = slices.Insert(writes, 2, directory.Write{Effect: directory.EffectMemberRemove, GroupID: "g"}, directory.Write{Effect: directory.EffectBlock})
	seen := map[int]bool{}
	var sizes []int
	for _, r := range directory.WriteRequests(writes) {
		sizes = append(sizes, len(r.Places))
		for _, i := range r.Places {
			if seen[i] || writes[i].GroupID != writes[r.Places[0]].GroupID {
				t.Errorf("the write %d is there twice, or with those of another group", i)
			}
			seen[i] = true
		}
	}
	if len(seen) != len(writes) || !slices.Equal(sizes, []int{20, 20, 1, 1, 2, 2, 1}) {
		t.Errorf("%d of %d writes in requests of %v", len(seen), len(writes), sizes)
	}
}

// Every error of a licence's state has a code with words, and none means none.
func TestLicenceStates(t *testing.T) {
	t.Parallel()
	const sku = "99999999-aaaa-4bbb-8ccc-000000000001"
	for _, tt := range []struct {
		state, error, code string
		inForce            bool
	}{
		{"Active", "", "", true}, {"Active", "None", "", true}, {"Disabled", "", "", true},
		{"Error", "CountViolation", "license-none-left", false},
		{"Error", "MutuallyExclusiveViolation", "license-exclusive", false},
		{"ActiveWithError", "DependencyViolation", "license-dependency", true},
		{"Error", "ProhibitedInUsageLocationViolation", "license-location-prohibited", false},
		{"Error", "UniquenessViolation", "license-address-taken", false},
		{"Error", "Other", "license-other", false}, {"Error", "Others", "license-other", false},
		{"Error", "SomethingNew", "license-other", false}, {"ActiveWithError", "", "license-other", true},
	} {
		s := directory.LicenceState{AssignedLicence: directory.AssignedLicence{SKU: sku}, State: tt.state, Error: tt.error}
		p, code := s.Problem(), ""
		if p != nil {
			code = p.Code
			if p.Message == "" || strings.Contains(p.Message, "{") || p.Next == "" || p.MicrosoftCode != tt.error {
				t.Errorf("%s %s: %+v", tt.state, tt.error, p)
			}
		}
		if code != tt.code || s.InForce() != tt.inForce {
			t.Errorf("%s %s: code %q, in force %v", tt.state, tt.error, code, s.InForce())
		}
	}
}

// What an account has of its own is told from what comes by groups.
func TestAccountLicences(t *testing.T) {
	t.Parallel()
	of := func(sku directory.SKUID, group directory.TenantGroupID, off ...directory.ServicePlanID) directory.LicenceState {
		return directory.LicenceState{AssignedLicence: directory.AssignedLicence{SKU: sku, DisabledPlans: off}, AssignedByGroup: group, State: "Active"}
	}
	a := directory.AccountLicences{States: []directory.LicenceState{of("e3", "g1"), of("e3", "", "p2", "p1", "p2"), of("e5", "g1"), of("e5", "g2")}}
	direct, yes := a.Direct("e3")
	if !yes || !direct.Same(directory.AssignedLicence{SKU: "e3", DisabledPlans: []directory.ServicePlanID{"p1", "p2"}}) ||
		direct.Same(directory.AssignedLicence{SKU: "e3"}) {
		t.Errorf("E3 of its own: %+v, %v", direct, yes)
	}
	if _, yes := a.Direct("e5"); yes || len(a.Inherited("e5")) != 2 || len(a.Inherited("e3")) != 1 {
		t.Error("inherited licences are told wrong")
	}
	sku := directory.LicenceSKU{AppliesTo: "User", Status: "Warning", Consumed: 12, Units: directory.LicenceUnits{Enabled: 10, Warning: 5, Suspended: 9}}
	if !sku.Assignable() || sku.Free() != 3 {
		t.Errorf("assignable %v, free %d", sku.Assignable(), sku.Free())
	}
	sku.AppliesTo, sku.Consumed = "Company", 20
	if sku.Assignable() || sku.Free() != 0 {
		t.Errorf("assignable %v, free %d", sku.Assignable(), sku.Free())
	}
}
