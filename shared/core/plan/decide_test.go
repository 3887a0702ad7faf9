package plan_test

import (
	"slices"
	"strings"
	"testing"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

func TestMatch(t *testing.T) {
	other := func(id directory.AccountID, name string) directory.Account {
		return directory.Account{ID: id, Properties: directory.Properties{upn: text(name)}}
	}
	for _, tt := range []struct {
		name   string
		edit   func(*plan.Subject)
		want   string
		holder string
	}{
		{"nobody has the address", func(*plan.Subject) {}, "create; pending", ""},
		{"adopted as it is", func(s *plan.Subject) { s.ByUPN = candidate(nil) }, "adopt; pending", ""},
		{"adopted and updated", func(s *plan.Subject) {
			s.ByUPN = candidate(func(a *directory.Account) { a.Properties["department"] = text("Old") })
		}, "adopt; update department=Sales; pending", ""},
		{"a suspended user's account is blocked, then adopted", func(s *plan.Subject) { suspended(s.User); s.ByUPN = candidate(nil) },
			"block accountEnabled=false; revoke; adopt; pending", ""},
		{"a suspended user's disabled account", func(s *plan.Subject) {
			suspended(s.User)
			s.ByUPN = candidate(func(a *directory.Account) { a.Properties[onOff] = no })
		}, "adopt; pending", ""},
		{"our block came before the adoption", func(s *plan.Subject) {
			s.Binding.Blocked, s.Binding.Base = true, directory.Properties{onOff: no}
			s.ByUPN = candidate(func(a *directory.Account) { a.Properties[onOff] = no })
		}, "adopt; unblock accountEnabled=true; pending", ""},
		{"suspended, nobody", func(s *plan.Subject) { suspended(s.User) }, "pending; ?not-created", ""},
		{"suspended, address in use", func(s *plan.Subject) {
			suspended(s.User)
			s.ByAddress = []directory.Account{other("x", "x@corp.example")}
		}, "pending; ?not-created", ""},
		{"deleted, nobody", func(s *plan.Subject) { deleted(s.User) }, "pending", ""},
		{"deleted, account there", func(s *plan.Subject) { deleted(s.User); s.ByUPN = candidate(nil) }, "pending", ""},
		{"disabled", func(s *plan.Subject) { s.ByUPN = candidate(func(a *directory.Account) { a.Properties[onOff] = no }) },
			"conflict; !adopt-disabled", "acc-ann"},
		{"guest", func(s *plan.Subject) { s.ByUPN = candidate(func(a *directory.Account) { a.UserType = "guest" }) },
			"conflict; !adopt-guest", "acc-ann"},
		{"synced", func(s *plan.Subject) { s.ByUPN = candidate(func(a *directory.Account) { a.OnPremisesSync = true }) },
			"read-only; !synced-on-premises", "acc-ann"},
		{"bound to another", func(s *plan.Subject) {
			s.ByUPN = candidate(nil)
			s.TakenBy = map[directory.AccountID]directory.UserID{accountID: "usr_bob"}
		}, "conflict; !account-bound", "usr_bob"},
		{"claimed by the user itself", func(s *plan.Subject) {
			s.ByUPN = candidate(nil)
			s.TakenBy = map[directory.AccountID]directory.UserID{accountID: annID}
		}, "adopt; pending", ""},
		{"another employeeId", func(s *plan.Subject) {
			s.User.EmployeeID = "E1"
			s.ByUPN = candidate(func(a *directory.Account) { a.Properties["employeeId"] = text("E2") })
		}, "conflict; !adopt-other-employee", "acc-ann"},
		{"the same employeeId", func(s *plan.Subject) {
			s.User.EmployeeID = " e1"
			s.ByUPN = candidate(func(a *directory.Account) { a.Properties["employeeId"] = text("E1") })
		}, "adopt; pending", ""},
		{"an employeeId of one side only", func(s *plan.Subject) {
			s.ByUPN = candidate(func(a *directory.Account) { a.Properties["employeeId"] = text("E1") })
		}, "adopt; pending", ""},
		{"protected", func(s *plan.Subject) { s.ByUPN = candidate(func(a *directory.Account) { a.ID = "acc-boss" }) },
			"read-only; !account-protected", "acc-boss"},
		{"another account has the address", func(s *plan.Subject) {
			s.ByAddress = []directory.Account{other("z", "z@corp.example"), other("b", "b@corp.example")}
		}, "conflict; !address-in-use", "b"},
		{"the name wins over an alias elsewhere", func(s *plan.Subject) {
			s.ByUPN, s.ByAddress = candidate(nil), []directory.Account{other("z", "z@corp.example")}
		}, "adopt; pending", ""},
		{"domain not claimed", func(s *plan.Subject) { s.User.Email = "ann@else.example" }, "refused; !domain-not-claimed", ""},
		{"paused", func(s *plan.Subject) { s.Binding.Status = directory.BindingPaused }, "paused", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(nil)
			cfg.Protected = func(id directory.AccountID, _ string) (string, bool) {
				return "it holds a directory role", id == "acc-boss"
			}
			s := unbound(ann(nil))
			tt.edit(&s)
			d := plan.Decide(cfg, s)
			wellFormed(t, s, d)
			if got := summary(d); got != tt.want {
				t.Fatalf("Decide = %s, want %s", got, tt.want)
			}
			if tt.holder != "" && d.Problem.Holder != tt.holder {
				t.Errorf("holder = %q, want %q", d.Problem.Holder, tt.holder)
			}
			if s.ByUPN != nil && len(d.Changes) > 0 {
				if got := d.Before[upn]; !got.Equal(text("Ann@Corp.example")) || len(d.Before) != len(cfg.Mapper.Managed()) {
					t.Errorf("before = %v, want every managed property as it was", d.Before)
				}
				if s.Binding.Blocked && !d.Before[onOff].Equal(yes) {
					t.Error("before says disabled, although the block is ours")
				}
			}
		})
	}
}

func TestCreate(t *testing.T) {
	cfg := config(nil)
	s := unbound(ann(func(u *directory.User) { u.Phones.Mobile = "+2"; u.JobTitle = "" }))
	d := plan.Decide(cfg, s)
	if len(d.Changes) != 1 {
		t.Fatalf("Decide = %s", summary(d))
	}
	c := d.Changes[0]
	if c.AccountID != "" || c.UserPrincipalName != address {
		t.Errorf("change = %+v", c)
	}
	var names []string
	for _, p := range c.Properties {
		names = append(names, p.Name)
		if !p.Before.IsNull() || p.After.IsNull() {
			t.Errorf("%s: %q → %q, want a value of a new account", p.Name, p.Before, p.After)
		}
	}
	want := []string{"accountEnabled", "department", "displayName", "givenName", "mailNickname", "mobilePhone", "surname", "userPrincipalName"}
	if !slices.Equal(names, want) {
		t.Errorf("properties = %v, want %v", names, want)
	}
	if !c.After()[onOff].Equal(yes) {
		t.Error("a created account is not enabled")
	}
}

// A binding that was given its account by an import, or by a former selection.
func TestGivenAccount(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*plan.Subject)
		want string
	}{
		{"as it is", func(*plan.Subject) {}, "adopt; pending"},
		{"with a name of its own", func(s *plan.Subject) { s.User.Email = "anna@corp.example" }, "adopt; pending"},
		{"disabled since", func(s *plan.Subject) { s.Account.Properties[onOff] = no }, "conflict; !adopt-disabled"},
		{"another employeeId is the admin's choice", func(s *plan.Subject) {
			s.User.EmployeeID, s.Account.Properties["employeeId"] = "E1", text("E2")
		}, "adopt; pending"},
		{"guest", func(s *plan.Subject) { s.Account.UserType = "Guest" }, "conflict; !adopt-guest"},
		{"gone", func(s *plan.Subject) { s.Account, s.Missing = nil, true }, "conflict; !account-gone"},
		{"created by us", func(s *plan.Subject) { s.Binding.Created = true; s.Account.Properties["department"] = text("Sales") }, "in-sync"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := unbound(ann(nil))
			s.Binding.AccountID, s.Account = accountID, candidate(nil)
			tt.edit(&s)
			d := plan.Decide(config(nil), s)
			wellFormed(t, s, d)
			if got := summary(d); got != tt.want {
				t.Errorf("Decide = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestBoundAccountOutOfReach(t *testing.T) {
	restore := func(s *directory.Settings) { s.OnSoftDeleted = "restore" }
	for _, tt := range []struct {
		name     string
		settings func(*directory.Settings)
		edit     func(*plan.Subject)
		want     string
	}{
		{"not read", nil, func(s *plan.Subject) { s.Account = nil }, "pending"},
		{"gone for good", nil, func(s *plan.Subject) { s.Account, s.Missing = nil, true }, "conflict; !account-gone"},
		{"gone for good, restore wanted", restore, func(s *plan.Subject) { s.Account, s.Missing = nil, true }, "conflict; !account-gone"},
		{"soft-deleted", nil, func(s *plan.Subject) { s.Deleted, s.Account, s.Missing = s.Account, nil, true }, "conflict; !account-soft-deleted"},
		{"soft-deleted, restored", restore, func(s *plan.Subject) { s.Deleted, s.Account, s.Missing = s.Account, nil, true }, "restore; pending"},
		{"soft-deleted and synced", restore, func(s *plan.Subject) {
			s.Deleted, s.Account, s.Missing = s.Account, nil, true
			s.Deleted.OnPremisesSync = true
		}, "read-only; !synced-on-premises"},
		{"soft-deleted, user suspended", restore, func(s *plan.Subject) {
			suspended(s.User)
			s.Deleted, s.Account, s.Missing = s.Account, nil, true
		}, "in-sync; ?account-soft-deleted"},
		{"gone, user deleted", nil, func(s *plan.Subject) { deleted(s.User); s.Account, s.Missing = nil, true }, "in-sync; ?account-gone"},
		{"synced since", nil, func(s *plan.Subject) { s.Account.OnPremisesSync = true; suspended(s.User) }, "read-only; !synced-on-premises"},
		{"paused", nil, func(s *plan.Subject) { s.Binding.Status = directory.BindingPaused }, "paused"},
		{"paused, user suspended", nil, func(s *plan.Subject) { s.Binding.Status = directory.BindingPaused; suspended(s.User) }, "paused; ?paused-leaver"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(tt.settings)
			s := inSync(cfg, ann(nil))
			tt.edit(&s)
			d := plan.Decide(cfg, s)
			if got := summary(d); got != tt.want {
				t.Errorf("Decide = %s, want %s", got, tt.want)
			}
			if !d.Base[upn].Equal(text(address)) {
				t.Errorf("the base was lost: %v", d.Base)
			}
		})
	}
}

func TestProtectedByName(t *testing.T) {
	cfg := config(nil)
	cfg.Protected = func(_ directory.AccountID, name string) (string, bool) {
		return "the settings name it", strings.EqualFold(name, address)
	}
	s := inSync(cfg, ann(suspended))
	s.Account.Properties[onOff] = yes
	if got := summary(plan.Decide(cfg, s)); got != "read-only; !account-protected" {
		t.Errorf("Decide = %s", got)
	}
	if got := summary(plan.Release(cfg, s, directory.ReleaseBlock)); got != "read-only; !account-protected" {
		t.Errorf("Release = %s", got)
	}
}

func TestDecideLeavesItsInputAlone(t *testing.T) {
	cfg := config(nil)
	s := inSync(cfg, ann(nil))
	delete(s.Binding.Base, "department")
	s.Binding.Base["mobilePhone"], s.User.GivenName = text("+9"), "Anna"
	plan.Decide(cfg, s)
	if _, there := s.Binding.Base["department"]; there || s.Binding.Base["mobilePhone"].String() != "+9" {
		t.Error("Decide changed the binding's base")
	}
}
