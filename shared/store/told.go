package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Told is what others have been told of a connection, so that they are told once.
type Told struct {
	Needs string            `json:"needs,omitempty"` // since when it needs authorisation
	Stale string            `json:"stale,omitempty"` // the last success before it went stale
	Held  []directory.RunID `json:"held,omitempty"`  // its runs that are held
	Week  string            `json:"week,omitempty"`  // of all connections: the week summed up last
	// Loosened is when its settings last became looser, Proposals what waits.
	Loosened  string   `json:"loosened,omitempty"`
	Proposals []string `json:"proposals,omitempty"`
	Domains   []string `json:"domains,omitempty"` // those lost, with the time, and those offered
	Version   int64    `json:"-"`
}

// toldKey is where Told lies; "" is for all connections together.
func toldKey(c directory.ConnectionID) table.Key {
	if c == "" {
		return table.Key{Partition: "APP", Sort: "told"}
	}
	return table.Key{Partition: "C#" + string(c), Sort: "told"}
}

// Told reads what others have been told; the zero value at first.
func (s *Store) Told(ctx context.Context, c directory.ConnectionID) (Told, error) {
	it, err := s.Table.Get(ctx, toldKey(c))
	if errors.Is(err, table.ErrNotFound) {
		return Told{}, nil
	}
	if err != nil {
		return Told{}, fail("told", err)
	}
	var t Told
	err = decode(it, &t)
	t.Version = it.Version
	return t, err
}

// SaveTold stores it at the version read. ErrStale when another was faster.
func (s *Store) SaveTold(ctx context.Context, c directory.ConnectionID, t *Told) error {
	w := table.Write{Put: &table.Item{Key: toldKey(c), Version: t.Version + 1, Body: encode(t)}, If: table.When(table.VersionIs(t.Version))}
	if t.Version == 0 {
		w.If = table.Condition{Absent: true}
	}
	err := s.Table.Write(ctx, w)
	if _, raced := failed(err); raced {
		return fmt.Errorf("save told: %w", directory.ErrStale)
	}
	if err == nil {
		t.Version++
	}
	return fail("save told", err)
}

func dayKey(c directory.ConnectionID, day time.Time) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: "day#" + day.UTC().Format("20060102")}
}

// dayWrite adds to the counts of a day.
func (s *Store) dayWrite(c directory.ConnectionID, at time.Time, tally map[string]int) table.Write {
	add := make(map[string]int64, len(tally))
	for name, n := range tally {
		add[name] = int64(n)
	}
	expires := at.Add(s.retention())
	return table.Write{Update: &table.Update{Key: dayKey(c, at), AddNumbers: add, SetExpires: &expires}}
}

// DayCounts is how many changes of a day (UTC) came to what.
type DayCounts struct {
	Day    string // 2006-01-02
	Counts map[directory.Effect]map[directory.ChangeState]int
}

// Days reads the counts of a connection's days from since up to until (exclusive;
// zero: all), oldest first. Days on which nothing was done are not in it.
func (s *Store) Days(ctx context.Context, c directory.ConnectionID, since, until time.Time) ([]DayCounts, error) {
	q := table.Query{Partition: "C#" + string(c), Prefix: "day#"}
	if !since.IsZero() {
		q.After = dayKey(c, since.AddDate(0, 0, -1)).Sort
	}
	var list []DayCounts
	for {
		page, err := s.Table.Query(ctx, q)
		if err != nil {
			return nil, fail("days", err)
		}
		for _, it := range page.Items {
			day, err := time.Parse("20060102", strings.TrimPrefix(it.Sort, "day#"))
			if err != nil {
				return nil, fmt.Errorf("store: record %s/%s is no day: %w", it.Partition, it.Sort, err)
			}
			if !until.IsZero() && !day.Before(until) {
				return list, nil
			}
			if s.expired(it) {
				continue
			}
			d := DayCounts{Day: day.Format(time.DateOnly), Counts: map[directory.Effect]map[directory.ChangeState]int{}}
			for name, n := range it.Numbers {
				state, effect, ok := strings.Cut(name, "/")
				if !ok {
					continue
				}
				if d.Counts[directory.Effect(effect)] == nil {
					d.Counts[directory.Effect(effect)] = map[directory.ChangeState]int{}
				}
				d.Counts[directory.Effect(effect)][directory.ChangeState(state)] = int(n)
			}
			list = append(list, d)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return list, nil
		}
	}
}
