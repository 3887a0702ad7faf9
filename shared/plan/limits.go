package plan

import "bindery/shared/directory"

// standard is a limit that holds without any setting: for a run Count or Share;
// the day's number is never below DayCount.
type standard struct {
	count    int
	share    float64
	dayCount int
}

// standards are the limits that hold without any setting. Taking access away is
// the gravest; giving it back, new names and emptied values follow. First loads
// meet none: creations, adoptions and new values are free, and sessions end
// only with a block.
var standards = map[directory.Effect]standard{
	directory.EffectBlock:         {5, 0.05, 10},
	directory.EffectDelete:        {5, 0.05, 10},
	directory.EffectUnblock:       {20, 0.2, 40},
	directory.EffectRename:        {20, 0.1, 40},
	directory.EffectUpdateToEmpty: {20, 0.1, 40},
}

// periodsOf returns the limits that hold for an effect, the shortest first.
//
//	period  set by an admin          else
//	run     count, share             the standard of the effect
//	24h     count24h, share24h       what the run may do, and no fewer than the standard's floor:
//	                                 many small runs trip what a large one would
//	7d      count7d, share7d         twice the day, unless the admin has set the day
func periodsOf(e directory.Effect, l directory.Limit, recent, lastDay, lastWeek history) []period {
	var list []period
	normal, known := standards[e]
	run, limited := chosen(l.Count, l.Share)
	if !limited && known {
		run, limited = period{count: normal.count, share: normal.share}, true
	}
	if limited {
		run.name, run.when, run.history = directory.PeriodRun, "in this run", recent
		list = append(list, run)
	}
	day, set := chosen(l.Count24h, l.Share24h)
	if !set {
		day = period{count: max(run.count, normal.dayCount), share: run.share}
	}
	if set || limited {
		day.name, day.when, day.history = directory.PeriodDay, "in the last 24 hours", lastDay
		list = append(list, day)
	}
	week, weekSet := chosen(l.Count7d, l.Share7d)
	if !weekSet {
		week = period{count: 2 * day.count, share: 2 * day.share}
	}
	if weekSet || limited && !set {
		week.name, week.when, week.history = directory.PeriodWeek, "in the last 7 days", lastWeek
		list = append(list, week)
	}
	return list
}

// chosen is the limit that an admin has set. Who sets one of the two means that
// one alone.
func chosen(count *int, share *float64) (period, bool) {
	p := period{}
	if count != nil {
		p.count = *count
	}
	if share != nil {
		p.share = *share
	}
	return p, count != nil || share != nil
}

// Split parts a held run's changes into those that go through all the same and
// those that wait: what takes access away goes, as long as neither its own
// effect nor what it follows from is beyond a limit, and nothing holds
// everything.
func Split(h *directory.Held, changes []directory.Change) (free, kept []directory.Change) {
	for i := range changes {
		if Free(h, &changes[i]) {
			free = append(free, changes[i])
		} else {
			kept = append(kept, changes[i])
		}
	}
	return free, kept
}

// Free reports whether a change goes through although the run is held.
func Free(h *directory.Held, c *directory.Change) bool {
	// A hold without evidence is one of unknown cause.
	if h.All || len(h.Limits)+len(h.Facts) == 0 || h.Wave != nil || Phase(c.Effect) != 0 {
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
	for _, e := range directory.GuardedEffects {
		if t.Total(e) > 0 && len(periodsOf(e, limits[e], nil, nil, nil)) > 0 {
			return true
		}
	}
	return false
}

// ByPart reports whether a plan meets a limit that holds for each department or
// domain by itself.
func ByPart(limits map[directory.Effect]directory.Limit, t Tally) bool {
	for e, l := range limits {
		if len(l.By) > 0 && t.Total(e) > 0 {
			return true
		}
	}
	return false
}
