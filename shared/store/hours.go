package store

import (
	"context"
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// hoursKept is how long the counts of an hour are kept.
const hoursKept = 9 * 24 * time.Hour

func hourKey(c directory.ConnectionID, at time.Time) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: fmt.Sprintf("hour#%08d", at.Unix()/3600)}
}

// hourWrite adds to the counts of this hour.
func (s *Store) hourWrite(c directory.ConnectionID, effects map[directory.Effect]int) table.Write {
	now := s.Now()
	add := make(map[string]int64, len(effects))
	for e, n := range effects {
		add[string(e)] = int64(n)
	}
	until := now.Add(hoursKept)
	return table.Write{Update: &table.Update{Key: hourKey(c, now), AddNumbers: add, SetExpires: &until}}
}

// AppliedSince counts the changes that were applied by effect since the hour
// that a time lies in, those of approved runs left out.
func (s *Store) AppliedSince(ctx context.Context, c directory.ConnectionID, since time.Time) (map[directory.Effect]int, error) {
	sum := map[directory.Effect]int{}
	cursor := ""
	for {
		page, err := s.Table.Query(ctx, table.Query{Partition: "C#" + string(c), Prefix: "hour#", After: hourKey(c, since.Add(-time.Hour)).Sort, Cursor: cursor})
		if err != nil {
			return nil, fail("applied since", err)
		}
		for _, it := range page.Items {
			for e, n := range it.Numbers {
				sum[directory.Effect(e)] += int(n)
			}
		}
		if cursor = page.Next; cursor == "" {
			return sum, nil
		}
	}
}
