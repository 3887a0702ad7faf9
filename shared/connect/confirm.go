package connect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"bindery/shared/directory"
)

// confirmWithin is how long an authorisation waits for its confirmation.
const confirmWithin = 24 * time.Hour

// Confirm says that the tenant is the right one, as seen by the admin who asked
// for the authorisation or by a caller who may approve. Only then are the
// tenant's domains claimed and may anything be synced. Confirming what is
// active already, with the right tenant, is no error.
func (s *Service) Confirm(ctx context.Context, id directory.ConnectionID, tenant directory.TenantID, by Caller) (directory.Connection, error) {
	seen, err := s.store.Connection(ctx, id)
	if err != nil {
		return seen, err
	}
	if err := s.confirmable(&seen, tenant, by); err != nil {
		return seen, err
	}
	if seen.Status == directory.StatusActive {
		return seen, nil
	}
	var c directory.Connection
	err = s.exclusiveSoon(ctx, id, seen.Epoch, confirmLease, func(ctx context.Context) (err error) {
		c, err = s.confirmHeld(ctx, id, seen.Epoch, tenant, by)
		return err
	})
	if claimed, ok := errors.AsType[*directory.Claimed](err); ok {
		return seen, s.refuseClaimed(ctx, claimed)
	}
	if errors.Is(err, errMoved) {
		return seen, directory.Refuse(directory.ErrConflict, "connection-changed", "The connection has changed meanwhile.", "Read it again, then confirm.")
	}
	if err != nil {
		return seen, err
	}
	s.wake(ctx, id)
	if c.Epoch > 1 { // in case the sweep of the last deactivation was lost
		if err := s.queue.WakeSweep(ctx, id, 0); err != nil {
			s.cfg.Log.Warn("the sweep was not woken", "connectionId", string(id), "error", err)
		}
	}
	return c, nil
}

// confirmHeld claims and activates while nobody else works on the epoch. All it
// does before the last write may be repeated, or dies with the epoch.
func (s *Service) confirmHeld(ctx context.Context, id directory.ConnectionID, epoch int64, tenant directory.TenantID, by Caller) (directory.Connection, error) {
	c, err := s.store.Connection(ctx, id)
	if err != nil {
		return c, err
	}
	if c.Epoch != epoch {
		return c, errMoved
	}
	if err := s.confirmable(&c, tenant, by); err != nil || c.Status == directory.StatusActive {
		return c, err
	}
	if _, err := s.readTokens(ctx, tokenKey{id, epoch}); err != nil {
		if errors.Is(err, directory.ErrNotFound) || errors.Is(err, errSecret) {
			return c, directory.Refuse(directory.ErrConflict, "authorization-incomplete", "The last authorisation was not stored completely.", nextAgain)
		}
		return c, fmt.Errorf("confirm: %w: %w", directory.ErrBusy, err)
	}
	if err := s.store.ClaimTenant(ctx, &c, c.Tenant.ID); err != nil {
		return c, err
	}
	if err := s.store.ClaimDomains(ctx, &c, domainNames(c.Tenant)); err != nil {
		return c, err
	}
	at := c.AuthorizedAt
	return s.store.ModifyConnection(ctx, id, func(c *directory.Connection) error {
		if c.Epoch != epoch || c.Status != directory.StatusAwaitingConfirmation || !c.AuthorizedAt.Equal(at) {
			return errMoved
		}
		c.Status, c.Trouble = directory.StatusActive, nil
		return nil
	})
}

// confirmable refuses with the reason.
func (s *Service) confirmable(c *directory.Connection, tenant directory.TenantID, by Caller) error {
	conflict := func(code, detail, next string) error {
		return directory.Refuse(directory.ErrConflict, code, detail, next)
	}
	if !by.Approve && (by.Subject == "" || by.Subject != c.RequestedBy) {
		return directory.Refuse(directory.ErrForbidden, "not-the-requester",
			"Only the admin who asked for the authorisation, or a caller with the scope bindery/approve, may confirm it.",
			"Let that admin confirm, or use a token with bindery/approve.")
	}
	switch c.Status {
	case directory.StatusPending:
		return conflict("not-authorized", "No admin of a tenant has authorised the connection yet, or not in time.",
			"Open the authorization URL, sign in, then confirm within 24 hours.")
	case directory.StatusDeactivated:
		return conflict("deactivated", "The connection is deactivated.", nextAgain)
	case directory.StatusNeedsAuthorization:
		return conflict("needs-authorization", "The connection was confirmed already and needs a new authorisation.", nextAgain)
	}
	if c.Tenant == nil || !strings.EqualFold(strings.TrimSpace(string(tenant)), string(c.Tenant.ID)) {
		return directory.Refuse(directory.ErrInvalid, "wrong-tenant", "The tenantId is not that of the tenant that was signed in to.",
			"Read the connection, check that its tenant is the right one, and confirm with its ID. If it is not, deactivate the connection and make a new one.")
	}
	if c.Status == directory.StatusAwaitingConfirmation && !s.now().Before(c.AuthorizedAt.Add(confirmWithin)) {
		return conflict("authorization-expired", "The authorisation was not confirmed within 24 hours.", nextAgain)
	}
	return nil
}

func (s *Service) refuseClaimed(ctx context.Context, e *directory.Claimed) error {
	return directory.Refuse(e, e.What+"-claimed",
		fmt.Sprintf("The %s %s is held by the connection %s.", e.What, e.Name, s.holder(ctx, e.Holder)),
		"Use that connection, or deactivate it first; then confirm again.")
}
