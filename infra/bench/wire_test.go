package bench

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"bindery/shared/clock"
)

// wire is the way to Microsoft: it takes time, it counts, and it fails for
// invocations that are dead.
type wire struct {
	next http.RoundTripper
	trip time.Duration
	to   *ledger

	assigning, most, assigned atomic.Int64 // calls about licences: under way, at most, in all
}

// RoundTrip lets half of the trip pass on each way.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	before, after := fateOf(ctx).step()
	if before != nil {
		return nil, before
	}
	defer w.assign(r)()
	if err := clock.Sleep(ctx, w.trip/2); err != nil {
		return nil, err
	}
	resp, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if err := w.count(r, resp); err != nil {
		return nil, err
	}
	if err := clock.Sleep(ctx, w.trip/2); err != nil {
		return nil, err
	}
	if after != nil {
		return nil, after
	}
	return resp, nil
}

// assign counts the calls about licences of a request. Microsoft takes one at a time in a
// tenant (GG 9.3), of which there is one where this is looked at.
func (w *wire) assign(r *http.Request) (done func()) {
	n := int64(0)
	switch {
	case strings.HasSuffix(r.URL.Path, "/assignLicense"):
		n = 1
	case strings.HasSuffix(r.URL.Path, "/$batch") && r.GetBody != nil:
		if body, err := r.GetBody(); err == nil {
			raw, err := io.ReadAll(body)
			if err == nil {
				n = int64(bytes.Count(raw, []byte("/assignLicense")))
			}
		}
	}
	w.assigned.Add(n)
	now := w.assigning.Add(n)
	for most := w.most.Load(); now > most && !w.most.CompareAndSwap(most, now); most = w.most.Load() {
	}
	return func() { w.assigning.Add(-n) }
}

// count adds an answer to the ledger. Requests that are not Graph's, for tokens,
// are left out.
func (w *wire) count(r *http.Request, resp *http.Response) error {
	if !strings.HasPrefix(r.URL.Path, "/v1.0/") {
		return nil
	}
	if !strings.HasSuffix(r.URL.Path, "/$batch") || resp.StatusCode != http.StatusOK {
		w.to.add(func(u *usage) { u.Requests++; u.item(r.Method, resp.StatusCode, resp.Header.Get("x-ms-resource-unit")) })
		return nil
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	resp.Body = io.NopCloser(bytes.NewReader(raw))
	var answer struct {
		Responses []struct {
			Status  int               `json:"status"`
			Headers map[string]string `json:"headers"`
		} `json:"responses"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return err
	}
	method := http.MethodGet
	if bytes.Contains(raw, []byte(`"x-ms-resource-unit"`)) && writes(r) {
		method = http.MethodPost
	}
	w.to.add(func(u *usage) {
		u.Requests++
		for _, a := range answer.Responses {
			units := ""
			for k, v := range a.Headers {
				if strings.EqualFold(k, "x-ms-resource-unit") {
					units = v
				}
			}
			u.item(method, a.Status, units)
		}
	})
	return nil
}

// writes tells whether a batch changes something. The engine's batches hold
// reads or writes, never both.
func writes(r *http.Request) bool {
	if r.GetBody == nil {
		return false
	}
	body, err := r.GetBody()
	if err != nil {
		return false
	}
	defer body.Close()
	head := make([]byte, 200)
	n, err := io.ReadFull(body, head)
	if err != nil && n == 0 {
		return false
	}
	return !bytes.Contains(head[:n], []byte(`"method":"GET"`))
}

func (u *usage) item(method string, status int, units string) {
	u.Items++
	if n, err := strconv.ParseFloat(units, 64); err == nil {
		u.Units += n
	}
	switch {
	case status == http.StatusTooManyRequests:
		u.Throttled++
	case method != http.MethodGet && status < 300:
		u.Changes++
	}
}
