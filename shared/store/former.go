package store

import (
	"cmp"
	"context"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// formerWrite keeps whom a binding was of. tenant is that of an older record,
// which does not say it; "" when it is not known.
func formerWrite(tenant directory.TenantID, b *directory.Binding, now time.Time) table.Write {
	return table.Write{Put: &table.Item{
		Key: formerKey(b.ConnectionID, b.Ref()),
		Body: encode(directory.Former{
			ConnectionID: b.ConnectionID, TenantID: cmp.Or(b.TenantID, tenant), UserID: b.UserID, Object: b.Object, AccountID: b.AccountID,
			UserPrincipalName: b.UserPrincipalName, Groups: b.Groups, Indirect: b.Indirect, Epoch: b.Epoch, At: now.UTC(),
		}),
	}}
}

// forget has a former binding through a connection lead to no account any more:
// somebody has ended the binding that came after it.
func forget(b *directory.Binding) table.Write {
	key := formerKey(b.ConnectionID, b.Ref())
	return table.Write{Delete: &key}
}

// Former lists which users a connection had selected in epochs that have passed
// and whose rows have been swept.
func (s *Bindings) Former(ctx context.Context, c directory.ConnectionID, cursor string, limit int) ([]directory.Former, string, error) {
	var list []directory.Former
	next, err := s.db.listShards(ctx, cursor, limit, func(shard int) table.Query {
		return table.Query{Partition: formerPartition(c, shard)}
	}, func(it table.Item) error {
		var f directory.Former
		err := decode(it, &f)
		list = append(list, f)
		return err
	})
	return list, next, err
}

// KnownAccounts returns which accounts of a connection's tenant users are known to have
// without being bound to them: the one of their last binding through the
// connection that nobody ended, else the one that an import made them of.
func (s *Bindings) KnownAccounts(ctx context.Context, c *directory.Connection, users []*directory.User) (map[directory.UserID]directory.AccountRef, error) {
	tenant := c.TenantID()
	links := map[directory.UserID]directory.AccountRef{}
	keys := make([]table.Key, 0, len(users))
	for _, u := range users {
		if from := u.ImportedFrom; from != nil && from.TenantID == tenant {
			links[u.ID] = *from
		}
		keys = append(keys, formerKey(c.ID, directory.AccountOf(u.ID)))
	}
	for it, err := range s.db.each(ctx, keys) {
		if err != nil {
			return nil, fail("known accounts", err)
		}
		var f directory.Former
		if err := decode(it, &f); err != nil {
			return nil, err
		}
		if f.AccountID != "" && f.TenantID == tenant {
			links[f.UserID] = directory.AccountRef{TenantID: tenant, AccountID: f.AccountID, UserPrincipalName: f.UserPrincipalName}
		}
	}
	return links, nil
}
