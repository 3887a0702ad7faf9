package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"bindery/shared/core/passwords"
	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
)

// decide has somebody approve the last run, which must be held, and says whether
// they might.
func (w *world) decide(by string, a plan.Approval) bool {
	w.Helper()
	run, _ := w.lastRun()
	if run.State != directory.RunHeld {
		w.Fatalf("run is %s, want held", run.State)
	}
	_, err := w.runs().Approve(w.Context(), caller(by), run.ID, a)
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
			t.Errorf("%s approves their own edits", subject)
		}
	}
	if !w.decide("admin", all) { // what admin bound was agreed before
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
	w.do(w.store.Bindings.UpdateBinding(t.Context(), directory.AuditEvent{}, &b, true, true))
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
	if _, err := w.runs().Undo(t.Context(), caller("dora"), &w.conn, done, runs.UndoRequest{}); err != nil {
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
	_, err := w.runs().Start(t.Context(), caller("carl"), &w.conn, runs.Request{})
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
	_, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
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
	got, err := w.store.Users.User(t.Context(), u.ID)
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
	w.do(w.store.Bindings.UpdateBinding(t.Context(), directory.AuditEvent{}, &b, true, true))
	_, err := w.runs().Start(t.Context(), caller("ann"), &w.conn, runs.Request{Kind: directory.KindRelease, UserIDs: []directory.UserID{users[0].ID}})
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
	p := passwords.New(passwords.Config{Connections: w.store.Connections, Bindings: w.store.Bindings, Now: w.now, Key: func(context.Context) (directory.Secret, error) { return w.key, nil }})
	if _, err := p.Show(t.Context(), caller("admin"), u.ID); code(err) != "four-eyes" {
		t.Errorf("shown to who bound the user: %v", err)
	}
	if s, err := p.Show(t.Context(), caller("ben"), u.ID); err != nil || s.IsZero() {
		t.Errorf("not shown to somebody else: %v", err)
	}
}

// editBy changes a user as a caller does.
func (w *world) editBy(u directory.User, by string, change func(*directory.User)) directory.User {
	w.Helper()
	return w.edit(u, func(u *directory.User) {
		u.EditedBy(by, w.now())
		change(u)
	})
}

func boss(u *directory.User) { u.JobTitle = "Boss" }

// wantEditors fails the test unless the last run is held and comes from the edits
// of these.
func (w *world) wantEditors(want ...string) {
	w.Helper()
	run, _ := w.lastRun()
	if got := slices.Sorted(slices.Values(run.EditedBy)); run.State != directory.RunHeld || !slices.Equal(got, want) {
		w.Fatalf("run is %s and comes from the edits of %q, want %q", run.State, got, want)
	}
}

func (w *world) wantFourEyes() (users []directory.User) {
	w.Helper()
	users = w.people(3)
	w.settings(func(s *directory.Settings) { s.Mode, s.FourEyes = directory.ModeApprove, true })
	return users
}

// An undo takes back what was agreed: who asked for it asks again when it comes
// again, and so does whoever resumes the bindings.
func TestFourEyesAfterAnUndo(t *testing.T) {
	w := newWorld(t)
	users := w.wantFourEyes()
	for i := range users {
		users[i] = w.editBy(users[i], "alice", boss)
	}
	w.sync()
	done, _ := w.lastRun()
	if w.decide("alice", all) || !w.decide("ben", all) {
		t.Fatal("alice approves her edit, or ben may not")
	}
	w.sync()
	_, err := w.runs().Undo(t.Context(), caller("ben"), &w.conn, w.ended(done.ID), runs.UndoRequest{})
	w.do(err)
	w.sync()
	undo, _ := w.lastRun()
	w.decide("carl", all)
	w.sync()

	// An undo of the undo is what alice has asked for.
	again, err := w.runs().Undo(t.Context(), caller("dora"), &w.conn, w.ended(undo.ID), runs.UndoRequest{})
	w.do(err)
	w.sync()
	w.wantEditors("alice")
	if w.decide("alice", all) || w.decide("dora", all) {
		t.Error("who asked for it approves what is done again")
	}
	_, err = w.runs().Cancel(t.Context(), directory.Caller{}, again.ID)
	w.do(err)
	w.sync()

	for _, u := range users {
		_, err := w.runs().Resume(t.Context(), caller("ben"), &w.conn, u.ID)
		w.do(err)
	}
	w.sync()
	w.wantEditors("alice", "ben")
	for _, by := range []string{"alice", "ben"} {
		if w.decide(by, all) {
			t.Errorf("%s approves what comes again", by)
		}
	}
	if !w.decide("carl", all) {
		t.Error("carl asked for nothing of it and may not approve")
	}
	w.sync()
	for _, u := range users { // and now it is agreed
		w.editBy(u, "eve", func(u *directory.User) { u.Department = "Research" })
	}
	w.sync()
	w.wantEditors("eve")
}

// What was declined is not agreed: with the edit of another it comes again, and
// who asked for it first does not approve it.
func TestFourEyesOfWhatWasDeclined(t *testing.T) {
	w := newWorld(t)
	u := w.wantFourEyes()[0]
	u = w.editBy(u, "alice", boss)
	w.sync()
	w.decide("ben", plan.Approval{})
	w.sync()
	u = w.editBy(u, "carl", func(u *directory.User) { u.Department = "Research" })
	w.sync()
	w.wantEditors("alice", "carl")
	if w.decide("alice", all) || !w.decide("ben", all) {
		t.Error("alice approves what she asked for, or ben may not")
	}
	w.sync()
	w.editBy(u, "dora", func(u *directory.User) { u.Department = "Law" })
	w.sync()
	w.wantEditors("dora")
}

// An approval of a part agrees to nothing of the rest.
func TestFourEyesOfAPart(t *testing.T) {
	w := newWorld(t)
	u := w.wantFourEyes()[0]
	u = w.editBy(u, "alice", func(u *directory.User) { u.Email, u.JobTitle = "boss@"+simDomain, "Boss" })
	w.sync()
	if !w.decide("ben", plan.Approval{Effects: []directory.Effect{directory.EffectUpdate}}) {
		t.Fatal("ben may not approve a part")
	}
	w.sync()
	u = w.editBy(u, "carl", func(u *directory.User) { u.Department = "Research" })
	w.sync()
	w.decide("ben", all) // the rename stays declined
	w.sync()
	w.editBy(u, "carl", func(u *directory.User) { u.Email = "chief@" + simDomain })
	w.sync()
	w.wantEditors("alice", "carl")
}

// What could not be planned was agreed by nobody.
func TestFourEyesOfWhatWasRefusedFirst(t *testing.T) {
	w := newWorld(t)
	u := w.wantFourEyes()[0]
	u = w.editBy(u, "alice", func(u *directory.User) { u.Department = strings.Repeat("x", 65) })
	w.sync()
	if b := w.binding(u); b.Problem == nil || b.Problem.Property != "department" || b.Applied < b.Wanted {
		t.Fatalf("the binding is %+v", b)
	}
	w.editBy(u, "carl", func(u *directory.User) { u.Department = "Research" })
	w.sync()
	w.wantEditors("alice", "carl")
}

// The setting is asked for when somebody decides: switched on, it covers what is
// held already.
func TestFourEyesSwitchedOnLate(t *testing.T) {
	w := newWorld(t)
	users := w.people(3)
	w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
	w.editBy(users[0], "alice", boss)
	w.sync()
	w.settings(func(s *directory.Settings) { s.FourEyes = true })
	w.sync()
	w.wantEditors("alice")
	if w.decide("alice", all) || !w.decide("ben", all) {
		t.Error("alice approves her edit, or ben may not")
	}
}

// Everybody who changed the settings since the last plan is known, and not only
// the last; who changed nothing that is planned is not among them.
func TestFourEyesOfSeveralSettings(t *testing.T) {
	w := newWorld(t)
	for _, u := range w.people(30) {
		w.edit(u, func(u *directory.User) { u.WorkAddress.City, u.WorkAddress.Country = "Rome", "IT" })
	}
	set := func(by string, change func(*directory.Settings)) {
		t.Helper()
		_, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
			next := c.Settings
			next.Attributes = maps.Clone(next.Attributes)
			change(&next)
			c.Set(next, by, w.now())
			return nil
		})
		w.do(err)
	}
	set("zoe", func(s *directory.Settings) {
		s.FourEyes = true
		s.Attributes["faxNumber"] = directory.AttributeRule{}
	})
	w.sync()
	if run, _ := w.lastRun(); !run.State.Ended() {
		t.Fatalf("run is %s", run.State)
	}
	set("ann", func(s *directory.Settings) { s.Attributes["city"] = directory.AttributeRule{Export: true} })
	set("ben", func(s *directory.Settings) { s.Attributes["country"] = directory.AttributeRule{Export: true} })
	set("carl", func(s *directory.Settings) { s.Interval = directory.Duration(directory.MaxInterval) })
	w.sync()
	w.wantEditors("ann", "ben")
	if w.decide("ann", all) || w.decide("ben", all) || !w.decide("carl", all) {
		t.Error("who changed the settings approves what they lead to, or another may not")
	}
}

func (w *world) ended(id directory.RunID) directory.Run {
	w.Helper()
	r, err := w.store.Runs.Run(w.Context(), id)
	w.do(err)
	return r.Run
}
