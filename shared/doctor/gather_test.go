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
