package groups_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/reconcile"
	"bindery/shared/core/reconcile/groups"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/store"
)

// want holds that the last run has come to its end with some changes.
func (w *world) want(effectsWanted string) directory.Run {
	w.Helper()
	run, changes := w.lastRun()
	if got := effects(changes); got != effectsWanted || run.State != directory.RunDone {
		w.Errorf("the run is %s (%+v, %+v) with %s, want %s%s", run.State, run.Held, run.Waiting, got, effectsWanted, problems(changes))
	}
	return run
}

// wantNothing holds that no run since one has planned anything: invariant 9.
func (w *world) wantNothing(since directory.RunID) {
	w.Helper()
	w.sync()
	for _, r := range w.allRuns() {
		if r.ID == since {
			return
		}
		if changes := w.changes(r); len(changes) > 0 {
			w.Errorf("another run after it, %s, with %s%s", r.State, effects(changes), problems(changes))
		}
	}
}

// wantMembers holds who is in an exported group.
func (w *world) wantMembers(g directory.GroupID, names ...string) {
	w.Helper()
	if in := w.members(w.record(directory.GroupRef(g)).AccountID); !slices.Equal(in, names) {
		w.Errorf("the members are %v, want %v", in, names)
	}
}

// calm lets so much time pass that what is read is not older than our writes.
func (w *world) calm() { w.wait(2 * reconcile.Grace) }

// exported is a world with a group of some members, all of it in sync and quiet.
func exported(t *testing.T, n int, edit ...func(*groups.Export)) (*world, directory.GroupID, []directory.User) {
	w := newWorld(t)
	users := w.people(n)
	sales := w.export("Sales", edit...)
	w.add(sales, users...)
	w.sync()
	w.calm()
	w.sync()
	return w, sales, users
}

// byHand changes a membership as somebody at Microsoft.
func (w *world) byHand(g directory.GroupID, who string, is bool) {
	w.Helper()
	w.must(w.sim.SetMember(simTenant, "", string(w.record(directory.GroupRef(g)).AccountID), who, is))
}

// TestGroupWithMembers: a record of a group and of two memberships become, in one run, a
// group with two members whose accounts the same run makes; a second run plans nothing.
func TestGroupWithMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people(2)
	sales := w.export("Sales")
	refs := w.add(sales, users...)
	w.sync()
	run := w.want("2 create:applied, 1 group-create:applied, 2 member-add:applied")
	g := w.record(directory.GroupRef(sales))
	if g.AccountID == "" || g.Status != directory.BindingInSync || !g.Created {
		t.Errorf("the group's record is %+v", g)
	}
	w.wantMembers(sales, "user000", "user001")
	for _, ref := range refs {
		if b := w.record(ref); b.Status != directory.BindingInSync || b.Dirty() || !b.Created {
			t.Errorf("the record of a membership is %+v", b)
		}
	}
	w.wantNothing(run.ID)
}

// TestMemberLeaves: whom we gave a membership loses it once our directory does not want
// it any more, and its record goes; whom others added stays.
func TestMemberLeaves(t *testing.T) {
	t.Parallel()
	w, sales, users := exported(t, 2)
	theirs := w.user("theirs")
	w.bind(theirs)
	w.sync()
	w.byHand(sales, theirs.Email, true)
	ref := w.add(sales, theirs)[0]
	w.calm()
	w.sync()
	if b := w.record(ref); b.Created || b.Status != directory.BindingInSync {
		t.Errorf("the record of a membership that was there is %+v", b)
	}
	w.release(directory.ReleaseRemove, ref, directory.MemberOf(sales, users[0].ID))
	w.sync()
	run := w.want("1 member-remove:applied")
	w.wantMembers(sales, "theirs", "user001")
	if b := w.record(directory.MemberOf(sales, users[0].ID)); b.Object != (directory.Ref{}) {
		t.Errorf("the record of the membership that was taken is still there: %+v", b)
	}
	w.wantNothing(run.ID)
}

// TestSomebodyRemoves: a member whom somebody at Microsoft removes is put back, or
// reported, by foreignChange; one whom somebody adds stays.
func TestSomebodyRemoves(t *testing.T) {
	t.Parallel()
	for _, policy := range []directory.ForeignPolicy{directory.ForeignRevert, directory.ForeignReport} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			w, sales, users := exported(t, 2)
			w.settings(func(s *directory.Settings) {
				s.ForeignChange = map[string]directory.ForeignPolicy{directory.ForeignMembers: policy}
			})
			w.byHand(sales, users[0].Email, false)
			w.byHand(sales, adminUPN, true)
			w.round()
			b := w.record(directory.MemberOf(sales, users[0].ID))
			if policy == directory.ForeignRevert {
				w.want("1 member-add:applied")
				w.wantMembers(sales, "admin", "user000", "user001")
				return
			}
			w.wantMembers(sales, "admin", "user001")
			if len(b.Findings) != 1 || b.Findings[0].Code != directory.CodeForeignChange {
				t.Errorf("the record is %+v", b)
			}
		})
	}
}

// TestExact: an exact export removes whom others added, and says so; never who is
// protected.
func TestExact(t *testing.T) {
	t.Parallel()
	w, sales, _ := exported(t, 2)
	stranger, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": "stranger@" + simDomain, "displayName": "Stranger"})
	w.must(err)
	w.byHand(sales, stranger, true)
	w.byHand(sales, adminUPN, true)
	w.change(sales, func(e *groups.Export) { e.Exact = true })
	w.sync()
	run := w.want("1 member-remove:applied")
	w.wantMembers(sales, "admin", "user000", "user001")
	g, _ := w.sim.Account(simTenant, adminUPN)
	_, changes := w.lastRun()
	if c := changes[0]; c.UserPrincipalName != "stranger@"+simDomain || c.ScopeName != "Sales" || !strings.Contains(c.Reason, `"Sales"`) {
		t.Errorf("the removal is told as %+v", c)
	}
	kept := w.record(directory.StrangerOf(sales, directory.AccountID(g["id"].(string))))
	if kept.Status != directory.BindingReadOnly || kept.Problem == nil || kept.Problem.Code != directory.CodeAccountProtected {
		t.Errorf("the record of the protected stranger is %+v", kept)
	}
	w.wantNothing(run.ID)
	if undone := w.undo(run.ID); undone.State != directory.RunDone || undone.Applied != 1 {
		t.Errorf("the undo is %s with %d applied", undone.State, undone.Applied)
	}
	w.wantMembers(sales, "admin", "stranger", "user000", "user001")
	w.calm()
	w.mark(directory.GroupRef(sales))
	w.sync()
	w.wantMembers(sales, "admin", "stranger", "user000", "user001")

}

// TestExactOnceExpanded: strangers who come while our own members are not all known yet
// are found once they are, without anything else being asked for.
func TestExactOnceExpanded(t *testing.T) {
	t.Parallel()
	w, sales, _ := exported(t, 2, func(e *groups.Export) { e.Exact, e.Expanded = true, false })
	stranger, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": "stranger@" + simDomain, "displayName": "Stranger"})
	w.must(err)
	w.byHand(sales, stranger, true)
	w.mark(directory.GroupRef(sales))
	w.sync()
	w.wantMembers(sales, "stranger", "user000", "user001")
	e := w.exports[sales]
	e.Expanded = true
	w.set(sales, e)
	w.wait(2 * time.Minute)
	w.sync()
	w.wantMembers(sales, "user000", "user001")
}

// TestExactSparesProtectedNames: an account that the settings protect by its name is
// taken out of no group that others put it in, also where only its ID is told.
func TestExactSparesProtectedNames(t *testing.T) {
	t.Parallel()
	w, sales, _ := exported(t, 1)
	stranger, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": "ceo@" + simDomain, "displayName": "CEO"})
	w.must(err)
	w.conn, err = w.store.Connections.ModifyConnection(w.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Settings.Protected = []string{"ceo@" + simDomain}
		return nil
	})
	w.must(err)
	w.byHand(sales, stranger, true)
	w.change(sales, func(e *groups.Export) { e.Exact = true })
	w.sync()
	w.wantMembers(sales, "ceo", "user000")
	if b := w.record(directory.StrangerOf(sales, directory.AccountID(stranger))); b.Status != directory.BindingReadOnly || b.Problem == nil || b.Problem.Code != directory.CodeAccountProtected {
		t.Errorf("the record of the protected stranger is %+v", b)
	}
}

// TestAdopt: the tenant group that an admin has named is taken as it is, with what it
// was; released with restore it is so again.
func TestAdopt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, err := w.sim.AddGroup(simTenant, "", entratest.GroupSpec{DisplayName: "Vertrieb", Properties: map[string]any{"description": "seit 1999"}, Members: []string{adminUPN}})
	w.must(err)
	users := w.people(1)
	sales := w.export("Sales", func(e *groups.Export) { e.Adopt = directory.TenantGroupID(id) })
	refs := w.add(sales, users...)
	w.sync()
	w.want("1 create:applied, 1 group-adopt:applied, 1 group-update:applied, 1 member-add:applied")
	b := w.record(directory.GroupRef(sales))
	if string(b.AccountID) != id || b.Created || b.Before["displayName"].String() != "Vertrieb" || b.Before["description"].String() != "seit 1999" {
		t.Errorf("the record is %+v", b)
	}
	w.wantMembers(sales, "admin", "user000")
	w.wantGroup(id, "Sales", "seit 1999")
	w.calm()
	w.sync()
	w.release(directory.ReleaseRemove, refs...)
	w.release(directory.ReleaseRestore, directory.GroupRef(sales))
	w.sync()
	w.wait(10 * time.Minute)
	w.sync()
	w.wantGroup(id, "Vertrieb", "seit 1999")
	if in := w.members(directory.AccountID(id)); !slices.Equal(in, []string{"admin"}) {
		t.Errorf("the members are %v", in)
	}
	if b := w.record(directory.GroupRef(sales)); !b.Object.IsZero() {
		t.Errorf("the group is still ours: %+v", b)
	}
}

// wantGroup holds what a tenant group is called.
func (w *world) wantGroup(id, name, description string) {
	w.Helper()
	g, there := w.sim.Group(simTenant, id)
	got, _ := g["description"].(string)
	if !there || g["displayName"] != name || got != description {
		w.Errorf("the tenant group is %v, %q", g["displayName"], got)
	}
}

// TestReadOnlyGroup: nothing is written to a group that has become one that is not for
// us to write, and the records say why.
func TestReadOnlyGroup(t *testing.T) {
	t.Parallel()
	for code, edit := range map[string]map[string]any{
		directory.CodeGroupRoleAssignable: {"isAssignableToRole": true},
		directory.CodeGroupSynced:         {"onPremisesSyncEnabled": true},
		directory.CodeGroupDynamic:        {"groupTypes": []any{"DynamicMembership"}, "membershipRule": "(user.accountEnabled -eq true)"},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w, sales, users := exported(t, 1)
			id := string(w.record(directory.GroupRef(sales)).AccountID)
			w.must(w.sim.EditGroup(simTenant, "", id, edit))
			before := len(w.sim.Mutations(simTenant))
			late := w.user("late")
			w.bind(late)
			w.sync()
			created := len(w.sim.Mutations(simTenant))
			ref := w.add(sales, late)[0]
			w.change(sales, func(e *groups.Export) { e.Group.Name = "Sales 2" })
			w.release(directory.ReleaseRemove, directory.MemberOf(sales, users[0].ID))
			w.sync()
			if n := len(w.sim.Mutations(simTenant)); n != created || created == before {
				t.Errorf("%d writes to the group", n-created)
			}
			for _, r := range []directory.Ref{directory.GroupRef(sales), ref, directory.MemberOf(sales, users[0].ID)} {
				if b := w.record(r); b.Problem == nil || b.Problem.Code != code || b.Status != directory.BindingReadOnly {
					t.Errorf("the record of %s is %s, %+v", r, b.Status, b.Problem)
				}
			}
		})
	}
}

// TestGroupDeletedThere: a group that somebody deletes at Microsoft is a conflict, or
// restored, and made anew with its members once it is gone for good.
func TestGroupDeletedThere(t *testing.T) {
	t.Parallel()
	w, sales, _ := exported(t, 2)
	id := string(w.record(directory.GroupRef(sales)).AccountID)
	w.must(w.sim.DeleteGroup(simTenant, "", id))
	w.mark(directory.GroupRef(sales))
	w.sync()
	if b := w.record(directory.GroupRef(sales)); b.Status != directory.BindingConflict || b.Problem.Code != directory.CodeGroupSoftDeleted {
		t.Fatalf("the record is %s, %+v", b.Status, b.Problem)
	}
	w.change(sales, func(e *groups.Export) { e.Renew = true })
	w.sync()
	w.want("1 group-restore:applied")
	w.wantMembers(sales, "user000", "user001")
}

// TestGroupReleased: released with delete a group that we made is deleted, into the bin.
func TestGroupReleased(t *testing.T) {
	t.Parallel()
	w, sales, users := exported(t, 2)
	id := string(w.record(directory.GroupRef(sales)).AccountID)
	for _, u := range users {
		w.release(directory.ReleaseKeep, directory.MemberOf(sales, u.ID))
	}
	w.release(directory.ReleaseDelete, directory.GroupRef(sales))
	w.sync()
	run := w.want("1 group-delete:applied")
	if g, _ := w.sim.Group(simTenant, id); g["deletedDateTime"] == nil {
		t.Errorf("the tenant group is %v", g)
	}
	if undone := w.undo(run.ID); undone.State != directory.RunDone {
		t.Errorf("the undo is %s", undone.State)
	}
	if g, _ := w.sim.Group(simTenant, id); g["deletedDateTime"] != nil {
		t.Errorf("after the undo the tenant group is %v", g)
	}
}

// TestUndoOfMembers: what a run did to a group is taken back, and not done again.
func TestUndoOfMembers(t *testing.T) {
	t.Parallel()
	w, sales, users := exported(t, 3)
	late := w.user("late")
	w.bind(late)
	w.sync()
	w.add(sales, late)
	w.release(directory.ReleaseRemove, directory.MemberOf(sales, users[0].ID))
	w.change(sales, func(e *groups.Export) { e.Group.Name, e.Group.Description = "Sales 2", "New" })
	w.sync()
	run := w.want("1 group-update:applied, 1 member-add:applied, 1 member-remove:applied")
	w.wantMembers(sales, "late", "user001", "user002")
	undone := w.undo(run.ID)
	_, changes := w.lastRun()
	if got := effects(changes); got != "1 adopt:applied, 1 group-update:applied, 1 member-add:applied, 1 member-remove:applied" {
		t.Errorf("the undo has %s", got)
	}
	w.wantMembers(sales, "user000", "user001", "user002")
	w.wantGroup(string(w.record(directory.GroupRef(sales)).AccountID), "Sales", "")
	back := directory.MemberOf(sales, users[0].ID)
	if b := w.record(back); b.Status != directory.BindingPaused || !b.Created {
		t.Errorf("the record of what was given back is %+v", b)
	}
	w.calm()
	w.wantNothing(undone.ID)

	// The undo is undone: whom our directory does not want goes for good.
	again := w.undo(undone.ID)
	w.wantMembers(sales, "late", "user001", "user002")
	w.wantGroup(string(w.record(directory.GroupRef(sales)).AccountID), "Sales 2", "New")
	if again.Failed+again.Refused > 0 {
		t.Errorf("of the undo of the undo %d failed, %d were refused", again.Failed, again.Refused)
	}
	if list, err := w.store.Bindings.BindingsOf(t.Context(), w.conn.ID, []directory.Ref{back}); err != nil || len(list) > 0 {
		t.Errorf("the record of whom the directory does not want is %+v, %v", list, err)
	}
}

// TestUndoAskedTwice: whoever asks again for an undo that has not ended gets that, and
// what two runs would take back is taken back once.
func TestUndoAskedTwice(t *testing.T) {
	t.Parallel()
	w, sales, users := exported(t, 3)
	w.release(directory.ReleaseRemove, directory.MemberOf(sales, users[0].ID))
	w.sync()
	run := w.want("1 member-remove:applied")
	ask := func(ids ...directory.UserID) directory.RunID {
		t.Helper()
		r, err := w.runs().Undo(t.Context(), directory.Caller{}, &w.conn, run, runs.UndoRequest{UserIDs: ids, Objects: []directory.Ref{directory.MemberOf(sales, users[0].ID)}})
		w.must(err)
		return r.ID
	}
	first := ask()
	if again := ask(); again != first {
		t.Errorf("asked again, there is another run")
	}
	if other := ask(users[0].ID); other == first {
		t.Error("another request is answered with the run of the first")
	}
	w.sync()
	w.wait(2 * time.Second)
	w.sync()
	w.wantMembers(sales, "user000", "user001", "user002")
	all := map[string]int{}
	for _, r := range w.allRuns() {
		if r.Kind == directory.KindUndo {
			for _, c := range w.changes(r) {
				all[string(c.Effect)+":"+string(c.State)]++
			}
		}
	}
	if all["member-add:applied"] != 1 || all["adopt:applied"] != 1 || all["member-add:failed"]+all["adopt:failed"]+all["member-add:refused"] > 0 {
		t.Errorf("the two undos have %v", all)
	}
	if again := ask(); again == first {
		t.Error("the first has ended, and is answered all the same")
	}
}

// TestMemberWithoutAccount: who is not bound is a finding, and becomes a member when
// there is an account.
func TestMemberWithoutAccount(t *testing.T) {
	t.Parallel()
	w, sales, _ := exported(t, 1)
	late := w.user("late")
	ref := w.add(sales, late)[0]
	w.sync()
	if b := w.record(ref); len(b.Findings) != 1 || b.Findings[0].Code != directory.CodeMemberNotBound || !strings.Contains(b.Findings[0].Message, "late@") {
		t.Fatalf("the record is %+v", b)
	}
	w.bind(late)
	w.mark(ref)
	w.sync()
	w.wantMembers(sales, "late", "user000")
}

// TestMemberBoundLater: who is bound after the membership was found wanting becomes a member
// by itself, whether the account is made or was named.
func TestMemberBoundLater(t *testing.T) {
	t.Parallel()
	for _, named := range []bool{false, true} {
		w, sales, _ := exported(t, 1)
		late := w.user("late")
		g := directory.Group{ID: sales, Created: w.now(), Updated: w.now()}
		g.Name = "Sales"
		w.must(w.store.Groups.CreateGroups(t.Context(), directory.AuditEvent{}, &g))
		_, err := w.store.Groups.ChangeMembers(t.Context(), directory.AuditEvent{}, &g, store.MemberChange{Add: []directory.Membership{{Group: sales, Member: directory.UserMember(late.ID), Added: w.now()}}})
		w.must(err)
		w.add(sales, late)
		w.sync()
		w.wait(time.Hour)
		sel := store.Selection{User: &late}
		if named {
			id, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": "late@" + simDomain, "displayName": "late", "accountEnabled": true, "mailNickname": "late"})
			w.must(err)
			sel.AccountID, sel.UserPrincipalName = directory.AccountID(id), "late@"+simDomain
		}
		w.must(w.store.Bindings.Bind(w.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{sel}))
		for range 3 {
			w.sync()
			w.wait(time.Minute)
		}
		w.wantMembers(sales, "late", "user000")
	}
}

// settings changes those of the connection.
func (w *world) settings(change func(*directory.Settings)) {
	w.Helper()
	var err error
	w.conn, err = w.store.Connections.ModifyConnection(w.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		change(&c.Settings)
		return nil
	})
	w.must(err)
}

// round lets so much time pass that the tenant's changes are read, and works until
// nothing is left.
func (w *world) round() {
	w.Helper()
	w.calm()
	w.wait(directory.DefaultInterval)
	w.sync()
}

// TestDryRun: a dry run tells whom an exact export would remove, and leaves no trace.
func TestDryRun(t *testing.T) {
	t.Parallel()
	w, sales, _ := exported(t, 2)
	stranger, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": "stranger@" + simDomain, "displayName": "Stranger"})
	w.must(err)
	w.byHand(sales, stranger, true)
	before := len(w.sim.Mutations(simTenant))
	w.mu.Lock()
	e := w.exports[sales]
	e.Exact = true
	w.exports[sales] = e
	w.mu.Unlock()
	dry, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, runs.Request{DryRun: true, Objects: []directory.Ref{directory.GroupRef(sales)}})
	w.must(err)
	w.sync()
	run, err := w.store.Runs.Run(t.Context(), dry.ID)
	w.must(err)
	if got := effects(w.changes(run)); got != "1 member-remove:planned" || run.State != directory.RunPlanned {
		t.Errorf("the dry run is %s with %s", run.State, got)
	}
	if b := w.record(directory.StrangerOf(sales, directory.AccountID(stranger))); !b.Object.IsZero() || len(w.sim.Mutations(simTenant)) != before {
		t.Errorf("the dry run has left %+v, %d writes", b, len(w.sim.Mutations(simTenant))-before)
	}
}

// TestExplain: what the next run would do about a group and a membership is told, and
// nothing done.
func TestExplain(t *testing.T) {
	t.Parallel()
	w, sales, users := exported(t, 2)
	w.byHand(sales, users[0].Email, false)
	before := len(w.sim.Mutations(simTenant))
	x, err := w.engine.Explain(t.Context(), &w.conn, directory.MemberOf(sales, users[0].ID))
	if err != nil || len(x.Decision.Changes) != 1 || x.Decision.Changes[0].Effect != directory.EffectMemberAdd || !strings.Contains(x.Decision.Changes[0].Reason, "somebody removed it") {
		t.Errorf("the membership is explained as %+v, %v", x.Decision, err)
	}
	x, err = w.engine.Explain(t.Context(), &w.conn, directory.GroupRef(sales))
	if err != nil || len(x.Decision.Changes) != 0 || x.Decision.Status != directory.BindingInSync {
		t.Errorf("the group is explained as %+v, %v", x.Decision, err)
	}
	if n := len(w.sim.Mutations(simTenant)) - before; n != 0 {
		t.Errorf("explaining wrote %d times", n)
	}
}

// TestMicrosoft365Group: it is made without a mail to each member, and with the next
// mailNickname where another one has the first.
func TestMicrosoft365Group(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.sim.AddGroup(simTenant, "", entratest.GroupSpec{Kind: entratest.UnifiedGroup, DisplayName: "Other", MailNickname: "Sales"})
	w.must(err)
	users := w.people(2)
	sales := w.export("Sales", func(e *groups.Export) { e.Kind = directory.GroupMicrosoft365 })
	w.add(sales, users...)
	w.sync()
	w.wait(time.Minute)
	w.sync()
	g, there := w.sim.Group(simTenant, string(w.record(directory.GroupRef(sales)).AccountID))
	if !there || g["mailNickname"] != "Sales2" || g["mailEnabled"] != true {
		t.Fatalf("the group is %v; its record %+v", g, w.record(directory.GroupRef(sales)))
	}
	w.calm()
	w.sync()
	w.wantMembers(sales, "user000", "user001")
	for _, m := range w.sim.Mutations(simTenant) {
		if m.Linked != nil && m.Linked.Welcomed {
			t.Errorf("%s was sent a mail", m.Linked.UPN)
		}
	}
}

// TestWhoRemoved: the reason says who removed a member, where Microsoft's log tells.
func TestWhoRemoved(t *testing.T) {
	t.Parallel()
	w, sales, users := exported(t, 2)
	w.attribution = func(group directory.TenantGroupID, members []directory.AccountID) map[directory.AccountID]directory.Actor {
		if string(group) != string(w.record(directory.GroupRef(sales)).AccountID) || len(members) != 1 {
			t.Errorf("asked about %v in %s", members, group)
		}
		return map[directory.AccountID]directory.Actor{members[0]: {Name: "mallory@" + simDomain, At: w.now()}}
	}
	w.renew()
	w.byHand(sales, users[0].Email, false)
	w.mark(directory.MemberOf(sales, users[0].ID))
	w.sync()
	if _, changes := w.lastRun(); len(changes) != 1 || !strings.Contains(changes[0].Reason, "by mallory@") {
		t.Errorf("the run has %+v", changes)
	}
}

// TestUndoOfACreation: a group that an undone run made stays, emptied of what the run
// gave it.
func TestUndoOfACreation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people(2)
	sales := w.export("Sales")
	w.add(sales, users...)
	w.sync()
	run := w.want("2 create:applied, 1 group-create:applied, 2 member-add:applied")
	w.calm()
	if undone := w.undo(run.ID); undone.State != directory.RunDone || undone.Left == 0 {
		t.Errorf("the undo is %s, and leaves %d", undone.State, undone.Left)
	}
	w.wantMembers(sales)
	if b := w.record(directory.GroupRef(sales)); b.AccountID == "" {
		t.Errorf("the record is %+v", b)
	}
	last, _ := w.lastRun()
	w.calm()
	w.wantNothing(last.ID)
}
