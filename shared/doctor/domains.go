package doctor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

func ofDomains(f *Facts) []Finding {
	var out []Finding
	own := 0
	for i := range f.Domains {
		d := &f.Domains[i]
		initial := strings.HasSuffix(strings.ToLower(d.Name), ".onmicrosoft.com")
		if d.Verified && !initial {
			own++
		}
		if !d.Verified {
			out = append(out, Finding{Code: "domain-not-verified", Severity: severity(d.Users > 0, Warning), Subject: d.Name,
				Evidence: fmt.Sprintf("The tenant has the domain %s, and has not proved that it owns it.", d.Name), Users: d.Users,
				Consequence: "No account can have an address in it.", Next: "Verify the domain in the Microsoft 365 admin center, then authorise the connection again."})
		}
		if d.Verified && d.AuthenticationType == "Federated" {
			out = append(out, Finding{Code: "domain-federated", Severity: severity(d.Users > 0, Warning), Subject: d.Name, Users: d.Users,
				Evidence:    "People of " + d.Name + " sign in at " + orUnknown(d.Realm.Host()) + ", not at Microsoft.",
				Consequence: "Passwords that Bindery gives to new accounts are of no use there; the other identity provider must know the people.",
				Next:        "Make new people known to that identity provider as well, or have the domain managed by Microsoft."})
		}
	}
	if len(f.Domains) > 0 && own == 0 {
		out = append(out, Finding{Code: "no-own-domain", Severity: Warning, Evidence: "The tenant has no verified domain but its onmicrosoft.com one.",
			Consequence: "People's addresses cannot be those of their organisation.", Next: "Add and verify the organisation's domain, or map it by domainMap."})
	}
	for _, name := range slices.Sorted(maps.Keys(f.ClaimedElsewhere)) {
		out = append(out, Finding{Code: "domain-claimed-elsewhere", Severity: Warning, Subject: name,
			Evidence: "The domain is claimed by the connection " + f.ClaimedElsewhere[name] + ".", Consequence: "Users of it cannot be bound through this connection.",
			Next: "Deactivate that connection, or bind these users there."})
	}
	// The largest first; a directory may have people in thousands of domains.
	outside := slices.SortedFunc(maps.Keys(f.People.Outside), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(f.People.Outside[b]), len(f.People.Outside[a])), cmp.Compare(a, b))
	})
	var others []Person
	for i, name := range outside {
		people := f.People.Outside[name]
		if i >= mostOutside {
			others = append(others, people...)
			continue
		}
		out = append(out, about(people, Finding{Code: "users-outside-domains", Severity: Warning, Subject: name,
			Evidence:    fmt.Sprintf("%d users have addresses in %s, which is no verified domain of the tenant.", len(people), name),
			Consequence: "They cannot be bound through this connection.", Next: "Verify the domain in the tenant, map it by domainMap, or bind these users through another connection."})...)
	}
	return append(out, about(others, Finding{Code: "users-outside-domains", Severity: Warning, Subject: "other domains",
		Evidence:    fmt.Sprintf("%d users have addresses in %d further domains that are not the tenant's.", len(others), len(outside)-mostOutside),
		Consequence: "They cannot be bound through this connection.", Next: "GET /v1/users lists them; set defaultDomain if they shall have addresses in one of the tenant's domains."})...)
}

// mostOutside is how many domains have a finding of their own.
const mostOutside = 30

func severity(yes bool, s Severity) Severity {
	if yes {
		return s
	}
	return Info
}

func orUnknown(s string) string {
	if s == "" {
		return "another identity provider"
	}
	return s
}
