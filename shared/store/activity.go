package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// The activity of a connection, and that of all, are read through the indexes:
// every item of results and every act stands there under its time. What
// concerns a user is found through hints in a partition of the user's own.
const (
	activityPartition = "ACTIVITY"
	resultsRef        = "r#"
	actRef            = "a#"
)

func connectionActivity(c directory.ConnectionID) string { return "ACTIVITY#" + string(c) }

func userActivity(u directory.UserID) string { return "ACTIVITY#" + string(u) }

// place is where a record stands among others: its time, then what it is.
func place(at time.Time, ref string) string {
	return fmt.Sprintf("%013d#%s", max(0, at.UnixMilli()), ref)
}

// placed reports whether an item of results stands in the listings where it
// belongs: under the time of its last result.
func placed(it *table.Item, conn directory.ConnectionID, results []Result) bool {
	var at time.Time
	for _, r := range results {
		at = latest(at, r.At)
	}
	want := place(at, resultsRef+strings.TrimPrefix(it.Partition, "R#")+strings.TrimPrefix(it.Sort, "c"))
	if at.IsZero() {
		want = it.Index2.Sort // the time of the write, which nothing else says
	}
	return want != "" && it.Index2 == table.Key{Partition: activityPartition, Sort: want} &&
		it.Index1 == table.Key{Partition: connectionActivity(conn), Sort: want}
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func userHints(users []directory.UserID, place string, expires time.Time) []table.Write {
	var writes []table.Write
	seen := make(map[directory.UserID]bool, len(users))
	for _, u := range users {
		if seen[u] || !u.Valid() {
			continue
		}
		seen[u] = true
		writes = append(writes, table.Write{Put: &table.Item{Key: table.Key{Partition: userActivity(u), Sort: place}, Expires: expires}})
	}
	return writes
}

// resultsPlace is where a batch's results stand among other activity.
func (s *Store) resultsPlace(j *Journal) (time.Time, string) {
	var at time.Time
	for _, r := range j.Results {
		at = latest(at, r.At)
	}
	if at.IsZero() {
		at = s.Now()
	}
	return at, place(at, fmt.Sprintf("%s%s#%06d#%06d", resultsRef, j.Run.ID, j.Chunk, j.Seq))
}

// resultsWrites are the results of a batch as the table keeps them, and what they
// add to the counts of the day. The first fails when they are there already.
func (s *Store) resultsWrites(j *Journal) []table.Write {
	at, place := s.resultsPlace(j)
	writes := []table.Write{{
		Put: &table.Item{
			Key: resultsKey(j.Run.ID, j.Chunk, j.Seq), Body: encode(j.Results), Expires: s.Now().Add(s.retention()),
			Index1: table.Key{Partition: connectionActivity(j.Run.ConnectionID), Sort: place},
			Index2: table.Key{Partition: activityPartition, Sort: place},
		},
		If: table.Condition{Absent: true},
	}}
	if len(j.Tally) > 0 {
		writes = append(writes, s.dayWrite(j.Run.ConnectionID, at, j.Tally))
	}
	return writes
}

// withHints adds the hints for a journal's users to its writes. When there is no
// room for them in the transaction they go ahead of it: a hint that leads to
// nothing does no harm.
func (s *Store) withHints(ctx context.Context, writes []table.Write, j *Journal) ([]table.Write, error) {
	if len(j.Results) == 0 {
		return writes, nil
	}
	_, place := s.resultsPlace(j)
	hints := userHints(j.Users, place, s.Now().Add(s.retention()))
	if len(writes)+len(hints) <= table.MaxWrites {
		return append(writes, hints...), nil
	}
	for part := range slices.Chunk(hints, table.MaxWrites) {
		if err := s.Table.Write(ctx, part...); err != nil {
			return nil, fail("journal", err)
		}
	}
	return writes, nil
}

// ActivityQuery selects records of activity. At most one of Connection and User
// is used, the user first.
type ActivityQuery struct {
	Connection directory.ConnectionID
	User       directory.UserID
	Since      time.Time // inclusive; zero: from the beginning
	Until      time.Time // exclusive; zero: to the end
	After      string    // the Place of the record before; "" begins
	Limit      int
	Forward    bool // oldest first; else newest first
}

// query is the table's query, with the first place that is wanted and the place
// before which all are.
func (q *ActivityQuery) query() (tq table.Query, first, last string) {
	tq = table.Query{Index: 2, Partition: activityPartition, Limit: q.Limit, Backward: !q.Forward, After: q.After}
	switch {
	case q.User != "":
		tq.Index, tq.Partition = 0, userActivity(q.User)
	case q.Connection != "":
		tq.Index, tq.Partition = 1, connectionActivity(q.Connection)
	}
	first, last = "", "~" // of all places
	if !q.Since.IsZero() {
		first = place(q.Since, "")[:13]
	}
	if !q.Until.IsZero() {
		last = place(q.Until, "")[:13]
	}
	if !q.Forward && (tq.After == "" || tq.After > last) {
		tq.After = last
	}
	if q.Forward && tq.After < first {
		tq.After = first
	}
	return tq, first, last
}

// ActivityRecord is one item of the journal: the results of a batch, or an act.
type ActivityRecord struct {
	Place string
	// Act is nil when the record holds results. Hour is the one (since 1970) among
	// whose acts it stands.
	Act     *directory.Act
	Hour    int64
	RunID   directory.RunID
	Chunk   int
	Results []Result
}

// Activity lists records in the order of their times. next is where to go on
// After, empty at the end; a page may be empty and have one. The listing is
// eventually consistent.
func (s *Store) Activity(ctx context.Context, q ActivityQuery) (list []ActivityRecord, next string, err error) {
	tq, first, last := q.query()
	if err := checkPlace(tq.After); err != nil {
		return nil, "", err
	}
	page, err := s.Table.Query(ctx, tq)
	for err == nil && len(page.Items) == 0 && page.Next != "" { // all of it has gone since the index was written
		tq.Cursor = page.Next
		page, err = s.Table.Query(ctx, tq)
	}
	if err != nil {
		return nil, "", fail("activity", err)
	}
	if page.Next != "" {
		next = placeOf(page.Items[len(page.Items)-1], tq.Index)
	}
	var items []table.Item
	for _, it := range page.Items {
		at := placeOf(it, tq.Index)
		if at < first || at >= last {
			if out := at < first; out != q.Forward {
				next = "" // nothing behind it is wanted either
			}
			continue
		}
		// What is listed of a connection or a user stands in the listing of all as
		// well: that one is what a verification walks.
		if tq.Index == 1 && it.Index2 != (table.Key{Partition: activityPartition, Sort: at}) {
			continue
		}
		if !s.expired(it) {
			items = append(items, it)
		}
	}
	if tq.Index == 0 {
		if items, err = s.hinted(ctx, items); err != nil {
			return nil, "", err
		}
	}
	for _, it := range items {
		r, err := decodeActivity(it)
		if err != nil {
			return nil, "", err
		}
		list = append(list, r)
	}
	return list, next, nil
}

func placeOf(it table.Item, index int) string {
	switch index {
	case 1:
		return it.Index1.Sort
	case 2:
		return it.Index2.Sort
	}
	return it.Sort
}

// hinted reads the records that hints lead to, in the hints' order. A record
// that has expired leaves a gap.
func (s *Store) hinted(ctx context.Context, hints []table.Item) ([]table.Item, error) {
	var keys []table.Key
	for _, h := range hints {
		if key, ok := recordKey(h.Sort); ok {
			keys = append(keys, key)
		}
	}
	found := make(map[table.Key]table.Item, len(keys))
	for part := range slices.Chunk(keys, table.MaxGet) {
		items, err := s.Table.GetMany(ctx, part)
		if err != nil {
			return nil, fail("activity", err)
		}
		for _, it := range items {
			found[it.Key] = it
		}
	}
	out := make([]table.Item, 0, len(keys))
	for _, k := range keys {
		if it, ok := found[k]; ok && !s.expired(it) && it.Index2.Partition == activityPartition {
			out = append(out, it)
		}
	}
	return out, nil
}

// recordKey is the key of the record at a place.
func recordKey(place string) (table.Key, bool) {
	ms, ref, _ := strings.Cut(place, "#")
	at, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return table.Key{}, false
	}
	if strings.HasPrefix(ref, actRef) {
		return table.Key{Partition: actsPartition(at / 3600_000), Sort: place}, true
	}
	parts := strings.Split(strings.TrimPrefix(ref, resultsRef), "#")
	if len(parts) != 3 {
		return table.Key{}, false
	}
	chunk, err1 := strconv.Atoi(parts[1])
	seq, err2 := strconv.Atoi(parts[2])
	return resultsKey(directory.RunID(parts[0]), chunk, seq), errors.Join(err1, err2) == nil
}

func decodeActivity(it table.Item) (ActivityRecord, error) {
	r := ActivityRecord{Place: it.Index2.Sort}
	if strings.HasPrefix(it.Partition, "ACTS#") {
		r.Act = &directory.Act{}
		var err error
		if r.Hour, err = strconv.ParseInt(strings.TrimPrefix(it.Partition, "ACTS#"), 10, 64); err != nil {
			return r, fmt.Errorf("%w: %s/%s is of no hour", ErrRecord, it.Partition, it.Sort)
		}
		return r, decode(it, r.Act)
	}
	var seq int
	if _, err := fmt.Sscanf(it.Sort, "c#%06d#%06d", &r.Chunk, &seq); err != nil {
		return r, fmt.Errorf("%w: %s/%s is no activity", ErrRecord, it.Partition, it.Sort)
	}
	r.RunID = directory.RunID(strings.TrimPrefix(it.Partition, "R#"))
	return r, decode(it, &r.Results)
}

// PlannedChunk reads a chunk of a run's changes as they were planned, without
// what became of them. ErrNotFound.
func (s *Store) PlannedChunk(ctx context.Context, id directory.RunID, chunk int) ([]directory.Change, error) {
	it, err := s.Table.Get(ctx, chunkKey(id, chunk))
	if err != nil {
		return nil, fail("chunk", err)
	}
	var changes []directory.Change
	return changes, decode(it, &changes)
}
