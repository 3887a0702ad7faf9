package roster

import (
	"context"
	"errors"
	"fmt"

	"bindery/shared/directory"
)

// MoveRequest says where a user goes.
type MoveRequest struct {
	To directory.ConnectionID
	// Then says what becomes of the old account; "" means the old connection's
	// setting.
	Then directory.ReleasePolicy
	// Email is the user's new address, set in the same step; "" keeps it.
	Email string
}

// Moving is a move that has been checked.
type Moving struct {
	From, To directory.Connection
	User     directory.User // as it will be
	Binding  directory.Binding
	Then     directory.ReleasePolicy

	old directory.User
}

// Moved is what a move did.
type Moved struct {
	// Done says that the user is bound through the new connection already; else
	// it will be once Run has written what is to be written to the old account.
	Done bool
	Run  *directory.Run
}

// PlanMove checks whether a user can move, and changes nothing.
func (s *Service) PlanMove(ctx context.Context, user directory.UserID, req MoveRequest, by Caller) (*Moving, error) {
	switch req.Then {
	case "", directory.ReleaseKeep, directory.ReleaseBlock, directory.ReleaseRestore:
	default:
		return nil, invalid([]directory.FieldError{{Field: "then", Detail: "must be keep, block or restore"}})
	}
	old, err := s.Get(ctx, user)
	if err != nil {
		return nil, err
	}
	m := &Moving{old: old, User: old, Then: req.Then}
	if req.Email != "" {
		c := clean("email", req.Email)
		if c.fault != "" {
			return nil, invalid([]directory.FieldError{{Field: "email", Detail: c.fault}})
		}
		if _, err := (edit{"email": c.text}).apply(&m.User, by.source()); err != nil {
			return nil, err
		}
	}
	if m.To, err = s.working(ctx, req.To); err != nil {
		return nil, err
	}
	if m.Binding, err = s.Store.Binding(ctx, user); err == nil {
		m.From, err = s.Store.Connection(ctx, m.Binding.ConnectionID)
	}
	if errors.Is(err, directory.ErrNotFound) || err == nil && m.Binding.Epoch != m.From.Epoch {
		return nil, directory.Refuse(directory.ErrConflict, "not-bound", "The user is not bound through any connection, so there is nothing to move.", "Bind it to the connection.")
	}
	if err != nil {
		return nil, err
	}
	if m.Then == "" {
		m.Then = m.From.Settings.Defaulted().OnRelease
	}
	if m.From.ID == m.To.ID {
		if m.Binding.MoveTo == nil {
			return nil, directory.Refuse(directory.ErrConflict, "bound-there", "The user is bound through that connection already.", "")
		}
		return m, nil // takes a move back that has not been done
	}
	if m.Binding.Release != "" && m.Binding.MoveTo == nil {
		return nil, directory.Refuse(directory.ErrConflict, "being-released", "The user is being released from its connection.", "Bind it to the other one after the next sync.")
	}
	b := s.binder(&m.To, by.Subject)
	if code, detail := b.verdict(&m.User, choice{user: user}); code != "" {
		return nil, directory.Refuse(directory.ErrConflict, code, fmt.Sprintf("The user cannot be bound through the connection %q: %s", m.To.Name, detail), "")
	}
	return m, nil
}

// Move takes a user from its connection to another one. The user is bound through
// one of the two at any moment, never both and never none. What is to be written
// to the old account is written first; with keep, the move is done at once. Moving
// to the connection that a user is still bound through takes a move back; the
// address stays the new one, unless the request names another.
func (s *Service) Move(ctx context.Context, user directory.UserID, req MoveRequest, by Caller) (Moved, error) {
	for range maxTries {
		m, err := s.PlanMove(ctx, user, req, by)
		if err != nil {
			return Moved{}, err
		}
		out, err := s.move(ctx, m, by)
		if errors.Is(err, directory.ErrStale) {
			continue
		}
		if err != nil {
			return out, s.taken(ctx, err)
		}
		return out, nil
	}
	return Moved{}, fmt.Errorf("move: %w", directory.ErrBusy)
}

func (s *Service) move(ctx context.Context, m *Moving, by Caller) (Moved, error) {
	b := m.Binding
	m.User.EditedBy(by.Subject, s.now())
	switch {
	case m.From.ID == m.To.ID:
		b.MoveTo, b.Release, b.Status, b.Problem = nil, "", directory.BindingPending, nil
		if err := s.Store.TakeMoveBack(ctx, directory.Act{}, &m.old, &m.User, &b); err != nil {
			return Moved{}, err
		}
		s.wake(ctx, m.From.ID)
		return Moved{Done: true}, nil
	case m.Then == directory.ReleaseKeep || b.AccountID == "":
		if err := s.Store.MoveNow(ctx, directory.Act{}, &m.From, &m.To, &m.old, &m.User, &b, by.Subject); err != nil {
			return Moved{}, err
		}
		s.wake(ctx, m.To.ID)
		return Moved{Done: true}, nil
	}
	b.Release, b.ReleasedBy, b.Status = m.Then, by.Subject, directory.BindingPending
	b.MoveTo = &directory.Move{ConnectionID: m.To.ID, By: by.Subject, At: s.now().UTC()}
	if err := s.Store.MoveAfter(ctx, directory.Act{}, &m.old, &m.User, &b); err != nil {
		return Moved{}, err
	}
	run, err := s.StartRun(ctx, &m.From, RunRequest{Kind: directory.KindRelease, UserIDs: []directory.UserID{b.UserID}, Trigger: directory.TriggerBinding, By: by.Subject})
	if err != nil {
		// The move itself is stored: any next run of the connection does it.
		return Moved{}, fmt.Errorf("run of a move: %w", err)
	}
	return Moved{Run: &run}, nil
}
