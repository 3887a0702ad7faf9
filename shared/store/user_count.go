package store

import (
	"context"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// The number of users is the sum of counters, so that writers of different users
// do not meet at one item.
const numCount = "users" // of a counter

// userCountWrite adds to the number of users, in the transaction that makes or
// deletes them. One user of several stands for all.
func userCountWrite(u directory.UserID, n int64) table.Write {
	return table.Write{Update: &table.Update{Key: userCountKey(shardOf(string(u))), AddNumbers: map[string]int64{numCount: n}}}
}

// CountUsers returns how many users the directory has, tombstones left out.
func (s *Users) CountUsers(ctx context.Context) (int, error) {
	keys := make([]table.Key, shards)
	for i := range keys {
		keys[i] = userCountKey(i)
	}
	n := int64(0)
	for it, err := range s.db.each(ctx, keys) {
		if err != nil {
			return 0, fail("user count", err)
		}
		n += it.Numbers[numCount]
	}
	return int(n), nil
}
