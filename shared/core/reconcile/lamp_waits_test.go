package reconcile

import (
	"context"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// Lamps that wait for another lamp: what a kind says with Verdict.Later, and what
// looks at them sooner.

const waitsForLamp = 10 * time.Minute

// chain has each lamp wait until the one before it hangs.
func (w *lampWorld) chain() {
	w.odd(oddAnswers{confirm: func(c *directory.Change, v Verdict) Verdict {
		before := before(c.Object)
		if c.Effect != directory.EffectCreate || v.State != "" || before.IsZero() || w.hall.has(before.ID) {
			return v
		}
		return Verdict{Later: waitsForLamp, Problem: &directory.Problem{Code: "waits-for-lamp", Message: "It waits for the lamp " + before.ID + "."}}
	}}, func(out directory.Outcome) directory.Outcome { return out })
}

func before(ref directory.Ref) directory.Ref {
	for n := range 20 {
		if lampRef(n+1) == ref {
			return lampRef(n)
		}
	}
	return directory.Ref{}
}

func (h *hall) has(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bulbs[name] != nil
}

// TestLampWaits: a change that needs what is not there is outdated, and no failure;
// its binding says what it waits for, rests, and is looked at when its time has come.
func TestLampWaits(t *testing.T) {
	w := newLampWorld(t)
	w.chain()
	w.hangOne(1, "red")
	w.sync()
	run, changes := w.lastRun()
	if run.State != directory.RunDone || run.Failed != 0 || effects(changes) != "create:outdated" || changes[0].Error.Code != "waits-for-lamp" {
		t.Fatalf("the run is %s with %s", run.State, effects(changes))
	}
	b := w.lamp(lampRef(1))
	if b.Status != directory.BindingPending || b.Problem == nil || b.Problem.Code != "waits-for-lamp" || b.Applied != b.Wanted {
		t.Errorf("the binding is %s with %+v", b.Status, b.Problem)
	}
	w.sync()
	if again, _ := w.lastRun(); again.ID != run.ID {
		t.Error("it is planned again before its time")
	}
	w.skew.Add(waitsForLamp)
	w.sync()
	if again, _ := w.lastRun(); again.ID == run.ID {
		t.Error("it is not planned again when its time has come")
	}
	w.hangOne(0, "red")
	w.sync()
	if w.shining("red") != 1 {
		t.Errorf("%d lamps shine: nobody was told of the first", w.shining("red"))
	}
	w.skew.Add(waitsForLamp)
	w.sync()
	if b := w.lamp(lampRef(1)); w.shining("red") != 2 || b.Status != directory.BindingInSync || b.Problem != nil {
		t.Errorf("%d lamps shine, the binding is %s with %+v", w.shining("red"), b.Status, b.Problem)
	}
}

// TestEditOfAWaitingLamp: who waits is planned anew at once when it is edited.
func TestEditOfAWaitingLamp(t *testing.T) {
	w := newLampWorld(t)
	w.chain()
	w.hangOne(1, "red")
	w.sync()
	first, _ := w.lastRun()
	w.paint([]directory.Ref{lampRef(1)}, "blue")
	w.skew.Add(time.Second)
	w.sync()
	if again, _ := w.lastRun(); again.ID == first.ID {
		t.Error("an edit of a lamp that waits is not planned")
	}
}

// TestLampsFollowEachOther: who has waited for a lamp is looked at as soon as that
// hangs, and so on, in the same slice.
func TestLampsFollowEachOther(t *testing.T) {
	w := newLampWorld(t)
	w.chain()
	asked := map[directory.Ref]int{}
	w.engine.config.Dependents = EachDependents(func(_ context.Context, _ *directory.Connection, ref directory.Ref) ([]directory.Ref, error) {
		asked[ref]++
		for n := range 10 {
			if before(lampRef(n)) == ref {
				return []directory.Ref{lampRef(n)}, nil
			}
		}
		return nil, nil
	})
	for n := 1; n < 4; n++ {
		w.hangOne(n, "red")
	}
	w.sync()
	w.hangOne(0, "red")
	ann := w.user("ann")
	w.bind(ann)
	w.sync()
	if w.shining("red") != 4 {
		t.Fatalf("%d lamps shine: %v", w.shining("red"), w.hall.writes)
	}
	if asked[lampRef(0)] != 1 || asked[directory.AccountOf(ann.ID)] != 1 {
		t.Errorf("asked: %v", asked)
	}
	w.paint([]directory.Ref{lampRef(0)}, "blue")
	w.sync()
	if asked[lampRef(0)] != 1 {
		t.Error("a lamp that is painted concerns nobody else")
	}
	w.settings(func(s *directory.Settings) { s.Guard = map[directory.Effect]directory.Limit{} })
	w.edit(ann, func(u *directory.User) { u.State = directory.StateSuspended })
	w.sync()
	if asked[directory.AccountOf(ann.ID)] != 2 {
		t.Error("our block was told to nobody")
	}
}

// TestWhatStirs says of which changes of a binding others are told.
func TestWhatStirs(t *testing.T) {
	t.Parallel()
	fine := objectState{account: "a", status: directory.BindingInSync, agreed: true}
	with := func(change func(*objectState)) objectState {
		o := fine
		change(&o)
		return o
	}
	status := func(s directory.BindingStatus) objectState { return with(func(o *objectState) { o.status = s }) }
	for name, test := range map[string]struct {
		before, after objectState
		ends, want    bool
	}{
		"nothing":           {fine, fine, false, false},
		"an object gained":  {objectState{status: directory.BindingPending}, fine, false, true},
		"an object lost":    {fine, objectState{status: directory.BindingConflict}, false, true},
		"blocked":           {fine, with(func(o *objectState) { o.blocked = true }), false, true},
		"mended":            {status(directory.BindingConflict), fine, false, true},
		"goes on":           {status(directory.BindingPaused), fine, false, true},
		"written":           {status(directory.BindingPending), fine, false, false},
		"refused":           {fine, status(directory.BindingRefused), false, false},
		"stays after all":   {with(func(o *objectState) { o.leaves = true }), fine, false, true},
		"leaves":            {fine, with(func(o *objectState) { o.leaves = true }), false, false},
		"was named, agrees": {objectState{account: "a", status: directory.BindingPending}, fine, false, true},
		"agreed, planned":   {fine, objectState{account: "a", status: directory.BindingPending}, false, false},
		"released":          {fine, fine, true, true},
		"released, not had": {objectState{}, objectState{}, true, false},
	} {
		if got := test.after.stirs(test.before, test.ends); got != test.want {
			t.Errorf("%s: stirs is %t", name, got)
		}
	}
}

// TestWaitingLampIsApproved: what an admin lets go may still have to wait.
func TestWaitingLampIsApproved(t *testing.T) {
	w := newLampWorld(t)
	none := 0
	w.settings(func(s *directory.Settings) {
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectCreate: {Count: &none}}
	})
	w.chain()
	w.hangOne(1, "red")
	w.sync()
	held, _ := w.lastRun()
	if held.State != directory.RunHeld {
		t.Fatalf("the run is %s", held.State)
	}
	w.approve(held.ID, plan.Approval{All: true})
	stored, err := w.store.Runs.Run(t.Context(), held.ID)
	w.do(err)
	if b := w.lamp(lampRef(1)); stored.State != directory.RunDone || b.Status != directory.BindingPending || b.Dirty() && !b.Recheck {
		t.Errorf("the run is %s, the binding %s", stored.State, b.Status)
	}
}
