package audit

import (
	"context"
	"iter"

	"golang.org/x/sync/errgroup"

	"bindery/shared/directory"
)

// everyConnection goes through all connections. An error is the last that it yields.
func everyConnection(ctx context.Context, s connectionLister) iter.Seq2[directory.Connection, error] {
	return func(yield func(directory.Connection, error) bool) {
		for cursor := ""; ; {
			page, next, err := s.ListConnections(ctx, cursor, 0)
			if err != nil {
				yield(directory.Connection{}, err)
				return
			}
			for _, c := range page {
				if !yield(c, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			cursor = next
		}
	}
}

// readsAtOnce is of how many connections something is read at the same time: of
// thousands, one after the other would take longer than a tick or a call of the
// API has. AWS's SDK keeps as many connections to DynamoDB open; with more, most
// calls would begin with a handshake.
const readsAtOnce = 10

// answer is what was read of one connection.
type answer[T any] struct {
	conn  directory.Connection
	value T
}

// readEach reads something of each connection, and answers in the order of the
// listing. The first error ends it.
func readEach[T any](ctx context.Context, s connectionLister, ask func(ctx context.Context, c *directory.Connection) (T, error)) ([]answer[T], error) {
	var all []answer[T]
	for c, err := range everyConnection(ctx, s) {
		if err != nil {
			return nil, err
		}
		all = append(all, answer[T]{conn: c})
	}
	asks, ctx := errgroup.WithContext(ctx)
	asks.SetLimit(readsAtOnce)
	for i := range all {
		asks.Go(func() (err error) {
			all[i].value, err = ask(ctx, &all[i].conn)
			return err
		})
	}
	if err := asks.Wait(); err != nil {
		return nil, err
	}
	return all, nil
}
