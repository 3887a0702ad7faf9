package adminapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// description is what the tests read of /v1/openapi.json.
type description struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		OperationID string
		Security    []map[string][]string
		RequestBody *struct{ Content map[string]any }
		Responses   map[string]any
	}
}

func (w *world) description() description {
	w.t.Helper()
	a := w.as(nil, "GET", specPath, "")
	if a.status != 200 {
		w.t.Fatalf("GET %s = %d", specPath, a.status)
	}
	var d description
	if err := json.Unmarshal([]byte(a.raw), &d); err != nil {
		w.t.Fatal(err)
	}
	return d
}

// operations is every operation that the issue asks for.
var operations = []string{
	"DELETE /v1/connections/{id}", "DELETE /v1/connections/{id}/bindings/{userId}", "DELETE /v1/connections/{id}/protection/{accountId}/lift", "DELETE /v1/users/{id}",
	"GET /v1/activity", "GET /v1/activity/links", "GET /v1/activity/summary", "GET /v1/connections", "GET /v1/connections/{id}", "GET /v1/connections/{id}/accounts", "GET /v1/connections/{id}/audit", "GET /v1/connections/{id}/bindings",
	"GET /v1/connections/{id}/health", "GET /v1/connections/{id}/problems", "GET /v1/connections/{id}/problems/{code}", "GET /v1/connections/{id}/protection", "GET /v1/connections/{id}/runs", "GET /v1/jobs/{id}", "GET /v1/runs/{id}", "GET /v1/runs/{id}/changes", "GET /v1/runs/{id}/left", "GET /v1/runs/{id}/parts", "GET /v1/users", "GET /v1/users/{id}", "GET /v1/users/{id}/explain", "GET /v1/users/{id}/photo",
	"PATCH /v1/connections/{id}", "PATCH /v1/users/{id}",
	"POST /v1/activity:verify", "POST /v1/connections", "POST /v1/connections/{id}/authorize", "POST /v1/connections/{id}/bindings", "POST /v1/connections/{id}/bindings/{userId}/pause", "POST /v1/connections/{id}/bindings/{userId}/resume", "POST /v1/connections/{id}/bindings/{userId}/retry", "POST /v1/connections/{id}/confirm",
	"POST /v1/connections/{id}/deactivate", "POST /v1/connections/{id}/health", "POST /v1/connections/{id}/imports", "POST /v1/connections/{id}/problems/{code}/retry", "POST /v1/connections/{id}/protection/{accountId}/lift", "POST /v1/connections/{id}/runs",
	"POST /v1/runs/{id}/approve", "POST /v1/runs/{id}/cancel", "POST /v1/runs/{id}/decline", "POST /v1/runs/{id}/undo", "POST /v1/users", "POST /v1/users/{id}/activate", "POST /v1/users/{id}/move", "POST /v1/users/{id}/restore", "POST /v1/users/{id}/suspend",
	"POST /v1/users/{id}/temporary-password", "POST /v1/users:load",
}

func TestDescription(t *testing.T) {
	w := newWorld(t)
	d := w.description()
	if !strings.HasPrefix(d.OpenAPI, "3.1") {
		t.Errorf("openapi = %s", d.OpenAPI)
	}
	var got []string
	for path, methods := range d.Paths {
		for method, op := range methods {
			got = append(got, strings.ToUpper(method)+" "+path)
			if op.OperationID == "" || len(op.Security) != 1 || len(op.Security[0][bearer]) != 1 {
				t.Errorf("%s %s has the ID %q and the scopes %v", method, path, op.OperationID, op.Security)
			}
			if op.RequestBody != nil && op.RequestBody.Content[rawType] != nil && path != "/v1/users:load" {
				t.Errorf("%s %s takes raw bytes", method, path)
			}
			if op.Responses["default"] == nil {
				t.Errorf("%s %s describes no problem", method, path)
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, operations) {
		t.Errorf("operations:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(operations, "\n"))
	}
}

// TestScopes calls every operation of the description with each scope, with
// several, with none, with a foreign token and without one.
func TestScopes(t *testing.T) {
	w := newWorld(t)
	all := []string{ScopeRead, ScopeWrite, ScopeApprove}
	for path, methods := range w.description().Paths {
		concrete := strings.NewReplacer("{id}", "none", "{userId}", "none", "{accountId}", "22222222-aaaa-4bbb-8ccc-000000000009").Replace(path)
		for method, op := range methods {
			method = strings.ToUpper(method)
			need := op.Security[0][bearer][0]
			body := ""
			if op.RequestBody != nil {
				body = "{}"
			}
			check := func(claims map[string]string, status int, code string) {
				t.Helper()
				a := w.as(claims, method, concrete, body)
				if status == 0 { // let through, whatever comes of it
					if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden || a.status >= 500 {
						t.Errorf("%s %s with %v = %d %s, want it let through", method, path, claims, a.status, a.raw)
					}
					return
				}
				if a.status != status || a.text("code") != code || a.header.Get("Content-Type") != problemType {
					t.Errorf("%s %s with %v = %d %s, want %d %s", method, path, claims, a.status, a.raw, status, code)
				}
				if code == "scope-missing" && !strings.Contains(a.text("detail"), need) {
					t.Errorf("%s %s does not name the scope: %s", method, path, a.raw)
				}
			}
			check(nil, 401, "no-token")
			check(map[string]string{"sub": "x"}, 403, "scope-missing")
			check(map[string]string{"sub": "x", "scope": "openid profile other/read bindery bindery/readx"}, 403, "scope-missing")
			for _, scope := range all {
				status, code := 403, "scope-missing"
				if scope == need {
					status, code = 0, ""
				}
				for _, claim := range []string{"scope", "scp", "roles"} {
					check(map[string]string{"sub": "x", claim: scope}, status, code)
				}
			}
			others := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == need })
			check(map[string]string{"sub": "x", "scope": strings.Join(others, " ")}, 403, "scope-missing")
			check(map[string]string{"sub": "x", "scope": everything + " bindery/source.ad bindery/source.scim"}, 403, "two-sources")
			check(map[string]string{"sub": "x", "scope": need + " bindery/source.ad", "roles": "bindery/source.scim"}, 403, "two-sources")
			check(map[string]string{"sub": "x", "scope": need + " bindery/source.scim"}, 0, "")
		}
	}
}

func TestSourceOfToken(t *testing.T) {
	w := newWorld(t)
	for source, scope := range map[string]string{"manual": "", "ad": " bindery/source.ad", "scim": " bindery/source.scim"} {
		claims := map[string]string{"sub": "x", "scope": ScopeWrite + scope}
		a := w.as(claims, "POST", "/v1/users", fmt.Sprintf(`{"email":"%s@corp.example"}`, source))
		if a.status != 201 || a.text("source") != source {
			t.Errorf("a user of %q has the source %q (%d)", scope, a.text("source"), a.status)
		}
		a = w.as(claims, "POST", "/v1/users", `{"email":"x@corp.example","source":"ad"}`)
		if a.status != 422 {
			t.Errorf("a source in the body = %d %s", a.status, a.raw)
		}
	}
}
