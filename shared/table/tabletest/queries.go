package tabletest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"bindery/shared/table"
)

func testQuery(t *testing.T, s *suite) {
	sorts := []string{"a", "a#1", "a#10", "a#2", "a#é", "a#日", "a#🐎", "b", "b#1", "~", "Ω"}
	s.put(items("p", sorts...)...)
	s.put(items("q", "a#3")...)
	s.put(items("p2", "a#3")...)
	rows := sorts[1:7]
	for _, test := range []struct {
		name string
		q    table.Query
		want []string
	}{
		{"all", table.Query{}, sorts},
		{"weak", table.Query{Weak: true}, sorts},
		{"prefix", table.Query{Prefix: "a#"}, rows},
		{"prefix that is a key", table.Query{Prefix: "b"}, []string{"b", "b#1"}},
		{"prefix beyond ASCII", table.Query{Prefix: "a#日"}, []string{"a#日"}},
		{"prefix of nothing", table.Query{Prefix: "c"}, nil},
		{"after", table.Query{After: "a#2"}, sorts[4:]},
		{"after what is not there", table.Query{After: "a#3"}, sorts[4:]},
		{"after the last", table.Query{After: "Ω"}, nil},
		{"after in prefix", table.Query{Prefix: "a#", After: "a#10"}, rows[2:]},
		{"after before prefix", table.Query{Prefix: "a#", After: "a"}, rows},
		{"after behind prefix", table.Query{Prefix: "a#", After: "b"}, nil},
		{"after the prefix itself", table.Query{Prefix: "b", After: "b"}, []string{"b#1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, limit := range []int{0, 1, 2, 3, 100} {
				q := test.q
				q.Partition, q.Limit = "p", limit
				s.wantKeys(q, test.want...)
			}
		})
	}
	down := slices.Clone(sorts)
	slices.Reverse(down)
	rowsDown := down[4:10]
	for _, test := range []struct {
		name string
		q    table.Query
		want []string
	}{
		{"all", table.Query{}, down},
		{"prefix", table.Query{Prefix: "a#"}, rowsDown},
		{"after", table.Query{After: "b"}, down[4:]},
		{"after what is not there", table.Query{After: "b#0"}, down[3:]},
		{"after in prefix", table.Query{Prefix: "a#", After: "a#é"}, rowsDown[3:]},
		{"after behind prefix", table.Query{Prefix: "a#", After: "b"}, rowsDown},
		{"after before prefix", table.Query{Prefix: "a#", After: "a"}, nil},
		{"after the first", table.Query{After: "a"}, nil},
	} {
		t.Run("backward "+test.name, func(t *testing.T) {
			for _, limit := range []int{0, 1, 2, 3, 100} {
				q := test.q
				q.Partition, q.Limit, q.Backward = "p", limit, true
				s.wantKeys(q, test.want...)
			}
		})
	}
	s.wantKeys(table.Query{Partition: "empty"})
	for i := range 3 {
		if page := s.query(table.Query{Partition: "empty", Index: i}); len(page.Items) != 0 || page.Next != "" {
			t.Errorf("Query of an empty partition of index %d = %+v, want nothing", i, page)
		}
	}
}

// testQueryPages wants no page to promise more than there is.
func testQueryPages(t *testing.T, s *suite) {
	sorts := numbered(30)
	s.put(items("p", sorts...)...)
	for _, limit := range []int{1, 7, 10, 15, 29, 30, 31} {
		q := table.Query{Partition: "p", Limit: limit}
		pages := 0
		for {
			page := s.query(q)
			pages++
			if want := min(limit, len(sorts)-(pages-1)*limit); len(page.Items) != want {
				t.Fatalf("page %d of %d = %d items, want %d", pages, limit, len(page.Items), want)
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if want := (len(sorts) + limit - 1) / limit; pages != want {
			t.Errorf("%d items by %d = %d pages, want %d", len(sorts), limit, pages, want)
		}
	}
}

// testQuerySize wants a page to end at 1 MB, whatever the limit.
func testQuerySize(t *testing.T, s *suite) {
	sorts := numbered(10)
	big := items("p", sorts...)
	for i := range big {
		big[i].Body = []byte(strings.Repeat("x", 300<<10))
	}
	s.put(big...)
	for _, limit := range []int{0, 8} {
		for _, backward := range []bool{false, true} {
			q := table.Query{Partition: "p", Limit: limit, Backward: backward}
			page := s.query(q)
			if n := len(page.Items); n < 3 || n > 4 || page.Next == "" {
				t.Errorf("Query(%+v) of 300 KB items = %d items, next %q, want 3 or 4 and more", q, n, page.Next)
			}
			want := slices.Clone(sorts)
			if backward {
				slices.Reverse(want)
			}
			s.wantKeys(q, want...)
		}
	}
}

func testQueryCursor(t *testing.T, s *suite) {
	some := items("p", numbered(6)...)
	for i := range some {
		some[i].Index1 = table.Key{Partition: "p", Sort: some[i].Sort}
	}
	s.put(some...)
	next := s.query(table.Query{Partition: "p", Limit: 2}).Next
	indexNext := s.query(table.Query{Partition: "p", Limit: 2, Index: 1}).Next
	for name, q := range map[string]table.Query{
		"garbage":           {Partition: "p", Cursor: "garbage!"},
		"not JSON":          {Partition: "p", Cursor: "Z2FyYmFnZQ"},
		"cut":               {Partition: "p", Cursor: next[:len(next)-3]},
		"another partition": {Partition: "q", Cursor: next},
		"another index":     {Partition: "p", Index: 1, Cursor: next},
		"no index":          {Partition: "p", Cursor: indexNext},
		"another prefix":    {Partition: "p", Prefix: "z", Cursor: next},
	} {
		if page, err := s.Query(s.ctx, q); !errors.Is(err, table.ErrCursor) {
			t.Errorf("%s: Query = %d items, %v, want ErrCursor", name, len(page.Items), err)
		}
	}
	// The cursor wins over After, and survives the item that it stands on.
	k := key("k0001")
	s.write(table.Write{Delete: &k})
	s.wantKeys(table.Query{Partition: "p", Cursor: next, After: "k0004"}, "k0002", "k0003", "k0004", "k0005")
	s.wantKeys(table.Query{Partition: "p", Index: 1, Cursor: indexNext}, "k0002", "k0003", "k0004", "k0005")
	s.wantKeys(table.Query{Partition: "p", Cursor: next, Backward: true}, "k0000")
}

// testQueryWhileWriting pages while items come and go around the cursor: those
// that stay are each seen once.
func testQueryWhileWriting(t *testing.T, s *suite) {
	sorts := numbered(20)
	s.put(items("p", sorts...)...)
	q := table.Query{Partition: "p", Limit: 3}
	seen := map[string]int{}
	for i := 0; ; i++ {
		page := s.query(q)
		for _, it := range page.Items {
			seen[it.Sort]++
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
		last := page.Items[len(page.Items)-1]
		s.put(items("p", fmt.Sprint("j", i), fmt.Sprint("l", i))...)
		s.write(table.Write{Delete: &last.Key})
	}
	for _, sort := range sorts {
		if seen[sort] != 1 {
			t.Errorf("%s was seen %d times, want once", sort, seen[sort])
		}
	}
}
