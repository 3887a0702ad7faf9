package entratest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// SetDomain adds a domain to a tenant, or puts another state in place of the one
// it has: verified, federated with a configuration, or the default one.
func (s *Server) SetDomain(tenantID string, spec DomainSpec) error {
	return s.editDomains(tenantID, func(t *tenant, list []domain) ([]domain, error) {
		spec.Name = strings.ToLower(strings.TrimSpace(spec.Name))
		i := slices.IndexFunc(list, func(d domain) bool { return d.Name == spec.Name })
		if i >= 0 {
			spec.IsInitial = list[i].IsInitial
		} else if spec.IsInitial {
			return nil, errors.New("a tenant keeps its initial domain")
		}
		if holder := s.holderOf(spec.Name); holder != nil && holder != t && spec.verified() {
			return nil, fmt.Errorf("domain %s is verified in the tenant %s", spec.Name, holder.id)
		}
		if spec.IsDefault {
			for n := range list {
				list[n].IsDefault = false
			}
		} else if i >= 0 && list[i].IsDefault {
			return nil, errors.New("make another domain the default one first")
		}
		if i >= 0 {
			list[i] = spec
		} else {
			list = append(list, spec)
		}
		return list, validDomain(spec)
	})
}

func validDomain(d DomainSpec) error {
	switch {
	case !strings.Contains(d.Name, ".") || strings.ContainsAny(d.Name, "@ /"):
		return fmt.Errorf("%q is no domain name", d.Name)
	case d.AuthenticationType != "Managed" && d.AuthenticationType != "Federated":
		return fmt.Errorf("domain %s: authenticationType must be Managed or Federated", d.Name)
	}
	return nil
}

// RemoveDomain takes a domain from a tenant, as a forced deletion does: accounts
// that are named in it get the initial domain, and lose their addresses in it.
func (s *Server) RemoveDomain(tenantID, name string) error {
	name = strings.ToLower(name)
	return s.editDomains(tenantID, func(t *tenant, list []domain) ([]domain, error) {
		i := slices.IndexFunc(list, func(d domain) bool { return d.Name == name })
		switch {
		case i < 0:
			return nil, fmt.Errorf("the tenant has no domain %s", name)
		case list[i].IsInitial || list[i].IsDefault:
			return nil, errors.New("the initial and the default domain cannot be removed")
		}
		return slices.Delete(list, i, i+1), nil
	})
}

func (s *Server) editDomains(tenantID string, edit func(t *tenant, list []domain) ([]domain, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenants[strings.ToLower(tenantID)]
	if t == nil {
		return errUnknownTenant
	}
	r := t.record()
	list, err := edit(t, r.Domains)
	if err != nil {
		return err
	}
	r.Domains = list
	c := change{s: s, t: t, record: &r}
	gone := func(address string) bool {
		_, name, _ := strings.Cut(strings.ToLower(address), "@")
		return !slices.ContainsFunc(list, func(d domain) bool { return d.Name == name })
	}
	for _, id := range t.ids {
		o := t.objects[id]
		upn := o.text("userPrincipalName")
		if o.Kind != kindUser || !o.active() || !gone(upn) {
			continue
		}
		next := o.clone()
		local, _, _ := strings.Cut(upn, "@")
		next.Props["userPrincipalName"] = local + "@" + t.initialDomain()
		proxies := slices.DeleteFunc(o.list("proxyAddresses"), gone)
		next.Props["proxyAddresses"] = anyList(proxies)
		if gone(o.text("mail")) {
			next.Props["mail"] = nil
		}
		c.put(next, "userPrincipalName", "proxyAddresses", "mail")
		c.log = append(c.log, portal("update", next))
	}
	return c.commit()
}

func controlPutDomain(s *Server, r *http.Request) (int, any, error) {
	tenantID, err := controlTenant(s, r)
	if err != nil {
		return 0, nil, err
	}
	spec := DomainSpec{AuthenticationType: "Managed"}
	if err := readControl(r, &spec); err != nil {
		return 0, nil, err
	}
	spec.Name = r.PathValue("domain")
	if err := s.SetDomain(tenantID, spec); err != nil {
		return 0, nil, err
	}
	return controlGetTenant(s, r)
}

func controlDeleteDomain(s *Server, r *http.Request) (int, any, error) {
	tenantID, err := controlTenant(s, r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, s.RemoveDomain(tenantID, r.PathValue("domain"))
}
