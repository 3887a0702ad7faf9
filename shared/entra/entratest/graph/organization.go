package graph

import (
	"strings"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

var organizationRoutes = []route{
	{"GET", "organization", listOrganization},
	{"GET", "organization/{}", getOrganization},
}

// Permissions for the organization and its subscriptions.
var (
	readDirectory    = []string{"Organization.Read.All", "Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	readOrganization = with(readDirectory, "User.Read", "User.Read.All", "User.ReadWrite.All")
)

func showOrganization(t *state.Tenant) map[string]any {
	domains := []any{}
	for _, d := range t.Domains {
		if d.Verified() {
			domains = append(domains, map[string]any{
				"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": d.IsDefault, "isInitial": d.IsInitial,
				"name": d.Name, "type": d.AuthenticationType,
			})
		}
	}
	var synced any
	if t.Any(func(o *state.Object) bool { return o.Flag("onPremisesSyncEnabled") }) {
		synced = true
	}
	return map[string]any{
		"id": t.ID, "deletedDateTime": nil, "displayName": t.Name, "createdDateTime": state.Stamp(t.Created), "tenantType": "AAD",
		"countryLetterCode": t.UsageLocation(), "country": nil, "city": nil, "state": nil, "street": nil, "postalCode": nil, "businessPhones": []any{},
		"preferredLanguage": "en", "onPremisesSyncEnabled": synced, "onPremisesLastSyncDateTime": nil, "verifiedDomains": domains,
		"assignedPlans": []any{}, "provisionedPlans": []any{}, "marketingNotificationEmails": []any{}, "technicalNotificationMails": []any{},
		"securityComplianceNotificationMails": []any{}, "securityComplianceNotificationPhones": []any{}, "defaultUsageLocation": nil,
	}
}

func listOrganization(c *call) (*reply, *odata.Error) {
	if !c.has(readOrganization...) {
		return nil, denied()
	}
	return c.whole("organization", []any{showOrganization(c.t)})
}

func getOrganization(c *call) (*reply, *odata.Error) {
	if !strings.EqualFold(c.ref(), c.t.ID) {
		return nil, notThere(c.ref())
	}
	if !c.has(readOrganization...) {
		return nil, denied()
	}
	return c.single("organization", showOrganization(c.t))
}
