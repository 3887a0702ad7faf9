package reconcile

import (
	"context"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// undo reads what undoing the changes of users needs, and plans it.
func (p *accountPlan) undo(ctx context.Context, changes []directory.Change, users []directory.UserID) (plan.Undone, error) {
	rows, err := p.a.bindings.Subjects(ctx, users)
	if err != nil {
		return plan.Undone{}, err
	}
	accounts := map[directory.UserID]directory.AccountID{}
	for i := range changes {
		if c := &changes[i]; c.AccountID != "" {
			accounts[c.UserID] = c.AccountID
		}
	}
	subjects := make(map[directory.UserID]plan.Subject, len(users))
	list := make([]plan.Subject, 0, len(users))
	var ids []directory.AccountID
	for _, id := range users {
		row := rows[id]
		s := plan.Subject{User: row.User, Binding: row.Binding}
		if s.User == nil {
			s.User = &directory.User{ID: id}
		}
		if s.Binding != nil && (s.Binding.Epoch != p.s.lease.Epoch || s.Binding.ConnectionID != p.s.conn.ID) {
			s.Binding = nil
		}
		list = append(list, s)
		if a := accounts[id]; a != "" {
			ids = append(ids, a)
		}
	}
	owners, err := p.a.owners.AccountOwners(ctx, &p.s.conn, ids)
	if err != nil {
		return plan.Undone{}, err
	}
	if err := p.readUndone(ctx, list, accounts, changes); err != nil {
		return plan.Undone{}, err
	}
	for i := range list {
		list[i].TakenBy = owners
		subjects[list[i].User.ID] = list[i]
	}
	out := plan.Undo(p.cfg, p.run.UndoOf, changes, subjects, plan.Pick{Users: p.run.UserIDs, Properties: p.run.Properties})
	for i := range out.Changes {
		c := &out.Changes[i]
		if s := subjects[c.UserID]; s.Binding != nil {
			c.UserVersion = s.Binding.Wanted
		} else {
			c.UserVersion = s.User.Version
		}
	}
	return out, nil
}

// readUndone reads the accounts that a run wrote to, with every property that
// it wrote.
func (p *accountPlan) readUndone(ctx context.Context, list []plan.Subject, accounts map[directory.UserID]directory.AccountID, changes []directory.Change) error {
	var refs []string
	var at []int
	for i := range list {
		if id := accounts[list[i].User.ID]; id != "" {
			refs, at = append(refs, string(id)), append(at, i)
		}
	}
	if len(refs) == 0 {
		return nil
	}
	named := make([]*directory.Change, len(changes))
	for i := range changes {
		named[i] = &changes[i]
	}
	found, err := p.a.observe.lookupTwice(ctx, p.w.lane, p.cfg.Mapper, refs, named)
	if err != nil {
		return err
	}
	var missing []directory.AccountID
	var missingAt []int
	for n, f := range found {
		s := &list[at[n]]
		if f.Err() != nil {
			continue // left as it is
		}
		s.Account = f.Account
		if s.Binding != nil {
			s.Fresh = p.s.recent(s.Binding)
		}
		if f.Account == nil {
			s.Missing = true
			missing, missingAt = append(missing, directory.AccountID(refs[n])), append(missingAt, at[n])
		}
	}
	if len(missing) == 0 {
		return nil
	}
	deleted, err := p.a.observe.deleted(ctx, p.w.lane, missing, p.cfg.Mapper.Selected())
	if err != nil {
		return err
	}
	for n, f := range deleted {
		s := &list[missingAt[n]]
		s.Deleted, s.Missing = f.Account, f.Err() == nil
	}
	return unreadAll(deleted)
}
