// Package testworld is a directory in memory for tests of what works on one: a
// table, the records in it, and a clock that the test moves. What a test is about
// is joined to them in its own package, and so is what stands in for the rest.
package testworld

import (
	"sync"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// World is records over a table in memory. What does not go as it must ends the test.
type World struct {
	*testing.T
	*Clock
	Table *memory.Table
	Store *store.Store
}

// New returns a world without records.
func New(t *testing.T) *World {
	c := NewClock()
	table := memory.New()
	table.Now = c.Now
	return &World{T: t, Clock: c, Table: table, Store: store.New(table, store.Options{Now: c.Now})}
}

// Seal has the records sealed from here on, or with nil not any more; it returns
// them.
func (w *World) Seal(s store.Sealer) *store.Store {
	w.Store = store.New(w.Table, store.Options{Now: w.Now, Sealer: s})
	return w.Store
}

// Must ends the test when something went wrong.
func (w *World) Must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// Connection makes an active connection whose tenant has some domains; of a tenant
// of its own, which is called after it.
func (w *World) Connection(name string, domains ...string) directory.Connection {
	w.Helper()
	tenant := directory.Tenant{ID: directory.TenantID("tenant-" + name)}
	for _, d := range domains {
		tenant.Domains = append(tenant.Domains, directory.Domain{Name: d, AuthenticationType: "Managed"})
	}
	return w.Connected(directory.Connection{Name: name, Tenant: &tenant})
}

// Connected makes an active connection, of the first epoch and of now, with what is
// given.
func (w *World) Connected(c directory.Connection) directory.Connection {
	w.Helper()
	c.ID, c.Status, c.Epoch = directory.NewConnectionID(w.Now()), directory.StatusActive, 1
	c.Created, c.Updated = w.Now(), w.Now()
	w.Must(w.Store.Connections.CreateConnection(w.Context(), directory.AuditEvent{}, &c))
	return c
}

// Settings changes the settings of a connection, and returns it as it is then.
func (w *World) Settings(id directory.ConnectionID, change func(*directory.Settings)) directory.Connection {
	w.Helper()
	c, err := w.Store.Connections.ModifyConnection(w.Context(), directory.AuditEvent{}, id, func(c *directory.Connection) error {
		change(&c.Settings)
		return nil
	})
	w.Must(err)
	return c
}

// Again deactivates a connection and makes it active anew: of the next epoch.
func (w *World) Again(id directory.ConnectionID) directory.Connection {
	w.Helper()
	_, _, err := w.Store.Connections.DeactivateConnection(w.Context(), directory.AuditEvent{}, id)
	w.Must(err)
	c, err := w.Store.Connections.ModifyConnection(w.Context(), directory.AuditEvent{}, id, func(c *directory.Connection) error {
		c.Status = directory.StatusActive
		return nil
	})
	w.Must(err)
	return c
}

// Clock is a time that a test moves. It begins on a Monday morning.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)} }

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance lets time pass.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
