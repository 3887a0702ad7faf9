package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// A user moves from one connection to another by a replacement of its binding's
// row: the key is the user's, so nobody is ever in two connections, or in none.
// When something is to be written to the old account first, the binding carries
// its target until the release is done, and is replaced in the transaction that
// journals the release.

// MoveNow replaces the binding of a user, at the version read, by one through
// another connection, and stores u over old in the same transaction when they
// differ. ErrStale when something moved.
func (s *Bindings) MoveNow(ctx context.Context, act directory.AuditEvent, from, to *directory.Connection, old, u *directory.User, b *directory.Binding, by string) error {
	now := s.db.now().UTC()
	m := &directory.Move{ConnectionID: to.ID, By: by, At: now}
	moving := *b
	moving.MoveTo = m
	return s.move(ctx, act, old, u, &moving, func(it table.Item, version int64) ([]table.Write, error) {
		licences, err := s.db.looksAtLicences(ctx, b)
		if err != nil {
			return nil, err
		}
		writes := append(replacement(from, b, it, version, m, to, now, s.db.expiry()), licences...)
		return append(writes,
			addBound(from.ID, b.Epoch, directory.KindAccount, -1, -accountsOf(b)),
			addBound(to.ID, to.Epoch, directory.KindAccount, 1, 0),
			checkTarget(to)), nil
	})
}

// MoveAfter has a binding replaced once its release is done: b says which
// release, and where to. The binding must be at the version read.
func (s *Bindings) MoveAfter(ctx context.Context, act directory.AuditEvent, old, u *directory.User, b *directory.Binding) error {
	return s.move(ctx, act, old, u, b, func(it table.Item, version int64) ([]table.Write, error) {
		was, err := decodeBinding(it)
		if err != nil {
			return nil, err
		}
		next := *b
		next.Version, next.Wanted = b.Version+1, version
		w := markWrite(it, version, b.Release == directory.ReleaseBlock, s.db.now())
		w.Update.AddVersion, w.Update.SetBody = 1, encodeBinding(&next)
		w.Update.SetStrings = map[string]string{strStatus: string(b.Status)}
		w.If.AnyOf[0] = append(w.If.AnyOf[0], table.VersionIs(it.Version))
		return append([]table.Write{w}, problemWrites(&was, &next, s.db.expiry())...), nil
	})
}

// TakeMoveBack has a binding stay where it is: b says so. The address that came
// with the move gives way to u's in the same transaction. The binding must be at
// the version read.
func (s *Bindings) TakeMoveBack(ctx context.Context, act directory.AuditEvent, old, u *directory.User, b *directory.Binding) error {
	if old.Email == u.Email {
		return s.UpdateBinding(ctx, act, b, true, false)
	}
	return s.MoveAfter(ctx, act, old, u, b)
}

// move writes what binding makes of the binding's item, together with the user
// when its address changes. version is the user's then.
func (s *Bindings) move(ctx context.Context, act directory.AuditEvent, old, u *directory.User, b *directory.Binding, binding func(it table.Item, version int64) ([]table.Write, error)) error {
	it, bound, err := s.db.find(ctx, userBindingKey(u.ID))
	if err != nil {
		return fail("move", err)
	}
	asRead := it.Version == b.Version && it.Numbers[numEpoch] == b.Epoch && it.Strings[strConnection] == string(b.ConnectionID)
	if !bound || !asRead {
		return fmt.Errorf("move: %w", directory.ErrStale)
	}
	if old.Email != u.Email {
		writes, err := binding(it, old.Version+1)
		if err != nil {
			return err
		}
		_, err = s.db.updateUser(ctx, act, old, u, it, true, nil, writes...)
		if errors.Is(err, errBindingMoved) {
			return fmt.Errorf("move: %w", directory.ErrStale)
		}
		return err
	}
	writes, err := binding(it, it.Numbers[numUserVersion])
	if err != nil {
		return err
	}
	writes = append(writes, s.db.record(act, bindingSubject(b))...)
	profile := profileKey(u.ID)
	writes = append(writes, table.Write{Check: &profile, If: table.When(table.VersionIs(old.Version))})
	err = s.db.table.Write(ctx, writes...)
	if refused(err) {
		return fmt.Errorf("move: %w", directory.ErrStale)
	}
	return fail("move", err)
}

// replacement makes one binding of another: the row of b, read as it, through the
// old connection gives way to one through the new.
func replacement(from *directory.Connection, b *directory.Binding, it table.Item, version int64, m *directory.Move, to *directory.Connection, now, expires time.Time) []table.Write {
	next := directory.Binding{
		UserID: b.UserID, ConnectionID: to.ID, Epoch: to.Epoch, TenantID: to.TenantID(), Status: directory.BindingPending,
		Wanted: version, SelectedBy: m.By, SelectedAt: now.UTC(), MovedFrom: from.ID, Version: b.Version + 1,
	}
	item := markedItem(&next, now)
	asRead := append(ofConnection(directory.ConnectionID(it.Strings[strConnection]), it.Numbers[numEpoch]),
		table.VersionIs(it.Version), table.NumberIs(numUserVersion, table.Equal, it.Numbers[numUserVersion]))
	writes := []table.Write{{Put: &item, If: table.When(asRead...)}, formerWrite(from.TenantID(), b, now)}
	if b.AccountID != "" && from.Tenant != nil {
		claim := claimKey(from.Tenant.ID, directory.KindAccount, b.AccountID)
		writes = append(writes, table.Write{Delete: &claim})
		writes = append(writes, beforeImageWrite(from, from.Tenant.ID, b, now)...)
	}
	return append(writes, problemWrites(b, nil, expires)...)
}

// arrivals are the connections that a journal moves users to.
type arrivals map[directory.ConnectionID]*arrival

type arrival struct {
	conn directory.Connection
	n    int64
}

// target reads the connection that a binding moves to; nil when nobody can be
// bound through it any more.
func (a arrivals) target(ctx context.Context, d *db, m *directory.Move) (*arrival, error) {
	if known, is := a[m.ConnectionID]; is {
		return known, nil
	}
	c, err := d.connection(ctx, m.ConnectionID)
	if errors.Is(err, directory.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !c.Authorized() && c.Status != directory.StatusNeedsAuthorization {
		return nil, nil
	}
	a[m.ConnectionID] = &arrival{conn: c}
	return a[m.ConnectionID], nil
}
