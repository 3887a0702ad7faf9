package connect

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/platform/vault"
)

// countVault counts the calls by method.
func (w *world) countVault() map[string]int {
	var mu sync.Mutex
	n := map[string]int{}
	w.vault.Before = func(_ context.Context, c vault.Call) error {
		mu.Lock()
		defer mu.Unlock()
		n[c.Method]++
		return nil
	}
	return n
}

func TestTokenCache(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	first := w.stored(&c)
	calls := w.countVault()
	s := w.process()
	for range 5 {
		if token, err := w.token(s, &c); err != nil || token != first.access.Reveal() {
			t.Fatalf("Token = %v", err)
		}
	}
	if calls["Get"] != 1 || calls["Put"] != 0 {
		t.Errorf("five uses of a live token = %v, want one Get", calls)
	}
	w.age(first.expiry.Sub(w.now()) - refreshBefore - 2*time.Second)
	if token, _ := w.token(s, &c); token != first.access.Reveal() || calls["Get"] != 1 {
		t.Error("the token was refreshed more than 5 minutes early")
	}
	w.age(4 * time.Second)
	w.resetRequests()
	second, err := w.token(s, &c)
	if err != nil || second == first.access.Reveal() || w.tokenRequests() != 1 || calls["Put"] != 1 {
		t.Errorf("5 minutes before its end: %v, %d requests, %v", err, w.tokenRequests(), calls)
	}
	if set := w.stored(&c); set.access.Reveal() != second || set.refresh.Equal(first.refresh) || len(missingScopes(set.scopes)) != 0 {
		t.Error("the new tokens are not those that are stored")
	}
	if third, err := w.token(w.process(), &c); err != nil || third != second || w.tokenRequests() != 1 {
		t.Errorf("another process: %v, %d requests", err, w.tokenRequests())
	}
}

func TestRenew(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	one, two := w.process(), w.process()
	old, err := w.token(one, &c)
	w.check(err)
	if _, err := w.token(two, &c); err != nil {
		t.Fatal(err)
	}
	w.resetRequests()
	fresh, err := one.Tokens(&c).Renew(t.Context(), directory.NewSecret(old))
	if err != nil || fresh.Reveal() == old {
		t.Fatalf("Renew = %v", err)
	}
	again, err := two.Tokens(&c).Renew(t.Context(), directory.NewSecret(old))
	if err != nil || !again.Equal(fresh) || w.tokenRequests() != 1 {
		t.Errorf("Renew in another process = %v after %d refreshes, want the stored one", err, w.tokenRequests())
	}
	// The fresh one is refused as well. That may be a fault at Microsoft: now and
	// then another one is tried. When it stays, an admin must look.
	token, other := fresh, two.Tokens(&c)
	for n := 0; ; n++ {
		next, err := other.Renew(t.Context(), token)
		if errors.Is(err, directory.ErrUnauthorized) {
			if e, ok := errors.AsType[*TokenError](err); !ok || e.Problem.Code != "graph-refuses-tokens" || n < 4 {
				t.Errorf("after %d minutes Renew of a renewed token = %v", n, err)
			}
			break
		}
		if err != nil && (codeOf(err) != "graph-refuses-tokens" || !errors.Is(err, directory.ErrUnavailable)) || n > 8 {
			t.Fatalf("after %d minutes Renew of a renewed token = %v", n, err)
		}
		if err == nil {
			token = next
		}
		if got := w.read(c.ID); got.Status != directory.StatusActive {
			t.Fatalf("after %d minutes the connection is %s", n, got.Status)
		}
		w.age(time.Minute)
	}
	if got := w.read(c.ID); got.Status != directory.StatusNeedsAuthorization || w.tokenRequests() > 8 {
		t.Errorf("status = %s after %d refreshes", got.Status, w.tokenRequests())
	}
}

// accept tells a source that Graph has answered a request with a token.
func accept(t *testing.T, s TokenSource, token directory.Secret) {
	t.Helper()
	s.(interface {
		Accepted(context.Context, directory.Secret)
	}).Accepted(t.Context(), token)
}

// A token that Graph has accepted for a while is not one that it refuses when
// fresh, in whatever process it is refused then.
func TestRefusedAfterAWhile(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	one, two := w.process(), w.process()
	old, err := w.token(one, &c)
	w.check(err)
	fresh, err := one.Tokens(&c).Renew(t.Context(), directory.NewSecret(old))
	w.check(err)
	calls := w.countVault()
	for range 3 {
		accept(t, one.Tokens(&c), fresh)
	}
	if calls["Put"] != 1 {
		t.Errorf("three acceptances are %v", calls)
	}
	w.age(2 * time.Minute)
	w.resetRequests()
	next, err := two.Tokens(&c).Renew(t.Context(), fresh)
	if err != nil || next.Equal(fresh) || w.tokenRequests() != 1 {
		t.Fatalf("Renew = %v after %d refreshes", err, w.tokenRequests())
	}
	// Also when it could not be noted: the token has lived for a while.
	w.vault.Before = func(_ context.Context, call vault.Call) error {
		if call.Method == "Put" {
			return errors.New("the vault is away")
		}
		return nil
	}
	accept(t, two.Tokens(&c), next)
	w.vault.Before = nil
	w.age(40 * time.Minute)
	if _, err := w.process().Tokens(&c).Renew(t.Context(), next); err != nil {
		t.Errorf("Renew of a token that was accepted unnoticed = %v", err)
	}
	if got := w.read(c.ID); got.Status != directory.StatusActive {
		t.Errorf("the connection is %s", got.Status)
	}
}

// Graph refuses everything for some minutes, and is well again: nothing is lost,
// and the next such time counts from its own beginning.
func TestRefusedForAWhile(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	s := w.process()
	old, err := w.token(s, &c)
	w.check(err)
	source, token := s.Tokens(&c), directory.NewSecret(old)
	for range 3 {
		for range 4 {
			next, err := source.Renew(t.Context(), token)
			if err == nil {
				token = next
			} else if !errors.Is(err, directory.ErrUnavailable) {
				t.Fatal(err)
			}
			w.age(55 * time.Second)
		}
		accept(t, source, token)
		w.age(10 * time.Minute)
	}
	if got := w.read(c.ID); got.Status != directory.StatusActive {
		t.Errorf("the connection is %s", got.Status)
	}
}

func TestTokenErrors(t *testing.T) {
	for _, tc := range []struct {
		name    string
		strike  func(w *world, c *directory.Connection)
		class   error
		status  directory.ConnectionStatus
		code    string
		loud    bool
		nothing bool // no request may be made
	}{
		{"revoked", func(w *world, _ *directory.Connection) { w.fault(entratest.Fault{Kind: "token", AADSTS: 50173}) },
			ErrNeedsAuthorization, directory.StatusNeedsAuthorization, "grant-revoked", false, false},
		{"admin disabled", func(w *world, _ *directory.Connection) {
			w.check(w.sim.EditAccount(string(tenantID), adminUPN, map[string]any{"accountEnabled": false}))
		}, ErrNeedsAuthorization, directory.StatusNeedsAuthorization, "admin-disabled", false, false},
		{"admin deleted", func(w *world, _ *directory.Connection) { w.check(w.sim.DeleteAccount(string(tenantID), adminUPN)) },
			ErrNeedsAuthorization, directory.StatusNeedsAuthorization, "admin-deleted", false, false},
		{"90 days", func(w *world, _ *directory.Connection) { w.age(91 * 24 * time.Hour) },
			ErrNeedsAuthorization, directory.StatusNeedsAuthorization, "grant-idle", false, false},
		{"secret gone", func(w *world, c *directory.Connection) {
			w.check(w.vault.Delete(context.Background(), secretName(c.ID, c.Epoch, c.SignInID)))
		}, ErrNeedsAuthorization, directory.StatusNeedsAuthorization, "tokens-missing", false, true},
		{"secret spoilt", func(w *world, c *directory.Connection) {
			w.check(w.vault.Put(context.Background(), secretName(c.ID, c.Epoch, c.SignInID), directory.NewSecret(`{"refreshToken":"1.abcdefghijklmnopqrstuvwxyz`)))
		}, ErrNeedsAuthorization, directory.StatusNeedsAuthorization, "tokens-missing", false, true},
		{"our secret", func(w *world, _ *directory.Connection) { w.fault(entratest.Fault{Kind: "token", AADSTS: 7000222}) },
			ErrConfiguration, directory.StatusActive, "client-secret-expired", true, false},
		{"outage", func(w *world, _ *directory.Connection) { w.fault(entratest.Fault{Kind: "token", AADSTS: 90033}) },
			ErrTransient, directory.StatusActive, "microsoft-unavailable", false, false},
		{"Microsoft's own failure, as invalid_grant", func(w *world, _ *directory.Connection) {
			w.fault(entratest.Fault{Kind: "token", AADSTS: 50000, Code: "invalid_grant"})
		}, ErrTransient, directory.StatusActive, "microsoft-unavailable", false, false},
		{"what belongs to a sign-in", func(w *world, _ *directory.Connection) { w.fault(entratest.Fault{Kind: "token", AADSTS: 54005}) },
			ErrTransient, directory.StatusActive, "refusal-misplaced", false, false},
		{"a service that the tenant lacks", func(w *world, _ *directory.Connection) {
			w.fault(entratest.Fault{Kind: "token", AADSTS: 650052, Code: "invalid_client"})
		}, ErrTransient, directory.StatusActive, "service-missing", false, false},
		{"no connection", func(w *world, _ *directory.Connection) { w.fault(entratest.Fault{Kind: "drop", Path: "/token"}) },
			ErrTransient, directory.StatusActive, "microsoft-unreachable", false, false},
		{"vault", func(w *world, _ *directory.Connection) {
			w.vault.Before = func(context.Context, vault.Call) error { return errCrash }
		}, ErrTransient, directory.StatusActive, "vault-unavailable", false, true},
		{"table", func(w *world, _ *directory.Connection) {
			setHooks(w, false, func(m string) error {
				if m == "Write" {
					return errCrash
				}
				return nil
			})
		}, ErrTransient, directory.StatusActive, "refresh-failed", false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			c := w.connected("Contoso", adminUPN)
			w.age(2 * time.Hour)
			w.resetRequests()
			tc.strike(w, &c)
			_, err := w.token(w.process(), &c)
			setHooks(w, false, nil)
			e, ok := errors.AsType[*TokenError](err)
			if !ok || !errors.Is(err, tc.class) || e.Problem.Code != tc.code || e.Problem.Next == "" {
				t.Fatalf("Token = %v, want %v %s", err, tc.class, tc.code)
			}
			if n := w.tokenRequests(); tc.nothing && n != 0 {
				t.Errorf("%d requests", n)
			}
			got := w.read(c.ID)
			if got.Status != tc.status {
				t.Errorf("status = %s, want %s", got.Status, tc.status)
			}
			if tc.status == directory.StatusNeedsAuthorization {
				p := got.Problem
				if p == nil || p.Code != tc.code || p.Since.IsZero() || p.Next == "" || strings.Contains(p.Message, "@") || !strings.Contains(p.Message, "authorised on") {
					t.Errorf("trouble = %+v, want since when and what to do, and nobody's address: it is mailed", p)
				}
				if got.AuthorizedBy == nil || got.AuthorizedBy.UserPrincipalName != adminUPN {
					t.Errorf("authorizedBy = %+v", got.AuthorizedBy)
				}
				w.resetRequests()
				if _, err := w.token(w.process(), &c); !errors.Is(err, ErrNeedsAuthorization) || w.tokenRequests() != 0 {
					t.Errorf("once more = %v after %d requests", err, w.tokenRequests())
				}
				return
			}
			if loud := strings.Contains(w.log.String(), `"level":"ERROR"`); loud != tc.loud {
				t.Errorf("logged loudly: %v, want %v", loud, tc.loud)
			}
			w.sim.ClearFaults()
			if _, err := w.token(w.process(), &c); err != nil {
				t.Errorf("afterwards = %v", err)
			}
		})
	}
}

// While the former token lives, a refresh that fails early costs nothing and is
// not tried at every use.
func TestEarlyRefreshFails(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	old := w.stored(&c)
	w.age(old.expiry.Sub(w.now()) - 2*time.Minute)
	w.fault(entratest.Fault{Kind: "token", AADSTS: 90033})
	s := w.process()
	w.resetRequests()
	for range 3 {
		if token, err := w.token(s, &c); err != nil || token != old.access.Reveal() {
			t.Fatalf("Token = %v", err)
		}
	}
	if n := w.tokenRequests(); n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
	w.age(90*time.Second + time.Second)
	if _, err := w.token(s, &c); !errors.Is(err, ErrTransient) {
		t.Errorf("with 29 s left = %v", err)
	}
}

// 50196 counts only when it comes again some minutes later, from whichever
// process.
func TestClientLoop(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	w.age(2 * time.Hour)
	w.fault(entratest.Fault{Kind: "token", AADSTS: 50196})
	w.resetRequests()
	for range 3 {
		if _, err := w.token(w.process(), &c); !errors.Is(err, ErrTransient) || w.read(c.ID).Status != directory.StatusActive {
			t.Fatalf("Token = %v, status %s", err, w.read(c.ID).Status)
		}
	}
	if n := w.tokenRequests(); n != 1 {
		t.Errorf("%d requests while it should pause, want 1", n)
	}
	w.sim.ClearFaults()
	w.age(3 * time.Minute)
	if _, err := w.token(w.process(), &c); err != nil || !w.stored(&c).loopSince.IsZero() {
		t.Errorf("when it is over = %v", err)
	}
	w.fault(entratest.Fault{Kind: "token", AADSTS: 50196})
	w.age(2 * time.Hour)
	if _, err := w.token(w.process(), &c); !errors.Is(err, ErrTransient) {
		t.Errorf("the first of a new series = %v", err)
	}
	w.age(3 * time.Minute)
	if _, err := w.token(w.process(), &c); !errors.Is(err, ErrNeedsAuthorization) || w.read(c.ID).Status != directory.StatusNeedsAuthorization {
		t.Errorf("the second, minutes later = %v", err)
	}
}

// Many processes at once, in virtual time: one refreshes, the others take its
// token; nobody fails.
func TestRefreshersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.connected("Contoso", adminUPN)
		time.Sleep(2 * time.Hour)
		w.table.Latency = 20 * time.Millisecond
		w.fault(entratest.Fault{Kind: "slow", Path: "/token", Seconds: 3})
		w.resetRequests()
		tokens := make([]string, 6)
		var wg sync.WaitGroup
		for i := range tokens {
			s := w.process()
			if i%2 == 1 {
				s = w.Service
			}
			wg.Go(func() {
				var err error
				if tokens[i], err = w.token(s, &c); err != nil {
					t.Errorf("Token = %v", err)
				}
			})
		}
		wg.Wait()
		for _, token := range tokens {
			if token != tokens[0] || token == "" {
				t.Error("they have different tokens")
			}
		}
		if n := w.tokenRequests(); n != 1 {
			t.Errorf("%d refreshes, want 1", n)
		}
	})
}

// A process that dies while it refreshes holds the others up for ten seconds at
// most, and the old refresh token still works.
func TestRefresherDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.connected("Contoso", adminUPN)
		time.Sleep(2 * time.Hour)
		got, err := w.store.SignIns.TokenLease(t.Context(), c.ID, c.Epoch, "the dead one", tokenLease)
		if err != nil || !got {
			t.Fatal(got, err)
		}
		start := time.Now()
		if _, err := w.token(w.process(), &c); err != nil || time.Since(start) > 12*time.Second || time.Since(start) < 9*time.Second {
			t.Errorf("Token = %v after %s", err, time.Since(start))
		}
	})
}

// When the vault takes no value the new tokens live on in memory and are stored
// at a later use; nothing that is newer is overwritten.
func TestFailingPut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.connected("Contoso", adminUPN)
		old := w.stored(&c)
		time.Sleep(2 * time.Hour)
		puts, failing := 0, true
		w.vault.Before = func(_ context.Context, call vault.Call) error {
			if call.Method == "Put" {
				if puts++; failing {
					return errCrash
				}
			}
			return nil
		}
		s := w.process()
		fresh, err := w.token(s, &c)
		if err != nil || fresh == old.access.Reveal() || puts < 2 {
			t.Fatalf("Token = %v after %d puts, want the fresh token and another try at once", err, puts)
		}
		if !w.stored(&c).refresh.Equal(old.refresh) {
			t.Fatal("the put did not fail")
		}
		was := puts
		if token, err := w.token(s, &c); err != nil || token != fresh || puts != was {
			t.Errorf("the next use = %v, %d puts more", err, puts-was)
		}
		failing = false
		time.Sleep(time.Minute)
		if token, err := w.token(s, &c); err != nil || token != fresh {
			t.Errorf("a later use = %v", err)
		}
		if w.stored(&c).access.Reveal() != fresh {
			t.Error("the tokens were not stored when the vault was back")
		}

		// Once more, and another process stores newer ones meanwhile.
		failing = true
		time.Sleep(2 * time.Hour)
		if _, err := w.token(s, &c); err != nil {
			t.Fatal(err)
		}
		failing = false
		time.Sleep(time.Minute)
		newer, err := w.token(w.process(), &c)
		w.check(err)
		if token, err := w.token(s, &c); err != nil || token != newer || w.stored(&c).access.Reveal() != newer {
			t.Errorf("after another process refreshed: %v; want its token to stand", err)
		}
	})
}

// A connection that is let go while a refresh is under way gives no token, and
// the tokens that come then are stored nowhere for good.
func TestDeactivatedWhileRefreshing(t *testing.T) {
	for _, at := range []string{"before", "after"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			c := w.connected("Contoso", adminUPN)
			time.Sleep(2 * time.Hour)
			if at == "before" {
				w.fault(entratest.Fault{Kind: "slow", Path: "/token", Seconds: 4})
			} else { // the put itself is slow
				w.vault.Before = func(_ context.Context, call vault.Call) error {
					if call.Method == "Put" {
						time.Sleep(4 * time.Second)
					}
					return nil
				}
			}
			var err error
			var wg sync.WaitGroup
			s := w.process()
			wg.Go(func() { _, err = w.token(s, &c) })
			time.Sleep(2 * time.Second)
			if _, e := w.Deactivate(t.Context(), alice, c.ID); e != nil {
				t.Fatal(e)
			}
			wg.Wait()
			if !errors.Is(err, directory.ErrLeaseLost) {
				t.Errorf("%s: Token = %v, want ErrLeaseLost", at, err)
			}
			if n := w.vault.Names(); len(n) != 0 {
				t.Errorf("%s: secrets %v are left", at, n)
			}
			if _, err := w.token(s, &c); !errors.Is(err, directory.ErrLeaseLost) {
				t.Errorf("%s: the next Token = %v", at, err)
			}
		})
	}
}

// A caller that gives up leaves nothing half done.
func TestTokenCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.connected("Contoso", adminUPN)
		time.Sleep(2 * time.Hour)
		w.fault(entratest.Fault{Kind: "slow", Path: "/token", Seconds: 30})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.process().Tokens(&c).Token(ctx); !errors.Is(err, ErrTransient) {
			t.Errorf("Token = %v", err)
		}
		start := time.Now()
		if _, err := w.process().Tokens(&c).Token(t.Context()); !errors.Is(err, ErrTransient) || time.Since(start) > tokenLease {
			t.Errorf("Token = %v after %s, want an end before the lease's", err, time.Since(start))
		}
		w.sim.ClearFaults()
		if _, err := w.token(w.process(), &c); err != nil || w.read(c.ID).Status != directory.StatusActive {
			t.Errorf("afterwards = %v", err)
		}
	})
}
