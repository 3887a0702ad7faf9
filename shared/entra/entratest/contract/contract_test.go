package contract

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// collect loads the description and gathers the reports instead of failing.
func collect(t *testing.T) (*Checker, *[]string) {
	t.Helper()
	c := Load(t)
	var reports []string
	c.report = func(format string, args ...any) { reports = append(reports, fmt.Sprintf(format, args...)) }
	return c, &reports
}

// exchange is one message through a Checker around a server.
type exchange struct {
	name, method, path, body string
	status                   int
	answer                   string
	report                   string // part of the one report that is expected; "" for none
	covered                  int
}

var exchanges = []exchange{
	{"user", "GET", "/v1.0/users/x?$select=id,displayName", "", 200, `{"@odata.context":"c","id":"x","displayName":null}`, "", 1},
	{"upn with a sign", "GET", "/v1.0/users/o'neill@contoso.com", "", 200, `{"id":"x"}`, "", 1},
	{"key form", "GET", "/v1.0/users('x')", "", 200, `{"id":"x"}`, "", 1},
	{"me", "GET", "/v1.0/me", "", 200, `{"id":"x"}`, "", 1},
	{"tenant in the path", "GET", "/v1.0/11111111-2222-3333-4444-555555555555/users", "", 200, `{"value":[]}`, "", 1},
	{"extension attribute", "GET", "/v1.0/users/x?$select=id,extension_0a_nick", "", 200, `{"id":"x","extension_0a_nick":"n"}`, "", 1},
	{"options inside expand", "GET", "/v1.0/users?$expand=manager($select=id)&$Top=5", "", 200, `{"value":[{"id":"x"}]}`, "", 1},
	{"unknown member", "GET", "/v1.0/users/x", "", 200, `{"id":"x","shoeSize":44}`, "shoeSize", 1},
	{"wrong type", "GET", "/v1.0/users/x", "", 200, `{"id":"x","accountEnabled":"yes"}`, "/accountEnabled", 1},
	{"list without value", "GET", "/v1.0/users", "", 200, `{}`, "value", 1},
	{"select of nothing real", "GET", "/v1.0/users?$select=shoeSize", "", 200, `{"value":[]}`, "$select", 1},
	{"the same, refused", "GET", "/v1.0/users?$select=shoeSize", "", 400, `{"error":{"code":"c","message":"m"}}`, "", 1},
	{"patch", "PATCH", "/v1.0/users/x", `{"city":null,"businessPhones":[]}`, 204, "", "", 1},
	{"patch accepted against the rules", "PATCH", "/v1.0/users/x", `{"city":5}`, 204, "", "/city", 1},
	{"patch refused by the rules", "PATCH", "/v1.0/users/x", `{"city":5}`, 400, `{"error":{"code":"Request_BadRequest","message":"m"}}`, "", 1},
	{"wrong status", "PATCH", "/v1.0/users/x", `{"city":null}`, 200, `{"id":"x"}`, "PATCH /users/x answered 200: answer: ", 1},
	{"error without a code", "GET", "/v1.0/users/x", "", 404, `{"error":{"message":"m"}}`, "code", 1},
	{"gateway's page", "GET", "/v1.0/users/x", "", 503, "", "", 1},
	{"delta, four spellings", "GET", "/v1.0/users/delta()", "", 200, `{"value":[{"id":"x","@removed":{"reason":"changed"}}],"@odata.deltaLink":"l"}`, "", 1},
	{"delta as a bare list", "GET", "/v1.0/users/delta", "", 200, `[]`, "value must be an object", 1},
	{"restore", "POST", "/v1.0/directory/deletedItems/x/restore", "", 200, `{"id":"x"}`, "", 1},
	{"deleted users", "GET", "/v1.0/directory/deletedItems/microsoft.graph.user", "", 200, `{"value":[{"id":"x","displayName":"d"}]}`, "", 1},
	{"revoke", "POST", "/v1.0/users/x/revokeSignInSessions", "", 200, `{"@odata.context":"c","value":true}`, "", 1},
	{"known to be missing", "GET", "/v1.0/directoryRoleTemplates", "", 200, `{"anything":1}`, "", 0},
	{"nowhere", "GET", "/v1.0/shoes", "", 404, `{"error":{"code":"c","message":"m"}}`, "neither described nor listed", 0},
	{"not Graph", "GET", "/organizations/oauth2/v2.0/authorize", "", 200, "<html>", "", 0},
	{"method that is not there", "PUT", "/v1.0/users/x", `{}`, 200, `{}`, "PUT /users/x", 0},
	{"method refused", "PUT", "/v1.0/users/x", `{}`, 405, `{"error":{"code":"c","message":"m"}}`, "", 0},
	{"batch", "POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"/users/x"},{"id":"2","method":"PATCH","url":"users/y","headers":{"Content-Type":"application/json"},"body":{"city":"c"}}]}`, 200,
		`{"responses":[{"id":"2","status":204,"headers":{}},{"id":"1","status":200,"headers":{"Content-Type":"application/json"},"body":{"id":"x"}}]}`, "", 2},
	{"batch with a bad item", "POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"/users/x"}]}`, 200,
		`{"responses":[{"id":"1","status":200,"headers":{"Content-Type":"application/json"},"body":{"id":7}}]}`, "GET /users/x answered 200: answer: ", 1},
	{"batch with a stranger", "POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"DELETE","url":"/users/x"}]}`, 200,
		`{"responses":[{"id":"9","status":204}]}`, `"9" has no request`, 0},
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, x := range exchanges {
		t.Run(x.name, func(t *testing.T) {
			c, reports := collect(t)
			h := c.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if got, _ := io.ReadAll(r.Body); string(got) != x.body {
					t.Errorf("the handler read %q, want %q", got, x.body)
				}
				if x.answer != "" {
					w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;charset=utf-8")
				}
				w.WriteHeader(x.status)
				io.WriteString(w, x.answer)
			}))
			r := httptest.NewRequest(x.method, x.path, strings.NewReader(x.body))
			if x.body != "" {
				r.Header.Set("Content-Type", "application/json")
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != x.status || w.Body.String() != x.answer {
				t.Errorf("the client got %d %q, want %d %q", w.Code, w.Body, x.status, x.answer)
			}
			verdict(t, x.report, *reports)
			if got := c.Covered(); got != x.covered {
				t.Errorf("Covered() = %d, want %d", got, x.covered)
			}
		})
	}
}

func verdict(t *testing.T, want string, reports []string) {
	t.Helper()
	switch {
	case want == "" && len(reports) > 0:
		t.Errorf("reports = %q, want none", reports)
	case want != "" && (len(reports) != 1 || !strings.Contains(reports[0], want)):
		t.Errorf("reports = %q, want one that names %q", reports, want)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func reply(status int, body string) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			io.Copy(io.Discard, r.Body)
		}
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

// A client's faulty request is reported even when the server refuses it, and a
// compressed one is read.
func TestTransportReportsTheClient(t *testing.T) {
	t.Parallel()
	c, reports := collect(t)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, `{"city":5,"passwordProfile":{"password":"hush-hush"}}`)
	z.Close()
	r, err := http.NewRequest("PATCH", "https://graph.microsoft.com/v1.0/users/x", &zipped)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Content-Encoding", "gzip")
	resp, err := c.Transport(reply(400, `{"error":{"code":"c","message":"m"}}`)).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(resp.Body); !strings.Contains(string(body), `"code"`) {
		t.Errorf("the answer's body is lost: %q", body)
	}
	verdict(t, "/city", *reports)
	if strings.Contains(fmt.Sprint(*reports), "hush") {
		t.Errorf("a report holds a value: %q", *reports)
	}
}

func TestTransportPassesErrors(t *testing.T) {
	t.Parallel()
	c, reports := collect(t)
	broken := errors.New("reset")
	r, _ := http.NewRequest("GET", "https://graph.microsoft.com/v1.0/users", nil)
	_, err := c.Transport(roundTrip(func(*http.Request) (*http.Response, error) { return nil, broken })).RoundTrip(r)
	if !errors.Is(err, broken) {
		t.Errorf("RoundTrip() = %v, want %v", err, broken)
	}
	resp, err := c.Transport(roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(failing{broken})}, nil
	})).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, broken) {
		t.Errorf("reading the body: %v, want %v", err, broken)
	}
	verdict(t, "", *reports)
}

func TestNormalise(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/users/delta":                                      "/users/microsoft.graph.delta()",
		"/users/delta()":                                    "/users/microsoft.graph.delta()",
		"/Users/microsoft.graph.delta":                      "/users/microsoft.graph.delta()",
		"/users/microsoft.graph.delta()":                    "/users/microsoft.graph.delta()",
		"/groups/delta":                                     "/groups/microsoft.graph.delta()",
		"/users/x/assignLicense":                            "/users/x/microsoft.graph.assignLicense",
		"/users/x/microsoft.graph.assignLicense":            "/users/x/microsoft.graph.assignLicense",
		"/me/revokeSignInSessions":                          "/users/me/microsoft.graph.revokeSignInSessions",
		"/directory/deleteditems/x/microsoft.graph.restore": "/directoryObjects/x/microsoft.graph.restore",
		"/directory/deletedItems/graph.user":                "/users",
		"/directory/deletedItems/x":                         "/directory/deletedItems/x",
		"/servicePrincipals(appId='x')":                     "/servicePrincipals/x",
		"/directoryRoles(roleTemplateId='x')/members":       "/directoryRoles/x/members",
		"/me/transitiveMemberOf/graph.directoryRole":        "/users/me/transitiveMemberOf/microsoft.graph.directoryRole",
		"/groups/x/members/y/$ref":                          "/groups/x/members/y/$ref",
		"/users/anna%2Bx@contoso.com":                       "/users/anna+x@contoso.com",
		"/auditlogs/directoryaudits":                        "/auditLogs/directoryAudits",
		"/users/x/photo/$value":                             "/users/x/photo/$value",
		"/groups/x/members/microsoft.graph.user":            "/groups/x/members/microsoft.graph.user",
	} {
		if got := normalise(in); got != want {
			t.Errorf("normalise(%q) = %q, want %q", in, got, want)
		}
	}
}
