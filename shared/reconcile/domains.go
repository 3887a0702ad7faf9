package reconcile

import (
	"context"
	"errors"

	"bindery/shared/directory"
)

// speaksOfDomains are the refusals of writes after which the tenant's domains may
// not be what we believe.
var speaksOfDomains = map[string]bool{"domain-not-verified": true, "immutable-id-required": true, "password-federated": true}

// readDomains reads which domains the tenant has now, unless that was done a short
// while ago. When they are not what the connection's record says the slice ends:
// the next one begins with the record as it is now. That they cannot be read keeps
// nobody's account waiting.
func (w *worker) readDomains(ctx context.Context) error {
	w.doubtDomains = false
	if w.now().Sub(w.lease.Pace.DomainsAt) < directory.DomainsEvery {
		return nil
	}
	if err := w.prepare(ctx); err != nil {
		return err
	}
	if err := w.units(ctx, 1); err != nil {
		return err
	}
	list, err := awaited(ctx, w, w.tenant.TenantDomains)
	if _, ended := errors.AsType[interrupted](err); ended {
		return err
	}
	if _, throttled := errors.AsType[*directory.ThrottledError](err); throttled || errors.Is(err, directory.ErrUnauthorized) {
		return err
	}
	w.lease.Pace.DomainsAt = w.now().UTC()
	if err != nil {
		w.log().Warn("the tenant's domains could not be read", "connectionId", w.conn.ID, "error", err)
		return nil
	}
	now, err := w.Store.NoteDomains(ctx, &w.conn, directory.VerifiedDomains(list))
	if err != nil {
		return err
	}
	if now.Version == w.conn.Version {
		return nil
	}
	w.log().Info("the tenant's domains have changed", "connectionId", w.conn.ID)
	return &errPause{after: 0, why: "the tenant's domains have changed"}
}
