package template

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bindery/shared/adminapi"
)

// Every operation of the API reaches its function through a route of API
// Gateway, and no route's method is without an operation.
func TestRoutes(t *testing.T) {
	api, err := adminapi.New(adminapi.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	api.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/openapi.json", nil))
	var spec struct {
		Paths map[string]map[string]any
	}
	if err := json.Unmarshal(w.Body.Bytes(), &spec); err != nil || len(spec.Paths) == 0 {
		t.Fatalf("GET /v1/openapi.json = %d, %v", w.Code, err)
	}
	routes := map[string]string{} // key -> function's resource
	for resource, keys := range triggers(read(t)) {
		for _, key := range keys {
			if strings.Contains(key, " /") {
				routes[key] = resource
			}
		}
	}
	used := map[string]bool{"GET /oauth/callback": true}
	for path, operations := range spec.Paths {
		for method := range operations {
			key := strings.ToUpper(method) + " " + path
			if _, exact := routes[key]; !exact {
				key = strings.ToUpper(method) + " /v1/{proxy+}"
			}
			used[key] = true
			want := "AdminFunction"
			if strings.HasSuffix(path, "/deactivate") {
				want = "DeactivateFunction"
			}
			if got := routes[key]; got != want || !strings.HasPrefix(path, "/v1/") {
				t.Errorf("%s %s goes to %q by route %q, want %s", strings.ToUpper(method), path, got, key, want)
			}
		}
	}
	for key := range routes {
		if !used[key] {
			t.Errorf("route %s: no operation of the API uses it", key)
		}
	}
}
