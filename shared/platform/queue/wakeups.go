package queue

import (
	"context"
	"fmt"
	"time"

	"bindery/shared/directory"
)

// WakeUps sends wake-ups to those who wait for them. A function that may not wake
// one of them has no queue for it, and is told so by directory.ErrForbidden.
type WakeUps struct {
	Work   Queue // wakes sync
	Loads  Queue // wakes load
	Sweeps Queue // wakes deactivate
}

// Send queues a wake-up for sync.
func (w WakeUps) Send(ctx context.Context, up directory.WakeUp, delay time.Duration) error {
	if w.Work == nil {
		return errNoWork
	}
	return w.Work.Send(ctx, up.Encode(), delay)
}

// SendAll queues wake-ups for sync, without delay. On an error some may have been
// queued.
func (w WakeUps) SendAll(ctx context.Context, list []directory.WakeUp) error {
	if w.Work == nil {
		return errNoWork
	}
	messages := make([]Message, len(list))
	for i, up := range list {
		messages[i].Body = up.Encode()
	}
	return w.Work.SendMany(ctx, messages)
}

// SendLoad queues a wake-up for load.
func (w WakeUps) SendLoad(ctx context.Context, up directory.WakeUp, delay time.Duration) error {
	if w.Loads == nil {
		return errNoLoads
	}
	return w.Loads.Send(ctx, up.Encode(), delay)
}

// SendSweep queues a wake-up for deactivate.
func (w WakeUps) SendSweep(ctx context.Context, up directory.WakeUp, delay time.Duration) error {
	if w.Sweeps == nil {
		return errNoSweeps
	}
	return w.Sweeps.Send(ctx, up.Encode(), delay)
}

var (
	errNoWork   = fmt.Errorf("queue: this function may not wake sync: %w", directory.ErrForbidden)
	errNoLoads  = fmt.Errorf("queue: this function may not wake load: %w", directory.ErrForbidden)
	errNoSweeps = fmt.Errorf("queue: this function may not ask for a sweep: %w", directory.ErrForbidden)
)
