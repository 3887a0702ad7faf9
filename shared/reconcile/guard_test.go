package reconcile

import (
	"context"
	"fmt"
	"testing"
	"time"

	"bindery/shared/directory"
)

// TestGuardOverSeveralRuns: a bulk edit that comes in bit by bit is held as if
// it had come at once; what an admin approved does not count against others.
func TestGuardOverSeveralRuns(t *testing.T) {
	w := newWorld(t)
	var users []directory.User
	for i := range 40 {
		users = append(users, w.user(fmt.Sprintf("user%02d", i)))
	}
	for i := 0; i < len(users); i += 10 {
		w.bind(users[i : i+10]...)
	}
	w.sync()
	blocked := func() (n int) {
		for _, u := range users {
			if w.account(u.Email)["accountEnabled"] == false {
				n++
			}
		}
		return n
	}
	suspend := func(from, to int) {
		for _, u := range users[from:to] {
			w.edit(u, func(u *directory.User) { u.State = directory.StateSuspended })
		}
		w.sync()
	}
	suspend(0, 3)
	suspend(3, 5)
	if n := blocked(); n != 5 {
		t.Fatalf("%d accounts are blocked, want the 5 that the guard allows", n)
	}
	suspend(5, 7)
	run, _ := w.lastRun()
	if n := blocked(); n != 5 || run.State != directory.RunHeld {
		t.Fatalf("%d accounts are blocked, the last run is %s, want 5 and held", n, run.State)
	}
	runs := &Runs{Store: w.store, Now: w.now, Wake: func(context.Context, directory.ConnectionID, time.Duration) error { return nil }}
	if _, err := runs.Approve(t.Context(), run.ID, "admin"); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if n := blocked(); n != 7 {
		t.Errorf("%d accounts are blocked after the approval, want 7", n)
	}
	w.skew += 3 * time.Hour
	w.port.token = signIn(t, w.sim)
	suspend(7, 9)
	if n := blocked(); n != 9 {
		t.Errorf("%d accounts are blocked hours later, want 9", n)
	}
}

// TestTwoUsersOneAddress: of two users with one mapped address, bound together,
// the first gets the account and the other is a conflict; nobody waits.
func TestTwoUsersOneAddress(t *testing.T) {
	w := newWorld(t)
	w.conn.Settings.DomainMap = map[string]string{"other.example": simDomain}
	w.do(w.store.UpdateConnection(t.Context(), &w.conn))
	same := func(email string) func(*directory.User) {
		return func(u *directory.User) { u.Email, u.GivenName, u.DisplayName = email, "Clash", "Clash" }
	}
	a := w.user("clash", same("clash@"+simDomain))
	b := w.user("clasher", same("clash@other.example"))
	c := w.user("carl")
	w.bind(a, b, c)
	w.sync()
	states := map[directory.BindingStatus]int{}
	for _, u := range []directory.User{a, b, c} {
		states[w.binding(u).Status]++
	}
	if states[directory.BindingInSync] != 2 || states[directory.BindingConflict] != 1 {
		t.Errorf("bindings are %v, want two in sync and one conflict", states)
	}
}
