package loopback

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	g := New("", "sim.internal")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused := g.Check(r); refused != nil {
			http.Error(w, refused.Code, http.StatusForbidden)
		}
	}))
	defer srv.Close()
	port := srv.URL[strings.LastIndexByte(srv.URL, ':'):]
	for _, tt := range []struct {
		name, method, host string
		header             map[string]string
		want               string
	}{
		{"a program", "POST", "localhost" + port, nil, ""},
		{"the loopback address", "DELETE", "127.0.0.1" + port, nil, ""},
		{"another loopback address", "POST", "127.8.8.8", nil, ""},
		{"IPv6", "POST", "[::1]" + port, nil, ""},
		{"a capital", "GET", "LOCALHOST" + port, nil, ""},
		{"a configured name", "POST", "Sim.internal" + port, nil, ""},
		{"rebinding", "GET", "evil.example" + port, nil, "foreign-host"},
		{"rebinding that changes", "POST", "evil.example", nil, "foreign-host"},
		{"a name below localhost", "GET", "localhost.evil.example", nil, "foreign-host"},
		{"an address that looks like it", "GET", "127.0.0.1.evil.example", nil, "foreign-host"},
		{"another address", "GET", "192.0.2.7" + port, nil, "foreign-host"},
		{"a page of another site", "POST", "localhost" + port, map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, "foreign-origin"},
		{"a page of another port", "POST", "localhost" + port, map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"}, "foreign-origin"},
		{"a browser of old", "DELETE", "localhost" + port, map[string]string{"Origin": "https://evil.example"}, "foreign-origin"},
		{"a page without an origin", "POST", "localhost" + port, map[string]string{"Origin": "null"}, "foreign-origin"},
		{"a page of ours", "POST", "localhost" + port, map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "null"}, ""},
		{"a page of ours, in a browser of old", "PUT", "localhost" + port, map[string]string{"Origin": "http://localhost" + port}, ""},
		{"typed by a person", "GET", "localhost" + port, map[string]string{"Sec-Fetch-Site": "none"}, ""},
		{"a link elsewhere", "GET", "localhost" + port, map[string]string{"Sec-Fetch-Site": "cross-site"}, ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = tt.host
		for k, v := range tt.header {
			r.Header.Set(k, v)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body := make([]byte, 100)
		n, _ := resp.Body.Read(body)
		resp.Body.Close()
		if got := strings.TrimSpace(string(body[:n])); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if refused := g.Check(httptest.NewRequest("POST", "https://m365.example/", nil)); refused != nil {
		t.Errorf("a request of this process: %v", refused)
	}
}
