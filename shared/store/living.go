package store

import (
	"context"
	"strconv"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// The number of living users is the sum of counters, so that writers of
// different users do not meet at one item.

func livingKey(shard int) table.Key {
	return table.Key{Partition: "users#count#" + strconv.FormatInt(int64(shard), 16), Sort: "count"}
}

// livingWrite adds to the number of living users, in the transaction that makes
// or deletes them. One user of several stands for all.
func livingWrite(u directory.UserID, n int64) table.Write {
	return table.Write{Update: &table.Update{Key: livingKey(int(hashOf(string(u)) % shards)), AddNumbers: map[string]int64{"users": n}}}
}

// LivingUsers returns how many users the directory has, tombstones left out.
func (s *Store) LivingUsers(ctx context.Context) (int, error) {
	keys := make([]table.Key, shards)
	for i := range keys {
		keys[i] = livingKey(i)
	}
	items, err := s.Table.GetMany(ctx, keys)
	n := int64(0)
	for _, it := range items {
		n += it.Numbers["users"]
	}
	return int(n), fail("living users", err)
}
