package licences

import (
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// lets has the binding of somebody's account be let go, as the end of the last group that
// selected the user does; "" takes it away as one without an account to write to is.
func (w *world) lets(u directory.User, then directory.ReleasePolicy) {
	w.Helper()
	b, err := w.store.Bindings.Binding(w.Context(), u.ID)
	w.do(err)
	if then == "" {
		w.do(w.store.Bindings.Retract(w.Context(), directory.AuditEvent{}, nil, &w.conn, &b))
		return
	}
	b.Release, b.LeftGroup, b.Status = then, "grp_left", directory.BindingPending
	w.do(w.store.Bindings.UpdateBinding(w.Context(), directory.AuditEvent{}, &b, true, false))
}

// TestLeaverGivesBack: who leaves the group that both selected and licensed him loses what
// we gave by it, however his account is let go, and nothing that others gave.
func TestLeaverGivesBack(t *testing.T) {
	t.Parallel()
	for _, then := range []directory.ReleasePolicy{directory.ReleaseKeep, directory.ReleaseBlock, directory.ReleaseRestore, ""} {
		t.Run("then "+string(then), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ann := w.people("ann")[0]
			w.do(w.sim.AssignLicences(simTenant, "admin@"+simDomain, ann.Email, entratest.LicenceRequest{Add: []entratest.LicenceWish{{SKUID: skuVisio}}}))
			w.license(ann, w.rule(partE3))
			w.sync()
			w.wants(ann, "SPE_E3 VISIOCLIENT")
			w.pass(time.Hour)
			w.license(ann)
			w.lets(ann, then)
			w.sync()
			w.pass(2 * time.Second)
			w.sync()
			if b := w.record(ann); w.has(ann) != "VISIOCLIENT" || !b.Ref().IsZero() {
				t.Errorf("%q are left, the record is %+v", w.has(ann), b)
			}
			if _, err := w.store.Bindings.Binding(t.Context(), ann.ID); err == nil {
				t.Error("the account is still bound")
			}
		})
	}
}

// TestReleasedKeeps: whose account is let go while the rule still applies keeps what he
// has.
func TestReleasedKeeps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.people("ann")[0]
	w.license(ann, w.rule(partE3))
	w.sync()
	w.pass(time.Hour)
	w.lets(ann, directory.ReleaseKeep)
	w.sync()
	if w.has(ann) != "SPE_E3" {
		t.Errorf("ann has %q", w.has(ann))
	}
}

// TestDeletedGivesBack: who is deleted loses what the rules do not say any more.
func TestDeletedGivesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.people("ann")[0]
	w.license(ann, w.rule(partE3))
	w.sync()
	w.edit(ann.ID, func(u *directory.User) { at := w.now(); u.Deleted = &at })
	w.license(ann)
	w.sync()
	if w.has(ann) != "" {
		t.Errorf("ann has %q", w.has(ann))
	}
}

// TestGivenBackAccountOfAnother: what was given to an account that has become another
// user's meanwhile is not taken from that one.
func TestGivenBackAccountOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.people("ann")[0]
	w.license(ann, w.rule(partE3))
	w.sync()
	b, err := w.store.Bindings.Binding(t.Context(), ann.ID)
	w.do(err)
	w.lets(ann, "")
	bob := w.user("bob")
	w.takes(bob, b.AccountID, ann.Email)
	w.license(ann)
	w.sync()
	if w.has(ann) != "SPE_E3" {
		t.Errorf("bob, who has ann's account, has %q", w.has(ann))
	}
}

// TestLeaverComesBack: the undo of a run that let somebody go gives the licence back as
// well.
func TestLeaverComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.people("ann")[0]
	w.license(ann, w.rule(partE3))
	w.sync()
	w.pass(time.Hour)
	w.license(ann)
	w.lets(ann, directory.ReleaseKeep)
	w.sync()
	w.pass(2 * time.Second)
	w.sync()
	if w.has(ann) != "" {
		t.Fatalf("ann has %q", w.has(ann))
	}
	run, _ := w.lastRun()
	if _, left := w.undo(run.ID); len(left) != 0 {
		t.Errorf("the undo left %+v", left)
	}
	if w.has(ann) != "SPE_E3" {
		t.Errorf("after the undo ann has %q", w.has(ann))
	}
}

// TestDeactivatedKeeps: a deactivation takes nothing away, whatever rules have ended.
func TestDeactivatedKeeps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.people("ann")[0]
	w.license(ann, w.rule(partE3))
	w.sync()
	w.license(ann)
	w.lets(ann, directory.ReleaseBlock)
	before := len(w.sends())
	w.deactivate()
	for range 3 {
		_, _ = w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		w.pass(time.Minute)
	}
	if w.has(ann) != "SPE_E3" || len(w.sends()) != before {
		t.Errorf("ann has %q, sent %v", w.has(ann), w.sends())
	}
}

// TestRestoredGivesBack: who is released with the values from before loses what we gave,
// although rules say that he has it; who is bound again before has it still.
func TestRestoredGivesBack(t *testing.T) {
	t.Parallel()
	for _, again := range []bool{false, true} {
		w := newWorld(t)
		ann := w.people("ann")[0]
		w.license(ann, w.rule(partE3))
		w.sync()
		w.pass(time.Hour)
		w.lets(ann, directory.ReleaseRestore)
		want := ""
		if again {
			b, err := w.store.Bindings.Binding(t.Context(), ann.ID)
			w.do(err)
			b.Release, b.LeftGroup = "", ""
			w.do(w.store.Bindings.UpdateBinding(t.Context(), directory.AuditEvent{}, &b, true, false))
			want = "SPE_E3"
		}
		w.sync()
		w.pass(2 * time.Second)
		w.sync()
		if b := w.record(ann); w.has(ann) != want || b.Ref().IsZero() == again || b.Release != "" {
			t.Errorf("bound again %v: ann has %q, the record is %+v", again, w.has(ann), b)
		}
	}
}

// TestBoundLater: who falls under a rule before he is bound gets the licence once he is.
func TestBoundLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann")
	w.license(ann, w.rule(partE3))
	w.sync()
	w.pass(time.Hour)
	w.bind(ann)
	for range 3 {
		w.sync()
		w.pass(time.Minute)
	}
	w.wants(ann, "SPE_E3")
}

// TestBoundToNamed: the same of who is bound to an account that is there, which the binding
// names from the start.
func TestBoundToNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann")
	id, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": "ann@" + simDomain, "displayName": "ann", "accountEnabled": true, "usageLocation": "CH", "mailNickname": "ann"})
	w.do(err)
	w.license(ann, w.rule(partE3))
	w.sync()
	w.pass(time.Hour)
	w.takes(ann, directory.AccountID(id), "ann@"+simDomain)
	for range 3 {
		w.sync()
		w.pass(time.Minute)
	}
	w.wants(ann, "SPE_E3")
}

// TestConflictResolved: whose account is in conflict waits, and says so; the licence follows
// once the account is bound.
func TestConflictResolved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": "ann@" + simDomain, "displayName": "ann", "accountEnabled": false, "usageLocation": "CH", "mailNickname": "ann"}); err != nil {
		t.Fatal(err)
	}
	ann := w.user("ann")
	w.bind(ann)
	w.license(ann, w.rule(partE3))
	w.sync()
	w.wants(ann, "", directory.CodeLicenseWaits)
	w.do(w.sim.EditAccount(simTenant, "ann@"+simDomain, map[string]any{"accountEnabled": true}))
	w.do(w.store.Marks.MarkWanted(t.Context(), &w.conn, directory.AccountOf(ann.ID), ann.Version+1, false))
	for range 3 {
		w.sync()
		w.pass(time.Minute)
	}
	w.wants(ann, "SPE_E3")
}

// TestBoundToAnother: who was let go, and is bound to another account, gets the licence there.
func TestBoundToAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.people("ann")[0]
	w.license(ann, w.rule(partE3))
	w.sync()
	w.wants(ann, "SPE_E3")
	w.pass(time.Hour)
	w.lets(ann, "")
	other, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": "ann2@" + simDomain, "displayName": "ann", "accountEnabled": true, "usageLocation": "CH", "mailNickname": "ann2"})
	w.do(err)
	w.do(w.sim.DeleteAccount(simTenant, ann.Email))
	w.pass(time.Minute)
	w.takes(ann, directory.AccountID(other), "ann2@"+simDomain)
	for range 3 {
		w.sync()
		w.pass(time.Minute)
	}
	b, err := w.store.Bindings.Binding(t.Context(), ann.ID)
	w.do(err)
	a, has := w.sim.Account(simTenant, other)
	if string(b.AccountID) != other || !has || w.assigned(a["assignedLicenses"]) != w.id(partE3)+":true" {
		t.Errorf("the account %s has %v; the record is %+v", b.AccountID, a["assignedLicenses"], w.record(ann))
	}
}

// TestPausedAccount: while an account is paused nothing is written, and the licences are as
// the rules say at once when the pause ends: what is given, and what is taken.
func TestPausedAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.people("ann")[0]
	by := directory.Caller{Subject: "boss"}
	for _, has := range []string{"SPE_E3", ""} {
		before := w.has(ann)
		_, err := w.runs().Pause(t.Context(), by, &w.conn, ann.ID, "")
		w.do(err)
		if has == "" {
			w.license(ann)
		} else {
			w.license(ann, w.rule(has))
		}
		w.sync()
		w.wants(ann, before, directory.CodePausedByAdmin)
		_, err = w.runs().Resume(t.Context(), by, &w.conn, ann.ID)
		w.do(err)
		w.sync()
		w.wants(ann, has)
		w.pass(time.Hour)
	}
}

// TestMadeAnewIsNamed: a record that is made since its user has an account now is named, so
// that the engine is woken for it.
func TestMadeAnewIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann")
	w.bind(ann)
	w.rules[ann.ID] = []Rule{w.rule(partE3)}
	mine := directory.LicenceOf(ann.ID)
	refs, err := New(StoreOf(w.store), w).Dependents(t.Context(), &w.conn, directory.AccountOf(ann.ID))
	if err != nil || len(refs) != 1 || refs[0] != mine {
		t.Errorf("named are %v (%v)", refs, err)
	}
	if b := w.record(ann); b.Ref() != mine || !b.Marked {
		t.Errorf("the record is %+v", b)
	}
}

// TestPausedByFormerVersion: a record on which a version before has noted the pause of the
// account goes on when that ends: no admin pauses licences by themselves.
func TestPausedByFormerVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.people("ann")[0]
	by := directory.Caller{Subject: "boss"}
	w.license(ann, w.rule("SPE_E3"))
	w.sync()
	paused, err := w.runs().Pause(t.Context(), by, &w.conn, ann.ID, "")
	w.do(err)
	w.license(ann)
	w.sync()
	b := w.record(ann)
	b.Status, b.Problem, b.Applied = directory.BindingPaused, paused.Problem, b.Wanted
	w.do(w.store.Bindings.UpdateBinding(t.Context(), directory.AuditEvent{}, &b, false, false))
	_, err = w.runs().Resume(t.Context(), by, &w.conn, ann.ID)
	w.do(err)
	w.sync()
	w.wants(ann, "")
}
