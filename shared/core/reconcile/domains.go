package reconcile

import (
	"context"
	"errors"
	"slices"

	"bindery/shared/directory"
)

// speaksOfDomains are the refusals of writes after which the tenant's domains may
// not be what we believe.
var speaksOfDomains = map[string]bool{"domain-not-verified": true, "immutable-id-required": true, "password-federated": true}

// doubtedDomains reads the tenant's domains because of a refusal, however lately a
// round has done so, though not for each refusal.
func (w *worker) doubtedDomains(ctx context.Context) error {
	w.doubtDomains = false
	before := w.lease.Pace
	if w.now().Sub(before.DoubtedAt) < directory.DomainsEvery && w.now().Sub(before.DomainsAt) < directory.DomainsEvery {
		return nil
	}
	err := w.readDomains(ctx)
	if pace := &w.lease.Pace; !pace.DomainsAt.Equal(before.DomainsAt) {
		pace.DoubtedAt = pace.DomainsAt
	}
	return err
}

// roundsDomains reads the tenant's domains for a full round, unless that was done a
// short while ago. A run of an admin who asked for all to be read has its own look.
func (w *worker) roundsDomains(ctx context.Context, demand directory.RunID) error {
	before := w.lease.Pace
	asked := demand != "" && demand != before.DomainsFor
	if w.now().Sub(before.DomainsAt) < directory.DomainsEvery && !asked {
		return nil
	}
	err := w.readDomains(ctx)
	if pace := &w.lease.Pace; !pace.DomainsAt.Equal(before.DomainsAt) {
		pace.DomainsFor = demand
	}
	return err
}

// lostDomainDue reports whether it is time to look whether a domain that the tenant
// has lost has come back: its users wait for that, and no other round would find it
// for a day.
func (w *worker) lostDomainDue() bool {
	return w.conn.Tenant != nil && slices.ContainsFunc(w.conn.Tenant.Domains, directory.Domain.Lost) &&
		w.now().Sub(w.lease.Pace.DomainsAt) >= directory.DomainsEvery
}

// readDomains reads which domains the tenant has now. When they are not what the
// connection's record says the slice ends: the next one begins with the record as it
// is now. That they cannot be read keeps nobody's account waiting.
func (w *worker) readDomains(ctx context.Context) error {
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
