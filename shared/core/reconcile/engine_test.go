package reconcile

import (
	"errors"
	"testing"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

func existing(name string, more map[string]any) map[string]any {
	m := map[string]any{"userPrincipalName": name + "@" + simDomain, "displayName": name, "mailNickname": name, "accountEnabled": true}
	for k, v := range more {
		m[k] = v
	}
	return m
}

func TestMainJob(t *testing.T) {
	w := newWorld(t, existing("bob", map[string]any{"department": "Old", "givenName": "Robert"}))
	ann := w.user("ann", func(u *directory.User) { u.Department = "Sales"; u.Phones.Mobile = "+49 30 1234" })
	bob := w.user("bob", func(u *directory.User) { u.Department = "Ops" })
	w.bind(ann, bob)
	w.sync()

	run, changes := w.lastRun()
	if got, want := effects(changes), "create:applied adopt:applied update:applied"; run.State != directory.RunDone || len(changes) != 3 {
		t.Fatalf("first run %s: %s, want %s", run.State, got, want)
	}
	if a := w.account("ann@" + simDomain); a["department"] != "Sales" || a["accountEnabled"] != true || a["mobilePhone"] != "+49 30 1234" {
		t.Errorf("created account = %v", a)
	}
	if a := w.account("bob@" + simDomain); a["department"] != "Ops" || a["givenName"] != "Bob" {
		t.Errorf("adopted account = %v", a)
	}
	b := w.binding(bob)
	if b.Status != directory.BindingInSync || b.Before["department"].String() != "Old" || b.Dirty() {
		t.Errorf("binding of bob = %+v", b)
	}

	// Nothing to do: no request writes anything, and there is no new run.
	before := len(w.sim.Mutations(simTenant))
	w.skew.Add(directory.MinInterval * 4)
	w.sync()
	if again, _ := w.lastRun(); again.ID != run.ID {
		t.Errorf("a run after a successful one plans %+v", again)
	}
	if n := len(w.sim.Mutations(simTenant)); n != before {
		t.Errorf("%d mutations by an idle run", n-before)
	}

	w.edit(ann, func(u *directory.User) { u.State = directory.StateSuspended })
	w.edit(bob, func(u *directory.User) { u.Department, u.Email = "", "robert@"+simDomain })
	w.sync()
	if _, changes := w.lastRun(); len(changes) != 2 { // the leaver has a run of her own
		t.Errorf("second run: %s", effects(changes))
	}
	if a := w.account("ann@" + simDomain); a["accountEnabled"] != false {
		t.Errorf("suspended account = %v", a["accountEnabled"])
	}
	if a := w.account("robert@" + simDomain); a["department"] != nil {
		t.Errorf("cleared department = %v", a["department"])
	}
	w.edit(ann, func(u *directory.User) { u.State = directory.StateActive })
	w.sync()
	if a := w.account("ann@" + simDomain); a["accountEnabled"] != true {
		t.Errorf("activated account = %v", a["accountEnabled"])
	}
}

func TestForeignChanges(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann", func(u *directory.User) { u.Department = "Sales" })
	w.bind(ann)
	w.sync()
	w.skew.Add(Grace * 4)
	upn := "ann@" + simDomain
	w.do(w.sim.EditAccount(simTenant, upn, map[string]any{"department": "Hijacked"}))
	w.sync()
	if a := w.account(upn); a["department"] != "Sales" {
		t.Errorf("department = %v, want it reverted", a["department"])
	}
	w.skew.Add(Grace * 4)
	w.do(w.sim.EditAccount(simTenant, upn, map[string]any{"accountEnabled": false}))
	w.sync()
	if a := w.account(upn); a["accountEnabled"] != false {
		t.Error("a block that is not ours was reverted")
	}
	if b := w.binding(ann); len(b.Findings) != 1 || b.Findings[0].Code != "blocked-at-microsoft" {
		t.Errorf("findings = %+v", b.Findings)
	}
}

func TestGuardHoldsAMassBlock(t *testing.T) {
	w := newWorld(t)
	var users []directory.User
	for _, n := range []string{"a1", "a2", "a3", "a4", "a5", "a6", "a7"} {
		users = append(users, w.user(n))
	}
	w.bind(users...)
	w.sync()
	for _, u := range users[:6] {
		w.edit(u, func(u *directory.User) { u.State = directory.StateSuspended })
	}
	w.sync()
	run, _ := w.lastRun()
	if run.State != directory.RunHeld || run.Held == nil || run.Counts[directory.EffectBlock] != 6 {
		t.Fatalf("run = %+v, want held with 6 blocks", run)
	}
	for _, u := range users {
		if w.account(u.Email)["accountEnabled"] != true {
			t.Errorf("%s was blocked by a held run", u.Email)
		}
	}
	// Nothing new: the same run stays held.
	w.skew.Add(directory.MinInterval * 4)
	w.sync()
	if again, _ := w.lastRun(); again.ID != run.ID {
		t.Errorf("a second run %s was made of the same marks", again.State)
	}
	// Mending the data supersedes it.
	for _, u := range users[1:6] {
		w.edit(u, func(u *directory.User) { u.State = directory.StateActive })
	}
	w.sync()
	if again, changes := w.lastRun(); again.State != directory.RunDone || effects(changes) != "block:applied revoke:applied" {
		t.Errorf("after mending: %s %s", again.State, effects(changes))
	}
}

func TestApprovedRunGoesOn(t *testing.T) {
	w := newWorld(t)
	var users []directory.User
	for _, n := range []string{"a1", "a2", "a3", "a4", "a5", "a6", "a7"} {
		users = append(users, w.user(n))
	}
	w.bind(users...)
	w.sync()
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.State = directory.StateSuspended })
	}
	w.sync()
	run, _ := w.lastRun()
	admins := w.runs()
	// One of them comes back before the approval: only that one is dropped.
	w.edit(users[0], func(u *directory.User) { u.State = directory.StateActive })
	if r, err := admins.Approve(t.Context(), caller("boss"), run.ID, plan.Approval{All: true}); err != nil || r.State != directory.RunApplying || r.ApprovedBy != "boss" {
		t.Fatalf("Approve = %+v, %v", r, err)
	}
	w.sync()
	for i, u := range users {
		if got, want := w.account(u.Email)["accountEnabled"], i == 0; got != want {
			t.Errorf("%s enabled = %v, want %v", u.Email, got, want)
		}
	}
	if _, err := admins.Approve(t.Context(), caller("boss"), run.ID, plan.Approval{All: true}); !errors.Is(err, directory.ErrConflict) {
		t.Errorf("approving an ended run = %v", err)
	}
	if _, err := admins.Cancel(t.Context(), directory.Caller{}, run.ID); !errors.Is(err, directory.ErrConflict) {
		t.Errorf("cancelling an ended run = %v", err)
	}
}
