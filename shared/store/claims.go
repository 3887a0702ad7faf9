package store

import (
	"context"
	"errors"
	"maps"
	"slices"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Claims say which connection a tenant, a domain or an account belongs to. A claim
// carries the connection's epoch, and counts only while that is current.
type Claims struct{ db *db }

// claim is what is to be claimed.
type claim struct {
	key        table.Key
	what, name string // for people
	owner      string // the name of the Ref whose account it is; "" for a tenant or a domain
}

func accountClaim(t directory.TenantID, a directory.AccountID, r directory.Ref) claim {
	return claim{key: claimKey(t, r.Kind, a), what: "account", name: string(a), owner: refName(r)}
}

// taken says that somebody else has the claim, of which it is the item.
func (cl *claim) taken(it *table.Item) error {
	claimed := &directory.Claimed{What: cl.what, Name: cl.name, Holder: directory.ConnectionID(it.Strings[strConnection])}
	owner := refNamed(it.Strings[strUser])
	claimed.User = owner.User()
	if claimed.User == "" {
		claimed.Object = owner
	}
	return claimed
}

// claimWrite is a conditional put of a claim: on "absent, or ours, or stale".
// Stale is a fact that never changes back, since epochs only rise, so it may be
// read before and needs only the claim itself to be as it was read.
func (d *db) claimWrite(ctx context.Context, cl claim, c *directory.Connection) (table.Write, error) {
	it, found, err := d.find(ctx, cl.key)
	if err != nil {
		return table.Write{}, fail("claim", err)
	}
	if !found {
		return d.claimOver(ctx, nil, cl, c)
	}
	return d.claimOver(ctx, &it, cl, c)
}

// claimOver is claimWrite with the claim as it was read; nil when there was none.
func (d *db) claimOver(ctx context.Context, it *table.Item, cl claim, c *directory.Connection) (table.Write, error) {
	put := table.Write{Put: &table.Item{
		Key: cl.key, Numbers: map[string]int64{numEpoch: c.Epoch}, Strings: map[string]string{strConnection: string(c.ID)},
	}}
	if cl.owner != "" {
		put.Put.Strings[strUser] = cl.owner
	}
	if it == nil {
		put.If = table.Condition{Absent: true}
		return put, nil
	}
	holder := directory.ConnectionID(it.Strings[strConnection])
	switch {
	case holder != c.ID:
		current, err := d.isEpoch(ctx, holder, it.Numbers[numEpoch])
		if err != nil {
			return put, err
		}
		if current {
			return put, cl.taken(it)
		}
	case it.Numbers[numEpoch] == c.Epoch && it.Strings[strUser] != cl.owner:
		return put, cl.taken(it)
	}
	put.If = table.When(ofConnection(holder, it.Numbers[numEpoch])...)
	if u := it.Strings[strUser]; u != "" {
		put.If.AnyOf[0] = append(put.If.AnyOf[0], table.StringIs(strUser, u))
	}
	return put, nil
}

// isEpoch reports whether a connection is there and in an epoch.
func (d *db) isEpoch(ctx context.Context, id directory.ConnectionID, epoch int64) (bool, error) {
	it, found, err := d.find(ctx, connectionKey(id))
	return found && it.Numbers[numEpoch] == epoch, fail("connection "+string(id), err)
}

func (d *db) claimAccount(ctx context.Context, c *directory.Connection, a directory.AccountID, r directory.Ref) (table.Write, error) {
	return d.claimWrite(ctx, accountClaim(c.Tenant.ID, a, r), c)
}

// ClaimTenant takes a tenant for a connection's epoch. *directory.Claimed when another
// connection holds it.
func (s *Claims) ClaimTenant(ctx context.Context, c *directory.Connection, tenant directory.TenantID) error {
	for {
		w, err := s.db.claimWrite(ctx, claim{key: tenantKey(tenant), what: "tenant", name: string(tenant)}, c)
		if err != nil {
			return err
		}
		err = s.db.table.Write(ctx, w)
		if !refused(err) {
			return fail("claim tenant", err)
		}
	}
}

// domainsTogether is how many domains one transaction claims.
const domainsTogether = 25

// ClaimDomains takes domains for a connection's epoch, in chunks, each under
// the condition "absent or stale". When one is held by another connection,
// those that this call took are given back and *directory.Claimed is returned. Domains
// that the connection already holds are left as they are.
func (s *Claims) ClaimDomains(ctx context.Context, c *directory.Connection, domains []string) error {
	var taken []string
	for part := range slices.Chunk(domains, domainsTogether) {
		got, err := s.claimDomainChunk(ctx, c, part)
		taken = append(taken, got...)
		if err != nil {
			return errors.Join(err, s.ReleaseDomains(context.WithoutCancel(ctx), c, taken))
		}
	}
	return nil
}

// claimDomainChunk claims all of a chunk or none, and returns the domains that
// were not ours before.
func (s *Claims) claimDomainChunk(ctx context.Context, c *directory.Connection, part []string) ([]string, error) {
	for {
		var writes []table.Write
		var fresh []string
		for _, d := range part {
			it, _, err := s.db.find(ctx, domainKey(d))
			if err == nil && it.Strings[strConnection] == string(c.ID) && it.Numbers[numEpoch] == c.Epoch {
				continue
			}
			w, err := s.db.claimWrite(ctx, claim{key: domainKey(d), what: "domain", name: d}, c)
			if err != nil {
				return nil, err
			}
			writes = append(writes, w)
			fresh = append(fresh, d)
		}
		if len(writes) == 0 {
			return nil, nil
		}
		err := s.db.table.Write(ctx, writes...)
		if !refused(err) {
			return fresh, fail("claim domains", err)
		}
	}
}

// ReleaseDomains gives back domains that this connection and epoch hold.
func (s *Claims) ReleaseDomains(ctx context.Context, c *directory.Connection, domains []string) error {
	for _, d := range domains {
		if err := s.release(ctx, domainKey(d), c); err != nil {
			return err
		}
	}
	return nil
}

// ReleaseTenant gives back a tenant that this connection and epoch hold.
func (s *Claims) ReleaseTenant(ctx context.Context, c *directory.Connection, tenant directory.TenantID) error {
	return s.release(ctx, tenantKey(tenant), c)
}

func (s *Claims) release(ctx context.Context, key table.Key, c *directory.Connection) error {
	err := s.db.table.Write(ctx, table.Write{Delete: &key, If: table.When(ofConnection(c.ID, c.Epoch)...)})
	if refused(err) {
		return nil // not ours
	}
	return fail("release claim", err)
}

// AccountOwners returns which users the accounts of a connection's tenant are
// bound to, for the accounts that are.
func (s *Claims) AccountOwners(ctx context.Context, c *directory.Connection, ids []directory.AccountID) (map[directory.AccountID]directory.UserID, error) {
	owners := make(map[directory.AccountID]directory.UserID)
	err := s.owners(ctx, directory.KindAccount, c, ids, func(id directory.AccountID, owner string) {
		owners[id] = directory.UserID(owner)
	})
	return owners, err
}

// ObjectOwners returns what the objects of a kind of a connection's tenant are
// bound to, for those that are.
func (s *Claims) ObjectOwners(ctx context.Context, kind directory.Kind, c *directory.Connection, ids []directory.AccountID) (map[directory.AccountID]directory.Ref, error) {
	owners := make(map[directory.AccountID]directory.Ref)
	err := s.owners(ctx, kind, c, ids, func(id directory.AccountID, owner string) {
		owners[id] = refNamed(owner)
	})
	return owners, err
}

func (s *Claims) owners(ctx context.Context, kind directory.Kind, c *directory.Connection, ids []directory.AccountID, take func(id directory.AccountID, owner string)) error {
	of := make(map[table.Key]directory.AccountID, len(ids))
	for _, id := range ids {
		of[claimKey(c.Tenant.ID, kind, id)] = id
	}
	for it, err := range s.db.each(ctx, slices.Collect(maps.Keys(of))) {
		if err != nil {
			return fail("account owners", err)
		}
		if it.Strings[strConnection] == string(c.ID) && it.Numbers[numEpoch] == c.Epoch {
			take(of[it.Key], it.Strings[strUser])
		}
	}
	return nil
}

// DomainOwners returns which active connection has claimed which of the domains,
// by the name as given.
func (s *Claims) DomainOwners(ctx context.Context, domains []string) (map[string]directory.ConnectionID, error) {
	out := map[string]directory.ConnectionID{}
	epochs := map[directory.ConnectionID]int64{} // 0: there is no such connection any more
	for _, d := range domains {
		it, found, err := s.db.find(ctx, domainKey(d))
		if err != nil {
			return nil, fail("domain owners", err)
		}
		if !found {
			continue
		}
		id := directory.ConnectionID(it.Strings[strConnection])
		if _, read := epochs[id]; !read {
			c, err := s.db.connection(ctx, id)
			if err != nil && !errors.Is(err, directory.ErrNotFound) {
				return nil, err
			}
			epochs[id] = c.Epoch
		}
		if epochs[id] == it.Numbers[numEpoch] {
			out[d] = id
		}
	}
	return out, nil
}
