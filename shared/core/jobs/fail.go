package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"bindery/shared/core/incident"
	"bindery/shared/directory"
)

// Rest is the error of a step that cannot go on before some time has passed. The
// job shows the problem meanwhile, and goes on from Place.
type Rest struct {
	Problem *directory.Problem
	For     time.Duration
	Place   any // JSON
}

func (r *Rest) Error() string { return fmt.Sprintf("rests for %s: %s", r.For, r.Problem.Message) }

// Failure is the error of a step by which its job fails.
type Failure struct{ Problem *directory.Problem }

func (f *Failure) Error() string { return f.Problem.Message }

// fail ends the job when trying again cannot help, and else puts it off.
func (s *slice) fail(ctx context.Context, err error) (bool, time.Duration, error) {
	if errors.Is(err, directory.ErrLeaseLost) {
		return false, 0, nil
	}
	// Behind a step that went well, this is the first try of the next one.
	s.job.Attempts = max(s.job.Attempts, 1)
	if rest, ok := errors.AsType[*Rest](err); ok {
		return s.rest(ctx, rest)
	}
	if failure, ok := errors.AsType[*Failure](err); ok {
		return s.end(ctx, failure.Problem)
	}
	if throttled, ok := errors.AsType[*directory.ThrottledError](err); ok {
		s.job.Attempts-- // the tenant's answer is no failure of ours
		return s.pause(ctx, max(throttled.RetryAfter, time.Second))
	}
	if errors.Is(err, directory.ErrUnavailable) && s.runner.now().Sub(s.job.Created) < Patience {
		s.job.Attempts--
		s.runner.log.Warn("tenant does not answer; the job waits", "jobId", s.job.ID, "error", err)
		return s.pause(ctx, time.Minute)
	}
	if errors.Is(err, directory.ErrUnauthorized) {
		return s.end(ctx, &directory.Problem{
			Code: directory.CodeNeedsAuthorization, Message: "Microsoft does not accept the connection's authorisation any more.",
			Next: "Authorise the connection again, then start the job again: what is done already is not done twice.",
		})
	}
	if refusal, ok := errors.AsType[*directory.Refusal](err); ok && !errors.Is(err, directory.ErrBusy) {
		return s.end(ctx, &directory.Problem{Code: refusal.Code, Message: refusal.Detail, Next: refusal.Next})
	}
	s.job.Error = s.tryFailed(ctx, err)
	return s.pause(ctx, 5*time.Second<<(s.job.Attempts-1))
}

// rest puts the job off as its step asks for.
func (s *slice) rest(ctx context.Context, r *Rest) (bool, time.Duration, error) {
	if err := s.job.SetPlace(r.Place); err != nil {
		return s.end(ctx, r.Problem)
	}
	s.job.Attempts--
	s.job.Error = r.Problem
	return s.pause(ctx, r.For)
}

// tryFailed is what a job shows of an error that may pass.
func (s *slice) tryFailed(ctx context.Context, err error) *directory.Problem {
	p := *incident.ProblemOf(ctx, s.runner.log, slog.LevelWarn, "try of a job failed", err, directory.Problem{Message: "It was an error of Bindery's own."},
		"jobId", s.job.ID, "kind", s.job.Kind, "attempt", s.job.Attempts)
	p.Code, p.Message, p.Attempts = directory.CodeTryFailed, "The last try did not succeed. "+p.Message, s.job.Attempts
	p.Next, p.Steps = "Nothing; it is tried again.", nil
	return &p
}

// gaveUp is why a job has failed that made no progress; last is the error of its
// last try, or nil.
func gaveUp(last *directory.Problem) *directory.Problem {
	p := &directory.Problem{
		Code: directory.CodeGaveUp, Message: fmt.Sprintf("The job made no progress in %d tries.", MaxAttempts),
		Next: "See the log, and start it again: what is done already is not done twice.", Attempts: MaxAttempts,
	}
	if last != nil {
		p.Message = fmt.Sprintf("The job made no progress in %d tries: %s", MaxAttempts, last.Sentence())
		p.Incident = last.Incident
	}
	return p
}
