package assign

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"bindery/shared/core/mapping"
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

// back reports whether a move that has not been done is taken back.
func (m *Moving) back() bool { return m.From.ID == m.To.ID }

// AtOnce reports whether nothing is written to the old account, so that nothing has to
// be waited for.
func (m *Moving) AtOnce() bool {
	return m.Then == directory.ReleaseKeep || m.Binding.AccountID == ""
}

// Moved is what a move did.
type Moved struct {
	From, To directory.ConnectionID
	// Done says that the user is bound through the new connection already; else
	// it will be once Run has written what is to be written to the old account.
	Done bool
	Run  *directory.Run
}

// Users reads users and gives them other addresses; people.Users does.
type Users interface {
	Get(ctx context.Context, id directory.UserID) (directory.User, error)
	// ChangeAddress edits a user's e-mail address, as far as the caller may.
	ChangeAddress(u *directory.User, email string, by directory.Caller) error
	// Taken turns the store's answer about an address in use into one for people.
	Taken(ctx context.Context, err error) error
}

// MovesConfig is what Moves stand on.
type MovesConfig struct {
	Stores Stores
	Users  Users
	Runs   Runs
	Wake   Waker
	Now    func() time.Time // nil means time.Now
	Log    *slog.Logger     // nil means silence
}

// Moves moves users from one connection to another. It may be used by many
// goroutines.
type Moves struct {
	connections connections
	bindings    bindingStore
	moves       moveStore
	users       Users
	runs        Runs
	waker       Waker
	now         func() time.Time
	log         *slog.Logger
}

// NewMoves returns Moves.
func NewMoves(cfg MovesConfig) *Moves {
	return &Moves{connections: cfg.Stores.Connections, bindings: cfg.Stores.Bindings, moves: cfg.Stores.Moves,
		users: cfg.Users, runs: cfg.Runs, waker: cfg.Wake, now: orNow(cfg.Now), log: orSilent(cfg.Log)}
}

// Plan checks whether a user can move, and changes nothing.
func (s *Moves) Plan(ctx context.Context, by directory.Caller, user directory.UserID, req MoveRequest) (*Moving, error) {
	if !isReleasePolicy(req.Then) {
		r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidUser, "The user was not accepted and nothing was changed.", "Correct the members named in errors.")
		r.Fields = []directory.FieldError{invalidThen}
		return nil, r
	}
	old, err := s.users.Get(ctx, user)
	if err != nil {
		return nil, err
	}
	m := &Moving{old: old, User: old, Then: req.Then}
	if req.Email != "" {
		if err := s.users.ChangeAddress(&m.User, req.Email, by); err != nil {
			return nil, err
		}
	}
	if m.To, err = Working(ctx, s.connections, req.To); err != nil {
		return nil, err
	}
	if m.Binding, m.From, err = s.bound(ctx, user); err != nil {
		return nil, err
	}
	if m.Then == "" {
		m.Then = m.From.Settings.Defaulted().OnRelease
	}
	return m, m.check()
}

// bound reads through which connection a user is bound.
func (s *Moves) bound(ctx context.Context, user directory.UserID) (directory.Binding, directory.Connection, error) {
	notBound := directory.Refuse(directory.ErrConflict, directory.CodeNotBound, "The user is not bound through any connection, so there is nothing to move.", "Bind it to the connection.")
	b, err := s.bindings.Binding(ctx, user)
	if errors.Is(err, directory.ErrNotFound) {
		return b, directory.Connection{}, notBound
	}
	if err != nil {
		return b, directory.Connection{}, err
	}
	c, err := s.connections.Connection(ctx, b.ConnectionID)
	if errors.Is(err, directory.ErrNotFound) || err == nil && b.Epoch != c.Epoch {
		return b, c, notBound
	}
	return b, c, err
}

// check says why a move cannot be done.
func (m *Moving) check() error {
	if m.back() {
		if m.Binding.MoveTo == nil {
			return directory.Refuse(directory.ErrConflict, directory.CodeBoundThere, "The user is bound through that connection already.", "")
		}
		return nil
	}
	if m.Binding.Release != "" && m.Binding.MoveTo == nil {
		return directory.Refuse(directory.ErrConflict, directory.CodeBeingReleased, "The user is being released from its connection.", "Bind it to the other one after the next sync.")
	}
	mapper := mapping.New(m.To.Settings, m.To.Tenant.Domains)
	if code, detail := refusal(mapper, &m.User, Choice{User: m.User.ID}); code != "" {
		return directory.Refuse(directory.ErrConflict, code, fmt.Sprintf("The user cannot be bound through the connection %q: %s", m.To.Name, detail), "")
	}
	return nil
}

// Move takes a user from its connection to another one. The user is bound through
// one of the two at any moment, never both and never none. What is to be written
// to the old account is written first; with keep, the move is done at once. Moving
// to the connection that a user is still bound through takes a move back; the
// address stays the new one, unless the request names another.
func (s *Moves) Move(ctx context.Context, by directory.Caller, user directory.UserID, req MoveRequest) (Moved, error) {
	for range maxTries {
		m, err := s.Plan(ctx, by, user, req)
		if err != nil {
			return Moved{}, err
		}
		out, err := s.move(ctx, by, m)
		if errors.Is(err, directory.ErrStale) {
			continue
		}
		out.From, out.To = m.From.ID, m.To.ID
		if err != nil {
			return out, s.users.Taken(ctx, err)
		}
		return out, nil
	}
	return Moved{}, fmt.Errorf("move: %w", directory.ErrBusy)
}

func (s *Moves) move(ctx context.Context, by directory.Caller, m *Moving) (Moved, error) {
	m.User.EditedBy(by.Subject, s.now())
	act := by.AuditEvent(directory.AuditMoveUser)
	if m.back() {
		return Moved{Done: true}, s.takeBack(ctx, act, m)
	}
	b := m.Binding
	if m.AtOnce() {
		if err := s.moves.MoveNow(ctx, act, &m.From, &m.To, &m.old, &m.User, &b, by.Subject); err != nil {
			return Moved{}, err
		}
		wake(ctx, s.waker, s.log, m.To.ID)
		return Moved{Done: true}, nil
	}
	b.Release, b.LeftGroup = m.Then, ""
	b.ReleasedBy = by.Subject
	b.Status = directory.BindingPending
	b.MoveTo = &directory.Move{ConnectionID: m.To.ID, By: by.Subject, At: s.now().UTC()}
	if err := s.moves.MoveAfter(ctx, act, &m.old, &m.User, &b); err != nil {
		return Moved{}, err
	}
	run, err := s.runs.Start(ctx, &m.From, RunRequest{Kind: directory.KindRelease, UserIDs: []directory.UserID{b.UserID}, Trigger: directory.TriggerBinding, By: by})
	if err != nil {
		// The move itself is stored: any next run of the connection does it.
		return Moved{}, fmt.Errorf("run of a move: %w", err)
	}
	return Moved{Run: &run}, nil
}

// takeBack ends a move that has not been done: the user stays where it is.
func (s *Moves) takeBack(ctx context.Context, act directory.AuditEvent, m *Moving) error {
	b := m.Binding
	b.MoveTo = nil
	b.Release, b.LeftGroup = "", ""
	b.Status = directory.BindingPending
	b.Problem = nil
	if err := s.moves.TakeMoveBack(ctx, act, &m.old, &m.User, &b); err != nil {
		return err
	}
	wake(ctx, s.waker, s.log, m.From.ID)
	return nil
}
