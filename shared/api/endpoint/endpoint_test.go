package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

type color string

// Filters are embedded, as what several operations take.
type Filters struct {
	Colors []color  `query:"color" enum:"red,green"`
	Words  []string `query:"word"`
	Limit  int32    `query:"limit" minimum:"1" maximum:"50" default:"20" doc:"How many."`
	Old    bool     `query:"old"`
}

// upload is a body, of a type that only its package sees.
type upload struct{ RawBody []byte }

type input struct {
	ID string `path:"id" maxLength:"8" pattern:"^[a-z]+$"`
	Filters
	upload
	Scale  string `query:"scale" required:"true" maxLength:"3"`
	Match  string `header:"If-Match" maxLength:"5"`
	Secret string `header:"X-Secret" hidden:"true" maxLength:"2"`
	Found  string // is no parameter
}

type output struct {
	Status int
	ETag   string `header:"ETag"`
	Kind   string `header:"Content-Type"`
	Body   any
}

// service is an API of one operation.
type service struct {
	mux     *http.ServeMux
	api     huma.API
	got     any
	out     any
	err     error
	refused error
}

func newService(t *testing.T, op *huma.Operation, in, out reflect.Type) *service {
	t.Helper()
	s := &service{mux: http.NewServeMux(), out: reflect.Zero(reflect.PointerTo(out)).Interface()}
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	s.api = humago.New(s.mux, huma.Config{OpenAPI: &huma.OpenAPI{OpenAPI: "3.1.0", Info: &huma.Info{}, Components: &huma.Components{Schemas: registry}}})
	err := Add(s.api, op, in, out, func(_ context.Context, in any) (any, error) {
		s.got = in
		return s.out, s.err
	}, func(ctx huma.Context, err error) {
		s.refused = err
		ctx.SetStatus(http.StatusTeapot)
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *service) do(method, target string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	s.got, s.refused = nil, nil
	r := httptest.NewRequest(method, target, body)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	return w
}

// operation is one that takes all there is, and a body of at most ten bytes.
func operation() *huma.Operation {
	return &huma.Operation{OperationID: "try", Method: http.MethodPut, Path: "/things/{id}", MaxBodyBytes: 10,
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}}}}
}

func newTry(t *testing.T) *service {
	t.Helper()
	return newService(t, operation(), reflect.TypeFor[input](), reflect.TypeFor[output]())
}

func TestRead(t *testing.T) {
	t.Parallel()
	s := newTry(t)
	for _, test := range []struct {
		target string
		header []string
		want   input
	}{
		{"/things/a?scale=1", nil, input{ID: "a", Filters: Filters{Limit: 20}, Scale: "1"}},
		{"/things/a?scale=1&limit=7&old=true&color=red,green&word=x,,y", []string{"If-Match", `"1"`, "X-Secret", "s"},
			input{ID: "a", Filters: Filters{Colors: []color{"red", "green"}, Words: []string{"x", "", "y"}, Limit: 7, Old: true}, Scale: "1", Match: `"1"`, Secret: "s"}},
		{"/things/a?scale=%20&limit=007&old=f&word=%2C", nil, input{ID: "a", Filters: Filters{Words: []string{"", ""}, Limit: 7}, Scale: " "}},
	} {
		test.want.RawBody = []byte("body")
		w := s.do("PUT", test.target, strings.NewReader("body"), test.header...)
		if s.refused != nil || !reflect.DeepEqual(s.got, &test.want) || w.Code != 200 {
			t.Errorf("%s: %+v, %v, %d, want %+v", test.target, s.got, s.refused, w.Code, test.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := newTry(t)
	const good = "/things/a?scale=1"
	broken := io.MultiReader(strings.NewReader("12"), iotest{})
	for _, test := range []struct {
		target string
		body   io.Reader
		header []string
		status int
		faults []Fault
	}{
		{"/things/A?scale=1", nil, nil, 422, []Fault{{"id", "expected string to match pattern ^[a-z]+$"}}},
		{"/things/abcdefghi?scale=1", nil, nil, 422, []Fault{{"id", "expected length <= 8"}}},
		{"/things/a", nil, nil, 422, []Fault{{"scale", "required query parameter is missing"}}},
		{good + "2345", nil, nil, 422, []Fault{{"scale", "expected length <= 3"}}},
		{good + "&limit=x", nil, nil, 422, []Fault{{"limit", "invalid integer"}}},
		{good + "&limit=1.5", nil, nil, 422, []Fault{{"limit", "invalid integer"}}},
		{good + "&limit=2147483648", nil, nil, 422, []Fault{{"limit", "invalid integer"}}},
		{good + "&limit=0", nil, nil, 422, []Fault{{"limit", "expected number >= 1"}}},
		{good + "&limit=51", nil, nil, 422, []Fault{{"limit", "expected number <= 50"}}},
		{good + "&old=yes", nil, nil, 422, []Fault{{"old", "invalid boolean"}}},
		{good + "&color=red,blue", nil, nil, 422, []Fault{{"color[1]", `expected value to be one of "red, green"`}}},
		{good, nil, []string{"If-Match", "123456"}, 422, []Fault{{"If-Match", "expected length <= 5"}}},
		{good, nil, []string{"X-Secret", "123"}, 422, []Fault{{"X-Secret", "expected length <= 2"}}},
		{good + "&Limit=1", nil, nil, 422, []Fault{{"Limit", "unknown query parameter"}}},
		{good + "&old=true;", nil, nil, 422, []Fault{{"query", "is not well-formed: invalid semicolon separator in query"}}},
		{good + "&old=%", nil, nil, 422, []Fault{{"query", `is not well-formed: invalid URL escape "%"`}}},
		{good + "&limit=1&limit=2", nil, nil, 422, []Fault{{"limit", "is there more than once"}}},
		{good + "&Found=1&limit=x", nil, nil, 422, []Fault{{"Found", "unknown query parameter"}}},
		{"/things/A?old=yes", nil, nil, 422, []Fault{{"id", "expected string to match pattern ^[a-z]+$"}, {"old", "invalid boolean"}, {"scale", "required query parameter is missing"}}},
		{good, strings.NewReader("12345678901"), nil, 413, nil},
		{good + "&limit=x", io.MultiReader(strings.NewReader("12345678901")), nil, 413, nil},
		{good, strings.NewReader(""), nil, 400, nil},
		{good + "&limit=x", strings.NewReader(""), nil, 400, []Fault{{"limit", "invalid integer"}}},
		{good, broken, nil, 400, nil},
	} {
		if test.body == nil {
			test.body = strings.NewReader("body")
		}
		w := s.do("PUT", test.target, test.body, test.header...)
		r, _ := errors.AsType[*Refusal](s.refused)
		if s.got != nil || r == nil || r.Status != test.status || r.Detail == "" || !reflect.DeepEqual(r.Faults, test.faults) || w.Code != http.StatusTeapot {
			t.Errorf("%s %v: %+v, handler: %v, want %d %v", test.target, test.header, r, s.got != nil, test.status, test.faults)
		}
	}
	if s.do("PUT", good, strings.NewReader("1234567890")); s.got == nil {
		t.Errorf("a body of the full size: %v", s.refused)
	}
}

// iotest is a connection that breaks off.
type iotest struct{}

func (iotest) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A body that may be left out, and an operation that has none.
func TestOptionalBody(t *testing.T) {
	t.Parallel()
	op := operation()
	op.RequestBody.Required = false
	s := newService(t, op, reflect.TypeFor[upload](), reflect.TypeFor[struct{}]())
	if w := s.do("PUT", "/things/a", http.NoBody); s.refused != nil || w.Code != 204 {
		t.Errorf("without a body: %v, %d", s.refused, w.Code)
	}
	s = newService(t, &huma.Operation{OperationID: "get", Method: http.MethodGet, Path: "/"}, reflect.TypeFor[struct{}](), reflect.TypeFor[struct{}]())
	if w := s.do("GET", "/", iotest{}); s.refused != nil || w.Code != 204 {
		t.Errorf("an operation without a body reads one: %v, %d", s.refused, w.Code)
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	s := newTry(t)
	for _, test := range []struct {
		name         string
		out          *output
		status       int
		kind, etag   string
		body         string
		refused, err error
	}{
		{"JSON", &output{Status: 201, ETag: `"1"`, Body: map[string]string{"a": "<&>"}}, 201, "application/json", `"1"`, "{\"a\":\"<&>\"}\n", nil, nil},
		{"its own type", &output{Status: 200, Kind: "application/x+json", Body: []string{}}, 200, "application/x+json", "", "[]\n", nil, nil},
		{"bytes", &output{Status: 200, Kind: "text/csv", Body: []byte("a,b")}, 200, "text/csv", "", "a,b", nil, nil},
		{"nothing to say", &output{Status: 304, ETag: `"1"`, Body: "x"}, 304, "", `"1"`, "", nil, nil},
		{"null", &output{Status: 202}, 202, "application/json", "", "null\n", nil, nil},
		{"nil", nil, 200, "", "", "", nil, nil},
		{"cannot be encoded", &output{Status: 200, ETag: `"1"`, Body: func() {}}, http.StatusTeapot, "", "", "", errors.ErrUnsupported, nil},
		{"an error", &output{Status: 200, ETag: `"1"`}, http.StatusTeapot, "", "", "", io.ErrNoProgress, io.ErrNoProgress},
	} {
		s.out, s.err = test.out, test.err
		w := s.do("PUT", "/things/a?scale=1", strings.NewReader("body"))
		if w.Code != test.status || w.Header().Get("Content-Type") != test.kind || w.Header().Get("ETag") != test.etag || w.Body.String() != test.body {
			t.Errorf("%s: %d %v %q", test.name, w.Code, w.Header(), w.Body)
		}
		if (s.refused != nil) != (test.refused != nil) || test.err != nil && !errors.Is(s.refused, test.err) {
			t.Errorf("%s: refused by %v", test.name, s.refused)
		}
	}
}

func TestDescription(t *testing.T) {
	t.Parallel()
	s := newTry(t)
	raw, err := json.Marshal(s.api.OpenAPI().Paths["/things/{id}"].Put)
	var got, want any
	if err = errors.Join(err, json.Unmarshal(raw, &got)); err != nil {
		t.Fatal(err)
	}
	err = json.Unmarshal([]byte(`{"operationId":"try","parameters":[`+
		`{"name":"id","in":"path","required":true,"schema":{"type":"string","maxLength":8,"pattern":"^[a-z]+$"}},`+
		`{"name":"color","in":"query","explode":false,"schema":{"type":["array","null"],"items":{"type":"string","enum":["red","green"]}}},`+
		`{"name":"word","in":"query","explode":false,"schema":{"type":["array","null"],"items":{"type":"string"}}},`+
		`{"name":"limit","in":"query","description":"How many.","explode":false,"schema":{"type":"integer","description":"How many.","default":20,"format":"int32","minimum":1,"maximum":50}},`+
		`{"name":"old","in":"query","explode":false,"schema":{"type":"boolean"}},`+
		`{"name":"scale","in":"query","required":true,"explode":false,"schema":{"type":"string","maxLength":3}},`+
		`{"name":"If-Match","in":"header","schema":{"type":"string","maxLength":5}}],`+
		`"requestBody":{"content":{"text/plain":{"schema":{"type":"string"}}},"required":true},`+
		`"responses":{"200":{"description":"OK","headers":{"Content-Type":{"schema":{"type":"string"}},"ETag":{"schema":{"type":"string"}}},"content":{"application/json":{"schema":{}}}}}}`), &want)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("described as\n%s, want\n%v (%v)", raw, want, err)
	}
}

// What there is no way to read or write is said when the operation is added.
func TestMisfits(t *testing.T) {
	t.Parallel()
	type float struct {
		F float64 `query:"f"`
	}
	type pointer struct {
		P *string `query:"p"`
	}
	type numbers struct {
		N []int `query:"n"`
	}
	type odd struct{ Other string }
	type count struct {
		N int `header:"X-Count"`
	}
	none := reflect.TypeFor[struct{}]()
	for _, test := range []struct {
		in, out reflect.Type
		body    bool
		names   string
	}{
		{reflect.TypeFor[float](), none, false, "parameter f"}, {reflect.TypeFor[pointer](), none, false, "parameter p"}, {reflect.TypeFor[numbers](), none, false, "parameter n"},
		{none, none, true, "RawBody: false"}, {reflect.TypeFor[upload](), none, false, "RawBody: true"},
		{none, reflect.TypeFor[odd](), false, "field Other"}, {none, reflect.TypeFor[count](), false, "field N"},
	} {
		op := operation()
		if !test.body {
			op.RequestBody = nil
		}
		api := humago.New(http.NewServeMux(), huma.Config{OpenAPI: &huma.OpenAPI{Components: &huma.Components{Schemas: huma.NewMapRegistry("#/", huma.DefaultSchemaNamer)}}})
		err := Add(api, op, test.in, test.out, nil, nil)
		if err == nil || !strings.Contains(err.Error(), test.names) || !strings.Contains(err.Error(), "operation try") {
			t.Errorf("%v, %v: %v, want %q", test.in, test.out, err, test.names)
		}
	}
}
