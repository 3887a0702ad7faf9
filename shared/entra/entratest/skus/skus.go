// Package skus is a catalogue of Microsoft's products: their ids, part numbers and the
// services that they are made of. The ids are those that Microsoft lists in "Product
// names and service plan identifiers for licensing"; of each product the services that
// matter for access, mail and rules are here, not all of them.
//
// Which services need or exclude each other Microsoft does not publish. [K]: what
// stands here follows messages that people met, and nothing else here knows it. A test
// describes products of its own where it needs other rules.
package skus

import (
	"slices"
	"strings"

	"bindery/shared/entra/entratest/state"
)

// The ids of the products here.
const (
	SPEE3                 = "05e9a617-0261-4cee-bb44-138d3ef5d965" // Microsoft 365 E3
	SPEE5                 = "06ebc4ee-1bb5-47dd-8120-11324bc54e06" // Microsoft 365 E5
	EnterprisePack        = "6fd2c87f-b296-42f0-b197-1e91e994b900" // Office 365 E3
	StandardPack          = "18181a46-0d4e-45cd-891e-60aabd171b4e" // Office 365 E1
	ExchangeStandard      = "4b9405b0-7788-4568-add1-99614e613b69" // Exchange Online (Plan 1)
	BusinessEssentials    = "3b555118-da6a-4418-894f-7df1e2096870" // Microsoft 365 Business Basic
	EMS                   = "efccb6f7-5641-4e0e-bd10-b4976e1bf68e" // Enterprise Mobility + Security E3
	AADPremium            = "078d2b04-f1bd-4111-bbd4-b4b1b354cef4" // Microsoft Entra ID P1
	AADPremiumP2          = "84a661c4-e949-4bd2-a560-ed7766fcaf2b" // Microsoft Entra ID P2
	PhoneSystem           = "e43b5b99-8dfb-405f-9987-dc307f34bcbd" // Teams Phone Standard
	WorkplaceAnalytics    = "3d957427-ecdc-4df2-aacd-01cc9d519da8" // Microsoft Workplace Analytics
	DatabaseCapacity      = "e612d426-6bc3-4181-9658-91aa906b0ac0" // Common Data Service Database Capacity
	planExchange1         = "9aaf7827-d63c-4b61-89c3-182f06f82e5c"
	planExchange2         = "efb87545-963c-4e0d-99df-69c6916d9eb0"
	planFoundation        = "113feb6c-3fe4-4440-bddc-54d774bf0318"
	planSharePoint1       = "c7699d2e-19aa-44de-8edf-1736da088ca1"
	planSharePoint2       = "5dbe027f-2339-4123-9542-606e4d348a72"
	planOfficeOnline      = "e95bec33-7c88-4a70-8e19-b10bd9d0c014"
	planTeams             = "57ff2da0-773e-42df-b2af-ffb7a2317929"
	planSkype             = "0feaeb32-d00e-4d66-bd5a-43b5b83db82c"
	planApps              = "43de0ff5-c92c-492b-9116-175376d08c38"
	planPlanner           = "b737dad2-2f6c-4c65-90e3-ca563267e8b9"
	planYammer            = "7547a3fe-08ee-4ccb-b430-5077c5041653"
	planIntune            = "c1ec4a95-1f05-45b3-a911-aa3fa01094f5"
	planEntra1            = "41781fb2-bc02-4b7c-bd55-b576c07bb09d"
	planEntra2            = "eec0eb4f-6444-4f95-aba0-50c24d67f998"
	planMFA               = "8a256a2b-b617-496d-b51b-e76466e88db0"
	planDiscovery         = "932ad362-64a8-4783-9106-97849a1a30b9"
	planRights            = "bea4c11e-220a-4e6d-8eb8-8ea15d019f90"
	planRightsPremium     = "6c57d4b6-3b23-47a5-9bc9-69f17b4947b3"
	planWindows           = "21b439ba-a0ca-424f-a6cc-52f954a5b111"
	planDefender          = "f20fedf3-f3c3-43c3-8267-2bfdd51c0939"
	planPhone             = "4828c8ec-dc2e-4779-b502-87ac9ce28ab7"
	planConferencing      = "3e26ee1f-8a5f-4d52-aee2-b81ce45c8f40"
	planWorkplaceInsights = "f477b0f0-3bb1-4890-940c-40fcee6ce05f"
	planDatabaseCapacity  = "360bcc37-0c11-4264-8eed-9fa7a3297c9b"
)

// plans are the services. Exchange's two plans were exclusive once and are not any
// more; SharePoint's two are [K].
var plans = []state.ServicePlan{
	{ID: planExchange1, Name: "EXCHANGE_S_STANDARD", Service: Exchange},
	{ID: planExchange2, Name: "EXCHANGE_S_ENTERPRISE", Service: Exchange},
	{ID: planFoundation, Name: "EXCHANGE_S_FOUNDATION", Service: Exchange, AppliesTo: "Company"},
	{ID: planSharePoint1, Name: "SHAREPOINTSTANDARD", Service: "SharePoint", Excludes: []string{planSharePoint2}},
	{ID: planSharePoint2, Name: "SHAREPOINTENTERPRISE", Service: "SharePoint", Excludes: []string{planSharePoint1}},
	{ID: planOfficeOnline, Name: "SHAREPOINTWAC", Service: "SharePoint", DependsOn: []string{planSharePoint1, planSharePoint2}},
	{ID: planTeams, Name: "TEAMS1", Service: "TeamspaceAPI"},
	{ID: planSkype, Name: "MCOSTANDARD", Service: "MicrosoftCommunicationsOnline"},
	{ID: planApps, Name: "OFFICESUBSCRIPTION", Service: "MicrosoftOffice"},
	{ID: planPlanner, Name: "PROJECTWORKMANAGEMENT", Service: "ProjectWorkManagement", DependsOn: []string{planSharePoint1, planSharePoint2}},
	{ID: planYammer, Name: "YAMMER_ENTERPRISE", Service: "YammerEnterprise"},
	{ID: planIntune, Name: "INTUNE_A", Service: "SCO", ProvisioningStatus: "PendingInput"},
	{ID: planEntra1, Name: "AAD_PREMIUM", Service: "AADPremiumService"},
	{ID: planEntra2, Name: "AAD_PREMIUM_P2", Service: "AADPremiumService"},
	{ID: planMFA, Name: "MFA_PREMIUM", Service: "MultiFactorService"},
	{ID: planDiscovery, Name: "ADALLOM_S_DISCOVERY", Service: "Adallom"},
	{ID: planRights, Name: "RMS_S_ENTERPRISE", Service: "RMSOnline"},
	{ID: planRightsPremium, Name: "RMS_S_PREMIUM", Service: "RMSOnline", DependsOn: []string{planRights}},
	{ID: planWindows, Name: "WIN10_PRO_ENT_SUB", Service: "WindowsUpdateforBusinessCloudExtensions"},
	{ID: planDefender, Name: "ATP_ENTERPRISE", Service: Exchange + "OnlineProtection", DependsOn: []string{planExchange1, planExchange2}},
	{ID: planPhone, Name: "MCOEV", Service: "MicrosoftCommunicationsOnline", DependsOn: []string{planTeams, planSkype}},
	{ID: planConferencing, Name: "MCOMEETADV", Service: "MicrosoftCommunicationsOnline", DependsOn: []string{planTeams, planSkype}},
	{ID: planWorkplaceInsights, Name: "WORKPLACE_ANALYTICS", Service: Exchange + "Analytics", DependsOn: []string{planExchange1, planExchange2}},
	{ID: planDatabaseCapacity, Name: "CDS_DB_CAPACITY", Service: "CommonDataServiceDB", AppliesTo: "Company"},
}

// Exchange is the service whose plans bring a mailbox.
const Exchange = "exchange"

// product is what the catalogue has of a product.
type product struct {
	part, id  string
	appliesTo string
	plans     []string
}

var products = []product{
	{part: "SPE_E3", id: SPEE3, plans: concat(office3, mobility, []string{planWindows})},
	{part: "SPE_E5", id: SPEE5, plans: concat(office3, mobility, []string{planWindows, planEntra2, planDefender, planPhone, planConferencing})},
	{part: "ENTERPRISEPACK", id: EnterprisePack, plans: office3},
	{part: "STANDARDPACK", id: StandardPack, plans: office1},
	{part: "O365_BUSINESS_ESSENTIALS", id: BusinessEssentials, plans: office1},
	{part: "EXCHANGESTANDARD", id: ExchangeStandard, plans: []string{planExchange1}},
	{part: "EMS", id: EMS, plans: concat(mobility, []string{planFoundation})},
	{part: "AAD_PREMIUM", id: AADPremium, plans: entra1},
	{part: "AAD_PREMIUM_P2", id: AADPremiumP2, plans: concat(entra1, []string{planEntra2})},
	{part: "MCOEV", id: PhoneSystem, plans: []string{planPhone}},
	{part: "WORKPLACE_ANALYTICS", id: WorkplaceAnalytics, plans: []string{planWorkplaceInsights}},
	{part: "CDS_DB_CAPACITY", id: DatabaseCapacity, appliesTo: "Company", plans: []string{planDatabaseCapacity, planFoundation}},
}

var (
	office1  = []string{planExchange1, planSharePoint1, planOfficeOnline, planTeams, planSkype, planPlanner, planYammer}
	office3  = []string{planExchange2, planSharePoint2, planOfficeOnline, planTeams, planSkype, planPlanner, planYammer, planApps, planRights}
	mobility = []string{planIntune, planEntra1, planMFA, planDiscovery, planRights, planRightsPremium}
	entra1   = []string{planEntra1, planDiscovery, planFoundation, planMFA}
)

// concat joins lists of plans, each plan once.
func concat(lists ...[]string) []string {
	var out []string
	for _, id := range slices.Concat(lists...) {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// Complete fills in what a description of a subscription leaves out and the catalogue
// knows, by the part number or by the id: the other of the two, to whom it applies and
// its services.
func Complete(s state.SKU) state.SKU {
	i := slices.IndexFunc(products, func(p product) bool {
		return strings.EqualFold(p.part, s.SKUPartNumber) || s.SKUPartNumber == "" && strings.EqualFold(p.id, s.SKUID)
	})
	if i < 0 {
		return s
	}
	p := products[i]
	s.SKUPartNumber = p.part
	if s.SKUID == "" {
		s.SKUID = p.id
	}
	if s.AppliesTo == "" {
		s.AppliesTo = p.appliesTo
	}
	if s.Plans == nil {
		for _, id := range p.plans {
			s.Plans = append(s.Plans, planOf(id))
		}
	}
	return s
}

func planOf(id string) state.ServicePlan {
	i := slices.IndexFunc(plans, func(p state.ServicePlan) bool { return p.ID == id })
	return plans[i]
}
