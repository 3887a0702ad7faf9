package reconcile

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// snapshot is every account's values, but for what changes by itself.
func (w *world) snapshot(users ...directory.User) map[string]string {
	w.Helper()
	out := map[string]string{}
	for _, u := range users {
		a := w.account(u.Email)
		b := maps.Clone(a)
		for _, name := range []string{"signInSessionsValidFromDateTime", "refreshTokensValidFromDateTime", "lastPasswordChangeDateTime"} {
			delete(b, name)
		}
		maps.DeleteFunc(b, func(_ string, v any) bool { return v == nil })
		out[fmt.Sprint(a["id"])] = fmt.Sprint(b)
	}
	return out
}

func (w *world) undo(of directory.RunID, req runs.UndoRequest) (directory.Run, []plan.Left) {
	w.Helper()
	run, err := w.store.Runs.Run(w.Context(), of)
	w.do(err)
	started, err := w.runs().Undo(w.Context(), directory.Caller{}, &w.conn, run.Run, req)
	w.do(err)
	w.sync()
	if done, err := w.store.Runs.Run(w.Context(), started.ID); err == nil && done.State == directory.RunHeld {
		_, err := w.runs().Approve(w.Context(), caller("boss"), started.ID, plan.Approval{All: true})
		w.do(err)
		w.sync()
	}
	w.skew.Add(2 * time.Second)
	w.sync()
	done, err := w.store.Runs.Run(w.Context(), started.ID)
	w.do(err)
	left, _, err := w.runs().Left(w.Context(), started.ID, "")
	w.do(err)
	if done.Left != len(left) {
		w.Errorf("the run says that %d are left, its list has %d", done.Left, len(left))
	}
	return done.Run, left
}

// TestUndoOfAnEdit: a mistake in many users is taken back; it is not made again
// by itself; whoever is edited is synced again; the undo can be undone.
func TestUndoOfAnEdit(t *testing.T) {
	w := newWorld(t)
	users := w.people(50)
	w.skew.Add(2 * Grace)
	before := w.snapshot(users...)
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.JobTitle, u.Department = "Wrong", "" })
	}
	w.sync()
	mistake, _ := w.lastRun()
	if mistake.State == directory.RunHeld {
		if _, err := w.runs().Approve(t.Context(), caller("boss"), mistake.ID, plan.Approval{All: true}); err != nil {
			t.Fatal(err)
		}
		w.sync()
	}
	after := w.snapshot(users...)
	dry, left := w.undo(mistake.ID, runs.UndoRequest{DryRun: true})
	if dry.State != directory.RunPlanned || dry.Counts[directory.EffectUpdate] != 50 || len(left) != 0 || !maps.Equal(after, w.snapshot(users...)) {
		t.Fatalf("the dry run is %s with %v, %d left", dry.State, dry.Counts, len(left))
	}
	w.patch(users[7].Email, map[string]any{"jobTitle": "Since"})
	run, left := w.undo(mistake.ID, runs.UndoRequest{})
	if run.State != directory.RunDone || run.Applied != 50 || run.Kind != directory.KindUndo || run.UndoOf != mistake.ID {
		t.Fatalf("the undo is %s with %d applied, %v", run.State, run.Applied, run.Error)
	}
	if len(left) != 1 || left[0].Code != plan.LeftChanged || left[0].Wrote.String() != "Wrong" || left[0].Found.String() != "Since" {
		t.Errorf("left is %+v, want the value that somebody changed since", left)
	}
	w.patch(users[7].Email, map[string]any{"jobTitle": "Clerk"})
	if now := w.snapshot(users...); !maps.Equal(now, before) {
		t.Error("the accounts are not as before")
	}
	w.skew.Add(2 * Grace)
	if _, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, runs.Request{Full: true}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if now := w.snapshot(users...); !maps.Equal(now, before) {
		t.Error("a full reconcile did again what was undone")
	}
	if b := w.binding(users[3]); b.Status != directory.BindingPaused || b.Problem.Code != directory.CodeUndone {
		t.Errorf("the binding is %s (%v), want paused", b.Status, b.Problem)
	}
	w.edit(users[3], func(u *directory.User) { u.JobTitle, u.Department = "Right", "Sales" })
	w.sync()
	if got := w.account(users[3].Email)["jobTitle"]; got != "Right" || w.binding(users[3]).Status != directory.BindingInSync {
		t.Errorf("after an edit jobTitle is %v and the binding %s", got, w.binding(users[3]).Status)
	}
	again, left := w.undo(run.ID, runs.UndoRequest{})
	if again.State != directory.RunDone || again.Failed != 0 {
		t.Fatalf("the undo of the undo is %s", again.State)
	}
	if len(left) == 0 {
		t.Error("the user who was edited since is not left")
	}
	if got := w.account(users[4].Email)["jobTitle"]; got != "Wrong" {
		t.Errorf("jobTitle is %v after the undo of the undo", got)
	}
	if b := w.binding(users[4]); b.Status != directory.BindingInSync {
		t.Errorf("the binding is %s (%v) after the undo of the undo", b.Status, b.Problem)
	}
}

// TestUndoOfWhatIsRefused: when Microsoft refuses a value from before, the rest is
// taken back by undoing once more, as is told.
func TestUndoOfWhatIsRefused(t *testing.T) {
	w := newWorld(t)
	ann := w.people(1)[0]
	w.skew.Add(2 * Grace)
	w.edit(ann, func(u *directory.User) { u.JobTitle, u.Department = "Wrong", "Wrong too" })
	w.sync()
	mistake, _ := w.lastRun()
	w.fault(entratest.Fault{Kind: "value-refused", Property: "department"})
	if run, _ := w.undo(mistake.ID, runs.UndoRequest{}); run.Failed != 1 || w.account(ann.Email)["jobTitle"] != "Wrong" {
		t.Fatalf("the undo is %s with %d failed", run.State, run.Failed)
	}
	if b := w.binding(ann); b.Status != directory.BindingPaused || b.Dirty() || !strings.Contains(b.Problem.Next, "Undo the run once more") || !strings.Contains(b.Problem.Next, "department") {
		t.Errorf("the binding is %s: %+v", b.Status, b.Problem)
	}
	run, left := w.undo(mistake.ID, runs.UndoRequest{})
	if run.State != directory.RunDone || run.Failed != 0 || len(left) != 1 || left[0].Code != plan.LeftRefused || left[0].Property != "department" {
		t.Errorf("the second undo is %s with %d failed, left %+v", run.State, run.Failed, left)
	}
	if a := w.account(ann.Email); a["jobTitle"] != "Clerk" || a["department"] != "Wrong too" {
		t.Errorf("the account has %v, %v", a["jobTitle"], a["department"])
	}
}

// TestUndoOfABinding: an adopted account gets back what it had, a created one is
// blocked and given up, never deleted; both users are members no more.
func TestUndoOfABinding(t *testing.T) {
	old := map[string]any{"userPrincipalName": "ann@" + simDomain, "displayName": "Old Ann", "mailNickname": "ann", "accountEnabled": true,
		"givenName": "Old", "jobTitle": "Before"}
	w := newWorld(t, old)
	users := []directory.User{{Profile: directory.Profile{Email: "ann@" + simDomain}}}
	before := w.snapshot(users...)
	ann, ben := w.user("ann", func(u *directory.User) { u.JobTitle = "After" }), w.user("ben")
	w.bind(ann, ben)
	w.sync()
	run, _ := w.lastRun()
	w.skew.Add(2 * Grace)
	undo, left := w.undo(run.ID, runs.UndoRequest{})
	if undo.State != directory.RunDone || undo.Failed+undo.Refused != 0 {
		t.Fatalf("the undo is %s: %+v, left %+v", undo.State, undo, left)
	}
	now := w.snapshot(users...)
	for id, was := range before {
		if now[id] != was {
			t.Errorf("account is\n%s\nwas\n%s", now[id], was)
		}
	}
	if on := w.account(ben.Email)["accountEnabled"]; on != false {
		t.Errorf("the created account is enabled: %v", on)
	}
	for _, u := range []directory.User{ann, ben} {
		if _, err := w.store.Bindings.Binding(t.Context(), u.ID); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("%s is still bound (%v)", u.Email, err)
		}
	}
	if n, err := w.store.Counters.BoundCount(t.Context(), w.conn.ID, w.conn.Epoch); n != 0 || err != nil {
		t.Errorf("%d users count as bound, %v", n, err)
	}
	again, _ := w.undo(undo.ID, runs.UndoRequest{})
	if again.State != directory.RunDone {
		t.Fatalf("the undo of the undo is %s: %+v", again.State, again.Error)
	}
	if got := w.account(ann.Email)["jobTitle"]; got != "After" || w.account(ben.Email)["accountEnabled"] != true {
		t.Errorf("after the undo of the undo the title is %v, ben is enabled: %v", got, w.account(ben.Email)["accountEnabled"])
	}
	if n, err := w.store.Counters.BoundCount(t.Context(), w.conn.ID, w.conn.Epoch); n != 2 || err != nil {
		t.Errorf("%d users count as bound, %v", n, err)
	}
	if b := w.binding(ann); b.Status != directory.BindingInSync || b.Before["jobTitle"].String() != "Before" {
		t.Errorf("the binding is %s with the before-image %v", b.Status, b.Before)
	}
}

// TestUndoOfBlocks: access that was taken is given back; sessions stay ended,
// and the list says so. A part can be undone.
func TestUndoOfBlocks(t *testing.T) {
	w := newWorld(t)
	users := w.people(12)
	for _, u := range users[:4] {
		w.edit(u, func(u *directory.User) { u.State = directory.StateSuspended })
	}
	w.sync()
	run, _ := w.lastRun()
	undo, left := w.undo(run.ID, runs.UndoRequest{UserIDs: ids(users[:2])})
	if undo.State != directory.RunDone || undo.Counts[directory.EffectUnblock] != 2 || len(left) != 2 || left[0].Code != plan.LeftSessions {
		t.Fatalf("the undo is %s with %v, left %+v", undo.State, undo.Counts, left)
	}
	for i, u := range users {
		if on := w.account(u.Email)["accountEnabled"]; on != (i < 2 || i >= 4) {
			t.Errorf("accountEnabled of %s is %v", u.Email, on)
		}
	}
	for _, req := range []struct {
		of   directory.Run
		code string
	}{{dryOf(undo), "nothing-to-undo"}, {openOf(undo), "run-not-ended"}} {
		var refusal *directory.Refusal
		if _, err := w.runs().Undo(t.Context(), directory.Caller{}, &w.conn, req.of, runs.UndoRequest{}); !errors.As(err, &refusal) || refusal.Code != req.code {
			t.Errorf("Undo = %v, want %s", err, req.code)
		}
	}
}

func dryOf(r directory.Run) directory.Run  { r.DryRun = true; return r }
func openOf(r directory.Run) directory.Run { r.State = directory.RunApplying; return r }

// TestUndoOfAThousand: as many as a bulk mistake may concern.
func TestUndoOfAThousand(t *testing.T) {
	w := newWorld(t)
	users := w.people(1000)
	w.skew.Add(2 * Grace)
	before := w.snapshot(users...)
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.Department = "Nowhere" })
	}
	w.sync()
	run, _ := w.lastRun()
	undo, left := w.undo(run.ID, runs.UndoRequest{})
	if undo.State != directory.RunDone || undo.Applied != 1000 || len(left) != 0 || !maps.Equal(w.snapshot(users...), before) {
		t.Fatalf("the undo is %s with %d applied and %d left", undo.State, undo.Applied, len(left))
	}
}

// TestBeforeOutlivesTheBinding: what an account had before its first binding can
// be given back after the user was released and bound again, but not for ever.
func TestBeforeOutlivesTheBinding(t *testing.T) {
	for _, test := range []struct {
		later time.Duration
		want  string
	}{{time.Hour, "Before"}, {91 * 24 * time.Hour, "Ours"}} {
		w := newWorld(t, map[string]any{"userPrincipalName": "ann@" + simDomain, "displayName": "Old Ann", "mailNickname": "ann", "accountEnabled": true, "jobTitle": "Before"})
		ann := w.user("ann", func(u *directory.User) { u.JobTitle = "Ours" })
		w.bind(ann)
		w.sync()
		b := w.binding(ann)
		w.do(w.store.Bindings.Retract(t.Context(), directory.AuditEvent{}, nil, &w.conn, &b))
		w.skew.Add(test.later)
		w.port.token = signIn(t, w.sim)
		w.bind(ann)
		w.sync()
		if b = w.binding(ann); b.Status != directory.BindingInSync || b.Before["jobTitle"].String() != test.want {
			t.Errorf("after %s the before-image is %v (%s %v), want %s", test.later, b.Before["jobTitle"], b.Status, b.Problem, test.want)
		}
	}
}

// TestDeclinedUndo: an undo that an admin declines, or a part of it, leaves the
// bindings of whoever keeps what was written as they are.
func TestDeclinedUndo(t *testing.T) {
	w := newWorld(t)
	users := w.people(4)
	w.skew.Add(2 * Grace)
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.JobTitle = "Right" })
	}
	w.sync()
	run, _ := w.lastRun()
	w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
	for _, part := range []int{0, 1} {
		w.skew.Add(2 * Grace)
		undo, err := w.runs().Undo(t.Context(), directory.Caller{}, &w.conn, run, runs.UndoRequest{})
		w.do(err)
		w.sync()
		_, changes := w.lastRun()
		choice := plan.Approval{}
		for _, c := range changes[:part] {
			choice.ChangeIDs = append(choice.ChangeIDs, c.ID)
		}
		if _, err := w.runs().Approve(t.Context(), caller("boss"), undo.ID, choice); err != nil {
			t.Fatal(err)
		}
		w.sync()
		if n := w.states(undo.ID); n[directory.ChangeDeclined] != 4-part || n[directory.ChangeApplied] != part {
			t.Fatalf("states %v with %d approved", n, part)
		}
		paused := 0
		for _, u := range users {
			if w.binding(u).Status == directory.BindingPaused {
				paused++
			}
		}
		if paused != part {
			t.Errorf("%d bindings are paused, want those of the %d that were undone", paused, part)
		}
	}
}

// TestHeldUndoAndMarks: an undo that waits for an admin keeps no edit waiting,
// and no edit of others ends it.
func TestHeldUndoAndMarks(t *testing.T) {
	w := newWorld(t)
	users := w.people(4)
	w.skew.Add(2 * Grace)
	w.edit(users[0], func(u *directory.User) { u.JobTitle = "Wrong" })
	w.sync()
	mistake, _ := w.lastRun()
	w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
	w.skew.Add(2 * Grace)
	undo, err := w.runs().Undo(t.Context(), directory.Caller{}, &w.conn, mistake, runs.UndoRequest{})
	w.do(err)
	w.sync()
	w.skew.Add(time.Second)
	w.edit(users[2], func(u *directory.User) { u.JobTitle = "Other" })
	w.sync()
	if r, err := w.store.Runs.Run(t.Context(), undo.ID); err != nil || r.State != directory.RunHeld {
		t.Errorf("after the edit of another user the undo is %s, %v", r.State, err)
	}
	if run, changes := w.lastRun(); run.ID == undo.ID || run.State != directory.RunHeld || len(changes) != 1 {
		t.Errorf("the last run is %s with %s, want the edit", run.State, effects(changes))
	}
	w.skew.Add(time.Second)
	again, err := w.runs().Undo(t.Context(), directory.Caller{}, &w.conn, mistake, runs.UndoRequest{})
	w.do(err)
	w.sync()
	states := map[directory.RunID]directory.RunState{}
	for _, r := range w.allRuns() {
		states[r.ID] = r.State
	}
	if states[undo.ID] != directory.RunSuperseded || states[again.ID] != directory.RunHeld {
		t.Errorf("the first undo is %s, the same asked for again %s", states[undo.ID], states[again.ID])
	}
}
