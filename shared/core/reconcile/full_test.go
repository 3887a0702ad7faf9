package reconcile

import (
	"fmt"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// TestFullReadsAreSpread: a thousand connections that read everything in the same
// minute, or that come from a table which was restored, do so again at times of
// their own.
func TestFullReadsAreSpread(t *testing.T) {
	start := time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC)
	for what, last := range map[string]time.Time{"made in one minute": start, "restored": start.Add(-20 * 24 * time.Hour)} {
		const n = 1000
		at := map[int]time.Time{}
		for now := start; now.Before(start.Add(8 * 24 * time.Hour)); now = now.Add(5 * time.Minute) {
			began := 0
			for i := range n {
				if at[i].IsZero() && directory.FullReadDue(directory.ConnectionID(fmt.Sprint("con_", i)), last, now) {
					at[i] = now
					began++
				}
			}
			if began > n/8 {
				t.Errorf("%s: %d of %d begin in one tick", what, began, n)
			}
		}
		if len(at) != n {
			t.Errorf("%s: %d of %d have begun", what, len(at), n)
		}
		for i, when := range at {
			if when.Sub(start) > directory.FullReadEvery {
				t.Errorf("%s: connection %d begins after %s, want at most %s", what, i, when.Sub(start), directory.FullReadEvery)
				break
			}
		}
	}
}

// TestSettingsOfAnotherVersion: settings that an admin changes are looked at with
// a full round at once. A version of Bindery that makes something else of the same
// settings has every connection wait for its turn, and they read on meanwhile.
func TestSettingsOfAnotherVersion(t *testing.T) {
	w := newWorld(t)
	w.bind(w.user("ann"))
	w.sync()
	reads := func() (full bool) {
		t.Helper()
		before, _, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID)
		w.do(err)
		w.skew.Add(directory.DefaultInterval)
		w.port.token = signIn(t, w.sim) // the former one may have expired
		w.sync()
		after, c, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID)
		w.do(err)
		if !after.Link.At.After(before.Link.At) {
			t.Error("the tenant was not read")
		}
		if full = after.FullAt.After(before.FullAt); full && after.Link.Settings != SettingsDigest(&c) {
			t.Error("a full round was not made with the settings of today")
		}
		return full
	}
	if reads() {
		t.Error("a full round with nothing new")
	}
	// The link as a version wrote it that digests settings in another way.
	another := func() {
		l, _, err := w.store.Leases.AcquireLease(t.Context(), w.conn.ID, "another version", LeaseTTL)
		w.do(err)
		link := l.Link
		link.Settings = "another digest"
		w.do(w.store.Leases.SaveLink(t.Context(), &l, link))
		w.do(w.store.Leases.ReleaseLease(t.Context(), &l, store.RunEnd{}, true))
	}
	turn := directory.LastTurn(string(w.conn.ID)+"/full", directory.FullReadSpread, w.now()).Add(directory.FullReadSpread)
	w.skew.Add(turn.Add(time.Hour + 30*time.Minute).Sub(w.now())) // past the turn
	reads()
	another()
	waited := 0
	for !reads() {
		if waited++; waited > 16+1 {
			t.Fatal("no full round within four hours")
		}
	}
	another()
	_, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Settings.Attributes["city"] = directory.AttributeRule{Export: true}
		return nil
	})
	w.do(err)
	if !reads() {
		t.Error("no full round right after an admin's change")
	}
}
