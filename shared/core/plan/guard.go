package plan

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"time"

	"bindery/shared/directory"
)

func disables(c *directory.Change) bool {
	for _, p := range c.Properties {
		if on, ok := p.After.Bool(); p.Name == directory.PropAccountEnabled && ok && !on {
			return true
		}
	}
	return false
}

// Facts are what the guard looks at: the very changes that will run, and what
// is known besides.
type Facts struct {
	Run Tally
	// Recent is what other runs applied shortly before: it counts as if it were
	// of this run, since a bulk edit that trickles in makes many small runs. Day
	// and Week are what was applied in the 24 hours and the 7 days before (see
	// Sums). None of them has this run, nor what an admin approved.
	Recent, Day, Week Counter
	Bound             Bound
	// Others are the bound objects of other kinds than accounts.
	Others map[directory.Kind]Bound
	// Approve says that the connection's mode lets no run go by itself.
	Approve bool
	// Source compares the directory with the last run; nil when it was not asked.
	Source *Source
	// Incomplete says why the tenant was not read to the end; empty when it was.
	Incomplete string
	// Unprotected says why it is not known which accounts are protected; empty
	// when it is.
	Unprotected string
	// Settings is set for the first plan after the connection's settings changed.
	Settings *Touched
	// Former are guards that were in place of looser ones lately, and still hold.
	Former []directory.LoosenedGuard
}

// Source is how many living users the directory had at the last run and has now.
type Source struct{ Then, Now int }

// Touched is how many bound accounts a plan would write to (see TouchedBy), and
// how many others have been written to already since the settings changed, or are
// about to be, without an approval: many small plans are no way around the limit
// of a large one.
type Touched struct{ Users, Before int }

// TouchedBy counts the objects of a list that would be changed otherwise than by
// what changes nothing that was there: first loads touch nobody.
func TouchedBy(changes []directory.Change) int {
	users := map[directory.Ref]bool{}
	fresh := map[directory.Ref]bool{}
	for i := range changes {
		if c := &changes[i]; c.Effect.Row().Adds {
			fresh[c.Ref()] = true
		} else {
			users[c.Ref()] = true
		}
	}
	n := 0
	for u := range users {
		if !fresh[u] {
			n++
		}
	}
	return n
}

// Beyond these a source counts as shrunken, and a plan after new settings as a
// large one: both the number and the share must be exceeded.
const (
	sourceCount   = 5
	sourceShare   = 0.2
	settingsCount = 20
	settingsShare = 0.2
)

// Guard returns why a run must be held, or nil. What may go through all the
// same, Exempt says.
func Guard(limits map[directory.Effect]directory.Limit, f Facts) *directory.Held {
	h := &directory.Held{}
	if f.Approve {
		h.All = true
		fact(h, directory.HeldFact{Code: directory.HeldApproveMode}, "the connection's mode is approve: every run waits for an admin")
	}
	guardSource(h, f.Source)
	if f.Incomplete != "" {
		fact(h, directory.HeldFact{Code: directory.HeldReadIncomplete}, "the plan was made from an incomplete read of the tenant: "+f.Incomplete)
	}
	if f.Unprotected != "" {
		h.All = true
		fact(h, directory.HeldFact{Code: directory.HeldRolesUnreadable}, "it is not known which accounts are protected: "+f.Unprotected)
	}
	if s := f.Settings; s != nil {
		if n := allowance(settingsCount, settingsShare, f.Bound.All); s.Users > 0 && s.Users+s.Before > n {
			what := fmt.Sprintf("the first plan since then touches %d accounts", s.Users)
			if s.Before > 0 {
				what = fmt.Sprintf("the plans since then touch %d accounts (this one %d)", s.Users+s.Before, s.Users)
			}
			fact(h, directory.HeldFact{Code: directory.HeldSettingsChanged, Now: s.Users + s.Before, Limit: n}, fmt.Sprintf(
				"the settings were changed, and %s, more than the %d allowed (%s)",
				what, n, larger(settingsCount, settingsShare, f.Bound.All, aDay)))
		}
	}
	f.Run = f.Run.guarded()
	guardEffects(h, f, limits)
	for _, former := range f.Former {
		guardFormer(h, f, former)
	}
	if len(h.Reasons) == 0 {
		return nil
	}
	return h
}

func guardEffects(h *directory.Held, f Facts, limits map[directory.Effect]directory.Limit) {
	for _, kind := range f.Run.Kinds() {
		part := f.of(kind)
		recent, day, week := part.Recent.history(), part.Day.history(), part.Week.history()
		for _, e := range directory.GuardedEffects {
			guardEffect(h, part, e, limits[e], periodsOf(e, limits[e], recent, day, week))
		}
	}
}

// partFacts are what is to be counted of one kind: limits hold for each by itself.
type partFacts struct {
	kind directory.Kind
	Facts
}

func (f *Facts) of(kind directory.Kind) partFacts {
	part := partFacts{kind, Facts{Run: f.Run.Of(kind), Recent: f.Recent.of(kind), Day: f.Day.of(kind), Week: f.Week.of(kind), Bound: f.Bound}}
	if kind != "" {
		part.Bound = f.Others[kind]
	}
	return part
}

// whose says of whom an allowance is a share: see Bound.
func (f *partFacts) whose() string {
	if f.kind == "" {
		return aDay
	}
	return "objects of the kind " + string(f.kind) + " bound with one in the tenant for a day"
}

// guardFormer holds what the guard held before it was loosened, as far as it
// does not hold it now.
func guardFormer(h *directory.Held, f Facts, former directory.LoosenedGuard) {
	was := &directory.Held{}
	guardEffects(was, f, former.Limits)
	is := h.Limits
	was.Limits = slices.DeleteFunc(was.Limits, func(x directory.Exceeded) bool {
		return slices.ContainsFunc(is, func(y directory.Exceeded) bool {
			return x.Kind == y.Kind && x.Effect == y.Effect && x.Slice == y.Slice && x.Scope == y.Scope
		})
	})
	if len(was.Limits) == 0 {
		return
	}
	fact(h, directory.HeldFact{Code: directory.HeldGuardLoosened}, fmt.Sprintf(
		"the guard was loosened at %s; for a day, or until a run like this one is approved, it holds what it held before", former.At.UTC().Format(time.RFC3339)))
	h.Limits, h.Reasons = append(h.Limits, was.Limits...), append(h.Reasons, was.Reasons...)
}

func fact(h *directory.Held, f directory.HeldFact, reason string) {
	h.Facts, h.Reasons = append(h.Facts, f), append(h.Reasons, reason)
}

// guardSource holds what an empty or shrunken source would do. Leavers are then
// just what is in doubt, so they wait as well.
func guardSource(h *directory.Held, s *Source) {
	switch {
	case s == nil:
	case s.Now == 0:
		h.All = true
		fact(h, directory.HeldFact{Code: directory.HeldSourceEmpty, Then: s.Then},
			"the directory has no users at all, which looks like a source that failed rather than like everybody leaving")
	case s.Then-s.Now > allowance(sourceCount, sourceShare, s.Then):
		h.All = true
		n := allowance(sourceCount, sourceShare, s.Then)
		fact(h, directory.HeldFact{Code: directory.HeldSourceShrank, Then: s.Then, Now: s.Now, Limit: n}, fmt.Sprintf(
			"the directory has %d users and had %d at the last run: %d fewer, more than the %d allowed (%s)",
			s.Now, s.Then, s.Then-s.Now, n, larger(sourceCount, sourceShare, s.Then, "users then")))
	}
}

// period is one of an effect's three limits.
type period struct {
	name    directory.Period
	when    string // in a sentence
	history history
	count   int
	share   float64
}

// guardEffect compares the run, the day and the week with their limits, for the
// whole connection and for each part that the setting names. Of the periods
// that a part exceeds only the shortest is told.
func guardEffect(h *directory.Held, f partFacts, e directory.Effect, limit directory.Limit, periods []period) {
	total := f.Run.Total(e)
	if total == 0 {
		return // what was done before is no reason to hold other work
	}
	guardScopes(h, f, e, limit)
	for _, p := range periods {
		n, allowed := total+p.history.total(e), allowance(p.count, p.share, f.Bound.All)
		if n <= allowed {
			continue
		}
		x := directory.Exceeded{Kind: f.kind, Effect: e, Period: p.name, Count: n, Limit: allowed}
		why := larger(p.count, p.share, f.Bound.All, f.whose())
		if worst, k := f.Run.worst(e); worst != "" {
			x.Worst, x.WorstCount = worst, k
			why += fmt.Sprintf("; %d of them in the %s", k, worst)
		}
		exceed(h, x, p, total, why)
		break
	}
	for _, d := range limit.By {
		guardParts(h, f, e, d, periods)
	}
}

// guardScopes compares what happens in each scope with the share of it that may, in the
// run and in the day: whatever else is allowed, no group loses most of its members
// unseen, in one run or in many.
func guardScopes(h *directory.Held, f partFacts, e directory.Effect, limit directory.Limit) {
	a := limit.InGroup(e)
	if a == nil {
		return
	}
	list, counts := f.Run.scopes(e)
	recent, day := f.Recent.history(), f.Day.history()
	held := 0
	for _, s := range list {
		for _, p := range []period{
			{name: directory.PeriodRun, when: "in this run", history: recent},
			{name: directory.PeriodDay, when: "in the last 24 hours", history: day},
		} {
			n, allowed := counts[s.ID]+p.history.scope(e, s.ID), allowance(a.Count, a.Share, s.Size)
			if n <= allowed {
				continue
			}
			if held++; held <= mostParts {
				x := directory.Exceeded{Kind: f.kind, Effect: e, Period: p.name, Slice: "group " + cmp.Or(s.Name, s.ID), Scope: s.ID, Count: n, Limit: allowed}
				exceed(h, x, p, counts[s.ID], larger(a.Count, a.Share, s.Size, "members of the group"))
			}
			break
		}
	}
	if held > mostParts {
		h.Reasons = append(h.Reasons, fmt.Sprintf("and likewise in %d more groups", held-mostParts))
	}
}

// mostParts is how many parts are named that exceed a limit of their own.
const mostParts = 20

func guardParts(h *directory.Held, f partFacts, e directory.Effect, d directory.Dimension, periods []period) {
	type over struct {
		directory.Exceeded
		period
		run int
		why string
	}
	var list []over
	for _, part := range f.Run.By(d) {
		run, bound := part.Counts[e], f.Bound.of(d, part.Name)
		for _, p := range periods {
			n, allowed := run+p.history.part(e, d, part.Name), allowance(p.count, p.share, bound)
			if run > 0 && n > allowed {
				x := directory.Exceeded{Kind: f.kind, Effect: e, Period: p.name, Slice: sliceName(d, part.Name), Count: n, Limit: allowed}
				list = append(list, over{x, p, run, larger(p.count, p.share, bound, f.whose()+" there")})
				break
			}
		}
	}
	// Worst first; of equals by name, as they come.
	sort.SliceStable(list, func(i, j int) bool { return list[i].Count-list[i].Limit > list[j].Count-list[j].Limit })
	for i, x := range list {
		if i == mostParts {
			h.Reasons = append(h.Reasons, fmt.Sprintf("and likewise in %d more of the kind %s", len(list)-i, d))
			return
		}
		exceed(h, x.Exceeded, x.period, x.run, x.why)
	}
}

func exceed(h *directory.Held, x directory.Exceeded, p period, run int, why string) {
	h.Limits = append(h.Limits, x)
	where, when, part := "", p.when, ""
	if x.Kind != "" {
		where = " of the kind " + string(x.Kind)
	}
	if x.Slice != "" {
		where += " in the " + x.Slice
	}
	if p.name == directory.PeriodRun && x.Count > run {
		when += " and those just before it"
	}
	if p.name != directory.PeriodRun || x.Count > run {
		part = fmt.Sprintf(", %d of them in this run,", run)
	}
	h.Reasons = append(h.Reasons, fmt.Sprintf("%d changes of the effect %s%s %s%s are more than the %d allowed (%s)",
		x.Count, x.Effect, where, when, part, x.Limit, why))
}

func sliceName(d directory.Dimension, name string) string {
	if name == "" {
		name = "(none)"
	}
	return string(d) + " " + name
}

// worst is the department with the most changes of an effect, or the domain
// when no department is known; empty when there is only one part.
func (t Tally) worst(e directory.Effect) (string, int) {
	for _, d := range []directory.Dimension{directory.ByDepartment, directory.ByDomain} {
		parts := t.By(d)
		if len(parts) == 1 && parts[0].Name == "" {
			continue
		}
		name, most := "", 0
		for _, p := range parts {
			if n := p.Counts[e]; n > most {
				name, most = sliceName(d, p.Name), n
			}
		}
		return name, most
	}
	return "", 0
}

const aDay = "users bound with an account for a day"

// allowance is the larger of a number and a share, rounded down.
func allowance(count int, share float64, of int) int {
	// A hair more, since 0.29 × 100 is 28.999… in binary.
	return max(count, int(math.Floor(share*float64(of)+1e-9)))
}

func larger(count int, share float64, of int, what string) string {
	if share == 0 {
		return fmt.Sprintf("the limit for %d %s", of, what)
	}
	return fmt.Sprintf("the larger of %d and %s of %d %s", count, percent(share), of, what)
}

func percent(share float64) string {
	return strconv.FormatFloat(math.Round(share*1e6)/1e4, 'f', -1, 64) + " %"
}
