package plan_test

import (
	"slices"
	"strings"
	"testing"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// outcome is an undo in one line: its changes with what they write, and what it
// leaves.
func outcome(u plan.Undone) string {
	parts := []string{strings.TrimSuffix(summary(plan.Decision{Changes: u.Changes}), "; ")}
	if len(u.Changes) == 0 {
		parts = nil
	}
	for _, l := range u.Left {
		parts = append(parts, strings.TrimSpace("left "+l.Property+" "+l.Code))
	}
	return strings.ReplaceAll(strings.Join(parts, "; "), "left  ", "left ")
}

func TestUndo(t *testing.T) {
	props := func(list ...directory.PropertyChange) []directory.PropertyChange { return list }
	pc := func(name string, before, after directory.Value) directory.PropertyChange {
		return directory.PropertyChange{Name: name, Before: before, After: after}
	}
	change := func(e directory.Effect, list ...directory.PropertyChange) directory.Change {
		return directory.Change{UserID: annID, AccountID: accountID, Effect: e, Properties: props(list...), State: directory.ChangeApplied}
	}
	list := func(c ...directory.Change) []directory.Change { return c }
	update := change(directory.EffectUpdate, pc("department", text("Old"), text("Sales")), pc("jobTitle", text("Head"), null))
	blocked := list(change(block, pc(onOff, yes, no)), change(revoke))
	created := change(create, pc(onOff, null, yes), pc("displayName", null, text("Ann Smith")))
	ourBlock := func(s *plan.Subject) {
		s.Account.Properties[onOff], s.Binding.Base[onOff], s.Binding.Blocked = no, no, true
	}
	unboundNow := func(s *plan.Subject) { s.Binding = nil }
	gone := func(s *plan.Subject) { s.Account, s.Missing = nil, true }
	for _, tt := range []struct {
		name    string
		changes []directory.Change
		edit    func(*plan.Subject)
		pick    plan.Pick
		want    string
	}{
		{"update", list(update), nil, plan.Pick{}, "update department=Old jobTitle=Head"},
		{"a sensitive value", list(update, change(sensitive, pc("mobilePhone", text("+1"), null))), nil, plan.Pick{},
			"update department=Old jobTitle=Head; update-sensitive mobilePhone=+1"},
		{"a sensitive value, written before it had an effect of its own", list(change(directory.EffectUpdate, pc("mobilePhone", text("+1"), null))), nil, plan.Pick{},
			"update-sensitive mobilePhone=+1"},
		{"what was not applied does not count", list(directory.Change{UserID: annID, AccountID: accountID, Effect: directory.EffectUpdate,
			Properties: update.Properties, State: directory.ChangeFailed}), nil, plan.Pick{}, ""},
		{"of two changes of one value the first before counts", list(change(directory.EffectUpdate, pc("department", text("Old"), text("Ops"))),
			change(directory.EffectUpdate, pc("department", text("Ops"), text("Sales")))), nil, plan.Pick{}, "update department=Old"},
		{"one property", list(update), nil, plan.Pick{Properties: []string{"jobTitle"}}, "update jobTitle=Head"},
		{"another user", list(update), nil, plan.Pick{Users: []directory.UserID{"usr_bob"}}, ""},
		{"this user", list(update), nil, plan.Pick{Users: []directory.UserID{"usr_bob", annID}}, "update department=Old jobTitle=Head"},
		{"changed since", list(update), func(s *plan.Subject) { s.Account.Properties["department"] = text("Theirs") }, plan.Pick{},
			"update jobTitle=Head; left department changed-since"},
		{"changed back since", list(update), func(s *plan.Subject) { s.Account.Properties["department"] = text("old ") }, plan.Pick{},
			"update jobTitle=Head; left department changed-since"},
		{"as before already", list(update), func(s *plan.Subject) { s.Account.Properties["department"] = text("Old ") }, plan.Pick{}, "update jobTitle=Head"},
		{"not read", list(update), func(s *plan.Subject) { delete(s.Account.Properties, "department") }, plan.Pick{},
			"update jobTitle=Head; left department not-read"},
		{"our write is not visible yet", list(update), func(s *plan.Subject) { s.Account.Properties["department"], s.Fresh = text("Old"), lately }, plan.Pick{},
			"update department=Old jobTitle=Head"},
		{"what cannot be emptied", list(change(directory.EffectUpdate, pc("usageLocation", null, text("DE")))),
			func(s *plan.Subject) { s.Account.Properties["usageLocation"] = text("DE") }, plan.Pick{}, "left usageLocation cannot-be-emptied"},
		{"rename", list(change(rename, pc(upn, text("a@corp.example"), text(address)))), nil, plan.Pick{},
			"rename userPrincipalName=a@corp.example; left proxyAddresses address-stays"},
		{"block", blocked, ourBlock, plan.Pick{}, "unblock accountEnabled=true; left sessions-ended"},
		{"block, by property", blocked, ourBlock, plan.Pick{Properties: []string{onOff}}, "unblock accountEnabled=true; left sessions-ended"},
		{"block, another property", blocked, ourBlock, plan.Pick{Properties: []string{"department"}}, ""},
		{"block, enabled since", blocked, nil, plan.Pick{}, "left sessions-ended"},
		{"block of a blocked account", list(change(block, pc(onOff, no, no))), ourBlock, plan.Pick{}, ""},
		{"somebody else's block", blocked, func(s *plan.Subject) { s.Account.Properties[onOff] = no }, plan.Pick{},
			"left accountEnabled blocked-at-microsoft; left sessions-ended"},
		{"unblock", list(change(unblock, pc(onOff, no, yes))), nil, plan.Pick{}, "block accountEnabled=false; revoke"},
		{"unblock, blocked since", list(change(unblock, pc(onOff, no, yes))), ourBlock, plan.Pick{}, ""},
		{"create", list(created), func(s *plan.Subject) { s.Binding.Created, s.Binding.Before = true, nil }, plan.Pick{},
			"block accountEnabled=false; revoke; release"},
		{"create, blocked since", list(created), func(s *plan.Subject) { s.Binding.Created = true; ourBlock(s) }, plan.Pick{}, "release"},
		{"create, by property", list(created), nil, plan.Pick{Properties: []string{"displayName"}}, "left created-whole"},
		{"create, released since", list(created), unboundNow, plan.Pick{}, "left released-since"},
		{"adopt", list(change(directory.EffectAdopt), update), func(s *plan.Subject) {
			s.Binding.Before = directory.Properties{"department": text("Old"), "surname": text("Smith"), onOff: yes}
		}, plan.Pick{}, "update department=Old; release accountEnabled=true department=Old surname=Smith"},
		{"adopt, then edited by us", list(change(directory.EffectAdopt), update), func(s *plan.Subject) {
			s.Binding.Before = directory.Properties{"department": text("Old")}
			s.Binding.Base["department"], s.Account.Properties["department"] = text("Ops"), text("Ops")
		}, plan.Pick{}, "update department=Old; release department=Old"},
		{"adopt, changed by them", list(change(directory.EffectAdopt), update), func(s *plan.Subject) {
			s.Binding.Before = directory.Properties{"department": text("Old"), "surname": text("Smith")}
			s.Account.Properties["department"], s.Account.Properties["surname"] = text("Theirs"), text("Theirs")
		}, plan.Pick{}, "release department=Old surname=Smith; left department changed-since"},
		{"adopt with our block", append(slices.Clone(blocked), change(directory.EffectAdopt)), func(s *plan.Subject) {
			ourBlock(s)
			s.Binding.Before = directory.Properties{onOff: yes}
		}, plan.Pick{}, "unblock accountEnabled=true; release accountEnabled=true; left sessions-ended"},
		{"adopt, by property", list(change(directory.EffectAdopt), update), nil, plan.Pick{Properties: []string{"department"}}, "update department=Old"},
		{"release", list(update, directory.Change{UserID: annID, AccountID: accountID, Effect: directory.EffectRelease, Release: directory.ReleaseRestore,
			Properties: props(pc("department", text("Sales"), text("Sales"))), State: directory.ChangeApplied}), unboundNow, plan.Pick{},
			"adopt department=Sales; update department=Old jobTitle=Head"},
		{"release by an admin's run", []directory.Change{{UserID: annID, AccountID: accountID, Effect: block, Release: directory.ReleaseBlock,
			Properties: props(pc(onOff, yes, no)), State: directory.ChangeApplied}},
			func(s *plan.Subject) { s.Account.Properties[onOff], s.Binding = no, nil }, plan.Pick{}, "adopt; unblock accountEnabled=true"},
		{"release, bound again since", list(directory.Change{UserID: annID, AccountID: accountID, Effect: directory.EffectRelease, Release: directory.ReleaseBlock,
			State: directory.ChangeApplied}), nil, plan.Pick{}, ""},
		{"release, by property", list(update, change(directory.EffectRelease)), unboundNow, plan.Pick{Properties: []string{"department"}}, "left released-since"},
		{"update, released since", list(update), unboundNow, plan.Pick{}, "left released-since"},
		{"bound to another account since", list(update), func(s *plan.Subject) { s.Binding.AccountID = "acc-2" }, plan.Pick{}, "left bound-otherwise"},
		{"another user's account now", list(update, change(directory.EffectRelease)), func(s *plan.Subject) {
			s.Binding, s.TakenBy = nil, map[directory.AccountID]directory.UserID{accountID: "usr_bob"}
		}, plan.Pick{}, "left bound-otherwise"},
		{"delete", list(change(del)), func(s *plan.Subject) { s.Deleted = s.Account; gone(s) }, plan.Pick{}, "restore"},
		{"delete, released since", list(change(del)), func(s *plan.Subject) { s.Deleted = s.Account; gone(s); s.Binding = nil }, plan.Pick{}, "restore"},
		{"delete, gone for good", list(change(del)), gone, plan.Pick{}, "left account-gone"},
		{"delete, restored since", list(change(del)), nil, plan.Pick{}, ""},
		{"delete, by property", list(change(del)), func(s *plan.Subject) { s.Deleted = s.Account; gone(s) }, plan.Pick{Properties: []string{"department"}}, "left account-gone"},
		{"delete of what is protected now", list(change(del)), func(s *plan.Subject) {
			s.Deleted = s.Account
			s.Deleted.OnPremisesSync = true
			gone(s)
		}, plan.Pick{}, "left synced-on-premises"},
		{"somebody deleted it", list(update), func(s *plan.Subject) { s.Deleted = s.Account; gone(s) }, plan.Pick{}, "left account-gone"},
		{"restore", list(change(directory.EffectRestore)), nil, plan.Pick{}, "block accountEnabled=false; revoke; left restored-stays"},
		{"restore, by property", list(change(directory.EffectRestore)), nil, plan.Pick{Properties: []string{"department"}}, ""},
		{"account not read", list(update), func(s *plan.Subject) { s.Account = nil }, plan.Pick{}, "left not-read"},
		{"protected now", list(update), func(s *plan.Subject) { s.Account.ID = "acc-boss" }, plan.Pick{}, "left account-protected"},
		{"synced now", list(update), func(s *plan.Subject) { s.Account.OnPremisesSync = true }, plan.Pick{}, "left synced-on-premises"},
		{"paused by an undo before", list(update), func(s *plan.Subject) { s.Binding.Status = directory.BindingPaused }, plan.Pick{}, "update department=Old jobTitle=Head"},
		{"the user is gone", list(update), func(s *plan.Subject) { s.User = nil }, plan.Pick{}, "update department=Old jobTitle=Head"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(nil)
			cfg.Protected = func(id directory.AccountID, _ string) (string, bool) {
				return "it holds a directory role", id == "acc-boss"
			}
			s := inSync(cfg, ann(nil))
			if tt.edit != nil {
				tt.edit(&s)
			}
			u := plan.Undo(cfg, "run_x", tt.changes, map[directory.UserID]plan.Subject{annID: s}, tt.pick)
			if got := outcome(u); got != tt.want {
				t.Errorf("Undo = %s\nwant   %s", got, tt.want)
			}
			for _, l := range u.Left {
				if l.UserID != annID || l.Message == "" || l.AccountID == "" {
					t.Errorf("what is left is not complete: %+v", l)
				}
				if l.Code == plan.LeftChanged && (l.Wrote.IsNull() || l.Found.IsNull()) {
					t.Errorf("%+v lacks one of the two values", l)
				}
			}
			for _, c := range u.Changes {
				if c.Reason == "" || c.UserID != annID || c.AccountID != accountID || c.ID != "" || c.State != "" {
					t.Errorf("change is not complete: %+v", c)
				}
			}
		})
	}
}

func TestUndoOfManyUsersInOrder(t *testing.T) {
	cfg := config(nil)
	subjects := map[directory.UserID]plan.Subject{}
	var journal []directory.Change
	for _, id := range []directory.UserID{"usr_c", "usr_a", "usr_b", "usr_missing"} {
		journal = append(journal, directory.Change{UserID: id, AccountID: accountID, Effect: unblock, State: directory.ChangeApplied,
			Properties: []directory.PropertyChange{{Name: onOff, Before: no, After: yes}}},
			directory.Change{UserID: id, AccountID: accountID, Effect: directory.EffectUpdate, State: directory.ChangeApplied,
				Properties: []directory.PropertyChange{{Name: "department", Before: text("Old"), After: text("Sales")}}})
		if id != "usr_missing" {
			s := inSync(cfg, ann(nil))
			s.User.ID = id
			subjects[id] = s
		}
	}
	u := plan.Undo(cfg, "run_x", journal, subjects, plan.Pick{})
	var got []string
	for _, c := range u.Changes {
		got = append(got, strings.TrimPrefix(string(c.UserID), "usr_")+":"+string(c.Effect))
	}
	want := "a:block a:revoke b:block b:revoke c:block c:revoke a:update b:update c:update"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("order = %s\nwant    %s", s, want)
	}
	if len(u.Left) != 1 || u.Left[0].UserID != "usr_missing" || u.Left[0].Code != plan.LeftReleased {
		t.Errorf("left = %+v, want the user of whom nothing is known", u.Left)
	}
	if r := u.Changes[6].Reason; r != `department: "Sales" → "Old", as before run_x` {
		t.Errorf("reason = %s", r)
	}
}

func TestIrreversibleIsMarkedInThePlan(t *testing.T) {
	cfg := config(nil)
	s := inSync(cfg, ann(func(u *directory.User) { u.Email, u.UsageLocation, u.Department = "anna@corp.example", "DE", "Ops" }))
	for n, v := range map[string]directory.Value{"usageLocation": null, upn: text(address), "department": null, onOff: yes} {
		s.Account.Properties[n] = v
		s.Binding.Base[n] = v
	}
	suspended(s.User)
	marks := map[string]bool{}
	for _, c := range plan.Decide(cfg, s).Changes {
		if c.Irreversible != "" {
			marks[string(c.Effect)] = true
		}
		for _, p := range c.Properties {
			if p.Irreversible != "" {
				marks[p.Name] = true
			}
			if marked := strings.Contains(plan.Text(c), p.Irreversible); !marked {
				t.Errorf("Text does not say that %s cannot be set back: %s", p.Name, plan.Text(c))
			}
		}
	}
	for name, want := range map[string]bool{"revoke": true, "usageLocation": true, upn: true, "block": false, "department": false, onOff: false} {
		if marks[name] != want {
			t.Errorf("%s is marked as irreversible: %v, want %v", name, marks[name], want)
		}
	}
	deletedUser := config(func(s *directory.Settings) { s.OnDelete = "delete" })
	s = inSync(deletedUser, ann(nil))
	deleted(s.User)
	for _, c := range slices.Concat(plan.Decide(deletedUser, s).Changes, plan.Decide(cfg, unbound(ann(nil))).Changes) {
		if c.Irreversible == "" {
			t.Errorf("%s is not marked as irreversible", c.Effect)
		}
	}
}
