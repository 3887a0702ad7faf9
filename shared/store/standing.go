package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Pending is what stands open for a connection.
type Pending struct {
	Leased       bool      // somebody works on it now
	LeaseExpired bool      // a holder died
	Runs         int       // open runs that are not held
	Marked       bool      // a binding was marked before the time asked for
	MarkedAt     time.Time // the oldest such mark
	ReadAt       time.Time
}

// Pending reports what stands open for a connection.
func (s *Store) Pending(ctx context.Context, c *directory.Connection, markedBefore time.Time) (Pending, error) {
	var p Pending
	l, _, err := s.Stand(ctx, c.ID)
	if err != nil {
		return p, err
	}
	if l.Epoch == c.Epoch && l.Link.Link != "" && !l.Link.Full {
		p.ReadAt = l.Link.At
	}
	p.Leased = l.Until.After(s.Now())
	p.LeaseExpired = !l.Until.IsZero() && !p.Leased
	open, err := s.OpenRuns(ctx, c.ID)
	if err != nil {
		return p, err
	}
	var held time.Time
	for _, id := range open {
		r, err := s.Run(ctx, id)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return p, err
		}
		switch {
		case err != nil:
		case r.State != directory.RunHeld:
			p.Runs++
		case r.StartedAt.After(held):
			held = r.StartedAt
		}
	}
	// A held plan keeps its marks; only newer ones are work.
	after := ""
	if !held.IsZero() {
		after = MarksAfter(held)
	}
	for _, lane := range append([]string{laneUrgent}, lanes...) {
		marks, _, err := s.marks(ctx, c.ID, c.Epoch, lane, after, 1)
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

// ReadLink is where the reading of a tenant stands.
type ReadLink struct {
	// Link is the next page of a round under way, or the delta link that
	// starts the next round; "" for a round from the start.
	Link string `json:"link,omitempty"`
	// Settings is a digest of the settings and domains that the round was made
	// with; other ones make another full round necessary.
	Settings string `json:"settings,omitempty"`
	// Version is that of the connection which they were read from; 0: not known.
	Version int64 `json:"version,omitempty"`
	// Full is set while a full round is under way; Pass names it, Pages counts
	// its pages, and Sweep is its place in the listing of bindings once every
	// account has been read ("start" at first).
	Full  bool            `json:"full,omitempty"`
	Pass  directory.RunID `json:"pass,omitempty"`
	Pages int             `json:"pages,omitempty"`
	Sweep string          `json:"sweep,omitempty"`
	// Demand is the run that asked for a full round; answered when equal.
	Demand directory.RunID `json:"demand,omitempty"`
	Epoch  int64           `json:"epoch"`
	At     time.Time       `json:"at"` // of the last page
	// Since is when the last round ended: what was written after it has not been
	// looked at since. Zero in a link of a version that did not note it.
	Since time.Time `json:"since,omitzero"`
	// Paging proves that the round under way comes forward.
	Paging directory.Paging `json:"paging,omitzero"`
	// Loop is why the last rounds did not come to their end, and how many in a
	// row; until Rest the schedule begins none.
	Loop *directory.Problem `json:"loop,omitempty"`
	Rest time.Time          `json:"rest,omitzero"`
}

// SaveLink stores where reading stands, while the lease is ours.
func (s *Store) SaveLink(ctx context.Context, l *Lease, r ReadLink) error {
	r.Epoch = l.Epoch
	err := s.Table.Write(ctx, table.Write{
		Update: &table.Update{Key: connectionKey(l.ConnectionID), SetStrings: map[string]string{strLink: string(encode(r))}},
		If:     l.current(),
	})
	if err == nil {
		l.Link = r
	}
	return leaseFail("save link", err)
}

// leaseFail turns a failed check of the lease into ErrLeaseLost.
func leaseFail(what string, err error) error {
	if f, ok := failed(err); ok {
		if _, lost := f[0]; lost {
			return fmt.Errorf("%s: %w", what, directory.ErrLeaseLost)
		}
		return fmt.Errorf("%s: %w", what, directory.ErrStale)
	}
	return fail(what, err)
}
