package store

import (
	"context"
	"errors"
	"fmt"

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
func (s *Store) MoveNow(ctx context.Context, from, to *directory.Connection, old, u *directory.User, b *directory.Binding, by string) error {
	m := &directory.Move{ConnectionID: to.ID, By: by, At: s.Now().UTC()}
	told := *b
	told.MoveTo = m
	return s.move(ctx, old, u, &told, func(it table.Item, version int64) ([]table.Write, error) {
		writes := s.replacement(from, b, it, version, m, to)
		return append(writes, addBound(from.ID, b.Epoch, -1, -accountsOf(b)), addBound(to.ID, to.Epoch, 1, 0), checkTarget(to)), nil
	})
}

// MoveAfter has a binding replaced once its release is done: b says which
// release, and where to. The binding must be at the version read.
func (s *Store) MoveAfter(ctx context.Context, old, u *directory.User, b *directory.Binding) error {
	return s.move(ctx, old, u, b, func(it table.Item, version int64) ([]table.Write, error) {
		was, err := decodeBinding(it)
		if err != nil {
			return nil, err
		}
		next := *b
		next.Version, next.Wanted = b.Version+1, version
		w := s.markWrite(it, version, b.Release == directory.ReleaseBlock, s.Now())
		w.Update.AddVersion, w.Update.SetBody = 1, encode(next)
		w.Update.SetStrings = map[string]string{strStatus: string(b.Status)}
		w.If.AnyOf[0] = append(w.If.AnyOf[0], table.VersionIs(it.Version))
		return append([]table.Write{w}, s.troubleWrites(&was, &next)...), nil
	})
}

// TakeMoveBack has a binding stay where it is: b says so. The address that came
// with the move gives way to u's in the same transaction. The binding must be at
// the version read.
func (s *Store) TakeMoveBack(ctx context.Context, old, u *directory.User, b *directory.Binding) error {
	if old.Email == u.Email {
		return s.UpdateBinding(ctx, b, true, false)
	}
	return s.MoveAfter(ctx, old, u, b)
}

func (s *Store) move(ctx context.Context, old, u *directory.User, b *directory.Binding, binding func(it table.Item, version int64) ([]table.Write, error)) error {
	it, bound, err := s.bindingItem(ctx, u.ID)
	if err != nil {
		return err
	}
	if !bound || it.Version != b.Version || it.Numbers[numEpoch] != b.Epoch || it.Strings[strConnection] != string(b.ConnectionID) {
		return fmt.Errorf("move: %w", directory.ErrStale)
	}
	if old.Email != u.Email {
		writes, err := binding(it, old.Version+1)
		if err != nil {
			return err
		}
		_, err = s.updateUser(ctx, old, u, it, true, writes...)
		if errors.Is(err, errBindingMoved) {
			return fmt.Errorf("move: %w", directory.ErrStale)
		}
		return err
	}
	writes, err := binding(it, it.Numbers[numUserVersion])
	if err != nil {
		return err
	}
	writes = append(writes, s.actWrites(ctx, "binding", bindingSubject(b))...)
	profile := profileKey(u.ID)
	err = s.Table.Write(ctx, append(writes, table.Write{Check: &profile, If: table.When(table.VersionIs(old.Version))})...)
	if _, ok := failed(err); ok {
		return fmt.Errorf("move: %w", directory.ErrStale)
	}
	return fail("move", err)
}

// replacement makes one binding of another: the row through the old connection
// gives way to one through the new.
func (s *Store) replacement(from *directory.Connection, b *directory.Binding, it table.Item, version int64, m *directory.Move, to *directory.Connection) []table.Write {
	next := directory.Binding{
		UserID: b.UserID, ConnectionID: to.ID, Epoch: to.Epoch, TenantID: to.TenantID(), Status: directory.BindingPending,
		Wanted: version, SelectedBy: m.By, SelectedAt: s.Now().UTC(), MovedFrom: from.ID, Version: b.Version + 1,
	}
	item := bindingItem(&next)
	item.Index2, item.Numbers[numMarked] = s.markKey(to.ID, to.Epoch, b.UserID, false, s.Now())
	writes := []table.Write{
		{Put: &item, If: table.When(table.VersionIs(it.Version), table.NumberIs(numEpoch, table.Equal, it.Numbers[numEpoch]),
			table.StringIs(strConnection, it.Strings[strConnection]), table.NumberIs(numUserVersion, table.Equal, it.Numbers[numUserVersion]))},
		s.formerWrite(from.TenantID(), b),
	}
	if b.AccountID != "" && from.Tenant != nil {
		claim := accountClaimKey(from.Tenant.ID, b.AccountID)
		writes = append(writes, table.Write{Delete: &claim})
		writes = append(writes, s.beforeWrite(from, from.Tenant.ID, b)...)
	}
	return append(writes, s.troubleWrites(b, nil)...)
}

// checkTarget holds that users can be bound through a connection.
func checkTarget(c *directory.Connection) table.Write {
	key := connectionKey(c.ID)
	return table.Write{Check: &key, If: table.When(table.NumberIs(numEpoch, table.Equal, c.Epoch), table.StringIs(strStatus, string(c.Status)))}
}

// arrivals are the connections that a journal moves users to.
type arrivals map[directory.ConnectionID]*arrival

type arrival struct {
	conn directory.Connection
	n    int64
}

// target reads the connection that a binding moves to; nil when nobody can be
// bound through it any more.
func (s *Store) target(ctx context.Context, m *directory.Move, to arrivals) (*arrival, error) {
	if a, known := to[m.ConnectionID]; known {
		return a, nil
	}
	c, err := s.Connection(ctx, m.ConnectionID)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return nil, err
	}
	if err != nil || !c.Authorized() && c.Status != directory.StatusNeedsAuthorization {
		return nil, nil
	}
	to[m.ConnectionID] = &arrival{conn: c}
	return to[m.ConnectionID], nil
}
