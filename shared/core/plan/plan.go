package plan

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"bindery/shared/core/mapping"
	"bindery/shared/directory"
)

// Config is what deciding needs besides the subject.
type Config struct {
	Mapper   *mapping.Mapper
	Settings directory.Settings // defaults filled in
	// ExportedSince is the connection's: since when sensitive properties are exported.
	ExportedSince map[string]time.Time
	// Protected says whether an account must never be written to, and why.
	Protected func(id directory.AccountID, userPrincipalName string) (reason string, yes bool)
}

// Subject is one bound user with all that was read about it.
type Subject struct {
	User    *directory.User
	Binding *directory.Binding
	// Account is the bound account as observed. When it is nil, Missing says
	// that a direct read found it gone, and Deleted is it in the recycle bin.
	Account *directory.Account
	Missing bool
	Deleted *directory.Account
	// For a binding without an account: the one that the user is known to have
	// (Linked), also when it lies in the recycle bin (LinkedDeleted), and who has
	// the mapped address.
	Linked        *directory.Account
	LinkedDeleted *directory.Account
	ByUPN         *directory.Account
	ByAddress     []directory.Account
	TakenBy       map[directory.AccountID]directory.UserID
	// MadeOf is which living users imports made of the accounts that have the address.
	MadeOf map[directory.AccountID]directory.UserID
	// Fresh says of which properties the observed values may be older than our
	// last write.
	Fresh directory.Recent
	// Changed is who changed which property at Microsoft, as far as that was
	// found out.
	Changed map[string]directory.Actor
}

// adopted reports whether the account is ours already.
func (s *Subject) adopted() bool {
	return s.Binding.AccountID != "" && (s.Binding.Base != nil || s.Binding.Created)
}

// Decision is what is to be done for one subject.
type Decision struct {
	Changes []directory.Change // in order; ID and State are not set
	// Base is what counts as agreed when there is nothing to write. It may be
	// the binding's own: whoever changes it makes a copy.
	Base directory.Properties
	// Before holds the managed values of an account that is being adopted.
	Before   directory.Properties
	Status   directory.BindingStatus
	Problem  *directory.Problem
	Findings []directory.Problem // reported without being acted on
}

// wanted is what the directory wants of one account. It is partial when it does
// not speak of every managed property: a deleted user's account is blocked and
// otherwise left as it is, and so is that of a suspended user with a problem that
// concerns the user as a whole.
type wanted struct {
	values   directory.Properties
	partial  bool
	whole    bool     // a problem concerns no property, but the user
	left     []string // managed, and left out because of a problem
	problems []directory.Problem
}

// want leaves out what breaks a rule of mapping and what Microsoft refused: each
// is a problem of its own, and the rest goes on.
func want(c Config, u *directory.User, b *directory.Binding) wanted {
	w := wanted{}
	w.values, w.problems = c.Mapper.Desired(u)
	if u.Deleted != nil {
		w.problems = nil
	}
	for i := range w.problems {
		name := w.problems[i].Property
		w.whole = w.whole || name == ""
		w.leave(name)
	}
	if u.Deleted != nil || w.whole {
		w.partial, w.values = true, directory.Properties{}
		if !u.Enabled() {
			w.values[directory.PropAccountEnabled] = directory.BoolValue(false)
		}
		return w
	}
	if slices.Contains(w.left, directory.PropUserPrincipalName) {
		w.leave(directory.PropMailNickname) // it is made of the same address
	}
	for _, name := range slices.Sorted(maps.Keys(b.Refused)) {
		v, wanted := w.values[name]
		r, refused := refusedBefore(c, b, name, v)
		if !wanted || !refused || name == directory.PropMailNickname && b.AccountID == "" && r.Problem.Kind == directory.ProblemConflict {
			continue // a new account may get another mailNickname
		}
		w.leave(name)
		w.problems = append(w.problems, r.Problem)
	}
	return w
}

func (w *wanted) leave(name string) {
	delete(w.values, name)
	w.left = append(w.left, name)
}

// Decide says what is to be done for a bound user.
func Decide(c Config, s Subject) Decision {
	if s.Binding.Status == directory.BindingPaused && !s.Binding.Resumed() {
		return Decision{Status: directory.BindingPaused, Problem: s.Binding.Problem, Base: s.Binding.Base, Findings: restingFindings(s)}
	}
	if s.Binding.AccountID == "" {
		return match(c, s, want(c, s.User, s.Binding))
	}
	return bound(c, s, want(c, s.User, withoutMet(s.Binding, s.Account)))
}

// restingFindings are those of a paused binding: what was found before the
// pause, and that somebody keeps an access who should lose it.
func restingFindings(s Subject) []directory.Problem {
	was := func(p directory.Problem) bool { return p.Code == directory.CodePausedLeaver }
	left := slices.DeleteFunc(slices.Clone(s.Binding.Findings), was)
	if s.User.Enabled() || s.Account == nil || !s.Account.Enabled() {
		return left
	}
	p := problem(directory.CodePausedLeaver, "The account stays enabled, since the binding is paused, although "+whyDisabled(s.User)+".",
		"Resume the binding to have the account blocked, or block it by hand.", string(s.Account.ID))
	p.Steps = []directory.Step{{Text: "Resume the binding.", Call: directory.CallResume}}
	if i := slices.IndexFunc(s.Binding.Findings, was); i >= 0 {
		p.Since = s.Binding.Findings[i].Since
	}
	return append(left, *p)
}

// bound decides about a user whose binding has an account.
func bound(c Config, s Subject, w wanted) Decision {
	if s.Missing {
		return gone(c, s)
	}
	if s.Account == nil {
		return Decision{Status: directory.BindingPending, Base: s.Binding.Base, Findings: s.Binding.Findings}
	}
	status, p := locked(c, s.Account)
	if !s.adopted() {
		status, p = untouchable(c, s.Account) // a guest that is not ours yet is a conflict
	}
	if p == nil && !s.adopted() {
		status, p = unfit(s, s.Account)
	}
	if p != nil {
		return Decision{Status: status, Problem: p, Base: s.Binding.Base}
	}
	if w.whole && s.User.Enabled() {
		return refused(s, w.problems)
	}
	return w.over(s, diff(c, s, s.Account, w))
}

// over tells in a decision of what was left out. Its changes do not wait for
// better data.
func (w *wanted) over(s Subject, d Decision) Decision {
	if len(w.problems) == 0 {
		return d
	}
	if len(d.Changes) > 0 {
		d.Findings = append(d.Findings, w.problems...)
		return d
	}
	r := refused(s, w.problems)
	r.Base, r.Findings = d.Base, append(r.Findings, d.Findings...)
	return r
}

// gone decides about a bound account that Microsoft has deleted.
func gone(c Config, s Subject) Decision {
	out := Decision{Status: directory.BindingConflict, Base: s.Binding.Base}
	id := string(s.Binding.AccountID)
	if s.Deleted == nil {
		out.Problem = problem(directory.CodeAccountGone, "The account was deleted at Microsoft for good.",
			"Release the user and bind it again to have a new account created.", id)
	} else {
		out.Problem = problem(directory.CodeAccountSoftDeleted, "Somebody deleted the account at Microsoft; it can be restored for 30 days.",
			"Restore it there, or release the user, or set onSoftDeleted to restore.", id)
	}
	if !s.User.Enabled() {
		// Without access, which is what is wanted: nobody has to act.
		out.Status, out.Findings, out.Problem = directory.BindingInSync, []directory.Problem{*out.Problem}, nil
		return out
	}
	if s.Deleted == nil || c.Settings.OnSoftDeleted != "restore" {
		return out
	}
	if status, p := locked(c, s.Deleted); p != nil {
		out.Status, out.Problem = status, p
		return out
	}
	out.Status, out.Problem = directory.BindingPending, nil
	out.Changes = []directory.Change{newChange(s.User, s.Binding.AccountID, s.Binding.UserPrincipalName,
		directory.EffectRestore, "restored because somebody deleted the account of an active user")}
	return out
}

// untouchable says why an account must not or cannot be written to.
func untouchable(c Config, a *directory.Account) (directory.BindingStatus, *directory.Problem) {
	if a.OnPremisesSync {
		return directory.BindingReadOnly, problem(directory.CodeSyncedOnPremises,
			"The account is mastered by an Active Directory that Microsoft syncs; Microsoft refuses changes to it.",
			"Change it in that Active Directory, or release the user with keep.", string(a.ID))
	}
	if c.Protected != nil {
		if reason, yes := c.Protected(a.ID, a.UserPrincipalName()); yes {
			return directory.BindingReadOnly, problem(directory.CodeAccountProtected, "The account is protected: "+reason+".",
				"Change it by hand, or lift its protection, or release the user with keep.", string(a.ID))
		}
	}
	return "", nil
}

// locked says why an account that is ours must not or cannot be written to.
func locked(c Config, a *directory.Account) (directory.BindingStatus, *directory.Problem) {
	if status, p := untouchable(c, a); p != nil {
		return status, p
	}
	switch {
	case a.Guest():
		return directory.BindingReadOnly, problem(directory.CodeAccountGuest, "The account has become a guest's.",
			"Change it by hand, or release the user with keep.", string(a.ID))
	case a.External():
		return directory.BindingReadOnly, problem(directory.CodeAccountExternal,
			"The account is that of an external member: its person signs in at another tenant or provider, which has the say about it.",
			"Release the user with keep, and bind it through the connection of its own tenant; or have the account converted to an internal one.", string(a.ID))
	}
	return "", nil
}

// Foreign says why an account that is ours cannot be: it is synced from
// on-premises, a guest's, or an external member's.
func Foreign(a *directory.Account) *directory.Problem {
	_, p := locked(Config{}, a)
	return p
}

// IsForeign reports whether a problem is one that Foreign tells.
func IsForeign(p *directory.Problem) bool {
	return p != nil && slices.Contains([]string{directory.CodeSyncedOnPremises, directory.CodeAccountGuest, directory.CodeAccountExternal}, p.Code)
}

func refused(s Subject, problems []directory.Problem) Decision {
	p := problems[0]
	return Decision{Status: directory.BindingRefused, Problem: &p, Findings: slices.Clone(problems[1:]), Base: s.Binding.Base}
}

func problem(code, message, next, holder string) *directory.Problem {
	return &directory.Problem{Code: code, Message: message, Next: next, Holder: holder}
}

// longest is how many characters of a value a sentence shows; the whole value
// stands in the change.
const longest = 80

func quoted(v directory.Value) string {
	if v.IsNull() {
		return "(empty)"
	}
	s := []rune(v.String())
	if len(s) > longest {
		s = append(s[:longest-1:longest-1], '…')
	}
	return fmt.Sprintf("%q", string(s))
}
