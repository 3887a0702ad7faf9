package apigateway_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"bindery/infra/apigateway"
)

// called sends a request through a route and returns its answer, and the event
// that the function got; nil when it was not called.
func called(t *testing.T, r *http.Request, answer string, fault error) (*httptest.ResponseRecorder, *events.APIGatewayV2HTTPRequest) {
	t.Helper()
	var got *events.APIGatewayV2HTTPRequest
	w := httptest.NewRecorder()
	apigateway.Route{Key: "POST /v1/{proxy+}", Claims: map[string]string{"sub": "ann"}, Invoke: func(_ context.Context, event []byte) ([]byte, error) {
		got = &events.APIGatewayV2HTTPRequest{}
		if err := json.Unmarshal(event, got); err != nil {
			t.Fatal(err)
		}
		return []byte(answer), fault
	}}.Serve(w, r)
	return w, got
}

func post(contentType, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/v1/users:load?a=1&a=2&b=%20", strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

func TestEvent(t *testing.T) {
	r := post("text/csv", "zoë \"<\n")
	r.Header.Add("Accept", "a")
	r.Header.Add("Accept", "b")
	r.Header.Set("Cookie", "x=1; y=2")
	w, e := called(t, r, `{"statusCode":202,"headers":{"content-type":"text/plain"},"cookies":["c=1"],"body":"done"}`, nil)
	if e.Body != "zoë \"<\n" || e.IsBase64Encoded || e.RawPath != "/v1/users:load" || e.RawQueryString != "a=1&a=2&b=%20" ||
		e.QueryStringParameters["a"] != "1,2" || e.Headers["accept"] != "a,b" || e.Headers["host"] != "example.com" ||
		!slices.Equal(e.Cookies, []string{"x=1", "y=2"}) || e.RequestContext.Authorizer.JWT.Claims["sub"] != "ann" || e.RequestContext.HTTP.SourceIP != "192.0.2.1" {
		t.Errorf("event = %+v", e)
	}
	if w.Code != http.StatusAccepted || w.Body.String() != "done" || w.Header().Get("Content-Type") != "text/plain" || w.Header().Get("Set-Cookie") != "c=1" {
		t.Errorf("answer = %d %q %v", w.Code, w.Body, w.Header())
	}
}

// Which bodies arrive as text was seen of the real service.
func TestText(t *testing.T) {
	for kind, text := range map[string]bool{
		"text/csv": true, "text/plain; charset=utf-8": true, "application/json": true, "Application/JSON": true, "application/xml": true, "application/javascript": true,
		"": false, "application/x-ndjson": false, "application/merge-patch+json": false, "application/octet-stream": false, "application/x-www-form-urlencoded": false, ";": false,
	} {
		if _, e := called(t, post(kind, "ab"), `{"statusCode":200}`, nil); e.IsBase64Encoded == text || apigateway.Text(kind) != text {
			t.Errorf("%q: base64 = %v", kind, e.IsBase64Encoded)
		}
	}
}

// The limits lie where those of AWS do: on the event, not on the body.
func TestLimits(t *testing.T) {
	const room = apigateway.MaxEvent - 2048 // what these tests' events need beside a body
	tooLarge := `{"message":"Request Entity Too Large"}`
	for _, test := range []struct {
		name, kind, body string
		fits             bool
	}{
		{"text", "text/csv", strings.Repeat("x", room), true},
		{"text over 6 MB", "text/csv", strings.Repeat("x", apigateway.MaxEvent), false},
		{"text with as many quotes", "text/csv", strings.Repeat(`"`, room/2), true},
		{"text with more quotes", "text/csv", strings.Repeat(`"`, apigateway.MaxEvent/2), false},
		{"line breaks", "text/csv", strings.Repeat("\n", apigateway.MaxEvent/2), false},
		{"markup", "text/csv", strings.Repeat("<", room), true},
		{"umlauts", "text/csv", strings.Repeat("ä", room/2), true},
		{"base64", "application/x-ndjson", strings.Repeat("x", room/4*3), true},
		{"base64 of 5 MB", "application/x-ndjson", strings.Repeat("x", 5<<20), false},
		{"over 10 MB", "text/csv", strings.Repeat("x", apigateway.MaxBody+1), false},
	} {
		w, e := called(t, post(test.kind, test.body), `{"statusCode":200}`, nil)
		if fits := e != nil; fits != test.fits {
			t.Errorf("%s: called = %v, want %v", test.name, fits, test.fits)
		}
		if !test.fits && (w.Code != http.StatusRequestEntityTooLarge || strings.TrimSpace(w.Body.String()) != tooLarge) {
			t.Errorf("%s: %d %s", test.name, w.Code, w.Body)
		}
		if test.fits && w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", test.name, w.Code, w.Body)
		}
	}
	r := post("", "")
	r.Header.Set("Accept", strings.Repeat("x", apigateway.MaxHeader))
	if w, e := called(t, r, `{"statusCode":200}`, nil); e != nil || w.Code != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("headers of 10 KB: %d, called %v", w.Code, e != nil)
	}
}

func TestAnswers(t *testing.T) {
	binary := base64.StdEncoding.EncodeToString([]byte{0, 255})
	for _, test := range []struct {
		name, answer string
		fault        error
		status       int
		body         string
	}{
		{"binary", `{"statusCode":200,"body":"` + binary + `","isBase64Encoded":true}`, nil, 200, "\x00\xff"},
		{"nothing", `{"statusCode":204}`, nil, 204, ""},
		{"error", "", errors.New("died"), 500, `{"message":"Internal Server Error"}`},
		{"no JSON", "x", nil, 500, `{"message":"Internal Server Error"}`},
		{"no status", `{}`, nil, 500, `{"message":"Internal Server Error"}`},
		{"no base64", `{"statusCode":200,"body":"?","isBase64Encoded":true}`, nil, 500, `{"message":"Internal Server Error"}`},
		{"over 6 MB", `{"statusCode":200,"body":"` + strings.Repeat("x", apigateway.MaxAnswer) + `"}`, nil, 500, `{"message":"Internal Server Error"}`},
	} {
		if w, _ := called(t, post("", ""), test.answer, test.fault); w.Code != test.status || strings.TrimSpace(w.Body.String()) != test.body {
			t.Errorf("%s: %d %.80q, want %d %q", test.name, w.Code, w.Body, test.status, test.body)
		}
	}
}
