package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
)

// ghosts binds users that never get an account.
func (w *world) ghosts(n int) {
	w.Helper()
	list := make([]directory.User, n)
	for i := range list {
		list[i] = w.user(fmt.Sprintf("ghost%d", i), func(u *directory.User) { u.State = directory.StateSuspended })
	}
	w.bind(list...)
	w.sync()
}

// aDayLater lets more than a day pass; the administrator signs in again.
func (w *world) aDayLater() {
	w.Helper()
	w.skew.Add(plan.Day + 2*time.Hour)
	w.port.token = signIn(w.T, w.sim)
	w.sync()
}

// TestBoundWithoutAccountRaisesNothing: users who are bound and have no account
// raise no allowance, of whatever effect, neither now nor a day later.
func TestBoundWithoutAccountRaisesNothing(t *testing.T) {
	for _, later := range []bool{false, true} {
		for effect, edit := range map[directory.Effect]func(*directory.User){
			directory.EffectBlock:           func(u *directory.User) { u.State = directory.StateSuspended },
			directory.EffectUpdateSensitive: func(u *directory.User) { u.Phones.Mobile = "+15550100" },
			directory.EffectRename:          func(u *directory.User) { u.Email = "new." + u.Email },
			directory.EffectUpdateToEmpty:   func(u *directory.User) { u.JobTitle = "" },
		} {
			w := newWorld(t)
			users := w.people(60)
			w.ghosts(1200)
			if later {
				w.aDayLater()
			}
			for _, u := range users {
				w.edit(u, edit)
			}
			w.sync()
			run, _ := w.lastRun()
			if run.State != directory.RunHeld || run.Applied != 0 || len(run.Held.Limits) != 1 || run.Held.Limits[0].Effect != effect {
				t.Errorf("a day later %v: the run of 60 %s is %s with %d applied, held %+v", later, effect, run.State, run.Applied, run.Held)
			}
		}
	}
}

// TestSharesComeWithTime: a share is of the accounts that have been bound for a
// day. The others raise nothing, while all of them are counted.
func TestSharesComeWithTime(t *testing.T) {
	w := newWorld(t)
	users := w.people(200)
	w.suspend(users[:6]...)
	if run, _ := w.lastRun(); run.State != directory.RunHeld || run.Held.Limits[0].Limit != 5 {
		t.Fatalf("right after the load a run of 6 blocks is %s, %+v", run.State, run.Held)
	}
	w.decide("boss", all)
	w.sync()
	w.aDayLater()
	var more []directory.User
	for i := range 200 {
		more = append(more, w.user(fmt.Sprintf("more%d", i)))
	}
	w.bind(more[:100]...)
	w.bind(more[100:]...)
	w.sync()
	if a, err := w.store.Counters.BoundAccounts(t.Context(), w.conn.ID, 1); err != nil || a.N != 400 || !a.Counted {
		t.Fatalf("%+v accounts are bound, %v", a, err)
	}
	w.suspend(users[6:17]...)
	if run, _ := w.lastRun(); run.State != directory.RunHeld || run.Held.Limits[0].Limit != 10 {
		t.Errorf("a run of 11 blocks is %s, %+v, want it held by 5 %% of 200", run.State, run.Held)
	}
}

// TestAccountsOfAnEarlierVersion: where nobody has counted, the bindings are
// counted once; what an earlier version bound within a day raises nothing.
func TestAccountsOfAnEarlierVersion(t *testing.T) {
	for _, young := range []bool{false, true} {
		w := newWorld(t)
		users := w.people(200)
		w.forgetAccounts()
		if !young {
			w.aDayLater()
		}
		w.suspend(users[:8]...)
		run, _ := w.lastRun()
		if held := run.State == directory.RunHeld; held != young {
			t.Errorf("bound within a day %v: the run of 8 blocks is %s, %+v", young, run.State, run.Held)
		}
		w.aDayLater()
		if a, err := w.store.Counters.BoundAccounts(t.Context(), w.conn.ID, 1); err != nil || a.N != 200 || !a.Counted {
			t.Errorf("%+v accounts are bound, %v", a, err)
		}
	}
}

// forgetAccounts leaves the records as earlier versions wrote them.
func (w *world) forgetAccounts() {
	w.Helper()
	page, err := w.table.Query(w.Context(), table.Query{Partition: "C#" + string(w.conn.ID)})
	w.do(err)
	for _, it := range page.Items {
		if strings.HasPrefix(it.Sort, "bound#") {
			w.do(w.table.Write(w.Context(), table.Write{Update: &table.Update{Key: it.Key, RemoveNumbers: []string{"accounts", "accountsBase"}}}))
		}
	}
}

// TestUnreadableRolesGoBeforeTheGuardAgain: runs that were held while it was not
// known who is protected go one after the other, each before the guard as it is
// then: no more goes than if the roles had been readable all the while.
func TestUnreadableRolesGoBeforeTheGuardAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		meanwhile func(*directory.Settings)
		approved  bool
		renamed   int
	}{
		"the history counts":  {renamed: 20},
		"the mode is tighter": {meanwhile: func(s *directory.Settings) { s.Mode = directory.ModeApprove }},
		"a limit is tighter": {meanwhile: func(s *directory.Settings) {
			few := 10
			s.Guard = map[directory.Effect]directory.Limit{directory.EffectRename: {Count: &few}}
		}},
		"an admin approved": {approved: true, renamed: 60},
	} {
		w := newWorld(t)
		tenant := w.ruled()
		users := w.people(60)
		w.skew.Add(2 * time.Hour)
		w.port.token = signIn(t, w.sim)
		tenant.hide()
		w.engine.config.Stores.Marks = noMarks{w.engine.config.Stores.Marks}
		for part := range slices.Chunk(users, 20) {
			for _, u := range part {
				w.edit(u, func(u *directory.User) { u.Email = "new." + u.Email })
			}
			r, err := w.runs().Start(t.Context(), caller("writer"), &w.conn, runs.Request{UserIDs: ids(part)})
			w.do(err)
			w.sync()
			if tc.approved {
				_, err := w.runs().Approve(t.Context(), caller("boss"), r.ID, all)
				w.do(err)
				w.sync()
			}
		}
		if tc.meanwhile != nil {
			w.settings(tc.meanwhile)
		}
		tenant.err = nil
		w.sync()
		renamed, held := 0, 0
		for _, u := range users {
			if _, ok := w.sim.Account(simTenant, "new."+u.Email); ok {
				renamed++
			}
		}
		for _, r := range w.allRuns() {
			if r.State == directory.RunHeld {
				held++
				if heldUnread(r.Held) {
					t.Errorf("%s: a run is still held for its roles: %v", name, r.Held.Reasons)
				}
			}
		}
		if renamed != tc.renamed || held != (60-renamed)/20 {
			t.Errorf("%s: %d are renamed, want %d; %d runs are held", name, renamed, tc.renamed, held)
		}
	}
}

// TestApprovedWhileRolesAreUnreadable: what an admin approved goes on as approved
// once the roles can be read, whoever else leaves meanwhile; and that the
// directory has shrunk is then known to be right.
func TestApprovedWhileRolesAreUnreadable(t *testing.T) {
	w := newWorld(t)
	tenant := w.ruled()
	users := w.people(40)
	w.skew.Add(2 * time.Hour)
	w.port.token = signIn(t, w.sim)
	leave := func(list ...directory.User) {
		for _, u := range list {
			w.edit(u, func(u *directory.User) { now := w.now(); u.Deleted = &now })
		}
		w.sync()
	}
	leave(users[:10]...)
	r, _ := w.lastRun()
	if shrunkenSource(r.Held) == nil {
		t.Fatalf("the run is %s, held %+v", r.State, r.Held)
	}
	w.decide("boss", all)
	w.skew.Add(2 * time.Hour)
	w.port.token = signIn(t, w.sim)
	tenant.hide()
	w.sync()
	leave(users[10])
	w.skew.Add(time.Minute)
	w.sync()
	if got, err := w.store.Runs.Run(t.Context(), r.ID); err != nil || got.State != directory.RunHeld || got.ApprovedBy != "boss" || len(got.Held.Facts) != 2 {
		t.Fatalf("the approved run is %s, %+v, %v", got.State, got.Held, err)
	}
	tenant.err = nil
	w.sync()
	if got, err := w.store.Runs.Run(t.Context(), r.ID); err != nil || got.State != directory.RunDone || got.Applied != 20 {
		t.Fatalf("once the roles can be read the approved run is %s with %d applied, %v", got.State, got.Applied, err)
	}
	w.skew.Add(26 * time.Hour)
	w.port.token = signIn(t, w.sim)
	leave(users[11])
	if last, _ := w.lastRun(); shrunkenSource(last.Held) != nil {
		t.Errorf("the directory is still taken for shrunken: %s, %v", last.State, last.Held.Reasons)
	}
}

// noMarks hides what is marked, so that only the runs asked for are made.
type noMarks struct{ markStore }

func (noMarks) ListMarks(context.Context, directory.ConnectionID, int64, string, int) ([]store.Mark, string, error) {
	return nil, "", nil
}

// TestWhatIsUnderWayCounts: a run that the guard let go and that is between two
// waves counts for the next one with all that it has still to send.
func TestWhatIsUnderWayCounts(t *testing.T) {
	w := newWorld(t)
	few := 5
	w.settings(func(s *directory.Settings) { s.Breaker.Over = &few })
	users := w.people(35)
	w.skew.Add(2 * Grace)
	w.engine.config.Stores.Marks = noMarks{w.engine.config.Stores.Marks}
	for _, part := range [][]directory.User{users[:20], users[20:]} {
		for _, u := range part {
			w.edit(u, func(u *directory.User) { u.Email = "new." + u.Email })
		}
		_, err := w.runs().Start(t.Context(), caller("writer"), &w.conn, runs.Request{UserIDs: ids(part)})
		w.do(err)
		_, err = w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		w.do(err)
	}
	list := w.allRuns()
	if list[0].State != directory.RunHeld || list[1].State != directory.RunWaiting || list[1].Applied > 25 {
		t.Errorf("the second run is %s while the first is %s with %d applied", list[0].State, list[1].State, list[1].Applied)
	}
}

// chunksRead remembers of which runs chunks were read.
type chunksRead struct {
	chunkStore
	of []directory.RunID
}

func (c *chunksRead) Chunk(ctx context.Context, id directory.RunID, chunk int) ([]directory.Change, int, error) {
	c.of = append(c.of, id)
	return c.chunkStore.Chunk(ctx, id, chunk)
}

// TestLeaverReadsNoOtherPlan: whoever leaves does not wait until the chunks of a run
// under way are counted that has nothing of what is done to a leaver.
func TestLeaverReadsNoOtherPlan(t *testing.T) {
	w := newWorld(t)
	few := 5
	w.settings(func(s *directory.Settings) { s.Breaker.Over = &few })
	users := w.people(35)
	w.skew.Add(2 * Grace)
	for _, u := range users[:20] {
		w.edit(u, func(u *directory.User) { u.Email = "new." + u.Email })
	}
	_, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
	w.do(err)
	load, _ := w.lastRun()
	read := &chunksRead{chunkStore: w.engine.config.Stores.Chunks}
	w.engine.config.Stores.Chunks = read
	w.edit(users[30], func(u *directory.User) { u.State = directory.StateSuspended })
	_, err = w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
	w.do(err)
	if run, _ := w.lastRun(); load.State != directory.RunWaiting || run.State != directory.RunDone || run.Applied != 2 {
		t.Fatalf("the load is %s, the leaver's run %s with %d applied", load.State, run.State, run.Applied)
	}
	if slices.Contains(read.of, load.ID) {
		t.Errorf("the plan of the load was read for the leaver")
	}
}
