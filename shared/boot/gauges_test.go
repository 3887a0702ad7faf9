package boot

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"testing"
	"time"

	"bindery/shared/directory"
)

func TestCountConnection(t *testing.T) {
	now := time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC)
	connection := func(status directory.ConnectionStatus, authorized time.Duration, run *directory.LastRun) *directory.Connection {
		return &directory.Connection{Status: status, AuthorizedAt: now.Add(-authorized), LastRun: run}
	}
	succeeded := func(ago time.Duration, state directory.RunState) *directory.LastRun {
		return &directory.LastRun{State: state, SucceededAt: now.Add(-ago)}
	}
	tests := []struct {
		name                      string
		c                         *directory.Connection
		active, needs, late, held float64
	}{
		{"pending", connection(directory.StatusPending, 0, nil), 0, 0, 0, 0},
		{"new", connection(directory.StatusActive, time.Minute, nil), 1, 0, 0, 0},
		{"never ran", connection(directory.StatusActive, 2*time.Hour, nil), 1, 0, 1, 0},
		{"in time", connection(directory.StatusActive, 48*time.Hour, succeeded(time.Hour, directory.RunDone)), 1, 0, 0, 0},
		{"late", connection(directory.StatusActive, 48*time.Hour, succeeded(2*time.Hour, directory.RunDone)), 1, 0, 1, 0},
		{"authorised again just now", connection(directory.StatusActive, time.Minute, succeeded(9*time.Hour, directory.RunDone)), 1, 0, 0, 0},
		{"held", connection(directory.StatusActive, 48*time.Hour, succeeded(time.Hour, directory.RunHeld)), 1, 0, 0, 1},
		{"lost", connection(directory.StatusNeedsAuthorization, 48*time.Hour, succeeded(9*time.Hour, directory.RunDone)), 0, 1, 0, 0},
		{"let go", connection(directory.StatusDeactivated, 48*time.Hour, succeeded(9*time.Hour, directory.RunHeld)), 0, 0, 0, 0},
	}
	for _, tt := range tests {
		ctx, i := Begin(context.Background(), NewLogger(io.Discard, slog.LevelInfo), nil, nil)
		CountConnection(ctx, tt.c, now)
		want := map[Metric]float64{ConnectionsActive: tt.active, ConnectionsNeedAuthorization: tt.needs, ConnectionsLate: tt.late, RunsHeld: tt.held}
		if !maps.Equal(i.counts, want) {
			t.Errorf("%s: counts = %v, want %v", tt.name, i.counts, want)
		}
	}
}
