package plan_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

func refusal(cfg plan.Config, name string, v directory.Value) directory.RefusedValue {
	return directory.RefusedValue{Value: v, Rule: plan.RuleOf(cfg.Settings, name), Problem: directory.Problem{
		Code: "property-invalid", Kind: directory.ProblemData, Property: name, Message: "No.", Next: "Give another."}}
}

// TestRefused: a refused value is left out until it or its rule changes, and
// nothing else waits for it.
func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*plan.Subject)
		rule directory.AttributeRule
		want string
	}{
		{"the same", nil, directory.AttributeRule{Export: true, Clear: true}, "refused; !property-invalid"},
		{"another value is wanted", func(s *plan.Subject) { s.User.Department = "Ops" }, directory.AttributeRule{Export: true, Clear: true}, "update department=Ops; pending"},
		{"another rule", nil, directory.AttributeRule{Export: true}, "update department=Sales; pending"},
		{"the rest", func(s *plan.Subject) { s.User.JobTitle = "Head" }, directory.AttributeRule{Export: true, Clear: true}, "update jobTitle=Head; pending; ?property-invalid"},
		{"a block", func(s *plan.Subject) { suspended(s.User) }, directory.AttributeRule{Export: true, Clear: true}, "block accountEnabled=false; revoke; pending; ?property-invalid"},
		{"deleted", func(s *plan.Subject) { deleted(s.User) }, directory.AttributeRule{Export: true, Clear: true}, "block accountEnabled=false; revoke; pending"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(func(s *directory.Settings) {
				s.Attributes["department"] = directory.AttributeRule{Export: true, Clear: true}
			})
			s := inSync(cfg, ann(nil))
			s.Account.Properties["department"], s.Binding.Base["department"] = text("Old"), text("Old")
			s.Binding.Refused = map[string]directory.RefusedValue{"department": refusal(cfg, "department", text("Sales"))}
			if tt.edit != nil {
				tt.edit(&s)
			}
			cfg = config(func(s *directory.Settings) { s.Attributes["department"] = tt.rule })
			d := plan.Decide(cfg, s)
			wellFormed(t, s, d)
			if got := summary(d); got != tt.want {
				t.Errorf("Decide = %s, want %s", got, tt.want)
			}
			if len(d.Changes) == 0 && !d.Base["department"].Equal(text("Old")) {
				t.Errorf("the base became %q", d.Base["department"])
			}
		})
	}
}

// TestKept: what Microsoft keeps of a value counts as agreed, until somebody wants
// or sets another one.
func TestKept(t *testing.T) {
	for _, tt := range []struct {
		name     string
		desired  string
		observed string
		revert   string
		report   string
	}{
		{"as it keeps it", "Sales", "SALES", "in-sync; ?normalised-by-microsoft", "in-sync; ?normalised-by-microsoft"},
		{"as wanted after all", "Sales", "Sales", "in-sync", "in-sync"},
		{"another wish", "Ops", "SALES", "update department=Ops; pending", "update department=Ops; pending"},
		{"somebody else's", "Sales", "Theirs", "update department=Sales; pending", "in-sync; ?foreign-change"},
		{"wanted as it keeps it", "SALES", "SALES", "in-sync", "in-sync"},
	} {
		for _, policy := range []func(*directory.Settings){nil, report} {
			t.Run(tt.name, func(t *testing.T) {
				cfg, want := config(policy), tt.revert
				if policy != nil {
					want = tt.report
				}
				s := inSync(cfg, ann(func(u *directory.User) { u.Department = tt.desired }))
				s.Account.Properties["department"], s.Binding.Base["department"] = text(tt.observed), text("SALES")
				s.Binding.Kept = map[string]directory.KeptValue{"department": {Wanted: text("Sales"), Kept: text("SALES"), Code: directory.CodeNormalised}}
				d := plan.Decide(cfg, s)
				wellFormed(t, s, d)
				if got := summary(d); got != want {
					t.Errorf("Decide = %s, want %s", got, want)
				}
				kept, _ := plan.Standing(cfg, s)
				if _, still := kept["department"]; still != (tt.name == "as it keeps it") {
					t.Errorf("standing are %v", kept)
				}
			})
		}
	}
}

// TestJudge: only what the first look and a direct read after Grace both show, and
// nobody else is known to have set, is what Microsoft keeps.
func TestJudge(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		name     string
		seen     directory.Properties
		observed directory.Value
		before   directory.Value
		edit     func(*plan.Subject)
		want     string
	}{
		{"another form", directory.Properties{"department": text("SALES")}, text("SALES"), text("Old"), nil, directory.CodeNormalised},
		{"as before", directory.Properties{"department": text("Old")}, text("Old"), text("Old"), nil, directory.CodeNotKept},
		{"nothing", directory.Properties{"department": null}, null, text("Old"), nil, directory.CodeNotKept},
		{"an old copy", directory.Properties{"department": text("Old")}, text("Sales"), text("Old"), nil, ""},
		{"seen as written", nil, text("Old"), text("Old"), nil, ""},
		{"another form, after too early a look", directory.Properties{"department": text("Old")}, text("SALES."), text("Old"), nil, directory.CodeNormalised},
		{"shortened, after too early a look", directory.Properties{"department": text("Old")}, text("Sal"), text("Old"), nil, directory.CodeNormalised},
		{"longer, after too early a look", directory.Properties{"department": text("Old")}, text("Sales Dept"), text("Old"), nil, ""},
		{"emptied, after too early a look", directory.Properties{"department": text("Old")}, null, text("Old"), nil, ""},
		{"two others", directory.Properties{"department": text("Ops")}, text("SALES."), text("Old"), nil, ""},
		{"a third value", directory.Properties{"department": text("Old")}, text("Theirs"), text("Old"), nil, ""},
		{"somebody is known", directory.Properties{"department": text("Old")}, text("Old"), text("Old"),
			func(s *plan.Subject) { s.Changed = map[string]directory.Actor{"department": {Name: "mallory"}} }, ""},
		{"it may be older", directory.Properties{"department": text("Old")}, text("Old"), text("Old"), func(s *plan.Subject) { s.Fresh = lately }, ""},
		{"written again", directory.Properties{"department": text("Old")}, text("Old"), text("Old"),
			func(s *plan.Subject) {
				s.Binding.Writes = append(s.Binding.Writes, directory.PropertyWrites{At: at, Names: []string{"department"}})
			}, ""},
	} {
		cfg := config(nil)
		s := inSync(cfg, ann(nil))
		s.Account.Properties["department"] = tt.observed
		s.Binding.Writes = []directory.PropertyWrites{{At: at.Add(-time.Hour), Names: []string{"department"}, Before: directory.Properties{"department": tt.before}, Seen: tt.seen}}
		if tt.edit != nil {
			tt.edit(&s)
		}
		if got := plan.Judge(&s, at)["department"].Code; got != tt.want {
			t.Errorf("%s: judged %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestUndoOfKeptAndRefused: an undo takes what Microsoft made of our value for
// ours, and does not send what it refused before.
func TestUndoOfKeptAndRefused(t *testing.T) {
	cfg := config(nil)
	s := inSync(cfg, ann(nil))
	s.Account.Properties["department"], s.Binding.Base["department"] = text("SALES"), text("SALES")
	s.Binding.Kept = map[string]directory.KeptValue{"department": {Wanted: text("Sales"), Kept: text("SALES"), Code: directory.CodeNormalised}}
	wrote := directory.Change{ID: "c", UserID: annID, AccountID: accountID, Effect: directory.EffectUpdate, State: directory.ChangeApplied,
		Properties: []directory.PropertyChange{{Name: "department", Before: text("Old"), After: text("Sales")}}}
	undo := func() plan.Undone {
		return plan.Undo(cfg, "run_1", []directory.Change{wrote}, map[directory.UserID]plan.Subject{annID: s}, plan.Pick{})
	}
	if out := undo(); len(out.Left) > 0 || len(out.Changes) != 1 || !out.Changes[0].After()["department"].Equal(text("Old")) {
		t.Errorf("the undo is %+v", out)
	}
	s.Binding.Refused = map[string]directory.RefusedValue{"department": refusal(cfg, "department", text("Old"))}
	if out := undo(); len(out.Changes) > 0 || len(out.Left) != 1 || out.Left[0].Code != plan.LeftRefused {
		t.Errorf("the undo of what was refused is %+v", out)
	}
	s.Binding.Before = directory.Properties{"department": text("Old"), "jobTitle": text("Clerk")}
	s.Account.Properties["jobTitle"], s.Binding.Base["jobTitle"] = text("Head"), text("Head")
	if got := summary(plan.Release(cfg, s, directory.ReleaseRestore)); got != "update jobTitle=Clerk; pending" {
		t.Errorf("the release is %s", got)
	}
}

// stubborn is a Microsoft that keeps other values than it is sent, drops some and
// refuses some.
type stubborn struct {
	*model
	keeps, drops, refuses map[string]directory.Value // what is sent -> what is kept; the others ignore the value
	last                  map[string]string          // what was sent last of each property, since it changed
	now                   time.Time
}

// write takes a change as the engine journals it.
func (m *stubborn) write(t *rapid.T, c directory.Change) (failed bool) {
	for _, p := range c.Properties {
		if c.Effect == directory.EffectAdopt || p.Name == onOff {
			continue
		}
		sent := fmt.Sprint(p.After)
		if last, before := m.last[p.Name]; before && last == sent {
			t.Fatalf("%s of %s = %s was sent twice in a row", c.Effect, p.Name, sent)
		}
		if _, no := m.refuses[p.Name]; no {
			m.last[p.Name] = sent
			if m.binding.Refused == nil {
				m.binding.Refused = map[string]directory.RefusedValue{}
			}
			m.binding.Refused[p.Name] = refusal(m.cfg, p.Name, p.After)
			return true
		}
	}
	before := directory.Properties{}
	if m.account != nil {
		before = maps.Clone(m.account.Properties)
	}
	m.model.write(c)
	if c.Effect == directory.EffectAdopt {
		return false
	}
	w := directory.PropertyWrites{At: m.now, Before: directory.Properties{}, Seen: directory.Properties{}}
	for _, p := range c.Properties {
		name := p.Name
		if name != onOff {
			m.last[name] = fmt.Sprint(p.After)
		}
		delete(m.binding.Refused, name)
		delete(m.binding.Kept, name)
		w.Names, w.Before[name] = append(w.Names, name), before[name]
		if _, no := m.drops[name]; no {
			m.account.Properties[name] = before[name]
		} else if k, other := m.keeps[name]; other {
			m.account.Properties[name] = k
		}
		if v := m.account.Properties[name]; !mapping.Same(name, v, p.After) {
			w.Seen[name] = v // the look after the run
		}
	}
	m.binding.Writes = append(m.binding.Writes, w)
	return false
}

// settle runs until nothing is left to do, and reports how the last run ended.
func (m *stubborn) settle(t *rapid.T) plan.Decision {
	for range 20 {
		m.now = m.now.Add(time.Hour)
		s := m.subject()
		if s.Account != nil {
			plan.Keep(m.binding, plan.Judge(&s, m.now))
		}
		d := m.decide()
		if len(d.Changes) == 0 {
			if d.Base != nil {
				m.binding.Base = d.Base
			}
			m.binding.Kept, m.binding.Refused = plan.Standing(m.cfg, s)
			m.binding.Status, m.binding.Problem, m.binding.Findings = d.Status, d.Problem, d.Findings
			return d
		}
		for _, c := range stamped(d) {
			if m.write(t, c) && c.Effect == directory.EffectCreate {
				break
			}
		}
	}
	t.Fatal("the runs do not come to an end")
	return plan.Decision{}
}

// Whatever Microsoft keeps, drops or refuses: no value is written twice in a row,
// refused ones are not sent again until the wish changes, everything else is
// written, and a block goes in any case.
func TestStubbornMicrosoft(t *testing.T) {
	names := []string{"department", "jobTitle", "city", "displayName", directory.PropMobilePhone}
	rapid.Check(t, func(t *rapid.T) {
		m := &stubborn{model: drawModel(t), last: map[string]string{}, keeps: map[string]directory.Value{}, drops: map[string]directory.Value{},
			refuses: map[string]directory.Value{}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
		if m.account != nil && !m.account.Enabled() {
			return
		}
		for _, n := range names {
			switch rapid.SampledFrom([]string{"", "", "keeps", "drops", "refuses"}).Draw(t, n) {
			case "keeps":
				m.keeps[n] = text("Kept by them")
			case "drops":
				m.drops[n] = null
			case "refuses":
				m.refuses[n] = null
			}
		}
		for range rapid.IntRange(1, 4).Draw(t, "edits") {
			wished, _ := m.cfg.Mapper.Desired(m.user)
			drawUser(t)(m.user)
			now, _ := m.cfg.Mapper.Desired(m.user)
			for n := range m.last {
				if !now[n].Equal(wished[n]) {
					delete(m.last, n)
				}
			}
			d := m.settle(t)
			if again := m.decide(); len(again.Changes) > 0 {
				t.Fatalf("after %s the next run plans %s", summary(d), summary(again))
			}
			if m.account == nil || m.binding.AccountID == "" {
				continue
			}
			if !m.user.Enabled() && m.account.Enabled() {
				t.Fatalf("the account of a suspended user is enabled: %s", summary(d))
			}
			for n, v := range now {
				_, keeps := m.keeps[n]
				_, drops := m.drops[n]
				_, refuses := m.refuses[n]
				if n == onOff || keeps || drops || refuses || m.stays(n) || mapping.Same(n, v, m.account.Properties[n]) {
					continue
				}
				if !slices.ContainsFunc(d.Findings, func(f directory.Problem) bool { return f.Code == "foreign-change" }) {
					t.Fatalf("%s = %q, want %q (%s)", n, m.account.Properties[n], v, summary(d))
				}
			}
		}
	})
}
