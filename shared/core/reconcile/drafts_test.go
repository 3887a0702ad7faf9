package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// edited is a world in which one user of some was edited, after everything was quiet.
func edited(t *testing.T, n int) (*world, []directory.User) {
	w := newWorld(t)
	users := w.people(n)
	w.skew.Add(2 * Grace)
	w.sync() // reads what is to be read by now
	users[0] = w.edit(users[0], boss)
	return w, users
}

// records are the sort keys of what a call of the table touches, without IDs.
func records(keys []table.Key) string {
	var names []string
	for _, k := range keys {
		family, _, _ := strings.Cut(k.Partition, "#")
		name, id, _ := strings.Cut(k.Sort, "#")
		if family == "R" && name == "c" && strings.Contains(id, "#") {
			name = "results"
		}
		names = append(names, family+"/"+name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// TestFewChangesAreTwoTransactions: a run of one change comes into the table in one
// transaction and ends in another one, and nothing of it is read in between.
func TestFewChangesAreTwoTransactions(t *testing.T) {
	w, _ := edited(t, 3)
	var calls []string
	w.table.Before = func(_ context.Context, c memory.Call) error {
		keys := c.Keys
		if c.Method == "Query" {
			keys = []table.Key{{Partition: c.Query.Partition, Sort: c.Query.Prefix}}
		}
		if slices.ContainsFunc(keys, func(k table.Key) bool { return strings.HasPrefix(k.Partition, "R#") }) {
			place := 0
			for i, k := range keys { // a result's place names its time
				if k.Sort[0] >= '0' && k.Sort[0] <= '9' || strings.HasPrefix(k.Partition, "UNLINKED") {
					keys[i].Sort, place = "place", place+1
				}
			}
			calls = append(calls, c.Method+" "+records(keys))
		}
		return nil
	}
	w.sync()
	w.table.Before = nil
	want := []string{
		"Write C/connection C/open R/c R/run",
		"Write ACTIVITY/place C/connection C/day C/open R/results R/run U/binding UNLINKED/place",
	}
	if !slices.Equal(calls, want) {
		t.Errorf("the run's records are touched in\n%s\nwant\n%s", strings.Join(calls, "\n"), strings.Join(want, "\n"))
	}
	run, changes := w.lastRun()
	if run.State != directory.RunDone || run.Applied != 1 || len(changes) != 1 || changes[0].State != directory.ChangeApplied {
		t.Errorf("the run is %s with %d applied, %s", run.State, run.Applied, effects(changes))
	}
	parts, err := w.runs().Parts(t.Context(), run.ID)
	if err != nil || len(parts.Departments) != 1 || parts.Departments[0].Counts[directory.EffectUpdate] != 1 {
		t.Errorf("the run by departments: %+v, %v", parts, err)
	}
}

// TestDraftInTrouble: a plan that could not be stored is made again, and counted once.
func TestDraftInTrouble(t *testing.T) {
	for _, times := range []int{1, 2} {
		t.Run(fmt.Sprint(times), func(t *testing.T) {
			w, users := edited(t, 3)
			before := len(w.allRuns())
			failures := 0
			w.table.Before = func(_ context.Context, c memory.Call) error {
				storesPlan := c.Method == "Write" && slices.ContainsFunc(c.Keys, func(k table.Key) bool { return k.Sort == "c#000000" })
				if storesPlan && failures < times {
					failures++
					return table.ErrBusy
				}
				return nil
			}
			w.sync()
			w.table.Before = nil
			run, changes := w.lastRun()
			if n := len(w.allRuns()) - before; n != 1 || failures != times {
				t.Errorf("%d runs after %d failures, want one", n, failures)
			}
			if run.State != directory.RunDone || run.Counts[directory.EffectUpdate] != 1 || run.Applied != 1 || len(changes) != 1 {
				t.Errorf("the run is %s, planned %v, applied %d", run.State, run.Counts, run.Applied)
			}
			if got := w.account(users[0].Email)["jobTitle"]; got != "Boss" {
				t.Errorf("the account has the title %v", got)
			}
		})
	}
}

// TestCancelledDuringItsLastRequest: an admin cancels a run while its last request is
// on its way. What came of the request is kept, and the run stays cancelled.
func TestCancelledDuringItsLastRequest(t *testing.T) {
	w, users := edited(t, 3)
	tenant := w.between()
	tenant.write = func() {
		tenant.write = nil
		run, _ := w.lastRun()
		_, err := w.runs().Cancel(t.Context(), caller("boss"), run.ID)
		w.do(err)
	}
	_, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
	w.do(err)
	run, changes := w.lastRun()
	if run.State != directory.RunCancelled || run.Applied != 1 || len(changes) != 1 || changes[0].State != directory.ChangeApplied {
		t.Errorf("the run is %s with %d applied, %s", run.State, run.Applied, effects(changes))
	}
	if b := w.binding(users[0]); b.Applied != b.Wanted || b.RunID != run.ID {
		t.Errorf("the binding is %+v", b)
	}
}

// TestUsersAreCountedForWhoLeaves: the directory's size is counted for every plan that
// takes access, and for others only when the last count is old.
func TestUsersAreCountedForWhoLeaves(t *testing.T) {
	w, list := edited(t, 5)
	counted := func(do func()) bool {
		found := false
		w.table.Before = func(_ context.Context, c memory.Call) error {
			found = found || slices.ContainsFunc(c.Keys, func(k table.Key) bool { return strings.HasPrefix(k.Partition, "users#count#") })
			return nil
		}
		defer func() { w.table.Before = nil }()
		do()
		w.sync()
		return found
	}
	if !counted(func() {}) {
		t.Error("a plan long after the last count is made without one")
	}
	if counted(func() { w.edit(list[1], boss) }) {
		t.Error("the users were counted again for the next small plan")
	}
	if !counted(func() { w.edit(list[2], func(u *directory.User) { u.State = directory.StateSuspended }) }) {
		t.Error("somebody was blocked without a count")
	}
	w.skew.Add(usersKnown)
	if !counted(func() { w.edit(list[1], func(u *directory.User) { u.JobTitle = "Clerk" }) }) {
		t.Error("the users were not counted again in time")
	}
}
