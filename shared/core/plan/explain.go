package plan

import (
	"slices"

	"bindery/shared/core/mapping"
	"bindery/shared/directory"
)

// Trace is how a decision about one user came about.
type Trace struct {
	Address    TraceAddress     `json:"address"`
	Account    TraceAccount     `json:"account"`
	Protection TraceProtection  `json:"protection"`
	Attributes []TraceAttribute `json:"attributes"`
	Decision   TraceDecision    `json:"decision"`
}

// TraceAddress says how the user's e-mail address becomes the account's name.
type TraceAddress struct {
	Email  string `json:"email"`
	Mapped string `json:"mapped,omitempty"` // the userPrincipalName
	// DomainMap is the entry of the settings that was used.
	DomainMap string             `json:"domainMap,omitempty"`
	Problem   *directory.Problem `json:"problem,omitempty"`
}

// TraceAccount is what was read at Microsoft.
type TraceAccount struct {
	ID                directory.AccountID `json:"id,omitempty"`
	UserPrincipalName string              `json:"userPrincipalName,omitempty"`
	State             string              `json:"state"` // bound, missing, deleted, adoptable, contested, absent
	MatchedBy         string              `json:"matchedBy,omitempty"`
	Guest             bool                `json:"guest,omitempty"`
	External          bool                `json:"external,omitempty"` // the person signs in elsewhere
	OnPremisesSync    bool                `json:"onPremisesSync,omitempty"`
	// Fresh says that what was read may be older than our last write.
	Fresh bool `json:"fresh,omitempty"`
}

// TraceProtection says whether the account must never be written to.
type TraceProtection struct {
	Protected bool   `json:"protected"`
	Reason    string `json:"reason,omitempty"`
}

// TraceAttribute is one managed property: what each side has of it, and what
// becomes of it.
type TraceAttribute struct {
	Name    string          `json:"name"`
	Rule    string          `json:"rule"` // always exported, at creation only, or the setting
	Desired directory.Value `json:"desired"`
	// Note says how the desired value differs from what the user has.
	Note     string          `json:"note,omitempty"`
	Base     directory.Value `json:"base"`
	Observed directory.Value `json:"observed"`
	// Foreign is what the settings say when only the tenant changed the value.
	Foreign directory.ForeignPolicy `json:"foreign"`
	// Outcome is equal, write, report, refused (Microsoft or a rule does not take
	// the value), kept (Microsoft keeps another one, which counts as agreed), left
	// (the account is not written to, or the property not managed for this user),
	// or unknown without an account.
	Outcome string `json:"outcome"`
	// Problem says with the outcome refused why the value is not written.
	Problem *directory.Problem `json:"problem,omitempty"`
	// Kept says with the outcome kept what Microsoft keeps instead.
	Kept   *directory.KeptValue `json:"kept,omitempty"`
	Effect directory.Effect     `json:"effect,omitempty"`
	Reason string               `json:"reason,omitempty"`
}

// TraceDecision is what deciding came to.
type TraceDecision struct {
	Status   directory.BindingStatus `json:"status"`
	Problem  *directory.Problem      `json:"problem,omitempty"`
	Findings []directory.Problem     `json:"findings,omitempty"`
	Changes  []directory.Change      `json:"changes"`
}

// Explain lays open a decision that was made about a subject. It decides
// nothing itself.
func Explain(c Config, s Subject, d Decision) Trace {
	t := Trace{Decision: TraceDecision{Status: d.Status, Problem: d.Problem, Findings: d.Findings, Changes: slices.Clone(d.Changes)}}
	if t.Decision.Changes == nil {
		t.Decision.Changes = []directory.Change{}
	}
	for i := range t.Decision.Changes {
		if p := &t.Decision.Changes[i].Properties; *p == nil {
			*p = []directory.PropertyChange{}
		}
	}
	t.Address.Email = s.User.Email
	t.Address.Mapped, t.Address.Problem = c.Mapper.Address(s.User)
	if domain := directory.DomainOf(s.User.Email); t.Address.Problem == nil {
		for from, to := range c.Settings.DomainMap {
			if directory.FoldDomain(from) == domain {
				t.Address.DomainMap = from + " -> " + to
			}
		}
	}
	a := t.account(&s)
	if a != nil {
		t.Account.ID, t.Account.UserPrincipalName = a.ID, a.UserPrincipalName()
		t.Account.Guest, t.Account.External, t.Account.OnPremisesSync = a.Guest(), a.External(), a.OnPremisesSync
		if c.Protected != nil {
			t.Protection.Reason, t.Protection.Protected = c.Protected(a.ID, a.UserPrincipalName())
		}
	}
	t.attributes(c, &s, a)
	return t
}

// account finds the account that a decision is about.
func (t *Trace) account(s *Subject) *directory.Account {
	t.Account.Fresh = s.Fresh.Any()
	switch {
	case s.Account != nil:
		t.Account.State = "bound"
		return s.Account
	case s.Deleted != nil:
		t.Account.State = "deleted"
		return s.Deleted
	case s.Binding.AccountID != "":
		t.Account.State, t.Account.ID = "missing", s.Binding.AccountID
		return nil
	case s.Linked != nil && (s.ByUPN == nil || s.ByUPN.ID == s.Linked.ID):
		t.Account.State, t.Account.MatchedBy = "adoptable", "id"
		if len(t.Decision.Changes) == 0 {
			t.Account.State = "contested"
		}
		return s.Linked
	case s.ByUPN != nil:
		t.Account.State, t.Account.MatchedBy = "adoptable", directory.PropUserPrincipalName
		if len(t.Decision.Changes) == 0 {
			t.Account.State = "contested"
		}
		return s.ByUPN
	case len(s.ByAddress) > 0:
		t.Account.State, t.Account.MatchedBy = "contested", "mail or proxyAddresses"
		return &s.ByAddress[0]
	}
	t.Account.State = "absent"
	return nil
}

// ruleOf says by which rule an attribute is exported.
func ruleOf(c Config, name string, creation bool) string {
	if creation {
		return "set at creation, and when it is empty"
	}
	if name == directory.PropMailNickname {
		return "settings.updateMailNickname"
	}
	rule, set := c.Settings.Attributes[name]
	if !set {
		return "always exported"
	}
	text := "settings.attributes." + name
	if rule.From != "" {
		text += ", from " + rule.From
	}
	if rule.Clear {
		text += ", empties"
	}
	return text
}

func (t *Trace) attributes(c Config, s *Subject, a *directory.Account) {
	w := want(c, s.User, withoutMet(s.Binding, a))
	for name := range c.Mapper.EachManaged() {
		creation := atCreation(c, s.User, name)
		at := TraceAttribute{Name: name, Rule: ruleOf(c, name, creation), Base: s.Binding.Base[name], Foreign: c.Settings.Foreign(name), Outcome: "unknown"}
		desired, wanted := w.values[name]
		at.Desired, at.Note = desired, c.Mapper.Note(s.User, name)
		if a != nil {
			if at.Observed = a.Properties[name]; name == directory.PropAccountEnabled {
				at.Observed = directory.BoolValue(a.Enabled())
			}
			at.Outcome = "left"
			if wanted && mapping.Same(name, desired, at.Observed) {
				at.Outcome = "equal"
			}
		}
		for i := range t.Decision.Changes {
			change := &t.Decision.Changes[i]
			if _, in := change.After()[name]; in && writes(change.Effect) {
				at.Outcome, at.Effect, at.Reason = "write", change.Effect, change.Reason
			}
		}
		kept, otherwise := s.Binding.Kept[name]
		i := slices.IndexFunc(w.problems, func(p directory.Problem) bool { return p.Property == name })
		switch {
		case i >= 0:
			at.Outcome, at.Problem = "refused", &w.problems[i]
			if r, sent := s.Binding.Refused[name]; sent && r.Problem.Code == w.problems[i].Code {
				at.Desired = r.Value
			}
		case at.Outcome != "left" || !wanted:
		case name == directory.PropUserPrincipalName && newDiffer(c, *s, a).ownName(desired):
			at.Reason = "the account keeps a name of its own, by the setting adoptedUserPrincipalName"
		case otherwise && mapping.Same(name, kept.Wanted, desired) && mapping.Same(name, kept.Kept, at.Observed):
			at.Outcome, at.Kept = "kept", &kept
		case creation:
		case t.Decision.Problem == nil || t.Decision.Problem.Property != "":
			at.Outcome = "report"
		}
		t.Attributes = append(t.Attributes, at)
	}
}
