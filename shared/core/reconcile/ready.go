package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// ready makes a run ready to be sent, chunk by chunk, before the first
// of its changes: what an admin declined is closed, what has moved on while
// the run was held is outdated, and the bindings that an undo concerns are
// paused, so that no sync writes again what is being undone.
func (a *applier) ready(ctx context.Context, t *task) error {
	a.takeDecision(t.run)
	if t.run.ApprovedBy != "" || t.at.Waited || t.run.Kind == directory.KindUndo {
		if t.at.Ready < t.run.Chunks {
			t.tally.reset() // waves are laid out anew, without what was declined
		}
		for t.at.Ready < t.run.Chunks {
			if err := a.s.inTime(ctx); err != nil {
				return err
			}
			if err := a.readyChunk(ctx, t); err != nil {
				return err
			}
			t.at.Ready, t.at.Looked = t.at.Ready+1, 0
			t.run.Attempts = 0
			if err := a.queue.save(ctx, t.run, t.at); err != nil {
				return err
			}
		}
	}
	if err := a.waves.lay(ctx, t); err != nil {
		return err
	}
	if t.at.WavesToCome() {
		return t.tally.complete(ctx, a.s, a.chunks) // it numbers the changes
	}
	return nil
}

// takeDecision remembers what an approval decides besides the run: that a source
// may have shrunk, and that a guard may have been loosened.
func (a *applier) takeDecision(r *store.RunRecord) {
	ap := r.Approval
	if ap == nil || !ap.All && len(ap.Effects)+ap.Chosen == 0 {
		return
	}
	if f := shrunkenSource(r.Held); f != nil && f.Then == a.s.lease.Users {
		a.s.noteUsers(f.Now, time.Time{})
	}
	if loosened(r.Held) && r.StartedAt.After(a.s.lease.Decided) {
		a.s.end.Decided, a.s.lease.Decided = r.StartedAt, r.StartedAt
	}
}

// lookPart is of how many changes the accounts are looked at before the place is
// noted: with a slow Microsoft a slice does not come through a whole chunk.
const lookPart = 100

func (a *applier) readyChunk(ctx context.Context, t *task) error {
	decided := t.run.ApprovedBy != ""
	for {
		k, err := a.load(ctx, t, t.at.Ready)
		if err != nil {
			return err
		}
		first, end := t.at.Looked == 0, len(k.changes)
		results := map[int]store.Result{}
		if first && decided {
			if err := k.declined(ctx, results); err != nil {
				return err
			}
		}
		if decided || t.at.Waited {
			end = min(t.at.Looked+lookPart, len(k.changes))
			if err := k.movedOn(ctx, results, t.at.Looked, end); err != nil {
				return err
			}
		}
		pause := first && t.run.Kind == directory.KindUndo
		if len(results) > 0 || pause {
			if err := k.closeUnsent(ctx, results, pause); err != nil {
				return err
			}
		}
		if end == len(k.changes) {
			return nil
		}
		t.at.Looked, t.run.Attempts = end, 0
		if err := a.queue.save(ctx, t.run, t.at); err != nil {
			return err
		}
	}
}

// declined finds the open changes that the approval does not take.
func (k *chunk) declined(ctx context.Context, results map[int]store.Result) error {
	ap := k.t.run.Approval
	if ap == nil || ap.All {
		return nil
	}
	choice := plan.Approval{Effects: ap.Effects}
	if ap.Chosen > 0 {
		places := map[int][]int{}
		if err := k.a.runs.Note(ctx, k.t.run.ID, store.NoteApproved, &places); err != nil {
			return err
		}
		for _, i := range places[k.number] {
			if i < len(k.changes) {
				choice.ChangeIDs = append(choice.ChangeIDs, k.changes[i].ID)
			}
		}
	}
	for i, yes := range plan.Select(k.changes, choice) {
		if !yes && open(&k.changes[i]) {
			results[i] = store.Result{Index: i, State: directory.ChangeDeclined, At: k.s.now().UTC()}
		}
	}
	return nil
}

// movedOn finds open changes, of those from one place to another, of objects that
// are not any more as the admin saw them.
func (k *chunk) movedOn(ctx context.Context, results map[int]store.Result, from, to int) error {
	var places []int
	for i := from; i < to; i++ {
		if _, closed := results[i]; !closed && open(&k.changes[i]) {
			places = append(places, i)
		}
	}
	names, parts := byKind(places, func(i *int) directory.Ref { return k.changes[*i].Ref() })
	for _, name := range names {
		objects := k.a.kinds.of(name)
		if objects == nil {
			continue // it is not sent either
		}
		verdicts, err := objects.Drifted(ctx, k.s.workOn(k.t), k.changes, parts[name])
		if err != nil {
			return err
		}
		for i, v := range verdicts {
			if v.State == "" {
				continue
			}
			results[i] = store.Result{Index: i, State: v.State, At: k.s.now().UTC(), Error: v.Problem}
		}
	}
	return nil
}

// closeUnsent journals changes that are not sent, and what that means for their
// bindings.
func (k *chunk) closeUnsent(ctx context.Context, results map[int]store.Result, pause bool) error {
	byObject := map[directory.Ref][]int{}
	var refs []directory.Ref
	for i := range k.changes {
		ref := k.changes[i].Ref()
		if _, seen := byObject[ref]; !seen {
			refs = append(refs, ref)
		}
		byObject[ref] = append(byObject[ref], i)
	}
	for part := range slices.Chunk(refs, 25) {
		err := inParts(part, func(part []directory.Ref) error {
			return k.closePart(ctx, part, byObject, results, pause)
		})
		if errors.Is(err, directory.ErrStale) {
			return fmt.Errorf("run %s: chunk %d: %w", k.t.run.ID, k.number, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *chunk) closePart(ctx context.Context, refs []directory.Ref, byObject map[directory.Ref][]int, results map[int]store.Result, pause bool) error {
	j := store.Journal{Run: k.t.run, Chunk: k.number, Seq: k.results}
	for _, ref := range refs {
		for _, i := range byObject[ref] {
			if r, closed := results[i]; closed {
				j.Results = append(j.Results, r)
			}
		}
		if bc, any := k.closeBinding(ref, byObject[ref], results, pause); any {
			j.Bindings = append(j.Bindings, bc)
		}
	}
	if len(j.Results)+len(j.Bindings) == 0 {
		return nil
	}
	k.describe(&j)
	err := k.a.journal.Journal(ctx, &k.s.lease, &k.s.conn, j)
	if err == nil && len(j.Results) > 0 {
		k.results++
	}
	return err
}

func (k *chunk) closeBinding(ref directory.Ref, changes []int, results map[int]store.Result, pause bool) (store.BindingChange, bool) {
	var names []string
	waiting, outdated := false, false
	version, agreed := int64(0), int64(0)
	var effects []directory.Effect
	for _, i := range changes {
		c := &k.changes[i]
		version, agreed = c.UserVersion, c.Agreed
		switch r, closed := results[i]; {
		case closed && r.State == directory.ChangeDeclined:
			names, effects = append(names, plan.Fingerprint(c)), append(effects, c.Effect)
		case closed:
			outdated = true
		case open(c):
			waiting = true
		}
	}
	if pause && !waiting || !pause && len(names) == 0 {
		return store.BindingChange{}, false
	}
	now := k.s.now().UTC()
	return store.BindingChange{Ref: ref, Mutate: func(b *directory.Binding) bool {
		if pause {
			b.Applied, b.Recheck = max(b.Applied, version), false
			b.Agreed = min(b.Agreed, agreed) // what made the change asks for it again
			if !b.PausedByAdmin() {
				b.Status, b.Problem = directory.BindingPaused, undone(k.t.run, now)
			}
			return true
		}
		for _, n := range names {
			if !slices.Contains(b.Declined, n) {
				b.Declined = append(b.Declined, n)
			}
		}
		b.Digest = 0
		if waiting || outdated || b.Resting() {
			return true
		}
		if b.Release != "" { // what was to go stays
			b.Release, b.LeftGroup, b.MoveTo, b.Status, b.Recheck = afterDeclined(ref), "", nil, directory.BindingPending, true
			return true
		}
		b.Applied, b.Recheck, b.Status, b.Problem = max(b.Applied, version), false, directory.BindingInSync, nil
		b.Findings = append(b.Findings, plan.Declined(effects))
		return true
	}}, true
}

// afterDeclined is what becomes of a record whose release was declined. A user stays bound.
// A tenant group, or a membership, that our directory does not want any more stays only in
// the tenant: were its record one like any other, nothing would let it go again, and a
// membership that others take away later would be put back.
func afterDeclined(ref directory.Ref) directory.ReleasePolicy {
	if ref.Kind == directory.KindMember || ref.Kind == directory.KindGroup {
		return directory.ReleaseKeep
	}
	return ""
}
