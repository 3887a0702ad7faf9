package runs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Request says what a run is to do. The zero Request is "sync now".
type Request struct {
	Kind    directory.RunKind // "" means sync
	DryRun  bool
	Full    bool
	UserIDs []directory.UserID
	Objects []directory.Ref // of other kinds than accounts
	// Settings plans with other settings than the connection's; only with DryRun.
	Settings *directory.Settings
	// Release plans what letting the users go would do; only with DryRun.
	Release directory.ReleasePolicy
	Trigger directory.Trigger // "" means admin
	// Audit is the kind of the act that the run is; "" when something else is it.
	Audit directory.AuditKind
}

// MaxRunUsers is how many users and objects a run may name.
const MaxRunUsers = 5000

// Start records a run and wakes the engine. A sync may only name users who are
// bound through the connection: it would do nothing about others, and whoever
// asks for it would take that for "in sync".
func (s *Service) Start(ctx context.Context, by directory.Caller, c *directory.Connection, req Request) (directory.Run, error) {
	if err := startable(c, &req); err != nil {
		return directory.Run{}, err
	}
	if req.Kind == "" {
		if err := s.allBound(ctx, c, req.UserIDs, req.Objects); err != nil {
			return directory.Run{}, err
		}
	}
	return s.start(ctx, by, c, req, nil)
}

// mostNamed is how many users a refusal names.
const mostNamed = 100

// allBound refuses users and objects that are not bound through a connection, by name.
func (s *Service) allBound(ctx context.Context, c *directory.Connection, ids []directory.UserID, objects []directory.Ref) error {
	if len(ids)+len(objects) == 0 {
		return nil
	}
	rows, err := s.bindings.Subjects(ctx, ids)
	if err != nil {
		return err
	}
	bound, err := s.bindings.BindingsOf(ctx, c.ID, objects)
	if err != nil {
		return err
	}
	r := directory.Refuse(directory.ErrInvalid, directory.CodeUsersNotBound, "", "Leave them out, or bind them first.")
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
		wrong++
		if wrong <= mostNamed {
			r.Fields = append(r.Fields, directory.FieldError{Field: fmt.Sprintf("userIds[%d]", i), Detail: string(id) + ": " + why})
		}
	}
	for i, ref := range objects {
		if b, there := bound[ref]; there && b.Epoch == c.Epoch {
			continue
		}
		wrong++
		if wrong <= mostNamed {
			r.Fields = append(r.Fields, directory.FieldError{Field: fmt.Sprintf("objects[%d]", i), Detail: ref.String() + ": it is not bound"})
		}
	}
	if wrong == 0 {
		return nil
	}
	r.Detail = fmt.Sprintf("Not bound through this connection: %d of %d.", wrong, len(ids)+len(objects))
	if len(objects) == 0 {
		r.Detail = fmt.Sprintf("Not bound through this connection: %d of %d users.", wrong, len(ids))
	}
	if wrong > mostNamed {
		r.Detail += fmt.Sprintf(" The first %d are named.", mostNamed)
	}
	return r
}

// maxObjectID is how long the ID of an object is at most: it may be made of two.
const maxObjectID = 160

// startable refuses a run that cannot be.
func startable(c *directory.Connection, req *Request) error {
	switch {
	case c.Status != directory.StatusActive && c.Status != directory.StatusNeedsAuthorization:
		return directory.Refuse(directory.ErrConflict, directory.CodeConnectionNotActive,
			fmt.Sprintf("The connection %q is %s, so nothing can be synced.", c.Name, c.Status),
			"Authorise and confirm the connection first.")
	case req.Settings != nil && !req.DryRun:
		return directory.Refuse(directory.ErrInvalid, directory.CodeSettingsNeedDryRun,
			"Other settings can be tried only in a dry run.", "Set dryRun to true, or change the connection's settings.")
	case req.Release != "" && !req.DryRun:
		return directory.Refuse(directory.ErrInvalid, directory.CodeReleaseNeedsDryRun,
			"What a release would do can only be asked for in a dry run.", "Set dryRun to true, or release the bindings.")
	case len(req.UserIDs)+len(req.Objects) > MaxRunUsers:
		return directory.Refuse(directory.ErrTooLarge, directory.CodeTooManyUsers,
			fmt.Sprintf("A run may name at most %d users.", MaxRunUsers), "Leave userIds out to sync everybody, or split the list.")
	}
	for _, ref := range req.Objects {
		if ref.Kind == "" || ref.Kind == directory.KindAccount || ref.ID == "" || len(ref.ID) > maxObjectID {
			return directory.Refuse(directory.ErrInvalid, directory.CodeInvalidUserID, fmt.Sprintf("%q is not an object of another kind than accounts.", ref.String()),
				"Objects are those that a run's changes name; name users in userIds.")
		}
	}
	for _, id := range req.UserIDs {
		if !id.Valid() {
			return directory.Refuse(directory.ErrInvalid, directory.CodeInvalidUserID, fmt.Sprintf("%q is not the ID of a user.", string(id)),
				"IDs are those that GET /v1/users gives.")
		}
	}
	return nil
}

// start records a run, completed by complete, and wakes the engine.
func (s *Service) start(ctx context.Context, by directory.Caller, c *directory.Connection, req Request, complete func(*store.RunRecord)) (directory.Run, error) {
	if err := startable(c, &req); err != nil {
		return directory.Run{}, err
	}
	r := NewRecord(c.ID, c.Epoch, s.now())
	r.DryRun, r.Full = req.DryRun, req.Full
	r.Settings, r.Release = req.Settings, req.Release
	r.AskedBy, r.Reason = by.Subject, by.Reason
	r.UserIDs = slices.Compact(slices.Sorted(slices.Values(req.UserIDs)))
	r.Objects = slices.Compact(slices.SortedFunc(slices.Values(req.Objects), directory.Ref.Compare))
	for _, ref := range r.Objects { // an older version leaves the run to whoever knows them
		if !slices.Contains(r.Kinds, ref.Kind) {
			r.Kinds = append(r.Kinds, ref.Kind)
		}
	}
	r.Trigger = cmp.Or(req.Trigger, directory.TriggerAdmin)
	r.Kind = cmp.Or(req.Kind, directory.KindSync)
	if complete != nil {
		complete(&r)
	}
	if r.UndoOf != "" {
		there, err := s.sameUnderWay(ctx, c, &r.Run)
		if err != nil {
			return directory.Run{}, err
		}
		if there != nil {
			return *there, nil
		}
	}
	if err := s.runs.CreateRun(ctx, by.AuditEvent(req.Audit), &r); err != nil {
		return directory.Run{}, err
	}
	// The run stands in the table: a lost wake-up costs minutes, not the run.
	_ = s.wake(ctx, c.ID, 0)
	return r.Run, nil
}

// Cancel ends a run that has not ended: nothing more of it is sent, except a
// batch that is under way. Cancelling an ended run is refused.
func (s *Service) Cancel(ctx context.Context, by directory.Caller, id directory.RunID) (directory.Run, error) {
	return s.move(ctx, by.AuditEvent(directory.AuditCancelRun), id, func(r *store.RunRecord, now time.Time) ([]store.Note, error) {
		if r.State.Ended() {
			return nil, directory.Refuse(directory.ErrConflict, directory.CodeRunEnded, "The run is "+string(r.State)+" already.", "")
		}
		r.State, r.EndedAt, r.Waiting = directory.RunCancelled, now.UTC(), nil
		r.NoteDecision(directory.AuditCancelRun, by, now)
		return nil, nil
	})
}
