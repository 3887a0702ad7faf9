package reconcile

import (
	"context"
	"errors"
	"time"

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
	domains *domainReader
	waves   *waves
	moves   moves
	send    Send
	attests bool // plans are looked at before they are sent

	dependents *dependents

	connections connectionStore
	runs        runStore
	chunks      chunkStore
	journal     journalStore
	bindings    bindingStore
	quota       quota.App
	calls       callCounter
	flow        func(t quota.Tenant, waiting int) quota.Flow

	outcomes  outcomes
	sent      sentCreations
	forbidden map[directory.Kind]map[directory.Ref]bool // refused by a 403 since the last change of the kind that Microsoft made
	alone     map[directory.ChangeID]bool               // to be sent in a request of their own
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
		stopped, err := a.applyPhases(ctx, t)
		if err != nil && t.run.State.Ended() {
			// With its last results, and something failed after them.
			return errors.Join(err, a.cadence.follow(ctx, t.run))
		}
		if err != nil || stopped {
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
		if inPhase(t.run, t.at.Phase) {
			moved, err := a.applyPhase(ctx, t)
			if err == nil && t.run.State.Ended() {
				return false, nil // with its last results
			}
			if err != nil || t.run.State != directory.RunApplying {
				return true, err
			}
			if moved {
				continue
			}
		}
		if err := a.dependents.stir(ctx, t.lane); err != nil {
			return false, err
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

// applyPhase sends the open changes of a phase, in flights. Between them leavers are
// served; when there are none, a flight leaves before the last one is journalled.
// moved says that a wave has been looked at, so that the run begins again from the
// front.
func (a *applier) applyPhase(ctx context.Context, t *task) (moved bool, err error) {
	if err := a.goSerial(ctx, t); err != nil {
		return false, err
	}
	ahead := &window{a: a, t: t, left: runs.Unsent(t.run)}
	var f *flight      // prepared while the last one was on its way
	var behind *flight // the last one, answered but not journalled
	for {
		if behind != nil && !a.mayFollow(ctx, f) {
			if err := behind.end(ctx); err != nil {
				return false, err
			}
			behind = nil
		}
		if behind == nil {
			if moved, err = a.lookAtWaves(ctx, t); err != nil || moved || t.run.State != directory.RunApplying {
				return moved, err
			}
			if f, err = a.nextFlight(ctx, ahead, f); err != nil || f == nil {
				return false, err
			}
		}
		if !f.holds() {
			continue // what was read may have changed: it is picked anew
		}
		wait := pause{}
		if f, behind, wait, err = f.send(ctx, ahead, behind); err != nil || t.run.State.Ended() {
			return false, err
		}
		if behind != nil {
			continue // nothing comes between but the next one
		}
		if err := a.rest(ctx, t, wait); err != nil {
			return false, err
		}
		if err := a.letPass(ctx, t); err != nil {
			return false, err
		}
	}
}

// goSerial notes that what is left of a run goes one change at a time from here on.
func (a *applier) goSerial(ctx context.Context, t *task) error {
	if t.at.Serial || !directory.SerialPhase(t.at.Phase) {
		return nil
	}
	t.at.Serial = true
	return a.queue.save(ctx, t.run, t.at)
}

// errAside says that a run that goes one change at a time makes way for other work.
var errAside = errors.New("other work goes first")

// letPass has other work go between two changes that go one at a time.
func (a *applier) letPass(ctx context.Context, t *task) error {
	if !t.at.Serial {
		return nil
	}
	other, err := a.queue.otherThan(ctx, t.run.ID)
	if err != nil || !other {
		return err
	}
	if err := a.queue.save(ctx, t.run, t.at); err != nil {
		return err
	}
	return errAside
}

// lookAtWaves looks at waves whose time has come.
func (a *applier) lookAtWaves(ctx context.Context, t *task) (moved bool, err error) {
	if !t.at.WavesToCome() || t.at.NextLook().After(a.s.now()) {
		return false, nil
	}
	return a.waves.look(ctx, t)
}

// nextFlight is what is sent next: f, if it still holds, or one that is picked and
// prepared now, after leavers were served; nil: nothing is left of the phase.
func (a *applier) nextFlight(ctx context.Context, ahead *window, f *flight) (*flight, error) {
	t := ahead.t
	if err := a.s.inTime(ctx); err != nil {
		return nil, err
	}
	if f.holds() {
		return f, t.lane.serve(ctx)
	}
	picked, err := ahead.pick(ctx, nil)
	if err != nil || len(picked) == 0 {
		return nil, err
	}
	if err := t.lane.serve(ctx); err != nil {
		return nil, err
	}
	if ahead.left, err = a.left(ctx, t); err != nil {
		return nil, err
	}
	return a.prepare(ctx, t, picked, t.lane)
}

// mayFollow reports whether a flight may leave before the last one is journalled:
// nothing else is to be done first.
func (a *applier) mayFollow(ctx context.Context, f *flight) bool {
	return f.holds() && a.s.now().Before(a.s.until) && !f.t.at.WavesToCome() && !f.t.lane.wanted(ctx)
}

// rest waits before the next flight, or ends the slice when it would be long.
func (a *applier) rest(ctx context.Context, t *task, wait pause) error {
	if wait.d <= longestNap {
		return nap(ctx, t.lane, wait.d)
	}
	why := "Microsoft asked to wait"
	if wait.single {
		why = "Microsoft cannot change some accounts yet"
	}
	return &errPause{after: wait.d, why: why, cause: directory.ErrUnavailable, single: wait.single}
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
}

// load reads a chunk of a run. The plan that this slice has just stored is known.
func (a *applier) load(ctx context.Context, t *task, number int) (*chunk, error) {
	if plan, kept := t.stored[number]; kept {
		delete(t.stored, number)
		return &chunk{a: a, s: a.s, t: t, number: number, changes: plan}, nil
	}
	changes, results, state, err := a.chunks.SealedChunk(ctx, t.run.ID, number)
	if err == nil && a.attests {
		err = attestPlan(t, state)
	}
	return &chunk{a: a, s: a.s, t: t, number: number, changes: changes, results: results}, err
}

// justStored is how soon after a run was stored nobody has had the time to cancel it.
const justStored = time.Second

// fewUnasked is of how many changes a run may be that is not looked at once more then:
// a cancellation that comes in that moment is too late for the whole of it.
const fewUnasked = 20

// left is how many changes the run still has to send. It ends the work on a run
// that an admin has cancelled meanwhile.
func (a *applier) left(ctx context.Context, t *task) (int, error) {
	if left := runs.Unsent(t.run); left <= fewUnasked && a.s.now().Sub(t.storedAt) < justStored {
		t.storedAt = time.Time{}
		a.s.lease.Pace.Brief = true
		return left, nil
	}
	state, left, err := a.queue.left(ctx, t.run.ID)
	if err != nil {
		return 0, err
	}
	if state.Ended() {
		a.s.sum.State = state
		return 0, &errPause{after: 0, why: "the run was " + string(state)}
	}
	a.s.noteBrief(left, 0)
	return left, nil
}

func open(c *directory.Change) bool {
	return c.State == directory.ChangePlanned || c.State == directory.ChangeApproved
}

// pause is how long to wait before the next flight.
type pause struct {
	d      time.Duration
	single bool // it is for single accounts
}
