package reconcile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

// moveTo gives users new addresses, each as it comes, whoever has it before: all
// go through addresses that no sync sees.
func (w *world) moveTo(users []directory.User, names ...string) {
	w.Helper()
	for i, u := range users {
		w.edit(u, func(u *directory.User) { u.Email = fmt.Sprintf("between%d@%s", i, simDomain) })
	}
	for i, u := range users {
		w.edit(u, func(u *directory.User) { u.Email = names[i] + "@" + simDomain })
	}
}

func (w *world) ids(users []directory.User) []string {
	w.Helper()
	list := make([]string, len(users))
	for i, u := range users {
		list[i] = string(w.idOf(u))
	}
	return list
}

// TestChainOfRenames: everyone takes the address that the next one gives up, in
// the order of the users and against it. One run does it.
func TestChainOfRenames(t *testing.T) {
	const n = 6
	for _, up := range []bool{true, false} {
		w := newWorld(t)
		users := w.people(n)
		ids := w.ids(users)
		w.settings(func(s *directory.Settings) {
			s.Guard = map[directory.Effect]directory.Limit{directory.EffectRename: {Count: new(100)}}
		})
		names := make([]string, n)
		for i := range names {
			switch {
			case up && i == n-1, !up && i == 0:
				names[i] = "new"
			case up:
				names[i] = fmt.Sprintf("user%03d", i+1)
			default:
				names[i] = fmt.Sprintf("user%03d", i-1)
			}
		}
		w.skew.Add(2 * Grace)
		w.moveTo(users, names...)
		w.sync()
		run, changes := w.lastRun()
		if run.State != directory.RunDone || run.Failed > 0 || run.Applied != n {
			t.Errorf("up %v: the run is %s (%+v): %s", up, run.State, run.Held, effects(changes))
		}
		for i, u := range users {
			if got := w.account(names[i] + "@" + simDomain)["id"]; got != ids[i] || w.binding(u).Status != directory.BindingInSync {
				t.Errorf("up %v: %s is %v, want %s; the binding is %s", up, names[i], got, ids[i], w.binding(u).Status)
			}
		}
	}
}

// TestSwappedAddresses: two users take each other's address. Microsoft cannot do
// that in one step, and no third address is made up: both are conflicts that say
// who has the address, and nothing is lost. As soon as one of them has moved on,
// the other follows, and then so does the first.
func TestSwappedAddresses(t *testing.T) {
	w := newWorld(t)
	users := w.people(3)
	ids := w.ids(users)
	ann, ben := users[0], users[1]
	w.skew.Add(2 * Grace)
	w.moveTo(users[:2], "user001", "user000")
	w.edit(ann, func(u *directory.User) { u.JobTitle = "Boss" })
	for range 2 { // a retry says the same
		w.sync()
		for i, u := range users[:2] {
			b := w.binding(u)
			if b.Status != directory.BindingConflict || b.Problem.Code != directory.CodeAddressesExchanged || b.Problem.Holder != ids[1-i] ||
				!strings.Contains(b.Problem.Message, users[1-i].Email) || len(b.Problem.Steps) == 0 {
				t.Fatalf("the binding of user %d is %s with %+v", i, b.Status, b.Problem)
			}
			if got := w.account(ids[i])["userPrincipalName"]; got != u.Email {
				t.Fatalf("account %d is called %v", i, got)
			}
		}
		w.skew.Add(6 * time.Minute)
	}
	if got := w.account(ids[0])["jobTitle"]; got != "Boss" {
		t.Errorf("the title is %v: the conflict held up what it has nothing to do with", got)
	}
	w.sync()
	w.edit(ann, func(u *directory.User) { u.Email = "third@" + simDomain })
	before := w.skew.Load()
	w.sync()
	if b := w.binding(ben); b.Status != directory.BindingInSync || w.account(users[0].Email)["id"] != ids[1] || w.skew.Load()-before > time.Minute {
		t.Fatalf("after the first moved on the second is %s after %s, with %+v", b.Status, w.skew.Load()-before, b.Problem)
	}
	w.edit(ann, func(u *directory.User) { u.Email = ben.Email })
	w.sync()
	if b := w.binding(ann); b.Status != directory.BindingInSync || w.account(ben.Email)["id"] != ids[0] {
		t.Errorf("the first is %s with %+v", b.Status, b.Problem)
	}
	w.verifyTroubles("after the exchange")
}
