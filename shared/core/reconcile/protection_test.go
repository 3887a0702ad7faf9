package reconcile

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bindery/shared/core/protect"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// ruled is a tenant whose role holders a test decides on.
type ruled struct {
	*port
	holders directory.Privileged
	err     error
	reads   int
}

func (r *ruled) RoleHolders(context.Context) (directory.Privileged, error) {
	r.reads++
	return r.holders, r.err
}

func (w *world) ruled() *ruled {
	r := &ruled{port: w.port}
	w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return r, nil }
	return r
}

// hide has Microsoft refuse to say who holds which role.
func (r *ruled) hide() {
	r.err = &directory.Problem{Code: "rights-missing", Kind: directory.ProblemTenant, Message: "The administrator may not do this."}
}

func (w *world) idOf(u directory.User) directory.AccountID {
	w.Helper()
	return directory.AccountID(w.account(u.Email)["id"].(string))
}

// writesTo counts the mutations of an account.
func (w *world) writesTo(id directory.AccountID) int {
	n := 0
	for _, m := range w.sim.Mutations(simTenant) {
		if strings.EqualFold(m.TargetID, string(id)) {
			n++
		}
	}
	return n
}

// TestRoleGrantedLater: an account of ours gets a role; from the next look at the
// roles on nothing is written to it, whatever asks; a lift lets it be for a while.
func TestRoleGrantedLater(t *testing.T) {
	w := newWorld(t)
	tenant := w.ruled()
	users := w.people(5)
	mistake, _ := w.lastRun()
	ann := users[0]
	id := w.idOf(ann)
	w.skew.Add(2 * time.Hour)
	w.port.token = signIn(t, w.sim)
	tenant.holders.Holders = []directory.AccountID{directory.AccountID(strings.ToUpper(string(id)))}
	before := w.writesTo(id)

	w.edit(ann, func(u *directory.User) { u.JobTitle = "Boss" })
	w.sync()
	if b := w.binding(ann); b.Status != directory.BindingReadOnly || b.Problem.Code != directory.CodeAccountProtected {
		t.Fatalf("the binding is %s with %+v, want read-only", b.Status, b.Problem)
	}
	w.edit(ann, func(u *directory.User) { u.State = directory.StateSuspended })
	sum, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
	if err != nil || sum.ProtectedLeavers != 1 {
		t.Errorf("the slice says %+v, %v; want one protected leaver", sum, err)
	}
	w.sync()
	run, changes := w.lastRun()
	if len(changes) != 1 || changes[0].State != directory.ChangeRefused || changes[0].Effect != directory.EffectBlock || changes[0].Error.Code != directory.CodeAccountProtected {
		t.Errorf("the journal of %s has %s", run.State, effects(changes))
	}
	undo, left := w.undo(mistake.ID, runs.UndoRequest{UserIDs: []directory.UserID{ann.ID}})
	if undo.Applied != 0 || len(left) == 0 {
		t.Errorf("the undo applied %d, left %+v", undo.Applied, left)
	}
	if n := w.writesTo(id) - before; n != 0 {
		t.Fatalf("%d writes reached a protected account", n)
	}

	lifter := &protect.Overrides{Store: w.store.Protection, Now: w.now}
	if _, err := lifter.Lift(t.Context(), caller("boss"), directory.AuditLiftProtection, &w.conn, id, time.Hour, "leaver", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.runs().RetryOne(t.Context(), caller("boss"), &w.conn, ann.ID); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if w.account(ann.Email)["accountEnabled"] != false {
		t.Fatalf("after the lift the account is still enabled: %+v", w.binding(ann).Problem)
	}
	w.skew.Add(2 * time.Hour)
	w.port.token = signIn(t, w.sim)
	before = w.writesTo(id)
	w.edit(ann, func(u *directory.User) { u.State = directory.StateActive })
	w.sync()
	if w.writesTo(id) != before {
		t.Error("a lift that has expired still counts")
	}
}

// TestRoleGrantedInBetween: the role is given after the plan and before the
// write: the writer refuses what the plan has not seen.
func TestRoleGrantedInBetween(t *testing.T) {
	w := newWorld(t)
	tenant := w.ruled()
	users := w.people(3)
	w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
	w.skew.Add(2 * Grace)
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.JobTitle = "Boss" })
	}
	w.sync()
	run, _ := w.lastRun()
	id := w.idOf(users[1])
	tenant.holders.Holders = []directory.AccountID{id}
	w.skew.Add(2 * time.Hour)
	w.port.token = signIn(t, w.sim)
	before := w.writesTo(id)
	if _, err := w.runs().Approve(t.Context(), caller("boss"), run.ID, all); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if n := w.states(run.ID); n[directory.ChangeApplied] != 2 || n[directory.ChangeRefused] != 1 || w.writesTo(id) != before {
		t.Errorf("states %v, %d writes to the protected account", n, w.writesTo(id)-before)
	}
}

// TestRolesUnreadable: while it cannot be read who is protected, every run is
// held; once it can, they go on by themselves.
func TestRolesUnreadable(t *testing.T) {
	w := newWorld(t)
	tenant := w.ruled()
	users := w.people(2)
	w.skew.Add(2 * time.Hour)
	w.port.token = signIn(t, w.sim)
	tenant.hide()
	w.edit(users[0], func(u *directory.User) { u.State = directory.StateSuspended })
	w.edit(users[1], func(u *directory.User) { u.JobTitle = "Boss" })
	w.sync()
	held := 0
	for _, r := range w.allRuns() {
		if r.State == directory.RunHeld && r.Held.Facts[0].Code == directory.HeldRolesUnreadable {
			held++
			if _, err := w.runs().Approve(t.Context(), caller("boss"), r.ID, all); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.sync()
	if held != 2 || w.account(users[0].Email)["accountEnabled"] != true {
		t.Fatalf("%d runs are held; an approval does not make roles readable", held)
	}
	tenant.err = nil
	w.sync()
	if w.account(users[0].Email)["accountEnabled"] != false || w.account(users[1].Email)["jobTitle"] != "Boss" {
		t.Error("the runs do not go on although the roles can be read again")
	}
}

// TestNamedAccountUnreadable: an account that the settings name and that cannot
// be looked up holds runs, as roles do that cannot be read.
func TestNamedAccountUnreadable(t *testing.T) {
	w := newWorld(t)
	users := w.people(2)
	f := &unreadable{w.port, directory.AccountID(users[1].Email), directory.Found{Problem: &directory.Problem{Code: "x", Kind: directory.ProblemData, Message: "No."}}}
	w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return f, nil }
	w.settings(func(s *directory.Settings) { s.Protected = []string{users[1].Email} })
	w.edit(users[0], func(u *directory.User) { u.JobTitle = "Boss" })
	w.sync()
	if all := w.allRuns(); all[0].State != directory.RunHeld || all[0].Held.Facts[0].Code != directory.HeldRolesUnreadable {
		t.Errorf("the run is %s, want held", all[0].State)
	}
	f.account = ""
	w.sync()
	if got := w.account(users[0].Email)["jobTitle"]; got != "Boss" {
		t.Errorf("the title is %v although everybody can be read", got)
	}
}

// TestRolesAreReadOnceAnHour, and only when something is to be written.
func TestRolesAreReadOnceAnHour(t *testing.T) {
	w := newWorld(t)
	tenant := w.ruled()
	users := w.people(2)
	w.sync()
	first := tenant.reads
	for i := range 3 {
		w.edit(users[0], func(u *directory.User) { u.JobTitle = strings.Repeat("x", i+1) })
		w.sync()
	}
	if first != 1 || tenant.reads != 1 {
		t.Errorf("roles were read %d and %d times", first, tenant.reads)
	}
	w.skew.Add(61 * time.Minute)
	w.port.token = signIn(t, w.sim)
	w.sync()
	if tenant.reads != 1 {
		t.Error("an idle run read the roles")
	}
	w.edit(users[0], func(u *directory.User) { u.JobTitle = "Boss" })
	w.sync()
	if tenant.reads != 2 {
		t.Errorf("roles were read %d times, want once more", tenant.reads)
	}
}

// TestBreakGlassIsRenamed: an account that the settings name by its sign-in name
// stays protected when somebody renames it.
func TestBreakGlassIsRenamed(t *testing.T) {
	w := newWorld(t)
	users := w.people(3)
	glass := users[1]
	id := w.idOf(glass)
	w.settings(func(s *directory.Settings) { s.Protected = []string{strings.ToUpper(glass.Email)} })
	w.edit(users[0], func(u *directory.User) { u.JobTitle = "Boss" })
	w.sync()
	w.skew.Add(2 * time.Hour)
	w.port.token = signIn(t, w.sim)
	w.patch(glass.Email, map[string]any{"userPrincipalName": "renamed@" + simDomain})
	w.engine = New(w.engine.config) // a new process
	before := w.writesTo(id)
	w.edit(glass, func(u *directory.User) { u.JobTitle = "Boss" })
	w.sync()
	w.edit(glass, func(u *directory.User) { u.State = directory.StateSuspended })
	w.sync()
	if n := w.writesTo(id) - before; n != 0 || w.binding(glass).Status != directory.BindingReadOnly {
		t.Errorf("%d writes reached a break-glass account after its rename; the binding is %s", n, w.binding(glass).Status)
	}
}

// TestLastGlobalAdministrator: lifting the protection of the only enabled Global
// Administrator does not count; of one among several it does.
func TestLastGlobalAdministrator(t *testing.T) {
	for _, others := range []bool{false, true} {
		w := newWorld(t)
		tenant := w.ruled()
		users := w.people(3)
		id, other := w.idOf(users[0]), w.idOf(users[1])
		tenant.holders = directory.Privileged{Holders: []directory.AccountID{id, other}, GlobalAdministrators: []directory.AccountID{id, other}}
		w.patch(users[1].Email, map[string]any{"accountEnabled": others})
		w.skew.Add(2 * time.Hour)
		w.port.token = signIn(t, w.sim)
		w.do(w.store.Protection.PutProtectionOverride(t.Context(), directory.AuditEvent{}, &w.conn, &store.ProtectionOverride{AccountID: id, Until: w.now().Add(time.Hour), By: "boss"}))
		w.edit(users[0], func(u *directory.User) { u.JobTitle = "Boss" })
		w.sync()
		if got := w.account(users[0].Email)["jobTitle"] == "Boss"; got != others {
			t.Errorf("with another enabled administrator %v: written %v", others, got)
		}
	}
}

// TestGuestOfOurs: an account of ours that has become a guest's is not written.
func TestGuestOfOurs(t *testing.T) {
	w := newWorld(t)
	users := w.people(2)
	id := w.idOf(users[0])
	w.skew.Add(2 * Grace)
	w.do(w.sim.EditAccount(simTenant, users[0].Email, map[string]any{"userType": "Guest"}))
	before := w.writesTo(id)
	w.edit(users[0], func(u *directory.User) { u.JobTitle = "Boss" })
	w.sync()
	if b := w.binding(users[0]); b.Status != directory.BindingReadOnly || b.Problem.Code != "account-guest" || w.writesTo(id) != before {
		t.Errorf("the binding is %s with %+v", b.Status, b.Problem)
	}
}

// TestGuestInBetween: an account that becomes a guest's after the plan is not
// written, whether an admin lets the run go on or it goes on by itself. What
// somebody has changed meanwhile is planned anew.
func TestGuestInBetween(t *testing.T) {
	for _, approved := range []bool{true, false} {
		w := newWorld(t)
		tenant := w.ruled()
		users := w.people(3)
		w.skew.Add(2 * time.Hour)
		w.port.token = signIn(t, w.sim)
		if approved {
			w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
		} else {
			tenant.hide()
		}
		for _, u := range users {
			w.edit(u, func(u *directory.User) { u.JobTitle = "Boss" })
		}
		w.sync()
		run, _ := w.lastRun()
		w.do(w.sim.EditAccount(simTenant, users[0].Email, map[string]any{"userType": "Guest"}))
		w.patch(users[1].Email, map[string]any{"jobTitle": "Foreign"})
		before := w.writesTo(w.idOf(users[0]))
		if approved {
			_, err := w.runs().Approve(t.Context(), caller("boss"), run.ID, all)
			w.do(err)
		}
		tenant.err = nil
		w.sync()
		n := w.states(run.ID)
		if n[directory.ChangeApplied] != 1 || n[directory.ChangeRefused] != 1 || n[directory.ChangeOutdated] != 1 || w.writesTo(w.idOf(users[0])) != before {
			t.Errorf("approved %v: states %v, %d writes to the guest", approved, n, w.writesTo(w.idOf(users[0]))-before)
		}
		if b := w.binding(users[0]); b.Status != directory.BindingReadOnly || b.Problem.Code != "account-guest" {
			t.Errorf("approved %v: the binding is %s with %+v", approved, b.Status, b.Problem)
		}
	}
}

// once is a tenant that asks to wait at its second write.
type once struct {
	*ruled
	writes atomic.Int32
}

func (o *once) Write(ctx context.Context, list []directory.Write) ([]directory.Outcome, error) {
	if o.writes.Add(1) == 2 {
		return nil, &directory.ThrottledError{RetryAfter: time.Minute}
	}
	return o.ruled.Write(ctx, list)
}

// TestRolesUnreadableWhileLeaversGo: in the middle of a held run's leavers it
// becomes unknown who is protected. They go on once it is known again; what the
// guard held waits all the while, and its reason is told.
func TestRolesUnreadableWhileLeaversGo(t *testing.T) {
	for _, approved := range []bool{false, true} {
		w := newWorld(t)
		users := w.people(60)
		w.skew.Add(2 * Grace)
		tenant := &once{ruled: w.ruled()}
		w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return tenant, nil }
		for i, u := range users {
			w.edit(u, func(u *directory.User) {
				if u.Email = "new." + u.Email; i < 2 {
					u.State = directory.StateSuspended
				}
			})
		}
		w.engine.config.Stores.Marks = noUrgency{w.engine.config.Stores.Marks}
		r, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, runs.Request{UserIDs: ids(users)})
		w.do(err)
		slice := func() directory.Run {
			t.Helper()
			sum, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
			w.do(err)
			w.skew.Add(max(0, sum.Again))
			got, err := w.runs().Run(t.Context(), r.ID)
			w.do(err)
			return got
		}
		if got := slice(); got.State != directory.RunWaiting || got.Applied != 2 {
			t.Fatalf("the run is %s with %d applied, want the blocks without the revocations", got.State, got.Applied)
		}
		w.engine.protected.Forget(w.conn.ID)
		tenant.hide()
		if got := slice(); got.State != directory.RunHeld || got.Applied != 2 || len(got.Held.Limits) == 0 || got.Held.Facts[0].Code != directory.HeldRolesUnreadable {
			t.Fatalf("the run is %s with %d applied, held for %+v", got.State, got.Applied, got.Held)
		}
		tenant.err = nil
		if approved {
			_, err := w.runs().Approve(t.Context(), caller("boss"), r.ID, all)
			w.do(err)
			w.sync()
			if got := slice(); got.State != directory.RunDone {
				t.Errorf("after the approval the run is %s", got.State)
			}
			continue
		}
		slice()
		if got := slice(); got.State != directory.RunHeld || got.Applied != 4 || len(got.Held.Facts) != 0 || len(got.Held.Limits) != 1 || len(got.Held.Reasons) != 1 {
			t.Errorf("the run is %s with %d applied, held for %+v", got.State, got.Applied, got.Held)
		}
	}
}

// TestWhatIfProtected: a dry run with settings that name further accounts writes
// to none of them.
func TestWhatIfProtected(t *testing.T) {
	w := newWorld(t)
	users := w.people(3)
	w.skew.Add(2 * Grace)
	for _, u := range users[:2] {
		w.patch(u.Email, map[string]any{"jobTitle": "Foreign"})
	}
	for _, name := range []string{string(w.idOf(users[0])), users[0].Email} {
		s := w.conn.Settings
		s.Protected = []string{name}
		r, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, runs.Request{DryRun: true, Settings: &s})
		w.do(err)
		w.sync()
		got, err := w.runs().Run(t.Context(), r.ID)
		if err != nil || got.State != directory.RunPlanned || got.Counts[directory.EffectUpdate] != 1 {
			t.Errorf("with %s protected the plan is %s with %v, %v", name, got.State, got.Counts, err)
		}
	}
}
