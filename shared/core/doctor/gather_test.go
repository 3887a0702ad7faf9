package doctor

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/clock"
	"bindery/shared/directory"
)

// noClaims are domains without an owner.
type noClaims struct{}

func (noClaims) DomainOwners(context.Context, []string) (map[string]directory.ConnectionID, error) {
	return nil, nil
}

// TestSilentNameServer: however many domains there are, a name server that does
// not answer leaves a check the time to look at the rest and to be stored.
func TestSilentNameServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &Doctor{Stores: Stores{Domains: noClaims{}}, Look: func(ctx context.Context, _ string) *DNS {
			_ = clock.Sleep(ctx, 18*time.Second) // three questions, each twice
			return &DNS{Failed: map[string]string{"MX": "the name server does not answer"}}
		}}
		f := facts()
		f.Connection.Tenant, f.Domains = &directory.Tenant{}, nil
		for i := range mostDomains {
			f.Connection.Tenant.Domains = append(f.Connection.Tenant.Domains, directory.Domain{Name: fmt.Sprintf("d%02d.example", i), AuthenticationType: "Managed"})
		}
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		d.domains(ctx, f, nil)
		if ctx.Err() != nil {
			t.Fatal("the check has no time left")
		}
		found := 0
		for _, one := range Judge(f).Findings {
			if one.Code == "dns-failure" {
				found++
			}
		}
		if found != mostDomains {
			t.Errorf("%d domains whose records are not known were found, want %d", found, mostDomains)
		}
	})
}

// TestOrderOfAccounts: what is found does not depend on the order in which a tenant
// lists its accounts.
func TestOrderOfAccounts(t *testing.T) {
	account := func(id, upn string, proxies ...string) *directory.Account {
		return &directory.Account{ID: directory.AccountID(id), ProxyAddresses: proxies, Properties: map[string]directory.Value{
			directory.PropUserPrincipalName: directory.StringValue(upn), directory.PropAccountEnabled: directory.BoolValue(true)}}
	}
	own, other := account("1", "ann@corp.example"), account("2", "x@corp.example", "smtp:Ann@corp.example", "smtp:Ben@corp.example", "sip:cleo@corp.example")
	for _, list := range [][]*directory.Account{{own, other}, {other, own}} {
		f := facts()
		s := &seen{byAddress: map[string]Person{}, held: map[string]Person{}}
		for _, name := range []string{"ann", "ben", "cleo"} {
			s.byAddress[name+"@corp.example"] = Person{Name: name}
		}
		for _, a := range list {
			s.account(f, a)
		}
		s.clashes(f)
		if got := f.People.Clashes; len(got) != 1 || got[0].Name != "ben" || len(s.byAddress) != 1 {
			t.Errorf("clashes are %+v, left are %v", got, s.byAddress)
		}
	}
}

// TestUnreadDomains: domains that cannot be read are not told to be verified, and
// nobody's address counts as outside for it.
func TestUnreadDomains(t *testing.T) {
	d := &Doctor{Stores: Stores{Domains: noClaims{}}}
	f := facts()
	lost := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	f.Connection.Tenant = &directory.Tenant{Domains: []directory.Domain{
		{Name: "corp.example", AuthenticationType: "Managed"}, {Name: "lost.example", LostSince: lost}, {Name: "corp.onmicrosoft.com", IsInitial: true}}}
	f.Domains = nil
	d.domains(t.Context(), f, nil)
	for _, is := range f.Domains {
		if is.Verified || !is.Unread || is.verified() == (is.Name == "lost.example") {
			t.Errorf("%s is %+v", is.Name, is)
		}
	}
	codes := map[string]int{}
	for _, one := range Judge(f).Findings {
		codes[one.Code]++
	}
	if codes["domain-not-verified"] != 0 || codes["no-own-domain"] != 0 || codes["domain-lost"] != 1 {
		t.Errorf("the findings are %v", codes)
	}
}

// TestOfferedDomains: a domain that the tenant verified later is told, once for
// all to whom it belongs.
func TestOfferedDomains(t *testing.T) {
	f := facts()
	f.Connection.Tenant = &directory.Tenant{Offered: []directory.Domain{{Name: "new.example"}, {Name: "taken.example"}}}
	f.ClaimedElsewhere = map[string]string{"taken.example": "con_other"}
	codes := map[string]string{}
	for _, one := range ofDomains(f) {
		codes[one.Code] += one.Subject
	}
	if codes["domain-offered"] != "new.example" || codes["domain-claimed-elsewhere"] != "taken.example" {
		t.Errorf("the findings are %v", codes)
	}
}
