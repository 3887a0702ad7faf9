package reconcile

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
)

// forbidding is a tenant that answers 403 about some accounts.
type forbidding struct {
	*port
	problem directory.Problem
	writes  map[directory.AccountID]bool // to be refused; nil: all
	reads   map[string]bool
}

func (f *forbidding) Write(ctx context.Context, writes []directory.Write) ([]directory.Outcome, error) {
	outs, err := f.port.Write(ctx, writes)
	for i, w := range writes {
		if err == nil && (f.writes == nil || f.writes[w.AccountID]) {
			p := f.problem
			outs[i] = directory.Outcome{AccountID: w.AccountID, Status: http.StatusForbidden, Problem: &p}
		}
	}
	return outs, err
}

func (f *forbidding) Lookup(ctx context.Context, refs, selected []string) ([]directory.Found, error) {
	found, err := f.port.Lookup(ctx, refs, selected)
	for i, ref := range refs {
		if err == nil && f.reads[ref] {
			p := f.problem
			found[i] = directory.Found{Problem: &p}
		}
	}
	return found, err
}

func (w *world) forbidding(p directory.Problem) *forbidding {
	p.MicrosoftStatus, p.Message = http.StatusForbidden, "No."
	f := &forbidding{port: w.port, problem: p, writes: map[directory.AccountID]bool{}, reads: map[string]bool{}}
	w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return f, nil }
	return f
}

var doubts = []directory.Problem{
	{Code: "admin-role-lost", Kind: directory.ProblemTenant}, {Code: "rights-missing", Kind: directory.ProblemTenant},
	{Code: "forbidden", Kind: directory.ProblemTenant}, {Code: "scope-missing", Kind: directory.ProblemAuthorization},
	{Code: "conditional-access-denied", Kind: directory.ProblemAuthorization},
}

// TestOneAccountForbidden: an account that answers 403 to everything is told as
// such, whether others are written with it, before it or not at all, and rests.
func TestOneAccountForbidden(t *testing.T) {
	for _, p := range doubts {
		for _, alone := range []bool{false, true} {
			w := newWorld(t)
			users := w.people(4)
			f := w.forbidding(p)
			lost := 0
			w.engine.config.Lost = func(context.Context, *directory.Connection, directory.Problem) error { lost++; return nil }
			f.writes[w.idOf(users[0])] = true
			w.skew.Add(2 * Grace)
			for i := range users {
				if i == 0 || !alone {
					w.edit(users[i], func(u *directory.User) { u.JobTitle = "Chief" })
				}
			}
			w.sync()
			b := w.binding(users[0])
			if b.Status != directory.BindingFailed || b.Problem == nil || b.Problem.Code != directory.CodeAccountForbidden || !strings.Contains(b.Problem.Message, "this one account") {
				t.Errorf("%s, alone %v: the binding is %s: %+v", p.Code, alone, b.Status, b.Problem)
			}
			if r, _ := w.lastRun(); r.State != directory.RunDone || lost != 0 {
				t.Errorf("%s, alone %v: the run is %s, lost %d times", p.Code, alone, r.State, lost)
			}
			for _, u := range users[1:] {
				if !alone && w.account(u.Email)["jobTitle"] != "Chief" {
					t.Errorf("%s: %s was not written", p.Code, u.Email)
				}
			}
		}
	}
}

// TestManyAccountsForbidden: two accounts that are refused, and none that is
// written, show what the connection lacks: in one batch, or one after the other.
func TestManyAccountsForbidden(t *testing.T) {
	for _, p := range doubts {
		for _, apart := range []bool{false, true} {
			w := newWorld(t)
			users := w.people(4)
			f := w.forbidding(p)
			f.writes = nil
			lost := 0
			w.engine.config.Lost = func(_ context.Context, _ *directory.Connection, q directory.Problem) error {
				if lost++; q.Code != p.Code {
					t.Errorf("lost for %s, want %s", q.Code, p.Code)
				}
				return nil
			}
			w.skew.Add(2 * Grace)
			for _, u := range users[:2] {
				w.edit(u, func(u *directory.User) { u.JobTitle = "Chief" })
				if apart {
					w.slices(1, func() {})
				}
			}
			w.slices(1, func() {})
			if p.Kind == directory.ProblemAuthorization {
				if lost == 0 {
					t.Errorf("%s, apart %v: lost %d times", p.Code, apart, lost)
				}
				continue
			}
			if b := w.binding(users[1]); b.Problem == nil || b.Problem.Code != p.Code {
				t.Errorf("%s, apart %v: the binding says %+v", p.Code, apart, b.Problem)
			}
		}
	}
}

// TestOneAccountUnreadable: a 403 on one read stops no run.
func TestOneAccountUnreadable(t *testing.T) {
	for _, p := range doubts {
		w := newWorld(t)
		users := w.people(4)
		f := w.forbidding(p)
		w.engine.config.Lost = func(context.Context, *directory.Connection, directory.Problem) error {
			t.Error("the connection is lost")
			return nil
		}
		f.reads[string(w.idOf(users[0]))] = true
		for _, u := range users {
			w.edit(u, func(u *directory.User) { u.JobTitle = "Chief" })
		}
		dry, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, runs.Request{DryRun: true, Full: true})
		w.do(err)
		w.sync()
		if r, err := w.store.Runs.Run(t.Context(), dry.ID); err != nil || r.State != directory.RunPlanned || r.Counts[directory.EffectUpdate] != 3 || r.PlanRefused != 1 {
			t.Errorf("%s: the dry run is %s, plans %v, refuses %d, %+v, %v", p.Code, r.State, r.Counts, r.PlanRefused, r.Error, err)
		}
		if b := w.binding(users[0]); b.Status != directory.BindingFailed || b.Problem == nil || b.Problem.Code != directory.CodeAccountForbidden {
			t.Errorf("%s: the binding is %s: %+v", p.Code, b.Status, b.Problem)
		}
		for _, u := range users[1:] {
			if w.account(u.Email)["jobTitle"] != "Chief" {
				t.Errorf("%s: %s was not written", p.Code, u.Email)
			}
		}
	}
}
