package audit

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

const tableCall = 7 * time.Millisecond

// manyConnections is a world of thousands of connections whose table takes time.
func manyConnections(t *testing.T) (*world, store.RunRecord) {
	w := newWorld(t)
	for n := range 5000 {
		w.connect(fmt.Sprint("Branch ", n), fmt.Sprint("tenant-b", n))
	}
	r := w.begin(edit("usr_1", "a1", "department", "A", "B"))
	w.table.Before = func(context.Context, memory.Call) error {
		time.Sleep(tableCall)
		return nil
	}
	return w, r
}

// The chain of acts begins within one tick, however many connections there are: it
// could not begin with thousands of them while their open runs were read one after
// the other, and each tick tried again in vain.
func TestChainBeginsWithThousandsOfConnectionsWithinATick(t *testing.T) {
	const tick = 20 * time.Second
	synctest.Test(t, func(t *testing.T) {
		w, r := manyConnections(t)
		c, _ := w.chain()
		ctx, cancel := context.WithTimeout(t.Context(), tick)
		defer cancel()
		w.must(c.LinkHours(ctx))

		head, err := w.store.Chains.Head(t.Context(), directory.AuditChain)
		w.must(err)
		link, err := w.store.Chains.Link(t.Context(), directory.AuditChain, head.Seq)
		w.must(err)
		leaves, err := w.store.Chains.Leaves(t.Context(), &link)
		w.must(err)
		if len(leaves) != 1 || leaves[0].ID != leafRun+string(r.ID) || leaves[0].Sum != string(w.conn.ID) {
			t.Errorf("the chain began with %v, want the open run", leaves)
		}
	})
}

// The API answers within 29 seconds, or its gateway does in its place.
func TestSummaryOfThousandsOfConnectionsIsAnsweredInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := manyConnections(t)
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
		defer cancel()
		_, err := (&Summary{Stores: SummaryStoresOf(w.store), Now: w.Now}).Days(ctx, "", time.Time{}, time.Time{})
		w.must(err)
	})
}
