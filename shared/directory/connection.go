package directory

import "time"

// ConnectionStatus is where a connection stands:
//
//	pending → awaiting-confirmation → active ⇄ needs-authorization → deactivated → (authorize) awaiting-confirmation
//
// Deactivate is allowed from every status.
type ConnectionStatus string

// The statuses of a connection.
const (
	StatusPending              ConnectionStatus = "pending"
	StatusAwaitingConfirmation ConnectionStatus = "awaiting-confirmation"
	StatusActive               ConnectionStatus = "active"
	StatusNeedsAuthorization   ConnectionStatus = "needs-authorization"
	StatusDeactivated          ConnectionStatus = "deactivated"
)

// Connection is our authorised link to one Microsoft 365 tenant.
type Connection struct {
	ID     ConnectionID     `json:"id"`
	Name   string           `json:"name"`
	Status ConnectionStatus `json:"status"`
	// Epoch counts the times that the connection was let go. What carries an
	// older epoch (bindings, claims, secrets) does not count any more.
	Epoch          int64          `json:"epoch"`
	ExpectedDomain string         `json:"expectedDomain,omitempty"`
	Tenant         *Tenant        `json:"tenant,omitempty"` // once an admin has signed in
	AuthorizedBy   *Administrator `json:"authorizedBy,omitempty"`
	Scopes         []string       `json:"scopes,omitempty"` // as Microsoft granted them
	// RequestedBy is the subject of the caller who asked for the last
	// authorisation; he may confirm it.
	RequestedBy string   `json:"requestedBy,omitempty"`
	Settings    Settings `json:"settings"`
	// ExportedSince is when somebody with the right to decide it switched the
	// export of a sensitive property on: what users had by then is what was
	// decided about. It is not known of what was exported before it was kept.
	ExportedSince map[string]time.Time `json:"exportedSince,omitempty"`
	// Trouble says why the status is needs-authorization.
	Trouble *Problem `json:"trouble,omitempty"`
	LastRun *LastRun `json:"lastRun,omitempty"`
	// AuthorizedAt is when the present tokens were first received; unconfirmed
	// for 24 h they are deleted.
	AuthorizedAt time.Time `json:"authorizedAt,omitzero"`
	Created      time.Time `json:"created"`
	Updated      time.Time `json:"updated"`
	// Version rises with every change of what stands above; lease and last-run
	// fields change without it.
	Version int64 `json:"version"`
}

// Authorized reports whether the connection's tokens may be used for syncing.
func (c *Connection) Authorized() bool { return c.Status == StatusActive }

// ClaimsDomain reports whether an address's domain is one that this
// connection has claimed.
func (c *Connection) ClaimsDomain(domain string) bool {
	if c.Tenant == nil {
		return false
	}
	for _, d := range c.Tenant.Domains {
		if FoldAddress(d.Name) == FoldAddress(domain) {
			return true
		}
	}
	return false
}

// Tenant is a Microsoft 365 organisation as its API describes it.
type Tenant struct {
	ID          TenantID `json:"id"`
	DisplayName string   `json:"displayName"`
	Domains     []Domain `json:"domains,omitempty"` // the verified ones
}

// Domain is one verified domain of a tenant.
type Domain struct {
	Name string `json:"name"`
	// AuthenticationType is Managed or Federated.
	AuthenticationType string `json:"authenticationType"`
	IsDefault          bool   `json:"isDefault,omitempty"`
	IsInitial          bool   `json:"isInitial,omitempty"`
}

// Administrator is the account that authorised a connection. ObjectID (the
// claim "oid") is the key; the names are for people and may change.
type Administrator struct {
	ObjectID          AccountID `json:"objectId"`
	UserPrincipalName string    `json:"userPrincipalName"`
	DisplayName       string    `json:"displayName,omitempty"`
	Roles             []string  `json:"roles,omitempty"` // names of directory roles
	At                time.Time `json:"at"`
}

// LastRun is what a connection remembers of its newest run.
type LastRun struct {
	ID      RunID     `json:"id,omitempty"` // empty when the run found nothing to do and left no record
	State   RunState  `json:"state"`
	EndedAt time.Time `json:"endedAt"`
	// SucceededAt is when a run last ended well.
	SucceededAt time.Time `json:"succeededAt,omitzero"`
}
