package audit

import (
	"bytes"
	"context"
	"encoding/csv"
	"maps"
	"slices"
	"strconv"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Summary counts changes by day and effect.
type Summary struct {
	Stores SummaryStores
	Now    func() time.Time // nil means time.Now
}

// Day is what was done on one day, in UTC.
type Day struct {
	Day string `json:"day"`
	// Counts has the changes by effect, and those by what became of them.
	Counts map[directory.Effect]map[directory.ChangeState]int `json:"counts"`
}

// summaryDays is how many days a summary goes back, from now or from until, when
// nothing else is said.
const summaryDays = 30

// Days sums up a connection, or with "" all of them; whole days from the one that
// since lies in up to the one before until.
func (s *Summary) Days(ctx context.Context, id directory.ConnectionID, since, until time.Time) ([]Day, error) {
	q := Query{Since: since, Until: until}
	if err := q.check(); err != nil {
		return nil, err
	}
	if since.IsZero() {
		now := time.Now()
		if s.Now != nil {
			now = s.Now()
		}
		if !until.IsZero() && until.Before(now) {
			now = until
		}
		since = now.UTC().AddDate(0, 0, -summaryDays)
	}
	sum := map[string]Day{}
	if id != "" {
		if _, err := s.Stores.Connections.Connection(ctx, id); err != nil {
			return nil, err
		}
		days, err := s.Stores.Days.Days(ctx, id, since, until)
		if err != nil {
			return nil, err
		}
		addDays(sum, days)
		return newestFirst(sum), nil
	}
	all, err := readEach(ctx, s.Stores.All, func(ctx context.Context, c *directory.Connection) ([]store.DayCounts, error) {
		return s.Stores.Days.Days(ctx, c.ID, since, until)
	})
	for i := range all {
		addDays(sum, all[i].value)
	}
	return newestFirst(sum), err
}

func addDays(sum map[string]Day, days []store.DayCounts) {
	for _, d := range days {
		if _, there := sum[d.Day]; !there {
			sum[d.Day] = Day{d.Day, map[directory.Effect]map[directory.ChangeState]int{}}
		}
		addCounts(sum[d.Day].Counts, d.Counts)
	}
}

func addCounts(to, from map[directory.Effect]map[directory.ChangeState]int) {
	for effect, states := range from {
		if to[effect] == nil {
			to[effect] = map[directory.ChangeState]int{}
		}
		for state, n := range states {
			to[effect][state] += n
		}
	}
}

func newestFirst(sum map[string]Day) []Day {
	list := make([]Day, 0, len(sum))
	for _, day := range slices.Backward(slices.Sorted(maps.Keys(sum))) {
		list = append(list, sum[day])
	}
	return list
}

// DaysCSV writes a summary as CSV: day, effect, state, count.
func DaysCSV(list []Day) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	w.Write([]string{"day", "effect", "state", "count"})
	for _, d := range list {
		for _, effect := range slices.Sorted(maps.Keys(d.Counts)) {
			for _, state := range slices.Sorted(maps.Keys(d.Counts[effect])) {
				w.Write([]string{d.Day, string(effect), string(state), strconv.Itoa(d.Counts[effect][state])})
			}
		}
	}
	w.Flush()
	return b.Bytes()
}
