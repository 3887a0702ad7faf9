package plan

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"bindery/shared/directory"
)

// Counts returns the number of changes by effect. A change that sets
// accountEnabled to false counts as a block, whatever it is called.
func Counts(changes []directory.Change) map[directory.Effect]int {
	n := map[directory.Effect]int{}
	for i := range changes {
		c := &changes[i]
		n[c.Effect]++
		if c.Effect != directory.EffectBlock && c.Effect != directory.EffectAdopt && disables(c) {
			n[directory.EffectBlock]++
		}
	}
	return n
}

func disables(c *directory.Change) bool {
	for _, p := range c.Properties {
		if on, ok := p.After.Bool(); p.Name == directory.PropAccountEnabled && ok && !on {
			return true
		}
	}
	return false
}

// The limits that hold without any setting: at most 5 accounts, or 5 % of the
// bound users where that is more, lose access by one run.
const (
	defaultCount = 5
	defaultShare = 0.05
)

// allowed is how many changes of an effect a limit lets pass: the larger of its
// count and its share of the bound users. An admin who sets one of the two
// means that one alone; who sets none gets the default of the effect, if it has
// one.
func allowed(e directory.Effect, limit directory.Limit, bound int) (n int, why string, limited bool) {
	count, share := 0, 0.0
	switch {
	case limit.Count != nil || limit.Share != nil:
		if limit.Count != nil {
			count = *limit.Count
		}
		if limit.Share != nil {
			share = *limit.Share
		}
	case e == directory.EffectBlock || e == directory.EffectDelete:
		count, share = defaultCount, defaultShare
	default:
		return 0, "", false
	}
	// A hair more, since 0.29 × 100 is 28.999… in binary.
	n = max(count, int(math.Floor(share*float64(bound)+1e-9)))
	percent := strconv.FormatFloat(math.Round(share*1e6)/1e4, 'f', -1, 64)
	return n, fmt.Sprintf("the larger of %d and %s %% of %d bound users", count, percent, bound), true
}

// Guard looks at the very changes that will run, counted by effect, and
// returns why the run must be held, or nil. bound is the number of bound users;
// emptySource says that the directory has no living user. It refuses whole: a
// held run changes nothing.
func Guard(limits map[directory.Effect]directory.Limit, counts map[directory.Effect]int, bound int, emptySource bool) *directory.Held {
	var reasons []string
	if emptySource {
		reasons = append(reasons, "the directory has no users at all, which looks like a source that failed rather than like everybody leaving")
	}
	effects := slices.AppendSeq([]directory.Effect{directory.EffectBlock, directory.EffectDelete}, maps.Keys(limits))
	slices.Sort(effects)
	for _, e := range slices.Compact(effects) {
		limit, why, limited := allowed(e, limits[e], bound)
		if n := counts[e]; limited && n > limit {
			reasons = append(reasons, fmt.Sprintf("%d changes of the effect %s are more than the %d allowed (%s)", n, e, limit, why))
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	return &directory.Held{Reasons: reasons}
}
