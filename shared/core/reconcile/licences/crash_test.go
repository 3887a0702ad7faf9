package licences

import (
	"context"
	"encoding/json"
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
	"bindery/shared/entra/entratest"
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

// crashWorld has everything of licences due: one whose account is made in the run, a
// swap, services, one that is taken away and whose seat somebody waits for, one that
// others gave, and one for whom no seat is left.
func crashWorld(t *testing.T) (*world, []directory.User) {
	none := 0
	w := newWorld(t, func(s *directory.Settings) {
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectLicenceRemove: {Count: &none}}
	})
	users := w.people("swapped", "services", "taken", "given", "others", "waiting")
	w.license(users[0], w.rule(partE3))
	w.license(users[1], w.rule(partE3))
	w.license(users[2], w.rule(partVisio))
	w.do(w.sim.AssignLicences(simTenant, "admin@"+simDomain, users[4].Email, entratest.LicenceRequest{Add: []entratest.LicenceWish{{SKUID: w.id(partE5)}}}))
	w.sync()
	w.pass(2 * time.Hour)
	made := w.user("made")
	w.bind(made)
	w.license(made, w.rule(partE5))
	w.license(users[0], w.rule(partE5))
	w.license(users[1], w.rule(partE3, "TEAMS1"))
	w.license(users[2])
	w.license(users[3], w.rule(partVisio))
	w.license(users[4], w.rule(partE5))
	w.pass(time.Second)
	w.license(users[5], w.rule(partVisio))
	w.pass(2 * directory.DefaultInterval)
	return w, append(users, made)
}

func (w *world) verify(what string, users []directory.User) {
	w.Helper()
	for i, want := range []string{"SPE_E5", "SPE_E3-1", "", "VISIOCLIENT", "SPE_E5", "", "SPE_E5"} {
		if got := w.has(users[i]); got != want {
			w.Errorf("%s: %s has %q, want %q", what, users[i].Email, got, want)
		}
		b, ours := w.record(users[i]), 1
		if i == 2 || i == 4 || i == 5 {
			ours = 0
		}
		waits := b.Problem != nil && b.Problem.Code == directory.CodeWaitingForSeat
		if len(given(&b)) != ours || waits != (i == 5) || b.Status == directory.BindingFailed {
			w.Errorf("%s: the record of %s is %s with %v (%+v)", what, users[i].Email, b.Status, b.Base, b.Problem)
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
		if m.Kind == "license" && m.AppID != "" {
			done[m.TargetID+" "+w.assigned(m.After["assignedLicenses"])] = true
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
			if c.Object.Kind == directory.KindLicence && c.State == directory.ChangeApplied {
				told[w.accountOf(directory.UserID(c.Object.ID))+" "+left(&c)] = true
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

// assigned are the licences of an account of the tenant, in short.
func (w *world) assigned(v any) string {
	w.Helper()
	raw, err := json.Marshal(v)
	w.do(err)
	var list []directory.AssignedLicence
	w.do(json.Unmarshal(raw, &list))
	var names []string
	for _, l := range list {
		names = append(names, fmt.Sprintf("%s:%s", l.SKU, directory.LicenceValue(l.DisabledPlans)))
	}
	return strings.Join(names, " ")
}

// left are those that an account has after a change, all of which this is about.
func left(c *directory.Change) string {
	var names []string
	for _, p := range c.Properties {
		if sku, _ := directory.LicenceOfProperty(p.Name); !p.After.IsNull() {
			names = append(names, fmt.Sprintf("%s:%s", sku, p.After))
		}
	}
	return strings.Join(names, " ")
}

func (w *world) accountOf(u directory.UserID) string {
	w.Helper()
	b, err := w.store.Bindings.Binding(w.Context(), u)
	w.do(err)
	return string(b.AccountID)
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
