package reconcile

import (
	"context"
	"testing"

	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/table/memory"
)

// decisions are what an admin may say of a run, without the lease.
var decisions = map[string]func(w *world, id directory.RunID) error{
	"approved": func(w *world, id directory.RunID) error {
		_, err := w.runs().Approve(w.Context(), caller("ada"), id, all)
		return err
	},
	"declined": func(w *world, id directory.RunID) error {
		_, err := w.runs().Approve(w.Context(), caller("ada"), id, plan.Approval{})
		return err
	},
	"cancelled": func(w *world, id directory.RunID) error {
		_, err := w.runs().Cancel(w.Context(), caller("ada"), id)
		return err
	},
}

// decidedAmid has an admin decide about the runs that are open, at each call of the table
// that a slice makes, each in a world of its own. However that meets what the slice
// does, nothing has failed: no slice says so, and once all is approved both edits are made.
func decidedAmid(t *testing.T, held func(*testing.T) *world, made func(w *world) bool, names ...string) {
	for _, name := range names {
		decide := decisions[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decided := 0
			for n := 1; ; n++ {
				w := held(t)
				calls, within := 0, false
				w.table.Before = func(context.Context, memory.Call) error {
					if calls++; within || calls != n {
						return nil
					}
					within = true
					defer func() { within = false }()
					open, err := w.store.Runs.OpenRuns(w.Context(), w.conn.ID)
					w.do(err)
					for _, id := range open {
						if decide(w, id) == nil { // else it is past that
							decided++
						}
					}
					return nil
				}
				sum, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, w.now().Add(Grace))
				w.table.Before = nil
				w.do(err)
				if sum.Broken {
					t.Errorf("call %d: the slice has failed: %+v", n, sum)
				}
				w.sync()
				w.approveOpen()
				if name == "approved" && !made(w) {
					t.Errorf("call %d: what was edited is not made", n)
				}
				if calls < n {
					break
				}
			}
			if decided < 3 {
				t.Errorf("decided %d times", decided)
			}
		})
	}
}

// approveOpen approves whatever waits, until nothing does.
func (w *world) approveOpen() {
	w.Helper()
	for range 10 {
		open, err := w.store.Runs.OpenRuns(w.Context(), w.conn.ID)
		if w.do(err); len(open) == 0 {
			return
		}
		for _, id := range open {
			_, err := w.runs().Approve(w.Context(), caller("ada"), id, all)
			w.do(err)
		}
		w.sync()
	}
	w.Error("there is always another run that waits")
}

// TestDecidedWhilePlannedAnew: an admin decides about a held run while a slice finds
// that it is to be planned anew with what was edited since.
func TestDecidedWhilePlannedAnew(t *testing.T) {
	t.Parallel()
	decidedAmid(t, func(t *testing.T) *world {
		w := newWorld(t)
		users := w.people(3)
		w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
		w.edit(users[0], func(u *directory.User) { u.JobTitle = "Boss" })
		w.sync()
		w.edit(users[1], func(u *directory.User) { u.JobTitle = "Head" })
		return w
	}, func(w *world) bool { return w.account("user001@" + simDomain)["jobTitle"] == "Head" }, "approved", "declined", "cancelled")
}

// TestDecidedWhileLeaversAreMerged: the same of leavers, who become one run.
func TestDecidedWhileLeaversAreMerged(t *testing.T) {
	t.Parallel()
	decidedAmid(t, func(t *testing.T) *world {
		w := newWorld(t)
		users := w.people(4)
		w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
		leave := func(u *directory.User) { u.State = directory.StateSuspended }
		w.edit(users[0], leave)
		w.sync()
		w.edit(users[1], leave)
		return w
	}, func(w *world) bool { return w.account("user001@" + simDomain)["accountEnabled"] == false }, "approved", "declined", "cancelled")
}

// TestDecidedWhileApplied: an admin ends a run that a slice works on.
func TestDecidedWhileApplied(t *testing.T) {
	t.Parallel()
	decidedAmid(t, func(t *testing.T) *world {
		w := newWorld(t)
		users := w.people(3)
		for _, u := range users {
			w.edit(u, func(u *directory.User) { u.JobTitle = "Boss" })
		}
		_, err := w.runs().Start(t.Context(), caller("ada"), &w.conn, runs.Request{Full: true})
		w.do(err)
		return w
	}, nil, "cancelled")
}
