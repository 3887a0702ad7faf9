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

// applier sends what was planned.
type applier struct {
	s       *session
	kinds   *kinds
	tenant  Tenant
	shield  *shield
	queue   *runQueue
	cadence *cadence
	waves   *waves
	moves   moves
	send    Send
	attests bool // plans are looked at before they are sent

	connections connectionStore
	runs        runStore
	chunks      chunkStore
	journal     journalStore
	bindings    bindingStore
	quota       quota.App

	outcomes  outcomes
	forbidden map[directory.Kind]map[directory.Ref]bool // refused by a 403 since the last change of the kind that Microsoft made
	watched   bool                                      // a wake-up was sent against our own death
}

// apply sends a run's changes, phase by phase and chunk by chunk. What goes
// in waves is looked at in between, when its time has come; then the run begins
// again from the front, where the next wave may lie.
func (a *applier) apply(ctx context.Context, t *task) error {
	if err := a.ready(ctx, t); err != nil {
		return err
	}
	for {
		if stopped, err := a.applyPhases(ctx, t); err != nil || stopped {
			return err
		}
		switch {
		case t.run.State.Ended(): // with its last results
			return a.cadence.follow(ctx, t.run)
		case t.at.WavesToCome():
		case t.at.Exempt:
			t.at.HoldRest()
			a.queue.hold(t.run)
			return a.queue.save(ctx, t.run, t.at)
		default:
			if err := a.queue.finish(ctx, t.run, t.at); err != nil {
				return err
			}
			return a.cadence.follow(ctx, t.run)
		}
		moved, err := a.waves.look(ctx, t)
		if err != nil || t.run.State != directory.RunApplying {
			return err
		}
		if !moved {
			return &errPause{after: max(time.Second, t.at.NextLook().Sub(a.s.now())), why: "a wave of the run is read back before the next one"}
		}
	}
}

// applyPhases goes through the phases that are left; stopped says that a wave has
// stopped the run.
func (a *applier) applyPhases(ctx context.Context, t *task) (stopped bool, err error) {
	for t.at.Phase <= directory.LastPhase {
		for inPhase(t.run, t.at.Phase) && t.at.Chunk < t.run.Chunks {
			if t.at.WavesToCome() && !t.at.NextLook().After(a.s.now()) {
				moved, err := a.waves.look(ctx, t)
				if err != nil || t.run.State != directory.RunApplying {
					return true, err
				}
				if moved {
					continue
				}
			}
			k, err := a.load(ctx, t, t.at.Chunk)
			if err != nil {
				return false, err
			}
			if t.at.WavesToCome() {
				k.places = t.tally.places(k.number, k.changes)
			}
			if err := k.apply(ctx, t.at.Phase); err != nil || t.run.State.Ended() {
				return false, err
			}
			t.at.Chunk++
		}
		sent := inPhase(t.run, t.at.Phase)
		t.at.NextPhase()
		t.run.Attempts = 0
		if t.at.Phase > directory.LastPhase || !inPhase(t.run, t.at.Phase) || !sent {
			continue // nothing happens before the next write of the run, or nothing has
		}
		if err := a.queue.save(ctx, t.run, t.at); err != nil {
			return false, err
		}
	}
	return false, nil
}

// inPhase reports whether a run has changes of a phase.
func inPhase(r *store.RunRecord, phase int) bool {
	for e, n := range r.Counts {
		if n > 0 && e.Row().Phase == phase {
			return true
		}
	}
	return false
}

// chunk is a part of a run's changes at work.
type chunk struct {
	a       *applier
	s       *session
	t       *task
	number  int
	changes []directory.Change
	results int // results items that the chunk has
	places  map[int]place
	fresh   bool // nothing was done since this slice has stored it
}

// load reads a chunk of a run. The plan that this slice has just stored is known.
func (a *applier) load(ctx context.Context, t *task, number int) (*chunk, error) {
	if plan := t.stored; plan != nil && number == 0 {
		t.stored = nil
		return &chunk{a: a, s: a.s, t: t, number: number, changes: plan, fresh: true}, nil
	}
	changes, results, state, err := a.chunks.SealedChunk(ctx, t.run.ID, number)
	if err == nil && a.attests {
		err = attestPlan(t, state)
	}
	return &chunk{a: a, s: a.s, t: t, number: number, changes: changes, results: results}, err
}

// apply sends the chunk's open changes of one phase in batches. Between them
// leavers are served.
func (k *chunk) apply(ctx context.Context, phase int) error {
	for {
		if err := k.s.inTime(ctx); err != nil {
			return err
		}
		picked := k.pick(phase)
		if len(picked) == 0 {
			return nil
		}
		if err := k.t.lane.serve(ctx); err != nil {
			return err
		}
		left, err := k.left(ctx)
		if err != nil {
			return err
		}
		wait, err := k.sendBatch(ctx, picked, left)
		if err != nil {
			return err
		}
		if k.t.run.State.Ended() {
			return nil // with the batch's results: nobody waits for what is not sent
		}
		if wait.d > longestNap {
			why := "Microsoft asked to wait"
			if wait.single {
				why = "Microsoft cannot change some accounts yet"
			}
			return &errPause{after: wait.d, why: why, cause: directory.ErrUnavailable, single: wait.single}
		}
		if err := nap(ctx, k.t.lane, wait.d); err != nil {
			return err
		}
	}
}

// left is how many changes the run still has to send. It ends the work on a run
// that an admin has cancelled meanwhile.
func (k *chunk) left(ctx context.Context) (int, error) {
	if k.fresh { // nobody has had the time to cancel it
		k.fresh = false
		left := runs.Unsent(k.t.run)
		k.s.lease.Pace.Few = left <= lastWrites
		return left, nil
	}
	state, left, err := k.a.queue.left(ctx, k.t.run.ID)
	if err != nil {
		return 0, err
	}
	if state.Ended() {
		k.s.sum.State = state
		return 0, &errPause{after: 0, why: "the run was " + string(state)}
	}
	k.s.lease.Pace.Few = left <= lastWrites
	return left, nil
}

func open(c *directory.Change) bool {
	return c.State == directory.ChangePlanned || c.State == directory.ChangeApproved
}

// pick chooses the next batch. A change that takes a name which another one of the
// chunk gives up waits for that one. Where all wait for each other they are sent as
// they are, and Microsoft's refusals say who has which name.
func (k *chunk) pick(phase int) []int {
	given := map[string]bool{}
	for i := range k.changes {
		c := &k.changes[i]
		if !open(c) {
			continue
		}
		if gives, _ := k.names(c); gives != "" {
			given[gives] = true
		}
	}
	if batch := k.pickBut(phase, given); len(batch) > 0 || len(given) == 0 {
		return batch
	}
	return k.pickBut(phase, nil)
}

// names are the names that a change gives up and takes, apart by kind.
func (k *chunk) names(c *directory.Change) (gives, takes string) {
	kind := c.Ref().Kind
	objects := k.a.kinds.of(kind)
	if objects == nil {
		return "", ""
	}
	gives, takes = objects.Names(c)
	if gives == takes {
		return "", ""
	}
	return nameIn(kind, gives), nameIn(kind, takes)
}

// nameIn is a name apart from those of other kinds; of no name it is none.
func nameIn(kind directory.Kind, name string) string {
	if name == "" {
		return ""
	}
	return string(kind) + "/" + name
}

// pickBut chooses open changes of a phase and of one kind, at most one of an
// object, each object's in their order, but none that takes a name of taken.
func (k *chunk) pickBut(phase int, taken map[string]bool) []int {
	var batch []int
	busy := map[directory.Ref]bool{}
	for i := range k.changes {
		c := &k.changes[i]
		ref := c.Ref()
		if !open(c) || busy[ref] {
			continue
		}
		// An open change keeps the later ones of its object waiting.
		busy[ref] = true
		if _, takes := k.names(c); taken[takes] || len(batch) > 0 && k.changes[batch[0]].Ref().Kind != ref.Kind {
			continue
		}
		if c.Effect.Row().Phase <= phase && !k.waits(i) {
			batch = append(batch, i)
			if len(batch) == BatchSize {
				break
			}
		}
	}
	return batch
}

// waits reports whether a change may not go yet: the run is held, and it is not
// of those that go all the same, or its wave has not come.
func (k *chunk) waits(i int) bool {
	if k.t.at.Exempt && !plan.Exempt(k.t.run.Held, &k.changes[i]) {
		return true
	}
	at, in := k.places[i]
	if !in {
		return false
	}
	ws, gated := k.t.at.Waves[at.class]
	return gated && at.ordinal >= ws.Allowed
}

// pause is how long to wait before the next batch.
type pause struct {
	d      time.Duration
	single bool // it is for single accounts
}

// sendBatch checks, sends and journals picked changes, of a run that has so many
// left to send.
func (k *chunk) sendBatch(ctx context.Context, picked []int, left int) (pause, error) {
	served := k.t.lane.served()
	b, err := k.newBatch(picked)
	if err != nil {
		return pause{}, err
	}
	if err := k.a.shield.freshFor(ctx, k.changes); err != nil {
		return pause{}, err
	}
	if err := b.readRecords(ctx, picked); err != nil {
		return pause{}, err
	}
	if err := b.check(ctx, picked); err != nil {
		return pause{}, err
	}
	if k.t.lane.served() != served {
		return pause{}, nil // what was checked may have changed: the batch is picked anew
	}
	if len(b.send) > 0 {
		if err := b.of.Intend(ctx, b.changes(b.send)); err != nil {
			return pause{}, err
		}
		if err := k.takeQuota(ctx, len(b.send), left); err != nil {
			return pause{}, err
		}
		if k.t.lane.served() != served {
			return pause{}, nil
		}
		if err := k.watch(ctx, left); err != nil {
			return pause{}, err
		}
		// From here to the sending nothing may come between: the renewal is the
		// check of epoch, lease and settings, and the request ends before the lease
		// does.
		if err := k.s.renew(ctx); err != nil {
			return pause{}, err
		}
		if err := b.transmit(ctx); err != nil {
			return pause{}, err
		}
	}
	b.findOutcomes(ctx)
	if len(b.send) > 0 {
		b.attributeRefusals(ctx)
		b.of.Clarify(ctx, k.changes, b.results)
	}
	b.abandon()
	if err := b.journal(ctx); err != nil {
		return pause{}, err
	}
	if b.lost != nil {
		return pause{}, b.lost
	}
	return pause{b.wait, !b.whole}, b.stuck
}

// takeQuota takes n writes out of the quotas. It naps for a moment if need be, and
// ends the slice when it is longer. When leavers were served in a nap it takes
// nothing.
func (k *chunk) takeQuota(ctx context.Context, n, left int) error {
	for served := k.t.lane.served(); served == k.t.lane.served(); {
		wait, err := k.s.quota().Take(ctx, k.a.quota, n, quota.Work{Left: left, Leaver: k.t.run.Urgent})
		if err != nil || wait == 0 {
			return err
		}
		if wait > longestNap {
			return &errPause{after: wait, why: "the write quota is used up"}
		}
		if err := nap(ctx, k.t.lane, wait); err != nil {
			return err
		}
	}
	return nil
}

// watch sends a wake-up against our own death, once in a slice of a long run: a
// message whose function died comes back much later. While it finds the lease
// held it comes again at the lease's end.
func (k *chunk) watch(ctx context.Context, left int) error {
	if left <= BatchSize || k.a.watched {
		return nil
	}
	k.a.watched = true
	return k.a.send(ctx, directory.WakeUp{ConnectionID: k.s.conn.ID, Watch: true}, k.s.leaseTTL()+time.Second)
}

// journalLost records what was in flight when the epoch passed.
func (k *chunk) journalLost(ctx context.Context, j store.Journal, lost error) error {
	c, err := k.a.connections.Connection(ctx, k.s.conn.ID)
	if err == nil && c.Epoch != k.s.lease.Epoch {
		err = k.a.journal.JournalLate(ctx, j)
	}
	return errors.Join(lost, err)
}
