package reconcile

import (
	"context"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

// stubborn is a tenant that refuses updates for a reason.
type stubborn struct {
	*port
	problem  *directory.Problem
	searched int
}

func (s *stubborn) Write(ctx context.Context, writes []directory.Write) ([]directory.Outcome, error) {
	if s.problem == nil {
		return s.port.Write(ctx, writes)
	}
	out := make([]directory.Outcome, len(writes))
	for i := range out {
		p := *s.problem
		out[i] = directory.Outcome{Problem: &p, Status: 400, RequestID: "req"}
	}
	return out, nil
}

func (s *stubborn) Holders(_ context.Context, addresses []string) (directory.Holders, error) {
	s.searched++
	h := directory.Holders{}
	for _, a := range addresses {
		h.Found = append(h.Found, directory.Holder{Kind: directory.HolderGroup, ID: "g-" + a, Name: "Everybody", Address: a, Property: "mail"})
	}
	return h, nil
}

// TestWhatBecomesOfAFailure: the kind of a cause decides what a binding's status
// is and when it is tried again.
func TestWhatBecomesOfAFailure(t *testing.T) {
	for _, test := range []struct {
		kind   directory.ProblemKind
		status directory.BindingStatus
		after  time.Duration // nothing is tried before
		mended bool          // by itself
	}{
		{directory.ProblemConflict, directory.BindingConflict, 4 * time.Minute, true},
		{directory.ProblemData, directory.BindingRefused, 0, false},
		{directory.ProblemReadOnly, directory.BindingReadOnly, 4 * time.Minute, true},
		{directory.ProblemTenant, directory.BindingFailed, 50 * time.Minute, true},
		{directory.ProblemDefect, directory.BindingFailed, 50 * time.Minute, true},
		{directory.ProblemTransient, directory.BindingFailed, 4 * time.Minute, true},
	} {
		t.Run(string(test.kind), func(t *testing.T) {
			w := newWorld(t)
			tenant := &stubborn{port: w.port}
			w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return tenant, nil }
			users := w.people(3)
			w.skew.Add(2 * Grace)
			tenant.problem = &directory.Problem{Code: "cause", Kind: test.kind, Message: "No.", MicrosoftCode: "Request_BadRequest", RequestID: "req"}
			for _, u := range users {
				w.edit(u, func(u *directory.User) { u.Email, u.JobTitle = "new."+u.Email, "Boss" })
			}
			w.sync()
			for _, u := range users {
				b := w.binding(u)
				if b.Status != test.status || b.Problem == nil || b.Problem.Code != "cause" || b.Problem.RequestID != "req" || b.Problem.Attempts != 1 || b.Problem.Since.IsZero() {
					t.Fatalf("the binding is %s with %+v, want %s", b.Status, b.Problem, test.status)
				}
			}
			if test.kind == directory.ProblemConflict && tenant.searched != 1 {
				t.Errorf("%d searches for the holders of addresses, want one for the batch that asks for addresses", tenant.searched)
			}
			tenant.problem = nil
			w.skew.Add(test.after)
			w.sync()
			if w.binding(users[0]).Status == directory.BindingInSync {
				t.Errorf("tried again within %s", test.after)
			}
			w.skew.Add(24 * time.Hour)
			w.port.token = signIn(t, w.sim)
			w.sync()
			if got := w.binding(users[0]).Status == directory.BindingInSync; got != test.mended {
				t.Errorf("mended by itself: %v, want %v", got, test.mended)
			}
		})
	}
}

// TestHolderOfAContestedAddress: a conflict about an address names who has it.
func TestHolderOfAContestedAddress(t *testing.T) {
	w := newWorld(t)
	tenant := &stubborn{port: w.port}
	w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return tenant, nil }
	tenant.problem = &directory.Problem{Code: "address-taken-by-group", Kind: directory.ProblemConflict, Message: "No."}
	ann := w.user("ann")
	w.bind(ann)
	w.sync()
	b := w.binding(ann)
	if b.Status != directory.BindingConflict || b.Problem.Holder != "g-"+ann.Email || b.Problem.HolderKind != directory.HolderGroup ||
		!strings.Contains(b.Problem.Message, "The group Everybody") || tenant.searched != 1 {
		t.Errorf("the binding is %s with %+v after %d searches", b.Status, b.Problem, tenant.searched)
	}
}

// TestRefusedAsAWhole: an answer that concerns the connection fails nobody: the
// run waits, an admin is asked to authorise again, and then it goes on.
func TestRefusedAsAWhole(t *testing.T) {
	w := newWorld(t)
	tenant := &stubborn{port: w.port}
	w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return tenant, nil }
	var noted []string
	w.engine.config.Lost = func(_ context.Context, c *directory.Connection, p directory.Problem) error {
		noted = append(noted, p.Code)
		return nil
	}
	users := w.people(2)
	tenant.problem = &directory.Problem{Code: "scope-missing", Kind: directory.ProblemAuthorization, Message: "No."}
	w.edit(users[0], func(u *directory.User) { u.JobTitle = "Boss" })
	w.sync()
	run, changes := w.lastRun()
	if run.State != directory.RunWaiting || len(noted) != 1 || changes[0].State != directory.ChangePlanned || w.binding(users[0]).Status != directory.BindingPending {
		t.Fatalf("the run is %s, noted %v, the change %s, the binding %s", run.State, noted, changes[0].State, w.binding(users[0]).Status)
	}
	tenant.problem = nil
	w.sync()
	if run, _ = w.lastRun(); run.State != directory.RunDone || w.account(users[0].Email)["jobTitle"] != "Boss" {
		t.Errorf("after authorising again the run is %s", run.State)
	}
}

// TestConflictThatWasThere: an update of something else that Microsoft refuses,
// since another object has the account's address, names that object and never
// the account itself.
func TestConflictThatWasThere(t *testing.T) {
	w := newWorld(t)
	tenant := &stubborn{port: w.port}
	w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return tenant, nil }
	ann := w.people(1)[0]
	w.skew.Add(2 * Grace)
	tenant.problem = &directory.Problem{Code: directory.CodeAddressTakenBefore, Kind: directory.ProblemConflict, Message: "No."}
	w.edit(ann, func(u *directory.User) { u.JobTitle = "Boss" })
	w.sync()
	if b := w.binding(ann); b.Status != directory.BindingConflict || b.Problem.Holder != "g-"+ann.Email || tenant.searched != 1 {
		t.Errorf("the binding is %s with %+v after %d searches", b.Status, b.Problem, tenant.searched)
	}
}
