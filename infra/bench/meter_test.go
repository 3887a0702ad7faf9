package bench

import (
	"context"
	"sync"
	"time"

	"bindery/shared/clock"
	"bindery/shared/table"
)

// usage is what was spent on the table and on Graph.
type usage struct {
	Calls      int     // of the table
	ReadUnits  float64 // DynamoDB read request units
	WriteUnits float64 // DynamoDB write request units
	Writes     int     // calls that write, a transaction counts as one
	Seals      int     // calls of KMS that seal, or check a seal

	Requests  int // HTTP requests to Graph
	Items     int // what Graph did: the items of a batch, or the request itself
	Units     float64
	Changes   int // items that write
	Throttled int // answers 429, to requests or to items
}

func (u usage) minus(v usage) usage {
	return usage{
		u.Calls - v.Calls, u.ReadUnits - v.ReadUnits, u.WriteUnits - v.WriteUnits, u.Writes - v.Writes, u.Seals - v.Seals,
		u.Requests - v.Requests, u.Items - v.Items, u.Units - v.Units, u.Changes - v.Changes, u.Throttled - v.Throttled,
	}
}

// ledger adds usage up.
type ledger struct {
	mu  sync.Mutex
	sum usage
}

func (l *ledger) add(f func(*usage)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.sum)
}

func (l *ledger) read() usage {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sum
}

// meter is the table as the engine sees it: it takes time, it counts, and it
// fails for invocations that are dead.
type meter struct {
	mem     table.Table
	latency time.Duration
	// units has the request units counted, which needs a look at each item
	// that is written.
	units bool
	to    *ledger
}

// call goes around one call of the table, which makes so many trips to it.
func (m *meter) call(ctx context.Context, do func() (trips int, err error)) error {
	before, after := fateOf(ctx).step()
	if before != nil {
		return before
	}
	if err := clock.Sleep(ctx, m.latency); err != nil {
		return err
	}
	trips, err := do()
	m.to.add(func(u *usage) { u.Calls += trips })
	for range trips - 1 {
		if err := clock.Sleep(ctx, m.latency); err != nil {
			return err
		}
	}
	if after != nil {
		return after
	}
	return err
}

// Get implements table.Table.
func (m *meter) Get(ctx context.Context, key table.Key) (it table.Item, err error) {
	failed := m.call(ctx, func() (int, error) {
		it, err = m.mem.Get(ctx, key)
		m.to.add(func(u *usage) { u.ReadUnits += readUnits(it.Size()) })
		return 1, err
	})
	return it, failed
}

// GetMany implements table.Table.
func (m *meter) GetMany(ctx context.Context, keys []table.Key) (items []table.Item, err error) {
	failed := m.call(ctx, func() (int, error) {
		if len(keys) == 0 {
			return 0, nil
		}
		items, err = m.mem.GetMany(ctx, keys)
		m.to.add(func(u *usage) { u.ReadUnits += batchUnits(items, len(keys)) })
		return 1, err
	})
	return items, failed
}

// Query implements table.Table. A query on an index is two trips: the index has
// the keys alone, and each hit is read by its key.
func (m *meter) Query(ctx context.Context, q table.Query) (page table.Page, err error) {
	failed := m.call(ctx, func() (int, error) {
		page, err = m.mem.Query(ctx, q)
		m.to.add(func(u *usage) { u.ReadUnits += queryUnits(&q, &page) })
		if q.Index != 0 && len(page.Items) > 0 {
			return 2, err
		}
		return 1, err
	})
	return page, failed
}

// Write implements table.Table.
func (m *meter) Write(ctx context.Context, writes ...table.Write) error {
	return m.call(ctx, func() (int, error) {
		var units float64
		if m.units {
			units = m.price(ctx, writes)
		}
		err := m.mem.Write(ctx, writes...)
		m.to.add(func(u *usage) { u.WriteUnits += units; u.Writes++ })
		return 1, err
	})
}

// price is what writes cost, whether or not their conditions hold.
func (m *meter) price(ctx context.Context, writes []table.Write) float64 {
	factor := 1.0
	if len(writes) > 1 || writes[0].Check != nil {
		factor = 2 // a transaction prepares and commits
	}
	var sum float64
	for i := range writes {
		w := &writes[i]
		var old *table.Item
		if it, err := m.mem.Get(ctx, w.Key()); err == nil {
			old = &it
		}
		fresh, err := w.Result(old)
		if err != nil {
			continue // refused before it costs anything
		}
		sum += factor*writeUnits(max(size(old), size(fresh))) + indexUnits(old, fresh)
	}
	return sum
}

// The rules below are those of AWS's pages "Read and write operations" and
// "Provisioned throughput considerations for global secondary indexes".

func size(it *table.Item) int {
	if it == nil {
		return 0
	}
	return it.Size()
}

// readUnits of one strongly consistent read: one for each 4 KB, and one for an
// item that is not there.
func readUnits(bytes int) float64 { return float64(max(1, (bytes+4095)/4096)) }

// writeUnits: one for each KB, and one for a write that finds nothing.
func writeUnits(bytes int) float64 { return float64(max(1, (bytes+1023)/1024)) }

// batchUnits rounds each item by itself; a key without an item costs one unit.
func batchUnits(items []table.Item, asked int) float64 {
	sum := float64(asked - len(items))
	for i := range items {
		sum += readUnits(items[i].Size())
	}
	return sum
}

// queryUnits sums up the bytes of all items and rounds once. The driver asks for
// one item more than the page holds, to know whether there is another page.
func queryUnits(q *table.Query, page *table.Page) float64 {
	bytes := 0
	for i := range page.Items {
		it := &page.Items[i]
		if q.Index == 0 {
			bytes += it.Size()
		} else {
			bytes += keysOnly(it, q.Index)
		}
	}
	if n := len(page.Items); page.Next != "" && n > 0 && (q.Index != 0 || q.Limit > 0) {
		bytes += bytes / n
	}
	units := readUnits(bytes)
	if q.Index == 0 {
		if q.Weak {
			units /= 2
		}
		return units
	}
	if len(page.Items) == 0 {
		return units / 2
	}
	hits := batchUnits(page.Items, len(page.Items))
	if q.Weak {
		hits /= 2
	}
	return units/2 + hits
}

// keysOnly is the size of an item's entry in an index.
func keysOnly(it *table.Item, index int) int {
	entry := table.Item{Key: it.Key}
	if index == 1 {
		entry.Index1 = it.Index1
	} else {
		entry.Index2 = it.Index2
	}
	return entry.Size()
}

// indexUnits: an entry that comes or goes is one write, one that moves is two,
// and one whose keys stay is none.
func indexUnits(old, fresh *table.Item) float64 {
	var sum float64
	for index := 1; index <= 2; index++ {
		var from, to table.Key
		if old != nil {
			from = old.IndexKey(index)
		}
		if fresh != nil {
			to = fresh.IndexKey(index)
		}
		if from == to {
			continue
		}
		for _, k := range []table.Key{from, to} {
			if k != (table.Key{}) {
				sum++
			}
		}
	}
	return sum
}
