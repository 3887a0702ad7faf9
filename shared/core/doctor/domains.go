package doctor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
)

func ofDomains(f *Facts) []Finding {
	var out []Finding
	own := 0
	for i := range f.Domains {
		d := &f.Domains[i]
		initial := strings.HasSuffix(strings.ToLower(d.Name), ".onmicrosoft.com")
		if d.verified() && !initial {
			own++
		}
		if !d.verified() && !d.Unread && !f.claims(d.Name) {
			out = append(out, Finding{Code: directory.CodeDomainNotVerified, Values: values("domain", d.Name), Severity: severity(d.Users > 0, Warning), Subject: d.Name,
				Evidence: fmt.Sprintf("The tenant has the domain %s, and has not proved that it owns it.", d.Name), Users: d.Users,
				Consequence: "No account can have an address in it.", Next: "Verify the domain in the Microsoft 365 admin center, then claim it for the connection."})
		}
		if d.verified() && d.AuthenticationType == "Federated" {
			out = append(out, Finding{Code: directory.CodeDomainFederated, Values: values("domain", d.Name, "host", d.Realm.Host()), Severity: severity(d.Users > 0, Warning), Subject: d.Name, Users: d.Users,
				Evidence:    "People of " + d.Name + " sign in at " + orUnknown(d.Realm.Host()) + ", not at Microsoft.",
				Consequence: "Passwords that Bindery gives to new accounts are of no use there; the other identity provider must know the people.",
				Next:        "Make new people known to that identity provider as well, or have the domain managed by Microsoft."})
		}
	}
	if len(f.Domains) > 0 && own == 0 {
		out = append(out, Finding{Code: directory.CodeNoOwnDomain, Severity: Warning, Evidence: "The tenant has no verified domain but its onmicrosoft.com one.",
			Consequence: "People's addresses cannot be those of their organisation.", Next: "Add and verify the organisation's domain, or map it by domainMap."})
	}
	out = append(out, f.changedDomains()...)
	for _, name := range slices.Sorted(maps.Keys(f.ClaimedElsewhere)) {
		out = append(out, Finding{Code: directory.CodeDomainClaimedElsewhere, Values: values("domain", name, "connection", f.ClaimedElsewhere[name]), Severity: Warning, Subject: name,
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
		out = append(out, about(people, Finding{Code: directory.CodeUsersOutsideDomains, Values: values("users", len(people), "domain", name), Severity: Warning, Subject: name,
			Evidence:    fmt.Sprintf("%d users have addresses in %s, which is no verified domain of the tenant.", len(people), name),
			Consequence: "They cannot be bound through this connection.", Next: "Verify the domain in the tenant, map it by domainMap, or bind these users through another connection."})...)
	}
	return append(out, about(others, Finding{Code: directory.CodeUsersOutsideDomains, Variant: directory.VariantOthers, Values: values("users", len(others), "domains", len(outside)-mostOutside), Severity: Warning, Subject: "other domains",
		Evidence:    fmt.Sprintf("%d users have addresses in %d further domains that are not the tenant's.", len(others), len(outside)-mostOutside),
		Consequence: "They cannot be bound through this connection.", Next: "GET /v1/users lists them; set defaultDomain if they shall have addresses in one of the tenant's domains."})...)
}

// changedDomains are those that the tenant has lost or won since they were claimed.
func (f *Facts) changedDomains() []Finding {
	if f.Connection == nil || f.Connection.Tenant == nil {
		return nil
	}
	var out []Finding
	id := "/v1/connections/" + string(f.Connection.ID)
	for _, d := range f.Connection.Tenant.Domains {
		if d.Lost() {
			out = append(out, Finding{Code: directory.CodeDomainLost, Values: values("domain", d.Name, "on", d.LostSince.Format(time.DateOnly)), Severity: Critical, Subject: d.Name,
				Evidence:    "The domain " + d.Name + " is not a verified one of the tenant any more; it was found so on " + d.LostSince.Format(time.DateOnly) + ".",
				Consequence: "No account is made, or named, in it; its users are refused with domain-lost. It stays claimed.",
				Next:        "Verify the domain in the tenant again. If it is gone for good, give its users other addresses and release it: DELETE " + id + "/domains/" + d.Name + "."})
		}
	}
	for _, d := range f.Connection.Tenant.Offered {
		if f.ClaimedElsewhere[d.Name] == "" {
			out = append(out, Finding{Code: directory.CodeDomainOffered, Values: values("domain", d.Name), Severity: Info, Subject: d.Name,
				Evidence:    "The tenant has verified the domain " + d.Name + ", which the connection has not claimed.",
				Consequence: "Users with addresses in it cannot be bound through this connection.",
				Next:        "Claim it by POST " + id + "/domains {\"domains\":[\"" + d.Name + "\"]}."})
		}
	}
	return out
}

// claims reports whether the connection has claimed a domain.
func (f *Facts) claims(domain string) bool {
	return f.Connection != nil && f.Connection.ClaimsDomain(domain)
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
