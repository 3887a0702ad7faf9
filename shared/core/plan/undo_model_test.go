package plan_test

import (
	"maps"
	"testing"

	"pgregory.net/rapid"

	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// undo plans the undo of a run of the model's one user.
func (m *model) undo(journal []directory.Change, pick plan.Pick) plan.Undone {
	s := plan.Subject{User: m.user, Account: m.account}
	if m.binding != nil {
		b := *m.binding
		s.Binding = &b
	}
	return plan.Undo(m.cfg, "run_x", journal, map[directory.UserID]plan.Subject{annID: s}, pick)
}

// leftOf is what an undo leaves, by property and code.
func leftOf(u plan.Undone) map[string]string {
	left := map[string]string{}
	for _, l := range u.Left {
		left[l.Property] = l.Code
	}
	return left
}

// Apply, then undo: every touched value that Microsoft lets one set back is as
// before, the others are listed; what somebody changed since is left alone. An
// undo of the undo brings the run's values again.
func TestUndoRestores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		for range rapid.IntRange(0, 2).Draw(t, "syncs before") {
			m.sync()
			drawUser(t)(m.user)
		}
		if m.binding.AccountID != "" && rapid.Bool().Draw(t, "foreign before") {
			m.foreign(t)
		}
		var before directory.Properties
		if m.account != nil {
			before = maps.Clone(m.account.Properties)
		}
		ours := m.binding.AccountID != ""
		run := m.apply(stamped(m.decide()))
		if len(run) > 0 && run[0].Effect == create {
			before = nil // of another account
		}
		after := clone(m.account)
		foreign := rapid.Bool().Draw(t, "foreign since")
		if foreign {
			m.foreign(t)
		}
		now := clone(m.account)
		undone := m.undo(run, plan.Pick{})
		left := leftOf(undone)
		wellUndone(t, undone)
		second := m.apply(undone.Changes)
		if len(run) == 0 {
			if len(second) > 0 {
				t.Fatalf("the undo of nothing plans %+v", second)
			}
			return
		}
		if before == nil {
			if m.account.Enabled() || m.binding != nil {
				t.Fatalf("a created account is enabled or still ours after the undo: %+v", second)
			}
		}
		for n, v := range before {
			changed := !mapping.Same(n, now[n], after[n])
			switch code, listed := left[n]; {
			case listed && !mapping.Same(n, m.account.Properties[n], now[n]):
				t.Fatalf("%s is listed (%s) and was written all the same", n, code)
			case listed:
				if code == plan.LeftFilled && (directory.Clearable(n) || !marked(run, n)) {
					t.Fatalf("%s is listed as what cannot be emptied, but the plan did not say so", n)
				}
			case changed && !mapping.Same(n, m.account.Properties[n], now[n]) && !mapping.Same(n, m.account.Properties[n], v):
				t.Fatalf("%s = %q was changed to %q since, and is %q now", n, after[n], now[n], m.account.Properties[n])
			case !changed && !mapping.Same(n, v, m.account.Properties[n]):
				t.Fatalf("%s = %q, want %q as before (run %+v, undo %+v)", n, m.account.Properties[n], v, run, second)
			}
		}
		if !ours && m.binding != nil && m.binding.AccountID != "" {
			t.Fatalf("an account gained by the run is still ours after its undo: %+v", second)
		}
		m.undoAgain(t, second, now, ours)
	})
}

// undoAgain takes an undo back.
func (m *model) undoAgain(t *rapid.T, second []directory.Change, want directory.Properties, ours bool) {
	third := m.undo(second, plan.Pick{})
	wellUndone(t, third)
	m.apply(third.Changes)
	left := leftOf(third)
	for n, v := range want {
		if _, listed := left[n]; !listed && !mapping.Same(n, v, m.account.Properties[n]) {
			t.Fatalf("after the undo of the undo %s = %q, want %q (undo %+v, again %+v, left %v)", n, m.account.Properties[n], v, second, third.Changes, left)
		}
	}
	if len(second) > 0 && !ours && (m.binding == nil || m.binding.AccountID != accountID) {
		t.Fatalf("the account is not ours again after the undo of the undo: %+v", third.Changes)
	}
}

func clone(a *directory.Account) directory.Properties {
	if a == nil {
		return nil
	}
	return maps.Clone(a.Properties)
}

// marked reports whether a plan says of a property that it cannot be set back.
func marked(changes []directory.Change, name string) bool {
	for _, c := range changes {
		for _, p := range c.Properties {
			if p.Name == name && p.Irreversible != "" {
				return true
			}
		}
	}
	return false
}

func wellUndone(t *rapid.T, u plan.Undone) {
	for _, c := range u.Changes {
		if c.Reason == "" || c.UserID != annID || c.AccountID == "" || c.ID != "" || c.State != "" || c.Properties == nil {
			t.Fatalf("change is not complete, or has what it must not: %+v", c)
		}
		for _, p := range c.Properties {
			if mapping.Same(p.Name, p.Before, p.After) && c.Effect != directory.EffectAdopt && c.Effect != directory.EffectRelease {
				t.Fatalf("%s of %s is the same before and after", p.Name, c.Effect)
			}
		}
	}
	for _, l := range u.Left {
		if l.Code == "" || l.Message == "" || l.UserID != annID {
			t.Fatalf("what is left lacks code, message or user: %+v", l)
		}
	}
}

// Whatever the data: a sensitive value is written to an account that was there
// by a change that writes nothing else, in a sync, a release, an undo and an
// undo of that, so that the guard counts it and an admin can leave it out; and
// it is counted once.
func TestSensitiveValuesAreWrittenApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		apart := func(what string, list []directory.Change) []directory.Change {
			n := 0
			for _, c := range list {
				if c.Effect == create || c.Effect == directory.EffectAdopt || c.Effect == directory.EffectRelease {
					continue
				}
				for _, p := range c.Properties {
					if directory.Sensitive(p.Name) != (c.Effect == sensitive) {
						t.Fatalf("%s: a change of the effect %s writes %s", what, c.Effect, p.Name)
					}
				}
				if c.Effect == sensitive {
					n++
				}
			}
			if got := plan.TallyOf(list).Total(sensitive); got != n {
				t.Fatalf("%s: the guard counts %d sensitive changes, want %d", what, got, n)
			}
			return list
		}
		for range rapid.IntRange(0, 3).Draw(t, "syncs before") {
			m.apply(apart("sync", stamped(m.decide())))
			m.foreign(t)
			drawUser(t)(m.user)
		}
		run := m.apply(apart("sync", stamped(m.decide())))
		if m.binding.AccountID != "" && rapid.Bool().Draw(t, "release") {
			m.binding.Release = directory.ReleaseRestore
			apart("release", m.decide().Changes)
			m.binding.Release = ""
		}
		second := m.apply(apart("undo", m.undo(run, plan.Pick{}).Changes))
		apart("undo of the undo", m.undo(second, plan.Pick{}).Changes)
	})
}
