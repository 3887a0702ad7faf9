package reconcile

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// over makes waves begin at few changes.
func over(n int) func(*directory.Settings) {
	return func(s *directory.Settings) {
		s.Breaker.Over = &n
		many := 10000
		s.Guard = map[directory.Effect]directory.Limit{}
		for _, e := range directory.GuardedEffects {
			s.Guard[e] = directory.Limit{Count: &many}
		}
	}
}

// step runs one slice at a time and says how many accounts a test sees.
func (w *world) slices(n int, see func()) {
	w.Helper()
	for range n {
		sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		w.do(err)
		see()
		if sum.Again < 0 {
			return
		}
		w.skew.Add(sum.Again)
	}
}

func titled(w *world, users []directory.User, title string) (n int) {
	for _, u := range users {
		if w.account(u.Email)["jobTitle"] == title {
			n++
		}
	}
	return n
}

func emptied(w *world, users []directory.User) (n int) {
	for _, u := range users {
		if w.account(u.Email)["jobTitle"] == nil {
			n++
		}
	}
	return n
}

// TestWaves: emptied values of many go as 1, then 1 %, then 10 %, then the rest,
// each read back; plain edits beside them wait for nothing.
func TestWaves(t *testing.T) {
	w := newWorld(t)
	w.settings(over(20))
	users := w.people(120)
	for i, u := range users {
		w.edit(u, func(u *directory.User) {
			if i < 100 {
				u.JobTitle = ""
			} else {
				u.JobTitle = "Boss"
			}
		})
	}
	var seen []string
	w.slices(60, func() {
		now := fmt.Sprintf("%d/%d", emptied(w, users), titled(w, users, "Boss"))
		if len(seen) == 0 || seen[len(seen)-1] != now {
			seen = append(seen, now)
		}
	})
	if got := strings.Join(seen, " "); got != "1/20 2/20 12/20 100/20" {
		t.Errorf("emptied/edited were %s, want 1, then 1 more, then 10 more, then all; and the edits at once", got)
	}
	run, _ := w.lastRun()
	if run.State != directory.RunDone || run.Applied != 120 {
		t.Errorf("run is %s with %d applied", run.State, run.Applied)
	}
}

// TestWaveIsHeld: when a wave reads back otherwise than written, the run stops
// as held with the evidence; an admin may let it go on.
func TestWaveIsHeld(t *testing.T) {
	w := newWorld(t)
	w.settings(over(20))
	users := w.people(100)
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.JobTitle = "" })
	}
	spoiled := false
	w.slices(60, func() {
		if !spoiled && emptied(w, users) == 1 {
			spoiled = true
			for _, u := range users {
				if w.account(u.Email)["jobTitle"] == nil {
					w.patch(u.Email, map[string]any{"jobTitle": "Written by somebody else"})
				}
			}
		}
	})
	run, _ := w.lastRun()
	if run.State != directory.RunHeld || run.Held.Wave == nil || run.Held.Wave.Wave != 1 || run.Held.Wave.Mismatched != 1 || run.Applied != 1 {
		t.Fatalf("run is %s, applied %d, held %+v; want held after the first wave", run.State, run.Applied, run.Held)
	}
	if _, err := w.runs().Approve(t.Context(), caller("boss"), run.ID, plan.Approval{All: true}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if r, err := w.store.Runs.Run(t.Context(), run.ID); err != nil || r.State != directory.RunDone || r.Applied != 100 {
		t.Errorf("after the approval the run is %s with %d applied, %v", r.State, r.Applied, err)
	}
}

// TestWaveIsHeldForRefusedValues: a run that stops since Microsoft refuses what it
// writes stays stopped, though the accounts that it tried could go on without the
// refused values; once an admin has decided, they do.
func TestWaveIsHeldForRefusedValues(t *testing.T) {
	w := newWorld(t)
	w.settings(over(20))
	users := w.people(100)
	w.fault(entratest.Fault{Kind: "value-refused", Property: "jobTitle"})
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.JobTitle, u.Department = "", "Moved" })
	}
	moved := func() (n int) {
		for _, u := range users {
			if w.account(u.Email)["department"] == "Moved" {
				n++
			}
		}
		return n
	}
	w.sync()
	for range 3 {
		w.skew.Add(directory.DefaultInterval)
		w.port.token = signIn(t, w.sim)
		w.sync()
	}
	run, _ := w.lastRun()
	if run.State != directory.RunHeld || run.Held.Wave == nil || run.Failed != 1 || moved() != 0 {
		t.Fatalf("run is %s with %d failed, held %+v; %d accounts were written to", run.State, run.Failed, run.Held, moved())
	}
	w.sim.ClearFaults()
	if _, err := w.runs().Approve(t.Context(), caller("boss"), run.ID, plan.Approval{All: true}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if n, refused := moved(), titled(w, users, "Clerk"); n != 100 || refused != 1 {
		t.Errorf("after the decision %d accounts were written to, and %d have kept what was refused", n, refused)
	}
}

// slow makes each request to Microsoft take some seconds of the world's time.
type slow struct {
	next http.RoundTripper
	w    *world
	took time.Duration
}

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(r)
	s.w.skew.Add(s.took)
	return resp, err
}

// TestWavesSurviveDeath: every slice of a run in waves is done by a new process,
// which has the time of a few requests only.
func TestWavesSurviveDeath(t *testing.T) {
	w := newWorld(t)
	w.settings(over(20))
	users := w.people(100)
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.JobTitle = "" })
	}
	w.port.rt = slow{w.port.rt, w, 4 * time.Second}
	most, slices := map[int]bool{}, 0
	for range 200 {
		w.port.token = signIn(t, w.sim)
		sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, w.now().Add(15*time.Second+10*time.Second))
		w.do(err)
		slices++
		most[emptied(w, users)] = true
		if sum.Again < 0 {
			break
		}
		w.skew.Add(sum.Again)
	}
	run, _ := w.lastRun()
	if run.State != directory.RunDone || run.Applied != 100 || !most[1] || !most[2] || !most[12] {
		t.Errorf("run is %s with %d applied, seen %v", run.State, run.Applied, most)
	}
	if slices < 10 {
		t.Errorf("%d slices, so none was cut short", slices)
	}
}

// TestSettingsChangeIsHeld: the first plan after new settings that touches many
// accounts waits for an admin, and goes in waves once approved.
func TestSettingsChangeIsHeld(t *testing.T) {
	w := newWorld(t)
	users := w.people(60)
	w.settings(func(s *directory.Settings) {
		s.Attributes["city"] = directory.AttributeRule{Export: true}
		s.Attributes["companyName"] = directory.AttributeRule{Export: true}
	})
	w.sync()
	if run, _ := w.lastRun(); run.State != directory.RunDone {
		t.Fatalf("new settings that touch nobody: run is %s", run.State)
	}
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.Company = "Corp" })
	}
	w.settings(func(s *directory.Settings) { s.Attributes["companyName"] = directory.AttributeRule{} })
	w.sync()
	w.settings(func(s *directory.Settings) {
		s.Attributes["companyName"] = directory.AttributeRule{Export: true, Clear: true}
	})
	w.sync()
	run, changes := w.lastRun()
	if run.State != directory.RunHeld || len(run.Held.Facts) != 1 || run.Held.Facts[0].Code != directory.HeldSettingsChanged || len(changes) != 60 {
		t.Fatalf("run is %s with %d changes, held %+v; want held for the settings", run.State, len(changes), run.Held)
	}
	if _, err := w.runs().Approve(t.Context(), caller("boss"), run.ID, plan.Approval{}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	w.edit(users[0], func(u *directory.User) { u.JobTitle = "Boss" })
	w.sync()
	if run, changes = w.lastRun(); run.State != directory.RunDone || len(changes) == 0 {
		t.Errorf("after the decision an edit's run is %s with %s", run.State, effects(changes))
	}
}

// TestSourceShrank: the directory loses a third of its users at once, few of
// whom are bound: even they wait.
func TestSourceShrank(t *testing.T) {
	w := newWorld(t)
	users := w.people(30)
	var others []directory.User
	for i := range 70 {
		others = append(others, w.user(fmt.Sprintf("other%02d", i)))
	}
	w.edit(users[0], func(u *directory.User) { u.State = directory.StateSuspended })
	w.sync()
	gone := w.now()
	for _, u := range append(others[:30:30], users[1]) {
		w.edit(u, func(u *directory.User) { u.Deleted = &gone })
	}
	w.sync()
	run, _ := w.lastRun()
	if run.State != directory.RunHeld || run.Held.Facts[0].Code != directory.HeldSourceShrank || run.Held.Facts[0].Then != 100 || run.Held.Facts[0].Now != 69 {
		t.Fatalf("run is %s, held %+v; want held because the source shrank", run.State, run.Held)
	}
}

// uncreating lets no creation through: each is asked to come again in a minute.
type uncreating struct{ *port }

func (s uncreating) Write(ctx context.Context, writes []directory.Write) ([]directory.Outcome, error) {
	for _, w := range writes {
		if w.Effect == directory.EffectCreate {
			return nil, &directory.ThrottledError{RetryAfter: time.Minute}
		}
	}
	return s.port.Write(ctx, writes)
}

// TestStoppedBeforeTheLastWave: a run that is stopped when only the last wave is
// left, by a look on the way to other changes, is held and not done.
func TestStoppedBeforeTheLastWave(t *testing.T) {
	w := newWorld(t)
	w.settings(over(20))
	users := w.people(100)
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.JobTitle = "" })
	}
	w.bind(w.user("fresh"))
	w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return uncreating{w.port}, nil }
	spoiled := false
	w.slices(60, func() {
		if spoiled || emptied(w, users) != 12 {
			return
		}
		spoiled = true
		for _, u := range users {
			if w.account(u.Email)["jobTitle"] == nil {
				w.patch(u.Email, map[string]any{"jobTitle": "Written by somebody else"})
			}
		}
	})
	run, changes := w.lastRun()
	if !spoiled || run.State != directory.RunHeld || run.Held.Wave == nil || run.Held.Wave.Wave != 3 || run.Applied != 12 {
		t.Fatalf("the run is %s with %d applied, held %+v; want held after the third wave", run.State, run.Applied, run.Held)
	}
	if n := strings.Count(effects(changes), ":planned"); n != 89 {
		t.Errorf("%d changes are still planned, want 88 and the creation", n)
	}
}
