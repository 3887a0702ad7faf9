package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// beforeApplying makes a run ready to be sent, chunk by chunk, before the first
// of its changes: what an admin declined is put away, what has moved on while
// the run was held is outdated, and the bindings that an undo concerns are
// paused, so that no sync writes again what is being undone.
func (w *worker) beforeApplying(ctx context.Context, r *store.RunRecord, cur *runs.Progress) error {
	if ap := r.Approval; ap != nil && (ap.All || len(ap.Effects)+ap.Chosen > 0) {
		if f := doubted(r.Held); f != nil && f.Then == w.lease.Users {
			w.source(f.Now)
		}
		if loosened(r.Held) && r.StartedAt.After(w.lease.Decided) {
			w.end.Decided, w.lease.Decided = r.StartedAt, r.StartedAt
		}
	}
	if r.ApprovedBy != "" || cur.Waited || r.Kind == directory.KindUndo {
		if cur.Ready < r.Chunks {
			w.tallied = tallied{} // waves are laid out anew, without what was declined
		}
		for cur.Ready < r.Chunks {
			if err := w.inTime(ctx); err != nil {
				return err
			}
			if err := w.attending(r, func() error { return w.readyChunk(ctx, r, cur) }); err != nil {
				return err
			}
			cur.Ready, cur.Looked, r.Attempts = cur.Ready+1, 0, 0
			if err := w.saveRun(ctx, r, cur); err != nil {
				return err
			}
		}
	}
	if err := w.layWaves(ctx, r, cur); err != nil {
		return err
	}
	if cur.WavesToCome() {
		_, err := w.tally(ctx, r) // which numbers the changes
		return err
	}
	return nil
}

// lookPart is of how many changes the accounts are looked at before the place is
// noted: with a slow Microsoft a slice does not come through a whole chunk.
const lookPart = 100

func (w *worker) readyChunk(ctx context.Context, r *store.RunRecord, cur *runs.Progress) error {
	for {
		a := &applier{worker: w, run: r, chunk: cur.Ready}
		if err := a.load(ctx); err != nil {
			return err
		}
		first, end := cur.Looked == 0, len(a.changes)
		results := map[int]store.Result{}
		if first && r.ApprovedBy != "" {
			if err := a.declined(ctx, results); err != nil {
				return err
			}
		}
		if r.ApprovedBy != "" || cur.Waited {
			end = min(cur.Looked+lookPart, len(a.changes))
			if err := a.movedOn(ctx, results, cur.Looked, end); err != nil {
				return err
			}
		}
		if pause := first && r.Kind == directory.KindUndo; len(results) > 0 || pause {
			if err := a.putAway(ctx, results, pause); err != nil {
				return err
			}
		}
		if end == len(a.changes) {
			return nil
		}
		cur.Looked, r.Attempts = end, 0
		if err := w.saveRun(ctx, r, cur); err != nil {
			return err
		}
	}
}

// declined finds the open changes that the approval does not take.
func (a *applier) declined(ctx context.Context, results map[int]store.Result) error {
	ap := a.run.Approval
	if ap == nil || ap.All {
		return nil
	}
	choice := plan.Approval{Effects: ap.Effects}
	if ap.Chosen > 0 {
		places := map[int][]int{}
		if err := a.Store.Note(ctx, a.run.ID, store.NoteApproved, &places); err != nil {
			return err
		}
		for _, i := range places[a.chunk] {
			if i < len(a.changes) {
				choice.ChangeIDs = append(choice.ChangeIDs, a.changes[i].ID)
			}
		}
	}
	for i, yes := range plan.Select(a.changes, choice) {
		if !yes && open(&a.changes[i]) {
			results[i] = store.Result{Index: i, State: directory.ChangeDeclined, At: a.now().UTC()}
		}
	}
	return nil
}

// movedOn finds open changes, of those from one place to another, of accounts that
// are not any more as the admin saw them: exactly what was approved is written, or
// nothing. Whoever has become a guest, or is synced by now, is refused.
func (a *applier) movedOn(ctx context.Context, results map[int]store.Result, from, to int) error {
	var refs []string
	var at []int
	var list []*directory.Change
	for i := from; i < to; i++ {
		c := &a.changes[i]
		if _, closed := results[i]; closed || !open(c) || c.AccountID == "" || c.Effect == directory.EffectRestore || c.Effect == directory.EffectRelease {
			continue
		}
		refs, at, list = append(refs, string(c.AccountID)), append(at, i), append(list, c)
	}
	if len(refs) == 0 {
		return nil
	}
	found, err := a.lookupAlso(ctx, refs, list)
	if err != nil {
		return err
	}
	for n, f := range found {
		i, c := at[n], list[n]
		state, p := directory.ChangeOutdated, &directory.Problem{Code: "outdated", Next: "The next run plans it anew."}
		if err := f.Err(); err != nil {
			p.Message = "Whether the account is still as it was could not be read: " + f.Problem.Message
		} else if foreign := foreignNow(f.Account); foreign != nil {
			state, p = directory.ChangeRefused, foreign
		} else if what := differs(c, f.Account); what != "" && !a.behind(i) {
			p.Message = "The account changed after this was planned: " + what + "."
		} else {
			continue
		}
		results[i] = store.Result{Index: i, State: state, At: a.now().UTC(), Error: p}
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
func (a *applier) behind(i int) bool {
	for j := range i {
		e := &a.changes[j]
		if e.UserID == a.changes[i].UserID && open(e) && e.Effect == directory.EffectRestore {
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

// putAway journals changes that are not sent, and what that means for their
// bindings.
func (a *applier) putAway(ctx context.Context, results map[int]store.Result, pause bool) error {
	byUser := map[directory.UserID][]int{}
	var users []directory.UserID
	for i := range a.changes {
		id := a.changes[i].UserID
		if _, seen := byUser[id]; !seen {
			users = append(users, id)
		}
		byUser[id] = append(byUser[id], i)
	}
	for part := range slices.Chunk(users, 25) {
		err := inParts(part, func(part []directory.UserID) error {
			return a.putAwayPart(ctx, part, byUser, results, pause)
		})
		if errors.Is(err, directory.ErrStale) {
			return fmt.Errorf("run %s: chunk %d: %w", a.run.ID, a.chunk, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) putAwayPart(ctx context.Context, users []directory.UserID, byUser map[directory.UserID][]int, results map[int]store.Result, pause bool) error {
	j := store.Journal{Run: a.run, Chunk: a.chunk, Seq: a.results}
	for _, id := range users {
		for _, i := range byUser[id] {
			if r, closed := results[i]; closed {
				j.Results = append(j.Results, r)
			}
		}
		if bc, any := a.putAwayBinding(id, byUser[id], results, pause); any {
			j.Bindings = append(j.Bindings, bc)
		}
	}
	if len(j.Results)+len(j.Bindings) == 0 {
		return nil
	}
	a.describe(&j)
	err := a.Store.Journal(ctx, &a.lease, &a.conn, j)
	if err == nil && len(j.Results) > 0 {
		a.results++
	}
	return err
}

func (a *applier) putAwayBinding(id directory.UserID, changes []int, results map[int]store.Result, pause bool) (store.BindingChange, bool) {
	var names []string
	waiting, outdated := false, false
	version, agreed := int64(0), int64(0)
	var effects []directory.Effect
	for _, i := range changes {
		c := &a.changes[i]
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
	now := a.now().UTC()
	return store.BindingChange{Ref: directory.AccountOf(id), Mutate: func(b *directory.Binding) bool {
		if pause {
			b.Applied, b.Recheck = max(b.Applied, version), false
			b.Agreed = min(b.Agreed, agreed) // what made the change asks for it again
			if !b.PausedByAdmin() {
				b.Status, b.Problem = directory.BindingPaused, undone(a.run, now)
			}
			return true
		}
		for _, n := range names {
			if !slices.Contains(b.Declined, n) {
				b.Declined = append(b.Declined, n)
			}
		}
		if b.Digest = 0; waiting || outdated || b.Resting() {
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
