package reconcile

import (
	"context"
	"errors"
	"slices"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// maxEditors is how many people a run names that its plan comes from. Where more
// have edited, nobody has done it alone.
const maxEditors = 200

func noteEditor(r *store.RunRecord, by string) {
	if by != "" && len(r.EditedBy) < maxEditors && !slices.Contains(r.EditedBy, by) {
		r.EditedBy = append(r.EditedBy, by)
	}
}

// noteSettings notes who changed the settings that a plan is the first with.
func (p *runPlan) noteSettings() {
	if !p.t.run.Remapped {
		return
	}
	for _, by := range p.s.conn.SettingsEditorsSince(p.s.lease.SettledVersion) {
		noteEditor(p.t.run, by)
	}
}

// noteUndone notes, on a run that undoes an undo, those who asked for the run
// that comes about again.
func (p *runPlan) noteUndone(ctx context.Context, of *store.RunRecord) error {
	if !p.t.run.Resumes {
		return nil
	}
	again, err := p.planner.runs.Run(ctx, of.UndoOf)
	if errors.Is(err, directory.ErrNotFound) {
		return nil // its time is over
	}
	if err != nil {
		return err
	}
	for _, by := range append([]string{again.AskedBy}, again.EditedBy...) {
		noteEditor(p.t.run, by)
	}
	return nil
}
