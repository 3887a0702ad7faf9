package reconcile

import (
	"context"
	"fmt"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// narrow is a table whose transactions take few bindings.
type narrow struct {
	journalStore
	most    int
	refused int
}

func (s *narrow) Journal(ctx context.Context, l *store.Lease, c *directory.Connection, j store.Journal) error {
	if len(j.Bindings) > s.most {
		s.refused++
		return fmt.Errorf("journal: %w", directory.ErrTooLarge)
	}
	return s.journalStore.Journal(ctx, l, c, j)
}

// TestJournalInParts: results that do not fit one transaction are journalled in
// several, each with its bindings and its counts.
func TestJournalInParts(t *testing.T) {
	w := newWorld(t)
	s := &narrow{journalStore: w.engine.config.Stores.Journal, most: 3}
	w.engine.config.Stores.Journal = s
	users := w.people(25)
	w.skew.Add(2 * Grace)
	for i, u := range users {
		w.edit(u, func(u *directory.User) {
			if u.JobTitle = "Boss"; i%5 == 0 {
				u.GivenName = "" // which settles without a write or with one
			}
		})
	}
	w.sync()
	if n := titled(w, users, "Boss"); n != 25 || s.refused == 0 {
		t.Errorf("%d accounts have the title after %d refused transactions", n, s.refused)
	}
	for _, u := range users {
		if b := w.binding(u); b.Status != directory.BindingInSync {
			t.Errorf("a binding is %s (%v)", b.Status, b.Problem)
		}
	}
	run, changes := w.lastRun()
	if run.State != directory.RunDone || run.Applied != len(changes) {
		t.Errorf("the run is %s with %d applied of %d", run.State, run.Applied, len(changes))
	}
	w.verifyHours("in parts")
}

// TestReleaseOfManyWithProblems: what ends bindings with an account, a
// before-image and a problem fits the transaction, whatever their number.
func TestReleaseOfManyWithProblems(t *testing.T) {
	w := newWorld(t)
	tenant := &stubborn{port: w.port}
	w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return tenant, nil }
	users := w.people(60)
	w.skew.Add(2 * Grace)
	tenant.problem = &directory.Problem{Code: "cause", Kind: directory.ProblemData, Message: "No."}
	for _, u := range users {
		w.patch(u.Email, map[string]any{"accountEnabled": false}) // so that a block has nothing to write
		w.edit(u, func(u *directory.User) { u.JobTitle = "Boss" })
	}
	w.sync()
	tenant.problem = nil
	for _, u := range users {
		b := w.binding(u)
		b.Release = directory.ReleaseBlock
		w.do(w.store.Bindings.UpdateBinding(t.Context(), directory.AuditEvent{}, &b, true, false))
	}
	w.sync()
	for _, r := range w.allRuns() {
		if r.State == directory.RunFailed {
			t.Fatalf("a run failed: %v", r.Error)
		}
	}
	if n, err := w.store.Counters.BoundCount(t.Context(), w.conn.ID, w.conn.Epoch); err != nil || n != 0 {
		t.Errorf("%d are still bound, %v", n, err)
	}
	w.verifyTroubles("after the release")
}

// heldFree makes a plan of renames, which is held, with blocks, which are not.
func heldFree(t *testing.T, w *world, blocks int) ([]directory.User, directory.RunID) {
	t.Helper()
	w.settings(over(3))
	w.settings(func(s *directory.Settings) {
		few := 5
		s.Guard[directory.EffectRename] = directory.Limit{Count: &few}
	})
	users := w.people(60)
	w.skew.Add(2 * Grace)
	for i, u := range users {
		w.edit(u, func(u *directory.User) {
			if u.Email = "new." + u.Email; i < blocks {
				u.State = directory.StateSuspended
			}
		})
	}
	w.engine.config.Stores.Marks = noUrgency{w.engine.config.Stores.Marks}
	run, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, runs.Request{UserIDs: ids(users)})
	w.do(err)
	return users, run.ID
}

func blockedOf(w *world, users []directory.User) (n int) {
	for _, u := range users {
		for _, email := range []string{u.Email, "new." + u.Email} {
			if a, ok := w.sim.Account(simTenant, email); ok && a["accountEnabled"] == false {
				n++
			}
		}
	}
	return n
}

// TestFreeChangesInWaves: the blocks of a plan that is held for its renames all
// go, although they go in waves; the renames wait for the admin.
func TestFreeChangesInWaves(t *testing.T) {
	w := newWorld(t)
	users, id := heldFree(t, w, 20)
	w.sync()
	r, err := w.store.Runs.Run(t.Context(), id)
	w.do(err)
	if n := blockedOf(w, users); n != 20 || r.State != directory.RunHeld || len(r.Held.Limits) == 0 {
		t.Fatalf("%d accounts are blocked, the run is %s, %+v; want 20 and held", n, r.State, r.Held)
	}
	_, err = w.runs().Approve(t.Context(), caller("boss"), id, plan.Approval{All: true})
	w.do(err)
	w.sync()
	if r, err = w.store.Runs.Run(t.Context(), id); err != nil || r.State != directory.RunDone || r.Failed != 0 {
		t.Errorf("after the approval the run is %s, %v", r.State, err)
	}
}

// TestFreeWaveIsHeld: a wave of the free changes of a held run that goes wrong
// holds these too; an approval lets all of it go on.
func TestFreeWaveIsHeld(t *testing.T) {
	w := newWorld(t)
	users, id := heldFree(t, w, 20)
	spoiled := false
	w.slices(60, func() {
		if !spoiled && blockedOf(w, users) > 0 {
			spoiled = true
			for _, u := range users {
				if a, ok := w.sim.Account(simTenant, u.Email); ok && a["accountEnabled"] == false {
					w.patch(u.Email, map[string]any{"accountEnabled": true})
				}
			}
			w.skew.Add(6 * time.Minute) // until an old value counts
		}
	})
	r, err := w.store.Runs.Run(t.Context(), id)
	w.do(err)
	if n := blockedOf(w, users); n != 0 || r.State != directory.RunHeld || r.Held.Wave == nil {
		t.Fatalf("%d accounts are blocked, the run is %s, held %+v; want it stopped after the first wave", n, r.State, r.Held)
	}
	_, err = w.runs().Approve(t.Context(), caller("boss"), id, plan.Approval{All: true})
	w.do(err)
	w.sync()
	r, err = w.store.Runs.Run(t.Context(), id)
	if err != nil || r.State != directory.RunDone || blockedOf(w, users) < 19 {
		t.Errorf("after the approval the run is %s, %d blocked, held %+v, %v", r.State, blockedOf(w, users), r.Held, err)
	}
}

// TestUndoIsHeldAsAWhole: nothing of an undo that is held is written before an
// admin approves it, not even what takes access away.
func TestUndoIsHeldAsAWhole(t *testing.T) {
	w := newWorld(t)
	users := w.people(40)
	w.skew.Add(2 * Grace)
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.Email = "new." + u.Email })
	}
	made := []directory.User{w.user("made1"), w.user("made2")}
	w.bind(made...)
	run, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, runs.Request{UserIDs: append(ids(users), ids(made)...)})
	w.do(err)
	w.sync()
	if _, err := w.runs().Approve(t.Context(), caller("boss"), run.ID, plan.Approval{All: true}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	of, err := w.store.Runs.Run(t.Context(), run.ID)
	w.do(err)
	undo, err := w.runs().Undo(t.Context(), directory.Caller{}, &w.conn, of.Run, runs.UndoRequest{})
	w.do(err)
	w.sync()
	r, err := w.store.Runs.Run(t.Context(), undo.ID)
	w.do(err)
	if n := blockedOf(w, made); r.State != directory.RunHeld || r.Applied != 0 || n != 0 || r.Counts[directory.EffectBlock] != 2 {
		t.Fatalf("the undo is %s with %d applied of %v, %d accounts blocked", r.State, r.Applied, r.Counts, n)
	}
	_, err = w.runs().Approve(t.Context(), caller("boss"), undo.ID, plan.Approval{All: true})
	w.do(err)
	w.sync()
	if r, err = w.store.Runs.Run(t.Context(), undo.ID); err != nil || r.State != directory.RunDone || r.Failed+r.Refused != 0 || blockedOf(w, made) != 2 {
		t.Errorf("after the approval the undo is %s, %d failed, %d refused, %v", r.State, r.Failed, r.Refused, err)
	}
}

// TestLeaverAmongWaves: a leaver who is served in the middle of a run in waves
// does not make it forget what its waves are.
func TestLeaverAmongWaves(t *testing.T) {
	w := newWorld(t)
	w.flow(1, BatchSize) // so that the second request is the leaver's
	w.settings(over(20))
	tenant := w.between()
	users := w.people(121)
	leaver := users[120]
	w.skew.Add(2 * Grace)
	for i, u := range users[:120] {
		w.edit(u, func(u *directory.User) {
			if i < 100 {
				u.JobTitle = ""
			} else {
				u.JobTitle = "Boss"
			}
		})
	}
	tenant.write = func() { // before the first batch
		w.edit(leaver, func(u *directory.User) { u.State = directory.StateSuspended })
		tenant.write = func() { // before the leaver's
			for _, u := range users[:100] {
				if w.account(u.Email)["jobTitle"] == nil {
					w.patch(u.Email, map[string]any{"jobTitle": "Written by somebody else"})
				}
			}
			w.skew.Add(firstLook + time.Second)
		}
	}
	w.slices(1, func() {})
	w.slices(60, func() {})
	if w.account(leaver.Email)["accountEnabled"] != false {
		t.Fatal("the leaver was not served")
	}
	for _, r := range w.allRuns() {
		if r.Counts[directory.EffectUpdate] >= 120 {
			if r.State != directory.RunHeld || r.Held.Wave == nil || r.Held.Wave.Wave != 1 {
				t.Errorf("the run in waves is %s, %d accounts emptied, held %+v; want it stopped after the first wave", r.State, emptied(w, users[:100]), r.Held)
			}
			return
		}
	}
	t.Error("there is no run in waves")
}
