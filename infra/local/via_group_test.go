package main

import (
	"slices"
	"testing"

	"bindery/infra/stack"
	"bindery/infra/stacktest"
	"bindery/shared/entra/entratest"
)

// byGroup tells by which group of the tenant an account is licensed; "": by none.
func (w *rowWorld) byGroup(name string) string {
	w.Helper()
	states, _ := w.Account(w.tenant, w.account(name))["licenseAssignmentStates"].([]any)
	for _, s := range states {
		if group, is := s.(map[string]any)["assignedByGroup"].(string); is {
			return group
		}
	}
	return ""
}

// TestLicencesByGroup: a rule with via "group" has the exported group itself give the
// licence, over HTTP from end to end: to whoever is a member, joins, and no more to whoever
// leaves; and the end of the rule takes it from the group.
func TestLicencesByGroup(t *testing.T) {
	t.Parallel()
	w := newRowWorld(t, stacktest.With(t, stack.Config{}), &between{}, 0, false)
	w.service(entratest.LicenceService{ProcessingSeconds: 0.01})
	w.buy("SPE_E3", 5)
	w.people("ann", "ben")
	w.exported("Sales", object{}, "ann")
	sales := w.ids["tenant:Sales"]
	export := object{"kind": "security"}
	w.use("Sales", object{"export": export, "licences": []any{object{"sku": "SPE_E3", "via": "group"}}})
	w.Wait("the group does not license its member", func() bool { return w.byGroup("ann") == sales })
	w.join("Sales", "ben")
	w.Wait("who joins is not licensed by the group", func() bool { return w.byGroup("ben") == sales })
	w.leave("Sales", "ann")
	w.Wait("who leaves keeps the licence", func() bool { return !w.holds("ann") })
	w.quiet()
	gave := 0
	for _, m := range w.Stack.Sim.Mutations(w.tenant) {
		if m.AppID != "" && m.Kind == "license" && m.Target == "user" {
			t.Errorf("a licence was given to, or taken from, %s itself", m.UPN)
		}
		if m.AppID != "" && m.Kind == "license" && m.Target == "group" {
			gave++
		}
	}
	if gave != 1 {
		t.Errorf("the group was licensed %d times", gave)
	}
	w.use("Sales", object{"export": export})
	w.Wait("the end of the rule leaves the licence", func() bool { return !w.holds("ben") })
	w.upToDate()
	g, _ := w.Stack.Sim.Group(w.tenant, sales)
	if list, _ := g["assignedLicenses"].([]any); len(list) > 0 {
		t.Errorf("the group still gives %v", list)
	}
	if members, _ := g["members"].([]string); !slices.Equal(members, []string{w.userID("ben")}) {
		t.Errorf("the members are %v", members)
	}
	if told, problems := w.told(); len(problems) > 0 {
		t.Errorf("told %q, problems %v", told, problems)
	}
}
