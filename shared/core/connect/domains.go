package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bindery/shared/directory"
)

// ClaimDomains claims domains that the tenant has verified since the connection
// was authorised, all or none: those that the record offers. It takes a caller who
// may approve, since the confirmation, which claims a tenant's first domains, does
// so too. What is claimed already is no error.
func (s *Service) ClaimDomains(ctx context.Context, id directory.ConnectionID, names []string, by directory.Caller) (directory.Connection, error) {
	return s.editDomains(ctx, id, by, directory.AuditClaimDomains, func(c *directory.Connection) (func(*directory.Tenant), error) {
		var fresh []string
		for _, name := range names {
			offered := slices.IndexFunc(c.Tenant.Offered, func(d directory.Domain) bool { return directory.FoldDomain(d.Name) == directory.FoldDomain(name) })
			switch {
			case c.ClaimsDomain(name):
			case offered < 0:
				return nil, directory.Refuse(directory.ErrConflict, directory.CodeDomainNotOffered, fmt.Sprintf("The tenant is not known to have verified the domain %q.", name),
					"Verify it in Microsoft 365, then have the connection checked (POST /v1/connections/{id}/health), which reads the tenant's domains.")
			default:
				fresh = append(fresh, c.Tenant.Offered[offered].Name)
			}
		}
		if len(fresh) == 0 {
			return nil, errUnchanged
		}
		if err := s.stores.Claims.ClaimDomains(ctx, c, fresh); err != nil {
			return nil, err
		}
		return func(t *directory.Tenant) { t.Claim(fresh) }, nil
	}, func(context.Context, *directory.Connection) error { return nil })
}

// ReleaseDomain gives up a domain that the tenant has lost, so that another
// connection can claim it. It takes a caller who may approve. The record comes
// first: when the claim stays behind, the same call takes it away.
func (s *Service) ReleaseDomain(ctx context.Context, id directory.ConnectionID, name string, by directory.Caller) (directory.Connection, error) {
	same := func(d directory.Domain) bool { return directory.FoldDomain(d.Name) == directory.FoldDomain(name) }
	return s.editDomains(ctx, id, by, directory.AuditReleaseDomain, func(c *directory.Connection) (func(*directory.Tenant), error) {
		i := slices.IndexFunc(c.Tenant.Domains, same)
		switch {
		case i < 0:
			if err := s.stores.Claims.ReleaseDomains(ctx, c, []string{name}); err != nil {
				return nil, err
			}
			return nil, errUnchanged
		case !c.Tenant.Domains[i].Lost():
			return nil, directory.Refuse(directory.ErrConflict, directory.CodeDomainInUse, fmt.Sprintf("The domain %s is a verified one of the tenant, and stays claimed.", c.Tenant.Domains[i].Name),
				"Remove it in Microsoft 365 first, or deactivate the connection.")
		}
		return func(t *directory.Tenant) {
			t.Domains = slices.DeleteFunc(slices.Clone(t.Domains), func(d directory.Domain) bool { return same(d) && d.Lost() })
		}, nil
	}, func(ctx context.Context, c *directory.Connection) error {
		if c.ClaimsDomain(name) {
			return nil // the tenant has it again
		}
		return s.stores.Claims.ReleaseDomains(ctx, c, []string{name})
	})
}

// editDomains changes the claimed domains of a connection in effect, while nobody
// else works on its epoch. edit makes the claims, and says what becomes of the
// record; done follows that. Everything may be repeated.
func (s *Service) editDomains(ctx context.Context, id directory.ConnectionID, by directory.Caller, kind directory.AuditKind,
	edit func(*directory.Connection) (func(*directory.Tenant), error), done func(context.Context, *directory.Connection) error) (directory.Connection, error) {
	seen, err := s.stores.Connections.Connection(ctx, id)
	if err != nil {
		return seen, err
	}
	if !by.Approve || by.Subject == "" {
		return seen, directory.Refuse(directory.ErrForbidden, directory.CodeApproveMissing, "Only a caller with the scope bindery/approve may change which domains are claimed.", "Let such a caller do it.")
	}
	if !seen.InEffect() {
		return seen, directory.Refuse(directory.ErrConflict, directory.CodeNotActive, "The connection is "+string(seen.Status)+": it claims nothing.", nextAgain)
	}
	var c directory.Connection
	err = s.exclusiveSoon(ctx, id, seen.Epoch, confirmLease, func(ctx context.Context) error {
		if c, err = s.stores.Connections.Connection(ctx, id); err != nil {
			return err
		}
		if c.Epoch != seen.Epoch || !c.InEffect() {
			return errMoved
		}
		change, err := edit(&c)
		if err != nil {
			return err
		}
		prior := c
		c, err = s.stores.Connections.ModifyConnection(ctx, by.AuditEvent(kind), id, func(now *directory.Connection) error {
			if now.Authorization() != prior.Authorization() || !now.InEffect() {
				return errMoved
			}
			t := *now.Tenant
			change(&t)
			now.Tenant = &t
			return nil
		})
		if err != nil {
			return err
		}
		return done(ctx, &c)
	})
	if claimed, ok := errors.AsType[*directory.Claimed](err); ok {
		return seen, directory.Refuse(claimed, directory.CodeDomainClaimed, fmt.Sprintf("The domain %s is claimed by the connection %s.", claimed.Name, s.holder(ctx, claimed.Holder)),
			"Use that connection for its users, or have it give the domain up; nothing was claimed.")
	}
	switch {
	case errors.Is(err, errUnchanged):
		return c, nil
	case errors.Is(err, errMoved):
		return seen, directory.Refuse(directory.ErrConflict, directory.CodeConnectionChanged, "The connection has changed meanwhile.", "Read it again, then repeat.")
	case err == nil:
		s.wake(ctx, id)
	}
	return c, err
}

// keepLostDomains adds to the domains of a new sign-in those that the connection had
// claimed before and the tenant has lost: they stay claimed, and are told. What
// could not be claimed is offered.
func (s *Service) keepLostDomains(c *directory.Connection, held, verified []directory.Domain) (domains, offered []directory.Domain) {
	had := directory.Tenant{Domains: slices.Clone(held)}
	for _, d := range c.Tenant.Domains {
		if !slices.ContainsFunc(held, func(h directory.Domain) bool { return directory.FoldDomain(h.Name) == directory.FoldDomain(d.Name) }) {
			had.Domains = append(had.Domains, d)
		}
	}
	next, _ := had.WithDomains(verified, s.now())
	return next.Domains, next.Offered
}
