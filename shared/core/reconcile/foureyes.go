package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// maxEditors is how many people a run names that its plan comes from. Where more
// have edited, nobody has done it alone.
const maxEditors = 200

// noteEditors notes on the run whose edits its changes for a user come from.
// Whether that matters is asked when somebody decides: the settings may want four
// eyes by then.
func (p *planner) noteEditors(s *plan.Subject) {
	b := s.Binding
	since := time.Time{}
	if b.Agreed == 0 { // what the user was before, whoever bound it has seen
		since = b.SelectedAt
		noteEditor(p.run, b.SelectedBy)
	}
	if b.Release != "" {
		noteEditor(p.run, b.ReleasedBy)
	}
	noteEditor(p.run, b.ResumedBy)
	for _, by := range s.User.EditorsSince(b.Agreed, since) {
		noteEditor(p.run, by)
	}
}

func noteEditor(r *store.RunRecord, by string) {
	if by != "" && len(r.EditedBy) < maxEditors && !slices.Contains(r.EditedBy, by) {
		r.EditedBy = append(r.EditedBy, by)
	}
}

// noteSettings notes who changed the settings that a plan is the first with.
func (w *worker) noteSettings(r *store.RunRecord) {
	if !r.Remapped {
		return
	}
	for _, by := range w.conn.SettingsEditorsSince(w.lease.SettledVersion) {
		noteEditor(r, by)
	}
}

// noteUndone notes, on a run that undoes an undo, those who asked for the run
// that comes about again.
func (w *worker) noteUndone(ctx context.Context, r *store.RunRecord, of *store.RunRecord) error {
	if !r.Resumes {
		return nil
	}
	again, err := w.Store.Run(ctx, of.UndoOf)
	if errors.Is(err, directory.ErrNotFound) {
		return nil // its time is over
	}
	if err != nil {
		return err
	}
	for _, by := range append([]string{again.AskedBy}, again.EditedBy...) {
		noteEditor(r, by)
	}
	return nil
}
