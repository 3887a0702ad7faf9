package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// numChecked is when a connection was last checked, Unix milliseconds. It stands
// on the connection's item, so that a listing has it.
const numChecked = "checkedAt"

// Listed is a connection as the schedule reads it, with where its work stands.
type Listed struct {
	directory.Connection
	LeaseUntil time.Time // zero: the last holder gave the lease back
	FullAt     time.Time // when the last full reconcile ended
	Link       ReadLink
	CheckedAt  time.Time // zero: never, or by a version that noted it elsewhere
	// Err says that the record cannot be read; there is no more of it than the ID.
	Err error
}

// ListConnections returns up to limit connections in the order of their IDs,
// from the one behind after on, and whether there are more. The listing is
// eventually consistent; each hit is current. A record that cannot be read is
// listed as such, and keeps none of the others from being listed.
func (s *Store) ListConnections(ctx context.Context, after directory.ConnectionID, limit int) ([]Listed, bool, error) {
	q := table.Query{Index: 1, Partition: "connections", After: string(after), Limit: limit}
	for {
		page, err := s.Table.Query(ctx, q)
		if err != nil {
			return nil, false, fail("list connections", err)
		}
		list := make([]Listed, 0, len(page.Items))
		for _, it := range page.Items {
			list = append(list, listed(it))
		}
		if len(list) > 0 || page.Next == "" {
			return list, page.Next != "", nil
		}
		q.Cursor = page.Next // all of the page have gone since the index was written
	}
}

func listed(it table.Item) Listed {
	id := directory.ConnectionID(it.Index1.Sort)
	c, err := decodeConnection(it)
	lease := Lease{ConnectionID: id, Epoch: c.Epoch}
	if err == nil {
		err = lease.standing(it)
	}
	if err != nil {
		return Listed{Connection: directory.Connection{ID: id}, Err: err}
	}
	return Listed{Connection: c, LeaseUntil: fromMillis(it.Numbers[numLeaseUntil]), FullAt: lease.FullAt, Link: lease.Link,
		CheckedAt: fromMillis(it.Numbers[numChecked])}
}

// Beside is what stands beside a connection.
type Beside struct {
	Runs   []RunRecord // that have not ended, oldest first; at most MaxGet
	Told   Told
	Photos PhotoPlan
}

// Beside reads what stands beside a connection, strongly consistent: one call,
// and a second one when runs are open. Open runs, told and photos have sort keys
// behind all that grows with time.
func (s *Store) Beside(ctx context.Context, id directory.ConnectionID) (Beside, error) {
	var b Beside
	var open []table.Key
	q := table.Query{Partition: "C#" + string(id), After: "open"}
	for {
		page, err := s.Table.Query(ctx, q)
		if err != nil {
			return b, fail("what stands beside "+string(id), err)
		}
		for _, it := range page.Items {
			run, isRun := strings.CutPrefix(it.Sort, "open#")
			switch {
			case isRun && len(open) < table.MaxGet:
				open = append(open, runKey(directory.RunID(run)))
			case it.Key == toldKey(id):
				err = decode(it, &b.Told)
				b.Told.Version = it.Version
			case it.Key == photoPlanKey(id):
				err = decode(it, &b.Photos)
				b.Photos.Version = it.Version
			}
			if err != nil {
				return b, err
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	runs, err := s.runs(ctx, open)
	b.Runs = runs
	return b, err
}

// runs reads runs by their keys, in that order; those that have expired are left
// out.
func (s *Store) runs(ctx context.Context, keys []table.Key) ([]RunRecord, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	items, err := s.Table.GetMany(ctx, keys)
	if err != nil {
		return nil, fail("open runs", err)
	}
	found := map[table.Key]table.Item{}
	for _, it := range items {
		found[it.Key] = it
	}
	var list []RunRecord
	for _, k := range keys {
		it, there := found[k]
		if !there {
			continue
		}
		r, err := decodeRun(it)
		if err != nil {
			return list, err
		}
		list = append(list, r)
	}
	return list, nil
}

// MarkLanes is in how many lanes the marks of a connection lie; the first is
// that of the urgent ones.
const MarkLanes = 1 + markLanes

// OldMark reports whether a lane holds a binding that was marked before a time,
// and after another one (zero: at any time).
func (s *Store) OldMark(ctx context.Context, c *directory.Connection, lane int, after, before time.Time) (bool, error) {
	name, from := laneUrgent, ""
	if lane > 0 {
		name = lanes[lane-1]
	}
	if !after.IsZero() {
		from = MarksAfter(after)
	}
	marks, _, err := s.marks(ctx, c.ID, c.Epoch, name, from, 1)
	return len(marks) > 0 && marks[0].At.Before(before), err
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

var roundKey = table.Key{Partition: "APP", Sort: "schedule"}

// Round reads where the schedule stands; the zero Round at first.
func (s *Store) Round(ctx context.Context) (Round, error) {
	var r Round
	it, err := s.Table.Get(ctx, roundKey)
	if errors.Is(err, table.ErrNotFound) {
		return r, nil
	}
	if err != nil {
		return r, fail("round", err)
	}
	err = decode(it, &r)
	r.Version = it.Version
	return r, err
}

// SaveRound stores it at the version read. ErrStale when another schedule was
// faster.
func (s *Store) SaveRound(ctx context.Context, r *Round) error {
	w := table.Write{Put: &table.Item{Key: roundKey, Version: r.Version + 1, Body: encode(r)}, If: table.When(table.VersionIs(r.Version))}
	if r.Version == 0 {
		w.If = table.Condition{Absent: true}
	}
	err := s.Table.Write(ctx, w)
	if _, raced := failed(err); raced {
		return fmt.Errorf("save round: %w", directory.ErrStale)
	}
	if err == nil {
		r.Version++
	}
	return fail("save round", err)
}

// StalledJobs returns those of open jobs that nobody works on.
func (s *Store) StalledJobs(ctx context.Context, open []OpenJob) ([]OpenJob, error) {
	var stalled []OpenJob
	for start := 0; start < len(open); start += table.MaxGet {
		part := open[start:min(start+table.MaxGet, len(open))]
		keys := make([]table.Key, len(part))
		for i, j := range part {
			keys[i] = jobKey(j.ID)
		}
		items, err := s.Table.GetMany(ctx, keys)
		if err != nil {
			return stalled, fail("open jobs", err)
		}
		until := map[table.Key]int64{}
		for _, it := range items {
			until[it.Key] = it.Numbers[numLeaseUntil]
		}
		for i, j := range part {
			if at, there := until[keys[i]]; there && at <= s.Now().UnixMilli() {
				stalled = append(stalled, j)
			}
		}
	}
	return stalled, nil
}
