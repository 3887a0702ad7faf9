package crashtest

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"bindery/shared/directory"
)

// copied is a copy of a folder that lives as long as the test.
func copied(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestCrashThroughTheAdapter plays a scenario of everything that Bindery does with
// accounts, through the whole product: API, token refresh, queue, schedule, engine,
// approval, undo, deactivation. Its calls to the outside are counted, and then every
// seventh of them goes wrong in every way: killed right before and after, lost, late,
// throttled. It must always come to the same end. Package reconcile's own tests go through
// a story like it at every call.
func TestCrashThroughTheAdapter(t *testing.T) {
	crashes(t, Accounts, stride{7, 7}, map[directory.Effect]int{
		directory.EffectCreate: 3, directory.EffectAdopt: 2, directory.EffectUpdate: 5, directory.EffectRename: 1,
		directory.EffectBlock: 9, directory.EffectRevoke: 9, directory.EffectRestore: 1, directory.EffectUnblock: 1,
	})
}

// TestGroupsCrashThroughTheAdapter does the same with groups, their members, managers and
// licences.
func TestGroupsCrashThroughTheAdapter(t *testing.T) {
	crashes(t, Groups, stride{71, 9}, map[directory.Effect]int{
		directory.EffectGroupCreate: 2, directory.EffectGroupAdopt: 1, directory.EffectGroupUpdate: 1, directory.EffectGroupDelete: 1,
		directory.EffectMemberAdd: 10, directory.EffectMemberRemove: 8, directory.EffectManagerSet: 3, directory.EffectManagerClear: 1,
		directory.EffectLicenceAdd: 3, directory.EffectLicenceRemove: 1, directory.EffectLicenceSwap: 1, directory.EffectLicencePlans: 3,
		directory.EffectDeselect: 4,
	})
}

// stride is at every how many-th call something goes wrong; of batches, in which all is
// written and of which there are few, by themselves.
type stride struct{ calls, batches int }

// asked is the stride that BINDERY_CRASH_EACH wants instead; 1 is every call, which takes
// an hour.
func (s stride) asked(t *testing.T) stride {
	t.Helper()
	each := os.Getenv("BINDERY_CRASH_EACH")
	if each == "" {
		return s
	}
	n, err := strconv.Atoi(each)
	if err != nil || n < 1 {
		t.Fatalf("BINDERY_CRASH_EACH is %q, want a number from 1", each)
	}
	return stride{n, n}
}

// of are the cases at each place.
func (s stride) of(ref *Reference) []Fault {
	seen, last := map[Place]int{}, 0
	var cases []Fault
	for _, c := range ref.Cases() {
		place, each := ref.Calls[c.Call-1].Place, s.calls
		if place == Batch {
			each = s.batches
		}
		if c.Call != last {
			seen[place]++
		}
		if last = c.Call; seen[place]%each == 1%each {
			cases = append(cases, c)
		}
	}
	return cases
}

// crashes plays a scenario with faults at calls of a stride. least is how many changes
// of each effect it must have.
func crashes(t *testing.T, scenario *Scenario, each stride, least map[directory.Effect]int) {
	t.Helper()
	dir := t.TempDir()
	var snap *Snapshot
	var ref *Reference
	var err error
	synctest.Test(t, func(t *testing.T) {
		if snap, err = Prepare(t.Context(), scenario, dir); err != nil {
			t.Fatal(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		if ref, err = snap.Count(t.Context(), copied(t, dir)); err != nil {
			t.Fatal(err)
		}
	})
	for effect, n := range least {
		if ref.Effects[effect] < n {
			t.Errorf("the scenario has %d changes of %s, want at least %d", ref.Effects[effect], effect, n)
		}
	}
	if scenario.approves && ref.Approved == 0 {
		t.Error("no run of the scenario is held")
	}
	places := map[Place]int{}
	for _, c := range ref.Calls {
		places[c.Place]++
	}
	for _, p := range []Place{TableRead, TableWrite, Graph, Batch, Login, Vault, Queue} {
		if places[p] == 0 {
			t.Errorf("the scenario never calls: %s", p)
		}
	}
	cases := each.asked(t).of(ref)
	all, struck := map[Mode]int{}, map[Mode]int{}
	for _, c := range cases {
		all[c.Mode]++
	}
	var mu sync.Mutex // of struck
	shards := 2 * runtime.GOMAXPROCS(0)
	t.Run("cases", func(t *testing.T) {
		for shard := range shards {
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				for i := shard; i < len(cases); i += shards {
					one := cases[i]
					t.Run(fmt.Sprintf("%d %s", one.Call, one.Mode), func(t *testing.T) {
						to := copied(t, dir)
						synctest.Test(t, func(t *testing.T) {
							hit, err := snap.Try(t.Context(), to, ref, one)
							if err != nil {
								t.Errorf("%s %s: %v", ref.Calls[one.Call-1], one.Mode, err)
							}
							if hit {
								mu.Lock()
								struck[one.Mode]++
								mu.Unlock()
							}
						})
					})
				}
			})
		}
	})
	sum := 0
	for _, m := range Batch.Modes() { // all that there are
		if struck[m] == 0 || struck[m] < all[m]*3/4 {
			t.Errorf("only %d of %d calls went wrong as %q", struck[m], all[m], m)
		}
		sum += struck[m]
	}
	if sum < len(cases)*9/10 {
		t.Errorf("only %d of %d faults befell a call", sum, len(cases))
	}
	fmt.Printf("%d crash cases through the adapter (%d calls): %v of %v\n", sum, len(ref.Calls), struck, all)
}
