package schedule

import (
	"maps"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

func TestGauges(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC)
	connection := func(status directory.ConnectionStatus, authorized time.Duration, run *directory.LastRun) *store.ScheduledConnection {
		return &store.ScheduledConnection{Connection: directory.Connection{Status: status, AuthorizedAt: now.Add(-authorized), LastRun: run}}
	}
	succeeded := func(ago time.Duration) *directory.LastRun {
		return &directory.LastRun{State: directory.RunDone, SucceededAt: now.Add(-ago)}
	}
	held := []store.RunRecord{{Run: directory.Run{State: directory.RunApplying}}, {Run: directory.Run{State: directory.RunHeld}}, {Run: directory.Run{State: directory.RunHeld}}}
	for _, tt := range []struct {
		name                      string
		l                         *store.ScheduledConnection
		runs                      []store.RunRecord
		active, needs, late, held int
	}{
		{"pending", connection(directory.StatusPending, 0, nil), nil, 0, 0, 0, 0},
		{"new", connection(directory.StatusActive, time.Minute, nil), nil, 1, 0, 0, 0},
		{"never ran", connection(directory.StatusActive, 2*time.Hour, nil), nil, 1, 0, 1, 0},
		{"in time", connection(directory.StatusActive, 48*time.Hour, succeeded(time.Hour)), nil, 1, 0, 0, 0},
		{"late", connection(directory.StatusActive, 48*time.Hour, succeeded(2*time.Hour)), nil, 1, 0, 1, 0},
		{"authorised again just now", connection(directory.StatusActive, time.Minute, succeeded(9*time.Hour)), nil, 1, 0, 0, 0},
		{"held, and a run for leavers has ended since", connection(directory.StatusActive, 48*time.Hour, succeeded(time.Minute)), held, 1, 0, 0, 1},
		{"lost", connection(directory.StatusNeedsAuthorization, 48*time.Hour, succeeded(9*time.Hour)), held, 0, 1, 0, 0},
		{"let go", connection(directory.StatusDeactivated, 48*time.Hour, succeeded(9*time.Hour)), nil, 0, 0, 0, 0},
	} {
		got := map[string]int{}
		addGauges(got, tt.l, tt.runs, now)
		want := map[string]int{GaugeActive: tt.active, GaugeNeedsAdmin: tt.needs, GaugeLate: tt.late, GaugeHeld: tt.held}
		maps.DeleteFunc(want, func(_ string, n int) bool { return n == 0 })
		if !maps.Equal(got, want) {
			t.Errorf("%s: gauges %v, want %v", tt.name, got, want)
		}
	}
}
