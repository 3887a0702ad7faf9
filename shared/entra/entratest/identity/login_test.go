package identity_test

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// The whole way with two independent libraries: x/oauth2 asks and redeems with
// PKCE, go-oidc discovers, fetches the keys and verifies the id_token.
func TestCodeFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg, verifier := w.config("organizations", testScope), oauth2.GenerateVerifier()
	login := w.get(cfg.AuthCodeURL("st", oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", "n-1"), oauth2.SetAuthURLParam("login_hint", "ad\"min")))
	for _, want := range []string{`name="login"`, `id="next"`, `value="ad&#34;min"`, "Bindery &lt;test&gt;", "no password", "<code>admin@contoso.example</code>"} {
		if !strings.Contains(login.page, want) {
			t.Errorf("the login page lacks %q", want)
		}
	}
	for _, other := range []string{"plain@contoso.example", "helper@contoso.example"} { // who may not consent is of no use
		if strings.Contains(login.page, other) {
			t.Errorf("the login page names %s", other)
		}
	}
	consent := w.submit(login, "login", "Admin@Contoso.example")
	for _, want := range []string{"Contoso", "Bindery &lt;test&gt;", "users&#39; full profiles", "Read organization information", `name="accept"`, `name="cancel"`, `name="on_behalf"`} {
		if !strings.Contains(consent.page, want) {
			t.Errorf("the consent page lacks %q:\n%s", want, consent.page)
		}
	}
	back := w.submit(consent, "accept", "accept")
	if got := back.callback(); got.Get("state") != "st" || got.Get("code") == "" || back.location.Host != "app.example" {
		t.Fatalf("the callback is %v", back.location)
	}
	if again := w.submit(consent, "accept", "accept"); again.location != nil {
		t.Errorf("the same form sent twice gave a second answer: %v", again.location)
	}
	tok, err := cfg.Exchange(w.ctx(), back.callback().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	if scope := tok.Extra("scope").(string); !strings.Contains(scope, "User.ReadWrite.All") || strings.Contains(scope, "offline_access") {
		t.Errorf("scope = %q", scope)
	}
	if in := tok.ExpiresIn; in < 3599 || in > 5400 || tok.TokenType != "Bearer" || tok.RefreshToken == "" {
		t.Errorf("expires_in = %d, token_type = %q, refresh token %t", in, tok.TokenType, tok.RefreshToken != "")
	}
	var claims struct{ Tid, Oid, Nonce, Name, Ver, Preferred_username string }
	provider, err := oidc.NewProvider(oidc.ClientContext(w.ctx(), w.HTTP), testBase+"/"+testTenant+"/v2.0")
	if err != nil {
		t.Fatal(err)
	}
	id, err := provider.VerifierContext(oidc.ClientContext(w.ctx(), w.HTTP), &oidc.Config{ClientID: testClient}).Verify(w.ctx(), tok.Extra("id_token").(string))
	if err != nil {
		t.Fatal(err)
	}
	if err := id.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if claims.Tid != testTenant || claims.Nonce != "n-1" || claims.Ver != "2.0" || claims.Oid == "" || claims.Preferred_username != "admin@contoso.example" {
		t.Errorf("claims = %+v", claims)
	}
	// The second time there is nothing to consent to.
	a := w.submit(w.get(cfg.AuthCodeURL("st")), "login", "admin@contoso.example")
	if a.callback().Get("code") == "" {
		t.Errorf("a second sign-in asked for consent again:\n%s", a.page)
	}
	if a = w.submit(w.get(cfg.AuthCodeURL("st", oauth2.SetAuthURLParam("prompt", "consent"))), "login", "admin@contoso.example"); !strings.Contains(a.page, "Permissions requested") {
		t.Errorf("prompt=consent did not ask:\n%s", a.page)
	}
}

// What an authorization request can be refused for; a page where the
// application cannot be trusted, a redirect where it can.
func TestAuthorizeRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Control("POST", "/apps", `{"clientId":"11111111-aaaa-4bbb-8ccc-000000000002","clientSecret":"s","name":"Single","redirectUris":["`+testCallback+`"]}`, 201, nil)
	challenge := oauth2.S256ChallengeFromVerifier(oauth2.GenerateVerifier())
	for _, c := range []struct {
		name, segment string
		params        []string
		page, error   string // an AADSTS number each
	}{
		{"unknown tenant", "nowhere.example", nil, "90002", ""},
		{"consumers", "consumers", nil, "90002", ""},
		{"no client", "organizations", []string{"client_id", ""}, "900144", ""},
		{"unknown client", "organizations", []string{"client_id", "11111111-aaaa-4bbb-8ccc-00000000000f"}, "700016", ""},
		{"single tenant app", "organizations", []string{"client_id", "11111111-aaaa-4bbb-8ccc-000000000002"}, "50194", ""},
		{"no redirect", "organizations", []string{"redirect_uri", ""}, "900144", ""},
		{"other redirect", "organizations", []string{"redirect_uri", testCallback + "/"}, "50011", ""},
		{"response type", "organizations", []string{"response_type", "token"}, "", "70007"},
		{"no response type", "organizations", []string{"response_type", ""}, "", "900144"},
		{"response mode", "organizations", []string{"response_mode", "smoke"}, "", "70007"},
		{"no scope", "organizations", []string{"scope", ""}, "", "900144"},
		{"unknown scope", "organizations", []string{"scope", "openid User.Shoe.All"}, "", "650053"},
		{"default and more", "organizations", []string{"scope", "https://graph.microsoft.com/.default User.Read"}, "", "70011"},
		{"challenge too short", "organizations", []string{"code_challenge", "abc", "code_challenge_method", "S256"}, "", "50147"},
		{"challenge method", "organizations", []string{"code_challenge", challenge, "code_challenge_method", "S512"}, "", "90023"},
		{"method alone", "organizations", []string{"code_challenge_method", "S256"}, "", "900144"},
		{"prompt", "organizations", []string{"prompt", "maybe"}, "", "90023"},
		{"prompt none", "organizations", []string{"prompt", "none"}, "", "50058"},
		{"all well", testTenant, nil, "", ""},
		{"all well by domain", "contoso.example", nil, "", ""},
		{"plain challenge", "common", []string{"code_challenge", strings.Repeat("a", 43)}, "", ""},
	} {
		v := url.Values{"client_id": {testClient}, "redirect_uri": {testCallback}, "response_type": {"code"}, "scope": {testScope}, "state": {"s t"}}
		for i := 0; i < len(c.params); i += 2 {
			v.Set(c.params[i], c.params[i+1])
		}
		a := w.get(testBase + "/" + c.segment + "/oauth2/v2.0/authorize?" + v.Encode())
		switch {
		case c.page != "" && (a.location != nil || !strings.Contains(a.page, "AADSTS"+c.page+":")):
			t.Errorf("%s: got %v %s, want a page with AADSTS%s", c.name, a.location, a.page, c.page)
		case c.error != "" && (!strings.HasPrefix(a.callback().Get("error_description"), "AADSTS"+c.error+":") || a.callback().Get("state") != "s t"):
			t.Errorf("%s: got %v, want a redirect with AADSTS%s and the state", c.name, a.location, c.error)
		case c.page == "" && c.error == "" && !strings.Contains(a.page, `id="login"`):
			t.Errorf("%s: got %v %s, want the login page", c.name, a.location, a.page)
		}
	}
}

func TestWhoMayConsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config("organizations", testScope)
	start := func(login string, opts ...oauth2.AuthCodeOption) answer {
		return w.submit(w.get(cfg.AuthCodeURL("st", opts...)), "login", login)
	}
	for _, login := range []string{"helper@contoso.example", "plain@contoso.example"} {
		a := start(login)
		if !strings.Contains(a.page, "AADSTS90094") || strings.Contains(a.page, `name="accept"`) {
			t.Errorf("%s: got\n%s, want the page that asks for an administrator", login, a.page)
		}
		// A forged accept is refused as well.
		if forged := w.submit(a, "accept", "accept"); forged.location != nil {
			t.Errorf("%s: a forged accept led to %v", login, forged.location)
		}
		back := w.submit(a, "cancel", "approval").callback()
		if back.Get("error") != "access_denied" || !strings.Contains(back.Get("error_description"), "AADSTS90094") {
			t.Errorf("%s: going back gave %v", login, back)
		}
	}
	declined := w.submit(start("admin@contoso.example"), "cancel", "cancel").callback()
	if declined.Get("error") != "access_denied" || declined.Get("error_subcode") != "cancel" || !strings.HasPrefix(declined.Get("error_description"), "AADSTS65004:") || declined.Get("state") != "st" {
		t.Errorf("declining gave %v", declined)
	}
	// Once an administrator consented for all, the others need not be asked.
	if a := w.submit(start("admin@contoso.example"), "accept", "accept", "on_behalf", "true"); a.callback().Get("code") == "" {
		t.Fatalf("consenting for all gave %v", a.location)
	}
	if a := start("helper@contoso.example"); a.callback().Get("code") == "" {
		t.Errorf("after consent for all the helper got\n%s", a.page)
	}
	if a := start("helper@contoso.example", oauth2.SetAuthURLParam("prompt", "consent")); !strings.Contains(a.page, "AADSTS90094") {
		t.Errorf("prompt=consent by the helper gave %v\n%s", a.location, a.page)
	}
}

func TestLoginRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Control("PATCH", "/tenants/"+testTenant+"/accounts/plain@contoso.example", `{"accountEnabled":false}`, 200, nil)
	other := w.config("fed.example", testScope)
	for login, want := range map[string]string{
		"":                         "50034",
		"nobody@contoso.example":   "50034",
		"admin@elsewhere.example":  "50034",
		"plain@contoso.example":    "50057",
		"<script>@contoso.example": "50034",
		"\"><b>@\"><b>x.example":   "50034",
	} {
		a := w.submit(w.get(other.AuthCodeURL("st")), "login", login)
		if !strings.Contains(a.page, "AADSTS"+want) || strings.Contains(a.page, "<b>x") || strings.Contains(a.page, "<script") {
			t.Errorf("login %q gave\n%s, want AADSTS%s and nothing unescaped", login, a.page, want)
		}
	}
	if a := w.submit(w.get(other.AuthCodeURL("st")), "login", "nobody@contoso.example"); w.submit(a, "login", "admin@contoso.example").page == "" {
		t.Error("after a wrong login the page does not take a right one")
	}
}

// Another tenant's user cannot sign in where the authority names one tenant.
func TestTenantRestriction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Control("POST", "/tenants", `{"name":"Fabrikam","domains":[{"name":"fabrikam.example","authenticationType":"Managed"}],"admins":[{"userPrincipalName":"boss@fabrikam.example","roles":["Global Administrator"]}]}`, 201, nil)
	a := w.submit(w.get(w.config(testTenant, testScope).AuthCodeURL("st")), "login", "boss@fabrikam.example")
	if !strings.Contains(a.page, "AADSTS50020") {
		t.Errorf("got %v\n%s, want AADSTS50020", a.location, a.page)
	}
	if a = w.submit(w.get(w.config("organizations", testScope).AuthCodeURL("st")), "login", "boss@fabrikam.example"); !strings.Contains(a.page, "Fabrikam") {
		t.Errorf("got %v\n%s, want the consent page of Fabrikam", a.location, a.page)
	}
}

func TestResponseModes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config("organizations", testScope)
	w.Control("POST", "/tenants/"+testTenant+"/grants", `{"clientId":"`+testClient+`","scope":"`+testScope+`"}`, 201, nil)
	mode := func(m string) answer {
		return w.submit(w.get(cfg.AuthCodeURL("s&t", oauth2.SetAuthURLParam("response_mode", m))), "login", "helper@contoso.example")
	}
	if a := mode("fragment"); a.location == nil || a.location.RawQuery != "" || !strings.Contains(a.location.Fragment, "code=") {
		t.Errorf("fragment: %v", a.location)
	}
	a := mode("form_post")
	if a.location != nil || !strings.Contains(a.page, `action="`+testCallback+`"`) || !strings.Contains(a.page, `name="code"`) || !strings.Contains(a.page, `value="s&amp;t"`) {
		t.Errorf("form_post: %v\n%s", a.location, a.page)
	}
}

func TestAdminConsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := func(segment, scope string) string {
		return testBase + "/" + segment + "/v2.0/adminconsent?" + url.Values{"client_id": {testClient}, "redirect_uri": {testCallback}, "scope": {scope}, "state": {"st"}}.Encode()
	}
	if a := w.get(at("common", "User.Read.All")); !strings.Contains(a.page, "AADSTS90023") {
		t.Errorf("common gave %v\n%s", a.location, a.page)
	}
	if a := w.get(at(testTenant, "")); a.callback().Get("admin_consent") != "True" || a.callback().Get("error") == "" {
		t.Errorf("without a scope it gave %v", a.location)
	}
	back := w.submit(w.submit(w.get(at("organizations", "User.ReadWrite.All Organization.Read.All openid profile offline_access")), "login", "admin@contoso.example"), "accept", "accept").callback()
	if back.Get("admin_consent") != "True" || back.Get("tenant") != testTenant || back.Get("state") != "st" || back.Get("code") != "" || back.Get("error") != "" {
		t.Errorf("accepting gave %v", back)
	}
	if a := w.submit(w.get(w.config("organizations", testScope).AuthCodeURL("st")), "login", "helper@contoso.example"); a.callback().Get("code") == "" {
		t.Errorf("after admin consent the helper got\n%s", a.page)
	}
	if a := w.submit(w.get(at(testTenant, "User.Read.All")), "login", "helper@contoso.example"); !strings.Contains(a.page, "AADSTS90094") {
		t.Errorf("admin consent by the helper gave %v\n%s", a.location, a.page)
	}
}

// In virtual time: pages and codes live for ten minutes.
func TestExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		cfg, verifier := w.config("organizations", testScope), oauth2.GenerateVerifier()
		page := w.get(cfg.AuthCodeURL("st"))
		time.Sleep(10 * time.Minute)
		if a := w.submit(page, "login", "admin@contoso.example"); !strings.Contains(a.page, "took longer than 10 minutes") {
			t.Errorf("an old page gave %v\n%s", a.location, a.page)
		}
		code := w.signIn(cfg, "admin@contoso.example", verifier)
		time.Sleep(10 * time.Minute)
		if _, v := w.post("organizations", fields("grant_type", "authorization_code", "code", code, "redirect_uri", testCallback, "code_verifier", verifier)); refused(v) != "70008 invalid_grant" {
			t.Errorf("an old code gave %v", v)
		}
		code = w.signIn(cfg, "admin@contoso.example", verifier)
		time.Sleep(10*time.Minute - time.Second)
		if status, v := w.post("organizations", fields("grant_type", "authorization_code", "code", code, "redirect_uri", testCallback, "code_verifier", verifier)); status != 200 {
			t.Errorf("a code one second before its end gave %v", v)
		}
	})
}
