package crashtest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"bindery/infra/stack"
	"bindery/shared/core/audit"
	"bindery/shared/core/jobs"
	"bindery/shared/directory"
)

// bulletins are the notices that were published.
type bulletins struct {
	mu   sync.Mutex
	list []directory.Notification
}

// Publish keeps notices.
func (b *bulletins) Publish(_ context.Context, list ...directory.Notification) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append(b.list, list...)
	return nil
}

// proof demands that what was done is linked in the end, and that a verification
// of it finds nothing: whatever went wrong, nobody has tampered with anything.
func (w *World) proof(ctx context.Context) error {
	c := w.process(stack.Drivers{Table: w.table, Vault: w.vault, Queue: wiredQueue{&mailbox{}, &line{}}})
	for range 3 {
		time.Sleep(90 * time.Minute)
		if err := c.Chain.Tend(ctx); err != nil {
			return fmt.Errorf("link what was done: %w", err)
		}
	}
	j, err := c.Activity.StartVerify(ctx, admin, audit.VerifyRequest{})
	if err != nil {
		return err
	}
	rec, err := w.store.Jobs.Job(ctx, j.ID)
	for ; err == nil && !jobs.Ended(rec.State); rec, err = w.store.Jobs.Job(ctx, j.ID) {
		if err := c.Work(ctx, directory.WakeUp{JobID: j.ID}.Encode()); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if rec.State != directory.JobDone || rec.RefusedCount > 0 || rec.Counts["entries"] == 0 || rec.Counts["oldForm"] > 0 {
		found, _, _ := w.store.Jobs.Refused(ctx, j.ID, "")
		return fmt.Errorf("the verification is %s (%w), with %v: %v", rec.State, rec.Error, rec.Counts, found)
	}
	w.told.mu.Lock()
	defer w.told.mu.Unlock()
	for _, n := range w.told.list {
		if n.Type == directory.NotificationTampered {
			return fmt.Errorf("told: %s", n.Text)
		}
	}
	return nil
}
