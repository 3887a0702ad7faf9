package directory

import (
	"testing"
	"time"
)

func TestWithDomains(t *testing.T) {
	day := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	was := Tenant{ID: "t", Domains: []Domain{{Name: "Corp.example", AuthenticationType: "Managed", IsDefault: true}, {Name: "corp.onmicrosoft.com", IsInitial: true}}}
	same := []Domain{{Name: "corp.onmicrosoft.com", IsInitial: true}, {Name: "corp.example", AuthenticationType: "Managed", IsDefault: true}}
	if got, changed := was.WithDomains(same, day); changed || got.Domains[0].Name != "Corp.example" {
		t.Errorf("the same domains in another order: %+v, %v", got, changed)
	}
	if got, changed := was.WithDomains(nil, day); changed || len(got.Domains) != 2 || got.Domains[0].Lost() {
		t.Errorf("no answer: %+v, %v", got, changed)
	}
	other := []Domain{{Name: "corp.onmicrosoft.com", IsInitial: true, IsDefault: true}, {Name: "z.example"}, {Name: "New.example", AuthenticationType: "Federated"}}
	got, changed := was.WithDomains(other, day)
	if !changed || !got.Domains[0].LostSince.Equal(day) || got.Domains[0].IsDefault || !got.Domains[1].IsDefault || len(got.Offered) != 2 || got.Offered[0].Name != "New.example" {
		t.Errorf("one lost and two new: %+v, %v", got, changed)
	}
	if len(was.Offered) != 0 || was.Domains[0].Lost() {
		t.Errorf("the tenant that was is changed: %+v", was)
	}
	if again, changed := got.WithDomains(other, day.Add(time.Hour)); changed || !again.Domains[0].LostSince.Equal(day) {
		t.Errorf("once more: %+v, %v", again, changed)
	}
	if back, changed := got.WithDomains(append(same, other[2]), day); !changed || back.Domains[0].Lost() || len(back.Offered) != 1 {
		t.Errorf("back again: %+v, %v", back, changed)
	}
	got.Claim([]string{"NEW.example", "corp.example", "nobody.example"})
	if len(got.Domains) != 3 || got.Domains[2].AuthenticationType != "Federated" || len(got.Offered) != 1 {
		t.Errorf("claimed: %+v", got)
	}
}
