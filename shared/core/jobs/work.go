package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

const (
	// MaxAttempts is how many slices a job may fail in without any progress.
	MaxAttempts = 5
	// LeaseTime outlives a step, and is renewed by the save after each.
	LeaseTime = 90 * time.Second
	// Patience is how long a job waits for a tenant that does not answer.
	Patience = 24 * time.Hour
	// stepTime bounds one step, so that it ends well before the lease does.
	stepTime = 60 * time.Second
	// sliceTime is how long a slice without a deadline lasts.
	sliceTime = 2 * time.Minute
	// sliceMargin before the deadline no further step is begun.
	sliceMargin = 5 * time.Second
)

// Kind opens the worker of one slice of a job.
type Kind func(j *Job) Worker

// Worker does the steps of one slice of one job. What it remembers of one step
// serves the next. One that holds something open is an io.Closer as well, and is
// closed at the slice's end.
type Worker interface {
	// Step does the next step from the job's place, and moves that on.
	Step(ctx context.Context, j *Job) (Result, error)
}

// Abandoner is a Worker that has something to clear away when its job failed.
type Abandoner interface {
	Abandon(ctx context.Context, j *Job)
}

// Result is what a step came to, besides what it noted on the job.
type Result struct {
	Refused []directory.RefusedItem
	Ended   bool // the job is done
	// Next is what a further step may take: with less left of the slice's time, the
	// rest is left to another one. 0 means what steps usually take.
	Next time.Duration
}

// workStore is what working on jobs needs of the store.
type workStore interface {
	AcquireJob(ctx context.Context, id directory.JobID, ttl time.Duration) (store.JobLease, store.JobRecord, error)
	SaveJob(ctx context.Context, l store.JobLease, j *store.JobRecord, refused []directory.RefusedItem, ttl time.Duration) error
	JobInput(ctx context.Context, j *store.JobRecord, n int) ([]byte, error)
	AddJobInput(ctx context.Context, l store.JobLease, j *store.JobRecord, n int, part []byte, ttl time.Duration) error
}

// RunnerConfig is what a Runner stands on.
type RunnerConfig struct {
	Store workStore
	Kinds map[directory.JobKind]Kind
	Now   func() time.Time // nil means time.Now
	Log   *slog.Logger     // nil means silence
}

// Runner works on jobs. It may be used by many goroutines.
type Runner struct {
	store workStore
	kinds map[directory.JobKind]Kind
	now   func() time.Time
	log   *slog.Logger
}

// NewRunner returns a Runner of the kinds that a process knows.
func NewRunner(cfg RunnerConfig) *Runner {
	r := &Runner{store: cfg.Store, kinds: cfg.Kinds, now: cfg.Now, log: cfg.Log}
	if r.now == nil {
		r.now = time.Now
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	return r
}

// Work does a slice of a job: steps until the job ends or the deadline is
// near. again says that another slice is needed, after delay. A job that
// somebody else works on is left to that worker; the schedule looks after jobs
// whose worker died. A failing try is logged, counted and tried again; the
// error is one of the table, when not even that could be noted.
func (r *Runner) Work(ctx context.Context, id directory.JobID, deadline time.Time) (again bool, delay time.Duration, err error) {
	lease, rec, err := r.store.AcquireJob(ctx, id, LeaseTime)
	if errors.Is(err, store.ErrLeaseHeld) || errors.Is(err, directory.ErrNotFound) {
		return false, 0, nil
	}
	if err != nil {
		return false, 0, err
	}
	if Ended(rec.State) {
		return false, 0, nil
	}
	s := &slice{runner: r, job: &Job{JobRecord: &rec, store: r.store, lease: lease}}
	defer s.close()
	return s.work(ctx, deadline)
}

// slice is one slice of one job.
type slice struct {
	runner *Runner
	job    *Job
	worker Worker // nil before the first step
}

func (s *slice) work(ctx context.Context, deadline time.Time) (bool, time.Duration, error) {
	j := s.job
	// The attempt is counted before anything is tried, so that a slice that
	// kills its process is counted as well.
	j.State = directory.JobRunning
	j.Attempts++
	if j.Attempts > MaxAttempts {
		return s.end(ctx, gaveUp(j.Error))
	}
	if err := s.save(ctx, nil, LeaseTime); err != nil {
		return s.saved(false, 0, err)
	}
	if deadline.IsZero() {
		deadline = s.runner.now().Add(sliceTime)
	}
	margin := sliceMargin
	for tried := false; ; tried = true {
		if s.runner.now().Add(margin).After(deadline) {
			if !tried {
				j.Attempts--
			}
			return s.pause(ctx, 0)
		}
		result, err := s.step(ctx, deadline)
		if err != nil {
			return s.fail(ctx, err)
		}
		j.Attempts, j.Error = 0, nil
		if result.Ended {
			j.State, j.Ended = directory.JobDone, s.runner.now().UTC()
			return s.saved(false, 0, s.save(ctx, result.Refused, 0))
		}
		if err := s.save(ctx, result.Refused, LeaseTime); err != nil {
			return s.saved(false, 0, err)
		}
		margin = max(sliceMargin, result.Next)
	}
}

// step does one step of the job's kind on a copy, so that a failing step
// leaves the counts and the place alone.
func (s *slice) step(ctx context.Context, deadline time.Time) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, min(stepTime, deadline.Sub(s.runner.now())))
	defer cancel()
	if s.worker == nil {
		open, known := s.runner.kinds[s.job.Kind]
		if !known {
			return Result{}, directory.Refuse(directory.ErrInvalid, directory.CodeUnknownJob, fmt.Sprintf("Nobody does jobs of kind %q.", s.job.Kind), "")
		}
		s.worker = open(s.job)
	}
	kept := *s.job.JobRecord
	s.job.Counts = maps.Clone(kept.Counts)
	if s.job.Counts == nil {
		s.job.Counts = map[string]int{}
	}
	result, err := s.worker.Step(ctx, s.job)
	if err != nil {
		*s.job.JobRecord = kept
	}
	return result, err
}

func (s *slice) save(ctx context.Context, refused []directory.RefusedItem, ttl time.Duration) error {
	return s.runner.store.SaveJob(ctx, s.job.lease, s.job.JobRecord, refused, ttl)
}

// pause gives the lease back until the next slice.
func (s *slice) pause(ctx context.Context, delay time.Duration) (bool, time.Duration, error) {
	return s.saved(true, delay, s.save(context.WithoutCancel(ctx), nil, 0))
}

// end ends the job as failed.
func (s *slice) end(ctx context.Context, p *directory.Problem) (bool, time.Duration, error) {
	s.job.State, s.job.Error, s.job.Ended = directory.JobFailed, p, s.runner.now().UTC()
	ctx = context.WithoutCancel(ctx)
	err := s.save(ctx, nil, 0)
	if err == nil {
		s.abandon(ctx)
	}
	return s.saved(false, 0, err)
}

// abandon has the worker clear away what a failed job leaves.
func (s *slice) abandon(ctx context.Context) {
	if s.worker == nil {
		open, known := s.runner.kinds[s.job.Kind]
		if !known {
			return
		}
		s.worker = open(s.job)
	}
	if a, ok := s.worker.(Abandoner); ok {
		a.Abandon(ctx, s.job)
	}
}

// saved sorts the error of a save: a lease that somebody else has now ends the
// slice quietly; after anything else our own lease must run out first.
func (s *slice) saved(again bool, delay time.Duration, err error) (bool, time.Duration, error) {
	if err == nil {
		return again, delay, nil
	}
	if errors.Is(err, directory.ErrLeaseLost) {
		return false, 0, nil
	}
	s.runner.log.Warn("job not saved; what it did is done again", "jobId", s.job.ID, "error", err)
	return true, LeaseTime, nil
}

func (s *slice) close() {
	c, ok := s.worker.(interface{ Close() error })
	if !ok {
		return
	}
	if err := c.Close(); err != nil {
		s.runner.log.Warn("a job's worker was not closed", "jobId", s.job.ID, "error", err)
	}
}
