package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Before is what an account had before it was first bound: kept for a while
// after the binding has ended, so that whoever binds the user again can still
// give it back.
type Before struct {
	UserID    directory.UserID     `json:"userId"`
	AccountID directory.AccountID  `json:"accountId"`
	Before    directory.Properties `json:"before,omitempty"`
	Created   bool                 `json:"created,omitempty"` // made by us, so there is no before
}

func beforeKey(t directory.TenantID, a directory.AccountID) table.Key {
	k := accountClaimKey(t, a)
	k.Sort = "before"
	return k
}

// beforeWrite keeps the before-image of a binding that ends; nothing for one
// that had no account.
func (s *Store) beforeWrite(c *directory.Connection, tenant directory.TenantID, b *directory.Binding) []table.Write {
	if b.AccountID == "" || len(b.Before) == 0 && !b.Created {
		return nil
	}
	return []table.Write{{Put: &table.Item{
		Key: beforeKey(tenant, b.AccountID), Expires: s.Now().Add(time.Duration(c.Settings.Defaulted().KeepBeforeDays) * 24 * time.Hour),
		Body: encode(Before{UserID: b.UserID, AccountID: b.AccountID, Before: b.Before, Created: b.Created}),
	}}}
}

// Befores returns what accounts had before earlier bindings of the same users,
// by account; users are in the order of accounts.
func (s *Store) Befores(ctx context.Context, tenant directory.TenantID, accounts []directory.AccountID, users []directory.UserID) (map[directory.AccountID]Before, error) {
	keys := make([]table.Key, len(accounts))
	of := map[table.Key]int{}
	for i, a := range accounts {
		keys[i] = beforeKey(tenant, a)
		of[keys[i]] = i
	}
	out := map[directory.AccountID]Before{}
	for part := range slices.Chunk(keys, table.MaxGet) {
		items, err := s.Table.GetMany(ctx, part)
		if err != nil {
			return nil, fmt.Errorf("before-images: %w", err)
		}
		for _, it := range items {
			var b Before
			if err := decode(it, &b); err != nil {
				return nil, err
			}
			if i := of[it.Key]; b.UserID == users[i] && !s.expired(it) {
				out[accounts[i]] = b
			}
		}
	}
	return out, nil
}
