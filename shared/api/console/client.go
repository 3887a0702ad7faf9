package console

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"bindery/shared/directory"
)

// pageTime is how long the reads of one page may take, and one act.
const pageTime = 10 * time.Second

// maxAnswer is how much of an answer of /v1 is read; its own answers are smaller.
const maxAnswer = 8 << 20

// problem is why /v1 did not do what it was asked: its answer after RFC 9457, or that
// there is none.
type problem struct {
	Status        int                    `json:"status"`
	Code          string                 `json:"code"`
	Detail        string                 `json:"detail"`
	NextStep      string                 `json:"nextStep"`
	Errors        []directory.FieldError `json:"errors"`
	MicrosoftCode string                 `json:"microsoftCode"`
	Incident      string                 `json:"incident"`

	retryAfter time.Duration // after which the API may be asked again; 0: it did not say

	requestID string       // of the request to /v1
	late      bool         // no answer came in time, or none at all
	local     bool         // what is wrong with fields is told in the page's language
	spots     map[int]spot // of Errors, where a page has a field for them
}

func (p *problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Code, p.Detail) }

// pause is how long to wait before the API is asked again.
func (p *problem) pause() time.Duration { return cmp.Or(p.retryAfter, 5*time.Second) }

// asProblem is the problem that an error is, if it is one.
func asProblem(err error) (*problem, bool) { return errors.AsType[*problem](err) }

// is reports whether an error is a problem with a status.
func is(err error, status int) bool {
	p, ok := errors.AsType[*problem](err)
	return ok && p.Status == status
}

// errUnchanged says that /v1 has nothing newer than what If-None-Match named.
var errUnchanged = errors.New("console: unchanged")

// call sends a request to /v1 with the session's token, and reads the answer into
// out, unless that is nil. The page shows what it read as calls.
func (v *visit) call(ctx context.Context, method, path string, body, out any, headers ...string) (http.Header, error) {
	if method == http.MethodGet {
		v.calls.read(path)
	}
	return v.send(ctx, method, path, body, out, headers...)
}

// send is call for what the page does not tell of.
func (v *visit) send(ctx context.Context, method, path string, body, out any, headers ...string) (http.Header, error) {
	var payload io.Reader
	kind := "application/json"
	if file, is := body.(raw); is {
		payload, kind = bytes.NewReader(file), file.kind()
	} else if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		payload = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, v.c.cfg.APIURL+path, payload)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+v.bearer.Reveal())
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := v.c.api.Do(req)
	if err != nil {
		if !errors.Is(ctx.Err(), context.Canceled) { // else nobody waits for it any more: the page was made without it, or the browser is gone
			v.c.cfg.Log.WarnContext(v.ctx, "console: no answer of the API", "method", method, "error", plainError(err))
		}
		return nil, &problem{Status: http.StatusGatewayTimeout, late: true}
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, &problem{Status: http.StatusGatewayTimeout, late: true}
	}
	if res.StatusCode == http.StatusNotModified {
		return res.Header, errUnchanged
	}
	id := res.Header.Get("Apigw-Requestid")
	if res.StatusCode >= 400 {
		p := &problem{}
		_ = json.Unmarshal(data, p) // API Gateway's own answers are of another form
		p.Status, p.requestID = res.StatusCode, id
		if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
			p.retryAfter = min(time.Duration(seconds)*time.Second, time.Hour)
		}
		return nil, p
	}
	if text, wanted := out.(*string); wanted {
		*text = string(data)
		return res.Header, nil
	}
	if out != nil && len(data) > 0 {
		if err := json.Unmarshal(data, out); err != nil {
			return nil, &problem{Status: http.StatusBadGateway, Code: directory.CodeInternal, Detail: "The answer of " + strconv.Quote(method) + " cannot be read.", requestID: id}
		}
	}
	return res.Header, nil
}

// plainError is an error of a request without its address, which may name people.
func plainError(err error) string {
	var inner interface{ Unwrap() error }
	if errors.As(err, &inner) && inner.Unwrap() != nil {
		return inner.Unwrap().Error()
	}
	return err.Error()
}

// later is an answer of /v1 that is on its way.
type later[T any] struct{ done chan result[T] }

type result[T any] struct {
	value T
	tag   string // its ETag
	err   error
}

// ask reads something of /v1 beside the others of its page.
func ask[T any](v *visit, path string) later[T] {
	l := later[T]{make(chan result[T], 1)}
	v.calls.read(path) // here, so that the page tells of its calls in one order
	go func() {
		var out T
		header, err := v.send(v.ctx, http.MethodGet, path, nil, &out)
		l.done <- result[T]{out, header.Get("ETag"), err}
	}()
	return l
}

// get waits for the answer. It is to be called once.
func (l later[T]) get() (T, error) {
	r := <-l.done
	return r.value, r.err
}

// look waits for the answer, and leaves it for get.
func (l later[T]) look() (T, error) {
	r := <-l.done
	l.done <- r
	return r.value, r.err
}

// tagged is get, with the answer's ETag.
func (l later[T]) tagged() (T, string, error) {
	r := <-l.done
	return r.value, r.tag, r.err
}

// calls are the calls of /v1 that a page tells of: those that it names itself, or else
// those that it read.
type calls struct {
	mu    sync.Mutex
	named []string // "GET /v1/…", in the order of the page
	reads []string
}

func (c *calls) read(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads = append(c.reads, http.MethodGet+" "+path)
}

func (c *calls) name(method, path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.named = append(c.named, method+" "+path)
}

// list has each call once. Reads are made beside each other, so they come by their address.
func (c *calls) list() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := slices.Clone(c.named)
	if len(list) == 0 {
		list = slices.Sorted(slices.Values(c.reads))
	}
	return slices.Compact(list)
}

// page is one page of a list of /v1.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}
