package directory

import (
	"fmt"
	"slices"
	"time"
)

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
	Epoch          int64  `json:"epoch"`
	ExpectedDomain string `json:"expectedDomain,omitempty"`
	// Tenant, AuthorizedBy, SignInID and Scopes are the identity in effect: only
	// its tokens are used. After a deactivation they say what was.
	Tenant       *Tenant        `json:"tenant,omitempty"`
	AuthorizedBy *Administrator `json:"authorizedBy,omitempty"`
	// SignInID names the secret with the tokens; "" when they were stored by a
	// version that named them by the epoch alone, or when there are none.
	SignInID SignInID `json:"signInId,omitempty"`
	Scopes   []string `json:"scopes,omitempty"` // as Microsoft granted them
	// RequestedBy is the subject of the caller who asked for the authorisation.
	RequestedBy string `json:"requestedBy,omitempty"`
	// Confirmation says who confirmed the identity in effect; nil when a version
	// did that which kept no note of it.
	Confirmation *Confirmation `json:"confirmation,omitempty"`
	// Waiting is a sign-in that takes effect when it is confirmed.
	Waiting *SignIn `json:"waiting,omitempty"`
	// RefusedSignIn is the last sign-in that came to nothing, until one is good.
	RefusedSignIn *RefusedSignIn `json:"refusedSignIn,omitempty"`
	// Deactivation says who last let the connection go, and why.
	Deactivation *Deactivation `json:"deactivation,omitempty"`
	// Former names the secrets that may exist besides those of SignInID and
	// Waiting. They are deleted soon, and then no longer named here.
	Former   []FormerSignIn `json:"formerSignIns,omitempty"`
	Settings Settings       `json:"settings"`
	// SettingsBy is the subject of the caller who last had the settings changed:
	// under fourEyes the one who proposed it.
	SettingsBy string `json:"settingsBy,omitempty"`
	// SettingsEditors are who changed lately what plans come from; see Set.
	SettingsEditors []Edit `json:"settingsEditors,omitempty"`
	// LastLoosening is when the settings last became looser.
	LastLoosening *Loosening `json:"lastLoosening,omitempty"`
	// UsesGroups says that the connection has done something with a group of the
	// directory: whoever has a connection that never did need not look what is due.
	UsesGroups bool `json:"usesGroups,omitempty"`
	// RuleScopes are the permissions that rules of this epoch want, or wanted: exports of
	// groups, and licences. What a rule gave is taken back by the same permission after it has
	// gone; then it is forgotten, at the latest with the doctor's next look. See Wanted.
	RuleScopes []string `json:"ruleScopes,omitempty"`
	// Loosened are the guards that were in place of looser ones lately; see
	// FormerGuards.
	Loosened []LoosenedGuard `json:"loosened,omitempty"`
	// Proposals are what waits for somebody else's decision, expired ones among
	// them; see Open.
	Proposals []Proposal `json:"proposals,omitempty"`
	// ExportedSince is when somebody with the right to decide it switched the
	// export of a sensitive property on: what users had by then is what was
	// decided about. It is not known of what was exported before it was kept.
	ExportedSince map[string]time.Time `json:"exportedSince,omitempty"`
	// Problem says why the status is needs-authorization.
	Problem *Problem `json:"trouble,omitempty"`
	LastRun *LastRun `json:"lastRun,omitempty"`
	// AuthorizedAt is when the tokens in effect were first received.
	AuthorizedAt time.Time `json:"authorizedAt,omitzero"`
	Created      time.Time `json:"created"`
	Updated      time.Time `json:"updated"`
	// Version rises with every change of what stands above; lease and last-run
	// fields change without it.
	Version int64 `json:"version"`
}

// Authorization names the authorisation in force. What was read or obtained
// under another one does not count: its admin may be replaced, and see and may
// do other things.
func (c *Connection) Authorization() string {
	var tenant TenantID
	if c.Tenant != nil {
		tenant = c.Tenant.ID
	}
	return fmt.Sprintf("%d %s %s %s", c.Epoch, tenant, c.SignInID, c.AuthorizedAt.UTC().Format(time.RFC3339Nano))
}

// TenantID is the tenant in effect, or "" when there is none.
func (c *Connection) TenantID() TenantID {
	if c.Tenant == nil {
		return ""
	}
	return c.Tenant.ID
}

// Authorized reports whether the connection's tokens may be used for syncing.
func (c *Connection) Authorized() bool { return c.Status == StatusActive }

// InEffect reports whether the connection has an identity whose tokens are, or
// were until Microsoft refused them, in use.
func (c *Connection) InEffect() bool {
	return (c.Status == StatusActive || c.Status == StatusNeedsAuthorization) && c.Tenant != nil && c.AuthorizedBy != nil
}

// LastSuccess is when a run of the connection last ended well; before the first
// one, when it was authorised, or made.
func (c *Connection) LastSuccess() time.Time {
	last := c.AuthorizedAt
	if c.LastRun != nil && c.LastRun.SucceededAt.After(last) {
		last = c.LastRun.SucceededAt
	}
	if last.IsZero() {
		return c.Created
	}
	return last
}

// overdueAfter is how long past twice its interval a connection may be without a
// successful run.
const overdueAfter = time.Hour

// Overdue reports whether the connection is active and has had no success for
// twice its interval and an hour.
func (c *Connection) Overdue(now time.Time) bool {
	last := c.LastSuccess()
	patience := 2*time.Duration(c.Settings.Defaulted().Interval) + overdueAfter
	return c.Status == StatusActive && !last.IsZero() && now.Sub(last) > patience
}

// EndEpoch moves the connection on to its next epoch. The secrets of the one that
// ends are listed to be deleted, and none is in effect; proposals end with it.
func (c *Connection) EndEpoch(now time.Time) {
	if c.InEffect() {
		c.Former = append(slices.Clone(c.Former), FormerSignIn{ID: c.SignInID, Epoch: c.Epoch, Since: now})
	}
	if c.Waiting != nil {
		c.Former = append(slices.Clone(c.Former), FormerSignIn{ID: c.Waiting.ID, Epoch: c.Epoch, Since: now})
	}
	c.SignInID, c.Waiting, c.Confirmation, c.Problem, c.Proposals = "", nil, nil, nil, nil
	c.RefusedSignIn = nil
	c.RuleScopes = nil // no rule of this epoch counts in the next
	c.Epoch++
}

// SignIn is an admin's sign-in with what it showed, before its confirmation.
type SignIn struct {
	ID           SignInID      `json:"id"`
	Tenant       Tenant        `json:"tenant"`
	AuthorizedBy Administrator `json:"authorizedBy"`
	Scopes       []string      `json:"scopes,omitempty"`
	RequestedBy  string        `json:"requestedBy"` // subject of the caller who asked for the authorisation
	At           time.Time     `json:"at"`
	// Seal proves that we wrote this about the connection and its epoch. One that
	// an earlier version stored has none, and no ID.
	Seal string `json:"seal,omitempty"`
}

// RefusedSignIn is why a sign-in came to nothing, as the page said that whoever signed in
// was shown. Who that was is not known.
type RefusedSignIn struct {
	At      time.Time `json:"at"`
	Code    string    `json:"code" doc:"Stable; the page in the browser had it as well."`
	Message string    `json:"message"`
	Next    string    `json:"next,omitempty" doc:"What to do."`
}

// FormerSignIn names a secret that is not in use: of a sign-in that is being
// stored, or whose tokens are to be deleted.
type FormerSignIn struct {
	ID    SignInID  `json:"id"`
	Epoch int64     `json:"epoch"`
	Since time.Time `json:"since"`
	// Tenant was claimed for the sign-in, if it is one that is being stored.
	Tenant TenantID `json:"tenant,omitempty"`
}

// Confirmation is the decision that an identity may take effect.
type Confirmation struct {
	By string    `json:"by"` // subject of the caller
	At time.Time `json:"at"`
	// Seal proves that we wrote it about this connection, epoch, tenant and object.
	Seal string `json:"seal"`
}

// Deactivation is the decision that ended an epoch of a connection.
type Deactivation struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"` // in their own words
}

// ClaimsDomain reports whether an address's domain is one that this connection
// has claimed, be it lost since.
func (c *Connection) ClaimsDomain(domain string) bool {
	if c.Tenant == nil {
		return false
	}
	for _, d := range c.Tenant.Domains {
		if FoldDomain(d.Name) == FoldDomain(domain) {
			return true
		}
	}
	return false
}

// Tenant is a Microsoft 365 organisation as its API describes it.
type Tenant struct {
	ID          TenantID `json:"id"`
	DisplayName string   `json:"displayName"`
	// Domains are the claimed ones, all of them verified unless they are lost;
	// Offered are verified ones that nobody has claimed for this connection.
	Domains []Domain `json:"domains,omitempty"`
	Offered []Domain `json:"offeredDomains,omitempty"`
}

// Domain is one domain of a tenant.
type Domain struct {
	Name string `json:"name"`
	// AuthenticationType is Managed or Federated.
	AuthenticationType string `json:"authenticationType"`
	IsDefault          bool   `json:"isDefault,omitempty"`
	IsInitial          bool   `json:"isInitial,omitempty"`
	// LostSince is when a claimed domain was first found not to be a verified one
	// of the tenant any more; zero while it is one.
	LostSince time.Time `json:"lostSince,omitzero"`
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
