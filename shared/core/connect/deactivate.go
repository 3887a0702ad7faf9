package connect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
)

// Deactivated is the answer to a deactivation.
type Deactivated struct {
	Released int                        `json:"released"` // bindings that were un-selected by it
	Status   directory.ConnectionStatus `json:"status"`
	// MayRemove says what an admin may still remove at Microsoft.
	MayRemove []string `json:"mayRemove,omitempty"`
}

// Deactivate lets a connection go, from any status: one conditional write
// raises its epoch, from which on no binding, claim, state or token of it
// counts. Then its secrets are deleted; what fails of that, the sweep repeats. No
// account and no user is written. Doing it twice is no error.
func (s *Service) Deactivate(ctx context.Context, by directory.Caller, id directory.ConnectionID) (Deactivated, error) {
	c, did, err := s.stores.Epochs.DeactivateConnection(ctx, by.AuditEvent(directory.AuditDeactivateConnection), id)
	if err != nil {
		return Deactivated{}, err
	}
	s.dropPastTokens(&c)
	// The epoch has passed: what follows must not end with the caller's patience.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	for _, f := range c.Former {
		s.deleteSecret(ctx, id, f)
	}
	out := Deactivated{Status: c.Status, MayRemove: mayRemove(&c, s.cfg.ClientID)}
	if did {
		s.cfg.Log.Info("connection deactivated", "connectionId", string(id), "epoch", c.Epoch, "by", by.Subject)
		if out.Released, err = s.stores.Counts.BoundCount(ctx, id, c.Epoch-1); err != nil {
			s.cfg.Log.Warn("the released bindings could not be counted", "connectionId", string(id), "error", err)
		}
	}
	if err := s.queue.WakeSweep(ctx, id, sweepDelay); err != nil {
		s.cfg.Log.Warn("the sweep was not queued; Expire does it", "connectionId", string(id), "error", err)
	}
	return out, nil
}

// deleteSecret deletes a secret that is not in use now; Expire and the sweep do it
// again.
func (s *Service) deleteSecret(ctx context.Context, id directory.ConnectionID, f directory.FormerSignIn) {
	if err := s.vault.Delete(ctx, secretName(id, f.Epoch, f.ID)); err != nil {
		s.cfg.Log.Warn("a secret that is not in use was not deleted yet; the schedule does it", "connectionId", string(id), "epoch", f.Epoch, "error", err)
	}
}

// mayRemove is what ends the access at Microsoft's side as well. We do none of
// it: ending the admin's sessions would sign him out everywhere, and removing
// grants needs permissions that Bindery never asks for.
func mayRemove(c *directory.Connection, clientID string) []string {
	if c.Tenant == nil {
		return nil
	}
	app := "Bindery's app"
	if clientID != "" {
		app = "the app with the ID " + clientID
	}
	out := []string{fmt.Sprintf("In the Entra admin center of %s: Enterprise applications, %s: delete it, which takes back every permission given to it.", c.Tenant.DisplayName, app)}
	if c.AuthorizedBy != nil {
		out = append(out, fmt.Sprintf("If the account %s served Bindery only: revoke its sessions (Users, Revoke sessions; this signs it out everywhere), remove its roles, or delete it.", c.AuthorizedBy.UserPrincipalName))
	}
	return append(out, "Access tokens that Microsoft gave out before end by themselves after about an hour. Bindery has deleted its own.")
}

// SweepSecrets deletes the secrets of all epochs of a connection that have
// passed. An error means that one may be left, and that the sweep must come
// again.
func (s *Service) SweepSecrets(ctx context.Context, id directory.ConnectionID) error {
	c, err := s.stores.Connections.Connection(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		return nil // Delete removed its secrets before its record
	}
	if err != nil {
		return err
	}
	return s.deletePast(ctx, &c)
}

// deletePast deletes the secrets of past epochs: those that the record names,
// and those that earlier versions named by the epoch alone.
func (s *Service) deletePast(ctx context.Context, c *directory.Connection) error {
	s.dropPastTokens(c)
	var all error
	remove := func(f directory.FormerSignIn) {
		if err := s.vault.Delete(ctx, secretName(c.ID, f.Epoch, f.ID)); err != nil {
			all = errors.Join(all, fmt.Errorf("delete a secret of epoch %d: %w", f.Epoch, err))
		}
	}
	for epoch := c.Epoch - 1; epoch >= 1; epoch-- {
		remove(directory.FormerSignIn{Epoch: epoch})
	}
	for _, f := range c.Former {
		if f.Epoch < c.Epoch && f.ID != "" {
			remove(f)
		}
	}
	return all
}

// Delete removes a deactivated connection: its secrets first, then its record,
// so that no secret is left that no record names.
func (s *Service) Delete(ctx context.Context, by directory.Caller, id directory.ConnectionID) error {
	c, err := s.stores.Connections.Connection(ctx, id)
	if err != nil {
		return err
	}
	err = s.withLease(ctx, id, c.Epoch, tokenLease, func(ctx context.Context) error { return s.deleteUnderLease(ctx, by, id) })
	if err != nil && errors.Is(err, errLeaseTaken) {
		return directory.Refuse(directory.ErrBusy, directory.CodeAuthorizationUnderWay, "Somebody authorises the connection at this moment.", "Try again in a minute.")
	}
	return err
}

// deleteUnderLease deletes while no sign-in can be stored.
func (s *Service) deleteUnderLease(ctx context.Context, by directory.Caller, id directory.ConnectionID) error {
	c, err := s.stores.Connections.Connection(ctx, id)
	if err != nil {
		return err
	}
	refuse := directory.Refuse(directory.ErrConflict, directory.CodeNotDeactivated, "Only a deactivated connection can be deleted.", "Deactivate it first.")
	if c.Status != directory.StatusDeactivated {
		return refuse
	}
	if err := errors.Join(s.deletePast(ctx, &c), s.clearAway(ctx, &c, c.Former)); err != nil {
		return fmt.Errorf("%w: %w", directory.ErrBusy, err)
	}
	err = s.stores.Connections.DeleteConnection(ctx, by.AuditEvent(directory.AuditDeleteConnection), id)
	if errors.Is(err, directory.ErrConflict) {
		return refuse
	}
	return err
}
