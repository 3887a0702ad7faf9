package reconcile

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
)

// TestAdminSinceAMoment: somebody is made an admin after the roles were read and
// before a change of them is sent that Microsoft guards by roles: it is refused as
// protected, and told.
func TestAdminSinceAMoment(t *testing.T) {
	for name, test := range map[string]struct {
		edit    func(u *directory.User)
		effect  directory.Effect
		allowed bool // one of those that are not guarded by roles
	}{
		"a block":              {func(u *directory.User) { u.State = directory.StateSuspended }, directory.EffectBlock, false},
		"a rename":             {func(u *directory.User) { u.Email = "other." + u.Email }, directory.EffectRename, false},
		"a sensitive property": {func(u *directory.User) { u.Phones.Mobile = "+41 79 555 11 22" }, directory.EffectUpdateSensitive, false},
		"a title":              {func(u *directory.User) { u.JobTitle = "Other" }, directory.EffectUpdate, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tenant := w.ruled()
			users := w.people(3)
			w.skew.Add(2 * directory.RolesLife)
			w.edit(users[1], func(u *directory.User) { u.JobTitle = "Chief" })
			w.sync() // the roles are read
			id := w.idOf(users[0])
			tenant.holders.Holders = []directory.AccountID{id}
			w.skew.Add(directory.RolesFresh + time.Second)
			before, reads := w.writesTo(id), tenant.reads
			w.edit(users[0], test.edit)
			w.sync()
			if test.allowed {
				if tenant.reads != reads {
					t.Errorf("the roles were read %d times again", tenant.reads-reads)
				}
				return
			}
			if n := w.writesTo(id) - before; n != 0 {
				t.Errorf("%d writes to an admin", n)
			}
			b := w.binding(users[0])
			if b.Status != directory.BindingReadOnly || b.Problem == nil || b.Problem.Code != directory.CodeAccountProtected {
				t.Errorf("the binding is %s: %+v", b.Status, b.Problem)
			}
			if tenant.reads != reads+1 {
				t.Errorf("the roles were read %d times", tenant.reads-reads)
			}
			if b, err := w.store.Bindings.Binding(t.Context(), users[1].ID); err != nil || b.Problem != nil {
				t.Errorf("another binding: %+v, %v", b, err)
			}
		})
	}
}

// TestRolesAreReadOnceForManyBatches: who is protected is not read for every batch.
func TestRolesAreReadOnceForManyBatches(t *testing.T) {
	w := newWorld(t)
	tenant := w.ruled()
	w.settings(over(1000))
	users := w.people(100)
	w.skew.Add(time.Hour)
	w.port.token = signIn(t, w.sim)
	tenant.reads = 0
	for _, u := range users {
		w.edit(u, func(u *directory.User) { u.Phones.Mobile = "+41 79 555 11 22" })
	}
	w.sync()
	if tenant.reads == 0 || tenant.reads > 2 {
		t.Errorf("the roles were read %d times", tenant.reads)
	}
}

// latelyUnread is a tenant at which it becomes unknown who is protected, right before
// something is sent.
type latelyUnread struct {
	*ruled
	after int
}

func (l *latelyUnread) RoleHolders(ctx context.Context) (directory.Privileged, error) {
	if l.reads >= l.after {
		l.reads++
		return directory.Privileged{}, &directory.Problem{Code: "rights-missing", Kind: directory.ProblemTenant, Message: "The administrator may not do this."}
	}
	return l.ruled.RoleHolders(ctx)
}

// TestRolesUnreadableRightBefore: when it cannot be read any more who is protected
// right before a block is sent, the run is held and nothing is sent; it goes on once
// they can be read.
func TestRolesUnreadableRightBefore(t *testing.T) {
	w := newWorld(t)
	tenant := &latelyUnread{ruled: w.ruled(), after: 1000}
	w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return tenant, nil }
	users := w.people(3)
	w.edit(users[1], func(u *directory.User) { u.JobTitle = "Chief" })
	w.sync()
	w.skew.Add(directory.RolesFresh + time.Second)
	tenant.after = 0
	id := w.idOf(users[0])
	before := w.writesTo(id)
	w.edit(users[0], func(u *directory.User) { u.State = directory.StateSuspended })
	w.sync()
	r, _ := w.lastRun()
	if r.State != directory.RunHeld || !heldUnread(r.Held) || w.writesTo(id) != before {
		t.Fatalf("the run is %s, held for %+v, %d writes", r.State, r.Held, w.writesTo(id)-before)
	}
	tenant.after = 1 << 20
	w.skew.Add(time.Minute)
	w.sync()
	if r, _ = w.lastRun(); r.State != directory.RunDone || w.account(users[0].Email)["accountEnabled"] != false {
		t.Errorf("the run is %s, the account is enabled: %v", r.State, w.account(users[0].Email)["accountEnabled"])
	}
}

// slowRoles is a tenant that takes its time to say who holds roles.
type slowRoles struct {
	*ruled
	took time.Duration
}

func (s *slowRoles) RoleHolders(ctx context.Context) (directory.Privileged, error) {
	select {
	case <-time.After(s.took):
	case <-ctx.Done():
		return directory.Privileged{}, fmt.Errorf("%w: %w", directory.ErrUnavailable, context.Cause(ctx))
	}
	return s.ruled.RoleHolders(ctx)
}

// TestRolesThatAreSlow: reading who holds roles may take longer than a lease lasts
// and than what was read is good for: a leaver waits for it once.
func TestRolesThatAreSlow(t *testing.T) {
	for _, took := range []time.Duration{40 * time.Second, 70 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			tenant := &slowRoles{ruled: w.ruled()}
			w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return tenant, nil }
			users := w.people(3)
			time.Sleep(w.skew.Load() + 2*directory.RolesLife)
			w.skew.Store(0)
			tenant.took, tenant.reads = took, 0
			w.edit(users[0], func(u *directory.User) { u.State = directory.StateSuspended })
			began := time.Now()
			for w.account(users[0].Email)["accountEnabled"] != false && time.Since(began) < 30*time.Minute {
				sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
				w.do(err)
				time.Sleep(max(sum.Again, time.Second))
			}
			if since := time.Since(began); since > took+5*time.Second || tenant.reads != 1 {
				t.Errorf("blocked after %s, the roles were read %d times", since, tenant.reads)
			}
		})
	}
}

// slowReads is a tenant of slow answers about accounts, and about who holds roles.
type slowReads struct {
	*slowRoles
	reading time.Duration
}

func (s *slowReads) Lookup(ctx context.Context, refs, selected []string) ([]directory.Found, error) {
	time.Sleep(s.reading)
	return s.slowRoles.Lookup(ctx, refs, selected)
}

// TestRolesAreAskedBesideThePlansReads: who holds roles is asked while a plan reads
// accounts, nothing is decided before the answer is there, and one that was there long
// before it is needed is asked for anew.
func TestRolesAreAskedBesideThePlansReads(t *testing.T) {
	for _, test := range []struct{ roles, reading, least, most time.Duration }{
		{3 * time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second},
		{2 * time.Second, 3 * time.Second, 3 * time.Second, 4 * time.Second},
		{time.Second, 8 * time.Second, 9 * time.Second, 10 * time.Second}, // it is asked for anew
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			tenant := &slowReads{slowRoles: &slowRoles{ruled: w.ruled()}}
			w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return tenant, nil }
			users := w.people(2)
			time.Sleep(w.skew.Load() + 2*directory.RolesLife)
			w.skew.Store(0)
			tenant.took, tenant.reading, tenant.reads = test.roles, test.reading, 0
			admin := w.idOf(users[0])
			tenant.holders.Holders = []directory.AccountID{admin}
			before := w.writesTo(admin)
			w.edit(users[0], func(u *directory.User) { u.JobTitle = "Chief" })
			began := time.Now()
			w.slice()
			took := time.Since(began)
			if took < test.least || took > test.most {
				t.Errorf("roles of %s, reads of %s: planned after %s", test.roles, test.reading, took)
			}
			if want := 1 + int(test.reading/(8*time.Second)); tenant.reads != want {
				t.Errorf("roles of %s, reads of %s: the roles were read %d times, want %d", test.roles, test.reading, tenant.reads, want)
			}
			b := w.binding(users[0])
			if w.writesTo(admin) != before || b.Problem == nil || b.Problem.Code != directory.CodeAccountProtected {
				t.Errorf("roles of %s, reads of %s: an admin was written to, or it is not told: %+v", test.roles, test.reading, b.Problem)
			}
		})
	}
}
