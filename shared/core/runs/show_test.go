package runs

import (
	"slices"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// A run of which a part was approved says how much that is, with what was written before; one
// that was approved as a whole has its counts for that.
func TestApprovedShown(t *testing.T) {
	t.Parallel()
	counts := map[directory.Effect]int{directory.EffectAdopt: 170, directory.EffectBlock: 3}
	for name, tt := range map[string]struct {
		approval *store.Approval
		want     int
	}{
		"none":          {nil, -1},
		"all":           {&store.Approval{All: true, Before: 5}, -1},
		"declined":      {&store.Approval{}, 0},
		"chosen":        {&store.Approval{Chosen: 3}, 3},
		"by effect":     {&store.Approval{Effects: []directory.Effect{directory.EffectBlock}}, 3},
		"behind a wave": {&store.Approval{Chosen: 3, Before: 50}, 53},
	} {
		for _, state := range []directory.RunState{directory.RunApplying, directory.RunDone} {
			got, err := shown(&store.RunRecord{Run: directory.Run{State: state, Counts: counts}, Approval: tt.approval})
			if err != nil || (got.Approved == nil) != (tt.want < 0) || got.Approved != nil && *got.Approved != tt.want {
				t.Errorf("%s, %s: %v, %v; want %d", name, state, got.Approved, err, tt.want)
			}
		}
	}
}

// A run tells of its waves while it writes: which may be sent, of how many, and when that one
// is read back.
func TestWavesShown(t *testing.T) {
	t.Parallel()
	look := time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)
	p := Progress{Laid: true, Waves: map[directory.Effect]*Wave{
		directory.EffectRename: {Number: 4, Start: 112, Allowed: 1000, Total: 1000, Look: look},
		directory.EffectBlock:  {Number: 2, Start: 1, Allowed: 11, Total: 1000, Look: look},
	}}
	want := []directory.RunWave{{Class: directory.EffectBlock, Wave: 2, Waves: 4, Allowed: 11, Changes: 1000, LookAt: look}, {Class: directory.EffectRename, Wave: 4, Waves: 4, Allowed: 1000, Changes: 1000}}
	for _, state := range []directory.RunState{directory.RunPlanning, directory.RunHeld, directory.RunApplying, directory.RunWaiting, directory.RunDone, directory.RunFailed, directory.RunCancelled} {
		got, err := shown(&store.RunRecord{Run: directory.Run{State: state}, Cursor: p.Encode()})
		writes := state == directory.RunApplying || state == directory.RunWaiting
		if err != nil || writes && !slices.Equal(got.Waves, want) || !writes && got.Waves != nil {
			t.Errorf("%s: %+v, %v", state, got.Waves, err)
		}
	}
	if got, err := shown(&store.RunRecord{Run: directory.Run{State: directory.RunApplying}}); err != nil || got.Waves != nil {
		t.Errorf("a run without waves: %+v, %v", got.Waves, err)
	}
}
