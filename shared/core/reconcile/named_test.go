package reconcile

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table/memory"
)

// woken does the slice that the wake-up of a user's edit asks for.
func (w *world) woken(u directory.User) Summary {
	w.Helper()
	sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID, UserID: u.ID}, time.Time{})
	w.do(err)
	return sum
}

// noMarksListed fails the test when marks are listed from now on, until the function
// that it returns is called.
func (w *world) noMarksListed() (allow func()) {
	w.table.Before = func(_ context.Context, c memory.Call) error {
		if c.Method == "Query" && c.Query.Index == 2 && strings.HasPrefix(c.Query.Partition, "M#") {
			w.Errorf("marks are listed: %+v", c.Query)
		}
		return nil
	}
	return func() { w.table.Before = nil }
}

func title(s string) func(*directory.User) {
	return func(u *directory.User) { u.JobTitle = s }
}

// TestNamedUserAlone: the wake-up of an edit has its user's account written, and
// nothing looked for; who else is marked has wake-ups of his own.
func TestNamedUserAlone(t *testing.T) {
	w := newWorld(t)
	users := w.people(3)
	for _, u := range users[:2] {
		w.edit(u, title("Head"))
	}
	allow := w.noMarksListed()
	sum := w.woken(users[0])
	if sum.Applied != 1 || sum.State != directory.RunDone || sum.Again >= 0 {
		t.Errorf("the slice came to %+v", sum)
	}
	again := w.woken(users[0])
	if again.Planned != 0 || again.RunID != "" || again.Again >= 0 {
		t.Errorf("the same wake-up once more came to %+v", again)
	}
	if sum := w.woken(users[2]); sum.Planned != 0 {
		t.Errorf("the wake-up for a user without a mark came to %+v", sum)
	}
	allow()
	if b := w.binding(users[1]); !b.Dirty() {
		t.Error("the other user has been dealt with")
	}
	w.sync()
	w.wantInSync(users)
	for i, want := range []string{"Head", "Head", "Clerk"} {
		if got := w.account(users[i].Email)["jobTitle"]; got != want {
			t.Errorf("user %d has the title %v, want %s", i, got, want)
		}
	}
}

// TestNamedLeaver: so it is with a user who is to lose access.
func TestNamedLeaver(t *testing.T) {
	w := newWorld(t)
	users := w.people(30)
	w.edit(users[0], func(u *directory.User) { u.State = directory.StateSuspended })
	w.woken(users[0])
	run, changes := w.lastRun()
	if len(run.UserIDs) != 1 || run.State != directory.RunDone || len(changes) == 0 || w.account(users[0].Email)["accountEnabled"] != false {
		t.Errorf("the run is %+v, the account %v", run, w.account(users[0].Email))
	}
}

// TestNamedUserAmongOthers: whenever one user alone is not the whole matter, the plan
// is of all who are marked.
func TestNamedUserAmongOthers(t *testing.T) {
	t.Run("an address that another edit gives free", func(t *testing.T) {
		w := newWorld(t)
		users := w.people(2)
		from := users[0].Email
		w.edit(users[0], func(u *directory.User) { u.Email = "moved@" + simDomain })
		w.edit(users[1], func(u *directory.User) { u.Email = from })
		w.woken(users[1])
		w.sync()
		w.wantInSync(users)
	})
	t.Run("a run that is held", func(t *testing.T) {
		w := newWorld(t)
		users := w.people(32)
		for _, u := range users[:31] {
			w.edit(u, func(u *directory.User) { u.Phones.Mobile = "+1 555" })
		}
		w.sync()
		w.edit(users[31], func(u *directory.User) { u.Phones.Mobile = "+1 555" })
		w.woken(users[31])
		if run, changes := w.lastRun(); run.State != directory.RunHeld || len(changes) != 32 {
			t.Errorf("the run is %s with %d changes, want it held with 32", run.State, len(changes))
		}
	})
	t.Run("the guard would hold it", func(t *testing.T) {
		w := newWorld(t)
		none := 0
		w.conn.Settings.Guard = map[directory.Effect]directory.Limit{directory.EffectUpdateSensitive: {Count: &none}}
		w.saveConn()
		users := w.people(4)
		for _, u := range users[:3] {
			w.edit(u, func(u *directory.User) { u.Phones.Mobile = "+1 555" })
		}
		w.woken(users[0])
		if run, changes := w.lastRun(); run.State != directory.RunHeld || len(changes) != 3 {
			t.Errorf("the run is %s with %d changes, want it held with 3", run.State, len(changes))
		}
		list, _, err := w.store.Runs.ListRuns(t.Context(), w.conn.ID, "", 10)
		w.do(err)
		for _, r := range list {
			if r.State == directory.RunSuperseded {
				t.Errorf("a run of %d changes was stored before", r.Counts[directory.EffectUpdateSensitive])
			}
		}
	})
	t.Run("plans wait for an approval", func(t *testing.T) {
		w := newWorld(t)
		users := w.people(3)
		w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
		w.sync()
		for _, u := range users[:2] {
			w.edit(u, title("Head"))
		}
		w.woken(users[0])
		if run, changes := w.lastRun(); run.State != directory.RunHeld || len(changes) != 2 {
			t.Errorf("the run is %s with %d changes, want it held with 2", run.State, len(changes))
		}
	})
}

// TestNamedWhileHeld: a wake-up that comes while another slice has the lease has that
// one ask for a look at all marks.
func TestNamedWhileHeld(t *testing.T) {
	w := newWorld(t)
	users := w.people(2)
	for _, u := range users {
		w.edit(u, title("Head"))
	}
	w.port.rt = onFirst(w.port.rt, func() {
		if sum := w.woken(users[1]); sum.Skipped == "" {
			t.Errorf("a second slice worked: %+v", sum)
		}
	})
	if sum := w.woken(users[0]); sum.Again != 0 {
		t.Errorf("the first slice asks for nothing: %+v", sum)
	}
	w.sync()
	w.wantInSync(users)
	if got := w.account(users[1].Email)["jobTitle"]; got != "Head" {
		t.Errorf("the second user has the title %v", got)
	}
}

// TestNamedEditedMeanwhile: what is edited between its reading and its journal keeps
// its mark.
func TestNamedEditedMeanwhile(t *testing.T) {
	w := newWorld(t)
	users := w.people(1)
	w.edit(users[0], title("Head"))
	w.port.rt = onFirst(w.port.rt, func() { w.edit(users[0], title("Chief")) })
	if sum := w.woken(users[0]); sum.Broken || sum.Applied != 2 {
		t.Errorf("the slice came to %+v, want both edits applied", sum)
	}
	w.wantInSync(users)
	if got := w.account(users[0].Email)["jobTitle"]; got != "Chief" {
		t.Errorf("the title is %v", got)
	}
}

// TestNamedCutOff cuts a named slice off at each of its calls. The message comes
// again, as the queue has it, and the edit gets there.
func TestNamedCutOff(t *testing.T) {
	for _, kind := range []string{killBefore, killAfter, failAfter} {
		for at := 1; ; at++ {
			w := newWorld(t)
			users := w.people(1)
			written := len(w.sim.Mutations(simTenant))
			w.edit(users[0], title("Head"))
			k := &trouble{at: at, kind: kind}
			k.install(w)
			wake := directory.WakeUp{ConnectionID: w.conn.ID, UserID: users[0].ID}
			_, _ = w.engine.Slice(t.Context(), wake, time.Time{})
			k.remove(w)
			if k.n < at {
				if at < 8 {
					t.Fatalf("%s: only %d calls were cut off", kind, at-1)
				}
				break
			}
			w.skew.Add(6 * time.Minute)
			for range 10 {
				sum, err := w.engine.Slice(t.Context(), wake, time.Time{})
				if err == nil && sum.Again < 0 {
					break
				}
				w.skew.Add(max(time.Second, sum.Again))
				wake.UserID = "" // a slice that wakes the next one names nobody
			}
			name := fmt.Sprintf("%s call %d", kind, at)
			if got := w.account(users[0].Email)["jobTitle"]; got != "Head" {
				t.Errorf("%s: the title is %v", name, got)
			}
			if b := w.binding(users[0]); b.Status != directory.BindingInSync {
				t.Errorf("%s: the binding is %s, %+v", name, b.Status, b.Problem)
			}
			if n := len(w.sim.Mutations(simTenant)) - written; n < 1 || n > 2 { // equal values may be sent again
				t.Errorf("%s: the edit came to Microsoft %d times", name, n)
			}
		}
	}
}

// onFirst does something at the first request.
func onFirst(rt http.RoundTripper, do func()) http.RoundTripper {
	var once sync.Once
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		once.Do(do)
		return rt.RoundTrip(r)
	})
}
