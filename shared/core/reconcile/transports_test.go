package reconcile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"bindery/shared/directory"
)

// onBatch does something right before the first batch of writes is answered.
type onBatch struct {
	next http.RoundTripper
	do   func()
	once sync.Once
}

// writes reports whether a request is a batch that creates accounts.
func writes(r *http.Request) bool {
	if !strings.HasSuffix(r.URL.Path, "/$batch") || r.Body == nil {
		return false
	}
	raw, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(raw))
	return err == nil && bytes.Contains(raw, []byte(`"method":"POST"`))
}

func (o *onBatch) RoundTrip(r *http.Request) (*http.Response, error) {
	if writes(r) {
		o.once.Do(o.do)
	}
	return o.next.RoundTrip(r)
}

// freezer stops a worker whose first requests that write are about to leave, all of
// them: the lease runs out, another worker does the work, and then the frozen one
// goes on.
type freezer struct {
	next http.RoundTripper
	w    *world
	once sync.Once
	err  error
	held atomic.Int32 // requests that were about to leave
}

func (f *freezer) RoundTrip(r *http.Request) (*http.Response, error) {
	if !writes(r) {
		return f.next.RoundTrip(r)
	}
	f.once.Do(f.freeze)
	if f.err != nil {
		return nil, f.err
	}
	// The frozen request wakes after its deadline, which lies before the end of
	// its lease: the client gives it up.
	if deadline, ok := r.Context().Deadline(); ok && !f.w.now().Before(deadline) {
		f.held.Add(1)
		return nil, errors.New("context deadline exceeded")
	}
	return f.next.RoundTrip(r)
}

func (f *freezer) freeze() {
	f.w.skew.Add(LeaseTTL + time.Second)
	other := *f.w.port
	other.rt = f.next
	engine := New(Config{Stores: StoresOf(f.w.store), Now: f.w.now, SecondLook: -1, Send: f.w.engine.config.Send, flow: f.w.engine.config.flow,
		Open: func(context.Context, *directory.Connection) (Tenant, error) { return &other, nil }})
	_, f.err = engine.Slice(f.w.Context(), directory.WakeUp{ConnectionID: f.w.conn.ID}, time.Time{})
}

// exclusive counts how many workers have batches that write under way at once.
type exclusive struct {
	mu   sync.Mutex
	open map[int]int // by worker
	most int
}

func (e *exclusive) send(worker int, next http.RoundTripper, r *http.Request) (*http.Response, error) {
	if writes(r) {
		e.count(worker, 1)
		defer e.count(worker, -1)
		time.Sleep(time.Millisecond)
	}
	return next.RoundTrip(r)
}

func (e *exclusive) count(worker, n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open[worker] += n
	if e.open[worker] == 0 {
		delete(e.open, worker)
	}
	e.most = max(e.most, len(e.open))
}

// afterEpoch counts batches that are begun, and those after a deactivation. From the third
// on they wait until that has begun: without it quick workers are done before it.
type afterEpoch struct {
	next         http.RoundTripper
	third        chan struct{} // closed when it is begun
	begins       chan struct{} // closed when the deactivation begins
	passed       atomic.Bool
	begun, after atomic.Int32
}

func (a *afterEpoch) RoundTrip(r *http.Request) (*http.Response, error) {
	if writes(r) {
		n := a.begun.Add(1)
		if a.passed.Load() {
			a.after.Add(1)
		}
		if n == 3 {
			close(a.third)
		}
		if n >= 3 {
			<-a.begins
		}
		time.Sleep(2 * time.Millisecond)
	}
	return a.next.RoundTrip(r)
}
