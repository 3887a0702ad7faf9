package connect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

const (
	keepAlive = 7 * 24 * time.Hour // a refresh token dies after 90 days without use
	lookAfter = 6 * time.Hour      // between two looks at one connection's secret
)

// Expire does what time asks of one connection; the schedule calls it for each.
// An authorisation that was not confirmed within 24 hours is let go: its
// secret and claims end with its epoch, and the connection is pending again.
// What a crash or a failed deletion left of that, or of a deactivation, is
// done now. The tokens of an active connection that did not sync for a week
// are refreshed, so that they stay alive.
//
// An error concerns this connection only. *TokenError from the keep-alive is
// noted on the connection already.
func (s *Service) Expire(ctx context.Context, c *directory.Connection) error {
	switch c.Status {
	case directory.StatusActive:
		return s.keepAlive(ctx, c)
	case directory.StatusAwaitingConfirmation:
		if !s.overdue(c) {
			return nil
		}
	default:
		if c.AuthorizedAt.IsZero() { // the mark that something may be left
			return nil
		}
		if c.Status == directory.StatusNeedsAuthorization {
			return nil
		}
	}
	if c.Status == directory.StatusDeactivated && c.Tenant != nil {
		return s.clearDeactivated(ctx, c)
	}
	err := s.exclusive(ctx, c.ID, c.Epoch, tokenLease, func(ctx context.Context) error { return s.unconfirmed(ctx, c.ID, c.Epoch) })
	if errors.Is(err, errHeld) || errors.Is(err, errUnchanged) {
		return nil // somebody confirms or authorises it at this moment
	}
	return err
}

func (s *Service) overdue(c *directory.Connection) bool {
	return !s.now().Before(c.AuthorizedAt.Add(confirmWithin))
}

// unconfirmed lets an unconfirmed authorisation go. AuthorizedAt stays set
// until the last step, without a tenant: that is the mark by which a later call
// goes on where a crash ended this one.
func (s *Service) unconfirmed(ctx context.Context, id directory.ConnectionID, epoch int64) error {
	expiry := store.Acting(ctx, directory.Act{Kind: "expire-authorization", By: directory.BySystem, Detail: "Nobody confirmed the authorisation in time."})
	_, err := s.store.ModifyConnection(expiry, id, func(c *directory.Connection) error {
		switch {
		case c.Epoch != epoch:
			return errUnchanged
		case c.Status == directory.StatusAwaitingConfirmation && s.overdue(c):
			c.Status, c.Tenant, c.AuthorizedBy, c.Scopes = directory.StatusPending, nil, nil, nil
			return nil
		case c.Tenant == nil && !c.AuthorizedAt.IsZero():
			return nil // the mark
		}
		return errUnchanged
	})
	if err != nil {
		return err
	}
	// Nobody can confirm or authorise meanwhile: both need the lease.
	c, _, err := s.store.DeactivateConnection(ctx, id)
	if err != nil {
		return err
	}
	if err := s.deletePast(ctx, &c); err != nil {
		return err
	}
	_, err = s.store.ModifyConnection(ctx, id, func(c *directory.Connection) error {
		if c.Status != directory.StatusDeactivated || c.Tenant != nil {
			return errUnchanged
		}
		c.Status, c.AuthorizedAt = directory.StatusPending, time.Time{}
		return nil
	})
	if err == nil {
		s.cfg.Log.Info("an authorisation was not confirmed in time and was let go", "connectionId", string(id))
	}
	return err
}

// clearDeactivated repeats what a deactivation may not have come to, once.
func (s *Service) clearDeactivated(ctx context.Context, c *directory.Connection) error {
	if s.now().Sub(c.Updated) < sweepDelay {
		return nil // its own sweep is still under way
	}
	if err := s.deletePast(ctx, c); err != nil {
		return err
	}
	if err := s.queue.WakeSweep(ctx, c.ID, 0); err != nil {
		return fmt.Errorf("wake the sweep: %w", err)
	}
	_, err := s.store.ModifyConnection(ctx, c.ID, func(now *directory.Connection) error {
		if now.Status != directory.StatusDeactivated || now.Epoch != c.Epoch {
			return errUnchanged
		}
		now.AuthorizedAt = time.Time{}
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// keepAlive refreshes the tokens of a connection that nothing else refreshes.
// A sync that ended well within the week has used them.
func (s *Service) keepAlive(ctx context.Context, c *directory.Connection) error {
	key, now := tokenKey{c.ID, c.Epoch}, s.now()
	if c.LastRun != nil && now.Sub(c.LastRun.SucceededAt) < keepAlive-lookAfter {
		return nil
	}
	s.mu.Lock()
	due := now.Sub(s.looked[key]) >= lookAfter
	if due {
		s.looked[key] = now
	}
	s.mu.Unlock()
	if !due {
		return nil
	}
	set, err := s.readTokens(ctx, key)
	if err == nil && now.Sub(set.obtained) < keepAlive-lookAfter {
		return nil
	}
	_, err = s.Tokens(c).Token(ctx)
	if err != nil && !errors.Is(err, ErrNeedsAuthorization) {
		s.mu.Lock()
		delete(s.looked, key) // look again the next time
		s.mu.Unlock()
	}
	return err
}
