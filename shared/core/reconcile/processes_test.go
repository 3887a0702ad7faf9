package reconcile

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// process is an engine of its own over the same table and tenant, as in another
// warm Lambda.
func (w *world) process() *Engine {
	e := w.engine
	return New(Config{Stores: StoresOf(store.New(w.table, store.Options{Now: w.now})), Now: w.now, SecondLook: -1, Open: e.config.Open, Send: e.config.Send, PasswordKey: e.config.PasswordKey})
}

// TestSettingsChangedByAnotherProcess: an admin protects accounts while a load
// is under way in another process: from the next flight on they are left alone.
func TestSettingsChangedByAnotherProcess(t *testing.T) {
	w := newWorld(t)
	w.flow(2, BatchSize/2)
	var users []directory.User
	for i := range 3 * BatchSize {
		users = append(users, w.user(fmt.Sprintf("user%02d", i)))
	}
	for i := 0; i < len(users); i += 15 {
		w.bind(users[i : i+15]...)
	}
	w.sync()
	w.skew.Add(2 * Grace)
	w.sync()
	protect := make([]string, len(users))
	for i, u := range users {
		protect[i] = u.Email
		w.edit(u, func(u *directory.User) { u.Department = "Moved" })
	}
	written := func() (n int) {
		for _, u := range users {
			if w.account(u.Email)["department"] == "Moved" {
				n++
			}
		}
		return n
	}
	var mu sync.Mutex
	changed := false
	inner := w.port.rt
	w.port.rt = roundTrip(func(r *http.Request) (*http.Response, error) {
		resp, err := inner.RoundTrip(r)
		mu.Lock()
		defer mu.Unlock()
		if written() == BatchSize && !changed {
			changed = true
			_, err := store.New(w.table, store.Options{Now: w.now}).Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
				c.Settings.Protected = protect
				return nil
			})
			w.do(err)
		}
		return resp, err
	})
	w.sync()
	if n := written(); n != BatchSize {
		t.Errorf("%d accounts were written, want the %d that were under way", n, BatchSize)
	}
}

// TestProtectionInAnotherProcess: a role that is given at Microsoft counts
// within an hour in a process that has read the roles before. Another list of
// protected accounts, another authorisation, and Microsoft's refusal count at
// once.
func TestProtectionInAnotherProcess(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.user("ann"), w.user("bob")
	w.bind(ann, bob)
	w.sync()
	warm, other := w.process(), w.process()
	reads := 0
	count := func(e *Engine) {
		open := e.config.Open
		e.config.Open = func(ctx context.Context, c *directory.Connection) (Tenant, error) {
			tenant, err := open(ctx, c)
			return &roleCounter{Tenant: tenant, reads: &reads}, err
		}
	}
	count(warm)
	protected := func(e *Engine, u directory.User) bool {
		t.Helper()
		p, err := e.Protection(t.Context(), &w.conn)
		w.do(err)
		for _, a := range p.List() {
			if string(a.AccountID) == w.account(u.Email)["id"] {
				return true
			}
		}
		return false
	}
	for range 2 { // the second time from memory
		if protected(warm, ann) || reads != 1 {
			t.Fatalf("ann is protected, or her tenant's roles were read %d times", reads)
		}
	}
	_, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Settings.Protected = []string{bob.Email}
		return nil
	})
	w.do(err)
	if !protected(warm, bob) || reads != 2 {
		t.Errorf("another list of protected accounts does not count at once; %d reads", reads)
	}
	w.do(w.sim.SetRoles(simTenant, ann.Email, "User Administrator"))
	if !protected(other, ann) {
		t.Fatal("a process that reads the roles does not see the new one")
	}
	if protected(warm, ann) || reads != 2 {
		t.Errorf("the roles are not remembered: %d reads", reads)
	}
	_, err = w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.AuthorizedAt = w.now()
		return nil
	})
	w.do(err)
	if !protected(warm, ann) || reads != 3 {
		t.Errorf("another authorisation does not count at once; %d reads", reads)
	}
	w.do(w.sim.SetRoles(simTenant, bob.Email, "User Administrator"))
	w.skew.Add(directory.RolesLife)
	w.port.token = signIn(t, w.sim)
	if !protected(warm, bob) || reads != 4 {
		t.Errorf("when their time is over the roles are still those of before; %d reads", reads)
	}
}

// roleCounter counts how often the roles are read.
type roleCounter struct {
	Tenant

	reads *int
}

func (r *roleCounter) RoleHolders(ctx context.Context) (directory.Privileged, error) {
	*r.reads++
	return r.Tenant.RoleHolders(ctx)
}
