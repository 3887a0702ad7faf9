package doctor

import (
	"time"

	"bindery/shared/directory"
)

// Facts are what a check has found out. They can be written as JSON, which is
// how the tests plant faults.
type Facts struct {
	Now        time.Time             `json:"now"`
	Connection *directory.Connection `json:"connection"`
	// Needed are the permissions that no connection can do without.
	Needed []string `json:"needed,omitempty"`
	// TokensUsed is when the refresh token was last used; zero when not known.
	TokensUsed time.Time `json:"tokensUsed,omitzero"`
	// Unread says what of Microsoft could not be read, and why, by kind of fact.
	Unread map[string]string `json:"unread,omitempty"`
	// Loops are the readings of this check whose pages turned in a circle, ReadLoop
	// is what the engine's last reading of the tenant met of that kind.
	Loops    []directory.Problem `json:"loops,omitempty"`
	ReadLoop *directory.Problem  `json:"readLoop,omitempty"`

	Admin *AdminFacts `json:"admin,omitempty"` // who authorised
	// OldestMark is the oldest change that waits; zero when none does.
	OldestMark time.Time `json:"oldestMark,omitzero"`
	HeldRuns   int       `json:"heldRuns,omitempty"`
	// SlowRun is the oldest run that has been open for longer than it should.
	SlowRun *directory.Run `json:"slowRun,omitempty"`
	Domains []DomainIs     `json:"domains,omitempty"`
	// ClaimedElsewhere are domains of the tenant that another connection has.
	ClaimedElsewhere map[string]string `json:"claimedElsewhere,omitempty"`
	People           People            `json:"people"`
	Groups           GroupFacts        `json:"groups,omitzero"`
	Licences         LicenceFacts      `json:"licences,omitzero"`
}

// AdminFacts are about the account that authorised the connection.
type AdminFacts struct {
	Found   bool             `json:"found"`
	Enabled bool             `json:"enabled"`
	Roles   []directory.Role `json:"roles"` // as they are now
}

// DomainIs is one domain of the tenant, with its mail.
type DomainIs struct {
	Name     string `json:"name"`
	Verified bool   `json:"verified"`
	// Unread says that the tenant's domains could not be read: whether it is
	// verified is not known, the rest is as it was last read.
	Unread bool `json:"unread,omitempty"`
	// LostSince is when a claimed domain was last known to be verified no more.
	LostSince          time.Time `json:"lostSince,omitzero"`
	AuthenticationType string    `json:"authenticationType"` // Managed or Federated
	IsDefault          bool      `json:"isDefault,omitempty"`
	IsInitial          bool      `json:"isInitial,omitempty"`
	// Email says that the tenant uses the domain for mail.
	Email bool            `json:"email,omitempty"`
	Realm directory.Realm `json:"realm,omitzero"`
	// Expected are the records that Microsoft asks for; empty when they were
	// not read.
	Expected []Record `json:"expected,omitempty"`
	DNS      *DNS     `json:"dns,omitempty"` // nil: not looked at
	// Users of the directory that have an address in the domain, and those of
	// them that are bound, with some of the latter.
	Users    int      `json:"users,omitempty"`
	Bound    int      `json:"bound,omitempty"`
	Examples []Person `json:"examples,omitempty"`
}

// verified reports whether the domain is verified, as far as is known.
func (d *DomainIs) verified() bool { return d.Verified || d.Unread && d.LostSince.IsZero() }

// Record is a DNS record that Microsoft expects.
type Record struct {
	Type  string `json:"type"` // MX, TXT, CNAME
	Label string `json:"label"`
	Value string `json:"value"`
}

// DNS is what a domain's servers say.
type DNS = directory.DomainMail

// People are the users of the directory beside the accounts of the tenant.
type People struct {
	// Outside counts users by domain that is no verified one of the tenant.
	Outside map[string][]Person `json:"outside,omitempty"`
	// Of users that could be bound or are bound: whose account is synced from
	// on-premises, blocked, a guest's; whose address somebody else has; whose data
	// break a rule of Microsoft.
	Synced  []Person `json:"synced,omitempty"`
	Blocked []Person `json:"blocked,omitempty"`
	Guests  []Person `json:"guests,omitempty"`
	// External are those whose account signs in at another tenant or provider.
	External []Person `json:"external,omitempty"`
	Clashes  []Person `json:"clashes,omitempty"`
	Refused  []Person `json:"refused,omitempty"`
	// Of bound users: single values that Microsoft refused when they were
	// written, and those that it keeps otherwise than they were written.
	NotTaken []Person `json:"notTaken,omitempty"`
	Kept     []Person `json:"kept,omitempty"`
	// Twice are values that two users of the directory share.
	Twice []Person `json:"twice,omitempty"`
	// More says that only the first of the users were looked at.
	More bool `json:"more,omitempty"`
}

// GroupFacts are about the groups that the connection exports.
type GroupFacts struct {
	// Gone are those whose tenant group is not there, ReadOnly those whose tenant group
	// may not be written to, and Namesakes those whose name another tenant group has.
	Gone      []Person `json:"gone,omitempty"`
	ReadOnly  []Person `json:"readOnly,omitempty"`
	Namesakes []Person `json:"namesakes,omitempty"`
	// NotBound are members without an account through the connection.
	NotBound []Person `json:"notBound,omitempty"`
	// More says that only the first of the records were looked at.
	More bool `json:"more,omitempty"`
}

// LicenceFacts are about what the tenant has bought, and what of it we gave.
type LicenceFacts struct {
	Products []directory.LicenceSKU `json:"products,omitempty"`
	// Ours is to how many people we gave a product, OnDisabled who of them is suspended or
	// deleted.
	Ours       map[directory.SKUID]int      `json:"ours,omitempty"`
	OnDisabled map[directory.SKUID][]Person `json:"onDisabled,omitempty"`
	// NoLocation are those who get no licence for want of a country, Waiting those for
	// whom there is no seat.
	NoLocation []Person `json:"noLocation,omitempty"`
	Waiting    []Person `json:"waiting,omitempty"`
	// Failing are tenant groups that could not license all of their members.
	Failing []FailingGroup `json:"failing,omitempty"`
}

// FailingGroup is a tenant group that licenses its members, and could not do so for some.
type FailingGroup struct {
	ID      directory.TenantGroupID `json:"id"`
	Name    string                  `json:"name"`
	Members int                     `json:"members"` // who have not got all
}

// Person is a user, or a group, that a fact concerns.
type Person struct {
	UserID  directory.UserID  `json:"userId,omitempty"`
	GroupID directory.GroupID `json:"groupId,omitempty"`
	Name    string            `json:"name"`
	Detail  string            `json:"detail,omitempty"`
	Code    string            `json:"code,omitempty"`
}
