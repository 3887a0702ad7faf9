package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// markPatience is how old a mark must be before the schedule takes its wake-up
// for lost.
const markPatience = time.Minute

// Scheduler finds out, every few minutes, which connections and jobs have work
// that nobody is doing, and wakes them. It does none of the work itself.
type Scheduler struct {
	Store ScheduleStore
	Wake  Wake
	// WakeJob asks for a slice of a job.
	WakeJob func(ctx context.Context, job store.OpenJob) error
	// Tend is called with every connection, whatever its status: tokens that
	// nobody confirmed go, tokens that nobody uses are kept alive.
	Tend func(ctx context.Context, c *directory.Connection) error
	Now  func() time.Time // nil means time.Now
	Log  *slog.Logger
}

// ScheduleStore is what the Scheduler needs of package store.
type ScheduleStore interface {
	Connections(ctx context.Context, cursor string, limit int) ([]directory.Connection, string, error)
	Pending(ctx context.Context, c *directory.Connection, markedBefore time.Time) (store.Pending, error)
	OpenJobs(ctx context.Context) ([]store.OpenJob, error)
	JobStalled(ctx context.Context, id directory.JobID) (bool, error)
}

// Ticked counts what one tick did.
type Ticked struct{ Connections, Woken, Jobs, Failed int }

// Tick looks at every connection and open job once. A failure with one of them
// does not keep the others from their turn; all failures are returned together.
func (s *Scheduler) Tick(ctx context.Context) (Ticked, error) {
	var t Ticked
	var errs []error
	cursor := ""
	for {
		list, next, err := s.Store.Connections(ctx, cursor, 0)
		if err != nil {
			return t, errors.Join(append(errs, err)...)
		}
		for i := range list {
			t.Connections++
			woken, err := s.look(ctx, &list[i])
			if err != nil {
				t.Failed++
				errs = append(errs, err)
			}
			if woken {
				t.Woken++
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	jobs, err := s.Store.OpenJobs(ctx)
	if err != nil {
		errs = append(errs, err)
	}
	for _, j := range jobs {
		stalled, err := s.Store.JobStalled(ctx, j.ID)
		if err == nil && stalled {
			t.Jobs++
			err = s.WakeJob(ctx, j)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return t, errors.Join(errs...)
}

func (s *Scheduler) look(ctx context.Context, c *directory.Connection) (woken bool, err error) {
	tended := s.Tend(ctx, c) // its failure keeps nobody from syncing
	if !c.Authorized() {
		return false, tended
	}
	now := time.Now()
	if s.Now != nil {
		now = s.Now()
	}
	p, err := s.Store.Pending(ctx, c, now.Add(-markPatience))
	if err != nil || !s.hasWork(c, p, now) {
		return false, errors.Join(tended, err)
	}
	return true, errors.Join(tended, s.Wake(ctx, c.ID, 0))
}

// hasWork decides as the engine would: something stands open and nobody is at
// it, or the tenant is to be read again.
func (s *Scheduler) hasWork(c *directory.Connection, p store.Pending, now time.Time) bool {
	if p.Leased {
		return false
	}
	interval := time.Duration(c.Settings.Defaulted().Interval)
	return p.LeaseExpired || p.Runs > 0 || p.Marked || now.Sub(p.ReadAt) >= interval-15*time.Second
}
