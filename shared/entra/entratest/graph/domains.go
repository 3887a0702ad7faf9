package graph

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"strings"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

var domainRoutes = []route{
	{"GET", "domains", listDomains},
	{"GET", "domains/{}", getDomain},
	{"GET", "domains/{}/federationconfiguration", federation},
	{"GET", "domains/{}/serviceconfigurationrecords", serviceRecords},
	{"GET", "domains/{}/verificationdnsrecords", verificationRecords},
}

var readDomain = []string{"Domain.Read.All", "Domain.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}

func showDomain(d state.Domain) map[string]any {
	var window, validity any // of passwords, which a federated domain has elsewhere
	if !d.Federated() {
		window = 14
		validity = 2147483647
	}
	return map[string]any{
		"id": d.Name, "authenticationType": d.AuthenticationType, "availabilityStatus": nil, "isAdminManaged": true,
		"isDefault": d.IsDefault, "isInitial": d.IsInitial, "isRoot": true, "isVerified": d.Verified(), "state": nil,
		"manufacturer": nil, "model": nil,
		"supportedServices":                []any{"Email", "OfficeCommunicationsOnline"},
		"passwordNotificationWindowInDays": window, "passwordValidityPeriodInDays": validity,
	}
}

func listDomains(c *call) (*reply, *odata.Error) {
	if !c.has(readDomain...) {
		return nil, denied()
	}
	items := []any{}
	for _, d := range c.t.Domains {
		items = append(items, showDomain(d))
	}
	return c.whole("domains", items)
}

func (c *call) domain() (state.Domain, *odata.Error) {
	for _, d := range c.t.Domains {
		if strings.EqualFold(d.Name, c.ref()) {
			return d, nil
		}
	}
	return state.Domain{}, notThere(c.ref())
}

func getDomain(c *call) (*reply, *odata.Error) {
	if !c.has(readDomain...) {
		return nil, denied()
	}
	d, e := c.domain()
	if e != nil {
		return nil, e
	}
	return c.single("domains", showDomain(d))
}

func federation(c *call) (*reply, *odata.Error) {
	if !c.has("Domain-InternalFederation.Read.All", "Domain-InternalFederation.ReadWrite.All", "Domain.ReadWrite.All") ||
		!c.holds(roles.GlobalAdministrator, roles.GlobalReader, roles.SecurityReader, roles.SecurityAdministrator, roles.DomainNameAdministrator, roles.HybridIdentityAdministrator) {
		return nil, denied()
	}
	d, e := c.domain()
	if e != nil {
		return nil, e
	}
	items := []any{}
	if d.Federated() {
		item := map[string]any{"id": derivedID(c.t, d.Name), "displayName": c.t.Name, "preferredAuthenticationProtocol": "wsFed"}
		maps.Copy(item, d.FederationConfiguration)
		items = append(items, item)
	}
	return c.whole("domains('"+d.Name+"')/federationConfiguration", items)
}

// dnsRecord makes one expected DNS record.
func dnsRecord(t *state.Tenant, kind, label, service string, more map[string]any) map[string]any {
	out := map[string]any{
		"@odata.type": "#microsoft.graph.domainDns" + kind + "Record", "id": derivedID(t, kind+label+service+fmt.Sprint(more)),
		"isOptional": false, "label": label, "recordType": kind, "supportedService": service, "ttl": 3600,
	}
	if kind == "Cname" {
		out["recordType"] = "CName"
	}
	maps.Copy(out, more)
	return out
}

func serviceRecords(c *call) (*reply, *odata.Error) {
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
			dnsRecord(c.t, "Mx", d.Name, "Email", map[string]any{"mailExchange": strings.ReplaceAll(d.Name, ".", "-") + ".mail.protection.outlook.com", "preference": 0}),
			dnsRecord(c.t, "Txt", d.Name, "Email", map[string]any{"text": "v=spf1 include:spf.protection.outlook.com -all"}),
			dnsRecord(c.t, "Cname", "autodiscover."+d.Name, "Email", map[string]any{"canonicalName": "autodiscover.outlook.com"}))
	}
	return c.whole("domains('"+d.Name+"')/serviceConfigurationRecords", items)
}

func verificationRecords(c *call) (*reply, *odata.Error) {
	if !c.has(readDomain...) {
		return nil, denied()
	}
	d, e := c.domain()
	if e != nil {
		return nil, e
	}
	sum := sha256.Sum256([]byte(c.t.ID + d.Name))
	code := fmt.Sprintf("ms%08d", binary.BigEndian.Uint32(sum[:4])%100_000_000)
	return c.whole("domains('"+d.Name+"')/verificationDnsRecords", []any{
		dnsRecord(c.t, "Txt", d.Name, "Email", map[string]any{"text": "MS=" + code}),
		dnsRecord(c.t, "Mx", d.Name, "Email", map[string]any{"mailExchange": code + ".msv1.invalid", "preference": 32767}),
	})
}
