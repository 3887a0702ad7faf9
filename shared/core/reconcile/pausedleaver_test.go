package reconcile

import (
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
)

// leavers runs slices until nothing is asked for, and counts the alarms.
func (w *world) leavers() (alarms int) {
	w.Helper()
	for range 50 {
		sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		w.do(err)
		alarms += sum.ProtectedLeavers
		if sum.Again < 0 {
			return alarms
		}
		w.skew.Add(sum.Again)
	}
	w.Fatal("the engine does not come to rest")
	return 0
}

// listed reports whether the problems of the connection name a user's kept access.
func (w *world) listed(u directory.User) bool {
	w.Helper()
	list, _, err := w.runs().Affected(w.Context(), &w.conn, directory.CodePausedLeaver, "", 100)
	w.do(err)
	w.verifyTroubles("paused leavers")
	return len(list) == 1 && list[0].UserID == u.ID && list[0].Status == directory.BindingPaused && !list[0].Problem.Since.IsZero()
}

// TestPausedLeaver: somebody is suspended while an admin keeps the binding
// paused. The account stays as it is; an alarm, the problems, the journal and
// explain say so, once, until the binding is resumed.
func TestPausedLeaver(t *testing.T) {
	for _, deleted := range []bool{false, true} {
		w := newWorld(t)
		ann := w.people(2)[0]
		w.skew.Add(2 * Grace)
		w.pause(ann)
		w.sync()
		if w.listed(ann) {
			t.Error("an active user is listed as a leaver")
		}
		w.edit(ann, func(u *directory.User) {
			if u.State = directory.StateSuspended; deleted {
				now := w.now()
				u.Deleted = &now
			}
		})
		if n := w.leavers(); n != 1 || !w.listed(ann) || w.account(ann.Email)["accountEnabled"] != true {
			t.Fatalf("%d alarms; listed %v; the binding: %+v", n, w.listed(ann), w.binding(ann))
		}
		_, changes := w.lastRun()
		if len(changes) != 1 || changes[0].State != directory.ChangeRefused || changes[0].Effect != directory.EffectBlock || changes[0].Error.Code != directory.CodePausedLeaver {
			t.Errorf("the journal has %s", effects(changes))
		}
		e, err := w.engine.Explain(t.Context(), &w.conn, directory.AccountOf(ann.ID))
		if err != nil || !strings.Contains(e.Summary, "stays enabled") || !slices.ContainsFunc(e.Decision.Findings, pausedLeaver) {
			t.Errorf("explain says %q, %v", e.Summary, err)
		}
		since := w.binding(ann).Findings[0].Since
		w.edit(ann, func(u *directory.User) { u.JobTitle = "Former" })
		if n := w.leavers(); n != 0 || !w.binding(ann).Findings[0].Since.Equal(since) {
			t.Errorf("another look raised %d alarms; since %v, was %v", n, w.binding(ann).Findings[0].Since, since)
		}
		_, err = w.runs().Resume(t.Context(), caller("resumer"), &w.conn, ann.ID)
		w.do(err)
		if n := w.leavers(); n != 0 || w.listed(ann) || w.account(ann.Email)["accountEnabled"] != false {
			t.Errorf("after resuming: %d alarms, listed %v, enabled %v", n, w.listed(ann), w.account(ann.Email)["accountEnabled"])
		}
	}
}

// TestPausedLeaverMended: what is mended by hand, or by activating the user, is
// not listed any more.
func TestPausedLeaverMended(t *testing.T) {
	for name, mend := range map[string]func(*world, directory.User){
		"activated": func(w *world, u directory.User) {
			w.edit(u, func(u *directory.User) { u.State = directory.StateActive })
		},
		"blocked by hand": func(w *world, u directory.User) { w.patch(u.Email, map[string]any{"accountEnabled": false}) },
	} {
		w := newWorld(t)
		ann := w.people(2)[0]
		w.skew.Add(2 * Grace)
		w.pause(ann)
		w.edit(ann, func(u *directory.User) { u.State = directory.StateSuspended })
		w.leavers()
		before := w.listed(ann)
		mend(w, ann)
		w.skew.Add(time.Hour)
		w.port.token = signIn(t, w.sim)
		if w.leavers(); !before || w.listed(ann) || w.binding(ann).Status != directory.BindingPaused {
			t.Errorf("%s: listed %v before, %v after", name, before, w.listed(ann))
		}
	}
}

// TestUndoneBlock: an undo gives a suspended user the access back and pauses the
// binding: that is said. A user who is suspended after an undo is blocked, since
// an edit resumes what an undo paused.
func TestUndoneBlock(t *testing.T) {
	w := newWorld(t)
	users := w.people(5)
	ann, bob := users[0], users[1]
	w.skew.Add(2 * Grace)
	w.edit(bob, func(u *directory.User) { u.JobTitle = "Wrong" })
	w.sync()
	mistake, _ := w.lastRun()
	w.undo(mistake.ID, runs.UndoRequest{})
	w.edit(bob, func(u *directory.User) { u.State = directory.StateSuspended })
	if n := w.leavers(); n != 0 || w.account(bob.Email)["accountEnabled"] != false {
		t.Fatalf("suspended after an undo: %d alarms, enabled %v", n, w.account(bob.Email)["accountEnabled"])
	}
	w.edit(ann, func(u *directory.User) { u.State = directory.StateSuspended })
	w.sync()
	block, _ := w.lastRun()
	if done, _ := w.undo(block.ID, runs.UndoRequest{}); done.State != directory.RunDone || w.account(ann.Email)["accountEnabled"] != true {
		t.Fatalf("the undo is %s", done.State)
	}
	if !w.listed(ann) {
		t.Errorf("the undone block is not listed: %+v", w.binding(ann))
	}
}

// TestLeaverWhoCannotBeBlocked: an account that cannot be written to stays as it
// is when its user leaves, which raises an alarm, once, if it is enabled.
func TestLeaverWhoCannotBeBlocked(t *testing.T) {
	for code, props := range map[string]map[string]any{
		"synced-on-premises": {"onPremisesSyncEnabled": true},
		"account-guest":      {"userType": "Guest"},
	} {
		for _, enabled := range []bool{true, false} {
			w := newWorld(t)
			ann := w.people(2)[0]
			w.skew.Add(2 * Grace)
			w.do(w.sim.EditAccount(simTenant, ann.Email, props))
			w.do(w.sim.EditAccount(simTenant, ann.Email, map[string]any{"accountEnabled": enabled}))
			w.edit(ann, func(u *directory.User) { u.State = directory.StateSuspended })
			want := 0
			if enabled {
				want = 1
			}
			if n := w.leavers(); n != want {
				t.Errorf("%s, enabled %t: %d alarms, want %d", code, enabled, n, want)
			}
			_, changes := w.lastRun()
			if len(changes) != want || want > 0 && (changes[0].State != directory.ChangeRefused || changes[0].Effect != directory.EffectBlock || changes[0].Error.Code != code) {
				t.Errorf("%s, enabled %t: the journal has %s", code, enabled, effects(changes))
			}
			w.skew.Add(2 * directory.DefaultInterval)
			if n := w.leavers(); n != 0 {
				t.Errorf("%s, enabled %t: %d alarms at another look", code, enabled, n)
			}
		}
	}
}
