package entratest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestForeignPages: no web page that a developer visits switches the simulator, or
// reads it by a name of its own that is resolved to it.
func TestForeignPages(t *testing.T) {
	t.Parallel()
	s, err := New(Options{BaseURL: "http://m365.internal:8365", Hosts: []string{"sim"}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	call := func(method, path, host string, header map[string]string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(context.Background(), method, srv.URL+path, strings.NewReader(`{"name":"Contoso","domains":[{"name":"contoso.example","isDefault":true,"authenticationType":"Managed"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		for k, v := range header {
			r.Header.Set(k, v)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for _, path := range []string{"/_control", "/_control/tenants", "/_control/requests", "/v1.0/users", "/common/oauth2/v2.0/token", "/"} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			if status, body := call(method, path, "evil.example:8365", nil); status != 403 || !strings.Contains(body, "foreign-host") {
				t.Errorf("%s %s with a foreign Host = %d %s", method, path, status, body)
			}
		}
	}
	for _, c := range switches(t, s) {
		if c.Method == "GET" {
			continue
		}
		for _, header := range []map[string]string{
			{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "cross-site"},
		} {
			if status, body := call(c.Method, c.Path, "localhost:8365", header); status != 403 || !strings.Contains(body, "foreign-origin") {
				t.Errorf("%s %s from %v = %d %s", c.Method, c.Path, header, status, body)
			}
		}
	}
	if n := len(s.Tenants()); n != 0 {
		t.Errorf("%d tenants were made", n)
	}
	for _, host := range []string{"localhost:8365", "m365.internal:8365", "sim", srv.Listener.Addr().String()} {
		if status, body := call("POST", "/_control/tenants", host, nil); status >= 400 && !strings.Contains(body, "domain") {
			t.Errorf("a program at %s = %d %s", host, status, body)
		}
	}
	if n := len(s.Tenants()); n == 0 {
		t.Error("a program makes no tenant")
	}
}

type route struct{ Method, Path string }

// switches are the routes of the control API.
func switches(t *testing.T, s *Server) []route {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/_control", nil))
	var list struct{ Routes []route }
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list.Routes) < 20 {
		t.Fatalf("GET /_control = %s, %v", w.Body, err)
	}
	return list.Routes
}
