package reconcile

import (
	"testing"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
)

// TestRunOfANewerVersion: runs that this version does not understand are left as
// they are, and keep nobody else from being synced.
func TestRunOfANewerVersion(t *testing.T) {
	w := newWorld(t)
	w.bind(w.user("ann"))
	kind, state, effect := runs.NewRecord(w.conn.ID, 1, w.now()), runs.NewRecord(w.conn.ID, 1, w.now()), runs.NewRecord(w.conn.ID, 1, w.now())
	kind.Kind, state.State = "sync-groups", "scanning"
	effect.State, effect.Counts["group-merge"] = directory.RunApplying, 1
	before := map[directory.RunID]directory.Run{}
	for _, r := range []directory.Run{kind.Run, state.Run, effect.Run} {
		rec := runs.NewRecord(r.ConnectionID, 1, w.now())
		rec.Run = r
		w.do(w.store.Runs.CreateRun(t.Context(), directory.AuditEvent{}, &rec))
		before[r.ID] = rec.Run
	}
	w.sync()
	if a := w.account("ann@" + simDomain); a["displayName"] == nil {
		t.Errorf("ann's account = %v, want it created", a)
	}
	for id, was := range before {
		r, err := w.store.Runs.Run(t.Context(), id)
		if err != nil || r.State != was.State || r.Kind != was.Kind || r.Version != 1 || r.Attempts != 0 {
			t.Errorf("run %s %s became %+v, %v, want it as it was", was.Kind, was.State, r, err)
		}
	}
}
