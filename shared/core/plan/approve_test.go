package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

func TestSelect(t *testing.T) {
	off := []directory.PropertyChange{{Name: onOff, Before: yes, After: no}}
	emptied := []directory.PropertyChange{{Name: "department", Before: text("x"), After: null}}
	noPhone := slices.Clone(emptied)
	changes := []directory.Change{
		{ID: "1", UserID: "a", Effect: block, Properties: off}, {ID: "2", UserID: "a", Effect: revoke}, {ID: "3", UserID: "a", Effect: directory.EffectAdopt},
		{ID: "4", UserID: "a", Effect: directory.EffectUpdate}, {ID: "5", UserID: "a", Effect: rename},
		{ID: "6", UserID: "b", Effect: directory.EffectUpdate, Properties: emptied}, {ID: "7", UserID: "b", Effect: rename},
		{ID: "8", UserID: "c", Effect: block, Properties: off}, {ID: "9", UserID: "c", Effect: revoke}, {ID: "10", UserID: "c", Effect: directory.EffectUpdate},
		{ID: "11", UserID: "c", Effect: directory.EffectRelease}, {ID: "12", UserID: "d", Effect: create}, {ID: "13", UserID: "e", Effect: directory.EffectRestore},
		{ID: "14", UserID: "e", Effect: unblock}, {ID: "15", UserID: "f", Effect: directory.EffectUpdate}, {ID: "16", UserID: "f", Effect: sensitive, Properties: noPhone},
	}
	noPhone[0].Name = directory.PropMobilePhone
	effects := func(list ...directory.Effect) plan.Approval { return plan.Approval{Effects: list} }
	ids := func(list ...directory.ChangeID) plan.Approval { return plan.Approval{ChangeIDs: list} }
	for _, tt := range []struct {
		name     string
		approval plan.Approval
		want     string
	}{
		{"nothing", plan.Approval{}, ""},
		{"all", plan.Approval{All: true}, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"},
		{"blocks", effects(block), "1 8"},
		{"blocks and sessions", effects(block, revoke), "1 2 8 9"},
		{"sessions follow their block", effects(revoke), ""},
		{"updates; who is not adopted is not updated", effects(directory.EffectUpdate), "6 10 15"},
		{"updates with adoptions", effects(directory.EffectUpdate, directory.EffectAdopt), "3 4 6 10 15"},
		{"emptied values", effects(emptying), "6 16"},
		{"sensitive values without the ordinary ones of the same account", effects(sensitive), "16"},
		{"chosen changes", ids("7", "12"), "7 12"},
		{"a change without its adoption", ids("4"), ""},
		{"a change with its adoption", ids("3", "4"), "3 4"},
		{"adopted without its block", ids("3", "5"), "3 5"},
		{"given up without its values", ids("8", "9", "11"), "8 9"},
		{"given up without the sessions", ids("8", "10", "11"), "8 10 11"},
		{"unblocked without the restoration", ids("14"), ""},
		{"changes and effects", plan.Approval{ChangeIDs: []directory.ChangeID{"12"}, Effects: []directory.Effect{rename}}, "7 12"},
		{"what is not there", ids("99"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for i, yes := range plan.Select(changes, tt.approval) {
				if yes {
					got = append(got, string(changes[i].ID))
				}
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("Select = %s, want %s", s, tt.want)
			}
		})
	}
}

// What an earlier wave has written is not declined, and what follows from it may be chosen.
func TestSelectAfterAWave(t *testing.T) {
	for state, want := range map[directory.ChangeState]bool{directory.ChangeApplied: true, directory.ChangePlanned: false, directory.ChangeFailed: false, directory.ChangeDeclined: false} {
		changes := []directory.Change{{ID: "1", UserID: "a", Effect: block, State: state}, {ID: "2", UserID: "a", Effect: revoke, State: directory.ChangePlanned}}
		if got := plan.Select(changes, plan.Approval{ChangeIDs: []directory.ChangeID{"2"}}); got[1] != want {
			t.Errorf("after a block that is %s the end of the sessions is approved: %v", state, got[1])
		}
	}
}

func TestFingerprint(t *testing.T) {
	base := func(edit func(*directory.Change)) string {
		c := directory.Change{ID: "run.1", UserID: annID, AccountID: accountID, Effect: directory.EffectUpdate, Reason: "because", UserVersion: 3,
			Properties: []directory.PropertyChange{{Name: "department", Before: text("A"), After: text("B")}}}
		if edit != nil {
			edit(&c)
		}
		return plan.Fingerprint(&c)
	}
	first := base(nil)
	for name, edit := range map[string]func(*directory.Change){
		"id and state":  func(c *directory.Change) { c.ID, c.State = "run.2", directory.ChangeDeclined },
		"reason":        func(c *directory.Change) { c.Reason = "otherwise, at another time" },
		"version":       func(c *directory.Change) { c.UserVersion++ },
		"marks":         func(c *directory.Change) { c.Properties[0].Irreversible = "x" },
		"the same copy": func(*directory.Change) {},
	} {
		if base(edit) != first {
			t.Errorf("another %s is another fingerprint", name)
		}
	}
	seen := map[string]string{first: "the first"}
	for name, edit := range map[string]func(*directory.Change){
		"user":     func(c *directory.Change) { c.UserID = "usr_bob" },
		"account":  func(c *directory.Change) { c.AccountID = "acc-2" },
		"effect":   func(c *directory.Change) { c.Effect = rename },
		"property": func(c *directory.Change) { c.Properties[0].Name = "jobTitle" },
		"before":   func(c *directory.Change) { c.Properties[0].Before = text("C") },
		"after":    func(c *directory.Change) { c.Properties[0].After = text("C") },
		"emptied":  func(c *directory.Change) { c.Properties[0].After = null },
		"kind":     func(c *directory.Change) { c.Properties[0].After = directory.ListValue("B") },
		"more":     func(c *directory.Change) { c.Properties = append(c.Properties, c.Properties[0]) },
		"shifted":  func(c *directory.Change) { c.UserID, c.AccountID = annID+"a", accountID[1:] },
	} {
		f := base(edit)
		if other, twice := seen[f]; twice {
			t.Errorf("%s has the fingerprint of %s", name, other)
		}
		seen[f] = name
	}
	phone := func(e directory.Effect) string {
		return base(func(c *directory.Change) { c.Effect, c.Properties[0].Name = e, directory.PropMobilePhone })
	}
	if phone(sensitive) != phone(directory.EffectUpdate) {
		t.Error("what an admin declined before sensitive values had an effect of their own would be proposed again")
	}
	const stable = "P06Ipcvt-YYcDCrvVxcw"
	if first != stable {
		t.Errorf("Fingerprint = %s, want %s: it is stored", first, stable)
	}
}

// What was declined is not proposed again until something about it changes.
func TestWithhold(t *testing.T) {
	cfg := config(nil)
	s := inSync(cfg, ann(nil))
	for n, v := range s.Binding.Base {
		s.Account.Properties[n] = v
	}
	suspended(s.User)
	s.User.Department = "Ops"
	names := func(d plan.Decision) (list []string) {
		for i := range d.Changes {
			list = append(list, plan.Fingerprint(&d.Changes[i]))
		}
		return list
	}
	first := plan.Decide(cfg, s)
	if got := summary(first); got != "block accountEnabled=false; revoke; update department=Ops; pending" {
		t.Fatalf("Decide = %s", got)
	}
	declined := names(first)[:1]
	d, still := plan.Withhold(first, declined)
	if got := summary(d); got != "update department=Ops; pending; ?declined" || !slices.Equal(still, declined) {
		t.Errorf("block declined: %s, still %v", got, still)
	}
	if len(first.Changes) != 3 {
		t.Error("Withhold changed its input")
	}
	s.User.Department = "Law" // another change of the same user
	d, still = plan.Withhold(plan.Decide(cfg, s), declined)
	if got := summary(d); got != "update department=Law; pending; ?declined" || !slices.Equal(still, declined) {
		t.Errorf("after another edit: %s, still %v", got, still)
	}
	deleted(s.User) // the block has another cause now
	d, still = plan.Withhold(plan.Decide(cfg, s), declined)
	if got := summary(d); got != "block accountEnabled=false; revoke; pending" || len(still) != 0 {
		t.Errorf("deleted since: %s, still %v", got, still)
	}
	s.User.Deleted, s.User.State = nil, directory.StateActive
	if _, still = plan.Withhold(plan.Decide(cfg, s), declined); len(still) != 0 {
		t.Errorf("active again: still %v, want the block forgotten", still)
	}
	u := unbound(ann(func(u *directory.User) { u.Department = "Ops" }))
	u.ByUPN = candidate(nil)
	adoption := plan.Decide(cfg, u)
	d, _ = plan.Withhold(adoption, names(adoption)[:1])
	if got := summary(d); got != "pending; ?declined" {
		t.Errorf("adoption declined: %s", got)
	}
	d, still = plan.Withhold(adoption, []string{"other"})
	if got := summary(d); got != summary(adoption) || still != nil {
		t.Errorf("something else declined: %s, %v", got, still)
	}
}

// TestWithholdMembership: a removal from a group that an earlier version declined, whose name
// had the reason in it, stays declined, under the name that it has by now.
func TestWithholdMembership(t *testing.T) {
	t.Parallel()
	removal := directory.Change{
		Object: directory.MemberOf("grp_1", "usr_1"), AccountID: "acc-1", Effect: directory.EffectMemberRemove,
		Reason: "removed because somebody added them", Properties: []directory.PropertyChange{},
	}
	d := plan.Decision{Changes: []directory.Change{removal}}
	now := plan.Fingerprint(&removal)
	const former = "jK34ova4ynAIGWpq3Lo_" // stored by that version
	for _, declined := range []string{former, now} {
		out, still := plan.Withhold(d, []string{declined})
		if len(out.Changes) != 0 || !slices.Equal(still, []string{now}) {
			t.Errorf("declined as %s: %d changes are proposed, still %v, want %s", declined, len(out.Changes), still, now)
		}
	}
	d.Changes[0].Reason = "removed because the group has another name"
	if out, still := plan.Withhold(d, []string{now}); len(out.Changes) != 0 || len(still) != 1 {
		t.Errorf("with another reason: %d changes are proposed, still %v", len(out.Changes), still)
	}
	if out, _ := plan.Withhold(d, []string{former}); len(out.Changes) != 1 {
		t.Error("what that version would have proposed anew stays declined")
	}
}

// Approval of a part applies exactly that part, and what was declined is not
// proposed again.
func TestApprovalOfAPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		if rapid.Bool().Draw(t, "settled") {
			m.sync()
			drawUser(t)(m.user)
		}
		d := m.decide()
		run := stamped(d)
		var a plan.Approval
		for i := range run {
			run[i].ID = directory.ChangeID(fmt.Sprint(i))
			if rapid.Bool().Draw(t, "chosen") {
				a.ChangeIDs = append(a.ChangeIDs, run[i].ID)
			}
		}
		var approved []directory.Change
		var declined []string
		want := directory.Properties{}
		if m.account != nil {
			want = clone(m.account)
		}
		for i, yes := range plan.Select(run, a) {
			if !yes {
				declined = append(declined, plan.Fingerprint(&run[i]))
				continue
			}
			if !slices.Contains(a.ChangeIDs, run[i].ID) {
				t.Fatalf("%s was approved and not chosen", run[i].Effect)
			}
			approved = append(approved, run[i])
			if run[i].Effect == create {
				want = directory.Properties{}
			}
			for _, p := range run[i].Properties {
				if run[i].Effect != directory.EffectAdopt {
					want[p.Name] = stored(p.Name, p.After)
				}
			}
		}
		guarded := plan.TallyOf(approved)
		applied := plan.TallyOf(m.apply(approved))
		if fmt.Sprint(guarded) != fmt.Sprint(applied) {
			t.Fatalf("the guard counted %v, applied was %v", guarded, applied)
		}
		for n, v := range want {
			if got := m.account.Properties[n]; !got.Equal(v) {
				t.Fatalf("%s = %q, want %q: approved was %+v", n, got, v, approved)
			}
		}
		if len(declined) == 0 {
			return
		}
		again, _ := plan.Withhold(m.decide(), declined)
		for i := range again.Changes {
			if slices.Contains(declined, plan.Fingerprint(&again.Changes[i])) {
				t.Fatalf("%+v was declined and is proposed again", again.Changes[i])
			}
		}
	})
}

// Guard, undo and tallies say the same whatever the order of maps.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := config(nil)
		var journal []directory.Change
		subjects := map[directory.UserID]plan.Subject{}
		var bound plan.Bound
		for i := range rapid.IntRange(1, 12).Draw(t, "users") {
			m := drawModel(t)
			m.user.ID = directory.UserID(fmt.Sprintf("usr_%02d", i))
			if i%2 == 0 {
				m.sync()
				drawUser(t)(m.user)
			}
			run := m.apply(stamped(m.decide()))
			m.foreign(t)
			journal = append(journal, run...)
			subjects[m.user.ID] = plan.Subject{User: m.user, Binding: m.binding, Account: m.account}
			bound.Add(m.user, "")
		}
		limit := directory.Limit{Count: ptr(0), By: []directory.Dimension{directory.ByDomain, directory.ByDepartment}}
		all := limits{block: limit, create: limit, rename: limit, emptying: limit, unblock: limit}
		look := func() string {
			tally := plan.TallyOf(journal)
			return fmt.Sprint(plan.Guard(all, plan.Facts{Run: tally, Day: tally.Counter(), Bound: bound}),
				tally.By(directory.ByDepartment), tally.Counter(), plan.Undo(cfg, "run_x", journal, subjects, plan.Pick{}))
		}
		first := look()
		for range 3 {
			subjects = reinserted(subjects)
			bound.Departments, bound.Domains, all = reinserted(bound.Departments), reinserted(bound.Domains), reinserted(all)
			if again := look(); again != first {
				t.Fatalf("%s\nand again\n%s", first, again)
			}
		}
		// The guard's numbers are those of the journal.
		held := plan.Guard(all, plan.Facts{Run: plan.TallyOf(journal), Bound: bound})
		counts := map[directory.Effect]int{}
		for _, c := range journal {
			for _, e := range directory.GuardedEffects {
				if f := (plan.Filter{Effects: []directory.Effect{e}}); f.Match(&c) {
					counts[e]++
				}
			}
		}
		for e := range all {
			told := 0
			if held != nil {
				for _, x := range held.Limits {
					if x.Effect == e && x.Slice == "" {
						told = x.Count
					}
				}
			}
			if told != counts[e] {
				t.Fatalf("the guard counts %d of %s, the journal has %d", told, e, counts[e])
			}
		}
	})
}
