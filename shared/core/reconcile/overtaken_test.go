package reconcile

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/store/storetest"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// restart has another worker go on, of this version or of one that does not know of runs
// on the lease.
func (w *world) restart(unknowing bool) {
	var t store.Table = w.table
	if unknowing {
		t = storetest.Unknowing(t)
	}
	c := w.engine.config
	c.Stores = StoresOf(store.New(t, store.Options{Now: w.now}))
	w.engine = New(c)
}

// settle does what the schedule wakes, until nothing is left.
func (w *world) settle() {
	w.Helper()
	w.port.token = signIn(w.T, w.sim)
	w.edited(directory.User{}, &trouble{})
	w.skew.Add(3 * Grace)
	w.edited(directory.User{}, &trouble{})
}

// begins reports whether a call notes a run on the lease.
func begins(c memory.Call) bool {
	for _, w := range c.Writes {
		if w.Update != nil && w.Update.SetStrings["openRun"] != "" {
			return true
		}
	}
	return false
}

// dieBegun has the slice of an edit die once its run stands on the lease: right then, or
// when its write has been made.
func (w *world) dieBegun(u directory.User, sent bool) (run directory.RunID) {
	w.Helper()
	var dead atomic.Bool
	w.table.Before = func(context.Context, memory.Call) error {
		if dead.Load() {
			return errDead
		}
		return nil
	}
	if sent {
		rt := w.port.rt
		w.port.rt = &meanwhileWoken{RoundTripper: rt, wake: func() { dead.Store(true) }}
		defer func() { w.port.rt = rt }()
	} else {
		w.table.After = func(_ context.Context, c memory.Call) error {
			if begins(c) {
				dead.Store(true)
			}
			if dead.Load() {
				return errDead
			}
			return nil
		}
	}
	if _, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID, UserID: u.ID}, time.Time{}); err != nil && !dead.Load() {
		w.Fatal(err)
	}
	w.table.Before, w.table.After = nil, nil
	l, _, err := w.store.Leases.PeekLease(w.Context(), w.conn.ID)
	if w.do(err); l.Run == "" || !dead.Load() {
		w.Fatal("no run stands on the lease of somebody who died")
	}
	want := "Old"
	if sent {
		want = "New"
	}
	if got := w.account("ann@" + simDomain)["department"]; got != want {
		w.Fatalf("the account has %v, want %s", got, want)
	}
	w.skew.Add(LeaseTTL + time.Second)
	return l.Run
}

// wantOvertaken demands that a run has ended as one that an older version overtook, with
// a change that has no result that counts, and that nothing stands on the lease.
func (w *world) wantOvertaken(id directory.RunID) {
	w.Helper()
	r, err := w.store.Runs.Run(w.Context(), id)
	w.do(err)
	changes, _, err := w.store.Runs.Changes(w.Context(), &r, "", 100)
	w.do(err)
	if r.State != directory.RunSuperseded || r.EndedAt.IsZero() || len(changes) != 1 || changes[0].State != directory.ChangeOutdated || changes[0].Error == nil || r.Refused != 1 {
		w.Errorf("run %s is %s, ended %v, %d refused, with %+v", id, r.State, r.EndedAt, r.Refused, changes)
	}
	open, err := w.store.Runs.OpenRuns(w.Context(), w.conn.ID)
	if w.do(err); len(open) > 0 {
		w.Errorf("open runs %v", open)
	}
	l, _, err := w.store.Leases.PeekLease(w.Context(), w.conn.ID)
	if w.do(err); l.Run != "" || l.Overtaken {
		w.Errorf("the lease has %q, overtaken %v", l.Run, l.Overtaken)
	}
}

// updatesTo counts how often an account got a department, and how often that is told.
func (w *world) updatesTo(department string) (made, told int) {
	w.Helper()
	for _, m := range w.sim.Mutations(simTenant) {
		if m.Kind == "update" && m.After["department"] == department {
			made++
		}
	}
	list, _, err := w.store.Runs.ListRuns(w.Context(), w.conn.ID, "", 100)
	w.do(err)
	for i := range list {
		changes, _, err := w.store.Runs.Changes(w.Context(), &list[i], "", 100)
		w.do(err)
		for _, c := range changes {
			if c.State == directory.ChangeApplied && c.Effect == directory.EffectUpdate && len(c.Properties) > 0 && plain(c.Properties[0].After) == department {
				told++
			}
		}
	}
	return made, told
}

// TestOvertakenRun: a holder dies with its run on the lease, an older version deals with
// the user, and this one comes back, at once or days later: the run is not gone on with.
func TestOvertakenRun(t *testing.T) {
	for _, away := range []time.Duration{0, 48 * time.Hour} {
		w, ann := editWorld(t)
		run := w.dieBegun(ann, false)
		w.restart(true)
		w.settle()
		if made, told := w.updatesTo("New"); made != 1 || told != 1 {
			t.Errorf("the older version made the edit %d times and tells of it %d times", made, told)
		}
		w.skew.Add(away)
		w.restart(false)
		w.settle()
		w.wantOvertaken(run)
		if made, told := w.updatesTo("New"); made != 1 || told != 1 {
			t.Errorf("away for %v: the edit was made %d times and is told of %d times", away, made, told)
		}
		if b := w.binding(ann); b.Dirty() || b.Status != directory.BindingInSync || b.RunID == run {
			t.Errorf("the binding is %s, applied %d of %d, of run %s", b.Status, b.Applied, b.Wanted, b.RunID)
		}
	}
}

// TestOvertakenRunIsEndedOnce: whoever finds an overtaken run may die too, after each of
// its calls until that has been ended, or not hear what a call came to.
func TestOvertakenRunIsEndedOnce(t *testing.T) {
	const untilEnded = 6 // calls
	for _, kind := range []string{killAfter, failAfter} {
		for at := range untilEnded + 3 {
			w, ann := editWorld(t)
			run := w.dieBegun(ann, false)
			w.restart(true)
			w.settle()
			w.restart(false)
			k := &trouble{at: at + 1, kind: kind}
			k.install(w)
			died := w.edited(directory.User{}, k)
			k.remove(w)
			if r, err := w.store.Runs.Run(t.Context(), run); err != nil || died && r.State.Ended() != (at+1 >= untilEnded) {
				t.Errorf("%s call %d: the run is %s, %v", kind, at+1, r.State, err)
			}
			w.skew.Add(LeaseTTL + time.Second)
			w.settle()
			w.wantOvertaken(run)
			if made, told := w.updatesTo("New"); made != 1 || told != 1 {
				t.Errorf("%s call %d: the edit was made %d times and is told of %d times", kind, at, made, told)
			}
		}
	}
}

// TestOvertakenPlanIsOld: what was exported when the plan was made is not any more, and
// has been set by hand since.
func TestOvertakenPlanIsOld(t *testing.T) {
	w, ann := editWorld(t)
	run := w.dieBegun(ann, false)
	w.restart(true)
	w.settle()
	_, conn, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID)
	w.do(err)
	w.conn = conn
	delete(w.conn.Settings.Attributes, "department")
	w.saveConn()
	w.skew.Add(48 * time.Hour)
	w.settle()
	w.do(w.sim.EditAccount(simTenant, "ann@"+simDomain, map[string]any{"department": "By hand"}))
	w.skew.Add(48 * time.Hour)
	w.settle()
	w.restart(false)
	w.settle()
	w.wantOvertaken(run)
	if got := w.account("ann@" + simDomain)["department"]; got != "By hand" {
		t.Errorf("a plan of days ago was carried out: department %v", got)
	}
}

// TestOvertakenAfterSending: the write was made and not journalled. The older version
// finds it as it is wanted; nobody makes it again, and nobody says that it was not made.
func TestOvertakenAfterSending(t *testing.T) {
	w, ann := editWorld(t)
	run := w.dieBegun(ann, true)
	w.restart(true)
	w.settle()
	if b := w.binding(ann); b.Dirty() || b.Status != directory.BindingInSync {
		t.Errorf("under the older version the binding is %s, applied %d of %d", b.Status, b.Applied, b.Wanted)
	}
	w.restart(false)
	w.settle()
	w.wantOvertaken(run)
	if made, told := w.updatesTo("New"); made != 1 || told != 0 {
		t.Errorf("the write was made %d times, and is told of as applied %d times", made, told)
	}
}

// TestOvertakenWhileMarked: the older version had the lease and got nowhere. The user is
// planned anew.
func TestOvertakenWhileMarked(t *testing.T) {
	w, ann := editWorld(t)
	run := w.dieBegun(ann, false)
	old := store.New(storetest.Unknowing(w.table), store.Options{Now: w.now})
	l, _, err := old.Leases.AcquireLease(t.Context(), w.conn.ID, "older", LeaseTTL)
	w.do(err)
	w.do(old.Leases.ReleaseLease(t.Context(), &l, store.RunEnd{}, false))
	w.restart(false)
	w.settle()
	w.wantOvertaken(run)
	if made, told := w.updatesTo("New"); made != 1 || told != 1 {
		t.Errorf("the edit was made %d times and is told of %d times", made, told)
	}
	if b := w.binding(ann); b.Dirty() || b.Status != directory.BindingInSync {
		t.Errorf("the binding is %s, applied %d of %d", b.Status, b.Applied, b.Wanted)
	}
}

// TestDealtWithByAnotherRun: a plan of marks is not carried out for somebody with whom
// another run has dealt since, however that came about.
func TestDealtWithByAnotherRun(t *testing.T) {
	w, ann := editWorld(t)
	run := w.dieBegun(ann, false)
	w.restart(true)
	w.settle()
	// Nobody can tell by the lease that the older version had it.
	key := table.Key{Partition: "C#" + string(w.conn.ID), Sort: "connection#lease"}
	lease, err := w.table.Get(t.Context(), key)
	w.do(err)
	w.do(w.table.Write(t.Context(), table.Write{Update: &table.Update{Key: key, SetNumbers: map[string]int64{"knownFence": lease.Numbers["fence"]}}}))
	w.restart(false)
	w.settle()
	r, err := w.store.Runs.Run(t.Context(), run)
	w.do(err)
	if r.State != directory.RunDone || r.Refused != 1 {
		t.Errorf("the run is %s, %d refused", r.State, r.Refused)
	}
	if made, told := w.updatesTo("New"); made != 1 || told != 1 {
		t.Errorf("the edit was made %d times and is told of %d times", made, told)
	}
}

// TestLeftOnTheLeaseReactivated: a run is left on the lease, and the connection is
// deactivated and comes back.
func TestLeftOnTheLeaseReactivated(t *testing.T) {
	w, ann := editWorld(t)
	run := w.dieBegun(ann, false)
	w.deactivate()
	w.activate()
	w.settle()
	if got := w.account("ann@" + simDomain)["department"]; got != "Old" {
		t.Errorf("sent in the next epoch: %v", got)
	}
	l, _, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID)
	w.do(err)
	open, err := w.store.Runs.OpenRuns(t.Context(), w.conn.ID)
	w.do(err)
	r, err := w.store.Runs.Run(t.Context(), run)
	if w.do(err); l.Run != "" || len(open) > 0 || r.State != directory.RunCancelled {
		t.Errorf("left: %q on the lease, open %v, the run is %s", l.Run, open, r.State)
	}
}
