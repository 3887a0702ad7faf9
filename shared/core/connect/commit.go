package connect

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
)

// errConnectionChanged: the connection is not any more what it was when it was examined.
var errConnectionChanged = errors.New("the connection has changed meanwhile")

// commit stores a good sign-in, while nobody else works on the epoch's tokens:
//
//	announce   the record names the secret that is about to be
//	claim      the tenant, which only one connection may have
//	create     the secret
//	switch     one conditional write: the sign-in takes effect, or waits
//
// Whatever ends it on the way leaves the record showing what it showed, and the
// name by which Expire finds what is to be cleared away.
func (s *Service) commit(ctx context.Context, g *verifiedSignIn) Page {
	id, epoch := g.state.ConnectionID, g.state.Epoch
	var page Page
	err := s.withLeaseSoon(ctx, id, epoch, tokenLease, func(ctx context.Context) error {
		c, err := s.stores.Connections.Connection(ctx, id)
		if err != nil {
			return err
		}
		if c.Epoch != epoch {
			return errConnectionChanged
		}
		if other := otherTenant(&c, &g.tenant); other != nil {
			page = *other
			return nil
		}
		page, err = s.commitUnderLease(ctx, &c, g)
		return err
	})
	if claimed, ok := errors.AsType[*directory.Claimed](err); ok {
		return *s.pageClaimed(ctx, claimed, &g.tenant)
	}
	switch {
	case errors.Is(err, errConnectionChanged), errors.Is(err, directory.ErrNotFound):
		return pageOutdated
	case err != nil:
		return *s.ourFault(ctx, pageNotStored, "an authorisation could not be stored", id, err)
	}
	return page
}

func (s *Service) commitUnderLease(ctx context.Context, c *directory.Connection, g *verifiedSignIn) (Page, error) {
	renewal, err := s.isReauthorization(ctx, c, g)
	if err != nil {
		return Page{}, err
	}
	if err := s.announce(ctx, c, g); err != nil {
		return Page{}, err
	}
	if err := s.stores.Claims.ClaimTenant(ctx, c, g.tenant.ID); err != nil {
		if errors.Is(err, directory.ErrConflict) {
			s.withdraw(ctx, c, g)
		}
		return Page{}, err
	}
	key := tokenKey{c.ID, c.Epoch, g.id, g.identity}
	g.tokens.signIn, g.tokens.identity, g.tokens.confirmed = g.id, g.identity, renewal
	if err := s.createTokens(ctx, key, g.tokens); err != nil {
		return Page{}, fmt.Errorf("store tokens: %w", err)
	}
	if renewal {
		return s.reauthorize(ctx, c, g)
	}
	return s.awaitConfirmation(ctx, c, g)
}

// isReauthorization reports whether a sign-in is one more of the identity that is in
// effect and was confirmed. Everybody else waits for a confirmation. The record
// alone does not prove that: who writes to the table cannot make the seal.
func (s *Service) isReauthorization(ctx context.Context, c *directory.Connection, g *verifiedSignIn) (bool, error) {
	if !c.InEffect() || c.Confirmation == nil || identityOf(c.Tenant, c.AuthorizedBy) != g.identity {
		return false, nil
	}
	key, err := s.stateKey(ctx)
	if err != nil {
		return false, err
	}
	return hmac.Equal([]byte(c.Confirmation.Seal), []byte(sealIdentity(key, keyOf(c)))), nil
}

// sealIdentity proves that an identity was confirmed for a connection's epoch.
func sealIdentity(key directory.Secret, of tokenKey) string {
	return derive(key, "confirmed", fmt.Sprintf("%s||%d||%s||%s", of.id, of.epoch, of.identity.TenantID, of.identity.ObjectID))
}

// sealSignIn proves that what waits is what the callback found: who confirms reads
// more of it (names, who asked) than the IDs that stand in the secret.
func sealSignIn(key directory.Secret, c *directory.Connection, in *directory.SignIn) string {
	shown := *in
	shown.Seal = ""
	return sealOf(key, "waiting", fmt.Sprintf("%s||%d", c.ID, c.Epoch), shown)
}

// sealOf is a seal on a record in its JSON form, as what it is used for.
func sealOf(key directory.Secret, label, where string, record any) string {
	text, err := json.Marshal(record)
	if err != nil {
		panic("connect: a record without a JSON form: " + err.Error()) // our own types: it has one
	}
	return derive(key, label, where+"||"+string(text))
}

func isSignIn(id directory.SignInID, epoch int64) func(directory.FormerSignIn) bool {
	return func(f directory.FormerSignIn) bool { return f.ID == id && f.Epoch == epoch }
}

// hasChanged reports whether a connection was let go, or confirmed, since it was read.
// That Microsoft has refused its tokens meanwhile does not matter.
func hasChanged(c, prior *directory.Connection) bool {
	return c.Epoch != prior.Epoch || c.InEffect() != prior.InEffect() || !c.InEffect() && c.Status != prior.Status
}

// announce has the record name the secret that is about to be.
func (s *Service) announce(ctx context.Context, prior *directory.Connection, g *verifiedSignIn) error {
	_, err := s.stores.Connections.ModifyConnection(ctx, directory.AuditEvent{}, prior.ID, func(c *directory.Connection) error {
		if hasChanged(c, prior) {
			return errConnectionChanged
		}
		if !slices.ContainsFunc(c.Former, isSignIn(g.id, c.Epoch)) {
			c.Former = append(slices.Clone(c.Former), directory.FormerSignIn{ID: g.id, Epoch: c.Epoch, Since: s.now(), Tenant: g.tenant.ID})
		}
		return nil
	})
	return err
}

// withdraw takes an announcement back of which nothing came. When it fails,
// Expire does it.
func (s *Service) withdraw(ctx context.Context, prior *directory.Connection, g *verifiedSignIn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	_, err := s.stores.Connections.ModifyConnection(ctx, directory.AuditEvent{}, prior.ID, func(c *directory.Connection) error {
		former := slices.DeleteFunc(slices.Clone(c.Former), isSignIn(g.id, prior.Epoch))
		if len(former) == len(c.Former) {
			return errUnchanged
		}
		c.Former = slices.Clip(former)
		if len(former) == 0 {
			c.Former = nil
		}
		return nil
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		s.cfg.Log.Warn("a refused sign-in is still named on its connection; Expire clears it away", "connectionId", string(prior.ID), "error", err)
	}
}

// putAnnounced is the one write by which an announced sign-in becomes what change
// makes of it. The secret that it takes the place of is listed to be deleted.
func (s *Service) putAnnounced(ctx context.Context, prior *directory.Connection, g *verifiedSignIn, change func(*directory.Connection) (replaced *directory.FormerSignIn, err error)) (directory.Connection, error) {
	return s.stores.Connections.ModifyConnection(ctx, g.auditEvent(), prior.ID, func(c *directory.Connection) error {
		i := slices.IndexFunc(c.Former, isSignIn(g.id, prior.Epoch))
		if hasChanged(c, prior) || i < 0 {
			return errConnectionChanged
		}
		former := slices.Delete(slices.Clone(c.Former), i, i+1)
		replaced, err := change(c)
		if err != nil {
			return err
		}
		if c.Former = former; replaced != nil {
			replaced.Epoch, replaced.Since = c.Epoch, s.now()
			c.Former = append(c.Former, *replaced)
		}
		return nil
	})
}

// awaitConfirmation has a sign-in wait for its confirmation. What is in effect stays so.
func (s *Service) awaitConfirmation(ctx context.Context, prior *directory.Connection, g *verifiedSignIn) (Page, error) {
	key, err := s.stateKey(ctx)
	if err != nil {
		return Page{}, err
	}
	c, err := s.putAnnounced(ctx, prior, g, func(c *directory.Connection) (*directory.FormerSignIn, error) {
		var replaced *directory.FormerSignIn
		if c.Waiting != nil {
			replaced = &directory.FormerSignIn{ID: c.Waiting.ID, Tenant: c.Waiting.Tenant.ID}
		}
		c.Waiting, c.RefusedSignIn = g.record(), nil
		c.Waiting.Seal = sealSignIn(key, c, c.Waiting)
		if !c.InEffect() {
			c.Status = directory.StatusAwaitingConfirmation
		}
		return replaced, nil
	})
	if err != nil {
		return Page{}, err
	}
	return pageWaiting(&c), nil
}

// record is what of a callback the record shows.
func (g *verifiedSignIn) record() *directory.SignIn {
	return &directory.SignIn{
		ID: g.id, Tenant: g.tenant, AuthorizedBy: g.admin, Scopes: g.tokens.scopes, RequestedBy: g.state.RequestedBy, At: g.at,
	}
}

// putInEffect makes a sign-in the one in effect.
func putInEffect(c *directory.Connection, in *directory.SignIn) {
	c.Tenant, c.AuthorizedBy, c.Scopes, c.SignInID = &in.Tenant, &in.AuthorizedBy, in.Scopes, in.ID
	c.RequestedBy, c.AuthorizedAt, c.Problem, c.Status = in.RequestedBy, in.At, nil, directory.StatusActive
	c.RefusedSignIn = nil
}

// reauthorize puts the new tokens of the same identity into effect: bindings and
// epoch stay, and the sync goes on by itself.
func (s *Service) reauthorize(ctx context.Context, prior *directory.Connection, g *verifiedSignIn) (Page, error) {
	g.tenant.Domains, g.tenant.Offered = s.keepLostDomains(prior, s.claimable(ctx, prior, g.tenant.Domains), g.tenant.Domains)
	c, err := s.putAnnounced(ctx, prior, g, func(c *directory.Connection) (*directory.FormerSignIn, error) {
		if keyOf(c) != keyOf(prior) {
			return nil, errConnectionChanged
		}
		replaced := directory.FormerSignIn{ID: c.SignInID}
		putInEffect(c, g.record())
		return &replaced, nil
	})
	if err != nil {
		return Page{}, err
	}
	s.dropTokens(keyOf(prior))
	s.wake(ctx, c.ID)
	return pageReauthorized(&c), nil
}

// claimable returns the domains that the connection may hold: those that it
// has, and new ones that nobody else has. A domain that another connection
// holds must not keep this one from going on.
func (s *Service) claimable(ctx context.Context, c *directory.Connection, domains []directory.Domain) []directory.Domain {
	var held []directory.Domain
	for _, d := range domains {
		if !c.ClaimsDomain(d.Name) {
			if err := s.stores.Claims.ClaimDomains(ctx, c, []string{d.Name}); err != nil {
				s.cfg.Log.Warn("a new domain of the tenant could not be claimed", "connectionId", string(c.ID), "error", err)
				continue
			}
		}
		held = append(held, d)
	}
	return held
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

// otherTenant refuses another tenant than the connection's own. One whose sign-in
// only waits for its confirmation is not that: whoever has the link could keep the
// right tenant out with a wrong one, so the later sign-in takes its place.
func otherTenant(c *directory.Connection, t *directory.Tenant) *Page {
	if c.Tenant == nil || strings.EqualFold(string(c.Tenant.ID), string(t.ID)) {
		return nil
	}
	return pageOtherTenant(c.Tenant, t)
}
