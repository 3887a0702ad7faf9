package reconcile

import (
	"maps"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// verifyHours holds what the guard remembers against the journal: the counts by
// the hour add up to the applied changes of the runs that nobody approved.
func (w *world) verifyHours(what string) {
	w.Helper()
	want := plan.Tally{}
	list, _, err := w.store.Runs.ListRuns(w.Context(), w.conn.ID, "", 1000)
	w.do(err)
	for i := range list {
		if list[i].ApprovedBy != "" {
			continue
		}
		changes, _, err := w.store.Runs.Changes(w.Context(), &list[i], "", 100000)
		w.do(err)
		for _, c := range changes {
			if c.State == directory.ChangeApplied {
				want.Add([]directory.Change{c})
			}
		}
	}
	hours, err := w.store.Counters.AppliedSince(w.Context(), w.conn.ID, w.now().Add(-plan.Week))
	w.do(err)
	got := plan.Counter{}
	for _, counts := range hours {
		got.Merge(counts)
	}
	if !maps.Equal(got, want.Counter()) {
		w.Errorf("%s: the hours have counted %v, the journal says %v", what, got, want.Counter())
	}
}
