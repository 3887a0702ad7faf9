package groups_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/reconcile"
	"bindery/shared/core/reconcile/groups"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

var errDead = errors.New("the process is dead")

// trouble is what befalls a process at its k-th call to the outside: the table, the
// tenant and the queue. A kill is for ever; the others befall one call.
type trouble struct {
	at   int
	kind string
	old  http.RoundTripper

	mu sync.Mutex
	n  int
}

const (
	killBefore = "killed before"
	killAfter  = "killed after"
	failBefore = "failed before"
	failAfter  = "timed out after" // it took effect, and nobody heard of it
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

func (k *trouble) dead() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return strings.HasPrefix(k.kind, "killed") && k.n >= k.at
}

// RoundTrip is a call to the tenant.
func (k *trouble) RoundTrip(r *http.Request) (*http.Response, error) {
	switch err := k.before(); {
	case errors.Is(err, table.ErrBusy):
		return &http.Response{StatusCode: http.StatusServiceUnavailable, Request: r, Header: http.Header{"Retry-After": {"1"}, "Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(`{"error":{"code":"serviceNotAvailable","message":"later"}}`))}, nil
	case err != nil:
		return nil, err
	}
	resp, err := k.old.RoundTrip(r)
	if dead := k.done(); dead != nil {
		return nil, dead
	}
	return resp, err
}

func (k *trouble) install(w *world) {
	w.table.Before = func(context.Context, memory.Call) error { return k.before() }
	w.table.After = func(context.Context, memory.Call) error { return k.done() }
	k.old, w.rt = w.rt, k
	w.send = func() error { return errors.Join(k.before(), k.done()) }
}

func (k *trouble) remove(w *world) {
	w.table.Before, w.table.After, w.send, w.rt = nil, nil, nil, k.old
}

// crashWorld is a world in which every change of groups and members is due: one group to
// be made and one to be adopted, a rename, one deleted there and one to be deleted, members
// whose accounts the same run makes, members to be removed, and a stranger.
func crashWorld(t *testing.T) (*world, map[string]directory.GroupID) {
	w := newWorld(t)
	users := w.people(4)
	g := map[string]directory.GroupID{}
	for _, name := range []string{"Renamed", "Back", "Gone", "Exact"} {
		g[name] = w.export(name)
	}
	w.add(g["Renamed"], users[:3]...)
	w.add(g["Back"], users[:1]...)
	w.add(g["Gone"], users[:1]...)
	w.add(g["Exact"], users[:2]...)
	g["Returned"] = w.export("Returned")
	w.sync()
	was := w.exports[g["Returned"]]
	w.endExport(g["Returned"], directory.ReleaseDelete)
	w.sync()
	w.calm()
	w.sync()
	stranger, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": "stranger@" + simDomain, "displayName": "Stranger"})
	w.must(err)
	w.byHand(g["Exact"], stranger, true)
	w.must(w.sim.DeleteGroup(simTenant, "", string(w.record(directory.GroupRef(g["Back"])).AccountID)))
	adopted, err := w.sim.AddGroup(simTenant, "", entratest.GroupSpec{DisplayName: "There", Members: []string{adminUPN}})
	w.must(err)
	late := w.user("late")
	w.bind(late)
	g["Made"] = w.export("Made")
	g["Adopted"] = w.export("Adopted", func(e *groups.Export) { e.Adopt = directory.TenantGroupID(adopted) })
	w.exportAgain(g["Returned"], was)
	w.add(g["Returned"], users[1])
	w.add(g["Made"], append(users, late)...)
	w.add(g["Adopted"], users[:2]...)
	w.add(g["Renamed"], late)
	w.release(directory.ReleaseRemove, directory.MemberOf(g["Renamed"], users[0].ID))
	w.release(directory.ReleaseKeep, directory.MemberOf(g["Gone"], users[0].ID))
	w.release(directory.ReleaseDelete, directory.GroupRef(g["Gone"]))
	w.change(g["Renamed"], func(e *groups.Export) { e.Group.Name = "Renamed 2" })
	w.change(g["Back"], func(e *groups.Export) { e.Renew = true })
	w.change(g["Exact"], func(e *groups.Export) { e.Exact = true })
	w.sim.ResetRequests()
	return w, g
}

// story does what queue and schedule do until nothing is left, and what an admin does
// about held runs.
func (w *world) story(k *trouble) {
	w.Helper()
	for range 80 {
		sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		if k != nil && k.dead() {
			return
		}
		if err != nil {
			w.wait(reconcile.LeaseTTL + time.Second)
			continue
		}
		w.wait(max(0, sum.Again))
		held, err := w.approveHeld()
		if k != nil && k.dead() {
			return
		}
		if err == nil && !held && sum.Again < 0 {
			return
		}
		w.wait(time.Second)
	}
	w.Fatal("the story does not come to its end")
}

func (w *world) approveHeld() (any bool, err error) {
	list, _, err := w.runs().List(w.Context(), w.conn.ID, "", 100)
	for _, r := range list {
		if r.State == directory.RunHeld {
			any = true
			if _, err = w.runs().Approve(w.Context(), directory.Caller{Subject: "boss"}, r.ID, plan.Approval{All: true}); err != nil {
				return any, err
			}
		}
	}
	return any, err
}

// verify holds the end of the story against what must be there, whatever happened.
func (w *world) verify(what string, g map[string]directory.GroupID, before int) {
	w.Helper()
	for name, members := range map[string]string{
		"Made": "late user000 user001 user002 user003", "Adopted": "admin user000 user001", "Renamed": "late user001 user002", "Back": "user000", "Returned": "user001", "Exact": "user000 user001",
	} {
		b := w.record(directory.GroupRef(g[name]))
		if b.Status != directory.BindingInSync || b.AccountID == "" {
			w.Errorf("%s: the record of %s is %s, %+v", what, name, b.Status, b.Problem)
			continue
		}
		if in := strings.Join(w.members(b.AccountID), " "); in != members {
			w.Errorf("%s: the members of %s are %s, want %s", what, name, in, members)
		}
	}
	if b := w.record(directory.GroupRef(g["Gone"])); !b.Object.IsZero() {
		w.Errorf("%s: the group that is let go is still ours: %+v", what, b)
	}
	w.verifyJournal(what, before)
}

// verifyJournal holds what took effect in the tenant against what the journal says was
// applied: nothing may be missing in either, and nothing done twice.
func (w *world) verifyJournal(what string, before int) {
	w.Helper()
	done := map[string]int{}
	for _, m := range w.sim.Mutations(simTenant)[before:] {
		switch {
		case m.Target != "group":
		case m.Linked != nil:
			done[fmt.Sprintf("%s %s %s", m.Kind, m.TargetID, m.Linked.ID)]++
		case m.Kind == "update":
			for name, v := range m.After {
				done[fmt.Sprintf("update %s %s=%v", m.TargetID, name, v)]++
			}
		case m.Kind == "create", m.Kind == "delete", m.Kind == "restore":
			done["group-"+m.Kind+" "+m.TargetID]++
		}
	}
	for line, n := range done {
		if n > 1 {
			w.Errorf("%s: %s took effect %d times", what, line, n)
		}
	}
	told := map[string]bool{}
	for _, r := range w.allRuns() {
		if r.State != directory.RunDone && r.State != directory.RunSuperseded {
			w.Errorf("%s: run %s is %s (%+v)", what, r.ID, r.State, r.Error)
		}
		for _, c := range w.changes(r) {
			if c.State != directory.ChangeApplied || c.At.Before(w.begun) {
				continue
			}
			switch c.Effect {
			case directory.EffectMemberAdd, directory.EffectMemberRemove:
				told[fmt.Sprintf("%s %s", c.Effect, w.pairOf(c))] = true
			case directory.EffectGroupUpdate:
				for _, p := range c.Properties {
					told[fmt.Sprintf("update %s %s=%v", c.AccountID, p.Name, p.After)] = true
				}
			case directory.EffectGroupCreate, directory.EffectGroupDelete, directory.EffectGroupRestore:
				told[fmt.Sprintf("%s %s", c.Effect, c.AccountID)] = true
			}
		}
	}
	for line := range done {
		if !told[line] {
			w.Errorf("%s: the journal does not tell of %s", what, line)
		}
	}
	for line := range told {
		if done[line] == 0 {
			w.Errorf("%s: the journal tells of %s, which did not happen", what, line)
		}
	}
}

// pairOf is the membership of a change: one that was planned before its group or account
// was there is told by their records.
func (w *world) pairOf(c directory.Change) string {
	group, account := "", string(c.AccountID)
	for _, p := range c.Properties {
		if p.Name == "group" {
			group = p.After.String()
		}
	}
	g, u, ok := c.Object.Member()
	if ok && group == "" {
		group = string(w.record(directory.GroupRef(g)).AccountID)
	}
	if ok && account == "" {
		b, err := w.store.Bindings.Binding(w.Context(), u)
		w.must(err)
		account = string(b.AccountID)
	}
	return group + " " + account
}

// TestCrash lets every trouble befall each call of the story, and demands the same end
// every time.
func TestCrash(t *testing.T) {
	t.Parallel()
	count := &trouble{}
	w, g := crashWorld(t)
	before := w.begin()
	count.install(w)
	w.story(count)
	count.remove(w)
	w.settle()
	w.verify("without trouble", g, before)
	if t.Failed() {
		return
	}
	if count.n < 100 {
		t.Errorf("the story has %d calls to the outside, want at least 100", count.n)
	}
	kinds := []string{killBefore, killAfter, failBefore, failAfter}
	for part, kind := range slices.Repeat(kinds, 2) {
		t.Run(fmt.Sprintf("%s %d", kind, part/len(kinds)), func(t *testing.T) {
			t.Parallel()
			for at := 1 + part/len(kinds); at <= count.n && !t.Failed(); at += 2 * crashStride {
				crash(t, at, count.n, kind)
			}
		})
	}
}

// crashStride is at every how many-th call the trouble comes.
const crashStride = 11

func crash(t *testing.T, at, of int, kind string) {
	w, g := crashWorld(t)
	before := w.begin()
	k := &trouble{at: at, kind: kind}
	k.install(w)
	w.story(k)
	k.remove(w)
	if k.dead() {
		w.wait(reconcile.LeaseTTL + time.Second)
		w.renew()
	}
	w.settle()
	w.verify(fmt.Sprintf("%s call %d of %d", kind, at, of), g, before)
}

// begin notes where a story begins.
func (w *world) begin() int {
	w.begun = w.now()
	return len(w.sim.Mutations(simTenant))
}

// settle does what is left, and what was too fresh to judge.
func (w *world) settle() {
	w.story(nil)
	w.wait(3 * reconcile.Grace)
	w.story(nil)
}
