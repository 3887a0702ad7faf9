package crashtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/platform/vault"
)

// wiredVault is the vault as a process reaches it.
type wiredVault struct {
	next *vault.Memory
	line *line
}

func (v wiredVault) Get(ctx context.Context, name string) (value directory.Secret, err error) {
	err = v.line.through(Vault, "Get", directory.ErrBusy, func() (err error) {
		value, err = v.next.Get(ctx, name)
		return err
	})
	return value, err
}

func (v wiredVault) Create(ctx context.Context, name string, value directory.Secret) error {
	return v.line.through(Vault, "Create", directory.ErrBusy, func() error { return v.next.Create(ctx, name, value) })
}

func (v wiredVault) Put(ctx context.Context, name string, value directory.Secret) error {
	return v.line.through(Vault, "Put", directory.ErrBusy, func() error { return v.next.Put(ctx, name, value) })
}

func (v wiredVault) Delete(ctx context.Context, name string) error {
	return v.line.through(Vault, "Delete", directory.ErrBusy, func() error { return v.next.Delete(ctx, name) })
}

// wiredQueue is the queue as a process reaches it.
type wiredQueue struct {
	next *mailbox
	line *line
}

func (q wiredQueue) Send(_ context.Context, w directory.WakeUp, delay time.Duration) error {
	return q.line.through(Queue, "Send", directory.ErrBusy, func() error { q.next.put(toSync, w, delay); return nil })
}

func (q wiredQueue) SendAll(_ context.Context, list []directory.WakeUp) error {
	return q.line.through(Queue, "SendAll", directory.ErrBusy, func() error {
		for _, w := range list {
			q.next.put(toSync, w, 0)
		}
		return nil
	})
}

func (q wiredQueue) SendLoad(_ context.Context, w directory.WakeUp, delay time.Duration) error {
	return q.line.through(Queue, "SendLoad", directory.ErrBusy, func() error { q.next.put(toLoad, w, delay); return nil })
}

func (q wiredQueue) SendSweep(_ context.Context, w directory.WakeUp, delay time.Duration) error {
	return q.line.through(Queue, "SendSweep", directory.ErrBusy, func() error { q.next.put(toDeactivate, w, delay); return nil })
}

// wire is Microsoft as a process reaches it.
type wire struct {
	next  http.RoundTripper
	line  *line
	audit *auditor
}

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	place, what := Login, r.URL.Path
	if path, ok := strings.CutPrefix(r.URL.Path, "/v1.0"); ok {
		place, what = Graph, r.Method+" "+path
		if strings.EqualFold(path, "/$batch") {
			place = Batch
		}
	}
	mode, err := w.line.enter(place, what)
	if err != nil {
		return nil, err
	}
	switch mode {
	case Lost:
		return answer(r, http.StatusServiceUnavailable, "", `{"error":{"code":"serviceNotAvailable","message":"try later"}}`), nil
	case Throttled:
		return answer(r, http.StatusTooManyRequests, "2", `{"error":{"code":"TooManyRequests","message":"Please retry again later."}}`), nil
	case ItemsThrottled:
		return w.everyOther(r)
	}
	if place == Batch {
		if err := w.audit.look(r); err != nil {
			return nil, err
		}
	}
	resp, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	switch mode {
	case KillAfter:
		return nil, discard(resp, errDead)
	case Late:
		return nil, discard(resp, errUnknown)
	case ItemsLate:
		return w.spoilt(r, resp)
	}
	return resp, nil
}

func discard(resp *http.Response, err error) error {
	resp.Body.Close()
	return err
}

func answer(r *http.Request, status int, retryAfter, body string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	if retryAfter != "" {
		h.Set("Retry-After", retryAfter)
	}
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}

// item is one answer of a batch.
type item struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
}

type items struct {
	Responses []item `json:"responses"`
}

func refused(id json.RawMessage, status int, code string) item {
	it := item{Status: status, Headers: map[string]string{"Content-Type": "application/json"}}
	if json.Unmarshal(id, &it.ID) != nil {
		it.ID = string(id)
	}
	if status == http.StatusTooManyRequests {
		it.Headers["Retry-After"] = "2"
	}
	it.Body = json.RawMessage(fmt.Sprintf(`{"error":{"code":%q,"message":"try later"}}`, code))
	return it
}

// everyOther sends every other item of a batch and throttles the rest.
func (w wire) everyOther(r *http.Request) (*http.Response, error) {
	var batch struct {
		Requests []map[string]json.RawMessage `json:"requests"`
	}
	if err := json.NewDecoder(r.Body).Decode(&batch); err != nil {
		return nil, err
	}
	var kept []map[string]json.RawMessage
	var all items
	for i, it := range batch.Requests {
		if i%2 == 1 {
			kept = append(kept, it)
		} else {
			all.Responses = append(all.Responses, refused(it["id"], http.StatusTooManyRequests, "TooManyRequests"))
		}
	}
	if len(kept) > 0 {
		raw, err := json.Marshal(map[string]any{"requests": kept})
		if err != nil {
			return nil, err
		}
		sent := r.Clone(r.Context())
		sent.Body, sent.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
		resp, err := w.next.RoundTrip(sent)
		if err != nil {
			return nil, err
		}
		var got items
		err = json.NewDecoder(resp.Body).Decode(&got)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("the batch answered %d: %w", resp.StatusCode, err)
		}
		all.Responses = append(all.Responses, got.Responses...)
	}
	raw, err := json.Marshal(all)
	return answer(r, http.StatusOK, "", string(raw)), err
}

// spoilt answers 503 for every item of a batch that took effect.
func (w wire) spoilt(r *http.Request, resp *http.Response) (*http.Response, error) {
	defer resp.Body.Close()
	var got struct {
		Responses []struct {
			ID json.RawMessage `json:"id"`
		} `json:"responses"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		return nil, err
	}
	var all items
	for _, it := range got.Responses {
		all.Responses = append(all.Responses, refused(it.ID, http.StatusServiceUnavailable, "serviceNotAvailable"))
	}
	raw, err := json.Marshal(all)
	return answer(r, http.StatusOK, "", string(raw)), err
}
