package reconcile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// TestPartsOfAPage: the changes of a page go into chunks in their order, none too
// large unless it has one object only, and an object's stay together.
func TestPartsOfAPage(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 7))
		page := &decided{}
		for n := range 1 + r.IntN(700) {
			for range 1 + r.IntN(3) {
				c := directory.Change{ID: directory.ChangeID(fmt.Sprint(len(page.Changes))), UserID: directory.UserID(fmt.Sprintf("usr_%04d", n))}
				page.Changes, page.sizes = append(page.Changes, c), append(page.sizes, 1+r.IntN(6000))
				if r.IntN(200) == 0 {
					page.sizes[len(page.sizes)-1] = store.MaxChunkBytes
				}
			}
		}
		var all []directory.Change
		last := directory.UserID("")
		for _, part := range page.parts() {
			size, users := 0, map[directory.UserID]bool{}
			for i := range part {
				size += page.sizes[len(all)+i]
				users[part[i].UserID] = true
			}
			if len(users) > 1 && (size > store.MaxChunkBytes || len(part) > store.ChunkSize) {
				t.Errorf("seed %d: a chunk of %d changes and %d bytes", seed, len(part), size)
			}
			if part[0].UserID == last {
				t.Errorf("seed %d: the changes of %s are in two chunks", seed, last)
			}
			last = part[len(part)-1].UserID
			all = append(all, part...)
		}
		if !slices.EqualFunc(all, page.Changes, func(a, b directory.Change) bool { return a.ID == b.ID }) {
			t.Errorf("seed %d: the chunks have other changes than the page", seed)
		}
	}
}
