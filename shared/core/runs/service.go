package runs

import (
	"context"
	"errors"
	"iter"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Records are the records of runs.
type Records interface {
	CreateRun(ctx context.Context, act directory.AuditEvent, r *store.RunRecord) error
	Run(ctx context.Context, id directory.RunID) (store.RunRecord, error)
	ListRuns(ctx context.Context, c directory.ConnectionID, cursor string, limit int) ([]store.RunRecord, string, error)
	DecideRun(ctx context.Context, act directory.AuditEvent, r *store.RunRecord, notes ...store.Note) error
}

// Open lists the runs that have not ended.
type Open interface {
	OpenRuns(ctx context.Context, c directory.ConnectionID) ([]directory.RunID, error)
	RunsByID(ctx context.Context, ids []directory.RunID) (map[directory.RunID]store.RunRecord, error)
}

// Notes are what stands beside runs.
type Notes interface {
	Note(ctx context.Context, id directory.RunID, name string, v any) error
	Notes(ctx context.Context, id directory.RunID, prefix, after string) iter.Seq2[store.StoredNote, error]
}

// Changes are the changes of runs.
type Changes interface {
	Changes(ctx context.Context, r *store.RunRecord, cursor string, limit int) ([]directory.Change, string, error)
	// PlannedChunk reads a chunk as it was planned.
	PlannedChunk(ctx context.Context, id directory.RunID, chunk int) ([]directory.Change, error)
}

// Bindings are what runs work on.
type Bindings interface {
	Binding(ctx context.Context, u directory.UserID) (directory.Binding, error)
	Subjects(ctx context.Context, ids []directory.UserID) (map[directory.UserID]store.Subject, error)
	BindingsOf(ctx context.Context, c directory.ConnectionID, refs []directory.Ref) (map[directory.Ref]directory.Binding, error)
	UpdateBinding(ctx context.Context, act directory.AuditEvent, b *directory.Binding, mark, urgent bool) error
	ListProblems(ctx context.Context, c directory.ConnectionID, epoch int64, code, cursor string, limit int) ([]store.ProblemRecord, string, error)
}

// Leases read the lease of a connection: how fast the work on it can go.
type Leases interface {
	PeekLease(ctx context.Context, id directory.ConnectionID) (store.Lease, directory.Connection, error)
}

// Quota is what Microsoft allows the app.
type Quota interface {
	AppQuota(ctx context.Context) (directory.AppQuota, error)
}

// Stores are the records that a Service works on, by concern.
type Stores struct {
	Records  Records
	Open     Open
	Notes    Notes
	Changes  Changes
	Bindings Bindings
	Leases   Leases
	Quota    Quota
}

// StoresOf are those of a store.
func StoresOf(s *store.Store) Stores {
	return Stores{Records: s.Runs, Open: s.Runs, Notes: s.Runs, Changes: s.Runs, Bindings: s.Bindings, Leases: s.Leases, Quota: s.Quotas}
}

// Config is what a Service stands on. All of it is needed but Now.
type Config struct {
	Stores Stores
	// Wake asks for a slice of a connection after a delay.
	Wake func(ctx context.Context, id directory.ConnectionID, delay time.Duration) error
	Now  func() time.Time // nil means time.Now
}

// Service does what admins ask of runs. It needs no tenant: the work is done by
// the engine.
type Service struct {
	runs     Records
	open     Open
	notes    Notes
	changes  Changes
	bindings Bindings
	leases   Leases
	quota    Quota
	wake     func(ctx context.Context, id directory.ConnectionID, delay time.Duration) error
	now      func() time.Time
}

// New returns a Service.
func New(c Config) *Service {
	now := c.Now
	if now == nil {
		now = time.Now
	}
	st := c.Stores
	return &Service{runs: st.Records, open: st.Open, notes: st.Notes, changes: st.Changes, bindings: st.Bindings, leases: st.Leases, quota: st.Quota,
		wake: c.Wake, now: now}
}

// NewRecord is the record of a run that begins now.
func NewRecord(c directory.ConnectionID, epoch int64, now time.Time) store.RunRecord {
	var r store.RunRecord
	r.ID, r.ConnectionID, r.Epoch = directory.NewRunID(now), c, epoch
	r.Kind, r.State, r.StartedAt = directory.KindSync, directory.RunPlanning, now.UTC()
	r.Counts = map[directory.Effect]int{}
	return r
}

// EndDeactivated ends a run of an epoch that has passed.
func EndDeactivated(r *store.RunRecord, now time.Time) {
	r.State, r.EndedAt, r.Waiting = directory.RunCancelled, now.UTC(), nil
	r.Error = &directory.Problem{Code: directory.CodeConnectionDeactivated, Message: "The connection was deactivated before the run had ended.",
		Next: "Authorise the connection again and bind its users."}
}

// EndOpenRuns ends the runs of a connection's past epochs, which nobody will work on
// any more. A worker that still holds one finds its lease lost.
func (s *Service) EndOpenRuns(ctx context.Context, c *directory.Connection) error {
	ids, err := s.open.OpenRuns(ctx, c.ID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		_, err := s.move(ctx, directory.AuditEvent{}, id, func(r *store.RunRecord, now time.Time) ([]store.Note, error) {
			if r.Epoch >= c.Epoch || r.State.Ended() {
				return nil, errNothing
			}
			EndDeactivated(r, now)
			return nil, nil
		})
		if err != nil && !errors.Is(err, errNothing) && !errors.Is(err, directory.ErrNotFound) { // one may have expired
			return err
		}
	}
	return nil
}

var errNothing = errors.New("runs: nothing to do")

func (s *Service) move(ctx context.Context, act directory.AuditEvent, id directory.RunID, change func(*store.RunRecord, time.Time) ([]store.Note, error)) (directory.Run, error) {
	for {
		r, err := s.runs.Run(ctx, id)
		if err != nil {
			return directory.Run{}, err
		}
		notes, err := change(&r, s.now())
		if err != nil {
			return r.Run, err
		}
		if err := s.runs.DecideRun(ctx, act, &r, notes...); !errors.Is(err, directory.ErrStale) {
			return r.Run, err
		}
	}
}
