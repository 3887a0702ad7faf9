package reconcile

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
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

var errDead = errors.New("the process is dead")

// trouble is what befalls a process at its k-th call to the outside: tables,
// Microsoft and the queue.
type trouble struct {
	at   int
	kind string // see kinds
	old  http.RoundTripper

	mu sync.Mutex
	n  int
}

// kinds of trouble. A kill is for ever: every call from the k-th on fails. The
// others befall one call.
const (
	killBefore = "killed before"
	killAfter  = "killed after"
	failBefore = "failed before"   // table: busy; Microsoft: 503
	failAfter  = "timed out after" // it took effect, and nobody heard of it
	throttle   = "throttled"       // Microsoft: 429
)

// before counts a call and reports whether it must not take place.
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

func (k *trouble) dead() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return (k.kind == killBefore || k.kind == killAfter) && k.n >= k.at
}

func (k *trouble) throttles() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kind == throttle && k.n == k.at
}

// install puts the trouble between a world and everything outside.
func (k *trouble) install(w *world) {
	w.table.Before = func(context.Context, memory.Call) error { return k.before() }
	w.table.After = func(context.Context, memory.Call) error { return k.done() }
	k.old = w.port.rt
	w.port.rt = k
	w.send = func() error {
		if err := k.before(); err != nil {
			return err
		}
		return k.done()
	}
}

func (k *trouble) remove(w *world) {
	w.table.Before, w.table.After, w.send, w.port.rt = nil, nil, nil, k.old
}

// RoundTrip is a call to Microsoft.
func (k *trouble) RoundTrip(r *http.Request) (*http.Response, error) {
	err := k.before()
	switch {
	case errors.Is(err, table.ErrBusy):
		return refusal(r, http.StatusServiceUnavailable), nil
	case err != nil:
		return nil, err
	case k.throttles():
		return refusal(r, http.StatusTooManyRequests), nil
	}
	resp, err := k.old.RoundTrip(r)
	if dead := k.done(); dead != nil {
		return nil, dead
	}
	return resp, err
}

// refusal is an answer to a whole request that was not looked at.
func refusal(r *http.Request, status int) *http.Response {
	return &http.Response{StatusCode: status, Request: r, Header: http.Header{"Retry-After": {"1"}, "Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(`{"error":{"code":"TooManyRequests","message":"later"}}`))}
}

// crashWorld is a tenant and a directory in which every kind of change is due,
// one of them held by the guard, with several requests in flight at once.
func crashWorld(t *testing.T) *world {
	accounts := []map[string]any{
		existing("adopted1", map[string]any{"department": "Old"}), existing("adopted2", nil), existing("back", nil),
		existing("renamed", map[string]any{"department": "Ops"}), existing("blocked", nil), existing("released", nil),
		existing("owner", map[string]any{"mail": "wanted@" + simDomain, "proxyAddresses": []any{"SMTP:wanted@" + simDomain}}),
	}
	w := newWorld(t, accounts...)
	w.flow(2, 1)
	none := 0
	w.conn.Settings.OnSoftDeleted = "restore"
	w.conn.Settings.Guard = map[directory.Effect]directory.Limit{directory.EffectRename: {Count: &none}}
	w.saveConn()
	old := []directory.User{w.user("renamed"), w.user("blocked"), w.user("back"), w.user("released")}
	w.bind(old...)
	w.sync()
	gone := w.account("back@" + simDomain)["id"].(string)
	if status, _, _, err := w.port.do(t.Context(), "DELETE", "/users/"+gone, nil); err != nil || status != http.StatusNoContent {
		t.Fatalf("DELETE = %d, %v", status, err)
	}
	w.edit(old[0], func(u *directory.User) {
		u.Email, u.Department, u.Phones.Mobile = "newname@"+simDomain, "Sales", "+1 555 02"
	})
	w.edit(old[1], func(u *directory.User) { u.State = directory.StateSuspended })
	b := w.binding(old[3])
	b.Release = directory.ReleaseBlock
	w.do(w.store.Bindings.UpdateBinding(t.Context(), directory.AuditEvent{}, &b, true, true))
	_, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, runs.Request{Kind: directory.KindRelease, UserIDs: []directory.UserID{b.UserID}})
	w.do(err)
	w.withPasswords()
	fresh := []directory.User{w.user("wanted")}
	for _, n := range []string{"adopted1", "adopted2", "created1", "created2", "created3"} {
		fresh = append(fresh, w.user(n, func(u *directory.User) { u.Department = "Dept"; u.Phones.Mobile = "+1 555 01" }))
	}
	w.bind(fresh...)
	w.skew.Add(2 * directory.DefaultInterval)
	return w
}

// story does what the queue, the schedule and an admin do until nothing is left:
// slices, approvals of what is held, and edits of the directory on the way.
func (w *world) story(k *trouble) {
	w.Helper()
	admins := w.runsOn(runs.StoresOf(w.store), func() error {
		if w.send != nil {
			return w.send()
		}
		return nil
	})
	for range 60 {
		sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		if k != nil && k.dead() {
			return
		}
		if err != nil {
			w.skew.Add(LeaseTTL + time.Second) // the message comes again
			continue
		}
		w.skew.Add(max(0, sum.Again))
		approved, err := w.approveHeld(admins)
		if k != nil && k.dead() {
			return
		}
		if err == nil && !approved && sum.Again < 0 {
			return
		}
		w.skew.Add(time.Second)
	}
	w.Fatal("the story does not come to its end")
}

// approveHeld is an admin who says yes to everything.
func (w *world) approveHeld(admins *runs.Service) (any bool, err error) {
	list, _, err := admins.List(w.Context(), w.conn.ID, "", 100)
	for _, r := range list {
		if r.State == directory.RunHeld {
			any = true
			if _, err = admins.Approve(w.Context(), caller("admin"), r.ID, plan.Approval{All: true}); err != nil {
				return any, err
			}
		}
	}
	return any, err
}

// verify holds a world's end against what must be there, whatever happened.
func (w *world) verify(what string) {
	w.Helper()
	w.verifyAccounts(what)
	w.verifyPasswords(what)
	w.verifyHours(what)
	w.verifyTroubles(what)
	for _, r := range w.sim.Requests() {
		if r.Method == "POST" && strings.HasSuffix(strings.ToLower(r.Path), "/users") && r.Status >= 400 {
			w.Errorf("%s: a creation was sent although its account was there", what)
		}
	}
	created, changed := map[string]int{}, map[string]int{}
	for _, m := range w.sim.Mutations(simTenant) {
		switch m.Kind {
		case "create", "restore":
			created[m.Kind+" "+m.UPN]++
		case "update":
			for name, v := range m.After {
				changed[fmt.Sprintf("%s %s=%v", m.TargetID, name, v)]++
			}
		}
	}
	for upn, n := range created {
		if n > 1 {
			w.Errorf("%s: %s took effect %d times", what, upn, n)
		}
	}
	for c, n := range changed {
		if n > 1 {
			w.Errorf("%s: %s took effect %d times", what, c, n)
		}
	}
	var applied []directory.Change
	list, _, err := w.store.Runs.ListRuns(w.Context(), w.conn.ID, "", 100)
	w.do(err)
	for _, r := range list {
		if r.State != directory.RunDone && r.State != directory.RunSuperseded {
			w.Errorf("%s: run %s is %s (%+v)", what, r.ID, r.State, r.Error)
		}
		changes, _, err := w.store.Runs.Changes(w.Context(), &r, "", 1000)
		w.do(err)
		for _, c := range changes {
			if open(&c) && r.State == directory.RunDone {
				w.Errorf("%s: change %s %s is still %s", what, c.Effect, c.UserPrincipalName, c.State)
			}
			if c.State == directory.ChangeApplied {
				applied = append(applied, c)
			}
		}
	}
	w.verifyJournal(what, applied)
}

// verifyJournal holds what took effect in the tenant against what the journal
// says was applied: nothing may be missing in either.
func (w *world) verifyJournal(what string, applied []directory.Change) {
	w.Helper()
	done := map[string]bool{}
	for _, m := range w.sim.Mutations(simTenant) {
		if m.Target != "user" {
			continue
		}
		switch m.Kind {
		case "create", "restore", "revoke":
			done[m.Kind+" "+m.TargetID] = true
		case "update":
			for name, v := range m.After {
				done[fmt.Sprintf("%s %s: %v -> %v", m.TargetID, name, m.Before[name], v)] = true
			}
		}
	}
	told := map[string]bool{}
	for _, c := range applied {
		id := string(c.AccountID)
		switch c.Effect {
		case directory.EffectAdopt, directory.EffectRelease:
		case directory.EffectCreate, directory.EffectRestore, directory.EffectRevoke:
			told[string(c.Effect)+" "+id] = true
		default:
			for _, p := range c.Properties {
				told[fmt.Sprintf("%s %s: %v -> %v", id, p.Name, plain(p.Before), plain(p.After))] = true
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

// plain is a value as the simulator keeps it.
func plain(v directory.Value) (out any) {
	raw, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		return err
	}
	return out
}

// verifyPasswords holds that the password of each created account can be shown,
// and is the one that it was made with.
func (w *world) verifyPasswords(what string) {
	w.Helper()
	bindings, _, err := w.store.Bindings.ListBindings(w.Context(), directory.KindAccount, w.conn.ID, 1, "", 100)
	w.do(err)
	n := 0
	for _, b := range bindings {
		if !b.Created {
			continue
		}
		n++
		if got, err := w.show(directory.User{ID: b.UserID}); err != nil || got != w.made.of(b.UserPrincipalName) {
			w.Errorf("%s: the temporary password of %s is shown as another than it was made with, %v", what, b.UserPrincipalName, err)
		}
	}
	if n == 0 {
		w.Errorf("%s: no account was created", what)
	}
}

// verifyAccounts looks at the tenant and the bindings only.
func (w *world) verifyAccounts(what string) {
	w.Helper()
	for upn, want := range map[string]any{
		"adopted1": "Dept", "adopted2": "Dept", "created1": "Dept", "created2": "Dept", "created3": "Dept", "newname": "Sales", "back": nil,
	} {
		a, ok := w.sim.Account(simTenant, upn+"@"+simDomain)
		if !ok || a["department"] != want || a["accountEnabled"] != true {
			w.Errorf("%s: account %s = %v", what, upn, a)
		}
	}
	for _, name := range []string{"blocked", "released"} {
		if a := w.account(name + "@" + simDomain); a["accountEnabled"] != false {
			w.Errorf("%s: %s is enabled", what, name)
		}
	}
	if _, there := w.sim.Account(simTenant, "wanted@"+simDomain); there {
		w.Errorf("%s: an account was made for a contested address", what)
	}
	bindings, _, err := w.store.Bindings.ListBindings(w.Context(), directory.KindAccount, w.conn.ID, 1, "", 100)
	w.do(err)
	states := map[directory.BindingStatus]int{}
	for _, b := range bindings {
		states[b.Status]++
	}
	if states[directory.BindingInSync] != 8 || states[directory.BindingConflict] != 1 {
		w.Errorf("%s: bindings are %v", what, states)
	}
}

// TestCrashAnywhere lets every trouble befall each call of the story, and demands
// the same end every time.
func TestCrashAnywhere(t *testing.T) {
	count := &trouble{}
	w := crashWorld(t)
	count.install(w)
	w.story(count)
	count.remove(w)
	w.verify("without trouble")
	if t.Failed() {
		return
	}
	if count.n < 150 {
		t.Errorf("the story has %d calls to the outside, want at least 150", count.n)
	}
	cases := 0
	t.Run("cases", func(t *testing.T) {
		for _, kind := range []string{killBefore, killAfter, failBefore, failAfter, throttle} {
			for part := range 4 {
				for k := 1 + part; k <= count.n; k += 4 * crashStride {
					cases++
				}
				t.Run(fmt.Sprintf("%s %d", kind, part), func(t *testing.T) {
					t.Parallel()
					for k := 1 + part; k <= count.n && !t.Failed(); k += 4 * crashStride {
						crash(t, k, count.n, kind)
					}
				})
			}
		}
	})
	fmt.Printf("%d crash cases\n", cases)
}

// crash plays the story with one trouble and holds its end against what must be.
func crash(t *testing.T, at, of int, kind string) {
	w := crashWorld(t)
	k := &trouble{at: at, kind: kind}
	k.install(w)
	w.story(k)
	k.remove(w)
	if k.dead() {
		// Everything is made anew from table, queue and tenant.
		w.skew.Add(LeaseTTL + time.Second)
		w.engine = New(Config{Stores: StoresOf(store.New(w.table, store.Options{Now: w.now})), Now: w.now, SecondLook: -1, Open: w.engine.config.Open, Send: w.engine.config.Send, PasswordKey: w.engine.config.PasswordKey,
			flow: w.engine.config.flow})
	}
	w.story(nil)
	// What was found too fresh to judge is looked at again later.
	w.skew.Add(3 * Grace)
	w.story(nil)
	w.verify(fmt.Sprintf("%s call %d of %d", kind, at, of))
}

// TestDeactivationCutOff kills a deactivation at each of its calls: done again,
// it ends with nobody selected and no account touched.
func TestDeactivationCutOff(t *testing.T) {
	cases := 0
	for at := 1; ; at += crashStride {
		finished := false
		for _, kind := range []string{killBefore, killAfter} {
			w := crashWorld(t)
			w.story(nil)
			before := len(w.sim.Mutations(simTenant))
			k := &trouble{at: at, kind: kind}
			k.install(w)
			_ = w.letGo() // cut off, or not
			k.remove(w)
			finished = k.n < at
			w.do(w.letGo())
			if left, _, err := w.store.Bindings.ListBindings(t.Context(), directory.KindAccount, w.conn.ID, 1, "", 100); err != nil || len(left) > 0 {
				t.Errorf("%s call %d: %d bindings are left (%v)", kind, at, len(left), err)
			}
			if former, _, err := w.store.Bindings.Former(t.Context(), w.conn.ID, "", 100); err != nil || len(former) != 9 {
				t.Errorf("%s call %d: %d former members, want 9 (%v)", kind, at, len(former), err)
			}
			w.story(nil)
			if n := len(w.sim.Mutations(simTenant)) - before; n != 0 {
				t.Errorf("%s call %d: %d writes to the tenant", kind, at, n)
			}
			cases++
		}
		if finished || t.Failed() {
			break
		}
	}
	fmt.Printf("%d crash cases of a deactivation\n", cases)
}

// letGo deactivates the connection and clears away what it leaves.
func (w *world) letGo() error {
	c, _, err := w.store.Connections.DeactivateConnection(w.Context(), directory.AuditEvent{}, w.conn.ID)
	if err != nil {
		return err
	}
	for more := true; more; {
		if _, more, err = w.store.Bindings.Sweep(w.Context(), &c, simTenant, 1); err != nil {
			return err
		}
	}
	return w.runs().EndOpenRuns(w.Context(), &c)
}
