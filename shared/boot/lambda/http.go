package lambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"bindery/shared/boot/telemetry"
	"bindery/shared/directory"
)

// HTTP turns an http.Handler into what answers events of an HTTP API, payload
// format 2.0.
func HTTP(h http.Handler) func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	return func(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		r, err := request(ctx, e)
		if err != nil {
			return problem(http.StatusBadRequest, directory.CodeBadRequest, "The request cannot be read: "+err.Error()+".", ""), nil
		}
		w := &recorder{header: http.Header{}}
		if fault, stack := serve(h, w, r); fault != nil {
			i := telemetry.InvocationOf(ctx)
			i.Set("status", http.StatusInternalServerError)
			i.Set("panic", fmt.Sprint(fault))
			i.Set("stack", stack)
			incident := directory.NewIncident()
			i.Set("incident", incident)
			return problem(http.StatusInternalServerError, directory.CodeInternal, "The request could not be answered. Ask again; if it stays so, the log says why, under the incident "+incident+".", incident), nil
		}
		answer := fit(w.response())
		telemetry.InvocationOf(ctx).Set("status", answer.StatusCode)
		return answer, nil
	}
}

// serve calls the handler and returns what it panicked with and where, so that
// one bad request does not end the process that serves the next.
func serve(h http.Handler, w http.ResponseWriter, r *http.Request) (fault any, stack string) {
	defer func() {
		if fault = recover(); fault != nil {
			stack = string(debug.Stack())
		}
	}()
	h.ServeHTTP(w, r)
	return nil, ""
}

// request is the event as an ordinary request of a server.
func request(ctx context.Context, e events.APIGatewayV2HTTPRequest) (*http.Request, error) {
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return nil, errors.New("the body is not valid base64")
		}
	}
	ctx = withRequest(ctx, &e.RequestContext)
	if e.RequestContext.HTTP.Method == "" { // net/http takes it for GET
		return nil, errors.New("the method is missing")
	}
	r, err := http.NewRequestWithContext(ctx, e.RequestContext.HTTP.Method, "/", bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the method is not valid")
	}
	r.URL = &url.URL{Path: path(e), RawQuery: e.RawQueryString} // never parsed as a whole: "//x" is a path, no host
	r.RequestURI = r.URL.RequestURI()
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	r.RemoteAddr = net.JoinHostPort(e.RequestContext.HTTP.SourceIP, "0")
	for name, value := range e.Headers {
		r.Header.Set(name, value) // several of one name arrive joined by commas
	}
	if len(e.Cookies) > 0 { // API Gateway takes them out of the headers
		r.Header.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	r.Host = r.Header.Get("Host")
	if r.Host == "" {
		r.Host = e.RequestContext.DomainName
	}
	for _, name := range []string{"Host", "Content-Length", "Transfer-Encoding", "Connection"} {
		r.Header.Del(name) // a server keeps these elsewhere; the length is that of the decoded body
	}
	return r, nil
}

// path is the request's path without the stage, decoded once. API Gateway
// decodes most of it already, in spite of the member's name.
func path(e events.APIGatewayV2HTTPRequest) string {
	p := e.RawPath
	if stage := e.RequestContext.Stage; stage != "" && stage != "$default" {
		if rest, ok := strings.CutPrefix(p, "/"+stage); ok && (rest == "" || rest[0] == '/') {
			p = rest
		}
	}
	if decoded, err := url.PathUnescape(p); err == nil {
		p = decoded
	}
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	return p
}

// recorder keeps what a handler answers.
type recorder struct {
	header http.Header
	sent   http.Header // header as it was when the status was written
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status != 0 || status < 200 { // an informational status is no answer
		return
	}
	w.status, w.sent = status, w.header.Clone()
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// Flush does nothing: the answer leaves as a whole.
func (w *recorder) Flush() {}

func (w *recorder) response() events.APIGatewayV2HTTPResponse {
	w.WriteHeader(http.StatusOK)
	answer := events.APIGatewayV2HTTPResponse{StatusCode: w.status, Headers: map[string]string{}}
	if w.body.Len() > 0 && w.sent.Get("Content-Type") == "" {
		w.sent.Set("Content-Type", http.DetectContentType(w.body.Bytes()))
	}
	for name, values := range w.sent {
		if name == "Set-Cookie" { // the one header that commas cannot join
			answer.Cookies = slices.Clone(values)
			continue
		}
		answer.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	if textual(w.sent) && utf8.Valid(w.body.Bytes()) {
		answer.Body = w.body.String()
	} else {
		answer.Body, answer.IsBase64Encoded = base64.StdEncoding.EncodeToString(w.body.Bytes()), true
	}
	return answer
}

// textual reports whether a body goes as it is. A compressed one never does.
func textual(h http.Header) bool {
	if h.Get("Content-Encoding") != "" {
		return false
	}
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return h.Get("Content-Type") == "" // no body
	}
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml") ||
		kind == "application/json" || kind == "application/xml" || kind == "application/yaml" || kind == "application/x-ndjson"
}

// problem is an RFC 9457 body for what no handler could answer. The incident is ""
// where the log says no more.
func problem(status int, code, detail, incident string) events.APIGatewayV2HTTPResponse {
	members := map[string]any{"title": http.StatusText(status), "status": status, "code": code, "detail": detail}
	if incident != "" {
		members["incident"] = incident
	}
	body, _ := json.Marshal(members) // texts and numbers always marshal
	return events.APIGatewayV2HTTPResponse{
		StatusCode: status,
		Headers:    map[string]string{"content-type": "application/problem+json", "cache-control": "no-store"},
		Body:       string(body),
	}
}
