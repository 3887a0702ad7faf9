package licences

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// graphRequests is how many requests were sent to Graph.
func (w *world) graphRequests() int {
	n := 0
	for _, r := range w.sim.Requests() {
		if !strings.Contains(r.Path, "/oauth2/") && !strings.Contains(r.Path, "/authorize") {
			n++
		}
	}
	return n
}

// TestTakenByOthers: a licence of ours that somebody takes, or whose services somebody
// switches, is put back at the next round, with who did it; an idle run costs no request
// more for that.
func TestTakenByOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var since time.Time
	w.who = func(_ context.Context, _ *directory.Connection, _ directory.AccountID, at time.Time) (*directory.Actor, error) {
		since = at
		return &directory.Actor{Name: "eve@corp.example", At: w.now()}, nil
	}
	w.start(w.open)
	users := w.people("ann", "bob")
	ann, bob := users[0], users[1]
	w.license(ann, w.rule(partE3))
	w.license(bob, w.rule(partE3))
	w.later(time.Hour)
	w.pass(directory.DefaultInterval)
	idle := w.graphRequests()
	w.sync()
	if n := w.graphRequests() - idle; n != 1 {
		t.Errorf("an idle run sends %d requests", n)
	}
	w.pass(directory.DefaultInterval)
	w.byHand(ann.Email, entratest.LicenceRequest{Remove: []string{w.id(partE3)}})
	w.sync()
	w.wants(ann, partE3)
	w.wants(bob, partE3)
	_, changes := w.lastRun()
	if len(changes) != 1 || !strings.Contains(changes[0].Reason, "eve@corp.example took it in Microsoft 365") || since.IsZero() {
		t.Errorf("the changes are %+v, asked since %s", changes, since)
	}
	w.pass(time.Hour)
	w.sync()
	w.byHand(bob.Email, entratest.LicenceRequest{Add: []entratest.LicenceWish{{SKUID: w.id(partE3), Disabled: []string{w.plan(partE3, "TEAMS1")}}}})
	w.pass(directory.DefaultInterval)
	w.sync()
	w.wants(bob, partE3)
}

// TestTakenReported: by setting, what others took is reported, with who did it, and left.
func TestTakenReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *directory.Settings) {
		s.ForeignChange = map[string]directory.ForeignPolicy{directory.PropLicences: directory.ForeignReport}
	})
	w.who = func(context.Context, *directory.Connection, directory.AccountID, time.Time) (*directory.Actor, error) {
		return &directory.Actor{Name: "eve@corp.example", At: w.now()}, nil
	}
	w.start(w.open)
	users := w.people("ann")
	w.license(users[0], w.rule(partE3))
	w.later(time.Hour)
	w.byHand(users[0].Email, entratest.LicenceRequest{Remove: []string{w.id(partE3)}})
	w.pass(directory.DefaultInterval)
	w.sync()
	w.wants(users[0], "", directory.CodeForeignChange)
	found := w.record(users[0]).Findings
	if i := slices.IndexFunc(found, func(p directory.Problem) bool { return p.By != nil && p.By.Name == "eve@corp.example" }); i < 0 || !strings.HasPrefix(found[i].Message, "eve@corp.example took Microsoft 365 E3") {
		t.Errorf("found %+v", found)
	}
}

// TestTakenFromGroup: what somebody takes from a group that licenses its members is given
// to it again at the next round.
func TestTakenFromGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people("ann")
	g := w.export("Staff", users...)
	w.uses(g, true, w.rule(partE3))
	w.later(time.Hour)
	w.byHand("Staff", entratest.LicenceRequest{Remove: []string{w.id(partE3)}})
	w.later(30 * time.Minute)
	if got := w.gives("Staff"); got != partE3 {
		t.Errorf("the group gives %q; its record is %+v", got, w.groupRecord(g))
	}
	w.later(15 * time.Minute)
	w.wants(users[0], "")
}

// TestForeignWhereARuleWants: what others take is seen by the rounds also when it is a rule
// that wants licences and no setting, from the first rule on.
func TestForeignWhereARuleWants(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *directory.Settings) { s.Licences = false })
	ann := w.people("ann")[0]
	w.pass(time.Hour)
	w.sync()
	c, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.UsesGroups = true
		c.Want(directory.ScopeLicences)
		return nil
	})
	w.do(err)
	w.conn = c
	w.license(ann, w.rule(partE3))
	for range 3 {
		w.sync()
		w.pass(time.Hour)
	}
	w.byHand(ann.Email, entratest.LicenceRequest{Remove: []string{w.id(partE3)}})
	for range 4 {
		w.pass(30 * time.Minute)
		w.sync()
	}
	if w.has(ann) == "" {
		t.Error("a licence of ours that somebody took is not given back within two hours")
	}
}
