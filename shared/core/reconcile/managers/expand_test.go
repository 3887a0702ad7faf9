package managers

import (
	"strings"
	"testing"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// TestWaits: a manager who is not bound, or suspended, is a finding; once that has
// changed he is written.
func TestWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss := w.user("boss", "")
	ann := w.user("ann", boss.ID)
	w.bind(ann)
	w.sync()
	w.wants(ann, "", directory.CodeManagerNotBound)
	w.bind(boss)
	w.sync()
	w.wants(ann, "boss")
	other := w.user("other", "")
	w.bind(other)
	w.sync()
	w.edit(other.ID, func(u *directory.User) { u.State = directory.StateSuspended })
	w.edit(ann.ID, func(u *directory.User) { u.ManagerID = other.ID })
	w.sync()
	w.wants(ann, "boss", directory.CodeManagerSuspended)
	w.edit(other.ID, func(u *directory.User) { u.State = directory.StateActive })
	w.sync()
	w.wants(ann, "other")
}

// TestWaitsForNamed: a manager who is bound to an account that is there, which the binding
// names from the start, is written once the two agree.
func TestWaitsForNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss := w.user("boss", "")
	ann := w.user("ann", boss.ID)
	w.bind(ann)
	w.sync()
	id, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": "boss@" + simDomain, "displayName": "boss", "accountEnabled": true, "mailNickname": "boss"})
	w.do(err)
	w.pass(time.Hour)
	w.do(w.store.Bindings.Bind(w.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{User: &boss, AccountID: directory.AccountID(id), UserPrincipalName: "boss@" + simDomain}}))
	for range 3 {
		w.sync()
		w.pass(time.Minute)
	}
	w.wants(ann, "boss")
}

// TestPausedAccount: while an account is paused its manager is not written, and is at once
// when the pause ends.
func TestPausedAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss, ann := w.user("boss", ""), w.user("ann", "")
	w.bind(boss, ann)
	w.sync()
	by := directory.Caller{Subject: "boss"}
	_, err := w.runs().Pause(t.Context(), by, &w.conn, ann.ID, "")
	w.do(err)
	w.edit(ann.ID, func(u *directory.User) { u.ManagerID = boss.ID })
	w.sync()
	w.wants(ann, "", directory.CodePausedByAdmin)
	_, err = w.runs().Resume(t.Context(), by, &w.conn, ann.ID)
	w.do(err)
	w.sync()
	w.wants(ann, "boss")
}

// TestForeign: what others changed is put back, or reported, once a full run looks.
func TestForeign(t *testing.T) {
	t.Parallel()
	for policy, want := range map[directory.ForeignPolicy]string{directory.ForeignRevert: "boss", directory.ForeignReport: "eve"} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *directory.Settings) {
				s.ForeignChange = map[string]directory.ForeignPolicy{directory.PropManager: policy}
			})
			boss, eve := w.user("boss", ""), w.user("eve", "")
			ann := w.user("ann", boss.ID)
			w.bind(boss, eve, ann)
			w.sync()
			w.pass(2 * time.Hour)
			w.foreign(ann, eve)
			w.pass(2 * time.Hour)
			_, err := w.runs().Start(t.Context(), directory.Caller{Subject: "boss"}, &w.conn, runs.Request{Full: true})
			w.do(err)
			w.sync()
			var findings []string
			if policy == directory.ForeignReport {
				findings = []string{directory.CodeForeignChange}
			}
			w.wants(ann, want, findings...)
			if policy == directory.ForeignReport { // by names, not by IDs
				if p := w.record(ann).Findings[0]; !strings.Contains(p.Message, "from "+boss.Email+" to "+eve.Email) {
					t.Errorf("it is told as %q", p.Message)
				}
			}
		})
	}
}

// TestSwitched: switching the setting on makes the records of everybody, and off ends
// them; neither takes anybody's manager away.
func TestSwitched(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *directory.Settings) { s.Manager.Export = false })
	boss := w.user("boss", "")
	ann := w.user("ann", boss.ID)
	w.bind(boss, ann)
	w.sync()
	if b := w.record(ann); !b.Ref().IsZero() || w.managerOf(ann) != "" {
		t.Errorf("without the setting the record is %+v, the manager %q", b, w.managerOf(ann))
	}
	w.settings(func(s *directory.Settings) { s.Manager.Export = true })
	w.sync()
	w.wants(ann, "boss")
	w.settings(func(s *directory.Settings) { s.Manager.Export = false })
	w.sync()
	if b := w.record(ann); !b.Ref().IsZero() || w.managerOf(ann) != "boss" {
		t.Errorf("switched off the record is %+v, the manager %q", b, w.managerOf(ann))
	}
}
