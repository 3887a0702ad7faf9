package quota

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"bindery/shared/directory"
)

// contested is the app's quota where another worker is always faster once.
type contested struct{ *shared }

func (c contested) ChangeAppQuota(ctx context.Context, change func(*directory.AppQuota) bool) error {
	late := c.q
	late.Supply -= 1
	change(&late) // was not kept
	return c.shared.ChangeAppQuota(ctx, change)
}

// worker works on one tenant; of others it knows what is stored.
type worker struct {
	*testing.T
	stored []byte
	app    App
}

func (w *worker) with(now time.Time, do func(Tenant)) (q directory.TenantQuota) {
	w.Helper()
	if w.stored == nil {
		w.stored = []byte("{}")
	}
	if err := json.Unmarshal(w.stored, &q); err != nil {
		w.Fatal(err)
	}
	do(At(&q, now))
	var err error
	if w.stored, err = json.Marshal(q); err != nil {
		w.Fatal(err)
	}
	return q
}

func (w *worker) take(now time.Time, n int, work Work) (wait time.Duration) {
	w.Helper()
	w.with(now, func(t Tenant) {
		var err error
		if wait, err = t.Take(w.Context(), w.app, n, work); err != nil {
			w.Fatal(err)
		}
	})
	return wait
}

func (w *worker) refused(now time.Time) {
	w.Helper()
	w.with(now, func(t Tenant) {
		if err := t.Refused(w.Context(), w.app, time.Second, directory.ThrottledApp); err != nil {
			w.Fatal(err)
		}
	})
}

// TestLeaversPassTheLoadOfTheirTenant: a leaver whose tenant's load stands in the app's
// line waits for nothing, and leaves the load its place. Others of few writes pass as
// long as the small reserve lasts, and then wait for that place.
func TestLeaversPassTheLoadOfTheirTenant(t *testing.T) {
	t.Parallel()
	app := contested{&shared{}}
	microsoft := bucket{appWrites, appWrites, appRefill, start}
	workers := make([]*worker, 60)
	left := make([]int, len(workers))
	for i := range workers {
		workers[i], left[i] = &worker{T: t, app: app}, 1500
	}
	due := make([]time.Time, len(workers))
	var done time.Time
	leavers := 0
	send := func(now time.Time, n int) {
		if !microsoft.take(now, n) {
			t.Fatalf("the app is throttled after %s", now.Sub(start))
		}
	}
	for now := start; now.Before(start.Add(20 * time.Minute)); now = now.Add(100 * time.Millisecond) {
		for i, w := range workers {
			if left[i] == 0 {
				continue
			}
			done = now
			if !due[i].After(now) {
				n := min(160, left[i])
				if wait := w.take(now, n, Work{Left: left[i]}); wait > 0 {
					due[i] = now.Add(wait)
				} else {
					send(now, n)
					left[i], due[i] = left[i]-n, now.Add(200*time.Millisecond)
				}
			}
			if now.Sub(start)%(30*time.Second) != time.Duration(i)*100*time.Millisecond || left[i] == 0 {
				continue
			}
			before := w.with(now, func(Tenant) {})
			if before.Portion == 0 || !before.PortionEnd.IsZero() {
				continue // it does not stand in line
			}
			if wait := w.take(now, 2, Work{Left: 2, Leaver: true}); wait > 0 {
				t.Fatalf("after %s a leaver waits %s", now.Sub(start), wait)
			}
			send(now, 2)
			leavers++
			after := w.with(now, func(Tenant) {})
			if after.Portion != before.Portion || after.Ticket != before.Ticket || !after.PortionEnd.IsZero() {
				t.Fatalf("the load's place was %v, %v and is %v, %v until %s", before.Ticket, before.Portion, after.Ticket, after.Portion, after.PortionEnd)
			}
		}
	}
	least := (60*1500.0 - appWrites) / appRefill
	if ratio := least / done.Sub(start).Seconds(); leavers < 100 || ratio < 0.95 {
		t.Errorf("%d leavers, ratio %.3f", leavers, ratio)
	}
}

// TestFewWritesBesideALoadInLine: who needs few writes takes them out of the small
// reserve, also in a tenant whose load stands in line, and waits for its place when the
// reserve is used up.
func TestFewWritesBesideALoadInLine(t *testing.T) {
	t.Parallel()
	app := contested{&shared{}}
	app.q = directory.AppQuota{Supply: 1000, Promised: 5000, Small: 30, At: start}
	w := &worker{T: t, app: app}
	place := w.take(start, 160, Work{Left: 5000})
	if place == 0 {
		t.Fatal("the load does not stand in line")
	}
	if wait := w.take(start, 20, Work{Left: 20}); wait != 0 {
		t.Errorf("few writes wait %s", wait)
	}
	if wait := w.take(start, 20, Work{Left: 20}); wait < place {
		t.Errorf("without a reserve few writes wait %s, the load %s", wait, place)
	}
	if promised := app.q.Promised; promised != 5000+portion {
		t.Errorf("%v are promised", promised)
	}
	if wait := w.take(start, 160, Work{Left: 5000}); wait < place {
		t.Errorf("the load waits %s, before %s", wait, place)
	}
}

// fullOf is an app's window of which so many writes were given out a moment ago.
func fullOf(writes int, counted time.Duration) *shared {
	s := &shared{}
	noteOfApp(&s.q, start, start.Add(-time.Minute), writes)
	s.q.Counts, s.q.CountsAt = directory.CountsWindow, start.Add(-counted).Unix()
	return s
}

// TestRefusalFillsTheAppsWindow: after one refusal of one worker the loads of others
// wait until what is known to have been given out leaves the window, and a leaver for
// whom there is no room tries once in a window.
func TestRefusalFillsTheAppsWindow(t *testing.T) {
	t.Parallel()
	app := contested{fullOf(25000, time.Hour)}
	one, two, load := &worker{T: t, app: app}, &worker{T: t, app: app}, Work{Left: 5000}
	if wait := one.take(start, 160, load); wait != 0 {
		t.Fatalf("with room it waits %s", wait)
	}
	one.refused(start.Add(time.Second))
	now := start.Add(2 * time.Second)
	if wait := two.take(now, 160, load); wait < 3*time.Minute || app.q.Counts != directory.CountsWindow {
		t.Errorf("after a refusal of a %q another one's load waits %s", app.q.Counts, wait)
	}
	leaver := Work{Left: 2, Leaver: true}
	if wait := two.take(now, 2, leaver); wait < 3*time.Minute {
		t.Errorf("right after the refusal a leaver waits %s", wait)
	}
	now = start.Add(appWindow + 2*time.Second)
	noteOfApp(&app.q, now, now, appWrites) // others have taken all of it
	if wait := two.take(now, 2, leaver); wait != 0 {
		t.Errorf("a window after the refusal a leaver waits %s", wait)
	}
	two.refused(now)
	if wait := one.take(now.Add(time.Second), 2, leaver); wait < time.Minute {
		t.Errorf("after a leaver's try another one waits %s", wait)
	}
	if wait := one.take(now.Add(time.Second), 160, load); wait < time.Minute {
		t.Errorf("after a leaver's try a load waits %s", wait)
	}
}

// TestAppsWindowIsUnlearned: a refusal long before the window could be full shows that
// it is none: the app's quota is a bucket again, and empty.
func TestAppsWindowIsUnlearned(t *testing.T) {
	t.Parallel()
	app := contested{fullOf(10000, time.Hour)}
	one, two := &worker{T: t, app: app}, &worker{T: t, app: app}
	one.take(start, 160, Work{Left: 5000})
	one.refused(start.Add(time.Second))
	now := start.Add(2 * time.Second)
	if wait := two.take(now, 160, Work{Left: 5000}); app.q.Counts != directory.CountsUnknown || wait < time.Second || wait > 20*time.Second {
		t.Errorf("it counts a %q, and a load waits %s", app.q.Counts, wait)
	}
	if wait := two.take(now, 2, Work{Left: 2, Leaver: true}); wait != 0 {
		t.Errorf("a leaver waits %s", wait)
	}
}

// asked is the app's quota that counts who asks for it.
type asked struct {
	*shared
	n int
}

func (a *asked) ChangeAppQuota(ctx context.Context, change func(*directory.AppQuota) bool) error {
	a.n++
	return a.shared.ChangeAppQuota(ctx, change)
}

// TestSmallPortion: edits one after the other look at the app's quota once, while the
// reserve for such is hardly used and no longer than a portion is good for.
func TestSmallPortion(t *testing.T) {
	app := &asked{shared: &shared{}}
	now := start
	one := &worker{T: t, app: app}
	asked := func(n int) int {
		before := app.n
		if wait := one.take(now, n, Work{Left: n}); wait != 0 {
			t.Fatalf("%d writes wait %s", n, wait)
		}
		return app.n - before
	}
	if n := asked(1); n != 1 {
		t.Errorf("the first edit asked %d times", n)
	}
	for range smallPortion - 1 {
		now = now.Add(time.Second)
		if n := asked(1); n != 0 {
			t.Errorf("an edit within the portion asked %d times", n)
		}
	}
	if n := asked(1); n != 1 {
		t.Errorf("the edit after the portion asked %d times", n)
	}
	now = now.Add(portionLife + time.Second)
	if n := asked(1); n != 1 {
		t.Errorf("the edit after the portion's life asked %d times", n)
	}
	app.q.Small, app.q.At = smallReserve/2, now
	other := &worker{T: t, app: app}
	supply := app.q.Supply
	if other.take(now, 1, Work{Left: 1}); app.q.Supply != supply-1 {
		t.Errorf("with half of the reserve an edit of one took %v", supply-app.q.Supply)
	}
}
