package boot

import (
	"context"
	"time"

	"bindery/shared/core/connect"
	"bindery/shared/core/schedule"
	"bindery/shared/directory"
)

// countTick reports what a tick did. Gauges are reported whatever they are, and
// that there was a tick.
func countTick(i *Invocation, t *schedule.Ticked) {
	i.Set("connections", t.Connections)
	i.Set("jobs", t.Jobs)
	i.Set("failed", t.Failed)
	i.Count(WakeUps, t.Woken+t.Jobs)
	i.Count(ScheduleTicks, 1)
	if t.Failed > 0 {
		i.Count(ScheduleFailures, t.Failed)
	}
	if t.Cut {
		i.Count(ScheduleCut, 1)
	}
	for name, m := range map[string]Metric{
		schedule.GaugeActive: ConnectionsActive, schedule.GaugeNeedsAdmin: ConnectionsNeedAuthorization,
		schedule.GaugeLate: ConnectionsLate, schedule.GaugeHeld: RunsHeld,
	} {
		i.Count(m, t.Gauges[name])
	}
}

// counting counts what the queue did not take. Whoever sends makes nothing of it:
// the schedule wakes again.
type counting struct{ Queue }

func (q counting) Send(ctx context.Context, w directory.WakeUp, delay time.Duration) error {
	return notTaken(ctx, q.Queue.Send(ctx, w, delay))
}

func (q counting) SendAll(ctx context.Context, list []directory.WakeUp) error {
	return notTaken(ctx, q.Queue.SendAll(ctx, list))
}

func (q counting) SendSweep(ctx context.Context, w directory.WakeUp, delay time.Duration) error {
	return notTaken(ctx, q.Queue.SendSweep(ctx, w, delay))
}

func notTaken(ctx context.Context, err error) error {
	if err != nil {
		InvocationOf(ctx).Count(WakeUpsFailed, 1)
	}
	return err
}

// countFault counts what only those who run Bindery can mend.
func countFault(ctx context.Context, what connect.Fault) {
	switch what {
	case connect.ClientSecretRefused:
		InvocationOf(ctx).Count(ClientSecretRefused, 1)
	case connect.TokensUnsaved:
		InvocationOf(ctx).Count(TokensUnsaved, 1)
	}
}

// countJob counts a job that has ended badly for no fault of who asked for it:
// whoever asked sees the others.
func countJob(ctx context.Context, j *directory.Job) {
	if j.State == directory.JobFailed && (j.AskedBy == "" || j.Error == nil || j.Error.Code == directory.CodeGaveUp || j.Error.Code == directory.CodeTryFailed) {
		InvocationOf(ctx).Count(JobsFailed, 1)
	}
}

// tendClientSecret reports how long the client secret is good for, when the
// secret says it.
func (c *Core) tendClientSecret(ctx context.Context) error {
	if c.parts.ClientSecretEnds == nil {
		return nil
	}
	ends, err := c.parts.ClientSecretEnds(ctx)
	if err == nil && !ends.IsZero() {
		InvocationOf(ctx).Count(ClientSecretDays, max(0, int(ends.Sub(c.now())/(24*time.Hour))))
	}
	return err
}
