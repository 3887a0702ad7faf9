package reconcile

import (
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

const newDomain, oldDomain = "new.example", "old.example"

// fullRound makes a full round due and runs it.
func (w *world) fullRound() {
	w.Helper()
	w.skew.Add(2 * directory.FullReadEvery)
	w.port.token = signIn(w.T, w.sim)
	w.sync()
}

func (w *world) record() directory.Connection {
	w.Helper()
	c, err := w.store.Connections.Connection(w.Context(), w.conn.ID)
	w.do(err)
	return c
}

func (w *world) domain(name string) directory.Domain {
	w.Helper()
	for _, d := range w.record().Tenant.Domains {
		if d.Name == name {
			return d
		}
	}
	w.Fatalf("%s is not claimed", name)
	return directory.Domain{}
}

// domainReads is how often the tenant's domains were read.
func (w *world) domainReads() (n int) {
	for _, r := range w.sim.Requests() {
		if strings.Contains(r.Path, "/domains") {
			n++
		}
	}
	return n
}

// TestDomainsFollowTheTenant: a full round brings to the record what became of the
// tenant's domains: federated ones, new ones, lost ones, another default.
func TestDomainsFollowTheTenant(t *testing.T) {
	w := newWorld(t)
	w.do(w.sim.SetDomain(simTenant, entratest.DomainSpec{Name: oldDomain, AuthenticationType: "Managed"}))
	var err error
	w.conn, err = w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Tenant.Domains = append(c.Tenant.Domains, directory.Domain{Name: oldDomain, AuthenticationType: "Managed"})
		return nil
	})
	w.do(err)
	inOld := func(u *directory.User) { u.Email = u.UserName + "@" + oldDomain }
	early := w.user("early", inOld)
	w.bind(early)
	w.sync()
	version := w.record().Version
	w.fullRound()
	if c := w.record(); c.Version != version || len(c.Tenant.Offered) != 0 {
		t.Fatalf("nothing changed, and the record is %+v", c.Tenant)
	}
	w.do(w.sim.SetDomain(simTenant, entratest.DomainSpec{Name: newDomain, AuthenticationType: "Managed", IsDefault: true}))
	w.do(w.sim.SetDomain(simTenant, entratest.DomainSpec{Name: simDomain, AuthenticationType: "Federated"}))
	w.fullRound()
	c := w.record()
	if len(c.Tenant.Offered) != 1 || c.Tenant.Offered[0].Name != newDomain || c.ClaimsDomain(newDomain) {
		t.Errorf("offered are %+v", c.Tenant.Offered)
	}
	if d := w.domain(simDomain); d.AuthenticationType != "Federated" || d.IsDefault {
		t.Errorf("the federated domain is known as %+v", d)
	}
	// What is created now is given what a federated domain needs.
	fred := w.user("fred")
	w.bind(fred)
	w.sync()
	if a := w.account(fred.Email); a["onPremisesImmutableId"] == nil {
		t.Error("an account in a domain that was federated later has no onPremisesImmutableId")
	}

	// Lost: told, still claimed, and nobody is created or renamed in it.
	w.do(w.sim.RemoveDomain(simTenant, oldDomain))
	w.fullRound()
	if d := w.domain(oldDomain); !d.Lost() {
		t.Errorf("the lost domain is known as %+v", d)
	}
	late := w.user("late", inOld)
	w.bind(late)
	w.edit(early, func(u *directory.User) { u.JobTitle = "Boss" })
	w.sync()
	for _, u := range []directory.User{late, early} {
		if b := w.binding(u); b.Problem == nil || b.Problem.Code != "domain-lost" {
			t.Errorf("of %s the binding is %s with %+v", u.Email, b.Status, b.Problem)
		}
	}
	// It comes back.
	w.do(w.sim.SetDomain(simTenant, entratest.DomainSpec{Name: oldDomain, AuthenticationType: "Managed"}))
	w.fullRound()
	if d := w.domain(oldDomain); d.Lost() || d.AuthenticationType != "Managed" {
		t.Errorf("the domain that came back is known as %+v", d)
	}
	if b := w.binding(late); b.Status != directory.BindingInSync {
		t.Errorf("of the late user the binding is %s with %+v", b.Status, b.Problem)
	}
}

// TestRefusalsHaveDomainsRead: what Microsoft refuses for a domain has the domains
// read at once, though not for each refusal.
func TestRefusalsHaveDomainsRead(t *testing.T) {
	w := newWorld(t)
	w.people(1)
	w.skew.Add(time.Hour)
	w.do(w.sim.SetDomain(simTenant, entratest.DomainSpec{Name: newDomain, AuthenticationType: "Managed", IsDefault: true}))
	w.do(w.sim.SetDomain(simTenant, entratest.DomainSpec{Name: simDomain, AuthenticationType: "Federated"}))
	before := w.domainReads()
	fred := w.user("fred")
	w.bind(fred)
	w.sync()
	if b := w.binding(fred); b.Status != directory.BindingInSync || w.domain(simDomain).AuthenticationType != "Federated" {
		t.Errorf("the binding is %s with %+v", b.Status, b.Problem)
	}
	if n := w.domainReads() - before; n != 1 {
		t.Errorf("the domains were read %d times", n)
	}
}

// TestDomainsAreReadAgain: that the domains were read a moment ago keeps neither an
// admin who asks for a full run nor a refusal from having them read, each once.
func TestDomainsAreReadAgain(t *testing.T) {
	w := newWorld(t)
	w.people(1)
	w.fullRound()
	before := w.domainReads()
	w.do(w.sim.SetDomain(simTenant, entratest.DomainSpec{Name: newDomain, AuthenticationType: "Managed", IsDefault: true}))
	w.fullRun()
	if c := w.record(); len(c.Tenant.Offered) != 1 || c.Tenant.Offered[0].Name != newDomain {
		t.Errorf("after a full run that an admin asked for, offered are %+v", c.Tenant.Offered)
	}
	if n := w.domainReads() - before; n != 1 {
		t.Errorf("the domains were read %d times for one run", n)
	}
	w.do(w.sim.SetDomain(simTenant, entratest.DomainSpec{Name: simDomain, AuthenticationType: "Federated"}))
	fred := w.user("fred")
	w.bind(fred)
	w.sync()
	if b := w.binding(fred); b.Status != directory.BindingInSync || w.domain(simDomain).AuthenticationType != "Federated" {
		t.Errorf("in a domain that was federated a moment ago, the binding is %s with %+v", b.Status, b.Problem)
	}
	if n := w.domainReads() - before; n != 2 {
		t.Errorf("the domains were read %d times", n)
	}
}

// TestDomainsThatCannotBeRead keep nobody waiting.
func TestDomainsThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	users := w.people(1)
	_, err := w.sim.SetFault(entratest.Fault{Kind: "status", Status: 403, Code: "Authorization_RequestDenied", Path: "^/domains"})
	w.do(err)
	w.edit(users[0], func(u *directory.User) { u.JobTitle = "Boss" })
	w.fullRound()
	if w.account(users[0].Email)["jobTitle"] != "Boss" || w.domain(simDomain).Lost() {
		t.Error("unreadable domains kept an account waiting, or count as lost")
	}
}

// TestDomainThatWasGoneForMoments: a name that Microsoft refused for its domain is
// tried again, though our record of the domains never changed.
func TestDomainThatWasGoneForMoments(t *testing.T) {
	w := newWorld(t)
	w.do(w.sim.SetDomain(simTenant, entratest.DomainSpec{Name: oldDomain, AuthenticationType: "Managed"}))
	var err error
	w.conn, err = w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Tenant.Domains = append(c.Tenant.Domains, directory.Domain{Name: oldDomain, AuthenticationType: "Managed"})
		return nil
	})
	w.do(err)
	ann := w.user("ann")
	w.bind(ann)
	w.sync()
	w.do(w.sim.RemoveDomain(simTenant, oldDomain))
	w.fault(entratest.Fault{Kind: "status", Status: 403, Code: "Authorization_RequestDenied", Path: "^/domains", Times: 1}) // so that the refusal shows no loss
	ann = w.edit(ann, func(u *directory.User) { u.Email = "ann@" + oldDomain })
	w.sync()
	if b := w.binding(ann); b.Problem == nil || b.Problem.Code != "domain-not-verified" || b.Refused[directory.PropUserPrincipalName].RetryAt.IsZero() {
		t.Fatalf("the binding is %s with %+v", b.Status, b.Problem)
	}
	w.do(w.sim.SetDomain(simTenant, entratest.DomainSpec{Name: oldDomain, AuthenticationType: "Managed"}))
	w.skew.Add(directory.DomainsEvery / 2)
	w.sync()
	if b := w.binding(ann); b.Status != directory.BindingInSync || b.UserPrincipalName != ann.Email {
		t.Errorf("the binding of %s is %s with %+v", b.UserPrincipalName, b.Status, b.Problem)
	}
}

// TestLostDomainComesBack: a domain that is back is found within minutes, also while
// nothing else happens.
func TestLostDomainComesBack(t *testing.T) {
	w := newWorld(t)
	w.do(w.sim.SetDomain(simTenant, entratest.DomainSpec{Name: oldDomain, AuthenticationType: "Managed"}))
	var err error
	w.conn, err = w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Tenant.Domains = append(c.Tenant.Domains, directory.Domain{Name: oldDomain, AuthenticationType: "Managed"})
		return nil
	})
	w.do(err)
	ann := w.user("ann")
	w.bind(ann)
	w.sync()
	w.do(w.sim.RemoveDomain(simTenant, oldDomain))
	ann = w.edit(ann, func(u *directory.User) { u.Email = "ann@" + oldDomain })
	w.fullRound()
	if b := w.binding(ann); b.Problem == nil || b.Problem.Code != "domain-lost" {
		t.Fatalf("the binding is %s with %+v", b.Status, b.Problem)
	}
	w.do(w.sim.SetDomain(simTenant, entratest.DomainSpec{Name: oldDomain, AuthenticationType: "Managed"}))
	for range 2 {
		w.skew.Add(directory.DomainsEvery + time.Minute)
		w.sync()
	}
	if b := w.binding(ann); b.Status != directory.BindingInSync || b.UserPrincipalName != ann.Email || w.domain(oldDomain).Lost() {
		t.Errorf("the binding of %s is %s with %+v", b.UserPrincipalName, b.Status, b.Problem)
	}
}
