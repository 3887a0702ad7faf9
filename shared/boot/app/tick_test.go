package app

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"bindery/shared/boot/telemetry"
	"bindery/shared/core/connect"
	"bindery/shared/directory"
	"bindery/shared/platform/signer"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// counted is a table that counts its calls as AWS does: a query of an index
// reads its hits by their keys.
type counted struct {
	*memory.Table
	mu    sync.Mutex
	calls int
}

func (c *counted) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls += n
}

func (c *counted) Get(ctx context.Context, k table.Key) (table.Item, error) {
	c.add(1)
	return c.Table.Get(ctx, k)
}

func (c *counted) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	c.add(1)
	return c.Table.GetMany(ctx, keys)
}

func (c *counted) Query(ctx context.Context, q table.Query) (table.Page, error) {
	page, err := c.Table.Query(ctx, q)
	c.add(1)
	if q.Index != 0 && len(page.Items) > 0 {
		c.add(1)
	}
	return page, err
}

func (c *counted) Write(ctx context.Context, w ...table.Write) error {
	c.add(1)
	return c.Table.Write(ctx, w...)
}

// silent is a publisher and a seal that nobody should need.
type silent struct{ published int }

func (s *silent) Publish(_ context.Context, n ...directory.Notification) error {
	s.published += len(n)
	return nil
}

// TestTickCosts: an idle connection costs at most three calls of table, queue,
// vault and bus in a tick, whatever its settings, a page of connections one more for
// their leases, and the groups three in all, one of them for their count; whether the tokens of SCIM clients were
// looked at today is one.
func TestTickCosts(t *testing.T) {
	t.Parallel()
	tab, q, bus := &counted{Table: memory.New()}, &posted{}, &silent{}
	now := time.Now() // stands still, or some connection's turn could come meanwhile
	clock := func() time.Time { return now }
	s := store.New(tab, store.Options{Now: clock})
	core := NewCore(Parts{Store: s, Queue: q, Now: clock, Publisher: bus, Signer: signer.NewLocal(signer.LocalConfig{Key: func(context.Context) (directory.Secret, error) { return directory.NewSecret("k"), nil }}), Connect: connect.Config{}})
	const n = 100
	for i := range n {
		c := directory.Connection{
			ID: directory.ConnectionID(fmt.Sprintf("con_%03d", i)), Name: "Corp", Status: directory.StatusActive, Epoch: 1, AuthorizedAt: now,
			Tenant: &directory.Tenant{ID: directory.TenantID(fmt.Sprint(i))},
		}
		c.Settings.Import.Photos = i%2 == 0
		if err := s.Connections.CreateConnection(t.Context(), directory.AuditEvent{}, &c); err != nil {
			t.Fatal(err)
		}
		l, _, err := s.Leases.AcquireLease(t.Context(), c.ID, "w", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Leases.SaveLink(t.Context(), &l, store.ReadLink{Link: "x", At: now}); err != nil {
			t.Fatal(err)
		}
		if err := s.Leases.ReleaseLease(t.Context(), &l, store.RunEnd{State: directory.RunDone, At: now, Full: true}, true); err != nil {
			t.Fatal(err)
		}
		if err := s.Connections.SaveHealth(t.Context(), c.ID, "well", now); err != nil {
			t.Fatal(err)
		}
		plan := store.PhotoPlan{Epoch: 1, Day: now.Unix()/86400 + 1}
		if err := s.Photos.SavePhotoPlan(t.Context(), c.ID, &plan); err != nil {
			t.Fatal(err)
		}
	}
	// The first tick of all begins the chain of acts.
	if err := core.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	tab.calls, bus.published = 0, 0
	const ticks = 5
	for range ticks {
		ctx, i := telemetry.Begin(t.Context(), telemetry.Config{})
		if err := core.Tick(ctx); err != nil {
			t.Fatal(err)
		}
		if got := i.Counts()[telemetry.ConnectionsActive]; got != n {
			t.Errorf("%v active connections were counted, want %d", got, n)
		}
	}
	if got := float64(tab.calls) / n / ticks; got > 3.055 || len(q.work) > 0 || bus.published > 0 {
		t.Errorf("%.2f calls for each idle connection, %d wake-ups and %d notices; want 3, 0, 0", got, len(q.work), bus.published)
	}
}
