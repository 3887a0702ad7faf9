package stack

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"bindery/shared/boot"
	"bindery/shared/core/audit"
	"bindery/shared/core/roster"
	"bindery/shared/directory"
	"bindery/shared/platform/queue"
	"bindery/shared/platform/vault"
	"bindery/shared/store"
	"bindery/shared/table/bolt"
)

// Vault keeps secrets.
type Vault interface {
	Get(ctx context.Context, name string) (directory.Secret, error)
	Create(ctx context.Context, name string, value directory.Secret) error
	Put(ctx context.Context, name string, value directory.Secret) error
	Delete(ctx context.Context, name string) error
}

// Handle does what a message asks for.
type Handle func(ctx context.Context, body []byte) error

// Drivers are where a process keeps things.
type Drivers struct {
	Table store.Table
	Vault Vault
	Queue boot.Queue
	// Files are the uploaded files; nil: the stack has a folder, which its gateway
	// serves, and a process by itself has none.
	Files roster.Files
	// Heads keeps the heads of the chains; nil: the stack has a folder, and a
	// process by itself keeps none.
	Heads audit.Keeper
	// Run hands messages to the two handlers until ctx ends. The stack alone needs
	// it, and Close.
	Run   func(ctx context.Context, work, sweep Handle)
	Close func() error // nil: nothing to close
}

// Laptop opens the drivers that need nothing but a folder: a bbolt file, an
// encrypted folder, and queues in memory.
func Laptop(dir string, log *slog.Logger) (*Drivers, error) {
	table, err := bolt.Open(filepath.Join(dir, "table.db"), time.Now())
	if err != nil {
		return nil, err
	}
	keys, err := vault.OpenFile(filepath.Join(dir, "vault"))
	if err != nil {
		return nil, errors.Join(err, table.Close())
	}
	q := NewQueues(log)
	return &Drivers{Table: table, Vault: keys, Queue: q, Run: q.Run, Close: table.Close}, nil
}

// Queues are the two queues in memory.
type Queues struct{ work, sweeps *queue.Local }

// NewQueues returns empty queues.
func NewQueues(log *slog.Logger) *Queues {
	return &Queues{
		work:   &queue.Local{Retry: 2 * time.Second, Visibility: FunctionTime + time.Minute, Log: log},
		sweeps: &queue.Local{Retry: 5 * time.Second, Visibility: FunctionTime + time.Minute, Log: log},
	}
}

// Send implements boot.Queue.
func (q *Queues) Send(ctx context.Context, w directory.WakeUp, delay time.Duration) error {
	return q.work.Send(ctx, w.Encode(), delay)
}

// SendAll implements boot.Queue.
func (q *Queues) SendAll(ctx context.Context, list []directory.WakeUp) error {
	messages := make([]queue.Message, len(list))
	for i, w := range list {
		messages[i].Body = w.Encode()
	}
	return q.work.SendMany(ctx, messages)
}

// SendSweep implements boot.Queue.
func (q *Queues) SendSweep(ctx context.Context, w directory.WakeUp, delay time.Duration) error {
	return q.sweeps.Send(ctx, w.Encode(), delay)
}

// Run hands messages to the handlers until ctx ends.
func (q *Queues) Run(ctx context.Context, work, sweep Handle) {
	var group sync.WaitGroup
	group.Go(func() { q.work.Run(ctx, 4, work) })
	group.Go(func() { q.sweeps.Run(ctx, 1, sweep) })
	group.Wait()
}

// breakLeases frees what a process before us held when it was killed: the
// table's file is locked by one process, so that no holder can be alive.
func breakLeases(ctx context.Context, s *store.Store) error {
	cursor := ""
	for {
		list, next, err := s.Connections(ctx, cursor, 0)
		if err != nil {
			return err
		}
		for i := range list {
			if err := s.BreakLease(ctx, list[i].ID); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}
