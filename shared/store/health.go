package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

func healthKey(c directory.ConnectionID) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: "health"}
}

// SaveHealth stores what a check of a connection came to, of whatever form, and
// when it was made; that on the connection as well, where a listing finds it.
func (s *Store) SaveHealth(ctx context.Context, c directory.ConnectionID, report any, at time.Time) error {
	err := s.Table.Write(ctx, table.Write{Put: &table.Item{
		Key: healthKey(c), Numbers: map[string]int64{numChecked: millis(at)}, Body: encode(report), Expires: at.Add(s.retention()),
	}})
	if err != nil {
		return fail("save health", err)
	}
	err = s.Table.Write(ctx, table.Write{
		Update: &table.Update{Key: connectionKey(c), SetNumbers: map[string]int64{numChecked: millis(at)}},
		If:     table.Condition{Present: true},
	})
	if _, gone := failed(err); gone {
		return nil // deleted meanwhile
	}
	return fail("save health", err)
}

// Health reads the last check of a connection into report. ErrNotFound.
func (s *Store) Health(ctx context.Context, c directory.ConnectionID, report any) error {
	it, err := s.Table.Get(ctx, healthKey(c))
	if err != nil {
		return fail("health", err)
	}
	return decode(it, report)
}

// CheckedAt returns when a connection was last checked; zero when it never was.
func (s *Store) CheckedAt(ctx context.Context, c directory.ConnectionID) (time.Time, error) {
	it, err := s.Table.Get(ctx, healthKey(c))
	if errors.Is(err, table.ErrNotFound) {
		return time.Time{}, nil
	}
	return fromMillis(it.Numbers[numChecked]), fail("health", err)
}

// NoteDomains brings a connection's record to what the verified domains of its
// tenant are now, and returns it; the record is written only when they differ. It
// speaks of the authorisation that it was read with: ErrStale when that is not in
// force any more.
func (s *Store) NoteDomains(ctx context.Context, read *directory.Connection, verified []directory.Domain) (directory.Connection, error) {
	c, err := s.ModifyConnection(ctx, read.ID, func(c *directory.Connection) error {
		if c.Tenant == nil || c.Authorization() != read.Authorization() {
			return fmt.Errorf("note domains: %w", directory.ErrStale)
		}
		next, changed := c.Tenant.WithDomains(verified, s.Now())
		if !changed {
			return errSame
		}
		c.Tenant = &next
		return nil
	})
	if errors.Is(err, errSame) {
		err = nil
	}
	return c, err
}

// errSame ends a change that would change nothing.
var errSame = errors.New("store: nothing changes")

// DomainOwners returns which active connection has claimed which of the domains,
// by the name as given.
func (s *Store) DomainOwners(ctx context.Context, domains []string) (map[string]directory.ConnectionID, error) {
	out := map[string]directory.ConnectionID{}
	known := map[directory.ConnectionID]int64{}
	for _, d := range domains {
		it, err := s.Table.Get(ctx, domainKey(d))
		if errors.Is(err, table.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fail("domain owners", err)
		}
		id := directory.ConnectionID(it.Strings[strConnection])
		if _, read := known[id]; !read {
			c, err := s.Connection(ctx, id)
			if err != nil && !errors.Is(err, directory.ErrNotFound) {
				return nil, err
			}
			known[id] = c.Epoch
		}
		if known[id] == it.Numbers[numEpoch] {
			out[d] = id
		}
	}
	return out, nil
}
