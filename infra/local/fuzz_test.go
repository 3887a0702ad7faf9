package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"bindery/infra/stacktest"
)

// requestsEach is how many requests TestFuzzByDescription makes up for each operation.
const requestsEach = 60

// TestFuzzByDescription makes up requests from the API's own description: values as
// it describes them, and values that it excludes, for every parameter and member of
// every operation, against a stack that has something of everything. However a
// request is, the answer is one that the description has, and no 5xx; what breaks
// the description is refused.
func TestFuzzByDescription(t *testing.T) {
	o := stacktest.New(t)
	f := newFuzz(t, o)
	for _, op := range f.operations {
		for range requestsEach {
			f.try(op)
		}
	}
	if f.accepted < len(f.operations) || f.refused < len(f.operations) {
		t.Errorf("%d requests were accepted and %d refused: they are of one kind", f.accepted, f.refused)
	}
	t.Logf("%d operations, %d requests accepted, %d refused", len(f.operations), f.accepted, f.refused)
}

type operation struct {
	id, method, path string
	object
	last bool // ends what the others need
}

type fuzz struct {
	*testing.T
	o                 *stacktest.World
	rng               *rand.Rand
	doc               object
	schemas           *jsonschema.Compiler
	compiled          map[string]*jsonschema.Schema
	operations        []operation
	known             map[string][]string // real values by the name of the parameter
	accepted, refused int
}

// hostile are texts that no parameter or member of the API may be.
var hostile = []string{"\x00", "a\x00b", "\x1b[2J", "\x7f", "\u0085", "\xff\xfe", "\xc3\x28", "\xed\xa0\x80", "\U0010FFFF", "\uFFFE"}

// odd are texts that are none the less such.
var odd = []string{"", " ", "'\"<>&;--", "../../etc/passwd", "%00", "\u202eabc", "a\u200bb", "K\u0327", "\U0001F600", "NaN", "null", "-1", "[]", "{}",
	"con_0", "usr_0", "{id}", "2026-02-30", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", strings.Repeat("\ufdfa", 200), "update,block", ",,,", "*", "W/\"1\"", "true"}

func newFuzz(t *testing.T, o *stacktest.World) *fuzz {
	t.Helper()
	raw, err := json.Marshal(o.Get("/v1/openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	f := &fuzz{T: t, o: o, rng: rand.New(rand.NewPCG(11, 6)), schemas: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}}
	if err := json.Unmarshal(raw, &f.doc); err != nil {
		t.Fatal(err)
	}
	f.schemas.DefaultDraft(jsonschema.Draft2020)
	if err := f.schemas.AddResource("urn:api", doc); err != nil {
		t.Fatal(err)
	}
	paths := f.doc.Object("paths")
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		for _, method := range []string{"get", "post", "patch", "delete"} {
			if op := paths.Object(path).Object(method); op != nil {
				id := op.Text("operationId")
				f.operations = append(f.operations, operation{id, strings.ToUpper(method), path, op, slices.Contains(endings, id)})
			}
		}
	}
	slices.SortStableFunc(f.operations, func(x, y operation) int {
		switch {
		case x.last == y.last:
			return 0
		case x.last:
			return 1
		}
		return -1
	})
	f.furnish()
	return f
}

// endings are the operations that end what the others need.
var endings = []string{"deactivateConnection", "deleteConnection", "deleteUser", "authorizeConnection"}

// furnish makes something of everything, so that requests find what they are about.
func (f *fuzz) furnish() {
	o := f.o
	tenant := o.Tenant("corp.example", account("ada@corp.example", "Ada"), account("bob@corp.example", "Bob"))
	conn := o.Connect("corp.example", tenant, object{"interval": "24h"})
	second := o.Post("/v1/connections", object{"name": "another"}).Text("id")
	var users []string
	for _, name := range []string{"ada", "bob", "cleo", "dan"} {
		users = append(users, o.User(name+"@corp.example", object{"department": "Sales"}))
	}
	o.Bind(conn, users[:2]...)
	o.Binding(conn, users[0], "in-sync")
	var runs []string
	for _, r := range o.Get("/v1/connections/" + conn + "/runs").List("items") {
		runs = append(runs, r.Text("id"))
	}
	job := o.Post("/v1/connections/"+conn+"/imports", object{"all": true}).Text("id")
	upload := o.Post("/v1/uploads", object{"bytes": 10}).Text("id")
	f.known = map[string][]string{"connection": {conn, conn, second}, "user": users, "run": runs, "job": {job}, "upload": {upload},
		"account": {"22222222-aaaa-4bbb-8ccc-000000000007"}}
}

func account(upn, name string) map[string]any {
	return map[string]any{"userPrincipalName": upn, "mail": upn, "displayName": name, "accountEnabled": true, "mailNickname": name}
}

func (f *fuzz) chance(p float64) bool   { return f.rng.Float64() < p }
func pick[T any](f *fuzz, list []T) T   { return list[f.rng.IntN(len(list))] }
func (f *fuzz) real(kind string) string { return pick(f, f.known[kind]) }
func (f *fuzz) resolve(s object) object {
	for s.Text("$ref") != "" {
		s = f.doc.Object("components").Object("schemas").Object(strings.TrimPrefix(s.Text("$ref"), "#/components/schemas/"))
	}
	return s
}

// kindOf is what a parameter or member names, where it names something.
func kindOf(op *operation, name string) string {
	switch {
	case name == "connectionId", name == "id" && strings.HasPrefix(op.path, "/v1/connections/"):
		return "connection"
	case name == "userId", name == "userIds", name == "id" && strings.HasPrefix(op.path, "/v1/users/"):
		return "user"
	case name == "runId", name == "id" && strings.HasPrefix(op.path, "/v1/runs/"):
		return "run"
	case name == "id" && strings.HasPrefix(op.path, "/v1/jobs/"):
		return "job"
	case name == "accountId", name == "accountIds":
		return "account"
	case name == "upload":
		return "upload"
	}
	return ""
}

// made is one request that was made up; broken says what of it the description excludes.
type made struct {
	method, target string
	header         http.Header
	body           []byte
	broken         string
}

func (f *fuzz) try(op operation) {
	f.Helper()
	m := f.make(&op)
	r := httptest.NewRequestWithContext(f.Context(), m.method, "/", bytes.NewReader(m.body))
	u, err := url.Parse(m.target)
	if err != nil {
		f.Fatalf("%s: the request made up is none: %v", op.id, err)
	}
	r.URL, r.RequestURI, r.Header = u, m.target, m.header
	r.Header.Set("Authorization", "Bearer "+f.o.Stack.AdminToken())
	w := httptest.NewRecorder()
	f.o.Stack.Handler().ServeHTTP(w, r)
	say := func(format string, args ...any) {
		f.Helper()
		f.Errorf("%s %s %q (broken: %q) = %d %.400s: %s", m.method, m.target, clip(m.body), m.broken, w.Code, w.Body, fmt.Sprintf(format, args...))
	}
	switch {
	case w.Code >= 500:
		say("a 5xx")
	case w.Code >= 400:
		f.refused++
	case m.broken != "":
		say("was not refused")
	default:
		f.accepted++
	}
	if fault := f.undescribed(&op, w); fault != "" {
		say("%s", fault)
	}
}

func clip(b []byte) []byte { return b[:min(len(b), 300)] }

// undescribed says in what an answer is not as the description has it.
func (f *fuzz) undescribed(op *operation, w *httptest.ResponseRecorder) string {
	status := fmt.Sprint(w.Code)
	answer := op.object.Object("responses").Object(status)
	if answer == nil {
		if w.Code < 400 {
			return "the description has no such status"
		}
		status, answer = "default", op.object.Object("responses").Object("default")
	}
	content := answer.Object("content")
	if len(content) == 0 {
		if w.Body.Len() > 0 {
			return "the description has no body"
		}
		return ""
	}
	kind, _, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if _, known := content[kind]; err != nil || !known {
		return fmt.Sprintf("the type %q is not described", w.Header().Get("Content-Type"))
	}
	if !strings.HasSuffix(kind, "json") {
		return ""
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		return err.Error()
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	at := fmt.Sprintf("urn:api#/paths/%s/%s/responses/%s/content/%s/schema", escape.Replace(op.path), strings.ToLower(op.method), status, escape.Replace(kind))
	if f.compiled[at] == nil {
		if f.compiled[at], err = f.schemas.Compile(at); err != nil {
			return err.Error()
		}
	}
	if err := f.compiled[at].Validate(v); err != nil {
		return err.Error()
	}
	return ""
}

func (f *fuzz) make(op *operation) made {
	m := made{method: op.method, header: http.Header{}}
	path, query := op.path, url.Values{}
	for _, p := range op.List("parameters") {
		name, in := p.Text("name"), p.Text("in")
		must := in == "path" || p["required"] == true
		if !must && f.chance(0.6) {
			continue
		}
		text, why := f.text(op, name, f.resolve(p.Object("schema")))
		switch in {
		case "path":
			for strings.Trim(text, ".") == "" || strings.Contains(text, "/") { // another path
				text, why = f.text(op, name, f.resolve(p.Object("schema")))
			}
			path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(text))
		case "query":
			query.Set(name, text)
		case "header":
			if !utf8.ValidString(text) {
				continue // API Gateway's event is JSON, which cannot have it
			}
			m.header.Set(name, text)
		}
		if why != "" {
			m.broken = in + " " + name + ": " + why
		}
	}
	if f.chance(0.03) {
		query.Set("unheard", "of")
		m.broken = "query unheard"
	}
	m.target = path
	if len(query) > 0 {
		m.target += "?" + query.Encode()
	}
	if body := op.object.Object("requestBody"); body != nil {
		f.body(op, body, &m)
	}
	return m
}

// text makes a value of a parameter, and says why it is none as described.
func (f *fuzz) text(op *operation, name string, s object) (text, why string) {
	if s.Text("type") == "array" {
		return f.text(op, name, f.resolve(s.Object("items")))
	}
	switch {
	case f.chance(0.12):
		return pick(f, hostile), "no text"
	case f.chance(0.05):
		if most := s.Number("maxLength"); most > 0 {
			return strings.Repeat("x", min(most, 8500)+1), "too long"
		}
	}
	if kind := kindOf(op, name); kind != "" && f.chance(0.8) {
		return f.real(kind), ""
	}
	enum, _ := s["enum"].([]any)
	switch {
	case len(enum) > 0 && f.chance(0.8):
		return fmt.Sprint(pick(f, enum)), ""
	case len(enum) > 0:
		return "none-of-these", "not of the enum"
	case s.Text("type") == "integer" && f.chance(0.8):
		least, most := s.Number("minimum"), s.Number("maximum")
		return fmt.Sprint(least + f.rng.IntN(max(1, most-least+1))), ""
	case s.Text("type") == "integer":
		return pick(f, []string{"-1", "0x10", "1e3", "999999999999999999999", "one", "501", "1.5"}), "no integer within the bounds"
	}
	return pick(f, odd), "" // which may be refused
}

// body makes a request's body.
func (f *fuzz) body(op *operation, described object, m *made) {
	content := described.Object("content")
	kinds := slices.Sorted(maps.Keys(content))
	kind := pick(f, kinds)
	m.header.Set("Content-Type", kind)
	schema := f.resolve(object(content[kind].(map[string]any)).Object("schema"))
	if described["required"] != true && f.chance(0.2) {
		return
	}
	if schema.Text("type") == "string" {
		m.body = []byte(pick(f, []string{"", "\xff\xfe\x00", "email\nx@corp.example\n", `{"email":"y@corp.example"}`, "a,b\n\"", strings.Repeat(",", 3000), "email,email\na,b\n", "\ufeffemail\nz@corp.example"}))
		return
	}
	if f.chance(0.08) {
		m.body = []byte(pick(f, []string{"", "null", "[]", "7", `"x"`, "{", "{}{}", "{\"a\":}", "\xff", `{"a":"\ud800"}`, strings.Repeat("[", 2000), strings.Repeat(`{"a":`, 2000)}))
		m.broken = "no body as described"
		if described["required"] != true && len(m.body) == 0 {
			m.broken = ""
		}
		return
	}
	v, why := f.value(op, "", schema, 0)
	if why != "" {
		m.broken = "body " + why
	}
	data, err := json.Marshal(v)
	if err != nil {
		f.Fatal(err)
	}
	m.body = data
	if f.chance(0.05) && len(data) > 2 {
		m.body = append(append([]byte(`{"unheard":1,`), data[1:]...), ' ')
		m.broken = "body unheard"
	}
}

// takesNull are the operations whose body the core reads as a merge patch (RFC 7396):
// null is no value there, whatever a member is described as.
var takesNull = map[string]bool{"createUser": true, "editUser": true, "createGroup": true, "editGroup": true}

// value makes a JSON value by a schema, and says in what it is none as described.
func (f *fuzz) value(op *operation, name string, s object, depth int) (v any, why string) {
	s = f.resolve(s)
	for _, form := range []string{"oneOf", "anyOf"} {
		if forms := s.List(form); len(forms) > 0 {
			return f.value(op, name, pick(f, forms), depth)
		}
	}
	kind := s.Text("type")
	if kinds, ok := s["type"].([]any); ok {
		kind = fmt.Sprint(pick(f, kinds))
	} else if name != "" && kind != "" && f.chance(0.02) {
		if takesNull[op.id] {
			return nil, ""
		}
		return nil, name + ": null"
	}
	if name != "" && f.chance(0.04) {
		for other, v := range map[string]any{"string": "x", "integer": 7, "boolean": true, "array": []any{}, "object": map[string]any{}} {
			if kind != other && kind != "" && (kind != "number" || other != "integer") {
				return v, name + ": of another type"
			}
		}
	}
	switch kind {
	case "object":
		members := map[string]any{}
		properties := s.Object("properties")
		required, _ := s["required"].([]any)
		for _, n := range slices.Sorted(maps.Keys(properties)) {
			p := properties.Object(n)
			must := slices.Contains(required, any(n))
			if !must && (depth > 4 || f.chance(0.75)) || must && f.chance(0.02) || p["readOnly"] == true {
				if must {
					why = n + ": missing"
				}
				continue
			}
			var fault string
			if members[n], fault = f.value(op, n, p, depth+1); fault != "" {
				why = fault
			}
		}
		if more, ok := s["additionalProperties"].(map[string]any); ok && depth < 5 && f.chance(0.5) {
			members[pick(f, odd)], _ = f.value(op, name, more, depth+1) // whose name may be none
		}
		return members, why
	case "array":
		list := []any{}
		for range f.rng.IntN(3) {
			e, fault := f.value(op, name, s.Object("items"), depth+1)
			if list = append(list, e); fault != "" {
				why = fault
			}
		}
		return list, why
	case "integer", "number":
		if f.chance(0.2) {
			return pick(f, []any{-1, 0, 1e18, 0.5}), "" // which may be refused
		}
		return s.Number("minimum") + f.rng.IntN(10), ""
	case "boolean":
		return f.chance(0.5), ""
	case "null":
		return nil, ""
	}
	if f.chance(0.06) {
		// Bytes that are no UTF-8 cannot be put into JSON; body makes such.
		return pick(f, []string{"\x00", "a\x00b", "\x7f", "\U0010FFFF"}), name + ": no text"
	}
	if kind := kindOf(op, name); kind != "" && f.chance(0.8) {
		return f.real(kind), ""
	}
	if enum, _ := s["enum"].([]any); len(enum) > 0 {
		return pick(f, enum), ""
	}
	if name == "email" {
		return fmt.Sprintf("fuzz%d@corp.example", f.rng.IntN(1000)), ""
	}
	if s.Text("format") == "date-time" {
		return time.Date(2026, 1, 1+f.rng.IntN(300), 0, 0, 0, 0, time.UTC).Format(time.RFC3339), ""
	}
	return pick(f, odd), ""
}
