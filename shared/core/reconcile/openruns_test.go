package reconcile

import (
	"fmt"
	"testing"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/table"
)

// TestManyRunsWait: however many runs wait for an admin, a leaver has their turn,
// and no run is made again and again.
func TestManyRunsWait(t *testing.T) {
	w := newWorld(t)
	users := w.people(3)
	for i := range 120 {
		r := runs.NewRecord(w.conn.ID, 1, w.now().Add(time.Duration(i-200)*time.Minute))
		r.State, r.Held = directory.RunHeld, &directory.Held{Reasons: []string{fmt.Sprint(i)}, All: true}
		r.UserIDs = ids(users[:1])
		w.do(w.store.Runs.CreateRun(t.Context(), directory.AuditEvent{}, &r))
	}
	w.edit(users[1], func(u *directory.User) { u.State = directory.StateSuspended })
	w.edit(users[2], func(u *directory.User) { u.JobTitle = "Boss" })
	_, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, w.now().Add(18*time.Second))
	w.do(err)
	made := 0
	for cursor := ""; ; {
		list, next, err := w.store.Runs.ListRuns(t.Context(), w.conn.ID, cursor, 100)
		w.do(err)
		if made += len(list); next == "" {
			break
		}
		cursor = next
	}
	if made != 123 { // with that of the first load, one for the leaver and one for the edit
		t.Errorf("there are %d runs", made)
	}
	if w.account(users[1].Email)["accountEnabled"] != false {
		t.Error("the leaver waits behind runs that wait for an admin")
	}
	if got := w.account(users[2].Email)["jobTitle"]; got != "Boss" {
		t.Errorf("the edited job title is %v", got)
	}
}

// TestHeldForLongerThanRecordsAreKept: a run whose record has expired while it was
// held is in nobody's way.
func TestHeldForLongerThanRecordsAreKept(t *testing.T) {
	w := newWorld(t)
	users := w.people(10)
	w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
	w.edit(users[0], func(u *directory.User) { u.JobTitle = "Boss" })
	w.sync()
	r, _ := w.lastRun()
	if r.State != directory.RunHeld {
		t.Fatalf("the run is %s", r.State)
	}
	w.do(w.table.Write(t.Context(), table.Write{Delete: &table.Key{Partition: "R#" + string(r.ID), Sort: "run"}}))
	w.settings(func(s *directory.Settings) { s.Mode = directory.ModeAutomatic })
	w.edit(users[1], func(u *directory.User) { u.JobTitle = "Boss" })
	w.sync()
	if got := w.account(users[1].Email)["jobTitle"]; got != "Boss" {
		t.Errorf("the job title is %v", got)
	}
	if _, err := w.runs().Forecast(t.Context(), &w.conn); err != nil {
		t.Error(err)
	}
	w.do(w.runs().EndOpenRuns(t.Context(), &w.conn))
	if open, err := w.store.Runs.OpenRuns(t.Context(), w.conn.ID); err != nil || len(open) > 0 {
		t.Errorf("open are %v, %v", open, err)
	}
}

// TestNoneOpenAges: that no run is open counts since somebody has listed them, however
// many slices have been told so and worked since.
func TestNoneOpenAges(t *testing.T) {
	w := newWorld(t)
	users := w.people(3)
	known := func() time.Time {
		l, _, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID)
		w.do(err)
		return l.NoneOpenAt
	}
	slice := func(after time.Duration, title string) {
		w.skew.Add(after)
		w.port.token = signIn(t, w.sim)
		w.edit(users[0], func(u *directory.User) { u.JobTitle = title })
		sum, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		if w.do(err); sum.RunID == "" || w.account(users[0].Email)["jobTitle"] != title {
			t.Fatalf("the slice came to %+v", sum)
		}
	}
	slice(2*time.Hour, "A") // no older version is at work any more
	listed := known()
	if listed.IsZero() {
		t.Fatal("not known after a slice that ended all")
	}
	slice(40*time.Minute, "B")
	if got := known(); got.After(listed) {
		t.Errorf("a slice that listed nothing says that none was open %s later", got.Sub(listed))
	}
	slice(40*time.Minute, "C")
	if got := known(); got.Sub(listed) < 80*time.Minute {
		t.Errorf("the runs are not listed again: none was open at %s, and %s later", listed, got.Sub(listed))
	}
}
