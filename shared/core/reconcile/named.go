package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// The wake-up of an edit names its user (directory.WakeUp.UserID). A slice that it
// wakes reads the user by key, strongly consistent, and plans what is marked of him
// without a look at the marks: neither has it to list them, nor do they lag. Whoever
// else is marked has sent a wake-up of his own: one that comes while this slice has the
// lease makes it wanted, and the next slice lists. Leavers are looked for at the end all
// the same. The slice lists in all that is not plain:
//
//   - the holder before did not give the lease back, or left a wake-up unanswered
//   - a run is open, held ones too; plans wait for an approval; the settings are not
//     those that all marks were last planned with: what a plan of all marks means for
//     these is not to be said by one of a single user
//   - the plan comes to anything else than changes of an account that it has, or names
//     are among these: they may be those of somebody else who is marked
//   - the guard would hold it
//   - the run leaves him marked
//
// A wake-up that comes twice, or late, finds nothing marked and ends the slice; for one
// that never comes the schedule finds the mark.

// errNotAlone says that a named user is to be planned with all others who are marked.
var errNotAlone = errors.New("the named user is not planned alone")

// justRead is what this slice has read of a named user, for who needs it again at
// once: his plan, and the first flight of it. The journal goes on from it for as long
// as nobody has written the binding since.
type justRead struct {
	bindingStore
	now  func() time.Time
	at   time.Time
	rows map[directory.UserID]store.Subject
}

// read reads a user and remembers him.
func (j *justRead) read(ctx context.Context, id directory.UserID) (store.Subject, error) {
	at := j.now()
	rows, err := j.bindingStore.Subjects(ctx, []directory.UserID{id})
	if err == nil {
		j.at, j.rows = at, rows
	}
	return rows[id], err
}

// Subjects are as they were read a moment ago, if they were.
func (j *justRead) Subjects(ctx context.Context, ids []directory.UserID) (map[directory.UserID]store.Subject, error) {
	if len(ids) == 1 && j.now().Sub(j.at) < justStored {
		if row, there := j.rows[ids[0]]; there {
			again, err := row.Again()
			return map[directory.UserID]store.Subject{ids[0]: again}, err
		}
	}
	return j.bindingStore.Subjects(ctx, ids)
}

// forget has everybody read again: a binding is written to.
func (j *justRead) forget() map[directory.UserID]store.Subject {
	rows := j.rows
	j.rows = nil
	return rows
}

// takeNamed makes a run of the mark of the user whom the wake-up names.
func (w *invocation) takeNamed(ctx context.Context) error {
	id := w.wake.UserID
	if id == "" || w.s.lease.Left || w.s.conn.Settings.Mode == directory.ModeApprove || w.s.lease.Settled != w.s.settingsDigest() {
		return nil
	}
	open, err := w.queue.openRuns(ctx)
	if err != nil || len(open) > 0 {
		return err
	}
	row, err := w.just.read(ctx, id)
	if err != nil {
		return err
	}
	w.cadence.alone = true
	w.leavers.quiet = w.s.now().Add(lookEvery)
	b := row.Binding
	switch {
	case b == nil || b.ConnectionID != w.s.conn.ID || b.Epoch != w.s.lease.Epoch || row.Mark == nil:
		return nil // dealt with, or not ours any more
	case row.Mark.Urgent:
		w.leavers.given = []store.Mark{*row.Mark}
		return nil
	}
	w.queue.draftOf(directory.TriggerEdit, w.s.now(), handed{refs: []directory.Ref{row.Mark.Ref}, alone: true})
	return nil
}

// plain reports whether what was decided about a named user concerns nobody else.
func (d *decided) plain() bool {
	return len(d.Unwritten) == 0 && d.Refused == 0 && d.Again == 0 && !slices.ContainsFunc(d.Changes, ofNames)
}

// ofNames reports whether a change may depend on what others are called.
func ofNames(c directory.Change) bool {
	switch c.Effect {
	case directory.EffectUpdate, directory.EffectUpdateSensitive, directory.EffectBlock, directory.EffectUnblock, directory.EffectRevoke:
		return slices.ContainsFunc(c.Properties, func(p directory.PropertyChange) bool {
			return p.Name == directory.PropUserPrincipalName || p.Name == directory.PropMail || p.Name == directory.PropMailNickname
		})
	}
	return true
}

// withOthers has the slice list who is marked, after all.
func (w *invocation) withOthers() {
	w.cadence.alone = false
	w.leavers.quiet, w.queue.handed = time.Time{}, handed{}
	w.s.sum.RunID, w.s.sum.State = "", ""
}

// handed is the beginning of the list of marks that a draft was made of.
type handed struct {
	run   directory.RunID
	refs  []directory.Ref
	next  string // where the list goes on; "": that is all
	alone bool   // it is not the list, but a named user
}

// refsOf are the objects of marks, each once.
func refsOf(marks []store.Mark) []directory.Ref {
	refs := make([]directory.Ref, 0, len(marks))
	for _, m := range marks {
		if !slices.Contains(refs, m.Ref) {
			refs = append(refs, m.Ref)
		}
	}
	return refs
}
