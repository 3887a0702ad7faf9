package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bindery/shared/directory"
)

// Phase says when an effect's turn is: 0 takes access away, 1 concerns
// accounts that are there, 2 makes new ones.
func Phase(e directory.Effect) int {
	switch e {
	case directory.EffectBlock, directory.EffectRevoke, directory.EffectDelete:
		return 0
	case directory.EffectCreate:
		return 2
	}
	return 1
}

// Order sorts changes by phase, then by user; a user's changes keep their order.
func Order(changes []directory.Change) {
	slices.SortStableFunc(changes, func(a, b directory.Change) int {
		return cmp.Or(cmp.Compare(Phase(a.Effect), Phase(b.Effect)), cmp.Compare(a.UserID, b.UserID))
	})
}

// Counts returns the number of changes by effect.
func Counts(changes []directory.Change) map[directory.Effect]int {
	n := map[directory.Effect]int{}
	for i := range changes {
		n[changes[i].Effect]++
	}
	return n
}

// Text is a change in one line, for people.
func Text(c directory.Change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s %s", c.Effect, c.UserPrincipalName)
	if c.UserPrincipalName == "" {
		b.WriteString(string(c.UserID))
	}
	for _, p := range c.Properties {
		if !p.Before.Equal(p.After) {
			fmt.Fprintf(&b, " %s: %s → %s", p.Name, quoted(p.Before), quoted(p.After))
		}
	}
	return b.String() + " (" + c.Reason + ")"
}

// The limits that hold without any setting: at most 5 accounts, or 5 % of the
// bound users where that is more, lose access by one run.
const (
	defaultCount = 5
	defaultShare = 0.05
)

// Guard looks at the very changes that will run, counted by effect, and
// returns why the run must be held, or nil. bound is the number of bound users;
// emptySource says that the directory has no living user. A run is held when it
// has more changes of an effect than the larger of the limit's count and its
// share of the bound users.
func Guard(limits map[directory.Effect]directory.Limit, counts map[directory.Effect]int, bound int, emptySource bool) *directory.Held {
	var reasons []string
	if emptySource {
		reasons = append(reasons, "the directory has no users at all, which looks like a source that failed rather than like everybody leaving")
	}
	effects := slices.AppendSeq([]directory.Effect{directory.EffectBlock, directory.EffectDelete}, maps.Keys(limits))
	slices.Sort(effects)
	for _, e := range slices.Compact(effects) {
		limit, limited := limits[e]
		count, share := -1, -1.0
		if e == directory.EffectBlock || e == directory.EffectDelete {
			count, share = defaultCount, defaultShare
		}
		if limited && limit.Count != nil {
			count = *limit.Count
		}
		if limited && limit.Share != nil {
			share = *limit.Share
		}
		if count < 0 && share < 0 {
			continue
		}
		allowed := max(count, int(max(share, 0)*float64(bound)))
		if n := counts[e]; n > allowed {
			reasons = append(reasons, fmt.Sprintf("%d changes of the effect %s are more than the %d allowed (the larger of %d and %g %% of %d bound users)",
				n, e, allowed, max(count, 0), max(share, 0)*100, bound))
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	return &directory.Held{Reasons: reasons}
}
