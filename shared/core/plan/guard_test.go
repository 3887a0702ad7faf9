package plan_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

const (
	block    = directory.EffectBlock
	del      = directory.EffectDelete
	rename   = directory.EffectRename
	unblock  = directory.EffectUnblock
	revoke   = directory.EffectRevoke
	create   = directory.EffectCreate
	emptying = directory.EffectUpdateToEmpty

	sensitive = directory.EffectUpdateSensitive
)

type limits = map[directory.Effect]directory.Limit

// tally is a run's numbers by effect, all of one part.
func tally(counts map[directory.Effect]int) plan.Tally {
	t := plan.Tally{}
	for e, n := range counts {
		t[plan.Cell{Effect: e}] = n
	}
	return t
}

// saysAll holds reasons against what each of them must say.
func saysAll(t *testing.T, held *directory.Held, want []string) {
	t.Helper()
	var reasons []string
	if held != nil {
		reasons = held.Reasons
	}
	if len(reasons) != len(want) {
		t.Fatalf("Guard = %q, want %d reasons: %q", reasons, len(want), want)
	}
	for i := range want {
		for _, part := range strings.Split(want[i], "|") {
			if !strings.Contains(reasons[i], part) {
				t.Errorf("reason %q does not say %q", reasons[i], part)
			}
		}
	}
}

func TestGuardOfOneRun(t *testing.T) {
	type counts = map[directory.Effect]int
	for _, tt := range []struct {
		name   string
		limits limits
		counts counts
		bound  int
		held   []string
	}{
		{"nothing", nil, counts{}, 0, nil},
		{"five of few", nil, counts{block: 5, revoke: 5}, 6, nil},
		{"six of few", nil, counts{block: 6}, 6, []string{"6 changes of the effect block in this run are more than the 5 allowed"}},
		{"5 % of 100", nil, counts{block: 5}, 100, nil},
		{"5 % of 950", nil, counts{block: 47}, 950, nil},
		{"more than 5 % of 950", nil, counts{block: 48}, 950, []string{"47 allowed (the larger of 5 and 5 % of 950 users bound with an account for a day)"}},
		{"deletions likewise", nil, counts{del: 6}, 10, []string{"effect delete"}},
		{"a first load", nil, counts{create: 9999, directory.EffectAdopt: 9999, directory.EffectUpdate: 9999}, 10, nil},
		{"sessions end with their blocks", nil, counts{revoke: 9999}, 10, nil},
		{"a few renamed", nil, counts{rename: 20, unblock: 20, emptying: 20}, 10, nil},
		{"many renamed", nil, counts{rename: 21}, 10, []string{"effect rename|20 allowed"}},
		{"many unblocked", nil, counts{unblock: 21}, 10, []string{"effect unblock|20 allowed"}},
		{"many phones", nil, counts{sensitive: 21}, 10, []string{"effect update-sensitive|20 allowed"}},
		{"a tenth of the phones", nil, counts{sensitive: 95}, 950, nil},
		{"more than a tenth of the phones", nil, counts{directory.EffectAdopt: 750, directory.EffectUpdate: 750, sensitive: 96}, 950,
			[]string{"96 changes of the effect update-sensitive|95 allowed (the larger of 20 and 10 % of 950 users bound with an account for a day)"}},
		{"many emptied", nil, counts{emptying: 21}, 10, []string{"effect update-to-empty|20 allowed"}},
		{"each effect has its own", nil, counts{block: 6, del: 6, rename: 21}, 10, []string{"effect block", "effect delete", "effect rename"}},
		{"a zero limit is the default", limits{block: {}}, counts{block: 6}, 10, []string{"5 allowed"}},
		{"none allowed", limits{block: {Count: ptr(0)}}, counts{block: 1}, 1000, []string{"0 allowed"}},
		{"a count alone", limits{block: {Count: ptr(3)}}, counts{block: 4}, 1000, []string{"3 allowed"}},
		{"a larger count", limits{block: {Count: ptr(100)}}, counts{block: 100}, 10, nil},
		{"a share alone", limits{block: {Share: ptr(0.1)}}, counts{block: 3}, 20, []string{"2 allowed"}},
		{"count and share", limits{block: {Count: ptr(3), Share: ptr(0.1)}}, counts{block: 10}, 100, nil},
		{"a share that binary cannot hold", limits{block: {Share: ptr(0.29)}}, counts{block: 29}, 100, nil},
		{"a share beyond it", limits{block: {Share: ptr(0.29)}}, counts{block: 30}, 100, []string{"29 % of 100"}},
		{"a limit of another effect", limits{rename: {Count: ptr(1)}}, counts{rename: 2, block: 1}, 10, []string{"effect rename"}},
		{"creations by a limit", limits{create: {Count: ptr(9)}}, counts{create: 10}, 10, []string{"effect create in this run"}},
		{"ended sessions by a limit", limits{revoke: {Count: ptr(0)}}, counts{revoke: 1}, 10, []string{"effect revoke"}},
		{"only a day is set", limits{create: {Count24h: ptr(1)}}, counts{create: 2}, 10, []string{"effect create in the last 24 hours, 2 of them in this run,|1 allowed"}},
		{"only a week is set", limits{create: {Share7d: ptr(0.1)}}, counts{create: 2}, 10, []string{"in the last 7 days|the larger of 0 and 10 % of 10"}},
		{"every effect that there is", limits{block: {Count: ptr(0)}, create: {Count: ptr(0)}, del: {Count: ptr(0)}, rename: {Count: ptr(0)}, revoke: {Count: ptr(0)},
			unblock: {Count: ptr(0)}, sensitive: {Count: ptr(0)}, emptying: {Count: ptr(0)}},
			counts{block: 1, create: 1, del: 1, rename: 1, revoke: 1, unblock: 1, sensitive: 1, emptying: 1}, 1000,
			[]string{"block", "create", "delete", "rename", "revoke", "unblock", "update-sensitive", "update-to-empty"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			held := plan.Guard(tt.limits, plan.Facts{Run: tally(tt.counts), Bound: plan.Bound{All: tt.bound}})
			saysAll(t, held, tt.held)
			if held != nil && (len(held.Limits) != len(tt.held) || held.All) {
				t.Errorf("evidence = %+v, all %v", held.Limits, held.All)
			}
		})
	}
}

// Each effect's limits over the day and the week, with what was applied before.
func TestGuardOfDayAndWeek(t *testing.T) {
	for _, e := range directory.GuardedEffects {
		for _, tt := range []struct {
			name      string
			limit     directory.Limit
			run       int
			day, week int // before
			want      directory.Period
			count     int
			allowed   int
		}{
			{"day reached", directory.Limit{Count: ptr(100), Count24h: ptr(10)}, 4, 6, 6, "", 0, 0},
			{"day exceeded", directory.Limit{Count: ptr(100), Count24h: ptr(10)}, 5, 6, 6, directory.PeriodDay, 11, 10},
			{"day's share", directory.Limit{Count: ptr(100), Share24h: ptr(0.01)}, 5, 6, 6, directory.PeriodDay, 11, 10},
			{"week reached", directory.Limit{Count: ptr(100), Count7d: ptr(20)}, 4, 0, 16, "", 0, 0},
			{"week exceeded", directory.Limit{Count: ptr(100), Count7d: ptr(20)}, 5, 0, 16, directory.PeriodWeek, 21, 20},
			{"week's share", directory.Limit{Count: ptr(100), Share7d: ptr(0.02)}, 5, 0, 16, directory.PeriodWeek, 21, 20},
			{"of several the shortest", directory.Limit{Count: ptr(4), Count24h: ptr(4), Count7d: ptr(4)}, 5, 90, 90, directory.PeriodRun, 5, 4},
			{"a run's limit is the day's", directory.Limit{Count: ptr(50)}, 1, 50, 50, directory.PeriodDay, 51, 50},
			{"and half the week's", directory.Limit{Count: ptr(50)}, 1, 0, 100, directory.PeriodWeek, 101, 100},
			{"nothing in this run", directory.Limit{Count24h: ptr(1), Count7d: ptr(1)}, 0, 90, 90, "", 0, 0},
		} {
			t.Run(fmt.Sprintf("%s/%s", e, tt.name), func(t *testing.T) {
				held := plan.Guard(limits{e: tt.limit}, plan.Facts{
					Run: tally(map[directory.Effect]int{e: tt.run}), Bound: plan.Bound{All: 1000},
					Day:  tally(map[directory.Effect]int{e: tt.day}).Counter(),
					Week: tally(map[directory.Effect]int{e: tt.week}).Counter(),
				})
				if tt.want == "" {
					if held != nil {
						t.Fatalf("Guard = %q, want nil", held.Reasons)
					}
					return
				}
				want := directory.Exceeded{Effect: e, Period: tt.want, Count: tt.count, Limit: tt.allowed}
				if held == nil || len(held.Limits) != 1 || held.Limits[0] != want {
					t.Fatalf("Guard = %+v, want %+v", held, want)
				}
			})
		}
	}
}

// A bulk edit that trickles in counts as one run.
func TestGuardOfWhatWasJustApplied(t *testing.T) {
	f := plan.Facts{Run: tally(map[directory.Effect]int{block: 2}), Bound: plan.Bound{All: 40},
		Recent: tally(map[directory.Effect]int{block: 3, revoke: 3}).Counter()}
	if held := plan.Guard(nil, f); held != nil {
		t.Errorf("2 after 3: %q", held.Reasons)
	}
	f.Recent.Merge(tally(map[directory.Effect]int{block: 1}).Counter())
	saysAll(t, plan.Guard(nil, f), []string{"6 changes of the effect block in this run and those just before it, 2 of them in this run, are more than the 5 allowed"})
	f.Run = tally(map[directory.Effect]int{directory.EffectUpdate: 9})
	f.Recent.Merge(f.Recent)
	if held := plan.Guard(nil, f); held != nil {
		t.Errorf("no block in this run: %q", held.Reasons)
	}
}

// With the defaults, ten runs of 40 trip what one of 400 would, and some days
// later they do not; small tenants have a floor.
func TestGuardOverManyRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hours := map[int64]plan.Counter{}
		run := func(n, bound int) *directory.Held {
			counts := tally(map[directory.Effect]int{block: n, revoke: n})
			day, week := plan.Sums(hours, time.Now())
			held := plan.Guard(nil, plan.Facts{Run: counts, Day: day, Week: week, Bound: plan.Bound{All: bound}})
			if held == nil {
				h := plan.Hour(time.Now())
				if hours[h] == nil {
					hours[h] = plan.Counter{}
				}
				hours[h].Merge(counts.Counter())
			}
			return held
		}
		if run(400, 1000) == nil {
			t.Fatal("400 blocks of 1000 pass")
		}
		passed := 0
		for range 10 {
			if run(40, 1000) == nil {
				passed++
			}
			time.Sleep(15 * time.Minute)
		}
		if passed != 1 {
			t.Errorf("%d runs of 40 passed, want the first alone: 5 %% of 1000 are 50", passed)
		}
		time.Sleep(25 * time.Hour)
		if held := run(40, 1000); held != nil {
			t.Errorf("40 on the next day: %q", held.Reasons)
		}
		time.Sleep(25 * time.Hour)
		if held := run(40, 1000); held == nil || held.Limits[0].Period != directory.PeriodWeek {
			t.Errorf("40 on the third day: %+v, want them beyond the 100 of a week", held)
		}
		time.Sleep(8 * 24 * time.Hour)
		if held := run(40, 1000); held != nil {
			t.Errorf("40 a week later: %q", held.Reasons)
		}
		hours = map[int64]plan.Counter{}
		for i := range 11 {
			if held := run(1, 12); (held != nil) != (i == 10) {
				t.Errorf("leaver %d of a small tenant: %+v", i+1, held)
			}
		}
	})
}

func TestSums(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
	one := tally(map[directory.Effect]int{block: 1}).Counter()
	hours := map[int64]plan.Counter{}
	for h := plan.Hour(now) - 300; h <= plan.Hour(now)+5; h++ {
		hours[h] = one
	}
	day, week := plan.Sums(hours, now)
	for name, n := range day {
		if n != 25 || week[name] != 169 {
			t.Errorf("Sums = %d and %d, want the 25 and 169 hours that lie in the spans by a part", n, week[name])
		}
	}
	if a, b := plan.Hour(time.Unix(-1, 0)), plan.Hour(time.Unix(0, 0)); a != -1 || b != 0 {
		t.Errorf("Hour before and at 1970 = %d, %d", a, b)
	}
}

// loosenedFrom is a guard of so many blocks that was loosened.
func loosenedFrom(count int) []directory.LoosenedGuard {
	return []directory.LoosenedGuard{{At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Limits: map[directory.Effect]directory.Limit{block: {Count: &count}}}}
}

// What the present guard lets go although it holds the rest, a former one may hold.
func TestFormerGuardBesideThePresentOne(t *testing.T) {
	f := plan.Facts{Run: tally(map[directory.Effect]int{block: 5, directory.EffectRename: 30}), Bound: plan.Bound{All: 10}}
	blocks := &directory.Change{Effect: block}
	if held := plan.Guard(nil, f); held == nil || !plan.Exempt(held, blocks) {
		t.Fatalf("Guard = %+v, want the renames held and the blocks free", held)
	}
	f.Former = loosenedFrom(4)
	held := plan.Guard(nil, f)
	if held == nil || plan.Exempt(held, blocks) || len(held.Limits) != 2 {
		t.Errorf("Guard = %+v, want both held", held)
	}
}

func TestGuardOfFacts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		facts plan.Facts
		want  []string
		code  string
		all   bool
	}{
		{"approve mode", plan.Facts{Approve: true}, []string{"mode is approve"}, directory.HeldApproveMode, true},
		{"no user left", plan.Facts{Source: &plan.Source{Then: 9}}, []string{"no users at all"}, directory.HeldSourceEmpty, true},
		{"never a user", plan.Facts{Source: &plan.Source{}}, []string{"no users at all"}, directory.HeldSourceEmpty, true},
		{"a few fewer", plan.Facts{Source: &plan.Source{Then: 7, Now: 2}}, nil, "", false},
		{"most gone", plan.Facts{Source: &plan.Source{Then: 8, Now: 2}}, []string{"has 2 users and had 8 at the last run: 6 fewer, more than the 5 allowed"}, directory.HeldSourceShrank, true},
		{"20 % gone", plan.Facts{Source: &plan.Source{Then: 1000, Now: 800}}, nil, "", false},
		{"more than 20 % gone", plan.Facts{Source: &plan.Source{Then: 1000, Now: 799}}, []string{"200 allowed"}, directory.HeldSourceShrank, true},
		{"grown", plan.Facts{Source: &plan.Source{Then: 10, Now: 1000}}, nil, "", false},
		{"the first count", plan.Facts{Source: &plan.Source{Now: 10}}, nil, "", false},
		{"incomplete read", plan.Facts{Incomplete: "page 3 failed"}, []string{"incomplete read|page 3 failed"}, directory.HeldReadIncomplete, false},
		{"roles unreadable", plan.Facts{Unprotected: "403"}, []string{"protected: 403"}, directory.HeldRolesUnreadable, true},
		{"new settings touch few", plan.Facts{Settings: &plan.Touched{Users: 20}, Bound: plan.Bound{All: 50}}, nil, "", false},
		{"new settings touch many", plan.Facts{Settings: &plan.Touched{Users: 21}, Bound: plan.Bound{All: 50}}, []string{"touches 21 accounts, more than the 20"}, directory.HeldSettingsChanged, false},
		{"new settings touch 20 %", plan.Facts{Settings: &plan.Touched{Users: 200}, Bound: plan.Bound{All: 1000}}, nil, "", false},
		{"a former guard", plan.Facts{Run: tally(map[directory.Effect]int{block: 5}), Bound: plan.Bound{All: 10}, Former: loosenedFrom(4)},
			[]string{"was loosened at 2026-03-02T09:00:00Z", "5 changes of the effect block in this run are more than the 4 allowed"}, directory.HeldGuardLoosened, false},
		{"a former guard that lets pass", plan.Facts{Run: tally(map[directory.Effect]int{block: 4}), Bound: plan.Bound{All: 10}, Former: loosenedFrom(4)}, nil, "", false},
		{"two at once", plan.Facts{Incomplete: "x", Run: tally(map[directory.Effect]int{block: 6})}, []string{"incomplete", "effect block"}, directory.HeldReadIncomplete, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			held := plan.Guard(nil, tt.facts)
			saysAll(t, held, tt.want)
			if held != nil && (len(held.Facts) != 1 || held.Facts[0].Code != tt.code || held.All != tt.all) {
				t.Errorf("Guard = %+v, want %s, all %v", held, tt.code, tt.all)
			}
		})
	}
}

func TestGuardByPart(t *testing.T) {
	var bound plan.Bound
	people := func(n int, department, domain string) []directory.Change {
		var list []directory.Change
		for i := range n {
			list = append(list, directory.Change{UserID: directory.UserID(fmt.Sprint(department, i)), Effect: block, Department: department, Domain: domain})
		}
		return list
	}
	for name, n := range map[string]int{"Sales": 10, "Ops": 200, "": 5} {
		for range n {
			bound.Add(&directory.User{Profile: directory.Profile{Department: name, Email: "x@Corp.example"}}, "")
		}
	}
	changes := slices.Concat(people(6, "Sales", "corp.example"), people(7, "Ops", "corp.example"), people(1, "", "corp.example"))
	f := plan.Facts{Run: plan.TallyOf(changes), Bound: bound}
	limit := directory.Limit{Count: ptr(5), Share: ptr(0.1)}

	if held := plan.Guard(limits{block: limit}, f); held != nil {
		t.Errorf("whole connection: %q", held.Reasons)
	}
	limit.By = []directory.Dimension{directory.ByDepartment, directory.ByDomain}
	held := plan.Guard(limits{block: limit}, f)
	saysAll(t, held, []string{"6 changes of the effect block in the department Sales in this run are more than the 5 allowed (the larger of 5 and 10 % of 10 users bound with an account for a day there)"})
	want := directory.Exceeded{Effect: block, Period: directory.PeriodRun, Slice: "department Sales", Count: 6, Limit: 5}
	if held.Limits[0] != want {
		t.Errorf("evidence = %+v, want %+v", held.Limits[0], want)
	}
	// Spelled otherwise, and over the day.
	f.Run = plan.TallyOf(people(2, " SALES ", "corp.example"))
	f.Day = plan.TallyOf(people(9, "sales", "corp.example")).Counter()
	saysAll(t, plan.Guard(limits{block: limit}, f), []string{"11 changes of the effect block in the department  SALES  in the last 24 hours, 2 of them in this run,|10 allowed"})
	// Somebody else's part does not count.
	f.Run = plan.TallyOf(people(2, "Ops", "corp.example"))
	if held := plan.Guard(limits{block: limit}, f); held != nil {
		t.Errorf("another department: %q", held.Reasons)
	}
	// The worst comes first, and not every one is told.
	var many []directory.Change
	for i := range 30 {
		many = append(many, people(6+i, fmt.Sprintf("D%02d", i), "")...)
	}
	limit.Share = ptr(0.0)
	held = plan.Guard(limits{block: limit}, plan.Facts{Run: plan.TallyOf(many), Bound: plan.Bound{All: 1e6}})
	if n := len(held.Limits); n != 22 || held.Limits[1].Slice != "department D29" || !strings.Contains(held.Reasons[21], "10 more of the kind department") {
		t.Errorf("%d limits, first %+v, reasons %q", n, held.Limits[1], held.Reasons)
	}
}

func TestGuardNamesTheWorstPart(t *testing.T) {
	var changes []directory.Change
	for i := range 8 {
		changes = append(changes, directory.Change{Effect: block, Department: []string{"Sales", "Sales", "Ops", "Law"}[i%4], Domain: "corp.example"})
	}
	held := plan.Guard(nil, plan.Facts{Run: plan.TallyOf(changes), Bound: plan.Bound{All: 10}})
	saysAll(t, held, []string{"8 changes of the effect block in this run are more than the 5 allowed (the larger of 5 and 5 % of 10 users bound with an account for a day; 4 of them in the department Sales)"})
	if x := held.Limits[0]; x.Worst != "department Sales" || x.WorstCount != 4 {
		t.Errorf("evidence = %+v", x)
	}
	for i := range changes {
		changes[i].Department = ""
	}
	held = plan.Guard(nil, plan.Facts{Run: plan.TallyOf(changes)})
	saysAll(t, held, []string{"8 of them in the domain corp.example"})
}

func TestExempt(t *testing.T) {
	off := []directory.PropertyChange{{Name: onOff, Before: yes, After: no}}
	changes := []directory.Change{
		{UserID: "a", Effect: block, Properties: off}, {UserID: "a", Effect: revoke}, {UserID: "b", Effect: del},
		{UserID: "c", Effect: directory.EffectUpdate}, {UserID: "d", Effect: create}, {UserID: "e", Effect: directory.EffectUpdate, Properties: off},
	}
	over := func(e directory.Effect) *directory.Held {
		return &directory.Held{Limits: []directory.Exceeded{{Effect: e}}}
	}
	for _, tt := range []struct {
		name string
		held *directory.Held
		free string
	}{
		{"too many renames", over(rename), "a:block a:revoke b:delete"},
		{"too many blocks", over(block), "b:delete"},
		{"too many deletions", over(del), "a:block a:revoke"},
		{"too many sessions", over(revoke), "a:block b:delete"},
		{"incomplete read", plan.Guard(nil, plan.Facts{Incomplete: "x"}), "a:block a:revoke b:delete"},
		{"new settings", plan.Guard(nil, plan.Facts{Settings: &plan.Touched{Users: 99}}), "a:block a:revoke b:delete"},
		{"shrunken source", plan.Guard(nil, plan.Facts{Source: &plan.Source{Then: 99, Now: 9}}), ""},
		{"approve mode", plan.Guard(nil, plan.Facts{Approve: true}), ""},
		{"approve mode besides a limit", plan.Guard(nil, plan.Facts{Approve: true, Run: tally(map[directory.Effect]int{rename: 99})}), ""},
		{"stopped by the breaker", &directory.Held{Wave: &directory.WaveOutcome{}, Limits: over(rename).Limits}, ""},
		{"unknown cause", &directory.Held{Reasons: []string{"?"}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var names []string
			for _, c := range changes {
				if plan.Exempt(tt.held, &c) {
					names = append(names, string(c.UserID)+":"+string(c.Effect))
				}
			}
			if got := strings.Join(names, " "); got != tt.free {
				t.Errorf("exempt are %s, want %s", got, tt.free)
			}
		})
	}
}

func TestTouchedBy(t *testing.T) {
	got := plan.TouchedBy([]directory.Change{
		{UserID: "a", Effect: create}, {UserID: "b", Effect: directory.EffectAdopt}, {UserID: "b", Effect: directory.EffectUpdate},
		{UserID: "c", Effect: directory.EffectUpdate}, {UserID: "c", Effect: rename}, {UserID: "d", Effect: block}})
	if got != 2 {
		t.Errorf("TouchedBy = %d, want c and d", got)
	}
}

func TestTally(t *testing.T) {
	pc := func(before, after directory.Value) []directory.PropertyChange {
		return []directory.PropertyChange{{Name: "department", Before: before, After: after}}
	}
	off := []directory.PropertyChange{{Name: onOff, Before: yes, After: no}}
	phone := []directory.PropertyChange{{Name: directory.PropMobilePhone, Before: null, After: text("+1")}}
	got := plan.TallyOf([]directory.Change{
		{Effect: directory.EffectUpdate, Department: "Sales", Domain: "a.example", Properties: pc(text("x"), null)},
		{Effect: directory.EffectUpdate, Department: "sales", Domain: "b.example", Properties: pc(null, text("x"))},
		{Effect: directory.EffectUpdate, Department: "Ops", Domain: "a.example", Properties: pc(null, null)},
		{Effect: directory.EffectUpdate, Department: "Ops", Domain: "a.example", Properties: off},
		{Effect: directory.EffectAdopt, Properties: slices.Concat(pc(text("x"), null), off, phone)},
		{Effect: block, Properties: off},
		{Effect: create, Properties: append(pc(null, text("x")), phone...)},
	})
	want := map[directory.Effect]int{directory.EffectUpdate: 4, emptying: 1, block: 2, directory.EffectAdopt: 1, create: 1}
	if !maps.Equal(got.Effects(), want) {
		t.Errorf("Effects = %v, want %v", got.Effects(), want)
	}
	for _, tt := range []struct {
		by   directory.Dimension
		want string
	}{
		{directory.ByDepartment, "[{ map[adopt:1 block:1 create:1]} {Ops map[block:1 update:2]} {Sales map[update:2 update-to-empty:1]}]"},
		{directory.ByDomain, "[{ map[adopt:1 block:1 create:1]} {a.example map[block:1 update:3 update-to-empty:1]} {b.example map[update:1]}]"},
	} {
		if parts := fmt.Sprint(got.By(tt.by)); parts != tt.want {
			t.Errorf("By(%s) = %s\nwant %s", tt.by, parts, tt.want)
		}
	}
	// Names of a counter are short, few and stable: they are stored.
	c := got.Counter()
	if len(c) != 4 || c["b381ag6914u6qfk90"] != 1 {
		t.Errorf("Counter = %v", c)
	}
	sum := plan.Counter{}
	sum.Merge(c)
	sum.Merge(map[string]int64{"attempts": 9})
	sum.Merge(c)
	if len(sum) != len(c) || sum["b381ag6914u6qfk90"] != 2 {
		t.Errorf("merged = %v", sum)
	}
}
