package reconcile

import (
	"bytes"
	"context"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/platform/signer"
	"bindery/shared/store"
	"bindery/shared/table"
)

// macs has a key that the table's writer does not have.
var macs = signer.NewLocal(signer.LocalConfig{Key: func(context.Context) (directory.Secret, error) { return directory.NewSecret("k"), nil }})

// sealed makes the world's engine ask whose a run is.
func (w *world) sealed() {
	w.store = store.New(w.table, store.Options{Now: w.now, Sealer: signer.NewSessions(macs)})
	w.engine.config.Stores = StoresOf(w.store)
	w.engine.config.Attest = func(ctx context.Context, r *store.RunRecord) (bool, bool, error) {
		state, err := w.store.Runs.RunState(ctx, r)
		return state == store.SealGood, false, err
	}
}

// forge changes a record behind Bindery's back.
func (w *world) forge(key table.Key, old, with string) {
	w.Helper()
	it, err := w.table.Get(w.Context(), key)
	w.do(err)
	body := bytes.Replace(it.Body, []byte(old), []byte(with), 1)
	if bytes.Equal(body, it.Body) {
		w.Fatalf("%s/%s does not hold %q", key.Partition, key.Sort, old)
	}
	it.Body = body
	w.do(w.table.Write(w.Context(), table.Write{Put: &it}))
}

// A held run goes on by an admin's approval, and by nothing that somebody wrote
// into the table: such a run is ended, nothing of it is sent, and what it was
// about is planned anew.
func TestForgedRunsAreNotCarriedOut(t *testing.T) {
	for _, c := range []struct {
		what string
		do   func(w *world, id directory.RunID)
		sent bool
	}{
		{"approved by an admin", func(w *world, id directory.RunID) {
			_, err := w.runs().Approve(w.Context(), caller("boss"), id, all)
			w.do(err)
		}, true},
		{"approved in part by an admin", func(w *world, id directory.RunID) {
			_, err := w.runs().Approve(w.Context(), caller("boss"), id, plan.Approval{ChangeIDs: []directory.ChangeID{directory.ChangeID(string(id) + ".0.0")}})
			w.do(err)
		}, true},
		{"approved in the table", func(w *world, id directory.RunID) {
			key := table.Key{Partition: "R#" + string(id), Sort: "run"}
			w.forge(key, `"state":"held"`, `"state":"applying","approvedBy":"boss"`)
			w.forge(key, `"epoch"`, `"approval":{"all":true},"epoch"`)
		}, false},
		{"approved in part, and more of it in the table", func(w *world, id directory.RunID) {
			_, err := w.runs().Approve(w.Context(), caller("boss"), id, plan.Approval{ChangeIDs: []directory.ChangeID{directory.ChangeID(string(id) + ".0.0")}})
			w.do(err)
			w.forge(table.Key{Partition: "R#" + string(id), Sort: "n#" + store.NoteApproved}, `[0]`, `[0,1,2]`)
		}, false},
		{"approved, and its plan changed", func(w *world, id directory.RunID) {
			_, err := w.runs().Approve(w.Context(), caller("boss"), id, all)
			w.do(err)
			w.forge(table.Key{Partition: "R#" + string(id), Sort: "c#000000"}, `Clerk`, `Chief`)
		}, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := newWorld(t)
			w.sealed()
			w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
			w.people(3)
			held, changes := w.lastRun()
			if held.State != directory.RunHeld || len(changes) != 3 {
				t.Fatalf("run is %s with %d changes, want held with 3", held.State, len(changes))
			}
			before := len(w.sim.Mutations(simTenant))
			c.do(w, held.ID)
			w.sync()
			run, err := w.store.Runs.Run(t.Context(), held.ID)
			w.do(err)
			sent := len(w.sim.Mutations(simTenant)) - before
			if c.sent != (sent > 0) || c.sent != (run.State == directory.RunDone) {
				t.Fatalf("%d writes were sent, run is %s (%v)", sent, run.State, run.Error)
			}
			if c.sent {
				return
			}
			if run.State != directory.RunFailed || run.Error.Code != "run-not-ours" || run.Attempts > 2 {
				t.Errorf("run is %s after %d attempts: %v", run.State, run.Attempts, run.Error)
			}
			w.skew.Add(restAfterFailure + time.Minute)
			w.sync()
			if again, _ := w.lastRun(); again.ID == held.ID || again.State != directory.RunHeld {
				t.Errorf("afterwards the last run is %s (%s), want one that is held anew", again.State, again.ID)
			}
		})
	}
}

// A run that somebody put into the table, in the name of an admin, is ended.
func TestAForgedRequestIsNotCarriedOut(t *testing.T) {
	w := newWorld(t)
	w.sealed()
	w.people(2)
	forged := runs.NewRecord(w.conn.ID, w.conn.Epoch, w.now())
	forged.Trigger, forged.AskedBy, forged.Full = directory.TriggerAdmin, "boss", true
	w.do(store.New(w.table, store.Options{Now: w.now}).Runs.CreateRun(t.Context(), directory.AuditEvent{}, &forged))
	w.sync()
	run, err := w.store.Runs.Run(t.Context(), forged.ID)
	w.do(err)
	if run.State != directory.RunFailed || run.Error.Code != "run-not-ours" {
		t.Errorf("run is %s: %v", run.State, run.Error)
	}
}
