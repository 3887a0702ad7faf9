package doctor

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
)

// noClaims is a store in which no domain has an owner.
type noClaims struct{ Store }

func (noClaims) DomainOwners(context.Context, []string) (map[string]directory.ConnectionID, error) {
	return nil, nil
}

// TestSilentNameServer: however many domains there are, a name server that does
// not answer leaves a check the time to look at the rest and to be stored.
func TestSilentNameServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &Doctor{Store: noClaims{}, Look: func(ctx context.Context, _ string) *DNS {
			select {
			case <-ctx.Done():
			case <-time.After(18 * time.Second): // three questions, each twice
			}
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
