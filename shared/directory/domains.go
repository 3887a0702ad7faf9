package directory

import (
	"slices"
	"sort"
	"time"
)

// DomainsEvery is how often a tenant's domains are read at most because of rounds,
// and how often because of refusals, however often there are such. An admin who
// asks for all to be read, or for a check, has them read.
const DomainsEvery = 15 * time.Minute

// Lost reports whether a claimed domain is not a verified one of the tenant any
// more. It stays claimed until an admin gives it up, and no address can lie in it.
func (d Domain) Lost() bool { return !d.LostSince.IsZero() }

// WithDomains returns the tenant with its domains as they are now: what is known
// of the claimed ones is brought up to date, those that are not verified any more
// are marked as lost, and verified ones that are not claimed are offered. verified
// must be all that there are; a tenant always has one, so that none at all is no
// answer, and changes nothing.
func (t Tenant) WithDomains(verified []Domain, now time.Time) (next Tenant, changed bool) {
	if len(verified) == 0 {
		return t, false
	}
	next = t
	next.Domains, next.Offered = nil, nil
	for _, had := range t.Domains {
		i := slices.IndexFunc(verified, had.sameName)
		switch {
		case i >= 0:
			d := verified[i]
			d.Name, d.LostSince = had.Name, time.Time{}
			had = d
		case !had.Lost():
			had.LostSince, had.IsDefault = now.UTC(), false
		}
		next.Domains = append(next.Domains, had)
	}
	for _, d := range verified {
		if !slices.ContainsFunc(t.Domains, d.sameName) {
			next.Offered = append(next.Offered, d)
		}
	}
	sort.Slice(next.Offered, func(i, j int) bool { return FoldDomain(next.Offered[i].Name) < FoldDomain(next.Offered[j].Name) })
	same := func(a, b Domain) bool {
		at := a.LostSince.Equal(b.LostSince)
		a.LostSince, b.LostSince = time.Time{}, time.Time{}
		return at && a == b
	}
	return next, !slices.EqualFunc(t.Domains, next.Domains, same) || !slices.EqualFunc(t.Offered, next.Offered, same)
}

// VerifiedDomains are those of a tenant's domains that are verified.
func VerifiedDomains(all []TenantDomain) []Domain {
	var list []Domain
	for i := range all {
		if all[i].Verified {
			list = append(list, all[i].Domain)
		}
	}
	return list
}

// Claim moves offered domains to the claimed ones; those that are not offered are
// left.
func (t *Tenant) Claim(names []string) {
	domains, offered := slices.Clone(t.Domains), []Domain(nil)
	for _, d := range t.Offered {
		if slices.ContainsFunc(names, func(n string) bool { return d.sameName(Domain{Name: n}) }) {
			domains = append(domains, d)
		} else {
			offered = append(offered, d)
		}
	}
	t.Domains, t.Offered = domains, offered
}

func (d Domain) sameName(other Domain) bool { return FoldDomain(d.Name) == FoldDomain(other.Name) }
