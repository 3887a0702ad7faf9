package directory

import (
	"maps"
	"slices"
	"strings"
)

// Safety is what an edit of settings does to safety, by key: "mode",
// "guard.block", "attributes.mobilePhone.export". What is in neither list makes
// nothing safer or less safe.
type Safety struct {
	Loosened  []string // needs a decision: the scope bindery/approve
	Tightened []string
}

// SafetyOf compares settings as they take effect: a key that is left out counts
// as its default, so that taking a limit away may loosen or tighten.
func SafetyOf(old, next Settings) Safety {
	old, next = old.Defaulted(), next.Defaulted()
	var s Safety
	for _, row := range settingsSafety {
		if row.judge == nil {
			continue
		}
		row.judge(&old, &next, func(key string, to direction) {
			switch {
			case to == looser && !slices.Contains(s.Loosened, key):
				s.Loosened = append(s.Loosened, key)
			case to == tighter && !slices.Contains(s.Tightened, key):
				s.Tightened = append(s.Tightened, key)
			}
		})
	}
	slices.Sort(s.Loosened)
	slices.Sort(s.Tightened)
	return s
}

// direction is where an edit takes a safety rule.
type direction int

const (
	unchanged direction = iota
	looser
	tighter
)

// safetyRow judges the edits of some keys of Settings, with defaults filled in.
type safetyRow struct {
	keys []string // as in JSON, with * for a name
	// judge says where an edit goes; nil when every one is neutral.
	judge func(old, next *Settings, say func(key string, to direction))
}

// settingsSafety has every key of Settings in exactly one row.
var settingsSafety = []safetyRow{
	// What the guard lets pass, and when a run goes by itself.
	{[]string{"guard.*.count", "guard.*.share", "guard.*.count24h", "guard.*.share24h", "guard.*.count7d", "guard.*.share7d", "guard.*.by", "guard.*.countGroup", "guard.*.shareGroup"}, judgeGuard},
	{[]string{"breaker.over", "breaker.failures", "breaker.mismatches"}, judgeBreaker},
	{[]string{"mode"}, toward("mode", func(s *Settings) bool { return s.Mode == ModeAutomatic })},
	{[]string{"fourEyes"}, toward("fourEyes", func(s *Settings) bool { return !s.FourEyes })},

	// Who is never written.
	{[]string{"protected"}, judgeProtected},
	{[]string{"protectGroups"}, toward("protectGroups", func(s *Settings) bool { return !*s.ProtectGroups })},

	// What is taken from an account when its user goes, and what is given.
	{[]string{"onDelete"}, toward("onDelete", func(s *Settings) bool { return s.OnDelete == "delete" })},
	{[]string{"onRelease"}, judgeOnRelease},
	{[]string{"onSoftDeleted"}, toward("onSoftDeleted", func(s *Settings) bool { return s.OnSoftDeleted == "restore" })},
	{[]string{"initialAccess"}, toward("initialAccess", func(s *Settings) bool { return s.InitialAccess == "temporary-password" })},
	{[]string{"temporaryPasswordHours"}, judgeTemporaryPassword},
	{[]string{"keepBeforeDays"}, judgeKeepBefore},

	// What is written over others: values that only the tenant changed, values
	// that the directory has not, and those by which an account is taken over.
	{[]string{"foreignChange.*"}, judgeForeign},
	{[]string{"attributes.*.export", "attributes.*.clear"}, judgeAttributes},
	{[]string{"manager.export", "manager.clear"}, judgeManager},
	{[]string{"updateMailNickname"}, toward("updateMailNickname", func(s *Settings) bool { return s.UpdateMailNickname })},
	{[]string{"adoptedUserPrincipalName"}, toward("adoptedUserPrincipalName", func(s *Settings) bool { return s.AdoptedUserPrincipalName == AdoptedNameEmail })},

	// Which tenant is taken.
	{[]string{"allowGoDaddy"}, toward("allowGoDaddy", func(s *Settings) bool { return s.AllowGoDaddy })},

	// Neutral. Another mapping may touch everybody: the guard counts the new names,
	// and holds the first plan after it when it is large. How often is read, what
	// an import brings and what may be read in Microsoft's log weakens no rule. Nor does
	// a licence that is given: what is taken away, the guard counts.
	{[]string{"domainMap.*", "defaultDomain", "attributes.*.from", "interval", "import.attributes", "import.state", "import.photos", "auditLog",
		"groups", "licences", "defaultUsageLocation"}, nil},
}

// toward judges a setting that is loose or not.
func toward(key string, loose func(*Settings) bool) func(old, next *Settings, say func(string, direction)) {
	return func(old, next *Settings, say func(string, direction)) {
		switch was, is := loose(old), loose(next); {
		case is && !was:
			say(key, looser)
		case was && !is:
			say(key, tighter)
		}
	}
}

// compare judges a size that is looser the larger it is.
func compare[T int | float64](key string, old, next T, say func(string, direction)) {
	switch {
	case next > old:
		say(key, looser)
	case next < old:
		say(key, tighter)
	}
}

// judgeGuard compares what each limit lets pass. A count or a share that rises
// lets more pass for some number of users, whatever becomes of the other.
func judgeGuard(old, next *Settings, say func(string, direction)) {
	for _, e := range GuardedEffects {
		key := "guard." + string(e)
		before, after := old.Guard[e], next.Guard[e]
		then, now := before.Allowances(e), after.Allowances(e)
		for _, p := range []Period{PeriodRun, PeriodDay, PeriodWeek} {
			was, limited := then[p]
			is, still := now[p]
			switch {
			case limited && !still:
				say(key, looser)
			case !limited && still:
				say(key, tighter)
			default:
				compare(key, was.Count, is.Count, say)
				compare(key, was.Share, is.Share, say)
			}
		}
		if a, b := before.InGroup(e), after.InGroup(e); a != nil {
			compare(key+".group", a.Count, b.Count, say)
			compare(key+".group", a.Share, b.Share, say)
		}
		judgeSet(before.By, after.By, func(to direction) { say(key+".by", to) })
	}
}

// judgeSet judges a set that is looser the less it has.
func judgeSet[T comparable](old, next []T, say func(direction)) {
	for _, v := range old {
		if !slices.Contains(next, v) {
			say(looser)
		}
	}
	for _, v := range next {
		if !slices.Contains(old, v) {
			say(tighter)
		}
	}
}

func judgeBreaker(old, next *Settings, say func(string, direction)) {
	was, is := old.Breaker.Defaulted(), next.Breaker.Defaulted()
	compare("breaker.over", *was.Over, *is.Over, say)
	compare("breaker.failures", *was.Failures, *is.Failures, say)
	compare("breaker.mismatches", *was.Mismatches, *is.Mismatches, say)
}

// judgeProtected compares names as they are matched with accounts. That a name
// in place of another means the same account cannot be known here.
func judgeProtected(old, next *Settings, say func(string, direction)) {
	folded := func(list []string) []string {
		out := make([]string, len(list))
		for i, p := range list {
			out[i] = FoldAddress(strings.TrimSpace(p))
		}
		return out
	}
	judgeSet(folded(old.Protected), folded(next.Protected), func(to direction) { say("protected", to) })
}

// judgeOnRelease: keep writes nothing. Of the others none is safer: block takes
// access away, restore may give it back.
func judgeOnRelease(old, next *Settings, say func(string, direction)) {
	switch {
	case next.OnRelease == old.OnRelease:
	case next.OnRelease == ReleaseKeep:
		say("onRelease", tighter)
	default:
		say("onRelease", looser)
	}
}

// judgeTemporaryPassword: the longer a password can be shown, the longer it can
// be stolen.
func judgeTemporaryPassword(old, next *Settings, say func(string, direction)) {
	compare("temporaryPasswordHours", old.TemporaryPasswordHours, next.TemporaryPasswordHours, say)
}

// judgeKeepBefore: without the values from before, nothing can be given back.
func judgeKeepBefore(old, next *Settings, say func(string, direction)) {
	compare("keepBeforeDays", next.KeepBeforeDays, old.KeepBeforeDays, say)
}

// judgeForeign: to revert writes over what others have changed. The policy has
// no say about accountEnabled: a block of ours is always kept, and one of others
// never lifted.
func judgeForeign(old, next *Settings, say func(string, direction)) {
	for _, p := range append(slices.Clone(writtenProperties), PropManager, PropLicences) {
		was, is := old.Foreign(p), next.Foreign(p)
		if p == PropAccountEnabled || was == is {
			continue
		}
		key := "foreignChange.default"
		if old.ForeignChange[p] != "" || next.ForeignChange[p] != "" {
			key = "foreignChange." + p
		}
		if is == ForeignRevert {
			say(key, looser)
		} else {
			say(key, tighter)
		}
	}
}

// judgeManager: whoever is somebody's manager at Microsoft is asked to approve
// what that person requests, access too. To clear loses what only the tenant had.
func judgeManager(old, next *Settings, say func(string, direction)) {
	toward("manager.export", func(s *Settings) bool { return s.Manager.Export })(old, next, say)
	toward("manager.clear", func(s *Settings) bool { return s.Manager.Export && s.Manager.Clear })(old, next, say)
}

// judgeAttributes: to write a sensitive property is a way to take an account
// over, and to clear one loses what only the tenant had. Any other export is
// held by the guard when it is large.
func judgeAttributes(old, next *Settings, say func(string, direction)) {
	names := slices.Concat(slices.Collect(maps.Keys(old.Attributes)), slices.Collect(maps.Keys(next.Attributes)))
	for _, p := range names {
		if Sensitive(p) {
			toward("attributes."+p+".export", func(s *Settings) bool { return s.Attributes[p].Export })(old, next, say)
		}
		toward("attributes."+p+".clear", func(s *Settings) bool { return s.Attributes[p].Export && s.Attributes[p].Clear })(old, next, say)
	}
}
