package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// leaving are changes that take so many members from a group of a size.
func leaving(group string, n, size int) []directory.Change {
	var list []directory.Change
	for i := range n {
		list = append(list, directory.Change{Object: directory.MemberOf(directory.GroupID(group), directory.UserID(fmt.Sprintf("usr_%d", i))),
			Effect: directory.EffectMemberRemove, Scope: group, ScopeName: strings.ToUpper(group), ScopeSize: size})
	}
	return list
}

// TestGuardOfAGroup: a group that loses more of its members than the share holds the
// run, whatever the connection as a whole may lose, and whatever the other groups do.
func TestGuardOfAGroup(t *testing.T) {
	many := 1000
	free := limits{directory.EffectMemberRemove: {Count: &many}}
	others := map[directory.Kind]plan.Bound{directory.KindMember: {All: 1000}}
	for name, test := range map[string]struct {
		run, day []directory.Change
		want     []string
	}{
		"a few of a small one":       {leaving("grp_a", 10, 12), nil, nil},
		"many of a small one":        {leaving("grp_a", 11, 12), nil, []string{"in the group GRP_A in this run|10 allowed (the larger of 10 and 25 % of 12 members of the group)"}},
		"a quarter of a large one":   {leaving("grp_a", 100, 400), nil, nil},
		"more of a large one":        {leaving("grp_a", 101, 400), nil, []string{"in the group GRP_A in this run|100 allowed"}},
		"each of several":            {append(leaving("grp_a", 9, 20), leaving("grp_b", 9, 20)...), nil, nil},
		"one of several":             {append(leaving("grp_a", 9, 20), leaving("grp_b", 11, 20)...), nil, []string{"in the group GRP_B"}},
		"with what was before":       {leaving("grp_a", 6, 20), leaving("grp_a", 5, 20), []string{"in the group GRP_A in the last 24 hours, 6 of them in this run,"}},
		"what was before in another": {leaving("grp_a", 6, 20), leaving("grp_b", 10, 20), nil},
		"its size as of both plans":  {append(leaving("grp_a", 40, 100), leaving("grp_a", 40, 400)...), nil, nil},
	} {
		day := plan.TallyOf(test.day).Counter()
		held := plan.Guard(free, plan.Facts{Run: plan.TallyOf(test.run), Others: others, Day: day})
		t.Run(name, func(t *testing.T) { saysAll(t, held, test.want) })
		for i := range test.want {
			if x := held.Limits[i]; x.Scope == "" || x.Kind != directory.KindMember || !strings.HasPrefix(x.Slice, "group GRP_") {
				t.Errorf("%s: the evidence is %+v", name, x)
			}
		}
	}
}

// TestGuardOfAGroupBySetting: an admin's limit for one group takes the place of the usual
// one; one of the two alone is that one alone.
func TestGuardOfAGroupBySetting(t *testing.T) {
	many, three, half := 1000, 3, 0.5
	others := map[directory.Kind]plan.Bound{directory.KindMember: {All: 1000}}
	for name, tc := range map[string]struct {
		limit directory.Limit
		out   int // of 20
		held  bool
	}{
		"as many as may":   {directory.Limit{Count: &many, CountGroup: &three}, 3, false},
		"one more":         {directory.Limit{Count: &many, CountGroup: &three}, 4, true},
		"the larger":       {directory.Limit{Count: &many, CountGroup: &three, ShareGroup: &half}, 10, false},
		"than the larger":  {directory.Limit{Count: &many, CountGroup: &three, ShareGroup: &half}, 11, true},
		"of the usual one": {directory.Limit{Count: &many}, 11, true},
	} {
		f := plan.Facts{Run: plan.TallyOf(leaving("grp_a", tc.out, 20)), Others: others}
		if held := plan.Guard(limits{directory.EffectMemberRemove: tc.limit}, f); (held != nil) != tc.held {
			t.Errorf("%s: %d of 20 are held: %+v", name, tc.out, held)
		}
	}
}

// TestScopesAreNotCountedTwice: what is counted of a group is not added to what is
// counted of all.
func TestScopesAreNotCountedTwice(t *testing.T) {
	day := plan.TallyOf(leaving("grp_a", 20, 1000)).Counter()
	f := plan.Facts{Run: plan.TallyOf(leaving("grp_b", 20, 1000)), Day: day, Others: map[directory.Kind]plan.Bound{directory.KindMember: {}}}
	if held := plan.Guard(nil, f); held != nil {
		t.Errorf("20 after 20, of 40 a day: %q", held.Reasons)
	}
	f.Run = plan.TallyOf(append(leaving("grp_b", 20, 1000), directory.Change{Object: directory.MemberOf("grp_c", "usr_1"), Effect: directory.EffectMemberRemove}))
	if held := plan.Guard(nil, f); held == nil || held.Limits[0].Slice != "" {
		t.Errorf("21 in a run: %+v", held)
	}
}

// TestRowsOfWhatIsNoValue: what takes away something else than values empties none.
func TestRowsOfWhatIsNoValue(t *testing.T) {
	c := directory.Change{Object: directory.Ref{Kind: directory.KindManager, ID: "usr_1"}, Effect: directory.EffectManagerClear,
		Properties: []directory.PropertyChange{{Name: "manager", Before: directory.StringValue("a")}}}
	if n := plan.TallyOf([]directory.Change{c}).Total(directory.EffectUpdateToEmpty); n != 0 {
		t.Error("a manager who is taken away counts as an emptied value")
	}
	c.Effect = directory.EffectGroupUpdate
	if n := plan.TallyOf([]directory.Change{c}).Total(directory.EffectUpdateToEmpty); n != 1 {
		t.Error("an emptied description of a group does not")
	}
}
