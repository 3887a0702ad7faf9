package plan

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"bindery/shared/core/mapping"
	"bindery/shared/directory"
)

// Microsoft may refuse a single value, keep another one in its place, or take
// it and keep nothing. None of that holds up the rest of the account, and none
// of it is written again and again: the binding remembers (Binding.Refused,
// Binding.Kept) until the wish or the attribute's rule changes.

// essential are the properties that no account can be created without.
var essential = []string{directory.PropUserPrincipalName, directory.PropMailNickname, directory.PropDisplayName}

// RuleOf stands for the setting that a property's values come from; "" for those
// that are always exported.
func RuleOf(s directory.Settings, name string) string {
	rule, set := s.Attributes[name]
	if !set {
		return ""
	}
	raw, err := json.Marshal(rule)
	if err != nil {
		panic("plan: rule: " + err.Error()) // our own type always marshals
	}
	h := fnv.New32a()
	h.Write(raw)
	return strconv.FormatUint(uint64(h.Sum32()), 36)
}

// refusedBefore reports whether Microsoft has refused this very value, and
// nothing about it has changed since.
func refusedBefore(c Config, b *directory.Binding, name string, v directory.Value) (directory.RefusedValue, bool) {
	r, there := b.Refused[name]
	return r, there && name != directory.PropAccountEnabled && v.Equal(r.Value) && r.Rule == RuleOf(c.Settings, name)
}

// withoutMet is a binding without the refused values that its account has all the
// same: somebody has given them to it at Microsoft, where alone some can be set.
func withoutMet(b *directory.Binding, a *directory.Account) *directory.Binding {
	if a == nil || len(b.Refused) == 0 {
		return b
	}
	met := *b
	met.Refused = maps.Clone(b.Refused)
	maps.DeleteFunc(met.Refused, func(name string, r directory.RefusedValue) bool {
		observed, read := a.Properties[name]
		return read && mapping.Same(name, r.Value, observed)
	})
	return &met
}

// Desired is what may be written to a bound user's account: what the directory
// wants, without what breaks a rule of mapping and what Microsoft refused. The
// problems say what is missing. values is nil when a problem concerns the user
// as a whole.
func Desired(c Config, u *directory.User, b *directory.Binding) (values directory.Properties, problems []directory.Problem) {
	w := want(c, u, b)
	if w.whole {
		return nil, w.problems
	}
	return w.values, w.problems
}

// Standing returns the kept and the refused values of a subject that still
// count: those whose wish has not changed, and which the account still shows.
func Standing(c Config, s Subject) (kept map[string]directory.KeptValue, refused map[string]directory.RefusedValue) {
	if len(s.Binding.Kept) == 0 && len(s.Binding.Refused) == 0 {
		return nil, nil
	}
	values, _ := c.Mapper.Desired(s.User)
	for name, k := range s.Binding.Kept {
		v, wanted := values[name]
		if wanted && mapping.Same(name, k.Wanted, v) && (s.Account == nil || mapping.Same(name, k.Kept, s.Account.Properties[name])) {
			if kept == nil {
				kept = map[string]directory.KeptValue{}
			}
			kept[name] = k
		}
	}
	for name, r := range withoutMet(s.Binding, s.Account).Refused {
		v, wanted := values[name]
		_, yes := refusedBefore(c, s.Binding, name, v)
		if name == directory.PropMailNickname && s.Binding.AccountID == "" && r.Problem.Kind == directory.ProblemConflict {
			yes = slices.Contains(nicknames(s.User, v.String()), r.Value.String())
		}
		if yes && wanted {
			if refused == nil {
				refused = map[string]directory.RefusedValue{}
			}
			refused[name] = r
		}
	}
	return kept, refused
}

// Judge decides about values that were not as written when the account was first
// looked at after our write (PropertyWrites.Seen). When a direct read, made after
// the time in which it may show an old copy, shows the same once more, and nobody
// is known to have changed it, then that is what Microsoft keeps. A first look that
// still showed the value from before, or nothing, was too early: then it is what
// Microsoft keeps when it is another form of what we wrote.
func Judge(s *Subject, now time.Time) map[string]directory.KeptValue {
	b, a := s.Binding, s.Account
	if a == nil || b.Release != "" {
		return nil
	}
	var kept map[string]directory.KeptValue
	for name, base := range b.Base {
		w := b.Written(name)
		observed, read := a.Properties[name]
		_, theirs := s.Changed[name]
		if w == nil || !read || theirs || name == directory.PropAccountEnabled || s.Fresh.Has(name) || mapping.Same(name, base, observed) {
			continue
		}
		seen, looked := w.Seen[name]
		before := beforeOf(b, w, name)
		early := looked && mapping.Same(name, seen, before) && anotherForm(base, observed)
		if !looked || !mapping.Same(name, seen, observed) && !early {
			continue
		}
		if kept == nil {
			kept = map[string]directory.KeptValue{}
		}
		code := directory.CodeNormalised
		if observed.IsNull() || mapping.Same(name, before, observed) {
			code = directory.CodeNotKept
		}
		kept[name] = directory.KeptValue{Wanted: base, Kept: observed, Code: code, Since: now}
	}
	return kept
}

// anotherForm reports whether a value is another one in other letters, with other
// spaces and signs, or shortened.
func anotherForm(wrote, observed directory.Value) bool {
	a, b := bareText(wrote), bareText(observed)
	return b != "" && strings.HasPrefix(a, b)
}

// bareText is what of a value is letters and digits, in one case.
func bareText(v directory.Value) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, v.String())
}

// beforeOf is the value of a property from before a write.
func beforeOf(b *directory.Binding, w *directory.PropertyWrites, name string) directory.Value {
	if v, noted := w.Before[name]; noted {
		return v
	}
	if b.Created {
		return directory.Null
	}
	return b.Before[name]
}

// Keep notes on a binding what Microsoft keeps. Its maps are made anew, since
// others may read the old ones.
func Keep(b *directory.Binding, judged map[string]directory.KeptValue) {
	if len(judged) == 0 {
		return
	}
	kept, base := maps.Clone(b.Kept), maps.Clone(b.Base)
	if kept == nil {
		kept = map[string]directory.KeptValue{}
	}
	if base == nil {
		base = directory.Properties{}
	}
	for name, k := range judged {
		kept[name], base[name] = k, k.Kept
		if name == directory.PropUserPrincipalName {
			b.UserPrincipalName = k.Kept.String()
		}
	}
	b.Kept, b.Base = kept, base
}

// tellsOfKept is the finding about a value that Microsoft keeps otherwise.
func tellsOfKept(name string, k directory.KeptValue, holder string) directory.Problem {
	var p *directory.Problem
	switch k.Code {
	case directory.CodeSuffixed:
		p = problem(k.Code, fmt.Sprintf("Another object has the mailNickname %s; the account was created with %s.", quoted(k.Wanted), quoted(k.Kept)),
			"Nothing has to be done; change the alias in Microsoft 365 if another one is wanted.", holder)
	case directory.CodeNotKept:
		p = problem(k.Code, fmt.Sprintf("Microsoft took %s for %s and did not keep it; the account has %s.", quoted(k.Wanted), name, quoted(k.Kept)),
			"Look what in Microsoft 365 sets "+name+", or switch its export off. It is written again once the user's value changes.", holder)
	default:
		p = problem(k.Code, fmt.Sprintf("Microsoft keeps %s as %s instead of %s; that counts as agreed.", name, quoted(k.Kept), quoted(k.Wanted)),
			"Nothing has to be done; give the user the value as Microsoft keeps it to have no difference.", holder)
	}
	p.Property = name
	return *p
}

// OnlyKept reports whether findings tell of nothing but values that Microsoft
// keeps otherwise: there is nothing to do about the account.
func OnlyKept(findings []directory.Problem) bool {
	return !slices.ContainsFunc(findings, func(p directory.Problem) bool {
		return p.Code != directory.CodeNormalised && p.Code != directory.CodeNotKept && p.Code != directory.CodeSuffixed
	})
}

// nicknames are what a new account may be called, one after the other as
// Microsoft refuses them because another object has them.
func nicknames(u *directory.User, wanted string) []string {
	const longest = 64
	id := strings.ToLower(string(u.ID))
	tail := "-" + id[max(0, len(id)-5):]
	list := []string{wanted}
	for _, suffix := range []string{"2", "3", tail} {
		list = append(list, wanted[:min(len(wanted), longest-len(suffix))]+suffix)
	}
	return list
}

// nickname chooses the mailNickname of a new account: the first one that was not
// refused because another object has it. The problem says that all were.
func nickname(c Config, s Subject, wanted directory.Value) (directory.Value, *directory.Problem) {
	r, refused := s.Binding.Refused[directory.PropMailNickname]
	if !refused || r.Problem.Kind != directory.ProblemConflict {
		return wanted, nil
	}
	list := nicknames(s.User, wanted.String())
	switch at := slices.Index(list, r.Value.String()); {
	case at < 0:
		return wanted, nil // of another address
	case at+1 == len(list):
		return directory.Null, &r.Problem
	default:
		return directory.StringValue(list[at+1]), nil
	}
}
