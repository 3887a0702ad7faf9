package entra

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	abs "github.com/microsoft/kiota-abstractions-go"
	khttp "github.com/microsoft/kiota-http-go"

	"bindery/shared/directory"
)

const (
	userAgent = "Bindery/" + directory.Version + " (+directory sync)"
	// requestTime bounds one request; a caller's earlier deadline wins.
	requestTime = 45 * time.Second
	// maxAnswer bounds an answer's size after unpacking: a page of 999 accounts
	// with hundreds of addresses each stays far below.
	maxAnswer = 64 << 20
	// maxRefusal bounds what is read of an error's body.
	maxRefusal = 1 << 20
)

// Priorities of requests: what is shed first when a tenant is throttled.
const (
	priorityLow  = "low"  // scheduled
	priorityHigh = "high" // somebody waits, or access is being taken away
)

// call is the state of one call of a Tenant's method. The context carries it through
// the SDK, which hands its authorizer and its middleware nothing else of ours.
type call struct {
	tokens   TokenSource
	priority string
	token    directory.Secret // the last one that was sent
	sent     bool             // a request has left that may have taken effect
	most     int64            // how large an answer may be; 0: maxAnswer
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	call, _ := ctx.Value(callKey{}).(*call)
	return call
}

// begin starts a call. The caller must call cancel.
func (t *Tenant) begin(ctx context.Context, priority string) (context.Context, *call, context.CancelFunc) {
	call := &call{tokens: t.tokens, priority: priority}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	return context.WithValue(ctx, callKey{}, call), call, cancel
}

// request is one raw request.
type request struct {
	method abs.HttpMethod
	url    *url.URL
	header map[string]string
	body   []byte
}

// send sends a request and returns the body of a 2xx answer.
func (g *Graph) send(ctx context.Context, r request) ([]byte, error) {
	info := abs.NewRequestInformation()
	info.Method = r.method
	info.SetUri(*r.url)
	if r.header["Accept"] == "" {
		info.Headers.Add("Accept", "application/json")
	}
	for k, v := range r.header {
		info.Headers.Add(k, v)
	}
	if r.body != nil {
		info.SetStreamContentAndContentType(r.body, "application/json")
	}
	return g.sendInfo(ctx, info)
}

// sendInfo sends a request as the SDK has it and returns the body of a 2xx answer.
func (g *Graph) sendInfo(ctx context.Context, info *abs.RequestInformation) ([]byte, error) {
	answer, err := g.adapter.SendPrimitive(ctx, info, "[]byte", nil)
	if err != nil {
		return nil, err
	}
	body, _ := answer.([]byte)
	return body, nil
}

// tokenError is a failure to get a token, in the source's own words.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return "access token: " + e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }

// authorizer attaches the access token, and only below the base address. It is
// stricter than the SDK's list of valid hosts, which knows neither ports nor
// versions and leaves the token out silently.
type authorizer struct{ graph *Graph }

// AuthenticateRequest implements the SDK's AuthenticationProvider.
func (a authorizer) AuthenticateRequest(ctx context.Context, r *abs.RequestInformation, _ map[string]any) error {
	u, err := r.GetUri()
	if err != nil {
		return fmt.Errorf("entra: %w", err)
	}
	if !a.graph.own(u) {
		return fmt.Errorf("%w: %q is not below %s", directory.ErrForeignLink, u.Hostname(), a.graph.base)
	}
	call := callOf(ctx)
	if call.token.IsZero() {
		if call.token, err = call.tokens.Token(ctx); err != nil {
			return &tokenError{err}
		}
	}
	r.Headers.Remove("Authorization")
	r.Headers.Add("Authorization", "Bearer "+call.token.Reveal())
	return nil
}

// courier is the one middleware.
type courier struct{ graph *Graph }

// Intercept sends a request, again after a 401 with a renewed token, and
// turns every answer from 300 on into a *refusal. A 401 proves that nothing was
// done, so that even a POST may be repeated after it.
func (c courier) Intercept(p khttp.Pipeline, index int, req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	call := callOf(ctx)
	if deletes(req) {
		return nil, fmt.Errorf("%w: a DELETE outside of a batch", directory.ErrNotSent)
	}
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	for renewals := 0; ; renewals++ {
		if late(ctx) {
			call.sent = false
			return nil, errLate
		}
		begun := c.graph.now()
		out := c.dress(req, call, body)
		call.sent = true
		resp, err := p.Next(out, index)
		if err != nil {
			call.sent = !neverLeft(err)
			return nil, err
		}
		c.graph.log.Debug("graph", "method", req.Method, "status", resp.StatusCode,
			"requestId", resp.Header.Get("request-id"), "ms", c.graph.now().Sub(begun).Milliseconds())
		if err := unpack(resp, call.most); err != nil {
			return nil, err
		}
		if resp.StatusCode < 300 {
			if !strings.HasSuffix(req.URL.Path, batchPath) { // whose items tell
				call.accepted(ctx)
			}
			return resp, nil
		}
		r, err := c.refused(req.URL, resp)
		if err != nil {
			return nil, err
		}
		if r.status == http.StatusUnauthorized {
			call.sent = false
			if _, accounts := call.tokens.(accountant); renewals == 0 || renewals == 1 && accounts {
				// A source that keeps account says at the second refusal what it means.
				if err := call.renew(ctx); err != nil {
					return nil, err
				}
				continue
			}
		}
		return nil, r
	}
}

// accepted tells the source of the tokens that Graph has taken the last one.
func (call *call) accepted(ctx context.Context) {
	if a, ok := call.tokens.(accountant); ok {
		a.Accepted(ctx, call.token)
	}
}

// renew asks for another token than the one that was refused.
func (call *call) renew(ctx context.Context) error {
	token, err := call.tokens.Renew(ctx, call.token)
	if err != nil {
		return &tokenError{err}
	}
	call.token = token
	return nil
}

// errLate says that the time of a request was over before all of it had left.
var errLate = fmt.Errorf("the time of the request was over before it left: %w", context.DeadlineExceeded)

// late reports whether the time of a request is over, by the time of day: the
// monotonic clock of a frozen machine may stand still, and a context's timer with it.
func late(ctx context.Context) bool {
	until, bounded := ctx.Deadline()
	return bounded && !time.Now().Round(0).Before(until)
}

// timely is a request's body, as it is written to the connection. None of it is handed
// out when the request's time is over: what waited for a connection, or for its turn
// on one, longer than that is not sent. Nobody acts on a part of a body.
type timely struct {
	ctx  context.Context
	body *bytes.Reader
}

// Read implements io.Reader.
func (t timely) Read(p []byte) (int, error) {
	if t.body.Len() > 0 && late(t.ctx) {
		return 0, errLate
	}
	return t.body.Read(p)
}

// Close implements io.Closer.
func (timely) Close() error { return nil }

// dress makes the request that leaves. Its body can be taken from the start
// again, so that net/http may use another connection when the idle one turns out
// to be dead before a byte was written.
func (c courier) dress(req *http.Request, call *call, body []byte) *http.Request {
	out := req.Clone(req.Context())
	out.Header.Set("Authorization", "Bearer "+call.token.Reveal())
	out.Header.Set("User-Agent", userAgent)
	out.Header.Set("Accept-Encoding", "gzip")
	out.Header.Set("client-request-id", uuid.NewString())
	out.Header.Set("return-client-request-id", "true")
	out.Header.Set("x-ms-throttle-priority", call.priority)
	out.Body = nil
	out.GetBody = nil
	out.ContentLength = 0
	if body != nil {
		out.ContentLength = int64(len(body))
		out.GetBody = func() (io.ReadCloser, error) { return timely{req.Context(), bytes.NewReader(body)}, nil }
		out.Body = timely{req.Context(), bytes.NewReader(body)}
	}
	return out
}

// neverLeft reports whether a failed request cannot have reached the service.
func neverLeft(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &dns) || errors.Is(err, errLate)
}

// unpack undoes gzip, whatever the transport, and bounds the body, by maxAnswer
// when most is 0.
func unpack(resp *http.Response, most int64) error {
	if most == 0 {
		most = maxAnswer
	}
	inner := resp.Body
	var in io.Reader = inner
	if strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		z, err := gzip.NewReader(inner)
		if err != nil {
			return errors.Join(fmt.Errorf("unpack the answer: %w", err), inner.Close())
		}
		in = z
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		resp.ContentLength = -1
		resp.Uncompressed = true
	}
	resp.Body = &bounded{in: in, left: most, close: inner.Close}
	return nil
}

// errTooLarge says that an answer is larger than it may be.
var errTooLarge = errors.New("the answer is too large")

// bounded is a body that fails, rather than ends, past its limit.
type bounded struct {
	in    io.Reader
	left  int64
	close func() error
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.in.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

func (b *bounded) Close() error { return b.close() }

// refusal is an answer from status 300 on.
type refusal struct {
	status  int
	header  http.Header
	body    []byte
	foreign bool // a redirect to somewhere else
}

func (r *refusal) Error() string { return "graph answered " + strconv.Itoa(r.status) }

func (c courier) refused(asked *url.URL, resp *http.Response) (*refusal, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	err = errors.Join(err, resp.Body.Close())
	r := &refusal{status: resp.StatusCode, header: resp.Header, body: body}
	if err != nil && resp.StatusCode < 400 {
		return nil, err
	}
	if location := resp.Header.Get("Location"); location != "" && resp.StatusCode < 400 {
		u, err := asked.Parse(location)
		r.foreign = err != nil || !c.graph.own(u)
	}
	return r, nil
}

// explain turns a failed read into an error of package directory. linked says
// that the request followed a link.
func (g *Graph) explain(ctx context.Context, err error, linked bool) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // its text holds the whole address, with names in it
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		return g.explainRefusal(r, asked{act: actRead}, linked)
	}
	if e, ok := errors.AsType[*tokenError](err); ok {
		return e
	}
	if errors.Is(err, directory.ErrForeignLink) {
		return err
	}
	if p, ok := errors.AsType[*directory.Problem](err); ok && p.Code == directory.CodePagingLoop {
		return looping(p)
	}
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%w: %w", directory.ErrUnavailable, cause)
	}
	return fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
}

func (g *Graph) explainRefusal(r *refusal, q asked, linked bool) error {
	v := classify(r.status, r.header, r.body, q)
	wait, asked := retryAfter(r.header, g.now())
	switch {
	case r.status < 400:
		kind := directory.ErrUnavailable
		if r.foreign {
			kind = directory.ErrForeignLink
		}
		return fmt.Errorf("%w: graph answered with a redirect, %d", kind, r.status)
	case r.status == http.StatusUnauthorized:
		return fmt.Errorf("%w: %w", directory.ErrUnauthorized, v.problem)
	case v.throttled:
		return fmt.Errorf("%w: %w", &directory.ThrottledError{RetryAfter: wait, Scope: throttleScope(r.header)}, v.problem)
	case v.expired && linked:
		return fmt.Errorf("%w: %w", directory.ErrResync, v.problem)
	case v.expired:
		// Without a link there is none to drop: asking again at once would be a loop.
		return fmt.Errorf("%w: %w", directory.ErrUnavailable, v.problem)
	case v.unknown && asked:
		return fmt.Errorf("%w: %w: %w", directory.ErrUnavailable, &directory.ThrottledError{RetryAfter: wait, Scope: throttleScope(r.header)}, v.problem)
	case v.unknown, v.retry:
		return fmt.Errorf("%w: %w", directory.ErrUnavailable, v.problem)
	}
	return v.problem
}
