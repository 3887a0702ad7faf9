package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// An undo is a run whose changes are the inverse of another run's, planned from
// that run's chunks one after the other. It meets the guard and the admin like
// any run. Before its first write the bindings that it concerns are paused, so
// that no sync does again what is being undone.

// undo plans the inverse of a run.
func (p *runPlan) undo(ctx context.Context) error {
	at := p.t.at
	of, err := p.planner.runs.Run(ctx, p.t.run.UndoOf)
	if err != nil {
		return err
	}
	if err := p.noteUndone(ctx, &of); err != nil {
		return err
	}
	for at.Index < of.Chunks {
		if err := p.s.inTime(ctx); err != nil {
			return err
		}
		if err := p.t.lane.serve(ctx); err != nil {
			return err
		}
		if err := p.undoPart(ctx); err != nil {
			return err
		}
	}
	at.Planned = true
	return p.planner.submit(ctx, p.t)
}

// undoPart plans the undo for the next objects of a chunk of the run.
func (p *runPlan) undoPart(ctx context.Context) error {
	changes, _, err := p.planner.chunks.Chunk(ctx, p.t.run.UndoOf, p.t.at.Index)
	if err != nil {
		return err
	}
	var refs []directory.Ref
	for i := range changes {
		c := &changes[i]
		if c.State == directory.ChangeApplied && (!p.t.run.Chosen() || p.t.run.Names(c.Ref())) {
			refs = append(refs, c.Ref())
		}
	}
	slices.SortFunc(refs, directory.Ref.Compare)
	refs = slices.Compact(refs)
	for {
		start := min(p.t.at.Part, len(refs))
		end := min(start+p.page, len(refs))
		out, err := p.undoOf(ctx, changes, refs[start:end])
		if err != nil {
			return p.tooSlow(ctx, end-start, err)
		}
		size := 0
		for i := range out.Changes {
			size += store.SizeOf(&out.Changes[i])
		}
		if (size > store.MaxChunkBytes || len(out.Changes) > store.ChunkSize) && p.page > 1 {
			p.page /= 2
			continue
		}
		p.t.at.Part = end
		if end == len(refs) {
			p.t.at.Index, p.t.at.Part = p.t.at.Index+1, 0
		}
		return p.recordUndo(ctx, out)
	}
}

// undoOf has each kind plan the undo of the applied changes of its objects.
func (p *runPlan) undoOf(ctx context.Context, changes []directory.Change, refs []directory.Ref) (plan.Undone, error) {
	var mine []directory.Change
	agreed := map[directory.Ref]int64{}
	for _, c := range changes {
		if _, in := slices.BinarySearchFunc(refs, c.Ref(), directory.Ref.Compare); in && c.State == directory.ChangeApplied {
			mine = append(mine, c)
			agreed[c.Ref()] = c.Agreed
		}
	}
	var out plan.Undone
	names, parts := byKind(mine, (*directory.Change).Ref)
	for _, name := range accountsLast(names) {
		objects := p.planner.kinds.of(name)
		if objects == nil {
			return out, fmt.Errorf("undo of the run %s: objects of the kind %q: %w", p.t.run.UndoOf, name, directory.ErrUnavailable)
		}
		some, err := objects.Undo(ctx, p.s.workOn(p.t), parts[name])
		if err != nil {
			return out, err
		}
		out.Changes, out.Left = append(out.Changes, some.Changes...), append(out.Left, some.Left...)
	}
	plan.Order(out.Changes)
	now := p.s.now().UTC()
	for i := range out.Changes {
		c := &out.Changes[i]
		c.At, c.State, c.Agreed = now, directory.ChangePlanned, agreed[c.Ref()]
		if c.Properties == nil {
			c.Properties = []directory.PropertyChange{}
		}
	}
	return out, nil
}

func (p *runPlan) recordUndo(ctx context.Context, out plan.Undone) error {
	p.s.sum.Planned += len(out.Changes)
	p.t.run.Attempts = 0
	p.t.run.Left += len(out.Left)
	var notes []store.Note
	if len(out.Left) > 0 {
		notes = append(notes, store.Note{Name: store.Left(p.t.at.Lefts), Body: out.Left})
		p.t.at.Lefts++
	}
	if len(out.Changes) == 0 {
		return p.planner.queue.save(ctx, p.t.run, p.t.at, notes...)
	}
	for i := range out.Changes {
		p.t.run.Counts[out.Changes[i].Effect]++
	}
	return p.append(ctx, out.Changes, notes...)
}

// undoChange completes what an undone change means for a binding: one that has ended
// comes back.
func (q *consequence) undoChange(bc *store.BindingChange) {
	f := q.f
	if f.Run.Resumes && f.Well() {
		bc.Later = time.Second // looked at again at once
	}
	if !f.Applied || !f.Change.Effect.Row().Renews || q.bound != nil {
		return
	}
	c := f.Change
	bc.Create = &directory.Binding{
		UserID: c.UserID, Object: c.Object, ConnectionID: q.b.s.conn.ID, Epoch: q.b.s.lease.Epoch, AccountID: c.AccountID,
		UserPrincipalName: c.UserPrincipalName, Created: c.Created,
		Wanted: c.UserVersion, Applied: c.UserVersion, // it rests until the user is edited
		SelectedBy: cmp.Or(f.Run.ApprovedBy, f.Run.AskedBy), SelectedAt: f.Now,
		Agreed: max(1, c.Agreed), // who selects it here has not looked at what the user has become
	}
	if !c.Object.IsZero() {
		// Nobody has asked for anything since: it rests as the undo leaves it, while a user
		// who is bound again is followed again.
		bc.Create.Applied = c.UserVersion
	}
}

// undoDone leaves a binding paused after the last change of an undo, or has it
// looked at again when it was an undo that was undone.
func (q *consequence) undoDone(bd *directory.Binding) bool {
	f := q.f
	if bd.PausedByAdmin() {
		return true // for a reason of its own, which the undo does not mend
	}
	if f.Run.Resumes && f.Well() {
		bd.Status, bd.Problem = directory.BindingPending, nil
		return true
	}
	bd.Status, bd.Problem = directory.BindingPaused, undone(f.Run, f.Now)
	if f.Last && f.Failure != nil {
		bd.Problem.Message += " A change of it failed: " + f.Failure.Message
		if _, noted := bd.Refused[f.Failure.Property]; noted {
			bd.Problem.Next = "Undo the run once more to take back the rest: " + f.Failure.Property + ", which Microsoft refuses, is left out then. " + bd.Problem.Next
		}
	}
	return true
}

// undone is why a binding is paused.
func undone(r *store.RunRecord, now time.Time) *directory.Problem {
	return &directory.Problem{Code: directory.CodeUndone, Since: now, Attempts: 1,
		Message: "The changes of the run " + string(r.UndoOf) + " to this account were undone by the run " + string(r.ID) + ", and are not made again by themselves.",
		Next:    "Change the user, or resume the binding once what caused them is mended.",
		Steps:   []directory.Step{{Text: "Resume the binding.", Call: directory.CallResume}}}
}
