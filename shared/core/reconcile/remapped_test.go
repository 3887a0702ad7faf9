package reconcile

import (
	"testing"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
)

// TestSettingsInSmallRuns: many small runs after new settings are no way around
// the limit of the first large one.
func TestSettingsInSmallRuns(t *testing.T) {
	w := newWorld(t)
	users := w.people(60)
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.WorkAddress.City = "Rome" })
	}
	w.sync()
	w.settings(func(s *directory.Settings) { s.Attributes["city"] = directory.AttributeRule{Export: true} })
	w.sync()
	for i := 0; i < 60; i += 20 {
		_, err := w.runs().Start(t.Context(), caller("writer"), &w.conn, runs.Request{UserIDs: ids(users[i : i+20])})
		w.do(err)
	}
	w.sync()
	written := func() (n int) {
		for _, u := range users {
			if w.account(u.Email)["city"] == "Rome" {
				n++
			}
		}
		return n
	}
	if n := written(); n > 20 {
		t.Errorf("%d accounts were changed by new settings that nobody approved, more than 20", n)
	}
	held := 0
	for _, r := range w.allRuns() {
		if r.State != directory.RunHeld {
			continue
		}
		if held++; len(r.Held.Facts) != 1 || r.Held.Facts[0].Code != directory.HeldSettingsChanged || r.Held.Facts[0].Limit != 20 {
			t.Errorf("%s is held for %+v", r.ID, r.Held)
		}
		_, err := w.runs().Approve(t.Context(), caller("boss"), r.ID, all)
		w.do(err)
	}
	w.sync()
	if n := written(); n != 60 || held == 0 {
		t.Fatalf("%d accounts were changed once %d runs were approved", n, held)
	}
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.WorkAddress.City = "Milan" })
	}
	w.sync()
	if run, _ := w.lastRun(); run.State != directory.RunDone || run.Applied != 60 {
		t.Errorf("once they have been planned with the settings, a run is %s with %d applied, %+v", run.State, run.Applied, run.Held)
	}
}
