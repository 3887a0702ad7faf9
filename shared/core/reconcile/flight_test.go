package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/core/protect"
	"bindery/shared/core/quota"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// airport is a tenant that notes what is in flight, and may do something with a
// request before and after it takes effect.
type airport struct {
	*port
	before func(n int, writes []directory.Write) error // n counts requests from 1
	after  func(n int) error
	ask    func()                    // befalls searches; nil: nothing
	hangs  func(n int) time.Duration // how long a request takes effect unanswered; nil: none does

	mu        sync.Mutex
	n         int
	most      int // requests in flight at once
	open      int
	touched   map[directory.AccountID]bool // accounts of what is in flight
	sent      map[string]int               // writes, by what they do
	collision string
}

func (w *world) airport() *airport {
	a := &airport{port: w.port, touched: map[directory.AccountID]bool{}, sent: map[string]int{}}
	w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return a, nil }
	return a
}

// wrote names a write, with what it writes.
func wrote(effect directory.Effect, id directory.AccountID, upn string, p directory.Properties) string {
	if effect == directory.EffectCreate {
		return "create " + upn
	}
	line := fmt.Sprintf("%s %s", effect, id)
	for _, name := range slices.Sorted(maps.Keys(p)) {
		line += fmt.Sprintf(" %s=%v", name, p[name])
	}
	return line
}

func (a *airport) leave(writes []directory.Write) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
	a.open++
	a.most = max(a.most, a.open)
	for _, w := range writes {
		a.sent[wrote(w.Effect, w.AccountID, w.Properties[directory.PropUserPrincipalName].String(), w.Properties)]++
		if w.AccountID != "" && a.touched[w.AccountID] {
			a.collision = string(w.AccountID)
		}
		a.touched[w.AccountID] = true
	}
	return a.n
}

func (a *airport) arrive(writes []directory.Write) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open--
	for _, w := range writes {
		delete(a.touched, w.AccountID)
	}
}

func (a *airport) Write(ctx context.Context, writes []directory.Write) ([]directory.Outcome, error) {
	n := a.leave(writes)
	defer a.arrive(writes)
	if a.before != nil {
		if err := a.before(n, writes); err != nil {
			return nil, err
		}
	}
	outs, err := a.port.Write(ctx, writes)
	if a.hangs != nil {
		select {
		case <-time.After(a.hangs(n)):
		case <-ctx.Done():
			return nil, errors.Join(directory.ErrUnverified, directory.ErrUnavailable, context.Cause(ctx))
		}
	}
	if a.after != nil {
		if err := a.after(n); err != nil {
			return nil, err
		}
	}
	return outs, err
}

func (a *airport) Search(ctx context.Context, addresses []string, selected []string) ([]directory.Found, error) {
	if a.ask != nil {
		a.ask()
	}
	return a.port.Search(ctx, addresses, selected)
}

// flowLate is flow, with a wait before the first flight in which what was asked for
// planning becomes too old.
func (w *world) flowLate(width, size int) {
	var once sync.Once
	w.engine.config.flow = func(quota.Tenant, int) quota.Flow {
		once.Do(func() { time.Sleep(answersLife + time.Second) })
		return quota.Flow{Width: width, Size: size}
	}
}

func (w *world) slice() Summary {
	w.Helper()
	sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
	w.do(err)
	return sum
}

// load binds users who have no account yet.
func (w *world) load(n int) []directory.User {
	w.Helper()
	users := make([]directory.User, n)
	for i := range users {
		users[i] = w.user(fmt.Sprintf("new%03d", i))
	}
	for part := range slices.Chunk(users, 10) {
		w.bind(part...)
	}
	return users
}

// createdOnce holds that each of some users has exactly one account, which the
// journal of one run tells of.
func (w *world) createdOnce(users []directory.User) {
	w.Helper()
	created := map[string]int{}
	for _, m := range w.sim.Mutations(simTenant) {
		if m.Kind == "create" && m.AppID != "" {
			created[m.UPN]++
		}
	}
	applied := 0
	for _, c := range w.changesSince(time.Time{}) {
		if c.Effect == directory.EffectCreate && c.State == directory.ChangeApplied {
			applied++
		}
	}
	for _, u := range users {
		if created[u.Email] != 1 {
			w.Errorf("%s was created %d times", u.Email, created[u.Email])
		}
	}
	if applied != len(users) {
		w.Errorf("the journal tells of %d creations, want %d", applied, len(users))
	}
}

// changesSince are the changes of all runs from a time on.
func (w *world) changesSince(began time.Time) []directory.Change {
	w.Helper()
	list, _, err := w.store.Runs.ListRuns(w.Context(), w.conn.ID, "", 100)
	w.do(err)
	var all []directory.Change
	for _, r := range list {
		if r.StartedAt.Before(began) {
			continue
		}
		changes, _, err := w.store.Runs.Changes(w.Context(), &r, "", 10000)
		w.do(err)
		all = append(all, changes...)
	}
	return all
}

// TestAnswersInEveryOrder: the answers of a flight are taken in as they come.
func TestAnswersInEveryOrder(t *testing.T) {
	for _, order := range [][]int{{1, 2, 3}, {1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.flow(3, 2)
				a := w.airport()
				a.after = func(n int) error {
					time.Sleep(time.Duration(1+slices.Index(order, n)) * 10 * time.Millisecond)
					return nil
				}
				users := w.load(6)
				w.slice()
				w.createdOnce(users)
				if a.most != 3 {
					t.Errorf("%d requests in flight, want 3", a.most)
				}
				w.wantInSync(users)
			})
		})
	}
}

// TestOneRequestOfAFlightIsThrottled: what the others have done is neither lost nor
// done again.
func TestOneRequestOfAFlightIsThrottled(t *testing.T) {
	for refused := 1; refused <= 3; refused++ {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.flow(3, 2)
			a := w.airport()
			a.before = func(n int, _ []directory.Write) error {
				time.Sleep(time.Duration(n) * time.Millisecond)
				if n == refused {
					return &directory.ThrottledError{RetryAfter: 2 * time.Second}
				}
				return nil
			}
			users := w.load(6)
			w.slice()
			w.createdOnce(users)
			twice := 0
			for _, n := range a.sent {
				twice += n - 1
			}
			if a.n != 4 || twice != 2 {
				t.Errorf("%d requests, %d changes were sent again, want 4 and the 2 of the refused request", a.n, twice)
			}
		})
	}
}

// TestEpochPassesInTheMiddleOfAFlight: what is in flight is journalled as such,
// nothing further begins, and nothing is left under way.
func TestEpochPassesInTheMiddleOfAFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.flow(3, 2)
		a := w.airport()
		a.after = func(n int) error {
			time.Sleep(time.Duration(n) * 10 * time.Millisecond)
			if n == 2 {
				_, _, err := w.store.Connections.DeactivateConnection(t.Context(), directory.AuditEvent{}, w.conn.ID)
				w.do(err)
			}
			return nil
		}
		w.load(12)
		sum := w.slice()
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.n != 3 || a.open != 0 || sum.Skipped == "" {
			t.Errorf("%d requests, %d of them under way when the slice ended (%+v)", a.n, a.open, sum)
		}
		run, _ := w.lastRun()
		applied := w.states(run.ID)[directory.ChangeApplied]
		if applied != 6 {
			t.Errorf("%d changes are journalled, want the 6 that were in flight", applied)
		}
	})
}

// TestFailedRequestOfAFlight: a request that fails for good does not
// lose what the others of its flight have done.
func TestFailedRequestOfAFlight(t *testing.T) {
	for _, failure := range []error{directory.ErrUnauthorized, directory.ErrNotSent, errors.New("the connection was reset")} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.flow(3, 2)
			a := w.airport()
			a.before = func(n int, _ []directory.Write) error {
				time.Sleep(time.Duration(n) * time.Millisecond)
				if n == 1 {
					return failure
				}
				return nil
			}
			users := w.load(12)
			w.slice()
			run, _ := w.lastRun()
			applied := w.states(run.ID)[directory.ChangeApplied]
			if a.n != 3 || applied != 4 {
				t.Errorf("%v: %d requests, %d changes applied, want 3 and the 4 of the others", failure, a.n, applied)
			}
			w.sync()
			w.createdOnce(users)
		})
	}
}

// TestLateRequestIsNotSent: a worker that wakes when the time of its lease is over
// sends nothing.
func TestLateRequestIsNotSent(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ctx, cancel := context.WithDeadline(t.Context(), now.Add(time.Hour))
	defer cancel()
	a := &airport{touched: map[directory.AccountID]bool{}, sent: map[string]int{}}
	r := &request{places: []int{0}, writes: []protect.Write{{}}}
	got := r.send(ctx, protect.NewGate(a, &protect.Protection{}), func() time.Time { return now.Add(time.Hour) })
	if a.n != 0 || !errors.Is(got.err, directory.ErrNotSent) || got.request != r {
		t.Errorf("%d requests, %v", a.n, got.err)
	}
}

// TestSentIsPlanned: whatever is planned is sent, each change once, no account twice
// at once, and nothing else.
func TestSentIsPlanned(t *testing.T) {
	for seed := range uint64(8) {
		people := 45
		if seed == 0 {
			people = 430 // several chunks
		}
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 13))
				w := newWorld(t)
				users := w.people(people)
				time.Sleep(w.skew.Load() + 2*Grace)
				w.skew.Store(0)
				width, size := 1+r.IntN(8), 1+r.IntN(BatchSize)
				w.flow(width, size)
				a := w.airport()
				var mu sync.Mutex
				a.after = func(int) error {
					mu.Lock()
					d := time.Duration(r.IntN(80)) * time.Millisecond
					mu.Unlock()
					time.Sleep(d)
					return nil
				}
				began := w.now()
				for i, u := range users {
					w.edit(u, func(u *directory.User) {
						switch r.IntN(5) {
						case 0:
							u.State = directory.StateSuspended
						case 1:
							u.Email = fmt.Sprintf("renamed%03d@%s", i, simDomain)
							u.JobTitle = "Chief"
						case 2:
							u.JobTitle, u.Department = "Chief", ""
						case 3:
							u.Phones.Mobile = "+1 555 0100"
						}
					})
				}
				w.load(1 + r.IntN(30))
				w.sync()
				admins := w.runs()
				for held := true; held; w.sync() { // many blocks are held
					var err error
					held, err = w.approveHeld(admins)
					w.do(err)
				}
				planned := map[string]int{}
				for _, c := range w.changesSince(began) {
					if c.State != directory.ChangeApplied {
						t.Errorf("%s of %s is %s: %+v", c.Effect, c.UserPrincipalName, c.State, c.Error)
					}
					planned[wrote(c.Effect, c.AccountID, c.After()[directory.PropUserPrincipalName].String(), c.After())]++
				}
				if !maps.Equal(planned, a.sent) {
					t.Errorf("planned %v\nsent %v", planned, a.sent)
				}
				if a.collision != "" || a.most > width {
					t.Errorf("account %q was written to twice at once; %d requests at once of %d", a.collision, a.most, width)
				}
				t.Logf("%d of %d requests at once, %d changes in %d requests of %d", a.most, width, len(planned), a.n, size)
			})
		})
	}
}

// TestLeaverInAFullPipeline: while a load fills the pipeline a leaver waits for one
// flight, no longer.
func TestLeaverInAFullPipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		leaver := w.people(1)[0]
		time.Sleep(w.skew.Load() + 2*Grace)
		w.skew.Store(0)
		w.flow(8, 2)
		a := w.airport()
		begun := make(chan struct{})
		blocked := time.Time{}
		a.before = func(n int, writes []directory.Write) error {
			if n == 20 {
				close(begun)
			}
			if writes[0].Effect == directory.EffectBlock && blocked.IsZero() {
				blocked = time.Now()
			}
			time.Sleep(400 * time.Millisecond)
			return nil
		}
		users := w.load(180)
		edited := time.Time{}
		go func() {
			<-begun
			time.Sleep(10 * time.Millisecond)
			w.edit(leaver, func(u *directory.User) { u.State = directory.StateSuspended })
			edited = time.Now()
		}()
		w.sync()
		w.createdOnce(append(users, leaver))
		if took := blocked.Sub(edited); blocked.IsZero() || took > time.Second {
			t.Errorf("blocked after %s", took)
		}
		if a.n < 90 {
			t.Errorf("%d requests: the load had been sent before", a.n)
		}
	})
}

// TestLeaverPastAFlightThatHangs: a leaver does not wait until the lease ends for
// requests that hang. They are given up, and what they did is found out; without a
// leaver they have their time.
func TestLeaverPastAFlightThatHangs(t *testing.T) {
	for _, leaves := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			leaver := w.people(1)[0]
			time.Sleep(w.skew.Load() + 2*Grace)
			w.skew.Store(0)
			w.flow(2, 2)
			a := w.airport()
			a.hangs = func(n int) time.Duration {
				if n == 2 {
					return 14 * time.Second // the requests would end after 15
				}
				return 100 * time.Millisecond
			}
			blocked, edited := time.Time{}, time.Time{}
			a.before = func(_ int, writes []directory.Write) error {
				if writes[0].Effect == directory.EffectBlock && blocked.IsZero() {
					blocked = time.Now()
				}
				return nil
			}
			users := append(w.load(4), leaver)
			began := time.Now()
			done := make(chan struct{})
			go func() {
				defer close(done)
				time.Sleep(2 * time.Second)
				if leaves {
					w.edit(leaver, func(u *directory.User) { u.State = directory.StateSuspended })
				}
				edited = time.Now()
			}()
			sum := w.slice()
			<-done
			if leaves {
				if took := time.Since(began); took > leaverPatience+4*time.Second || sum.Again != 0 || sum.Broken {
					t.Errorf("the slice ended after %s: %+v", took, sum)
				}
				a.hangs = nil
				w.sync()
				if took := blocked.Sub(edited); blocked.IsZero() || took > leaverPatience+4*time.Second {
					t.Errorf("blocked after %s", took)
				}
			} else if took := time.Since(began); took < 14*time.Second {
				t.Errorf("nobody has left, and the requests had %s", took)
			}
			w.sync()
			w.createdOnce(users)
			for what, n := range a.sent {
				if n != 1 {
					t.Errorf("%s was sent %d times", what, n)
				}
			}
		})
	}
}

// TestSlowIntentions: a flight whose intentions took long to note is sent as it was
// prepared, unless its records have changed since.
func TestSlowIntentions(t *testing.T) {
	for _, paused := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.withPasswords()
			w.flow(2, 2)
			a := w.airport()
			users := w.load(4)
			prepared, slow := 0, false
			key := w.engine.config.PasswordKey
			w.engine.config.PasswordKey = func(ctx context.Context) (directory.Secret, error) {
				prepared++
				slow = true
				return key(ctx)
			}
			w.table.Before = func(_ context.Context, c memory.Call) error {
				if c.Method == "Write" && slow { // of the intentions
					slow = false
					time.Sleep(preparedLife + time.Second)
					if paused && prepared == 1 {
						w.pause(users[0])
					}
				}
				return nil
			}
			w.slice()
			w.table.Before = nil
			want := 1
			if paused {
				want = 2
			}
			if prepared != want {
				t.Errorf("paused %v: prepared %d times, want %d", paused, prepared, want)
			}
			for n, u := range users {
				if sent := a.sent["create "+u.Email]; sent > 0 != (n > 0 || !paused) {
					t.Errorf("paused %v: the creation of user %d was sent %d times", paused, n, sent)
				}
			}
		})
	}
}

// TestLooksAheadWhileSending: what the next flight has to ask is asked while the
// present one is on its way.
func TestLooksAheadWhileSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.flow(2, 2)
		a := w.airport()
		var mu sync.Mutex
		inFlight, ahead := 0, 0
		a.before = func(int, []directory.Write) error {
			mu.Lock()
			inFlight++
			mu.Unlock()
			time.Sleep(80 * time.Millisecond)
			mu.Lock()
			inFlight--
			mu.Unlock()
			return nil
		}
		users := make([]directory.User, 24)
		for i := range users {
			users[i] = w.user(fmt.Sprintf("new%03d", i))
		}
		w.bind(users[:12]...)
		w.bind(users[12:]...)
		w.table.Before = func(_ context.Context, c memory.Call) error {
			time.Sleep(time.Millisecond) // until those in flight have left
			mu.Lock()
			defer mu.Unlock()
			if inFlight > 0 && slices.ContainsFunc(c.Keys, func(k table.Key) bool { return k.Sort == "profile" }) {
				ahead++
			}
			return nil
		}
		w.sync()
		w.table.Before = nil
		w.createdOnce(users)
		if ahead < 5 {
			t.Errorf("%d reads of records while requests were in flight, want one for each flight but the first", ahead)
		}
	})
}

// TestLeaverAfterARefusal: a leaver who is served while the next flight is still being
// prepared sends nothing before Microsoft's Retry-After is over.
func TestLeaverAfterARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		leaver := w.people(1)[0]
		time.Sleep(w.skew.Load() + 2*Grace)
		w.skew.Store(0)
		a := w.airport()
		users := w.load(12)
		w.flowLate(2, 2)
		var mu sync.Mutex
		var refused, next time.Time
		searches := 0
		a.before = func(_ int, writes []directory.Write) error {
			time.Sleep(100 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			if refused.IsZero() {
				refused = w.now()
				return &directory.ThrottledError{RetryAfter: 30 * time.Second, Scope: directory.ThrottledTenantApp}
			}
			if next.IsZero() && (writes[0].Effect == directory.EffectBlock || w.now().Sub(refused) > time.Second) {
				next = w.now()
			}
			return nil
		}
		a.ask = func() {
			time.Sleep(time.Millisecond) // until those in flight have left
			a.mu.Lock()
			inFlight := a.open > 0
			a.mu.Unlock()
			mu.Lock()
			first := inFlight && searches == 0
			if inFlight {
				searches++
			}
			mu.Unlock()
			if first {
				time.Sleep(time.Second)
				w.edit(leaver, func(u *directory.User) { u.State = directory.StateSuspended })
				time.Sleep(9 * time.Second)
			}
		}
		w.sync()
		time.Sleep(10 * time.Second) // until the search is over
		w.createdOnce(append(users, leaver))
		if searches == 0 || next.Sub(refused) < 30*time.Second {
			t.Errorf("%d searches while requests were in flight; written to %s after the refusal", searches, next.Sub(refused))
		}
		if !w.binding(leaver).Blocked {
			t.Error("the leaver was not blocked")
		}
	})
}

// TestPausedWhileConfirming: who is paused or released while a flight is being
// confirmed for long is not written to.
func TestPausedWhileConfirming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.airport()
		users := w.load(6)
		w.flowLate(2, 3)
		var once sync.Once
		began := w.now()
		a.ask = func() {
			if w.now().Sub(began) < answersLife {
				return
			}
			once.Do(func() {
				time.Sleep(time.Second)
				w.pause(users[0])
				b := w.binding(users[1])
				b.Release, b.Status = directory.ReleaseKeep, directory.BindingPending
				w.do(w.store.Bindings.UpdateBinding(t.Context(), directory.AuditEvent{}, &b, true, false))
				time.Sleep(2 * preparedLife)
			})
		}
		w.slice()
		for n, u := range users {
			if sent := a.sent["create "+u.Email]; sent > 0 != (n > 1) {
				t.Errorf("the creation of user %d was sent %d times", n, sent)
			}
		}
	})
}

// TestReadBackAfterAFailureAtTheEnd: a run that has ended is looked after although what
// comes after its last results failed.
func TestReadBackAfterAFailureAtTheEnd(t *testing.T) {
	w := newWorld(t)
	u := w.people(1)[0]
	w.skew.Add(2 * Grace)
	a := w.airport()
	w.edit(u, func(u *directory.User) { u.Email = "renamed@" + simDomain })
	var looks []directory.RunID
	w.engine.config.Send = func(_ context.Context, wake directory.WakeUp, _ time.Duration) error {
		looks = append(looks, wake.ReadBack)
		return nil
	}
	w.table.Before = func(_ context.Context, c memory.Call) error {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.n > 0 && c.Method == "Query" && strings.HasPrefix(c.Query.Partition, "X#") {
			return errors.New("the table is away")
		}
		return nil
	}
	_, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
	w.table.Before = nil
	run, _ := w.lastRun()
	if run.State != directory.RunDone || a.n != 1 {
		t.Fatalf("the run is %s after %d requests (%v)", run.State, a.n, err)
	}
	if !slices.Contains(looks, run.ID) {
		t.Errorf("looks after %q, want one after %s", looks, run.ID)
	}
}

// TestFoundAheadAndDropped: a creation whose outcome is unknown, which is found when its
// flight is prepared, stays noted as unknown when that flight is dropped: nothing is
// journalled of it. It is not sent again, though no index shows it.
func TestFoundAheadAndDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.flow(2, 1)
		users := w.load(2)
		slices.SortFunc(users, func(a, b directory.User) int { return strings.Compare(string(a.ID), string(b.ID)) }) // as they are planned
		a := w.airport()
		a.before = func(_ int, writes []directory.Write) error {
			if writes[0].Properties[directory.PropUserPrincipalName].String() == users[1].Email {
				_, err := a.port.Write(t.Context(), writes) // and nobody hears of it
				w.do(err)
			}
			time.Sleep(400 * time.Millisecond)
			return errors.New("the connection was reset")
		}
		_, err := w.sim.SetFault(entratest.Fault{Kind: "lag", Seconds: 900, Path: "filter="})
		w.do(err)
		time.Sleep(w.slice().Again)
		w.flow(1, 1)
		again := w.slice().Again
		_, changes := w.lastRun()
		list, _, err := w.store.Runs.ListRuns(t.Context(), w.conn.ID, "", 1)
		w.do(err)
		at, err := runs.ProgressOf(&list[0])
		w.do(err)
		if a.n != 3 || len(changes) != 2 || changes[1].UserID != users[1].ID {
			t.Fatalf("%d requests for %s, want the first creation sent twice", a.n, effects(changes))
		}
		if _, unknown := at.UnknownOutcomes[changes[1].ID]; !unknown {
			t.Errorf("noted as unknown: %v", at.UnknownOutcomes)
		}
		a.before = nil
		time.Sleep(again)
		w.sync()
		w.createdOnce(users)
		if n := a.sent["create "+users[1].Email]; n != 1 {
			t.Errorf("sent %d times", n)
		}
	})
}
