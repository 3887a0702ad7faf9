package plan

import "bindery/shared/directory"

// periodsOf returns the limits that hold for an effect, the shortest first.
func periodsOf(e directory.Effect, l directory.Limit, recent, lastDay, lastWeek history) []period {
	allowed := l.Allowances(e)
	var list []period
	for _, p := range []period{
		{name: directory.PeriodRun, when: "in this run", history: recent},
		{name: directory.PeriodDay, when: "in the last 24 hours", history: lastDay},
		{name: directory.PeriodWeek, when: "in the last 7 days", history: lastWeek},
	} {
		if a, limited := allowed[p.name]; limited {
			p.count, p.share = a.Count, a.Share
			list = append(list, p)
		}
	}
	return list
}

// Exempt reports whether a change goes through although the run is held: what
// takes access away goes, as long as neither its own effect nor what it follows
// from is beyond a limit, and nothing holds everything. An effect that is beyond its
// limit for objects of one kind is held for those of all: the waves of a run number
// them together.
func Exempt(h *directory.Held, c *directory.Change) bool {
	// A hold without evidence is one of unknown cause.
	if h.All || len(h.Limits)+len(h.Facts) == 0 || h.Wave != nil || c.Effect.Row().Phase != directory.PhaseTake {
		return false
	}
	for _, x := range h.Limits {
		if is(c, x.Effect) || c.Effect == directory.EffectRevoke && x.Effect == directory.EffectBlock {
			return false
		}
	}
	return true
}

// Limited reports whether a plan has changes of an effect that the guard has a
// limit for: otherwise what was applied before need not be known.
func Limited(limits map[directory.Effect]directory.Limit, t Tally) bool {
	t = t.guarded()
	for _, e := range directory.GuardedEffects {
		if t.Total(e) > 0 && (e.Row().Scoped != nil || len(periodsOf(e, limits[e], nil, nil, nil)) > 0) {
			return true
		}
	}
	return false
}

// ByPart reports whether a plan meets a limit that holds for each department or
// domain by itself.
func ByPart(limits map[directory.Effect]directory.Limit, t Tally) bool {
	t = t.guarded()
	for e, l := range limits {
		if len(l.By) > 0 && t.Total(e) > 0 {
			return true
		}
	}
	return false
}
