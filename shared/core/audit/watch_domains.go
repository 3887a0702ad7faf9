package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
)

// DomainsFacts are the facts of a notification of a tenant's domains: what is new of them.
type DomainsFacts struct {
	Lost    []string `json:"lost,omitempty"`    // claimed, and not verified any more
	Offered []string `json:"offered,omitempty"` // verified, and not claimed
}

// maxNamedDomains is how many domains the text of a notification names of a kind.
const maxNamedDomains = 10

// domains tells of claimed domains that the tenant has lost, and of verified ones
// that are not claimed, each once.
func (n *notificationRound) domains() {
	c := n.conn
	if c.Tenant == nil || !c.InEffect() {
		return
	}
	var fresh DomainsFacts
	note := func(list *[]string, name, key string) {
		if n.next.Domains = append(n.next.Domains, key); !slices.Contains(n.last.Domains, key) {
			*list = append(*list, name)
		}
	}
	for _, d := range c.Tenant.Domains {
		if d.Lost() {
			note(&fresh.Lost, d.Name, "lost "+d.Name+" "+d.LostSince.UTC().Format(time.RFC3339))
		}
	}
	for _, d := range c.Tenant.Offered {
		note(&fresh.Offered, d.Name, "offered "+d.Name)
	}
	var text []string
	if len(fresh.Lost) > 0 {
		text = append(text, fmt.Sprintf("The tenant of the connection %q has not verified any more: %s. No account is made, or named, in them. Verify them again, or give them up: DELETE /v1/connections/%s/domains/{domain}.",
			c.Name, firstNames(fresh.Lost), c.ID))
	}
	if len(fresh.Offered) > 0 {
		text = append(text, fmt.Sprintf("The tenant of the connection %q has verified: %s. To have accounts there, claim them: POST /v1/connections/%s/domains.", c.Name, firstNames(fresh.Offered), c.ID))
	}
	if len(text) > 0 {
		n.add(fmt.Sprintf("domains:%s:%d", c.ID, c.Version), directory.NotificationDomains, strings.Join(text, " "), fresh)
	}
}

// firstNames are the first of a list, as text.
func firstNames(list []string) string {
	if more := len(list) - maxNamedDomains; more > 0 {
		return strings.Join(list[:maxNamedDomains], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(list, ", ")
}
