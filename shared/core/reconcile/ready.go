package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bindery/shared/core/mapping"
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
		a.s.noteUsers(f.Now)
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

// movedOn finds open changes, of those from one place to another, of accounts that
// are not any more as the admin saw them: exactly what was approved is written, or
// nothing. Whoever has become a guest, or is synced by now, is refused.
func (k *chunk) movedOn(ctx context.Context, results map[int]store.Result, from, to int) error {
	var refs []string
	var at []int
	var list []*directory.Change
	for i := from; i < to; i++ {
		c := &k.changes[i]
		if _, closed := results[i]; closed || !open(c) || c.AccountID == "" || c.Effect == directory.EffectRestore || c.Effect == directory.EffectRelease {
			continue
		}
		refs, at, list = append(refs, string(c.AccountID)), append(at, i), append(list, c)
	}
	if len(refs) == 0 {
		return nil
	}
	found, err := k.a.observe.lookupFor(ctx, k.t.lane, k.a.cfg.Mapper, refs, list)
	if err != nil {
		return err
	}
	for n, f := range found {
		i, c := at[n], list[n]
		state, p := directory.ChangeOutdated, &directory.Problem{Code: directory.CodeOutdated, Next: "The next run plans it anew."}
		if err := f.Err(); err != nil {
			p.Message = "Whether the account is still as it was could not be read: " + f.Problem.Message
		} else if foreign := foreignNow(f.Account); foreign != nil {
			state, p = directory.ChangeRefused, foreign
		} else if what := differs(c, f.Account); what != "" && !k.behind(i) {
			p.Message = "The account changed after this was planned: " + what + "."
		} else {
			continue
		}
		results[i] = store.Result{Index: i, State: state, At: k.s.now().UTC(), Error: p}
	}
	return nil
}

// foreignNow is why an account is not ours to write to any more.
func foreignNow(account *directory.Account) *directory.Problem {
	if account == nil {
		return nil
	}
	return plan.Foreign(account)
}

// behind reports whether an earlier change of the same user makes the account
// another one first, so that what is read now says nothing about this change.
func (k *chunk) behind(i int) bool {
	for j := range i {
		e := &k.changes[j]
		if e.UserID == k.changes[i].UserID && open(e) && e.Effect == directory.EffectRestore {
			return true
		}
	}
	return false
}

// differs says which value of an account is not any more as a change found it.
func differs(c *directory.Change, account *directory.Account) string {
	if account == nil {
		return "it is not there any more"
	}
	for _, p := range c.Properties {
		if observed, read := account.Properties[p.Name]; read && !mapping.Same(p.Name, p.Before, observed) {
			return p.Name + " is not what it was"
		}
	}
	return ""
}

// closeUnsent journals changes that are not sent, and what that means for their
// bindings.
func (k *chunk) closeUnsent(ctx context.Context, results map[int]store.Result, pause bool) error {
	byUser := map[directory.UserID][]int{}
	var users []directory.UserID
	for i := range k.changes {
		id := k.changes[i].UserID
		if _, seen := byUser[id]; !seen {
			users = append(users, id)
		}
		byUser[id] = append(byUser[id], i)
	}
	for part := range slices.Chunk(users, 25) {
		err := inParts(part, func(part []directory.UserID) error {
			return k.closePart(ctx, part, byUser, results, pause)
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

func (k *chunk) closePart(ctx context.Context, users []directory.UserID, byUser map[directory.UserID][]int, results map[int]store.Result, pause bool) error {
	j := store.Journal{Run: k.t.run, Chunk: k.number, Seq: k.results}
	for _, id := range users {
		for _, i := range byUser[id] {
			if r, closed := results[i]; closed {
				j.Results = append(j.Results, r)
			}
		}
		if bc, any := k.closeBinding(id, byUser[id], results, pause); any {
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

func (k *chunk) closeBinding(id directory.UserID, changes []int, results map[int]store.Result, pause bool) (store.BindingChange, bool) {
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
	return store.BindingChange{Ref: directory.AccountOf(id), Mutate: func(b *directory.Binding) bool {
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
		if b.Release != "" { // the user stays
			b.Release, b.MoveTo, b.Status, b.Recheck = "", nil, directory.BindingPending, true
			return true
		}
		b.Applied, b.Recheck, b.Status, b.Problem = max(b.Applied, version), false, directory.BindingInSync, nil
		b.Findings = append(b.Findings, plan.Declined(effects))
		return true
	}}, true
}
