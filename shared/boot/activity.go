package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"bindery/shared/core/audit"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
)

// joinActivity joins the reports of what was done to the drivers.
func (c *Core) joinActivity() {
	p := c.parts
	c.Chain = &audit.Chain{Store: p.Store, Seal: p.Seal, Publish: p.Publish, Keep: p.Keep, Now: p.Now, Retention: p.Retention}
	c.Watch = &audit.Watch{Store: p.Store, Publish: p.Publish, Now: p.Now}
	c.Activity = &audit.Service{
		Reports: audit.Report{Store: p.Store},
		Sums:    audit.Summary{Store: p.Store, Now: p.Now},
		Verifier: &audit.Verifier{Store: p.Store, Seal: p.Seal, Publish: p.Publish, Keep: p.Keep, Now: p.Now, Log: p.Log,
			WakeJob: func(ctx context.Context, id directory.JobID) error { return wakes{p.Queue}.WakeJob(ctx, "", id, 0) }},
		Audits: &audit.Audit{Store: p.Store, Now: p.Now, Log: p.Log,
			Open: func(ctx context.Context, conn *directory.Connection) (audit.AuditTenant, error) {
				return c.open(ctx, conn)
			}},
	}
}

// afterSlice is the time of what follows a slice, which may not keep the work waiting.
const afterSlice = 20 * time.Second

// follow does what comes after a slice that worked on a run: ended runs become
// part of their chain, and who must act is told. What fails here is made up for
// by the schedule.
func (c *Core) follow(ctx context.Context, sum *reconcile.Summary) {
	if c.parts.Publish == nil || sum.RunID == "" && sum.Skipped != "authorisation lost" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.room(ctx, afterSlice))
	defer cancel()
	err := c.Chain.LinkRuns(ctx, sum.ConnectionID)
	conn, readErr := c.parts.Store.Connection(ctx, sum.ConnectionID)
	if readErr == nil {
		readErr = c.Watch.Connection(ctx, &conn)
	}
	if err = errors.Join(err, readErr); err != nil {
		c.log().Warn("what follows a slice failed; the schedule makes up for it", "connectionId", string(sum.ConnectionID), "error", err)
	}
}

// tendActivity is the schedule's share: what workers that died left undone, the
// acts of the hours that have passed, the week's summary.
func (c *Core) tendActivity(ctx context.Context) error {
	if err := errors.Join(c.Chain.Tend(ctx), c.Watch.Week(ctx)); err != nil {
		return fmt.Errorf("tend the activity: %w", err)
	}
	return nil
}

// room is how long something may take: so long, but not past the function's end.
func (c *Core) room(ctx context.Context, most time.Duration) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return min(most, max(0, deadline.Sub(c.now())-2*time.Second))
	}
	return most
}

func (c *Core) log() *slog.Logger {
	if c.parts.Log != nil {
		return c.parts.Log
	}
	return slog.New(slog.DiscardHandler)
}

// workJob does a slice of a job, whoever does jobs of its kind.
func (c *Core) workJob(ctx context.Context, w directory.WakeUp, deadline time.Time) error {
	j, err := c.parts.Store.Job(ctx, w.JobID)
	if errors.Is(err, directory.ErrNotFound) {
		return nil // expired since it was woken
	}
	if err != nil {
		return err
	}
	if !j.Known() {
		// Nothing is written to it, not even a try: the schedule wakes it until
		// who knows it comes by.
		InvocationOf(ctx).Set("skipped", "a newer version must do it")
		return nil
	}
	work := c.worker.Work
	if j.Kind == directory.JobVerify {
		work = c.Activity.Verifier.Work
	}
	again, delay, err := work(ctx, w.JobID, deadline)
	switch {
	case err != nil:
		return err
	case again:
		return wakes{c.parts.Queue}.WakeJob(ctx, w.ConnectionID, w.JobID, delay)
	case j.State == directory.JobDone || j.State == directory.JobFailed:
		return nil // it had ended before
	}
	if ended, err := c.parts.Store.Job(ctx, w.JobID); err == nil {
		countJob(ctx, &ended.Job)
	}
	return nil
}
