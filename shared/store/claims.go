package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// claimWrite is a conditional put of a claim: on "absent, or ours, or stale".
// Stale is a fact that never changes back, since epochs only rise, so it may be
// read before and needs only the claim itself to be as it was read.
func (s *Store) claimWrite(ctx context.Context, key table.Key, what, name string, c *directory.Connection, user directory.UserID) (table.Write, error) {
	it, err := s.Table.Get(ctx, key)
	if errors.Is(err, table.ErrNotFound) {
		return s.claimOver(ctx, nil, key, what, name, c, user)
	}
	if err != nil {
		return table.Write{}, fail("claim", err)
	}
	return s.claimOver(ctx, &it, key, what, name, c, user)
}

// claimOver is claimWrite with the claim as it was read; nil when there was none.
func (s *Store) claimOver(ctx context.Context, it *table.Item, key table.Key, what, name string, c *directory.Connection, user directory.UserID) (table.Write, error) {
	strs := map[string]string{strConnection: string(c.ID)}
	if user != "" {
		strs["user"] = string(user)
	}
	put := table.Write{Put: &table.Item{Key: key, Numbers: map[string]int64{numEpoch: c.Epoch}, Strings: strs}}
	if it == nil {
		put.If = table.Condition{Absent: true}
		return put, nil
	}
	holder := directory.ConnectionID(it.Strings[strConnection])
	if holder == c.ID && it.Numbers[numEpoch] == c.Epoch {
		if it.Strings["user"] != string(user) {
			return put, &directory.Claimed{What: what, Name: name, Holder: holder, User: directory.UserID(it.Strings["user"])}
		}
	} else if holder != c.ID {
		other, err := s.Connection(ctx, holder)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return put, err
		}
		if err == nil && other.Epoch == it.Numbers[numEpoch] {
			return put, &directory.Claimed{What: what, Name: name, Holder: holder, User: directory.UserID(it.Strings["user"])}
		}
	}
	put.If = table.When(table.StringIs(strConnection, string(holder)), table.NumberIs(numEpoch, table.Equal, it.Numbers[numEpoch]))
	if u := it.Strings["user"]; u != "" {
		put.If.AnyOf[0] = append(put.If.AnyOf[0], table.StringIs("user", u))
	}
	return put, nil
}

func (s *Store) accountClaim(ctx context.Context, c *directory.Connection, a directory.AccountID, u directory.UserID) (table.Write, error) {
	return s.claimWrite(ctx, accountClaimKey(c.Tenant.ID, a), "account", string(a), c, u)
}

// ClaimTenant takes a tenant for a connection's epoch. *directory.Claimed when another
// connection holds it.
func (s *Store) ClaimTenant(ctx context.Context, c *directory.Connection, tenant directory.TenantID) error {
	key := table.Key{Partition: "T#" + string(tenant), Sort: "claim"}
	return s.claimOne(ctx, key, "tenant", string(tenant), c)
}

func (s *Store) claimOne(ctx context.Context, key table.Key, what, name string, c *directory.Connection) error {
	for {
		w, err := s.claimWrite(ctx, key, what, name, c, "")
		if err != nil {
			return err
		}
		err = s.Table.Write(ctx, w)
		if _, raced := failed(err); raced {
			continue
		}
		return fail("claim "+what, err)
	}
}

// ClaimDomains takes domains for a connection's epoch, in chunks, each under
// the condition "absent or stale". When one is held by another connection,
// those that this call took are given back and *directory.Claimed is returned. Domains
// that the connection already holds are left as they are.
func (s *Store) ClaimDomains(ctx context.Context, c *directory.Connection, domains []string) error {
	var taken []string
	for _, part := range slices.Collect(slices.Chunk(domains, 25)) {
		got, err := s.claimDomainChunk(ctx, c, part)
		taken = append(taken, got...)
		if err != nil {
			return errors.Join(err, s.ReleaseDomains(context.WithoutCancel(ctx), c, taken))
		}
	}
	return nil
}

func domainKey(d string) table.Key {
	return table.Key{Partition: "D#" + directory.FoldDomain(d), Sort: "claim"}
}

// claimDomainChunk claims all of a chunk or none, and returns the domains that
// were not ours before.
func (s *Store) claimDomainChunk(ctx context.Context, c *directory.Connection, part []string) ([]string, error) {
	for {
		var writes []table.Write
		var fresh []string
		for _, d := range part {
			it, err := s.Table.Get(ctx, domainKey(d))
			if err == nil && it.Strings[strConnection] == string(c.ID) && it.Numbers[numEpoch] == c.Epoch {
				continue
			}
			w, err := s.claimWrite(ctx, domainKey(d), "domain", d, c, "")
			if err != nil {
				return nil, err
			}
			writes, fresh = append(writes, w), append(fresh, d)
		}
		if len(writes) == 0 {
			return nil, nil
		}
		err := s.Table.Write(ctx, writes...)
		if _, raced := failed(err); raced {
			continue
		}
		return fresh, fail("claim domains", err)
	}
}

// ReleaseDomains gives back domains that this connection and epoch hold.
func (s *Store) ReleaseDomains(ctx context.Context, c *directory.Connection, domains []string) error {
	for _, d := range domains {
		if err := s.releaseClaim(ctx, domainKey(d), c); err != nil {
			return err
		}
	}
	return nil
}

// ReleaseTenant gives back a tenant that this connection and epoch hold.
func (s *Store) ReleaseTenant(ctx context.Context, c *directory.Connection, tenant directory.TenantID) error {
	return s.releaseClaim(ctx, table.Key{Partition: "T#" + string(tenant), Sort: "claim"}, c)
}

func (s *Store) releaseClaim(ctx context.Context, key table.Key, c *directory.Connection) error {
	err := s.Table.Write(ctx, table.Write{Delete: &key, If: table.When(
		table.StringIs(strConnection, string(c.ID)), table.NumberIs(numEpoch, table.Equal, c.Epoch))})
	if _, notOurs := failed(err); notOurs {
		return nil
	}
	return fail("release claim", err)
}

// AccountOwners returns which users the accounts of a connection's tenant are
// bound to, for the accounts that are.
func (s *Store) AccountOwners(ctx context.Context, c *directory.Connection, ids []directory.AccountID) (map[directory.AccountID]directory.UserID, error) {
	byKey := make(map[table.Key]directory.AccountID, len(ids))
	keys := make([]table.Key, 0, len(ids))
	for _, id := range ids {
		k := accountClaimKey(c.Tenant.ID, id)
		if _, dup := byKey[k]; !dup {
			keys = append(keys, k)
		}
		byKey[k] = id
	}
	owners := make(map[directory.AccountID]directory.UserID)
	for part := range slices.Chunk(keys, table.MaxGet) {
		items, err := s.Table.GetMany(ctx, part)
		if err != nil {
			return nil, fail("account owners", err)
		}
		for _, it := range items {
			if it.Strings[strConnection] == string(c.ID) && it.Numbers[numEpoch] == c.Epoch {
				owners[byKey[it.Key]] = directory.UserID(it.Strings["user"])
			}
		}
	}
	return owners, nil
}

// PutState stores what stands behind a state, by the state's hash.
func (s *Store) PutState(ctx context.Context, hash string, st directory.OAuthState) error {
	writes := []table.Write{{
		Put: &table.Item{Key: table.Key{Partition: "S#" + hash, Sort: "state"}, Body: encode(st), Expires: st.Expires.Add(24 * time.Hour)},
		If:  table.Condition{Absent: true},
	}}
	writes = append(writes, s.actWrites(ctx, "state", subject{connection: st.ConnectionID})...)
	return fail("put state", s.Table.Write(ctx, writes...))
}

// State reads what stands behind a state without using it up. ErrNotFound when
// it is unknown, used, or not sealed by us: what it says of who asked is recorded
// and shown. An expired one is returned, with its time.
func (s *Store) State(ctx context.Context, hash string) (directory.OAuthState, error) {
	it, err := s.Table.Get(ctx, table.Key{Partition: "S#" + hash, Sort: "state"})
	if err != nil {
		return directory.OAuthState{}, fail("state", err)
	}
	if seal, err := s.itemState(ctx, &it); err != nil || seal != SealGood {
		return directory.OAuthState{}, fail("state", cmp.Or(err, table.ErrNotFound))
	}
	var st directory.OAuthState
	return st, decode(it, &st)
}

// TakeState uses a state up: of all callers one gets it, the others and later
// ones get ErrNotFound.
func (s *Store) TakeState(ctx context.Context, hash string) (directory.OAuthState, error) {
	st, err := s.State(ctx, hash)
	if err != nil {
		return st, err
	}
	key := table.Key{Partition: "S#" + hash, Sort: "state"}
	err = s.Table.Write(ctx, table.Write{Delete: &key, If: table.Condition{Present: true}})
	if _, used := failed(err); used {
		return directory.OAuthState{}, fail("state", table.ErrNotFound)
	}
	return st, fail("take state", err)
}

// TokenLease takes the right to refresh a connection's tokens for ttl. It
// returns false while somebody else has it.
func (s *Store) TokenLease(ctx context.Context, id directory.ConnectionID, epoch int64, holder string, ttl time.Duration) (bool, error) {
	now := s.Now()
	key := table.Key{Partition: "C#" + string(id), Sort: "tokens#" + itoa(epoch)}
	err := s.Table.Write(ctx, table.Write{
		Update: &table.Update{Key: key,
			SetNumbers: map[string]int64{numLeaseUntil: now.Add(ttl).UnixMilli()}, SetStrings: map[string]string{strHolder: holder}},
		If: table.Condition{Absent: true, AnyOf: [][]table.Test{
			{table.NumberIs(numLeaseUntil, table.AtMost, now.UnixMilli())}, {table.StringIs(strHolder, holder)}}},
	})
	if _, held := failed(err); held {
		return false, nil
	}
	return err == nil, fail("token lease", err)
}

// ReleaseTokenLease gives the right back, if it is still ours.
func (s *Store) ReleaseTokenLease(ctx context.Context, id directory.ConnectionID, epoch int64, holder string) error {
	key := table.Key{Partition: "C#" + string(id), Sort: "tokens#" + itoa(epoch)}
	err := s.Table.Write(ctx, table.Write{Delete: &key, If: table.When(table.StringIs(strHolder, holder))})
	if _, lost := failed(err); lost {
		return nil
	}
	return fail("release token lease", err)
}
