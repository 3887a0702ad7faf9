package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/plan"
	"bindery/shared/store"
)

const lastPhase = 2

// applyRun sends a run's changes, phase by phase and chunk by chunk.
func (w *worker) applyRun(ctx context.Context, r *store.RunRecord, cur *cursor) error {
	doubt := w.inFlight(r.ID)
	for cur.Phase <= lastPhase {
		for cur.Chunk < r.Chunks {
			a := &applier{worker: w, run: r, chunk: cur.Chunk, doubt: doubt == cur.Chunk}
			if err := a.load(ctx); err != nil {
				return err
			}
			if err := a.apply(ctx, cur.Phase, func() error { return w.overtake(ctx, r, cur) }); err != nil {
				return err
			}
			cur.Chunk++
		}
		cur.Phase, cur.Chunk = cur.Phase+1, 0
		r.Attempts = 0
		if err := w.saveRun(ctx, r, cur); err != nil {
			return err
		}
	}
	return w.endRun(ctx, r, cur)
}

// inFlight is the chunk that a holder before us may have been sending when it
// died, or -1.
func (w *worker) inFlight(id directory.RunID) int {
	var chunk, seq int
	if n, err := fmt.Sscanf(w.lease.Sending, string(id)+"/%d/%d", &chunk, &seq); n == 2 && err == nil {
		return chunk
	}
	return -1
}

// overtake serves leavers: users whose access was taken away while a long run
// is being applied. Their blocks become a chunk of this run and are sent at
// once, as long as the guard lets the sum pass; what it does not let pass stays
// marked and is planned, and held, by the next run.
func (w *worker) overtake(ctx context.Context, r *store.RunRecord, cur *cursor) error {
	marks, err := w.Store.UrgentMarks(ctx, w.conn.ID, w.lease.Epoch, BatchSize)
	if err != nil {
		return err
	}
	ids := make([]directory.UserID, 0, len(marks))
	for _, m := range marks {
		// The plan began with the urgent lane: what was there by then is in it.
		if at, done := w.served[m.UserID]; m.At.After(cur.At) && (!done || m.At.After(at)) {
			ids = append(ids, m.UserID)
			w.served[m.UserID] = m.At
		}
	}
	if len(ids) == 0 {
		return nil
	}
	subjects, err := w.subjects(ctx, ids)
	if err != nil {
		return err
	}
	now := w.now().UTC()
	counts := map[directory.Effect]int{}
	for e, n := range r.Counts {
		counts[e] = n
	}
	var chunk []directory.Change
	for i := range subjects {
		s := &subjects[i]
		if s.Binding.Release != "" || s.User.Enabled() {
			continue
		}
		// All of the user's changes: its blocks are sent now, the rest in its turn.
		for _, c := range stamp(plan.Decide(w.cfg, *s), s, now) {
			counts[c.Effect]++
			chunk = append(chunk, c)
		}
	}
	if len(chunk) == 0 {
		return nil
	}
	held, err := w.guard(ctx, counts)
	if err != nil || held != nil {
		return err
	}
	r.Counts = counts
	r.Cursor = cur.encode()
	if err := w.Store.AppendChunk(ctx, &w.lease, r, chunk); err != nil {
		return err
	}
	w.sum.Planned += len(chunk)
	a := &applier{worker: w, run: r, chunk: r.Chunks - 1, urgent: true}
	if err := a.load(ctx); err != nil {
		return err
	}
	return a.apply(ctx, 0, func() error { return nil })
}

// applier works on one chunk.
type applier struct {
	*worker
	run     *store.RunRecord
	chunk   int
	doubt   bool // a creation of this chunk may have been sent already
	urgent  bool
	changes []directory.Change
	results int // results items that the chunk has
}

func (a *applier) load(ctx context.Context) error {
	var err error
	a.changes, a.results, err = a.Store.Chunk(ctx, a.run.ID, a.chunk)
	return err
}

// apply sends the chunk's open changes of one phase in batches; between is
// called before each batch.
func (a *applier) apply(ctx context.Context, phase int, between func() error) error {
	for {
		if err := a.inTime(ctx); err != nil {
			return err
		}
		if err := a.cancelled(ctx); err != nil {
			return err
		}
		batch := a.pick(phase)
		if len(batch) == 0 {
			return nil
		}
		if err := between(); err != nil {
			return err
		}
		wait, err := a.batch(ctx, batch)
		if err != nil {
			return err
		}
		if wait > longestNap {
			return &errPause{after: wait, why: "Microsoft asked to wait", cause: directory.ErrUnavailable}
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// cancelled ends the work on a run that an admin has cancelled meanwhile.
func (a *applier) cancelled(ctx context.Context) error {
	r, err := a.Store.Run(ctx, a.run.ID)
	if err != nil {
		return err
	}
	if r.State.Ended() {
		a.sum.State = r.State
		return &errPause{after: 0, why: "the run was " + string(r.State)}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func open(c *directory.Change) bool {
	return c.State == directory.ChangePlanned || c.State == directory.ChangeApproved
}

// pick chooses the next batch: open changes of a phase, at most one of a user,
// each user's in their order.
func (a *applier) pick(phase int) []int {
	var batch []int
	busy := map[directory.UserID]bool{}
	for i := range a.changes {
		c := &a.changes[i]
		if !open(c) || busy[c.UserID] {
			continue
		}
		// An open change keeps the later ones of its user waiting.
		busy[c.UserID] = true
		if plan.Phase(c.Effect) <= phase {
			if batch = append(batch, i); len(batch) == BatchSize {
				break
			}
		}
	}
	return batch
}

// batch checks, sends and journals changes of one batch, and says how long to
// wait before the next.
func (a *applier) batch(ctx context.Context, batch []int) (wait time.Duration, err error) {
	b := &sending{applier: a, results: make(map[int]store.Result), outcomes: make(map[int]directory.Outcome)}
	ids := make([]directory.UserID, len(batch))
	for n, i := range batch {
		ids[n] = a.changes[i].UserID
	}
	if b.rows, err = a.Store.Subjects(ctx, ids); err != nil {
		return 0, err
	}
	if err := b.check(ctx, batch); err != nil {
		return 0, err
	}
	if len(b.send) > 0 {
		if nap := a.pace(len(b.send)); nap > longestNap {
			return 0, &errPause{after: nap, why: "the tenant's write quota is used up"}
		} else if err := sleep(ctx, nap); err != nil {
			return 0, err
		}
		// From here to the sending nothing may come between: the renewal is the
		// check of epoch and lease, and the request ends before the lease does.
		note := fmt.Sprintf("%s/%d/%d", a.run.ID, a.chunk, a.results)
		if err := a.Store.RenewLease(ctx, &a.lease, LeaseTTL, note); err != nil {
			return 0, err
		}
		if err := b.transmit(ctx); err != nil {
			return 0, err
		}
		if err := b.settleDoubts(ctx); err != nil {
			return 0, err
		}
	}
	if err := b.journal(ctx); err != nil {
		return 0, err
	}
	return b.wait, nil
}

// journalLost records what was in flight when the epoch passed.
func (a *applier) journalLost(ctx context.Context, j store.Journal, lost error) error {
	c, err := a.Store.Connection(ctx, a.conn.ID)
	if err == nil && c.Epoch != a.lease.Epoch {
		err = a.Store.JournalLate(ctx, j)
	}
	return errors.Join(lost, err)
}
