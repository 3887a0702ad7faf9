package licences

import (
	"context"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Dependents are the licences that are to be looked at since something has become of a
// user's account: they wait for it, or go with it. Of whom rules say something the record is
// made anew that went for want of an account.
func (k *Kind) Dependents(ctx context.Context, c *directory.Connection, ref directory.Ref) ([]directory.Ref, error) {
	id := ref.User()
	if id == "" || !c.Wants(directory.ScopeLicences) {
		return nil, nil
	}
	r := &records{store: k.store, source: k.source, conn: c}
	mine := directory.LicenceOf(id)
	found, err := r.of(ctx, []directory.Ref{mine})
	if err != nil {
		return nil, err
	}
	persons, err := r.persons(ctx, []directory.UserID{id})
	if err != nil {
		return nil, err
	}
	if found[mine] == nil {
		if a := persons[id].account; a == nil || a.Release != "" {
			return nil, nil
		}
		rules, err := k.source.Rules(ctx, c, []directory.UserID{id})
		if err != nil || len(rules[id]) == 0 {
			return nil, err
		}
		// It is named as well: a new record by itself wakes nobody.
		return []directory.Ref{mine}, k.store.BindMissing(ctx, c, directory.BySystem, []store.Selection{{Object: mine, Version: 1}})
	}
	if a := persons[id].account; a != nil && found[mine].Problem == nil && accountOf(found[mine].Base) == a.AccountID {
		return nil, nil // what was decided was of this account
	}
	return []directory.Ref{mine}, nil
}
