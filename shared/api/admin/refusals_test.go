package admin

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"bindery/shared/directory"
)

// refusing sends what operations are to refuse.
type refusing struct {
	*world
	op    *huma.Operation
	path  string     // with values for its parameters
	query url.Values // that the operation requires
	sent  int
}

// TestEveryOperationRefuses sends each operation what its description excludes: of
// each parameter, of its body and of its method.
func TestEveryOperationRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sent, operations := 0, 0
	for _, item := range w.api.huma.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			r := refusing{world: w, op: op, query: url.Values{}}
			r.path = r.with("", "")
			for _, p := range op.Parameters {
				if p.In == "query" && p.Required {
					r.query.Set(p.Name, "none")
				}
			}
			for _, p := range op.Parameters {
				r.parameter(p)
			}
			r.unknown()
			if op.RequestBody != nil {
				r.body()
			}
			r.method()
			sent, operations = sent+r.sent, operations+1
		}
	}
	if operations < 70 || sent < 10*operations {
		t.Errorf("%d operations refused %d requests", operations, sent)
	}
}

// with is the operation's path, with a value for a parameter.
func (r *refusing) with(name, value string) string {
	path := r.op.Path
	for _, p := range r.op.Parameters {
		if p.In != "path" {
			continue
		}
		v := "none"
		switch p.Name {
		case name:
			v = value
		case "accountId":
			v = "11111111-aaaa-4bbb-8ccc-000000000001"
		}
		path = strings.ReplaceAll(path, "{"+p.Name+"}", v)
	}
	return path
}

func (r *refusing) send(method, path string, query url.Values, body io.Reader, header http.Header) *httptest.ResponseRecorder {
	r.sent++
	req := httptest.NewRequestWithContext(r.t.Context(), method, path+"?"+query.Encode(), body)
	for name := range header {
		req.Header.Set(name, header.Get(name))
	}
	req = req.WithContext(context.WithValue(req.Context(), tokenKey{}, map[string]string{"sub": "admin", "scope": everything}))
	rec := httptest.NewRecorder()
	r.http.ServeHTTP(rec, req)
	return rec
}

// want sends a request that is refused with a code, for a field ("" for none).
func (r *refusing) want(what string, status int, code, field, path string, query url.Values, body io.Reader, header http.Header) {
	r.t.Helper()
	rec := r.send(r.op.Method, path, query, body, header)
	text := rec.Body.String()
	named := field == "" || strings.Contains(text, `"field":`+strconv.Quote(field)) || strings.Contains(text, `"field":"`+field+`[`)
	if rec.Code != status || !strings.Contains(text, `"code":"`+code+`"`) || rec.Header().Get("Content-Type") != problemType || !named {
		r.t.Errorf("%s, %s: %d %s %s, want %d %s %s", r.op.OperationID, what, rec.Code, rec.Header().Get("Content-Type"), text, status, code, field)
	}
}

// parameter sends values that a parameter may not have.
func (r *refusing) parameter(p *huma.Param) {
	s := resolve(r.api.huma.OpenAPI().Components.Schemas, p.Schema)
	for what, value := range excluded(r.api.huma.OpenAPI().Components.Schemas, s) {
		path, query, header := r.path, url.Values{}, http.Header{}
		for name, v := range r.query {
			query[name] = v
		}
		switch p.In {
		case "path":
			path = r.with(p.Name, url.PathEscape(value))
		case "query":
			query.Set(p.Name, value)
		case "header":
			header.Set(p.Name, value)
		}
		r.want(p.In+" "+p.Name+": "+what, 422, directory.CodeInvalidParameter, p.Name, path, query, r.some(), header)
	}
	if p.In == "query" && p.Required {
		r.want("without "+p.Name, 422, directory.CodeInvalidParameter, p.Name, r.path, nil, r.some(), nil)
	}
	if p.In == "query" {
		twice := url.Values{p.Name: {"1", "1"}}
		r.want(p.Name+" twice", 422, directory.CodeInvalidParameter, p.Name, r.path, twice, nil, nil)
		r.want("another case of "+p.Name, 422, directory.CodeInvalidParameter, strings.ToUpper(p.Name), r.path, url.Values{strings.ToUpper(p.Name): {"1"}}, nil, nil)
	}
}

// some is a body, where the operation has one: its absence would be told first.
func (r *refusing) some() io.Reader {
	if r.op.RequestBody == nil {
		return nil
	}
	return strings.NewReader("{}")
}

// excluded are values that a schema does not allow, by what is wrong with them.
func excluded(registry huma.Registry, s *huma.Schema) map[string]string {
	values := map[string]string{"a control character": "a\x01b"}
	switch s.Type {
	case huma.TypeInteger:
		values["a text"], values["a fraction"], values["an exponent"], values["hexadecimal"] = "many", "1.5", "1e3", "0x10"
		values["more than 64 bits"] = "9223372036854775808"
		if s.Minimum != nil {
			values["less than the minimum"] = strconv.Itoa(int(*s.Minimum) - 1)
		}
		if s.Maximum != nil {
			values["more than the maximum"] = strconv.Itoa(int(*s.Maximum) + 1)
		}
	case huma.TypeBoolean:
		values["a word"], values["a number"] = "yes", "2"
	case huma.TypeArray:
		item := resolve(registry, s.Items)
		for what, value := range excluded(registry, item) {
			values["an element with "+what] = "active," + value
		}
		values["too many"] = strings.Repeat("a,", *s.MaxItems) + "a"
	case huma.TypeString:
		if len(s.Enum) > 0 {
			values["none of the values"] = "nonesuch"
		}
		if s.MaxLength != nil {
			values["too long"] = strings.Repeat("a", *s.MaxLength+1)
		}
	}
	return values
}

// unknown sends parameters that the operation does not have.
func (r *refusing) unknown() {
	r.want("an unknown parameter", 422, directory.CodeInvalidParameter, "nonesuch", r.path, url.Values{"nonesuch": {"1"}}, nil, nil)
	r.want("an unknown parameter without a value", 422, directory.CodeInvalidParameter, "nonesuch", r.path, url.Values{"nonesuch": {""}}, nil, nil)
}

// body sends bodies that the operation does not take.
func (r *refusing) body() {
	const large = 4_400_001
	r.want("a body that says it is too large", 413, directory.CodeBodyTooLarge, "", r.path, r.query, strings.NewReader(strings.Repeat(" ", large)), nil)
	r.want("a body that turns out too large", 413, directory.CodeBodyTooLarge, "", r.path, r.query, io.MultiReader(strings.NewReader(strings.Repeat(" ", large))), nil)
	if r.op.RequestBody.Content["application/json"] == nil {
		return // a file
	}
	for _, said := range []string{"text/plain", "application/json; charset=latin1", "application/xml", "json"} {
		r.want("a body of type "+said, 415, directory.CodeUnsupportedMediaType, "", r.path, r.query, strings.NewReader("{}"), http.Header{"Content-Type": {said}})
	}
	for _, text := range []string{"{", "[]", `"x"`, "1", "null", "{}{}", "{} x", "\xff", `{"a":1,"a":2}`} {
		r.want("the body "+text, 400, directory.CodeInvalidBody, "", r.path, r.query, strings.NewReader(text), nil)
	}
	if r.op.RequestBody.Required {
		r.want("no body", 400, directory.CodeInvalidBody, "", r.path, r.query, nil, nil)
	}
	r.want("a body, and a parameter", 422, directory.CodeInvalidParameter, "nonesuch", r.path, url.Values{"nonesuch": {"1"}}, strings.NewReader("{"), nil)
}

// method sends methods that no operation of the path has.
func (r *refusing) method() {
	for _, method := range []string{"OPTIONS", "TRACE", "PURGE"} {
		rec := r.send(method, r.path, nil, nil, nil)
		if rec.Code != 405 || !strings.Contains(rec.Body.String(), `"code":"`+directory.CodeMethodNotAllowed+`"`) || !strings.Contains(rec.Header().Get("Allow"), r.op.Method) {
			r.t.Errorf("%s %s: %d %v %s", method, r.op.Path, rec.Code, rec.Header(), rec.Body)
		}
	}
}
