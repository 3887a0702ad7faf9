package plan_test

import (
	"strings"
	"testing"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// TestLastGroupIsNamed: whoever is let go with a group is told by its name, and by its ID
// where an earlier version noted no more.
func TestLastGroupIsNamed(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"Sales": `"Sales"`, "": `"grp_1"`} {
		cfg := config(nil)
		s := inSync(cfg, ann(nil))
		s.Binding.LeftGroup, s.Binding.LeftGroupName = "grp_1", name
		d := plan.Release(cfg, s, directory.ReleaseKeep)
		if len(d.Changes) != 1 || !strings.Contains(d.Changes[0].Reason, want) || d.Changes[0].ScopeName != name || d.Changes[0].Scope != "grp_1" {
			t.Errorf("let go with %q: %+v", name, d.Changes)
		}
	}
}

func TestRelease(t *testing.T) {
	const keep, block, restore = directory.ReleaseKeep, directory.ReleaseBlock, directory.ReleaseRestore
	before := func(p directory.Properties) func(*plan.Subject) {
		return func(s *plan.Subject) {
			s.Binding.Before = p
		}
	}
	left := func(s *plan.Subject) { s.Binding.LeftGroup, s.Binding.LeftGroupName = "grp_1", "Sales" }
	for _, tt := range []struct {
		name   string
		policy directory.ReleasePolicy
		edit   func(*plan.Subject)
		want   string
	}{
		{"keep", keep, func(*plan.Subject) {}, "in-sync"},
		{"keep of what cannot be written", keep, func(s *plan.Subject) { s.Account.OnPremisesSync = true }, "in-sync"},
		{"keep of a paused binding", keep, func(s *plan.Subject) { s.Binding.Status = directory.BindingPaused }, "in-sync"},
		{"block", block, func(*plan.Subject) {}, "block accountEnabled=false; revoke; pending"},
		{"block of a blocked account", block, func(s *plan.Subject) { s.Account.Properties[onOff], s.Binding.Base[onOff] = no, no }, "in-sync"},
		{"block when our unblock is not visible yet", block, func(s *plan.Subject) { s.Account.Properties[onOff], s.Fresh = no, lately },
			"block accountEnabled=false; revoke; pending"},
		{"block of a missing account", block, func(s *plan.Subject) { s.Account, s.Missing = nil, true }, "in-sync"},
		{"block without an account", block, func(s *plan.Subject) { s.Account, s.Binding.AccountID = nil, "" }, "in-sync"},
		{"block of an account that was not read", block, func(s *plan.Subject) { s.Account = nil }, "pending; !account-not-read"},
		{"block of a synced account", block, func(s *plan.Subject) { s.Account.OnPremisesSync = true }, "read-only; !synced-on-premises"},
		{"block of a paused binding", block, func(s *plan.Subject) { s.Binding.Status = directory.BindingPaused }, "paused; !binding-paused"},
		{"keep, by the last group", keep, left, "deselect; pending"},
		{"keep of who is suspended, by the last group", keep, func(s *plan.Subject) {
			left(s)
			s.User.State = directory.StateSuspended
		}, "block accountEnabled=false; revoke; deselect; pending"},
		{"restore of who is suspended and blocked, by the last group", restore, func(s *plan.Subject) {
			left(s)
			s.User.State = directory.StateSuspended
			s.Account.Properties[onOff], s.Binding.Base[onOff], s.Binding.Blocked = no, no, true
			before(directory.Properties{onOff: directory.BoolValue(true)})(s)
		}, "deselect accountEnabled=true; pending"}, // which only remembers it
		{"keep of a paused binding of who is suspended, by the last group", keep, func(s *plan.Subject) {
			left(s)
			s.User.State, s.Binding.Status = directory.StateSuspended, directory.BindingPaused
		}, "deselect; pending"},
		{"block, by the last group", block, left, "block accountEnabled=false; revoke; deselect; pending"},
		{"block of a missing account, by the last group", block, func(s *plan.Subject) {
			left(s)
			s.Account, s.Missing = nil, true
		}, "deselect; pending"},
		{"block of a synced account, by the last group", block, func(s *plan.Subject) {
			left(s)
			s.Account.OnPremisesSync = true
		}, "read-only; !synced-on-premises"},
		{"restore", restore, before(directory.Properties{"department": text("Old"), "jobTitle": null, "mobilePhone": text("+9"), upn: text("old@corp.example"), onOff: yes}),
			"update department=Old; update-sensitive mobilePhone=+9; rename userPrincipalName=old@corp.example; pending"},
		{"restore of what is as before", restore, before(directory.Properties{"department": text(" sales "), "surname": text("Smith")}), "update department= sales ; pending"},
		{"restore of what somebody changed since", restore, func(s *plan.Subject) {
			s.Binding.Before = directory.Properties{"department": text("Old")}
			s.Account.Properties["department"] = text("Theirs")
		}, "in-sync"},
		{"restore of what we never agreed on", restore, func(s *plan.Subject) {
			s.Binding.Before = directory.Properties{"department": text("Old")}
			delete(s.Binding.Base, "department")
		}, "in-sync"},
		{"restore of what cannot be emptied", restore, func(s *plan.Subject) {
			s.Binding.Before = directory.Properties{"usageLocation": null, "department": null}
			s.Account.Properties["usageLocation"], s.Binding.Base["usageLocation"] = text("DE"), text("DE")
		}, "update department=; pending"},
		{"restore when our write is not visible yet", restore, func(s *plan.Subject) {
			s.Binding.Before, s.Fresh = directory.Properties{"department": text("Old")}, lately
			s.Account.Properties["department"] = text("Old")
		}, "update department=Old; pending"},
		{"restore of an account that we blocked", restore, func(s *plan.Subject) {
			s.Binding.Before, s.Binding.Blocked = directory.Properties{onOff: yes}, true
			s.Account.Properties[onOff], s.Binding.Base[onOff] = no, no
		}, "unblock accountEnabled=true; pending"},
		{"restore of an account that they blocked", restore, func(s *plan.Subject) {
			s.Binding.Before = directory.Properties{onOff: yes}
			s.Account.Properties[onOff] = no
		}, "in-sync"},
		{"restore never blocks", restore, before(directory.Properties{onOff: no}), "in-sync"},
		{"restore of an account that we created", restore, func(s *plan.Subject) { s.Binding.Created, s.Binding.Before = true, nil },
			"block accountEnabled=false; revoke; pending"},
		{"restore of one that was never adopted", restore, func(s *plan.Subject) { s.Binding.Base, s.Binding.Before = nil, nil }, "in-sync"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(nil)
			s := inSync(cfg, ann(nil))
			tt.edit(&s)
			d := plan.Release(cfg, s, tt.policy)
			wellFormed(t, s, d)
			if got := summary(d); got != tt.want {
				t.Errorf("Release = %s, want %s", got, tt.want)
			}
		})
	}
}
