package identity_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"bindery/shared/entra/entratest/identity"
)

// Every refusal of a code that state can cause.
func TestRedeemRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Control("POST", "/apps", `{"clientId":"11111111-aaaa-4bbb-8ccc-000000000002","clientSecret":"s","name":"Other","redirectUris":["`+testCallback+`"],"multiTenant":true}`, 201, nil)
	cfg, verifier := w.config("organizations", testScope), oauth2.GenerateVerifier()
	good := func(kv ...string) url.Values {
		base := []string{"grant_type", "authorization_code", "redirect_uri", testCallback, "code_verifier", verifier, "code", w.signIn(cfg, "admin@contoso.example", verifier)}
		return fields(append(base, kv...)...)
	}
	for _, c := range []struct {
		name, segment string
		form          url.Values
		want          string
		status        int
	}{
		{"no grant type", "organizations", good("grant_type", ""), "900144 invalid_request", 400},
		{"odd grant type", "organizations", good("grant_type", "password"), "70003 unsupported_grant_type", 400},
		{"client credentials", "organizations", good("grant_type", "client_credentials"), "700016 unauthorized_client", 400},
		{"no client", "organizations", good("client_id", ""), "900144 invalid_request", 400},
		{"unknown client", "organizations", good("client_id", "11111111-aaaa-4bbb-8ccc-00000000000f"), "700016 unauthorized_client", 400},
		{"no secret", "organizations", good("client_secret", ""), "7000218 invalid_client", 401},
		{"wrong secret", "organizations", good("client_secret", "no"), "7000215 invalid_client", 401},
		{"other client's code", "organizations", good("client_id", "11111111-aaaa-4bbb-8ccc-000000000002", "client_secret", "s"), "70000 invalid_grant", 400},
		{"unknown tenant", "nowhere.example", good(), "90002 invalid_request", 400},
		{"other authority", testTenant, good(), "700005 invalid_grant", 400},
		{"common for organizations", "common", good(), "700005 invalid_grant", 400},
		{"no code", "organizations", good("code", ""), "900144 invalid_request", 400},
		{"bad code", "organizations", good("code", "x"), "70000 invalid_grant", 400},
		{"no verifier", "organizations", good("code_verifier", ""), "501481 invalid_grant", 400},
		{"other verifier", "organizations", good("code_verifier", oauth2.GenerateVerifier()), "501481 invalid_grant", 400},
		{"short verifier", "organizations", good("code_verifier", "short"), "501491 invalid_request", 400},
		{"other redirect", "organizations", good("redirect_uri", testCallback+"x"), "500112 invalid_client", 401},
		{"two resources", "organizations", good("scope", "User.Read https://vault.azure.net/user_impersonation"), "28002 invalid_request", 400},
		{"more scope", "organizations", good("scope", "Group.ReadWrite.All"), "65001 invalid_grant", 400},
	} {
		status, v := w.post(c.segment, c.form)
		if refused(v) != c.want || status != c.status {
			t.Errorf("%s: %d %v, want %d %s", c.name, status, v, c.status, c.want)
			continue
		}
		for _, member := range []string{"error_description", "timestamp", "trace_id", "correlation_id", "error_uri"} {
			if text, _ := v[member].(string); text == "" {
				t.Errorf("%s: the answer lacks %s", c.name, member)
			}
		}
		if text := v["error_description"].(string); !strings.HasPrefix(text, "AADSTS") || !strings.Contains(text, " Trace ID: ") || !strings.Contains(text, " Timestamp: ") {
			t.Errorf("%s: error_description = %q", c.name, text)
		}
	}
	r, _ := http.NewRequest("GET", testBase+"/organizations/oauth2/v2.0/token", nil)
	if _, v := w.sendToken(r); refused(v) != "900561 invalid_request" {
		t.Errorf("GET gave %v", v)
	}
	r, _ = http.NewRequest("POST", testBase+"/organizations/oauth2/v2.0/token", strings.NewReader(`{}`))
	r.Header.Set("Content-Type", "application/json")
	if _, v := w.sendToken(r); refused(v) != "900144 invalid_request" {
		t.Errorf("a JSON body gave %v", v)
	}
}

// Many redeem the same code at once: one of them gets tokens.
func TestCodeIsUsedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg, verifier := w.config("organizations", testScope), oauth2.GenerateVerifier()
	form := fields("grant_type", "authorization_code", "redirect_uri", testCallback, "code_verifier", verifier, "code", w.signIn(cfg, "admin@contoso.example", verifier))
	results := make([]string, 8)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			status, v := w.post("organizations", form)
			if results[i] = refused(v); status == 200 {
				results[i] = "ok"
			}
		})
	}
	wg.Wait()
	ok := 0
	for _, r := range results {
		switch r {
		case "ok":
			ok++
		case "54005 invalid_grant":
		default:
			t.Errorf("got %q", r)
		}
	}
	if ok != 1 {
		t.Errorf("%d of 8 got tokens, want 1", ok)
	}
}

// Rotation is soft: the old token goes on working, each lives 90 days from its
// last use, and x/oauth2 refreshes without naming a scope.
func TestRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.tokens("admin@contoso.example")
	cfg := w.config(testTenant, testScope)
	refresh := func(token string) (*oauth2.Token, error) {
		return cfg.TokenSource(w.ctx(), &oauth2.Token{RefreshToken: token}).Token()
	}
	second, err := refresh(first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken || second.Extra("id_token") == nil {
		t.Error("a refresh did not give new tokens")
	}
	if _, err := refresh(first.RefreshToken); err != nil {
		t.Errorf("the old refresh token died: %v", err)
	}
	w.Control("POST", "/clock", `{"advance":"2159h"}`, 200, nil) // 90 days less one hour
	if _, err := refresh(first.RefreshToken); err != nil {
		t.Errorf("before 90 days: %v", err)
	}
	w.Control("POST", "/clock", `{"advance":"2h"}`, 200, nil)
	if _, err := refresh(first.RefreshToken); err != nil {
		t.Errorf("use did not prolong the token: %v", err)
	}
	if _, v := w.post(testTenant, fields("grant_type", "refresh_token", "refresh_token", second.RefreshToken)); refused(v) != "700082 invalid_grant" {
		t.Errorf("an idle token gave %v", v)
	}
	for scope, want := range map[string]string{
		"User.ReadWrite.All":                                             "<nil>",
		"https://graph.microsoft.com/.default openid":                    "<nil>",
		"Organization.Read.All offline_access https://vault.azure.net/x": "<nil>", // the first resource wins
		"Group.ReadWrite.All":                                            "65001 invalid_grant",
		"User.ReadWrite.All AuditLog.Read.All":                           "65001 invalid_grant",
		"https://vault.azure.net/x User.Read":                            "500011 invalid_resource",
	} {
		_, v := w.post(testTenant, fields("grant_type", "refresh_token", "refresh_token", first.RefreshToken, "scope", scope))
		if refused(v) != want {
			t.Errorf("scope %q gave %s, want %s", scope, refused(v), want)
		}
		if v["error"] != nil && strings.HasPrefix(want, "65001") && v["suberror"] != "consent_required" {
			t.Errorf("scope %q: suberror = %v", scope, v["suberror"])
		}
	}
}

// What ends a grant, each on a world of its own.
func TestGrantEnds(t *testing.T) {
	t.Parallel()
	account := "/tenants/" + testTenant + "/accounts/admin@contoso.example"
	for _, c := range []struct {
		name string
		do   func(w *world, tok *oauth2.Token)
		want string
	}{
		{"disabled", func(w *world, _ *oauth2.Token) { w.Control("PATCH", account, `{"accountEnabled":false}`, 200, nil) }, "50057 invalid_grant"},
		{"deleted", func(w *world, _ *oauth2.Token) { w.Control("DELETE", account, "", 204, nil) }, "50034 invalid_grant"},
		{"grant removed", func(w *world, _ *oauth2.Token) {
			w.Control("DELETE", "/tenants/"+testTenant+"/grants?clientId="+testClient, "", 204, nil)
		}, "65001 invalid_grant"},
		{"sessions revoked", func(w *world, tok *oauth2.Token) {
			r, _ := http.NewRequest("POST", testBase+"/v1.0/me/revokeSignInSessions", nil)
			tok.SetAuthHeader(r)
			if status, body, _ := w.Do(r); status != 200 {
				w.Fatalf("revokeSignInSessions = %d %s", status, body)
			}
		}, "50173 invalid_grant"},
		{"unknown token", func(_ *world, tok *oauth2.Token) { tok.RefreshToken += "x" }, "70000 invalid_grant"},
		{"no token", func(_ *world, tok *oauth2.Token) { tok.RefreshToken = "" }, "900144 invalid_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			tok := w.tokens("admin@contoso.example")
			c.do(w, tok)
			if _, v := w.post(testTenant, fields("grant_type", "refresh_token", "refresh_token", tok.RefreshToken)); refused(v) != c.want {
				t.Errorf("a refresh gave %v, want %s", v, c.want)
			}
		})
	}
}

// After a revocation a new sign-in works at once, even on a clock that stands.
func TestSignInAfterRevocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tok := w.tokens("admin@contoso.example")
	r, _ := http.NewRequest("POST", testBase+"/v1.0/me/revokeSignInSessions", nil)
	tok.SetAuthHeader(r)
	w.Do(r)
	again := w.tokens("admin@contoso.example")
	if status, v := w.post(testTenant, fields("grant_type", "refresh_token", "refresh_token", again.RefreshToken)); status != 200 {
		t.Errorf("a refresh after signing in again gave %v", v)
	}
}

// Every error of the catalogue can be set as a fault.
func TestTokenFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tok := w.tokens("admin@contoso.example")
	for code, e := range identity.Catalogue {
		body, _ := json.Marshal(map[string]any{"kind": "token", "aadsts": code, "times": 1})
		w.Control("POST", "/faults", string(body), 201, nil)
		form := fields("grant_type", "refresh_token", "refresh_token", tok.RefreshToken)
		status, v := w.post(testTenant, form)
		want := e.Status
		if want == 0 {
			want = 400
		}
		if status != want || refused(v) != strconv.Itoa(code)+" "+e.Error || e.SubError != "" && v["suberror"] != e.SubError {
			t.Errorf("the fault %d gave %d %v", code, status, v)
		}
		if status, v = w.post(testTenant, form); status != 200 {
			t.Errorf("after the fault %d, which is set once: %v", code, v)
		}
	}
}

// certificate makes a self-signed one.
func certificate(t *testing.T, now time.Time) (*rsa.PrivateKey, []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotBefore: now, NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

func assertionOf(t *testing.T, key *rsa.PrivateKey, alg, x5t string, claims map[string]any) string {
	t.Helper()
	head, _ := json.Marshal(map[string]string{"alg": alg, "typ": "JWT", "x5t#S256": x5t})
	body, _ := json.Marshal(claims)
	text := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	var sig []byte
	var err error
	if alg == "PS256" {
		sig, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], nil)
	} else {
		sig, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	}
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// A certificate instead of a secret, and a Basic header instead of either.
func TestClientCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	key, der := certificate(t, now)
	stranger, _ := certificate(t, now)
	thumb := sha256.Sum256(der)
	x5t := base64.RawURLEncoding.EncodeToString(thumb[:])
	app, _ := json.Marshal(map[string]any{"clientId": testClient, "clientSecret": testSecret, "redirectUris": []string{testCallback}, "multiTenant": true,
		"certificates": []string{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}})
	w.Control("POST", "/apps", string(app), 201, nil)
	tok := w.tokens("admin@contoso.example")
	claims := func(kv ...any) map[string]any {
		c := map[string]any{"aud": testBase + "/" + testTenant + "/oauth2/v2.0/token", "iss": testClient, "sub": testClient,
			"jti": rand.Text(), "nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix()}
		for i := 0; i < len(kv); i += 2 {
			c[kv[i].(string)] = kv[i+1]
		}
		return c
	}
	twice := assertionOf(t, key, "PS256", x5t, claims("jti", "twice"))
	for _, c := range []struct{ name, assertion, want string }{
		{"PS256", assertionOf(t, key, "PS256", x5t, claims()), "<nil>"},
		{"RS256", assertionOf(t, key, "RS256", x5t, claims()), "<nil>"},
		{"first use", twice, "<nil>"},
		{"second use", twice, "700027 invalid_client"},
		{"other key", assertionOf(t, stranger, "PS256", x5t, claims()), "700027 invalid_client"},
		{"unknown certificate", assertionOf(t, key, "PS256", "abc", claims()), "700027 invalid_client"},
		{"other audience", assertionOf(t, key, "PS256", x5t, claims("aud", "https://elsewhere")), "700027 invalid_client"},
		{"other issuer", assertionOf(t, key, "PS256", x5t, claims("iss", "x")), "700027 invalid_client"},
		{"expired", assertionOf(t, key, "PS256", x5t, claims("exp", now.Add(-time.Hour).Unix())), "700027 invalid_client"},
		{"garbage", "a.b", "700027 invalid_client"},
	} {
		_, v := w.post(testTenant, fields("client_secret", "", "grant_type", "refresh_token", "refresh_token", tok.RefreshToken,
			"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", c.assertion))
		if refused(v) != c.want {
			t.Errorf("%s: %v, want %s", c.name, v, c.want)
		}
	}
	for secret, want := range map[string]string{testSecret: "<nil>", "no": "7000215 invalid_client"} {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tok.RefreshToken}}
		r, _ := http.NewRequest("POST", testBase+"/"+testTenant+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(testClient, secret)
		if _, v := w.sendToken(r); refused(v) != want {
			t.Errorf("Basic with secret %t: %v, want %s", secret == testSecret, v, want)
		}
	}
}
