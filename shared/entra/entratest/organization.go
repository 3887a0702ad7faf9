package entratest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (t *tenant) showOrganization() map[string]any {
	domains := []any{}
	for _, d := range t.domains {
		if d.verified() {
			domains = append(domains, map[string]any{
				"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": d.IsDefault, "isInitial": d.IsInitial,
				"name": d.Name, "type": d.AuthenticationType,
			})
		}
	}
	var synced any
	for _, o := range t.objects {
		if o.flag("onPremisesSyncEnabled") {
			synced = true
			break
		}
	}
	return map[string]any{
		"id": t.id, "deletedDateTime": nil, "displayName": t.name, "createdDateTime": stamp(t.created), "tenantType": "AAD",
		"countryLetterCode": "CH", "country": nil, "city": nil, "state": nil, "street": nil, "postalCode": nil, "businessPhones": []any{},
		"preferredLanguage": "en", "onPremisesSyncEnabled": synced, "onPremisesLastSyncDateTime": nil, "verifiedDomains": domains,
		"assignedPlans": []any{}, "provisionedPlans": []any{}, "marketingNotificationEmails": []any{}, "technicalNotificationMails": []any{},
		"securityComplianceNotificationMails": []any{}, "securityComplianceNotificationPhones": []any{}, "defaultUsageLocation": nil,
	}
}

func (c *call) listOrganization() (*reply, *graphError) {
	if !c.has(append(slices.Clone(readOrg), "User.Read", "User.Read.All", "User.ReadWrite.All")...) {
		return nil, denied()
	}
	return c.plainList("organization", []any{c.t.showOrganization()})
}

func (c *call) getOrganization() (*reply, *graphError) {
	if !strings.EqualFold(c.ref(), c.t.id) {
		return nil, notThere(c.ref())
	}
	return c.first(c.listOrganization())
}

// first turns a list of one into that one.
func (c *call) first(out *reply, e *graphError) (*reply, *graphError) {
	if e != nil {
		return nil, e
	}
	body := out.body.(map[string]any)
	one := body["value"].([]any)[0].(map[string]any)
	one["@odata.context"] = text(body["@odata.context"]) + "/$entity"
	return &reply{status: http.StatusOK, body: one}, nil
}

func showDomain(d domain) map[string]any {
	window, validity := any(14), any(2147483647)
	if d.federated() {
		window, validity = nil, nil
	}
	return map[string]any{
		"id": d.Name, "authenticationType": d.AuthenticationType, "availabilityStatus": nil, "isAdminManaged": true,
		"isDefault": d.IsDefault, "isInitial": d.IsInitial, "isRoot": true, "isVerified": d.verified(), "state": nil,
		"manufacturer": nil, "model": nil,
		"supportedServices":                []any{"Email", "OfficeCommunicationsOnline"},
		"passwordNotificationWindowInDays": window, "passwordValidityPeriodInDays": validity,
	}
}

func (c *call) listDomains() (*reply, *graphError) {
	if !c.has(readDomain...) {
		return nil, denied()
	}
	items := []any{}
	for _, d := range c.t.domains {
		items = append(items, showDomain(d))
	}
	return c.plainList("domains", items)
}

func (c *call) domain() (domain, *graphError) {
	for _, d := range c.t.domains {
		if strings.EqualFold(d.Name, c.ref()) {
			return d, nil
		}
	}
	return domain{}, notThere(c.ref())
}

func (c *call) getDomain() (*reply, *graphError) {
	if !c.has(readDomain...) {
		return nil, denied()
	}
	d, e := c.domain()
	if e != nil {
		return nil, e
	}
	return c.first(c.plainList("domains", []any{showDomain(d)}))
}

func (c *call) federation() (*reply, *graphError) {
	if !c.has("Domain-InternalFederation.Read.All", "Domain-InternalFederation.ReadWrite.All", "Domain.ReadWrite.All") ||
		!c.holds(globalAdmin, globalReader, securityReader, securityAdmin, domainNameAdmin, hybridAdmin) {
		return nil, denied()
	}
	d, e := c.domain()
	if e != nil {
		return nil, e
	}
	items := []any{}
	if d.federated() {
		item := map[string]any{"id": c.t.roleID(d.Name), "displayName": c.t.name, "preferredAuthenticationProtocol": "wsFed"}
		maps.Copy(item, d.FederationConfiguration)
		items = append(items, item)
	}
	return c.plainList("domains('"+d.Name+"')/federationConfiguration", items)
}

// dnsRecord makes one expected DNS record.
func (t *tenant) dnsRecord(kind, label, service string, more map[string]any) map[string]any {
	out := map[string]any{
		"@odata.type": "#microsoft.graph.domainDns" + kind + "Record", "id": t.roleID(kind + label + service + fmt.Sprint(more)),
		"isOptional": false, "label": label, "recordType": kind, "supportedService": service, "ttl": 3600,
	}
	if kind == "Cname" {
		out["recordType"] = "CName"
	}
	maps.Copy(out, more)
	return out
}

func (c *call) serviceRecords() (*reply, *graphError) {
	if !c.has(readDomain...) {
		return nil, denied()
	}
	d, e := c.domain()
	if e != nil {
		return nil, e
	}
	items := []any{}
	for _, r := range d.ServiceConfigurationRecords {
		items = append(items, maps.Clone(r))
	}
	if d.ServiceConfigurationRecords == nil {
		items = append(items,
			c.t.dnsRecord("Mx", d.Name, "Email", map[string]any{"mailExchange": strings.ReplaceAll(d.Name, ".", "-") + ".mail.protection.outlook.com", "preference": 0}),
			c.t.dnsRecord("Txt", d.Name, "Email", map[string]any{"text": "v=spf1 include:spf.protection.outlook.com -all"}),
			c.t.dnsRecord("Cname", "autodiscover."+d.Name, "Email", map[string]any{"canonicalName": "autodiscover.outlook.com"}))
	}
	return c.plainList("domains('"+d.Name+"')/serviceConfigurationRecords", items)
}

func (c *call) verificationRecords() (*reply, *graphError) {
	if !c.has(readDomain...) {
		return nil, denied()
	}
	d, e := c.domain()
	if e != nil {
		return nil, e
	}
	sum := sha256.Sum256([]byte(c.t.id + d.Name))
	code := fmt.Sprintf("ms%08d", binary.BigEndian.Uint32(sum[:4])%100_000_000)
	return c.plainList("domains('"+d.Name+"')/verificationDnsRecords", []any{
		c.t.dnsRecord("Txt", d.Name, "Email", map[string]any{"text": "MS=" + code}),
		c.t.dnsRecord("Mx", d.Name, "Email", map[string]any{"mailExchange": code + ".msv1.invalid", "preference": 32767}),
	})
}

// graphPrincipal stands for Microsoft Graph itself, the resource of every grant.
func (t *tenant) graphPrincipal() string { return t.roleID("00000003-0000-0000-c000-000000000000") }

// servicePrincipal is the id of an application in this tenant.
func (t *tenant) servicePrincipal(appID string) string { return t.roleID(strings.ToLower(appID)) }

func (c *call) showGrant(g grant) map[string]any {
	out := map[string]any{
		"id": g.ID, "clientId": c.t.servicePrincipal(g.AppID), "consentType": "AllPrincipals", "principalId": nil,
		"resourceId": c.t.graphPrincipal(), "scope": strings.Join(g.Scopes, " "),
	}
	if g.UserOID != "" {
		out["consentType"], out["principalId"] = "Principal", g.UserOID
	}
	return out
}

var readGrants = []string{"DelegatedPermissionGrant.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}

func (c *call) listGrants() (*reply, *graphError) {
	if !c.has(readGrants...) {
		return nil, denied()
	}
	items := []any{}
	for _, id := range slices.Sorted(maps.Keys(c.t.grants)) {
		items = append(items, c.showGrant(c.t.grants[id]))
	}
	return c.pagedList("oauth2PermissionGrants", items)
}

func (c *call) getGrant() (*reply, *graphError) {
	if !c.has(readGrants...) {
		return nil, denied()
	}
	g, ok := c.t.grants[c.ref()]
	if !ok {
		return nil, notThere(c.ref())
	}
	return c.first(c.plainList("oauth2PermissionGrants", []any{c.showGrant(g)}))
}

func (c *call) deleteGrant() (*reply, *graphError) {
	if !c.has("DelegatedPermissionGrant.ReadWrite.All", "Directory.ReadWrite.All") || !c.holds(globalAdmin, privRoleAdmin, appAdmin, cloudAppAdmin) {
		return nil, denied()
	}
	g, ok := c.t.grants[c.ref()]
	if !ok {
		return nil, notThere(c.ref())
	}
	r := c.t.record()
	delete(r.Grants, g.ID)
	m := c.mutation("delete", &object{ID: g.ID, Kind: "oauth2PermissionGrant"})
	m.Before = map[string]any{"scope": strings.Join(g.Scopes, " ")}
	ch := change{s: c.s, t: c.t, record: &r, log: []Mutation{m}}
	if err := ch.commit(); err != nil {
		return nil, failed(err)
	}
	return &reply{status: http.StatusNoContent}, nil
}

// servicePrincipals are the applications that this tenant knows: those with a
// grant, and Graph.
func (c *call) servicePrincipals() map[string]map[string]any {
	show := func(appID, name string) map[string]any {
		return map[string]any{"id": c.t.servicePrincipal(appID), "appId": appID, "displayName": name, "servicePrincipalType": "Application", "accountEnabled": true}
	}
	const graphApp = "00000003-0000-0000-c000-000000000000"
	out := map[string]map[string]any{graphApp: show(graphApp, "Microsoft Graph")}
	for _, g := range c.t.grants {
		name := c.s.apps[g.AppID].Name
		out[g.AppID] = show(g.AppID, name)
	}
	return out
}

var readApps = []string{"Application.Read.All", "Application.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}

func (c *call) listServicePrincipals() (*reply, *graphError) {
	if !c.has(readApps...) {
		return nil, denied()
	}
	items := []any{}
	all := c.servicePrincipals()
	for _, id := range slices.Sorted(maps.Keys(all)) {
		items = append(items, all[id])
	}
	return c.pagedList("servicePrincipals", items)
}

func (c *call) getServicePrincipal() (*reply, *graphError) {
	if !c.has(readApps...) {
		return nil, denied()
	}
	ref := strings.ToLower(c.ref())
	app, byApp := strings.CutPrefix(ref, "(appid)")
	for id, sp := range c.servicePrincipals() {
		if byApp && id == app || !byApp && sp["id"] == ref {
			return c.first(c.plainList("servicePrincipals", []any{sp}))
		}
	}
	return nil, notThere(strings.TrimPrefix(ref, "(appid)"))
}

// activities names a mutation as the audit log does.
var activities = map[string]struct{ name, operation string }{
	kindUser + " create":           {"Add user", "Add"},
	kindUser + " update":           {"Update user", "Update"},
	kindUser + " delete":           {"Delete user", "Delete"},
	kindUser + " restore":          {"Restore user", "Update"},
	kindUser + " purge":            {"Hard Delete user", "Delete"},
	kindUser + " revoke":           {"Update StsRefreshTokenValidFrom Timestamp", "Update"},
	kindUser + " roles":            {"Add member to role", "Assign"},
	kindGroup + " create":          {"Add group", "Add"},
	kindGroup + " update":          {"Update group", "Update"},
	kindGroup + " delete":          {"Delete group", "Delete"},
	kindGroup + " restore":         {"Restore Group", "Update"},
	kindGroup + " purge":           {"Hard Delete group", "Delete"},
	kindGroup + " member-add":      {"Add member to group", "Assign"},
	kindGroup + " member-remove":   {"Remove member from group", "Unassign"},
	"oauth2PermissionGrant create": {"Add delegated permission grant", "Assign"},
	"oauth2PermissionGrant update": {"Add delegated permission grant", "Update"},
	"oauth2PermissionGrant delete": {"Remove delegated permission grant", "Unassign"},
}

// auditLife is how long events are kept, as in a tenant with a premium licence.
const auditLife = 30 * 24 * time.Hour

// audit writes a mutation as an event; ok is false for what leaves none.
func (c *call) audit(m Mutation) (event map[string]any, ok bool) {
	a, known := activities[m.Target+" "+m.Kind]
	if !known || c.s.now().Sub(m.Time) > auditLife {
		return nil, false
	}
	category := map[string]string{kindUser: "UserManagement", kindGroup: "GroupManagement"}[m.Target]
	if category == "" {
		category = "ApplicationManagement"
	}
	if m.Kind == "roles" {
		category = "RoleManagement"
	}
	var initiator any
	if m.ActorUPN != "" || m.Actor != "" {
		id := any(m.Actor)
		if m.Actor == "" {
			id = nil
		}
		initiator = map[string]any{"id": id, "displayName": nil, "userPrincipalName": m.ActorUPN, "ipAddress": "192.0.2.1"}
	}
	modified := []any{}
	for _, name := range slices.Sorted(maps.Keys(m.After)) {
		modified = append(modified, map[string]any{"displayName": name, "oldValue": encoded(m.Before[name]), "newValue": encoded(m.After[name])})
	}
	kind := map[string]string{kindUser: "User", kindGroup: "Group"}[m.Target]
	if kind == "" {
		kind = "ServicePrincipal"
	}
	return map[string]any{
		"id": "Directory_" + m.ID, "activityDateTime": m.Time.UTC().Format("2006-01-02T15:04:05.0000000Z"), "activityDisplayName": a.name,
		"operationType": a.operation, "category": category, "correlationId": m.RequestID, "loggedByService": "Core Directory",
		"result": "success", "resultReason": "", "initiatedBy": map[string]any{"user": initiator, "app": nil},
		"targetResources": []any{map[string]any{
			"id": m.TargetID, "displayName": m.Name, "type": kind, "userPrincipalName": m.UPN, "groupType": nil, "modifiedProperties": modified,
		}},
		"additionalDetails": []any{},
	}, true
}

// encoded is a value as the audit log has it: JSON in a string, in a list.
func encoded(v any) any {
	if v == nil {
		return "[]"
	}
	raw, err := json.Marshal([]any{v})
	if err != nil {
		return nil
	}
	return string(raw)
}

// mayAudit checks the right to read the audit log.
func (c *call) mayAudit() *graphError {
	if !c.has("AuditLog.Read.All") || !c.holds(globalAdmin, globalReader, reportsReader, securityReader, securityAdmin) {
		return denied()
	}
	if c.strikeHere("premium") != nil {
		return &graphError{status: http.StatusForbidden, code: "Authentication_RequestFromNonPremiumTenantOrB2CTenant", free: true,
			message: "Neither tenant is B2C or tenant doesn't have premium license"}
	}
	return nil
}

func (c *call) listAudits() (*reply, *graphError) {
	if e := c.mayAudit(); e != nil {
		return nil, e
	}
	newestFirst := true
	switch strings.ToLower(strings.Join(strings.Fields(c.q["$orderby"]), " ")) {
	case "", "activitydatetime desc":
	case "activitydatetime", "activitydatetime asc":
		newestFirst = false
	default:
		return nil, badGraph("BadRequest", "The $orderby clause is not supported.")
	}
	items := []any{}
	for _, m := range c.t.mutated {
		if event, ok := c.audit(m); ok {
			items = append(items, event)
		}
	}
	if newestFirst {
		slices.Reverse(items)
	}
	c.maxTop = 1000
	return c.pagedList("auditLogs/directoryAudits", items)
}

func (c *call) getAudit() (*reply, *graphError) {
	if e := c.mayAudit(); e != nil {
		return nil, e
	}
	for _, m := range c.t.mutated {
		if event, ok := c.audit(m); ok && event["id"] == c.raw[2] {
			return c.first(c.plainList("auditLogs/directoryAudits", []any{event}))
		}
	}
	return nil, notThere(c.raw[2])
}
