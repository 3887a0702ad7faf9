package reconcile

import (
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
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

// TestRunOfANewerKind: a run with changes of a kind that only a newer version knows
// is left to that one, however often this version has a slice meanwhile.
func TestRunOfANewerKind(t *testing.T) {
	w := newLampWorld(t)
	w.settings(func(s *directory.Settings) {
		none := 0
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectUpdateSensitive: {Count: &none}}
	})
	refs := w.hang(2, "red")
	w.sync()
	w.paint(refs, "blue")
	w.sync()
	held, _ := w.lastRun()
	_, err := w.runs().Approve(t.Context(), caller("boss"), held.ID, plan.Approval{All: true})
	w.do(err)
	older := w.engine.config
	older.Kinds = nil
	w.engine = New(older)
	ann := w.user("ann")
	w.bind(ann)
	for range 2 * maxAttempts {
		w.sync()
		w.skew.Add(restAfterFailure)
	}
	r, err := w.store.Runs.Run(t.Context(), held.ID)
	if w.do(err); r.State != directory.RunApplying || r.Attempts != 0 {
		t.Errorf("the older version made the run %s after %d attempts (%+v)", r.State, r.Attempts, r.Error)
	}
	if b := w.binding(ann); b.Status != directory.BindingInSync {
		t.Errorf("the user is %s", b.Status)
	}
	w.renew()
	w.sync()
	if r, err = w.store.Runs.Run(t.Context(), held.ID); err != nil || r.State != directory.RunDone || w.shining("blue") != 2 {
		t.Errorf("the newer version made the run %s, %v; %d lamps are blue", r.State, err, w.shining("blue"))
	}
}

// TestBatchOfANewerKind: a run that does not say of which kinds it has changes waits
// for a newer version, and does not fail.
func TestBatchOfANewerKind(t *testing.T) {
	w := newWorld(t)
	lease, _, err := w.store.Leases.AcquireLease(t.Context(), w.conn.ID, "newer", time.Minute)
	w.do(err)
	r := runs.NewRecord(w.conn.ID, 1, w.now())
	r.State, r.Counts[directory.EffectUpdate] = directory.RunApplying, 1
	w.do(w.store.Runs.CreateRun(t.Context(), directory.AuditEvent{}, &r))
	w.do(w.store.Runs.AppendChunk(t.Context(), &lease, &r, []directory.Change{
		{Object: directory.Ref{Kind: "torch", ID: "t1"}, Effect: directory.EffectUpdate, State: directory.ChangePlanned}}))
	w.do(w.store.Leases.ReleaseLease(t.Context(), &lease, store.RunEnd{}, true))
	for range 2 * maxAttempts {
		_, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		w.do(err)
		w.skew.Add(2 * leftFor)
	}
	if r, err = w.store.Runs.Run(t.Context(), r.ID); err != nil || r.State != directory.RunWaiting || r.Error != nil {
		t.Errorf("the run is %s (%+v), %v", r.State, r.Error, err)
	}
}

// TestBindingOfANewerKindIsKept: what a newer version's binding holds is not written
// by one that cannot read it.
func TestBindingOfANewerKindIsKept(t *testing.T) {
	w := newWorld(t)
	torch := directory.Ref{Kind: "torch", ID: "t1"}
	w.do(w.store.Bindings.Bind(t.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{Object: torch, Version: 3}}))
	key := table.Key{Partition: "O#torch#t1", Sort: "C#" + string(w.conn.ID)}
	body := []byte(`{"status":"pending","torch":{"flame":"high"}}`)
	w.do(w.table.Write(t.Context(), table.Write{Update: &table.Update{Key: key, SetBody: body}}))
	before, err := w.table.Get(t.Context(), key)
	w.do(err)
	w.sync()
	after, err := w.table.Get(t.Context(), key)
	w.do(err)
	if string(after.Body) != string(body) || after.Version != before.Version || after.Numbers["applied"] != before.Numbers["applied"] {
		t.Errorf("left to a newer version the binding became %s, %v", after.Body, after.Numbers)
	}
	if after.Index2 == before.Index2 || after.Index2 == (table.Key{}) {
		t.Errorf("its mark is at %+v, want it later", after.Index2)
	}
}

// TestWaveOfANewerKind: what a version cannot read back does not let the next wave go.
func TestWaveOfANewerKind(t *testing.T) {
	v := &waves{s: &session{now: time.Now}, kinds: &kinds{}}
	sent := &directory.Change{Object: directory.Ref{Kind: "torch", ID: "t1"}, State: directory.ChangeApplied, At: time.Now().Add(-time.Hour)}
	ready, err := v.compareBack(t.Context(), &task{}, []*directory.Change{sent}, &directory.WaveOutcome{})
	if err != nil || ready {
		t.Errorf("read back: %t, %v", ready, err)
	}
}
