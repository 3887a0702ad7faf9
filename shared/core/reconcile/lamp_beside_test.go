package reconcile

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
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
	w.skew.Add(8 * plan.Day) // the blocks before count no more
	w.port.token = signIn(t, w.sim)
	w.sync()
	for _, u := range users {
		w.patch(u.Email, map[string]any{"accountEnabled": true})
	}
	w.paint(refs, off)
	w.skew.Add(2 * directory.DefaultInterval)
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
	w.skew.Add(2 * Grace)
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
	refused func(w *directory.Write) bool
}

func (f *forbiddenHall) Write(ctx context.Context, writes []directory.Write) ([]directory.Outcome, error) {
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
func (w *lampWorld) forbid(refused func(w *directory.Write) bool) (lost *int) {
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
	lost := w.forbid(func(*directory.Write) bool { return true })
	w.skew.Add(2 * Grace)
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
	lost := w.forbid(func(w *directory.Write) bool { return w.Object.Kind != lampKind })
	w.skew.Add(2 * Grace)
	for i, u := range users[:2] {
		w.edit(u, func(u *directory.User) { u.JobTitle = "Chief" })
		w.slices(1, func() {})
		w.skew.Add(time.Second)
		w.paint(refs[i:i+1], "blue")
		w.slices(1, func() {})
	}
	if *lost == 0 || w.shining("blue") == 0 {
		t.Errorf("lost %d times, %d lamps are blue", *lost, w.shining("blue"))
	}
}

// lampsReadSlowly has each read of the lamps take a while from when it is opened.
func (w *lampWorld) lampsReadSlowly() *waiting {
	slow := &waiting{next: w.port.rt, took: 8 * time.Second, is: func(r *http.Request, _ []byte) bool {
		return r.URL.Host == "lamps.example" && r.Method == http.MethodGet
	}}
	w.port.rt = slow
	return slow
}

// TestLeaverBesideSlowLamps: what was decided about a user before a leaver's run was
// done, while lamps were read, is not recorded over what that run recorded.
func TestLeaverBesideSlowLamps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLampWorld(t)
		w.settings(func(s *directory.Settings) { s.Guard = map[directory.Effect]directory.Limit{} })
		refs := w.hang(8, "red")
		marks, _, err := w.store.Marks.ListMarks(t.Context(), w.conn.ID, w.conn.Epoch, "", 10)
		w.do(err)
		last := marks[len(marks)-1].Ref // behind all users' marks
		users := w.people(3)
		time.Sleep(w.skew.Load() + 2*Grace)
		w.skew.Store(0)
		w.sync()
		time.Sleep(w.skew.Load())
		w.skew.Store(0)
		for i, u := range users { // in sync, and to be looked at
			w.patch(u.Email, map[string]any{"jobTitle": "Chief"})
			users[i] = w.edit(u, func(u *directory.User) { u.JobTitle = "Chief" })
		}
		time.Sleep(time.Second)
		if !slices.Contains(refs, last) {
			t.Fatalf("%s is no lamp", last)
		}
		w.paint([]directory.Ref{last}, "blue")
		slow := w.lampsReadSlowly()
		slow.open.Store(true)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for again := time.Duration(0); again >= 0; {
				sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
				if err != nil {
					t.Error(err)
					return
				}
				again = sum.Again
				time.Sleep(max(again, 0))
			}
		}()
		for slow.met.Load() == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		w.edit(users[0], func(u *directory.User) { u.State = directory.StateSuspended })
		<-ended
		if w.account(users[0].Email)["accountEnabled"] != false || w.shining("blue") != 1 {
			t.Errorf("the account is %v, %d lamps are blue", w.account(users[0].Email), w.shining("blue"))
		}
		if b := w.binding(users[0]); b.Base[directory.PropAccountEnabled].String() != "false" || b.Status != directory.BindingInSync {
			t.Errorf("the binding is %s, its base %v", b.Status, b.Base)
		}
	})
}

// TestFourEyesOfLamps: under fourEyes those whom a kind names as the editors of a
// run do not approve it.
func TestFourEyesOfLamps(t *testing.T) {
	w := newLampWorld(t)
	w.settings(func(s *directory.Settings) { s.Mode, s.FourEyes = directory.ModeApprove, true })
	w.hang(2, "red") // by admin
	w.sync()
	w.wantEditors("admin")
	if w.decide("admin", all) {
		t.Error("who bound the lamps approves what becomes of them")
	}
	if !w.decide("ben", all) {
		t.Error("ben asked for nothing and may not approve")
	}
	w.sync()
	if run, _ := w.lastRun(); run.State != directory.RunDone || w.shining("red") != 2 {
		t.Errorf("the run is %s, %d lamps are red", run.State, w.shining("red"))
	}
}

// TestWorkHasACopyOfTheRun: what a kind sets in a run's record changes no run.
func TestWorkHasACopyOfTheRun(t *testing.T) {
	s, r := &session{}, &store.RunRecord{}
	s.work(r, closed{s}).Run.EditedBy = []string{"ann"}
	if len(r.EditedBy) != 0 {
		t.Errorf("the run comes from the edits of %q", r.EditedBy)
	}
}

// TestLampsAreNoUsers: that lamps are taken away says nothing about the directory's
// users, who are neither looked at nor counted anew for it, and lamps are in no
// user's department.
func TestLampsAreNoUsers(t *testing.T) {
	w := newLampWorld(t)
	w.fuse(directory.EffectDelete)
	w.settings(func(s *directory.Settings) { s.Guard = map[directory.Effect]directory.Limit{} })
	refs := w.hang(2, "red")
	ann := w.user("ann")
	w.bind(ann)
	others := []directory.User{w.user("bob"), w.user("carl")}
	w.sync()
	run, _ := w.lastRun()
	parts, err := w.runs().Parts(t.Context(), run.ID)
	w.do(err)
	if len(parts.Departments) != 1 || parts.Departments[0].Name != ann.Department || parts.Departments[0].Counts[directory.EffectCreate] != 1 {
		t.Errorf("the run is in %+v", parts.Departments)
	}
	lease, _, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID)
	w.do(err)
	gone := w.now()
	for _, u := range others {
		w.edit(u, func(u *directory.User) { u.Deleted = &gone })
	}
	w.paint(refs, off)
	w.sync()
	if run, _ := w.lastRun(); run.State != directory.RunDone || w.shining(off) != 2 {
		t.Errorf("the run is %s, held %+v", run.State, run.Held)
	}
	after, _, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID)
	w.do(err)
	if lease.Users != 3 || after.Users != 3 {
		t.Errorf("%d users are remembered, and then %d", lease.Users, after.Users)
	}
}
