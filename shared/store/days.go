package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
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

// # A day's counts on the lease
//
// The end of a run that stands on the lease writes the lease's item anyway, so what it
// came to is added up there, and goes to the item of its day once a run of another day
// has ended, or when there are too many names. Days adds what stands on the lease. A
// version that does not know of it shows these counts once they have gone there, and
// leaves them in place.

// numToday names, on a lease's item, the day (UTC, yyyymmdd) that it counts, and
// todayPrefix begins the names of the counts.
const (
	numToday    = "today"
	todayPrefix = "today/"
	maxToday    = 4 // names that the lease counts
)

// dayOf is a day as a number.
func dayOf(at time.Time) int64 {
	at = at.UTC()
	return int64(at.Year())*10000 + int64(at.Month())*100 + int64(at.Day())
}

// startOf is the beginning of a day.
func startOf(day int64) time.Time {
	return time.Date(int(day/10000), time.Month(day/100%100), int(day%100), 0, 0, 0, 0, time.UTC)
}

// dayCount is what a lease's item counts of a day; of day 0 it counts nothing.
type dayCount struct {
	day   int64
	tally map[string]int
}

// write adds what was counted to the item of its day.
func (d dayCount) write(c directory.ConnectionID, retention time.Duration) table.Write {
	return dayWrite(c, startOf(d.day), d.tally, retention)
}

func todayOf(it *table.Item) dayCount {
	d := dayCount{day: it.Numbers[numToday], tally: map[string]int{}}
	for name, n := range it.Numbers {
		if name, counts := strings.CutPrefix(name, todayPrefix); counts {
			d.tally[name] = int(n)
		}
	}
	return d
}

// count adds what came of changes at a time to the lease's item in its update u, and
// returns what the lease counts then. What it counted of another day, or too much of,
// is to be written to that day's item.
func (d dayCount) count(u *table.Update, at time.Time, tally map[string]int) (next dayCount, over []dayCount) {
	next = dayCount{day: dayOf(at), tally: maps.Clone(tally)}
	if d.day == next.day {
		for name, n := range d.tally {
			next.tally[name] += n
		}
	} else if d.day != 0 {
		over = append(over, d)
	}
	if len(next.tally) > maxToday {
		over, next = append(over, next), dayCount{}
	}
	if u.SetNumbers == nil {
		u.SetNumbers = map[string]int64{}
	}
	u.SetNumbers[numToday] = next.day
	for name, n := range next.tally {
		u.SetNumbers[todayPrefix+name] = int64(n)
	}
	for name := range d.tally {
		if _, stays := next.tally[name]; !stays {
			u.RemoveNumbers = append(u.RemoveNumbers, todayPrefix+name)
		}
	}
	return next, over
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
	lease, list, err := s.days(ctx, c, q, until)
	if err != nil {
		return nil, err
	}
	today := todayOf(&lease)
	if from := startOf(today.day); from.Before(since.UTC().Truncate(24*time.Hour)) || !until.IsZero() && !from.Before(until) || from.Add(s.db.retention).Before(s.db.now()) {
		today = dayCount{}
	}
	return today.addTo(list), nil
}

// days reads the items of days, and that of the lease as it was all the while: counts
// that go from there to their day meanwhile would be told twice, or not at all.
func (s *Audit) days(ctx context.Context, c directory.ConnectionID, q table.Query, until time.Time) (lease table.Item, list []DayCounts, err error) {
	lease, _, err = s.db.find(ctx, leaseKey(c))
	for range tornReads {
		if err != nil {
			break
		}
		if list, err = s.dayItems(ctx, q, until); err != nil {
			break
		}
		version := lease.Version
		lease, _, err = s.db.find(ctx, leaseKey(c))
		if lease.Version == version {
			break
		}
	}
	return lease, list, fail("days", err)
}

// dayItems reads the items of days.
func (s *Audit) dayItems(ctx context.Context, q table.Query, until time.Time) ([]DayCounts, error) {
	var list []DayCounts
	for it, err := range s.db.list(ctx, q) {
		if err != nil {
			return nil, err
		}
		day, err := time.Parse("20060102", strings.TrimPrefix(it.Sort, "day#"))
		if err != nil {
			return nil, fmt.Errorf("store: record %s/%s is no day: %w", it.Partition, it.Sort, err)
		}
		if !until.IsZero() && !day.Before(until) {
			break
		}
		if s.db.expired(it) {
			continue
		}
		list = append(list, dayCounts(day, it.Numbers))
	}
	return list, nil
}

// addTo adds what the lease counts to the counts of days, oldest first.
func (d dayCount) addTo(list []DayCounts) []DayCounts {
	if d.day == 0 {
		return list
	}
	numbers := make(map[string]int64, len(d.tally))
	for name, n := range d.tally {
		numbers[name] = int64(n)
	}
	more := dayCounts(startOf(d.day), numbers)
	at, there := slices.BinarySearchFunc(list, more.Day, func(c DayCounts, day string) int { return strings.Compare(c.Day, day) })
	if !there {
		return slices.Insert(list, at, more)
	}
	for effect, states := range more.Counts {
		if list[at].Counts[effect] == nil {
			list[at].Counts[effect] = map[directory.ChangeState]int{}
		}
		for state, n := range states {
			list[at].Counts[effect][state] += n
		}
	}
	return list
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
