package directory

import (
	"maps"
	"slices"
	"strings"
)

// Limit is what the guard lets pass of one effect: at most the larger of Count
// and Share × bound users in one run. Setting one of the two means that one
// alone. The 24h and 7d forms count what was applied in that time together with
// the run. Package plan has the defaults.
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
}

// Dimension is a way to part the bound users.
type Dimension string

// The dimensions.
const (
	ByDepartment Dimension = "department"
	ByDomain     Dimension = "domain"
)

// BreakerSettings say when a run goes in waves, and what stops it between two.
type BreakerSettings struct {
	// Over is how many changes of one kind (blocks, renames, emptied values,
	// changed mappings) go without waves.
	Over *int `json:"over,omitempty"`
	// Failures and Mismatches are the shares of a wave beyond which the run is
	// stopped.
	Failures   *float64 `json:"failures,omitempty"`
	Mismatches *float64 `json:"mismatches,omitempty"`
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
