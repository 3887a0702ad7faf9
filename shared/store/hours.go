package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

const (
	// hoursKept is how long the counts of an hour are kept.
	hoursKept = 9 * 24 * time.Hour
	// hourParts is over how many items an hour's counts are spread, by chunk: in
	// a load of many departments each part stays far below what an item may hold.
	hourParts = 16
)

func hourKey(c directory.ConnectionID, hour int64, part int) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: fmt.Sprintf("hour#%08d#%x", hour, part)}
}

// hourWrite adds to the counts of this hour.
func (s *Store) hourWrite(c directory.ConnectionID, chunk int, counts map[string]int64) table.Write {
	now := s.Now()
	until := now.Add(hoursKept)
	return table.Write{Update: &table.Update{Key: hourKey(c, now.Unix()/3600, chunk%hourParts), AddNumbers: counts, SetExpires: &until}}
}

// GainedSince is how many bindings got an account in the hours from one on, of
// what AppliedSince returned.
func GainedSince(hours map[int64]map[string]int64, from int64) int {
	n := int64(0)
	for hour, counts := range hours {
		if hour >= from {
			n += counts[numAccounts]
		}
	}
	return int(n)
}

// AppliedSince returns what was counted by journals, by hour since 1970, from
// the hour that a time lies in; runs that an admin approved are not among it. GainedSince reads the rest.
func (s *Store) AppliedSince(ctx context.Context, c directory.ConnectionID, since time.Time) (map[int64]map[string]int64, error) {
	hours := map[int64]map[string]int64{}
	cursor := ""
	for {
		page, err := s.Table.Query(ctx, table.Query{Partition: "C#" + string(c), Prefix: "hour#", After: hourKey(c, since.Unix()/3600, 0).Sort[:len("hour#00000000")], Cursor: cursor})
		if err != nil {
			return nil, fail("applied since", err)
		}
		for _, it := range page.Items {
			name, _, _ := strings.Cut(strings.TrimPrefix(it.Sort, "hour#"), "#")
			hour, err := strconv.ParseInt(name, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("store: counts of an hour: %q: %w", it.Sort, err)
			}
			if hours[hour] == nil {
				hours[hour] = map[string]int64{}
			}
			for n, k := range it.Numbers {
				hours[hour][n] += k
			}
		}
		if cursor = page.Next; cursor == "" {
			return hours, nil
		}
	}
}
