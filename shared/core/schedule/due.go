package schedule

import (
	"context"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// workState is how the work of a connection stands, by what has been read of it.
type workState int

const (
	idle    workState = iota // nothing, or somebody is at it
	quiet                    // nothing but what marks may say
	waiting                  // something stands open and nobody is at it
)

// workStateOf decides as the engine would: something stands open and nobody is at
// it, or the tenant is to be read again. held is since when a held plan has kept
// its marks: only newer ones are work.
func workStateOf(l *store.ScheduledConnection, runs []store.RunRecord, now time.Time) (s workState, held time.Time) {
	switch {
	case !l.Authorized() || l.LeaseUntil.After(now):
		return idle, held
	case !l.LeaseUntil.IsZero():
		return waiting, held // its holder died
	case l.RunOpen:
		return waiting, held // on the lease: it is not among runs
	case readDue(l, now):
		return waiting, held
	}
	for i := range runs {
		if runs[i].State != directory.RunHeld {
			return waiting, held
		}
		if runs[i].StartedAt.After(held) {
			held = runs[i].StartedAt
		}
	}
	return quiet, held
}

// readDue reports whether the connection's tenant is to be read.
func readDue(l *store.ScheduledConnection, now time.Time) bool {
	if l.Link.Rest.After(now) { // its pages turned in a circle
		return false
	}
	var readAt time.Time
	if l.Link.Link != "" && !l.Link.Full {
		readAt = l.Link.At
	}
	interval := time.Duration(l.Settings.Defaulted().Interval)
	return directory.ReadDue(interval, readAt, now) || directory.FullReadDue(l.ID, l.FullAt, now)
}

// hasWork reports whether a connection is to be woken. When what has been read
// does not say so, the marks are looked at: the urgent ones, and the lane whose
// turn it is.
func (r *round) hasWork(ctx context.Context, l *store.ScheduledConnection, runs []store.RunRecord, now time.Time) (bool, error) {
	s, held := workStateOf(l, runs, now)
	if s != quiet {
		return s == waiting, nil
	}
	before := now.Add(-markPatience)
	if used, err := r.useDue(ctx, l, before); err != nil || used {
		return used, err
	}
	marked, err := r.cfg.Stores.Marks.OldMark(ctx, &l.Connection, 0, held, before)
	lane := 1 + r.turn
	if err != nil || marked || lane >= store.MarkLanes {
		return marked, err
	}
	return r.cfg.Stores.Marks.OldMark(ctx, &l.Connection, lane, held, before)
}

// useDue reports whether a connection's use of a group is due since a while: the wake-up
// of whoever made it so is lost.
func (r *round) useDue(ctx context.Context, l *store.ScheduledConnection, before time.Time) (bool, error) {
	if !l.UsesGroups {
		return false, nil
	}
	due, _, err := r.cfg.Stores.Uses.DueUses(ctx, l.ID, "", 1)
	return len(due) > 0 && due[0].At.Before(before), err
}
