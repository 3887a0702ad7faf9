package entratest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
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
