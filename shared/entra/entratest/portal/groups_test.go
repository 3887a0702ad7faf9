package portal

import (
	"fmt"
	"slices"
	"testing"

	"bindery/shared/entra/entratest/state"
)

// A group of each kind is made by hand and with its tenant, and survives a restart.
func TestGroupsOfEachKind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, s := open(t, dir)
	spec := TenantSpec{TenantID: contoso, Name: "Contoso", Domains: []state.Domain{{Name: "contoso.example", IsDefault: true}},
		Accounts: []map[string]any{{"userPrincipalName": "ann@contoso.example"}, {"userPrincipalName": "bob@contoso.example"}}}
	for kind := range kindProperties {
		spec.Groups = append(spec.Groups, GroupSpec{Kind: kind, DisplayName: "with " + string(kind), Members: []string{"ann@contoso.example"}, Owners: []string{"bob@contoso.example"}})
	}
	if _, err := p.CreateTenant(spec); err != nil {
		t.Fatal(err)
	}
	for kind := range kindProperties {
		if _, err := p.AddGroup(contoso, "", GroupSpec{Kind: kind, DisplayName: "by hand " + string(kind), Members: []string{"ann@contoso.example"}, Owners: []string{"bob@contoso.example"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.SetLink(contoso, "", "by hand security", state.Members, "ann@contoso.example", false); err != nil {
		t.Fatal(err)
	}
	s.Close()
	p, _ = open(t, dir)
	ann, _ := p.Account(contoso, "ann@contoso.example")
	for kind, want := range map[GroupKind]string{
		SecurityGroup: "[] false true <nil> <nil>", UnifiedGroup: "[Unified] true false <nil> <nil>", DynamicGroup: "[DynamicMembership] false true <nil> <nil>",
		DynamicUnified: "[Unified DynamicMembership] true false <nil> <nil>", MailSecurityGroup: "[] true true <nil> <nil>", DistributionList: "[] true false <nil> <nil>",
		SyncedGroup: "[] false true true <nil>", RoleGroup: "[] false true <nil> true",
	} {
		for _, how := range []string{"with ", "by hand "} {
			g, ok := p.Group(contoso, how+string(kind))
			if !ok {
				t.Fatalf("there is no group %s%s", how, kind)
			}
			if got := fmt.Sprint(g["groupTypes"], g["mailEnabled"], g["securityEnabled"], g["onPremisesSyncEnabled"], g["isAssignableToRole"]); got != want {
				t.Errorf("%s%s is %s, want %s", how, kind, got, want)
			}
			members, owners := g["members"].([]string), g["owners"].([]string)
			empty := how+string(kind) == "by hand security"
			if !empty && !slices.Equal(members, []string{ann["id"].(string)}) || empty && len(members) > 0 || len(owners) != 1 {
				t.Errorf("%s%s has the members %v and owners %v", how, kind, members, owners)
			}
			if mail := g["mail"] != nil; mail != (g["mailEnabled"] == true) {
				t.Errorf("%s%s has the address %v", how, kind, g["mail"])
			}
		}
	}
}

// What is done by hand names who did it, and makes each change once.
func TestGroupsByHand(t *testing.T) {
	t.Parallel()
	p := openContoso(t)
	for _, name := range []string{"ann", "bob"} {
		if _, err := p.AddAccount(contoso, map[string]any{"userPrincipalName": name + "@contoso.example"}); err != nil {
			t.Fatal(err)
		}
	}
	id, err := p.AddGroup(contoso, "ann@contoso.example", GroupSpec{DisplayName: "Staff"})
	if err != nil {
		t.Fatal(err)
	}
	for _, ok := range []error{
		p.SetLink(contoso, "ann@contoso.example", "staff", state.Members, "bob@contoso.example", true),
		p.EditGroup(contoso, "ann@contoso.example", id, map[string]any{"groupTypes": []string{"DynamicMembership"}, "membershipRule": "x"}),
		p.EditGroup(contoso, "ann@contoso.example", id, map[string]any{"membershipRule": "x"}), // nothing new
		p.DeleteGroup(contoso, "ann@contoso.example", id),
	} {
		if ok != nil {
			t.Fatal(ok)
		}
	}
	var kinds []string
	for _, m := range p.Mutations(contoso)[2:] {
		kinds = append(kinds, m.Kind)
		if m.ActorUPN != "ann@contoso.example" || m.Actor == "" {
			t.Errorf("%s was done by %q", m.Kind, m.ActorUPN)
		}
	}
	if want := []string{"create", "member-add", "update", "member-remove", "delete"}; !slices.Equal(kinds, want) {
		t.Errorf("the changes are %v, want %v", kinds, want)
	}
	for what, err := range map[string]error{
		"edit of a deleted one by its name": p.EditGroup(contoso, "", "Staff", map[string]any{"description": "x"}),
		"a property that there is not":      p.EditGroup(contoso, "", id, map[string]any{"shoes": 4}),
		"deleted twice":                     p.DeleteGroup(contoso, "", id),
		"a negative lifetime":               p.SetGroupSettings(contoso, nil, -1),
		"a deleted member":                  p.SetLink(contoso, "", id, state.Members, id, true),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	for what, spec := range map[string]GroupSpec{
		"no name": {}, "no such kind": {DisplayName: "x", Kind: "club"}, "no such member": {DisplayName: "x", Members: []string{"nobody"}},
		"no such property": {DisplayName: "x", Properties: map[string]any{"shoes": 4}}, "an id that is none": {DisplayName: "x", ID: "x"},
		"a member twice": {DisplayName: "x", Members: []string{"ann@contoso.example", "ann@contoso.example"}},
	} {
		if _, err := p.AddGroup(contoso, "", spec); err == nil {
			t.Errorf("%s: a group was made", what)
		}
	}
	if _, err := p.AddGroup(contoso, "nobody@contoso.example", GroupSpec{DisplayName: "x"}); err == nil {
		t.Error("nobody made a group")
	}
	if n := len(p.GroupIDs(contoso)); n != 1 {
		t.Errorf("%d groups are there", n)
	}
}
