package reconcile

import (
	"strings"
	"testing"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// requestsTo counts the requests to a path that the simulator has seen.
func (w *world) requestsTo(path string) int {
	n := 0
	for _, q := range w.sim.Requests() {
		if strings.Contains(q.Path, path) {
			n++
		}
	}
	return n
}

// TestPagesThatTurnInACircle: a round of changes whose pages do not come to an end
// is given up, told, and tried again by backoff; edits go on meanwhile.
func TestPagesThatTurnInACircle(t *testing.T) {
	for _, kind := range []string{"page-loop-same", "page-loop-cycle", "page-loop-new"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			ann, bob := w.user("ann"), w.user("bob")
			w.bind(ann, bob)
			w.sync()
			_, err := w.sim.SetFault(entratest.Fault{Kind: kind, Path: "users/delta"})
			w.do(err)
			w.patch(ann.Email, map[string]any{"department": "Theirs"})
			w.skew.Add(directory.DefaultInterval)
			w.port.token = signIn(t, w.sim)
			w.sim.ResetRequests()
			w.sync()
			w.edit(bob, func(u *directory.User) { u.State = directory.StateSuspended })
			w.sync()
			if n := w.requestsTo("users/delta"); n > 40 {
				t.Errorf("%d pages were read", n)
			}
			if w.account(bob.Email)["accountEnabled"] != false {
				t.Error("a leaver waits for the reading")
			}
			failed := func() (n int) {
				t.Helper()
				for _, r := range w.allRuns() {
					if r.State == directory.RunFailed {
						if n++; r.Error == nil || r.Error.Code != directory.CodePagingLoop || !strings.Contains(r.Error.Message, "accounts") || !strings.Contains(r.Error.Message, "pages") {
							t.Errorf("the run says %+v", r.Error)
						}
					}
				}
				return n
			}
			if n := failed(); n != 1 {
				t.Fatalf("%d runs have failed", n)
			}
			l, _, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID)
			w.do(err)
			if l.Link.Loop == nil || l.Link.Loop.Attempts != 1 || !l.Link.Rest.After(w.now()) {
				t.Errorf("the link says %+v", l.Link)
			}
			// It rests, ever longer.
			w.sim.ResetRequests()
			for range 3 {
				w.skew.Add(time.Minute)
				w.sync()
			}
			if n := w.requestsTo("users/delta"); n != 0 {
				t.Errorf("%d pages were read while it rests", n)
			}
			w.skew.Add(3 * time.Minute)
			w.sync()
			if n := failed(); n != 2 {
				t.Errorf("%d runs have failed", n)
			}
			// An admin need not wait, and hears the same.
			r, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, runs.Request{})
			w.do(err)
			w.sync()
			if got, err := w.store.Runs.Run(t.Context(), r.ID); err != nil || got.State != directory.RunFailed || got.Error.Code != directory.CodePagingLoop {
				t.Errorf("the admin's run is %+v, %v", got.Run, err)
			}
			// It ends with the fault.
			w.sim.ClearFaults()
			w.skew.Add(2 * time.Hour)
			w.port.token = signIn(t, w.sim)
			w.sync()
			if l, _, err = w.store.Leases.PeekLease(t.Context(), w.conn.ID); err != nil || l.Link.Loop != nil || !l.Link.Rest.IsZero() || l.Link.Full {
				t.Errorf("the link says %+v, %v", l.Link, err)
			}
			if w.account(ann.Email)["department"] != nil {
				t.Errorf("ann's department is %v", w.account(ann.Email)["department"])
			}
		})
	}
}

// TestLinksThatAlwaysDie: a round whose links are not known any more each time that
// it has begun anew is given up as one whose pages turn in a circle, in one slice
// and over many.
func TestLinksThatAlwaysDie(t *testing.T) {
	for _, cut := range []bool{false, true} {
		w := newWorld(t)
		bob := w.user("bob")
		w.bind(bob)
		w.sync()
		w.emptyPages(1000)
		w.fault(entratest.Fault{Kind: "delta-gone", Path: "users/delta"})
		w.skew.Add(directory.DefaultInterval)
		w.port.token = signIn(t, w.sim)
		if cut {
			w.port.rt = slow{w.port.rt, w, 4 * time.Second}
		}
		w.sim.ResetRequests()
		for range 40 {
			deadline := time.Time{}
			if cut {
				deadline = w.now().Add(15*time.Second + 7*time.Second) // for two requests
			}
			sum, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, deadline)
			w.do(err)
			if w.skew.Add(max(0, sum.Again)); sum.Again < 0 || w.requestsTo("users/delta") > 100 {
				break
			}
		}
		if n := w.requestsTo("users/delta"); n > 20 {
			t.Errorf("cut %v: %d pages were read", cut, n)
		}
		if r, _ := w.lastRun(); r.State != directory.RunFailed || r.Error == nil || r.Error.Code != directory.CodePagingLoop {
			t.Errorf("cut %v: the run is %s, %+v", cut, r.State, r.Error)
		}
		w.edit(bob, func(u *directory.User) { u.State = directory.StateSuspended })
		w.sync()
		if w.account(bob.Email)["accountEnabled"] != false {
			t.Errorf("cut %v: a leaver waits for the reading", cut)
		}
		w.sim.ClearFaults()
		w.skew.Add(time.Hour)
		w.port.token = signIn(t, w.sim)
		w.sync()
		if l, _, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID); err != nil || l.Link.Loop != nil || l.Link.Link == "" || l.Link.Paging.Restarts != 0 {
			t.Errorf("cut %v: the link says %+v, %v", cut, l.Link, err)
		}
	}
}

// TestRolesInACircle: when the pages of role assignments do not end, nobody is
// known to be unprotected: nothing is sent, and the reason is told.
func TestRolesInACircle(t *testing.T) {
	w := newWorld(t)
	w.bind(w.user("ann"))
	w.port.roles = &directory.Problem{Code: directory.CodePagingLoop, Kind: directory.ProblemTransient, Message: "Microsoft's pages do not end."}
	w.sync()
	r, _ := w.lastRun()
	if r.State != directory.RunHeld || r.Held == nil || !strings.Contains(strings.Join(r.Held.Reasons, " "), "do not end") {
		t.Errorf("the run is %s: %+v", r.State, r.Held)
	}
	if _, made := w.sim.Account(simTenant, "ann@"+simDomain); made {
		t.Error("an account was made")
	}
}
