package reconcile

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
)

// TestWhoChanged: findings and reasons about what somebody changed at Microsoft
// say who did, where the audit log tells; it is asked little, never for leavers,
// and nothing depends on it.
func TestWhoChanged(t *testing.T) {
	w := newWorld(t)
	users := w.people(30)
	w.skew.Add(2 * Grace)
	w.settings(func(s *directory.Settings) {
		s.ForeignChange = map[string]directory.ForeignPolicy{"default": directory.ForeignRevert, "jobTitle": directory.ForeignReport}
	})
	asked, failure := map[directory.AccountID]string{}, error(nil)
	var mine bool
	w.engine.config.Attribution = func(_ context.Context, c *directory.Connection, a directory.AccountID, names []string, since time.Time) (map[string]directory.Actor, error) {
		if c.ID != w.conn.ID || w.now().Sub(since) > auditLife+time.Minute || since.IsZero() {
			t.Errorf("asked about %s since %s", c.ID, since)
		}
		if _, again := asked[a]; !again { // what is only reported is asked about again
			asked[a] = fmt.Sprint(names)
		}
		found := map[string]directory.Actor{}
		for _, n := range names {
			found[n] = directory.Actor{Name: "mallory@" + simDomain, At: since.Add(time.Minute), Admin: mine}
		}
		return found, failure
	}
	ann, ben, cid := users[0], users[1], users[2]
	w.patch(ann.Email, map[string]any{"jobTitle": "Theirs", "department": "Theirs", "accountEnabled": false})
	w.patch(ben.Email, map[string]any{"department": "Theirs"})
	w.edit(ben, func(u *directory.User) { u.Department = "Ours" })
	w.edit(cid, func(u *directory.User) { u.Department = "Ours" })
	w.sync()
	findings := w.binding(ben).Findings
	if _, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, runs.Request{Full: true}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	findings = append(findings, w.binding(ann).Findings...)

	if len(asked) != 2 || asked[w.binding(ann).AccountID] != "[accountEnabled department jobTitle]" || asked[w.binding(ben).AccountID] != "[department]" {
		t.Fatalf("asked about %v, want the two that somebody changed", asked)
	}
	named := map[string]string{}
	for _, f := range findings {
		if f.By != nil && (strings.Contains(f.Message, " in Microsoft 365 by mallory@"+simDomain+" at ") || strings.Contains(f.Message, "is blocked at Microsoft by mallory@")) {
			named[f.Code] = f.By.Name
		}
	}
	for _, code := range []string{"foreign-change", "blocked-at-microsoft", "both-changed"} {
		if named[code] != "mallory@"+simDomain {
			t.Errorf("the finding %s names %q; there are %+v", code, named[code], findings)
		}
	}
	reverted := false
	for _, r := range w.allRuns() {
		rec, err := w.store.Runs.Run(t.Context(), r.ID)
		w.do(err)
		changes, _, err := w.store.Runs.Changes(t.Context(), &rec, "", 100)
		w.do(err)
		for _, c := range changes {
			reverted = reverted || c.UserID == ann.ID && strings.Contains(c.Reason, "because it was changed in Microsoft 365 by mallory@")
		}
	}
	if !reverted {
		t.Error("no reason says who made the change that is reverted")
	}

	// Our own account right after our own write; a log that does not answer; many
	// accounts; leavers.
	change := func(list []directory.User) {
		clear(asked)
		w.skew.Add(2 * Grace)
		for _, u := range list {
			w.patch(u.Email, map[string]any{"department": fmt.Sprint("Theirs ", w.now())})
		}
		_, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, runs.Request{Full: true})
		w.do(err)
		w.sync()
	}
	w.patch(ann.Email, map[string]any{"jobTitle": "Clerk", "accountEnabled": true})
	mine = true
	change(users[3:4])
	if _, changes := w.lastRun(); len(asked) != 1 || !strings.Contains(changes[0].Reason, "somebody changed it") {
		t.Errorf("asked %v, the reason is %q", asked, changes[0].Reason)
	}
	failure = errors.New("no licence")
	change(users[4:8])
	if n := len(asked); n != 1 || w.account(users[4].Email)["department"] != users[4].Department {
		t.Errorf("asked %d times, want no more after an error; the department is %v", n, w.account(users[4].Email)["department"])
	}
	failure, mine = nil, false
	change(users[3:])
	if n := len(asked); n != mostAsked || w.account(users[29].Email)["department"] != users[29].Department {
		t.Errorf("asked %d times, want %d", n, mostAsked)
	}
	clear(asked)
	w.skew.Add(2 * Grace)
	w.patch(cid.Email, map[string]any{"department": "Theirs"})
	w.edit(cid, func(u *directory.User) { u.State = directory.StateSuspended })
	w.sync()
	if w.account(cid.Email)["accountEnabled"] != false || len(asked) != 0 {
		t.Errorf("a leaver's run asked %v", asked)
	}

	// Explain says the same, and takes no lease.
	w.settings(func(s *directory.Settings) {
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectBlock: {By: []directory.Dimension{directory.ByDepartment}}}
	})
	w.edit(users[10], func(u *directory.User) { u.State = directory.StateSuspended })
	before, _, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID)
	w.do(err)
	if e, err := w.engine.Explain(t.Context(), &w.conn, directory.AccountOf(users[10].ID)); err != nil || len(e.Decision.Changes) != 2 {
		t.Errorf("a leaver is explained as %+v, %v", e.Decision, err)
	}
	if after, _, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID); err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("explaining moved the lease from %+v to %+v, %v", before, after, err)
	}
	w.patch(users[9].Email, map[string]any{"department": "Theirs"})
	e, err := w.engine.Explain(t.Context(), &w.conn, directory.AccountOf(users[9].ID))
	if err != nil || len(e.Decision.Changes) != 1 || !strings.Contains(e.Decision.Changes[0].Reason, "by mallory@") {
		t.Errorf("explained as %+v, %v", e.Decision, err)
	}
}
