package reconcile

import (
	"context"
	"slices"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Leavers are users whose access is to be taken away: their marks stand in a
// lane of their own, they get runs of their own, and these are served between
// the pages and the batches of all others, and while their pages and reads are
// awaited (lane.go). So a leaver waits for no load, for no slow read, for no quota
// that a load has used up, and for no decision about other people.

// runForLeavers makes a run of the urgent marks, if there are any that no open
// run has. A held run of leavers whose users were edited since is planned anew,
// together with whoever came in meanwhile. Nobody waits for a run that waits for
// single accounts.
func (w *worker) runForLeavers(ctx context.Context) (made bool, err error) {
	marks, err := w.urgentMarks(ctx)
	if err != nil || len(marks) == 0 {
		return false, err
	}
	open, err := w.openRuns(ctx)
	if err != nil {
		return false, err
	}
	fresh := make(map[directory.UserID]bool, len(marks))
	for _, m := range marks {
		fresh[m.Ref.User()] = true
	}
	var waiting []directory.UserID
	for i := range open {
		r := &open[i]
		if r.Kind == directory.KindRelease && r.State != directory.RunHeld {
			for _, id := range r.UserIDs {
				fresh[id] = false // that run lets them go
			}
		}
		if !r.Urgent {
			continue
		}
		if r.State != directory.RunHeld {
			single, err := waitsForSingle(r)
			if err != nil || !single {
				return false, err // it comes first anyway
			}
			waiting = append(waiting, r.UserIDs...)
			continue
		}
		moved := false
		for _, m := range marks {
			if _, in := slices.BinarySearch(r.UserIDs, m.Ref.User()); in {
				moved = moved || m.At.After(r.StartedAt)
				fresh[m.Ref.User()] = m.At.After(r.StartedAt)
			}
		}
		if moved {
			for _, id := range r.UserIDs {
				fresh[id] = true
			}
			if err := w.supersede(ctx, r); err != nil {
				return false, err
			}
		}
	}
	for _, id := range waiting {
		fresh[id] = false
	}
	run := runs.NewRecord(w.conn.ID, w.lease.Epoch, w.now())
	run.Trigger, run.Urgent = directory.TriggerEdit, true
	for id, yes := range fresh {
		if yes && len(run.UserIDs) < runs.MaxRunUsers {
			run.UserIDs = append(run.UserIDs, id)
		}
	}
	if len(run.UserIDs) == 0 {
		return false, nil
	}
	slices.Sort(run.UserIDs)
	for _, m := range marks {
		w.served[m.Ref.User()] = m.At
	}
	return true, w.create(ctx, &run)
}

// waitsForSingle reports whether a run waits for nothing but accounts that
// Microsoft cannot change now. It may have to wait again, and again.
func waitsForSingle(r *store.RunRecord) (bool, error) {
	if r.State != directory.RunWaiting {
		return false, nil
	}
	cur, err := runs.ProgressOf(r)
	return err == nil && cur.Single, err
}

// pending counts what other runs are still to send that the guard has let go, or
// of runs for leavers may: for the guard it is as good as done. What an admin
// approved counts for nobody. touched is how many users those are that are the
// first since the settings changed.
func (w *worker) pending(ctx context.Context, but *store.RunRecord) (sum plan.Counter, touched int, err error) {
	others, err := w.openRuns(ctx)
	if err != nil {
		return nil, 0, err
	}
	t := plan.Tally{}
	for i := range others {
		r := &others[i]
		cur, err := runs.ProgressOf(r)
		if err != nil {
			return nil, 0, err
		}
		if r.ID == but.ID || r.ApprovedBy != "" || r.State == directory.RunHeld ||
			cur.StateBehind(r.State) != directory.RunApplying && !(r.Urgent && but.Urgent) {
			continue
		}
		for chunk := range r.Chunks {
			if err := w.inTime(ctx); err != nil {
				return nil, 0, err
			}
			changes, _, err := w.Store.Chunk(ctx, r.ID, chunk)
			if err != nil {
				return nil, 0, err
			}
			changes = slices.DeleteFunc(changes, func(c directory.Change) bool {
				return !open(&c) || cur.Exempt && !plan.Exempt(r.Held, &c)
			})
			if t.Add(changes); r.Remapped {
				touched += plan.TouchedBy(changes)
			}
		}
	}
	return t.Counter(), touched, nil
}

// mergeHeld makes one run of all runs for leavers that are, or are about to be,
// held: a bulk edit that trickles in is one decision for an admin, not many. What
// an admin has decided about already, and waits for the roles, stays by itself.
func (w *worker) mergeHeld(ctx context.Context, r *store.RunRecord) (bool, error) {
	open, err := w.openRuns(ctx)
	if err != nil {
		return false, err
	}
	all := slices.Clone(r.UserIDs)
	var others []*store.RunRecord
	for i := range open {
		h := &open[i]
		if h.ID != r.ID && h.Urgent && h.State == directory.RunHeld && h.ApprovedBy == "" && len(all)+len(h.UserIDs) <= runs.MaxRunUsers {
			all, others = append(all, h.UserIDs...), append(others, h)
		}
	}
	if len(others) == 0 {
		return false, nil
	}
	run := runs.NewRecord(w.conn.ID, w.lease.Epoch, w.now())
	run.Trigger, run.Urgent = directory.TriggerEdit, true
	slices.Sort(all)
	run.UserIDs = slices.Compact(all)
	if err := w.Store.CreateRun(ctx, directory.Act{}, &run); err != nil {
		return false, err
	}
	for _, h := range append(others, r) {
		if err := w.supersede(ctx, h); err != nil {
			return false, err
		}
	}
	return true, nil
}

// urgentMarks lists the leavers that this slice has not dealt with.
func (w *worker) urgentMarks(ctx context.Context) ([]store.Mark, error) {
	var list []store.Mark
	cursor, began := "", w.now()
	if !w.urgentSeen.IsZero() {
		// Marks come with the time; clocks and the index may lag a little.
		cursor = store.MarksAfter(w.urgentSeen.Add(-10 * time.Second))
	}
	for len(list) < runs.MaxRunUsers {
		marks, next, err := w.Store.UrgentMarks(ctx, w.conn.ID, w.lease.Epoch, cursor, 500)
		if err != nil {
			return nil, err
		}
		for _, m := range marks {
			if at, done := w.served[m.Ref.User()]; !done || m.At.After(at) {
				list = append(list, m)
			}
		}
		if cursor = next; cursor == "" {
			w.urgentSeen = began
			break
		}
	}
	return list, nil
}

// overtake serves leavers in the middle of another run.
func (w *worker) overtake(ctx context.Context, r *store.RunRecord) error {
	if r.Urgent {
		return nil
	}
	return w.attending(r, func() error { return w.serveLeavers(ctx) })
}
