package entratest

import (
	"time"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/graph"
	"bindery/shared/entra/entratest/licensing"
	"bindery/shared/entra/entratest/portal"
	"bindery/shared/entra/entratest/state"
)

// What tests say and get, from the rooms in which it is.
type (
	App            = state.App
	Mutation       = state.Mutation
	DomainSpec     = state.Domain
	LicenceSpec    = state.SKU
	LicencePlan    = state.ServicePlan
	Subscription   = portal.Subscription
	LicenceWish    = licensing.Wish
	LicenceRequest = licensing.Request
	LicenceService = portal.LicenceService
	TenantSpec     = portal.TenantSpec
	AdminSpec      = portal.AdminSpec
	GroupSpec      = portal.GroupSpec
	GroupKind      = portal.GroupKind
	GrantSpec      = portal.GrantSpec
	ExternalSpec   = portal.ExternalSpec
	Tenant         = portal.Tenant
	Admin          = portal.Admin
	Fault          = faults.Fault
	Quota          = faults.Quota
	Rate           = faults.Rate
	Request        = graph.Request
)

// CreateTenant makes a tenant with all its accounts, or nothing.
func (s *Server) CreateTenant(spec TenantSpec) (*Tenant, error) { return s.portal.CreateTenant(spec) }

// Tenants tells what all tenants hold now, in the order of their ids.
func (s *Server) Tenants() []*Tenant { return s.portal.Tenants() }

// Account returns all properties of an account by id or userPrincipalName, without
// lag, as they are now. A deleted one is found by its id and has deletedDateTime.
func (s *Server) Account(tenantID, idOrUPN string) (map[string]any, bool) {
	return s.portal.Account(tenantID, idOrUPN)
}

// AddAccount adds an account as somebody in the portal and returns its id.
func (s *Server) AddAccount(tenantID string, given map[string]any) (string, error) {
	return s.portal.AddAccount(tenantID, given)
}

// EditAccount changes any properties of an account, read-only ones too, as
// somebody in Microsoft's portal or a synchronisation from on-premises.
func (s *Server) EditAccount(tenantID, idOrUPN string, edit map[string]any) error {
	return s.portal.EditAccount(tenantID, idOrUPN, edit)
}

// EditAccountAs is EditAccount by an account of the tenant that works in
// Microsoft's portal; actor is its id or userPrincipalName.
func (s *Server) EditAccountAs(tenantID, actor, idOrUPN string, edit map[string]any) error {
	return s.portal.EditAccountAs(tenantID, actor, idOrUPN, edit)
}

// SetManager makes an account the manager of another one as an account of the tenant
// that works in Microsoft's portal; each by id or userPrincipalName. An empty manager
// takes the manager away.
func (s *Server) SetManager(tenantID, actor, idOrUPN, manager string) error {
	return s.portal.SetManager(tenantID, actor, idOrUPN, manager)
}

// DeleteAccount deletes an account as somebody in the portal.
func (s *Server) DeleteAccount(tenantID, idOrUPN string) error {
	return s.portal.DeleteAccount(tenantID, idOrUPN)
}

// AddExternal gives somebody from outside an account and returns its id.
func (s *Server) AddExternal(tenantID string, spec ExternalSpec) (string, error) {
	return s.portal.AddExternal(tenantID, spec)
}

// InviteAccount has an account of the tenant's own become an external one whose
// person has this address at home.
func (s *Server) InviteAccount(tenantID, idOrUPN, mail string) error {
	return s.portal.InviteAccount(tenantID, idOrUPN, mail)
}

// ConvertToInternal has an external account become one of the tenant's own.
func (s *Server) ConvertToInternal(tenantID, idOrUPN, upn string) error {
	return s.portal.ConvertToInternal(tenantID, idOrUPN, upn)
}

// SetPhoto gives an account a photo, or takes it away (nil), as somebody in the
// portal. What it holds is not looked at, so that it may be hostile.
func (s *Server) SetPhoto(tenantID, idOrUPN string, data []byte) error {
	return s.portal.SetPhoto(tenantID, idOrUPN, data)
}

// SetRoles makes directory roles, by name or template id, the direct ones of an
// account.
func (s *Server) SetRoles(tenantID, idOrUPN string, roles ...string) error {
	return s.portal.SetRoles(tenantID, idOrUPN, roles...)
}

// The kinds of groups that AddGroup and a tenant's description make.
const (
	SecurityGroup     = portal.SecurityGroup
	UnifiedGroup      = portal.UnifiedGroup
	DynamicGroup      = portal.DynamicGroup
	DynamicUnified    = portal.DynamicUnified
	MailSecurityGroup = portal.MailSecurityGroup
	DistributionList  = portal.DistributionList
	SyncedGroup       = portal.SyncedGroup
	RoleGroup         = portal.RoleGroup
)

// Group returns all properties of a group by id or displayName, with the ids of its
// members and owners, without lag, as they are now.
func (s *Server) Group(tenantID, idOrName string) (map[string]any, bool) {
	return s.portal.Group(tenantID, idOrName)
}

// AddGroup makes a group of any kind as somebody in the portal and returns its id. Here
// and below actor is an account of the tenant by id or userPrincipalName, of whom the
// audit log tells; empty: nobody knows who.
func (s *Server) AddGroup(tenantID, actor string, spec GroupSpec) (string, error) {
	return s.portal.AddGroup(tenantID, actor, spec)
}

// EditGroup changes any properties of a group, read-only ones too: it turns one into a
// dynamic, synced, role-assignable or restricted one.
func (s *Server) EditGroup(tenantID, actor, idOrName string, edit map[string]any) error {
	return s.portal.EditGroup(tenantID, actor, idOrName, edit)
}

// DeleteGroup deletes a group, of whatever kind, as somebody in the portal.
func (s *Server) DeleteGroup(tenantID, actor, idOrName string) error {
	return s.portal.DeleteGroup(tenantID, actor, idOrName)
}

// SetMember puts an account or a group into a group as somebody in the portal, or takes
// it out.
func (s *Server) SetMember(tenantID, actor, group, member string, is bool) error {
	return s.portal.SetLink(tenantID, actor, group, state.Members, member, is)
}

// SetOwner makes an account an owner of a group as somebody in the portal, or none.
func (s *Server) SetOwner(tenantID, actor, group, owner string, is bool) error {
	return s.portal.SetLink(tenantID, actor, group, state.Owners, owner, is)
}

// SetGroupSettings says what a tenant demands of its Microsoft 365 groups, and after how
// many days they expire (0: never).
func (s *Server) SetGroupSettings(tenantID string, settings map[string]string, lifetime int) error {
	return s.portal.SetGroupSettings(tenantID, settings, lifetime)
}

// SetDomain adds a domain to a tenant, or puts another state in place of the one
// it has: verified, federated with a configuration, or the default one.
func (s *Server) SetDomain(tenantID string, spec DomainSpec) error {
	return s.portal.SetDomain(tenantID, spec)
}

// RemoveDomain takes a domain from a tenant, as a forced deletion does.
func (s *Server) RemoveDomain(tenantID, name string) error {
	return s.portal.RemoveDomain(tenantID, name)
}

// Licences are the subscriptions of a tenant, and how many of their seats are taken.
func (s *Server) Licences(tenantID string) ([]Subscription, error) {
	return s.portal.Licences(tenantID)
}

// SetLicence buys a subscription, or changes the one with its id or part number.
// Whoever has a licence keeps it, also when there are fewer seats.
func (s *Server) SetLicence(tenantID string, sku LicenceSpec) error {
	return s.portal.SetLicence(tenantID, sku)
}

// ExpireLicence takes a subscription, by id or part number, to the next step of its
// end: grace, suspended, gone.
func (s *Server) ExpireLicence(tenantID, sku string) error {
	return s.portal.ExpireLicence(tenantID, sku)
}

// AssignLicences gives and takes licences of a user or a group as an account of the
// tenant that works in Microsoft's admin center.
func (s *Server) AssignLicences(tenantID, actor, userOrGroup string, r LicenceRequest) error {
	return s.portal.AssignLicences(tenantID, actor, userOrGroup, r)
}

// SetLicenceService says how the licence service of a tenant behaves from now on.
func (s *Server) SetLicenceService(tenantID string, service LicenceService) error {
	return s.portal.SetLicenceService(tenantID, service)
}

// Mutations returns every change in a tenant, oldest first.
func (s *Server) Mutations(tenantID string) []Mutation { return s.portal.Mutations(tenantID) }

// RegisterApp registers an application, or replaces the one with the same id.
func (s *Server) RegisterApp(app App) error { return s.state.RegisterApp(app) }

// RotateKeys signs id_tokens from now on with a new key and returns its id; with
// retire the old ones vanish at once.
func (s *Server) RotateKeys(retire bool) (string, error) { return s.identity.RotateKeys(retire) }

// Advance moves the simulator's clock forward, for expiries; nothing waits for it.
func (s *Server) Advance(d time.Duration) error { return s.state.Advance(d) }

// SetFault sets a fault and returns its id; the kinds stand in the README of this
// folder.
func (s *Server) SetFault(f Fault) (string, error) { return s.faults.Add(f) }

// Faults returns the faults that are set, with how often they struck.
func (s *Server) Faults() []Fault { return s.faults.List() }

// ClearFaults removes the faults with these ids, or all without ids.
func (s *Server) ClearFaults(ids ...string) { s.faults.Clear(ids...) }

// Requests returns the requests to Graph that were seen, oldest first.
func (s *Server) Requests() []Request { return s.graph.Requests() }

// ResetRequests forgets the requests that were seen.
func (s *Server) ResetRequests() { s.graph.ResetRequests() }
