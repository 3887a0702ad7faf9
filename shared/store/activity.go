package store

import (
	"context"
	"errors"
	"fmt"
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
	resultsRef = "r#"
	actRef     = "a#"
)

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

// hintWrites lead from what an act or results concern to their place.
func hintWrites(refs []directory.Ref, place string, expires time.Time) []table.Write {
	var writes []table.Write
	seen := make(map[directory.Ref]bool, len(refs))
	for _, r := range refs {
		r = r.Concerns()
		if seen[r] || !directory.UserID(r.ID).Valid() {
			continue
		}
		seen[r] = true
		writes = append(writes, hintWrite(objectActivity(r), place, expires))
	}
	return writes
}

func hintWrite(partition, place string, expires time.Time) table.Write {
	return table.Write{Put: &table.Item{Key: table.Key{Partition: partition, Sort: place}, Expires: expires}}
}

// ActivityQuery selects records of activity. At most one of ByHand, Object and Connection
// is used, in this order.
type ActivityQuery struct {
	Connection directory.ConnectionID
	Object     directory.Ref // a user's account, or what is of another kind
	ByHand     bool          // edits of users and groups that were made by hand
	Since      time.Time     // inclusive; zero: from the beginning
	Until      time.Time     // exclusive; zero: to the end
	After      string        // the Place of the record before; "" begins
	Limit      int
	Forward    bool // oldest first; else newest first
}

// query is the table's query, with the first place that is wanted and the place
// before which all are.
func (q *ActivityQuery) query() (tq table.Query, first, last string) {
	tq = table.Query{Index: 2, Partition: activityPartition, Limit: q.Limit, Backward: !q.Forward, After: q.After}
	switch {
	case q.ByHand:
		tq.Index, tq.Partition = 0, handActivity
	case !q.Object.IsZero():
		tq.Index, tq.Partition = 0, objectActivity(q.Object.Concerns())
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
	// AuditEvent is nil when the record holds results. Hour is the one (since 1970) among
	// whose acts it stands.
	AuditEvent *directory.AuditEvent
	Hour       int64
	RunID      directory.RunID
	Chunk      int
	Results    []Result
}

// Activity lists records in the order of their times. next is where to go on
// After, empty at the end; a page may be empty and have one. The listing is
// eventually consistent.
func (s *Audit) Activity(ctx context.Context, q ActivityQuery) (list []ActivityRecord, next string, err error) {
	tq, first, last := q.query()
	if err := checkPlace(tq.After); err != nil {
		return nil, "", err
	}
	page, err := s.db.table.Query(ctx, tq)
	for err == nil && len(page.Items) == 0 && page.Next != "" { // all of it has gone since the index was written
		tq.Cursor = page.Next
		page, err = s.db.table.Query(ctx, tq)
	}
	if err != nil {
		return nil, "", fail("activity", err)
	}
	if page.Next != "" {
		next = page.Items[len(page.Items)-1].IndexKey(tq.Index).Sort
	}
	var items []table.Item
	for _, it := range page.Items {
		at := it.IndexKey(tq.Index).Sort
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
		if !s.db.expired(it) {
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

// hinted reads the records that hints lead to, in the hints' order. A record
// that has expired leaves a gap.
func (s *Audit) hinted(ctx context.Context, hints []table.Item) ([]table.Item, error) {
	var keys []table.Key
	for _, h := range hints {
		if key, ok := recordKey(h.Sort); ok {
			keys = append(keys, key)
		}
	}
	found := make(map[table.Key]table.Item, len(keys))
	for it, err := range s.db.each(ctx, keys) {
		if err != nil {
			return nil, fail("activity", err)
		}
		found[it.Key] = it
	}
	out := make([]table.Item, 0, len(keys))
	for _, k := range keys {
		if it, ok := found[k]; ok && !s.db.expired(it) && it.Index2.Partition == activityPartition {
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
		r.AuditEvent = &directory.AuditEvent{}
		var err error
		if r.Hour, err = strconv.ParseInt(strings.TrimPrefix(it.Partition, "ACTS#"), 10, 64); err != nil {
			return r, fmt.Errorf("%w: %s/%s is of no hour", ErrRecord, it.Partition, it.Sort)
		}
		return r, decode(it, r.AuditEvent)
	}
	var seq int
	if _, err := fmt.Sscanf(it.Sort, "c#%06d#%06d", &r.Chunk, &seq); err != nil {
		return r, fmt.Errorf("%w: %s/%s is no activity", ErrRecord, it.Partition, it.Sort)
	}
	r.RunID = directory.RunID(strings.TrimPrefix(it.Partition, "R#"))
	return r, decode(it, &r.Results)
}
