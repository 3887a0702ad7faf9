package reconcile

import (
	"context"
	"reflect"
	"testing"

	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// between is a tenant that lets something happen right before it writes, or
// reads by reference.
type between struct {
	*port
	write, lookup func()
}

func (b *between) Write(ctx context.Context, writes []directory.Write) ([]directory.Outcome, error) {
	if do := b.write; do != nil {
		b.write = nil
		do()
	}
	return b.port.Write(ctx, writes)
}

func (b *between) Lookup(ctx context.Context, refs, selected []string) ([]directory.Found, error) {
	if do := b.lookup; do != nil {
		b.lookup = nil
		do()
	}
	return b.port.Lookup(ctx, refs, selected)
}

func (w *world) between() *between {
	b := &between{port: w.port}
	w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return b, nil }
	return b
}

func (w *world) pause(u directory.User) {
	w.Helper()
	_, err := w.runs().Pause(w.Context(), caller("ada"), &w.conn, u.ID, "an investigation")
	w.do(err)
}

// TestPauseHolds: an admin's pause that comes while the user is being planned
// or written is not lost, nor is a resumption.
func TestPauseHolds(t *testing.T) {
	w := newWorld(t)
	tenant := w.between()
	ann := w.people(1)[0]
	w.skew.Add(2 * Grace)

	paused := func(when string) {
		t.Helper()
		if b := w.binding(ann); b.Status != directory.BindingPaused || b.Problem == nil || b.Problem.Code != directory.CodePausedByAdmin {
			t.Fatalf("%s the binding is %s (%v), want paused by the admin", when, b.Status, b.Problem)
		}
	}
	resumed := func(title string) {
		t.Helper()
		_, err := w.runs().Resume(t.Context(), caller("resumer"), &w.conn, ann.ID)
		w.do(err)
		w.sync()
		if b := w.binding(ann); b.Status != directory.BindingInSync || w.account(ann.Email)["jobTitle"] != title {
			t.Fatalf("after resuming the binding is %s, the title %v, want %s", b.Status, w.account(ann.Email)["jobTitle"], title)
		}
		w.skew.Add(2 * Grace)
	}

	w.edit(ann, func(u *directory.User) { u.JobTitle = "One" })
	tenant.write = func() { w.pause(ann) }
	w.sync()
	paused("after a pause during a write")
	w.edit(ann, func(u *directory.User) { u.JobTitle = "Two" })
	w.sync()
	paused("after an edit")
	if got := w.account(ann.Email)["jobTitle"]; got != "One" {
		t.Fatalf("the title is %v although the binding is paused", got)
	}
	resumed("Two")

	w.patch(ann.Email, map[string]any{"department": "Theirs"})
	w.patch(ann.Email, map[string]any{"department": w.binding(ann).Base["department"].String()})
	w.edit(ann, func(u *directory.User) { u.WorkAddress.Country = "IS" }) // which is not exported
	tenant.lookup = func() { w.pause(ann) }
	w.sync()
	paused("after a pause while it was planned")

	w.edit(ann, func(u *directory.User) { u.JobTitle = "Three" })
	tenant.lookup = func() {
		_, err := w.runs().Resume(t.Context(), caller("resumer"), &w.conn, ann.ID)
		w.do(err)
	}
	w.sync()
	if b := w.binding(ann); b.Status != directory.BindingInSync || w.account(ann.Email)["jobTitle"] != "Three" {
		t.Errorf("after resuming while it was planned the binding is %s, the title %v", b.Status, w.account(ann.Email)["jobTitle"])
	}
}

// TestUndoKeepsAdminsPause: an undo writes to a binding that an admin paused,
// and leaves it paused for the admin's reason: an edit does not resume it.
func TestUndoKeepsAdminsPause(t *testing.T) {
	w := newWorld(t)
	ann := w.people(1)[0]
	w.edit(ann, func(u *directory.User) { u.JobTitle = "Wrong" })
	w.sync()
	mistake, _ := w.lastRun()
	w.pause(ann)
	for range 2 { // the undo, and the undo of the undo
		done, _ := w.undo(mistake.ID, runs.UndoRequest{})
		if done.State != directory.RunDone || done.Applied != 1 {
			t.Fatalf("the undo is %s with %d applied", done.State, done.Applied)
		}
		if b := w.binding(ann); b.Status != directory.BindingPaused || b.Problem.Code != directory.CodePausedByAdmin {
			t.Fatalf("after the undo the binding is %s (%v)", b.Status, b.Problem)
		}
		mistake = done
	}
	w.edit(ann, func(u *directory.User) { u.JobTitle = "Right" })
	w.sync()
	if got := w.account(ann.Email)["jobTitle"]; got != "Wrong" {
		t.Errorf("an edit resumed what an admin has paused: the title is %v", got)
	}
}

// TestPauseOutlastsADecision: what an admin decides about a held run changes
// nothing about a binding that was paused meanwhile.
func TestPauseOutlastsADecision(t *testing.T) {
	for name, decision := range map[string]plan.Approval{"declined": {}, "approved": {All: true}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ann := w.people(1)[0]
			w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
			w.edit(ann, func(u *directory.User) { u.JobTitle = "Boss" })
			w.sync()
			run, _ := w.lastRun()
			w.pause(ann)
			_, err := w.runs().Approve(t.Context(), caller("boss"), run.ID, decision)
			w.do(err)
			w.sync()
			if b := w.binding(ann); b.Status != directory.BindingPaused || b.Problem.Code != directory.CodePausedByAdmin || w.account(ann.Email)["jobTitle"] != "Clerk" {
				t.Errorf("the binding is %s (%v), the title %v", b.Status, b.Problem, w.account(ann.Email)["jobTitle"])
			}
			w.verifyTroubles(name)
		})
	}
}

// verifyTroubles holds the listing of problems against the bindings.
func (w *world) verifyTroubles(what string) {
	w.Helper()
	key := func(u directory.UserID, code string) string { return string(u) + " " + code }
	want := map[string]store.ProblemRecord{}
	for cursor := ""; ; {
		list, next, err := w.store.Bindings.ListBindings(w.Context(), directory.KindAccount, w.conn.ID, w.conn.Epoch, cursor, 500)
		w.do(err)
		for _, b := range list {
			for _, p := range b.OpenProblems() {
				want[key(b.UserID, p.Code)] = store.ProblemRecord{UserID: b.UserID, Status: b.Status, Problem: p}
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	list, next, err := w.store.Bindings.ListProblems(w.Context(), w.conn.ID, w.conn.Epoch, "", "", 1000)
	w.do(err)
	if next != "" {
		w.Fatal("more problems than this test looks at")
	}
	for _, t := range list {
		k := key(t.UserID, t.Problem.Code)
		if !reflect.DeepEqual(t, want[k]) {
			w.Errorf("%s: listed is %+v, on the binding stands %+v", what, t, want[k])
		}
		delete(want, k)
	}
	for id, t := range want {
		w.Errorf("%s: the problem of %s is not listed: %+v", what, id, t)
	}
}

// TestProblemOfARestoredBinding: a binding that the undo of a release brings
// back, paused at first, is listed as what it is.
func TestProblemOfARestoredBinding(t *testing.T) {
	w := newWorld(t)
	ann := w.people(1)[0]
	b := w.binding(ann)
	b.Release = directory.ReleaseBlock
	w.do(w.store.Bindings.UpdateBinding(t.Context(), directory.AuditEvent{}, &b, true, true))
	w.sync()
	release, _ := w.lastRun()
	of, err := w.store.Runs.Run(t.Context(), release.ID)
	w.do(err)
	_, err = w.runs().Undo(t.Context(), directory.Caller{}, &w.conn, of.Run, runs.UndoRequest{})
	w.do(err)
	seen := false
	w.engine.config.Stores.Journal = afterJournal{w.engine.config.Stores.Journal, func() {
		if b, err := w.store.Bindings.Binding(t.Context(), ann.ID); err == nil && b.Problem != nil {
			seen = true
		}
		w.verifyTroubles("after a batch")
	}}
	w.sync()
	if w.verifyTroubles("in the end"); !seen {
		t.Error("the binding was never paused")
	}
}

// afterJournal looks at the table after each journal.
type afterJournal struct {
	journalStore
	see func()
}

func (s afterJournal) Journal(ctx context.Context, l *store.Lease, c *directory.Connection, j store.Journal) error {
	err := s.journalStore.Journal(ctx, l, c, j)
	s.see()
	return err
}

// TestTroubleIsCurrent: what is listed under a cause is what stands on the binding.
func TestTroubleIsCurrent(t *testing.T) {
	w := newWorld(t)
	tenant := &stubborn{port: w.port}
	w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return tenant, nil }
	ann := w.people(1)[0]
	w.edit(ann, func(u *directory.User) { u.JobTitle = "Boss" })
	for _, id := range []string{"first", "second"} {
		tenant.problem = &directory.Problem{Code: "cause", Kind: directory.ProblemTenant, Message: "No.", RequestID: id}
		w.skew.Add(24 * Grace * 12)
		w.port.token = signIn(t, w.sim)
		w.sync()
	}
	if b := w.binding(ann); b.Problem == nil || b.Problem.Attempts < 2 || b.Problem.RequestID != "second" {
		t.Errorf("on the binding stands %+v", b.Problem)
	}
	w.verifyTroubles("after the second try")
}
