package store

import (
	"context"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Schedule is what the schedule reads of each connection in its round through all
// of them, in as few calls as can be, and where that round stands.
type Schedule struct{ db *db }

// ScheduledConnection is a connection as the schedule reads it, with where its work stands.
type ScheduledConnection struct {
	directory.Connection
	LeaseUntil time.Time // zero: the last holder gave the lease back
	RunOpen    bool      // a run stands on the lease
	FullAt     time.Time // when the last full reconcile ended
	Link       ReadLink
	CheckedAt  time.Time // zero: never, or by a version that noted it elsewhere
	// Err says that the record cannot be read; there is no more of it than the ID.
	Err error
}

// ScheduledConnections returns up to limit connections in the order of their IDs,
// from the one behind after on, and whether there are more. The listing is
// eventually consistent; each hit is current. A record that cannot be read is
// listed as such, and keeps none of the others from being listed.
func (s *Schedule) ScheduledConnections(ctx context.Context, after directory.ConnectionID, limit int) ([]ScheduledConnection, bool, error) {
	q := table.Query{Index: 1, Partition: connectionsAt, After: string(after), Limit: limit}
	for {
		page, err := s.db.table.Query(ctx, q)
		if err != nil {
			return nil, false, fail("list connections", err)
		}
		states, err := s.db.withLeases(ctx, page.Items)
		if err != nil {
			return nil, false, err
		}
		list := make([]ScheduledConnection, 0, len(states))
		for i := range states {
			list = append(list, states[i].scheduled(s.db.now()))
		}
		if len(list) > 0 || page.Next == "" {
			return list, page.Next != "", nil
		}
		q.Cursor = page.Next // all of the page have gone since the index was written
	}
}

func (st *connectionState) scheduled(now time.Time) ScheduledConnection {
	id := directory.ConnectionID(st.conn.Index1.Sort)
	c, err := st.connection()
	if err != nil {
		return ScheduledConnection{Connection: directory.Connection{ID: id}, Err: err}
	}
	l, err := st.decodeLease(id, &c, now)
	if err != nil {
		return ScheduledConnection{Connection: directory.Connection{ID: id}, Err: err}
	}
	return ScheduledConnection{Connection: c, LeaseUntil: l.Until, RunOpen: l.Run != "", FullAt: l.FullAt, Link: l.Link, CheckedAt: fromMillis(st.conn.Numbers[numChecked])}
}

// Beside is what stands beside a connection.
type Beside struct {
	Runs         []RunRecord // that have not ended, oldest first; at most MaxGet
	Notification NotificationState
	Photos       PhotoPlan
}

// Beside reads what stands beside a connection, strongly consistent: one call,
// and a second one when runs are open. Open runs, photos and what was told have
// sort keys behind all that grows with time.
func (s *Schedule) Beside(ctx context.Context, id directory.ConnectionID) (Beside, error) {
	var b Beside
	var open []directory.RunID
	for it, err := range s.db.list(ctx, table.Query{Partition: connectionKey(id).Partition, After: "open"}) {
		if err != nil {
			return b, fail("what stands beside "+string(id), err)
		}
		run, isRun := strings.CutPrefix(it.Sort, "open#")
		switch {
		case isRun && len(open) < table.MaxGet:
			open = append(open, directory.RunID(run))
		case it.Key == notificationKey(id):
			err = decode(it, &b.Notification)
			b.Notification.Version = it.Version
		case it.Key == photoPlanKey(id):
			err = decode(it, &b.Photos)
			b.Photos.Version = it.Version
		}
		if err != nil {
			return b, err
		}
	}
	found, err := s.db.runs(ctx, open)
	for _, id := range open {
		if r, there := found[id]; there { // else its record has expired
			b.Runs = append(b.Runs, r)
		}
	}
	return b, err
}

// Round is where the schedule stands in its round through all connections. Counts
// are the schedule's own: of the round so far, and of the last whole one.
type Round struct {
	// After is the last connection that has had its turn; "" when a round begins.
	After   directory.ConnectionID `json:"after,omitempty"`
	Began   time.Time              `json:"began,omitzero"`
	Sum     map[string]int         `json:"sum,omitempty"`
	Last    map[string]int         `json:"last,omitempty"`
	Version int64                  `json:"-"`
}

// Round reads where the schedule stands; the zero Round at first.
func (s *Schedule) Round(ctx context.Context) (Round, error) {
	var r Round
	var err error
	r.Version, err = s.db.load(ctx, roundKey, &r)
	return r, fail("round", err)
}

// SaveRound stores it at the version read. ErrStale when another schedule was
// faster.
func (s *Schedule) SaveRound(ctx context.Context, r *Round) error {
	if err := s.db.replace(ctx, roundKey, r.Version, r); err != nil {
		return fail("save round", err)
	}
	r.Version++
	return nil
}

// OpenWork is what stands open for a connection.
type OpenWork struct {
	Leased       bool      // somebody works on it now
	LeaseExpired bool      // a holder died
	Runs         int       // open runs that are not held
	Marked       bool      // a binding was marked before the time asked for
	MarkedAt     time.Time // the oldest such mark
	ReadAt       time.Time
}

// OpenWork reports what stands open for a connection.
func (s *Schedule) OpenWork(ctx context.Context, c *directory.Connection, markedBefore time.Time) (OpenWork, error) {
	var p OpenWork
	l, _, err := s.db.peekLease(ctx, c.ID)
	if err != nil {
		return p, err
	}
	if l.Epoch == c.Epoch && l.Link.Link != "" && !l.Link.Full {
		p.ReadAt = l.Link.At
	}
	p.Leased = l.Until.After(s.db.now())
	p.LeaseExpired = !l.Until.IsZero() && !p.Leased
	open, err := s.db.openRuns(ctx, c.ID)
	if err != nil {
		return p, err
	}
	open = l.withRun(open)
	runs, err := s.db.runs(ctx, open)
	if err != nil {
		return p, err
	}
	var held time.Time
	for _, r := range runs {
		switch {
		case r.State.Ended(): // an admin ended it, and it still stands on the lease
		case r.State == directory.RunHeld:
			held = latest(held, r.StartedAt)
		default:
			p.Runs++
		}
	}
	// A held plan keeps its marks; only newer ones are work.
	after := ""
	if !held.IsZero() {
		after = MarksAfter(held)
	}
	for _, lane := range append([]string{laneUrgent}, lanes...) {
		marks, _, err := s.db.marks(ctx, c.ID, c.Epoch, lane, after, 1)
		if err != nil {
			return p, err
		}
		if len(marks) > 0 && marks[0].At.Before(markedBefore) {
			if !p.Marked || marks[0].At.Before(p.MarkedAt) {
				p.Marked, p.MarkedAt = true, marks[0].At
			}
		}
	}
	return p, nil
}
