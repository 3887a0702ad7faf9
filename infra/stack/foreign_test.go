package stack

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestForeignPages: the stack's API serves no page of another site, by whatever
// name that reaches it.
func TestForeignPages(t *testing.T) {
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), PublicURL: "http://bindery.internal:8080", Hosts: []string{"box"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(srv.Close)
	for _, tt := range []struct {
		method, path, host, origin, want string
	}{
		{"GET", "/v1/connections", "localhost:8080", "", ""},
		{"GET", "/v1/connections", "bindery.internal:8080", "", ""},
		{"GET", "/v1/connections", "box", "", ""},
		{"GET", "/v1/connections", "evil.example:8080", "", "foreign-host"},
		{"GET", "/oauth/start?state=x", "evil.example:8080", "", "foreign-host"},
		{"POST", "/v1/connections", "localhost:8080", "https://evil.example", "foreign-origin"},
		{"PUT", "/uploads/x", "localhost:8080", "null", "foreign-origin"},
		{"GET", "/v1/connections", "localhost:8080", "https://evil.example", ""}, // the browser shows it to nobody
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, srv.URL+tt.path, strings.NewReader(`{"name":"Contoso"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = tt.host
		r.Header.Set("Authorization", "Bearer "+s.AdminToken())
		r.Header.Set("Content-Type", "application/json")
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if refused := resp.StatusCode == http.StatusForbidden && strings.Contains(string(body), `"code":"`+tt.want+`"`); refused != (tt.want != "") || !refused && resp.StatusCode != http.StatusOK {
			t.Errorf("%s %s at %s from %q = %d %s, want %q", tt.method, tt.path, tt.host, tt.origin, resp.StatusCode, body, tt.want)
		}
	}
}
