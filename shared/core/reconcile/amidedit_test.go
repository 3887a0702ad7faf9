package reconcile

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// renews reports whether a call does no more than renew the lease.
func renews(c memory.Call) bool {
	if len(c.Writes) != 1 || c.Writes[0].Update == nil {
		return false
	}
	u := c.Writes[0].Update
	return u.SetNumbers["leaseUntil"] != 0 && u.SetStrings["holder"] == ""
}

// moment is before or after the n-th call of the table of an edit's slice.
type moment struct {
	n     int
	after bool
}

func (m moment) String() string {
	if m.after {
		return fmt.Sprintf("after call %d", m.n)
	}
	return fmt.Sprintf("before call %d", m.n)
}

// amidEdit plays the slice of an edit, with something that happens at a moment of it;
// renewed says that this is on the way of the answer to a renewal of the lease. It
// returns how many calls the slice made.
func (w *world) amidEdit(u directory.User, at moment, do func(renewed bool)) (calls int) {
	w.Helper()
	within := false
	hook := func(_ context.Context, c memory.Call) error {
		if within {
			return nil
		}
		if calls++; calls == at.n {
			within = true
			do(at.after && renews(c))
			within = false
		}
		return nil
	}
	if at.after {
		w.table.After = hook
	} else {
		w.table.Before = hook
	}
	_, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID, UserID: u.ID}, time.Time{})
	w.table.Before, w.table.After = nil, nil
	if w.do(err); calls < at.n {
		w.Fatalf("%v: the slice made %d calls", at, calls)
	}
	return calls
}

// eachMoment are all moments of an edit, each in a world of its own. No time passes in
// them: whether the lease is renewed before the sending follows from how long ago it was,
// and each edit is to make the calls that the first one made.
func eachMoment(t *testing.T, do func(w *world, ann directory.User, at moment)) {
	synctest.Test(t, func(t *testing.T) {
		w, ann := editWorld(t)
		count := w.amidEdit(ann, moment{}, nil)
		if count < 8 {
			t.Fatalf("an edit makes %d calls of the table", count)
		}
		for _, after := range []bool{false, true} {
			for n := range count {
				w, ann := editWorld(t)
				do(w, ann, moment{n + 1, after})
			}
		}
	})
}

// wantNothingOpen demands that all runs have ended, and that the lease is free and has
// none.
func (w *world) wantNothingOpen(what any) {
	w.Helper()
	open, err := w.store.Runs.OpenRuns(w.Context(), w.conn.ID)
	if w.do(err); len(open) > 0 {
		w.Errorf("%v: open runs %v", what, open)
	}
	list, _, err := w.store.Runs.ListRuns(w.Context(), w.conn.ID, "", 100)
	w.do(err)
	for _, r := range list {
		if !r.State.Ended() {
			w.Errorf("%v: run %s is %s", what, r.ID, r.State)
		}
	}
	l, _, err := w.store.Leases.PeekLease(w.Context(), w.conn.ID)
	if w.do(err); l.Run != "" || !l.Until.IsZero() {
		w.Errorf("%v: the lease has run %q, and is held until %v", what, l.Run, l.Until)
	}
}

// decideOpen has an admin end what runs are open.
func (w *world) decideOpen(end func(r *store.RunRecord)) {
	w.Helper()
	ids, err := w.store.Runs.OpenRuns(w.Context(), w.conn.ID)
	w.do(err)
	for _, id := range ids {
		r, err := w.store.Runs.Run(w.Context(), id)
		if w.do(err); r.State.Ended() {
			continue
		}
		end(&r)
		w.do(w.store.Runs.DecideRun(w.Context(), directory.AuditEvent{}, &r))
	}
}

// TestAskedAmidAnEdit: an admin asks for a run at any moment of an edit. Nobody ever says
// that none is open, it is found by the next wake-up, and the edit is made once.
func TestAskedAmidAnEdit(t *testing.T) {
	eachMoment(t, func(w *world, ann directory.User, at moment) {
		var made store.RunRecord
		w.amidEdit(ann, at, func(bool) { made = w.asked() })
		l, _, err := w.store.Leases.PeekLease(w.Context(), w.conn.ID)
		w.do(err)
		if r, err := w.store.Runs.Run(w.Context(), made.ID); err != nil || !r.State.Ended() && l.NoneOpen() {
			w.Errorf("%v: %v, the run is %s, none open at %v", at, err, r.State, l.NoneOpenAt)
		}
		w.settle()
		w.wantNothingOpen(at)
		if made, told := w.updatesTo("New"); made != 1 || told != 1 {
			w.Errorf("%v: made %d times, told %d times", at, made, told)
		}
	})
}

// TestCancelledAmidAnEdit: an admin cancels what is open at any moment of an edit. What
// was made is told, and nothing stays open.
func TestCancelledAmidAnEdit(t *testing.T) {
	cancelled := 0
	eachMoment(t, func(w *world, ann directory.User, at moment) {
		w.amidEdit(ann, at, func(bool) {
			w.decideOpen(func(r *store.RunRecord) {
				r.State, r.EndedAt = directory.RunCancelled, w.now()
				cancelled++
			})
		})
		w.settle()
		w.wantNothingOpen(at)
		if made, told := w.updatesTo("New"); made > 1 || told != made {
			w.Errorf("%v: made %d times, told %d times", at, made, told)
		}
	})
	if cancelled == 0 {
		t.Error("no run was open at any moment")
	}
}

// TestDeactivatedAmidAnEdit: the connection is deactivated at any moment of an edit.
// Nothing is sent after that is done, but for what a renewal allows whose answer is on its
// way, and nothing is left when the connection comes back.
func TestDeactivatedAmidAnEdit(t *testing.T) {
	eachMoment(t, func(w *world, ann directory.User, at moment) {
		department := func() any { return w.account("ann@" + simDomain)["department"] }
		var then any
		w.amidEdit(ann, at, func(renewed bool) {
			_, _, err := w.store.Connections.DeactivateConnection(w.Context(), directory.AuditEvent{}, w.conn.ID)
			if w.do(err); !renewed {
				then = department()
			}
		})
		if got := department(); then != nil && got != then {
			w.Errorf("%v: sent after it was done: %v", at, got)
		}
		w.decideOpen(func(r *store.RunRecord) { runs.EndDeactivated(r, w.now()) })
		var err error
		w.conn, err = w.store.Connections.ModifyConnection(w.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
			c.Status = directory.StatusActive
			return nil
		})
		w.do(err)
		w.settle()
		w.wantNothingOpen(at)
	})
}

// TestOlderAfterEveryCall: a slice of an edit dies after each of its calls, or does not hear
// what it came to; a version goes on that does not know of runs on the lease, and then
// this one comes back. The edit is made once.
func TestOlderAfterEveryCall(t *testing.T) {
	w, ann := editWorld(t)
	count := &trouble{}
	count.install(w)
	_, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID, UserID: ann.ID}, time.Time{})
	count.remove(w)
	w.do(err)
	for _, kind := range []string{killAfter, failAfter} {
		for n := range count.n {
			what := fmt.Sprintf("%s call %d of %d", kind, n+1, count.n)
			w, ann := editWorld(t)
			k := &trouble{at: n + 1, kind: kind}
			k.install(w)
			_, _ = w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID, UserID: ann.ID}, time.Time{}) // what it says is lost
			k.remove(w)
			w.skew.Add(LeaseTTL + time.Second)
			w.restart(true)
			w.settle()
			w.restart(false)
			w.settle()
			w.wantNothingOpen(what)
			if made, told := w.updatesTo("New"); made != 1 || told > 1 {
				t.Errorf("%s: made %d times, told %d times", what, made, told)
			}
			if b := w.binding(ann); b.Dirty() || b.Status != directory.BindingInSync {
				t.Errorf("%s: the binding is %s, applied %d of %d", what, b.Status, b.Applied, b.Wanted)
			}
		}
	}
}

// TestVersionsInTurns: this version and one that does not know of runs on the lease deal
// with edits in turns, and later that one comes back for one edit. Each edit is made and
// told once, and counted once in its day.
func TestVersionsInTurns(t *testing.T) {
	w, ann := editWorld(t)
	edits := 0
	edit := func(unknowing bool) (onLease bool) {
		edits++
		name := fmt.Sprint("Turn ", edits)
		ann = w.edit(ann, func(u *directory.User) { u.Department = name })
		w.restart(unknowing)
		w.table.After = func(_ context.Context, c memory.Call) error {
			onLease = onLease || begins(c)
			return nil
		}
		_, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID, UserID: ann.ID}, time.Time{})
		w.table.After = nil
		w.do(err)
		if made, told := w.updatesTo(name); made != 1 || told != 1 {
			t.Errorf("edit %d: made %d times, told %d times", edits, made, told)
		}
		w.skew.Add(20 * time.Second)
		return onLease
	}
	counted := func() (n int) {
		days, err := w.store.Audit.Days(t.Context(), w.conn.ID, time.Time{}, time.Time{})
		w.do(err)
		for _, d := range days {
			n += d.Counts[directory.EffectUpdate][directory.ChangeApplied]
		}
		return n
	}
	before := counted()
	edit(true)
	for n := range 6 {
		if edit(n%2 == 1) {
			t.Errorf("edit %d: its run stands on the lease while an older version is at work", edits)
		}
	}
	w.restart(false)
	w.settle() // it is seen that another one had the lease
	w.skew.Add(2 * time.Hour)
	w.settle()
	for n := range 4 {
		if got, want := edit(n == 2), n < 2; got != want {
			t.Errorf("edit %d: its run stands on the lease: %v, want %v", edits, got, want)
		}
	}
	w.wantNothingOpen("at the end")
	if got := counted() - before; got != edits {
		t.Errorf("the days tell of %d updates, want %d", got, edits)
	}
}

// TestSettingsAmidAnEdit: an admin changes the settings, and binds somebody after that, at
// any moment of a slice. Whoever is bound is dealt with by the new settings, whatever the
// slice had read before; also where runs cannot stand on the lease yet.
func TestSettingsAmidAnEdit(t *testing.T) {
	for name, change := range map[string]func(*directory.Settings){
		"every run is to be approved": func(s *directory.Settings) { s.Mode = directory.ModeApprove },
		"no default any more":         func(s *directory.Settings) { s.DefaultUsageLocation = "" },
	} {
		for _, young := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, young %t", name, young), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { testSettingsAmidAnEdit(t, change, young) }) // as in eachMoment
			})
		}
	}
}

func testSettingsAmidAnEdit(t *testing.T, change func(*directory.Settings), young bool) {
	open := func() (w *world, carl directory.User) {
		w = newWorld(t, existing("ann", map[string]any{"department": "Old"}))
		w.settings(func(s *directory.Settings) { s.DefaultUsageLocation = "DE" })
		ann := w.user("ann", func(u *directory.User) { u.Department = "Old" })
		carl = w.user("carl", func(u *directory.User) { u.Department = "Old" })
		w.bind(ann)
		w.sync()
		w.skew.Add(2 * Grace)
		if !young {
			w.skew.Add(2 * time.Hour)
			w.port.token = signIn(t, w.sim)
		}
		w.sync()
		w.edit(ann, func(u *directory.User) { u.Department = "New" })
		return w, carl
	}
	all := directory.User{} // the slice is woken for nobody in particular
	w, _ := open()
	count := w.amidEdit(all, moment{}, nil)
	for _, after := range []bool{false, true} {
		for n := range count {
			w, carl := open()
			at := moment{n + 1, after}
			w.amidEdit(all, at, func(bool) {
				w.settings(change)
				w.bind(carl)
			})
			w.settle()
			account, made := w.sim.Account(simTenant, carl.Email)
			if approve := w.conn.Settings.Mode == directory.ModeApprove; made == approve {
				t.Errorf("%v: the account was made: %t", at, made)
			}
			if got := account["usageLocation"]; got != nil {
				t.Errorf("%v: the account was made by the settings from before, with %v", at, got)
			}
		}
	}
}
