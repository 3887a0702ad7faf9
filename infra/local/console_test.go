package main

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"bindery/infra/stack"
	"bindery/infra/stacktest"
	"bindery/shared/entra/entratest/inprocess"
)

// visitor is somebody with a browser at the console of a stack, without a socket.
type visitor struct {
	*testing.T
	client *http.Client
	base   string
}

const consoleAt = "https://bindery.invalid"

// visit signs in to a stack's console, as one of the parts that its provider offers.
func visit(t *testing.T, o *stacktest.World, part string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t, &http.Client{Jar: jar, Transport: inprocess.Transport(o.Stack.Handler())}, consoleAt}
	page := v.get("/console/login?to=/console")
	form := url.Values{"part": {part}}
	for _, n := range elements(t, page, "input") {
		form.Set(n["name"], n["value"])
	}
	res, err := v.client.PostForm(v.base+stack.ProviderPath+"/authorize", form)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || res.Request.URL.Path != "/console" {
		t.Fatalf("signing in as %s ended with %d at %s", part, res.StatusCode, res.Request.URL.Path)
	}
	return v
}

// get is a page, which must be there.
func (v *visitor) get(path string) *html.Node {
	v.Helper()
	status, page := v.look(path)
	if status != http.StatusOK {
		v.Errorf("%s: %d", path, status)
	}
	return page
}

func (v *visitor) look(path string) (int, *html.Node) {
	v.Helper()
	res, err := v.client.Get(v.base + path)
	if err != nil {
		v.Fatal(err)
	}
	defer res.Body.Close()
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		return res.StatusCode, nil
	}
	page, err := html.Parse(res.Body)
	if err != nil {
		v.Fatal(err)
	}
	return res.StatusCode, page
}

// elements are those of a page with a name, by their attributes.
func elements(t *testing.T, page *html.Node, name string) (list []map[string]string) {
	t.Helper()
	if page == nil {
		return nil
	}
	for n := range page.Descendants() {
		if n.Type != html.ElementNode || n.Data != name {
			continue
		}
		at := map[string]string{}
		for _, a := range n.Attr {
			at[a.Key] = a.Val
		}
		list = append(list, at)
	}
	return list
}

// TestConsoleCrawl goes to every address that the console's pages lead to, on a stack with
// people, groups, runs and a held one: as an admin, and as somebody who may only look. Each
// is there, and what may not be done is said, not missing.
func TestConsoleCrawl(t *testing.T) {
	o := stacktest.New(t)
	conn := o.Connect("corp.example", o.Tenant("corp.example", person("ann"), person("bo")), nil)
	o.Post("/v1/connections/"+conn+"/imports", object{"all": true, "bind": true})
	ann := o.User("dee@corp.example", nil)
	o.Bind(conn, ann)
	o.Binding(conn, ann, "in-sync")
	group := o.Post("/v1/groups", object{"name": "Sales"}).Text("id")
	o.Post("/v1/groups/"+group+"/members", object{"userIds": []string{ann}})
	o.Must(o.API.Put(o.Context(), "/v1/connections/"+conn+"/groups/"+group, object{"select": object{}}))
	o.Must(o.API.Patch(o.Context(), "/v1/connections/"+conn, object{"settings": object{"mode": "approve"}}))
	o.Must(o.API.Patch(o.Context(), "/v1/users/"+ann, object{"givenName": "Renamed"}))
	o.Wait("no run is held", func() bool {
		return slices.ContainsFunc(o.Get("/v1/connections/"+conn+"/runs?limit=5").List("items"), func(r stack.Object) bool { return r.Text("state") == "held" })
	})
	client := o.Post("/v1/scim-clients", object{"name": "Okta", "provider": "okta"})
	token := o.Post("/v1/scim-clients/"+client.Text("id")+"/tokens", object{}).Text("token")
	for _, body := range []string{`{"userName":"eve@corp.example","externalId":"E1","active":"True"}`, `{"userName":"eve@corp.example"}`} { // one is bent, one refused
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, consoleAt+client.Text("basePath")+"/Users", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := inprocess.Transport(o.Stack.Handler()).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	for _, part := range []string{"admin", "read"} {
		t.Run(part, func(t *testing.T) {
			v := visit(t, o, part)
			todo, seen := []string{"/console"}, map[string]bool{}
			for len(todo) > 0 && len(seen) < 150 {
				path := todo[0]
				todo = todo[1:]
				if key := shape(path); seen[key] {
					continue
				} else {
					seen[key] = true
				}
				status, page := v.look(path)
				if status != http.StatusOK {
					t.Errorf("%s: %d", path, status)
				}
				for _, a := range elements(t, page, "a") {
					if to := a["href"]; strings.HasPrefix(to, "/console") && !strings.HasPrefix(to, "/console/login") {
						todo = append(todo, to)
					}
				}
			}
			for _, tail := range []string{"", "/requests", "/setup", "/settings", "/take-back", "/delete"} {
				if !seen[shape("/console/sources/"+client.Text("id")+tail)] {
					t.Errorf("the source's page %q was not seen", tail)
				}
			}
			if len(seen) < 20 {
				t.Errorf("saw only %d pages", len(seen))
			}
		})
	}
}

// shape is an address without what is different from one object to the next.
func shape(path string) string {
	u, err := url.Parse(path)
	if err != nil {
		return path
	}
	parts := strings.Split(u.Path, "/")
	for i, p := range parts {
		if strings.Contains(p, "_") || len(p) == 36 {
			parts[i] = "*"
		}
	}
	var names []string
	for name := range u.Query() {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(parts, "/") + "?" + strings.Join(names, "&")
}

// TestConsoleProvider holds the laptop's provider to what a provider refuses.
func TestConsoleProvider(t *testing.T) {
	t.Parallel()
	o := stacktest.Open(t, stack.Config{})
	client := &http.Client{Transport: inprocess.Transport(o.Stack.Handler()), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	good := url.Values{"client_id": {stack.ConsoleClient}, "redirect_uri": {consoleAt + "/console/callback"}, "response_type": {"code"}, "code_challenge": {"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"}, "code_challenge_method": {"S256"}, "state": {"s"}}
	ask := func(change func(url.Values)) int {
		t.Helper()
		q := url.Values{}
		for k, v := range good {
			q[k] = v
		}
		change(q)
		res, err := client.Get(consoleAt + stack.ProviderPath + "/authorize?" + q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if got := ask(func(url.Values) {}); got != http.StatusOK {
		t.Fatalf("the page answers %d", got)
	}
	for name, change := range map[string]func(url.Values){
		"another client":    func(q url.Values) { q.Set("client_id", "other") },
		"another address":   func(q url.Values) { q.Set("redirect_uri", "https://evil.example/") },
		"no challenge":      func(q url.Values) { q.Del("code_challenge") },
		"a plain challenge": func(q url.Values) { q.Set("code_challenge_method", "plain") },
		"a token at once":   func(q url.Values) { q.Set("response_type", "token") },
	} {
		if got := ask(change); got != http.StatusBadRequest {
			t.Errorf("%s: %d", name, got)
		}
	}
	post := func(path string, form url.Values) (int, string) {
		t.Helper()
		res, err := client.PostForm(consoleAt+stack.ProviderPath+path, form)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode, res.Header.Get("Location")
	}
	form := url.Values{"part": {"admin"}}
	for k, v := range good {
		form[k] = v
	}
	_, to := post("/authorize", form)
	u, err := url.Parse(to)
	if err != nil || !strings.HasPrefix(to, consoleAt+"/console/callback?") {
		t.Fatalf("led to %q, %v", to, err)
	}
	code := u.Query().Get("code")
	redeem := func(verifier string) int {
		status, _ := post("/token", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {verifier}, "redirect_uri": {consoleAt + "/console/callback"}})
		return status
	}
	if got := redeem("wrong"); got != http.StatusBadRequest {
		t.Errorf("another verifier: %d", got)
	}
	if got := redeem(""); got != http.StatusBadRequest { // whose challenge it is; the code was used up by the try before
		t.Errorf("a code is good twice: %d", got)
	}
	form.Set("part", "root")
	if status, _ := post("/authorize", form); status != http.StatusBadRequest {
		t.Errorf("a part that is not there: %d", status)
	}
	if status, _ := post("/token", url.Values{"grant_type": {"password"}}); status != http.StatusBadRequest {
		t.Errorf("another grant: %d", status)
	}
}
