package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
)

// TestManyPhones: new accounts bring their phones; of accounts that are there,
// many phones at once wait for an admin, who may let the ordinary values of the
// same accounts go without them. What is undone is counted likewise.
func TestManyPhones(t *testing.T) {
	w := newWorld(t)
	var users []directory.User
	for i := range 30 {
		users = append(users, w.user(fmt.Sprintf("user%02d", i), func(u *directory.User) { u.Phones.Mobile = fmt.Sprintf("+1 555 %02d", i) }))
	}
	w.bind(users[:15]...)
	w.bind(users[15:]...)
	w.sync()
	if run, _ := w.lastRun(); run.State != directory.RunDone || run.Counts[directory.EffectCreate] != 30 || w.account(users[29].Email)["mobilePhone"] != "+1 555 29" {
		t.Fatalf("the first load is %s with %v", run.State, run.Counts)
	}
	have := func(department, phone string) (n int) {
		for _, u := range users {
			if a := w.account(u.Email); a["department"] == department && a["mobilePhone"] == phone {
				n++
			}
		}
		return n
	}
	edit := func(list []directory.User, department, phone string) {
		for _, u := range list {
			w.edit(u, func(u *directory.User) { u.Department, u.Phones.Mobile = department, phone })
		}
		w.sync()
	}
	edit(users[:10], "Sales", "+1 666")
	if n := have("Sales", "+1 666"); n != 10 {
		t.Fatalf("%d accounts are as edited, want 10", n)
	}
	edit(users[:15], "Ops", "+1 777") // with the 10 of just before more than 20
	run, _ := w.lastRun()
	if run.State != directory.RunHeld || run.Counts[directory.EffectUpdateSensitive] != 15 || run.Counts[directory.EffectUpdate] != 15 || have("Ops", "+1 777") != 0 {
		t.Fatalf("the run is %s with %v and %v, want it held", run.State, run.Counts, run.Held)
	}
	admins := w.runs()
	if _, err := admins.Approve(t.Context(), caller("admin"), run.ID, plan.Approval{Effects: []directory.Effect{directory.EffectUpdate}}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if n := have("Ops", "+1 666"); n != 10 {
		t.Errorf("%d accounts have the new department with the old phone, want 10", n)
	}
	before, _ := w.lastRun()
	w.sync()
	if after, _ := w.lastRun(); after.ID != before.ID {
		t.Errorf("what was declined is planned again by %s: %v", after.ID, after.Counts)
	}
	w.skew.Add(25 * time.Hour)
	w.port.token = signIn(t, w.sim)
	edit(users[20:], "Law", "+1 888")
	if n := have("Law", "+1 888"); n != 10 {
		t.Fatalf("%d accounts are as edited a day later, want 10", n)
	}
	run, _ = w.lastRun()
	undo, err := admins.Undo(t.Context(), caller("admin"), &w.conn, run, runs.UndoRequest{Properties: []string{directory.PropMobilePhone}})
	if err != nil {
		t.Fatal(err)
	}
	w.sync()
	if got, err := w.store.Runs.Run(t.Context(), undo.ID); err != nil || got.State != directory.RunDone || got.Counts[directory.EffectUpdateSensitive] != 10 ||
		w.account(users[29].Email)["mobilePhone"] != "+1 555 29" || w.account(users[29].Email)["department"] != "Law" {
		t.Errorf("the undo is %s with %v, %v", got.State, got.Counts, err)
	}
}

// TestFirstLoadOfPhones: accounts that are adopted get the phones that their
// users had when the export was switched on, however many; what users got since
// waits for an admin, by whatever way it comes.
func TestFirstLoadOfPhones(t *testing.T) {
	accounts := make([]map[string]any, 60)
	for i := range accounts {
		accounts[i] = map[string]any{"userPrincipalName": fmt.Sprintf("user%02d@%s", i, simDomain), "displayName": "User", "mailNickname": fmt.Sprintf("user%02d", i), "accountEnabled": true}
	}
	w := newWorld(t, accounts...)
	var users []directory.User
	for i := range accounts {
		users = append(users, w.user(fmt.Sprintf("user%02d", i), func(u *directory.User) { u.Phones.Mobile, u.Updated = "+1 555", w.now() }))
	}
	export := func(yes bool) {
		c, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
			attributes := maps.Clone(c.Settings.Attributes)
			attributes["mobilePhone"] = directory.AttributeRule{Export: yes, Clear: yes}
			c.Settings.Attributes = attributes
			return nil
		})
		w.do(err)
		w.conn = c
	}
	export(false)
	w.skew.Add(time.Second)
	export(true)
	bind := func(list []directory.User) {
		for part := range slices.Chunk(list, 15) {
			w.bind(part...)
		}
		w.sync()
	}
	phones := func(phone string) (n int) {
		for _, u := range users {
			if w.account(u.Email)["mobilePhone"] == phone {
				n++
			}
		}
		return n
	}
	bind(users[:30])
	if run, _ := w.lastRun(); run.State != directory.RunDone || run.Counts[directory.EffectUpdateSensitive] != 30 || phones("+1 555") != 30 {
		t.Fatalf("the first load is %s with %v: %v", run.State, run.Counts, run.Held)
	}
	w.skew.Add(time.Second)
	for i := 30; i < 60; i++ {
		users[i] = w.edit(users[i], func(u *directory.User) { u.Phones.Mobile = "+1 666" })
	}
	bind(users[30:])
	if run, _ := w.lastRun(); run.State != directory.RunHeld || len(run.Held.Limits) == 0 || run.Held.Limits[0].Effect != directory.EffectUpdateSensitive || phones("+1 666") != 0 {
		t.Fatalf("phones from after the decision: %s with %v: %v", run.State, run.Counts, run.Held)
	}
}

// TestBoundAgainIsNoFirstLoad: to release accounts and bind them again is no way
// around what the guard holds, nor around what was declined.
func TestBoundAgainIsNoFirstLoad(t *testing.T) {
	accounts := make([]map[string]any, 30)
	for i := range accounts {
		accounts[i] = map[string]any{"userPrincipalName": fmt.Sprintf("user%02d@%s", i, simDomain), "displayName": "User", "mailNickname": fmt.Sprintf("user%02d", i), "accountEnabled": true}
	}
	w := newWorld(t, accounts...)
	export := func(yes bool) {
		c, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
			attributes := maps.Clone(c.Settings.Attributes)
			attributes["mobilePhone"] = directory.AttributeRule{Export: yes}
			c.Settings.Attributes = attributes
			return nil
		})
		w.do(err)
		w.conn = c
	}
	export(false)
	var users []directory.User
	for i := range accounts {
		users = append(users, w.user(fmt.Sprintf("user%02d", i), func(u *directory.User) { u.Phones.Mobile, u.Updated = "+1 555", w.now() }))
	}
	bind := func() {
		for part := range slices.Chunk(users, 15) {
			w.bind(part...)
		}
		w.sync()
	}
	bind()
	w.skew.Add(time.Second)
	export(true)
	held := func(when string) {
		t.Helper()
		run, _ := w.lastRun()
		if run.State != directory.RunHeld || run.Counts[directory.EffectUpdateSensitive] != 30 {
			t.Errorf("%s the run is %s with %v", when, run.State, run.Counts)
		}
		for _, u := range users {
			if got := w.account(u.Email)["mobilePhone"]; got != nil {
				t.Fatalf("%s %s has the phone %v", when, u.Email, got)
			}
		}
	}
	_, err := w.runs().Start(t.Context(), caller("boss"), &w.conn, runs.Request{Full: true})
	w.do(err)
	w.sync()
	held("after the export was switched on")
	w.decide("boss", plan.Approval{})
	w.sync()
	for _, u := range users {
		b := w.binding(u)
		w.do(w.store.Bindings.Retract(t.Context(), directory.AuditEvent{}, nil, &w.conn, &b))
	}
	bind()
	held("bound again")
}
