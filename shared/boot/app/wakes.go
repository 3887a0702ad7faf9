package app

import (
	"context"
	"time"

	"bindery/shared/boot/telemetry"
	"bindery/shared/directory"
)

// wakes is a Queue by the names that the core's packages use.
type wakes struct{ Queue }

func (q wakes) Wake(ctx context.Context, id directory.ConnectionID, delay time.Duration) error {
	return q.Send(ctx, directory.WakeUp{ConnectionID: id}, delay)
}

func (q wakes) WakeEdited(ctx context.Context, id directory.ConnectionID, u directory.UserID) error {
	return q.Send(ctx, directory.WakeUp{ConnectionID: id, UserID: u}, 0)
}

func (q wakes) WakeCheck(ctx context.Context, id directory.ConnectionID) error {
	return q.Send(ctx, directory.WakeUp{ConnectionID: id, Check: true}, 0)
}

func (q wakes) WakeSweep(ctx context.Context, id directory.ConnectionID, delay time.Duration) error {
	return q.SendSweep(ctx, directory.WakeUp{ConnectionID: id, Sweep: true}, delay)
}

func (q wakes) WakeJob(ctx context.Context, j *directory.Job, delay time.Duration) error {
	w := directory.WakeUp{ConnectionID: j.ConnectionID, JobID: j.ID}
	if j.Kind.ReadsFile() {
		return q.SendLoad(ctx, w, delay)
	}
	return q.Send(ctx, w, delay)
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

func (q counting) SendLoad(ctx context.Context, w directory.WakeUp, delay time.Duration) error {
	return notTaken(ctx, q.Queue.SendLoad(ctx, w, delay))
}

func (q counting) SendSweep(ctx context.Context, w directory.WakeUp, delay time.Duration) error {
	return notTaken(ctx, q.Queue.SendSweep(ctx, w, delay))
}

func notTaken(ctx context.Context, err error) error {
	if err != nil {
		telemetry.InvocationOf(ctx).Count(telemetry.WakeUpsFailed, 1)
	}
	return err
}
