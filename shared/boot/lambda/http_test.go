package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

// call makes an event of a method, a path and a query.
func call(method, rawPath, query string) events.APIGatewayV2HTTPRequest {
	e := events.APIGatewayV2HTTPRequest{Version: "2.0", RawPath: rawPath, RawQueryString: query, Headers: map[string]string{"host": "api.example.com"}}
	e.RequestContext.HTTP = events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: method, Path: rawPath, SourceIP: "192.0.2.10"}
	e.RequestContext.Stage = "$default"
	e.RequestContext.DomainName = "a1.execute-api.example.com"
	return e
}

// seen answers an event by a handler that keeps the request and its body.
func seen(t *testing.T, e events.APIGatewayV2HTTPRequest) (*http.Request, string) {
	t.Helper()
	var got *http.Request
	var body string
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got, body = r, string(data)
	})
	if _, err := HTTP(h)(context.Background(), e); err != nil {
		t.Fatal(err)
	}
	if got == nil {
		t.Fatal("the handler was not called")
	}
	return got, body
}

func TestRequestPath(t *testing.T) {
	t.Parallel()
	tests := []struct{ stage, raw, query, path, uri string }{
		{"$default", "/v1/users", "", "/v1/users", "/v1/users"},
		{"$default", "/v1/users:load", "a=1&a=2", "/v1/users:load", "/v1/users:load?a=1&a=2"},
		{"prod", "/prod/v1/users", "", "/v1/users", "/v1/users"},
		{"prod", "/product/v1", "", "/product/v1", "/product/v1"},
		{"prod", "/prod", "", "/", "/"},
		{"$default", "", "", "/", "/"},
		{"$default", "/v1/users/zo%C3%AB", "", "/v1/users/zoë", "/v1/users/zo%C3%AB"},
		{"$default", "/v1/users/zoë", "", "/v1/users/zoë", "/v1/users/zo%C3%AB"},
		{"$default", "/v1/100%", "", "/v1/100%", "/v1/100%25"},
		{"$default", "//evil.example/v1", "", "//evil.example/v1", "//evil.example/v1"},
	}
	for _, tt := range tests {
		e := call("GET", tt.raw, tt.query)
		e.RequestContext.Stage = tt.stage
		r, _ := seen(t, e)
		if r.URL.Path != tt.path || r.RequestURI != tt.uri || r.URL.Host != "" {
			t.Errorf("request(%s, %q) = path %q, uri %q, host %q, want %q, %q and none", tt.stage, tt.raw, r.URL.Path, r.RequestURI, r.URL.Host, tt.path, tt.uri)
		}
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	e := call("POST", "/v1/users", "filter=a%20b&x=1&x=2&empty=")
	e.Headers = map[string]string{"host": "bindery.example.com", "content-type": "text/csv", "accept": "application/json, text/csv", "content-length": "999", "if-match": `"3"`}
	e.Cookies = []string{"a=1", "b=2"}
	e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte("zo\xc3\xab\x00\xff")), true
	r, body := seen(t, e)
	if body != "zo\xc3\xab\x00\xff" || r.ContentLength != 6 {
		t.Errorf("body = %q of %d bytes, want the decoded 6 bytes", body, r.ContentLength)
	}
	if q := r.URL.Query(); q.Get("filter") != "a b" || !slices.Equal(q["x"], []string{"1", "2"}) || !q.Has("empty") {
		t.Errorf("query = %v", q)
	}
	if c, err := r.Cookie("b"); err != nil || c.Value != "2" {
		t.Errorf("cookie b = %v, %v", c, err)
	}
	if r.Host != "bindery.example.com" || r.Header.Get("Content-Length") != "" || r.Header.Get("If-Match") != `"3"` || r.RemoteAddr != "192.0.2.10:0" {
		t.Errorf("host %q, from %q, headers %v", r.Host, r.RemoteAddr, r.Header)
	}
	e.Headers = nil
	e.RequestContext.HTTP.SourceIP = "2001:db8::1"
	if r, _ := seen(t, e); r.Host != "a1.execute-api.example.com" || r.RemoteAddr != "[2001:db8::1]:0" {
		t.Errorf("without headers: host %q, from %q", r.Host, r.RemoteAddr)
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	r, _ := seen(t, call("GET", "/oauth/callback", ""))
	if (Gateway{}).Claims(r.Context()) != nil {
		t.Error("a request without an authorizer has claims")
	}
	e := call("GET", "/v1/users", "")
	e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
		JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: map[string]string{
			"sub": "[admin]", "scope": "bindery/read  bindery/write", "roles": "[bindery/read bindery/approve]", "none": "",
		}},
	}
	r, _ = seen(t, e)
	claim := Gateway{}.Claims(r.Context())
	for name, want := range map[string]string{
		"sub": "[admin]", "scope": "bindery/read  bindery/write", "roles": "[bindery/read bindery/approve]", "none": "",
	} {
		if got, there := claim(name); got != want || !there {
			t.Errorf("claim %s = %q, %v, want %q as it came", name, got, there, want)
		}
	}
	if got, there := claim("absent"); there {
		t.Errorf("claim absent = %q, want none", got)
	}
}

// The ID that API Gateway gave a request is the handler's.
func TestRequestID(t *testing.T) {
	t.Parallel()
	e := call("GET", "/v1/users", "")
	e.RequestContext.RequestID = "JKJaXmPLvHcESHA="
	r, _ := seen(t, e)
	if got := (Gateway{}).RequestID(r.Context()); got != e.RequestContext.RequestID {
		t.Errorf("the request's ID is %q, want %q", got, e.RequestContext.RequestID)
	}
}

func TestResponse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		h      http.HandlerFunc
		status int
		body   string
		base64 bool
		header string // "name: value"
	}{
		{"nothing", func(http.ResponseWriter, *http.Request) {}, 200, "", false, ""},
		{"json", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(201)
			w.WriteHeader(500)
			fmt.Fprint(w, `{"name":"Zoë"}`)
		}, 201, `{"name":"Zoë"}`, false, "content-type: application/json; charset=utf-8"},
		{"problem", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(412)
			fmt.Fprint(w, `{}`)
		}, 412, `{}`, false, ""},
		{"guessed type", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!doctype html><p>x") }, 200, "<!doctype html><p>x", false, "content-type: text/html; charset=utf-8"},
		{"binary", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			w.Write([]byte{1, 2})
		}, 200, "AQI=", true, ""},
		{"text that is none", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/csv")
			w.Write([]byte{0xff, 0xfe})
		}, 200, "//4=", true, ""},
		{"compressed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			w.Write([]byte("abc"))
		}, 200, "YWJj", true, "content-encoding: gzip"},
		{"several values", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Vary", "Accept")
			w.Header().Add("Vary", "Origin")
			w.WriteHeader(100)
			w.WriteHeader(204)
			w.Header().Set("Late", "1")
		}, 204, "", false, "vary: Accept, Origin"},
	}
	for _, tt := range tests {
		got, err := HTTP(tt.h)(context.Background(), call("GET", "/", ""))
		if err != nil || got.StatusCode != tt.status || got.Body != tt.body || got.IsBase64Encoded != tt.base64 {
			t.Errorf("%s: %+v, %v, want %d %q base64 %v", tt.name, got, err, tt.status, tt.body, tt.base64)
		}
		if name, value, ok := strings.Cut(tt.header, ": "); ok && got.Headers[name] != value {
			t.Errorf("%s: header %s = %q, want %q", tt.name, name, got.Headers[name], value)
		}
		if got.Headers["late"] != "" {
			t.Errorf("%s: a header set after the status was sent", tt.name)
		}
	}
}

func TestResponseCookies(t *testing.T) {
	t.Parallel()
	got, _ := HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
		http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
	}))(context.Background(), call("GET", "/", ""))
	if !slices.Equal(got.Cookies, []string{"a=1", "b=2"}) || got.Headers["set-cookie"] != "" {
		t.Errorf("cookies = %q, headers %v", got.Cookies, got.Headers)
	}
}

func TestHTTPFaults(t *testing.T) {
	t.Parallel()
	code := func(r events.APIGatewayV2HTTPResponse) string {
		var p struct{ Code string }
		if err := json.Unmarshal([]byte(r.Body), &p); err != nil {
			t.Errorf("body %q: %v", r.Body, err)
		}
		return p.Code
	}
	broken := call("POST", "/", "")
	broken.Body, broken.IsBase64Encoded = "%%%", true
	noMethod := call("GE T", "/", "")
	tests := []struct {
		name   string
		e      events.APIGatewayV2HTTPRequest
		h      http.HandlerFunc
		status int
		code   string
	}{
		{"broken base64", broken, nil, 400, "bad-request"},
		{"no method", noMethod, nil, 400, "bad-request"},
		{"panic", call("GET", "/", ""), func(http.ResponseWriter, *http.Request) { panic("secret of ada@corp.example") }, 500, "internal"},
		{"abort", call("GET", "/", ""), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 500, "internal"},
		{"too large", call("GET", "/", ""), func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 6<<20)) }, 500, "answer-too-large"},
	}
	for _, tt := range tests {
		got, err := HTTP(tt.h)(context.Background(), tt.e)
		if err != nil || got.StatusCode != tt.status || code(got) != tt.code || strings.Contains(got.Body, "ada@") {
			t.Errorf("%s: %d %s, %v, want %d %s", tt.name, got.StatusCode, got.Body, err, tt.status, tt.code)
		}
	}
}
