package store

import (
	"context"
	"slices"

	"bindery/shared/directory"
	"bindery/shared/table"
)

const (
	sweptAtOnce   = 300 // bindings of a call
	sweptTogether = 24  // bindings of a transaction, each with up to four writes
)

// Sweep moves rows of an epoch that has passed to former, up to a few hundred
// a call, and reports whether any may be left.
func (s *Bindings) Sweep(ctx context.Context, c *directory.Connection, tenant directory.TenantID, epoch int64) (moved int, more bool, err error) {
	for _, kind := range []directory.Kind{directory.KindAccount, ""} {
		list, _, err := s.ListBindings(ctx, kind, c.ID, epoch, "", sweptAtOnce)
		if err != nil {
			return moved, true, err
		}
		for part := range slices.Chunk(list, sweptTogether) {
			if err := s.sweepPart(ctx, c, tenant, part); err != nil {
				return moved, true, fail("sweep", err)
			}
			moved += len(part)
		}
		if len(list) > 0 {
			return moved, true, nil // the rest of them, and those of other kinds, in the next call
		}
	}
	return moved, false, nil
}

func (s *Bindings) sweepPart(ctx context.Context, c *directory.Connection, tenant directory.TenantID, part []directory.Binding) error {
	now := s.db.now()
	writes := make([]table.Write, 0, 4*len(part))
	for i := range part {
		b := &part[i]
		key := bindingKey(b.Ref(), b.ConnectionID)
		if b.Release == "" { // an admin was letting the others go already
			writes = append(writes, formerWrite(tenant, b, now))
		}
		writes = append(writes, table.Write{Delete: &key, If: table.Condition{Absent: true, AnyOf: [][]table.Test{ofConnection(c.ID, b.Epoch)}}})
		if b.AccountID != "" {
			claim := claimKey(tenant, b.Ref().Kind, b.AccountID)
			ofEpoch := []table.Test{table.NumberIs(numEpoch, table.Equal, b.Epoch)}
			writes = append(writes, table.Write{Delete: &claim, If: table.Condition{Absent: true, AnyOf: [][]table.Test{ofEpoch}}})
			writes = append(writes, beforeImageWrite(c, tenant, b, now)...)
		}
	}
	err := s.db.table.Write(ctx, writes...)
	if refused(err) { // one of them was bound again meanwhile
		return s.sweepSingly(ctx, c, tenant, part)
	}
	return err
}

func (s *Bindings) sweepSingly(ctx context.Context, c *directory.Connection, tenant directory.TenantID, list []directory.Binding) error {
	now := s.db.now()
	for i := range list {
		b := &list[i]
		key := bindingKey(b.Ref(), b.ConnectionID)
		writes := []table.Write{{Delete: &key, If: table.When(ofConnection(b.ConnectionID, b.Epoch)...)}}
		if b.Release == "" {
			writes = append(writes, formerWrite(tenant, b, now))
		}
		writes = append(writes, beforeImageWrite(c, tenant, b, now)...)
		err := s.db.table.Write(ctx, writes...)
		if refused(err) {
			continue // bound again, which wrote the former row itself
		}
		if err != nil {
			return err
		}
		if b.AccountID == "" {
			continue
		}
		claim := claimKey(tenant, b.Ref().Kind, b.AccountID)
		err = s.db.table.Write(ctx, table.Write{Delete: &claim, If: table.When(table.NumberIs(numEpoch, table.Equal, b.Epoch))})
		if err != nil && !refused(err) {
			return err
		}
	}
	return nil
}
