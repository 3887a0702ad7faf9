package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// mortal is a table whose n-th write from now is the last: it is done, or not,
// and everything after it fails.
type mortal struct {
	*memory.Table
	left  int
	after bool // the last write takes effect
	dead  bool
}

var errDead = errors.New("the worker has died")

func (m *mortal) Write(ctx context.Context, writes ...table.Write) error {
	if m.dead {
		return errDead
	}
	if m.left--; m.left == 0 {
		if m.dead = true; m.after {
			if err := m.Table.Write(ctx, writes...); err != nil {
				return err
			}
		}
		return errDead
	}
	return m.Table.Write(ctx, writes...)
}

// A worker dies at each of its writes in turn, with and without the write having
// taken effect, and each time that nobody listens. The schedule makes up for it:
// every run and every hour is linked once, every head is told, and a
// verification finds nothing.
func TestDeathAnywhere(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			w := newWorld(t)
			w.must(w.store.Audit.RecordAuditEvent(t.Context(), directory.AuditEvent{Kind: "bind", By: "eve", UserIDs: []directory.UserID{"usr_1"}}))
			w.Advance(2 * time.Hour)
			w.run(4, edits(6, func(i int) string { return fmt.Sprint("usr_", i) })...)
			w.run(4, edits(2, func(i int) string { return fmt.Sprint("usr_", i) })...)
			m := &mortal{Table: w.table, left: n, after: after}
			heard := &ear{}
			doomed := &Chain{Stores: ChainStoresOf(w.sealed(m)), Signer: testSeal{"k"}, Publish: heard, Now: w.Now}
			err := errors.Join(doomed.LinkRuns(t.Context(), w.conn.ID), doomed.Tend(t.Context()))
			if !m.dead {
				if err != nil {
					t.Fatalf("alive after %d writes: %v", n, err)
				}
				if n < 8 {
					t.Errorf("all is done after %d writes", n)
				}
				break
			}
			heard.fail = n % 2 // the next one may find nobody listening, too
			for range 3 {
				w.Advance(2 * time.Minute)
				next := &Chain{Stores: ChainStoresOf(w.store), Signer: testSeal{"k"}, Publish: heard, Now: w.Now}
				_ = next.Tend(t.Context()) // a failure is made up for by the next tick
			}
			for _, chain := range []struct {
				name string
				want int // of runs, of hours
			}{{string(w.conn.ID), 2}, {directory.AuditChain, 1}} {
				h, err := w.store.Chains.Head(t.Context(), chain.name)
				links, linksErr := w.store.Chains.Links(t.Context(), chain.name, 0, 100)
				linked := slices.DeleteFunc(links, func(l directory.ChainLink) bool {
					return l.Reason != directory.ChainEnded && l.Reason != directory.ChainHour
				})
				if err != nil || linksErr != nil || len(linked) != chain.want || h.Published != h.Seq || h.PublishedSeal != store.SealGood {
					t.Errorf("death at write %d (done: %v): head of %s = %+v, links %d, %v, %v", n, after, chain.name, h, len(linked), err, linksErr)
				}
			}
			if marks, _ := w.store.Chains.PendingLinks(t.Context(), "", nil, 10); len(marks) != 0 {
				t.Errorf("death at write %d (done: %v): marks left %v", n, after, marks)
			}
			if job, codes := w.verify(VerifyRequest{}); len(codes) != 0 || job.Counts["entries"] != 9 {
				t.Errorf("death at write %d (done: %v): verify = %v, %v", n, after, codes, job.Counts)
			}
		}
	}
}

// The verification itself may die anywhere: in the end it has said everything
// once.
func TestDeathOfAVerification(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := 1; n < 30; n++ {
			w, runs := linkedWorld(t)
			w.tamper(table.Key{Partition: "R#" + string(runs[0].ID), Sort: "c#000000"}, replaceBody("new 3", "new 4"))
			v, runner := w.verifier(w.store, &ear{})
			j, err := v.Start(t.Context(), directory.Caller{Subject: "admin"}, VerifyRequest{})
			w.must(err)
			m := &mortal{Table: w.table, left: n, after: after}
			killed := store.New(m, store.Options{Now: w.Now})
			_, doomed := w.verifier(killed, &ear{})
			for again := true; again && err == nil; {
				again, _, err = doomed.Work(t.Context(), j.ID, w.oneStep())
			}
			if !m.dead {
				break
			}
			for range 20 {
				w.Advance(2 * time.Minute) // its lease runs out; the schedule wakes it
				if again, _, err := runner.Work(t.Context(), j.ID, w.Now().Add(time.Hour)); err == nil && !again {
					break
				}
			}
			rec, err := w.store.Jobs.Job(t.Context(), j.ID)
			w.must(err)
			if rec.State != directory.JobDone || rec.RefusedCount != 1 || rec.Counts["links"] != 6 || rec.Counts[DiffChanged] != 1 {
				t.Errorf("death at write %d (done: %v): %s, refused %d, counts %v", n, after, rec.State, rec.RefusedCount, rec.Counts)
			}
		}
	}
}

// A run as large as they come is linked and verified within a slice's means.
func TestALargeRun(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	// A step of a job has a minute at most. Here none passes, whatever the machine.
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var r store.RunRecord
		const chunks, size = 20, 500
		for chunk := range chunks {
			changes := edits(size, func(i int) string { return fmt.Sprintf("usr_%d", chunk*size+i) })
			if chunk == 0 {
				r = w.begin(changes...)
			} else {
				w.must(w.store.Runs.AppendChunk(t.Context(), &w.lease, &r, changes))
			}
			w.apply(&r, chunk, 0, 20, changes)
			w.hold()
			fresh, err := w.store.Runs.Run(t.Context(), r.ID)
			w.must(err)
			r = fresh
		}
		w.end(&r, directory.RunDone)
		c, _ := w.chain()
		w.must(c.LinkRuns(t.Context(), w.conn.ID))
		l, err := w.store.Chains.Link(t.Context(), string(w.conn.ID), 1)
		if err != nil || l.Entries != chunks*size || l.Parts != 5 {
			t.Fatalf("link = %+v, %v", l.ChainStatement, err)
		}
		if job, codes := w.verify(VerifyRequest{}); len(codes) != 0 || job.Counts["entries"] != chunks*size {
			t.Errorf("verify = %v, %v", codes, job.Counts)
		}
		// Its export comes in parts.
		v := &Verifier{Chains: ChainStoresOf(w.store), Stores: VerifyStoresOf(w.store)}
		var parts []ExportedLink
		for next := ""; ; {
			list, more, err := v.Links(t.Context(), string(w.conn.ID), next, 2)
			w.must(err)
			parts = append(parts, list...)
			if next = more; next == "" {
				break
			}
		}
		n := 0
		for _, p := range parts {
			n += len(p.Leaves)
		}
		if len(parts) != 5 || n != chunks*size {
			t.Errorf("exported in %d parts with %d leaves", len(parts), n)
		}
	})
}

// blind is a table of which some read fails: the n-th one from now on.
type blind struct {
	*memory.Table
	left int
}

func (b *blind) fails() bool { b.left--; return b.left == 0 }

func (b *blind) Get(ctx context.Context, key table.Key) (table.Item, error) {
	if b.fails() {
		return table.Item{}, errDead
	}
	return b.Table.Get(ctx, key)
}

func (b *blind) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if b.fails() {
		return table.Page{}, errDead
	}
	return b.Table.Query(ctx, q)
}

// A read that fails costs time, and no link: a mark stays until its run has one.
func TestAReadFailsAnywhere(t *testing.T) {
	for n := 1; ; n++ {
		w := newWorld(t)
		w.must(w.store.Audit.RecordAuditEvent(t.Context(), directory.AuditEvent{Kind: "bind", By: "eve", UserIDs: []directory.UserID{"usr_1"}}))
		w.Advance(2 * time.Hour)
		w.run(4, edits(6, func(i int) string { return fmt.Sprint("usr_", i) })...)
		b := &blind{Table: w.table, left: n}
		c, _ := w.chain()
		unlucky := *c
		unlucky.Stores = ChainStoresOf(w.sealed(b))
		err := unlucky.Tend(t.Context())
		if b.left > 0 {
			if err != nil || n < 10 {
				t.Errorf("all is read after %d reads: %v", n, err)
			}
			break
		}
		if err == nil {
			t.Errorf("read %d fails, and nobody says so", n)
		}
		for range 3 {
			w.Advance(2 * time.Minute)
			w.must(c.Tend(t.Context()))
		}
		if _, codes := w.verify(VerifyRequest{}); len(codes) != 0 {
			t.Errorf("after read %d failed: verify = %v", n, codes)
		}
		if seq, err := w.store.Chains.Head(t.Context(), string(w.conn.ID)); err != nil || seq.Seq != 1 {
			t.Errorf("after read %d failed: %d links, %v", n, seq.Seq, err)
		}
	}
}
