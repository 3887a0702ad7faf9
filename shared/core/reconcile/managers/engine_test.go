package managers

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// TestFollows: who is whose manager goes from an edit to the tenant, also of accounts
// that are made in the same run; once it is there nothing is planned.
func TestFollows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss := w.user("boss", "")
	ann, bob := w.user("ann", boss.ID), w.user("bob", boss.ID)
	w.bind(ann, bob, boss)
	w.sync()
	run, changes := w.lastRun()
	w.wants(ann, "boss")
	w.wants(bob, "boss")
	if run.State != directory.RunDone || len(changes) != 2 || run.Counts[directory.EffectCreate] != 3 {
		t.Errorf("the run is %s with %d changes of managers, %v", run.State, len(changes), run.Counts)
	}
	if b := w.record(ann); b.Status != directory.BindingInSync || b.Dirty() || b.Agreed == 0 {
		t.Errorf("the record is %+v", b)
	}
	w.pass(2 * directory.DefaultInterval)
	w.sync()
	if again, _ := w.lastRun(); again.ID != run.ID || len(w.writes()) != 2 {
		t.Errorf("%v were sent, by the run %s after %s", w.writes(), again.ID, run.ID) // invariant 9
	}
	w.edit(ann.ID, func(u *directory.User) { u.ManagerID = bob.ID })
	w.edit(bob.ID, func(u *directory.User) { u.ManagerID = "" })
	w.sync()
	w.wants(ann, "bob")
	w.wants(bob, "boss") // left alone without clear
}

// TestCleared: with clear, whoever has no manager loses the one at Microsoft.
func TestCleared(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *directory.Settings) { s.Manager.Clear = true })
	boss := w.user("boss", "")
	ann := w.user("ann", boss.ID)
	w.bind(ann, boss)
	w.sync()
	w.edit(ann.ID, func(u *directory.User) { u.ManagerID = "" })
	w.sync()
	w.wants(ann, "")
	if _, changes := w.lastRun(); changes[0].Effect != directory.EffectManagerClear || changes[0].State != directory.ChangeApplied {
		t.Errorf("the change is %+v", changes[0])
	}
}

// TestUndone: a run is taken back as far as nobody changed the managers since; the
// undo can be undone.
func TestUndone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss, next := w.user("boss", ""), w.user("next", "")
	ann, bob := w.user("ann", boss.ID), w.user("bob", boss.ID)
	w.bind(boss, next, ann, bob)
	w.sync()
	w.edit(ann.ID, func(u *directory.User) { u.ManagerID = next.ID })
	w.edit(bob.ID, func(u *directory.User) { u.ManagerID = next.ID })
	w.sync()
	of, _ := w.lastRun()
	w.pass(2 * time.Hour)
	w.foreign(bob, ann)
	undone, left := w.undo(of.ID)
	w.wants(ann, "boss", directory.CodeUndone)
	if undone.State != directory.RunDone || undone.Applied != 1 || len(left) != 1 || left[0].Code != plan.LeftChanged || left[0].Object != directory.ManagerOf(bob.ID) {
		t.Errorf("the undo is %s with %d applied, left %+v", undone.State, undone.Applied, left)
	}
	w.undo(undone.ID)
	w.wants(ann, "next")
}

// foreign has somebody at Microsoft give an account another manager.
func (w *world) foreign(u, manager directory.User) {
	w.Helper()
	boss, _ := w.sim.Account(simTenant, manager.Email)
	a, _ := w.sim.Account(simTenant, u.Email)
	w.theirs[a["id"].(string)+" "+boss["id"].(string)] = true
	body := strings.NewReader(`{"@odata.id":"` + simBase + `/v1.0/users/` + boss["id"].(string) + `"}`)
	r, err := http.NewRequestWithContext(w.Context(), http.MethodPut, simBase+"/v1.0/users/"+u.Email+"/manager/$ref", body)
	w.do(err)
	token, err := w.Token(w.Context())
	w.do(err)
	r.Header.Set("Authorization", "Bearer "+token.Reveal())
	r.Header.Set("Content-Type", "application/json")
	resp, err := w.sim.Transport().RoundTrip(r)
	w.do(err)
	if resp.Body.Close(); resp.StatusCode != http.StatusNoContent {
		w.Fatalf("PUT manager: %d", resp.StatusCode)
	}
}

// TestHeld: the guard counts managers, and what is declined is not proposed again.
func TestHeld(t *testing.T) {
	t.Parallel()
	two := 2
	w := newWorld(t, func(s *directory.Settings) {
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectManagerSet: {Count: &two}}
	})
	boss := w.user("boss", "")
	var users []directory.User
	for _, name := range []string{"a", "b", "c"} {
		users = append(users, w.user(name, ""))
	}
	w.bind(append(users, boss)...)
	w.sync()
	for _, u := range users {
		w.edit(u.ID, func(u *directory.User) { u.ManagerID = boss.ID })
	}
	w.sync()
	run, changes := w.lastRun()
	if run.State != directory.RunHeld || len(w.writes()) != 0 || run.Held.Limits[0].Kind != directory.KindManager {
		t.Fatalf("the run is %s, held %+v, sent %v", run.State, run.Held, w.writes())
	}
	_, err := w.runs().Approve(t.Context(), directory.Caller{Subject: "boss"}, run.ID, plan.Approval{ChangeIDs: []directory.ChangeID{changes[0].ID}})
	w.do(err)
	w.sync()
	if _, changes := w.lastRun(); len(w.writes()) != 1 {
		t.Errorf("sent %v of %+v", w.writes(), changes)
	}
	for _, u := range users {
		if b := w.record(u); u.ID != directory.UserID(changes[0].Object.ID) && len(b.Declined) != 1 {
			t.Errorf("the record is %+v", b)
		}
	}
}

// TestExplained: what the next run would do is told, and a dry run writes nothing.
func TestExplained(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss := w.user("boss", "")
	ann := w.user("ann", "")
	w.bind(boss, ann)
	w.sync()
	w.edit(ann.ID, func(u *directory.User) { u.ManagerID = boss.ID })
	out, err := w.engine.Explain(t.Context(), &w.conn, directory.ManagerOf(ann.ID))
	w.do(err)
	if !out.Bound || out.Summary != "The next run makes 1 change." || len(out.Attributes) != 1 || out.Attributes[0].Outcome != "write" || out.Attributes[0].Effect != directory.EffectManagerSet {
		t.Errorf("explained: %+v", out)
	}
	if len(w.writes()) != 0 {
		t.Errorf("sent %v", w.writes())
	}
}

// TestProtected: the manager of a protected account is not written.
func TestProtected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss, ann := w.user("boss", ""), w.user("ann", "")
	w.bind(boss, ann)
	w.sync()
	w.do(w.sim.SetRoles(simTenant, ann.Email, "Helpdesk Administrator"))
	w.pass(2 * time.Hour)
	w.edit(ann.ID, func(u *directory.User) { u.ManagerID = boss.ID })
	w.sync()
	if got := w.managerOf(ann); got != "" || len(w.writes()) != 0 {
		t.Errorf("the manager is %q, sent %v", got, w.writes())
	}
}

// TestRestored: who is released with the values from before has the manager from before
// again, also when the account is let go before that is written, and when the connection was
// deactivated since; not when somebody else changed it.
func TestRestored(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		befall func(w *world, ann, other directory.User)
		then   directory.ReleasePolicy
		want   string
	}{
		"restore": {nil, directory.ReleaseRestore, "old"},
		"keep":    {nil, directory.ReleaseKeep, "boss"},
		"block":   {nil, directory.ReleaseBlock, "boss"},
		"changed by somebody": {func(w *world, ann, other directory.User) {
			w.foreign(ann, other)
		}, directory.ReleaseRestore, "other"},
		"no account bound by then": {func(w *world, ann, _ directory.User) {
			w.lets(ann, directory.ReleaseRestore)
			b, err := w.store.Bindings.Binding(w.Context(), ann.ID)
			w.do(err)
			w.do(w.store.Bindings.Retract(w.Context(), directory.AuditEvent{}, nil, &w.conn, &b))
		}, "", "old"},
		"bound again": {func(w *world, ann, _ directory.User) {
			w.lets(ann, directory.ReleaseRestore)
			w.lets(ann, "")
		}, "", "boss"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			boss, old, other := w.user("boss", ""), w.user("old", ""), w.user("other", "")
			ann := w.user("ann", "")
			w.bind(ann, boss, old, other)
			w.sync()
			w.foreign(ann, old)
			w.pass(time.Hour)
			w.edit(ann.ID, func(u *directory.User) { u.ManagerID = boss.ID })
			w.sync()
			w.wants(ann, "boss")
			w.pass(time.Hour)
			if tt.befall != nil {
				tt.befall(w, ann, other)
			}
			if tt.then != "" {
				w.lets(ann, tt.then)
			}
			for range 3 {
				w.sync()
				w.pass(time.Minute)
			}
			if got := w.managerOf(ann); got != tt.want {
				t.Errorf("the manager is %q, want %q; the record is %+v", got, tt.want, w.record(ann))
			}
		})
	}
}

// lets has the binding of somebody's account be let go; "" takes that back.
func (w *world) lets(u directory.User, then directory.ReleasePolicy) {
	w.Helper()
	b, err := w.store.Bindings.Binding(w.Context(), u.ID)
	w.do(err)
	b.Release, b.Status = then, directory.BindingPending
	w.do(w.store.Bindings.UpdateBinding(w.Context(), directory.AuditEvent{}, &b, true, false))
}

// TestSeenInRounds: what somebody changed of a manager is put back, or told, after the next
// round of accounts, which asks for no more than before; what we wrote is looked at no second
// time.
func TestSeenInRounds(t *testing.T) {
	t.Parallel()
	for policy, want := range map[directory.ForeignPolicy]string{directory.ForeignRevert: "boss", directory.ForeignReport: "other"} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *directory.Settings) {
				s.ForeignChange = map[string]directory.ForeignPolicy{directory.PropManager: policy}
			})
			boss, other := w.user("boss", ""), w.user("other", "")
			ann, bob := w.user("ann", boss.ID), w.user("bob", boss.ID)
			w.bind(ann, bob, boss, other)
			for range 3 {
				w.sync()
				w.pass(2 * directory.DefaultInterval)
			}
			before := len(w.sim.Requests())
			w.sync()
			for _, r := range w.sim.Requests()[before:] {
				if !strings.Contains(r.Path, "/users/delta") && !strings.Contains(r.Path, "/token") {
					t.Errorf("an idle slice sent %s %s", r.Method, r.Path)
				}
			}
			w.foreign(ann, other)
			w.pass(2 * directory.DefaultInterval)
			w.sync()
			w.pass(2 * directory.DefaultInterval)
			w.sync()
			if got := w.managerOf(ann); got != want {
				t.Errorf("the manager is %q, want %q", got, want)
			}
			told := slices.ContainsFunc(w.record(ann).Findings, func(p directory.Problem) bool { return p.Code == directory.CodeForeignChange })
			if told != (policy == directory.ForeignReport) {
				t.Errorf("the record is %+v", w.record(ann))
			}
		})
	}
}
