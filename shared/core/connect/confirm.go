package connect

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"strings"
	"time"

	"bindery/shared/directory"
)

// ConfirmWithin is how long a sign-in waits for its confirmation.
const ConfirmWithin = 24 * time.Hour

// Confirm says that a sign-in is the right one: of the right tenant, and by the
// right account there. Only then does it take effect. It takes a caller who may
// approve, and by the settings (fourEyes) not the one who asked for the
// authorisation. For a connection that has no identity in effect, the tenant's
// domains are claimed, and syncing begins. Confirming what is in effect already,
// while nothing else waits, is no error.
func (s *Service) Confirm(ctx context.Context, by directory.Caller, id directory.ConnectionID, tenant directory.TenantID, admin directory.AccountID) (directory.Connection, error) {
	named := identity{directory.TenantID(fold(tenant)), directory.AccountID(fold(admin))}
	seen, err := s.stores.Connections.Connection(ctx, id)
	if err != nil {
		return seen, err
	}
	if err := s.confirmable(&seen, named, by); err != nil || seen.Waiting == nil {
		return seen, err
	}
	var c directory.Connection
	err = s.withLeaseSoon(ctx, id, seen.Epoch, confirmLease, func(ctx context.Context) (err error) {
		c, err = s.confirmUnderLease(ctx, by, id, seen.Epoch, named)
		return err
	})
	if claimed, ok := errors.AsType[*directory.Claimed](err); ok {
		return seen, s.refuseClaimed(ctx, claimed)
	}
	if errors.Is(err, errConnectionChanged) {
		return seen, directory.Refuse(directory.ErrConflict, directory.CodeConnectionChanged, "The connection has changed meanwhile.", "Read it again, then confirm.")
	}
	if err != nil {
		return seen, err
	}
	s.dropTokens(keyOf(&seen))
	for _, f := range c.Former { // the schedule does it again, and strikes them off
		s.deleteSecret(ctx, id, f)
	}
	s.wake(ctx, id)
	if c.Epoch > 1 { // in case the sweep of the last deactivation was lost
		if err := s.queue.WakeSweep(ctx, id, 0); err != nil {
			s.cfg.Log.Warn("the sweep was not woken", "connectionId", string(id), "error", err)
		}
	}
	return c, nil
}

// fold brings an ID as a person typed it into the form that records have.
func fold[T ~string](id T) string { return strings.ToLower(strings.TrimSpace(string(id))) }

// confirmUnderLease claims and activates while nobody else works on the epoch. All it
// does before the last write may be repeated, or dies with the epoch.
func (s *Service) confirmUnderLease(ctx context.Context, by directory.Caller, id directory.ConnectionID, epoch int64, named identity) (directory.Connection, error) {
	c, err := s.stores.Connections.Connection(ctx, id)
	if err != nil {
		return c, err
	}
	if c.Epoch != epoch {
		return c, errConnectionChanged
	}
	if err := s.confirmable(&c, named, by); err != nil || c.Waiting == nil {
		return c, err
	}
	in := *c.Waiting
	sealKey, err := s.stateKey(ctx)
	if err != nil {
		return c, err
	}
	if err := checkSignInSeal(sealKey, &c, &in); err != nil {
		return c, err
	}
	key := keyOfSignIn(&c, &in)
	set, err := s.waitingTokens(ctx, key, &in)
	if err != nil {
		return c, err
	}
	if err := s.claimConfirmed(ctx, &c, &in); err != nil {
		return c, err
	}
	if err := s.markConfirmed(ctx, key, set); err != nil {
		return c, err
	}
	return s.putConfirmed(ctx, by, &c, &in, directory.Confirmation{By: by.Subject, At: s.now(), Seal: sealIdentity(sealKey, key)})
}

// checkSignInSeal refuses a sign-in that waits and is not as Bindery wrote it. One
// that an earlier version stored has no ID, and no seal.
func checkSignInSeal(key directory.Secret, c *directory.Connection, in *directory.SignIn) error {
	if in.ID == "" || hmac.Equal([]byte(in.Seal), []byte(sealSignIn(key, c, in))) {
		return nil
	}
	return directory.Refuse(directory.ErrConflict, directory.CodeSignInAltered, "What the connection shows of the sign-in that waits is not what Bindery wrote; nothing was confirmed.",
		"Find out who can write to the table. "+nextAgain)
}

// claimConfirmed claims the tenant and the domains of a sign-in that is being
// confirmed, and notes on it which domains are held.
func (s *Service) claimConfirmed(ctx context.Context, c *directory.Connection, in *directory.SignIn) error {
	if err := s.stores.Claims.ClaimTenant(ctx, c, in.Tenant.ID); err != nil {
		return err
	}
	if !c.InEffect() {
		return s.stores.Claims.ClaimDomains(ctx, c, domainNames(&in.Tenant))
	}
	held := s.claimable(ctx, c, in.Tenant.Domains)
	in.Tenant.Domains, in.Tenant.Offered = s.keepLostDomains(c, held, in.Tenant.Domains)
	return nil
}

// markConfirmed notes beside the tokens that their identity was confirmed.
func (s *Service) markConfirmed(ctx context.Context, key tokenKey, set tokenSet) error {
	if !set.hasIdentity() || set.confirmed {
		return nil
	}
	set.confirmed = true
	if err := s.putTokens(ctx, key, set); err != nil {
		return fmt.Errorf("confirm: %w: %w", directory.ErrBusy, err)
	}
	return nil
}

// putConfirmed is the one write by which a sign-in takes effect, if the connection
// is still as it was examined.
func (s *Service) putConfirmed(ctx context.Context, by directory.Caller, examined *directory.Connection, in *directory.SignIn, confirmation directory.Confirmation) (directory.Connection, error) {
	return s.stores.Connections.ModifyConnection(ctx, by.AuditEvent(directory.AuditConfirmConnection), examined.ID, func(c *directory.Connection) error {
		waits := c.Waiting != nil && c.Waiting.ID == in.ID && c.Waiting.At.Equal(in.At)
		if c.Epoch != examined.Epoch || !waits || keyOf(c) != keyOf(examined) {
			return errConnectionChanged
		}
		if c.InEffect() {
			c.Former = append(c.Former, directory.FormerSignIn{ID: c.SignInID, Epoch: c.Epoch, Since: s.now()})
		}
		putInEffect(c, in)
		c.Waiting = nil
		c.Confirmation = &confirmation
		return nil
	})
}

// waitingTokens reads the tokens of a sign-in that is being confirmed. They are
// the identity's that was named, or nothing is confirmed.
func (s *Service) waitingTokens(ctx context.Context, key tokenKey, in *directory.SignIn) (tokenSet, error) {
	set, err := s.readUnconfirmed(ctx, key)
	switch {
	case err == nil:
		return set, nil
	case errors.Is(err, errForeign):
		return set, directory.Refuse(directory.ErrConflict, directory.CodeTokensOfAnotherIdentity,
			"The stored tokens are not those of the identity that waits, and are not used.", "Find out who wrote to Bindery's table or secrets. "+nextAgain)
	case errors.Is(err, errSecret), errors.Is(err, directory.ErrNotFound) && s.now().Sub(in.At) >= time.Minute:
		return set, directory.Refuse(directory.ErrConflict, directory.CodeAuthorizationIncomplete, "The last authorisation was not stored completely.", nextAgain)
	}
	return set, fmt.Errorf("confirm: %w: %w", directory.ErrBusy, err)
}

// confirmable refuses with the reason.
func (s *Service) confirmable(c *directory.Connection, named identity, by directory.Caller) error {
	conflict := func(code, detail, next string) error {
		return directory.Refuse(directory.ErrConflict, code, detail, next)
	}
	if !by.Approve || by.Subject == "" {
		return directory.Refuse(directory.ErrForbidden, directory.CodeApproveMissing,
			"Only a caller with the scope bindery/approve may confirm an authorisation.", "Let such a caller confirm.")
	}
	if err := checkNamed(named); err != nil {
		return err
	}
	in := c.Waiting
	if in == nil {
		return nothingWaits(c, named)
	}
	waits := identityOf(&in.Tenant, &in.AuthorizedBy)
	if named != waits {
		code := directory.CodeWrongIdentity
		if named.TenantID != waits.TenantID {
			code = directory.CodeWrongTenant
		}
		return conflict(code, fmt.Sprintf("You named the account %s of the tenant %s; what waits is the account %s (%s) of the tenant %s (%s).",
			named.ObjectID, named.TenantID, waits.ObjectID, in.AuthorizedBy.UserPrincipalName, waits.TenantID, in.Tenant.DisplayName),
			"Find out whether that account is the one that was asked to sign in. If it is, confirm with its tenantId and objectId; if not, do not confirm: after 24 hours its tokens are deleted.")
	}
	if err := c.Settings.OtherEyes(by.Subject, in.RequestedBy); err != nil {
		return err
	}
	if s.confirmationOverdue(c) {
		return conflict(directory.CodeAuthorizationExpired, "The authorisation was not confirmed within 24 hours.", nextAgain)
	}
	return nil
}

// checkNamed wants both parts of an identity.
func checkNamed(named identity) error {
	refuse := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidConfirmation, "A confirmation names who signed in: tenant and account. Nothing was confirmed.",
		"Read the connection; its member waiting shows both. Confirm them only if you know them to be right.")
	if named.TenantID == "" {
		refuse.Fields = append(refuse.Fields, directory.FieldError{Field: "tenantId", Detail: "must be the ID of the tenant that was signed in to (waiting.tenant.id)"})
	}
	if named.ObjectID == "" {
		refuse.Fields = append(refuse.Fields, directory.FieldError{Field: "objectId", Detail: "must be the object ID of the account that signed in (waiting.authorizedBy.objectId)"})
	}
	if refuse.Fields == nil {
		return nil
	}
	return refuse
}

// nothingWaits says why there is nothing to confirm; nil when the named identity
// is the one in effect.
func nothingWaits(c *directory.Connection, named identity) error {
	code, detail, next := directory.CodeDeactivated, "The connection is deactivated.", nextAgain
	switch effect := identityOf(c.Tenant, c.AuthorizedBy); {
	case c.Status == directory.StatusActive && named == effect:
		return nil
	case c.Status == directory.StatusActive:
		code, next = directory.CodeNothingWaits, "If that account is to take its place: "+nextAgain
		detail = fmt.Sprintf("Nothing waits for a confirmation. You named the account %s of the tenant %s; in effect is the account %s (%s) of the tenant %s (%s).",
			named.ObjectID, named.TenantID, effect.ObjectID, c.AuthorizedBy.UserPrincipalName, effect.TenantID, c.Tenant.DisplayName)
	case c.Status == directory.StatusPending:
		code, detail = directory.CodeNotAuthorized, "No admin of a tenant has authorised the connection yet, or not in time."
		next = "Open the authorization URL, sign in, then confirm within 24 hours."
	case c.Status == directory.StatusNeedsAuthorization:
		code, detail = directory.CodeNeedsAuthorization, "The connection was confirmed already and needs a new authorisation."
	}
	return directory.Refuse(directory.ErrConflict, code, detail, next)
}

func (s *Service) refuseClaimed(ctx context.Context, e *directory.Claimed) error {
	return directory.Refuse(e, e.What+"-claimed",
		fmt.Sprintf("The %s %s is held by the connection %s.", e.What, e.Name, s.connectionName(ctx, e.Holder)),
		"Use that connection, or deactivate it first; then confirm again.")
}
