package tabletest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"bindery/shared/table"
)

// testConditions tries each comparison against each relation, on a number, a
// string and the version, through an update with no other effect.
func testConditions(t *testing.T, s *suite) {
	stored := table.Item{Key: key("a"), Version: 5, Numbers: map[string]int64{"n": 5, "zero": 0}, Strings: map[string]string{"s": "m", "empty": ""}}
	s.put(stored)
	holds := map[table.Op][3]bool{ // what is stored is below, at, above what is tested
		table.Equal: {false, true, false}, table.NotEqual: {true, false, true},
		table.Less: {true, false, false}, table.AtMost: {true, true, false},
		table.Greater: {false, false, true}, table.AtLeast: {false, true, true},
		table.IsMissing: {false, false, false},
	}
	check := func(test table.Test, want bool) {
		t.Helper()
		err := s.Write(s.ctx, table.Write{Check: &stored.Key, If: table.When(test)})
		var refused *table.ConditionError
		if want && err != nil || !want && !errors.As(err, &refused) {
			t.Errorf("Check(%+v) = %v, want holds = %v", test, err, want)
		}
	}
	for op, want := range holds {
		for i := range 3 {
			check(table.Test{Number: "n", Op: op, N: []int64{6, 5, -4}[i]}, want[i])
			check(table.Test{Number: "version", Op: op, N: []int64{40, 5, 4}[i]}, want[i])
			check(table.Test{String: "s", Op: op, S: []string{"n", "m", "Z"}[i]}, want[i])
		}
		check(table.Test{Number: "none", Op: op, N: 0}, op == table.IsMissing)
		check(table.Test{String: "none", Op: op, S: ""}, op == table.IsMissing)
		check(table.Test{Number: "zero", Op: op, N: 0}, want[1])
		check(table.Test{String: "empty", Op: op, S: ""}, want[1])
		// The names of numbers and strings are apart.
		check(table.Test{Number: "s", Op: op}, op == table.IsMissing)
		check(table.Test{String: "n", Op: op}, op == table.IsMissing)
	}
	s.want(stored)
}

func testConditionsByKind(t *testing.T, s *suite) {
	stale := []table.Test{table.NumberIs("epoch", table.Less, 3)}
	freed := []table.Test{table.StringIs("state", "free"), {Number: "owner", Op: table.IsMissing}}
	for i, test := range []struct {
		name    string
		cond    table.Condition
		none    bool // holds without an item
		old     bool // holds at epoch 2, no state
		current bool // holds at epoch 3, no state
		free    bool // holds at epoch 3, free
	}{
		{"zero", table.Condition{}, true, true, true, true},
		{"absent", table.Condition{Absent: true}, true, false, false, false},
		{"present", table.Condition{Present: true}, false, true, true, true},
		{"either", table.Condition{Absent: true, Present: true}, true, true, true, true},
		{"stale", table.Condition{AnyOf: [][]table.Test{stale}}, false, true, false, false},
		{"absent or stale", table.Condition{Absent: true, AnyOf: [][]table.Test{stale}}, true, true, false, false},
		{"absent, stale or free", table.Condition{Absent: true, AnyOf: [][]table.Test{stale, freed}}, true, true, false, true},
		{"both tests", table.When(table.NumberIs("epoch", table.AtLeast, 3), table.StringIs("state", "free")), false, false, false, true},
		{"no tests", table.When(), false, true, true, true},
		{"missing implies there", table.When(table.Test{Number: "owner", Op: table.IsMissing}), false, true, true, true},
		{"missing or absent", table.Condition{Absent: true, AnyOf: [][]table.Test{{{String: "state", Op: table.IsMissing}}}}, true, true, true, false},
		{"not equal on missing", table.When(table.Test{String: "state", Op: table.NotEqual, S: "x"}), false, false, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			at := func(kind string) table.Key { return key(fmt.Sprint(i, " ", kind)) }
			s.put(table.Item{Key: at("old"), Numbers: map[string]int64{"epoch": 2}},
				table.Item{Key: at("current"), Numbers: map[string]int64{"epoch": 3}},
				table.Item{Key: at("free"), Numbers: map[string]int64{"epoch": 3}, Strings: map[string]string{"state": "free"}})
			for kind, want := range map[string]bool{"none": test.none, "old": test.old, "current": test.current, "free": test.free} {
				s.wantVerdict(at(kind), test.cond, want)
			}
		})
	}
}

// wantVerdict tries a condition in a check, an update, a put and a delete,
// each alone and with company.
func (s *suite) wantVerdict(k table.Key, cond table.Condition, want bool) {
	s.t.Helper()
	before, err := s.Get(s.ctx, k)
	there := err == nil
	writes := []table.Write{{Update: &table.Update{Key: k}, If: cond}, {Put: &table.Item{Key: k}, If: cond}, {Delete: &k, If: cond}}
	if !cond.IsZero() {
		writes = append(writes, table.Write{Check: &k, If: cond})
	}
	other := key("company of " + k.Sort)
	for _, w := range writes {
		for _, all := range [][]table.Write{{w}, {{Put: &table.Item{Key: other}}, w}} {
			err := s.Write(s.ctx, all...)
			var refused *table.ConditionError
			if errors.As(err, &refused) == want || want && err != nil {
				s.t.Errorf("%s under %+v = %v, want holds = %v", describe(all), cond, err, want)
			}
			if refused != nil {
				at, current := refused.Failed[0], refused.Current[0]
				if at != len(all)-1 || (current != nil) != there || there && !same(*current, before) {
					s.t.Errorf("%s: failed at %d with %+v, want %d with %s", describe(all), at, current, len(all)-1, show(before))
				}
			}
			if there {
				s.put(before)
			} else {
				s.write(table.Write{Delete: &k})
			}
		}
	}
}

func testTransaction(t *testing.T, s *suite) {
	s.put(items("p", "delete", "update", "check", "replace")...)
	gone, checked := key("delete"), key("check")
	s.write(
		table.Write{Delete: &gone, If: table.Condition{Present: true}},
		table.Write{Update: &table.Update{Key: key("update"), AddVersion: 1}, If: table.When(table.VersionIs(0))},
		table.Write{Check: &checked, If: table.When(table.VersionIs(0))},
		table.Write{Put: &table.Item{Key: key("replace"), Version: 4}},
		table.Write{Put: &table.Item{Key: table.Key{Partition: "other", Sort: "put"}}, If: table.Condition{Absent: true}},
	)
	s.wantNone(gone)
	s.want(table.Item{Key: key("update"), Version: 1, Body: []byte("update")})
	s.want(table.Item{Key: checked, Body: []byte("check")})
	s.want(table.Item{Key: key("replace"), Version: 4})
	s.want(table.Item{Key: table.Key{Partition: "other", Sort: "put"}})
}

func testTransactionRefused(t *testing.T, s *suite) {
	s.put(items("p", "a", "b", "c")...)
	a, none := key("a"), key("none")
	refused := s.wantFailed([]int{1, 3, 4},
		table.Write{Delete: &a},
		table.Write{Put: &table.Item{Key: key("b")}, If: table.Condition{Absent: true}},
		table.Write{Put: &table.Item{Key: key("new")}},
		table.Write{Check: &none, If: table.Condition{Present: true}},
		table.Write{Update: &table.Update{Key: key("c"), AddVersion: 1}, If: table.When(table.VersionIs(8))},
	)
	if c := refused.Current; c[0] == nil || string(c[0].Body) != "b" || c[1] != nil || c[2] == nil || string(c[2].Body) != "c" {
		t.Errorf("Current = %+v, want b, none, c", c)
	}
	if msg := refused.Error(); !strings.Contains(msg, "[1 3 4]") {
		t.Errorf("Error() = %q, want the failed indexes in it", msg)
	}
	for _, it := range items("p", "a", "b", "c") {
		s.want(it)
	}
	s.wantNone(key("new"))
}

func testTransactionLimits(t *testing.T, s *suite) {
	many := items("p", numbered(table.MaxWrites+1)...)
	writes := make([]table.Write, len(many))
	for i := range many {
		writes[i].Put = &many[i]
	}
	wantError := func(what string, want error, writes ...table.Write) {
		t.Helper()
		if err := s.Write(s.ctx, writes...); !errors.Is(err, want) {
			t.Errorf("Write of %s = %v, want %v", what, err, want)
		}
	}
	wantError("101", table.ErrTooLarge, writes...)
	s.wantKeys(table.Query{Partition: "p"})
	s.write(writes[:table.MaxWrites]...)
	s.wantKeys(table.Query{Partition: "p"}, numbered(table.MaxWrites)...)

	k := key("twice")
	wantError("the same key twice", table.ErrInvalid, table.Write{Put: &table.Item{Key: k}}, table.Write{Delete: &k})
	wantError("the same key twice", table.ErrInvalid,
		table.Write{Check: &k, If: table.Condition{Absent: true}}, table.Write{Update: &table.Update{Key: k}})

	fit := table.Item{Key: key("fit")}
	fit.Body = make([]byte, table.MaxItemBytes-fit.Size()-1)
	s.write(table.Write{Put: &fit})
	s.want(fit)
	wantError("an item over 400 KB", table.ErrTooLarge, table.Write{Put: &table.Item{Key: key("big"), Body: make([]byte, table.MaxItemBytes)}})
	s.wantNone(key("big"))

	large := items("large", numbered(14)...)
	writes = writes[:len(large)]
	for i := range large {
		large[i].Body = make([]byte, 300<<10)
		writes[i] = table.Write{Put: &large[i]}
	}
	wantError("4.1 MB", table.ErrTooLarge, writes...)
	s.wantKeys(table.Query{Partition: "large"})
	s.write(writes[:13]...)
	if got := s.all(table.Query{Partition: "large"}); !slices.Equal(got, numbered(13)) {
		t.Errorf("after 3.9 MB in one transaction: %q", got)
	}
}
