package roster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"bindery/shared/core/incident"
	"bindery/shared/directory"
	"bindery/shared/store"
)

const (
	// maxAttempts is how many slices a job may fail in without any progress.
	maxAttempts = 5
	// jobLease outlives a step, and is renewed by the save after each.
	jobLease = 90 * time.Second
	// stepTime bounds one step, so that it ends well before the lease does.
	stepTime = 60 * time.Second
	// sliceTime is how long a slice without a deadline lasts.
	sliceTime = 2 * time.Minute
	// sliceMargin before the deadline no further step is begun.
	sliceMargin = 5 * time.Second
	// patience is how long a job waits for a tenant that does not answer.
	patience = 24 * time.Hour
	// maxPart is how large one stored part of a job's input is.
	maxPart = 250 << 10
	// MaxBody is how large the body of a request may be, in bytes. Lambda takes 6 MB
	// of JSON, in which a body that is no text is in base64, four bytes for
	// three, beside at most 10 KB of headers and what is made of them. A
	// larger file is uploaded.
	MaxBody = 4_400_000
)

// UploadInstead says what to do with a file that is larger than MaxBody.
const UploadInstead = "Upload the file instead: POST /v1/uploads with its size gives the request to store it with, and POST /v1/users:load?upload={id} loads it from there."

// outcome is what one step did. The job's cursor, Done and Counts are edited
// in place.
type outcome struct {
	refused []directory.RefusedItem
	ended   bool
}

// JobPage is a job with one page of what it refused.
type JobPage struct {
	directory.Job
	Refused []directory.RefusedItem `json:"refused"`
	Next    string                  `json:"next,omitempty"`
}

// Job returns a job's progress and a page of the elements that it refused.
func (s *Service) Job(ctx context.Context, id directory.JobID, cursor string) (JobPage, error) {
	j, err := s.Store.Job(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		return JobPage{}, directory.Refuse(directory.ErrNotFound, "job-not-found", fmt.Sprintf("There is no job %q.", id), "")
	}
	if err != nil {
		return JobPage{}, err
	}
	refused, next, err := s.Store.Refused(ctx, id, cursor)
	if refused == nil {
		refused = []directory.RefusedItem{}
	}
	return JobPage{Job: j.Job, Refused: refused, Next: next}, err
}

// newJob stores a job and asks for its first slice.
func (s *Service) newJob(ctx context.Context, kind directory.JobKind, conn directory.ConnectionID, by Caller, input any, total int, parts [][]byte) (directory.Job, error) {
	j, err := s.jobRecord(kind, conn, by, input, total)
	if err != nil {
		return directory.Job{}, err
	}
	return s.startJob(ctx, j, parts)
}

// startJob stores a job that is ready and asks for its first slice.
func (s *Service) startJob(ctx context.Context, j store.JobRecord, parts [][]byte) (directory.Job, error) {
	if err := s.Store.CreateJob(ctx, directory.Act{}, &j, parts...); err != nil {
		return directory.Job{}, err
	}
	s.wakeJob(ctx, &j)
	return j.Job, nil
}

// jobRecord is a job that is not stored yet.
func (s *Service) jobRecord(kind directory.JobKind, conn directory.ConnectionID, by Caller, input any, total int) (store.JobRecord, error) {
	raw, err := json.Marshal(input)
	if err != nil {
		return store.JobRecord{}, fmt.Errorf("job input: %w", err)
	}
	now := s.now().UTC()
	return store.JobRecord{Job: directory.Job{
		ID: directory.NewJobID(now), Kind: kind, ConnectionID: conn, State: directory.JobQueued,
		Total: total, AskedBy: by.Subject, Created: now, Updated: now,
	}, Input: raw}, nil
}

// Work does a slice of a job: steps until the job ends or the deadline is
// near. again says that another slice is needed, after delay. A job that
// somebody else works on is left to that worker; the schedule looks after jobs
// whose worker died. A failing try is logged, counted and tried again; the
// error is one of the table, when not even that could be noted.
func (s *Service) Work(ctx context.Context, id directory.JobID, deadline time.Time) (again bool, delay time.Duration, err error) {
	lease, j, err := s.Store.AcquireJob(ctx, id, jobLease)
	switch {
	case errors.Is(err, store.ErrLeaseHeld), errors.Is(err, directory.ErrNotFound):
		return false, 0, nil
	case err != nil:
		return false, 0, err
	}
	if j.State == directory.JobDone || j.State == directory.JobFailed {
		return false, 0, nil
	}
	w := &jobWorker{Service: s, lease: lease, job: &j}
	defer w.closeSheet()
	// The attempt is counted before anything is tried, so that a slice that
	// kills its process is counted as well.
	j.State = directory.JobRunning
	j.Attempts++
	if j.Attempts > maxAttempts {
		return w.end(ctx, &directory.Problem{
			Code: "gave-up", Message: "The job made no progress in " + fmt.Sprint(maxAttempts) + " tries" + cause(j.Error),
			Next: "See the log, and start it again: what is done already is not done twice.", Attempts: maxAttempts, Incident: incidentOf(j.Error),
		})
	}
	if err := s.Store.SaveJob(ctx, lease, &j, nil, jobLease); err != nil {
		return w.saved(false, 0, err)
	}
	if deadline.IsZero() {
		deadline = s.now().Add(sliceTime)
	}
	for tried := false; ; tried = true {
		if s.now().Add(sliceMargin).After(deadline) {
			if !tried {
				j.Attempts--
			}
			return w.pause(ctx, 0)
		}
		out, err := w.step(ctx, deadline)
		if err != nil {
			return w.fail(ctx, err)
		}
		j.Attempts, j.Error = 0, nil
		if out.ended {
			j.State, j.Ended = directory.JobDone, s.now().UTC()
			return w.saved(false, 0, s.Store.SaveJob(ctx, lease, &j, out.refused, 0))
		}
		if err := s.Store.SaveJob(ctx, lease, &j, out.refused, jobLease); err != nil {
			return w.saved(false, 0, err)
		}
	}
}

func cause(p *directory.Problem) string {
	if p == nil {
		return "."
	}
	return ": " + p.Sentence()
}

func incidentOf(p *directory.Problem) string {
	if p == nil {
		return ""
	}
	return p.Incident
}

// jobWorker is one slice of one job.
type jobWorker struct {
	*Service
	lease store.JobLease
	job   *store.JobRecord
	// What a slice remembers of one step for the next.
	page *accountPage
	// pictured counts the pictures that Microsoft let us ask for, forbidden those in
	// a row that it did not.
	pictured, forbidden int
	seen                map[uint64]struct{} // hashes of the accounts that an import has dealt with
	input               []byte
	inputAt             int
	file                *file // of a load
	layout              layout
	rows                rowReader
	repeats             *repeats // of a check
	book                *book    // whose sheet is being unpacked
}

// step does one step of the job's kind on a copy, so that a failing step
// leaves the counts and the cursor alone.
func (w *jobWorker) step(ctx context.Context, deadline time.Time) (outcome, error) {
	room := min(stepTime, deadline.Sub(w.now()))
	ctx, cancel := context.WithTimeout(ctx, room)
	defer cancel()
	ctx = store.Acting(ctx, directory.Act{Kind: string(w.job.Kind), By: w.job.By(), JobID: w.job.ID, ConnectionID: w.job.ConnectionID})
	kept := *w.job
	w.job.Counts = maps.Clone(kept.Counts)
	if w.job.Counts == nil {
		w.job.Counts = map[string]int{}
	}
	var out outcome
	var err error
	switch w.job.Kind {
	case directory.JobImport:
		out, err = w.importStep(ctx)
	case directory.JobBind:
		out, err = w.bindStep(ctx)
	case directory.JobLoad, directory.JobCheck:
		out, err = w.loadStep(ctx)
	case directory.JobPhotos:
		out, err = w.photoStep(ctx)
	case directory.JobAddresses:
		out, err = w.addressStep(ctx)
	default:
		err = directory.Refuse(directory.ErrInvalid, "unknown-job", fmt.Sprintf("Nobody does jobs of kind %q.", w.job.Kind), "")
	}
	if err != nil {
		*w.job = kept
	}
	return out, err
}

// fail ends the job when trying again cannot help, and else puts it off.
func (w *jobWorker) fail(ctx context.Context, err error) (bool, time.Duration, error) {
	// Behind a step that went well, this is the first try of the next one.
	w.job.Attempts = max(w.job.Attempts, 1)
	var refusal *directory.Refusal
	var throttled *directory.ThrottledError
	var problem *directory.Problem
	switch {
	case errors.Is(err, directory.ErrLeaseLost):
		return false, 0, nil
	case errors.As(err, &problem) && problem.Code == directory.CodePagingLoop && w.job.Kind == directory.JobImport:
		return w.rest(ctx, problem)
	case errors.As(err, &throttled):
		w.job.Attempts-- // the tenant's answer is no failure of ours
		return w.pause(ctx, max(throttled.RetryAfter, time.Second))
	case errors.Is(err, directory.ErrUnavailable) && w.now().Sub(w.job.Created) < patience:
		w.job.Attempts--
		w.log().Warn("tenant does not answer; the job waits", "job", w.job.ID, "error", err)
		return w.pause(ctx, time.Minute)
	case errors.Is(err, directory.ErrUnauthorized):
		return w.end(ctx, &directory.Problem{
			Code: "needs-authorization", Message: "Microsoft does not accept the connection's authorisation any more.",
			Next: "Authorise the connection again, then start the job again: what is done already is not done twice.",
		})
	case errors.As(err, &refusal) && !errors.Is(err, directory.ErrBusy):
		return w.end(ctx, &directory.Problem{Code: refusal.Code, Message: refusal.Detail, Next: refusal.Next})
	}
	shown := *incident.ProblemOf(ctx, w.log(), slog.LevelWarn, "try of a job failed", err, directory.Problem{Message: "It was an error of Bindery's own."},
		"job", w.job.ID, "kind", w.job.Kind, "attempt", w.job.Attempts)
	shown.Code, shown.Message, shown.Attempts = "try-failed", "The last try did not succeed. "+shown.Message, w.job.Attempts
	shown.Next, shown.Steps = "Nothing; it is tried again.", nil
	w.job.Error = &shown
	return w.pause(ctx, 5*time.Second<<(w.job.Attempts-1))
}

// pause gives the lease back until the next slice.
func (w *jobWorker) pause(ctx context.Context, delay time.Duration) (bool, time.Duration, error) {
	return w.saved(true, delay, w.Store.SaveJob(context.WithoutCancel(ctx), w.lease, w.job, nil, 0))
}

func (w *jobWorker) end(ctx context.Context, p *directory.Problem) (bool, time.Duration, error) {
	w.job.State, w.job.Error, w.job.Ended = directory.JobFailed, p, w.now().UTC()
	ctx = context.WithoutCancel(ctx)
	err := w.Store.SaveJob(ctx, w.lease, w.job, nil, 0)
	if err == nil {
		w.abandon(ctx)
	}
	return w.saved(false, 0, err)
}

// saved sorts the error of a save: a lease that somebody else has now ends the
// slice quietly; after anything else our own lease must run out first.
func (w *jobWorker) saved(again bool, delay time.Duration, err error) (bool, time.Duration, error) {
	switch {
	case err == nil:
		return again, delay, nil
	case errors.Is(err, directory.ErrLeaseLost):
		return false, 0, nil
	}
	w.log().Warn("job not saved; what it did is done again", "job", w.job.ID, "error", err)
	return true, jobLease, nil
}

// slicer cuts a list into JSON arrays that fit into parts of a job's input.
func slicer[T any](list []T) ([][]byte, error) {
	var parts [][]byte
	var part []byte
	for _, v := range list {
		data, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("job input: %w", err)
		}
		if part != nil && len(part)+len(data)+2 > maxPart {
			parts, part = append(parts, append(part, ']')), nil
		}
		if part == nil {
			part = append(part, '[')
		} else {
			part = append(part, ',')
		}
		part = append(part, data...)
	}
	if part != nil {
		parts = append(parts, append(part, ']'))
	}
	return parts, nil
}

// place is where a worker stands in the parts of a job's input.
type place struct {
	Part  int `json:"part"`
	Index int `json:"index"`
}

// window reads up to n elements of the job's input from a place, and the place
// behind them; none when the input has ended.
func window[T any](ctx context.Context, w *jobWorker, at place, n int) ([]T, place, error) {
	for at.Part < w.job.Inputs {
		if w.input == nil || w.inputAt != at.Part {
			data, err := w.Store.JobInput(ctx, w.job, at.Part)
			if err != nil {
				return nil, at, err
			}
			w.input, w.inputAt = data, at.Part
		}
		var all []T
		if err := json.Unmarshal(w.input, &all); err != nil {
			return nil, at, fmt.Errorf("job input %d: %w", at.Part, err)
		}
		if at.Index >= len(all) {
			at = place{Part: at.Part + 1}
			continue
		}
		end := min(at.Index+n, len(all))
		return slices.Clone(all[at.Index:end]), place{at.Part, end}, nil
	}
	return nil, at, nil
}

// cursor reads the job's place, into the zero value at the start.
func (w *jobWorker) cursor(v any) error {
	if w.job.Cursor == nil {
		return nil
	}
	return json.Unmarshal(w.job.Cursor, v)
}

func (w *jobWorker) saveCursor(v any) error {
	data, err := json.Marshal(v)
	w.job.Cursor = data
	return err
}

// count adds to the job's outcomes.
func (w *jobWorker) count(what string, n int) {
	if n != 0 {
		w.job.Counts[what] += n
	}
}

// tell adds a note to those of the job, and keeps it small.
func (w *jobWorker) tell(n directory.JobNote) {
	if r := []rune(n.Detail); len(r) > 300 {
		n.Detail = string(r[:300]) + "…"
	}
	w.job.Note(n)
}

// short keeps what a job reports of one element small: a list of hundreds of
// domains, a thousand times over, would not fit into the table.
func short(items []directory.RefusedItem) []directory.RefusedItem {
	for i := range items {
		if r := []rune(items[i].Detail); len(r) > 300 {
			items[i].Detail = string(r[:300]) + "…"
		}
	}
	return items
}
