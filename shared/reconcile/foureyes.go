package reconcile

import (
	"context"
	"slices"
	"time"

	"bindery/shared/plan"
	"bindery/shared/store"
)

// maxEditors is how many people a run names that its plan comes from. Where more
// have edited, nobody has done it alone.
const maxEditors = 200

// noteEditors notes on the run whose edits its changes for a user come from,
// where the settings want four eyes.
func (p *planner) noteEditors(s *plan.Subject) {
	if !p.conn.Settings.FourEyes {
		return
	}
	b := s.Binding
	since := time.Time{}
	if b.Applied == 0 { // what the user was before, whoever bound it has seen
		since = b.SelectedAt
		noteEditor(p.run, b.SelectedBy)
	}
	if b.Release != "" {
		noteEditor(p.run, b.ReleasedBy)
	}
	for _, by := range s.User.EditorsSince(b.Applied, since) {
		noteEditor(p.run, by)
	}
}

func noteEditor(r *store.RunRecord, by string) {
	if by != "" && len(r.EditedBy) < maxEditors && !slices.Contains(r.EditedBy, by) {
		r.EditedBy = append(r.EditedBy, by)
	}
}

// otherEyes refuses the approval of a held run by those who asked for it: for the
// run itself, or by the edits that its plan comes from.
func (s *Runs) otherEyes(ctx context.Context, r *store.RunRecord, by string) error {
	_, c, err := s.Store.Stand(ctx, r.ConnectionID)
	if err != nil {
		return err
	}
	return c.Settings.OtherEyes(by, append(slices.Clone(r.EditedBy), r.AskedBy)...)
}

// declines reports whether an approval takes nothing: that needs no other eyes.
func declines(a plan.Approval) bool { return !a.All && len(a.ChangeIDs)+len(a.Effects) == 0 }

// changedSettings notes who changed the settings that a plan is the first with.
func (w *worker) changedSettings(r *store.RunRecord) {
	if w.conn.Settings.FourEyes && r.Remapped {
		noteEditor(r, w.conn.SettingsBy)
	}
}
