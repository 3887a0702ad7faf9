package connect

import (
	"errors"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// seen has the record told which domains the tenant has now.
func (w *world) seen(c *directory.Connection) directory.Connection {
	w.Helper()
	now, err := w.store.Connections.NoteDomains(w.Context(), c, w.verified())
	w.check(err)
	return now
}

func (w *world) verified() []directory.Domain {
	w.Helper()
	var list []directory.Domain
	for _, t := range w.sim.Tenants() {
		if t.ID == string(tenantID) {
			for _, name := range t.Domains {
				list = append(list, directory.Domain{Name: name, AuthenticationType: "Managed"})
			}
		}
	}
	return list
}

func refused(err error) string {
	if r, ok := errors.AsType[*directory.Refusal](err); ok {
		return r.Code
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestClaimOfferedDomains: a domain that the tenant verified after the
// authorisation is claimed by somebody who may approve, and by nobody else's
// connection at the same time; one that it lost is given up only by a call.
func TestClaimOfferedDomains(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c := w.connected("HQ", adminUPN)
	other := w.connected("Other", "admin@fabrikam.example")
	claim := func(name string, by directory.Caller) string {
		t.Helper()
		got, err := w.ClaimDomains(ctx, by, c.ID, []string{name})
		if err == nil && !got.ClaimsDomain(name) {
			t.Errorf("%s is not claimed by the record", name)
		}
		return refused(err)
	}
	if code := claim("new.example", chief); code != "domain-not-offered" {
		t.Errorf("a domain that the tenant has not: %s", code)
	}
	w.check(w.sim.SetDomain(string(tenantID), entratest.DomainSpec{Name: "new.example", AuthenticationType: "Managed"}))
	c = w.seen(&c)
	if code := claim("new.example", alice); code != "approve-missing" {
		t.Errorf("by somebody who may not approve: %s", code)
	}
	// Another connection of ours has it, from when it was that tenant's.
	w.check(w.store.Claims.ClaimDomains(ctx, &other, []string{"new.example"}))
	if code := claim("new.example", chief); code != "domain-claimed" {
		t.Errorf("a domain that another connection has: %s", code)
	}
	w.check(w.store.Claims.ReleaseDomains(ctx, &other, []string{"new.example"}))
	for range 2 { // a repetition is no error
		if code := claim("NEW.example", chief); code != "" {
			t.Errorf("an offered domain: %s", code)
		}
	}
	if err := w.store.Claims.ClaimDomains(ctx, &other, []string{"new.example"}); !errors.Is(err, directory.ErrConflict) {
		t.Errorf("the domain can be claimed twice: %v", err)
	}

	release := func(by directory.Caller) string {
		t.Helper()
		_, err := w.ReleaseDomain(ctx, by, c.ID, "new.example")
		return refused(err)
	}
	if code := release(chief); code != "domain-in-use" {
		t.Errorf("a domain that the tenant has was given up: %s", code)
	}
	w.check(w.sim.RemoveDomain(string(tenantID), "new.example"))
	c = w.seen(&c)
	// A further sign-in of the same identity does not forget it.
	if p := w.authorize(c.ID, adminUPN); p.Status != 200 {
		t.Fatalf("authorising again = %+v", p)
	}
	if c = w.read(c.ID); !c.ClaimsDomain("new.example") {
		t.Errorf("an authorisation has forgotten the lost domain: %+v", c.Tenant.Domains)
	}
	if code := release(alice); code != "approve-missing" {
		t.Errorf("by somebody who may not approve: %s", code)
	}
	for range 2 {
		if code := release(chief); code != "" {
			t.Errorf("giving up a lost domain: %s", code)
		}
	}
	w.check(w.store.Claims.ClaimDomains(ctx, &other, []string{"new.example"}))
	if c = w.read(c.ID); c.ClaimsDomain("new.example") {
		t.Error("the record still claims it")
	}
}

// TestDomainsOfAnotherAuthorisation: what was read under another authorisation
// says nothing, and an admin's edit meanwhile is not lost.
func TestDomainsOfAnotherAuthorisation(t *testing.T) {
	w := newWorld(t)
	c := w.connected("HQ", adminUPN)
	_, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, c.ID, func(c *directory.Connection) error {
		c.Name = "Renamed"
		return nil
	})
	w.check(err)
	now, err := w.store.Connections.NoteDomains(t.Context(), &c, append(w.verified(), directory.Domain{Name: "new.example"}))
	if err != nil || now.Name != "Renamed" || len(now.Tenant.Offered) != 1 {
		t.Errorf("after an edit: %+v, %v", now, err)
	}
	stale := c
	stale.SignInID = "another"
	if _, err := w.store.Connections.NoteDomains(t.Context(), &stale, w.verified()); !errors.Is(err, directory.ErrStale) {
		t.Errorf("of another authorisation: %v", err)
	}
}
