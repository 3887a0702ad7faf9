// Package scimtest holds what a server of SCIM owes its clients, by what others wrote: the
// requests that identity providers really send (Corpus), Okta's own test of servers (Okta),
// and what a suite of the RFCs' requirements asserts (Requirements). Each is run on the
// handler over a table in memory, and on the whole stack.
package scimtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"bindery/shared/directory"
)

// Server is a server with one client, and a look behind it. Nobody is in it yet.
type Server struct {
	*testing.T
	Handler http.Handler
	URL     string // the client's base address
	Token   string
	// User is a user as the directory has it, Members are the IDs of who is in a group, and
	// Notes are those of the last request.
	User    func(id string) (directory.User, error)
	Members func(group string) ([]string, error)
	Notes   func() ([]string, error)
}

const (
	schemaUser       = "urn:ietf:params:scim:schemas:core:2.0:User"
	schemaGroup      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	schemaEnterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	schemaPatch      = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	schemaList       = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	schemaError      = "urn:ietf:params:scim:api:messages:2.0:Error"
	schemaSearch     = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
	schemaConfig     = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
)

// object is an object of JSON.
type object map[string]any

// text is what a path leads to, as text; "" where it leads to nothing: Resources/0/id.
func (o object) text(path string) string {
	switch v := o.get(path).(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		data, _ := json.Marshal(v) // it was read from JSON
		return string(data)
	}
}

func (o object) get(path string) any {
	var v any = map[string]any(o)
	for name := range strings.SplitSeq(path, "/") {
		switch in := v.(type) {
		case map[string]any:
			v = in[name]
		case []any:
			i := 0
			if _, err := fmt.Sscan(name, &i); err != nil || i >= len(in) {
				return nil
			}
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

// list are the objects at a path.
func (o object) list(path string) []object {
	values, _ := o.get(path).([]any)
	var list []object
	for _, v := range values {
		if in, is := v.(map[string]any); is {
			list = append(list, in)
		}
	}
	return list
}

// has reports whether a list at a path has a text.
func (o object) has(path, text string) bool {
	values, _ := o.get(path).([]any)
	return slices.Contains(values, any(text))
}

// reply is an answer with its body read.
type reply struct {
	*httptest.ResponseRecorder
	body object
}

func (r reply) scimType() string { return r.body.text("scimType") }

// send sends a request below the client's base address. The body is JSON, a text or nil.
func (s *Server) send(method, path string, body any, headers ...string) reply {
	s.Helper()
	var data []byte
	switch b := body.(type) {
	case nil:
	case string:
		data = []byte(b)
	default:
		var err error
		if data, err = json.Marshal(b); err != nil {
			s.Fatal(err)
		}
	}
	if rest, is := strings.CutPrefix(path, s.URL); is {
		path = rest
	}
	r := httptest.NewRequestWithContext(s.Context(), method, s.URL+path, bytes.NewReader(data))
	r.Header.Set("Authorization", "Bearer "+s.Token)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, r)
	out := reply{w, nil}
	if w.Body.Len() > 0 {
		if kind := w.Header().Get("Content-Type"); !strings.HasPrefix(kind, "application/scim+json") {
			s.Errorf("%s %s: Content-Type %q", method, path, kind)
		}
		if err := json.Unmarshal(w.Body.Bytes(), &out.body); err != nil {
			s.Fatalf("%s %s: %v: %s", method, path, err, w.Body)
		}
	}
	return out
}

// want is send that must be answered with a status.
func (s *Server) want(status int, method, path string, body any, headers ...string) reply {
	s.Helper()
	r := s.send(method, path, body, headers...)
	if r.Code != status {
		s.Fatalf("%s %s %v: %d, want %d: %s", method, path, body, r.Code, status, r.Body)
	}
	if status >= 400 && (r.body.text("status") != fmt.Sprint(status) || r.body.text("detail") == "" || !r.body.has("schemas", schemaError)) {
		s.Errorf("%s %s: %s", method, path, r.Body)
	}
	return r
}

// make pushes a user, and returns its ID.
func (s *Server) make(name string, more ...string) string {
	s.Helper()
	return s.want(http.StatusCreated, "POST", "/Users", userBody(name, more...)).body.text("id")
}

func userBody(name string, more ...string) string {
	rest := strings.Join(more, "")
	if !strings.Contains(rest, `"emails"`) && strings.Contains(name, "@") { // which our schema requires
		rest += `,"emails":[{"value":"` + name + `","type":"work"}]`
	}
	return fmt.Sprintf(`{"schemas":["%s"],"userName":"%s"%s}`, schemaUser, name, rest)
}

// group pushes a group, and returns its ID.
func (s *Server) group(name string, members ...string) string {
	s.Helper()
	list := []any{}
	for _, m := range members {
		list = append(list, map[string]any{"value": m})
	}
	return s.want(http.StatusCreated, "POST", "/Groups", map[string]any{"schemas": []string{schemaGroup}, "displayName": name, "members": list}).body.text("id")
}

// user is a user as the directory has it.
func (s *Server) user(id string) directory.User {
	s.Helper()
	u, err := s.User(id)
	if err != nil {
		s.Fatal(err)
	}
	return u
}

func patchOf(ops string) string {
	return `{"schemas":["` + schemaPatch + `"],"Operations":[` + ops + `]}`
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
