package portal

import "bindery/shared/entra/entratest/state"

// TenantSpec describes a tenant to be made; it is the body of POST
// /_control/tenants.
type TenantSpec struct {
	TenantID string           `json:"tenantId,omitempty"`
	Name     string           `json:"name"`
	Domains  []state.Domain   `json:"domains"`
	Accounts []map[string]any `json:"accounts,omitempty"` // users as Graph writes them, read-only properties too
	Count    int              `json:"count,omitempty"`    // accounts to invent beside those
	Seed     int64            `json:"seed,omitempty"`     // of the invented ones
	Admins   []AdminSpec      `json:"admins,omitempty"`
	Licences []state.SKU      `json:"licences,omitempty"`
	Groups   []GroupSpec      `json:"groups,omitempty"`
	Grants   []GrantSpec      `json:"grants,omitempty"`

	GroupSettings map[string]string `json:"groupSettings,omitempty"` // of Microsoft 365 groups, such as PrefixSuffixNamingRequirement
	GroupLifetime int               `json:"groupLifetime,omitempty"` // days after which these expire; 0: never
}

// AdminSpec is an account with directory roles.
type AdminSpec struct {
	ID                string         `json:"id,omitempty"`
	UserPrincipalName string         `json:"userPrincipalName"`
	DisplayName       string         `json:"displayName,omitempty"`
	Roles             []string       `json:"roles"` // display names or template ids
	MFA               bool           `json:"mfa,omitempty"`
	Properties        map[string]any `json:"properties,omitempty"` // further ones, as Graph writes them
}

// GroupSpec is a group; members and owners are userPrincipalNames, ids or names of
// groups, of a new tenant those further up in the list. Kind says what it is; the other
// fields and Properties go beyond that.
type GroupSpec struct {
	ID                    string         `json:"id,omitempty"`
	Kind                  GroupKind      `json:"kind,omitempty"`
	DisplayName           string         `json:"displayName"`
	MailNickname          string         `json:"mailNickname,omitempty"`
	IsAssignableToRole    bool           `json:"isAssignableToRole,omitempty"`
	OnPremisesSyncEnabled bool           `json:"onPremisesSyncEnabled,omitempty"`
	ProxyAddresses        []string       `json:"proxyAddresses,omitempty"`
	GroupTypes            []string       `json:"groupTypes,omitempty"`
	Members               []string       `json:"members,omitempty"`
	Owners                []string       `json:"owners,omitempty"`
	Roles                 []string       `json:"roles,omitempty"` // only with isAssignableToRole
	Properties            map[string]any `json:"properties,omitempty"`
}

// GrantSpec is a consent that was given before; without a user it is the whole
// organisation's.
type GrantSpec struct {
	ClientID string `json:"clientId"`
	Scope    string `json:"scope"`
	UserID   string `json:"userId,omitempty"` // id or userPrincipalName
}

// Tenant tells what CreateTenant made.
type Tenant struct {
	ID      string   `json:"tenantId"`
	Name    string   `json:"name"`
	Domains []string `json:"domains"`
	Admins  []Admin  `json:"admins"`
	Count   int      `json:"accounts"` // admins among them
}

// Admin is an account that can sign in and has roles.
type Admin struct {
	ID                string   `json:"id"`
	UserPrincipalName string   `json:"userPrincipalName"`
	Roles             []string `json:"roles"` // template ids
}
