package audit

import (
	"bytes"
	"cmp"
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
	// ConnectionID is set where days are told by connection.
	ConnectionID directory.ConnectionID `json:"connectionId,omitempty"`
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
	since = s.from(since, until)
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

// ByConnection tells the same days of each connection by itself, newest day first and in
// the order of connections.
func (s *Summary) ByConnection(ctx context.Context, since, until time.Time) ([]Day, error) {
	q := Query{Since: since, Until: until}
	if err := q.check(); err != nil {
		return nil, err
	}
	since = s.from(since, until)
	all, err := readEach(ctx, s.Stores.All, func(ctx context.Context, c *directory.Connection) ([]store.DayCounts, error) {
		return s.Stores.Days.Days(ctx, c.ID, since, until)
	})
	var list []Day
	for i := range all {
		for _, d := range all[i].value {
			list = append(list, Day{Day: d.Day, ConnectionID: all[i].conn.ID, Counts: d.Counts})
		}
	}
	slices.SortStableFunc(list, func(a, b Day) int { return cmp.Compare(b.Day, a.Day) })
	return list, err
}

// from is the first day of a summary for which none is said.
func (s *Summary) from(since, until time.Time) time.Time {
	if !since.IsZero() {
		return since
	}
	now := time.Now()
	if s.Now != nil {
		now = s.Now()
	}
	if !until.IsZero() && until.Before(now) {
		now = until
	}
	return now.UTC().AddDate(0, 0, -summaryDays)
}

func addDays(sum map[string]Day, days []store.DayCounts) {
	for _, d := range days {
		if _, there := sum[d.Day]; !there {
			sum[d.Day] = Day{Day: d.Day, Counts: map[directory.Effect]map[directory.ChangeState]int{}}
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

// DaysCSV writes a summary as CSV: day, effect, state, count, and the connection where it
// is told by these.
func DaysCSV(list []Day, byConnection bool) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	columns := []string{"day", "effect", "state", "count"}
	if byConnection {
		columns = append(columns, "connectionId")
	}
	w.Write(columns)
	for _, d := range list {
		for _, effect := range slices.Sorted(maps.Keys(d.Counts)) {
			for _, state := range slices.Sorted(maps.Keys(d.Counts[effect])) {
				line := []string{d.Day, string(effect), string(state), strconv.Itoa(d.Counts[effect][state])}
				if byConnection {
					line = append(line, string(d.ConnectionID))
				}
				w.Write(line)
			}
		}
	}
	w.Flush()
	return b.Bytes()
}
