package uses_test

import (
	"testing"

	"bindery/shared/core/reconcile/licences"
	"bindery/shared/core/uses"
	"bindery/shared/directory"
)

// TestSourceOfGroupLicences: what a use says that its group gives is told apart from what
// its members are given, and whether all of these know of it.
func TestSourceOfGroupLicences(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	g := w.addGroup()
	for range 3 {
		w.setMember(g, directory.UserMember(w.addUser()), true)
	}
	rules := directory.UseRules{Export: &directory.ExportRule{Kind: directory.ExportSecurity}, Licences: []directory.LicenceRule{{SKU: "SPE_E3", Via: directory.LicenceViaGroup, Priority: 4}, {SKU: "EMS"}}}
	w.setUse(g, rules)
	source := uses.NewSource(w.s)
	told := func() licences.GroupRules {
		all, err := source.GroupRules(t.Context(), &w.conn, []directory.GroupID{g, "grp_nobody"})
		w.must(err)
		if len(all) > 1 {
			t.Errorf("told %+v", all)
		}
		return all[g]
	}
	if r := told(); r.Expanded {
		t.Errorf("before anything is made of it: %+v", r)
	}
	w.expand(0)
	if r := told(); !r.Expanded || len(r.Gives) != 1 || r.Gives[0].SKU != "SPE_E3" || r.Gives[0].Priority != 4 || len(r.Directly) != 1 || r.Directly[0].SKU != "EMS" {
		t.Errorf("told %+v", r)
	}
	var members []directory.UserID
	w.must(source.LicensedMembers(t.Context(), &w.conn, g, func(users []directory.UserID) (bool, error) {
		members = append(members, users...)
		return true, nil
	}))
	wishes := map[string]int{}
	w.must(source.Wishes(t.Context(), &w.conn, func(_ directory.UserID, r *licences.Rule) { wishes[r.SKU]++ }))
	if len(members) != 3 || wishes["SPE_E3"] != 3 || wishes["EMS"] != 3 {
		t.Errorf("licensed are %v, wishes %v", members, wishes)
	}
	user, err := source.Rules(t.Context(), &w.conn, members[:1])
	w.must(err)
	for _, r := range user[members[0]] {
		if (r.SKU == "SPE_E3") != (r.Group == g) {
			t.Errorf("a member's rule is %+v", r)
		}
	}
	rules.Export = nil
	rules.Licences = rules.Licences[1:]
	w.setUse(g, rules)
	if r := told(); len(r.Gives)+len(r.Directly) != 0 {
		t.Errorf("without an export: %+v", r)
	}
}
