package reconcile

import (
	"fmt"
	"testing"

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
		w.skew += 2 * Grace
		w.moveTo(users, names...)
		w.sync()
		run, changes := w.lastRun()
		if run.State != directory.RunDone || run.Failed > 0 || run.Applied != 2*n { // an update each goes before
			t.Errorf("up %v: the run is %s (%+v): %s", up, run.State, run.Held, effects(changes))
		}
		for i, u := range users {
			if got := w.account(names[i] + "@" + simDomain)["id"]; got != ids[i] || w.binding(u).Status != directory.BindingInSync {
				t.Errorf("up %v: %s is %v, want %s; the binding is %s", up, names[i], got, ids[i], w.binding(u).Status)
			}
		}
	}
}
