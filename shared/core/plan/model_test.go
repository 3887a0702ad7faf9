package plan_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// model is one account at a Microsoft that stores a little differently, and
// the binding as the engine keeps it.
type model struct {
	cfg     plan.Config
	user    *directory.User
	binding *directory.Binding
	account *directory.Account
	// ownName says that the account, which the user is known to have, is called
	// otherwise than the user's address.
	ownName bool
}

// stored is what Microsoft makes of a value: it trims, keeps an address in the
// case that it likes, sorts lists its own way.
func stored(name string, v directory.Value) directory.Value {
	if list, ok := v.List(); ok {
		list = slices.Clone(list)
		slices.Reverse(list)
		return directory.ListValue(list...)
	}
	s, ok := v.Text()
	switch {
	case !ok:
		return v
	case name == upn && s != "":
		return text(strings.ToUpper(s[:1]) + s[1:])
	}
	return text(strings.TrimRight(s, " "))
}

// ownName is the userPrincipalName of an account that is called otherwise than any
// user's address.
const ownName = "55512345@corp.example"

func (m *model) subject() plan.Subject {
	s := plan.Subject{User: m.user, Binding: m.binding}
	switch {
	case m.account == nil:
	case m.binding.AccountID != "":
		s.Account = m.account
	case m.ownName:
		s.Linked = m.account
	default:
		if a, p := m.cfg.Mapper.Address(m.user); p == nil && mapping.Same(upn, m.account.Properties[upn], text(a)) {
			s.ByUPN = m.account
		}
	}
	return s
}

func (m *model) decide() plan.Decision {
	s := m.subject()
	if m.binding.Release != "" {
		return plan.Release(m.cfg, s, m.binding.Release)
	}
	return plan.Decide(m.cfg, s)
}

// write lets one change take effect on both sides.
func (m *model) write(c directory.Change) {
	if m.binding == nil {
		m.binding = &directory.Binding{UserID: annID}
	}
	b := m.binding
	if b.Base == nil {
		b.Base = directory.Properties{}
	}
	switch c.Effect {
	case directory.EffectCreate:
		m.account = &directory.Account{ID: accountID, UserType: "Member", Properties: directory.Properties{}}
		b.AccountID, b.Created = accountID, true
		for _, n := range m.cfg.Mapper.Managed() {
			m.account.Properties[n] = null
		}
	case directory.EffectAdopt:
		b.AccountID, b.Created, b.Before = c.AccountID, c.Created, directory.Properties{}
		for _, p := range c.Properties {
			b.Before[p.Name] = p.Before
			if _, known := b.Base[p.Name]; !known {
				b.Base[p.Name] = p.After
			}
		}
		return
	case directory.EffectRelease:
		m.binding = nil
		return
	case directory.EffectBlock:
		b.Blocked = true
	case directory.EffectUnblock:
		b.Blocked = false
	}
	for _, p := range c.Properties {
		if _, kept := b.Before[p.Name]; !kept && !b.Created && b.Before != nil {
			b.Before[p.Name] = p.Before
		}
		m.account.Properties[p.Name] = stored(p.Name, p.After)
		b.Base[p.Name] = p.After
	}
}

// sync plans and applies once.
func (m *model) sync() plan.Decision {
	d := m.decide()
	m.apply(stamped(d))
	if len(d.Changes) == 0 && d.Base != nil {
		m.binding.Base = d.Base
	}
	m.binding.Status, m.binding.Problem, m.binding.Findings = d.Status, d.Problem, d.Findings
	return d
}

// stamped are a decision's changes as the engine records them.
func stamped(d plan.Decision) []directory.Change {
	list := slices.Clone(d.Changes)
	for i := range list {
		c := &list[i]
		if c.Effect == directory.EffectAdopt {
			for _, n := range d.Before.Names() {
				c.Properties = append(c.Properties, directory.PropertyChange{Name: n, Before: d.Before[n], After: d.Before[n]})
			}
		}
	}
	return list
}

// apply writes changes and returns them as the journal has them.
func (m *model) apply(list []directory.Change) []directory.Change {
	for i := range list {
		m.write(list[i])
		list[i].State = directory.ChangeApplied
		if list[i].AccountID == "" {
			list[i].AccountID = accountID
		}
	}
	return list
}

func ugly() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", " ", "Ann", " Ann  S.\u00a0", "Mu\u0308ller", "Müller", "O'Neil", "\u202d+49 (0)30 / 12-34\u202c", "-", "A\r\nB",
			"e\u200b\u0301", "İ", "ẞ", "ﬁ", "DE", "de", "en-us", "李\u3000明", "👩\u200d💻", "x@Home.example", "\x00\x1b"}),
		rapid.StringN(0, 12, 40),
	)
}

func drawUser(t *rapid.T) func(*directory.User) {
	draw := func(label string) string { return ugly().Draw(t, label) }
	given, family, display, department, title := draw("given"), draw("family"), draw("display"), draw("department"), draw("title")
	mobile, work, street, custom, other := draw("mobile"), draw("work"), draw("street"), draw("custom"), draw("other")
	location := rapid.SampledFrom([]string{"", "de", "DE ", "US"}).Draw(t, "usageLocation")
	language := rapid.SampledFrom([]string{"", "en-us", "de-DE"}).Draw(t, "language")
	mail := rapid.SampledFrom([]string{address, "Ann@CORP.example ", "anna.smith@corp.example", "o'neil_x@corp.example", "ann@elsewhere.example"}).Draw(t, "mail")
	state := rapid.SampledFrom([]directory.UserState{directory.StateActive, directory.StateActive, directory.StateActive, directory.StateSuspended}).Draw(t, "state")
	return func(u *directory.User) {
		u.GivenName, u.FamilyName, u.DisplayName, u.Department, u.JobTitle = given, family, display, department, title
		u.Phones, u.AlternateEmail = directory.Phones{Work: work, Mobile: mobile}, other
		u.WorkAddress.StreetAddress, u.CustomAttributes = street, map[string]string{"extensionAttribute1": custom}
		u.UsageLocation, u.PreferredLanguage, u.Email, u.State = location, language, mail, state
		u.Version++
	}
}

// drawAccount is an account that was there before, or none.
func drawAccount(t *rapid.T, names []string) *directory.Account {
	if rapid.Bool().Draw(t, "no account") {
		return nil
	}
	return candidate(func(a *directory.Account) {
		for _, n := range names {
			switch n {
			case upn, onOff:
			case directory.PropOtherMails, directory.PropBusinessPhones:
				a.Properties[n] = directory.ListValue(rapid.SliceOfN(ugly(), 0, 3).Draw(t, n)...)
			default:
				a.Properties[n] = text(ugly().Draw(t, n))
			}
		}
	})
}

// foreign lets somebody change the account at Microsoft.
func (m *model) foreign(t *rapid.T) {
	if m.account == nil {
		return
	}
	n := rapid.SampledFrom([]string{"department", "jobTitle", "displayName", directory.PropMobilePhone, onOff}).Draw(t, "foreign property")
	if n == onOff {
		m.account.Properties[n] = directory.BoolValue(rapid.Bool().Draw(t, "foreign enabled"))
		return
	}
	m.account.Properties[n] = text(ugly().Draw(t, "foreign value"))
}

func drawModel(t *rapid.T) *model {
	policy := rapid.SampledFrom([]directory.ForeignPolicy{directory.ForeignRevert, directory.ForeignReport}).Draw(t, "policy")
	clear := rapid.Bool().Draw(t, "clear")
	alias := rapid.Bool().Draw(t, "updateMailNickname")
	leads := rapid.SampledFrom([]directory.AdoptedName{directory.AdoptedNameKeep, directory.AdoptedNameEmail}).Draw(t, "adoptedUserPrincipalName")
	cfg := config(func(s *directory.Settings) {
		s.UpdateMailNickname, s.AdoptedUserPrincipalName = alias, leads
		s.ForeignChange = map[string]directory.ForeignPolicy{"default": policy}
		for n, r := range s.Attributes {
			r.Clear = r.Clear && clear
			s.Attributes[n] = r
		}
	})
	m := &model{cfg: cfg, user: ann(drawUser(t)), binding: &directory.Binding{UserID: annID, Status: directory.BindingPending}}
	m.account = drawAccount(t, cfg.Mapper.Managed())
	if m.ownName = m.account != nil && rapid.Bool().Draw(t, "own name"); m.ownName {
		m.account.Properties[upn] = text(ownName)
	}
	return m
}

// A sync right after a sync plans nothing (invariant 9), whatever the data and
// whatever happened before; a block that is not ours stays (invariant 11); and
// what was planned is what both sides agree on.
func TestSecondSyncPlansNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		for step := range rapid.IntRange(1, 6).Draw(t, "steps") {
			if step > 0 && rapid.Bool().Draw(t, "edit") {
				drawUser(t)(m.user)
			}
			if step > 0 && rapid.Bool().Draw(t, "foreign") {
				m.foreign(t)
			}
			theirBlock := m.binding.AccountID != "" && !m.account.Enabled() && !m.binding.Blocked
			first := m.sync()
			if theirBlock && m.account.Enabled() {
				t.Fatalf("a block that is not ours was reverted by %s", summary(first))
			}
			if second := m.decide(); len(second.Changes) > 0 {
				t.Fatalf("after %s\nthe next sync plans %s\n%+v", summary(first), summary(second), second.Changes[0])
			}
			settled := m.sync()
			m.check(t, settled)
		}
	})
}

// check holds a settled account against what the directory wants.
func (m *model) check(t *rapid.T, d plan.Decision) {
	if m.account == nil || m.binding.AccountID == "" {
		return
	}
	if !m.user.Enabled() && m.account.Enabled() {
		t.Fatalf("the account of a suspended user is enabled: %s", summary(d))
	}
	if name := m.account.Properties[upn].String(); m.stays(upn) && name != ownName {
		t.Fatalf("the account that keeps its name is called %s (%s)", name, summary(d))
	}
	want, problems := m.cfg.Mapper.Desired(m.user)
	if len(problems) > 0 {
		if d.Status != directory.BindingRefused {
			t.Fatalf("status = %s for a user with %s", d.Status, problems[0].Code)
		}
		return
	}
	reported := map[string]bool{}
	for _, f := range d.Findings {
		name, _, _ := strings.Cut(f.Message, " ")
		reported[name] = true
		reported[onOff] = reported[onOff] || f.Code == "blocked-at-microsoft"
	}
	for n, v := range want {
		if !m.stays(n) && !reported[n] && !mapping.Same(n, v, m.account.Properties[n]) {
			t.Fatalf("%s = %q, want %q (%s)", n, m.account.Properties[n], v, summary(d))
		}
	}
}

// stays reports whether a property of the account is left as the account has it,
// whatever the directory wants: its alias, a name that nobody has given the
// user, and the sign-in name of an account that was adopted with another one.
func (m *model) stays(name string) bool {
	switch name {
	case directory.PropMailNickname:
		return !m.cfg.Settings.UpdateMailNickname && !mapping.Canonical(name, m.account.Properties[name]).IsNull()
	case directory.PropDisplayName:
		return mapping.Nameless(m.user) && !mapping.Canonical(name, m.account.Properties[name]).IsNull()
	case upn:
		return m.ownName && m.cfg.Settings.AdoptedUserPrincipalName != directory.AdoptedNameEmail
	}
	return false
}

// The same input gives the same bytes: nothing depends on the order of maps.
func TestDecideIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		m.sync()
		drawUser(t)(m.user)
		m.foreign(t)
		first := encoded(m.decide())
		for range 5 {
			m.binding.Base, m.user.CustomAttributes = reinserted(m.binding.Base), reinserted(m.user.CustomAttributes)
			if m.account != nil {
				m.account.Properties = reinserted(m.account.Properties)
			}
			m.cfg.Settings.Attributes = reinserted(m.cfg.Settings.Attributes)
			m.cfg.Mapper = mapping.New(m.cfg.Settings, []directory.Domain{{Name: "corp.example"}})
			if again := encoded(m.decide()); again != first {
				t.Fatalf("Decide = %s\nand again %s", first, again)
			}
		}
	})
}

func encoded(d plan.Decision) string {
	b, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// reinserted is the map made anew, filled from behind.
func reinserted[M ~map[K]V, K ~string, V any](m M) M {
	if m == nil {
		return nil
	}
	keys := slices.Sorted(maps.Keys(m))
	slices.Reverse(keys)
	out := M{}
	for _, k := range keys {
		out[k] = m[k]
	}
	return out
}

// Releasing with restore gives an adopted account its values from before back,
// and then plans nothing more.
func TestReleaseRestores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		if m.account == nil {
			return
		}
		before := maps.Clone(m.account.Properties)
		m.sync()
		if m.binding.AccountID == "" || m.binding.Created {
			return
		}
		m.sync()
		drawUser(t)(m.user)
		m.sync()
		m.sync()
		m.binding.Release = directory.ReleaseRestore
		d := m.sync()
		if again := m.decide(); len(again.Changes) > 0 {
			t.Fatalf("after %s the release plans %s", summary(d), summary(again))
		}
		for _, n := range m.cfg.Mapper.Managed() {
			if before[n].IsNull() && !directory.Clearable(n) {
				continue
			}
			if !mapping.Same(n, before[n], m.account.Properties[n]) {
				t.Fatalf("%s = %q, want %q as before (%s)", n, m.account.Properties[n], before[n], summary(d))
			}
		}
	})
}

func ExampleText() {
	fmt.Println(plan.Text(directory.Change{UserPrincipalName: "ann@corp.example", Effect: directory.EffectBlock, Reason: "blocked because the user is suspended in the directory"}))
	// Output: block    ann@corp.example: blocked because the user is suspended in the directory
}
