package directory

import (
	"maps"
	"slices"
	"strings"
)

// Limit is what the guard lets pass of one effect: at most the larger of Count
// and Share × bound users in one run, of those whose binding has had its account
// for a day. Setting one of the two means that one alone. The 24h and 7d forms count what was applied in that time together with
// the run. Allowances fills in the defaults.
type Limit struct {
	Count    *int     `json:"count,omitempty"`
	Share    *float64 `json:"share,omitempty"`
	Count24h *int     `json:"count24h,omitempty"`
	Share24h *float64 `json:"share24h,omitempty"`
	Count7d  *int     `json:"count7d,omitempty"`
	Share7d  *float64 `json:"share7d,omitempty"`
	// By holds each department, or each domain, to the limit as well, with its
	// share of that part's own users.
	By []Dimension `json:"by,omitempty"`
	// CountGroup and ShareGroup are what may happen to the members of one group besides: the
	// larger of the number and the share of its members, in a run and in a day. They are of
	// effects that count by group (EffectRow.Scoped).
	CountGroup *int     `json:"countGroup,omitempty"`
	ShareGroup *float64 `json:"shareGroup,omitempty"`
}

// InGroup is what a limit lets pass of an effect in each group; nil: groups are not
// counted by themselves.
func (l Limit) InGroup(e Effect) *Allowance {
	normal := e.Row().Scoped
	if a, set := chosen(l.CountGroup, l.ShareGroup); set && normal != nil {
		return &a
	}
	return normal
}

// Dimension is a way to part the bound users.
type Dimension string

// The dimensions.
const (
	ByDepartment Dimension = "department"
	ByDomain     Dimension = "domain"
)

// Allowance is what a limit lets pass: the larger of Count and Share × users.
type Allowance struct {
	Count int
	Share float64
}

// Allowances returns what a limit lets pass of an effect in each period; a
// period that is missing has no limit.
//
//	period  set by an admin          else
//	run     count, share             the default of the effect
//	24h     count24h, share24h       what the run may do, and no fewer than the default's floor:
//	                                 many small runs trip what a large one would
//	7d      count7d, share7d         twice the day, unless the admin has set the day
func (l Limit) Allowances(e Effect) map[Period]Allowance {
	periods := map[Period]Allowance{}
	normal := e.Row().Default
	run, limited := chosen(l.Count, l.Share)
	if !limited && normal != nil {
		run, limited = normal.Allowance, true
	}
	if limited {
		periods[PeriodRun] = run
	}
	day, set := chosen(l.Count24h, l.Share24h)
	if !set {
		day = Allowance{run.Count, run.Share}
		if normal != nil {
			day.Count = max(run.Count, normal.DayCount)
		}
	}
	if set || limited {
		periods[PeriodDay] = day
	}
	week, weekSet := chosen(l.Count7d, l.Share7d)
	if !weekSet {
		week = Allowance{2 * day.Count, 2 * day.Share}
	}
	if weekSet || limited && !set {
		periods[PeriodWeek] = week
	}
	return periods
}

// chosen is the limit that an admin has set. Who sets one of the two means that
// one alone.
func chosen(count *int, share *float64) (Allowance, bool) {
	a := Allowance{}
	if count != nil {
		a.Count = *count
	}
	if share != nil {
		a.Share = *share
	}
	return a, count != nil || share != nil
}

// BreakerSettings say when a run goes in waves, and what stops it between two.
type BreakerSettings struct {
	// Over is how many changes of one kind (blocks, renames, sensitive values,
	// emptied ones, changed mappings) go without waves.
	Over *int `json:"over,omitempty"`
	// Failures and Mismatches are the shares of a wave beyond which the run is
	// stopped.
	Failures   *float64 `json:"failures,omitempty"`
	Mismatches *float64 `json:"mismatches,omitempty"`
}

// Defaulted returns the breaker with every default filled in.
func (b BreakerSettings) Defaulted() BreakerSettings {
	b.Over = orDefault(b.Over, 100)
	b.Failures = orDefault(b.Failures, 0.2)
	b.Mismatches = orDefault(b.Mismatches, 0.05)
	return b
}

func orDefault[T any](v *T, fallback T) *T {
	if v == nil {
		return &fallback
	}
	return v
}

func (s *Settings) validateGuard(bad func(field, format string, args ...any)) {
	for _, e := range slices.Sorted(maps.Keys(s.Guard)) {
		if !slices.Contains(GuardedEffects, e) {
			bad("guard."+string(e), "there is no such limit; there are %s", joinEffects(GuardedEffects))
		}
		l, field := s.Guard[e], "guard."+string(e)+"."
		notNegative(bad, field+"count", l.Count)
		notNegative(bad, field+"count24h", l.Count24h)
		notNegative(bad, field+"count7d", l.Count7d)
		aShare(bad, field+"share", l.Share)
		aShare(bad, field+"share24h", l.Share24h)
		aShare(bad, field+"share7d", l.Share7d)
		notNegative(bad, field+"countGroup", l.CountGroup)
		aShare(bad, field+"shareGroup", l.ShareGroup)
		if (l.CountGroup != nil || l.ShareGroup != nil) && e.Row().Scoped == nil {
			bad(field+"countGroup", "and shareGroup are for member-remove, which alone counts by group")
		}
		for i, d := range l.By {
			switch {
			case d != ByDepartment && d != ByDomain:
				bad(field+"by", "must list department, domain or both, not %q", d)
			case slices.Contains(l.By[:i], d):
				bad(field+"by", "lists %s twice", d)
			}
		}
	}
}

func (b *BreakerSettings) validate(bad func(field, format string, args ...any)) {
	notNegative(bad, "breaker.over", b.Over)
	aShare(bad, "breaker.failures", b.Failures)
	aShare(bad, "breaker.mismatches", b.Mismatches)
}

func notNegative(bad func(field, format string, args ...any), field string, n *int) {
	if n != nil && *n < 0 {
		bad(field, "must not be negative")
	}
}

// aShare refuses what does not lie between 0 and 1, "not a number" too.
func aShare(bad func(field, format string, args ...any), field string, x *float64) {
	if x != nil && !(*x >= 0 && *x <= 1) {
		bad(field, "must lie between 0 and 1")
	}
}

func joinEffects(list []Effect) string {
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = string(e)
	}
	return strings.Join(names, ", ")
}
