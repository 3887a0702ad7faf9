package heads

import (
	"context"
	"slices"
	"sync"

	"bindery/shared/directory"
)

// Memory keeps heads for tests. The zero value is empty and ready.
type Memory struct {
	mu    sync.Mutex
	names []string // sorted
}

var _ Keeper = (*Memory)(nil)

// Keep keeps a head.
func (m *Memory) Keep(_ context.Context, h directory.ChainHead) error {
	if err := check(h); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range m.names {
		if k, _ := headOf(name); k.Chain == h.Chain && k.Seq == h.Seq {
			if k.Hash == h.Hash {
				return nil
			}
			return conflict(h)
		}
	}
	at, _ := slices.BinarySearch(m.names, nameOf(h))
	m.names = slices.Insert(m.names, at, nameOf(h))
	return nil
}

// Chains lists the chains of which heads are kept.
func (m *Memory) Chains(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []string
	for _, name := range m.names {
		h, _ := headOf(name)
		list = append(list, h.Chain)
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// Kept lists heads of a chain from the one after a number on, at most limit.
func (m *Memory) Kept(_ context.Context, chain string, after int64, limit int) ([]directory.ChainHead, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return some(m.names, chain, after, limit), nil
}
