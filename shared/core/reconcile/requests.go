package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bindery/shared/core/plan"
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
	PeekLease(ctx context.Context, id directory.ConnectionID) (store.Lease, directory.Connection, error)
	AppQuota(ctx context.Context) (store.AppQuota, error)
	CreateRun(ctx context.Context, act directory.Act, r *store.RunRecord) error
	Run(ctx context.Context, id directory.RunID) (store.RunRecord, error)
	OpenRuns(ctx context.Context, c directory.ConnectionID) ([]directory.RunID, error)
	RunsByID(ctx context.Context, ids []directory.RunID) (map[directory.RunID]store.RunRecord, error)
	DecideRun(ctx context.Context, act directory.Act, r *store.RunRecord, notes ...store.Note) error
	Note(ctx context.Context, id directory.RunID, name string, v any) error
	Notes(ctx context.Context, id directory.RunID, prefix, after string, each func(name string, body []byte) bool) error
	ListProblems(ctx context.Context, c directory.ConnectionID, epoch int64, code, cursor string, limit int) ([]store.ProblemRecord, string, error)
	Binding(ctx context.Context, u directory.UserID) (directory.Binding, error)
	Subjects(ctx context.Context, ids []directory.UserID) (map[directory.UserID]store.Subject, error)
	UpdateBinding(ctx context.Context, act directory.Act, b *directory.Binding, mark, urgent bool) error
	ListRuns(ctx context.Context, c directory.ConnectionID, cursor string, limit int) ([]store.RunRecord, string, error)
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
	// Release plans what letting the users go would do; only with DryRun.
	Release directory.ReleasePolicy
	Trigger directory.Trigger // "" means admin
	By      string            // subject of the caller
}

// MaxRunUsers is how many users a run may name.
const MaxRunUsers = 5000

// Start records a run and wakes the engine. A sync may only name users who are
// bound through the connection: it would do nothing about others, and whoever
// asks for it would take that for "in sync".
func (s *Runs) Start(ctx context.Context, c *directory.Connection, req Request) (directory.Run, error) {
	if err := startable(c, &req); err != nil {
		return directory.Run{}, err
	}
	if req.Kind == "" && len(req.UserIDs) > 0 {
		if err := s.allBound(ctx, c, req.UserIDs); err != nil {
			return directory.Run{}, err
		}
	}
	return s.start(ctx, c, req, nil)
}

// mostNamed is how many users a refusal names.
const mostNamed = 100

// allBound refuses users who are not bound through a connection, by name.
func (s *Runs) allBound(ctx context.Context, c *directory.Connection, ids []directory.UserID) error {
	rows, err := s.Store.Subjects(ctx, ids)
	if err != nil {
		return err
	}
	r := directory.Refuse(directory.ErrInvalid, "users-not-bound", "", "Leave them out, or bind them first.")
	wrong := 0
	for i, id := range ids {
		row := rows[id]
		why := ""
		switch {
		case row.User == nil && row.Binding == nil:
			why = "there is no such user"
		case row.Binding == nil || row.Binding.ConnectionID == c.ID && row.Binding.Epoch != c.Epoch:
			why = "the user is not bound"
		case row.Binding.ConnectionID != c.ID:
			why = "the user is bound through another connection"
		default:
			continue
		}
		if wrong++; wrong <= mostNamed {
			r.Fields = append(r.Fields, directory.FieldError{Field: fmt.Sprintf("userIds[%d]", i), Detail: string(id) + ": " + why})
		}
	}
	if wrong == 0 {
		return nil
	}
	r.Detail = fmt.Sprintf("Not bound through this connection: %d of %d users.", wrong, len(ids))
	if wrong > mostNamed {
		r.Detail += fmt.Sprintf(" The first %d are named.", mostNamed)
	}
	return r
}

// startable refuses a run that cannot be.
func startable(c *directory.Connection, req *Request) error {
	switch {
	case c.Status != directory.StatusActive && c.Status != directory.StatusNeedsAuthorization:
		return directory.Refuse(directory.ErrConflict, "connection-not-active",
			fmt.Sprintf("The connection %q is %s, so nothing can be synced.", c.Name, c.Status),
			"Authorise and confirm the connection first.")
	case req.Settings != nil && !req.DryRun:
		return directory.Refuse(directory.ErrInvalid, "settings-need-dry-run",
			"Other settings can be tried only in a dry run.", "Set dryRun to true, or change the connection's settings.")
	case req.Release != "" && !req.DryRun:
		return directory.Refuse(directory.ErrInvalid, "release-needs-dry-run",
			"What a release would do can only be asked for in a dry run.", "Set dryRun to true, or release the bindings.")
	case len(req.UserIDs) > MaxRunUsers:
		return directory.Refuse(directory.ErrTooLarge, "too-many-users",
			fmt.Sprintf("A run may name at most %d users.", MaxRunUsers), "Leave userIds out to sync everybody, or split the list.")
	}
	for _, id := range req.UserIDs {
		if !id.Valid() {
			return directory.Refuse(directory.ErrInvalid, "invalid-user-id", fmt.Sprintf("%q is not the ID of a user.", string(id)),
				"IDs are those that GET /v1/users gives.")
		}
	}
	return nil
}

// start records a run, completed by complete, and wakes the engine.
func (s *Runs) start(ctx context.Context, c *directory.Connection, req Request, complete func(*store.RunRecord)) (directory.Run, error) {
	if err := startable(c, &req); err != nil {
		return directory.Run{}, err
	}
	r := newRun(c.ID, c.Epoch, s.now())
	r.DryRun, r.Full, r.Settings, r.AskedBy, r.Release = req.DryRun, req.Full, req.Settings, req.By, req.Release
	r.UserIDs = slices.Compact(slices.Sorted(slices.Values(req.UserIDs)))
	if r.Trigger = req.Trigger; r.Trigger == "" {
		r.Trigger = directory.TriggerAdmin
	}
	if req.Kind != "" {
		r.Kind = req.Kind
	}
	if complete != nil {
		complete(&r)
	}
	if err := s.Store.CreateRun(ctx, directory.Act{}, &r); err != nil {
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
	records, next, err := s.Store.ListRuns(ctx, c, cursor, limit)
	list := make([]directory.Run, len(records))
	for i := range records {
		list[i] = records[i].Run
	}
	return list, next, err
}

// Cancel ends a run that has not ended: nothing more of it is sent, except a
// batch that is under way. Cancelling an ended run is refused.
func (s *Runs) Cancel(ctx context.Context, id directory.RunID) (directory.Run, error) {
	return s.move(ctx, id, func(r *store.RunRecord, now time.Time) ([]store.Note, error) {
		if r.State.Ended() {
			return nil, directory.Refuse(directory.ErrConflict, "run-ended", "The run is "+string(r.State)+" already.", "")
		}
		r.State, r.EndedAt, r.Waiting = directory.RunCancelled, now.UTC(), nil
		return nil, nil
	})
}

// MaxChosen is how many changes an approval may name.
const MaxChosen = 20000

// Approve lets a held run go on: with all of its changes, with chosen ones or
// with chosen effects. The others are declined, and not proposed again while
// they would be the same. The zero Approval declines everything. It says who
// decided; a change whose user or account has moved on since is dropped as
// outdated by itself. Under fourEyes nobody approves their own request, by the
// run or by an edit that its plan comes from; declining is free.
func (s *Runs) Approve(ctx context.Context, id directory.RunID, a plan.Approval, by string) (directory.Run, error) {
	places, err := chosen(id, a.ChangeIDs)
	if err != nil {
		return directory.Run{}, err
	}
	run, err := s.move(ctx, id, func(r *store.RunRecord, now time.Time) ([]store.Note, error) {
		if r.State != directory.RunHeld {
			next := ""
			if r.State == directory.RunSuperseded {
				next = "A later run of the connection plans its changes anew: decide that one."
			}
			return nil, directory.Refuse(directory.ErrConflict, "run-not-held", "The run is "+string(r.State)+", so there is nothing to decide.", next)
		}
		if !declines(a) {
			if err := s.otherEyes(ctx, r, by); err != nil {
				return nil, err
			}
		}
		for chunk := range places {
			if chunk >= r.Chunks {
				return nil, noSuchChange(directory.ChangeID(fmt.Sprintf("%s.%d.%d", id, chunk, places[chunk][0])))
			}
		}
		cur, err := decodeCursor(r)
		if err != nil {
			return nil, err
		}
		switch {
		case r.Held == nil || r.Held.Wave == nil:
			cur.again()
		case a.All:
			cur.Ready, cur.Looked, cur.Phase, cur.Chunk, cur.Free = 0, 0, 0, 0, false
		default: // who picks changes out of a stopped run has looked at them
			cur.again()
			cur.Laid, cur.Waves = true, nil
		}
		r.Cursor, r.Attempts = cur.encode(), 0
		r.State, r.ApprovedBy, r.ApprovedAt = directory.RunApplying, by, now.UTC()
		r.Decided = true // here, where the admin is known, the approval is sealed
		r.Approval = &store.Approval{All: a.All, Effects: a.Effects, Chosen: len(a.ChangeIDs)}
		if len(places) == 0 {
			return nil, nil
		}
		return []store.Note{{Name: store.NoteApproved, Body: places}}, nil
	})
	if err == nil {
		_ = s.Wake(ctx, run.ConnectionID, 0) // the run stands in the table; the schedule wakes it otherwise
	}
	return run, err
}

// chosen turns the IDs of a run's changes into their places.
func chosen(id directory.RunID, list []directory.ChangeID) (map[int][]int, error) {
	if len(list) > MaxChosen {
		return nil, directory.Refuse(directory.ErrTooLarge, "too-many-changes",
			fmt.Sprintf("An approval may name at most %d changes.", MaxChosen), "Approve by effects, or all of the run.")
	}
	places := map[int][]int{}
	for _, c := range list {
		run, chunk, index, ok := store.Place(c)
		if !ok || run != id || chunk < 0 || index < 0 || index >= store.ChunkSize {
			return nil, noSuchChange(c)
		}
		places[chunk] = append(places[chunk], index)
	}
	return places, nil
}

func noSuchChange(c directory.ChangeID) error {
	return directory.Refuse(directory.ErrInvalid, "no-such-change", fmt.Sprintf("%q is not a change of this run.", string(c)),
		"IDs are those that GET /v1/runs/{id}/changes gives.")
}

// UndoRequest says what of a run is to be taken back; the zero one says all.
type UndoRequest struct {
	DryRun     bool
	UserIDs    []directory.UserID
	Properties []string
	By         string
}

// Undo starts a run that takes another one back.
func (s *Runs) Undo(ctx context.Context, c *directory.Connection, of directory.Run, req UndoRequest) (directory.Run, error) {
	refuse := func(code, message, next string) (directory.Run, error) {
		return directory.Run{}, directory.Refuse(directory.ErrConflict, code, message, next)
	}
	switch {
	case of.DryRun:
		return refuse("nothing-to-undo", "The run was a dry run and wrote nothing.", "")
	case !of.State.Ended():
		return refuse("run-not-ended", "The run is "+string(of.State)+" and may still write.", "Cancel it first, or wait until it has ended.")
	case of.Applied == 0:
		return refuse("nothing-to-undo", "The run wrote nothing.", "")
	case of.Epoch != c.Epoch:
		return refuse("connection-deactivated", "The connection was deactivated after that run, so its accounts are not ours any more.",
			"Bind the users again, or change the accounts at Microsoft.")
	}
	properties := slices.Compact(slices.Sorted(slices.Values(req.Properties)))
	for _, p := range properties {
		if !directory.IsProperty(p) {
			return directory.Run{}, directory.Refuse(directory.ErrInvalid, "unknown-property", fmt.Sprintf("%q is not a property that Bindery writes.", p),
				"Names are those of the run's changes.")
		}
	}
	return s.start(ctx, c, Request{Kind: directory.KindUndo, DryRun: req.DryRun, UserIDs: req.UserIDs, By: req.By}, func(r *store.RunRecord) {
		r.UndoOf, r.Properties, r.Resumes = of.ID, properties, of.Kind == directory.KindUndo
	})
}

// Parts returns a run's counts by department and domain; none before it has
// been planned.
func (s *Runs) Parts(ctx context.Context, id directory.RunID) (Parts, error) {
	var p Parts
	err := s.Store.Note(ctx, id, store.NoteParts, &p)
	if errors.Is(err, directory.ErrNotFound) {
		_, err = s.Store.Run(ctx, id)
	}
	return p, err
}

// Left returns a page of what an undo leaves as it is. The cursor is opaque.
func (s *Runs) Left(ctx context.Context, id directory.RunID, cursor string) ([]plan.Left, string, error) {
	if _, err := s.Store.Run(ctx, id); err != nil {
		return nil, "", err
	}
	var list []plan.Left
	next, size, full := "", 0, false
	var bad error
	err := s.Store.Notes(ctx, id, store.NoteLeft, cursor, func(name string, body []byte) bool {
		var part []plan.Left
		if bad = json.Unmarshal(body, &part); bad != nil {
			return false
		}
		list, next = append(list, part...), name
		size += len(body)
		full = len(list) >= 1000 || size >= 1<<20 // with the values of both sides, some are large
		return !full
	})
	if !full {
		next = ""
	}
	return list, next, errors.Join(err, bad)
}

// ChangesWhere returns a page of those changes of a run that a filter selects.
// A call looks at a bounded number of changes: a page may hold fewer than
// limit, or none, and still have a next one.
func (s *Runs) ChangesWhere(ctx context.Context, id directory.RunID, f plan.Filter, cursor string, limit int) ([]directory.Change, string, error) {
	r, err := s.Store.Run(ctx, id)
	if err != nil {
		return nil, "", err
	}
	cur, err := decodeCursor(&r)
	if err != nil {
		return nil, "", err
	}
	var list []directory.Change
	for looked := 0; looked < mostLooked; {
		page, next, err := s.Store.Changes(ctx, &r, cursor, store.ChunkSize)
		if err != nil {
			return nil, "", err
		}
		looked += len(page)
		for i := range page {
			if _, chunk, _, ok := store.Place(page[i].ID); ok && r.ApprovedBy != "" && chunk < cur.Ready && page[i].State == directory.ChangePlanned {
				page[i].State = directory.ChangeApproved // the others have been put away by then
			}
			if !f.Match(&page[i]) {
				continue
			}
			if len(list) == limit {
				return list, strings.TrimPrefix(string(page[i].ID), string(id)+"."), nil
			}
			list = append(list, page[i])
		}
		if cursor = next; cursor == "" {
			return list, "", nil
		}
	}
	return list, cursor, nil
}

// mostLooked is how many changes a filtered page looks at.
const mostLooked = 20000

// LetGo ends the runs of a connection's past epochs, which nobody will work on
// any more. A worker that still holds one finds its lease lost.
func (s *Runs) LetGo(ctx context.Context, c *directory.Connection) error {
	ids, err := s.Store.OpenRuns(ctx, c.ID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		_, err := s.move(ctx, id, func(r *store.RunRecord, now time.Time) ([]store.Note, error) {
			if r.Epoch >= c.Epoch || r.State.Ended() {
				return nil, errNothing
			}
			letGo(r, now)
			return nil, nil
		})
		if err != nil && !errors.Is(err, errNothing) && !errors.Is(err, directory.ErrNotFound) { // one may have expired
			return err
		}
	}
	return nil
}

var errNothing = errors.New("reconcile: nothing to do")

func (s *Runs) move(ctx context.Context, id directory.RunID, change func(*store.RunRecord, time.Time) ([]store.Note, error)) (directory.Run, error) {
	for {
		r, err := s.Store.Run(ctx, id)
		if err != nil {
			return directory.Run{}, err
		}
		notes, err := change(&r, s.now())
		if err != nil {
			return r.Run, err
		}
		if err := s.Store.DecideRun(ctx, directory.Act{}, &r, notes...); !errors.Is(err, directory.ErrStale) {
			return r.Run, err
		}
	}
}
