package app

import (
	"context"

	"bindery/shared/boot/telemetry"
	"bindery/shared/core/connect"
	"bindery/shared/core/reconcile"
	"bindery/shared/core/schedule"
	"bindery/shared/directory"
)

// countTick reports what a tick did. Gauges are reported whatever they are, and
// that there was a tick.
func countTick(i *telemetry.Invocation, t *schedule.Ticked) {
	i.Set("connections", t.Connections)
	i.Set("jobs", t.Jobs)
	i.Set("failed", t.Failed)
	i.Count(telemetry.WakeUps, t.Woken+t.Jobs)
	i.Count(telemetry.ScheduleTicks, 1)
	if t.Failed > 0 {
		i.Count(telemetry.ScheduleFailures, t.Failed)
	}
	if t.Cut {
		i.Count(telemetry.ScheduleCut, 1)
	}
	for name, m := range map[string]telemetry.Metric{
		schedule.GaugeActive: telemetry.ConnectionsActive, schedule.GaugeNeedsAdmin: telemetry.ConnectionsNeedAuthorization,
		schedule.GaugeLate: telemetry.ConnectionsLate, schedule.GaugeHeld: telemetry.RunsHeld,
	} {
		i.Count(m, t.Gauges[name])
	}
}

// countSlice reports what a slice of a connection did.
func countSlice(i *telemetry.Invocation, sum *reconcile.Summary, err error) {
	i.Set("runId", string(sum.RunID))
	i.Set("state", string(sum.State))
	i.Set("skipped", sum.Skipped)
	i.Set("pages", sum.Pages)
	i.Set("sent", sum.Sent)
	i.Set("againMs", sum.Again.Milliseconds())
	i.Count(telemetry.Planned, sum.Planned)
	i.Count(telemetry.Applied, sum.Applied)
	i.Count(telemetry.Failed, sum.Failed)
	i.Count(telemetry.Refused, sum.Refused)
	i.Count(telemetry.ProtectedLeavers, sum.ProtectedLeavers)
	if sum.Broken && err == nil { // else the message fails, and is counted
		i.Count(telemetry.SyncFailures, 1)
	}
	switch sum.State {
	case directory.RunDone:
		i.Count(telemetry.RunsDone, 1)
	case directory.RunFailed:
		i.Count(telemetry.RunsFailed, 1)
	case directory.RunHeld:
		i.Count(telemetry.RunsHeld, 1)
	}
}

// countFault counts what only those who run Bindery can mend.
func countFault(ctx context.Context, what connect.Fault) {
	switch what {
	case connect.ClientSecretRefused:
		telemetry.InvocationOf(ctx).Count(telemetry.ClientSecretRefused, 1)
	case connect.TokensUnsaved:
		telemetry.InvocationOf(ctx).Count(telemetry.TokensUnsaved, 1)
	}
}

// countJob counts a job that has ended badly for no fault of who asked for it:
// whoever asked sees the others.
func countJob(ctx context.Context, j *directory.Job) {
	if j.State == directory.JobFailed && (j.AskedBy == "" || j.Error == nil || j.Error.Code == directory.CodeGaveUp || j.Error.Code == directory.CodeTryFailed) {
		telemetry.InvocationOf(ctx).Count(telemetry.JobsFailed, 1)
	}
}

// countClientSecret reports how long the client secret is good for, when that is
// known.
func (c *Core) countClientSecret(ctx context.Context) error {
	days, known, err := c.parts.ClientSecret.DaysLeft(ctx, c.parts.Now())
	if known {
		telemetry.InvocationOf(ctx).Count(telemetry.ClientSecretDays, days)
	}
	return err
}
