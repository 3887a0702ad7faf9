package vault

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"bindery/shared/directory"
)

// Call describes one call to a hook of Memory.
type Call struct {
	Method string // Get, Create, Put or Delete
	Name   string
	N      int // 1 for the first call of this method, 2 for the second
}

// Memory keeps secrets in memory, for tests. The zero value is empty and
// ready. Set its hooks before the first call; they may be called at once from
// many goroutines, without a lock held.
type Memory struct {
	// Before is called right before a call takes effect; its error is the
	// call's, and nothing happens. After is called right after; its error is
	// the call's, though all happened.
	Before, After func(ctx context.Context, call Call) error

	mu      sync.Mutex
	calls   map[string]int
	secrets map[string]directory.Secret
}

var _ Vault = (*Memory)(nil)

// Get returns a secret's newest value.
func (m *Memory) Get(ctx context.Context, name string) (value directory.Secret, err error) {
	err = m.call(ctx, "Get", name, func() error {
		var ok bool
		if value, ok = m.secrets[name]; !ok {
			return fmt.Errorf("%w: %s", ErrNotFound, name)
		}
		return nil
	})
	if err != nil {
		return directory.Secret{}, err
	}
	return value, nil
}

// Create makes a secret; ErrExists when there is one of that name.
func (m *Memory) Create(ctx context.Context, name string, value directory.Secret) error {
	if err := checkValue(name, value); err != nil {
		return err
	}
	return m.call(ctx, "Create", name, func() error {
		if _, ok := m.secrets[name]; ok {
			return fmt.Errorf("%w: %s", ErrExists, name)
		}
		if m.secrets == nil {
			m.secrets = make(map[string]directory.Secret)
		}
		m.secrets[name] = value
		return nil
	})
}

// Put gives a secret a new value; ErrNotFound when there is none.
func (m *Memory) Put(ctx context.Context, name string, value directory.Secret) error {
	if err := checkValue(name, value); err != nil {
		return err
	}
	return m.call(ctx, "Put", name, func() error {
		if _, ok := m.secrets[name]; !ok {
			return fmt.Errorf("%w: %s", ErrNotFound, name)
		}
		m.secrets[name] = value
		return nil
	})
}

// Delete removes a secret; none is no error.
func (m *Memory) Delete(ctx context.Context, name string) error {
	return m.call(ctx, "Delete", name, func() error {
		delete(m.secrets, name)
		return nil
	})
}

// Names returns the names of all secrets, sorted.
func (m *Memory) Names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.secrets))
}

func (m *Memory) call(ctx context.Context, method, name string, effect func() error) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	m.mu.Lock()
	if m.calls == nil {
		m.calls = make(map[string]int)
	}
	m.calls[method]++
	call := Call{Method: method, Name: name, N: m.calls[method]}
	m.mu.Unlock()
	if m.Before != nil {
		if err := m.Before(ctx, call); err != nil {
			return err
		}
	}
	m.mu.Lock()
	err := effect()
	m.mu.Unlock()
	if err == nil && m.After != nil {
		return m.After(ctx, call)
	}
	return err
}
