package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What a tenant's API answers, in our words. Package entra makes these values
// of Microsoft Graph's messages; the core only sees them.

// AccountPage is one page of a listing or of a delta round. Next continues the
// round; DeltaLink, on the last page of a delta round, starts the next one.
type AccountPage struct {
	Accounts  []Account
	Removed   []RemovedAccount
	Next      string
	DeltaLink string
}

// IDs are those of all accounts of the page, removed ones too.
func (p *AccountPage) IDs() []string {
	ids := make([]string, 0, len(p.Accounts)+len(p.Removed))
	for i := range p.Accounts {
		ids = append(ids, string(p.Accounts[i].ID))
	}
	for i := range p.Removed {
		ids = append(ids, string(p.Removed[i].ID))
	}
	return ids
}

// RemovedAccount is an account that a delta round reports as gone: soft-deleted,
// or for good. It is a hint; only a direct read that says 404 proves it.
type RemovedAccount struct {
	ID        AccountID
	Permanent bool
}

// Found is the answer to one direct read: the account, or neither for "not
// there", or a Problem for everything else.
type Found struct {
	Account    *Account
	Accounts   []Account // of a search: those that have the address
	Problem    *Problem
	Retry      bool // throttled or transient: ask again
	RetryAfter time.Duration
	Scope      ThrottleScope // whose quota a 429 speaks of
}

// Errors of a tenant that concern more than one account.
var (
	// ErrResync: a link has expired or is not known any more; read from the start.
	ErrResync = errors.New("tenant: the link has expired, read from the start")
	// ErrForeignLink: a link leads to another host or version and was not followed.
	ErrForeignLink = errors.New("tenant: a link leads to another host")
	// ErrNotSent: the request never left.
	ErrNotSent = errors.New("tenant: not sent")
	// ErrUnauthorized: the tokens are refused, also after a refresh; an admin
	// must authorise the connection again.
	ErrUnauthorized = errors.New("tenant: authorisation lost")
	// ErrUnavailable: the service failed for the whole request; try later.
	ErrUnavailable = errors.New("tenant: service unavailable")
)

// ThrottleScope says whose quota is used up, by Graph's x-ms-throttle-scope.
type ThrottleScope string

// The scopes of throttling; "" when Microsoft does not say.
const (
	ThrottledTenantApp ThrottleScope = "tenant-app" // our app's in this tenant
	ThrottledApp       ThrottleScope = "app"        // our app's over all tenants
	ThrottledTenant    ThrottleScope = "tenant"     // all apps' in this tenant
)

// ThrottledError says that the tenant refused a whole request for now.
type ThrottledError struct {
	RetryAfter time.Duration
	Scope      ThrottleScope
}

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("tenant: throttled, retry after %s", e.RetryAfter)
}

// TenantDomain is a domain of a tenant, verified or not.
type TenantDomain struct {
	Domain
	Verified bool
	Email    bool // used for mail
}

// ExpectedRecord is a DNS record that Microsoft asks for: MX, TXT or CNAME.
type ExpectedRecord struct{ Type, Label, Value string }

// DomainMail is what a domain's name servers say of its mail.
type DomainMail struct {
	MX  []string `json:"mx,omitempty"` // hosts, by preference
	TXT []string `json:"txt,omitempty"`
	// SPFIncludes are the domains that the SPF record includes or hands on to, and
	// those that theirs do.
	SPFIncludes []string `json:"spfIncludes,omitempty"`
	// Autodiscover is where the name leads: Microsoft's name when it does so at
	// last, else the first one.
	Autodiscover string `json:"autodiscover,omitempty"`
	// Failed says what could not be looked up, and why.
	Failed map[string]string `json:"failed,omitempty"`
}

// microsoftAutodiscover are the domains of Microsoft's autodiscover services.
var microsoftAutodiscover = []string{"outlook.com", "office365.us", "partner.outlook.cn"}

// MicrosoftAutodiscover reports whether a host, in lower case, is one of
// Microsoft's that tell Outlook where mailboxes are.
func MicrosoftAutodiscover(host string) bool {
	return slices.ContainsFunc(microsoftAutodiscover, func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) })
}
