package store

import (
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// TestLiftsBefore: of a connection that a version worked on which did not note lifts,
// they are looked for until none of it can last any more.
func TestLiftsBefore(t *testing.T) {
	s, c := newStore(t)
	conn := activeConnection(t, s)
	must(t, s.Users.db.table.Write(t.Context(), table.Write{Update: &table.Update{Key: leaseKey(conn.ID), RemoveNumbers: []string{numLiftedTo, numKnownFence}}}))
	peeked, _, err := s.Leases.PeekLease(t.Context(), conn.ID)
	must(t, err)
	if peeked.LiftedTo.Before(c.Now().Add(24 * time.Hour)) {
		t.Errorf("who looks before anybody noted it looks for lifts until %s", peeked.LiftedTo)
	}
	lifted := func() time.Time {
		l, _, err := s.Leases.AcquireLease(t.Context(), conn.ID, "w", time.Minute)
		must(t, err)
		must(t, s.Leases.ReleaseLease(t.Context(), &l, RunEnd{}, false))
		return l.LiftedTo
	}
	first := lifted()
	if first.Before(c.Now().Add(24*time.Hour)) || first.After(c.Now().Add(liftedFor)) {
		t.Errorf("the first lease looks for lifts until %s", first)
	}
	c.Advance(26 * time.Hour)
	if again := lifted(); !again.Equal(first) || again.After(c.Now()) {
		t.Errorf("a day later lifts are looked for until %s", again)
	}
	act := directory.AuditEvent{Kind: directory.AuditLiftProtection, By: "ada"}
	must(t, s.Protection.PutProtectionOverride(t.Context(), act, &conn, &ProtectionOverride{AccountID: "acc-1", Until: c.Now().Add(time.Minute)}))
	if again := lifted(); again.Before(c.Now().Add(24 * time.Hour)) {
		t.Errorf("after a lift they are looked for until %s", again)
	}
}
