package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// db is what every aggregate stands on: the table, the clock and the sealer, and
// reading by iterators.
type db struct {
	table     Table
	now       func() time.Time
	sealer    Sealer        // nil: nothing is sealed
	retention time.Duration // of runs, changes, jobs and what was done
	calls     calls
}

// expiry is when a record that is written now goes.
func (d *db) expiry() time.Time { return d.now().Add(d.retention) }

// expired reports whether an item's time is over although the table still has it.
func (d *db) expired(it table.Item) bool {
	return !it.Expires.IsZero() && !it.Expires.After(d.now())
}

// find reads an item that need not be there.
func (d *db) find(ctx context.Context, key table.Key) (it table.Item, found bool, err error) {
	it, err = d.table.Get(ctx, key)
	if errors.Is(err, table.ErrNotFound) {
		return table.Item{}, false, nil
	}
	return it, err == nil, err
}

// besides is how many calls that read many items are under way at once.
const besides = 4

// each reads items by their keys, strongly consistent, as many as there are; in
// no order, and without those that are not there. Up to besides calls of table.MaxGet
// keys go at once; all of them have ended when each ends.
func (d *db) each(ctx context.Context, keys []table.Key) iter.Seq2[table.Item, error] {
	return func(yield func(table.Item, error) bool) {
		for some := range slices.Chunk(keys, besides*table.MaxGet) {
			items, err := d.getMany(ctx, some)
			if err != nil {
				yield(table.Item{}, err)
				return
			}
			for _, it := range items {
				if !yield(it, nil) {
					return
				}
			}
		}
	}
}

// getMany reads items by their keys, in calls beside each other.
func (d *db) getMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	if len(keys) <= table.MaxGet {
		return d.table.GetMany(ctx, keys)
	}
	parts := slices.Collect(slices.Chunk(keys, table.MaxGet))
	items, errs := make([][]table.Item, len(parts)), make([]error, len(parts))
	var calls sync.WaitGroup
	for n, part := range parts {
		calls.Go(func() { items[n], errs[n] = d.table.GetMany(ctx, part) })
	}
	calls.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return slices.Concat(items...), nil
}

// list reads all items of a query, page by page. With a limit, that is the size
// of a page.
func (d *db) list(ctx context.Context, q table.Query) iter.Seq2[table.Item, error] {
	return func(yield func(table.Item, error) bool) {
		for {
			page, err := d.table.Query(ctx, q)
			if err != nil {
				yield(table.Item{}, err)
				return
			}
			for _, it := range page.Items {
				if !yield(it, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			q.Cursor = page.Next
		}
	}
}

// bodies are the bodies of the items of a query.
func (d *db) bodies(ctx context.Context, what string, q table.Query) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for it, err := range d.list(ctx, q) {
			if !yield(it.Body, fail(what, err)) {
				return
			}
		}
	}
}

// load reads a small record that one writer after the other replaces into v; at
// version 0 there is none, and v is as it was.
func (d *db) load(ctx context.Context, key table.Key, v any) (version int64, err error) {
	it, found, err := d.find(ctx, key)
	if err != nil || !found {
		return 0, err
	}
	return it.Version, decode(it, v)
}

// replace stores such a record over the version that was read. ErrStale when
// somebody else was faster.
func (d *db) replace(ctx context.Context, key table.Key, version int64, v any) error {
	item := table.Item{Key: key, Version: version + 1, Body: encode(v)}
	err := d.table.Write(ctx, table.Write{Put: &item, If: unchanged(version)})
	if refused(err) {
		return directory.ErrStale
	}
	return err
}

// listShards hands on up to limit items (0: a page) of a listing that is spread
// over all shards, in a stable order, from a cursor on; next is "" at the end.
func (d *db) listShards(ctx context.Context, cursor string, limit int, query func(shard int) table.Query, take func(table.Item) error) (next string, err error) {
	shard, after, err := parseShardCursor(cursor)
	if err != nil {
		return "", err
	}
	taken, inner := 0, ""
	for shard < shards {
		q := query(shard)
		q.After, q.Cursor = after, inner
		if limit > 0 {
			q.Limit = limit - taken
		}
		page, err := d.table.Query(ctx, q)
		if err != nil {
			return "", fail("list", err)
		}
		for _, it := range page.Items {
			if err := take(it); err != nil {
				return "", err
			}
			after = it.IndexKey(q.Index).Sort
		}
		taken += len(page.Items)
		inner = page.Next
		if inner == "" {
			shard, after = shard+1, ""
		}
		full := limit > 0 && taken >= limit
		wholePage := limit == 0 && taken > 0 && inner == ""
		if full || wholePage {
			break
		}
	}
	if shard >= shards {
		return "", nil
	}
	return fmt.Sprintf("%d:%s", shard, after), nil
}

func parseShardCursor(cursor string) (shard int, after string, err error) {
	if cursor == "" {
		return 0, "", nil
	}
	n, rest, ok := strings.Cut(cursor, ":")
	shard, err = strconv.Atoi(n)
	if !ok || err != nil || shard < 0 || shard >= shards {
		return 0, "", badCursor()
	}
	return shard, rest, checkPlace(rest)
}

// checkPlace refuses a place in a listing at which no record could be. It came from
// outside: a table takes it for a fault of ours.
func checkPlace(after string) error {
	if key := (table.Key{Partition: "place", Sort: after}); after != "" && key.Check() != nil {
		return badCursor()
	}
	return nil
}

func badCursor() error {
	return directory.Refuse(directory.ErrInvalid, directory.CodeInvalidCursor, "The value of next was not given out by this API.",
		"Start the listing without next.")
}

// unchanged is the condition that a record is as it was read: at a version, or,
// at version 0, not there.
func unchanged(version int64) table.Condition {
	if version == 0 {
		return table.Condition{Absent: true}
	}
	return table.When(table.VersionIs(version))
}

// encode marshals a record's body. The types are ours and always marshal.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("store: " + err.Error())
	}
	return b
}

func decode(it table.Item, v any) error {
	if err := json.Unmarshal(it.Body, v); err != nil {
		return fmt.Errorf("%w: %s/%s: %w", ErrRecord, it.Partition, it.Sort, err)
	}
	return nil
}

// ErrRecord says that a record does not hold what the store has put there.
var ErrRecord = errors.New("store: a record cannot be read")

// fail turns the table's errors into the vocabulary's.
func fail(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, table.ErrNotFound):
		return fmt.Errorf("%s: %w", what, directory.ErrNotFound)
	case errors.Is(err, table.ErrCursor):
		return badCursor()
	case errors.Is(err, table.ErrBusy):
		return fmt.Errorf("%s: %w: %w", what, directory.ErrBusy, err)
	case errors.Is(err, table.ErrTooLarge):
		return fmt.Errorf("%s: %w: %w", what, directory.ErrTooLarge, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// failed returns which writes' conditions failed, with what is stored there.
func failed(err error) (map[int]*table.Item, bool) {
	ce, ok := errors.AsType[*table.ConditionError](err)
	if !ok {
		return nil, false
	}
	m := make(map[int]*table.Item, len(ce.Failed))
	for i, n := range ce.Failed {
		m[n] = ce.Current[i]
	}
	return m, true
}

// refused reports whether an error says that a condition failed.
func refused(err error) bool {
	_, is := errors.AsType[*table.ConditionError](err)
	return is
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
