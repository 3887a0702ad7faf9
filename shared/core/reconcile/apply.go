package reconcile

import (
	"context"
	"errors"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/quota"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

const lastPhase = 2

// applyRun sends a run's changes, phase by phase and chunk by chunk. What goes
// in waves is looked at in between, when its time has come; then the run begins
// again from the front, where the next wave may lie.
func (w *worker) applyRun(ctx context.Context, r *store.RunRecord, cur *runs.Progress) error {
	if err := w.beforeApplying(ctx, r, cur); err != nil {
		return err
	}
	for {
		if err := w.applyPhases(ctx, r, cur); err != nil {
			return err
		}
		switch {
		case cur.WavesToCome():
		case cur.Exempt:
			cur.HoldRest()
			w.hold(r)
			return w.saveRun(ctx, r, cur)
		default:
			return w.endRun(ctx, r, cur)
		}
		moved, err := w.lookAtWaves(ctx, r, cur)
		if err != nil || r.State != directory.RunApplying {
			return err
		}
		if !moved {
			return &errPause{after: max(time.Second, cur.NextLook().Sub(w.now())), why: "a wave of the run is read back before the next one"}
		}
	}
}

func (w *worker) applyPhases(ctx context.Context, r *store.RunRecord, cur *runs.Progress) error {
	for cur.Phase <= lastPhase {
		for w.inPhase(r, cur.Phase) && cur.Chunk < r.Chunks {
			if cur.WavesToCome() && !cur.NextLook().After(w.now()) {
				moved, err := w.lookAtWaves(ctx, r, cur)
				if err != nil || r.State != directory.RunApplying {
					return err
				}
				if moved {
					continue
				}
			}
			a := &applier{worker: w, run: r, chunk: cur.Chunk, cur: cur}
			if err := a.load(ctx); err != nil {
				return err
			}
			if err := a.apply(ctx, cur.Phase); err != nil {
				return err
			}
			cur.Chunk++
		}
		cur.NextPhase()
		r.Attempts = 0
		if cur.Phase > lastPhase || !w.inPhase(r, cur.Phase) {
			continue // nothing happens before the next write of the run
		}
		if err := w.saveRun(ctx, r, cur); err != nil {
			return err
		}
	}
	return nil
}

// inPhase reports whether a run has changes of a phase.
func (w *worker) inPhase(r *store.RunRecord, phase int) bool {
	for e, n := range r.Counts {
		if n > 0 && plan.Phase(e) == phase {
			return true
		}
	}
	return false
}

// applier works on one chunk.
type applier struct {
	*worker
	run     *store.RunRecord
	chunk   int
	cur     *runs.Progress
	left    int // changes that the run still has to send
	changes []directory.Change
	results int // results items that the chunk has
	places  map[int]place
	single  bool // the last batch's wait is for single accounts
}

func (a *applier) load(ctx context.Context) error {
	var state store.SealState
	var err error
	if a.changes, a.results, state, err = a.Store.SealedChunk(ctx, a.run.ID, a.chunk); err == nil {
		err = a.attestPlan(a.run.ID, state)
	}
	if err == nil && a.cur != nil && a.cur.WavesToCome() {
		a.places = a.placesOf(a.run, a.chunk, a.changes)
	}
	return err
}

// apply sends the chunk's open changes of one phase in batches. Between them
// leavers are served.
func (a *applier) apply(ctx context.Context, phase int) error {
	for {
		if err := a.inTime(ctx); err != nil {
			return err
		}
		batch := a.pick(phase)
		if len(batch) == 0 {
			return nil
		}
		if err := a.overtake(ctx, a.run); err != nil {
			return err
		}
		if err := a.cancelled(ctx); err != nil {
			return err
		}
		wait, err := a.batch(ctx, batch)
		if err != nil {
			return err
		}
		if wait > longestNap {
			why := "Microsoft asked to wait"
			if a.single {
				why = "Microsoft cannot change some accounts yet"
			}
			return &errPause{after: wait, why: why, cause: directory.ErrUnavailable, single: a.single}
		}
		if err := a.attending(a.run, func() error { return a.nap(ctx, wait) }); err != nil {
			return err
		}
	}
}

// cancelled ends the work on a run that an admin has cancelled meanwhile, and
// counts what is left of it.
func (a *applier) cancelled(ctx context.Context) error {
	r, err := a.Store.Run(ctx, a.run.ID)
	if err != nil {
		return err
	}
	if r.State.Ended() {
		a.sum.State = r.State
		return &errPause{after: 0, why: "the run was " + string(r.State)}
	}
	a.left = runs.Unsent(&r)
	a.lease.Pace.Few = a.left <= lastWrites
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

// pick chooses the next batch. A rename to an address that another one of the
// chunk gives up waits for that one. Where all wait for each other they are sent
// as they are, and Microsoft's refusals say who has which address.
func (a *applier) pick(phase int) []int {
	given := map[string]bool{}
	for i := range a.changes {
		if c := &a.changes[i]; c.Effect == directory.EffectRename && open(c) {
			before, _ := renamed(c)
			given[before] = true
		}
	}
	if batch := a.pickBut(phase, given); len(batch) > 0 || len(given) == 0 {
		return batch
	}
	return a.pickBut(phase, nil)
}

// renamed returns the addresses of a rename, folded.
func renamed(c *directory.Change) (before, after string) {
	for _, p := range c.Properties {
		if p.Name == directory.PropUserPrincipalName {
			return directory.FoldAddress(p.Before.String()), directory.FoldAddress(p.After.String())
		}
	}
	return "", ""
}

// pickBut chooses open changes of a phase, at most one of a user, each user's in
// their order, but no rename to a taken address.
func (a *applier) pickBut(phase int, taken map[string]bool) []int {
	var batch []int
	busy := map[directory.UserID]bool{}
	for i := range a.changes {
		c := &a.changes[i]
		if !open(c) || busy[c.UserID] {
			continue
		}
		// An open change keeps the later ones of its user waiting.
		busy[c.UserID] = true
		if before, after := renamed(c); c.Effect == directory.EffectRename && before != after && taken[after] {
			continue
		}
		if plan.Phase(c.Effect) <= phase && !a.waits(i) {
			if batch = append(batch, i); len(batch) == BatchSize {
				break
			}
		}
	}
	return batch
}

// waits reports whether a change may not go yet: the run is held, and it is not
// of those that go all the same, or its wave has not come.
func (a *applier) waits(i int) bool {
	if a.cur.Exempt && !plan.Exempt(a.run.Held, &a.changes[i]) {
		return true
	}
	at, in := a.places[i]
	if !in {
		return false
	}
	ws, gated := a.cur.Waves[at.class]
	return gated && at.ordinal >= ws.Allowed
}

// batch checks, sends and journals changes of one batch, and says how long to
// wait before the next.
func (a *applier) batch(ctx context.Context, batch []int) (wait time.Duration, err error) {
	served := a.lane.served
	b := &sending{applier: a, results: make(map[int]store.Result), outcomes: make(map[int]directory.Outcome)}
	ids := make([]directory.UserID, len(batch))
	for n, i := range batch {
		ids[n] = a.changes[i].UserID
	}
	if err := b.freshProtection(ctx); err != nil {
		return 0, err
	}
	if b.rows, err = a.Store.Subjects(ctx, ids); err != nil {
		return 0, err
	}
	if err := a.attending(a.run, func() error { return b.check(ctx, batch) }); err != nil {
		return 0, err
	}
	if a.lane.served != served {
		return 0, nil // what was checked may have changed: the batch is picked anew
	}
	if len(b.send) > 0 {
		if err := b.intendPasswords(ctx); err != nil {
			return 0, err
		}
		if err := a.await(ctx, len(b.send)); err != nil {
			return 0, err
		}
		if a.lane.served != served {
			return 0, nil
		}
		if err := a.watch(ctx); err != nil {
			return 0, err
		}
		// From here to the sending nothing may come between: the renewal is the
		// check of epoch, lease and settings, and the request ends before the lease
		// does.
		if err := a.renew(ctx); err != nil {
			return 0, err
		}
		if err := b.transmit(ctx); err != nil {
			return 0, err
		}
		if err := b.settleDoubts(ctx); err != nil {
			return 0, err
		}
		b.concludeWhose(ctx)
		b.blame(ctx)
		b.explainExchange()
	}
	b.giveUp()
	if err := b.journal(ctx); err != nil {
		return 0, err
	}
	if err := b.wakeWaiting(ctx); err != nil {
		return 0, err
	}
	if b.lost != nil {
		return 0, b.lost
	}
	a.single = !b.whole
	return b.wait, b.stuck
}

// await takes n writes out of the quotas. It naps for a moment if need be, and
// ends the slice when it is longer. When leavers were served in a nap it takes
// nothing.
func (a *applier) await(ctx context.Context, n int) error {
	for served := a.lane.served; served == a.lane.served; {
		wait, err := a.quota().Take(ctx, a.Store, n, quota.Work{Left: a.left, Leaver: a.run.Urgent})
		if err != nil || wait == 0 {
			return err
		}
		if wait > longestNap {
			return &errPause{after: wait, why: "the write quota is used up"}
		}
		if err := a.attending(a.run, func() error { return a.nap(ctx, wait) }); err != nil {
			return err
		}
	}
	return nil
}

// watch sends a wake-up against our own death, once in a slice of a long run: a
// message whose function died comes back much later. While it finds the lease
// held it comes again at the lease's end.
func (a *applier) watch(ctx context.Context) error {
	if a.left <= BatchSize || a.watched {
		return nil
	}
	a.watched = true
	return a.Send(ctx, directory.WakeUp{ConnectionID: a.conn.ID, Watch: true}, a.leaseTTL()+time.Second)
}

// journalLost records what was in flight when the epoch passed.
func (a *applier) journalLost(ctx context.Context, j store.Journal, lost error) error {
	c, err := a.Store.Connection(ctx, a.conn.ID)
	if err == nil && c.Epoch != a.lease.Epoch {
		err = a.Store.JournalLate(ctx, j)
	}
	return errors.Join(lost, err)
}
