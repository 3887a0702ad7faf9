package licences

import (
	"fmt"
	"testing"
	"time"

	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
)

// groupStory has the licences of groups due: one that is given, one that is swapped for
// another, and one that is taken, whose members are given it themselves.
func groupStory(t *testing.T) (*world, []*licensed, []directory.User) {
	w := newWorld(t)
	users := w.people("ann", "bob", "eve")
	swaps, moves := w.export("Swaps", users[0]), w.export("Moves", users[1])
	w.uses(swaps, true, w.rule(partE3))
	w.uses(moves, true, w.rule(partE3))
	w.later(30 * time.Minute)
	gives := w.export("Gives", users[2])
	w.uses(gives, true, w.rule(partVisio))
	w.uses(swaps, true, w.rule(partE5))
	w.uses(moves, false, w.rule(partE3))
	w.pass(2 * directory.DefaultInterval)
	return w, []*licensed{swaps, moves, gives}, users
}

func (w *world) verifyGroups(what string, groups []*licensed, users []directory.User) {
	w.Helper()
	for i, want := range []string{partE5, "", partVisio} {
		name := groups[i].group.Name
		if got := w.gives(name); got != want {
			w.Errorf("%s: %s gives %q, want %q", what, name, got, want)
		}
		b := w.groupRecord(groups[i])
		if ours := len(given(&b)); ours != len(want)/max(1, len(want)) || b.Status == directory.BindingFailed {
			w.Errorf("%s: the record of %s is %s with %v (%+v)", what, name, b.Status, b.Base, b.Problem)
		}
	}
	for i, want := range []string{"", partE3, ""} {
		if got := w.has(users[i]); got != want {
			w.Errorf("%s: %s has %q, want %q", what, users[i].Email, got, want)
		}
	}
}

// finish lets Microsoft and the engine come to the end of a story.
func (w *world) finish(k *trouble) {
	w.Helper()
	for range 8 {
		w.pass(10 * time.Minute)
		w.do(w.sim.Advance(0))
		w.story(k)
		if k != nil && k.dead() {
			return
		}
	}
}

// TestGroupsCrashAnywhere lets trouble befall calls of the story, and demands the same end
// every time.
func TestGroupsCrashAnywhere(t *testing.T) {
	t.Parallel()
	count := &trouble{}
	w, groups, users := groupStory(t)
	count.install(w)
	w.finish(count)
	count.remove(w)
	w.verifyGroups("without trouble", groups, users)
	if t.Failed() {
		return
	}
	for i, kind := range []string{killBefore, killAfter, failBefore, failAfter, throttle} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for at := 1 + 7*i; at <= count.n && !t.Failed(); at += 41 {
				w, groups, users := groupStory(t)
				k := &trouble{at: at, kind: kind}
				k.install(w)
				w.finish(k)
				k.remove(w)
				if k.dead() {
					w.pass(reconcile.LeaseTTL + time.Second)
					w.start(w.open)
				}
				w.story(nil)
				w.finish(nil)
				w.verifyGroups(fmt.Sprintf("%s call %d of %d", kind, at, count.n), groups, users)
			}
		})
	}
}
