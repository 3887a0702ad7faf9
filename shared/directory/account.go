package directory

import "time"

// Account is what we know of one user object in Microsoft 365.
type Account struct {
	ID AccountID `json:"id"`
	// Properties holds at least the properties that were asked for; asked for
	// and empty is Null.
	Properties     Properties `json:"properties"`
	ProxyAddresses []string   `json:"proxyAddresses,omitempty"` // "SMTP:a@b" is the primary one
	UserType       string     `json:"userType,omitempty"`       // "Member" or "Guest"
	// OnPremisesSync is true for an account mastered by an Active Directory of
	// the tenant; Microsoft refuses most writes to it.
	OnPremisesSync bool      `json:"onPremisesSyncEnabled,omitempty"`
	Created        time.Time `json:"createdDateTime,omitzero"`
	// Deleted is when it was soft-deleted; nil for a living account.
	Deleted *time.Time `json:"deletedDateTime,omitempty"`
}

// UserPrincipalName returns the account's sign-in name.
func (a *Account) UserPrincipalName() string {
	return a.Properties[PropUserPrincipalName].String()
}

// Enabled reports whether the account may sign in; an account whose
// accountEnabled was not read counts as enabled.
func (a *Account) Enabled() bool {
	yes, ok := a.Properties[PropAccountEnabled].Bool()
	return yes || !ok
}
