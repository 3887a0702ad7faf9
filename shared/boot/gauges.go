package boot

import (
	"context"
	"time"

	"bindery/shared/directory"
)

// lateAfter is how long past twice its interval a connection may be without a
// successful run before it counts as late.
const lateAfter = time.Hour

// BeginGauges reports zeros, so that a stack without connections still says
// that its schedule runs: an alarm takes silence for a fault.
func BeginGauges(ctx context.Context) {
	i := InvocationOf(ctx)
	for _, m := range []Metric{ConnectionsActive, ConnectionsNeedAuthorization, ConnectionsLate, RunsHeld} {
		i.Count(m, 0)
	}
}

// CountConnection adds a connection to the gauges of the schedule's tick, of
// which the alarms are made.
func CountConnection(ctx context.Context, c *directory.Connection, now time.Time) {
	active, needs, late, held := 0, 0, 0, 0
	switch c.Status {
	case directory.StatusActive:
		active = 1
		last := c.AuthorizedAt
		if c.LastRun != nil && c.LastRun.SucceededAt.After(last) {
			last = c.LastRun.SucceededAt
		}
		if now.Sub(last) > 2*time.Duration(c.Settings.Defaulted().Interval)+lateAfter {
			late = 1
		}
		if c.LastRun != nil && c.LastRun.State == directory.RunHeld {
			held = 1
		}
	case directory.StatusNeedsAuthorization:
		needs = 1
	}
	i := InvocationOf(ctx)
	i.Count(ConnectionsActive, active)
	i.Count(ConnectionsNeedAuthorization, needs)
	i.Count(ConnectionsLate, late)
	i.Count(RunsHeld, held)
}
