package reconcile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/shared/core/schedule"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// late lets a batch take effect and freezes its sender before it hears of that,
// until another worker has had the connection.
type late struct {
	next http.RoundTripper
	w    *world
	done bool
}

func (l *late) RoundTrip(r *http.Request) (*http.Response, error) {
	writing := writes(r)
	resp, err := l.next.RoundTrip(r)
	if l.done || err != nil || !writing {
		return resp, err
	}
	l.done = true
	l.w.skew.Add(LeaseTTL + time.Second)
	other := New(Config{Stores: StoresOf(l.w.store), Now: l.w.now, SecondLook: -1, Send: l.w.engine.config.Send, Open: l.w.engine.config.Open})
	for range 5 {
		sum, err := other.Slice(l.w.Context(), directory.WakeUp{ConnectionID: l.w.conn.ID}, time.Time{})
		if err != nil {
			return nil, err
		}
		if sum.Again < 0 {
			break
		}
		l.w.skew.Add(sum.Again)
	}
	return resp, nil
}

// TestFrozenBeforeItsJournal freezes a worker after its batch took effect and
// before it is journalled. Whoever takes over finds the accounts and records
// them; what the frozen one wants to say comes too late and harms nobody.
func TestFrozenBeforeItsJournal(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.user("ann"), w.user("bob")
	w.bind(ann, bob)
	frozen := &late{next: w.port.rt, w: w}
	w.port.rt = frozen
	if _, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	created := map[string]int{}
	for _, m := range w.sim.Mutations(simTenant) {
		if m.Kind == "create" && m.Target == "user" && m.AppID != "" {
			created[m.UPN]++
		}
	}
	run, changes := w.lastRun()
	if !frozen.done || created[ann.Email] != 1 || created[bob.Email] != 1 || run.State != directory.RunDone || run.Applied != 2 || effects(changes) != "create:applied create:applied" {
		t.Errorf("created %v, the run is %s with %d applied: %s", created, run.State, run.Applied, effects(changes))
	}
	if w.binding(ann).Status != directory.BindingInSync || w.binding(bob).AccountID == "" {
		t.Errorf("the bindings are %s and %s", w.binding(ann).Status, w.binding(bob).Status)
	}
	w.verifyHours("frozen before its journal")
}

// TestRunThatKeepsDying: slices that end in an error without progress are counted,
// and the fifth ends the run as failed, with the cause; the connection goes on
// with its next run.
func TestRunThatKeepsDying(t *testing.T) {
	w := newWorld(t)
	bad, good := w.user("bad"), w.user("good")
	w.bind(bad, good)
	poisoned := true
	var log bytes.Buffer
	w.engine.config.Log = slog.New(slog.NewJSONHandler(&log, nil))
	w.table.Before = func(_ context.Context, c memory.Call) error {
		if poisoned && c.Method == "GetMany" && slices.ContainsFunc(c.Keys, func(k table.Key) bool { return k.Partition == "U#"+string(bad.ID) && k.Sort == "profile" }) {
			return fmt.Errorf("arn:aws:dynamodb:eu-central-1:123456789012:table/bindery: the row of jo@corp.example is poisoned, Bearer abc.def")
		}
		return nil
	}
	for range 30 {
		sum, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		w.do(err)
		if all := w.allRuns(); len(all) > 0 && all[0].State == directory.RunFailed {
			break
		}
		w.skew.Add(max(sum.Again, time.Second))
	}
	run, _ := w.lastRun()
	if run.State != directory.RunFailed || run.Error == nil || run.Error.Code != "slice-failed" || run.Error.Incident == "" {
		t.Fatalf("the run is %s (%+v), want failed, with an incident", run.State, run.Error)
	}
	shown, err := json.Marshal(run)
	w.do(err)
	for _, inside := range []string{"arn:", "123456789012", "poisoned", "jo@", "Bearer"} {
		if strings.Contains(string(shown), inside) {
			t.Errorf("the run shows %q: %s", inside, shown)
		}
	}
	found := slices.ContainsFunc(strings.Split(log.String(), "\n"), func(line string) bool {
		return strings.Contains(line, run.Error.Incident) && strings.Contains(line, "the row of")
	})
	if !found {
		t.Errorf("the log has no line with the incident %s and the cause", run.Error.Incident)
	}
	poisoned = false
	w.skew.Add(restAfterFailure)
	w.sync()
	if next, _ := w.lastRun(); next.ID == run.ID || next.State != directory.RunDone || w.binding(good).Status != directory.BindingInSync {
		t.Errorf("the connection does not go on: run %s is %s", next.ID, next.State)
	}
}

// TestHonestWaitsAreNoAttempts: waits that Microsoft asks for may come as often as
// they like.
func TestHonestWaitsAreNoAttempts(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann")
	w.bind(ann)
	if _, err := w.sim.SetFault(entratest.Fault{Kind: "throttle", Method: "POST", Path: "^/users$", RetryAfter: "120", Times: 4 * maxAttempts}); err != nil {
		t.Fatal(err)
	}
	for range 10 * maxAttempts {
		sum, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		w.do(err)
		if run, _ := w.lastRun(); run.State == directory.RunFailed {
			t.Fatalf("the run failed: %+v", run.Error)
		}
		if w.skew.Add(max(sum.Again, time.Second)); w.skew.Load() > 50*time.Minute {
			w.port.token = signIn(t, w.sim)
		}
		if w.binding(ann).Status == directory.BindingInSync {
			return
		}
	}
	t.Error("the account was never made")
}

// TestInvisibleForMinutes: a new account cannot be seen for five minutes, and is
// edited and suspended meanwhile: what follows waits, and the run ends well.
func TestInvisibleForMinutes(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann")
	w.bind(ann)
	lag, err := w.sim.SetFault(entratest.Fault{Kind: "lag", Seconds: 290})
	w.do(err)
	if _, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	ann = w.edit(ann, func(u *directory.User) { u.JobTitle = "Boss" })
	began := w.now()
	for w.now().Sub(began) < 20*time.Minute {
		sum, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		w.do(err)
		w.skew.Add(max(sum.Again, 5*time.Second))
		if w.binding(ann).Status == directory.BindingInSync && w.account(ann.Email)["jobTitle"] == "Boss" {
			break
		}
	}
	w.sim.ClearFaults(lag)
	if a := w.account(ann.Email); a["jobTitle"] != "Boss" || w.binding(ann).Status != directory.BindingInSync {
		t.Errorf("jobTitle is %v, the binding %s (%+v)", a["jobTitle"], w.binding(ann).Status, w.binding(ann).Problem)
	}
	for _, r := range w.allRuns() {
		if r.State != directory.RunDone && r.State != directory.RunSuperseded {
			t.Errorf("run %s is %s: %+v", r.ID, r.State, r.Error)
		}
	}
}

// TestDeactivationAmongWorkers: eight workers race while the connection is
// deactivated: after that moment no batch is begun.
func TestDeactivationAmongWorkers(t *testing.T) {
	w := newWorld(t)
	w.table.Latency = 50 * time.Microsecond
	var users []directory.User
	for i := range 200 {
		users = append(users, w.user(fmt.Sprintf("user%03d", i)))
	}
	for i := 0; i < len(users); i += 10 {
		w.bind(users[i : i+10]...)
	}
	watch := &afterEpoch{next: w.port.rt, third: make(chan struct{}), begins: make(chan struct{})}
	w.port.rt = watch
	w.flow(1, 20) // of several requests that one renewal has covered, each may be begun late on a busy machine
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			e := New(Config{Stores: StoresOf(w.store), Now: w.now, SecondLook: -1, Open: w.engine.config.Open, flow: w.engine.config.flow,
				Send: func(context.Context, directory.WakeUp, time.Duration) error { return nil }})
			for range 15 {
				if _, err := e.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	<-watch.third
	close(watch.begins)
	if _, _, err := w.store.Connections.DeactivateConnection(t.Context(), directory.AuditEvent{}, w.conn.ID); err != nil {
		t.Fatal(err)
	}
	watch.passed.Store(true)
	workers.Wait()
	if n := watch.after.Load(); n > 1 {
		t.Errorf("%d batches were begun after the deactivation, want at most the one that had been checked", n)
	}
	run, changes := w.lastRun()
	applied, made := 0, 0
	for _, c := range changes {
		if c.State == directory.ChangeApplied {
			applied++
		}
	}
	for _, m := range w.sim.Mutations(simTenant) {
		if m.Kind == "create" && m.Target == "user" && m.AppID != "" {
			made++
		}
	}
	if applied != made || made == 0 || made == len(users) {
		t.Errorf("%d accounts were made, the journal of %s has %d", made, run.State, applied)
	}
}

// TestTwoSchedulers: two ticks at once, and each message twice, make nothing double.
func TestTwoSchedulers(t *testing.T) {
	w := newWorld(t)
	users := w.people(10)
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.JobTitle = "Boss" })
	}
	w.skew.Add(directory.DefaultInterval)
	var mu sync.Mutex
	var wakes []directory.ConnectionID
	tick := func() {
		s := schedule.New(schedule.Config{Stores: schedule.StoresOf(w.store), Now: w.now, Queue: sendAll(func(list []directory.WakeUp) {
			mu.Lock()
			defer mu.Unlock()
			for _, wake := range list {
				wakes = append(wakes, wake.ConnectionID, wake.ConnectionID)
			}
		})})
		if _, err := s.Tick(t.Context()); err != nil {
			t.Error(err)
		}
	}
	var both sync.WaitGroup
	both.Go(tick)
	both.Go(tick)
	both.Wait()
	if len(wakes) != 4 {
		t.Fatalf("%d messages, want two from each schedule", len(wakes))
	}
	for _, id := range wakes {
		both.Go(func() {
			e := New(Config{Stores: StoresOf(w.store), Now: w.now, SecondLook: -1, Open: w.engine.config.Open, Send: func(context.Context, directory.WakeUp, time.Duration) error { return nil }})
			if _, err := e.Slice(t.Context(), directory.WakeUp{ConnectionID: id}, time.Time{}); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	w.sync()
	updates := map[string]int{}
	for _, m := range w.sim.Mutations(simTenant) {
		if m.Kind == "update" {
			updates[m.UPN]++
		}
	}
	for _, u := range users {
		if updates[u.Email] != 1 {
			t.Errorf("%s was updated %d times", u.Email, updates[u.Email])
		}
	}
}
