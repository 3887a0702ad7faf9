package memory

import (
	"time"

	"bindery/shared/table"
)

// The methods of this file want the lock held.

func (t *Table) now() time.Time {
	if t.Now != nil {
		return t.Now()
	}
	return time.Now()
}

func (t *Table) find(key table.Key) *table.Item {
	l := t.items[key.Partition]
	if l == nil {
		return nil
	}
	c, i, found := l.find(table.Position{Sort: key.Sort})
	if !found {
		return nil
	}
	return l.chunks[c][i].item
}

// write decides everything before it changes anything.
func (t *Table) write(writes []table.Write) error {
	old := make([]*table.Item, len(writes))
	var failed table.ConditionError
	for i := range writes {
		old[i] = t.find(writes[i].Key())
		if writes[i].If.Holds(old[i]) {
			continue
		}
		failed.Failed = append(failed.Failed, i)
		var current *table.Item
		if old[i] != nil {
			c := old[i].Clone()
			current = &c
		}
		failed.Current = append(failed.Current, current)
	}
	if len(failed.Failed) > 0 {
		return &failed
	}
	fresh := make([]*table.Item, len(writes))
	total := 0
	for i := range writes {
		it, err := writes[i].Result(old[i])
		if err != nil {
			return err
		}
		if fresh[i] = it; it != nil {
			total += it.Size()
		}
	}
	if err := table.CheckTotal(total); err != nil {
		return err
	}
	now := t.now()
	for i := range writes {
		if writes[i].Check == nil {
			t.replace(writes[i].Key(), old[i], fresh[i], now)
		}
	}
	t.settle(now)
	return nil
}

func (t *Table) replace(key table.Key, old, fresh *table.Item, now time.Time) {
	if t.items == nil {
		t.items, t.indexes = space{}, [3]space{1: {}, 2: {}}
	}
	at := table.Position{Sort: key.Sort}
	switch {
	case fresh != nil:
		t.items.put(key.Partition, entry{at, fresh})
	case old != nil:
		t.items.remove(key.Partition, at)
	}
	if old == nil && fresh != nil {
		t.len++
	}
	if old != nil && fresh == nil {
		t.len--
	}
	for index := 1; index <= 2; index++ {
		var from, to table.Key
		if old != nil {
			from = old.IndexKey(index)
		}
		if fresh != nil {
			to = fresh.IndexKey(index)
		}
		if from != to {
			t.pending = append(t.pending, move{now.Add(t.IndexLag), index, key, from, to})
		}
	}
}

// settle lets the indexes see what they may see by now.
func (t *Table) settle(now time.Time) {
	done := 0
	for _, m := range t.pending {
		if m.visible.After(now) {
			break
		}
		if m.from != (table.Key{}) {
			t.indexes[m.index].remove(m.from.Partition, table.Position{Sort: m.from.Sort, Key: m.key})
		}
		if m.to != (table.Key{}) {
			at := table.Position{Sort: m.to.Sort, Key: m.key}
			t.indexes[m.index].put(m.to.Partition, entry{at: at})
		}
		done++
	}
	if t.pending = t.pending[done:]; len(t.pending) == 0 {
		t.pending = nil
	}
}

func (t *Table) query(q *table.Query, lo, hi table.Position) (found []*table.Item, next string, err error) {
	limit, size := q.PageLimit(), 0
	walk(t.items[q.Partition], q.Backward, lo, hi, func(e entry) bool {
		if len(found) == limit || size >= table.MaxPageBytes {
			next, err = q.CursorAfter(table.PositionOf(found[len(found)-1], 0))
			return false
		}
		found = append(found, e.item)
		size += e.item.Size()
		return true
	})
	return found, next, err
}

// queryIndex reads each hit again and drops those that have left their place.
func (t *Table) queryIndex(q *table.Query, lo, hi table.Position) (found []*table.Item, next string, err error) {
	t.settle(t.now())
	limit, hits := q.PageLimit(), 0
	var last table.Position
	walk(t.indexes[q.Index][q.Partition], q.Backward, lo, hi, func(e entry) bool {
		if hits == limit {
			next, err = q.CursorAfter(last)
			return false
		}
		hits++
		last = e.at
		it := t.find(e.at.Key)
		if it != nil && it.IndexKey(q.Index) == (table.Key{Partition: q.Partition, Sort: e.at.Sort}) {
			found = append(found, it)
		}
		return true
	})
	return found, next, err
}

func walk(l *list, backward bool, lo, hi table.Position, yield func(entry) bool) {
	switch {
	case l == nil:
	case backward:
		l.descend(lo, hi, yield)
	default:
		l.ascend(lo, hi, yield)
	}
}
