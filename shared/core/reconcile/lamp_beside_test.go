package reconcile

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// Lamps beside accounts: what holds for one kind, and what for all of a run.

// fuses are lamps that are switched off by an effect of their own.
type fuses struct {
	*lamps
	effect directory.Effect
}

func (k *fuses) Open(s Slice, tenant Tenant) Objects {
	return &openFuses{openLamps: k.lamps.Open(s, tenant).(*openLamps), effect: k.effect}
}

type openFuses struct {
	*openLamps
	effect directory.Effect
}

const off = "off"

func (o *openFuses) Decide(ctx context.Context, w Work, refs []directory.Ref) (Decided, error) {
	d, err := o.openLamps.Decide(ctx, w, refs)
	for i := range d.Changes {
		c := &d.Changes[i]
		if c.Effect == directory.EffectUpdateSensitive && c.After()[propColour].String() == off {
			c.Effect = o.effect
		}
	}
	return d, err
}

func (w *lampWorld) fuse(e directory.Effect) {
	w.engine.config.Kinds = []Kind{&fuses{w.lamps, e}}
}

// TestManyLampsTakenAwayAreHeld: lamps that are over their limit for an effect which
// takes away are held as a run, not left between two waves, and can be approved.
func TestManyLampsTakenAwayAreHeld(t *testing.T) {
	for _, effect := range []directory.Effect{directory.EffectBlock, directory.EffectDelete} {
		w := newLampWorld(t)
		w.fuse(effect)
		w.settings(func(s *directory.Settings) {
			over(20)(s)
			two := 2
			s.Guard[effect] = directory.Limit{Count: &two}
		})
		refs := w.hang(60, "red")
		w.bind(w.user("ann"))
		w.sync()
		w.paint(refs, off)
		w.slices(60, func() {})
		run, _ := w.lastRun()
		if run.State != directory.RunHeld || w.shining(off) != 0 {
			t.Fatalf("%s: the run is %s, %d lamps are off", effect, run.State, w.shining(off))
		}
		w.approve(run.ID, plan.Approval{All: true})
		w.slices(60, func() {})
		if run, _ := w.lastRun(); run.State != directory.RunDone || w.shining(off) != 60 {
			t.Errorf("%s: approved, the run is %s, %d lamps are off", effect, run.State, w.shining(off))
		}
	}
}

// TestLampsOverHoldTheRun: where lamps are over the limit of an effect, accounts
// that the same run changes so wait with them: the run is held, and not stuck with
// a wave of which some may not go.
func TestLampsOverHoldTheRun(t *testing.T) {
	w := newLampWorld(t)
	w.fuse(directory.EffectBlock)
	w.settings(over(20))
	refs := w.hang(60, "red")
	users := w.people(30)
	w.suspend(users...)
	w.sync()
	w.slices(60, func() {})
	if w.blocked(users) != 30 {
		t.Fatalf("%d are blocked", w.blocked(users))
	}
	forty := 40
	w.settings(func(s *directory.Settings) { s.Guard[directory.EffectBlock] = directory.Limit{Count: &forty} })
	w.skew += 8 * plan.Day // the blocks before count no more
	w.port.token = signIn(t, w.sim)
	w.sync()
	for _, u := range users {
		w.patch(u.Email, map[string]any{"accountEnabled": true})
	}
	w.paint(refs, off)
	w.skew += 2 * directory.DefaultInterval
	w.sync()
	w.slices(60, func() {})
	run, changes := w.lastRun()
	if run.State != directory.RunHeld || run.Counts[directory.EffectBlock] < 60 {
		t.Fatalf("the run is %s with %v", run.State, run.Counts)
	}
	if !slices.ContainsFunc(changes, func(c directory.Change) bool { return c.Object.IsZero() }) {
		t.Error("the run is of lamps only")
	}
	w.approve(run.ID, plan.Approval{All: true})
	w.slices(60, func() {})
	if run, _ := w.lastRun(); run.State != directory.RunDone || w.shining(off) != 60 || w.blocked(users) != 30 {
		t.Errorf("approved, the run is %s, %d lamps are off, %d users blocked", run.State, w.shining(off), w.blocked(users))
	}
}

// TestUrgentLampFollows: nobody leaves with a lamp, and however urgent its mark is,
// it is planned with all others.
func TestUrgentLampFollows(t *testing.T) {
	w := newLampWorld(t)
	refs := w.hang(2, "red")
	w.sync()
	w.version++
	w.lamps.colour[refs[0].ID], w.lamps.colour[refs[1].ID] = "blue", "blue"
	w.do(w.store.Marks.MarkWanted(t.Context(), &w.conn, refs[0], w.version, true))
	b := w.lamp(refs[1])
	w.do(w.store.Bindings.UpdateBinding(t.Context(), directory.AuditEvent{}, &b, true, true))
	w.sync()
	if w.shining("blue") != 2 {
		t.Errorf("%d lamps are blue", w.shining("blue"))
	}
	if b := w.lamp(refs[0]); b.Dirty() || b.Wanted != w.version {
		t.Errorf("the binding is %+v", b)
	}
	w.skew += 2 * Grace
	w.sync()
	work, err := w.store.Schedule.OpenWork(t.Context(), &w.conn, w.now())
	w.do(err)
	if work.Marked || work.Runs != 0 {
		t.Errorf("there is work at every tick: %+v", work)
	}
}

// forbiddenHall is a tenant that answers 403 about some objects.
type forbiddenHall struct {
	hallPort
	problem directory.Problem
	refused func(w *directory.AccountWrite) bool
}

func (f *forbiddenHall) Write(ctx context.Context, writes []directory.AccountWrite) ([]directory.Outcome, error) {
	outs, err := f.hallPort.Write(ctx, writes)
	for i := range outs {
		if w := &writes[i]; f.refused(w) {
			p := f.problem
			outs[i] = directory.Outcome{AccountID: w.AccountID, Status: http.StatusForbidden, Problem: &p}
		}
	}
	return outs, err
}

// gallery is the kind of lamps in such a tenant.
type gallery struct{ *lamps }

func (k *gallery) Open(s Slice, tenant Tenant) Objects {
	return k.lamps.Open(s, tenant.(*forbiddenHall).hallPort)
}

// forbid has the tenant refuse what could be the connection's matter, or that of
// one object, and returns how often the connection was lost.
func (w *lampWorld) forbid(refused func(w *directory.AccountWrite) bool) (lost *int) {
	p := directory.Problem{Code: directory.CodeScopeMissing, Kind: directory.ProblemAuthorization, MicrosoftStatus: http.StatusForbidden, Message: "No."}
	lost = new(int)
	w.engine.config.Kinds = []Kind{&gallery{w.lamps}}
	w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) {
		return &forbiddenHall{hallPort{w.port}, p, refused}, nil
	}
	w.engine.config.Lost = func(context.Context, *directory.Connection, directory.Problem) error { *lost++; return nil }
	return lost
}

// TestForbiddenLampBesideForbiddenAccount: a lamp and an account that are refused
// are two single matters, and none of the connection.
func TestForbiddenLampBesideForbiddenAccount(t *testing.T) {
	w := newLampWorld(t)
	refs := w.hang(2, "red")
	users := w.people(2)
	lost := w.forbid(func(*directory.AccountWrite) bool { return true })
	w.skew += 2 * Grace
	w.edit(users[0], func(u *directory.User) { u.JobTitle = "Chief" })
	w.paint(refs[:1], "blue")
	w.slices(1, func() {})
	for _, b := range []directory.Binding{w.binding(users[0]), w.lamp(refs[0])} {
		if b.Status != directory.BindingFailed || b.Problem == nil || b.Problem.Code != directory.CodeAccountForbidden {
			t.Errorf("the binding of %s is %s: %+v", b.Ref(), b.Status, b.Problem)
		}
	}
	// What an earlier slice noted about lamps says nothing about accounts either.
	w.edit(users[0], func(u *directory.User) { u.JobTitle = "Clerk" })
	w.slices(1, func() {})
	if *lost != 0 {
		t.Errorf("the connection was lost %d times", *lost)
	}
}

// TestForbiddenAccountsBesideLamps: whoever may not write to accounts any more is
// found out although the lamps go on.
func TestForbiddenAccountsBesideLamps(t *testing.T) {
	w := newLampWorld(t)
	refs := w.hang(2, "red")
	users := w.people(4)
	lost := w.forbid(func(w *directory.AccountWrite) bool { return w.Object.Kind != lampKind })
	w.skew += 2 * Grace
	for i, u := range users[:2] {
		w.edit(u, func(u *directory.User) { u.JobTitle = "Chief" })
		w.slices(1, func() {})
		w.skew += time.Second
		w.paint(refs[i:i+1], "blue")
		w.slices(1, func() {})
	}
	if *lost == 0 || w.shining("blue") == 0 {
		t.Errorf("lost %d times, %d lamps are blue", *lost, w.shining("blue"))
	}
}
