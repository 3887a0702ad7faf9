package skus

import (
	"testing"

	"bindery/shared/entra/entratest/state"
)

// Every product is whole by itself: its services are known, none lacks what it needs
// unless it is sold as an addition, and none excludes another.
func TestProducts(t *testing.T) {
	t.Parallel()
	additions := map[string]bool{"MCOEV": true, "WORKPLACE_ANALYTICS": true}
	seen := map[string]bool{}
	for _, p := range products {
		s := Complete(state.SKU{SKUPartNumber: p.part})
		if !state.IsGUID(s.SKUID) || seen[s.SKUID] || len(s.Plans) == 0 {
			t.Errorf("%s has the id %q and %d plans", p.part, s.SKUID, len(s.Plans))
		}
		seen[s.SKUID] = true
		if by := Complete(state.SKU{SKUID: p.id}); by.SKUPartNumber != p.part || len(by.Plans) != len(s.Plans) {
			t.Errorf("%s is not found by its id: %+v", p.part, by)
		}
		for _, plan := range s.Plans {
			met := len(plan.DependsOn) == 0 || additions[p.part]
			for _, id := range plan.DependsOn {
				_, has := s.Plan(id)
				met = met || has
			}
			if !met || !state.IsGUID(plan.ID) {
				t.Errorf("%s: the plan %s lacks what it needs, or has no id", p.part, plan.Name)
			}
			for _, id := range plan.Excludes {
				if _, has := s.Plan(id); has {
					t.Errorf("%s: the plan %s excludes one of the product's own", p.part, plan.Name)
				}
			}
		}
	}
}

func TestCompleteKeepsWhatIsGiven(t *testing.T) {
	t.Parallel()
	own := state.SKU{SKUPartNumber: "EXCHANGESTANDARD", SKUID: "77777777-aaaa-4bbb-8ccc-000000000001", Enabled: 3, Plans: []state.ServicePlan{}}
	if got := Complete(own); got.SKUID != own.SKUID || len(got.Plans) != 0 || got.Enabled != 3 {
		t.Errorf("Complete changed what was given: %+v", got)
	}
	if got := Complete(state.SKU{SKUPartNumber: "NEVER_SOLD"}); got.SKUID != "" || got.Plans != nil {
		t.Errorf("Complete invented a product: %+v", got)
	}
}
