package identity_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"bindery/shared/entra/entratest"
)

// What anybody can ask of the identity platform.

// TestFirstKey: whoever comes at once to a new simulator finds one key, the one of the
// process, which is not made while they wait. A rotation brings another one.
func TestFirstKey(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	kids := func(w *world) (list []string) {
		var keys struct{ Keys []struct{ Kid string } }
		r, _ := http.NewRequest("GET", testBase+"/"+testTenant+"/discovery/v2.0/keys", nil)
		if status := w.fetch(r, &keys); status != 200 {
			t.Errorf("the key document answered %d", status)
		}
		for _, k := range keys.Keys {
			list = append(list, k.Kid)
		}
		return list
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { kids(w) })
	}
	group.Wait()
	first := kids(w)
	if len(first) != 1 || !slices.Equal(kids(other), first) {
		t.Errorf("the keys are %v, and of another simulator %v, want one", first, kids(other))
	}
	next, err := w.s.RotateKeys(false)
	if got := kids(w); err != nil || !slices.Equal(got, append(first, next)) || next == first[0] {
		t.Errorf("rotated to %s, the keys are %v, %v", next, got, err)
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
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
	for _, segment := range []string{"nowhere.example", "consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"} {
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
	t.Parallel()
	w := newWorld(t)
	ctx := oidc.ClientContext(w.ctx(), w.HTTP)
	verify := func(tok *oauth2.Token) error {
		provider, err := oidc.NewProvider(ctx, testBase+"/"+testTenant+"/v2.0")
		if err != nil {
			t.Fatal(err)
		}
		_, err = provider.VerifierContext(ctx, &oidc.Config{ClientID: testClient}).Verify(ctx, tok.Extra("id_token").(string))
		return err
	}
	old := w.tokens("admin@contoso.example")
	w.Control("POST", "/keys", `{}`, 201, nil)
	if err := verify(old); err != nil {
		t.Errorf("after a rotation the former id_token: %v", err)
	}
	fresh := w.tokens("admin@contoso.example")
	w.Control("POST", "/keys", `{"retire":true}`, 201, nil)
	if verify(old) == nil || verify(fresh) == nil {
		t.Error("id_tokens of retired keys verify")
	}
	if err := verify(w.tokens("admin@contoso.example")); err != nil {
		t.Errorf("a new id_token: %v", err)
	}
}

// Refresh tokens, keys and consent are there again after a restart.
func TestIdentitySurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWorldIn(t, dir)
	tok := w.tokens("admin@contoso.example")
	if err := w.s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := entratest.New(entratest.Options{BaseURL: testBase, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w.s = s
	w.HTTP.Transport = s.Transport()
	if status, v := w.post(testTenant, fields("grant_type", "refresh_token", "refresh_token", tok.RefreshToken)); status != 200 {
		t.Errorf("a refresh after a restart gave %v", v)
	}
	r, _ := http.NewRequest("GET", testBase+"/v1.0/me", nil)
	tok.SetAuthHeader(r)
	if status, _, _ := w.Do(r); status != 200 {
		t.Errorf("GET /me with the former access token = %d", status)
	}
	var keys struct{ Keys []map[string]string }
	r, _ = http.NewRequest("GET", testBase+"/common/discovery/v2.0/keys", nil)
	if w.fetch(r, &keys); len(keys.Keys) != 1 {
		t.Errorf("%d keys after a restart, want 1", len(keys.Keys))
	}
}
