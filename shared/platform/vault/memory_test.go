package vault_test

import (
	"context"
	"errors"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/platform/vault"
	"bindery/shared/platform/vault/vaulttest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	vaulttest.Run(t, func(*testing.T) vault.Vault { return &vault.Memory{} })
}

func TestMemoryHooks(t *testing.T) {
	t.Parallel()
	fault := errors.New("fault")
	v := &vault.Memory{}
	v.Before = func(_ context.Context, c vault.Call) error {
		if c.Method == "Create" && c.N == 1 {
			return fault
		}
		return nil
	}
	v.After = func(_ context.Context, c vault.Call) error {
		if c.Method == "Create" && c.N == 2 {
			return fault
		}
		return nil
	}
	for n, stored := range []bool{false, true} {
		if err := v.Create(t.Context(), "a", directory.NewSecret("x")); !errors.Is(err, fault) {
			t.Errorf("Create %d = %v, want the fault", n+1, err)
		}
		if got := len(v.Names()) == 1; got != stored {
			t.Errorf("after Create %d stored = %v, want %v", n+1, got, stored)
		}
	}
}
