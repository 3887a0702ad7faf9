package connect

import (
	"context"
	"errors"
	"time"

	"bindery/shared/directory"
)

// SweeperConfig is what a Sweeper works with.
type SweeperConfig struct {
	Connections Connections
	Bindings    SweptBindings
	Uses        SweptUses
	Runs        OpenRuns
	Secrets     SecretSweeper
	Now         func() time.Time // nil means time.Now
}

// Connections reads connections.
type Connections interface {
	Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error)
}

// SweptBindings holds the bindings that are to be cleared away.
type SweptBindings interface {
	// Sweep moves bindings of an epoch that has passed to former, up to a few
	// hundred a call, and reports whether any may be left.
	Sweep(ctx context.Context, c *directory.Connection, tenant directory.TenantID, epoch int64) (moved int, more bool, err error)
}

// SweptUses holds what connections do with groups.
type SweptUses interface {
	// SweepUses takes the uses of other epochs than the connection's away, up to a few
	// hundred records a call, and reports whether any may be left.
	SweepUses(ctx context.Context, c *directory.Connection) (more bool, err error)
}

// OpenRuns ends the runs of a connection that was let go.
type OpenRuns interface {
	EndOpenRuns(ctx context.Context, c *directory.Connection) error
}

// SecretSweeper deletes the secrets of past epochs. *Service does.
type SecretSweeper interface {
	SweepSecrets(ctx context.Context, id directory.ConnectionID) error
}

// Sweeper clears away what past epochs of a connection left: bindings become
// former ones, uses of groups end, open runs end, and secrets are deleted until they are gone. Nothing
// of that is needed for a connection to be let go, which is one write; all of it
// may be repeated.
type Sweeper struct{ cfg SweeperConfig }

// NewSweeper returns a Sweeper.
func NewSweeper(cfg SweeperConfig) *Sweeper {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Sweeper{cfg}
}

// sweepMargin is left of the deadline when a sweep stops amid the bindings.
const sweepMargin = 20 * time.Second

// Swept is what a sweep did.
type Swept struct {
	Bindings int
	// More says that the time was over before all was cleared away.
	More bool
	// Gone says that there is no such connection any more.
	Gone bool
}

// Sweep clears away what a connection's past epochs left, and stops before ctx's
// deadline. After an error the sweep must come again: something may be left.
func (s *Sweeper) Sweep(ctx context.Context, id directory.ConnectionID) (Swept, error) {
	c, err := s.cfg.Connections.Connection(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		// What was left when it was deleted is of no epoch that counts.
		more, err := s.uses(ctx, &directory.Connection{ID: id})
		return Swept{Gone: true, More: more}, err
	}
	if err != nil {
		return Swept{}, err
	}
	swept, err := s.bindings(ctx, &c)
	if swept.More {
		return swept, err
	}
	more, usesErr := s.uses(ctx, &c)
	if more {
		swept.More = true
		return swept, errors.Join(err, usesErr)
	}
	err = errors.Join(err, usesErr)
	if err = errors.Join(err, s.cfg.Runs.EndOpenRuns(ctx, &c)); err != nil {
		return swept, err
	}
	return swept, s.cfg.Secrets.SweepSecrets(ctx, c.ID)
}

// bindings makes former ones of the bindings of past epochs.
func (s *Sweeper) bindings(ctx context.Context, c *directory.Connection) (Swept, error) {
	var tenant directory.TenantID
	if c.Tenant != nil {
		tenant = c.Tenant.ID
	}
	var swept Swept
	for epoch := int64(1); epoch < c.Epoch; epoch++ {
		for more := true; more; {
			var moved int
			var err error
			moved, more, err = s.cfg.Bindings.Sweep(ctx, c, tenant, epoch)
			swept.Bindings += moved
			if err != nil {
				return swept, err
			}
			if s.outOfTime(ctx) {
				swept.More = true
				return swept, nil
			}
		}
	}
	return swept, nil
}

// uses ends what was done with groups in past epochs.
func (s *Sweeper) uses(ctx context.Context, c *directory.Connection) (more bool, err error) {
	for more = true; more; {
		if more, err = s.cfg.Uses.SweepUses(ctx, c); err != nil {
			return false, err
		}
		if more && s.outOfTime(ctx) {
			return true, nil
		}
	}
	return false, nil
}

func (s *Sweeper) outOfTime(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && s.cfg.Now().Add(sweepMargin).After(deadline)
}
