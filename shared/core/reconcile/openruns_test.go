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
