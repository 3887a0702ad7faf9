package bench

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bindery/infra/stack"
	"bindery/shared/boot/app"
	"bindery/shared/clock"
	"bindery/shared/core/connect"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/platform/signer"
	"bindery/shared/platform/vault"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

const (
	scheduleConnections = 5_000
	scheduleTime        = time.Minute // of the function, as template.yaml has it

	sendCall  = 10 * time.Millisecond
	otherCall = 20 * time.Millisecond
)

// ticker is the schedule's function over a table, a queue, a vault and a bus
// that take time and are counted.
type ticker struct {
	*meter
	core *app.Core
	raw  *store.Store

	mu        sync.Mutex
	seen      map[string]bool // partitions of connections that were looked at
	elsewhere int             // calls of queue, vault and bus
	sent      map[directory.ConnectionID]int
}

func newTicker() *ticker {
	mem := memory.New()
	x := &ticker{meter: &meter{mem: mem, latency: tableCall, to: &ledger{}}, raw: store.New(mem, store.Options{}), seen: map[string]bool{}, sent: map[directory.ConnectionID]int{}}
	x.core = app.NewCore(app.Parts{
		Store: store.New(x, store.Options{}), Vault: vaultOf{&vault.Memory{}, x}, Queue: x, Publisher: x,
		Signer:  signer.NewLocal(signer.LocalConfig{Key: func(context.Context) (directory.Secret, error) { return directory.NewSecret(simSecret), nil }}),
		Connect: connect.Config{LoginBaseURL: simBase, ClientID: stack.ClientID, RedirectURL: simBack},
	})
	return x
}

// Query implements store.Table, and notes whom it is about.
func (x *ticker) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if id, ok := strings.CutPrefix(q.Partition, "C#"); ok {
		x.mu.Lock()
		x.seen[id] = true
		x.mu.Unlock()
	}
	return x.meter.Query(ctx, q)
}

func (x *ticker) other(ctx context.Context, takes time.Duration) error {
	x.mu.Lock()
	x.elsewhere++
	x.mu.Unlock()
	return clock.Sleep(ctx, takes)
}

// Send implements app.Queue.
func (x *ticker) Send(ctx context.Context, w directory.WakeUp, _ time.Duration) error {
	return x.SendAll(ctx, []directory.WakeUp{w})
}

// SendAll implements app.Queue: ten at once, as SQS takes them.
func (x *ticker) SendAll(ctx context.Context, list []directory.WakeUp) error {
	for at := 0; at < len(list); at += 10 {
		if err := x.other(ctx, sendCall); err != nil {
			return err
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, w := range list {
		x.sent[w.ConnectionID]++
	}
	return nil
}

// SendLoad implements app.Queue.
func (x *ticker) SendLoad(ctx context.Context, _ directory.WakeUp, _ time.Duration) error {
	return x.other(ctx, sendCall)
}

// SendSweep implements app.Queue.
func (x *ticker) SendSweep(ctx context.Context, _ directory.WakeUp, _ time.Duration) error {
	return x.other(ctx, sendCall)
}

// Publish implements activity.Publisher.
func (x *ticker) Publish(ctx context.Context, _ ...directory.Notification) error {
	return x.other(ctx, otherCall)
}

// vaultOf is a vault whose reads a ticker counts; an idle connection needs nothing
// else of it.
type vaultOf struct {
	*vault.Memory
	ticker *ticker
}

// Get implements connect.Vault.
func (v vaultOf) Get(ctx context.Context, name string) (directory.Secret, error) {
	if err := v.ticker.other(ctx, otherCall); err != nil {
		return directory.Secret{}, err
	}
	return v.Memory.Get(ctx, name)
}

// connection makes one as it is after days of work, read last so long ago.
func (x *ticker) connection(t *testing.T, n int, read time.Duration) {
	t.Helper()
	now := time.Now()
	c := directory.Connection{
		ID: directory.NewConnectionID(now), Name: fmt.Sprintf("corp%d", n), Status: directory.StatusActive, Epoch: 1, AuthorizedAt: now.Add(-90 * time.Hour),
		Tenant:   &directory.Tenant{ID: directory.TenantID(fmt.Sprintf("22222222-aaaa-4bbb-8ccc-%012d", n+1)), Domains: []directory.Domain{{Name: fmt.Sprintf("corp%d.example", n)}}},
		Settings: rich.settings(),
	}
	do := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	do(x.raw.Connections.CreateConnection(t.Context(), directory.AuditEvent{}, &c))
	l, _, err := x.raw.Leases.AcquireLease(t.Context(), c.ID, "filled", time.Minute)
	do(err)
	do(x.raw.Leases.SaveLink(t.Context(), &l, store.ReadLink{Link: simBase + "/v1.0/users/delta?$deltatoken=x", Settings: reconcile.SettingsDigest(&c), At: now.Add(-read)}))
	do(x.raw.Leases.ReleaseLease(t.Context(), &l, store.RunEnd{State: directory.RunDone, At: now.Add(-read), Full: true}, true))
	do(x.raw.Connections.SaveHealth(t.Context(), c.ID, struct{}{}, now.Add(-time.Hour)))
}

// tick is one call of the function, and what it came to.
func (x *ticker) tick(t *testing.T) (took time.Duration, calls int) {
	t.Helper()
	before := x.to.read().Calls + x.elsewhere
	ctx, cancel := context.WithTimeout(t.Context(), scheduleTime)
	defer cancel()
	begun := time.Now()
	if err := x.core.Tick(ctx); err != nil {
		t.Log(err)
	}
	return time.Since(begun), x.to.read().Calls + x.elsewhere - before
}

// scheduler measures the schedule's tick over many connections: all of them idle,
// and then as they are on an ordinary day, when a third of them is due.
func scheduler(t *testing.T, r *report) {
	synctest.Test(t, func(t *testing.T) {
		x := newTicker()
		for n := range scheduleConnections {
			x.connection(t, n, time.Duration(n%300)*time.Second)
		}
		x.tick(t) // the first one tells what has never been told
		took, calls, turns := time.Duration(0), 0, 0
		const ticks = 5 // in which each lane of marks has its turn
		for range ticks {
			clear(x.seen)
			d, n := x.tick(t)
			took, calls, turns = took+d, calls+n, turns+len(x.seen)
		}
		r.add("schedule.connections_per_minute", float64(turns)/took.Minutes(), "connections", higher,
			fmt.Sprintf("of %d idle connections, how many a minute of the schedule looks at; a tick had %d of them in %.1f s", scheduleConnections, turns/ticks, took.Seconds()/ticks))
		r.add("schedule.calls_per_idle", float64(calls)/float64(turns), "calls", lower, "of table, queue, vault and bus together, for each of them")
		clear(x.sent)
		time.Sleep(10 * time.Minute)
		took, calls = x.tick(t)
		r.add("schedule.calls_per_connection", float64(calls)/scheduleConnections, "calls", lower,
			fmt.Sprintf("the same when %d of them are due and woken, in %.1f s", len(x.sent), took.Seconds()))
	})
}
