package admin

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"bindery/shared/directory"
)

// description is what the tests read of /v1/openapi.json.
type description struct {
	Info struct {
		Version string `json:"version"`
	} `json:"info"`
	OpenAPI    string
	Components struct {
		SecuritySchemes map[string]struct{ Description string }
	}
	Paths map[string]map[string]struct {
		OperationID string
		Description string
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

// operations is every operation, the one scope that it needs, if any, and whether a
// token of a source may do it: it may read and edit users and groups, and look after its
// loads, and nothing else.
var operations = map[string]struct {
	scope   string
	sources bool
}{
	"DELETE /v1/connections/{id}":                              {ScopeAdmin, false},
	"DELETE /v1/connections/{id}/bindings/{userId}":            {ScopeWrite, false},
	"DELETE /v1/connections/{id}/protection/{accountId}/lift":  {ScopeApprove, false},
	"DELETE /v1/users/{id}":                                    {ScopeWrite, true},
	"GET /v1/activity":                                         {ScopeRead, false},
	"GET /v1/activity/links":                                   {ScopeRead, false},
	"GET /v1/activity/summary":                                 {ScopeRead, false},
	"GET /v1/connections":                                      {ScopeRead, false},
	"GET /v1/connections/{id}":                                 {ScopeRead, false},
	"GET /v1/connections/{id}/accounts":                        {ScopeRead, false},
	"GET /v1/connections/{id}/licences":                        {ScopeRead, false},
	"POST /v1/connections/{id}/licences/count":                 {ScopeWrite, false},
	"GET /v1/connections/{id}/tenant-groups":                   {ScopeRead, false},
	"GET /v1/connections/{id}/audit":                           {ScopeRead, false},
	"GET /v1/connections/{id}/bindings":                        {ScopeRead, false},
	"GET /v1/connections/{id}/bindings/{userId}/licences":      {ScopeRead, false},
	"PUT /v1/connections/{id}/bindings/{userId}/licences":      {ScopeWrite, false},
	"DELETE /v1/connections/{id}/groups/{groupId}":             {ScopeAdmin, false},
	"GET /v1/connections/{id}/groups":                          {ScopeRead, false},
	"GET /v1/connections/{id}/groups/{groupId}":                {ScopeRead, false},
	"GET /v1/connections/{id}/groups/{groupId}/members":        {ScopeRead, false},
	"PUT /v1/connections/{id}/groups/{groupId}":                {ScopeAdmin, false},
	"GET /v1/connections/{id}/health":                          {ScopeRead, false},
	"GET /v1/connections/{id}/problems":                        {ScopeRead, false},
	"GET /v1/connections/{id}/problems/{code}":                 {ScopeRead, false},
	"GET /v1/connections/{id}/protection":                      {ScopeRead, false},
	"GET /v1/connections/{id}/runs":                            {ScopeRead, false},
	"GET /v1/jobs":                                             {ScopeRead, false},
	"GET /v1/users:count":                                      {ScopeRead, true},
	"GET /v1/groups/{id}/groups":                               {ScopeRead, true},
	"POST /v1/scim-clients":                                    {ScopeAdmin, false},
	"GET /v1/scim-clients":                                     {ScopeRead, false},
	"GET /v1/scim-clients/{id}":                                {ScopeRead, false},
	"PATCH /v1/scim-clients/{id}":                              {ScopeAdmin, false},
	"DELETE /v1/scim-clients/{id}":                             {ScopeAdmin, false},
	"POST /v1/scim-clients/{id}/tokens":                        {ScopeAdmin, false},
	"GET /v1/scim-clients/{id}/tokens":                         {ScopeRead, false},
	"DELETE /v1/scim-clients/{id}/tokens/{tokenId}":            {ScopeAdmin, false},
	"GET /v1/scim-clients/{id}/requests":                       {ScopeRead, false},
	"POST /v1/scim-clients/{id}/take-back":                     {ScopeAdmin, false}, // and ScopeWrite: TestTakeBack
	"GET /v1/groups/{id}/uses":                                 {ScopeRead, false},
	"GET /v1/attention":                                        {ScopeRead, false},
	"GET /v1/users/{id}/bindings":                              {ScopeRead, false},
	"GET /v1/names":                                            {ScopeRead, false},
	"GET /v1/me":                                               {"", true}, // any token
	"GET /v1/jobs/{id}":                                        {ScopeRead, true},
	"GET /v1/runs/{id}":                                        {ScopeRead, false},
	"GET /v1/runs/{id}/counts":                                 {ScopeRead, false},
	"GET /v1/runs/{id}/changes":                                {ScopeRead, false},
	"GET /v1/runs/{id}/left":                                   {ScopeRead, false},
	"GET /v1/runs/{id}/parts":                                  {ScopeRead, false},
	"GET /v1/users":                                            {ScopeRead, true},
	"GET /v1/users/{id}":                                       {ScopeRead, true},
	"GET /v1/users/{id}/explain":                               {ScopeRead, false},
	"GET /v1/groups/{id}/explain":                              {ScopeRead, false},
	"GET /v1/users/{id}/photo":                                 {ScopeRead, true},
	"PATCH /v1/connections/{id}":                               {ScopeAdmin, false},
	"PATCH /v1/users/{id}":                                     {ScopeWrite, true},
	"POST /v1/activity:verify":                                 {ScopeWrite, false},
	"POST /v1/connections":                                     {ScopeAdmin, false},
	"POST /v1/connections/{id}/authorize":                      {ScopeAdmin, false},
	"POST /v1/connections/{id}/bindings":                       {ScopeWrite, false},
	"POST /v1/connections/{id}/bindings/{userId}/pause":        {ScopeWrite, false},
	"POST /v1/connections/{id}/bindings/{userId}/resume":       {ScopeWrite, false},
	"POST /v1/connections/{id}/bindings/{userId}/adopt":        {ScopeWrite, false},
	"POST /v1/connections/{id}/bindings/{userId}/retry":        {ScopeWrite, false},
	"POST /v1/connections/{id}/confirm":                        {ScopeApprove, false},
	"POST /v1/connections/{id}/domains":                        {ScopeApprove, false},
	"DELETE /v1/connections/{id}/domains/{domain}":             {ScopeApprove, false},
	"POST /v1/connections/{id}/deactivate":                     {ScopeAdmin, false},
	"POST /v1/connections/{id}/health":                         {ScopeWrite, false},
	"POST /v1/connections/{id}/imports":                        {ScopeWrite, false},
	"POST /v1/connections/{id}/problems/{code}/retry":          {ScopeWrite, false},
	"POST /v1/connections/{id}/protection/{accountId}/lift":    {ScopeApprove, false},
	"POST /v1/connections/{id}/runs":                           {ScopeWrite, false},
	"GET /v1/connections/{id}/proposals":                       {ScopeRead, false},
	"GET /v1/connections/{id}/proposals/{proposalId}":          {ScopeRead, false},
	"POST /v1/connections/{id}/proposals/{proposalId}/approve": {ScopeApprove, false},
	"POST /v1/connections/{id}/proposals/{proposalId}/decline": {ScopeApprove, false},
	"POST /v1/runs/{id}/approve":                               {ScopeApprove, false},
	"POST /v1/runs/{id}/cancel":                                {ScopeWrite, false},
	"POST /v1/runs/{id}/decline":                               {ScopeApprove, false},
	"POST /v1/runs/{id}/undo":                                  {ScopeWrite, false},
	"POST /v1/users":                                           {ScopeWrite, true},
	"POST /v1/users/{id}/activate":                             {ScopeWrite, true},
	"POST /v1/users/{id}/move":                                 {ScopeWrite, false},
	"POST /v1/users/{id}/restore":                              {ScopeWrite, true},
	"POST /v1/users/{id}/suspend":                              {ScopeWrite, true},
	"POST /v1/users/{id}/temporary-password":                   {ScopeApprove, false},
	"POST /v1/users:load":                                      {ScopeWrite, true},
	"DELETE /v1/groups/{id}":                                   {ScopeWrite, true},
	"DELETE /v1/groups/{id}/members":                           {ScopeWrite, true},
	"GET /v1/groups":                                           {ScopeRead, true},
	"GET /v1/groups/{id}":                                      {ScopeRead, true},
	"GET /v1/groups/{id}/members":                              {ScopeRead, true},
	"GET /v1/users/{id}/groups":                                {ScopeRead, true},
	"PATCH /v1/groups/{id}":                                    {ScopeWrite, true},
	"POST /v1/groups":                                          {ScopeWrite, true},
	"POST /v1/groups/{id}/members":                             {ScopeWrite, true},
	"POST /v1/groups/{id}/restore":                             {ScopeWrite, true},
	"POST /v1/groups:load":                                     {ScopeWrite, true},
	"POST /v1/uploads":                                         {ScopeWrite, true},
}

func TestDescription(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.description()
	if !strings.HasPrefix(d.OpenAPI, "3.1") {
		t.Errorf("openapi = %s", d.OpenAPI)
	}
	if d.Info.Version != directory.Version {
		t.Errorf("version = %s, and the console shows %s", d.Info.Version, directory.Version)
	}
	var got []string
	for path, methods := range d.Paths {
		for method, op := range methods {
			name := strings.ToUpper(method) + " " + path
			got = append(got, name)
			want := operations[name]
			if op.OperationID == "" || len(op.Security) != 1 || !slices.Equal(op.Security[0][bearer], scopesNeeded(want.scope)) {
				t.Errorf("%s has the ID %q and the scopes %v, want %s", name, op.OperationID, op.Security, want.scope)
			}
			if !strings.Contains(op.Description, want.scope) || strings.Contains(op.Description, "bindery/source") != want.sources {
				t.Errorf("%s is described as %q", name, op.Description)
			}
			if op.RequestBody != nil && op.RequestBody.Content[rawType] != nil && !strings.HasSuffix(path, ":load") {
				t.Errorf("%s %s takes raw bytes", method, path)
			}
			if op.Responses["default"] == nil {
				t.Errorf("%s %s describes no problem", method, path)
			}
		}
	}
	slices.Sort(got)
	if want := slices.Sorted(maps.Keys(operations)); !slices.Equal(got, want) {
		t.Errorf("operations:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, scope := range []string{ScopeRead, ScopeWrite, ScopeAdmin, ScopeApprove, scopeSource + "ad", scopeSource + "scim"} {
		if !strings.Contains(d.Components.SecuritySchemes[bearer].Description, scope) {
			t.Errorf("the description of tokens does not tell of %s", scope)
		}
	}
}

// concrete fills in the places of a path.
var concrete = strings.NewReplacer("{id}", "none", "{userId}", "none", "{accountId}", "22222222-aaaa-4bbb-8ccc-000000000009", "{code}", "none", "{proposalId}", "none", "{domain}", "none.example")

// TestScopes calls every operation of the description with each scope, with all
// others, with none, as each source, with a foreign token and without one.
func TestScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := []string{ScopeRead, ScopeWrite, ScopeAdmin, ScopeApprove}
	for path, methods := range w.description().Paths {
		for method, op := range methods {
			method = strings.ToUpper(method)
			want, known := operations[method+" "+path]
			if !known {
				continue // TestDescription tells
			}
			body := ""
			if op.RequestBody != nil {
				body = "{}"
			}
			check := func(claims map[string]string, status int, code string) {
				t.Helper()
				a := w.as(claims, method, concrete.Replace(path), body)
				if status == 0 { // let through, whatever comes of it
					if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden || a.status >= 500 {
						t.Errorf("%s %s with %v = %d %s, want it let through", method, path, claims, a.status, a.raw)
					}
					return
				}
				if a.status != status || a.text("code") != code || a.header.Get("Content-Type") != problemType {
					t.Errorf("%s %s with %v = %d %s, want %d %s", method, path, claims, a.status, a.raw, status, code)
				}
				if code == "scope-missing" && !strings.Contains(a.text("detail"), want.scope) {
					t.Errorf("%s %s does not name the scope: %s", method, path, a.raw)
				}
			}
			check(nil, 401, "no-token")
			if want.scope == "" {
				check(map[string]string{"sub": "x"}, 0, "")
				check(map[string]string{"sub": "x", "scope": everything + " bindery/source.ad"}, 0, "")
				check(map[string]string{"sub": "x", "scope": everything + " bindery/source.ad bindery/source.scim"}, 403, "two-sources")
				continue
			}
			check(map[string]string{"sub": "x"}, 403, "scope-missing")
			check(map[string]string{"sub": "x", "scope": "openid profile other/read bindery bindery/readx"}, 403, "scope-missing")
			for _, scope := range all {
				status, code := 403, "scope-missing"
				if scope == want.scope {
					status, code = 0, ""
				}
				for _, claim := range []string{"scope", "scp", "roles"} {
					check(map[string]string{"sub": "x", claim: scope}, status, code)
				}
			}
			others := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == want.scope })
			check(map[string]string{"sub": "x", "scope": strings.Join(others, " ")}, 403, "scope-missing")
			check(map[string]string{"sub": "x", "scope": everything + " bindery/source.ad bindery/source.scim"}, 403, "two-sources")
			check(map[string]string{"sub": "x", "scope": everything + " bindery/source.hr"}, 403, "unknown-source")
			check(map[string]string{"sub": "x", "scope": everything + " bindery/Source.AD"}, 403, "unknown-source")
			for _, source := range []string{"ad", "scim"} {
				mark := " " + scopeSource + source
				if want.sources {
					check(map[string]string{"sub": "x", "scope": want.scope + mark}, 0, "")
					check(map[string]string{"sub": "x", "scope": strings.Join(others, " ") + mark}, 403, "scope-missing")
				} else {
					check(map[string]string{"sub": "x", "scope": everything + mark}, 403, "source-token")
				}
			}
		}
	}
}

func TestSourceOfToken(t *testing.T) {
	t.Parallel()
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

// A token of a source follows the loads that it started, and no other job.
func TestSourceSeesItsOwnLoadsOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ad := map[string]string{"sub": "bridge", "scope": everything + " bindery/source.ad"}
	load := func(claims map[string]string) string {
		t.Helper()
		a := w.as(claims, "POST", "/v1/users:load", `{"email":"a@corp.example"}`)
		if a.status != 202 {
			t.Fatalf("a load = %d %s", a.status, a.raw)
		}
		return a.text("id")
	}
	own, others := load(ad), load(map[string]string{"sub": "admin", "scope": ScopeWrite})
	second := load(map[string]string{"sub": "bridge2", "scope": ScopeWrite + " bindery/source.ad"})
	verify := w.want(202, "", "POST", "/v1/activity:verify", `{}`).text("id")
	if a := w.as(ad, "GET", "/v1/jobs/"+own, ""); a.status != 200 {
		t.Errorf("its own load = %d %s", a.status, a.raw)
	}
	for _, id := range []string{others, second, verify} {
		if a := w.as(ad, "GET", "/v1/jobs/"+id, ""); a.status != 403 || a.text("code") != "source-token" || strings.Contains(a.raw, "askedBy") {
			t.Errorf("a job of somebody else = %d %s", a.status, a.raw)
		}
	}
}
