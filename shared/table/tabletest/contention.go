package tabletest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"bindery/shared/table"
)

// together runs f on n goroutines and waits for them.
func together(n int, f func(i int)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { f(i) })
	}
	group.Wait()
}

// retry repeats a write while the table is busy.
func (s *suite) retry(writes ...table.Write) error {
	for {
		err := s.Write(s.ctx, writes...)
		if !errors.Is(err, table.ErrBusy) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// testCounters adds from many sides at once: alone, and in transactions.
func testCounters(t *testing.T, s *suite) {
	const workers, times = 8, 20
	together(workers, func(i int) {
		for n := range times {
			add := table.Write{Update: &table.Update{Key: key("c"), AddVersion: 1, AddNumbers: map[string]int64{"n": int64(i)}}}
			writes := []table.Write{add}
			if i%2 == 0 {
				writes = append(writes, table.Write{Put: &table.Item{Key: key(fmt.Sprintf("w%d-%d", i, n))}})
			}
			if err := s.retry(writes...); err != nil {
				t.Errorf("worker %d: %v", i, err)
				return
			}
		}
	})
	s.want(table.Item{Key: key("c"), Version: workers * times, Numbers: map[string]int64{"n": times * workers * (workers - 1) / 2}})
	if got := s.all(table.Query{Partition: "p", Prefix: "w"}); len(got) != workers/2*times {
		t.Errorf("%d items beside the counter, want %d", len(got), workers/2*times)
	}
}

// testOneWins lets many claim the same thing: exactly one may have it.
func testOneWins(t *testing.T, s *suite) {
	for round := range 5 {
		var mu sync.Mutex
		var winners []string
		k := key(fmt.Sprintf("claim%d", round))
		together(8, func(i int) {
			name := fmt.Sprintf("worker%d", i)
			claim := table.Write{
				Put: &table.Item{Key: k, Strings: map[string]string{"by": name}},
				If:  table.Condition{Absent: true},
			}
			err := s.retry(claim, table.Write{Put: &table.Item{Key: key("mine" + k.Sort + name)}})
			var refused *table.ConditionError
			switch {
			case err == nil:
				mu.Lock()
				winners = append(winners, name)
				mu.Unlock()
			case !errors.As(err, &refused):
				t.Errorf("%s: %v", name, err)
			}
		})
		if len(winners) != 1 {
			t.Fatalf("winners = %v, want one", winners)
		}
		s.want(table.Item{Key: k, Strings: map[string]string{"by": winners[0]}})
		s.wantKeys(table.Query{Partition: "p", Prefix: "mine" + k.Sort}, "mine"+k.Sort+winners[0])
	}
}

// testTransfers moves amounts between accounts by versions: the sum stays.
func testTransfers(t *testing.T, s *suite) {
	const accounts, workers, times = 4, 4, 10
	for i := range accounts {
		s.put(table.Item{Key: key(fmt.Sprint("account", i)), Numbers: map[string]int64{"sum": 100}})
	}
	together(workers, func(w int) {
		for n := range times {
			from, to := key(fmt.Sprint("account", (w+n)%accounts)), key(fmt.Sprint("account", (w+2*n+1)%accounts))
			if from == to {
				continue
			}
			take := table.Write{
				Update: &table.Update{Key: from, AddVersion: 1, AddNumbers: map[string]int64{"sum": -7}},
				If:     table.When(table.NumberIs("sum", table.AtLeast, 7)),
			}
			give := table.Write{Update: &table.Update{Key: to, AddVersion: 1, AddNumbers: map[string]int64{"sum": 7}}}
			var refused *table.ConditionError
			if err := s.retry(take, give); err != nil && !errors.As(err, &refused) {
				t.Errorf("worker %d: %v", w, err)
			}
		}
	})
	sum := int64(0)
	for _, it := range s.query(table.Query{Partition: "p"}).Items {
		if sum += it.Numbers["sum"]; it.Numbers["sum"] < 0 {
			t.Errorf("%s has %d, want at least 0", it.Sort, it.Numbers["sum"])
		}
	}
	if sum != accounts*100 {
		t.Errorf("sum = %d, want %d", sum, accounts*100)
	}
}
