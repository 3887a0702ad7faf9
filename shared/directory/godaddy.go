package directory

import (
	"fmt"
	"net/url"
	"strings"
)

// Realm is how a domain's people sign in, as Microsoft tells everybody
// (getuserrealm, G 6).
type Realm struct {
	NameSpaceType       string `json:"nameSpaceType,omitempty"` // Managed, Federated, Unknown
	AuthURL             string `json:"authUrl,omitempty"`
	FederationBrandName string `json:"federationBrandName,omitempty"`
}

// Host is where people sign in; empty when that is Microsoft.
func (r Realm) Host() string {
	u, err := url.Parse(r.AuthURL)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
}

var netorg = Pattern(`^netorg[0-9]+[a-z0-9]*\.onmicrosoft\.com$`)

// GoDaddyScore is from when on GoDaddySigns make a tenant one of GoDaddy's.
const GoDaddyScore = 2

// GoDaddyNext is the way out of a tenant that GoDaddy sold.
const GoDaddyNext = "Have the domain defederated, so that its sign-in is managed by Microsoft (this ends GoDaddy's delegated administration and needs new passwords for everybody), then authorise as admin@NETORG….onmicrosoft.com."

// GoDaddySigns scores how much speaks for a tenant that GoDaddy sold: its people
// sign in through GoDaddy, and Microsoft refuses changes to their accounts. There
// is no single sign of it (G 6): 2 for a domain that signs in at GoDaddy, 1 for
// the name of the initial domain, which stays after a tenant was freed. realms are
// by the domain's name.
func GoDaddySigns(domains []Domain, realms map[string]Realm) (score int, evidence []string) {
	for _, d := range domains {
		r := realms[d.Name]
		if d.AuthenticationType != "Federated" && r.NameSpaceType != "Federated" {
			continue
		}
		host := r.Host()
		if host == "godaddy.com" || strings.HasSuffix(host, ".godaddy.com") || host == "secureserver.net" || strings.HasSuffix(host, ".secureserver.net") {
			score += 2
			evidence = append(evidence, fmt.Sprintf("people of %s sign in at %s", d.Name, host))
		}
	}
	for _, d := range domains {
		if netorg().MatchString(strings.ToLower(d.Name)) {
			score++
			evidence = append(evidence, "the initial domain is "+d.Name)
			break // a second name of that form is no further sign
		}
	}
	return score, evidence
}
