package assign

import (
	"context"
	"errors"
	"fmt"

	"bindery/shared/directory"
)

// UserBinding is the binding of a user, with the connection that it is of and what that
// one keeps of the user besides the account.
type UserBinding struct {
	Binding    directory.Binding
	Connection directory.Connection
	// Beside are the records of the user's manager and licences, as far as there are any.
	Beside []directory.Binding
}

// OfUser returns the binding of a user that counts; nil when there is none. It is at most
// one, whatever the number of connections: so it takes three reads.
func (s *Bindings) OfUser(ctx context.Context, id directory.UserID) (*UserBinding, error) {
	found, err := s.subjects.Subjects(ctx, []directory.UserID{id})
	if err != nil {
		return nil, err
	}
	sub := found[id]
	if sub.User == nil && sub.Binding == nil {
		return nil, directory.Refuse(directory.ErrNotFound, directory.CodeUserNotFound, fmt.Sprintf("There is no user %q.", id), "")
	}
	if sub.Binding == nil {
		return nil, nil
	}
	c, err := s.connections.Connection(ctx, sub.Binding.ConnectionID)
	if errors.Is(err, directory.ErrNotFound) || err == nil && c.Epoch != sub.Binding.Epoch {
		return nil, nil // of an epoch that has passed: it does not count any more
	}
	if err != nil {
		return nil, err
	}
	out := &UserBinding{Binding: *sub.Binding, Connection: c}
	refs := []directory.Ref{directory.ManagerOf(id), directory.LicenceOf(id)}
	beside, err := s.subjects.BindingsOf(ctx, c.ID, refs)
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		if b, there := beside[ref]; there && b.Epoch == c.Epoch {
			out.Beside = append(out.Beside, b)
		}
	}
	return out, nil
}

// OfUsers returns the bindings that count of some users, without what is kept beside them:
// one read a user by its key, many at once, and one a connection.
func (s *Bindings) OfUsers(ctx context.Context, ids []directory.UserID) (map[directory.UserID]UserBinding, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := s.subjects.BindingsOf(ctx, "", directory.AccountsOf(ids))
	if err != nil {
		return nil, err
	}
	read := map[directory.ConnectionID]directory.Connection{}
	out := make(map[directory.UserID]UserBinding, len(found))
	for ref, b := range found {
		c, there := read[b.ConnectionID]
		if !there {
			if c, err = s.connections.Connection(ctx, b.ConnectionID); err != nil && !errors.Is(err, directory.ErrNotFound) {
				return nil, err
			}
			read[b.ConnectionID] = c // the zero one, of no epoch, stands for one that is gone
		}
		if c.ID != "" && c.Epoch == b.Epoch {
			out[ref.User()] = UserBinding{Binding: b, Connection: c}
		}
	}
	return out, nil
}
