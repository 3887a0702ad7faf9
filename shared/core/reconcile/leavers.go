package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// leavers are users whose access is to be taken away: their marks stand in a
// lane of their own, they get runs of their own, and these are served between
// the pages and the batches of all others, and while their pages and reads are
// awaited (lane.go). So a leaver waits for no load, for no slow read, for no quota
// that a load has used up, and for no decision about other people.
type leavers struct {
	s     *session
	queue *runQueue
	marks markStore
	send  Send
	// bring works on a run until it ends or is held.
	bring func(ctx context.Context, r *store.RunRecord) error

	given     []store.Mark                   // that of a named user, until a run is made of it
	quiet     time.Time                      // until when nobody but a named user is looked for
	dealtWith map[directory.UserID]time.Time // by a run, with their mark
	listed    time.Time                      // when the urgent marks were last listed
	looked    time.Time                      // when they were last looked for meanwhile
	none      time.Time                      // when there was nothing to be done for leavers
	due       time.Time                      // when a run of leavers that waits may go on; zero: none does
	count     int                            // runs that were done in the middle of something else
	users     map[directory.UserID]int       // those of these runs, and by which of them
}

// of is the lane past the work on a run: a run of leavers itself is not
// interrupted.
func (l *leavers) of(r *store.RunRecord) lane {
	if r.Urgent {
		return closed{l.s}
	}
	return l
}

func (l *leavers) open() bool { return true }

func (l *leavers) news() <-chan struct{} { return nil }

// wanted says that there are leavers also when that is not found out.
func (l *leavers) wanted(ctx context.Context) bool {
	if l.given != nil || !l.due.IsZero() && !l.s.now().Before(l.due) {
		return true
	}
	if l.noneJustNow() {
		return false
	}
	listed := l.listed
	marks, err := l.newMarks(ctx)
	if err != nil || len(marks) > 0 {
		l.listed = listed // whoever serves them lists them again
		return true
	}
	l.none = l.s.now()
	return false
}

// serveEvery is how often leavers are looked for between what follows each other
// closely.
const serveEvery = 250 * time.Millisecond

// noneJustNow reports whether nothing was to be done for leavers a moment ago.
func (l *leavers) noneJustNow() bool {
	ago := l.s.now().Sub(l.none)
	return ago >= 0 && ago < serveEvery
}

func (l *leavers) attend(ctx context.Context) error {
	if err := l.s.inTime(ctx); err != nil || l.s.now().Sub(l.looked) < lookEvery {
		return err
	}
	l.looked = l.s.now()
	return l.serve(ctx)
}

// serve brings all runs of leavers as far as they come, in the middle of
// something else. Whoever comes within serveEvery of the last look waits for the next.
func (l *leavers) serve(ctx context.Context) error {
	due := !l.due.IsZero() && !l.s.now().Before(l.due)
	if !due && l.given == nil && l.noneJustNow() {
		return nil
	}
	made, err := l.makeRun(ctx)
	if err != nil {
		return err
	}
	if !made && !due {
		l.none = l.s.now()
		return nil
	}
	l.due = time.Time{}
	outer := l.s.sum.RunID
	defer func() { l.s.sum.RunID = outer }()
	for {
		next, err := l.next(ctx)
		if pause, waits := pauseOf(err); waits && pause.queued {
			return nil // whoever began the wait has sent a wake-up
		}
		if err != nil || next == nil || !next.Urgent {
			return err
		}
		l.noteServed(next)
		err = l.bring(ctx, next)
		if pause, waits := pauseOf(err); waits && pause.single && !pause.queued {
			// Nobody waits for a run that waits for single accounts.
			err = l.send(ctx, directory.WakeUp{ConnectionID: l.s.conn.ID}, pause.after)
		}
		if err != nil {
			return fmt.Errorf("run %s for leavers: %w", next.ID, err)
		}
	}
}

// next picks the run to work on, and notes until when those for leavers wait.
func (l *leavers) next(ctx context.Context) (*store.RunRecord, error) {
	r, due, err := l.queue.next(ctx)
	if !due.IsZero() && (l.due.IsZero() || due.Before(l.due)) {
		l.due = due
	}
	return r, err
}

func (l *leavers) noteServed(r *store.RunRecord) {
	l.count++
	if l.users == nil {
		l.users = map[directory.UserID]int{}
	}
	for _, id := range r.UserIDs {
		l.users[id] = l.count
	}
}

func (l *leavers) served() int { return l.count }

func (l *leavers) servedSince(ids []directory.UserID, count int) []directory.UserID {
	var some []directory.UserID
	for _, id := range ids {
		if l.users[id] > count && !slices.Contains(some, id) {
			some = append(some, id)
		}
	}
	return some
}

// makeRun makes a run of the urgent marks, if there are any that no open
// run has. A held run of leavers whose users were edited since is planned anew,
// together with whoever came in meanwhile. Nobody waits for a run that waits for
// single accounts.
func (l *leavers) makeRun(ctx context.Context) (made bool, err error) {
	marks, err := l.newMarks(ctx)
	if err != nil || len(marks) == 0 {
		return false, err
	}
	open, err := l.queue.list(ctx)
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
		moved, err := l.movedOn(ctx, r, marks, fresh)
		if err != nil {
			return false, err
		}
		if !moved {
			continue
		}
		for _, id := range r.UserIDs {
			fresh[id] = true
		}
		ended, err := l.queue.supersede(ctx, r)
		if err != nil {
			return false, err
		}
		if !ended { // it may have been approved, and goes first, or declined: decide anew
			l.given = marks
			return l.makeRun(ctx)
		}
	}
	for _, id := range waiting {
		fresh[id] = false
	}
	run := runs.NewRecord(l.s.conn.ID, l.s.lease.Epoch, l.s.now())
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
		l.dealtWith[m.Ref.User()] = m.At
	}
	l.queue.draft(&run)
	return true, nil
}

// movedOn reports whether users of a held run were marked again since it was
// planned, and says of each marked one of them whether that is so.
func (l *leavers) movedOn(ctx context.Context, held *store.RunRecord, marks []store.Mark, fresh map[directory.UserID]bool) (moved bool, err error) {
	plan := plannedRun{queue: l.queue, run: held}
	since := plan.since()
	var late []directory.Ref
	for _, m := range marks {
		id := m.Ref.User()
		if _, in := slices.BinarySearch(held.UserIDs, id); !in {
			continue
		}
		fresh[id] = m.At.After(held.StartedAt)
		moved = moved || fresh[id]
		if !fresh[id] && m.At.After(since) {
			late = append(late, m.Ref)
		}
	}
	unseen, err := plan.unseen(ctx, late)
	if err != nil {
		return false, err
	}
	for _, ref := range unseen {
		moved, fresh[ref.User()] = true, true
	}
	return moved, nil
}

// waitsForSingle reports whether a run waits for nothing but accounts that
// Microsoft cannot change now. It may have to wait again, and again.
func waitsForSingle(r *store.RunRecord) (bool, error) {
	if r.State != directory.RunWaiting {
		return false, nil
	}
	at, err := runs.ProgressOf(r)
	return err == nil && at.Single, err
}

// came reports whether leavers have been marked since about a time with whom this slice
// has not dealt.
func (l *leavers) came(ctx context.Context, since time.Time) (bool, error) {
	listed := l.listed
	defer func() { l.listed = listed }() // whoever lists them next lists these again
	l.listed = since
	marks, err := l.newMarks(ctx)
	return len(marks) > 0, err
}

// newMarks lists the leavers that this slice has not dealt with.
func (l *leavers) newMarks(ctx context.Context) ([]store.Mark, error) {
	if given := l.given; given != nil {
		l.given = nil
		return given, nil
	}
	var list []store.Mark
	cursor, began := "", l.s.now()
	if began.Before(l.quiet) {
		return nil, nil
	}
	if !l.listed.IsZero() {
		// Marks come with the time; clocks and the index may lag a little.
		cursor = store.MarksAfter(l.listed.Add(-10 * time.Second))
	}
	for len(list) < runs.MaxRunUsers {
		marks, next, err := l.marks.UrgentMarks(ctx, l.s.conn.ID, l.s.lease.Epoch, cursor, 500)
		if err != nil {
			return nil, err
		}
		for _, m := range marks {
			if m.Ref.User() == "" {
				continue // nobody who leaves: it is planned with the others
			}
			if at, done := l.dealtWith[m.Ref.User()]; !done || m.At.After(at) {
				list = append(list, m)
			}
		}
		cursor = next
		if cursor == "" {
			l.listed = began
			break
		}
	}
	return list, nil
}
