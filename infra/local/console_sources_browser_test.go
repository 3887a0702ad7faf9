package main

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"bindery/infra/stack"
)

// TestBrowserSources sets up an identity provider as an admin does: its token stands on the
// page while that waits for the first request, and tells when it has come. Then it looks at
// what it asked for, and takes it back.
func TestBrowserSources(t *testing.T) {
	if os.Getenv("BINDERY_BROWSER") == "" {
		t.Skip("needs chromium: make test-browser finds it")
	}
	o, base := served(t, stack.Config{})
	b := openTab(t, base)
	b.signIn()
	b.open("/console/sources")
	b.press("a[href='/console/sources/new']", "Adding it writes nothing")
	b.look("source-new")
	b.press("main button.primary", "The token lets the identity provider in")
	b.look("source-token")
	b.press("main button.primary", "Waiting for the first request")
	b.look("source-token-shown")
	token, url := js[string](b, "document.querySelector('.box.good code').textContent"), js[string](b, "document.querySelector('table [data-copy]').dataset.copy")
	push := func(method, path, body string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	push(http.MethodGet, "/Users?filter=shoe%20eq%20%227%22", "") // refused: it goes on waiting
	b.see("Requests arrive, and are refused")
	push(http.MethodGet, "/Users?count=1", "")
	b.see("answered with 200")
	if !strings.Contains(b.text(), token) || js[bool](b, "!!document.querySelector('[data-poll]')") {
		t.Error("the token has gone from the page, or it looks again")
	}
	b.look("source-arrived")

	push(http.MethodPost, "/Users", `{"userName":"eve@corp.example","externalId":"E1","active":"True","name":{"givenName":"Eve"}}`)
	push(http.MethodPost, "/Users", `{"userName":"eve@corp.example"}`)
	push(http.MethodPost, "/Groups", `{"displayName":"Sales"}`)
	push(http.MethodPost, "/Groups", `{"displayName":"Sales"}`)
	eve := "/Users/" + o.Get("/v1/users").List("items")[0].Text("id")
	push(http.MethodPatch, eve, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}`)
	push(http.MethodDelete, "/Groups/"+o.Get("/v1/groups").List("items")[0].Text("id"), "")
	// What is done by hand is told beside all that a source pushes.
	ben := o.Post("/v1/users", map[string]any{"email": "ben@corp.example", "givenName": "Ben", "familyName": "Example"}).Text("id")
	o.Post("/v1/users/"+ben+"/suspend", nil)
	b.press(".crumbs a", "user suspended")
	b.look("sources-one")
	b.press("main td a.who", "3 refused")
	if strings.Contains(b.text(), token) {
		t.Error("the token is on another page")
	}
	b.look("source")
	b.see("1 user suspended")
	at := strings.TrimPrefix(b.at(), base)
	for _, tail := range []string{"/requests", "/requests?only=refused", "/setup", "/settings", "/delete"} {
		b.open(at + tail)
		b.look("source-" + strings.Trim(strings.NewReplacer("?only=", "-", "/", "").Replace(tail), "-"))
	}
	b.press(`a[href$="/take-back"]`, "Count what would be taken back")
	b.look("source-take-back")
	b.press("main button.primary", "Take 1 change back")
	b.look("source-taken-back")
	b.do("type", chromedp.SendKeys("#typed", "Okta"))
	b.press("main button.danger", "The source is paused")
	o.Wait("what it made is there still", func() bool { return len(o.Get("/v1/users").List("items")) == 1 })
	b.open(strings.TrimPrefix(b.at(), base))
	b.look("source-job")

	// The same without script.
	b.script(false)
	b.open(at)
	b.press(`form[action$="/resume"] button`, "takes requests")
	b.press(`a[href$="/revoke"]`, "the last one that is valid")
	b.script(true)
	b.look("source-revoke")
}
