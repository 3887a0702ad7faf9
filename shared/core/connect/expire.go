package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

const (
	keepAliveAfter = 7 * 24 * time.Hour // a refresh token dies after 90 days without use
	keepAliveRetry = 6 * time.Hour      // between two looks at one connection's secret
	// keepAliveSpread is the last part of keepAlive, in which each connection has its turn.
	keepAliveSpread = 24 * time.Hour
)

// Tend is Expire for the schedule, which calls it for each connection.
func (s *Service) Tend(ctx context.Context, l *store.ScheduledConnection, _ *store.Beside, _ bool) error {
	return s.Expire(ctx, &l.Connection)
}

// Expire does what time asks of one connection.
// A sign-in that was not confirmed within 24 hours is let go: its secret is
// deleted, and what was in effect stays so. Where nothing was, the claims end
// with the epoch, and the connection is as it was before. Secrets that are not in
// use any more, and what a crash or a failed deletion left, are cleared away. The
// tokens of an active connection that did not sync for a week are refreshed, so
// that they stay alive.
//
// An error concerns this connection only. *TokenError from the keep-alive is
// noted on the connection already.
func (s *Service) Expire(ctx context.Context, c *directory.Connection) error {
	var errs error
	if c.Waiting != nil && s.confirmationOverdue(c) {
		errs = s.tryWithLease(ctx, c, s.expireUnconfirmed)
	}
	if len(s.leftovers(c)) > 0 {
		errs = errors.Join(errs, s.tryWithLease(ctx, c, s.clearLeftovers))
	}
	switch {
	case c.Status == directory.StatusActive:
		errs = errors.Join(errs, s.keepAlive(ctx, c))
	case c.AuthorizedAt.IsZero(): // the mark that something may be left of a deactivation
	case c.Status == directory.StatusDeactivated && c.Tenant != nil:
		errs = errors.Join(errs, s.clearDeactivated(ctx, c))
	case c.Status == directory.StatusPending || c.Status == directory.StatusDeactivated:
		errs = errors.Join(errs, s.tryWithLease(ctx, c, s.finishOldExpiry))
	}
	return errs
}

// tryWithLease runs f while nobody else works on the authorisation; not at all when
// somebody does, or when there is nothing to do any more.
func (s *Service) tryWithLease(ctx context.Context, c *directory.Connection, f func(context.Context, *directory.Connection) error) error {
	err := s.withLease(ctx, c.ID, c.Epoch, tokenLease, func(ctx context.Context) error { return f(ctx, c) })
	if errors.Is(err, errLeaseTaken) || errors.Is(err, errUnchanged) || errors.Is(err, directory.ErrNotFound) {
		return nil // somebody confirms, authorises or deletes it at this moment
	}
	return err
}

func (s *Service) confirmationOverdue(c *directory.Connection) bool {
	return !s.now().Before(c.Waiting.At.Add(ConfirmWithin))
}

// expireUnconfirmed lets a sign-in go that nobody confirmed, in one write.
func (s *Service) expireUnconfirmed(ctx context.Context, seen *directory.Connection) error {
	act := directory.SystemAuditEvent(directory.AuditExpireAuthorization,
		fmt.Sprintf("Nobody confirmed in time that %s may act for the connection.", seen.Waiting.AuthorizedBy.UserPrincipalName))
	over := func(c *directory.Connection) bool {
		return c.Epoch == seen.Epoch && c.Waiting != nil && s.confirmationOverdue(c)
	}
	var c directory.Connection
	var err error
	if seen.InEffect() {
		c, err = s.stores.Connections.ModifyConnection(ctx, act, seen.ID, func(c *directory.Connection) error {
			if !over(c) || !c.InEffect() {
				return errUnchanged
			}
			c.Former = append(slices.Clone(c.Former), directory.FormerSignIn{ID: c.Waiting.ID, Epoch: c.Epoch, Since: s.now()})
			c.Waiting = nil
			return nil
		})
	} else {
		c, err = s.stores.Epochs.EndEpoch(ctx, act, seen.ID, func(was, next *directory.Connection) error {
			if !over(was) || was.InEffect() {
				return errUnchanged
			}
			if next.Status = directory.StatusPending; next.Tenant != nil {
				next.Status = directory.StatusDeactivated
			}
			return nil
		})
	}
	if err != nil {
		return err
	}
	s.cfg.Log.Info("an authorisation was not confirmed in time and was let go", "connectionId", string(seen.ID))
	for _, f := range c.Former {
		s.deleteSecret(ctx, c.ID, f)
	}
	return nil
}

// leftovers are the secrets that are not in use, except those that were listed
// just now: whoever did that may still be at work.
func (s *Service) leftovers(c *directory.Connection) []directory.FormerSignIn {
	var old []directory.FormerSignIn
	for _, f := range c.Former {
		if s.now().Sub(f.Since) >= sweepDelay {
			old = append(old, f)
		}
	}
	return old
}

// clearLeftovers deletes them, and strikes them off the record.
func (s *Service) clearLeftovers(ctx context.Context, seen *directory.Connection) error {
	c, err := s.stores.Connections.Connection(ctx, seen.ID)
	if err != nil {
		return err
	}
	old := s.leftovers(&c)
	if c.Epoch != seen.Epoch || len(old) == 0 {
		return errUnchanged
	}
	if err := s.clearAway(ctx, &c, old); err != nil {
		return err
	}
	_, err = s.stores.Connections.ModifyConnection(ctx, directory.AuditEvent{}, c.ID, func(c *directory.Connection) error {
		c.Former = slices.DeleteFunc(slices.Clone(c.Former), func(f directory.FormerSignIn) bool { return slices.ContainsFunc(old, isSignIn(f.ID, f.Epoch)) })
		if len(c.Former) == 0 {
			c.Former = nil
		}
		return nil
	})
	return err
}

// clearAway deletes secrets that are not in use, and gives the tenant back that a
// sign-in claimed which came to nothing.
func (s *Service) clearAway(ctx context.Context, c *directory.Connection, list []directory.FormerSignIn) error {
	for _, f := range list {
		if inUse(c, f) {
			continue
		}
		if err := s.vault.Delete(ctx, secretName(c.ID, f.Epoch, f.ID)); err != nil {
			return fmt.Errorf("delete a secret that is not in use: %w", err)
		}
		if f.Tenant != "" && f.Epoch == c.Epoch && !isTenantOf(c, f.Tenant) {
			if err := s.stores.Claims.ReleaseTenant(ctx, c, f.Tenant); err != nil {
				return err
			}
		}
	}
	return nil
}

// isTenantOf reports whether a tenant is that of the identity in effect or of the
// sign-in that waits.
func isTenantOf(c *directory.Connection, tenant directory.TenantID) bool {
	return c.InEffect() && strings.EqualFold(string(c.Tenant.ID), string(tenant)) ||
		c.Waiting != nil && strings.EqualFold(string(c.Waiting.Tenant.ID), string(tenant))
}

// inUse guards against a record that lists what it also shows.
func inUse(c *directory.Connection, f directory.FormerSignIn) bool {
	if f.Epoch != c.Epoch {
		return false
	}
	return c.InEffect() && c.SignInID == f.ID || c.Waiting != nil && c.Waiting.ID == f.ID
}

// finishOldExpiry ends what an earlier version began: it let an unconfirmed sign-in
// go in several writes, and AuthorizedAt without a tenant was its mark.
func (s *Service) finishOldExpiry(ctx context.Context, seen *directory.Connection) error {
	c, err := s.stores.Epochs.EndEpoch(ctx, directory.AuditEvent{}, seen.ID, func(was, next *directory.Connection) error {
		if was.Epoch != seen.Epoch || was.Status != seen.Status || was.Tenant != nil || was.AuthorizedAt.IsZero() || was.Waiting != nil {
			return errUnchanged
		}
		next.Status, next.AuthorizedAt = directory.StatusPending, time.Time{}
		next.Former = append(slices.Clone(next.Former), directory.FormerSignIn{Epoch: was.Epoch, Since: s.now()})
		return nil
	})
	if err != nil {
		return err
	}
	return s.deletePast(ctx, &c)
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
	_, err := s.stores.Connections.ModifyConnection(ctx, directory.AuditEvent{}, c.ID, func(now *directory.Connection) error {
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
	key, now := keyOf(c), s.now()
	used := c.AuthorizedAt
	if c.LastRun != nil && c.LastRun.SucceededAt.After(used) {
		used = c.LastRun.SucceededAt
	}
	if now.Sub(used) < keepAliveAfter-keepAliveSpread || !directory.TurnDue(string(c.ID)+"/tokens", keepAliveSpread, time.Time{}, now) {
		return nil
	}
	s.mu.Lock()
	due := now.Sub(s.keptAlive[key]) >= keepAliveRetry
	if due {
		s.keptAlive[key] = now
	}
	s.mu.Unlock()
	if !due {
		return nil
	}
	set, err := s.readTokens(ctx, key)
	if err == nil && now.Sub(set.obtained) < keepAliveAfter-keepAliveSpread {
		return nil
	}
	_, err = s.Tokens(c).Token(ctx)
	if err != nil && !errors.Is(err, ErrNeedsAuthorization) {
		s.mu.Lock()
		delete(s.keptAlive, key) // look again the next time
		s.mu.Unlock()
	}
	return err
}
