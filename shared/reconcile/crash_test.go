package reconcile

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table/memory"
)

var errDead = errors.New("the process is dead")

// killer ends the life of a process at its k-th call to the outside: from then
// on every call fails, the k-th one before or after it took effect.
type killer struct {
	at    int
	after bool
	n     int
}

// before counts a call and reports whether it must not take place.
func (k *killer) before() error {
	k.n++
	if k.at > 0 && (k.n > k.at || k.n == k.at && !k.after) {
		return errDead
	}
	return nil
}

func (k *killer) done() error {
	if k.at > 0 && k.n >= k.at {
		return errDead
	}
	return nil
}

// install puts the killer between a world's engine and everything outside.
func (k *killer) install(w *world) {
	w.table.Before = func(context.Context, memory.Call) error { return k.before() }
	w.table.After = func(context.Context, memory.Call) error { return k.done() }
	w.port.rt = &mortal{w.port.rt, k}
}

func (k *killer) remove(w *world) {
	w.table.Before, w.table.After = nil, nil
	w.port.rt = w.port.rt.(*mortal).next
}

type mortal struct {
	next http.RoundTripper
	k    *killer
}

func (m *mortal) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := m.k.before(); err != nil {
		return nil, err
	}
	resp, err := m.next.RoundTrip(r)
	if dead := m.k.done(); dead != nil {
		return nil, dead
	}
	return resp, err
}

// crashWorld is a tenant and a directory in which every kind of change is due.
func crashWorld(t *testing.T) *world {
	w := newWorld(t,
		existing("adopted1", map[string]any{"department": "Old"}), existing("adopted2", nil),
		existing("renamed", map[string]any{"department": "Ops"}), existing("blocked", nil),
		existing("owner", map[string]any{"mail": "wanted@" + simDomain, "proxyAddresses": []any{"SMTP:wanted@" + simDomain}}))
	old := []directory.User{w.user("renamed"), w.user("blocked")}
	w.bind(old...)
	w.sync()
	w.edit(old[0], func(u *directory.User) { u.Email, u.Department = "newname@"+simDomain, "Sales" })
	w.edit(old[1], func(u *directory.User) { u.State = directory.StateSuspended })
	fresh := []directory.User{w.user("wanted")}
	for _, n := range []string{"adopted1", "adopted2", "created1", "created2", "created3"} {
		fresh = append(fresh, w.user(n, func(u *directory.User) { u.Department = "Dept"; u.Phones.Mobile = "+1 555 01" }))
	}
	w.bind(fresh...)
	return w
}

// verify holds a world's end against what must be there, whatever happened.
func (w *world) verify(what string) {
	w.Helper()
	w.verifyAccounts(what)
	for _, r := range w.sim.Requests() {
		if r.Method == "POST" && strings.HasSuffix(strings.ToLower(r.Path), "/users") && r.Status >= 400 {
			w.Errorf("%s: a creation was sent although its account was there", what)
		}
	}
	created, changed := map[string]int{}, map[string]int{}
	for _, m := range w.sim.Mutations(simTenant) {
		switch m.Kind {
		case "create":
			created[m.UPN]++
		case "update":
			for name, v := range m.After {
				changed[fmt.Sprintf("%s %s=%v", m.TargetID, name, v)]++
			}
		}
	}
	for upn, n := range created {
		if n > 1 {
			w.Errorf("%s: %s was created %d times", what, upn, n)
		}
	}
	for c, n := range changed {
		if n > 1 {
			w.Errorf("%s: %s took effect %d times", what, c, n)
		}
	}
	runs, _, err := w.store.Runs(w.Context(), w.conn.ID, "", 100)
	w.do(err)
	for _, r := range runs {
		if r.State != directory.RunDone {
			w.Errorf("%s: run %s is %s (%+v)", what, r.ID, r.State, r.Error)
		}
		changes, _, err := w.store.Changes(w.Context(), &r, "", 1000)
		w.do(err)
		for _, c := range changes {
			if open(&c) {
				w.Errorf("%s: change %s %s is still %s", what, c.Effect, c.UserPrincipalName, c.State)
			}
		}
	}
}

// verifyAccounts looks at the tenant and the bindings only.
func (w *world) verifyAccounts(what string) {
	w.Helper()
	for upn, want := range map[string]any{
		"adopted1": "Dept", "adopted2": "Dept", "created1": "Dept", "created2": "Dept", "created3": "Dept", "newname": "Sales",
	} {
		a, ok := w.sim.Account(simTenant, upn+"@"+simDomain)
		if !ok || a["department"] != want || a["accountEnabled"] != true {
			w.Errorf("%s: account %s = %v", what, upn, a)
		}
	}
	if a := w.account("blocked@" + simDomain); a["accountEnabled"] != false {
		w.Errorf("%s: the leaver is enabled", what)
	}
	if _, there := w.sim.Account(simTenant, "wanted@"+simDomain); there {
		w.Errorf("%s: an account was made for a contested address", what)
	}
	bindings, _, err := w.store.Bindings(w.Context(), w.conn.ID, 1, "", 100)
	w.do(err)
	states := map[directory.BindingStatus]int{}
	for _, b := range bindings {
		states[b.Status]++
	}
	if states[directory.BindingInSync] != 7 || states[directory.BindingConflict] != 1 {
		w.Errorf("%s: bindings are %v", what, states)
	}
}

// TestCrashAnywhere kills the engine right before and right after each of its
// calls, and demands the same end every time.
func TestCrashAnywhere(t *testing.T) {
	count := &killer{}
	w := crashWorld(t)
	count.install(w)
	w.sync()
	count.remove(w)
	w.verify("without a crash")
	if t.Failed() {
		return
	}
	cases := 0
	for k := 1; k <= count.n; k++ {
		for _, after := range []bool{false, true} {
			w := crashWorld(t)
			kill := &killer{at: k, after: after}
			kill.install(w)
			for range 5 {
				if _, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{}); err != nil || kill.n >= k {
					break
				}
			}
			kill.remove(w)
			w.skew += LeaseTTL + time.Second
			w.engine = &Engine{Store: w.store, Now: w.now, SecondLook: -1, Open: w.engine.Open, Send: w.engine.Send}
			w.sync()
			// What was found too fresh to judge is looked at again later.
			w.skew += 3 * Grace
			w.sync()
			w.verify(fmt.Sprintf("killed at call %d of %d (after: %v)", k, count.n, after))
			cases++
			if t.Failed() {
				return
			}
		}
	}
	t.Logf("%d crash cases", cases)
}
