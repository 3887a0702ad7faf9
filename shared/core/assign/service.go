package assign

import (
	"context"
	"log/slog"
	"time"

	"bindery/shared/directory"
)

// maxTries bounds how often something is tried again because others were faster.
const maxTries = 20

// Waker asks for a slice of a connection's work. It stands in the table: a wake-up
// that is lost costs minutes, until the schedule comes by.
type Waker interface {
	Wake(ctx context.Context, id directory.ConnectionID, delay time.Duration) error
}

// RunRequest asks for a run of the engine.
type RunRequest struct {
	Kind    directory.RunKind // "" means sync
	DryRun  bool
	UserIDs []directory.UserID
	Trigger directory.Trigger
	By      directory.Caller
	// Audit is the kind of the act that the run is; "" when something else is it.
	Audit directory.AuditKind
}

// Runs starts runs of the engine.
type Runs interface {
	Start(ctx context.Context, c *directory.Connection, req RunRequest) (directory.Run, error)
}

// Working reads a connection through which users can be bound. Errors:
// directory.ErrNotFound, and a refusal when it is not active.
func Working(ctx context.Context, s connections, id directory.ConnectionID) (directory.Connection, error) {
	c, err := s.Connection(ctx, id)
	if err != nil {
		return c, err
	}
	return c, checkWorking(&c)
}

// WorkingSince is Working for what was begun in an epoch: a refusal when that has
// passed.
func WorkingSince(ctx context.Context, s connections, id directory.ConnectionID, epoch int64) (directory.Connection, error) {
	c, err := s.Connection(ctx, id)
	if err != nil {
		return c, err
	}
	if c.Epoch != epoch {
		return c, epochPassed(&c)
	}
	return c, checkWorking(&c)
}

func checkWorking(c *directory.Connection) error {
	if (c.Status == directory.StatusActive || c.Status == directory.StatusNeedsAuthorization) && c.Tenant != nil {
		return nil
	}
	return directory.Refuse(directory.ErrConflict, directory.CodeConnectionNotActive,
		"The connection \""+c.Name+"\" is "+string(c.Status)+".", "Authorise and confirm the connection first.")
}

// epochPassed says that a connection was let go, and perhaps authorised again,
// since something was asked of it.
func epochPassed(c *directory.Connection) error {
	return directory.Refuse(directory.ErrConflict, directory.CodeConnectionChanged,
		"The connection \""+c.Name+"\" was deactivated meanwhile.", "Ask again once it is active.")
}

// wake asks for a slice of a connection.
func wake(ctx context.Context, w Waker, log *slog.Logger, id directory.ConnectionID) {
	if err := w.Wake(ctx, id, 0); err != nil {
		log.Warn("wake-up not sent; the schedule makes up for it", "connectionId", id, "error", err)
	}
}

// orSilent is a logger that is never nil.
func orSilent(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

func orNow(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now
	}
	return now
}
