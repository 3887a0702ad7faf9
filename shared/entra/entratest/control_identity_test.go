package entratest

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Every route of the printed list answers, and is the one that it says.
func TestControlListsItself(t *testing.T) {
	w := newWorld(t)
	var list struct {
		Routes []struct{ Method, Path, Does string }
	}
	w.control("GET", "", "", 200, &list)
	if len(list.Routes) != len(controlRoutes()) {
		t.Fatalf("GET /_control lists %d routes, want %d", len(list.Routes), len(controlRoutes()))
	}
	for _, c := range list.Routes {
		path := strings.NewReplacer("{id}", "nowhere", "{account}", "nobody").Replace(c.Path)
		r, _ := http.NewRequest(c.Method, testBase+path, strings.NewReader(`{"nonsense":1}`))
		status, body, h := w.do(r)
		if status == 405 || status >= 500 || strings.Contains(string(body), "there is no /_control") {
			t.Errorf("%s %s = %d %s", c.Method, c.Path, status, body)
		}
		if status >= 400 && (!strings.HasPrefix(h.Get("Content-Type"), "application/json") || !strings.Contains(string(body), `"detail"`)) {
			t.Errorf("%s %s refuses with %s", c.Method, c.Path, body)
		}
	}
}

func TestControlRefusals(t *testing.T) {
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
		w.control(c.method, c.path, c.body, c.status, &e)
		if e.Error == "" || e.Detail == "" {
			t.Errorf("%s %s: error %q, detail %q", c.method, c.path, e.Error, e.Detail)
		}
	}
}

func TestControlRoundTrips(t *testing.T) {
	w := newWorld(t)
	tenant := "/tenants/" + testTenant
	var made map[string]any
	w.control("POST", tenant+"/accounts", `{"userPrincipalName":"new@contoso.example","displayName":"New"}`, 201, &made)
	id, _ := made["id"].(string)
	var got map[string]any
	w.control("PATCH", tenant+"/accounts/new@contoso.example", `{"userPrincipalName":"newer@contoso.example","city":"Bern"}`, 200, &got)
	if got["id"] != id || got["city"] != "Bern" {
		t.Errorf("PATCH answered %v", got)
	}
	w.control("GET", tenant+"/accounts/"+id, "", 200, &got)
	w.control("PUT", tenant+"/admins/"+id+"/roles", `{"roles":["Global Administrator"]}`, 200, nil)
	var tell Tenant
	w.control("GET", "/tenants/contoso.example", "", 200, &tell)
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
		w.control("GET", tenant+"/accounts?limit=3&after="+after, "", 200, &page)
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
	w.control("DELETE", tenant+"/accounts/"+id, "", 204, nil)
	var log struct{ Mutations []Mutation }
	w.control("GET", tenant+"/mutations", "", 200, &log)
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

func controlGrantsAndApps(t *testing.T, w *world, tenant string) {
	var grants struct{ Grants []grant }
	w.control("POST", tenant+"/grants", `{"clientId":"`+testClient+`","scope":"User.Read.All openid","userId":"helper@contoso.example"}`, 201, &grants)
	w.control("POST", tenant+"/grants", `{"clientId":"`+testClient+`","scope":"User.Read.All Domain.Read.All","userId":"helper@contoso.example"}`, 201, &grants)
	if len(grants.Grants) != 1 || len(grants.Grants[0].Scopes) != 3 {
		t.Errorf("the grants are %+v", grants.Grants)
	}
	w.control("DELETE", tenant+"/grants?clientId="+testClient, "", 204, nil)
	w.control("GET", tenant+"/grants", "", 200, &grants)
	if len(grants.Grants) != 0 {
		t.Errorf("after removing them the grants are %+v", grants.Grants)
	}
	r, _ := http.NewRequest("GET", testBase+"/_control/apps", nil)
	if _, body, _ := w.do(r); strings.Contains(string(body), testSecret) || !strings.Contains(string(body), testClient) {
		t.Errorf("the list of applications is %s", body)
	}
	tok := w.tokens("admin@contoso.example")
	r, _ = http.NewRequest("GET", testBase+"/v1.0/me", nil)
	tok.SetAuthHeader(r)
	if status, body, _ := w.do(r); status != 200 {
		t.Fatalf("GET /me = %d %s", status, body)
	}
	var seen struct{ Count int }
	if w.control("GET", "/requests", "", 200, &seen); seen.Count != 1 {
		t.Errorf("%d requests were seen, want 1", seen.Count)
	}
	w.control("DELETE", "/requests", "", 204, nil)
	if w.control("GET", "/requests", "", 200, &seen); seen.Count != 0 {
		t.Errorf("after the reset %d requests were seen", seen.Count)
	}
}

// What anybody can ask of the identity platform.
func TestMetadata(t *testing.T) {
	w := newWorld(t)
	var d struct{ Issuer, Jwks_uri, Token_endpoint string }
	fetch := func(path string, want int, into any) {
		t.Helper()
		r, _ := http.NewRequest("GET", testBase+path, nil)
		if status := w.fetch(r, into); status != want {
			t.Errorf("GET %s = %d, want %d", path, status, want)
		}
	}
	for segment, issuer := range map[string]string{
		testTenant: testTenant, "contoso.example": testTenant, strings.ToUpper(testTenant): testTenant, "organizations": "{tenantid}", "common": "{tenantid}",
	} {
		fetch("/"+segment+"/v2.0/.well-known/openid-configuration", 200, &d)
		if want := testBase + "/" + issuer + "/v2.0"; d.Issuer != want {
			t.Errorf("%s: issuer = %q, want %q", segment, d.Issuer, want)
		}
		var keys struct{ Keys []map[string]string }
		fetch(strings.TrimPrefix(d.Jwks_uri, testBase), 200, &keys)
		if len(keys.Keys) != 1 || keys.Keys[0]["issuer"] != d.Issuer || keys.Keys[0]["kid"] == "" || keys.Keys[0]["e"] != "AQAB" {
			t.Errorf("%s: %d keys, the first for %q", segment, len(keys.Keys), keys.Keys[0]["issuer"])
		}
	}
	for _, segment := range []string{"nowhere.example", "consumers", consumerTenant} {
		fetch("/"+segment+"/v2.0/.well-known/openid-configuration", 400, nil)
	}
	for login, want := range map[string]string{"x@contoso.example": "Managed", "x@FED.example": "Federated", "x@nowhere.example": "Unknown"} {
		var realm struct{ NameSpaceType, AuthURL, DomainName string }
		fetch("/getuserrealm.srf?login="+login+"&json=1", 200, &realm)
		if realm.NameSpaceType != want || (want == "Federated") != strings.HasPrefix(realm.AuthURL, "https://sso.godaddy.com/") {
			t.Errorf("%s: %+v, want %s", login, realm, want)
		}
	}
	for login, want := range map[string]float64{"admin@contoso.example": 0, "nobody@contoso.example": 1} {
		r, _ := http.NewRequest("POST", testBase+"/common/GetCredentialType", strings.NewReader(`{"username":"`+login+`"}`))
		var out map[string]any
		if w.fetch(r, &out); out["IfExistsResult"] != want {
			t.Errorf("%s: IfExistsResult = %v, want %v", login, out["IfExistsResult"], want)
		}
	}
	if a := w.get(testBase + "/organizations/oauth2/v2.0/logout?post_logout_redirect_uri=https://evil.example/"); a.location != nil {
		t.Errorf("logout redirects to %v", a.location)
	}
}

// After a rotation both keys are served, unless the old one was compromised.
func TestKeyRotation(t *testing.T) {
	w := newWorld(t)
	ctx := oidc.ClientContext(w.ctx(), w.client)
	verify := func(tok *oauth2.Token) error {
		provider, err := oidc.NewProvider(ctx, testBase+"/"+testTenant+"/v2.0")
		if err != nil {
			t.Fatal(err)
		}
		_, err = provider.VerifierContext(ctx, &oidc.Config{ClientID: testClient}).Verify(ctx, tok.Extra("id_token").(string))
		return err
	}
	old := w.tokens("admin@contoso.example")
	w.control("POST", "/keys", `{}`, 201, nil)
	if err := verify(old); err != nil {
		t.Errorf("after a rotation the former id_token: %v", err)
	}
	fresh := w.tokens("admin@contoso.example")
	w.control("POST", "/keys", `{"retire":true}`, 201, nil)
	if verify(old) == nil || verify(fresh) == nil {
		t.Error("id_tokens of retired keys verify")
	}
	if err := verify(w.tokens("admin@contoso.example")); err != nil {
		t.Errorf("a new id_token: %v", err)
	}
}

// Refresh tokens, keys and consent are there again after a restart.
func TestIdentitySurvivesARestart(t *testing.T) {
	w := newWorldIn(t, t.TempDir())
	tok := w.tokens("admin@contoso.example")
	dir := w.s.o.Dir
	if err := w.s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{BaseURL: testBase, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w.s, w.client.Transport = s, s.Transport()
	if status, v := w.post(testTenant, fields("grant_type", "refresh_token", "refresh_token", tok.RefreshToken)); status != 200 {
		t.Errorf("a refresh after a restart gave %v", v)
	}
	r, _ := http.NewRequest("GET", testBase+"/v1.0/me", nil)
	tok.SetAuthHeader(r)
	if status, _, _ := w.do(r); status != 200 {
		t.Errorf("GET /me with the former access token = %d", status)
	}
	var keys struct{ Keys []map[string]string }
	r, _ = http.NewRequest("GET", testBase+"/common/discovery/v2.0/keys", nil)
	if w.fetch(r, &keys); len(keys.Keys) != 1 {
		t.Errorf("%d keys after a restart, want 1", len(keys.Keys))
	}
}
