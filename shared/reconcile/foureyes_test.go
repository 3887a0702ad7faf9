package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/plan"
)

// decide has somebody approve the last run, which must be held, and says whether
// he might.
func (w *world) decide(by string, a plan.Approval) bool {
	w.Helper()
	run, _ := w.lastRun()
	if run.State != directory.RunHeld {
		w.Fatalf("run is %s, want held", run.State)
	}
	_, err := w.runs().Approve(w.Context(), run.ID, a, by)
	if r, ok := errors.AsType[*directory.Refusal](err); ok && r.Code == "four-eyes" && errors.Is(err, directory.ErrForbidden) {
		if again, _ := w.lastRun(); again.State != directory.RunHeld || again.ApprovedBy != "" {
			w.Fatalf("refused, and the run is %s", again.State)
		}
		return false
	}
	w.do(err)
	return true
}

// Under fourEyes those whose edits a held run comes from do not approve it.
func TestFourEyesOfEditors(t *testing.T) {
	w := newWorld(t)
	w.settings(func(s *directory.Settings) { s.Mode, s.FourEyes = directory.ModeApprove, true })
	users := w.people(3) // bound by admin
	if w.decide("admin", all) || w.decide("admin", plan.Approval{Effects: []directory.Effect{directory.EffectCreate}}) {
		t.Error("who bound the users approves what becomes of them")
	}
	if !w.decide("ben", all) {
		t.Error("ben asked for nothing and may not approve")
	}
	w.sync()

	by := func(subject string) func(*directory.User) {
		return func(u *directory.User) {
			u.EditedBy(subject, w.now())
			u.JobTitle = "Chief of " + subject
		}
	}
	users[0] = w.edit(users[0], by("ann"))
	users[0] = w.edit(users[0], by("ad-bridge")) // hides nobody
	users[1] = w.edit(users[1], by("carl"))
	w.sync()
	run, _ := w.lastRun()
	if got := slices.Sorted(slices.Values(run.EditedBy)); !slices.Equal(got, []string{"ad-bridge", "ann", "carl"}) {
		t.Errorf("the run comes from the edits of %q", got)
	}
	for _, subject := range []string{"ann", "carl", "ad-bridge"} {
		if w.decide(subject, all) {
			t.Errorf("%s approves his own edits", subject)
		}
	}
	if !w.decide("admin", all) { // what he bound was agreed before
		t.Error("admin edited nothing since and may not approve")
	}
	w.sync()
	if run, _ := w.lastRun(); run.State != directory.RunDone || run.ApprovedBy != "admin" {
		t.Errorf("run is %s by %s", run.State, run.ApprovedBy)
	}

	// Edits that were agreed do not count any more; declining needs no others.
	users[2] = w.edit(users[2], by("ben"))
	w.sync()
	if run, _ = w.lastRun(); !slices.Equal(run.EditedBy, []string{"ben"}) {
		t.Errorf("the run comes from the edits of %q", run.EditedBy)
	}
	if w.decide("ben", all) || !w.decide("ben", plan.Approval{}) {
		t.Error("ben approves his edit, or may not decline it")
	}
}

// Who asked for a run, or an undo, or released a binding, does not approve it.
func TestFourEyesOfRequesters(t *testing.T) {
	w := newWorld(t)
	users := w.people(3)
	w.settings(func(s *directory.Settings) {
		s.FourEyes = true
		zero := 0
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectBlock: {Count: &zero}, directory.EffectUnblock: {Count: &zero}}
	})
	b := w.binding(users[0])
	b.Release, b.ReleasedBy = directory.ReleaseBlock, "ann"
	w.do(w.store.UpdateBinding(t.Context(), &b, true, true))
	w.sync()
	if w.decide("ann", all) {
		t.Error("who released the binding approves it")
	}
	if !w.decide("ben", all) {
		t.Error("ben may not approve")
	}
	w.sync()
	done, _ := w.lastRun()
	if done.State != directory.RunDone || done.Applied == 0 {
		t.Fatalf("run is %+v", done)
	}
	if _, err := w.runs().Undo(t.Context(), &w.conn, done, UndoRequest{By: "dora"}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if w.decide("dora", all) {
		t.Error("who asked for the undo approves it")
	}
	// Without the setting, as ever.
	w.settings(func(s *directory.Settings) { s.FourEyes = false })
	if !w.decide("dora", all) {
		t.Error("without fourEyes dora may not approve")
	}
	w.sync()
	w.settings(func(s *directory.Settings) { s.Mode, s.FourEyes = directory.ModeApprove, true })
	w.edit(users[1], func(u *directory.User) { u.JobTitle = "Chief" })
	_, err := w.runs().Start(t.Context(), &w.conn, Request{By: "carl"})
	w.do(err)
	w.sync()
	if w.decide("carl", all) || !w.decide("dora", all) {
		t.Error("who asked for the run approves it, or another may not")
	}
}

// Who changed the settings does not approve the plan that they lead to.
func TestFourEyesOfSettings(t *testing.T) {
	w := newWorld(t)
	for _, u := range w.people(30) {
		w.edit(u, func(u *directory.User) { u.WorkAddress.City = "Rome" })
	}
	w.settings(func(s *directory.Settings) { s.FourEyes = true })
	w.sync()
	_, err := w.store.ModifyConnection(t.Context(), w.conn.ID, func(c *directory.Connection) error {
		c.Settings.Attributes = maps.Clone(c.Settings.Attributes)
		c.Settings.Attributes["city"] = directory.AttributeRule{Export: true}
		c.SettingsBy = "ann"
		return nil
	})
	w.do(err)
	w.sync()
	run, _ := w.lastRun()
	if run.Held == nil || run.Held.Facts[0].Code != directory.HeldSettingsChanged {
		t.Fatalf("run is %s, %+v", run.State, run.Held)
	}
	if w.decide("ann", all) {
		t.Error("who changed the settings approves what they lead to")
	}
	if !w.decide("ben", all) {
		t.Error("ben may not approve")
	}
}

func TestEditorsOfAUser(t *testing.T) {
	w := newWorld(t)
	u := w.user("ann")
	for i := range 40 {
		u = w.edit(u, func(u *directory.User) {
			u.EditedBy(fmt.Sprintf("editor%d", i%20), w.now())
			u.JobTitle = fmt.Sprint(i)
		})
	}
	got, err := w.store.User(t.Context(), u.ID)
	w.do(err)
	if len(got.Editors) != 16 || got.Editors[15].By != "editor19" || got.Editors[15].Version != got.Version {
		t.Errorf("the latest editors are %+v of version %d", got.Editors, got.Version)
	}
}

// In the mode approve nothing is written without a decision, a release neither:
// whoever may write could block accounts by releasing them.
func TestReleaseInModeApprove(t *testing.T) {
	w := newWorld(t)
	users := w.people(2)
	w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
	b := w.binding(users[0])
	b.Release, b.ReleasedBy = directory.ReleaseBlock, "ann"
	w.do(w.store.UpdateBinding(t.Context(), &b, true, true))
	_, err := w.runs().Start(t.Context(), &w.conn, Request{Kind: directory.KindRelease, UserIDs: []directory.UserID{users[0].ID}, By: "ann"})
	w.do(err)
	w.sync()
	run, _ := w.lastRun()
	if run.State != directory.RunHeld || run.Held.Facts[0].Code != directory.HeldApproveMode || w.account(users[0].Email)["accountEnabled"] == false {
		t.Fatalf("the release is %s, held %+v", run.State, run.Held)
	}
	if !w.decide("ben", all) {
		t.Fatal("not approved")
	}
	w.sync()
	if w.account(users[0].Email)["accountEnabled"] != false {
		t.Error("approved, and not blocked")
	}
}

// Who has an account made does not see its password.
func TestFourEyesOfPasswords(t *testing.T) {
	w := newWorld(t)
	w.withPasswords()
	u := w.user("nina")
	w.bind(u) // by admin
	w.sync()
	w.settings(func(s *directory.Settings) { s.FourEyes = true })
	p := &Passwords{Store: w.store, Now: w.now, Key: func(context.Context) (directory.Secret, error) { return w.key, nil }}
	if _, err := p.Show(t.Context(), u.ID, "admin"); code(err) != "four-eyes" {
		t.Errorf("shown to who bound the user: %v", err)
	}
	if s, err := p.Show(t.Context(), u.ID, "ben"); err != nil || s.IsZero() {
		t.Errorf("not shown to somebody else: %v", err)
	}
}
