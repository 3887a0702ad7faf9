package audit

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table/memory"
)

// The chain of acts begins within one tick, however many connections there are: it
// could not begin with thousands of them while their open runs were read one after
// the other, and each tick tried again in vain.
func TestChainBeginsWithThousandsOfConnectionsWithinATick(t *testing.T) {
	const (
		connections = 5000
		tableCall   = 7 * time.Millisecond
		tick        = 20 * time.Second
	)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for n := range connections {
			w.connect(fmt.Sprint("Branch ", n), fmt.Sprint("tenant-b", n))
		}
		r := w.begin(edit("usr_1", "a1", "department", "A", "B"))
		w.table.Before = func(context.Context, memory.Call) error {
			time.Sleep(tableCall)
			return nil
		}
		c, _ := w.chain()
		ctx, cancel := context.WithTimeout(t.Context(), tick)
		defer cancel()
		w.must(c.LinkHours(ctx))

		head, err := w.store.Head(t.Context(), directory.ActsChain)
		w.must(err)
		link, err := w.store.Link(t.Context(), directory.ActsChain, head.Seq)
		w.must(err)
		leaves, err := w.store.Leaves(t.Context(), &link)
		w.must(err)
		if len(leaves) != 1 || leaves[0].ID != leafRun+string(r.ID) || leaves[0].Sum != string(w.conn.ID) {
			t.Errorf("the chain began with %v, want the open run", leaves)
		}
	})
}
