package entra

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/quota"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/entra/entratest/skus"
)

const (
	planYammer = directory.ServicePlanID("7547a3fe-08ee-4ccb-b430-5077c5041653")
	planTeams  = directory.ServicePlanID("57ff2da0-773e-42df-b2af-ffb7a2317929")
	planPhone  = directory.ServicePlanID("4828c8ec-dc2e-4779-b502-87ac9ce28ab7")
)

// newLicenceWorld is a world with three products and people who may have them.
func newLicenceWorld(t *testing.T) *world {
	t.Helper()
	w := newGroupWorld(t)
	for part, n := range map[string]int{"SPE_E3": 2, "SPE_E5": 5, "ENTERPRISEPACK": 5, "MCOEV": 5, "CDS_DB_CAPACITY": 3} {
		if err := w.sim.SetLicence(simTenant, entratest.LicenceSpec{SKUPartNumber: part, Enabled: n}); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{plainID, boxID, memberID, ownerID} {
		if err := w.sim.EditAccount(simTenant, id, map[string]any{"usageLocation": "CH"}); err != nil {
			t.Fatal(err)
		}
	}
	w.sim.ResetRequests()
	return w
}

// license is a change of an account's licences.
func license(effect directory.Effect, id directory.AccountID, add []directory.AssignedLicence, remove ...directory.SKUID) directory.Write {
	return directory.Write{Effect: effect, AccountID: id, Licences: directory.LicenceChange{Add: add, Remove: remove}}
}

func give(sku directory.SKUID, off ...directory.ServicePlanID) []directory.AssignedLicence {
	return []directory.AssignedLicence{{SKU: sku, DisabledPlans: off}}
}

// held is what an account has of licences.
func (w *world) held(id directory.AccountID) directory.AccountLicences {
	w.Helper()
	found, err := w.tenant.Licences(w.Context(), []directory.AccountID{id})
	if err != nil || found[0].Value == nil {
		w.Fatalf("the licences of %s: %+v, %v", id, found, err)
	}
	return *found[0].Value
}

func TestSKUs(t *testing.T) {
	t.Parallel()
	w := newLicenceWorld(t)
	list, err := w.tenant.SKUs(t.Context())
	if err != nil || len(list) != 5 {
		t.Fatal(list, err)
	}
	if units, _ := w.units(); units != quota.UnitsOfSKUs {
		t.Errorf("the products took %d units", units)
	}
	by := map[string]directory.LicenceSKU{}
	for _, s := range list {
		by[s.PartNumber] = s
	}
	e3, whole := by["SPE_E3"], by["CDS_DB_CAPACITY"]
	if e3.ID != skus.SPEE3 || !e3.Assignable() || e3.Free() != 2 || !e3.HasPlan(planYammer) || e3.HasPlan(planPhone) || len(e3.Plans) < 10 || e3.Plans[0].Name == "" {
		t.Errorf("E3 = %+v", e3)
	}
	if whole.Assignable() {
		t.Errorf("a product of the whole organisation can be given to people: %+v", whole)
	}
	w.round = func(*http.Request) (*http.Response, error) {
		return answer(200, `{"value":[{"skuPartNumber":"x"}]}`), nil
	}
	if list, err := w.tenant.SKUs(t.Context()); !errors.Is(err, directory.ErrUnavailable) || list != nil {
		t.Errorf("a product without an ID: %+v, %v", list, err)
	}
}

// TestLicenceLife gives, changes, swaps and takes licences of an account.
func TestLicenceLife(t *testing.T) {
	t.Parallel()
	w := newLicenceWorld(t)
	steps := []struct {
		name  string
		write directory.Write
		has   string // products, each with the services that are off
	}{
		{"given", license(directory.EffectLicenceAdd, plainID, give(skus.SPEE3, planYammer)), "E3-" + string(planYammer)},
		{"other services off", license(directory.EffectLicencePlans, plainID, give(skus.SPEE3, planTeams)), "E3-" + string(planTeams)},
		{"swapped", license(directory.EffectLicenceSwap, plainID, give(skus.SPEE5), skus.SPEE3), "E5"},
		{"taken", license(directory.EffectLicenceRemove, plainID, nil, skus.SPEE5), ""},
	}
	names := map[directory.SKUID]string{skus.SPEE3: "E3", skus.SPEE5: "E5"}
	for _, step := range steps {
		w.sim.ResetRequests()
		if out := w.write(step.write); out.Problem != nil || out.Already {
			t.Fatalf("%s: %+v", step.name, out.Problem)
		}
		if units, writes := w.units(); units != 1 || writes != 1 {
			t.Errorf("%s took %d units and %d writes", step.name, units, writes)
		}
		has, states := "", w.held(plainID)
		for _, l := range states.Assigned {
			has += names[l.SKU]
			for _, p := range l.DisabledPlans {
				has += "-" + string(p)
			}
			if direct, yes := states.Direct(l.SKU); !yes || !direct.Same(l) || !direct.InForce() || direct.Problem() != nil {
				t.Errorf("%s: direct %+v, %v", step.name, direct, yes)
			}
		}
		if has != step.has || states.UsageLocation != "CH" || !states.Enabled {
			t.Errorf("%s: %q in %q, want %q", step.name, has, states.UsageLocation, step.has)
		}
	}
	if out := w.write(steps[3].write); out.Problem != nil || !out.Already {
		t.Errorf("taken again: %+v", out)
	}
	two := license(directory.EffectLicenceRemove, plainID, nil, skus.SPEE5, skus.SPEE3)
	if out := w.write(two); out.Already || out.Problem == nil || out.Problem.Code != "license-not-held" {
		t.Errorf("two of which one is not held may not count as done: %+v", out)
	}
	if out := w.write(directory.Write{Effect: directory.EffectLicenceReprocess, AccountID: plainID}); out.Problem != nil && out.Problem.Code != "scope-missing" {
		t.Errorf("reprocessed: %+v", out.Problem)
	}
}

// TestLicenceRefusals meets what Microsoft refuses through its wire.
func TestLicenceRefusals(t *testing.T) {
	t.Parallel()
	w := newLicenceWorld(t)
	for _, id := range []directory.AccountID{boxID, memberID} {
		if out := w.write(license(directory.EffectLicenceAdd, id, give(skus.SPEE3))); out.Problem != nil {
			t.Fatal(out.Problem)
		}
	}
	for name, tt := range map[string]struct {
		write directory.Write
		code  string
	}{
		"no seat":           {license(directory.EffectLicenceAdd, plainID, give(skus.SPEE3)), "license-none-left"},
		"no location":       {license(directory.EffectLicenceAdd, adminID, give(skus.SPEE5)), "license-usage-location"},
		"a dependency":      {license(directory.EffectLicenceAdd, plainID, give(skus.PhoneSystem)), "license-dependency"},
		"no such service":   {license(directory.EffectLicenceAdd, plainID, give(skus.EnterprisePack, planPhone)), "license-plan-unknown"},
		"a whole company's": {license(directory.EffectLicenceAdd, plainID, give(skus.DatabaseCapacity)), "license-not-assignable"},
		"no such product":   {license(directory.EffectLicenceAdd, plainID, give(nobodyID)), "license-not-assignable"},
		"nobody":            {license(directory.EffectLicenceAdd, nobodyID, give(skus.SPEE5)), "account-not-found"},
	} {
		out := w.write(tt.write)
		if out.Problem == nil || out.Problem.Code != tt.code || out.Retry || out.Unknown || out.NotVisible != (tt.code == "account-not-found") {
			t.Errorf("%s: %+v, want %s", name, out.Problem, tt.code)
		}
		if len(w.held(plainID).Assigned) != 0 {
			t.Fatalf("%s: something was given", name)
		}
	}
	unified := directory.Write{Effect: directory.EffectLicenceAdd, GroupID: unifiedID, Licences: directory.LicenceChange{Add: give(skus.SPEE5)}}
	if out := w.write(unified); out.Problem == nil || out.Problem.Code != "group-not-security-enabled" {
		t.Errorf("a group that cannot license: %+v", out.Problem)
	}
	if err := w.sim.SetLicenceService(simTenant, entratest.LicenceService{BusySeconds: 30}); err != nil {
		t.Fatal(err)
	}
	out := w.write(license(directory.EffectLicenceAdd, plainID, give(skus.SPEE5)))
	if out.Problem == nil || out.Problem.Code != "license-busy" || !out.Retry || out.RetryAfter < 5*time.Second || out.Problem.Kind != directory.ProblemTransient {
		t.Errorf("while the tenant is busy: %+v, %+v", out, out.Problem)
	}
}

// TestGroupLicences: what a group gives is told from what was given to the account.
func TestGroupLicences(t *testing.T) {
	t.Parallel()
	w := newLicenceWorld(t)
	if out := w.write(directory.Write{Effect: directory.EffectLicenceAdd, GroupID: staffID, Licences: directory.LicenceChange{Add: give(skus.SPEE5, planYammer)}}); out.Problem != nil || out.Status != 202 && out.Status != 200 {
		t.Fatalf("a group's: %+v, %+v", out, out.Problem)
	}
	if err := w.sim.Advance(time.Hour); err != nil {
		t.Fatal(err)
	}
	w.tokens.current = w.tokens.fresh()
	g, err := w.tenant.Groups(t.Context(), []directory.TenantGroupID{staffID})
	if err != nil || len(g[0].Value.Licences) != 1 || g[0].Value.Licences[0].SKU != skus.SPEE5 || g[0].Value.LicenceProcessing != "ProcessingComplete" {
		t.Errorf("the group: %+v, %v", g[0].Value, err)
	}
	has := w.held(plainID)
	_, direct := has.Direct(skus.SPEE5)
	if inherited := has.Inherited(skus.SPEE5); direct || len(inherited) != 1 || inherited[0].AssignedByGroup != staffID || !slices.Equal(inherited[0].DisabledPlans, []directory.ServicePlanID{planYammer}) {
		t.Errorf("the member: %+v", has)
	}
	if out := w.write(license(directory.EffectLicenceRemove, plainID, nil, skus.SPEE5)); out.Problem == nil || out.Problem.Code != "license-from-group" || out.Already {
		t.Errorf("taken from the account: %+v", out)
	}
	if out := w.write(directory.Write{Effect: directory.EffectGroupDelete, GroupID: staffID}); out.Problem == nil || out.Problem.Code != "group-has-licenses" {
		t.Errorf("a group that licenses is deleted: %+v", out)
	}
	page, err := w.tenant.ListLicences(t.Context(), "")
	i := slices.IndexFunc(page.Accounts, func(a directory.AccountLicences) bool { return a.AccountID == plainID })
	if err != nil || i < 0 || len(page.Accounts[i].States) != 1 {
		t.Errorf("in a list: %+v, %v", page, err)
	}
	if ids, err := w.tenant.LicenceErrors(t.Context(), staffID); err != nil || len(ids) != 0 {
		t.Errorf("members without their licences: %v, %v", ids, err)
	}
	if _, err := w.tenant.LicenceErrors(t.Context(), "x/y"); !errors.Is(err, directory.ErrInvalid) {
		t.Errorf("of no group: %v", err)
	}
}

// TestLicencesInPart: an answer that does not say what somebody has is none.
func TestLicencesInPart(t *testing.T) {
	t.Parallel()
	w := newLicenceWorld(t)
	for _, missing := range []string{"assignedLicenses", "licenseAssignmentStates", "id"} {
		w.round = func(*http.Request) (*http.Response, error) {
			body := strings.Replace(`{"id":"`+plainID+`","assignedLicenses":[],"licenseAssignmentStates":[]}`, `"`+missing+`"`, `"x"`, 1)
			return wrapped(t, answer(200, body)), nil
		}
		found, err := w.tenant.Licences(t.Context(), []directory.AccountID{plainID})
		if err != nil || found[0].Value != nil || found[0].Err() == nil || !found[0].Retry {
			t.Errorf("without %s: %+v, %v", missing, found, err)
		}
	}
}
