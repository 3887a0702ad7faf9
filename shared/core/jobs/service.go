package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Waker asks for a slice of a job. The work stands in the table: a wake-up that
// is lost costs minutes, until the schedule comes by.
type Waker interface {
	WakeJob(ctx context.Context, j *directory.Job, delay time.Duration) error
}

// records are what starting and reading jobs needs of the store.
type records interface {
	CreateJob(ctx context.Context, act directory.AuditEvent, j *store.JobRecord, inputs ...[]byte) error
	CreateLoad(ctx context.Context, act directory.AuditEvent, j *store.JobRecord, id directory.UploadID) error
	Job(ctx context.Context, id directory.JobID) (store.JobRecord, error)
	Refused(ctx context.Context, id directory.JobID, cursor string) ([]directory.RefusedItem, string, error)
	ListJobs(ctx context.Context, c directory.ConnectionID, after string, limit int) ([]store.JobRecord, string, error)
	OpenJobs(ctx context.Context) ([]store.OpenJob, error)
	JobsByID(ctx context.Context, ids []directory.JobID) (map[directory.JobID]store.JobRecord, error)
}

// Config is what a Service stands on.
type Config struct {
	Store records
	Wake  Waker
	Now   func() time.Time // nil means time.Now
	Log   *slog.Logger     // nil means silence
}

// Service starts jobs and shows them. It may be used by many goroutines.
type Service struct {
	store records
	waker Waker
	now   func() time.Time
	log   *slog.Logger
}

// New returns a Service.
func New(cfg Config) *Service {
	s := &Service{store: cfg.Store, waker: cfg.Wake, now: cfg.Now, log: cfg.Log}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Order is a job to be started.
type Order struct {
	// ID of the job; "" means a new one.
	ID           directory.JobID
	Kind         directory.JobKind
	ConnectionID directory.ConnectionID
	ScimClientID directory.ScimClientID // of a job about a client, for who looks at it
	By           directory.Caller       // the zero Caller when nobody asks
	// Audit is the kind of the caller's act; "" when there is none.
	Audit  directory.AuditKind
	Detail string // what the act is to say, for people
	// Input is kept as JSON; nil is none. Parts lie beside it (Parts).
	Input any
	Parts [][]byte
	Total int                   // how many elements there are, when that is known
	File  *directory.LoadedFile // what is known of its file
	// Upload is the uploaded file that the job uses up; a file is used once, and
	// directory.ErrConflict says that another job has it.
	Upload directory.UploadID
}

// Start stores a job and asks for its first slice.
func (s *Service) Start(ctx context.Context, o Order) (directory.Job, error) {
	now := s.now().UTC()
	if o.ID == "" {
		o.ID = directory.NewJobID(now)
	}
	j := store.JobRecord{Job: directory.Job{
		ID: o.ID, Kind: o.Kind, ConnectionID: o.ConnectionID, ScimClientID: o.ScimClientID, State: directory.JobQueued,
		Total: o.Total, File: o.File, AskedBy: o.By.Subject, Created: now, Updated: now,
	}}
	if o.Input != nil {
		input, err := json.Marshal(o.Input)
		if err != nil {
			return directory.Job{}, fmt.Errorf("job input: %w", err)
		}
		j.Input = input
	}
	if err := s.create(ctx, &j, &o); err != nil {
		return directory.Job{}, err
	}
	if err := s.waker.WakeJob(ctx, &j.Job, 0); err != nil {
		s.log.Warn("wake-up not sent; the schedule makes up for it", "jobId", j.ID, "error", err)
	}
	return j.Job, nil
}

func (s *Service) create(ctx context.Context, j *store.JobRecord, o *Order) error {
	act := o.By.AuditEvent(o.Audit)
	act.Detail = o.Detail
	if o.Upload != "" {
		return s.store.CreateLoad(ctx, act, j, o.Upload)
	}
	return s.store.CreateJob(ctx, act, j, o.Parts...)
}

// Page is a job with one page of what it refused.
type Page struct {
	directory.Job
	Refused []directory.RefusedItem `json:"refused"`
	Next    string                  `json:"next,omitempty"`
}

// Get returns a job's progress and a page of the elements that it refused.
func (s *Service) Get(ctx context.Context, id directory.JobID, cursor string) (Page, error) {
	j, err := s.store.Job(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		return Page{}, directory.Refuse(directory.ErrNotFound, directory.CodeJobNotFound, fmt.Sprintf("There is no job %q.", id), "")
	}
	if err != nil {
		return Page{}, err
	}
	refused, next, err := s.store.Refused(ctx, id, cursor)
	if refused == nil {
		refused = []directory.RefusedItem{}
	}
	return Page{Job: j.Job, Refused: refused, Next: next}, err
}

// Find returns the record of a job; directory.ErrNotFound.
func (s *Service) Find(ctx context.Context, id directory.JobID) (directory.Job, error) {
	j, err := s.store.Job(ctx, id)
	return j.Job, err
}

// Ended reports whether a job in a state is over.
func Ended(s directory.JobState) bool { return s == directory.JobDone || s == directory.JobFailed }
