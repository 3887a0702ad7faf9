package doctor

import (
	"strings"

	"bindery/shared/directory"
)

func ofGoDaddy(f *Facts) []Finding {
	domains, realms := make([]directory.Domain, len(f.Domains)), map[string]directory.Realm{}
	for i := range f.Domains {
		d := &f.Domains[i]
		domains[i] = directory.Domain{Name: d.Name, AuthenticationType: d.AuthenticationType}
		realms[d.Name] = d.Realm
	}
	score, evidence := directory.GoDaddySigns(domains, realms)
	if score < directory.GoDaddyScore {
		return nil
	}
	return []Finding{{Code: directory.CodeGoDaddy, Severity: Critical, Values: values("signs", strings.Join(evidence, "; ")), Evidence: "The tenant was sold by GoDaddy: " + strings.Join(evidence, "; ") + ".",
		Consequence: "People sign in through GoDaddy. Passwords cannot be set, and changes to accounts may be undone or refused.", Next: directory.GoDaddyNext}}
}

func within(host, domain string) bool { return host == domain || strings.HasSuffix(host, "."+domain) }
