package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bindery/shared/directory"
)

// domainEdit is one way of changing which domains a connection claims. All of it may
// be repeated.
type domainEdit interface {
	// kind is that of the audit event.
	kind() directory.AuditKind
	// prepare does what comes before the record is changed, and returns how the
	// record's tenant is changed; errUnchanged when there is nothing to be done.
	prepare(ctx context.Context, c *directory.Connection) (func(*directory.Tenant), error)
	// finish does what comes after that; c is the record as it is then.
	finish(ctx context.Context, c *directory.Connection) error
}

func isDomain(name string) func(directory.Domain) bool {
	return func(d directory.Domain) bool { return directory.FoldDomain(d.Name) == directory.FoldDomain(name) }
}

// ClaimDomains claims domains that the tenant has verified since the connection
// was authorised, all or none: those that the record offers. It takes a caller who
// may approve, since the confirmation, which claims a tenant's first domains, does
// so too. What is claimed already is no error.
func (s *Service) ClaimDomains(ctx context.Context, by directory.Caller, id directory.ConnectionID, names []string) (directory.Connection, error) {
	return s.editDomains(ctx, by, id, domainClaim{s.stores.Claims, names})
}

// domainClaim claims offered domains. The claims come first.
type domainClaim struct {
	claims claims
	names  []string
}

func (domainClaim) kind() directory.AuditKind { return directory.AuditClaimDomains }

func (e domainClaim) prepare(ctx context.Context, c *directory.Connection) (func(*directory.Tenant), error) {
	var fresh []string
	for _, name := range e.names {
		if c.ClaimsDomain(name) {
			continue
		}
		offered := slices.IndexFunc(c.Tenant.Offered, isDomain(name))
		if offered < 0 {
			return nil, directory.Refuse(directory.ErrConflict, directory.CodeDomainNotOffered, fmt.Sprintf("The tenant is not known to have verified the domain %q.", name),
				"Verify it in Microsoft 365, then have the connection checked (POST /v1/connections/{id}/health), which reads the tenant's domains.")
		}
		fresh = append(fresh, c.Tenant.Offered[offered].Name)
	}
	if len(fresh) == 0 {
		return nil, errUnchanged
	}
	if err := e.claims.ClaimDomains(ctx, c, fresh); err != nil {
		return nil, err
	}
	return func(t *directory.Tenant) { t.Claim(fresh) }, nil
}

func (domainClaim) finish(context.Context, *directory.Connection) error { return nil }

// ReleaseDomain gives up a domain that the tenant has lost, so that another
// connection can claim it. It takes a caller who may approve.
func (s *Service) ReleaseDomain(ctx context.Context, by directory.Caller, id directory.ConnectionID, name string) (directory.Connection, error) {
	return s.editDomains(ctx, by, id, domainRelease{s.stores.Claims, name})
}

// domainRelease gives up a lost domain. The record comes first: when the claim
// stays behind, the same call takes it away.
type domainRelease struct {
	claims claims
	name   string
}

func (domainRelease) kind() directory.AuditKind { return directory.AuditReleaseDomain }

func (e domainRelease) prepare(ctx context.Context, c *directory.Connection) (func(*directory.Tenant), error) {
	i := slices.IndexFunc(c.Tenant.Domains, isDomain(e.name))
	if i < 0 {
		if err := e.claims.ReleaseDomains(ctx, c, []string{e.name}); err != nil {
			return nil, err
		}
		return nil, errUnchanged
	}
	if !c.Tenant.Domains[i].Lost() {
		return nil, directory.Refuse(directory.ErrConflict, directory.CodeDomainInUse, fmt.Sprintf("The domain %s is a verified one of the tenant, and stays claimed.", c.Tenant.Domains[i].Name),
			"Remove it in Microsoft 365 first, or deactivate the connection.")
	}
	is := isDomain(e.name)
	return func(t *directory.Tenant) {
		t.Domains = slices.DeleteFunc(slices.Clone(t.Domains), func(d directory.Domain) bool { return is(d) && d.Lost() })
	}, nil
}

func (e domainRelease) finish(ctx context.Context, c *directory.Connection) error {
	if c.ClaimsDomain(e.name) {
		return nil // the tenant has it again
	}
	return e.claims.ReleaseDomains(ctx, c, []string{e.name})
}

// editDomains changes the claimed domains of a connection in effect, while nobody
// else works on its epoch.
func (s *Service) editDomains(ctx context.Context, by directory.Caller, id directory.ConnectionID, edit domainEdit) (directory.Connection, error) {
	seen, err := s.stores.Connections.Connection(ctx, id)
	if err != nil {
		return seen, err
	}
	if err := mayEditDomains(&seen, by); err != nil {
		return seen, err
	}
	var c directory.Connection
	err = s.withLeaseSoon(ctx, id, seen.Epoch, confirmLease, func(ctx context.Context) (err error) {
		c, err = s.editDomainsUnderLease(ctx, by, &seen, edit)
		return err
	})
	if claimed, ok := errors.AsType[*directory.Claimed](err); ok {
		return seen, directory.Refuse(claimed, directory.CodeDomainClaimed, fmt.Sprintf("The domain %s is claimed by the connection %s.", claimed.Name, s.connectionName(ctx, claimed.Holder)),
			"Use that connection for its users, or have it give the domain up; nothing was claimed.")
	}
	switch {
	case errors.Is(err, errUnchanged):
		return c, nil
	case errors.Is(err, errConnectionChanged):
		return seen, directory.Refuse(directory.ErrConflict, directory.CodeConnectionChanged, "The connection has changed meanwhile.", "Read it again, then repeat.")
	case err == nil:
		s.wake(ctx, id)
	}
	return c, err
}

// mayEditDomains refuses with the reason.
func mayEditDomains(c *directory.Connection, by directory.Caller) error {
	if !by.Approve || by.Subject == "" {
		return directory.Refuse(directory.ErrForbidden, directory.CodeApproveMissing, "Only a caller with the scope bindery/approve may change which domains are claimed.", "Let such a caller do it.")
	}
	if !c.InEffect() {
		return directory.Refuse(directory.ErrConflict, directory.CodeNotActive, "The connection is "+string(c.Status)+": it claims nothing.", nextAgain)
	}
	return nil
}

// editDomainsUnderLease returns the record as it is afterwards, also when there was
// nothing to be done.
func (s *Service) editDomainsUnderLease(ctx context.Context, by directory.Caller, seen *directory.Connection, edit domainEdit) (directory.Connection, error) {
	prior, err := s.stores.Connections.Connection(ctx, seen.ID)
	if err != nil {
		return prior, err
	}
	if prior.Epoch != seen.Epoch || !prior.InEffect() {
		return prior, errConnectionChanged
	}
	change, err := edit.prepare(ctx, &prior)
	if err != nil {
		return prior, err
	}
	c, err := s.stores.Connections.ModifyConnection(ctx, by.AuditEvent(edit.kind()), seen.ID, func(c *directory.Connection) error {
		if c.Authorization() != prior.Authorization() || !c.InEffect() {
			return errConnectionChanged
		}
		t := *c.Tenant
		change(&t)
		c.Tenant = &t
		return nil
	})
	if err != nil {
		return c, err
	}
	return c, edit.finish(ctx, &c)
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
