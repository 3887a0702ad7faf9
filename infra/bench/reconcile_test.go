package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"bindery/shared/boot/app"
	"bindery/shared/core/reconcile"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/entra"
	"bindery/shared/entra/entratest"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/bolt"
)

const (
	reconciled = 100_000
	// sampleEach is after how many calls of the table live memory is looked at.
	sampleEach = 400
)

// record keeps Graph's answers to reads by what was asked, for replay.
type record struct {
	next    http.RoundTripper
	mu      sync.Mutex
	asked   int
	answers map[string]recorded
}

type recorded struct {
	status int
	header http.Header
	body   []byte
}

// RoundTrip asks the next transport once for each address, and each batch.
func (p *record) RoundTrip(r *http.Request) (*http.Response, error) {
	key := r.Method + " " + r.URL.String()
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		raw, err := io.ReadAll(body)
		if err != nil {
			return nil, err
		}
		key += " " + string(raw)
	}
	p.mu.Lock()
	p.asked++
	a, known := p.answers[key]
	p.mu.Unlock()
	if !known {
		if p.next == nil {
			return nil, fmt.Errorf("nothing was recorded for %s %s", r.Method, r.URL.Path)
		}
		resp, err := p.next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		a = recorded{resp.StatusCode, resp.Header, body}
		p.mu.Lock()
		p.answers[key] = a
		p.mu.Unlock()
	}
	return &http.Response{StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: a.header.Clone(), Request: r,
		Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body))}, nil
}

// bare is an engine over a table and over recorded answers, on the wall's clock.
type bare struct {
	*testing.T
	engine *reconcile.Engine
	runs   *runs.Service
	conn   directory.Connection
	graph  *record
}

func newBare(t *testing.T, tab table.Table, s *site, graph *record) *bare {
	t.Helper()
	g, err := entra.New(entra.Config{BaseURL: simBase + "/v1.0", Transport: graph})
	if err != nil {
		t.Fatal(err)
	}
	st := store.New(tab, store.Options{})
	config := reconcile.Config{Stores: reconcile.StoresOf(st), SecondLook: -1, Now: time.Now,
		Open: func(context.Context, *directory.Connection) (reconcile.Tenant, error) { return g.Tenant(s.tokens), nil },
		Send: func(context.Context, directory.WakeUp, time.Duration) error { return nil },
	}
	app.JoinKinds(&config, st, nil)
	none := func(context.Context, directory.ConnectionID, time.Duration) error { return nil }
	return &bare{T: t, conn: s.conn, graph: graph,
		runs:   runs.New(runs.Config{Stores: runs.StoresOf(st), Wake: none}),
		engine: reconcile.New(config),
	}
}

// full makes one full reconcile and returns the CPU time that it took.
func (b *bare) full() time.Duration {
	b.Helper()
	run, err := b.runs.Start(b.Context(), directory.Caller{}, &b.conn, runs.Request{Full: true})
	if err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	begun := cpuTime(b.T)
	for range 100 {
		sum, err := b.engine.Slice(b.Context(), directory.WakeUp{ConnectionID: b.conn.ID}, time.Time{})
		if err != nil {
			b.Fatal(err)
		}
		if sum.Again < 0 {
			break
		}
	}
	took := cpuTime(b.T) - begun
	if run, err = b.runs.Run(b.Context(), run.ID); err != nil || run.State != directory.RunDone || len(run.Counts) > 0 {
		b.Fatalf("a full reconcile ended %s with %v (%v), want done with nothing", run.State, run.Counts, err)
	}
	return took
}

// sampler looks at live memory within the calls of a table.
type sampler struct {
	table.Table
	each int

	mu    sync.Mutex // items are read in calls beside each other
	calls int
	peak  uint64
}

func (s *sampler) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls++; s.calls%s.each == 0 {
		s.peak = max(s.peak, liveHeap())
	}
}

// GetMany and Write are called between all others.
func (s *sampler) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	items, err := s.Table.GetMany(ctx, keys)
	s.look()
	return items, err
}

// Write implements table.Table.
func (s *sampler) Write(ctx context.Context, writes ...table.Write) error {
	s.look()
	return s.Table.Write(ctx, writes...)
}

// liveHeap is what a collection leaves.
func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// tee remembers the keys of all that is written.
type tee struct {
	table.Table
	keys map[table.Key]struct{}
}

// Write implements table.Table.
func (c *tee) Write(ctx context.Context, writes ...table.Write) error {
	for i := range writes {
		c.keys[writes[i].Key()] = struct{}{}
	}
	return c.Table.Write(ctx, writes...)
}

// copyTo puts all items into another table, many at a time: writers that come at
// once share a commit.
func (c *tee) copyTo(t *testing.T, to table.Table) {
	t.Helper()
	keys := slices.Collect(maps.Keys(c.keys))
	var all sync.WaitGroup
	turns := make(chan struct{}, 64)
	for part := range slices.Chunk(keys, table.MaxGet) {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			items, err := c.GetMany(t.Context(), part)
			writes := make([]table.Write, len(items))
			for i := range items {
				writes[i].Put = &items[i]
			}
			if err == nil && len(writes) > 0 {
				err = to.Write(t.Context(), writes...)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// reconcileCPU measures what a full reconcile costs a processor: Graph's pages
// are in memory, so is the table; everything between is the product's own.
func reconcileCPU(t *testing.T, r *report) {
	w := newWorld(t, entratest.Quota{})
	all := &tee{Table: w.mem, keys: map[table.Key]struct{}{}}
	w.raw = store.New(all, store.Options{})
	w.sites = append(w.sites, w.site(0, reconciled, rich))
	s := w.sites[0]
	graph := &record{next: w.sim.Transport(), answers: map[string]recorded{}}
	b := newBare(t, w.mem, s, graph)
	b.full() // the first one records
	w.cloud.stop()
	w.sim, graph.next = nil, nil
	var pages [][]byte
	bytes := 0
	for _, a := range graph.answers {
		pages, bytes = append(pages, a.body), bytes+len(a.body)
	}
	floor := cpuOf(t, decodeAll(t, pages))

	c := againstFloor(tries, floor, b.full)
	r.add("reconcile.cpu_ratio", c.ratio(), "ratio", lower, fmt.Sprintf("100,000 accounts with %d properties, nothing changed: CPU time of a full reconcile over recorded pages ÷ to decode these %d MB from JSON; garbage collection included; %s", len(s.conn.Settings.Attributes)+6, bytes>>20, c))

	look := &sampler{Table: w.mem, each: sampleEach}
	measured := newBare(t, look, s, graph)
	before := liveHeap()
	measured.full()
	r.add("reconcile.heap_mb", float64(look.peak-min(before, look.peak))/(1<<20), "MB", lower, fmt.Sprintf("that run: most live memory (after a forced collection, each %d calls of the table) less that before", sampleEach))

	file := filepath.Join(t.TempDir(), "table.db")
	onDisk, err := bolt.Open(file, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer onDisk.Close()
	all.copyTo(t, onDisk)
	disk := newBare(t, onDisk, s, graph)
	c = againstFloor(1, floor, disk.full)
	r.add("reconcile.bolt_cpu_ratio", c.ratio(), "ratio", lower, fmt.Sprintf("the same on bolt, the laptop's table, once; %s", c))
}
