package reconcile

import (
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// TestFaultsOfMicrosoft puts every trouble that Microsoft makes in the way of
// one scenario, which must come to the same end.
func TestFaultsOfMicrosoft(t *testing.T) {
	for name, f := range map[string]entratest.Fault{
		"503 before a creation":       {Kind: "status", Method: "POST", Path: "^/users$", Status: 503, Times: 3},
		"503 after a creation":        {Kind: "status", Method: "POST", Path: "^/users$", Status: 503, When: "after", Times: 3},
		"504 after an update":         {Kind: "status", Method: "PATCH", Status: 504, When: "after", Times: 3},
		"500 on a read":               {Kind: "status", Method: "GET", Path: "^/users", Status: 500, Times: 3},
		"batch lost before":           {Kind: "drop", Method: "POST", Path: "batch", Nth: 3, Times: 2},
		"batch lost after":            {Kind: "drop", Method: "POST", Path: "batch", Nth: 3, Times: 2, When: "after"},
		"batch refused with 503":      {Kind: "status", Method: "POST", Path: "batch", Status: 503, Nth: 2, Times: 2},
		"throttled items":             {Kind: "throttle", Method: "POST", Path: "^/users$", RetryAfter: "2.128", Times: 4},
		"throttled without a time":    {Kind: "throttle", Path: "^/users", Times: 4},
		"throttled batches":           {Kind: "throttle", Path: "batch", RetryAfter: "1", Times: 3},
		"delta link gone":             {Kind: "delta-gone", Times: 1},
		"delta state not found":       {Kind: "delta-state-not-found", Times: 1},
		"delta items twice":           {Kind: "delta-duplicate"},
		"delta items split":           {Kind: "delta-split"},
		"delta replays":               {Kind: "delta-replay"},
		"delta shuffled":              {Kind: "delta-shuffle"},
		"empty delta pages":           {Kind: "delta-empty-page", Times: 3},
		"removed in the first round":  {Kind: "delta-removed", Times: 2},
		"replicas a minute behind":    {Kind: "lag", Method: "GET", Seconds: 60, Times: 20},
		"role assignments unreadable": {Kind: "status", Path: "roleAssignments", Status: 503, Times: 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := crashWorld(t)
			if _, err := w.sim.SetFault(f); err != nil {
				t.Fatal(err)
			}
			w.story(nil)
			for range 4 {
				// What failed for one user is tried again after a rest.
				w.skew.Add(15 * time.Minute)
				w.story(nil)
			}
			w.verifyAccounts(name)
		})
	}
}

// TestAnotherAdminTakesTheName: while a creation is under way somebody creates
// an account of that name. It is a conflict and never taken for ours.
func TestAnotherAdminTakesTheName(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann")
	w.bind(ann)
	if _, err := w.sim.SetFault(entratest.Fault{Kind: "race-create", Times: 1, Account: map[string]any{"displayName": "Ann Other", "employeeId": "77"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, changes := w.lastRun(); effects(changes) != "create:failed" || changes[0].Error.Code != directory.CodeUserPrincipalNameTaken {
		t.Errorf("changes = %s %+v", effects(changes), changes[0].Error)
	}
	if a := w.account("ann@" + simDomain); a["displayName"] != "Ann Other" {
		t.Errorf("the other admin's account was changed: %v", a["displayName"])
	}
}

// TestFrozenWorkerSendsNothing freezes a worker with several requests between its
// check and its sending, lets the lease pass on, and wakes it.
func TestFrozenWorkerSendsNothing(t *testing.T) {
	w := newWorld(t)
	w.flow(4, 2)
	users := w.load(7)
	frozen := &freezer{next: w.port.rt, w: w}
	w.port.rt = frozen
	if _, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if frozen.held.Load() == 0 {
		t.Fatal("the worker was never frozen")
	}
	w.createdOnce(users)
}

func TestDeactivationStopsBeforeTheNextFlight(t *testing.T) {
	w := newWorld(t)
	w.flow(2, 10)
	var users []directory.User
	for i := range 50 {
		users = append(users, w.user("u"+string(rune('a'+i/26))+string(rune('a'+i%26))))
	}
	w.bind(users...)
	w.port.rt = &onBatch{next: w.port.rt, do: func() {
		if _, _, err := w.store.Connections.DeactivateConnection(t.Context(), directory.AuditEvent{}, w.conn.ID); err != nil {
			t.Error(err)
		}
	}}
	if _, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, m := range w.sim.Mutations(simTenant) {
		if m.Kind == "create" && m.Target == "user" {
			n++
		}
	}
	if n != 20 {
		t.Errorf("%d accounts were created, want the %d in flight", n, 20)
	}
	// What was in flight is in the journal all the same.
	_, changes := w.lastRun()
	applied := 0
	for _, c := range changes {
		if c.State == directory.ChangeApplied {
			applied++
		}
	}
	if applied != 20 {
		t.Errorf("%d changes are journalled as applied, want %d", applied, 20)
	}
	// Nobody will work on the run any more: the sweep ends it.
	c, err := w.store.Connections.Connection(t.Context(), w.conn.ID)
	w.do(err)
	w.do(w.runs().EndOpenRuns(t.Context(), &c))
	if run, _ := w.lastRun(); run.State != directory.RunCancelled || run.Error == nil || run.Error.Code != "connection-deactivated" {
		t.Errorf("the run is %s (%v)", run.State, run.Error)
	}
}
