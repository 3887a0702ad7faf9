package schedule

import (
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

func TestStandingOf(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC)
	for !directory.FullReadDue("con_a", now.Add(-30*24*time.Hour), now) {
		now = now.Add(5 * time.Minute)
	}
	// read is a connection whose tenant was read a minute ago.
	read := func(change func(l *store.ScheduledConnection)) *store.ScheduledConnection {
		l := &store.ScheduledConnection{Connection: directory.Connection{ID: "con_a", Status: directory.StatusActive, Epoch: 1}}
		l.Link.Link, l.Link.At, l.FullAt = "next", now.Add(-time.Minute), now.Add(-time.Hour)
		change(l)
		return l
	}
	held := directory.Run{State: directory.RunHeld, StartedAt: now.Add(-time.Hour)}
	for _, tt := range []struct {
		name string
		l    *store.ScheduledConnection
		runs []store.RunRecord
		want workState
		held time.Time
	}{
		{"nothing", read(func(*store.ScheduledConnection) {}), nil, quiet, time.Time{}},
		{"let go", read(func(l *store.ScheduledConnection) { l.Status = directory.StatusDeactivated }), nil, idle, time.Time{}},
		{"somebody is at it", read(func(l *store.ScheduledConnection) { l.LeaseUntil = now.Add(time.Second) }), nil, idle, time.Time{}},
		{"its holder died", read(func(l *store.ScheduledConnection) { l.LeaseUntil = now }), nil, waiting, time.Time{}},
		{"a run on the lease", read(func(l *store.ScheduledConnection) { l.RunOpen = true }), nil, waiting, time.Time{}},
		{"the interval is over", read(func(l *store.ScheduledConnection) { l.Link.At = now.Add(-directory.DefaultInterval) }), nil, waiting, time.Time{}},
		{"never read", read(func(l *store.ScheduledConnection) { l.Link.Link = "" }), nil, waiting, time.Time{}},
		{"amid a full round", read(func(l *store.ScheduledConnection) { l.Link.Full = true }), nil, waiting, time.Time{}},
		{"a week without a full round", read(func(l *store.ScheduledConnection) { l.FullAt = now.Add(-30 * 24 * time.Hour) }), nil, waiting, time.Time{}},
		{"its pages turned in a circle", read(func(l *store.ScheduledConnection) { l.Link.Link, l.Link.Rest = "", now.Add(time.Hour) }), nil, quiet, time.Time{}},
		{"an open run", read(func(*store.ScheduledConnection) {}), []store.RunRecord{{Run: directory.Run{State: directory.RunApplying}}}, waiting, time.Time{}},
		{"held runs", read(func(*store.ScheduledConnection) {}), []store.RunRecord{{Run: held}, {Run: directory.Run{State: directory.RunHeld}}}, quiet, held.StartedAt},
	} {
		if got, since := workStateOf(tt.l, tt.runs, now); got != tt.want || !since.Equal(tt.held) {
			t.Errorf("%s: standingOf = %v since %v, want %v since %v", tt.name, got, since, tt.want, tt.held)
		}
	}
}
