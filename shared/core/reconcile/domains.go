package reconcile

import (
	"context"
	"errors"
	"slices"

	"bindery/shared/directory"
)

// speaksOfDomains are the refusals of writes after which the tenant's domains may
// not be what we believe.
var speaksOfDomains = map[string]bool{directory.CodeDomainNotVerified: true, directory.CodeImmutableIDRequired: true, directory.CodePasswordFederated: true}

// domainReader reads which domains the tenant has.
type domainReader struct {
	s           *session
	tenant      Tenant
	connections connectionStore
	// doubted says that Microsoft has refused something for the tenant's domains:
	// they may be others than we believe.
	doubted bool
}

// readDoubted reads the tenant's domains because of a refusal, however lately a
// round has done so, though not for each refusal.
func (d *domainReader) readDoubted(ctx context.Context, l lane) error {
	d.doubted = false
	before := d.s.lease.Pace
	if d.s.now().Sub(before.DoubtedAt) < directory.DomainsEvery && d.s.now().Sub(before.DomainsAt) < directory.DomainsEvery {
		return nil
	}
	err := d.read(ctx, l)
	if pace := &d.s.lease.Pace; !pace.DomainsAt.Equal(before.DomainsAt) {
		pace.DoubtedAt = pace.DomainsAt
	}
	return err
}

// readForRound reads the tenant's domains for a full round, unless that was done a
// short while ago. A run of an admin who asked for all to be read has its own look.
func (d *domainReader) readForRound(ctx context.Context, l lane, demand directory.RunID) error {
	before := d.s.lease.Pace
	asked := demand != "" && demand != before.DomainsFor
	if d.s.now().Sub(before.DomainsAt) < directory.DomainsEvery && !asked {
		return nil
	}
	err := d.read(ctx, l)
	if pace := &d.s.lease.Pace; !pace.DomainsAt.Equal(before.DomainsAt) {
		pace.DomainsFor = demand
	}
	return err
}

// lostDomainDue reports whether it is time to look whether a domain that the tenant
// has lost has come back: its users wait for that, and no other round would find it
// for a day.
func (s *session) lostDomainDue() bool {
	return s.conn.Tenant != nil && slices.ContainsFunc(s.conn.Tenant.Domains, directory.Domain.Lost) &&
		s.now().Sub(s.lease.Pace.DomainsAt) >= directory.DomainsEvery
}

// read reads which domains the tenant has now. When they are not what the
// connection's record says the slice ends: the next one begins with the record as it
// is now. That they cannot be read keeps nobody's account waiting.
func (d *domainReader) read(ctx context.Context, l lane) error {
	if err := d.s.units(ctx, l, 1); err != nil {
		return err
	}
	list, err := awaited(ctx, d.s, l, d.tenant.TenantDomains)
	if _, ended := errors.AsType[interrupted](err); ended {
		return err
	}
	if _, throttled := errors.AsType[*directory.ThrottledError](err); throttled || errors.Is(err, directory.ErrUnauthorized) {
		return err
	}
	d.s.lease.Pace.DomainsAt = d.s.now().UTC()
	if err != nil {
		d.s.log.Warn("the tenant's domains could not be read", "connectionId", d.s.conn.ID, "error", err)
		return nil
	}
	now, err := d.connections.NoteDomains(ctx, &d.s.conn, directory.VerifiedDomains(list))
	if err != nil {
		return err
	}
	if now.Version == d.s.conn.Version {
		return nil
	}
	d.s.log.Info("the tenant's domains have changed", "connectionId", d.s.conn.ID)
	return &errPause{after: 0, why: "the tenant's domains have changed"}
}
