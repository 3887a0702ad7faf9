package stack

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestScimFeedsTheDirectory: a client that an admin has set up pushes a user by its token,
// who is in the directory with the client on record, and nobody pushes without one.
func TestScimFeedsTheDirectory(t *testing.T) {
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), PublicURL: "http://localhost:8080"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c := s.Client()
	client, err := c.PostJSON(t.Context(), "/v1/scim-clients", Object{"name": "Okta", "oauthClientId": "okta"})
	if err != nil {
		t.Fatal(err)
	}
	issued, err := c.PostJSON(t.Context(), "/v1/scim-clients/"+client.Text("id")+"/tokens", Object{})
	if err != nil {
		t.Fatal(err)
	}
	push := func(token string) *httptest.ResponseRecorder {
		body := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann@corp.example","externalId":"A1"}`
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost:8080"+client.Text("basePath")+"/Users", bytes.NewReader([]byte(body)))
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w
	}
	if w := push("nobody's"); w.Code != http.StatusUnauthorized {
		t.Errorf("without a token: %d %s", w.Code, w.Body)
	}
	if w := push(issued.Text("token")); w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	get := func(path, token string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:8080"+path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w.Code
	}
	byClaims := func(token string) int { return get(client.Text("oauthBasePath")+"/Users", token) }
	feeds, err := s.Tokens.Issue("okta", "bindery/source.scim")
	if err != nil {
		t.Fatal(err)
	}
	if got := byClaims(feeds); got != http.StatusOK {
		t.Errorf("by a JWT that feeds: %d", got)
	}
	stranger, err := s.Tokens.Issue("stranger", "bindery/source.scim")
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{stranger, s.AdminToken(), issued.Text("token"), ""} {
		if got := byClaims(other); got != http.StatusUnauthorized {
			t.Errorf("by another token: %d", got)
		}
	}
	users, err := c.Get(t.Context(), "/v1/users?email=ann@corp.example")
	if err != nil || len(users.List("items")) != 1 || users.List("items")[0].Text("source") != "scim" {
		t.Fatalf("%v, %v", users, err)
	}
	acts, err := c.Get(t.Context(), "/v1/activity?limit=1")
	if err != nil || len(acts.List("items")) != 1 || acts.List("items")[0].Text("by") != client.Text("id") || acts.List("items")[0].Text("apiRequestId") == "" {
		t.Errorf("%v, %v", acts, err)
	}
	log, err := c.Get(t.Context(), "/v1/scim-clients/"+client.Text("id")+"/requests")
	if err != nil || len(log.List("items")) != 2 || log.List("items")[0].Text("path") != "/Users" {
		t.Errorf("%v, %v", log, err)
	}
	if got := get(client.Text("basePath")+"//Users", issued.Text("token")); got != http.StatusOK { // a base address with a slash at its end
		t.Errorf("behind two slashes: %d", got)
	}
}
