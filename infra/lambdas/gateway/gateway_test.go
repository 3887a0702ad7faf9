package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"bindery/infra/lambdas/runtime"
)

var routes = []Route{
	{Key: "GET /v1/{proxy+}", Function: "admin", Authorized: true},
	{Key: "POST /v1/{proxy+}", Function: "admin", Authorized: true, Scopes: []string{"write", "admin"}},
	{Key: "POST /v1/connections/{id}/deactivate", Function: "deactivate", Authorized: true},
	{Key: "GET /oauth/callback", Function: "callback"},
	{Key: "ANY /oauth/{proxy+}", Function: "other"},
}

// world is a gateway, what it called and what is answered.
type world struct {
	Gateway
	function string
	event    events.APIGatewayV2HTTPRequest
	answer   string
	err      error
	trace    string
	claims   map[string]any
}

func newWorld(t *testing.T) *world {
	w := &world{answer: `{"statusCode":204}`, claims: map[string]any{"sub": "ada"}}
	w.Gateway = Gateway{
		Routes: routes, Domain: "a1b2c3.execute-api.eu-central-1.amazonaws.com",
		Verify: func(token string) (map[string]any, error) {
			if token != "good" {
				return nil, errors.New("bad token")
			}
			return w.claims, nil
		},
		Invoke: func(function string, payload []byte, trace string) ([]byte, error) {
			w.function, w.trace = function, trace
			if err := json.Unmarshal(payload, &w.event); err != nil {
				t.Error(err)
			}
			return []byte(w.answer), w.err
		},
	}
	return w
}

func (w *world) ask(method, target, contentType string, body []byte) *httptest.ResponseRecorder {
	w.function, w.event = "", events.APIGatewayV2HTTPRequest{}
	r := httptest.NewRequest(method, target, bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer good")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	got := httptest.NewRecorder()
	w.ServeHTTP(got, r)
	return got
}

func TestRoutes(t *testing.T) {
	w := newWorld(t)
	w.claims["scope"] = "write"
	for _, tt := range []struct{ method, path, function, parameter, value string }{
		{"GET", "/v1/users/a/b", "admin", "proxy", "users/a/b"},
		{"POST", "/v1/connections/con_a/deactivate", "deactivate", "id", "con_a"},
		{"POST", "/v1/connections/con_a/deactivate/", "admin", "proxy", "connections/con_a/deactivate/"},
		{"POST", "/v1/connections//deactivate", "admin", "proxy", "connections//deactivate"},
		{"GET", "/v1/connections/con_a/deactivate", "admin", "proxy", "connections/con_a/deactivate"},
		{"GET", "/oauth/callback", "callback", "", ""},
		{"PUT", "/oauth/callback", "other", "proxy", "callback"},
		{"GET", "/oauth/callback/", "other", "proxy", "callback/"},
		{"GET", "/v1/", "", "", ""},
		{"GET", "/v1", "", "", ""},
		{"PATCH", "/v1/users", "", "", ""},
		{"GET", "/", "", "", ""},
	} {
		status := w.ask(tt.method, tt.path, "", nil).Code
		if w.function != tt.function || (tt.function == "") != (status == http.StatusNotFound) || w.event.PathParameters[tt.parameter] != tt.value {
			t.Errorf("%s %s: function %q, parameters %v, status %d", tt.method, tt.path, w.function, w.event.PathParameters, status)
		}
	}
}

func TestAuthorizer(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		token  string
		claims map[string]any
		status int
	}{
		{"Bearer good", map[string]any{"scope": "read write"}, 204},
		{"bearer good", map[string]any{"scp": []any{"admin"}}, 204},
		{"good", map[string]any{"scope": "admin"}, 204},
		{"Bearer good", map[string]any{"scope": "read"}, 403},
		{"Bearer good", map[string]any{"scope": "writer"}, 403},
		{"Bearer good", map[string]any{"roles": "write"}, 403},
		{"Bearer bad", nil, 401},
		{"", nil, 401},
	} {
		w.claims = tt.claims
		r := httptest.NewRequest("POST", "/v1/users", nil)
		r.Header.Set("Authorization", tt.token)
		got := httptest.NewRecorder()
		w.ServeHTTP(got, r)
		if got.Code != tt.status {
			t.Errorf("%q with %v: %d, want %d", tt.token, tt.claims, got.Code, tt.status)
		}
	}
	w.claims = map[string]any{"sub": "ada", "exp": 1.7e9, "scp": []any{"a", "b"}, "groups": []any{}, "nested": []any{[]any{"x"}}, "ok": true}
	w.ask("GET", "/v1/me", "", nil)
	got := w.event.RequestContext.Authorizer.JWT.Claims
	for name, want := range map[string]string{"sub": "ada", "exp": "1700000000", "scp": "[a b]", "groups": "[]", "nested": "[[x]]", "ok": "true"} {
		if got[name] != want {
			t.Errorf("claim %s = %q, want %q", name, got[name], want)
		}
	}
	if w.ask("GET", "/oauth/callback?code=a", "", nil); w.event.RequestContext.Authorizer != nil {
		t.Error("an open route has claims")
	}
}

func TestEvent(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewRequest("GET", "/v1/users/%C3%A9?a=1", nil)
	r.Header.Set("Authorization", "Bearer good")
	w.ServeHTTP(httptest.NewRecorder(), r)
	e := w.event
	if e.RawPath != "/v1/users/é" || e.RawQueryString != "a=1" || e.RouteKey != "GET /v1/{proxy+}" || e.PathParameters["proxy"] != "users/é" {
		t.Errorf("path %q, query %q, route %q, parameters %v", e.RawPath, e.RawQueryString, e.RouteKey, e.PathParameters)
	}
	if e.Headers["host"] != w.Domain || e.RequestContext.HTTP.SourceIP != source || !strings.HasPrefix(e.Headers["x-amzn-trace-id"], "Root=1-") || e.Headers["x-amzn-trace-id"] != w.trace {
		t.Errorf("headers %v, context %+v", e.Headers, e.RequestContext)
	}
}

func TestAnswers(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		answer string
		err    error
		status int
		body   string
	}{
		{`{"statusCode":200,"headers":{"content-type":"text/html"},"cookies":["a=1","b=2"],"body":"x"}`, nil, 200, "x"},
		{`{"statusCode":200,"body":"/9g=","isBase64Encoded":true}`, nil, 200, "\xff\xd8"},
		{`{"statusCode":200,"body":"??","isBase64Encoded":true}`, nil, 500, `{"message":"Internal Server Error"}`},
		{`{"statusCode":"200","body":"x"}`, nil, 500, `{"message":"Internal Server Error"}`},
		{`<html>`, nil, 500, `{"message":"Internal Server Error"}`},
		{``, &runtime.FunctionError{Type: "Runtime.ExitError"}, 500, `{"message":"Internal Server Error"}`},
		{``, runtime.ErrTooLarge, 413, `{"message":"Request Entity Too Large"}`},
		{``, runtime.ErrThrottled, 503, `{"message":"Service Unavailable"}`},
	} {
		w.answer, w.err = tt.answer, tt.err
		got := w.ask("GET", "/v1/users", "", nil)
		if got.Code != tt.status || strings.TrimSpace(got.Body.String()) != tt.body {
			t.Errorf("%s %v: %d %s, want %d %s", tt.answer, tt.err, got.Code, got.Body, tt.status, tt.body)
		}
	}
	w.answer, w.err = `{"statusCode":200,"cookies":["a=1","b=2"]}`, nil
	if got := w.ask("GET", "/v1/users", "", nil).Header().Values("Set-Cookie"); strings.Join(got, "|") != "a=1|b=2" {
		t.Errorf("cookies %q", got)
	}
}

func TestTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Invoke = func(string, []byte, string) ([]byte, error) {
			time.Sleep(callTime + time.Second)
			return []byte(`{"statusCode":200}`), nil
		}
		begun := time.Now()
		if got := w.ask("GET", "/v1/users", "", nil); got.Code != http.StatusServiceUnavailable || time.Since(begun) != callTime {
			t.Errorf("%d after %v", got.Code, time.Since(begun))
		}
		time.Sleep(2 * time.Second) // the function ends by itself
	})
}
