package reconcile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bindery/shared/core/passwords"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// book notes with which password the tenant made each account, as seen right
// before it: no fault lies between.
type book struct {
	rt http.RoundTripper

	mu        sync.Mutex
	passwords map[string]string // by userPrincipalName
}

func (b *book) RoundTrip(r *http.Request) (*http.Response, error) {
	var asked struct {
		Requests []struct {
			ID, Method, URL string
			Body            struct {
				UserPrincipalName string
				PasswordProfile   struct{ Password string }
			}
		}
	}
	if r.Body != nil && strings.HasSuffix(r.URL.Path, "/$batch") {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(raw))
		if err := json.Unmarshal(raw, &asked); err != nil {
			return nil, err
		}
	}
	resp, err := b.rt.RoundTrip(r)
	if err != nil || len(asked.Requests) == 0 {
		return resp, err
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(raw))
	var answered struct {
		Responses []struct {
			ID     string
			Status int
		}
	}
	if err := json.Unmarshal(raw, &answered); err != nil {
		return resp, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range answered.Responses {
		for _, q := range asked.Requests {
			if q.ID == a.ID && q.Method == "POST" && q.URL == "/users" && a.Status == http.StatusCreated {
				b.passwords[strings.ToLower(q.Body.UserPrincipalName)] = q.Body.PasswordProfile.Password
			}
		}
	}
	return resp, nil
}

// of is the password that an account was made with.
func (b *book) of(upn string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.passwords[strings.ToLower(upn)]
}

// passwordWorld is a world with temporary passwords under a key that may be
// exchanged.
func passwordWorld(t *testing.T) (w *world, key *directory.Secret) {
	w = newWorld(t)
	w.withPasswords()
	return w, &w.key
}

// withPasswords switches temporary passwords on.
func (w *world) withPasswords() {
	w.Helper()
	w.key = directory.NewSecret("the key of passwords")
	w.engine.config.PasswordKey = func(context.Context) (directory.Secret, error) { return w.key, nil }
	c, err := w.store.Connections.ModifyConnection(w.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Settings.InitialAccess = "temporary-password"
		return nil
	})
	w.do(err)
	w.conn = c
}

func (w *world) show(u directory.User) (string, error) {
	p := passwords.New(passwords.Config{Connections: w.store.Connections, Bindings: w.store.Bindings, Now: w.now, Key: func(context.Context) (directory.Secret, error) { return w.key, nil }})
	s, err := p.Show(w.Context(), caller("boss"), u.ID)
	return s.Reveal(), err
}

// code is the code of a refusal, or what else an error says.
func code(err error) string {
	if r, ok := errors.AsType[*directory.Refusal](err); ok {
		return r.Code
	}
	return fmt.Sprint(err)
}

func TestTemporaryPasswordIsShownOnce(t *testing.T) {
	w, key := passwordWorld(t)
	ann, bob := w.user("ann"), w.user("bob")
	w.bind(ann, bob)
	w.sync()
	got, err := w.show(ann)
	if err != nil || got == "" || got != w.made.of(ann.Email) {
		t.Fatalf("Show = %q, %v; the account was made with %q", got, err, w.made.of(ann.Email))
	}
	if raw, err := json.Marshal(w.binding(ann)); err != nil || strings.Contains(string(raw), got) {
		t.Errorf("the binding holds the password: %s, %v", raw, err)
	}
	if _, err := w.show(ann); code(err) != "password-shown" {
		t.Errorf("shown again: %v", err)
	}
	w.skew.Add(72*time.Hour - time.Minute)
	if again, err := w.show(bob); err != nil || again != w.made.of(bob.Email) || again == got {
		t.Errorf("Show = %q, %v within its hours", again, err)
	}
	carl := w.user("carl")
	w.port.token = signIn(t, w.sim)
	w.bind(carl)
	w.sync()
	w.skew.Add(72*time.Hour + time.Minute)
	if _, err := w.show(carl); code(err) != "temporary-password-ended" || !strings.Contains(err.Error(), "72 hours") {
		t.Errorf("after its hours: %v", err)
	}
	w.skew.Add(-72 * time.Hour)
	*key = directory.NewSecret("another key")
	if _, err := w.show(carl); code(err) != "password-key-gone" {
		t.Errorf("after a rotation: %v", err)
	}
	*key = directory.NewSecret("the key of passwords")
	if s, err := w.show(carl); err != nil || s != w.made.of(carl.Email) {
		t.Errorf("with the key back: %q, %v", s, err)
	}
}

// The same user with the same address has another password each time an account
// is made, in the same epoch and in the next.
func TestTemporaryPasswordsDiffer(t *testing.T) {
	w, _ := passwordWorld(t)
	ann := w.user("ann")
	seen := map[string]bool{}
	make := func(what string) {
		t.Helper()
		w.bind(ann)
		w.sync()
		w.skew.Add(time.Minute)
		w.sync()
		s, err := w.show(ann)
		if err != nil || s != w.made.of(ann.Email) {
			t.Fatalf("%s: Show = %q, %v; the account was made with %q", what, s, err, w.made.of(ann.Email))
		}
		if seen[s] {
			t.Errorf("%s: the password was used before", what)
		}
		seen[s] = true
		id := w.account(ann.Email)["id"].(string)
		for _, path := range []string{"/users/", "/directory/deletedItems/"} {
			if status, _, raw, err := w.port.do(t.Context(), "DELETE", path+id, nil); err != nil || status != http.StatusNoContent {
				t.Fatalf("DELETE %s = %d %s, %v", path, status, raw, err)
			}
		}
	}
	make("first")
	b := w.binding(ann)
	lease, c, err := w.store.Leases.AcquireLease(t.Context(), w.conn.ID, "test", time.Minute)
	w.do(err)
	w.do(w.store.Runs.Journal(t.Context(), &lease, &c, store.Journal{Bindings: []store.BindingChange{{Ref: b.Ref(), Remove: true, Mutate: func(*directory.Binding) bool { return true }}}}))
	w.do(w.store.Leases.ReleaseLease(t.Context(), &lease, store.RunEnd{}, true))
	make("released and bound again")
	c, _, err = w.store.Connections.DeactivateConnection(t.Context(), directory.AuditEvent{}, w.conn.ID)
	w.do(err)
	_, _, err = w.store.Bindings.Sweep(t.Context(), &c, simTenant, 1)
	w.do(err)
	w.conn, err = w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Status = directory.StatusActive
		return nil
	})
	w.do(err)
	make("in the next epoch")
}

// Whoever writes to the table, but has not the key, cannot have another password
// shown than the one that the account was made with.
func TestForgedRecordsOfPasswords(t *testing.T) {
	w, _ := passwordWorld(t)
	ann, bob := w.user("ann"), w.user("bob")
	w.bind(ann, bob)
	w.sync()
	others := w.binding(bob)
	for what, forge := range map[string]func(b *directory.Binding){
		"another change":        func(b *directory.Binding) { b.Password.ChangeID += "1" },
		"another time":          func(b *directory.Binding) { b.Password.At = b.Password.At.Add(time.Hour) },
		"another account":       func(b *directory.Binding) { b.AccountID = others.AccountID },
		"the record of another": func(b *directory.Binding) { b.Password = others.Password },
		"without a seal":        func(b *directory.Binding) { b.Password.Seal = "" },
		"another version":       func(b *directory.Binding) { b.Password.Key = "none" },
		"in doubt":              func(b *directory.Binding) { b.Password.Doubt = true },
		"no record":             func(b *directory.Binding) { b.Password = nil },
		"no password":           func(b *directory.Binding) { b.TemporaryPassword = false },
	} {
		b := w.binding(ann)
		kept := *b.Password
		forge(&b)
		w.do(w.store.Bindings.UpdateBinding(t.Context(), directory.AuditEvent{}, &b, false, false))
		if s, err := w.show(ann); err == nil || s != "" {
			t.Errorf("%s: Show = %q, %v", what, s, err)
		} else if _, ok := errors.AsType[*directory.Refusal](err); !ok {
			t.Errorf("%s: %v is no refusal", what, err)
		}
		b = w.binding(ann)
		b.Password, b.TemporaryPassword, b.AccountID = &kept, true, directory.AccountID(w.account(ann.Email)["id"].(string))
		w.do(w.store.Bindings.UpdateBinding(t.Context(), directory.AuditEvent{}, &b, false, false))
	}
	if s, err := w.show(ann); err != nil || s != w.made.of(ann.Email) {
		t.Errorf("the record as it was: %q, %v", s, err)
	}
}

// Records of before they had a version say nothing about the key: refused.
func TestPasswordsOfBefore(t *testing.T) {
	w, _ := passwordWorld(t)
	ann := w.user("ann")
	w.bind(ann)
	w.sync()
	b := w.binding(ann)
	b.Password = nil
	w.do(w.store.Bindings.UpdateBinding(t.Context(), directory.AuditEvent{}, &b, false, false))
	if _, err := w.show(ann); code(err) != "password-unversioned" {
		t.Errorf("Show: %v", err)
	}
}

// The answer to a creation is lost, the process dies, and meanwhile the key is
// rotated, or not; the setting switched off, or not. What is shown is what the
// account was made with, or nothing.
func TestPasswordWhoseAnswerWasLost(t *testing.T) {
	for _, tt := range []struct {
		name string
		then func(w *world)
		want string // the code of the refusal; empty: shown
	}{
		{"looked for", func(*world) {}, ""},
		{"rotated", func(w *world) { w.key = directory.NewSecret("another key") }, "password-key-gone"},
		{"rotated and back", func(w *world) {
			w.key = directory.NewSecret("another key")
			w.sync()
			w.key = directory.NewSecret("the key of passwords")
		}, "password-unknown"},
		{"switched off and on", func(w *world) {
			for _, access := range []string{"none", "temporary-password"} {
				_, err := w.store.Connections.ModifyConnection(w.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
					c.Settings.InitialAccess = access
					return nil
				})
				w.do(err)
				w.sync()
			}
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, _ := passwordWorld(t)
			ann := w.user("ann")
			w.bind(ann)
			// From the creation on nothing gets through any more.
			var died atomic.Bool
			inner := w.port.rt
			w.port.rt = roundTrip(func(r *http.Request) (*http.Response, error) {
				if died.Load() {
					return nil, errDead
				}
				resp, err := inner.RoundTrip(r)
				if w.made.of(ann.Email) != "" {
					died.Store(true)
					return nil, errDead
				}
				return resp, err
			})
			w.table.Before = func(context.Context, memory.Call) error {
				if died.Load() {
					return table.ErrBusy
				}
				return nil
			}
			if _, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{}); !died.Load() {
				t.Fatalf("the creation was not sent: %v", err)
			}
			w.port.rt, w.table.Before = inner, nil
			w.skew.Add(LeaseTTL + time.Second)
			tt.then(w)
			w.sync()
			got, err := w.show(ann)
			switch {
			case tt.want != "" && code(err) != tt.want:
				t.Errorf("Show = %q, %v, want it refused as %s", got, err, tt.want)
			case tt.want == "" && (err != nil || got != w.made.of(ann.Email)):
				t.Errorf("Show = %q, %v; the account was made with %q", got, err, w.made.of(ann.Email))
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
