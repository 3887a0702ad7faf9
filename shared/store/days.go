package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// dayWrite adds to the counts of a day.
func dayWrite(c directory.ConnectionID, at time.Time, tally map[string]int, retention time.Duration) table.Write {
	add := make(map[string]int64, len(tally))
	for name, n := range tally {
		add[name] = int64(n)
	}
	expires := at.Add(retention)
	return table.Write{Update: &table.Update{Key: dayKey(c, at), AddNumbers: add, SetExpires: &expires}}
}

// DayCounts is how many changes of a day (UTC) came to what.
type DayCounts struct {
	Day    string // 2006-01-02
	Counts map[directory.Effect]map[directory.ChangeState]int
}

// Days reads the counts of a connection's days from since up to until (exclusive;
// zero: all), oldest first. Days on which nothing was done are not in it.
func (s *Audit) Days(ctx context.Context, c directory.ConnectionID, since, until time.Time) ([]DayCounts, error) {
	q := table.Query{Partition: "C#" + string(c), Prefix: "day#"}
	if !since.IsZero() {
		q.After = dayKey(c, since.AddDate(0, 0, -1)).Sort
	}
	var list []DayCounts
	for it, err := range s.db.list(ctx, q) {
		if err != nil {
			return nil, fail("days", err)
		}
		day, err := time.Parse("20060102", strings.TrimPrefix(it.Sort, "day#"))
		if err != nil {
			return nil, fmt.Errorf("store: record %s/%s is no day: %w", it.Partition, it.Sort, err)
		}
		if !until.IsZero() && !day.Before(until) {
			break
		}
		if !s.db.expired(it) {
			list = append(list, dayCounts(day, it.Numbers))
		}
	}
	return list, nil
}

// dayCounts reads the counts of a day, each named "state/effect".
func dayCounts(day time.Time, numbers map[string]int64) DayCounts {
	d := DayCounts{Day: day.Format(time.DateOnly), Counts: map[directory.Effect]map[directory.ChangeState]int{}}
	for name, n := range numbers {
		state, effect, ok := strings.Cut(name, "/")
		if !ok {
			continue
		}
		byState := d.Counts[directory.Effect(effect)]
		if byState == nil {
			byState = map[directory.ChangeState]int{}
			d.Counts[directory.Effect(effect)] = byState
		}
		byState[directory.ChangeState(state)] = int(n)
	}
	return d
}
