package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"bindery/shared/table"

	"go.etcd.io/bbolt"
)

// state is the table as one transaction sees it.
type state struct {
	items   *bbolt.Bucket
	indexes [3]*bbolt.Bucket // 1 and 2
}

func open(tx *bbolt.Tx) (*state, error) {
	s := &state{items: tx.Bucket(itemsBucket)}
	for index := 1; index <= 2; index++ {
		s.indexes[index] = tx.Bucket(indexBucket[index])
	}
	if s.items == nil || s.indexes[1] == nil || s.indexes[2] == nil {
		return nil, errors.New("a bucket is missing")
	}
	return s, nil
}

// view runs f in a read transaction.
func (t *Table) view(ctx context.Context, f func(*state) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	return t.db.View(func(tx *bbolt.Tx) error {
		s, err := open(tx)
		if err != nil {
			return err
		}
		return f(s)
	})
}

// find returns nil when there is no such item.
func (s *state) find(key table.Key) (*table.Item, error) {
	k := keyBytes(key)
	v := s.items.Get(k)
	if v == nil {
		return nil, nil
	}
	return decode(k, v)
}

// Get implements table.Table.
func (t *Table) Get(ctx context.Context, key table.Key) (table.Item, error) {
	if err := key.Check(); err != nil {
		return table.Item{}, err
	}
	var found *table.Item
	err := t.view(ctx, func(s *state) (err error) {
		found, err = s.find(key)
		return err
	})
	if err != nil {
		return table.Item{}, err
	}
	if found == nil {
		return table.Item{}, table.ErrNotFound
	}
	return *found, nil
}

// GetMany implements table.Table.
func (t *Table) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	if err := table.CheckGet(keys); err != nil {
		return nil, err
	}
	var found []table.Item
	seen := make(map[table.Key]bool, len(keys))
	err := t.view(ctx, func(s *state) error {
		for _, k := range keys {
			if seen[k] {
				continue
			}
			seen[k] = true
			it, err := s.find(k)
			if err != nil {
				return err
			}
			if it != nil {
				found = append(found, *it)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
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
	from, to := placeBytes(q.Partition, lo), placeBytes(q.Partition, hi)
	var page table.Page
	err = t.view(ctx, func(s *state) (err error) {
		if q.Index == 0 {
			page, err = s.query(&q, from, to)
		} else {
			page, err = s.queryIndex(&q, from, to)
		}
		return err
	})
	if err != nil {
		return table.Page{}, err
	}
	return page, nil
}

func (s *state) query(q *table.Query, from, to []byte) (page table.Page, err error) {
	limit, size := q.PageLimit(), 0
	err = walk(s.items, q.Backward, from, to, func(k, v []byte) (bool, error) {
		if n := len(page.Items); n == limit || size >= table.MaxPageBytes {
			page.Next, err = q.CursorAfter(table.PositionOf(&page.Items[n-1], 0))
			return false, err
		}
		it, err := decode(k, v)
		if err != nil {
			return false, err
		}
		page.Items = append(page.Items, *it)
		size += it.Size()
		return true, nil
	})
	return page, err
}

// queryIndex reads each hit again by its key, as the other drivers do. Here
// the index is never behind.
func (s *state) queryIndex(q *table.Query, from, to []byte) (page table.Page, err error) {
	limit, hits := q.PageLimit(), 0
	var last table.Position
	err = walk(s.indexes[q.Index], q.Backward, from, to, func(k, _ []byte) (bool, error) {
		if hits == limit {
			page.Next, err = q.CursorAfter(last)
			return false, err
		}
		hits++
		var err error
		if last, err = parsePlace(k); err != nil {
			return false, err
		}
		it, err := s.find(last.Key)
		if err != nil {
			return false, err
		}
		if it != nil {
			page.Items = append(page.Items, *it)
		}
		return true, nil
	})
	return page, err
}

// walk yields what lies from from up to but without to, or the same downwards,
// until yield says false.
func walk(b *bbolt.Bucket, backward bool, from, to []byte, yield func(k, v []byte) (bool, error)) error {
	c := b.Cursor()
	if backward {
		k, v := c.Seek(to)
		if k == nil {
			k, v = c.Last()
		}
		if k != nil && bytes.Compare(k, to) >= 0 {
			k, v = c.Prev()
		}
		for ; k != nil && bytes.Compare(k, from) >= 0; k, v = c.Prev() {
			if more, err := yield(k, v); err != nil || !more {
				return err
			}
		}
		return nil
	}
	for k, v := c.Seek(from); k != nil && bytes.Compare(k, to) < 0; k, v = c.Next() {
		if more, err := yield(k, v); err != nil || !more {
			return err
		}
	}
	return nil
}
