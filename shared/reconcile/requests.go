package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Runs is what admins ask of the engine: it starts, cancels and shows runs.
// It needs no tenant: the work is done by Engine.Slice.
type Runs struct {
	Store RunStore
	Wake  Wake
	Now   func() time.Time // nil means time.Now
}

func (s *Runs) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// RunStore is what Runs needs of package store.
type RunStore interface {
	Stand(ctx context.Context, id directory.ConnectionID) (store.Lease, directory.Connection, error)
	AppQuota(ctx context.Context) (store.AppQuota, error)
	CreateRun(ctx context.Context, r *store.RunRecord) error
	Run(ctx context.Context, id directory.RunID) (store.RunRecord, error)
	OpenRuns(ctx context.Context, c directory.ConnectionID) ([]directory.RunID, error)
	SaveRun(ctx context.Context, l *store.Lease, r *store.RunRecord) error
	Runs(ctx context.Context, c directory.ConnectionID, cursor string, limit int) ([]store.RunRecord, string, error)
	Changes(ctx context.Context, r *store.RunRecord, cursor string, limit int) ([]directory.Change, string, error)
}

// Request says what a run is to do. The zero Request is "sync now".
type Request struct {
	Kind    directory.RunKind // "" means sync
	DryRun  bool
	Full    bool
	UserIDs []directory.UserID
	// Settings plans with other settings than the connection's; only with DryRun.
	Settings *directory.Settings
	Trigger  directory.Trigger // "" means admin
	By       string            // subject of the caller
}

// MaxRunUsers is how many users a run may name.
const MaxRunUsers = 5000

// Start records a run and wakes the engine.
func (s *Runs) Start(ctx context.Context, c *directory.Connection, req Request) (directory.Run, error) {
	switch {
	case c.Status != directory.StatusActive && c.Status != directory.StatusNeedsAuthorization:
		return directory.Run{}, directory.Refuse(directory.ErrConflict, "connection-not-active",
			fmt.Sprintf("The connection %q is %s, so nothing can be synced.", c.Name, c.Status),
			"Authorise and confirm the connection first.")
	case req.Settings != nil && !req.DryRun:
		return directory.Run{}, directory.Refuse(directory.ErrInvalid, "settings-need-dry-run",
			"Other settings can be tried only in a dry run.", "Set dryRun to true, or change the connection's settings.")
	case len(req.UserIDs) > MaxRunUsers:
		return directory.Run{}, directory.Refuse(directory.ErrTooLarge, "too-many-users",
			fmt.Sprintf("A run may name at most %d users.", MaxRunUsers), "Leave userIds out to sync everybody, or split the list.")
	}
	for _, id := range req.UserIDs {
		if !id.Valid() {
			return directory.Run{}, directory.Refuse(directory.ErrInvalid, "invalid-user-id", fmt.Sprintf("%q is not the ID of a user.", string(id)),
				"IDs are those that GET /v1/users gives.")
		}
	}
	r := newRun(c.ID, c.Epoch, s.now())
	r.DryRun, r.Full, r.Settings, r.AskedBy = req.DryRun, req.Full, req.Settings, req.By
	r.UserIDs = slices.Compact(slices.Sorted(slices.Values(req.UserIDs)))
	if r.Trigger = req.Trigger; r.Trigger == "" {
		r.Trigger = directory.TriggerAdmin
	}
	if req.Kind != "" {
		r.Kind = req.Kind
	}
	if err := s.Store.CreateRun(ctx, &r); err != nil {
		return directory.Run{}, err
	}
	// The run stands in the table: a lost wake-up costs minutes, not the run.
	_ = s.Wake(ctx, c.ID, 0)
	return r.Run, nil
}

// Run returns a run.
func (s *Runs) Run(ctx context.Context, id directory.RunID) (directory.Run, error) {
	r, err := s.Store.Run(ctx, id)
	return r.Run, err
}

// List returns a connection's runs, newest first.
func (s *Runs) List(ctx context.Context, c directory.ConnectionID, cursor string, limit int) ([]directory.Run, string, error) {
	records, next, err := s.Store.Runs(ctx, c, cursor, limit)
	list := make([]directory.Run, len(records))
	for i := range records {
		list[i] = records[i].Run
	}
	return list, next, err
}

// Changes returns a page of a run's changes: its plan and its journal.
func (s *Runs) Changes(ctx context.Context, id directory.RunID, cursor string, limit int) ([]directory.Change, string, error) {
	r, err := s.Store.Run(ctx, id)
	if err != nil {
		return nil, "", err
	}
	return s.Store.Changes(ctx, &r, cursor, limit)
}

// Cancel ends a run that has not ended: nothing more of it is sent, except a
// batch that is under way. Cancelling an ended run is refused.
func (s *Runs) Cancel(ctx context.Context, id directory.RunID) (directory.Run, error) {
	return s.move(ctx, id, func(r *store.RunRecord, now time.Time) error {
		if r.State.Ended() {
			return directory.Refuse(directory.ErrConflict, "run-ended", "The run is "+string(r.State)+" already.", "")
		}
		r.State, r.EndedAt, r.Waiting = directory.RunCancelled, now.UTC(), nil
		return nil
	})
}

// Approve lets a held run go on with all of its changes. It says who allowed it;
// a change whose user has moved on since is dropped as outdated by itself.
func (s *Runs) Approve(ctx context.Context, id directory.RunID, by string) (directory.Run, error) {
	run, err := s.move(ctx, id, func(r *store.RunRecord, now time.Time) error {
		if r.State != directory.RunHeld {
			return directory.Refuse(directory.ErrConflict, "run-not-held", "The run is "+string(r.State)+", so there is nothing to approve.", "")
		}
		r.State, r.ApprovedBy, r.ApprovedAt = directory.RunApplying, by, now.UTC()
		return nil
	})
	if err == nil {
		_ = s.Wake(ctx, run.ConnectionID, 0) // the run stands in the table; the schedule wakes it otherwise
	}
	return run, err
}

// LetGo ends the runs of a connection's past epochs, which nobody will work on
// any more. A worker that still holds one finds its lease lost.
func (s *Runs) LetGo(ctx context.Context, c *directory.Connection) error {
	ids, err := s.Store.OpenRuns(ctx, c.ID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		_, err := s.move(ctx, id, func(r *store.RunRecord, now time.Time) error {
			if r.Epoch >= c.Epoch || r.State.Ended() {
				return errNothing
			}
			letGo(r, now)
			return nil
		})
		if err != nil && !errors.Is(err, errNothing) {
			return err
		}
	}
	return nil
}

var errNothing = errors.New("reconcile: nothing to do")

func (s *Runs) move(ctx context.Context, id directory.RunID, change func(*store.RunRecord, time.Time) error) (directory.Run, error) {
	for {
		r, err := s.Store.Run(ctx, id)
		if err != nil {
			return directory.Run{}, err
		}
		if err := change(&r, s.now()); err != nil {
			return r.Run, err
		}
		if err := s.Store.SaveRun(ctx, nil, &r); !errors.Is(err, directory.ErrStale) {
			return r.Run, err
		}
	}
}
