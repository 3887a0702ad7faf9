package app

import (
	"context"
	"errors"
	"time"

	"bindery/shared/boot/telemetry"
	"bindery/shared/core/jobs"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
)

// Times of what a message asks for, within the function's.
const (
	// afterSlice is what follows a slice may take: it may not keep the work waiting.
	afterSlice = 20 * time.Second
	checkTime  = 150 * time.Second
	// lineTime is left of the deadline, for the line that the invocation ends with.
	lineTime = 2 * time.Second
	// sweepAgain is how soon a sweep goes on that has more to clear away.
	sweepAgain = time.Second
)

// Tick is one tick of the schedule. Its error tells of what failed; the next tick
// makes up for it.
func (c *Core) Tick(ctx context.Context) error {
	t, err := c.scheduler.Tick(ctx)
	countTick(telemetry.InvocationOf(ctx), &t)
	return err
}

// Work does what a wake-up of sync asks for: a slice of a connection, a slice of a
// job, or a check of a connection. A job that reads a file is passed on to load. The
// context's deadline is the function's.
func (c *Core) Work(ctx context.Context, body []byte) error {
	w, err := directory.ParseWakeUp(body)
	if err != nil {
		return keep(ctx, w, err, c.parts.Queue.Send)
	}
	i := telemetry.InvocationOf(ctx)
	i.Set("connectionId", string(w.ConnectionID))
	switch {
	case w.JobID != "":
		j, err := c.openJob(ctx, w.JobID)
		if j == nil || err != nil {
			return err
		}
		if j.Kind.ReadsFile() {
			return passOn(ctx, w, "load", c.parts.Queue.SendLoad)
		}
		return c.workJob(ctx, j)
	case w.Check:
		return c.check(ctx, w.ConnectionID)
	}
	return c.slice(ctx, w)
}

// Load does what a wake-up of load asks for: a slice of a job that reads a file.
// Anything else is passed on to sync. The context's deadline is the function's.
func (c *Core) Load(ctx context.Context, body []byte) error {
	w, err := directory.ParseWakeUp(body)
	if err != nil {
		return keep(ctx, w, err, c.parts.Queue.SendLoad)
	}
	telemetry.InvocationOf(ctx).Set("connectionId", string(w.ConnectionID))
	if w.JobID == "" {
		return passOn(ctx, w, "sync", c.parts.Queue.Send)
	}
	j, err := c.openJob(ctx, w.JobID)
	if j == nil || err != nil {
		return err
	}
	if !j.Kind.ReadsFile() {
		return passOn(ctx, w, "sync", c.parts.Queue.Send)
	}
	return c.workJob(ctx, j)
}

// passOn hands a wake-up to the function that does what it asks for: the version
// before had one queue for all of them, and the schedule does not always know what
// kind a job is. When the process ends before the message is deleted it is passed on
// twice, and the job's lease has one of the two do nothing.
func passOn(ctx context.Context, w directory.WakeUp, to string, send func(context.Context, directory.WakeUp, time.Duration) error) error {
	telemetry.InvocationOf(ctx).Set("passedOn", to)
	return send(ctx, w, 0)
}

// slice does a slice of a connection, and what follows it.
func (c *Core) slice(ctx context.Context, w directory.WakeUp) error {
	deadline, _ := ctx.Deadline()
	sum, err := c.Engine.Slice(ctx, w, deadline)
	c.follow(ctx, &sum)
	countSlice(telemetry.InvocationOf(ctx), &sum, err)
	return err
}

// follow does what comes after a slice that worked on a run.
func (c *Core) follow(ctx context.Context, sum *reconcile.Summary) {
	if c.parts.Publisher == nil || sum.RunID == "" && sum.Skipped != "authorisation lost" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.atMost(ctx, afterSlice))
	defer cancel()
	c.upkeep.Follow(ctx, sum.ConnectionID)
}

// check has the doctor look at a connection.
func (c *Core) check(ctx context.Context, id directory.ConnectionID) error {
	ctx, cancel := context.WithTimeout(ctx, c.atMost(ctx, checkTime))
	defer cancel()
	if err := c.Uses.ForgetScopes(ctx, id); err != nil { // what nothing wants any more is no finding
		return err
	}
	r, err := c.Doctor.Check(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		return nil // deleted since the message was sent
	}
	telemetry.InvocationOf(ctx).Set("findings", len(r.Findings))
	return errors.Join(err, c.resume(ctx, id))
}

// resume has planned again what waited for a permission: what waits for one that is lacking
// still is told so anew, and holds nothing else back. The doctor comes after every
// authorisation, so that this is at once, and daily.
func (c *Core) resume(ctx context.Context, id directory.ConnectionID) error {
	conn, err := c.parts.Store.Connections.Connection(ctx, id)
	if err != nil || !conn.Authorized() {
		return err
	}
	for cursor, more := "", true; more; more = cursor != "" {
		_, cursor, err = c.Runs.Retry(ctx, directory.Caller{Subject: directory.BySystem}, &conn, directory.CodeScopeMissing, cursor)
		if errors.Is(err, directory.ErrNotFound) {
			return nil // nothing waits
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// openJob reads the job that was woken; nil when there is nothing to do about it.
func (c *Core) openJob(ctx context.Context, id directory.JobID) (*directory.Job, error) {
	i := telemetry.InvocationOf(ctx)
	i.Set("jobId", string(id))
	j, err := c.parts.Store.Jobs.Job(ctx, id)
	switch {
	case errors.Is(err, directory.ErrNotFound):
		return nil, nil // expired since it was woken
	case err != nil:
		return nil, err
	case !j.Known():
		// Nothing is written to it, not even a try: the schedule wakes it until
		// who knows it comes by.
		i.Set("skipped", "a newer version must do it")
		return nil, nil
	case jobs.Ended(j.State):
		return nil, nil
	}
	return &j.Job, nil
}

// workJob does a slice of a job, whoever does jobs of its kind.
func (c *Core) workJob(ctx context.Context, j *directory.Job) error {
	deadline, _ := ctx.Deadline()
	again, delay, err := c.worker.Work(ctx, j.ID, deadline)
	switch {
	case err != nil:
		return err
	case again:
		return c.wakes.WakeJob(ctx, j, delay)
	}
	if ended, err := c.parts.Store.Jobs.Job(ctx, j.ID); err == nil {
		countJob(ctx, &ended.Job)
	}
	return nil
}

// Sweep clears away what past epochs of a connection left.
func (c *Core) Sweep(ctx context.Context, body []byte) error {
	w, err := directory.ParseWakeUp(body)
	if err != nil {
		return keep(ctx, w, err, c.parts.Queue.SendSweep)
	}
	i := telemetry.InvocationOf(ctx)
	i.Set("connectionId", string(w.ConnectionID))
	swept, err := c.sweeper.Sweep(ctx, w.ConnectionID)
	if swept.Gone { // deleted since the message was sent
		i.Set("skipped", "there is no such connection")
	}
	i.Count(telemetry.RowsSwept, swept.Bindings)
	if swept.More {
		return c.parts.Queue.SendSweep(ctx, w, sweepAgain)
	}
	return err
}

// keep puts back what only a newer version of Bindery understands: while one is
// deployed, both receive. What is still there long after is an error, and in the
// end a dead letter, which can be redriven when the newer version is back.
func keep(ctx context.Context, w directory.WakeUp, err error, send func(context.Context, directory.WakeUp, time.Duration) error) error {
	if !errors.Is(err, directory.ErrNewer) {
		return err
	}
	again, ok := w.Keep()
	if !ok {
		return err
	}
	telemetry.InvocationOf(ctx).Set("skipped", "a newer version must read it")
	return send(ctx, again, directory.KeepFor)
}

// atMost is how long something may take: so long, but not past the function's end.
func (c *Core) atMost(ctx context.Context, most time.Duration) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return most
	}
	return min(most, max(0, deadline.Sub(c.parts.Now())-lineTime))
}
