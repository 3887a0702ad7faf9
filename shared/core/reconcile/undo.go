package reconcile

import (
	"cmp"
	"context"
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

// undoPart plans the undo for the next users of a chunk of the run.
func (p *runPlan) undoPart(ctx context.Context) error {
	changes, _, err := p.planner.chunks.Chunk(ctx, p.t.run.UndoOf, p.t.at.Index)
	if err != nil {
		return err
	}
	var users []directory.UserID
	for i := range changes {
		c := &changes[i]
		if _, in := slices.BinarySearch(p.t.run.UserIDs, c.UserID); c.State == directory.ChangeApplied && (in || len(p.t.run.UserIDs) == 0) {
			users = append(users, c.UserID)
		}
	}
	slices.Sort(users)
	users = slices.Compact(users)
	for {
		start := min(p.t.at.Part, len(users))
		end := min(start+p.page, len(users))
		served := p.t.lane.served()
		out, err := p.undoOf(ctx, changes, users[start:end])
		if err != nil {
			return p.tooSlow(ctx, end-start, err)
		}
		if len(p.t.lane.servedSince(users[start:end], served)) > 0 {
			continue // what was read of them is not true any more
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
		if end == len(users) {
			p.t.at.Index, p.t.at.Part = p.t.at.Index+1, 0
		}
		return p.recordUndo(ctx, out)
	}
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

// undoOf reads what undoing the changes of users needs, and plans it.
func (p *runPlan) undoOf(ctx context.Context, changes []directory.Change, users []directory.UserID) (plan.Undone, error) {
	rows, err := p.planner.bindings.Subjects(ctx, users)
	if err != nil {
		return plan.Undone{}, err
	}
	var mine []directory.Change
	accounts := map[directory.UserID]directory.AccountID{}
	agreed := map[directory.UserID]int64{}
	for _, c := range changes {
		if _, in := slices.BinarySearch(users, c.UserID); in && c.State == directory.ChangeApplied {
			mine = append(mine, c)
			agreed[c.UserID] = c.Agreed
			if c.AccountID != "" {
				accounts[c.UserID] = c.AccountID
			}
		}
	}
	subjects := make(map[directory.UserID]plan.Subject, len(users))
	list := make([]plan.Subject, 0, len(users))
	var ids []directory.AccountID
	for _, id := range users {
		row := rows[id]
		s := plan.Subject{User: row.User, Binding: row.Binding}
		if s.User == nil {
			s.User = &directory.User{ID: id}
		}
		if s.Binding != nil && (s.Binding.Epoch != p.s.lease.Epoch || s.Binding.ConnectionID != p.s.conn.ID) {
			s.Binding = nil
		}
		list = append(list, s)
		if a := accounts[id]; a != "" {
			ids = append(ids, a)
		}
	}
	owners, err := p.planner.accounts.AccountOwners(ctx, &p.s.conn, ids)
	if err != nil {
		return plan.Undone{}, err
	}
	if err := p.readUndone(ctx, list, accounts, mine); err != nil {
		return plan.Undone{}, err
	}
	for i := range list {
		list[i].TakenBy = owners
		subjects[list[i].User.ID] = list[i]
	}
	out := plan.Undo(p.cfg, p.t.run.UndoOf, mine, subjects, plan.Pick{Users: p.t.run.UserIDs, Properties: p.t.run.Properties})
	now := p.s.now().UTC()
	for i := range out.Changes {
		c := &out.Changes[i]
		c.At, c.State, c.Agreed = now, directory.ChangePlanned, agreed[c.UserID]
		if s := subjects[c.UserID]; s.Binding != nil {
			c.UserVersion = s.Binding.Wanted
		} else {
			c.UserVersion = s.User.Version
		}
		if c.Properties == nil {
			c.Properties = []directory.PropertyChange{}
		}
	}
	return out, nil
}

// readUndone reads the accounts that a run wrote to, with every property that
// it wrote.
func (p *runPlan) readUndone(ctx context.Context, list []plan.Subject, accounts map[directory.UserID]directory.AccountID, changes []directory.Change) error {
	var refs []string
	var at []int
	for i := range list {
		if id := accounts[list[i].User.ID]; id != "" {
			refs, at = append(refs, string(id)), append(at, i)
		}
	}
	if len(refs) == 0 {
		return nil
	}
	named := make([]*directory.Change, len(changes))
	for i := range changes {
		named[i] = &changes[i]
	}
	found, err := p.planner.observe.lookupTwice(ctx, p.t.lane, p.cfg.Mapper, refs, named)
	if err != nil {
		return err
	}
	var missing []directory.AccountID
	var missingAt []int
	for n, f := range found {
		s := &list[at[n]]
		if f.Err() != nil {
			continue // left as it is
		}
		s.Account = f.Account
		if s.Binding != nil {
			s.Fresh = p.s.recent(s.Binding)
		}
		if f.Account == nil {
			s.Missing = true
			missing, missingAt = append(missing, directory.AccountID(refs[n])), append(missingAt, at[n])
		}
	}
	if len(missing) == 0 {
		return nil
	}
	deleted, err := p.planner.observe.deleted(ctx, p.t.lane, missing, p.cfg.Mapper.Selected())
	if err != nil {
		return err
	}
	for n, f := range deleted {
		s := &list[missingAt[n]]
		s.Deleted, s.Missing = f.Account, f.Err() == nil
	}
	return unreadAll(deleted)
}

// undoChange completes what an undone change means for a binding: one that a
// release ended comes back.
func (b *batch) undoChange(bc *store.BindingChange, c *directory.Change, row store.Subject, gained, well bool) {
	if b.k.t.run.Resumes && well || row.User != nil && !row.User.Enabled() {
		bc.Later = time.Second // looked at again at once: an access may come back that should not
	}
	if !gained || row.Binding != nil {
		return
	}
	now := b.s.now().UTC()
	bc.Create = &directory.Binding{
		UserID: c.UserID, ConnectionID: b.s.conn.ID, Epoch: b.s.lease.Epoch, AccountID: c.AccountID,
		UserPrincipalName: c.UserPrincipalName, Created: c.Created, Wanted: c.UserVersion,
		SelectedBy: cmp.Or(b.k.t.run.ApprovedBy, b.k.t.run.AskedBy), SelectedAt: now,
		Agreed: max(1, c.Agreed), // who selects it here has not looked at what the user has become
	}
}

// undoDone leaves a binding paused after the last change of an undo, or has it
// looked at again when it was an undo that was undone.
func (b *batch) undoDone(bd *directory.Binding, last bool, failure *directory.Problem, now time.Time) bool {
	if bd.PausedByAdmin() {
		return true // for a reason of its own, which the undo does not mend
	}
	if b.k.t.run.Resumes && last && failure == nil {
		bd.Status, bd.Problem = directory.BindingPending, nil
		return true
	}
	bd.Status, bd.Problem = directory.BindingPaused, undone(b.k.t.run, now)
	if last && failure != nil {
		bd.Problem.Message += " A change of it failed: " + failure.Message
		if _, noted := bd.Refused[failure.Property]; noted {
			bd.Problem.Next = "Undo the run once more to take back the rest: " + failure.Property + ", which Microsoft refuses, is left out then. " + bd.Problem.Next
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
