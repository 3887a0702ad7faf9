// Package tabletest is the conformance suite of the table: what package store
// relies on, as tests that every driver runs. Indexes must not lag while it
// runs; lag is a switch of the memory driver, tested there.
package tabletest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"bindery/shared/table"
)

// Run runs the suite; open gives each test an empty table of its own.
func Run(t *testing.T, open func(t *testing.T) table.Table) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s *suite)
	}{
		{"PutGetDelete", testPutGetDelete},
		{"Shapes", testShapes},
		{"Copies", testCopies},
		{"Invalid", testInvalid},
		{"Update", testUpdate},
		{"UpdateMakes", testUpdateMakes},
		{"UpdateRemoves", testUpdateRemoves},
		{"UpdateTooLarge", testUpdateTooLarge},
		{"Conditions", testConditions},
		{"ConditionsByKind", testConditionsByKind},
		{"Transaction", testTransaction},
		{"TransactionRefused", testTransactionRefused},
		{"TransactionLimits", testTransactionLimits},
		{"Counters", testCounters},
		{"OneWins", testOneWins},
		{"Transfers", testTransfers},
		{"Query", testQuery},
		{"QueryPages", testQueryPages},
		{"QuerySize", testQuerySize},
		{"QueryCursor", testQueryCursor},
		{"QueryWhileWriting", testQueryWhileWriting},
		{"Index", testIndex},
		{"IndexMoves", testIndexMoves},
		{"IndexEqualKeys", testIndexEqualKeys},
		{"IndexPageLimit", testIndexPageLimit},
		{"IndexAfterUpdate", testIndexAfterUpdate},
		{"GetMany", testGetMany},
		{"Cancelled", testCancelled},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(t, &suite{t, t.Context(), open(t)})
		})
	}
}

// suite is a table whose calls must not fail unless the test says so.
type suite struct {
	t   *testing.T
	ctx context.Context
	table.Table
}

func (s *suite) write(writes ...table.Write) {
	s.t.Helper()
	if err := s.Write(s.ctx, writes...); err != nil {
		s.t.Fatalf("Write(%s) = %v, want nil", describe(writes), err)
	}
}

func (s *suite) put(items ...table.Item) {
	s.t.Helper()
	for part := range slices.Chunk(items, table.MaxWrites) {
		writes := make([]table.Write, len(part))
		for i := range part {
			writes[i].Put = &part[i]
		}
		s.write(writes...)
	}
}

func (s *suite) want(want table.Item) {
	s.t.Helper()
	got, err := s.Get(s.ctx, want.Key)
	if err != nil || !same(got, want) {
		s.t.Fatalf("Get(%v) = %s, %v, want %s", want.Key, show(got), err, show(want))
	}
}

func (s *suite) wantNone(key table.Key) {
	s.t.Helper()
	if got, err := s.Get(s.ctx, key); !errors.Is(err, table.ErrNotFound) {
		s.t.Fatalf("Get(%v) = %s, %v, want ErrNotFound", key, show(got), err)
	}
}

// wantFailed wants the writes to be refused, at the indexes given.
func (s *suite) wantFailed(failed []int, writes ...table.Write) *table.ConditionError {
	s.t.Helper()
	err := s.Write(s.ctx, writes...)
	var refused *table.ConditionError
	if !errors.As(err, &refused) {
		s.t.Fatalf("Write(%s) = %v, want a ConditionError", describe(writes), err)
	}
	if !slices.Equal(refused.Failed, failed) || len(refused.Current) != len(failed) {
		s.t.Fatalf("Write(%s) failed at %v with %d items, want %v", describe(writes), refused.Failed, len(refused.Current), failed)
	}
	return refused
}

func (s *suite) query(q table.Query) table.Page {
	s.t.Helper()
	page, err := s.Query(s.ctx, q)
	if err != nil {
		s.t.Fatalf("Query(%+v) = %v, want a page", q, err)
	}
	return page
}

// all reads every page and returns the items' sort keys in the query's index.
func (s *suite) all(q table.Query) []string {
	s.t.Helper()
	var keys []string
	for range 10_000 {
		page := s.query(q)
		if q.Limit > 0 && len(page.Items) > q.Limit {
			s.t.Fatalf("Query(%+v) = %d items, want at most %d", q, len(page.Items), q.Limit)
		}
		for i := range page.Items {
			keys = append(keys, page.Items[i].IndexKey(q.Index).Sort)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return keys
		}
	}
	s.t.Fatalf("Query(%+v) has no end", q)
	return nil
}

func (s *suite) wantKeys(q table.Query, want ...string) {
	s.t.Helper()
	if got := s.all(q); !slices.Equal(got, want) {
		s.t.Fatalf("Query(%+v) = %q, want %q", q, got, want)
	}
}

func key(sort string) table.Key { return table.Key{Partition: "p", Sort: sort} }

func items(partition string, sorts ...string) []table.Item {
	out := make([]table.Item, len(sorts))
	for i, s := range sorts {
		out[i] = table.Item{Key: table.Key{Partition: partition, Sort: s}, Body: []byte(s)}
	}
	return out
}

// numbered returns n sort keys that rise.
func numbered(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("k%04d", i)
	}
	return out
}

func same(a, b table.Item) bool {
	return a.Key == b.Key && a.Index1 == b.Index1 && a.Index2 == b.Index2 && a.Version == b.Version &&
		maps.Equal(a.Numbers, b.Numbers) && maps.Equal(a.Strings, b.Strings) &&
		string(a.Body) == string(b.Body) && (a.Body == nil) == (b.Body == nil) && a.Expires.Equal(b.Expires)
}

func show(it table.Item) string {
	if len(it.Body) > 100 {
		it.Body = append(it.Body[:100:100], "…"...)
	}
	return fmt.Sprintf("%+v", it)
}

func describe(writes []table.Write) string {
	var words []string
	for i := range writes {
		if i == 5 {
			words = append(words, "…")
			break
		}
		kind := "update"
		switch w := &writes[i]; {
		case w.Put != nil:
			kind = "put"
		case w.Delete != nil:
			kind = "delete"
		case w.Check != nil:
			kind = "check"
		}
		words = append(words, kind+" "+writes[i].Key().Sort)
	}
	return strings.Join(words, ", ")
}
