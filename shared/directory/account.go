package directory

import (
	"slices"
	"strings"
	"time"
)

// Account is what we know of one user object in Microsoft 365.
type Account struct {
	ID AccountID `json:"id"`
	// Properties holds at least the properties that were asked for; asked for
	// and empty is Null.
	Properties     Properties `json:"properties"`
	ProxyAddresses []string   `json:"proxyAddresses,omitempty"` // "SMTP:a@b" is the primary one
	UserType       string     `json:"userType,omitempty"`       // "Member" or "Guest"
	// CreationType, ExternalUserState and Identities say where the account is
	// from; see External. Identities is empty when they were not read.
	CreationType      string     `json:"creationType,omitempty"`
	ExternalUserState string     `json:"externalUserState,omitempty"`
	Identities        []Identity `json:"identities,omitempty"`
	// Licences are all that the account has, from whatever source, where a round was
	// asked to show them; nil: they were not told.
	Licences []AssignedLicence `json:"-"`
	// OnPremisesSync is true for an account mastered by an Active Directory of
	// the tenant; Microsoft refuses most writes to it.
	OnPremisesSync bool      `json:"onPremisesSyncEnabled,omitempty"`
	Created        time.Time `json:"createdDateTime,omitzero"`
	// Manager is the account that a round of changes tells is the manager by now, "" for
	// nobody; nil when it tells nothing of it. It is no property, and only a hint.
	Manager *AccountID `json:"-"`
	// Deleted is when it was soft-deleted; nil for a living account.
	Deleted *time.Time `json:"deletedDateTime,omitempty"`
}

// Identity is one way to sign in to an account.
type Identity struct {
	SignInType       string `json:"signInType"` // "userPrincipalName", "emailAddress", "federated" and others
	Issuer           string `json:"issuer"`
	IssuerAssignedID string `json:"issuerAssignedId,omitempty"`
}

// externalMark stands in the userPrincipalName of an account that another
// organisation's person got by an invitation, behind the person's own name.
const externalMark = "#EXT#"

// Guest reports whether the account is a guest's by its userType.
func (a *Account) Guest() bool { return strings.EqualFold(strings.TrimSpace(a.UserType), "Guest") }

// External reports whether the person behind the account signs in somewhere
// else: in another tenant, or at another provider. Its userType says nothing
// about that: cross-tenant synchronisation makes members, and any guest can be
// made one. What is known of somebody's identities counts more than how the
// account began, since Microsoft can turn an external account into one of the
// tenant's own.
func (a *Account) External() bool {
	if strings.Contains(strings.ToUpper(a.UserPrincipalName()), externalMark) || strings.TrimSpace(a.ExternalUserState) != "" {
		return true
	}
	if len(a.Identities) > 0 { // every account has one: a list without any says nothing
		return slices.ContainsFunc(a.Identities, func(i Identity) bool { return strings.EqualFold(i.SignInType, "federated") })
	}
	return strings.EqualFold(a.CreationType, "Invitation") || strings.EqualFold(a.CreationType, "SelfServiceSignUp")
}

// ExternalName is how the userPrincipalName of an external account begins whose
// person has an address at home.
func ExternalName(address string) string {
	return strings.Replace(FoldAddress(address), "@", "_", 1) + externalMark + "@"
}

// AtHome reports whether an external account is that of the person who has an
// address at home.
func (a *Account) AtHome(address string) bool {
	address = FoldAddress(address)
	if !a.External() || address == "" {
		return false
	}
	others, _ := a.Properties[PropOtherMails].List()
	same := func(s string) bool { return FoldAddress(s) == address }
	return same(a.Properties[PropMail].String()) || slices.ContainsFunc(others, same) ||
		slices.ContainsFunc(a.ProxyAddresses, func(p string) bool { return FoldAddress(p) == "smtp:"+address }) ||
		slices.ContainsFunc(a.Identities, func(i Identity) bool { return same(i.IssuerAssignedID) }) ||
		strings.HasPrefix(FoldAddress(a.UserPrincipalName()), FoldAddress(ExternalName(address)))
}

// HasAddress reports whether an address is the account's userPrincipalName, its mail
// or one of its proxy addresses, in whatever spelling.
func (a *Account) HasAddress(address string) bool {
	address = FoldAddress(address)
	return FoldAddress(a.UserPrincipalName()) == address || FoldAddress(a.Properties[PropMail].String()) == address ||
		slices.ContainsFunc(a.ProxyAddresses, func(p string) bool { return FoldAddress(p) == "smtp:"+address })
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

// AccountManager is an account with its manager, who may be a contact; "" when there
// is none.
type AccountManager struct{ AccountID, ManagerID AccountID }

// ManagerPage is one page of the accounts of a tenant with their managers.
type ManagerPage struct {
	Managers []AccountManager
	Next     string
}
