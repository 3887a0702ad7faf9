package stack

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"bindery/shared/boot/app"
	"bindery/shared/core/audit"
	"bindery/shared/core/jobs"
	"bindery/shared/platform/queue"
	"bindery/shared/platform/vault"
	"bindery/shared/store"
	"bindery/shared/table/bolt"
)

// Handle does what a message asks for.
type Handle func(ctx context.Context, body []byte) error

// Drivers are where a process keeps things.
type Drivers struct {
	Table store.Table
	Vault vault.Vault
	Queue app.Queue
	// Files are the uploaded files; nil: the stack has a folder, which its gateway
	// serves, and a process by itself has none.
	Files jobs.Files
	// Heads keeps the heads of the chains; nil: the stack has a folder, and a
	// process by itself keeps none.
	Heads audit.Keeper
	// Run hands messages to the three handlers until ctx ends. The stack alone needs
	// it, and Close.
	Run   func(ctx context.Context, work, load, sweep Handle)
	Close func() error // nil: nothing to close
}

// Laptop opens the drivers that need nothing but a folder: a bbolt file, an
// encrypted folder, and queues in memory.
func Laptop(dir string, log *slog.Logger) (*Drivers, error) {
	table, err := bolt.Open(filepath.Join(dir, "table.db"), time.Now())
	if err != nil {
		return nil, err
	}
	keys, err := vault.NewFolder(vault.FolderConfig{Path: filepath.Join(dir, "vault")})
	if err != nil {
		return nil, errors.Join(err, table.Close())
	}
	work := queue.NewLocal(queue.LocalConfig{Retry: 2 * time.Second, Visibility: FunctionTime + time.Minute, Log: log})
	loads := queue.NewLocal(queue.LocalConfig{Retry: 2 * time.Second, Visibility: FunctionTime + time.Minute, Log: log})
	sweeps := queue.NewLocal(queue.LocalConfig{Retry: 5 * time.Second, Visibility: FunctionTime + time.Minute, Log: log})
	run := func(ctx context.Context, doWork, doLoad, doSweep Handle) {
		var group sync.WaitGroup
		group.Go(func() { work.Run(ctx, 4, doWork) })
		group.Go(func() { loads.Run(ctx, 2, doLoad) })
		group.Go(func() { sweeps.Run(ctx, 1, doSweep) })
		group.Wait()
	}
	return &Drivers{Table: table, Vault: keys, Queue: queue.WakeUps{Work: work, Loads: loads, Sweeps: sweeps}, Run: run, Close: table.Close}, nil
}

// breakLeases frees what a process before us held when it was killed: the
// table's file is locked by one process, so that no holder can be alive.
func breakLeases(ctx context.Context, s *store.Store) error {
	cursor := ""
	for {
		list, next, err := s.Connections.ListConnections(ctx, cursor, 0)
		if err != nil {
			return err
		}
		for i := range list {
			if err := s.Leases.BreakLease(ctx, list[i].ID); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}
