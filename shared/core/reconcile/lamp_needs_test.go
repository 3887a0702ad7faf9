package reconcile

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Lamps with everything that a kind may ask for: they go together, one at a time, wait
// for another lamp, and are told of.

type needLamps struct{ *lamps }

func (k *needLamps) Open(s Slice, tenant Tenant) Objects {
	h := tenant.(*needHall)
	return &openNeeds{&openSerial{k.lamps.Open(s, h.hallPort).(*openLamps), &h.serialHall}, h}
}

type openNeeds struct {
	*openSerial
	hall *needHall
}

func (o *openNeeds) Batch(w Work) Batch {
	return &needBatch{stringBatch{o.openLamps.Batch(w)}, o.hall}
}

type needBatch struct {
	stringBatch
	hall *needHall
}

// Confirm has the lamp 3 wait for the lamp 10.
func (b *needBatch) Confirm(ctx context.Context, changes []*directory.Change) ([]Verdict, error) {
	verdicts, err := b.stringBatch.Confirm(ctx, changes)
	for n, c := range changes {
		if c.Object == lampRef(3) && c.Effect == directory.EffectCreate && verdicts[n].State == "" && !b.hall.hall.has("l010") {
			verdicts[n] = Verdict{Later: waitsForLamp, Problem: &directory.Problem{Code: "waits-for-lamp", Message: "It waits for the lamp l010."}}
		}
	}
	return verdicts, err
}

// needHall refuses strings with the lamp 4, which goes by itself only.
type needHall struct {
	serialHall
	strings stringHall
	hall    *hall
}

func (h *needHall) Write(ctx context.Context, writes []directory.Write) ([]directory.Outcome, error) {
	if writes[0].Object.Kind == lampKind && writes[0].Effect == directory.EffectCreate {
		return h.strings.Write(ctx, writes)
	}
	return h.serialHall.Write(ctx, writes)
}

// needy has the engine work on such lamps.
func (w *lampWorld) needy() {
	h := &needHall{hall: w.hall}
	h.hallPort, h.t = hallPort{w.port}, w.T
	h.strings = stringHall{hallPort: hallPort{w.port}, broken: map[string]bool{"l004": true}, mends: true}
	c := w.engine.config
	c.Stores, c.Kinds = StoresOf(store.New(w.table, store.Options{Now: w.now})), []Kind{&needLamps{w.lamps}}
	c.Open = func(context.Context, *directory.Connection) (Tenant, error) { return h, nil }
	c.Dependents = EachDependents(func(_ context.Context, _ *directory.Connection, ref directory.Ref) ([]directory.Ref, error) {
		if ref == lampRef(10) {
			return []directory.Ref{lampRef(3)}, nil
		}
		return nil, nil
	})
	w.engine = New(c)
}

// needStory has everything of them due, beside a user, and some of it held.
func needStory(t *testing.T) *lampWorld {
	w := newLampWorld(t)
	none := 0
	w.settings(func(s *directory.Settings) {
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectLicenceRemove: {Count: &none}}
	})
	w.needy()
	refs := w.hang(3, "red")
	w.bind(w.user("ann"))
	w.sync()
	w.paint(refs[:2], gold)
	w.paint(refs[2:], grey)
	for _, n := range []int{3, 4, 5, 10} {
		w.hangOne(n, "red")
	}
	w.bind(w.user("bob"))
	w.skew.Add(2 * directory.DefaultInterval)
	return w
}

func (w *lampWorld) verifyNeeds(what string) {
	w.Helper()
	if w.shining(gold) != 2 || w.shining(grey) != 1 || w.shining("red") != 4 {
		w.Errorf("%s: the lamps are %v", what, w.hall.writes)
	}
	done, told := map[string]bool{}, map[string]bool{}
	for _, line := range w.hall.writes {
		if strings.HasPrefix(line, "made again") {
			w.Errorf("%s: %s", what, line)
		}
		done[line] = true
	}
	for _, n := range []int{0, 1, 2, 3, 4, 5, 10} {
		if b := w.lamp(lampRef(n)); b.Status != directory.BindingInSync || b.Dirty() || b.Problem != nil {
			w.Errorf("%s: the binding of lamp %d is %q: %+v", what, n, b.Status, b.Problem)
		}
	}
	list, _, err := w.store.Runs.ListRuns(w.Context(), w.conn.ID, "", 100)
	w.do(err)
	for _, r := range list {
		if r.State != directory.RunDone && r.State != directory.RunSuperseded {
			w.Errorf("%s: run %s is %s (%+v)", what, r.ID, r.State, r.Error)
		}
		changes, _, err := w.store.Runs.Changes(w.Context(), &r, "", 100)
		w.do(err)
		for _, c := range changes {
			if c.State == directory.ChangeApplied && c.Object.Kind == lampKind {
				told[c.Object.ID+" "+c.After()[propColour].String()] = true
			}
		}
	}
	for line := range done {
		if !told[line] {
			w.Errorf("%s: the journal does not tell of %q", what, line)
		}
	}
	for line := range told {
		if !done[line] {
			w.Errorf("%s: the journal tells of %q, which did not happen", what, line)
		}
	}
}

// TestNeedyLampsCrashAnywhere lets every trouble befall each call of their story.
func TestNeedyLampsCrashAnywhere(t *testing.T) {
	count := &trouble{}
	w := needStory(t)
	count.install(w.world)
	w.story(count)
	count.remove(w.world)
	w.verifyNeeds("without trouble")
	if t.Failed() {
		return
	}
	t.Run("cases", func(t *testing.T) {
		// Each kind of trouble befalls each third call, and any call is befallen by one of them at least.
		for i, kind := range []string{killBefore, killAfter, failBefore, failAfter, throttle} {
			t.Run(kind, func(t *testing.T) {
				t.Parallel()
				for k := 1 + i%3; k <= count.n && !t.Failed(); k += 3 * crashStride {
					needCrash(t, k, count.n, kind)
				}
			})
		}
	})
}

func needCrash(t *testing.T, at, of int, kind string) {
	w := needStory(t)
	k := &trouble{at: at, kind: kind}
	k.install(w.world)
	w.story(k)
	k.remove(w.world)
	if k.dead() {
		w.skew.Add(LeaseTTL + time.Second)
		w.needy()
	}
	w.story(nil)
	w.skew.Add(3 * Grace)
	w.story(nil)
	w.verifyNeeds(fmt.Sprintf("%s call %d of %d", kind, at, of))
}

// TestNeedyLampsAmongWorkers: two processes bring the story to the same end.
func TestNeedyLampsAmongWorkers(t *testing.T) {
	w := needStory(t)
	first := w.engine
	w.needy()
	second := w.engine
	for range 60 {
		over := true
		for _, e := range []*Engine{first, second} {
			sum, err := e.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
			w.do(err)
			over = over && sum.Again < 0
			w.skew.Add(max(0, sum.Again))
		}
		if run, _ := w.lastRun(); run.State == directory.RunHeld {
			w.approve(run.ID, plan.Approval{All: true})
		} else if over {
			break
		}
	}
	w.verifyNeeds("by two workers")
}
