package crashtest

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"bindery/infra/stack"
	"bindery/shared/boot/app"
	"bindery/shared/directory"
)

// licenceWatch has licence calls take a while, and counts how many are on their way at a
// time.
type licenceWatch struct {
	next http.RoundTripper

	mu        sync.Mutex
	now, most int
	all       int
}

func (l *licenceWatch) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return l.next.RoundTrip(r)
	}
	raw, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	n := bytes.Count(raw, []byte("assignLicense"))
	l.count(n)
	if n > 0 {
		time.Sleep(300 * time.Millisecond)
	}
	resp, err := l.next.RoundTrip(r)
	l.count(-n)
	return resp, err
}

func (l *licenceWatch) count(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now += n
	l.most = max(l.most, l.now)
	l.all += max(0, n)
}

// delays are how long calls take: some time each, and now and then, where something is
// frozen, much longer than a lease lasts.
type delays struct {
	mu    sync.Mutex
	dice  *rand.Rand
	every int // of so many calls one is frozen; 0: none
	until time.Time
	froze int
}

func (d *delays) of(c Call) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.every > 0 && time.Now().Before(d.until) && d.dice.IntN(d.every) == 0 {
		d.froze++
		return 100 * time.Second
	}
	if c.Place == Batch || c.Place == Graph {
		return time.Duration(d.dice.IntN(400)) * time.Millisecond
	}
	return time.Duration(d.dice.IntN(5)) * time.Millisecond
}

// beside has two processes work beside each other while edits come, and holds the end.
func beside(t *testing.T, frozen int) {
	calls, froze := 0, 0
	var mu sync.Mutex
	t.Run("seeds", func(t *testing.T) {
		wildly(t, 8, func(w *wildWorld, _ func() *wildWorld) {
			d := &delays{dice: rand.New(rand.NewPCG(w.dice.Uint64(), 5)), every: frozen, until: time.Now().Add(20 * time.Minute)}
			w.line.delay = d.of
			wired := w.microsoft.Transport.(wire)
			watch := &licenceWatch{next: wired.next}
			wired.next = watch
			w.microsoft.Transport = wired
			w.start()
			var both sync.WaitGroup
			stop := time.Now().Add(20 * time.Minute)
			for n := range 2 {
				core := w.core
				if n == 1 {
					core = w.process(stack.Drivers{Table: wiredTable{w.table, w.line}, Vault: wiredVault{w.vault, w.line}, Queue: wiredQueue{w.mail, w.line}})
				}
				both.Go(func() {
					for time.Now().Before(stop) {
						work(w.ctx, core, w.conn)
						time.Sleep(time.Duration(1+n) * time.Second)
					}
				})
			}
			for time.Now().Add(6 * time.Minute).Before(stop) {
				e := w.edit()
				w.t.Log(e.what)
				w.must(e.do(w))
				time.Sleep(time.Duration(w.dice.IntN(40)) * time.Second)
			}
			both.Wait()
			w.line.delay = nil
			w.nextTick = time.Now()
			w.settle()
			w.holds()
			w.onlyOurs()
			w.madeOnce()
			w.counted()
			w.plansNothing()
			if watch.most > 1 {
				w.t.Errorf("%d licence calls were on their way at a time", watch.most)
			}
			if w.t.Failed() {
				w.t.Log(w.history(w.opened))
			}
			mu.Lock()
			defer mu.Unlock()
			calls, froze = calls+watch.all, froze+d.froze
		})
	})
	if calls < 8 || frozen > 0 && froze < 8 {
		t.Errorf("only %d licence calls, %d frozen calls", calls, froze)
	}
}

// work is a message that wakes a process; whatever comes of it, another one comes.
func work(ctx context.Context, c *app.Core, id directory.ConnectionID) {
	ctx, cancel := context.WithTimeout(ctx, stack.FunctionTime)
	defer cancel()
	_ = c.Work(ctx, directory.WakeUp{ConnectionID: id}.Encode())
}

// madeOnce demands that no group was made twice, and that what was written has changes.
func (w *wildWorld) madeOnce() {
	w.t.Helper()
	made := map[string]int{}
	for _, m := range w.Sim.Mutations(simTenant) {
		if m.Target == "group" && m.Kind == "create" {
			made[text(m.After["uniqueName"])]++
		}
	}
	for name, n := range made {
		if n > 1 {
			w.t.Errorf("the group %s was made %d times", name, n)
		}
	}
}

// TestTwoWorkers: two processes that work on one connection write nothing twice, and send
// one licence call at a time.
func TestTwoWorkers(t *testing.T) { beside(t, 0) }

// TestFrozenWorkers: so it is where now and then one of them sleeps, for longer than its
// lease lasts, and wakes up in the middle of what it was about to do.
func TestFrozenWorkers(t *testing.T) { beside(t, 150) }
