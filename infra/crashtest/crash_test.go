package crashtest

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"bindery/shared/directory"
)

// each is at how many of the scenario's calls something goes wrong: every seventh
// one, each in every way, since the real adapter takes its time. Package
// reconcile's own tests go through a story like it at every call.
const each = 7

// copied is a copy of a folder that lives as long as the test.
func copied(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestCrashThroughTheAdapter plays a scenario of everything that Bindery does
// with a tenant, through the whole product: API, token refresh, queue, schedule,
// engine, approval, undo, deactivation. Its calls to the outside are counted, and then
// every seventh of them goes wrong in every way: killed right before and after,
// lost, late, throttled. It must always come to the same end.
func TestCrashThroughTheAdapter(t *testing.T) {
	dir := t.TempDir()
	var snap *Snapshot
	var ref *Reference
	var err error
	synctest.Test(t, func(t *testing.T) {
		if snap, err = Prepare(t.Context(), Accounts, dir); err != nil {
			t.Fatal(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		if ref, err = snap.Count(t.Context(), copied(t, dir)); err != nil {
			t.Fatal(err)
		}
	})
	for effect, least := range map[directory.Effect]int{
		directory.EffectCreate: 3, directory.EffectAdopt: 2, directory.EffectUpdate: 5, directory.EffectRename: 1,
		directory.EffectBlock: 9, directory.EffectRevoke: 9, directory.EffectRestore: 1, directory.EffectUnblock: 1,
	} {
		if ref.Effects[effect] < least {
			t.Errorf("the scenario has %d changes of %s, want at least %d", ref.Effects[effect], effect, least)
		}
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
	var cases []Fault
	for _, c := range ref.Cases() {
		if c.Call%each == 1 {
			cases = append(cases, c)
		}
	}
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
