package directory

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// OAuthState is what stands behind a one-time state parameter (RFC 6749
// section 10.12), stored under the parameter's hash.
type OAuthState struct {
	ConnectionID ConnectionID `json:"connectionId"`
	Epoch        int64        `json:"epoch"`
	RequestedBy  string       `json:"requestedBy"` // subject of the admin who asked
	// Authority is the tenant part of the authorize URL; the code is redeemed there.
	Authority string   `json:"authority"`
	Scopes    []string `json:"scopes"`
	// Prompt is what Microsoft is to ask the admin for.
	Prompt  string    `json:"prompt,omitempty"`
	Expires time.Time `json:"expires"`
	// Seal proves that we wrote this about the state.
	Seal string `json:"seal"`
}

// Role is a directory role that an account holds.
type Role struct {
	TemplateID  string `json:"roleTemplateId"`
	DisplayName string `json:"displayName"`
}

// managers are the directory roles that may create, change and block the accounts
// of people without a role (G 1.5).
var managers = []string{
	"62e90394-69f5-4237-9190-012177145e10", // Global Administrator
	"fe930be7-5e62-47db-91af-98c3a49a38b1", // User Administrator
}

// ManagesUsers reports whether one of the roles may create, change and block
// accounts.
func ManagesUsers(roles []Role) bool {
	return slices.ContainsFunc(roles, func(r Role) bool { return slices.Contains(managers, strings.ToLower(r.TemplateID)) })
}

// Claimed says that another connection holds a tenant, a domain or an account.
type Claimed struct {
	What   string // "tenant", "domain" or "account"
	Name   string
	Holder ConnectionID
	User   UserID // of an account
	Object Ref    // of what is no user's account
}

// By is whose an account is, or another object of a tenant.
func (e *Claimed) By() Ref { return refOf(e.Object, e.User) }

func (e *Claimed) Error() string {
	return fmt.Sprintf("%s %s is held by connection %s", e.What, e.Name, e.Holder)
}

// Unwrap makes it a conflict.
func (e *Claimed) Unwrap() error { return ErrConflict }
