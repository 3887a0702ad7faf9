package heads

import (
	"cmp"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"

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

// some selects heads from names.
func some(names []string, chain string, after int64, limit int) []directory.ChainHead {
	var list []directory.ChainHead
	for _, name := range names {
		if h, ok := headOf(name); ok && h.Chain == chain && h.Seq > after {
			list = append(list, h)
		}
	}
	sort.Slice(list, func(i, j int) bool {
		a, b := &list[i], &list[j]
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Hash, b.Hash)) < 0
	})
	return list[:min(limit, len(list))]
}
