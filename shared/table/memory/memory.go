// Package memory keeps the table in memory, for tests and for virtual time: it
// starts no goroutine, holds no lock while it waits, and takes its time from
// Now. Its switches stand in for what AWS does at its worst: indexes that lag,
// calls that are slow, fail before or after they took effect, and transactions
// that collide.
//
// Stored items are never changed in place: a write puts a new one in the place
// of the old. Items are copied on the way in and on the way out.
package memory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"bindery/shared/clock"
	"bindery/shared/table"
)

// Call describes one call to a hook.
type Call struct {
	Method string      // Get, GetMany, Query or Write
	N      int         // 1 for the first call of this method, 2 for the second
	Keys   []table.Key // items asked for or written; none for a Query
	Writes []table.Write
	Query  table.Query
}

// Table is an empty table in memory, ready to use. Set its fields before the
// first call.
type Table struct {
	Now func() time.Time // nil means time.Now
	// IndexLag is how long a write stays invisible to queries on an index.
	IndexLag time.Duration
	// Latency is slept by every call, before it takes effect.
	Latency time.Duration
	// Before is called right before a call takes effect; its error is the
	// call's, and nothing happens. After is called right after the effect; its
	// error is the call's, though all happened. Both may be called at once
	// from many goroutines, and may call the table.
	Before, After func(ctx context.Context, call Call) error
	// Conflict n > 0 makes every nth Write fail with table.ErrBusy.
	Conflict int

	mu      sync.Mutex
	calls   map[string]int
	items   space
	indexes [3]space // 1 and 2
	pending []move   // of index entries, in the order of time
	len     int
}

// move is a change of one item's place in one index that queries may not see
// before a certain time.
type move struct {
	visible  time.Time
	index    int
	key      table.Key
	from, to table.Key
}

var _ table.Table = (*Table)(nil)

// New returns an empty table.
func New() *Table { return &Table{} }

// Len returns the number of items.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.len
}

// Get implements table.Table.
func (t *Table) Get(ctx context.Context, key table.Key) (table.Item, error) {
	if err := key.Check(); err != nil {
		return table.Item{}, err
	}
	var found *table.Item
	err := t.call(ctx, Call{Method: "Get", Keys: []table.Key{key}}, func() error {
		if found = t.find(key); found == nil {
			return table.ErrNotFound
		}
		return nil
	})
	if err != nil {
		return table.Item{}, err
	}
	return found.Clone(), nil
}

// GetMany implements table.Table.
func (t *Table) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	if err := table.CheckGet(keys); err != nil {
		return nil, err
	}
	var found []*table.Item
	err := t.call(ctx, Call{Method: "GetMany", Keys: keys}, func() error {
		seen := make(map[table.Key]bool, len(keys))
		for _, k := range keys {
			if it := t.find(k); it != nil && !seen[k] {
				seen[k] = true
				found = append(found, it)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return clones(found), nil
}

// Query implements table.Table.
func (t *Table) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if err := q.Check(); err != nil {
		return table.Page{}, err
	}
	lo, hi, err := q.Bounds()
	if err != nil {
		return table.Page{}, err
	}
	var found []*table.Item
	var next string
	err = t.call(ctx, Call{Method: "Query", Query: q}, func() (err error) {
		if q.Index == 0 {
			found, next, err = t.query(&q, lo, hi)
		} else {
			found, next, err = t.queryIndex(&q, lo, hi)
		}
		return err
	})
	if err != nil {
		return table.Page{}, err
	}
	return table.Page{Items: clones(found), Next: next}, nil
}

// Write implements table.Table.
func (t *Table) Write(ctx context.Context, writes ...table.Write) error {
	if err := table.Check(writes); err != nil {
		return err
	}
	keys := make([]table.Key, len(writes))
	for i := range writes {
		keys[i] = writes[i].Key()
	}
	call := Call{Method: "Write", Keys: keys, Writes: writes}
	return t.call(ctx, call, func() error { return t.write(writes) })
}

// call waits and runs the hooks around effect, which holds the lock.
func (t *Table) call(ctx context.Context, call Call, effect func() error) error {
	t.mu.Lock()
	if t.calls == nil {
		t.calls = make(map[string]int)
	}
	t.calls[call.Method]++
	call.N = t.calls[call.Method]
	t.mu.Unlock()

	if err := clock.Sleep(ctx, t.Latency); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	if t.Before != nil {
		if err := t.Before(ctx, call); err != nil {
			return err
		}
	}
	if call.Method == "Write" && t.Conflict > 0 && call.N%t.Conflict == 0 {
		return table.ErrBusy
	}
	t.mu.Lock()
	err := effect()
	t.mu.Unlock()
	if err == nil && t.After != nil {
		return t.After(ctx, call)
	}
	return err
}

func clones(items []*table.Item) []table.Item {
	out := make([]table.Item, len(items))
	for i, it := range items {
		out[i] = it.Clone()
	}
	return out
}
