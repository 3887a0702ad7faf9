package runs

import (
	"context"
	"fmt"
	"slices"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// UndoRequest says what of a run is to be taken back; the zero one says all.
type UndoRequest struct {
	DryRun     bool
	UserIDs    []directory.UserID
	Objects    []directory.Ref
	Properties []string
}

// Undo starts a run that takes another one back. Whoever asks for the same while that
// is under way, since the answer was lost or a button pressed twice, gets the run that
// is there: two of them would take back the same. One that is held for an approval is
// planned anew instead, by the run that supersedes it.
func (s *Service) Undo(ctx context.Context, by directory.Caller, c *directory.Connection, of directory.Run, req UndoRequest) (directory.Run, error) {
	refuse := func(code, message, next string) (directory.Run, error) {
		return directory.Run{}, directory.Refuse(directory.ErrConflict, code, message, next)
	}
	switch {
	case of.DryRun:
		return refuse(directory.CodeNothingToUndo, "The run was a dry run and wrote nothing.", "")
	case !of.State.Ended():
		return refuse(directory.CodeRunNotEnded, "The run is "+string(of.State)+" and may still write.", "Cancel it first, or wait until it has ended.")
	case of.Applied == 0:
		return refuse(directory.CodeNothingToUndo, "The run wrote nothing.", "")
	case of.Epoch != c.Epoch:
		return refuse(directory.CodeConnectionDeactivated, "The connection was deactivated after that run, so its accounts are not ours any more.",
			"Bind the users again, or change the accounts at Microsoft.")
	}
	properties := slices.Compact(slices.Sorted(slices.Values(req.Properties)))
	for _, p := range properties {
		if !directory.IsProperty(p) {
			return directory.Run{}, directory.Refuse(directory.ErrInvalid, directory.CodeUnknownProperty, fmt.Sprintf("%q is not a property that Bindery writes.", p),
				"Names are those of the run's changes.")
		}
	}
	return s.start(ctx, by, c, Request{Kind: directory.KindUndo, DryRun: req.DryRun, UserIDs: req.UserIDs, Objects: req.Objects, Audit: directory.AuditUndoRun}, func(r *store.RunRecord) {
		r.UndoOf, r.Properties, r.Resumes = of.ID, properties, of.Kind == directory.KindUndo
	})
}

// sameUnderWay is an open undo that takes back the same as another one and waits for
// nobody; nil: there is none.
func (s *Service) sameUnderWay(ctx context.Context, c *directory.Connection, r *directory.Run) (*directory.Run, error) {
	ids, err := s.open.OpenRuns(ctx, c.ID)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	open, err := s.open.RunsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		o, there := open[id]
		if there && !o.State.Ended() && o.State != directory.RunHeld && o.UndoOf == r.UndoOf && o.DryRun == r.DryRun &&
			slices.Equal(o.UserIDs, r.UserIDs) && slices.Equal(o.Objects, r.Objects) && slices.Equal(o.Properties, r.Properties) {
			return &o.Run, nil
		}
	}
	return nil, nil
}
