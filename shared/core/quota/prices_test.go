package quota_test

import (
	"testing"

	"bindery/shared/core/quota"
	"bindery/shared/directory"
)

// Members that go together cost a third; everything else one write each.
func TestPricesOfWrites(t *testing.T) {
	t.Parallel()
	of := func(effect directory.Effect, group string, n int) []directory.Write {
		list := make([]directory.Write, n)
		for i := range list {
			list[i] = directory.Write{Effect: effect, GroupID: directory.TenantGroupID(group)}
		}
		return list
	}
	alone := of(directory.EffectMemberAdd, "g", 6)
	for i := range alone {
		alone[i].Alone = true
	}
	for name, tt := range map[string]struct {
		list []directory.Write
		want int
	}{
		"nothing":        {nil, 0},
		"one member":     {of(directory.EffectMemberAdd, "g", 1), 1},
		"three members":  {of(directory.EffectMemberAdd, "g", 3), 1},
		"four members":   {of(directory.EffectMemberAdd, "g", 4), 2},
		"twenty":         {of(directory.EffectMemberAdd, "g", 20), 7},
		"of two groups":  {append(of(directory.EffectMemberAdd, "g", 10), of(directory.EffectMemberAdd, "h", 10)...), 8},
		"each alone":     {alone, 6},
		"removals":       {of(directory.EffectMemberRemove, "g", 20), 20},
		"other changes":  {of(directory.EffectUpdate, "", 7), 7},
		"both of a kind": {append(of(directory.EffectMemberAdd, "g", 6), of(directory.EffectMemberRemove, "g", 2)...), 4},
	} {
		if got := quota.Writes(tt.list); got != tt.want {
			t.Errorf("%s: %d writes, want %d", name, got, tt.want)
		}
	}
}
