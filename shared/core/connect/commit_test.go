package connect

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/platform/vault"
	"bindery/shared/table/memory"
)

func TestReauthorize(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	before := w.stored(&c)
	grantAll(w)

	if p := w.authorize(c.ID, adminUPN); p.Code != "renewed" {
		t.Fatalf("authorising an active connection again = %+v", p)
	}
	was := c
	c = w.read(c.ID)
	if c.Status != directory.StatusActive || c.Epoch != 1 || c.SignInID == was.SignInID || c.Waiting != nil || w.stored(&c).refresh.Equal(before.refresh) {
		t.Errorf("after that: %+v", c)
	}
	w.age(time.Minute)
	w.check(w.Expire(t.Context(), &c))
	if n := w.vault.Names(); len(n) != 1 || n[0] != secretName(c.ID, 1, c.SignInID) || len(w.read(c.ID).Former) != 0 {
		t.Errorf("a minute later: secrets %v, former %v", n, w.read(c.ID).Former)
	}

	w.fault(entratest.Fault{Kind: "token", Grant: "refresh_token", AADSTS: 65001})
	w.age(2 * time.Hour)
	if _, err := w.token(w.process(), &c); !errors.Is(err, ErrNeedsAuthorization) {
		t.Fatalf("Token = %v", err)
	}
	if c = w.read(c.ID); c.Status != directory.StatusNeedsAuthorization {
		t.Fatalf("status = %s", c.Status)
	}
	u, err := w.Authorize(t.Context(), alice, c.ID)
	w.check(err)
	if u := w.depart(u); !strings.Contains(u, "prompt=consent") {
		t.Errorf("after 65001 the URL has no prompt=consent: %s", u)
	}
	w.sim.ClearFaults()
	n := len(w.queue.sync)
	if p := w.call(w.browse(u, adminUPN, "accept")); p.Code != "renewed" {
		t.Fatalf("page = %+v", p)
	}
	c = w.read(c.ID)
	if c.Status != directory.StatusActive || c.Problem != nil || c.Epoch != 1 || len(w.queue.sync) != n+1 || c.Confirmation.By != "chief" {
		t.Errorf("after re-authorising: %+v, woken %d times more", c, len(w.queue.sync)-n)
	}
	if _, err := w.token(w.Service, &c); err != nil {
		t.Errorf("Token = %v", err)
	}
}

// Whoever has the link may have signed in at a wrong tenant first: while that only
// waits, the right one takes its place, and the wrong tenant is given back.
func TestOtherTenantWhileOneWaits(t *testing.T) {
	w := newWorld(t)
	c, first := w.create("Contoso")
	if p := w.call(w.browse(first, "admin@fabrikam.example", "accept")); p.Status != 200 {
		t.Fatalf("page = %+v", p)
	}
	wrong := w.read(c.ID).Waiting.Tenant.ID
	if p := w.authorize(c.ID, adminUPN); p.Status != 200 || p.Code != "awaiting-confirmation" {
		t.Fatalf("page = %+v", p)
	}
	if in := w.read(c.ID).Waiting; in.Tenant.ID != tenantID || in.AuthorizedBy.UserPrincipalName != adminUPN {
		t.Errorf("what waits is %+v", in)
	}
	w.age(time.Hour)
	seen := w.read(c.ID)
	w.check(w.Expire(t.Context(), &seen))
	other, u := w.create("Fabrikam")
	if p := w.call(w.browse(u, "admin@fabrikam.example", "accept")); p.Status != 200 {
		t.Errorf("the tenant %s of the sign-in that was replaced is still held: %+v", wrong, p)
	}
	if _, err := w.confirm(w.Service, c.ID); err != nil {
		t.Errorf("confirm = %v", err)
	}
	if n := len(w.vault.Names()); n != 2 {
		t.Errorf("%d secrets, want one for %s and one for %s", n, c.ID, other.ID)
	}
	// Once a tenant is confirmed, no other takes its place: Microsoft is asked for it alone.
	c = w.read(c.ID)
	if otherTenant(&c, &directory.Tenant{ID: wrong}) == nil || otherTenant(&c, &directory.Tenant{ID: tenantID}) != nil {
		t.Error("the confirmed tenant is not the only one")
	}
}

// Who writes to the table alone makes no start page and no confirmation show what
// Bindery did not write.
func TestForgedState(t *testing.T) {
	w := newWorld(t)
	c, u := w.create("Contoso")
	start := func(u string) Page { return w.Start(t.Context(), w.query(u), nil) }
	put := func(state string, st directory.OAuthState) {
		t.Helper()
		if _, err := w.store.SignIns.TakeState(t.Context(), hashState(state)); err != nil && !errors.Is(err, directory.ErrNotFound) {
			t.Fatal(err)
		}
		w.check(w.store.SignIns.PutState(t.Context(), directory.AuditEvent{}, hashState(state), st))
	}
	if p := start(u); p.Status != 200 {
		t.Fatalf("page = %+v", p)
	}
	own := w.query(u).Get("state")
	st, err := w.store.SignIns.State(t.Context(), hashState(own))
	w.check(err)
	for name, change := range map[string]func(*directory.OAuthState){
		"another asks":      func(s *directory.OAuthState) { s.RequestedBy = "the-boss" },
		"more permissions":  func(s *directory.OAuthState) { s.Scopes = append(s.Scopes, "Directory.AccessAsUser.All") },
		"another authority": func(s *directory.OAuthState) { s.Authority = "22222222-0000-4000-8000-000000000000" },
		"longer":            func(s *directory.OAuthState) { s.Expires = s.Expires.Add(time.Hour) },
		"no seal":           func(s *directory.OAuthState) { s.Seal = "" },
	} {
		forged := st
		forged.Scopes = slices.Clone(st.Scopes)
		change(&forged)
		put(own, forged)
		if p := start(u); p.Code != "state-unknown" {
			t.Errorf("%s: page %s, %+v", name, p.Code, p.Facts)
		}
	}
	// Nor does another state with the same words.
	other := randomText()
	put(other, st)
	if p := start("https://x/?state=" + other); p.Code != "state-unknown" {
		t.Errorf("a copied state: page %s", p.Code)
	}
	put(own, st)
	if p := w.call(w.browse(u, adminUPN, "accept")); p.Status != 200 {
		t.Fatalf("page = %+v", p)
	}
	w.edit(c.ID, func(c *directory.Connection) { c.Waiting.AuthorizedBy.UserPrincipalName = "ceo@contoso.example" })
	_, err = w.confirm(w.Service, c.ID)
	if r, ok := errors.AsType[*directory.Refusal](err); !ok || r.Code != "sign-in-altered" {
		t.Errorf("confirming what was altered = %v", err)
	}
	if c := w.read(c.ID); c.InEffect() {
		t.Errorf("it is in effect: %+v", c)
	}
}

func TestTenantClaimed(t *testing.T) {
	w := newWorld(t)
	first := w.connected("First & only", adminUPN)
	c, _ := w.create("Second")
	was := w.read(c.ID)
	p := w.authorize(c.ID, adminUPN)
	if p.Code != "tenant-claimed" || p.Status != 409 || !strings.Contains(p.HTML(), "First &amp; only") {
		t.Errorf("page = %+v", p)
	}
	is := w.read(c.ID)
	is.Version, is.Updated, is.RefusedSignIn = was.Version, was.Updated, nil
	if fmt.Sprintf("%+v", is) != fmt.Sprintf("%+v", was) {
		t.Errorf("a refused tenant left %+v", is)
	}
	if n := w.vault.Names(); len(n) != 1 {
		t.Errorf("secrets: %v", n)
	}
	_, err := w.Deactivate(t.Context(), alice, first.ID)
	w.check(err)
	if p := w.authorize(c.ID, adminUPN); p.Status != 200 {
		t.Errorf("after the first one was let go = %+v", p)
	}
	if p := w.authorize(first.ID, adminUPN); p.Code != "tenant-claimed" || w.read(first.ID).Status != directory.StatusDeactivated {
		t.Errorf("the first one again = %+v, %s", p, w.read(first.ID).Status)
	}
}

func TestRaceForOneTenant(t *testing.T) {
	for range 10 {
		w := newWorld(t)
		ids := make([]directory.ConnectionID, 4)
		pages := make([]Page, len(ids))
		var queries []url.Values
		for i := range ids {
			c, u := w.create(fmt.Sprint("c", i))
			ids[i] = c.ID
			queries = append(queries, w.browse(u, adminUPN, "accept"))
		}
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() { pages[i] = w.call(queries[i]) })
		}
		wg.Wait()
		got, waiting := map[string]int{}, 0
		for i, p := range pages {
			got[p.Code]++
			if w.read(ids[i]).Status == directory.StatusAwaitingConfirmation {
				waiting++
			}
		}
		if got["awaiting-confirmation"] != 1 || got["tenant-claimed"] != 3 || waiting != 1 || len(w.vault.Names()) != 1 {
			t.Fatalf("four at once = %v, %d waiting, %d secrets", got, waiting, len(w.vault.Names()))
		}
	}
}

// setHooks makes the calls to table and vault fail as hit says.
func setHooks(w *world, after bool, hit func(method string) error) {
	w.table.Before, w.table.After, w.vault.Before, w.vault.After = nil, nil, nil, nil
	if hit == nil {
		return
	}
	tableHook := func(_ context.Context, c memory.Call) error { return hit(c.Method) }
	vaultHook := func(_ context.Context, c vault.Call) error { return hit("vault " + c.Method) }
	if after {
		w.table.After, w.vault.After = tableHook, vaultHook
	} else {
		w.table.Before, w.vault.Before = tableHook, vaultHook
	}
}
