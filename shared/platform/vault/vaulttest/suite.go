// Package vaulttest holds what every vault must do.
package vaulttest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/platform/vault"
)

// Run runs the suite; open gives an empty vault.
func Run(t *testing.T, open func(t *testing.T) vault.Vault) {
	secret := directory.NewSecret
	wantValue := func(t *testing.T, v vault.Vault, name, want string) {
		t.Helper()
		if got, err := v.Get(t.Context(), name); err != nil || got.Reveal() != want {
			t.Errorf("Get(%s): %v; right value: %v", name, err, got.Reveal() == want)
		}
	}
	wantNone := func(t *testing.T, v vault.Vault, name string) {
		t.Helper()
		_, err := v.Get(t.Context(), name)
		if !errors.Is(err, vault.ErrNotFound) || !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("Get(%s) = %v, want ErrNotFound", name, err)
		}
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Run("Life", func(t *testing.T) {
		v := open(t)
		wantNone(t, v, "connections/a/1")
		must(t, v.Delete(t.Context(), "connections/a/1"))
		if err := v.Put(t.Context(), "connections/a/1", secret("none")); !errors.Is(err, vault.ErrNotFound) {
			t.Errorf("Put of none = %v, want ErrNotFound", err)
		}
		wantNone(t, v, "connections/a/1")
		must(t, v.Create(t.Context(), "connections/a/1", secret("zero")))
		if err := v.Create(t.Context(), "connections/a/1", secret("other")); !errors.Is(err, vault.ErrExists) || !errors.Is(err, directory.ErrConflict) {
			t.Errorf("Create of one that is there = %v, want ErrExists", err)
		}
		wantValue(t, v, "connections/a/1", "zero")
		for _, value := range []string{"one", "two", `{"refreshToken":"x","ü":"🐎"}`, strings.Repeat("x", 65536)} {
			must(t, v.Put(t.Context(), "connections/a/1", secret(value)))
			wantValue(t, v, "connections/a/1", value)
		}
		must(t, v.Create(t.Context(), "connections/a/2", secret("other")))
		must(t, v.Create(t.Context(), "connections/a/1/sgn_1", secret("below")))
		must(t, v.Delete(t.Context(), "connections/a/1"))
		wantValue(t, v, "connections/a/1/sgn_1", "below")
		if err := v.Put(t.Context(), "connections/a/1", secret("late")); err == nil {
			t.Error("Put brought a deleted secret back")
		}
		wantNone(t, v, "connections/a/1")
		wantValue(t, v, "connections/a/2", "other")
		must(t, v.Delete(t.Context(), "connections/a/1"))
	})
	t.Run("Names", func(t *testing.T) {
		v := open(t)
		for _, name := range []string{"", "/a", "a/", "a//b", "..", "../a", "a/../b", "a/./b", "a b", "ä", "a\x00", "a\\b", strings.Repeat("x", 401)} {
			_, get := v.Get(t.Context(), name)
			create, put, del := v.Create(t.Context(), name, secret("x")), v.Put(t.Context(), name, secret("x")), v.Delete(t.Context(), name)
			for _, err := range []error{get, create, put, del} {
				if !errors.Is(err, vault.ErrInvalid) {
					t.Errorf("name %q: %v, want ErrInvalid", name, err)
				}
			}
		}
		for _, name := range []string{"a", "A/b/C.9_+=@-", "...", strings.Repeat("x", 400)} {
			must(t, v.Create(t.Context(), name, secret(name)))
			wantValue(t, v, name, name)
		}
	})
	t.Run("Values", func(t *testing.T) {
		v := open(t)
		for _, value := range []string{"", strings.Repeat("hush", 20000)} {
			for _, err := range []error{v.Create(t.Context(), "a", secret(value)), v.Put(t.Context(), "a", secret(value))} {
				if !errors.Is(err, vault.ErrInvalid) || strings.Contains(err.Error(), "hush") {
					t.Errorf("a value of %d bytes = %v, want ErrInvalid without the value", len(value), err)
				}
			}
		}
		wantNone(t, v, "a")
	})
	t.Run("Cancelled", func(t *testing.T) {
		v := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, err := range []error{v.Create(ctx, "a", secret("x")), v.Put(ctx, "a", secret("x"))} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Create or Put = %v, want context.Canceled", err)
			}
		}
		if _, err := v.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
			t.Errorf("Get = %v, want context.Canceled", err)
		}
		wantNone(t, v, "a")
	})
	t.Run("AtOnce", func(t *testing.T) {
		v := open(t)
		must(t, v.Create(t.Context(), "a", secret("first")))
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				if err := v.Put(t.Context(), "a", secret(strings.Repeat(fmt.Sprint(i), 5000))); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		got, err := v.Get(t.Context(), "a")
		must(t, err)
		if s := got.Reveal(); len(s) != 5000 || strings.Trim(s, s[:1]) != "" {
			t.Errorf("after eight at once: %d bytes, not one of the eight values", len(s))
		}
	})
}
