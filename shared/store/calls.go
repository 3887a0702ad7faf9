package store

import (
	"context"
	"sync/atomic"

	"bindery/shared/table"
)

// calls is how many calls of the table there were.
type calls struct{ n atomic.Int64 }

// Calls is how many calls of the table have been begun through the store: who finds it
// unchanged knows that nobody has waited for one.
func (s *Store) Calls() int64 { return s.Runs.db.calls.n.Load() }

// counting is a table that counts its calls.
type counting struct {
	Table
	calls *calls
}

func (t counting) Get(ctx context.Context, key table.Key) (table.Item, error) {
	t.calls.n.Add(1)
	return t.Table.Get(ctx, key)
}

func (t counting) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	t.calls.n.Add(1)
	return t.Table.GetMany(ctx, keys)
}

func (t counting) Query(ctx context.Context, q table.Query) (table.Page, error) {
	t.calls.n.Add(1)
	return t.Table.Query(ctx, q)
}

func (t counting) Write(ctx context.Context, writes ...table.Write) error {
	t.calls.n.Add(1)
	return t.Table.Write(ctx, writes...)
}
