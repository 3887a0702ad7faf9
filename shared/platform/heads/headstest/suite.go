// Package headstest holds what every keeper of heads must do.
package headstest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/platform/heads"
)

// head is a head of a test.
func head(chain string, seq int64, digit string) directory.ChainHead {
	return directory.ChainHead{Chain: chain, Seq: seq, Hash: strings.Repeat(digit, 64), At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
}

func names(list []directory.ChainHead) []string {
	out := make([]string, len(list))
	for i, h := range list {
		out[i] = fmt.Sprintf("%s:%d:%.1s", h.Chain, h.Seq, h.Hash)
	}
	return out
}

// Run runs the suite; open gives a fresh keeper.
func Run(t *testing.T, open func(t *testing.T) heads.Keeper) {
	t.Run("nothing is kept at first", func(t *testing.T) {
		k := open(t)
		chains, err := k.Chains(t.Context())
		list, listErr := k.Kept(t.Context(), "acts", 0, 10)
		if err != nil || listErr != nil || len(chains) != 0 || len(list) != 0 {
			t.Errorf("Chains = %v, %v; Kept = %v, %v", chains, err, list, listErr)
		}
	})
	t.Run("in the order of numbers, by chain, in pages", func(t *testing.T) {
		k := open(t)
		for _, h := range []directory.ChainHead{head("con_a", 10, "a"), head("con_a", 2, "b"), head("con_ab", 3, "c"), head("con_a", 1, "d"), head("acts", 1, "e")} {
			if err := k.Keep(t.Context(), h); err != nil {
				t.Fatal(err)
			}
		}
		if chains, err := k.Chains(t.Context()); err != nil || !slices.Equal(chains, []string{"acts", "con_a", "con_ab"}) {
			t.Errorf("Chains = %v, %v", chains, err)
		}
		for _, c := range []struct {
			after int64
			limit int
			want  []string
		}{
			{0, 10, []string{"con_a:1:d", "con_a:2:b", "con_a:10:a"}}, {0, 2, []string{"con_a:1:d", "con_a:2:b"}},
			{2, 10, []string{"con_a:10:a"}}, {5, 1, []string{"con_a:10:a"}}, {10, 10, nil},
		} {
			list, err := k.Kept(t.Context(), "con_a", c.after, c.limit)
			if got := names(list); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("Kept after %d, at most %d = %v, %v, want %v", c.after, c.limit, got, err, c.want)
			}
		}
	})
	t.Run("the same again does nothing, another one is refused", func(t *testing.T) {
		k := open(t)
		for range 2 {
			if err := k.Keep(t.Context(), head("acts", 7, "a")); err != nil {
				t.Fatal(err)
			}
		}
		if err := k.Keep(t.Context(), head("acts", 7, "b")); !errors.Is(err, directory.ErrConflict) {
			t.Errorf("Keep of another = %v, want a conflict", err)
		}
		if list, err := k.Kept(t.Context(), "acts", 0, 10); err != nil || !slices.Equal(names(list), []string{"acts:7:a"}) {
			t.Errorf("Kept = %v, %v", names(list), err)
		}
		if list, err := k.Kept(t.Context(), "acts", 0, 10); err != nil || len(list) != 1 || list[0].Hash != strings.Repeat("a", 64) {
			t.Errorf("Kept = %v, %v", list, err)
		}
	})
	t.Run("what is no head is refused", func(t *testing.T) {
		k := open(t)
		long := head("acts", 1, "a")
		long.Hash += "a"
		up := head("acts", 1, "A")
		for _, h := range []directory.ChainHead{{}, head("", 1, "a"), head("../acts", 1, "a"), head("a/b", 1, "a"), head("acts", 0, "a"), head("acts", -1, "a"), head("acts", 1, "x"), long, up} {
			if err := k.Keep(t.Context(), h); err == nil || errors.Is(err, directory.ErrConflict) {
				t.Errorf("Keep %+v = %v", h, err)
			}
		}
		if chains, err := k.Chains(t.Context()); err != nil || len(chains) != 0 {
			t.Errorf("Chains = %v, %v", chains, err)
		}
		if _, err := k.Kept(t.Context(), "../acts", 0, 1); err == nil {
			if list, _ := k.Kept(t.Context(), "../acts", 0, 1); len(list) != 0 {
				t.Errorf("Kept of no chain = %v", list)
			}
		}
	})
	t.Run("many at once", func(t *testing.T) {
		k := open(t)
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				for seq := int64(1); seq <= 5; seq++ {
					if err := k.Keep(t.Context(), head(fmt.Sprintf("con_%d", i/2), seq, "a")); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		for i := range 4 {
			if list, err := k.Kept(t.Context(), fmt.Sprintf("con_%d", i), 0, 10); err != nil || len(list) != 5 {
				t.Errorf("Kept = %v, %v", names(list), err)
			}
		}
	})
}
