package runs

import (
	"testing"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// TestUnsentWrites: of members who are added Microsoft counts a third, of all else each; what
// has been sent of a run is what goes first.
func TestUnsentWrites(t *testing.T) {
	t.Parallel()
	planned := map[directory.Effect]int{directory.EffectMemberRemove: 10, directory.EffectCreate: 20, directory.EffectMemberAdd: 60, directory.EffectLicenceAdd: 5}
	for sent, want := range map[int]int{0: 10 + 20 + 20 + 5, 10: 20 + 20 + 5, 30: 20 + 5, 60: 10 + 5, 92: 3, 95: 1} {
		var r store.RunRecord
		r.Counts, r.Applied = planned, sent
		if got := unsentWrites(&r); got != want {
			t.Errorf("after %d changes %d writes are left, want %d", sent, got, want)
		}
	}
}
