package identity_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"bindery/shared/entra/entratest"
	"bindery/shared/entra/entratest/simclient"
)

const (
	testBase     = "https://m365.example"
	testClient   = "11111111-aaaa-4bbb-8ccc-000000000001"
	testSecret   = "not-a-real-one"
	testCallback = "https://app.example/oauth/callback"
	testTenant   = "22222222-aaaa-4bbb-8ccc-000000000001"
	testScope    = "openid profile offline_access User.ReadWrite.All Organization.Read.All"
)

// world is a simulator with one tenant and one application, driven as a browser
// and an application would: over HTTP, but in process.
type world struct {
	*simclient.Client
	s *entratest.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldIn(t, "")
}

func newWorldIn(t *testing.T, dir string) *world {
	t.Helper()
	s, err := entratest.New(entratest.Options{BaseURL: testBase, Seed: 7, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := &world{simclient.New(t, testBase, s.Transport()), s}
	w.Control("POST", "/tenants", `{"tenantId":"`+testTenant+`","name":"Contoso","domains":[{"name":"contoso.example","authenticationType":"Managed","isDefault":true},
		{"name":"fed.example","authenticationType":"Federated","federationConfiguration":{"passiveSignInUri":"https://sso.godaddy.com/?app=o365&realm=pass"}}],
		"accounts":[{"userPrincipalName":"plain@contoso.example","displayName":"Plain"}],
		"admins":[{"userPrincipalName":"admin@contoso.example","displayName":"Ada \"<b>\" Admin","roles":["Global Administrator"]},
		{"userPrincipalName":"helper@contoso.example","displayName":"Helper","roles":["User Administrator"]}]}`, 201, nil)
	w.Control("POST", "/apps", `{"clientId":"`+testClient+`","clientSecret":"`+testSecret+`","name":"Bindery <test>","redirectUris":["`+testCallback+`"],"multiTenant":true}`, 201, nil)
	return w
}

// fetch decodes a JSON answer.
func (w *world) fetch(r *http.Request, into any) int {
	w.Helper()
	status, body, _ := w.Do(r)
	if into != nil {
		if err := json.Unmarshal(body, into); err != nil {
			w.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
		}
	}
	return status
}

// answer is a page, or a redirect to the application.
type answer struct {
	status   int
	page     string
	location *url.URL // nil: a page
}

// callback is the query of a redirect.
func (a answer) callback() url.Values {
	if a.location == nil {
		return url.Values{}
	}
	return a.location.Query()
}

func (w *world) get(u string) answer {
	w.Helper()
	r, err := http.NewRequest("GET", u, nil)
	if err != nil {
		w.Fatal(err)
	}
	return w.browse(r)
}

func (w *world) browse(r *http.Request) answer {
	w.Helper()
	status, body, h := w.Do(r)
	a := answer{status: status, page: string(body)}
	if l := h.Get("Location"); l != "" {
		var err error
		if a.location, err = url.Parse(l); err != nil {
			w.Fatal(err)
		}
	} else if !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
		w.Errorf("%s: a page without a policy", r.URL.Path)
	}
	return a
}

var (
	formAction = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	hidden     = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// submit presses a button of a page's form.
func (w *world) submit(a answer, fields ...string) answer {
	w.Helper()
	m := formAction.FindStringSubmatch(a.page)
	if m == nil {
		w.Fatalf("there is no form on the page:\n%s", a.page)
	}
	v := url.Values{}
	for _, h := range hidden.FindAllStringSubmatch(a.page, -1) {
		v.Set(html.UnescapeString(h[1]), html.UnescapeString(h[2]))
	}
	for i := 0; i < len(fields); i += 2 {
		v.Set(fields[i], fields[i+1])
	}
	r, err := http.NewRequest("POST", testBase+html.UnescapeString(m[1]), strings.NewReader(v.Encode()))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.browse(r)
}

// config is what golang.org/x/oauth2 needs, for an authority.
func (w *world) config(authority, scope string) *oauth2.Config {
	at := testBase + "/" + authority + "/oauth2/v2.0/"
	return &oauth2.Config{
		ClientID: testClient, ClientSecret: testSecret, RedirectURL: testCallback, Scopes: strings.Fields(scope),
		Endpoint: oauth2.Endpoint{AuthURL: at + "authorize", TokenURL: at + "token", AuthStyle: oauth2.AuthStyleInParams},
	}
}

func (w *world) ctx() context.Context {
	return context.WithValue(w.Context(), oauth2.HTTPClient, w.HTTP)
}

// signIn walks through the pages and returns a code.
func (w *world) signIn(cfg *oauth2.Config, login, verifier string) string {
	w.Helper()
	a := w.get(cfg.AuthCodeURL("st", oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", "n-1")))
	a = w.submit(a, "login", login, "next", "next")
	if a.location == nil {
		a = w.submit(a, "accept", "accept")
	}
	code := a.callback().Get("code")
	if code == "" || a.callback().Get("state") != "st" {
		w.Fatalf("signing in ended with %d %v\n%s", a.status, a.location, a.page)
	}
	return code
}

// tokens signs in and redeems the code.
func (w *world) tokens(login string) *oauth2.Token {
	w.Helper()
	cfg, verifier := w.config("organizations", testScope), oauth2.GenerateVerifier()
	tok, err := cfg.Exchange(w.ctx(), w.signIn(cfg, login, verifier), oauth2.VerifierOption(verifier))
	if err != nil {
		w.Fatal(err)
	}
	return tok
}

// post sends a form to a token endpoint.
func (w *world) post(authority string, form url.Values) (int, map[string]any) {
	w.Helper()
	r, err := http.NewRequest("POST", testBase+"/"+authority+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.sendToken(r)
}

func (w *world) sendToken(r *http.Request) (int, map[string]any) {
	w.Helper()
	status, body, _ := w.Do(r)
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		w.Fatalf("the token endpoint answered no JSON: %v", err)
	}
	return status, v
}

// refused tells which AADSTS number and word a token answer has.
func refused(v map[string]any) string {
	codes, _ := v["error_codes"].([]any)
	if len(codes) != 1 {
		return fmt.Sprint(v["error"])
	}
	return fmt.Sprintf("%v %v", codes[0], v["error"])
}

func fields(kv ...string) url.Values {
	v := url.Values{"client_id": {testClient}, "client_secret": {testSecret}}
	for i := 0; i < len(kv); i += 2 {
		v.Set(kv[i], kv[i+1])
		if kv[i+1] == "" {
			v.Del(kv[i])
		}
	}
	return v
}
