package connect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
	"bindery/shared/platform/vault"
	"bindery/shared/store"
	"bindery/shared/table"
)

func TestConfirmRefusals(t *testing.T) {
	w := newWorld(t)
	c, _ := w.create("Contoso")
	oid, other := w.oid(adminUPN), w.oid("users@contoso.example")
	confirm := func(tenant directory.TenantID, admin directory.AccountID, by directory.Caller) (string, error) {
		_, err := w.Confirm(t.Context(), by, c.ID, tenant, admin)
		fmt.Fprintln(w.shown, err)
		if r, ok := errors.AsType[*directory.Refusal](err); ok {
			return r.Code, err
		}
		return fmt.Sprint(err), err
	}
	if got, _ := confirm(tenantID, oid, chief); got != "not-authorized" {
		t.Errorf("Confirm when pending = %s", got)
	}
	if p := w.authorize(c.ID, adminUPN); p.Status != 200 {
		t.Fatalf("page = %+v", p)
	}
	for _, tc := range []struct {
		tenant directory.TenantID
		admin  directory.AccountID
		by     directory.Caller
		want   string
		kind   error
		says   []string
	}{
		{otherID, oid, chief, "wrong-tenant", directory.ErrConflict, []string{string(otherID), string(tenantID)}},
		{tenantID, other, chief, "wrong-identity", directory.ErrConflict, []string{string(other), string(oid), adminUPN}},
		{"", oid, chief, "invalid-confirmation", directory.ErrInvalid, []string{"tenantId"}},
		{tenantID, " ", chief, "invalid-confirmation", directory.ErrInvalid, []string{"objectId"}},
		{"", "", chief, "invalid-confirmation", directory.ErrInvalid, []string{"tenantId", "objectId"}},
		{tenantID, oid, alice, "approve-missing", directory.ErrForbidden, nil}, // who asked for it, alone
		{tenantID, oid, directory.Caller{Subject: "bob"}, "approve-missing", directory.ErrForbidden, nil},
		{tenantID, oid, directory.Caller{Approve: true}, "approve-missing", directory.ErrForbidden, nil},
	} {
		got, err := confirm(tc.tenant, tc.admin, tc.by)
		if got != tc.want || !errors.Is(err, tc.kind) {
			t.Errorf("Confirm(%s, %s, %+v) = %s, want %s", tc.tenant, tc.admin, tc.by, got, tc.want)
		}
		for _, text := range tc.says {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("Confirm(%s, %s) says %v, and not %s", tc.tenant, tc.admin, err, text)
			}
		}
	}
	if c = w.read(c.ID); len(w.queue.sync) != 0 || c.Status != directory.StatusAwaitingConfirmation || c.AuthorizedBy != nil || w.stored(&c).confirmed {
		t.Error("a refused confirmation did something")
	}
	w.offset += ConfirmWithin
	if got, _ := confirm(tenantID, oid, chief); got != "authorization-expired" {
		t.Errorf("Confirm after 24 hours = %s", got)
	}
	w.offset = 0
	if got, _ := confirm(tenantID, oid, chief); got != "<nil>" {
		t.Errorf("Confirm = %s", got)
	}
	if got, err := confirm(tenantID, other, chief); got != "nothing-waits" || !strings.Contains(err.Error(), adminUPN) || !strings.Contains(err.Error(), string(other)) {
		t.Errorf("Confirm of another than what is in effect = %v", err)
	}
	_, err := w.Deactivate(t.Context(), alice, c.ID)
	w.check(err)
	if got, _ := confirm(tenantID, oid, chief); got != "deactivated" {
		t.Errorf("Confirm when deactivated = %s", got)
	}
}

// By the settings, who asked for an authorisation does not confirm it, whatever
// else he may.
func TestConfirmByOtherEyes(t *testing.T) {
	w := newWorld(t)
	c, _, err := w.Create(t.Context(), alice, "Contoso", "", directory.Settings{FourEyes: true})
	w.check(err)
	ask := func(by directory.Caller) {
		u, err := w.Authorize(t.Context(), by, c.ID)
		w.check(err)
		if p := w.call(w.browse(u, adminUPN, "accept")); p.Status != 200 {
			t.Fatalf("page = %+v", p)
		}
	}
	ask(chief)
	if _, err := w.confirm(w.Service, c.ID); !errors.Is(err, directory.ErrForbidden) {
		t.Errorf("Confirm by the one who asked = %v", err)
	}
	ask(alice) // another link: it is about who asked for this one
	if got, err := w.confirm(w.Service, c.ID); err != nil || got.Confirmation.By != "chief" {
		t.Errorf("Confirm by another = %+v, %v", got.Confirmation, err)
	}
}

// 300 domains, one of them another connection's: refused with the holder named,
// and none of the others is taken.
func TestConfirmClaimsDomains(t *testing.T) {
	w := newWorld(t)
	const big = directory.TenantID("22222222-aaaa-4bbb-8ccc-000000000003")
	var domains []string
	for i := range 299 {
		domains = append(domains, fmt.Sprintf("d%03d.example", i))
	}
	w.tenant(big, "Big", "big.example", domains...)
	holder := w.connected("The & holder", adminUPN)
	w.check(w.store.Claims.ClaimDomains(t.Context(), &holder, []string{"D250.example"})) // before it moved to Big
	c, _ := w.create("Big")
	if p := w.authorize(c.ID, "admin@big.example"); p.Status != 200 {
		t.Fatalf("page = %+v", p)
	}
	held := func() (n int) {
		for _, d := range append([]string{"big.example"}, domains...) {
			it, err := w.table.Get(t.Context(), table.Key{Partition: "D#" + d, Sort: "claim"})
			if err == nil && it.Strings["connection"] == string(c.ID) {
				n++
			}
		}
		return n
	}
	_, err := w.confirm(w.Service, c.ID)
	if r, ok := errors.AsType[*directory.Refusal](err); !ok || r.Code != "domain-claimed" || !errors.Is(err, directory.ErrConflict) ||
		!strings.Contains(err.Error(), "The & holder") || !strings.Contains(err.Error(), string(holder.ID)) {
		t.Fatalf("Confirm = %v", err)
	}
	if n := held(); n != 0 || w.read(c.ID).Status != directory.StatusAwaitingConfirmation {
		t.Errorf("a refused confirmation holds %d domains", n)
	}
	_, err = w.Deactivate(t.Context(), alice, holder.ID)
	w.check(err)
	got, err := w.confirm(w.Service, c.ID)
	if err != nil || got.Status != directory.StatusActive || held() < 300 {
		t.Errorf("Confirm when the holder was let go = %v, %d domains held", err, held())
	}
}

// A new domain of the tenant is claimed when the connection is authorised
// again, and left out when another connection has it.
func TestReauthorizeClaimsNewDomains(t *testing.T) {
	w := newWorld(t)
	holder := w.connected("Holder", "admin@fabrikam.example")
	c := w.connected("Contoso", adminUPN)
	_, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, c.ID, func(c *directory.Connection) error {
		c.Tenant.Domains = nil // as if all of them were new
		return nil
	})
	w.check(err)
	w.check(w.store.Claims.ReleaseDomains(t.Context(), &c, []string{"contoso.example"}))
	w.check(w.store.Claims.ClaimDomains(t.Context(), &holder, []string{"contoso.example"}))
	if p := w.authorize(c.ID, adminUPN); p.Code != "renewed" {
		t.Fatalf("page = %+v", p)
	}
	got := w.read(c.ID)
	if got.ClaimsDomain("contoso.example") {
		t.Errorf("the connection says it has a domain of another: %v", domainNames(got.Tenant))
	}
	_, err = w.Deactivate(t.Context(), alice, holder.ID)
	w.check(err)
	if p := w.authorize(c.ID, adminUPN); p.Code != "renewed" {
		t.Fatalf("page = %+v", p)
	}
	if got = w.read(c.ID); !got.ClaimsDomain("contoso.example") {
		t.Errorf("the free domain was not claimed: %v", domainNames(got.Tenant))
	}
}

func TestDeactivate(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	before := len(w.sim.Mutations(string(tenantID)))
	w.resetRequests()
	got, err := w.Deactivate(t.Context(), alice, c.ID)
	if err != nil || got.Status != directory.StatusDeactivated || len(got.MayRemove) < 2 || !strings.Contains(strings.Join(got.MayRemove, " "), clientID) {
		t.Errorf("Deactivate = %+v, %v", got, err)
	}
	if now := w.read(c.ID); now.Epoch != 2 || len(w.vault.Names()) != 0 {
		t.Errorf("epoch %d, secrets %v", now.Epoch, w.vault.Names())
	}
	if w.queue.sweepDelay < confirmLease || len(w.queue.sweep) != 1 {
		t.Errorf("sweeps %v after %s", w.queue.sweep, w.queue.sweepDelay)
	}
	if got, err = w.Deactivate(t.Context(), alice, c.ID); err != nil || got.Released != 0 || got.Status != directory.StatusDeactivated || w.read(c.ID).Epoch != 2 {
		t.Errorf("the second time = %+v, %v", got, err)
	}
	if w.sent.all.Load() != 0 || len(w.sim.Mutations(string(tenantID))) != before {
		t.Error("a deactivation talked to Microsoft")
	}
	if _, err := w.token(w.Service, &c); !errors.Is(err, directory.ErrLeaseLost) {
		t.Errorf("Token afterwards = %v", err)
	}
	if _, err := w.Deactivate(t.Context(), alice, "con_unknown"); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("Deactivate of none = %v", err)
	}
	// Authorised again: the same tenant, a new epoch, a confirmation.
	if p := w.authorize(c.ID, adminUPN); p.Code != "awaiting-confirmation" {
		t.Fatalf("page = %+v", p)
	}
	now, err := w.confirm(w.Service, c.ID)
	if err != nil || now.Epoch != 2 || len(w.queue.sweep) != 3 {
		t.Errorf("Confirm = %+v, %v; sweeps %d", now, err, len(w.queue.sweep))
	}
	if _, err := w.token(w.Service, &now); err != nil {
		t.Errorf("Token in the new epoch = %v", err)
	}
	if _, err := w.token(w.Service, &c); !errors.Is(err, directory.ErrLeaseLost) {
		t.Errorf("Token of the old epoch = %v", err)
	}
}

func TestDeactivateCounts(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	var list []store.Selection
	for i := range 3 {
		u := directory.User{ID: directory.NewUserID(time.Now()), Profile: directory.Profile{
			UserName: fmt.Sprint("u", i), Email: fmt.Sprintf("u%d@contoso.example", i), State: directory.StateActive}}
		w.check(w.store.Users.CreateUsers(t.Context(), directory.AuditEvent{}, &u))
		list = append(list, store.Selection{User: &u})
	}
	w.check(w.store.Bindings.Bind(t.Context(), directory.AuditEvent{}, &c, "alice", list))
	if got, err := w.Deactivate(t.Context(), alice, c.ID); err != nil || got.Released != 3 {
		t.Errorf("Deactivate = %+v, %v; want 3 released", got, err)
	}
}

// A process that only deactivates has neither keys nor a client.
func TestDeactivateAlone(t *testing.T) {
	w := newWorld(t)
	pending, _ := w.create("Pending")
	c := w.connected("Contoso", adminUPN)
	alone := New(Config{Now: w.now}, StoresOf(w.store), onlyDelete{w.vault}, w.queue, nil)
	for _, id := range []directory.ConnectionID{pending.ID, c.ID} {
		got, err := alone.Deactivate(t.Context(), alice, id)
		if err != nil || got.Status != directory.StatusDeactivated {
			t.Errorf("Deactivate = %+v, %v", got, err)
		}
		w.check(alone.SweepSecrets(t.Context(), id))
	}
	if n := w.vault.Names(); len(n) != 0 {
		t.Errorf("secrets %v", n)
	}
}

// onlyDelete is what the function deactivate may do with secrets.
type onlyDelete struct{ *vault.Memory }

func (onlyDelete) Get(context.Context, string) (directory.Secret, error) {
	return directory.Secret{}, errors.New("not allowed")
}

func (onlyDelete) Put(context.Context, string, directory.Secret) error {
	return errors.New("not allowed")
}

// A secret that cannot be deleted at once is deleted by the sweep, by Expire or
// by Delete, whichever comes first.
func TestSecretDeletedLater(t *testing.T) {
	for _, by := range []string{"sweep", "expire", "delete"} {
		w := newWorld(t)
		c := w.connected("Contoso", adminUPN)
		w.vault.Before = func(_ context.Context, call vault.Call) error {
			if call.Method == "Delete" {
				return errCrash
			}
			return nil
		}
		w.queue.err = errCrash
		if _, err := w.Deactivate(t.Context(), alice, c.ID); err != nil {
			t.Errorf("Deactivate with a vault that fails = %v", err)
		}
		w.age(time.Hour)
		now := w.read(c.ID)
		act := func() error {
			switch by {
			case "sweep":
				return w.SweepSecrets(t.Context(), c.ID)
			case "expire":
				return w.Expire(t.Context(), &now)
			}
			return w.Delete(t.Context(), directory.Caller{Subject: "admin"}, c.ID)
		}
		if err := act(); !errors.Is(err, errCrash) || len(w.vault.Names()) != 1 {
			t.Errorf("%s while the vault fails = %v", by, err)
		}
		w.vault.Before, w.queue.err = nil, nil
		sweeps := len(w.queue.sweep)
		if err := act(); err != nil || len(w.vault.Names()) != 0 {
			t.Errorf("%s = %v, secrets %v", by, err, w.vault.Names())
		}
		if by == "expire" {
			if len(w.queue.sweep) != sweeps+1 {
				t.Error("Expire did not queue the lost sweep")
			}
			now = w.read(c.ID)
			calls := w.countVault()
			w.check(w.Expire(t.Context(), &now))
			if now.Status != directory.StatusDeactivated || len(calls) != 0 {
				t.Errorf("the next Expire = %v, status %s", calls, now.Status)
			}
		}
	}
}

func TestDelete(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	err := w.Delete(t.Context(), directory.Caller{Subject: "admin"}, c.ID)
	if r, ok := errors.AsType[*directory.Refusal](err); !ok || r.Code != "not-deactivated" {
		t.Errorf("Delete of an active connection = %v", err)
	}
	_, err = w.Deactivate(t.Context(), alice, c.ID)
	w.check(err)
	w.check(w.Delete(t.Context(), directory.Caller{Subject: "admin"}, c.ID))
	if err := w.Delete(t.Context(), directory.Caller{Subject: "admin"}, c.ID); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("Delete twice = %v", err)
	}
	w.check(w.SweepSecrets(t.Context(), c.ID))
	if c := w.connected("Again", adminUPN); c.Status != directory.StatusActive {
		t.Errorf("the tenant of a deleted connection: %s", c.Status)
	}
}

func TestExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c, _ := w.create("Contoso")
		if p := w.authorize(c.ID, adminUPN); p.Status != 200 {
			t.Fatalf("page = %+v", p)
		}
		time.Sleep(ConfirmWithin - time.Second)
		c = w.read(c.ID)
		w.check(w.Expire(t.Context(), &c))
		if c = w.read(c.ID); c.Status != directory.StatusAwaitingConfirmation || len(w.vault.Names()) != 1 {
			t.Fatalf("a second before its time: %s, %v", c.Status, w.vault.Names())
		}
		late, err := w.Authorize(t.Context(), alice, c.ID)
		w.check(err)
		q := w.browse(late, adminUPN, "accept")
		time.Sleep(time.Second)
		w.check(w.Expire(t.Context(), &c))
		c = w.read(c.ID)
		if c.Status != directory.StatusPending || c.Tenant != nil || c.AuthorizedBy != nil || len(w.vault.Names()) != 0 {
			t.Errorf("after 24 hours: %+v, secrets %v", c, w.vault.Names())
		}
		if p := w.call(q); p.Code != "outdated" {
			t.Errorf("a link from before = %+v", p)
		}
		w.check(w.Expire(t.Context(), &c))
		if v := w.read(c.ID).Version; v != c.Version {
			t.Error("Expire of a pending connection changed it")
		}
		// The tenant is free for others, and for this connection.
		other := w.connected("Other", adminUPN)
		_, err = w.Deactivate(t.Context(), alice, other.ID)
		w.check(err)
		if p := w.authorize(c.ID, "admin@fabrikam.example"); p.Status != 200 {
			t.Errorf("authorised again, by another tenant = %+v", p)
		}
	})
}

// Confirm and Expire at the same moment: one of them wins, whole.
func TestConfirmAgainstExpire(t *testing.T) {
	for range 10 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			c, _ := w.create("Contoso")
			if p := w.authorize(c.ID, adminUPN); p.Status != 200 {
				t.Fatalf("page = %+v", p)
			}
			time.Sleep(ConfirmWithin - 30*time.Millisecond)
			w.table.Latency = 10 * time.Millisecond
			c = w.read(c.ID)
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = w.confirm(w.process(), c.ID) })
			time.Sleep(30 * time.Millisecond)
			wg.Go(func() { _ = w.process().Expire(t.Context(), &c) })
			wg.Wait()
			now := w.read(c.ID)
			if now.Status == directory.StatusAwaitingConfirmation { // each got in the other's way
				w.check(w.Expire(t.Context(), &now))
				now = w.read(c.ID)
			}
			if now.Status == directory.StatusActive != (len(w.vault.Names()) == 1) || now.Status == directory.StatusActive && now.Epoch != 1 {
				t.Errorf("%s, epoch %d, secrets %v", now.Status, now.Epoch, w.vault.Names())
			}
		})
	}
}

func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.connected("Contoso", adminUPN)
		calls := w.countVault()
		w.resetRequests()
		for range 20 * 24 { // hourly for 20 days without any sync
			time.Sleep(time.Hour)
			c = w.read(c.ID)
			w.check(w.Expire(t.Context(), &c))
		}
		if n := w.tokenRequests(); n < 2 || n > 3 {
			t.Errorf("%d refreshes in 20 days, want one a week, or a day before that", n)
		}
		if calls["Get"] > 20*4+8 {
			t.Errorf("%d reads of the secret in 20 days", calls["Get"])
		}
		c.LastRun = &directory.LastRun{SucceededAt: time.Now().Add(30 * time.Hour)}
		n := calls["Get"]
		for range 24 {
			time.Sleep(time.Hour)
			w.check(w.process().Expire(t.Context(), &c))
		}
		if calls["Get"] != n {
			t.Error("the secret of a connection that syncs was read")
		}
	})
}

// TestKeepAliveSpread: many connections that have not synced since the same
// minute are not all refreshed in one tick of the schedule.
func TestKeepAliveSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.connected("Contoso", adminUPN)
		calls := w.countVault()
		const n = 200
		most, looked := 0, map[int]bool{}
		time.Sleep(6 * 24 * time.Hour)
		for range 24 * 12 {
			before := calls["Get"]
			for i := range n {
				if looked[i] {
					continue
				}
				other := c // without tokens: that it looks for them is what counts
				other.ID = directory.ConnectionID(fmt.Sprintf("con_%d", i))
				was := calls["Get"]
				_ = w.Expire(t.Context(), &other)
				looked[i] = calls["Get"] > was
			}
			most = max(most, calls["Get"]-before)
			time.Sleep(5 * time.Minute)
		}
		for i := range n {
			if !looked[i] {
				t.Errorf("connection %d had no turn in a day", i)
			}
		}
		if most > n/3 {
			t.Errorf("%d reads of secrets in one tick, for %d connections", most, n)
		}
	})
}
