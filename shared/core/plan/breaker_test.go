package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

func TestWaves(t *testing.T) {
	for _, tt := range []struct {
		n    int
		over *int
		want []int
	}{
		{0, nil, nil},
		{1, nil, []int{1}},
		{100, nil, []int{100}},
		{101, nil, []int{1, 2, 11, 87}},
		{400, nil, []int{1, 4, 40, 355}},
		{10000, nil, []int{1, 100, 1000, 8899}},
		{10, ptr(10), []int{10}},
		{11, ptr(10), []int{1, 1, 2, 7}},
		{1, ptr(0), []int{1}},
		{2, ptr(0), []int{1, 1}},
		{3, ptr(0), []int{1, 1, 1}},
	} {
		if got := plan.Waves(tt.n, directory.BreakerSettings{Over: tt.over}); !slices.Equal(got, tt.want) {
			t.Errorf("Waves(%d) = %v, want %v", tt.n, got, tt.want)
		}
	}
}

func TestWaveClass(t *testing.T) {
	pc := func(name string, before, after directory.Value) []directory.PropertyChange {
		return []directory.PropertyChange{{Name: name, Before: before, After: after}}
	}
	for _, tt := range []struct {
		name     string
		change   directory.Change
		remapped bool
		want     directory.Effect
	}{
		{"block", directory.Change{Effect: block, Properties: pc(onOff, yes, no)}, false, block},
		{"an update that blocks", directory.Change{Effect: directory.EffectUpdate, Properties: pc(onOff, yes, no)}, false, block},
		{"delete", directory.Change{Effect: del}, false, del},
		{"rename", directory.Change{Effect: rename, Properties: pc(upn, text("a"), text("b"))}, false, rename},
		{"a phone", directory.Change{Effect: sensitive, Properties: pc("mobilePhone", text("+1"), text("+2"))}, false, sensitive},
		{"a phone emptied", directory.Change{Effect: sensitive, Properties: pc("mobilePhone", text("+1"), null)}, false, sensitive},
		{"a phone, planned before it had an effect of its own", directory.Change{Effect: directory.EffectUpdate, Properties: pc("mobilePhone", null, text("+2"))}, true, sensitive},
		{"a new account's phone", directory.Change{Effect: create, Properties: pc("mobilePhone", null, text("+2"))}, true, ""},
		{"emptied", directory.Change{Effect: directory.EffectUpdate, Properties: pc("department", text("a"), null)}, true, emptying},
		{"changed mapping", directory.Change{Effect: directory.EffectUpdate, Properties: pc("department", text("a"), text("b"))}, true, directory.EffectUpdate},
		{"edit", directory.Change{Effect: directory.EffectUpdate, Properties: pc("department", text("a"), text("b"))}, false, ""},
		{"create", directory.Change{Effect: create, Properties: pc("department", null, text("b"))}, true, ""},
		{"adopt", directory.Change{Effect: directory.EffectAdopt}, true, ""},
		{"revoke", directory.Change{Effect: revoke}, true, ""},
		{"unblock", directory.Change{Effect: unblock, Properties: pc(onOff, no, yes)}, true, ""},
	} {
		if got, dangerous := plan.WaveClass(&tt.change, tt.remapped); got != tt.want || dangerous != (tt.want != "") {
			t.Errorf("%s: WaveClass = %q, %v, want %q", tt.name, got, dangerous, tt.want)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		sent, failed, mismatched int
		settings                 directory.BreakerSettings
		want                     string
	}{
		{0, 0, 0, directory.BreakerSettings{}, ""},
		{1, 0, 0, directory.BreakerSettings{}, ""},
		{1, 1, 0, directory.BreakerSettings{}, "stopped after wave 2 of the changes of the kind rename: 1 of the 1 changes failed, more than 20 %"},
		{1, 0, 1, directory.BreakerSettings{}, "1 of the 1 accounts read back otherwise than written, more than 5 %"},
		{10, 2, 0, directory.BreakerSettings{}, ""},
		{10, 3, 0, directory.BreakerSettings{}, "3 of the 10 changes failed"},
		{100, 20, 5, directory.BreakerSettings{}, ""},
		{100, 0, 6, directory.BreakerSettings{}, "6 of the 100 accounts"},
		{10, 1, 0, directory.BreakerSettings{Failures: ptr(0.0)}, "more than 0 %"},
		{10, 0, 4, directory.BreakerSettings{Mismatches: ptr(0.5)}, ""},
	} {
		t.Run(fmt.Sprint(tt.sent, tt.failed, tt.mismatched), func(t *testing.T) {
			o := directory.WaveOutcome{Class: rename, Wave: 2, Sent: tt.sent, Failed: tt.failed, Mismatched: tt.mismatched, Examples: []string{"x"}}
			held := plan.Verdict(tt.settings, o)
			if (held != nil) != (tt.want != "") {
				t.Fatalf("Verdict = %+v, want %q", held, tt.want)
			}
			if held != nil && (!strings.Contains(held.Reasons[0], tt.want) || held.Wave == nil || held.Wave.Sent != tt.sent || len(held.Wave.Examples) != 1) {
				t.Errorf("Verdict = %+v, want %q with the evidence", held, tt.want)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	update := directory.Change{Effect: directory.EffectUpdate, Properties: []directory.PropertyChange{
		{Name: "department", Before: text("Sales"), After: text("Ops")}, {Name: "jobTitle", Before: text("a"), After: null}}}
	has := func(department, title string) *directory.Account {
		return &directory.Account{Properties: directory.Properties{"department": text(department), "jobTitle": text(title)}}
	}
	const early, soon, late = 29 * time.Second, 30 * time.Second, 5 * time.Minute
	for _, tt := range []struct {
		name    string
		change  directory.Change
		account *directory.Account
		age     time.Duration
		want    plan.ReadBack
	}{
		{"too early", update, has("Ops", ""), early, plan.ReadPending},
		{"as written", update, has("ops ", ""), soon, plan.ReadMismatches},
		{"as written but for blanks", update, has(" Ops ", ""), soon, plan.ReadAgrees},
		{"not read", update, &directory.Account{}, soon, plan.ReadAgrees},
		{"still the old value", update, has("Sales", ""), soon, plan.ReadPending},
		{"still the old value after minutes", update, has("Ops", "a"), late, plan.ReadMismatches},
		{"a third value", update, has("Sales", "b"), soon, plan.ReadMismatches},
		{"a third value, then an old one", update, has("Law", "a"), soon, plan.ReadMismatches},
		{"not found", update, nil, soon, plan.ReadPending},
		{"not found after minutes", update, nil, late, plan.ReadMismatches},
		{"a creation is judged by its failure", directory.Change{Effect: create}, nil, late, plan.ReadAgrees},
		{"nothing to read", directory.Change{Effect: revoke}, nil, early, plan.ReadAgrees},
		{"an adoption writes nothing", directory.Change{Effect: directory.EffectAdopt, Properties: update.Properties}, has("Sales", "a"), late, plan.ReadAgrees},
		{"deleted", directory.Change{Effect: del}, nil, soon, plan.ReadAgrees},
		{"deleted and still there", directory.Change{Effect: del}, has("", ""), soon, plan.ReadPending},
		{"deleted and there after minutes", directory.Change{Effect: del}, has("", ""), late, plan.ReadMismatches},
	} {
		if got := plan.Compare(&tt.change, tt.account, tt.age); got != tt.want {
			t.Errorf("%s: Compare = %s, want %s", tt.name, got, tt.want)
		}
	}
}
