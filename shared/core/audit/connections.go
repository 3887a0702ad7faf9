package audit

import (
	"context"

	"golang.org/x/sync/errgroup"

	"bindery/shared/directory"
)

func eachConnection(ctx context.Context, s connectionLister, do func(*directory.Connection) error) error {
	for cursor := ""; ; {
		list, next, err := s.ListConnections(ctx, cursor, 0)
		if err != nil {
			return err
		}
		for i := range list {
			if err := do(&list[i]); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
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
	err := eachConnection(ctx, s, func(c *directory.Connection) error {
		all = append(all, answer[T]{conn: *c})
		return nil
	})
	if err != nil {
		return nil, err
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
