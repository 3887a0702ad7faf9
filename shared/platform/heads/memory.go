// Package heads keeps the heads of the activity's chains where whoever can
// write to the table cannot: a bucket with Object Lock (S3), on a laptop a
// folder of files that are only ever added (Folder), in tests memory. A chain
// that was cut off, rewound or made anew in the table does not have the links
// that were kept.
//
// A head is kept once and never changed. What of it counts, chain, number and
// hash, is in its name, so that a listing alone tells all of them.
//
// # Contract
//
// Keep of a head that is kept already does nothing. Keep of another head of the
// same chain and number fails with directory.ErrConflict; which of the two stays
// is the first one, and of two at the same moment both may: Kept then lists both,
// which no chain can satisfy. Any other error leaves it open whether the head is
// kept; Keep may be repeated. Kept is in the order of the numbers. All may be
// called at once by many.
package heads

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"bindery/shared/directory"
)

// prefix begins all names.
const prefix = "heads/"

// nameOf is where a head is kept. The number has leading zeros, so that the
// order of names is that of numbers.
func nameOf(h directory.ChainHead) string {
	return fmt.Sprintf("%s%s/%010d/%s", prefix, h.Chain, h.Seq, h.Hash)
}

// headOf reads a name.
func headOf(name string) (directory.ChainHead, bool) {
	rest, ok := strings.CutPrefix(name, prefix)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 {
		return directory.ChainHead{}, false
	}
	seq, err := strconv.ParseInt(parts[1], 10, 64)
	h := directory.ChainHead{Chain: parts[0], Seq: seq, Hash: parts[2]}
	return h, err == nil && check(h) == nil
}

// check refuses what cannot be a head, before it becomes a name.
func check(h directory.ChainHead) error {
	if err := checkChain(h.Chain); err != nil {
		return err
	}
	if h.Seq < 1 || h.Seq > 9_999_999_999 || len(h.Hash) != 64 || strings.Trim(h.Hash, "0123456789abcdef") != "" {
		return fmt.Errorf("heads: link %d with the hash %q of %s is no head", h.Seq, h.Hash, h.Chain)
	}
	return nil
}

func checkChain(chain string) error {
	if chain == "" || strings.Trim(chain, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return fmt.Errorf("heads: %q is no chain", chain)
	}
	return nil
}

// body is what a kept head holds, for people: its name says it all.
func body(h directory.ChainHead) []byte {
	data, err := json.Marshal(h)
	if err != nil {
		panic("heads: " + err.Error()) // texts, numbers and times always marshal
	}
	return append(data, '\n')
}

func conflict(h directory.ChainHead) error {
	return fmt.Errorf("heads: another link %d of %s is kept: %w", h.Seq, h.Chain, directory.ErrConflict)
}

// Memory keeps heads for tests.
type Memory struct {
	mu    sync.Mutex
	names []string // sorted
}

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

// some selects heads from names.
func some(names []string, chain string, after int64, limit int) []directory.ChainHead {
	var list []directory.ChainHead
	for _, name := range names {
		if h, ok := headOf(name); ok && h.Chain == chain && h.Seq > after {
			list = append(list, h)
		}
	}
	slices.SortFunc(list, func(a, b directory.ChainHead) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Hash, b.Hash))
	})
	return list[:min(limit, len(list))]
}
