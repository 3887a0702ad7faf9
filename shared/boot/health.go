package boot

import (
	"context"
	"errors"
	"time"

	"bindery/shared/core/doctor"
	"bindery/shared/directory"
)

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
