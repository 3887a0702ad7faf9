package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"bindery/shared/directory"
)

// endless is a tenant whose groups do not come to an end.
type endless struct {
	Tenant

	pages, asked int
	fails        error
	name         func(page, i int) string
}

func (e *endless) ListGroups(_ context.Context, q directory.TenantGroupQuery, _ string) (directory.TenantGroupPage, error) {
	e.pages++
	page := directory.TenantGroupPage{Next: fmt.Sprint("next", e.pages)}
	for i := range 100 {
		page.Groups = append(page.Groups, directory.TenantGroup{ID: directory.TenantGroupID(fmt.Sprintf("g-%d-%d", e.pages, i)), DisplayName: e.name(e.pages, i)})
	}
	if q.LicenceErrors {
		page.Next = ""
	}
	return page, e.fails
}

func (e *endless) LicenceErrors(context.Context, directory.TenantGroupID) ([]directory.AccountID, error) {
	e.asked++
	return []directory.AccountID{"a", "b"}, nil
}

func groupsOf(f *Facts) *groupCheck {
	f.Unread = map[string]string{}
	return &groupCheck{Doctor: &Doctor{}, f: f, exports: map[directory.GroupID]string{"grp_1": "Sales ", "grp_2": "Board"}, bound: map[directory.TenantGroupID]bool{}}
}

// TestBoundedGroups: however many groups a tenant has, a check asks for a few pages, and
// says that there are more.
func TestBoundedGroups(t *testing.T) {
	t.Parallel()
	f := facts()
	g, e := groupsOf(f), &endless{name: func(page, i int) string { return fmt.Sprint("Group ", page, i) }}
	g.namesakes(t.Context(), e)
	g.licenceErrors(t.Context(), e)
	if e.pages != mostGroupPages+1 || e.asked != mostFailing {
		t.Errorf("%d pages and %d groups were asked for, want %d and %d", e.pages, e.asked, mostGroupPages+1, mostFailing)
	}
	if len(f.Groups.Namesakes) != 0 || f.Unread["some groups"] == "" || !f.Groups.More || len(f.Licences.Failing) != mostFailing {
		t.Errorf("found %+v, %v unread, %d failing", f.Groups, f.Unread, len(f.Licences.Failing))
	}
}

// TestNamesakes: a namesake is told by name as people see it; what we made or adopted is
// none, and an error is no finding.
func TestNamesakes(t *testing.T) {
	t.Parallel()
	f := facts()
	g := groupsOf(f)
	g.bound["g-1-1"] = true
	names := []string{"SALES", "Sales", "Sales", "Sale", "board\u200b"}
	e := &endless{name: func(page, i int) string {
		if page == 1 && i < len(names) {
			return names[i]
		}
		return "x"
	}}
	g.namesakes(t.Context(), e)
	var found []string
	for _, n := range f.Groups.Namesakes {
		found = append(found, string(n.GroupID)+" "+n.Detail[strings.LastIndex(n.Detail, " ")+1:])
	}
	if want := []string{"grp_1 g-1-0", "grp_1 g-1-2", "grp_2 g-1-4"}; !slices.Equal(found, want) {
		t.Errorf("namesakes are %q, want %q", found, want)
	}
	if out := ofGroups(f); len(out) != 1 || out[0].Groups != 3 || out[0].Users != 0 {
		t.Errorf("the finding is %+v", out)
	}
	f = facts()
	g, e.fails = groupsOf(f), errors.New("no answer")
	g.namesakes(t.Context(), e)
	if len(f.Groups.Namesakes) != 0 || f.Unread["groups"] == "" {
		t.Errorf("found %+v with %v unread", f.Groups.Namesakes, f.Unread)
	}
}

// TestProducts: how grave what has become of a product is, depends on whether we gave it.
func TestProducts(t *testing.T) {
	t.Parallel()
	units := func(enabled, warning, suspended int) directory.LicenceUnits {
		return directory.LicenceUnits{Enabled: enabled, Warning: warning, Suspended: suspended}
	}
	for name, tc := range map[string]struct {
		product directory.LicenceSKU
		ours    int
		code    string
		s       Severity
	}{
		"all used":               {directory.LicenceSKU{Status: "Enabled", AppliesTo: "User", Consumed: 5, Units: units(5, 0, 0)}, 5, "", ""},
		"more used than bought":  {directory.LicenceSKU{Status: "Enabled", AppliesTo: "User", Consumed: 8, Units: units(5, 0, 0)}, 5, "", ""},
		"some left":              {directory.LicenceSKU{Status: "Enabled", AppliesTo: "User", Consumed: 4, Units: units(5, 0, 0)}, 4, "seats-empty", Info},
		"in grace":               {directory.LicenceSKU{Status: "Warning", AppliesTo: "User", Consumed: 4, Units: units(0, 5, 0)}, 4, "subscription-ending", Warning},
		"a part in grace":        {directory.LicenceSKU{Status: "Enabled", AppliesTo: "User", Consumed: 4, Units: units(2, 5, 0)}, 0, "subscription-ending", Warning},
		"suspended, ours":        {directory.LicenceSKU{Status: "Suspended", AppliesTo: "User", Consumed: 4, Units: units(0, 0, 5)}, 4, "subscription-suspended", Critical},
		"suspended, of others":   {directory.LicenceSKU{Status: "Suspended", AppliesTo: "User", Consumed: 4, Units: units(0, 0, 5)}, 0, "subscription-suspended", Warning},
		"a part suspended, ours": {directory.LicenceSKU{Status: "Enabled", AppliesTo: "User", Consumed: 4, Units: units(4, 0, 5)}, 4, "subscription-suspended", Warning},
		"of the organisation":    {directory.LicenceSKU{Status: "LockedOut", AppliesTo: "Company", Units: units(0, 0, 5)}, 0, "", ""},
	} {
		f := facts()
		tc.product.ID, tc.product.PartNumber = "s1", "SPE_E3"
		f.Licences.Products, f.Licences.Ours = []directory.LicenceSKU{tc.product}, map[directory.SKUID]int{"s1": tc.ours}
		out := ofLicences(f)
		if tc.code == "" && len(out) == 0 {
			continue
		}
		if len(out) != 1 || out[0].Code != tc.code || out[0].Severity != tc.s || out[0].Subject != "SPE_E3" {
			t.Errorf("%s: found %+v, want %s %s", name, out, tc.s, tc.code)
		}
	}
}
