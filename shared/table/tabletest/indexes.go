package tabletest

import (
	"fmt"
	"slices"
	"testing"

	"bindery/shared/table"
)

// indexed is an item that stands in both indexes.
func indexed(sort, first, second string) table.Item {
	it := table.Item{Key: key(sort), Version: 1, Numbers: map[string]int64{"n": 2}, Strings: map[string]string{"s": "x"}, Body: []byte(sort)}
	if first != "" {
		it.Index1 = table.Key{Partition: "i", Sort: first}
	}
	if second != "" {
		it.Index2 = table.Key{Partition: "i", Sort: second}
	}
	return it
}

func testIndex(t *testing.T, s *suite) {
	stored := []table.Item{indexed("a", "x#3", "m"), indexed("b", "x#1", ""), indexed("c", "", "k"), indexed("d", "x#2", "l"), indexed("e", "y", "é")}
	s.put(stored...)
	for _, test := range []struct {
		q    table.Query
		want []string
	}{
		{table.Query{Index: 1}, []string{"x#1", "x#2", "x#3", "y"}},
		{table.Query{Index: 1, Prefix: "x#"}, []string{"x#1", "x#2", "x#3"}},
		{table.Query{Index: 1, Prefix: "x#", After: "x#1"}, []string{"x#2", "x#3"}},
		{table.Query{Index: 1, Prefix: "x#", After: "x#1a"}, []string{"x#2", "x#3"}},
		{table.Query{Index: 1, Prefix: "x#", After: "a"}, []string{"x#1", "x#2", "x#3"}},
		{table.Query{Index: 1, Prefix: "x#", After: "z"}, nil},
		{table.Query{Index: 1, After: "x#2"}, []string{"x#3", "y"}},
		{table.Query{Index: 1, Backward: true}, []string{"y", "x#3", "x#2", "x#1"}},
		{table.Query{Index: 1, Backward: true, After: "x#3"}, []string{"x#2", "x#1"}},
		{table.Query{Index: 1, Backward: true, Prefix: "x#", After: "x#3"}, []string{"x#2", "x#1"}},
		{table.Query{Index: 1, Backward: true, Prefix: "x#", After: "y"}, []string{"x#3", "x#2", "x#1"}},
		{table.Query{Index: 1, Backward: true, Prefix: "x#", After: "a"}, nil},
		{table.Query{Index: 2}, []string{"k", "l", "m", "é"}},
		{table.Query{Index: 1, Prefix: "x#", Weak: true}, []string{"x#1", "x#2", "x#3"}},
	} {
		for _, limit := range []int{0, 1, 2, 100} {
			test.q.Partition, test.q.Limit = "i", limit
			s.wantKeys(test.q, test.want...)
		}
	}
	// A hit is the whole item.
	for _, weak := range []bool{false, true} {
		page := s.query(table.Query{Index: 1, Partition: "i", Prefix: "x#3", Weak: weak})
		if len(page.Items) != 1 || !same(page.Items[0], stored[0]) {
			t.Errorf("hits, weak %v = %+v, want %s", weak, page.Items, show(stored[0]))
		}
	}
}

func testIndexMoves(t *testing.T, s *suite) {
	in := func(index int, partition string) []string {
		return s.all(table.Query{Index: index, Partition: partition})
	}
	check := func(what string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	s.put(indexed("a", "1", "1"), indexed("b", "2", "2"))
	s.write(table.Write{Update: &table.Update{Key: key("a"), SetIndex1: &table.Key{Partition: "i", Sort: "3"}}})
	check("moved in its partition", in(1, "i"), "2", "3")
	check("the other index", in(2, "i"), "1", "2")
	s.write(table.Write{Update: &table.Update{Key: key("a"), SetIndex1: &table.Key{Partition: "j", Sort: "3"}}})
	check("moved out", in(1, "i"), "2")
	check("moved in", in(1, "j"), "3")
	s.write(table.Write{Update: &table.Update{Key: key("a"), SetIndex1: &table.Key{}}})
	check("taken out", in(1, "j"))
	check("still there", in(2, "i"), "1", "2")
	s.write(table.Write{Update: &table.Update{Key: key("a"), SetIndex1: &table.Key{Partition: "i", Sort: "0"}}})
	check("back in", in(1, "i"), "0", "2")
	s.put(table.Item{Key: key("a")})
	check("replaced", in(1, "i"), "2")
	check("replaced", in(2, "i"), "2")
	b := key("b")
	s.write(table.Write{Delete: &b})
	check("deleted", in(1, "i"))
	check("deleted", in(2, "i"))
	s.wantFailed([]int{1}, table.Write{Put: new(indexed("c", "1", "1"))}, table.Write{Check: &b, If: table.Condition{Present: true}})
	check("refused", in(1, "i"))
}

// testIndexEqualKeys pages through items that an index cannot tell apart.
func testIndexEqualKeys(t *testing.T, s *suite) {
	want := map[string]bool{}
	for i := range 25 {
		it := indexed(fmt.Sprintf("k%02d", i), "same", "")
		it.Partition = fmt.Sprint("p", i%3)
		s.put(it)
		want[it.Partition+it.Sort] = true
	}
	s.put(indexed("first", "a", ""), indexed("last", "z", ""))
	for _, backward := range []bool{false, true} {
		for _, limit := range []int{1, 4, 5, 25, 27} {
			q := table.Query{Index: 1, Partition: "i", Limit: limit, Backward: backward}
			seen := map[string]bool{}
			for {
				page := s.query(q)
				for _, it := range page.Items {
					if seen[it.Partition+it.Sort] {
						t.Fatalf("limit %d: %v came twice", limit, it.Key)
					}
					seen[it.Partition+it.Sort] = true
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			if len(seen) != len(want)+2 {
				t.Errorf("limit %d, backward %v: %d items, want %d", limit, backward, len(seen), len(want)+2)
			}
		}
	}
	// After is behind all that are equal.
	s.wantKeys(table.Query{Index: 1, Partition: "i", After: "same"}, "z")
	s.wantKeys(table.Query{Index: 1, Partition: "i", After: "same", Backward: true}, "a")
	s.wantKeys(table.Query{Index: 1, Partition: "i", Prefix: "sa", After: "same"})
	s.wantKeys(table.Query{Index: 1, Partition: "i", Prefix: "sa", After: "same", Backward: true, Limit: 2})
}

// testIndexPageLimit wants pages that one batch read can fill.
func testIndexPageLimit(t *testing.T, s *suite) {
	sorts := numbered(2*table.MaxGet + 30)
	all := items("p", sorts...)
	for i := range all {
		all[i].Index2 = table.Key{Partition: "i", Sort: all[i].Sort}
	}
	s.put(all...)
	for _, limit := range []int{0, table.MaxGet, 1000} {
		q := table.Query{Index: 2, Partition: "i", Limit: limit}
		if n := len(s.query(q).Items); n != table.MaxGet {
			t.Errorf("first page with limit %d = %d items, want %d", limit, n, table.MaxGet)
		}
		s.wantKeys(q, sorts...)
	}
}

// testIndexAfterUpdate wants a hit to carry what was written last.
func testIndexAfterUpdate(t *testing.T, s *suite) {
	it := indexed("a", "1", "2")
	s.put(it)
	s.write(table.Write{Update: &table.Update{Key: it.Key, AddVersion: 1, SetBody: []byte("fresh"), AddNumbers: map[string]int64{"n": 5}}})
	it.Version, it.Body, it.Numbers = 2, []byte("fresh"), map[string]int64{"n": 7}
	for index := 1; index <= 2; index++ {
		page := s.query(table.Query{Index: index, Partition: "i"})
		if len(page.Items) != 1 || !same(page.Items[0], it) {
			t.Errorf("index %d = %+v, want %s", index, page.Items, show(it))
		}
	}
}
