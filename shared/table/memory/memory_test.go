package memory_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/table"
	"bindery/shared/table/memory"
	"bindery/shared/table/tabletest"
)

func TestConformance(t *testing.T) {
	tabletest.Run(t, func(*testing.T) table.Table { return memory.New() })
}

func key(sort string) table.Key { return table.Key{Partition: "p", Sort: sort} }

func put(t *testing.T, tab table.Table, items ...table.Item) {
	t.Helper()
	for i := range items {
		if err := tab.Write(t.Context(), table.Write{Put: &items[i]}); err != nil {
			t.Fatal(err)
		}
	}
}

func index(t *testing.T, tab table.Table) []string {
	t.Helper()
	page, err := tab.Query(t.Context(), table.Query{Index: 1, Partition: "i"})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, it := range page.Items {
		out = append(out, fmt.Sprint(it.Sort, it.Version))
	}
	return out
}

// TestIndexLag moves an item about: a query sees old places until the lag is
// over, gives the item as it is now, and never one that has left.
func TestIndexLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tab := memory.New()
		tab.IndexLag = 5 * time.Second
		want := func(what string, want ...string) {
			t.Helper()
			if got := index(t, tab); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		in, out := table.Key{Partition: "i", Sort: "1"}, table.Key{}
		put(t, tab, table.Item{Key: key("a"), Version: 1, Index1: in})
		want("at once")
		time.Sleep(4 * time.Second)
		want("too early")
		put(t, tab, table.Item{Key: key("a"), Version: 2, Index1: in}, table.Item{Key: key("b"), Version: 1, Index1: in})
		time.Sleep(time.Second)
		want("a is seen, as it is now", "a2")
		time.Sleep(4 * time.Second)
		want("both", "a2", "b1")
		if err := tab.Write(t.Context(), table.Write{Update: &table.Update{Key: key("a"), SetIndex1: &out}}); err != nil {
			t.Fatal(err)
		}
		want("a has left", "b1")
		if err := tab.Write(t.Context(), table.Write{Update: &table.Update{Key: key("a"), SetIndex1: &in}}); err != nil {
			t.Fatal(err)
		}
		want("a is back, the index has not noticed that it left", "a2", "b1")
		time.Sleep(5 * time.Second)
		want("in the end", "a2", "b1")
	})
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tab := memory.New()
		tab.Latency = 30 * time.Millisecond
		start := time.Now()
		put(t, tab, table.Item{Key: key("a")}, table.Item{Key: key("b")})
		if got := time.Since(start); got != 60*time.Millisecond {
			t.Errorf("two writes took %v, want 60ms", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		a := key("a")
		if err := tab.Write(ctx, table.Write{Delete: &a}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Write = %v, want context.DeadlineExceeded", err)
		}
		if tab.Len() != 2 {
			t.Errorf("Len = %d, want 2: nothing may happen after the deadline", tab.Len())
		}
	})
}

func TestHooks(t *testing.T) {
	fault := errors.New("fault")
	tab := memory.New()
	var calls []string
	tab.Before = func(_ context.Context, c memory.Call) error {
		calls = append(calls, fmt.Sprint(c.Method, c.N, len(c.Keys)))
		if c.Method == "Write" && c.N == 1 {
			return fault
		}
		return nil
	}
	tab.After = func(_ context.Context, c memory.Call) error {
		if c.Method == "Write" && c.N == 2 {
			return fault
		}
		return nil
	}
	for n, stored := range []int{0, 1} {
		it := table.Item{Key: key("a")}
		if err := tab.Write(t.Context(), table.Write{Put: &it}); !errors.Is(err, fault) {
			t.Errorf("Write %d = %v, want the fault", n+1, err)
		}
		if tab.Len() != stored {
			t.Errorf("after Write %d: %d items, want %d", n+1, tab.Len(), stored)
		}
	}
	if _, err := tab.Get(t.Context(), key("a")); err != nil {
		t.Error(err)
	}
	index(t, tab)
	if want := []string{"Write1 1", "Write2 1", "Get1 1", "Query1 0"}; !slices.Equal(calls, want) {
		t.Errorf("calls = %q, want %q", calls, want)
	}
}

func TestConflict(t *testing.T) {
	tab := memory.New()
	tab.Conflict = 3
	for n := 1; n <= 6; n++ {
		err := tab.Write(t.Context(), table.Write{Update: &table.Update{Key: key("a"), AddVersion: 1}})
		if errors.Is(err, table.ErrBusy) != (n%3 == 0) {
			t.Errorf("Write %d = %v, want ErrBusy at every third", n, err)
		}
	}
	if it, err := tab.Get(t.Context(), key("a")); err != nil || it.Version != 4 {
		t.Errorf("version = %d, %v, want 4", it.Version, err)
	}
}

// TestMany keeps 100,000 items in one partition and an index, against a model.
func TestMany(t *testing.T) {
	const n = 100_000
	tab := memory.New()
	order := rand.New(rand.NewPCG(1, 2)).Perm(n)
	for part := range slices.Chunk(order, table.MaxWrites) {
		writes := make([]table.Write, len(part))
		for i, v := range part {
			sort := fmt.Sprintf("%06d", v)
			writes[i].Put = &table.Item{Key: key(sort), Index1: table.Key{Partition: "i", Sort: sort[3:]}}
		}
		if err := tab.Write(t.Context(), writes...); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range order[:n/2] {
		k := key(fmt.Sprintf("%06d", v))
		if err := tab.Write(t.Context(), table.Write{Delete: &k}); err != nil {
			t.Fatal(err)
		}
	}
	left := make(map[string]bool)
	for _, v := range order[n/2:] {
		left[fmt.Sprintf("%06d", v)] = true
	}
	for _, q := range []table.Query{{Partition: "p", Limit: 700}, {Partition: "p", Backward: true}, {Index: 1, Partition: "i"}} {
		seen := make(map[string]bool)
		last := ""
		for {
			page, err := tab.Query(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, it := range page.Items {
				at := it.IndexKey(q.Index).Sort
				if last != "" && (at < last) != q.Backward && at != last || seen[it.Sort] || !left[it.Sort] {
					t.Fatalf("%+v: %s after %s is out of order, twice or gone", q, at, last)
				}
				seen[it.Sort], last = true, at
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if len(seen) != len(left) || tab.Len() != len(left) {
			t.Errorf("%+v: %d items, Len %d, want %d", q, len(seen), tab.Len(), len(left))
		}
	}
}
