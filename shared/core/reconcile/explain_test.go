package reconcile

import (
	"encoding/json"
	"strings"
	"testing"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
)

// TestExplainIsThePlan: what explain says is what the next run does, for users
// in all kinds of states, and explaining writes nothing.
func TestExplainIsThePlan(t *testing.T) {
	w := newWorld(t,
		map[string]any{"userPrincipalName": "adopt@" + simDomain, "displayName": "Other", "mailNickname": "adopt", "accountEnabled": true},
		map[string]any{"userPrincipalName": "taken@" + simDomain, "displayName": "Guest", "mailNickname": "taken", "accountEnabled": false},
	)
	edited, blocked, foreign, same := w.user("edited"), w.user("blocked"), w.user("foreign"), w.user("same")
	w.bind(edited, blocked, foreign, same)
	w.sync()
	w.skew.Add(2 * Grace)
	w.settings(func(s *directory.Settings) {
		s.ForeignChange = map[string]directory.ForeignPolicy{"jobTitle": directory.ForeignReport}
	})
	w.patch(foreign.Email, map[string]any{"jobTitle": "Theirs", "department": "Theirs"})
	w.sync()
	w.edit(edited, func(u *directory.User) { u.JobTitle = "Boss" })
	w.edit(blocked, func(u *directory.User) { u.State = directory.StateSuspended })
	users := []directory.User{edited, blocked, foreign, same, w.user("created"), w.user("adopt"), w.user("taken"), w.user("refused", func(u *directory.User) { u.GivenName = strings.Repeat("x", 200) })}
	w.bind(users[4:]...)

	mutations := len(w.sim.Mutations(simTenant))
	explained := map[directory.UserID]Explanation{}
	for _, u := range users {
		e, err := w.engine.Explain(t.Context(), &w.conn, directory.AccountOf(u.ID))
		w.do(err)
		explained[u.ID] = e
	}
	if n := len(w.sim.Mutations(simTenant)); n != mutations {
		t.Fatalf("explaining wrote %d times", n-mutations)
	}
	if got := explained[foreign.ID].attribute("jobTitle"); got.Outcome != "report" || got.Observed.String() != "Theirs" || got.Foreign != directory.ForeignReport {
		t.Errorf("jobTitle of foreign: %+v", got)
	}
	for u, want := range map[string]string{"edited": "write", "same": "equal", "refused": "unknown"} {
		for _, x := range users {
			if got := explained[x.ID].attribute("jobTitle"); strings.HasPrefix(x.Email, u) && got.Outcome != want {
				t.Errorf("jobTitle of %s: %+v, want %s", u, got, want)
			}
		}
	}

	run, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, runs.Request{DryRun: true, UserIDs: ids(users)})
	w.do(err)
	w.sync()
	r, err := w.store.Runs.Run(t.Context(), run.ID)
	w.do(err)
	changes, _, err := w.store.Runs.Changes(t.Context(), &r, "", 1000)
	w.do(err)
	planned := map[directory.UserID]string{}
	for _, c := range changes {
		planned[c.UserID] += core(c)
	}
	for _, r := range w.allRuns() { // the leaver did not wait for the dry run
		if len(r.UserIDs) == 1 && r.UserIDs[0] == blocked.ID {
			rec, err := w.store.Runs.Run(t.Context(), r.ID)
			w.do(err)
			list, _, err := w.store.Runs.Changes(t.Context(), &rec, "", 10)
			w.do(err)
			for _, c := range list {
				c.RequestID = ""
				planned[blocked.ID] += core(c)
			}
		}
	}
	for _, u := range users {
		said := ""
		for _, c := range explained[u.ID].Decision.Changes {
			said += core(c)
		}
		if said != planned[u.ID] {
			t.Errorf("%s: explained as\n%s\nplanned as\n%s", u.Email, said, planned[u.ID])
		}
		if explained[u.ID].Summary == "" || explained[u.ID].Binding == nil {
			t.Errorf("%s: %+v", u.Email, explained[u.ID])
		}
	}
	if len(planned) < 4 {
		t.Errorf("the plan has changes of %d users only", len(planned))
	}
}

// core is what a change says, without what recording adds.
func core(c directory.Change) string {
	c.ID, c.State, c.UserVersion, c.Agreed, c.Findings = "", "", 0, 0, nil
	c.At = c.At.Truncate(1 << 62)
	if c.Effect == directory.EffectAdopt {
		c.Properties = nil
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return err.Error()
	}
	var m map[string]any
	_ = json.Unmarshal(raw, &m)
	delete(m, "at")
	raw, _ = json.Marshal(m)
	return string(raw) + "\n"
}

func (e Explanation) attribute(name string) (at struct {
	Outcome  string
	Observed directory.Value
	Foreign  directory.ForeignPolicy
}) {
	for _, a := range e.Attributes {
		if a.Name == name {
			at.Outcome, at.Observed, at.Foreign = a.Outcome, a.Observed, a.Foreign
		}
	}
	return at
}

// TestLookBeforeTheFirstSlice: what would be done can be asked before anything was
// done, and asking leaves nothing behind.
func TestLookBeforeTheFirstSlice(t *testing.T) {
	w := newWorld(t, map[string]any{"userPrincipalName": "ann@" + simDomain, "displayName": "Ann", "mailNickname": "ann", "accountEnabled": true})
	w.forgetAccounts()
	u := w.user("ann", func(u *directory.User) { u.State = directory.StateSuspended })
	if out, err := w.engine.IfBound(t.Context(), &w.conn, &u); err != nil || out.Summary != "The next run makes 4 changes." {
		t.Errorf("if bound: %q, %v", out.Summary, err)
	}
	w.bind(u)
	if out, err := w.engine.Explain(t.Context(), &w.conn, directory.AccountOf(u.ID)); err != nil || out.Summary != "The next run makes 4 changes." {
		t.Errorf("bound: %q, %v", out.Summary, err)
	}
	if a, err := w.store.Counters.BoundAccounts(t.Context(), w.conn.ID, 1); err != nil || a.Counted {
		t.Errorf("whoever looked has counted: %+v, %v", a, err)
	}
}
