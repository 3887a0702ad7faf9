package directory

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// UserState is where a user stands in our directory.
type UserState string

// The states of a user. Only active and suspended users can be bound.
const (
	StateStaged    UserState = "staged"
	StateActive    UserState = "active"
	StateSuspended UserState = "suspended"
)

// Source says who brings a user or an attribute. It comes from the caller's
// scope, never from a request's body.
type Source string

// The sources of users.
const (
	SourceManual Source = "manual" // an admin through the API
	SourceSCIM   Source = "scim"
	SourceAD     Source = "ad"   // the Active Directory bridge
	SourceM365   Source = "m365" // an import from a tenant
)

// Phones are a user's numbers, in any notation.
type Phones struct {
	Work   string `json:"work,omitempty"`
	Mobile string `json:"mobile,omitempty"`
}

// WorkAddress is where a user works; the names are those of Microsoft Graph.
type WorkAddress struct {
	StreetAddress string `json:"streetAddress,omitempty"`
	City          string `json:"city,omitempty"`
	State         string `json:"state,omitempty"`
	PostalCode    string `json:"postalCode,omitempty"`
	Country       string `json:"country,omitempty"`
}

// Profile is what can be said of a user: everything that a source may bring.
type Profile struct {
	UserName          string            `json:"userName"`
	Email             string            `json:"email"`
	AlternateEmail    string            `json:"alternateEmail,omitempty"`
	GivenName         string            `json:"givenName,omitempty"`
	FamilyName        string            `json:"familyName,omitempty"`
	DisplayName       string            `json:"displayName,omitempty"`
	Phones            Phones            `json:"phones,omitzero"`
	WorkAddress       WorkAddress       `json:"workAddress,omitzero"`
	Department        string            `json:"department,omitempty"`
	JobTitle          string            `json:"jobTitle,omitempty"`
	Location          string            `json:"location,omitempty"`
	Company           string            `json:"company,omitempty"`
	EmployeeID        string            `json:"employeeId,omitempty"`
	EmployeeType      string            `json:"employeeType,omitempty"`
	CostCenter        string            `json:"costCenter,omitempty"`
	ManagerID         UserID            `json:"managerId,omitempty"`
	UsageLocation     string            `json:"usageLocation,omitempty"`
	PreferredLanguage string            `json:"preferredLanguage,omitempty"`
	State             UserState         `json:"state"`
	ExternalID        string            `json:"externalId,omitempty"`
	CustomAttributes  map[string]string `json:"customAttributes,omitempty"`
}

// User is a person in our directory.
type User struct {
	ID UserID `json:"id"`
	Profile
	Source Source `json:"source"`
	// Owners names, by attribute ("department", "phones.work",
	// "customAttributes.badge"), the source whose value others must not
	// overwrite. Attributes of nobody are not listed.
	Owners map[string]Source `json:"owners,omitempty"`
	// ImportedFrom is the account that an import made the user of. A binding in
	// that tenant takes this account, whatever the two are called by then.
	ImportedFrom *AccountRef `json:"importedFrom,omitempty"`
	Created      time.Time   `json:"created"`
	Updated      time.Time   `json:"updated"`
	// Deleted is when the user became a tombstone; nil for a living user.
	Deleted *time.Time `json:"deleted,omitempty"`
	// Version rises by one with every write; it is the ETag.
	Version int64 `json:"version"`
	// Editors are who edited the user lately, each with the version that their
	// last edit made. It is for Bindery's own use: who asked for a change cannot
	// approve it under fourEyes.
	Editors []Edit `json:"-"`
}

// AccountRef names an account of a tenant.
type AccountRef struct {
	TenantID  TenantID  `json:"tenantId"`
	AccountID AccountID `json:"accountId"`
	// UserPrincipalName is what the account was called when this was noted.
	UserPrincipalName string `json:"userPrincipalName,omitempty"`
}

// Edit says who made a version of a user, or of a connection's settings.
type Edit struct {
	By      string    `json:"by"` // subject of the caller
	Version int64     `json:"version"`
	At      time.Time `json:"at"`
}

// maxEditors is how many editors of a user, or of settings, are kept: the latest.
const maxEditors = 16

// EditedBy notes that the next version of the user is of a caller.
func (u *User) EditedBy(subject string, now time.Time) {
	u.Editors = edited(u.Editors, Edit{By: subject, Version: u.Version + 1, At: now.UTC()})
}

// edited adds an edit to others, in place of an earlier one by the same.
func edited(list []Edit, e Edit) []Edit {
	list = slices.DeleteFunc(slices.Clone(list), func(old Edit) bool { return old.By == e.By })
	list = append(list, e)
	return list[max(0, len(list)-maxEditors):]
}

// EditorsSince returns the subjects of those who edited the user after a version
// and a time.
func (u *User) EditorsSince(version int64, at time.Time) []string {
	var list []string
	for _, e := range u.Editors {
		if e.Version > version && e.At.After(at) && e.By != "" {
			list = append(list, e.By)
		}
	}
	return list
}

// Label is what people call the user: the display name, else the names, else the address.
func (u *User) Label() string {
	return cmp.Or(u.DisplayName, strings.TrimSpace(u.GivenName+" "+u.FamilyName), u.Email, string(u.ID))
}

// Enabled reports whether the directory wants the user's account to be usable.
func (u *User) Enabled() bool { return u.Deleted == nil && u.State == StateActive }

// DomainOf returns the folded part behind the last @ of an address, or "".
func DomainOf(address string) string {
	a := FoldAddress(address)
	if i := strings.LastIndexByte(a, '@'); i >= 0 {
		return a[i+1:]
	}
	return ""
}
