package control_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"bindery/shared/entra/entratest"
	"bindery/shared/entra/entratest/browser"
	"bindery/shared/entra/entratest/control"
	"bindery/shared/entra/entratest/simclient"
	"bindery/shared/entra/entratest/state"
)

const (
	testBase     = "https://m365.example"
	testClient   = "11111111-aaaa-4bbb-8ccc-000000000001"
	testSecret   = "not-a-real-one"
	testCallback = "https://app.example/oauth/callback"
	testTenant   = "22222222-aaaa-4bbb-8ccc-000000000001"
)

// world is a simulator that is switched over HTTP.
type world struct {
	*simclient.Client
	sim http.RoundTripper
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := entratest.New(entratest.Options{BaseURL: testBase, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := &world{simclient.New(t, testBase, s.Transport()), s.Transport()}
	w.Control("POST", "/tenants", `{"tenantId":"`+testTenant+`","name":"Contoso","domains":[{"name":"contoso.example","isDefault":true},{"name":"fed.example","authenticationType":"Federated"}],
		"accounts":[{"userPrincipalName":"plain@contoso.example","displayName":"Plain"}],
		"admins":[{"userPrincipalName":"admin@contoso.example","roles":["Global Administrator"]},{"userPrincipalName":"helper@contoso.example","roles":["User Administrator"]}]}`, 201, nil)
	w.Control("POST", "/apps", `{"clientId":"`+testClient+`","clientSecret":"`+testSecret+`","redirectUris":["`+testCallback+`"],"multiTenant":true}`, 201, nil)
	return w
}

// token signs an account in by way of the pages.
func (w *world) token(login string) *oauth2.Token {
	w.Helper()
	app := browser.Client{Base: testBase, ID: testClient, Secret: testSecret, RedirectURL: testCallback}
	tok, err := app.Token(w.Context(), w.sim, login, "openid User.ReadWrite.All")
	if err != nil {
		w.Fatal(err)
	}
	return tok
}

// Every route of the printed list answers, and is the one that it says.
func TestControlListsItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var list struct {
		Routes []struct{ Method, Path, Does string }
	}
	w.Control("GET", "", "", 200, &list)
	if len(list.Routes) != control.Routes {
		t.Fatalf("GET /_control lists %d routes, want %d", len(list.Routes), control.Routes)
	}
	for _, c := range list.Routes {
		path := strings.NewReplacer("{id}", "nowhere", "{account}", "nobody").Replace(c.Path)
		r, _ := http.NewRequest(c.Method, testBase+path, strings.NewReader(`{"nonsense":1}`))
		status, body, h := w.Do(r)
		if status == 405 || status >= 500 || strings.Contains(string(body), "there is no /_control") {
			t.Errorf("%s %s = %d %s", c.Method, c.Path, status, body)
		}
		if status >= 400 && (!strings.HasPrefix(h.Get("Content-Type"), "application/json") || !strings.Contains(string(body), `"detail"`)) {
			t.Errorf("%s %s refuses with %s", c.Method, c.Path, body)
		}
	}
}

func TestControlRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := "/tenants/" + testTenant
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/nowhere", "", 404},
		{"PUT", "/clock", "{}", 405},
		{"POST", "/tenants", `{"name":"X","shoes":1}`, 400},
		{"POST", "/tenants", `{"name":"X"} {}`, 400},
		{"POST", "/tenants", `{"name":"X","tenantId":"no guid"}`, 422},
		{"POST", "/tenants", `{"name":"X","domains":[{"name":"contoso.example"}]}`, 422},
		{"GET", "/tenants/nowhere", "", 404},
		{"GET", tenant + "/accounts?limit=none", "", 400},
		{"GET", tenant + "/accounts/nobody", "", 404},
		{"PATCH", tenant + "/accounts/nobody", "{}", 404},
		{"DELETE", tenant + "/accounts/nobody", "", 404},
		{"PUT", tenant + "/admins/plain@contoso.example/roles", `{"roles":["King"]}`, 422},
		{"PUT", tenant + "/licences/SPE_E3", `{"enabled":-1}`, 422},
		{"PUT", tenant + "/licences/SPE_E3", `{"seats":1}`, 400},
		{"POST", tenant + "/licences/SPE_E3/expire", "", 422},
		{"PUT", tenant + "/licence-service", `{"busySeconds":-1}`, 422},
		{"POST", tenant + "/licence-assignments", `{"actor":"nobody","to":"plain@contoso.example"}`, 422},
		{"POST", tenant + "/licence-assignments", `{"actor":"admin@contoso.example","to":"nobody"}`, 422},
		{"POST", tenant + "/licence-assignments", `{"actor":"admin@contoso.example","to":"plain@contoso.example","removeLicenses":["05e9a617-0261-4cee-bb44-138d3ef5d965"]}`, 422},
		{"POST", tenant + "/grants", `{"clientId":"x","scope":"User.Read"}`, 400},
		{"POST", tenant + "/grants", `{"clientId":"` + testClient + `","scope":"User.Shoe"}`, 400},
		{"DELETE", tenant + "/grants", "", 400},
		{"POST", "/apps", `{"clientId":"no guid"}`, 400},
		{"POST", "/apps", `{"clientId":"` + testClient + `","permissions":["Shoes"]}`, 400},
		{"POST", "/clock", `{"advance":"-1h"}`, 400},
		{"POST", "/clock", `{"advance":"soon"}`, 400},
		{"POST", "/faults", `{"kind":"nonsense"}`, 400},
		{"GET", "/requests?since=yesterday", "", 400},
	} {
		var e struct{ Error, Detail string }
		w.Control(c.method, c.path, c.body, c.status, &e)
		if e.Error == "" || e.Detail == "" {
			t.Errorf("%s %s: error %q, detail %q", c.method, c.path, e.Error, e.Detail)
		}
	}
}

func TestControlRoundTrips(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := "/tenants/" + testTenant
	var made map[string]any
	w.Control("POST", tenant+"/accounts", `{"userPrincipalName":"new@contoso.example","displayName":"New"}`, 201, &made)
	id, _ := made["id"].(string)
	var got map[string]any
	w.Control("PATCH", tenant+"/accounts/new@contoso.example", `{"userPrincipalName":"newer@contoso.example","city":"Bern"}`, 200, &got)
	if got["id"] != id || got["city"] != "Bern" {
		t.Errorf("PATCH answered %v", got)
	}
	w.Control("GET", tenant+"/accounts/"+id, "", 200, &got)
	w.Control("PUT", tenant+"/admins/"+id+"/roles", `{"roles":["Global Administrator"]}`, 200, nil)
	var tell entratest.Tenant
	w.Control("GET", "/tenants/contoso.example", "", 200, &tell)
	if tell.Count != 4 || len(tell.Admins) != 3 || tell.ID != testTenant || !slices.Contains(tell.Domains, "fed.example") {
		t.Errorf("the tenant is %+v", tell)
	}
	var page struct {
		Accounts []map[string]any
		Next     string
	}
	seen := map[string]bool{}
	for after := ""; ; after = page.Next {
		page.Next = ""
		w.Control("GET", tenant+"/accounts?limit=3&after="+after, "", 200, &page)
		for _, a := range page.Accounts {
			seen[a["id"].(string)] = true
		}
		if page.Next == "" {
			break
		}
	}
	if len(seen) != 4 {
		t.Errorf("the pages hold %d accounts, want 4", len(seen))
	}
	w.Control("DELETE", tenant+"/accounts/"+id, "", 204, nil)
	var log struct{ Mutations []entratest.Mutation }
	w.Control("GET", tenant+"/mutations", "", 200, &log)
	var kinds []string
	for _, m := range log.Mutations {
		if m.TargetID == id {
			kinds = append(kinds, m.Kind)
		}
	}
	if len(kinds) < 3 || kinds[0] != "create" || kinds[len(kinds)-1] != "delete" {
		t.Errorf("the mutations of the account are %v", kinds)
	}
	controlGrantsAndApps(t, w, tenant)
}

// A scene of licences: bought, given by somebody else, seats lost, the service busy.
func TestControlLicences(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := "/tenants/" + testTenant
	const e3 = "05e9a617-0261-4cee-bb44-138d3ef5d965"
	w.Control("PUT", tenant+"/licences/SPE_E3", `{"enabled":2}`, 200, nil)
	w.Control("PUT", tenant+"/licences/"+e3, `{"enabled":1}`, 200, nil)
	w.Control("PATCH", tenant+"/accounts/plain@contoso.example", `{"usageLocation":"CH"}`, 200, nil)
	w.Control("POST", tenant+"/licence-assignments", `{"actor":"helper@contoso.example","to":"plain@contoso.example","addLicenses":[{"skuId":"`+e3+`"}]}`, 204, nil)
	w.Control("PUT", tenant+"/licence-service", `{"busySeconds":5,"processingSeconds":60}`, 204, nil)
	w.Control("POST", tenant+"/licences/SPE_E3/expire", "", 200, nil)
	var got struct {
		Licences []struct {
			SKUID, SKUPartNumber, CapabilityStatus string
			Enabled, Warning, ConsumedUnits        int
		}
	}
	w.Control("GET", tenant+"/licences", "", 200, &got)
	if len(got.Licences) != 1 || got.Licences[0].SKUID != e3 || got.Licences[0].CapabilityStatus != "Warning" || got.Licences[0].Warning != 1 || got.Licences[0].ConsumedUnits != 1 {
		t.Errorf("the subscriptions are %+v", got.Licences)
	}
	var log struct{ Mutations []entratest.Mutation }
	w.Control("GET", tenant+"/mutations", "", 200, &log)
	if m := log.Mutations[len(log.Mutations)-1]; m.Kind != "license" || m.ActorUPN != "helper@contoso.example" {
		t.Errorf("the last mutation is %+v", m)
	}
}

func controlGrantsAndApps(t *testing.T, w *world, tenant string) {
	var grants struct{ Grants []state.Grant }
	w.Control("POST", tenant+"/grants", `{"clientId":"`+testClient+`","scope":"User.Read.All openid","userId":"helper@contoso.example"}`, 201, &grants)
	w.Control("POST", tenant+"/grants", `{"clientId":"`+testClient+`","scope":"User.Read.All Domain.Read.All","userId":"helper@contoso.example"}`, 201, &grants)
	if len(grants.Grants) != 1 || len(grants.Grants[0].Scopes) != 3 {
		t.Errorf("the grants are %+v", grants.Grants)
	}
	w.Control("DELETE", tenant+"/grants?clientId="+testClient, "", 204, nil)
	w.Control("GET", tenant+"/grants", "", 200, &grants)
	if len(grants.Grants) != 0 {
		t.Errorf("after removing them the grants are %+v", grants.Grants)
	}
	r, _ := http.NewRequest("GET", testBase+"/_control/apps", nil)
	if _, body, _ := w.Do(r); strings.Contains(string(body), testSecret) || !strings.Contains(string(body), testClient) {
		t.Errorf("the list of applications is %s", body)
	}
	tok := w.token("admin@contoso.example")
	r, _ = http.NewRequest("GET", testBase+"/v1.0/me", nil)
	tok.SetAuthHeader(r)
	if status, body, _ := w.Do(r); status != 200 {
		t.Fatalf("GET /me = %d %s", status, body)
	}
	var seen struct{ Count int }
	if w.Control("GET", "/requests", "", 200, &seen); seen.Count != 1 {
		t.Errorf("%d requests were seen, want 1", seen.Count)
	}
	w.Control("DELETE", "/requests", "", 204, nil)
	if w.Control("GET", "/requests", "", 200, &seen); seen.Count != 0 {
		t.Errorf("after the reset %d requests were seen", seen.Count)
	}
}

// Groups are made, changed and filled by hand, also by a named administrator.
func TestControlOfGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	groups := "/tenants/" + testTenant + "/groups"
	var made map[string]any
	w.Control("POST", groups+"?actor=helper@contoso.example", `{"kind":"microsoft365","displayName":"Club","mailNickname":"club","members":["plain@contoso.example"]}`, 201, &made)
	id, _ := made["id"].(string)
	if made["mail"] != "club@contoso.example" || len(made["members"].([]any)) != 1 {
		t.Errorf("the group is %v", made)
	}
	var got map[string]any
	w.Control("PUT", groups+"/"+id+"/members/helper@contoso.example?actor=admin@contoso.example", "", 200, &got)
	w.Control("PUT", groups+"/"+id+"/owners/helper@contoso.example", "", 200, &got)
	w.Control("DELETE", groups+"/"+id+"/members/plain@contoso.example", "", 200, &got)
	if len(got["members"].([]any)) != 1 || len(got["owners"].([]any)) != 1 {
		t.Errorf("the group is %v", got)
	}
	w.Control("PATCH", groups+"/"+id, `{"onPremisesSyncEnabled":true}`, 200, &got)
	w.Control("GET", groups+"/Club", "", 200, &got)
	if got["onPremisesSyncEnabled"] != true {
		t.Errorf("synced, the group is %v", got)
	}
	var list struct{ Groups []map[string]any }
	if w.Control("GET", groups, "", 200, &list); len(list.Groups) != 1 {
		t.Errorf("the groups are %v", list.Groups)
	}
	w.Control("PUT", "/tenants/"+testTenant+"/group-settings", `{"settings":{"PrefixSuffixNamingRequirement":"GRP_[GroupName]"},"lifetime":180}`, 200, nil)
	w.Control("DELETE", groups+"/"+id+"/owners/helper@contoso.example", "", 200, nil)
	w.Control("DELETE", groups+"/"+id, "", 204, nil)
	w.Control("GET", groups+"/"+id, "", 404, nil) // what is synced is gone for good
	var log struct{ Mutations []entratest.Mutation }
	w.Control("GET", "/tenants/"+testTenant+"/mutations", "", 200, &log)
	by := map[string]string{}
	for _, m := range log.Mutations {
		if m.Linked != nil {
			by[m.Kind+" "+m.Linked.UPN] = m.ActorUPN
		}
	}
	if by["member-add plain@contoso.example"] != "helper@contoso.example" || by["member-add helper@contoso.example"] != "admin@contoso.example" {
		t.Errorf("members came by %v", by)
	}
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", groups, `{"kind":"club","displayName":"x"}`, 422},
		{"POST", groups, `{"shoes":1}`, 400},
		{"PATCH", groups + "/nobody", "{}", 404},
		{"PUT", groups + "/nobody/members/plain@contoso.example", "", 404},
		{"PUT", "/tenants/" + testTenant + "/group-settings", `{"lifetime":-1}`, 422},
	} {
		w.Control(c.method, c.path, c.body, c.status, nil)
	}
}
