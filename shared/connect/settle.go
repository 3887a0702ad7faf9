package connect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
)

// errMoved: the connection is not any more what it was when it was examined.
var errMoved = errors.New("the connection has changed meanwhile")

// settle writes what a good callback leaves behind, while nobody else works on
// the epoch's tokens.
func (s *Service) settle(ctx context.Context, g *granted) Page {
	id, epoch := g.state.ConnectionID, g.state.Epoch
	var page Page
	err := s.exclusiveSoon(ctx, id, epoch, tokenLease, func(ctx context.Context) error {
		c, err := s.store.Connection(ctx, id)
		if err != nil {
			return err
		}
		if c.Epoch != epoch {
			return errMoved
		}
		if other := otherTenant(&c, &g.tenant); other != nil {
			page = *other
			return nil
		}
		if c.Status == directory.StatusActive || c.Status == directory.StatusNeedsAuthorization {
			page, err = s.renew(ctx, c, g)
		} else {
			page, err = s.await(ctx, c, g)
		}
		return err
	})
	if claimed, ok := errors.AsType[*directory.Claimed](err); ok {
		return *s.pageClaimed(ctx, claimed, &g.tenant)
	}
	switch {
	case errors.Is(err, errMoved), errors.Is(err, directory.ErrLeaseLost), errors.Is(err, directory.ErrNotFound):
		return pageOutdated
	case err != nil:
		s.cfg.Log.Error("an authorisation could not be stored", "connectionId", string(id), "error", err)
		return pageNotStored
	}
	return page
}

// await takes a connection that has no confirmed tenant to
// awaiting-confirmation. The record goes first: whatever follows it is found
// and cleared away by Expire.
func (s *Service) await(ctx context.Context, prior directory.Connection, g *granted) (Page, error) {
	c, err := s.store.ModifyConnection(g.acting(ctx), prior.ID, func(c *directory.Connection) error {
		if c.Epoch != prior.Epoch || c.Status != prior.Status {
			return errMoved
		}
		g.apply(c)
		c.Status = directory.StatusAwaitingConfirmation
		return nil
	})
	if err != nil {
		return Page{}, err
	}
	if err := s.store.ClaimTenant(ctx, &c, g.tenant.ID); err != nil {
		if errors.Is(err, directory.ErrConflict) {
			s.restore(ctx, &prior, g)
		}
		return Page{}, err
	}
	return pageAwaiting(&c), s.keep(ctx, &c, g.tokens)
}

// apply writes what the sign-in says onto a connection.
func (g *granted) apply(c *directory.Connection) {
	c.Tenant, c.AuthorizedBy, c.Scopes = &g.tenant, &g.admin, g.tokens.scopes
	c.RequestedBy, c.AuthorizedAt, c.Trouble = g.state.RequestedBy, g.at, nil
}

// restore undoes apply when the tenant turned out to be another connection's.
// When it fails, the connection waits for a confirmation that will be refused.
func (s *Service) restore(ctx context.Context, prior *directory.Connection, g *granted) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	_, err := s.store.ModifyConnection(ctx, prior.ID, func(c *directory.Connection) error {
		if c.Epoch != prior.Epoch || c.Status != directory.StatusAwaitingConfirmation || !c.AuthorizedAt.Equal(g.at) {
			return errUnchanged
		}
		c.Status, c.Tenant, c.AuthorizedBy, c.Scopes = prior.Status, prior.Tenant, prior.AuthorizedBy, prior.Scopes
		c.RequestedBy, c.AuthorizedAt, c.Trouble = prior.RequestedBy, prior.AuthorizedAt, prior.Trouble
		return nil
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		s.cfg.Log.Warn("a refused authorisation was not taken back and will expire", "connectionId", string(prior.ID), "error", err)
	}
}

// renew replaces the tokens of a connection that is in use: bindings and epoch
// stay, and the sync goes on by itself.
func (s *Service) renew(ctx context.Context, prior directory.Connection, g *granted) (Page, error) {
	if err := s.store.ClaimTenant(ctx, &prior, g.tenant.ID); err != nil {
		return Page{}, err
	}
	g.tenant.Domains = s.claimable(ctx, &prior, g.tenant.Domains)
	if err := s.keep(ctx, &prior, g.tokens); err != nil {
		return Page{}, err
	}
	c, err := s.store.ModifyConnection(g.acting(ctx), prior.ID, func(c *directory.Connection) error {
		if c.Epoch != prior.Epoch {
			return errMoved
		}
		g.apply(c)
		c.Status = directory.StatusActive
		return nil
	})
	if err != nil {
		return Page{}, err
	}
	s.wake(ctx, c.ID)
	return pageRenewed(&c), nil
}

// claimable returns the domains that the connection may hold: those that it
// has, and new ones that nobody else has. A domain that another connection
// holds must not keep this one from going on.
func (s *Service) claimable(ctx context.Context, c *directory.Connection, domains []directory.Domain) []directory.Domain {
	var held []directory.Domain
	for _, d := range domains {
		if !c.ClaimsDomain(d.Name) {
			if err := s.store.ClaimDomains(ctx, c, []string{d.Name}); err != nil {
				s.cfg.Log.Warn("a new domain of the tenant could not be claimed", "connectionId", string(c.ID), "error", err)
				continue
			}
		}
		held = append(held, d)
	}
	return held
}

// keep stores a sign-in's tokens, and takes them back when the connection was
// let go meanwhile.
func (s *Service) keep(ctx context.Context, c *directory.Connection, set tokenSet) error {
	key := tokenKey{c.ID, c.Epoch}
	if err := s.putTokens(ctx, key, set); err != nil {
		return fmt.Errorf("store tokens: %w", err)
	}
	s.remember(key, cached{set: set})
	_, err := s.current(ctx, key)
	if errors.Is(err, directory.ErrLeaseLost) {
		s.deleteSecret(context.WithoutCancel(ctx), c.ID, c.Epoch)
		return err
	}
	return nil
}

// wake asks for a slice. A lost wake-up costs minutes: schedule comes by.
func (s *Service) wake(ctx context.Context, id directory.ConnectionID) {
	if err := s.queue.Wake(ctx, id, 0); err != nil {
		s.cfg.Log.Warn("sync was not woken and will start by the schedule", "connectionId", string(id), "error", err)
	}
	if err := s.queue.WakeCheck(ctx, id); err != nil {
		s.cfg.Log.Warn("the doctor was not woken and will come by the schedule", "connectionId", string(id), "error", err)
	}
}
