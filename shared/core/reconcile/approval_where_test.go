package reconcile

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// What a filter of an approval selects is carried out, under the seal of the decision,
// and all else is declined.
func TestApprovalByFilterIsCarriedOut(t *testing.T) {
	w := newWorld(t)
	w.sealed()
	w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
	users := w.people(6)
	run, _ := w.lastRun()
	w.approveWhere(run.ID, plan.Approval{All: true})
	for i, u := range users {
		w.edit(u, func(u *directory.User) { u.JobTitle, u.Department = "Boss", fmt.Sprintf("Team %d", i%3) })
	}
	w.sync()
	run, changes := w.lastRun()
	if run.State != directory.RunHeld || len(changes) != 6 {
		t.Fatalf("the run is %s with %s", run.State, effects(changes))
	}
	if _, err := w.runs().Approve(t.Context(), caller("boss"), run.ID, plan.Approval{Where: &plan.Filter{Departments: []string{"Team 9"}}}); !errors.Is(err, directory.ErrInvalid) {
		t.Fatalf("a filter that selects nothing is taken: %v", err)
	}
	w.approveWhere(run.ID, plan.Approval{Where: &plan.Filter{Departments: []string{"team 1"}}, ChangeIDs: []directory.ChangeID{changes[0].ID}})
	if n := w.states(run.ID); n[directory.ChangeApplied] != 3 || n[directory.ChangeDeclined] != 3 {
		t.Errorf("states %v, want the two of the team and the named one applied, and the others declined", n)
	}
	boss := 0
	for _, u := range users {
		if w.account(u.Email)["jobTitle"] == "Boss" {
			boss++
		}
	}
	if boss != 3 {
		t.Errorf("%d accounts were written to, want 3", boss)
	}
}

// Of two admins who decide the same run at once, in two processes, one does; the other is told so.
func TestTwoDecideByFilterAtOnce(t *testing.T) {
	w := newWorld(t)
	w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
	users := w.people(4)
	run, _ := w.lastRun()
	w.approveWhere(run.ID, plan.Approval{All: true})
	for i, u := range users {
		w.edit(u, func(u *directory.User) { u.JobTitle, u.Department = "Boss", fmt.Sprintf("Team %d", i%2) })
	}
	w.sync()
	run, _ = w.lastRun()
	var both sync.WaitGroup
	errs := make([]error, 2)
	for i := range errs {
		admins := w.runs()
		both.Go(func() {
			_, errs[i] = admins.Approve(t.Context(), caller(fmt.Sprintf("admin-%d", i)), run.ID, plan.Approval{Where: &plan.Filter{Departments: []string{fmt.Sprintf("Team %d", i)}}})
		})
	}
	both.Wait()
	if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), directory.ErrConflict) {
		t.Fatalf("both decided, or neither: %v", errs)
	}
	w.sync()
	got, err := w.store.Runs.Run(t.Context(), run.ID)
	w.do(err)
	winner := "admin-0"
	if errs[0] != nil {
		winner = "admin-1"
	}
	if n := w.states(run.ID); got.ApprovedBy != winner || len(got.Decisions) != 1 || got.Decisions[0].By != winner || n[directory.ChangeApplied] != 2 || n[directory.ChangeDeclined] != 2 {
		t.Errorf("%s decided (%v), states %v", got.ApprovedBy, got.Decisions, n)
	}
}

// approveWhere decides a run and has it carried out.
func (w *world) approveWhere(id directory.RunID, a plan.Approval) {
	w.Helper()
	_, err := w.runs().Approve(w.Context(), caller("boss"), id, a)
	w.do(err)
	w.sync()
	got, err := w.store.Runs.Run(w.Context(), id)
	w.do(err)
	if got.State != directory.RunDone {
		w.Fatalf("the run is %s (%v)", got.State, got.Error)
	}
}
