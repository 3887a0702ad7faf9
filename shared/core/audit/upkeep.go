package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"bindery/shared/directory"
)

// UpkeepConfig is what an Upkeep works with.
type UpkeepConfig struct {
	Connections Connections
	Chain       *Chain
	Watch       *Watch
	Log         *slog.Logger // nil: nothing is logged
}

// Connections reads a connection.
type Connections interface {
	Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error)
}

// Upkeep keeps chains and notifications up with the work.
type Upkeep struct{ cfg UpkeepConfig }

// NewUpkeep returns an Upkeep.
func NewUpkeep(cfg UpkeepConfig) *Upkeep {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Upkeep{cfg}
}

// Follow does what comes after work on a run of a connection: ended runs become
// part of their chain, and who must act is told. What fails here is logged, and
// made up for by the schedule.
func (u *Upkeep) Follow(ctx context.Context, id directory.ConnectionID) {
	err := errors.Join(u.cfg.Chain.LinkRuns(ctx, id), u.notify(ctx, id))
	if err != nil {
		u.cfg.Log.Warn("what follows a slice failed; the schedule makes up for it", "connectionId", string(id), "error", err)
	}
}

func (u *Upkeep) notify(ctx context.Context, id directory.ConnectionID) error {
	c, err := u.cfg.Connections.Connection(ctx, id)
	if err != nil {
		return err
	}
	return u.cfg.Watch.NotifyConnection(ctx, &c)
}

// Tend is the schedule's share: what workers that died left undone, the audit events of
// the hours that have passed, the week's summary, tokens that end soon.
func (u *Upkeep) Tend(ctx context.Context) error {
	if err := errors.Join(u.cfg.Chain.Tend(ctx), u.cfg.Watch.NotifyWeek(ctx), u.cfg.Watch.NotifyTokens(ctx)); err != nil {
		return fmt.Errorf("tend the activity: %w", err)
	}
	return nil
}
