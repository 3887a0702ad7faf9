package boot

import (
	"context"
	"errors"
	"time"

	"bindery/shared/core/doctor"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// checkEvery is how often the schedule has each connection checked.
const checkEvery = 24 * time.Hour

// joinDoctor joins the doctor to the drivers.
func (c *Core) joinDoctor() {
	p := c.parts
	c.Doctor = &doctor.Doctor{
		Store: p.Store, Now: p.Now, Log: p.Log, Look: p.Look,
		Open:  func(ctx context.Context, conn *directory.Connection) (doctor.Tenant, error) { return c.open(ctx, conn) },
		Realm: c.Connect.Realm, TokensUsed: c.Connect.TokensUsed, Needed: c.Connect.Needed,
		Ask: wakes{p.Queue}.WakeCheck,
	}
}

// check does what a wake-up for the doctor asks for.
func (c *Core) check(ctx context.Context, id directory.ConnectionID) error {
	ctx, cancel := context.WithTimeout(ctx, c.room(ctx, 150*time.Second))
	defer cancel()
	r, err := c.Doctor.Check(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		return nil // deleted since the message was sent
	}
	InvocationOf(ctx).Set("findings", len(r.Findings))
	return err
}

// tendHealth has a connection checked once a day, at a time of its own. A lost
// message is made up for by the next tick.
func (c *Core) tendHealth(ctx context.Context, l *store.Listed) error {
	due := func(at time.Time) bool { return directory.TurnDue(string(l.ID)+"/check", checkEvery, at, c.now()) }
	if l.Status != directory.StatusActive && l.Status != directory.StatusNeedsAuthorization || !due(l.CheckedAt) {
		return nil
	}
	// Only the report itself has the time of a check by an older version.
	at, err := c.parts.Store.CheckedAt(ctx, l.ID)
	if err != nil || !due(at) {
		return err
	}
	return c.Doctor.Ask(ctx, l.ID)
}
