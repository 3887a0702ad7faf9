package roster

import (
	"context"
	"errors"
	"fmt"

	"bindery/shared/directory"
)

// Release ends a user's membership of a connection. then says what becomes of
// the account; "" means the connection's setting. It returns the run that
// writes what is to be written; nil when there is nothing and the user is no
// member any more. Asked again before that run ended, it starts another one.
func (s *Service) Release(ctx context.Context, id directory.ConnectionID, user directory.UserID, then directory.ReleasePolicy, by Caller) (*directory.Run, error) {
	switch then {
	case "", directory.ReleaseKeep, directory.ReleaseBlock, directory.ReleaseRestore:
	default:
		r := directory.Refuse(directory.ErrInvalid, "invalid-parameter", "The binding was not released.", "Correct the parameters named in errors.")
		r.Fields = []directory.FieldError{{Field: "then", Detail: "must be keep, block or restore"}}
		return nil, r
	}
	for range maxTries {
		run, err := s.release(ctx, id, user, then, by)
		if !errors.Is(err, directory.ErrStale) {
			return run, err
		}
	}
	return nil, fmt.Errorf("release: %w", directory.ErrBusy)
}

func (s *Service) release(ctx context.Context, id directory.ConnectionID, user directory.UserID, then directory.ReleasePolicy, by Caller) (*directory.Run, error) {
	c, err := s.Store.Connection(ctx, id)
	if err != nil {
		return nil, err
	}
	b, err := s.Store.Binding(ctx, user)
	if errors.Is(err, directory.ErrNotFound) || err == nil && (b.ConnectionID != c.ID || b.Epoch != c.Epoch) {
		return nil, directory.Refuse(directory.ErrNotFound, "not-bound",
			fmt.Sprintf("The user %q is not bound through the connection \"%s\".", user, c.Name), "")
	}
	if err != nil {
		return nil, err
	}
	if then == "" {
		then = c.Settings.Defaulted().OnRelease
	}
	if then == directory.ReleaseKeep || b.AccountID == "" {
		return nil, s.retract(ctx, &c, &b)
	}
	if b.Release != then {
		b.Release, b.ReleasedBy, b.Status = then, by.Subject, directory.BindingPending
		if err := s.Store.UpdateBinding(ctx, directory.Act{}, &b, true, then == directory.ReleaseBlock); err != nil {
			return nil, err
		}
	}
	run, err := s.StartRun(ctx, &c, RunRequest{
		Kind: directory.KindRelease, UserIDs: []directory.UserID{user}, Trigger: directory.TriggerBinding, By: by.Subject,
	})
	if err != nil {
		// The release itself is stored: any next run of the connection does it.
		return nil, fmt.Errorf("run of a release: %w", err)
	}
	return &run, nil
}

// retract removes a binding without any write to the account. A deleted user
// has nothing left to be done for it then.
func (s *Service) retract(ctx context.Context, c *directory.Connection, b *directory.Binding) error {
	if err := s.Store.Retract(ctx, directory.Act{}, nil, c, b); err != nil {
		return err
	}
	u, err := s.Store.User(ctx, b.UserID)
	if err == nil && u.Deleted != nil {
		err = s.Store.ExpireUser(ctx, &u)
	}
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		s.log().Warn("deleted user keeps no date of expiry", "user", b.UserID, "error", err)
	}
	return nil
}
