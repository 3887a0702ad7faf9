package portal

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/state"
)

// newDomains completes the domains of a new tenant: one initial, one default.
func newDomains(tx *state.Tx, spec TenantSpec) ([]state.Domain, error) {
	var out []state.Domain
	initial, standard := -1, -1
	for _, d := range spec.Domains {
		d.Name = strings.ToLower(strings.TrimSpace(d.Name))
		if d.AuthenticationType == "" {
			d.AuthenticationType = "Managed"
		}
		if err := checkDomain(d); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(o state.Domain) bool { return o.Name == d.Name }) {
			return nil, fmt.Errorf("domain %s is listed twice", d.Name)
		}
		if holder := tx.DomainHolder(d.Name); holder != nil && d.Verified() {
			return nil, fmt.Errorf("domain %s is verified in the tenant %s", d.Name, holder.ID)
		}
		if d.IsInitial || initial < 0 && strings.HasSuffix(d.Name, ".onmicrosoft.com") {
			if initial >= 0 && out[initial].IsInitial {
				return nil, errors.New("only one domain can be initial")
			}
			initial = len(out)
			d.IsInitial = true
		}
		if d.IsDefault {
			if standard >= 0 {
				return nil, errors.New("only one domain can be default")
			}
			standard = len(out)
		}
		out = append(out, d)
	}
	if initial < 0 {
		initial = len(out)
		out = append(out, state.Domain{Name: initialName(tx, spec.Name), AuthenticationType: "Managed", IsInitial: true})
	}
	if standard < 0 {
		standard = 0
		if !out[0].Verified() {
			standard = initial
		}
		out[standard].IsDefault = true
	}
	return out, nil
}

// initialName invents the *.onmicrosoft.com domain of an organisation.
func initialName(tx *state.Tx, name string) string {
	label := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
	if label == "" {
		label = "tenant"
	}
	full := label + ".onmicrosoft.com"
	for n := 2; tx.DomainHolder(full) != nil; n++ {
		full = fmt.Sprintf("%s%d.onmicrosoft.com", label, n)
	}
	return full
}

func checkDomain(d state.Domain) error {
	switch {
	case !strings.Contains(d.Name, ".") || strings.ContainsAny(d.Name, "@ /"):
		return fmt.Errorf("%q is no domain name", d.Name)
	case d.AuthenticationType != "Managed" && d.AuthenticationType != "Federated":
		return fmt.Errorf("domain %s: authenticationType must be Managed or Federated", d.Name)
	}
	return nil
}

// SetDomain adds a domain to a tenant, or puts another state in place of the one
// it has: verified, federated with a configuration, or the default one.
func (p *Portal) SetDomain(tenantID string, spec state.Domain) error {
	spec.Name = strings.ToLower(strings.TrimSpace(spec.Name))
	tx := p.state.Begin()
	defer tx.End()
	t := tx.Tenant(tenantID)
	if t == nil {
		return state.ErrNoTenant
	}
	list := slices.Clone(t.Domains)
	i := domainIndex(list, spec.Name)
	if i >= 0 {
		spec.IsInitial = list[i].IsInitial
	} else if spec.IsInitial {
		return errors.New("a tenant keeps its initial domain")
	}
	if holder := tx.DomainHolder(spec.Name); holder != nil && holder != t && spec.Verified() {
		return fmt.Errorf("domain %s is verified in the tenant %s", spec.Name, holder.ID)
	}
	if spec.IsDefault {
		for n := range list {
			list[n].IsDefault = false
		}
	} else if i >= 0 && list[i].IsDefault {
		return errors.New("make another domain the default one first")
	}
	if i >= 0 {
		list[i] = spec
	} else {
		list = append(list, spec)
	}
	if err := checkDomain(spec); err != nil {
		return err
	}
	return putDomains(tx, t, list)
}

// RemoveDomain takes a domain from a tenant, as a forced deletion does: accounts
// that are named in it get the initial domain, and lose their addresses in it.
func (p *Portal) RemoveDomain(tenantID, name string) error {
	name = strings.ToLower(name)
	tx := p.state.Begin()
	defer tx.End()
	t := tx.Tenant(tenantID)
	if t == nil {
		return state.ErrNoTenant
	}
	i := domainIndex(t.Domains, name)
	switch {
	case i < 0:
		return fmt.Errorf("the tenant has no domain %s", name)
	case t.Domains[i].IsInitial || t.Domains[i].IsDefault:
		return errors.New("the initial and the default domain cannot be removed")
	}
	return putDomains(tx, t, slices.Delete(slices.Clone(t.Domains), i, i+1))
}

// domainIndex is the place of a domain in a list, or -1.
func domainIndex(list []state.Domain, name string) int {
	return slices.IndexFunc(list, func(d state.Domain) bool { return d.Name == name })
}

// putDomains commits a tenant's domains, and renames whoever is named in one that is
// not among them.
func putDomains(tx *state.Tx, t *state.Tenant, list []state.Domain) error {
	next := t.Clone()
	next.Domains = list
	change := tx.Change(t)
	change.SetOrganization(next)
	gone := func(address string) bool {
		_, name, _ := strings.Cut(strings.ToLower(address), "@")
		return domainIndex(list, name) < 0
	}
	for _, id := range t.IDs(state.User) {
		o := t.Object(id)
		upn := o.Text("userPrincipalName")
		if !o.Active() || !gone(upn) {
			continue
		}
		renamed := o.Clone()
		local, _, _ := strings.Cut(upn, "@")
		renamed.Props["userPrincipalName"] = local + "@" + t.InitialDomain()
		renamed.Props["proxyAddresses"] = state.Anys(slices.DeleteFunc(o.List("proxyAddresses"), gone))
		if gone(o.Text("mail")) {
			renamed.Props["mail"] = nil
		}
		change.Put(renamed, "userPrincipalName", "proxyAddresses", "mail")
		change.Log(byHand("update", renamed))
	}
	return change.Commit()
}
