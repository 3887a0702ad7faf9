package licences

import (
	"context"

	"bindery/shared/directory"
)

// Dependents are the licences that are to be looked at since something has become of a
// user's account: they wait for it, or go with it.
func (k *Kind) Dependents(ctx context.Context, c *directory.Connection, ref directory.Ref) ([]directory.Ref, error) {
	id := ref.User()
	if id == "" || !c.Wants(directory.ScopeLicences) {
		return nil, nil
	}
	r := &records{store: k.store, source: k.source, conn: c}
	mine := directory.LicenceOf(id)
	found, err := r.of(ctx, []directory.Ref{mine})
	if err != nil || found[mine] == nil {
		return nil, err
	}
	persons, err := r.persons(ctx, []directory.UserID{id})
	if err != nil || found[mine].Problem == nil && persons[id].account != nil {
		return nil, err
	}
	return []directory.Ref{mine}, nil
}
