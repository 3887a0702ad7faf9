package plan_test

import (
	"strings"
	"testing"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

func byEmail(s *directory.Settings) { s.AdoptedUserPrincipalName = directory.AdoptedNameEmail }

// An account that signs in by another name than its user's address keeps it,
// now and after later edits, unless the setting says that the address leads.
func TestAdoptedName(t *testing.T) {
	given := func(s *plan.Subject) { s.Binding.AccountID = accountID }
	own := func(a *directory.Account) { a.Properties[upn] = text("55512345@corp.example") }
	adopted := func(names ...string) func(*plan.Subject) {
		return func(s *plan.Subject) {
			s.Binding.AccountID, s.Binding.Base, s.Binding.Before = accountID, directory.Properties{}, directory.Properties{}
			for name, v := range s.Account.Properties {
				if name != upn {
					s.Binding.Base[name] = v
				}
			}
			for _, name := range names {
				s.Binding.Base[upn] = text(name)
			}
		}
	}
	for _, tt := range []struct {
		name     string
		settings func(*directory.Settings)
		edit     func(*plan.Subject)
		account  func(*directory.Account)
		want     string
	}{
		{"given with a name of its own", nil, given, own, "adopt; pending"},
		{"given, and the address leads", byEmail, given, own, "adopt; rename userPrincipalName=ann@corp.example; pending"},
		{"given with the address as its name", nil, given, nil, "adopt; pending"},
		{"adopted before", nil, adopted(), own, "in-sync"},
		{"adopted before, the address leads now", byEmail, adopted(), own, "rename userPrincipalName=ann@corp.example; pending"},
		{"adopted before, renamed in the tenant to another", nil, adopted(), func(a *directory.Account) { a.Properties[upn] = text("x@corp.example") }, "in-sync"},
		{"adopted before, renamed in the tenant to the address", nil, adopted(), nil, "in-sync"},
		{"in step once, and the address was edited since", nil, adopted("ann.old@corp.example"),
			func(a *directory.Account) { a.Properties[upn] = text("ann.old@corp.example") }, "rename userPrincipalName=ann@corp.example; pending"},
		{"in step once, and renamed in the tenant", nil, adopted("ann@corp.example"), own, "rename userPrincipalName=ann@corp.example; pending"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := unbound(ann(nil))
			s.Account = candidate(tt.account)
			tt.edit(&s)
			d := plan.Decide(config(tt.settings), s)
			wellFormed(t, s, d)
			if got := summary(d); got != tt.want {
				t.Errorf("Decide = %s, want %s", got, tt.want)
			}
			if len(d.Changes) > 0 && d.Changes[0].Effect == directory.EffectAdopt {
				// The name before belongs to what can be given back only if we take it.
				_, taken := d.Before[upn]
				keeps := strings.Contains(d.Changes[0].Reason, "stays")
				if taken == keeps || keeps != (tt.account != nil && tt.settings == nil) {
					t.Errorf("before holds the name: %v; reason: %s", taken, d.Changes[0].Reason)
				}
			}
			// Once the name is the address, it is agreed and follows later edits.
			if tt.account == nil && tt.settings == nil && d.Base[upn].String() != address {
				t.Errorf("agreed on %q", d.Base[upn])
			}
		})
	}
}

func TestAdoptedNameIsExplained(t *testing.T) {
	s := unbound(ann(nil))
	s.Binding.AccountID = accountID
	s.Account = candidate(func(a *directory.Account) { a.Properties[upn] = text("55512345@corp.example") })
	c := config(nil)
	for _, at := range plan.Explain(c, s, plan.Decide(c, s)).Attributes {
		if at.Name == upn && (at.Outcome != "left" || !strings.Contains(at.Reason, "adoptedUserPrincipalName")) {
			t.Errorf("the name is %s: %s", at.Outcome, at.Reason)
		}
	}
}
