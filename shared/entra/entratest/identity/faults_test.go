package identity_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"bindery/shared/entra/entratest"
)

// The answer to a refresh is lost after it took effect: since rotation is soft,
// the token that the client still has goes on working.
func TestLostRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tok := w.tokens("admin@contoso.example")
	form := fields("grant_type", "refresh_token", "refresh_token", tok.RefreshToken)
	w.Control("POST", "/faults", `{"kind":"drop","when":"after","path":"/oauth2/v2.0/token$","times":1}`, 201, nil)
	resp, err := w.HTTP.PostForm(testBase+"/"+testTenant+"/oauth2/v2.0/token", form)
	if err == nil {
		resp.Body.Close()
	}
	if !errors.Is(err, entratest.ErrDropped) {
		t.Errorf("the first refresh = %v, want %v", err, entratest.ErrDropped)
	}
	if status, v := w.post(testTenant, form); status != 200 {
		t.Errorf("the second refresh gave %v", v)
	}
}

// A code whose answer is lost is spent: the admin must start again.
func TestLostCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg, verifier := w.config("organizations", testScope), oauth2.GenerateVerifier()
	form := fields("grant_type", "authorization_code", "redirect_uri", testCallback, "code_verifier", verifier, "code", w.signIn(cfg, "admin@contoso.example", verifier))
	w.Control("POST", "/faults", `{"kind":"status","status":503,"when":"after","retryAfter":"7","path":"/token","times":1}`, 201, nil)
	r, _ := http.NewRequest("POST", testBase+"/organizations/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if status, _, h := w.Do(r); status != 503 || h.Get("Retry-After") != "7" {
		t.Errorf("the first try = %d, Retry-After %q, want 503 and 7", status, h.Get("Retry-After"))
	}
	if _, v := w.post("organizations", form); refused(v) != "54005 invalid_grant" {
		t.Errorf("the second try gave %v", v)
	}
}

func TestSlowTokenEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		tok := w.tokens("admin@contoso.example")
		w.Control("POST", "/faults", `{"kind":"slow","seconds":40,"path":"/token"}`, 201, nil)
		start := time.Now()
		if status, v := w.post(testTenant, fields("grant_type", "refresh_token", "refresh_token", tok.RefreshToken)); status != 200 {
			t.Errorf("a slow refresh gave %v", v)
		}
		if took := time.Since(start); took != 40*time.Second {
			t.Errorf("it took %v, want 40s", took)
		}
	})
}

// Faults of the steps before a token: each goes back to the application.
func TestFaultsOfTheSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config("organizations", testScope)
	back := func() url.Values {
		a := w.get(cfg.AuthCodeURL("st"))
		if a.location == nil {
			a = w.submit(a, "login", "admin@contoso.example")
		}
		return a.callback()
	}
	for _, step := range []string{"authorize", "login"} {
		w.Control("POST", "/faults", `{"kind":"token","grant":"`+step+`","aadsts":50105,"times":1}`, 201, nil)
		if v := back(); !strings.HasPrefix(v.Get("error_description"), "AADSTS50105:") || v.Get("state") != "st" {
			t.Errorf("the fault at %s gave %v", step, v)
		}
	}
	tok := w.tokens("admin@contoso.example")
	w.Control("POST", "/faults", `{"kind":"token","grant":"client","aadsts":7000222}`, 201, nil)
	form := fields("grant_type", "refresh_token", "refresh_token", tok.RefreshToken)
	if status, v := w.post(testTenant, form); status != 401 || refused(v) != "7000222 invalid_client" {
		t.Errorf("the fault at the client gave %d %v", status, v)
	}
	w.Control("DELETE", "/faults", "", 204, nil)
	w.Control("POST", "/faults", `{"kind":"token","grant":"authorization_code","aadsts":70000}`, 201, nil)
	w.Control("POST", "/faults", `{"kind":"status","status":500}`, 201, nil) // without a path it is meant for Graph
	if status, v := w.post(testTenant, form); status != 200 {
		t.Errorf("faults of other steps struck a refresh: %v", v)
	}
}

// A client secret that has expired is not the same as a wrong one.
func TestExpiredSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tok := w.tokens("admin@contoso.example")
	app := entratest.App{ID: testClient, Secret: testSecret, RedirectURIs: []string{testCallback}, MultiTenant: true, SecretExpires: time.Now().Add(time.Hour)}
	if err := w.s.RegisterApp(app); err != nil {
		t.Fatal(err)
	}
	form := fields("grant_type", "refresh_token", "refresh_token", tok.RefreshToken)
	if status, v := w.post(testTenant, form); status != 200 {
		t.Errorf("before its end: %v", v)
	}
	w.Control("POST", "/clock", `{"advance":"1h"}`, 200, nil)
	if status, v := w.post(testTenant, form); status != 401 || refused(v) != "7000222 invalid_client" {
		t.Errorf("after its end: %d %v", status, v)
	}
}
