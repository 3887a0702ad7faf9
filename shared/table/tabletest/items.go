package tabletest

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/table"
)

func testPutGetDelete(t *testing.T, s *suite) {
	s.wantNone(key("a"))
	it := table.Item{Key: key("a"), Version: 3, Numbers: map[string]int64{"n": 1}, Body: []byte(`{"a":1}`)}
	s.put(it)
	s.want(it)
	s.wantNone(key("A"))
	s.wantNone(table.Key{Partition: "pa", Sort: "a"})

	fresh := table.Item{Key: key("a"), Version: 9, Strings: map[string]string{"s": "x"}}
	s.put(fresh) // replaces all of it
	s.want(fresh)

	k := key("a")
	s.write(table.Write{Delete: &k})
	s.wantNone(k)
	s.write(table.Write{Delete: &k}) // deleting nothing is no error
}

func testShapes(t *testing.T, s *suite) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for name, it := range map[string]table.Item{
		"bare":                            {},
		"zeros":                           {Numbers: map[string]int64{"zero": 0}, Strings: map[string]string{"empty": ""}, Body: []byte{}},
		"extremes":                        {Version: math.MaxInt64, Numbers: map[string]int64{"min": math.MinInt64, "max": math.MaxInt64}},
		"binary":                          {Body: every},
		"names":                           {Numbers: map[string]int64{"a.b c#:d": 1, "größe": 2, "size": 3}, Strings: map[string]string{"size": "x", "sk": "y"}},
		"text":                            {Strings: map[string]string{"s": "Žluťoučký\x00\U0010FFFF 🐎 \"'\\"}},
		"indexes":                         {Index1: table.Key{Partition: "i", Sort: "1"}, Index2: table.Key{Partition: "j", Sort: "2"}},
		"expires":                         {Expires: time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)},
		"ünï¢ödé 日本 🐎":                    {Body: []byte("x")},
		"long" + strings.Repeat("é", 510): {Body: []byte("x")},
	} {
		it.Key = key(name)
		s.put(it)
		s.want(it)
	}

	when := time.Date(2031, 2, 3, 4, 5, 6, 987654321, time.FixedZone("", 3600))
	s.put(table.Item{Key: key("cut"), Expires: when})
	got, err := s.Get(s.ctx, key("cut"))
	if want := when.Truncate(time.Second); err != nil || !got.Expires.Equal(want) {
		t.Errorf("Expires = %v, %v, want %v", got.Expires, err, want)
	}
}

// testCopies changes what was handed in and out.
func testCopies(t *testing.T, s *suite) {
	it := table.Item{Key: key("a"), Numbers: map[string]int64{"n": 1}, Strings: map[string]string{"s": "x"}, Body: []byte("body")}
	want := it.Clone()
	s.put(it)
	spoil := func(it *table.Item) {
		it.Numbers["n"], it.Strings["s"], it.Body[0] = 7, "spoilt", '!'
	}
	spoil(&it)
	s.want(want)
	got, err := s.Get(s.ctx, want.Key)
	if err != nil {
		t.Fatal(err)
	}
	spoil(&got)
	s.want(want)
	page := s.query(table.Query{Partition: "p"})
	spoil(&page.Items[0])
	s.want(want)
	many, err := s.GetMany(s.ctx, []table.Key{want.Key})
	if err != nil {
		t.Fatal(err)
	}
	spoil(&many[0])
	s.want(want)

	body := []byte("fresh")
	s.write(table.Write{Update: &table.Update{Key: want.Key, SetBody: body}})
	body[0] = '!'
	want.Body = []byte("fresh")
	s.want(want)
	refused := s.wantFailed([]int{0}, table.Write{Put: &want, If: table.Condition{Absent: true}})
	spoil(refused.Current[0])
	s.want(want)
}

func testInvalid(t *testing.T, s *suite) {
	good := table.Item{Key: key("a")}
	var none table.Key
	for name, w := range map[string]table.Write{
		"nothing":          {},
		"two":              {Put: &good, Delete: &good.Key},
		"no key":           {Delete: &none},
		"no sort key":      {Put: &table.Item{Key: table.Key{Partition: "p"}}},
		"not UTF-8":        {Put: &table.Item{Key: key("\xff")}},
		"NUL":              {Put: &table.Item{Key: key("a\x00b")}},
		"last rune":        {Put: &table.Item{Key: key("a\U0010FFFF")}},
		"long sort key":    {Put: &table.Item{Key: key(strings.Repeat("x", 1025))}},
		"long partition":   {Put: &table.Item{Key: table.Key{Partition: strings.Repeat("x", 2049), Sort: "s"}}},
		"half an index":    {Put: &table.Item{Key: key("a"), Index1: table.Key{Partition: "i"}}},
		"half an index 2":  {Update: &table.Update{Key: key("a"), SetIndex2: &table.Key{Sort: "i"}}},
		"string not UTF-8": {Put: &table.Item{Key: key("a"), Strings: map[string]string{"s": "\xff"}}},
		"named version":    {Put: &table.Item{Key: key("a"), Numbers: map[string]int64{"version": 1}}},
		"no name":          {Put: &table.Item{Key: key("a"), Numbers: map[string]int64{"": 1}}},
		"add and set":      {Update: &table.Update{Key: key("a"), AddNumbers: map[string]int64{"n": 1}, SetNumbers: map[string]int64{"n": 1}}},
		"set and remove":   {Update: &table.Update{Key: key("a"), SetStrings: map[string]string{"s": ""}, RemoveStrings: []string{"s"}}},
		"remove twice":     {Update: &table.Update{Key: key("a"), RemoveNumbers: []string{"n", "n"}}},
		"empty check":      {Check: &good.Key},
		"no comparison":    {Put: &good, If: table.When(table.Test{Number: "n"})},
		"number or string": {Put: &good, If: table.When(table.Test{Number: "n", String: "s", Op: table.Equal})},
	} {
		if err := s.Write(s.ctx, w); !errors.Is(err, table.ErrInvalid) {
			t.Errorf("%s: Write = %v, want ErrInvalid", name, err)
		}
	}
	if err := s.Write(s.ctx); !errors.Is(err, table.ErrInvalid) {
		t.Errorf("Write() = %v, want ErrInvalid", err)
	}
	if _, err := s.Get(s.ctx, none); !errors.Is(err, table.ErrInvalid) {
		t.Errorf("Get of no key = %v, want ErrInvalid", err)
	}
	if _, err := s.GetMany(s.ctx, []table.Key{good.Key, none}); !errors.Is(err, table.ErrInvalid) {
		t.Errorf("GetMany of no key = %v, want ErrInvalid", err)
	}
	for _, q := range []table.Query{{}, {Partition: "p", Index: 3}, {Partition: "p", Limit: -1}, {Partition: "p", Prefix: "\xff"}} {
		if _, err := s.Query(s.ctx, q); !errors.Is(err, table.ErrInvalid) {
			t.Errorf("Query(%+v) = %v, want ErrInvalid", q, err)
		}
	}
	s.wantKeys(table.Query{Partition: "p"})
}

func testUpdate(t *testing.T, s *suite) {
	when := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	start := table.Item{
		Key: key("a"), Version: 5, Expires: when, Body: []byte("old"),
		Index1: table.Key{Partition: "i", Sort: "1"}, Index2: table.Key{Partition: "i", Sort: "2"},
		Numbers: map[string]int64{"keep": 1, "set": 2, "add": 3}, Strings: map[string]string{"keep": "a", "set": "b"},
	}
	later := when.Add(time.Hour)
	for name, test := range map[string]struct {
		update table.Update
		change func(*table.Item)
	}{
		"nothing":       {table.Update{}, func(it *table.Item) {}},
		"version":       {table.Update{AddVersion: 2}, func(it *table.Item) { it.Version = 7 }},
		"version back":  {table.Update{AddVersion: -6}, func(it *table.Item) { it.Version = -1 }},
		"add":           {table.Update{AddNumbers: map[string]int64{"add": -10, "new": 4, "zero": 0}}, func(it *table.Item) { it.Numbers["add"], it.Numbers["new"], it.Numbers["zero"] = -7, 4, 0 }},
		"set":           {table.Update{SetNumbers: map[string]int64{"set": 0, "more": 8}}, func(it *table.Item) { it.Numbers["set"], it.Numbers["more"] = 0, 8 }},
		"strings":       {table.Update{SetStrings: map[string]string{"set": "", "more": "y"}}, func(it *table.Item) { it.Strings["set"], it.Strings["more"] = "", "y" }},
		"body":          {table.Update{SetBody: []byte("new")}, func(it *table.Item) { it.Body = []byte("new") }},
		"empty body":    {table.Update{SetBody: []byte{}}, func(it *table.Item) { it.Body = []byte{} }},
		"indexes":       {table.Update{SetIndex1: &table.Key{}, SetIndex2: &table.Key{Partition: "x", Sort: "y"}}, func(it *table.Item) { it.Index1, it.Index2 = table.Key{}, table.Key{Partition: "x", Sort: "y"} }},
		"expires":       {table.Update{SetExpires: &later}, func(it *table.Item) { it.Expires = later }},
		"never expires": {table.Update{SetExpires: &time.Time{}}, func(it *table.Item) { it.Expires = time.Time{} }},
	} {
		t.Run(name, func(t *testing.T) {
			s.put(start)
			test.update.Key = start.Key
			s.write(table.Write{Update: &test.update})
			want := start.Clone()
			test.change(&want)
			s.want(want)
		})
	}
}

func testUpdateMakes(t *testing.T, s *suite) {
	s.write(table.Write{Update: &table.Update{Key: key("bare")}})
	s.want(table.Item{Key: key("bare")})
	s.write(table.Write{Update: &table.Update{Key: key("full"), AddVersion: 1, AddNumbers: map[string]int64{"n": 2}, SetBody: []byte("b"),
		SetIndex1: &table.Key{Partition: "i", Sort: "s"}, SetIndex2: &table.Key{}, RemoveNumbers: []string{"gone"}, RemoveStrings: []string{"gone"}}})
	s.want(table.Item{Key: key("full"), Version: 1, Numbers: map[string]int64{"n": 2}, Body: []byte("b"), Index1: table.Key{Partition: "i", Sort: "s"}})
	s.wantFailed([]int{0}, table.Write{Update: &table.Update{Key: key("no"), AddVersion: 1}, If: table.Condition{Present: true}})
	s.wantNone(key("no"))
}

func testUpdateRemoves(t *testing.T, s *suite) {
	s.put(table.Item{Key: key("a"), Numbers: map[string]int64{"a": 1, "b": 2}, Strings: map[string]string{"a": "1", "b": "2"}})
	s.write(table.Write{Update: &table.Update{Key: key("a"), RemoveNumbers: []string{"a", "c"}, RemoveStrings: []string{"b"}}})
	want := table.Item{Key: key("a"), Numbers: map[string]int64{"b": 2}, Strings: map[string]string{"a": "1"}}
	s.want(want)
	s.write(table.Write{Update: &table.Update{Key: key("a"), RemoveNumbers: []string{"b"}, RemoveStrings: []string{"a"}}})
	s.want(table.Item{Key: key("a")})
	// Removed is missing, not zero.
	s.wantFailed([]int{0}, table.Write{Put: &want, If: table.When(table.NumberIs("b", table.AtMost, 5))})
}

// testUpdateTooLarge grows an item over the limit by two updates that are
// each within it.
func testUpdateTooLarge(t *testing.T, s *suite) {
	s.put(table.Item{Key: key("a"), Body: make([]byte, 300<<10)})
	grow := table.Update{Key: key("a"), SetStrings: map[string]string{"s": strings.Repeat("x", 150<<10)}}
	if err := s.Write(s.ctx, table.Write{Update: &grow}); !errors.Is(err, table.ErrTooLarge) {
		t.Errorf("Write of a growing update = %v, want ErrTooLarge", err)
	}
	other := table.Item{Key: key("b")}
	if err := s.Write(s.ctx, table.Write{Put: &other}, table.Write{Update: &grow}); !errors.Is(err, table.ErrTooLarge) {
		t.Errorf("transaction with a growing update = %v, want ErrTooLarge", err)
	}
	s.wantNone(other.Key)
	s.want(table.Item{Key: key("a"), Body: make([]byte, 300<<10)})
}

func testGetMany(t *testing.T, s *suite) {
	sorts := numbered(table.MaxGet)
	s.put(items("p", sorts[:60]...)...)
	keys := make([]table.Key, 0, table.MaxGet)
	for _, sort := range sorts {
		keys = append(keys, key(sort))
	}
	check := func(keys []table.Key, want int) {
		t.Helper()
		got, err := s.GetMany(s.ctx, keys)
		if err != nil || len(got) != want {
			t.Fatalf("GetMany(%d keys) = %d items, %v, want %d", len(keys), len(got), err, want)
		}
		seen := map[table.Key]bool{}
		for _, it := range got {
			if seen[it.Key] || !slices.Contains(keys, it.Key) || string(it.Body) != it.Sort {
				t.Fatalf("GetMany gave %s", show(it))
			}
			seen[it.Key] = true
		}
	}
	check(nil, 0)
	check(keys, 60)
	check(keys[60:], 0)
	check(append(slices.Clone(keys[50:70]), keys[55:65]...), 10)
	if _, err := s.GetMany(s.ctx, append(keys, key("more"))); !errors.Is(err, table.ErrTooLarge) {
		t.Errorf("GetMany of %d keys = %v, want ErrTooLarge", table.MaxGet+1, err)
	}
	// 60 items of 350 KB are more than DynamoDB gives in one answer (16 MB).
	for i := range sorts[:60] {
		s.put(table.Item{Key: key(sorts[i]), Body: make([]byte, 350<<10)})
	}
	got, err := s.GetMany(s.ctx, keys[:60])
	if err != nil || len(got) != 60 {
		t.Fatalf("GetMany of 60 large items = %d items, %v, want 60", len(got), err)
	}
}

func testCancelled(t *testing.T, s *suite) {
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	it := table.Item{Key: key("a")}
	_, get := s.Get(ctx, it.Key)
	_, many := s.GetMany(ctx, []table.Key{it.Key})
	_, query := s.Query(ctx, table.Query{Partition: "p"})
	errs := map[string]error{"Get": get, "GetMany": many, "Query": query, "Write": s.Write(ctx, table.Write{Put: &it})}
	for _, name := range slices.Sorted(maps.Keys(errs)) {
		if !errors.Is(errs[name], context.Canceled) {
			t.Errorf("%s with a cancelled context = %v, want context.Canceled", name, errs[name])
		}
	}
	s.wantNone(it.Key)
}
