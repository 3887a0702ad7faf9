package licences

import (
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/store"
)

// TestGiven: who falls under a rule has the product, also when the account is made in
// the same run; once it is there nothing is planned.
func TestGiven(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.user("ann"), w.user("bob")
	w.bind(ann, bob)
	w.license(ann, w.rule(partE3))
	w.license(bob, w.rule(partE5, "MCOEV"), w.rule(partVisio))
	w.sync()
	w.wants(ann, "SPE_E3")
	w.wants(bob, "SPE_E5-1 VISIOCLIENT")
	run, changes := w.lastRun()
	if run.State != directory.RunDone || len(changes) != 2 || len(w.sends()) != 2 {
		t.Errorf("the run is %s with %d changes, sent %v", run.State, len(changes), w.sends())
	}
	if b := w.record(ann); b.Status != directory.BindingInSync || b.Dirty() || len(given(&b)) != 1 {
		t.Errorf("the record is %+v", b)
	}
	w.pass(2 * directory.DefaultInterval)
	w.sync()
	if again, _ := w.lastRun(); again.ID != run.ID || len(w.sends()) != 2 {
		t.Errorf("%v were sent, by the run %s after %s", w.sends(), again.ID, run.ID) // invariant 9
	}
}

// TestMoved: another rule swaps the product in one call, and none takes away what we
// gave and nothing else.
func TestMoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people("ann")
	ann := users[0]
	w.do(w.sim.AssignLicences(simTenant, "admin@"+simDomain, ann.Email, entratest.LicenceRequest{Add: []entratest.LicenceWish{{SKUID: skuVisio}}}))
	w.license(ann, w.rule(partE3))
	w.sync()
	w.pass(time.Hour)
	w.license(ann, w.rule(partE5))
	w.sync()
	w.wants(ann, "SPE_E5 VISIOCLIENT")
	if _, changes := w.lastRun(); len(changes) != 1 || changes[0].Effect != directory.EffectLicenceSwap {
		t.Errorf("the changes are %+v", changes)
	}
	w.pass(time.Hour)
	w.license(ann)
	w.sync()
	w.pass(2 * time.Second)
	w.sync()
	if b := w.record(ann); w.has(ann) != "VISIOCLIENT" || !b.Ref().IsZero() { // invariant 15
		t.Errorf("%q are left, the record is %+v", w.has(ann), b)
	}
}

// TestWaitsForSeat: who gets no seat waits with a place in line, which is no failure,
// and gets one that comes free: in the same run, or when it is bought.
func TestWaitsForSeat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people("a", "b", "c")
	for _, u := range users {
		w.license(u, w.rule(partVisio))
		w.pass(time.Second)
	}
	w.sync()
	w.wants(users[0], "VISIOCLIENT")
	w.wants(users[1], "", directory.CodeWaitingForSeat)
	w.wants(users[2], "", directory.CodeWaitingForSeat)
	if run, _ := w.lastRun(); run.State != directory.RunDone || run.Failed+run.Refused != 0 {
		t.Errorf("the run is %s with %d failed, %d refused", run.State, run.Failed, run.Refused)
	}
	if p := w.record(users[2]).Problem; p == nil || p.Message != "All seats of Visio Plan 2 are taken; the user is number 2 of 2 in line." || p.Holder != "Visio Plan 2" {
		t.Errorf("the last one is told %+v", p)
	}
	w.pass(time.Hour)
	w.license(users[0])
	w.sync()
	w.wants(users[0], "")
	w.wants(users[1], "VISIOCLIENT")
	if p := w.record(users[2]).Problem; p == nil || p.Message != "All seats of Visio Plan 2 are taken; the user is number 1 of 1 in line." {
		t.Errorf("then the last one is told %+v", p)
	}
	w.do(w.sim.SetLicence(simTenant, entratest.LicenceSpec{SKUPartNumber: partVisio, Enabled: 2}))
	w.pass(time.Hour)
	w.sync()
	w.wants(users[2], "VISIOCLIENT")
}

// TestSeatAtOnce: a seat that a run takes back goes to whoever is first in line at once,
// and not when the line is looked at next.
func TestSeatAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people("a", "b")
	for _, u := range users {
		w.license(u, w.rule(partVisio))
		w.pass(time.Second)
	}
	w.sync()
	w.wants(users[1], "", directory.CodeWaitingForSeat)
	w.license(users[0])
	w.sync()
	w.wants(users[0], "")
	w.wants(users[1], "VISIOCLIENT")
}

// TestPriority: over the whole tenant the higher priority goes first, whoever is planned
// on the first page.
func TestPriority(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people("a", "b", "c")
	for i, u := range users {
		r := w.rule(partVisio)
		r.Priority = i
		w.license(u, r)
	}
	w.sync()
	w.wants(users[2], "VISIOCLIENT")
	w.wants(users[0], "", directory.CodeWaitingForSeat)
}

// TestUsageLocation: without one a licence is a finding that says so.
func TestUsageLocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *directory.Settings) { s.DefaultUsageLocation = "" })
	users := w.people("ann")
	w.edit(users[0].ID, func(u *directory.User) { u.UsageLocation = "" })
	w.do(w.sim.EditAccount(simTenant, users[0].Email, map[string]any{"usageLocation": nil}))
	w.sync()
	w.license(users[0], w.rule(partE3))
	w.sync()
	w.wants(users[0], "", directory.CodeLicenseUsageLocation)
	if len(w.sends()) != 0 {
		t.Errorf("sent %v", w.sends())
	}
}

// TestDefaultUsageLocation: the settings' country is written to accounts without one,
// before the licence, and over nobody's.
func TestDefaultUsageLocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *directory.Settings) { s.DefaultUsageLocation, s.Attributes = "CH", nil })
	users := w.people("ann", "bob")
	for i, country := range []any{nil, "DE"} {
		w.do(w.sim.EditAccount(simTenant, users[i].Email, map[string]any{"usageLocation": country}))
		w.edit(users[i].ID, func(u *directory.User) { u.UsageLocation = "" })
		w.license(users[i], w.rule(partE3))
	}
	w.pass(time.Hour)
	w.sync()
	for i, want := range []string{"CH", "DE"} {
		w.wants(users[i], "SPE_E3")
		if a, _ := w.sim.Account(simTenant, users[i].Email); a["usageLocation"] != want {
			t.Errorf("the account of %s is in %v, want %s", users[i].Email, a["usageLocation"], want)
		}
	}
}

// TestByGroup: what comes by a group is enough, and is never taken.
func TestByGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people("ann")
	ann := users[0]
	a, _ := w.sim.Account(simTenant, ann.Email)
	w.makeGroup("Licensed", a["id"].(string), partE3)
	w.license(ann, w.rule(partE3))
	w.sync()
	w.wants(ann, "")
	if len(w.sends()) != 0 {
		t.Errorf("sent %v", w.sends())
	}
	w.license(ann)
	w.sync()
	if len(w.sends()) != 0 {
		t.Errorf("sent %v", w.sends())
	}
}

// TestLeavers: whoever is suspended or deleted keeps the licences that the rules say.
func TestLeavers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people("ann")
	w.license(users[0], w.rule(partE3))
	w.sync()
	now := w.now()
	w.edit(users[0].ID, func(u *directory.User) { u.Deleted = &now })
	w.license(users[0], w.rule(partE3))
	w.sync()
	if got := w.has(users[0]); got != "SPE_E3" {
		t.Errorf("has %q", got)
	}
}

// TestUndone: licences and services are given back, or taken back, as far as nobody
// changed them since.
func TestUndone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people("ann", "bob", "cat")
	for _, u := range users {
		w.license(u, w.rule(partE3))
	}
	w.sync()
	w.pass(time.Hour)
	w.license(users[0], w.rule(partE5))
	w.license(users[1], w.rule(partE3, "TEAMS1"))
	w.license(users[2])
	w.sync()
	w.wants(users[0], "SPE_E5")
	w.wants(users[1], "SPE_E3-1")
	if w.has(users[2]) != "" {
		t.Errorf("cat has %q", w.has(users[2]))
	}
	of, changes := w.lastRun()
	if len(changes) != 3 {
		t.Fatalf("the run has %+v", changes)
	}
	w.pass(time.Hour)
	undone, left := w.undo(of.ID)
	if undone.State != directory.RunDone || undone.Applied != 3 || len(left) != 0 {
		t.Errorf("the undo is %s with %d applied, left %+v", undone.State, undone.Applied, left)
	}
	for _, u := range users {
		if got := w.has(u); got != "SPE_E3" {
			t.Errorf("%s has %q again", u.Email, got)
		}
	}
	if b := w.record(users[2]); len(given(&b)) != 1 || b.Status != directory.BindingPaused {
		t.Errorf("the record of who got it back is %+v", b)
	}
}

// TestUndoneOfOthers: what we gave and took again, and somebody else gave since, is not
// ours for an undo to take, whether or not the record is still there.
func TestUndoneOfOthers(t *testing.T) {
	t.Parallel()
	for name, since := range map[string][]string{"with a record": {partVisio}, "without one": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ann := w.people("ann")[0]
			w.license(ann, w.rule(partE3))
			w.sync()
			of, _ := w.lastRun()
			w.pass(time.Hour)
			var rules []Rule
			for _, part := range since {
				rules = append(rules, w.rule(part))
			}
			w.license(ann, rules...)
			w.sync()
			w.pass(time.Hour)
			w.sync()
			w.do(w.sim.AssignLicences(simTenant, "admin@"+simDomain, ann.Email, entratest.LicenceRequest{Add: []entratest.LicenceWish{{SKUID: w.id(partE3)}}}))
			w.pass(time.Hour)
			_, left := w.undo(of.ID)
			if got, want := w.has(ann), strings.Join(append([]string{partE3}, since...), " "); got != want {
				t.Errorf("has %q after the undo, want %q", got, want)
			}
			if len(left) != 1 || left[0].Code != plan.LeftChanged {
				t.Errorf("left is %+v", left)
			}
		})
	}
}

// TestAnotherAccount: what we gave to the account that a user had before is not ours of
// the one that the user has now, to which others gave the same.
func TestAnotherAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.people("ann")[0]
	w.license(ann, w.rule(partE3))
	w.sync()
	other, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": "ann2@" + simDomain, "displayName": "Ann", "mailNickname": "ann2", "accountEnabled": true, "usageLocation": "CH"})
	w.do(err)
	w.do(w.sim.AssignLicences(simTenant, "admin@"+simDomain, other, entratest.LicenceRequest{Add: []entratest.LicenceWish{{SKUID: w.id(partE3)}}}))
	old, err := w.store.Bindings.Binding(t.Context(), ann.ID)
	w.do(err)
	w.do(w.store.Bindings.Retract(t.Context(), directory.AuditEvent{}, nil, &w.conn, &old))
	u, err := w.store.Users.User(t.Context(), ann.ID)
	w.do(err)
	w.do(w.store.Bindings.Bind(t.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{User: &u, AccountID: directory.AccountID(other), UserPrincipalName: "ann2@" + simDomain}}))
	w.sync()
	if b, err := w.store.Bindings.Binding(t.Context(), ann.ID); err != nil || string(b.AccountID) != other {
		t.Fatalf("the user has the account %q, want %q (%v)", b.AccountID, other, err)
	}
	w.license(ann, w.rule(partE3), w.rule(partVisio))
	w.sync()
	if b := w.record(ann); string(accountOf(b.Base)) != other || len(given(&b)) != 1 {
		t.Errorf("the record says %v", b.Base)
	}
	w.license(ann)
	w.sync()
	if a, _ := w.sim.Account(simTenant, other); w.assigned(a["assignedLicenses"]) != w.id(partE3)+":true" {
		t.Errorf("the account has %v left", a["assignedLicenses"])
	}
}

// TestHeld: the guard counts licences that are taken away, and what was changed while a
// run was held is not written.
func TestHeld(t *testing.T) {
	t.Parallel()
	one := 1
	w := newWorld(t, func(s *directory.Settings) {
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectLicenceRemove: {Count: &one}}
	})
	users := w.people("a", "b", "c")
	for _, u := range users {
		w.license(u, w.rule(partE3))
	}
	w.sync()
	w.pass(25 * time.Hour)
	for _, u := range users {
		w.license(u)
	}
	w.sync()
	run, _ := w.lastRun()
	if run.State != directory.RunHeld || len(w.sends()) != 3 {
		t.Fatalf("the run is %s, sent %v", run.State, w.sends())
	}
	w.do(w.sim.AssignLicences(simTenant, "admin@"+simDomain, users[1].Email, entratest.LicenceRequest{Add: []entratest.LicenceWish{{SKUID: w.id(partE3), Disabled: []string{w.plan(partE3, "TEAMS1")}}}}))
	_, err := w.runs().Approve(t.Context(), directory.Caller{Subject: "boss"}, run.ID, plan.Approval{All: true})
	w.do(err)
	w.sync()
	stored, err := w.store.Runs.Run(t.Context(), run.ID)
	w.do(err)
	changes, _, err := w.store.Runs.Changes(t.Context(), &stored, "", 10)
	w.do(err)
	for _, c := range changes {
		want := directory.ChangeApplied
		if c.Object == directory.LicenceOf(users[1].ID) {
			want = directory.ChangeOutdated
		}
		if c.State != want {
			t.Errorf("the change of %s is %s, want %s", c.UserPrincipalName, c.State, want)
		}
	}
}

// TestSeatTaken: a seat that somebody else takes between the plan and the call makes its
// change wait, and is no failure.
func TestSeatTaken(t *testing.T) {
	t.Parallel()
	none := 0
	w := newWorld(t, func(s *directory.Settings) {
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectLicenceAdd: {Count: &none}}
	})
	users := w.people("ann", "bob")
	w.license(users[0], w.rule(partVisio))
	w.sync()
	run, _ := w.lastRun()
	w.do(w.sim.AssignLicences(simTenant, "admin@"+simDomain, users[1].Email, entratest.LicenceRequest{Add: []entratest.LicenceWish{{SKUID: skuVisio}}}))
	w.approve(run.ID)
	w.wants(users[0], "", directory.CodeWaitingForSeat)
	if done, err := w.store.Runs.Run(t.Context(), run.ID); err != nil || done.State != directory.RunDone || done.Failed != 0 {
		t.Errorf("the run is %s with %d failed, %v", done.State, done.Failed, err)
	}
}

// TestPermission: a connection that may not give licences says so, and gives none.
func TestPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people("ann")
	c, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Scopes = []string{"User.ReadWrite.All"}
		return nil
	})
	w.do(err)
	w.conn = c
	w.license(users[0], w.rule(partE3))
	w.sync()
	w.wants(users[0], "", directory.CodeScopeMissing)
}

// TestTold: a dry run and an explanation say what would be done, and write nothing.
func TestTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people("ann")
	w.license(users[0], w.rule(partE3), w.rule("NOBODY_SELLS_IT"))
	out, err := w.engine.Explain(t.Context(), &w.conn, directory.LicenceOf(users[0].ID))
	w.do(err)
	if out.Summary != "The next run makes 1 change." || len(out.Attributes) != 2 {
		t.Errorf("explained: %+v", out)
	}
	dry, err := w.runs().Start(t.Context(), directory.Caller{Subject: "boss"}, &w.conn, runs.Request{DryRun: true, Full: true})
	w.do(err)
	sum, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
	w.do(err)
	_ = sum
	r, err := w.store.Runs.Run(t.Context(), dry.ID)
	w.do(err)
	if r.State != directory.RunPlanned || r.Counts[directory.EffectLicenceAdd] != 1 {
		t.Errorf("the dry run is %s with %v", r.State, r.Counts)
	}
}

// id is the ID of a product, plan that of a service of it.
func (w *world) id(part string) string {
	w.Helper()
	return w.product(part).SKUID
}

func (w *world) plan(part, name string) string {
	w.Helper()
	plans := w.product(part).Plans
	i := slices.IndexFunc(plans, func(p entratest.LicencePlan) bool { return p.Name == name })
	if i < 0 {
		w.Fatalf("%s has no service %s", part, name)
	}
	return plans[i].ID
}

func (w *world) product(part string) entratest.LicenceSpec {
	w.Helper()
	list, err := w.sim.Licences(simTenant)
	w.do(err)
	for _, s := range list {
		if s.SKUPartNumber == part {
			return s.SKU
		}
	}
	w.Fatalf("there is no %s", part)
	return entratest.LicenceSpec{}
}

// makeGroup makes a group in the tenant that licenses its member.
func (w *world) makeGroup(name, member, part string) {
	w.Helper()
	id, err := w.sim.AddGroup(simTenant, "", entratest.GroupSpec{DisplayName: name, Members: []string{member}})
	w.do(err)
	w.do(w.sim.AssignLicences(simTenant, "admin@"+simDomain, id, entratest.LicenceRequest{Add: []entratest.LicenceWish{{SKUID: w.id(part)}}}))
	w.pass(10 * time.Minute) // Microsoft gives them when it comes to it
	w.do(w.sim.Advance(0))
}
