package doctor

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// tending is a doctor who notes which connections it was asked to check.
func tending(s *store.Store, now func() time.Time, asked *[]directory.ConnectionID) *Doctor {
	return &Doctor{Stores: StoresOf(s), Now: now, Ask: func(_ context.Context, id directory.ConnectionID) error {
		*asked = append(*asked, id)
		return nil
	}}
}

// TestCheckOfAnOlderVersion: a report without its time on the connection counts.
func TestCheckOfAnOlderVersion(t *testing.T) {
	t.Parallel()
	now := directory.LastTurn("con_a/check", CheckEvery, time.Now()).Add(time.Minute)
	clock := func() time.Time { return now }
	s, asked := store.New(memory.New(), store.Options{Now: clock}), []directory.ConnectionID{}
	d := tending(s, clock, &asked)
	c := directory.Connection{ID: "con_a", Status: directory.StatusActive, Epoch: 1, AuthorizedAt: now}
	l := &store.ScheduledConnection{Connection: c} // as listed: no check is noted on it
	if err := d.Tend(t.Context(), l, nil, false); err != nil || len(asked) != 1 {
		t.Fatalf("never checked: %v, asked %d times, want once", err, len(asked))
	}
	if err := s.Connections.SaveHealth(t.Context(), c.ID, "well", now); err != nil {
		t.Fatal(err)
	}
	if err := d.Tend(t.Context(), l, nil, false); err != nil || len(asked) != 1 {
		t.Errorf("checked just now: %v, asked %d times, want no more", err, len(asked))
	}
}

// TestChecksAreSpread: many connections that were made, or restored, in the
// same minute are each checked within a day, and few of them in one tick.
func TestChecksAreSpread(t *testing.T) {
	t.Parallel()
	for what, ago := range map[string]time.Duration{"made just now": 0, "restored from last week": 7 * 24 * time.Hour} {
		now := time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC)
		clock := func() time.Time { return now }
		s, asked := store.New(memory.New(), store.Options{Now: clock}), []directory.ConnectionID{}
		d := tending(s, clock, &asked)
		const n = 300
		list := make([]store.ScheduledConnection, n)
		for i := range list {
			list[i].ID, list[i].Status, list[i].CheckedAt = directory.ConnectionID(fmt.Sprint("con_", i)), directory.StatusActive, now.Add(-ago)
		}
		for end := now.Add(24*time.Hour + 5*time.Minute); now.Before(end); now = now.Add(5 * time.Minute) {
			before := len(asked)
			for i := range list {
				n := len(asked)
				if err := d.Tend(t.Context(), &list[i], nil, false); err != nil {
					t.Fatal(err)
				}
				if len(asked) > n {
					list[i].CheckedAt = now
				}
			}
			if k := len(asked) - before; k > n/8 {
				t.Errorf("%s: %d of %d were asked for in one tick", what, k, n)
			}
		}
		slices.Sort(asked)
		if got := len(slices.Compact(asked)); got != n {
			t.Errorf("%s: %d of %d were checked within a day", what, got, n)
		}
	}
}
