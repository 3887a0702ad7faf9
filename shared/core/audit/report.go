package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Report lists entries.
type Report struct {
	Stores ReportStores
}

// recordLag is how much later than a change its record may stand: results are
// stored a batch at a time, and a batch ends within a slice.
const recordLag = 3 * time.Minute

// maxRecordsRead bounds how many records one call looks at for what was asked for: a
// page may be short and have a next.
const maxRecordsRead = 400

// List returns a page of entries, newest first, and the place to go on from.
func (r *Report) List(ctx context.Context, q Query, cursor string, limit int) ([]Entry, string, error) {
	if err := q.check(); err != nil {
		return nil, "", err
	}
	at, err := parsePosition(cursor)
	if err != nil {
		return nil, "", err
	}
	sq := store.ActivityQuery{Connection: q.ConnectionID, Object: cmp.Or(q.Object, directory.AccountOf(q.UserID)), ByHand: q.ByHand, Since: q.Since, Until: q.Until}
	if !q.Until.IsZero() {
		sq.Until = q.Until.Add(recordLag)
	}
	if q.RunID != "" {
		run, err := r.Stores.Runs.Run(ctx, q.RunID)
		if err != nil {
			return nil, "", err
		}
		q.ConnectionID = run.ConnectionID
		sq.Connection = run.ConnectionID
		sq.Since = latest(sq.Since, run.StartedAt)
		if !run.EndedAt.IsZero() && (sq.Until.IsZero() || sq.Until.After(run.EndedAt.Add(resultLag))) {
			sq.Until = run.EndedAt.Add(resultLag)
		}
	}
	return r.collect(ctx, &q, sq, at, limit)
}

// resultLag is how long after a run's end results of it may still come in: of
// a batch that was in flight when it was cancelled.
const resultLag = 15 * time.Minute

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// collect reads records until the page is full. given is how many entries of the
// record at place were given already; behind, that all were.
func (r *Report) collect(ctx context.Context, q *Query, sq store.ActivityQuery, at position, limit int) ([]Entry, string, error) {
	var list []Entry
	read := reader{records: r.Stores.Runs}
	if sq.After = at.place; at.place != "" && !at.behind {
		sq.After += "!" // the record itself once more
	}
	for looked := 0; looked < maxRecordsRead; {
		sq.Limit = min(max(limit-len(list), 20), 100)
		records, next, err := r.Stores.Listing.Activity(ctx, sq)
		if err != nil {
			return nil, "", err
		}
		for i := range records {
			looked++
			rec := &records[i]
			entries, err := read.entries(ctx, rec)
			if err != nil {
				return nil, "", err
			}
			given := 0
			if rec.Place == at.place {
				given = at.given
			}
			for ; given < len(entries); given++ { // newest first within the record, too
				if len(list) == limit {
					return list, position{place: rec.Place, given: given}.String(), nil
				}
				if e := &entries[len(entries)-1-given]; q.wants(e) {
					list = append(list, *e)
				}
			}
		}
		if next == "" {
			return list, "", nil
		}
		sq.After = next
		looked++ // a page of nothing is work as well
	}
	return list, position{place: sq.After, behind: true}.String(), nil
}

// position is a place in a list: at a record of which some entries were given, or
// behind it.
type position struct {
	place  string
	given  int
	behind bool
}

func (p position) String() string {
	if p.behind {
		return "b~" + p.place
	}
	return strconv.Itoa(p.given) + "~" + p.place
}

func parsePosition(cursor string) (position, error) {
	if cursor == "" {
		return position{}, nil
	}
	n, place, ok := strings.Cut(cursor, "~")
	p := position{place: place, behind: n == "b"}
	var err error
	if !p.behind {
		p.given, err = strconv.Atoi(n)
	}
	if !ok || err != nil || p.given < 0 || place == "" {
		return p, directory.Refuse(directory.ErrInvalid, directory.CodeInvalidCursor, "The parameter next is not one that a page of this list gave.",
			"Begin again without it.")
	}
	return p, nil
}

// reader makes entries of records, and keeps the run and the chunks that it read
// last: neighbours are of the same.
type reader struct {
	records plannedReader
	runs    map[directory.RunID]*directory.Run
	chunk   []directory.Change
	of      string
	absent  bool
}

// entries are those of a record, in their stable order. What the run was expires
// with it: its results alone say nothing, so they make no entries.
func (r *reader) entries(ctx context.Context, rec *store.ActivityRecord) ([]Entry, error) {
	if rec.AuditEvent != nil {
		return entriesOfAuditEvent(rec.AuditEvent), nil
	}
	run, err := r.run(ctx, rec.RunID)
	if run == nil || err != nil {
		return nil, err
	}
	key := fmt.Sprint(rec.RunID, "#", rec.Chunk)
	if r.of != key {
		r.chunk, err = r.records.PlannedChunk(ctx, rec.RunID, rec.Chunk)
		if r.absent = errors.Is(err, directory.ErrNotFound); err != nil && !r.absent {
			return nil, err
		}
		r.of = key
	}
	if r.absent {
		return nil, nil
	}
	return entriesOfResults(run, r.chunk, rec.Results), nil
}

func (r *reader) run(ctx context.Context, id directory.RunID) (*directory.Run, error) {
	if run, known := r.runs[id]; known {
		return run, nil
	}
	if r.runs == nil || len(r.runs) > 1000 {
		r.runs = map[directory.RunID]*directory.Run{}
	}
	rec, err := r.records.Run(ctx, id)
	switch {
	case errors.Is(err, directory.ErrNotFound):
		r.runs[id] = nil
	case err != nil:
		return nil, err
	default:
		r.runs[id] = &rec.Run
	}
	return r.runs[id], nil
}

// entriesOfResults makes the entries of one item of results, in the order of the plan.
func entriesOfResults(run *directory.Run, changes []directory.Change, results []store.Result) []Entry {
	results = slices.Clone(results)
	sort.SliceStable(results, func(i, j int) bool { return results[i].Index < results[j].Index })
	list := make([]Entry, 0, len(results))
	for i := range results {
		if at := results[i].Index; at >= 0 && at < len(changes) {
			list = append(list, entryOfChange(run, &changes[at], &results[i]))
		}
	}
	return list
}
