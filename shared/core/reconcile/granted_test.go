package reconcile

import (
	"context"
	"testing"
	"time"

	"bindery/shared/directory"
)

// guarded answers every write as Microsoft does for an account that has got a
// role which our admin may not touch.
type guarded struct{ *ruled }

func (g guarded) Write(_ context.Context, writes []directory.Write) ([]directory.Outcome, error) {
	outs := make([]directory.Outcome, len(writes))
	for i := range writes {
		outs[i] = directory.Outcome{AccountID: writes[i].AccountID, Status: 403,
			Problem: &directory.Problem{Code: directory.CodeTargetProtected, Kind: directory.ProblemTenant, MicrosoftStatus: 403}}
	}
	return outs, nil
}

// TestRoleGrantedWithinTheHour: a leaver gets a role after the roles were read.
// Microsoft's refusal raises the alarm, and the roles are read anew.
func TestRoleGrantedWithinTheHour(t *testing.T) {
	w := newWorld(t)
	tenant := w.ruled()
	users := w.people(3)
	w.skew.Add(2 * time.Hour)
	w.port.token = signIn(t, w.sim)
	w.edit(users[1], func(u *directory.User) { u.JobTitle = "Boss" })
	w.sync() // the roles are known now, for an hour
	reads := tenant.reads
	w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return guarded{tenant}, nil }
	w.edit(users[0], func(u *directory.User) { u.State = directory.StateSuspended })
	leavers := 0
	for range 3 {
		sum, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		leavers += sum.ProtectedLeavers
	}
	if leavers == 0 {
		t.Error("no alarm for a leaver whom Microsoft guards")
	}
	tenant.holders.Holders = []directory.AccountID{w.idOf(users[0])}
	w.edit(users[0], func(u *directory.User) { u.JobTitle = "Boss" })
	w.sync()
	if b := w.binding(users[0]); tenant.reads == reads || b.Status != directory.BindingReadOnly || b.Problem.Code != directory.CodeAccountProtected {
		t.Errorf("read %d times again; the binding is %s with %+v", tenant.reads-reads, b.Status, b.Problem)
	}
}
