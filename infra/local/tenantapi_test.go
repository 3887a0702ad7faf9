package main

import (
	"fmt"
	"strings"
	"testing"

	"bindery/shared/entra/entratest"
	"bindery/shared/entra/entratest/skus"
)

// job waits until a job is done.
func (w *groupWorld) job(id string) object {
	w.Helper()
	var j object
	w.Wait("the job does not end", func() bool {
		w.Work()
		j = w.Get("/v1/jobs/" + id)
		return j.Text("state") == "done" || j.Text("state") == "failed"
	})
	if j.Text("state") != "done" {
		w.Fatalf("the job: %v", j)
	}
	return j
}

func (w *groupWorld) tenantGroup(spec entratest.GroupSpec) string {
	w.Helper()
	id, err := w.Stack.Sim.AddGroup(w.tenant, "admin@corp.example", spec)
	if err != nil {
		w.Fatal(err)
	}
	return id
}

// TestTenantEndToEnd: what an admin sees of a tenant's groups and licences, and takes over
// of them into the directory.
func TestTenantEndToEnd(t *testing.T) {
	w := newGroupWorld(t, map[string]int{"SPE_E3": 1})
	account := func(name string) string {
		id, err := w.Stack.Sim.AddAccount(w.tenant, map[string]any{"userPrincipalName": name + "@corp.example", "mail": name + "@corp.example", "displayName": name,
			"surname": name, "accountEnabled": true, "usageLocation": "DE"})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	ann, ben, cat := account("ann"), account("ben"), account("cat")
	inner := w.tenantGroup(entratest.GroupSpec{DisplayName: "Inner", MailNickname: "inner", Members: []string{ann, cat}})
	outer := w.tenantGroup(entratest.GroupSpec{DisplayName: "Outer", MailNickname: "outer", Members: []string{inner, ben}, Properties: map[string]any{"description": "All of it"}})
	w.tenantGroup(entratest.GroupSpec{DisplayName: "Synced", OnPremisesSyncEnabled: true})
	conn := "/v1/connections/" + w.conn

	verdicts := func(query string) map[string]object {
		out, next := map[string]object{}, ""
		for first := true; first || next != ""; first = false {
			page := w.Get(conn + "/tenant-groups?limit=2&next=" + next + query)
			for _, g := range page.List("items") {
				out[g.Text("displayName")] = g
			}
			next = page.Text("next")
		}
		return out
	}
	if got := verdicts(""); got["Inner"].Text("verdict") != "free" || got["Synced"].Text("reason") != "group-synced" {
		t.Errorf("the tenant's groups: %v", got)
	}
	if got := verdicts("&name=in"); len(got) != 1 || got["Inner"].Text("id") != inner {
		t.Errorf("by name: %v", got)
	}

	// ann and ben become users, cat does not; the groups become groups with who is there.
	w.job(w.Post(conn+"/imports", object{"accountIds": []string{ann, ben}, "bind": true}).Text("id"))
	j := w.job(w.Post(conn+"/imports", object{"groupIds": []string{outer, inner}}).Text("id"))
	counts, _ := j["counts"].(map[string]any)
	if counts["created"] != 2.0 || counts["membersAdded"] != 3.0 || counts["membersNotInDirectory"] != 1.0 {
		t.Errorf("the import of groups: %v", j)
	}
	group := func(name string) object {
		list := w.Get("/v1/groups?name=" + name).List("items")
		if len(list) != 1 {
			t.Fatalf("groups called %s: %v", name, list)
		}
		return list[0]
	}
	if g := group("Outer"); g.Text("description") != "All of it" || g.Text("externalId") != outer || g.Text("source") != "m365" || g["members"] != 2.0 {
		t.Errorf("the imported group: %v", g)
	}
	if got := verdicts(""); got["Outer"].Text("verdict") != "same-name" || got["Outer"].Text("groupId") != group("Outer").Text("id") {
		t.Errorf("after the import: %v", got["Outer"])
	}

	// The imported group is exported as the one that it comes from, and licenses whom it has:
	// there is one seat for two.
	w.use(group("Inner").Text("id"), object{"export": object{"kind": "security", "adopt": inner}, "licences": []object{{"sku": "SPE_E3"}}})
	w.use(group("Outer").Text("id"), object{"licences": []object{{"sku": "SPE_E3"}}})
	product := func() object {
		for _, p := range w.Get(conn + "/licences").List("products") {
			if p.Text("skuId") == skus.SPEE3 {
				return p
			}
		}
		return nil
	}
	var p object
	w.becomes("the seats", func() []string {
		p = product()
		waiting, _ := p["waiting"].(map[string]any)
		return []string{p.Text("name"), fmt.Sprint(p["given"]), fmt.Sprint(waiting["users"])}
	}, "Microsoft 365 E3", "1", "1")
	if got := verdicts(""); got["Inner"].Text("verdict") != "ours" || got["Inner"].Text("groupName") != "Inner" {
		t.Errorf("of an exported group: %v", got["Inner"])
	}

	// Others gave cat a seat of another product; a count finds who has what.
	w.seats("AAD_PREMIUM", 3)
	if err := w.Stack.Sim.AssignLicences(w.tenant, "admin@corp.example", cat, entratest.LicenceRequest{Add: []entratest.LicenceWish{{SKUID: skus.AADPremium}}}); err != nil {
		t.Fatal(err)
	}
	w.job(w.Post(conn+"/licences/count", nil).Text("id"))
	list := w.Get(conn + "/licences")
	for _, p := range list.List("products") {
		counted, _ := p["counted"].(map[string]any)
		want := map[string]string{"Microsoft 365 E3": "1/0", "Microsoft Entra ID P1": "0/1"}[p.Text("name")]
		if got := fmt.Sprint(counted["ours"]) + "/" + fmt.Sprint(counted["others"]); got != want {
			t.Errorf("%s: counted %s, want %s", p.Text("name"), got, want)
		}
	}
	if !strings.Contains(fmt.Sprint(list["counted"]), "asOf") {
		t.Errorf("the count: %v", list["counted"])
	}
}
