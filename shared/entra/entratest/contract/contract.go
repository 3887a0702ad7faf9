// Package contract holds messages between a client and Microsoft Graph against
// an independent description of Graph: every request and every answer whose path
// the description has, each item of a $batch as a message of its own.
//
// The description (graph-openapi.json, derived from Microsoft's own metadata)
// lies outside this project's tree, under ../shared/reference; where it is
// absent, New returns a Checker that lets everything pass and says so once, and
// Load skips the test. The description does not know every path that Graph has:
// those that are used here are listed by name in paths.go, and a message to any
// other path is reported.
//
// A Checker is wired in as a handler around a server or as a RoundTripper around
// a client. Around a server a faulty request is reported only when it was
// accepted, since refusing it is right; around a client it is always reported.
// Values never appear in a report, only names and rules, for a body may hold a
// password.
package contract

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// description is where the file lies, relative to the project's root.
const description = "../shared/reference/graph-openapi.json"

// Checker validates messages and reports what is wrong to its test. It may be
// used by several goroutines at once.
type Checker struct {
	report  func(format string, args ...any)
	router  routers.Router // nil: the description is absent, nothing is checked
	covered atomic.Int64
}

// New makes a Checker that reports to t. Without the description it checks
// nothing, and says so in the test's log.
func New(t testing.TB) *Checker {
	t.Helper()
	c := &Checker{report: t.Errorf}
	file, err := locate()
	if errors.Is(err, os.ErrNotExist) {
		t.Logf("contract: %s is not there, so messages to Graph are not validated", description)
		return c
	}
	if err != nil {
		t.Fatal(err)
	}
	if c.router, err = described(file); err != nil {
		t.Fatal(err)
	}
	return c
}

// Load is New for a test that makes no sense without the description: it skips.
func Load(t testing.TB) *Checker {
	t.Helper()
	if _, err := locate(); errors.Is(err, os.ErrNotExist) {
		t.Skipf("%s is not there: nothing to validate messages against", description)
	}
	return New(t)
}

// Active tells whether there is a description to check against.
func (c *Checker) Active() bool { return c.router != nil }

// Covered is the number of messages that were validated against the description:
// a request and its answer count as one, each item of a batch as one.
func (c *Checker) Covered() int { return int(c.covered.Load()) }

// locate finds the description from the folder of the module that is tested.
func locate() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("contract: no go.mod above the working directory: %w", os.ErrNotExist)
		}
		dir = up
	}
	file := filepath.Join(dir, filepath.FromSlash(description))
	_, err = os.Stat(file)
	return file, err
}

// described is load, once in a process: the description takes half a second to read,
// is not changed by being used, and may be used by several goroutines at once.
func described(file string) (routers.Router, error) {
	once, _ := descriptions.LoadOrStore(file, sync.OnceValues(func() (routers.Router, error) { return load(file) }))
	return once.(func() (routers.Router, error))()
}

// descriptions has what described read, by file.
var descriptions sync.Map

func load(file string) (routers.Router, error) {
	doc, err := openapi3.NewLoader().LoadFromFile(file)
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	doc.Servers = nil // match any host: a simulated Graph has another one
	return gorillamux.NewRouter(doc)
}

// message is one request with its answer.
type message struct {
	method string
	url    *url.URL
	header http.Header
	body   []byte

	status       int
	answerHeader http.Header
	answer       []byte
}

// check validates one message. strict reports a faulty request even when it was
// refused, which is right for a client and wrong for a server.
func (c *Checker) check(m message, strict bool) {
	rel, ok := relative(m.url.EscapedPath())
	if c.router == nil || !ok {
		return
	}
	if strings.EqualFold(rel, "/$batch") {
		c.checkBatch(m, strict)
		return
	}
	path := normalise(rel)
	if undescribed(m.method, path) {
		return
	}
	req := m.request(path)
	route, params, err := c.router.FindRoute(req)
	if errors.Is(err, routers.ErrPathNotFound) {
		c.report("contract: %s %s: neither described nor listed among the paths that are known to be missing", m.method, path)
		return
	}
	if err != nil { // the path is there, the method is not
		if strict || m.status < 400 {
			c.report("contract: %s %s: %v", m.method, path, err)
		}
		return
	}
	c.covered.Add(1)
	in := &openapi3filter.RequestValidationInput{
		Request: req, PathParams: params, Route: route, Options: options(),
	}
	if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil && (strict || m.status < 400) {
		c.report("contract: %s %s answered %d: request: %s", m.method, path, m.status, reason(err))
	}
	c.checkAnswer(m, path, in)
}

func (c *Checker) checkAnswer(m message, path string, in *openapi3filter.RequestValidationInput) {
	if m.status >= 500 && !isJSON(m.answerHeader) {
		return // a gateway in front of Graph, which speaks HTML or nothing
	}
	if m.status == http.StatusNotModified || m.status == http.StatusFound {
		return
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: m.status, Header: plain(m.answerHeader), Options: options(),
	}
	out.SetBodyBytes(strip(m.answer))
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		c.report("contract: %s %s answered %d: answer: %s", m.method, path, m.status, reason(err))
	}
}

// batch is the part of both envelopes that is needed here.
type batch struct {
	Requests []struct {
		ID      string            `json:"id"`
		Method  string            `json:"method"`
		URL     string            `json:"url"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	} `json:"requests"`
	Responses []struct {
		ID      string            `json:"id"`
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	} `json:"responses"`
}

// checkBatch validates the envelope by hand (the description lacks it) and each
// item as a message of its own.
func (c *Checker) checkBatch(m message, strict bool) {
	var sent, got batch
	if err := json.Unmarshal(m.body, &sent); err != nil {
		if strict || m.status < 400 {
			c.report("contract: $batch answered %d: the request is not a batch", m.status)
		}
		return
	}
	if m.status != http.StatusOK {
		return
	}
	if err := json.Unmarshal(m.answer, &got); err != nil {
		c.report("contract: $batch: the answer is not a batch")
		return
	}
	if len(sent.Requests) > 20 || len(got.Responses) != len(sent.Requests) {
		c.report("contract: $batch: %d requests were answered by %d responses", len(sent.Requests), len(got.Responses))
	}
	for _, r := range got.Responses {
		found := false
		for _, q := range sent.Requests {
			if q.ID != r.ID {
				continue
			}
			found = true
			if u, err := url.Parse("/v1.0/" + strings.TrimPrefix(q.URL, "/")); err == nil {
				c.check(message{
					method: q.Method, url: u, header: header(q.Headers), body: q.Body,
					status: r.Status, answerHeader: header(r.Headers), answer: plainBody(r.Headers, r.Body),
				}, strict)
			}
		}
		if !found {
			c.report("contract: $batch: response %q has no request", r.ID)
		}
	}
}

// plainBody is the body of an item's answer: one that is no JSON is in base64 in a
// batch.
func plainBody(headers map[string]string, body json.RawMessage) []byte {
	var text []byte
	if isJSON(header(headers)) || json.Unmarshal(body, &text) != nil {
		return body
	}
	return text
}

func header(m map[string]string) http.Header {
	h := http.Header{}
	for k, v := range m {
		h.Set(k, v)
	}
	return h
}

func options() *openapi3filter.Options {
	o := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}
	o.WithCustomSchemaErrorFunc(func(e *openapi3.SchemaError) string {
		return fmt.Sprintf("at /%s: %s", strings.Join(e.JSONPointer(), "/"), e.Reason)
	})
	return o
}

// reason renders an error without the values that were found.
func reason(err error) string {
	text := err.Error()
	if i := strings.Index(text, "\nValue:"); i >= 0 {
		text = text[:i]
	}
	return strings.TrimSpace(text)
}
