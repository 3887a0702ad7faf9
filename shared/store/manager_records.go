package store

import (
	"context"
	"errors"
	"slices"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// The record of a user's manager (directory.ManagerOf) stands while the user is bound
// through a connection that writes managers, and has one or is to lose one. It is made
// with the edit that names the manager, and with the binding; what that misses, and
// what a change of the settings asks for, core/reconcile/managers makes.

// reportsPlace is where a user is found by the manager.
func reportsPlace(manager, u directory.UserID) table.Key {
	if manager == "" {
		return table.Key{}
	}
	return table.Key{Partition: "MGR#" + string(manager), Sort: string(u)}
}

// Reports lists the users whose manager somebody is, deleted ones among them, up to
// limit from a cursor; next is "" at the end. Whom earlier versions stored is not found
// before the next edit.
func (s *Users) Reports(ctx context.Context, manager directory.UserID, cursor string, limit int) (list []directory.User, next string, err error) {
	if !manager.Valid() {
		return nil, "", nil
	}
	page, err := s.db.table.Query(ctx, table.Query{Index: 2, Partition: reportsPlace(manager, "").Partition, Cursor: cursor, Limit: limit})
	if err != nil {
		return nil, "", fail("reports", err)
	}
	for _, it := range page.Items {
		if s.db.expired(it) {
			continue
		}
		u, err := decodeUser(it)
		if err != nil {
			return nil, "", err
		}
		list = append(list, u)
	}
	return list, page.Next, nil
}

// editedBeside are the writes by which the edit of a bound user reaches records of
// other kinds than the account's, in the edit's own transaction: those of the manager,
// and of licences, which need a usageLocation. Of somebody who is deleted no more both are
// looked at: edits that came meanwhile were for nobody.
func (d *db) editedBeside(ctx context.Context, act directory.AuditEvent, old, next *directory.User, conn directory.ConnectionID) ([]table.Write, error) {
	if conn == "" {
		return nil, nil
	}
	writes, err := d.editedManager(ctx, act, old, next, conn)
	if err != nil {
		return nil, err
	}
	var look []table.Key
	back := old.Deleted != nil && next.Deleted == nil
	if back && len(writes) == 0 {
		look = append(look, bindingKey(directory.ManagerOf(next.ID), conn))
	}
	if back || old.UsageLocation != next.UsageLocation {
		look = append(look, bindingKey(directory.LicenceOf(next.ID), conn))
	}
	if len(look) == 0 {
		return writes, nil
	}
	for it, err := range d.each(ctx, look) {
		if err != nil {
			return nil, fail("records beside an account", err)
		}
		writes = append(writes, recheckWrite(it, d.now()))
	}
	return writes, nil
}

// editedManager are the writes by which the edit of a bound user's manager reaches the
// record of it: the record is marked, or made when the connection writes managers.
func (d *db) editedManager(ctx context.Context, act directory.AuditEvent, old, next *directory.User, conn directory.ConnectionID) ([]table.Write, error) {
	if old.ManagerID == next.ManagerID {
		return nil, nil
	}
	ref := directory.ManagerOf(next.ID)
	it, there, err := d.find(ctx, bindingKey(ref, conn))
	if err != nil {
		return nil, fail("manager", err)
	}
	c, err := d.connection(ctx, conn)
	if errors.Is(err, directory.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if there && it.Numbers[numEpoch] == c.Epoch {
		return []table.Write{markWrite(it, next.Version, false, d.now())}, nil
	}
	if !c.Settings.Manager.Export {
		return nil, nil
	}
	sel := Selection{Object: ref, Version: next.Version}
	b := sel.binding(&c, act.By, d.now().UTC())
	item := markedItem(&b, d.now())
	put := table.Write{Put: &item, If: table.Condition{Absent: true}}
	if there {
		put.If = table.When(table.NumberIs(numEpoch, table.Equal, it.Numbers[numEpoch]))
	}
	return []table.Write{put, addBound(c.ID, c.Epoch, ref.Kind, 1, 0)}, nil
}

// BindMissing makes the records of objects that have none that counts, each with its
// mark, a few in a transaction. Those that have one are left as they are.
func (s *Bindings) BindMissing(ctx context.Context, c *directory.Connection, by string, list []Selection) error {
	for part := range slices.Chunk(list, MaxBind) {
		for try := 0; ; try++ {
			err := s.bindMissing(ctx, c, by, part)
			if errors.Is(err, directory.ErrStale) && try < bindTries {
				continue // somebody else made one of them
			}
			if err != nil {
				return err
			}
			break
		}
	}
	return nil
}

// bindTries is how often records are looked for again that others make as well.
const bindTries = 5

func (s *Bindings) bindMissing(ctx context.Context, c *directory.Connection, by string, part []Selection) error {
	refs := make([]directory.Ref, len(part))
	for i := range part {
		refs[i] = part[i].Object
	}
	there, err := s.BindingsOf(ctx, c.ID, refs)
	if err != nil {
		return err
	}
	var missing []Selection
	for _, sel := range part {
		b, bound := there[sel.Object]
		if bound && b.Epoch == c.Epoch {
			continue
		}
		if bound {
			sel.Stale = &b
		}
		missing = append(missing, sel)
	}
	return s.Bind(ctx, directory.AuditEvent{}, c, by, missing)
}

// managersOf selects the managers of users who are being bound, if the connection
// writes managers.
func managersOf(c *directory.Connection, list []Selection) []Selection {
	if !c.Settings.Manager.Export {
		return nil
	}
	var managers []Selection
	for _, sel := range list {
		if u := sel.User; u != nil && u.ManagerID != "" {
			managers = append(managers, Selection{Object: directory.ManagerOf(u.ID), Version: u.Version})
		}
	}
	return managers
}
