// Package apigateway plays API Gateway's HTTP API in front of Lambda functions:
// a request becomes an event (payload format 2.0), the answer to the event
// becomes the answer to the request, and the limits of both services hold.
//
//	request ─> 10 MB? ─> event, text or base64 ─> 6 MB? ─> Invoke ─> 6 MB? ─> answer
//
// Who may call, and which function it is, the caller of this package decides.
package apigateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// What the services take, in bytes.
const (
	MaxBody   = 10 << 20       // API Gateway, a request's body as it is sent
	MaxEvent  = 6 << 20        // Lambda, an event as JSON
	MaxAnswer = 6<<20 + 100    // Lambda, an answer as JSON; documented as 6 MB
	MaxHeader = 10_240         // API Gateway, the request line and all values of headers
	account   = "123456789012" // of the events
)

// Route is where a request goes.
type Route struct {
	Key string // as "POST /v1/{proxy+}"
	// Claims are those of the caller's checked token; nil on a route without
	// an authorizer.
	Claims map[string]string
	// Scopes are those of the route, one of which the token has.
	Scopes []string
	// Parameters are those of the path, as {id} and {proxy+} name them.
	Parameters map[string]string
	// Invoke calls the function with an event. A Status is answered with itself,
	// another error, or an answer that is none, with 500.
	Invoke func(ctx context.Context, event []byte) ([]byte, error)
}

// Status is why a function was not called, as the status to answer with.
type Status int

func (s Status) Error() string { return http.StatusText(int(s)) }

// Serve answers a request by a function.
func (rt Route) Serve(w http.ResponseWriter, r *http.Request) {
	if headerSize(r) > MaxHeader {
		Refuse(w, http.StatusRequestHeaderFieldsTooLarge, "Request Header Fields Too Large")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		Refuse(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	if err != nil {
		Refuse(w, http.StatusBadRequest, "Bad Request")
		return
	}
	event, err := encode(rt.event(r, body))
	if err != nil {
		Refuse(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	if len(event) > MaxEvent {
		Refuse(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	answer, err := rt.Invoke(r.Context(), event)
	if status, ok := errors.AsType[Status](err); ok {
		Refuse(w, int(status), status.Error())
		return
	}
	if err != nil || len(answer) > MaxAnswer || write(w, answer) != nil {
		Refuse(w, http.StatusInternalServerError, "Internal Server Error")
	}
}

// Refuse answers in the form of API Gateway's own answers.
func Refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message}) // the client is gone
}

func headerSize(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len("  HTTP/1.1")
	for _, values := range r.Header {
		for _, v := range values {
			n += len(v)
		}
	}
	return n
}

// encode is JSON that escapes what JSON demands and nothing else, so that its
// length is what a gateway would send.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func (rt Route) event(r *http.Request, body []byte) events.APIGatewayV2HTTPRequest {
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: rt.Key, RawPath: r.URL.Path, RawQueryString: r.URL.RawQuery, Headers: map[string]string{"host": r.Host},
		PathParameters: rt.Parameters,
	}
	for name, values := range r.Header {
		if textproto.CanonicalMIMEHeaderKey(name) == "Cookie" {
			for _, v := range values {
				e.Cookies = append(e.Cookies, strings.Split(v, "; ")...)
			}
			continue
		}
		e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	if query := r.URL.Query(); len(query) > 0 {
		e.QueryStringParameters = map[string]string{}
		for name, values := range query {
			e.QueryStringParameters[name] = strings.Join(values, ",")
		}
	}
	source, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		source = r.RemoteAddr
	}
	now := time.Now()
	e.RequestContext = events.APIGatewayV2HTTPRequestContext{
		RouteKey: rt.Key, AccountID: account, Stage: "$default", RequestID: newRequestID(), DomainName: r.Host,
		Time: now.UTC().Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: now.UnixMilli(),
		HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
			Method: r.Method, Path: r.URL.Path, Protocol: "HTTP/1.1", SourceIP: source, UserAgent: r.UserAgent(),
		},
	}
	if rt.Claims != nil {
		e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
			JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: rt.Claims, Scopes: rt.Scopes},
		}
	}
	if Text(r.Header.Get("Content-Type")) {
		e.Body = string(body)
	} else if len(body) > 0 {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}

// newRequestID is an ID in the form of API Gateway's: 16 characters, the last a "=".
func newRequestID() string {
	id := make([]byte, 11)
	rand.Read(id)
	return base64.StdEncoding.EncodeToString(id)
}

// Claims are a token's claims as the authorizer hands them on: as text, a list
// as "[a b]".
func Claims(of map[string]any) map[string]string {
	out := make(map[string]string, len(of))
	for name, v := range of {
		out[name] = claimText(v)
	}
	return out
}

func claimText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64: // times among them, without an exponent
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// Text reports whether a body of a type arrives as text; all others are
// base64-encoded. AWS does not document which: this is what was seen of the
// real service, a missing type and a form's among the others.
func Text(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (strings.HasPrefix(kind, "text/") || kind == "application/json" || kind == "application/xml" || kind == "application/javascript")
}

// write turns a function's answer into one of HTTP; nothing is written when it
// cannot be read.
func write(w http.ResponseWriter, answer []byte) error {
	var a events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(answer, &a); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	body := []byte(a.Body)
	if a.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(a.Body); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
	if a.StatusCode < 100 || a.StatusCode > 999 {
		return fmt.Errorf("answer: status %d", a.StatusCode)
	}
	for name, value := range a.Headers {
		w.Header().Set(name, value)
	}
	for _, c := range a.Cookies {
		w.Header().Add("Set-Cookie", c)
	}
	w.WriteHeader(a.StatusCode)
	_, _ = w.Write(body) // the client is gone
	return nil
}
