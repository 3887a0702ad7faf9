package groups_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/core/reconcile"
	"bindery/shared/core/reconcile/groups"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/store"
)

// requests are the requests by which members were added, or removed, since a mutation.
func (w *world) requests(kind string, since int) map[string]int {
	n := map[string]int{}
	for _, m := range w.sim.Mutations(simTenant)[since:] {
		if m.Kind == kind {
			n[m.RequestID]++
		}
	}
	return n
}

func (w *world) fault(f entratest.Fault) {
	w.Helper()
	_, err := w.sim.SetFault(f)
	w.must(err)
}

// still runs a test in which no time passes but what is waited for: how much goes in a
// request follows from how long earlier ones took (quota.Flow), which on a busy machine is
// anything.
func still(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// bound is a world with some users in sync, and nothing else.
func bound(t *testing.T, n int) (*world, []directory.User) {
	w := newWorld(t)
	users := w.people(n)
	w.sync()
	w.calm()
	w.sync()
	return w, users
}

// TestMembersGoTogether: members of one group go twenty in a request.
func TestMembersGoTogether(t *testing.T) {
	still(t, func(t *testing.T) {
		w, users := bound(t, 45)
		before := len(w.sim.Mutations(simTenant))
		sales, works := w.export("Sales"), w.export("Works")
		w.add(sales, users...)
		w.add(works, users[:5]...)
		w.sync()
		w.want("2 group-create:applied, 50 member-add:applied")
		sizes := w.requests("member-add", before)
		if len(sizes) > 5 {
			t.Errorf("50 members of two groups took %d requests: %v", len(sizes), sizes)
		}
		if n := len(w.members(w.record(directory.GroupRef(sales)).AccountID)); n != 45 {
			t.Errorf("the group has %d members", n)
		}
	})
}

// TestRequestsAreFull: members of several groups who are marked by turns go twenty in a
// request all the same, since twenty cost as many writes as seven that go alone (GG 3.2).
func TestRequestsAreFull(t *testing.T) {
	still(t, func(t *testing.T) {
		w, users := bound(t, 40)
		before := len(w.sim.Mutations(simTenant))
		var exports []directory.GroupID
		for _, name := range []string{"Sales", "Works", "Legal", "Board"} {
			exports = append(exports, w.export(name))
		}
		for part := range slices.Chunk(users, 10) {
			for _, g := range exports {
				w.add(g, part...)
			}
		}
		w.sync()
		w.want("4 group-create:applied, 160 member-add:applied")
		// A request does not reach past a chunk of the plan.
		parts, want := map[string]int{}, 0
		_, changes := w.lastRun()
		for _, c := range changes {
			if c.Effect != directory.EffectMemberAdd {
				continue
			}
			g, _, _ := c.Object.Member()
			part := string(c.ID[:strings.LastIndex(string(c.ID), ".")]) + " " + string(g)
			if parts[part]%directory.MostMembersAtOnce == 0 {
				want++
			}
			parts[part]++
		}
		if sizes := w.requests("member-add", before); len(sizes) != want {
			t.Errorf("160 members of four groups took %d requests: %v, want %d", len(sizes), sizes, want)
		}
	})
}

// TestRemovalsGoInTurn: those who leave one group go in one request, each behind the one
// ahead, since Microsoft takes one write to a group at a time (GG 3.4). One who is out
// already keeps nobody in.
func TestRemovalsGoInTurn(t *testing.T) {
	still(t, func(t *testing.T) {
		w, sales, users := exported(t, 60)
		id := string(w.record(directory.GroupRef(sales)).AccountID)
		sent := 0
		w.rt = between{w.rt, func(_, body string) {
			n := strings.Count(body, id+"/members/")
			if n == 0 {
				return
			}
			if sent++; n > directory.MostRemovedInTurn || strings.Count(body, "dependsOn") != n-1 {
				t.Errorf("%d removals from one group go side by side: %s", n, body)
			}
			if !w.meddled { // somebody is quicker than we between plan and request
				w.meddled = true
				w.byHand(sales, users[3].Email, false)
			}
		}}
		for _, u := range users[:12] {
			w.release(directory.ReleaseRemove, directory.MemberOf(sales, u.ID))
		}
		w.sync()
		w.want("12 member-remove:applied")
		if sent == 0 || sent > 4 {
			t.Errorf("12 removals took %d requests", sent)
		}
		if n := len(w.members(directory.AccountID(id))); n != 48 {
			t.Errorf("%d members are left", n)
		}
	})
}

// TestRefusedAlone: where those who leave one group go in turn, nobody of another group goes
// behind them.
func TestRefusedAlone(t *testing.T) {
	t.Parallel()
	w, users := bound(t, 40)
	var exports, ids []string
	for _, name := range []string{"Sales", "Works", "Legal", "Board"} {
		g := w.export(name)
		w.add(g, users...)
		exports = append(exports, string(g))
	}
	w.sync()
	w.calm()
	for _, g := range exports {
		ids = append(ids, string(w.record(directory.GroupRef(directory.GroupID(g))).AccountID))
	}
	w.rt = between{w.rt, func(_, body string) {
		groups := 0
		for _, id := range ids {
			if strings.Contains(body, id+"/members/") {
				groups++
			}
		}
		if groups > 1 && strings.Contains(body, "dependsOn") {
			t.Errorf("removals from %d groups follow each other: %s", groups, body)
		}
	}}
	for n, g := range exports {
		for _, u := range users[:1+n%2*2] { // of two groups one leaves, of two three
			w.release(directory.ReleaseRemove, directory.MemberOf(directory.GroupID(g), u.ID))
		}
	}
	w.sync()
	w.want("8 member-remove:applied")
}

// TestOneBadMember: one member whom Microsoft does not know, or has already, does not
// keep the others of its request out; what was there already is not ours.
func TestOneBadMember(t *testing.T) {
	t.Parallel()
	w, users := bound(t, 6)
	sales := w.export("Sales")
	w.sync()
	w.calm()
	refs := w.add(sales, users...)
	w.must(w.sim.DeleteAccount(simTenant, users[0].Email))
	// Somebody is quicker than we between plan and request.
	w.rt = between{w.rt, func(path, body string) {
		if strings.Contains(body, "members@odata.bind") && !w.meddled {
			w.meddled = true
			w.byHand(sales, users[1].Email, true)
		}
	}}
	w.sync()
	w.wantMembers(sales, "user001", "user002", "user003", "user004", "user005")
	if !w.meddled {
		t.Fatal("nobody was quicker")
	}
	if b := w.record(refs[1]); b.Created || b.Status != directory.BindingInSync {
		t.Errorf("the membership that somebody gave is %s, ours %v", b.Status, b.Created)
	}
	if b := w.record(refs[2]); !b.Created {
		t.Errorf("the membership that we gave is not ours: %+v", b)
	}
	if b := w.record(refs[0]); b.Status == directory.BindingInSync || b.Problem == nil {
		t.Errorf("the record of the member who is not there is %s, %+v", b.Status, b.Problem)
	}
}

// TestLagAfterCreation: members of a group that Microsoft has just made wait until all
// of Microsoft knows it; nothing fails, and nothing is made twice.
func TestLagAfterCreation(t *testing.T) {
	t.Parallel()
	for _, status := range []int{404, 400} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.fault(entratest.Fault{Kind: "member-lag", Seconds: 45, Status: status})
			users := w.people(3)
			sales := w.export("Sales")
			w.add(sales, users...)
			w.sync()
			w.wait(time.Minute)
			w.sync()
			w.wantMembers(sales, "user000", "user001", "user002")
			for _, r := range w.allRuns() {
				for _, c := range w.changes(r) {
					if c.State == directory.ChangeFailed {
						t.Errorf("%s of %s failed: %+v", c.Effect, c.UserPrincipalName, c.Error)
					}
				}
			}
		})
	}
}

// TestUnreadMembers: pages of members that do not come, are empty, end too early or turn
// in a circle are no members who are gone (invariant 10): nobody is removed by them, and
// no record of what we gave is dropped.
func TestUnreadMembers(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"status", "page-expired", "page-loop-same", "page-loop-new", "throttle", "drop"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w, sales, users := exported(t, 3)
			f := entratest.Fault{Kind: kind, Path: `^/groups/[^/]+/members`, Times: 4}
			if kind == "status" {
				f.Status = 503
			}
			w.fault(f)
			before := len(w.sim.Mutations(simTenant))
			w.mark(directory.MemberOf(sales, users[0].ID))
			w.release(directory.ReleaseRemove, directory.MemberOf(sales, users[1].ID))
			for range 3 {
				_, _ = w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
				if b := w.record(directory.MemberOf(sales, users[1].ID)); b.Object.IsZero() && len(w.sim.Mutations(simTenant)) == before {
					t.Fatal("the record of a membership that we gave was dropped without a look")
				}
				w.wait(20 * time.Second)
			}
			for range 4 { // a group that is not read is looked at ever more seldom
				w.sync()
				w.wait(time.Hour)
			}
			w.sync()
			w.wantMembers(sales, "user000", "user002")
			if n := len(w.sim.Mutations(simTenant)) - before; n != 1 {
				t.Errorf("%d writes, want the one removal", n)
			}
		})
	}
}

// TestWorkers lets four processes work on one connection at once: each change takes
// effect once.
func TestWorkers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.table.Latency = 50 * time.Microsecond
	users := w.people(30)
	var all []directory.GroupID
	for i := range 3 {
		all = append(all, w.export(fmt.Sprint("Group ", i)))
		w.add(all[i], users[5*i:5*i+15]...)
	}
	before := w.begin()
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			s := store.New(w.table, store.Options{Now: w.now})
			c := w.config
			kinds := groups.Of(s, w)
			c.Stores, c.Kinds, c.Dependents = reconcile.StoresOf(s), groups.Kinds(kinds), groups.Dependents(kinds)
			e := reconcile.New(c)
			for range 30 {
				if _, err := e.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{}); err != nil {
					t.Error(err)
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	workers.Wait()
	w.settle()
	for i, id := range all {
		if n := len(w.members(w.record(directory.GroupRef(id)).AccountID)); n != 15 {
			t.Errorf("group %d has %d members, want 15", i, n)
		}
	}
	w.verifyJournal("four workers", before)
}

// TestGuardByGroup: a run that takes many of the members of one group is held, and says
// which; of a large group as many may go.
func TestGuardByGroup(t *testing.T) {
	t.Parallel()
	w, users := bound(t, 60)
	small, large := w.export("Small"), w.export("Large")
	w.add(small, users[:15]...)
	w.add(large, users...)
	w.sync()
	w.calm()
	w.wait(25 * time.Hour)
	w.sync()
	var refs []directory.Ref
	for _, u := range users[:12] {
		refs = append(refs, directory.MemberOf(large, u.ID))
	}
	w.release(directory.ReleaseRemove, refs...)
	w.sync()
	w.want("12 member-remove:applied")
	w.wait(8 * 24 * time.Hour)
	w.sync()
	refs = nil
	for _, u := range users[:12] {
		refs = append(refs, directory.MemberOf(small, u.ID))
	}
	w.release(directory.ReleaseRemove, refs...)
	w.sync()
	run, _ := w.lastRun()
	if run.State != directory.RunHeld || len(run.Held.Limits) == 0 || run.Held.Limits[0].Scope != string(small) || !strings.Contains(run.Held.Reasons[0], "Small") {
		t.Fatalf("the run is %s, held for %+v", run.State, run.Held)
	}
	w.approve(run.ID)
	w.want("12 member-remove:applied")
}

// TestUnreadPages: a group with more members than a page has; when a later page does not
// come, nobody on it is taken for no member.
func TestUnreadPages(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"status", "page-expired", "page-partial"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var ids []string
			w := newWorld(t, func(s *entratest.TenantSpec) {
				for i := range 1050 {
					ids = append(ids, fmt.Sprintf("00000000-aaaa-4bbb-8ccc-%012d", i))
					s.Accounts = append(s.Accounts, map[string]any{"id": ids[i], "userPrincipalName": fmt.Sprintf("there%d@%s", i, simDomain), "displayName": "There"})
				}
			})
			id, err := w.sim.AddGroup(simTenant, "", entratest.GroupSpec{DisplayName: "Large", Members: ids})
			w.must(err)
			users := w.people(3)
			large := w.export("Large", func(e *groups.Export) { e.Adopt = directory.TenantGroupID(id) })
			refs := w.add(large, users...)
			w.sync()
			w.calm()
			w.sync()
			size := len(w.roll(directory.AccountID(id)))
			f := entratest.Fault{Kind: kind, Path: `^/groups/[^/]+/members.*skiptoken`, Times: 2}
			if kind == "status" {
				f.Status = 503
			}
			w.fault(f)
			for _, ref := range refs {
				w.release(directory.ReleaseRemove, ref)
			}
			_, _ = w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
			for _, ref := range refs {
				if b := w.record(ref); b.Object.IsZero() && len(w.roll(directory.AccountID(id))) == size {
					t.Fatalf("the record of %s was dropped without a look at all members", ref)
				}
			}
			w.sync()
			w.wait(time.Hour)
			w.sync()
			if n := len(w.roll(directory.AccountID(id))); n != size-3 {
				t.Errorf("the group has %d members, want %d", n, size-3)
			}
		})
	}
}
