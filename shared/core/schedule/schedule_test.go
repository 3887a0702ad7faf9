package schedule

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/clock"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// slowTable is a table whose calls take a while, and at which things befall its
// callers.
type slowTable struct {
	*memory.Table
	takes time.Duration
	mu    sync.Mutex
	calls int
	// befalls decides what happens at a call that is about a partition: nil,
	// or an error instead of it.
	// Called from several goroutines at once.
	befalls func(ctx context.Context, call int, partition string) error
}

func (s *slowTable) call(ctx context.Context, partition string) error {
	s.mu.Lock()
	s.calls++
	n := s.calls
	s.mu.Unlock()
	if err := clock.Sleep(ctx, s.takes); err != nil {
		return err
	}
	if s.befalls != nil {
		return s.befalls(ctx, n, partition)
	}
	return nil
}

func (s *slowTable) Get(ctx context.Context, k table.Key) (table.Item, error) {
	if err := s.call(ctx, k.Partition); err != nil {
		return table.Item{}, err
	}
	return s.Table.Get(ctx, k)
}

func (s *slowTable) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	if err := s.call(ctx, keys[0].Partition); err != nil {
		return nil, err
	}
	return s.Table.GetMany(ctx, keys)
}

func (s *slowTable) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if err := s.call(ctx, q.Partition); err != nil {
		return table.Page{}, err
	}
	return s.Table.Query(ctx, q)
}

func (s *slowTable) Write(ctx context.Context, w ...table.Write) error {
	if err := s.call(ctx, w[0].Key().Partition); err != nil {
		return err
	}
	return s.Table.Write(ctx, w...)
}

// crowd is many connections that nothing is known of, and so are due.
type crowd struct {
	*testing.T
	table *slowTable
	ids   []directory.ConnectionID

	mu      sync.Mutex
	turns   map[directory.ConnectionID]int
	woken   map[directory.ConnectionID]int
	batches []int
	busy    int
	most    int // turns at once
}

func newCrowd(t *testing.T, n int) *crowd {
	t.Helper()
	f := &crowd{T: t, table: &slowTable{Table: memory.New()}, turns: map[directory.ConnectionID]int{}, woken: map[directory.ConnectionID]int{}}
	s := store.New(f.table, store.Options{})
	for i := range n {
		c := directory.Connection{ID: directory.ConnectionID(fmt.Sprintf("con_%06d", i)), Status: directory.StatusActive, Epoch: 1, AuthorizedAt: time.Now()}
		if err := s.Connections.CreateConnection(t.Context(), directory.AuditEvent{}, &c); err != nil {
			t.Fatal(err)
		}
		f.ids = append(f.ids, c.ID)
	}
	f.table.takes = 5 * time.Millisecond
	return f
}

// scheduler is a schedule's process.
func (f *crowd) scheduler(tend func(ctx context.Context, id directory.ConnectionID) error) *Scheduler {
	return New(Config{
		Stores: StoresOf(store.New(f.table, store.Options{})),
		Queue: sending(func(ctx context.Context, list []directory.WakeUp) error {
			if err := clock.Sleep(ctx, 10*time.Millisecond); err != nil {
				return err
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.batches = append(f.batches, len(list))
			for _, w := range list {
				f.woken[w.ConnectionID]++
			}
			return nil
		}),
		Tenders: []Tender{tending(func(ctx context.Context, l *store.ScheduledConnection) error {
			f.mu.Lock()
			f.turns[l.ID]++
			f.busy++
			f.most = max(f.most, f.busy)
			f.mu.Unlock()
			defer func() {
				f.mu.Lock()
				f.busy--
				f.mu.Unlock()
			}()
			if tend != nil {
				return tend(ctx, l.ID)
			}
			return clock.Sleep(ctx, 5*time.Millisecond)
		})},
	})
}

// sending is a Queue, tending a Tender.
type sending func(ctx context.Context, list []directory.WakeUp) error

func (send sending) SendAll(ctx context.Context, list []directory.WakeUp) error {
	return send(ctx, list)
}

func (send sending) SendLoad(ctx context.Context, w directory.WakeUp, _ time.Duration) error {
	return send(ctx, []directory.WakeUp{w})
}

type tending func(ctx context.Context, l *store.ScheduledConnection) error

func (tend tending) Tend(ctx context.Context, l *store.ScheduledConnection, _ *store.Beside, _ bool) error {
	return tend(ctx, l)
}

// tick is one tick of at most a time.
func (f *crowd) tick(s *Scheduler, most time.Duration) (Ticked, error) {
	ctx, cancel := context.WithTimeout(f.Context(), most)
	defer cancel()
	return s.Round(ctx)
}

// without returns who has had no turn.
func (f *crowd) without() (list []directory.ConnectionID) {
	for _, id := range f.ids {
		if f.turns[id] == 0 {
			list = append(list, id)
		}
	}
	return list
}

// TestScheduleInParallel: a tick gives all their turn, some at once, and wakes
// them by tens.
func TestScheduleInParallel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newCrowd(t, 2000)
		begun := time.Now()
		got, err := f.tick(f.scheduler(nil), time.Minute)
		if err != nil || got.Connections != 2000 || got.Woken != 2000 || got.Cut || len(f.without()) > 0 {
			t.Fatalf("Tick = %+v, %v", got, err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("2,000 connections took %s", took)
		}
		if f.most != workers {
			t.Errorf("%d turns at once, want %d", f.most, workers)
		}
		if len(f.batches) != 200 || slices.Max(f.batches) != 10 {
			t.Errorf("%d batches of wake-ups, the largest of %d; want 200 of 10", len(f.batches), slices.Max(f.batches))
		}
		if want := map[string]int{GaugeActive: 2000}; !maps.Equal(got.Gauges, want) {
			t.Errorf("gauges %v, want %v", got.Gauges, want)
		}
	})
}

// TestScheduleGoesOn: a tick whose time is over ends in time, and the next one,
// in another process, goes on where it stopped.
func TestScheduleGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newCrowd(t, 1000)
		slowly := func(ctx context.Context, _ directory.ConnectionID) error { return clock.Sleep(ctx, time.Second) }
		for n := 1; ; n++ {
			begun := time.Now()
			got, err := f.tick(f.scheduler(slowly), 40*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); took > 39*time.Second {
				t.Errorf("a tick of 40 s took %s", took)
			}
			if !got.Cut {
				if want := map[string]int{GaugeActive: 1000}; n != 4 || !maps.Equal(got.Gauges, want) {
					t.Errorf("after %d ticks the round has ended with %v, want 4 and %v", n, got.Gauges, want)
				}
				break
			}
			if got.Connections < 250 || n > 9 {
				t.Fatalf("tick %d had %d turns", n, got.Connections)
			}
		}
		for _, id := range f.ids {
			if f.turns[id] != 1 || f.woken[id] != 1 {
				t.Fatalf("%s had %d turns and was woken %d times, want each once", id, f.turns[id], f.woken[id])
			}
		}
		// A round that is cut tells the gauges of the last one that was not.
		got, _ := f.tick(f.scheduler(slowly), 40*time.Second)
		if want := map[string]int{GaugeActive: 1000}; !got.Cut || !maps.Equal(got.Gauges, want) {
			t.Errorf("a cut tick later: %+v, want the gauges of the whole round", got)
		}
	})
}

// TestScheduleStarvesNobody: connections that hang, fail or panic, and records
// that cannot be read, cost the others nothing.
func TestScheduleStarvesNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newCrowd(t, 300)
		key := table.Key{Partition: "C#con_000007", Sort: "connection"}
		if err := f.table.Table.Write(t.Context(), table.Write{Update: &table.Update{Key: key, SetBody: []byte("{")}}); err != nil {
			t.Fatal(err)
		}
		f.table.befalls = func(ctx context.Context, _ int, partition string) error {
			if partition == "C#con_000033" { // the table does not answer about it
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		s := f.scheduler(func(ctx context.Context, id directory.ConnectionID) error {
			switch {
			case strings.HasSuffix(string(id), "1"):
				<-ctx.Done()
				return ctx.Err()
			case strings.HasSuffix(string(id), "2"):
				return errors.New("refused")
			case strings.HasSuffix(string(id), "3"):
				panic("a fault of ours")
			}
			return nil
		})
		for range 3 {
			if _, err := f.tick(s, time.Minute); err == nil {
				t.Error("no error was told")
			} else if lines := strings.Count(err.Error(), "connection con_"); lines > maxErrors {
				t.Errorf("%d failures were told one by one, want at most %d", lines, maxErrors)
			}
		}
		if left := f.without(); !slices.Equal(left, []directory.ConnectionID{"con_000007", "con_000033"}) {
			t.Errorf("without a turn: %v, want those two that cannot be read", left)
		}
		for _, id := range f.ids {
			if unread := id == "con_000007" || id == "con_000033"; (f.woken[id] == 3) == unread {
				t.Errorf("%s was woken %d times, want at each of three ticks", id, f.woken[id])
			}
		}
	})
}

var errGone = errors.New("the process is gone")

// TestScheduleDies at each of its calls of the table, again and again at the same
// one: the ticks after it give everybody a turn.
func TestScheduleDies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for at := 1; ; at++ {
			f := newCrowd(t, 250)
			var died atomic.Bool // connections have their turns at once
			f.table.calls = 0
			f.table.befalls = func(_ context.Context, n int, _ string) error {
				if n >= at { // from then on nothing reaches the table
					died.Store(true)
					return errGone
				}
				return nil
			}
			f.tick(f.scheduler(nil), time.Minute)
			if !died.Load() {
				t.Logf("a tick makes fewer than %d calls", at)
				return
			}
			f.table.befalls = nil
			for range 2 {
				if _, err := f.tick(f.scheduler(nil), time.Minute); err != nil {
					t.Fatalf("after a death at call %d: %v", at, err)
				}
			}
			if left := f.without(); len(left) > 0 {
				t.Fatalf("after a death at call %d: %d connections had no turn", at, len(left))
			}
			if at > 60 { // within a page one call is like the next
				at += 36
			}
		}
	})
}

// TestSchedulePoison: a connection at which the process dies, whenever it comes
// to it, does not keep those behind it from their turn.
func TestSchedulePoison(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newCrowd(t, 450)
		for range 8 {
			ctx, kill := context.WithCancel(t.Context())
			s := f.scheduler(func(ctx context.Context, id directory.ConnectionID) error {
				if id == "con_000120" {
					kill()
				}
				return clock.Sleep(ctx, 5*time.Millisecond)
			})
			f.table.befalls = func(context.Context, int, string) error { return ctx.Err() }
			s.Round(ctx)
			kill()
		}
		for _, id := range f.without() {
			if id < "con_000100" || id >= "con_000200" { // another page than that of the poison
				t.Fatalf("%s had no turn in eight ticks", id)
			}
		}
		if f.turns["con_000449"] < 3 {
			t.Errorf("the last one had %d turns in eight ticks", f.turns["con_000449"])
		}
	})
}

// TestTwoSchedules at once: EventBridge may call twice.
func TestTwoSchedules(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, apart := range []time.Duration{0, 30 * time.Millisecond, time.Second} {
			f := newCrowd(t, 450)
			a, b := f.scheduler(nil), f.scheduler(nil)
			var group sync.WaitGroup
			for _, s := range []*Scheduler{a, b} {
				group.Go(func() {
					if got, err := f.tick(s, time.Minute); err != nil || got.Cut {
						t.Errorf("Tick = %+v, %v", got, err)
					}
				})
				time.Sleep(apart)
			}
			group.Wait()
			if left := f.without(); len(left) > 0 {
				t.Errorf("%s apart: %d connections had no turn", apart, len(left))
			}
			if got, err := f.tick(a, time.Minute); err != nil || got.Connections != 450 || got.Cut {
				t.Errorf("%s apart: the tick after both: %+v, %v, want all connections", apart, got, err)
			}
		}
	})
}

// TestChores: they are done when the round has used up its time, one that fails
// keeps no other from its turn, and the tick ends before its deadline.
func TestChores(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newCrowd(t, 1000)
		s := f.scheduler(func(ctx context.Context, _ directory.ConnectionID) error { return clock.Sleep(ctx, time.Second) })
		fault, done := errors.New("no"), 0
		s.cfg.Chores = []Chore{
			func(ctx context.Context) error { <-ctx.Done(); return fault },
			func(context.Context) error { done++; return nil },
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		got, err := s.Tick(ctx)
		if !errors.Is(err, fault) || got.Failed != 1 || !got.Cut || done != 1 || ctx.Err() != nil {
			t.Errorf("Tick = %+v, %v, %d chores done", got, err, done)
		}
	})
}
