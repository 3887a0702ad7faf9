package managers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

var errDead = errors.New("the process is dead")

// trouble is what befalls a process at one of its calls to the outside: the table,
// Microsoft and the queue.
type trouble struct {
	at   int
	kind string
	old  http.RoundTripper

	mu sync.Mutex
	n  int
}

// The kinds of trouble. A kill is for ever; the others befall one call.
const (
	killBefore = "killed before"
	killAfter  = "killed after"
	failBefore = "failed before"
	failAfter  = "timed out after" // it took effect, and nobody heard of it
	throttle   = "throttled"
)

func (k *trouble) before() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.n++
	switch {
	case k.kind == killBefore && k.n >= k.at, k.kind == killAfter && k.n > k.at:
		return errDead
	case k.kind == failBefore && k.n == k.at:
		return table.ErrBusy
	}
	return nil
}

func (k *trouble) done() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.kind == killAfter && k.n >= k.at:
		return errDead
	case k.kind == failAfter && k.n == k.at:
		return context.DeadlineExceeded
	}
	return nil
}

func (k *trouble) is(kinds ...string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, kind := range kinds {
		if k.kind == kind {
			return kind == throttle && k.n == k.at || kind != throttle && k.n >= k.at
		}
	}
	return false
}

func (k *trouble) dead() bool { return k.is(killBefore, killAfter) }

// install puts the trouble between a world and everything outside.
func (k *trouble) install(w *world) {
	w.table.Before = func(context.Context, memory.Call) error { return k.before() }
	w.table.After = func(context.Context, memory.Call) error { return k.done() }
	k.old = w.line.rt
	w.line.rt = k
	w.send = func() error { return errors.Join(k.before(), k.done()) }
}

func (k *trouble) remove(w *world) {
	w.table.Before, w.table.After, w.send, w.line.rt = nil, nil, nil, k.old
}

// RoundTrip is a call to Microsoft.
func (k *trouble) RoundTrip(r *http.Request) (*http.Response, error) {
	err := k.before()
	switch {
	case errors.Is(err, table.ErrBusy):
		return refusal(r, http.StatusServiceUnavailable), nil
	case err != nil:
		return nil, err
	case k.is(throttle):
		return refusal(r, http.StatusTooManyRequests), nil
	}
	resp, err := k.old.RoundTrip(r)
	if dead := k.done(); dead != nil {
		if err == nil {
			resp.Body.Close()
		}
		return nil, dead
	}
	return resp, err
}

// refusal is an answer to a request that was not looked at.
func refusal(r *http.Request, status int) *http.Response {
	return &http.Response{StatusCode: status, Request: r, Header: http.Header{"Retry-After": {"1"}, "Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(`{"error":{"code":"TooManyRequests","message":"later"}}`))}
}

// story does what the queue and an admin do until nothing is left.
func (w *world) story(k *trouble) {
	w.Helper()
	for range 80 {
		sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		if k != nil && k.dead() {
			return
		}
		if err != nil {
			w.pass(reconcile.LeaseTTL + time.Second) // the message comes again
			continue
		}
		w.pass(max(0, sum.Again))
		approved, err := w.approveHeld()
		if k != nil && k.dead() {
			return
		}
		if err == nil && !approved && sum.Again < 0 {
			return
		}
		w.pass(time.Second)
	}
	w.Fatal("the story does not come to its end")
}

// approveHeld is an admin who says yes to everything.
func (w *world) approveHeld() (any bool, err error) {
	list, _, err := w.runs().List(w.Context(), w.conn.ID, "", 100)
	for _, r := range list {
		if r.State == directory.RunHeld {
			any = true
			if _, err = w.runs().Approve(w.Context(), directory.Caller{Subject: "admin"}, r.ID, plan.Approval{All: true}); err != nil {
				return any, err
			}
		}
	}
	return any, err
}

// crashWorld has everything of managers due: one whose account and whose manager's are
// made in the run, one that is changed, one that is cleared, one whom somebody else
// changed, one who waits.
func crashWorld(t *testing.T) (*world, []directory.User) {
	none := 0
	w := newWorld(t, func(s *directory.Settings) {
		s.Manager.Clear = true
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectManagerClear: {Count: &none}}
	})
	boss, next := w.user("boss", ""), w.user("next", "")
	changed, cleared, foreign := w.user("changed", boss.ID), w.user("cleared", boss.ID), w.user("foreign", boss.ID)
	w.bind(boss, next, changed, cleared, foreign)
	w.sync()
	w.pass(2 * time.Hour)
	fresh := w.user("fresh", "")
	made, waiting := w.user("made", fresh.ID), w.user("waiting", w.user("stranger", "").ID)
	w.edit(changed.ID, func(u *directory.User) { u.ManagerID = next.ID })
	w.edit(cleared.ID, func(u *directory.User) { u.ManagerID = "" })
	w.foreign(foreign, next)
	w.edit(foreign.ID, func(u *directory.User) { u.ManagerID = changed.ID })
	w.bind(made, waiting, fresh)
	w.pass(2 * directory.DefaultInterval)
	return w, []directory.User{changed, cleared, foreign, made, waiting}
}

func (w *world) verify(what string, users []directory.User) {
	w.Helper()
	for i, want := range []string{"next", "", "changed", "fresh", ""} {
		if got := w.managerOf(users[i]); got != want {
			w.Errorf("%s: the manager of %s is %q, want %q", what, users[i].Email, got, want)
		}
		b := w.record(users[i])
		if b.Status != directory.BindingInSync || b.Dirty() || b.Problem != nil {
			w.Errorf("%s: the record of %s is %s (%+v)", what, users[i].Email, b.Status, b.Problem)
		}
		base := b.Base[directory.PropManager]
		a, _ := w.sim.Account(simTenant, users[i].Email)
		if id, _ := a["manager"].(string); i < 4 && base.String() != id {
			w.Errorf("%s: agreed with %s is %q, the tenant has %q", what, users[i].Email, base, id)
		}
	}
	w.verifyJournal(what)
}

// verifyJournal holds what took effect in the tenant against what the journal says was
// applied: nothing may be missing in either.
func (w *world) verifyJournal(what string) {
	w.Helper()
	done, told := map[string]bool{}, map[string]bool{}
	for _, m := range w.sim.Mutations(simTenant) {
		if after, is := m.After["manager"]; is {
			id, _ := after.(string)
			if line := m.TargetID + " " + id; !w.theirs[line] {
				done[line] = true
			}
		}
	}
	list, _, err := w.store.Runs.ListRuns(w.Context(), w.conn.ID, "", 100)
	w.do(err)
	for i := range list {
		r := &list[i]
		if r.State != directory.RunDone && r.State != directory.RunSuperseded {
			w.Errorf("%s: run %s is %s (%+v)", what, r.ID, r.State, r.Error)
		}
		changes, _, err := w.store.Runs.Changes(w.Context(), r, "", 100)
		w.do(err)
		for _, c := range changes {
			if c.Object.Kind == directory.KindManager && c.State == directory.ChangeApplied {
				told[w.accountOf(directory.UserID(c.Object.ID))+" "+w.resolved(c.Properties[0].After)] = true
			}
		}
	}
	for line := range done {
		if !told[line] {
			w.Errorf("%s: the journal does not tell of %s", what, line)
		}
	}
	for line := range told {
		if !done[line] {
			w.Errorf("%s: the journal tells of %s, which did not happen", what, line)
		}
	}
}

func (w *world) accountOf(u directory.UserID) string {
	w.Helper()
	b, err := w.store.Bindings.Binding(w.Context(), u)
	w.do(err)
	return string(b.AccountID)
}

// resolved is the account that a value of a change stands for.
func (w *world) resolved(v directory.Value) string {
	w.Helper()
	if u, coming := directory.ManagerToCome(v); coming {
		return w.accountOf(u)
	}
	return v.String()
}

// TestCrashAnywhere lets every trouble befall calls of the story, and demands the same
// end every time.
func TestCrashAnywhere(t *testing.T) {
	t.Parallel()
	count := &trouble{}
	w, users := crashWorld(t)
	count.install(w)
	w.story(count)
	count.remove(w)
	w.verify("without trouble", users)
	if t.Failed() {
		return
	}
	for i, kind := range []string{killBefore, killAfter, failBefore, failAfter, throttle} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			// Each kind of trouble befalls calls of its own, all over the story.
			for at := 1 + 3*i; at <= count.n && !t.Failed(); at += 15 {
				w, users := crashWorld(t)
				k := &trouble{at: at, kind: kind}
				k.install(w)
				w.story(k)
				k.remove(w)
				if k.dead() {
					w.pass(reconcile.LeaseTTL + time.Second)
					w.start(w.open) // everything is made anew from table and tenant
				}
				w.story(nil)
				w.pass(3 * reconcile.Grace)
				w.story(nil)
				w.verify(fmt.Sprintf("%s call %d of %d", kind, at, count.n), users)
			}
		})
	}
}
