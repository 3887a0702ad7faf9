package directory

import (
	"cmp"
	"strings"
)

// ProductName is what people call a product of Microsoft's, by its part number
// (SPE_E3: Microsoft 365 E3); of a product that is not known here, the part number
// itself. Microsoft gives the names to nobody by its API: the admin centre shows them,
// and a page of its documentation lists them ("Product names and service plan
// identifiers for licensing"). They are for people to read only: whatever is decided,
// is decided by the product's ID.
func ProductName(partNumber string) string {
	return cmp.Or(productNames[strings.ToUpper(partNumber)], partNumber)
}

// ProductNameOf is ProductName of one of a tenant's products, by its ID; of one that is not
// among them, the ID.
func ProductNameOf(products []LicenceSKU, id SKUID) string {
	for i := range products {
		if strings.EqualFold(string(products[i].ID), string(id)) {
			return ProductName(products[i].PartNumber)
		}
	}
	return string(id)
}

// productNames are the names of products that are met most, by part number in capitals.
var productNames = map[string]string{
	"AAD_BASIC":                         "Microsoft Entra Basic",
	"AAD_PREMIUM":                       "Microsoft Entra ID P1",
	"AAD_PREMIUM_P2":                    "Microsoft Entra ID P2",
	"ADALLOM_STANDALONE":                "Microsoft Defender for Cloud Apps",
	"ATA":                               "Microsoft Defender for Identity",
	"ATP_ENTERPRISE":                    "Microsoft Defender for Office 365 (Plan 1)",
	"CDS_DB_CAPACITY":                   "Common Data Service Database Capacity",
	"DEFENDER_ENDPOINT_P1":              "Microsoft Defender for Endpoint P1",
	"DESKLESSPACK":                      "Office 365 F3",
	"DEVELOPERPACK_E5":                  "Microsoft 365 E5 Developer",
	"EMS":                               "Enterprise Mobility + Security E3",
	"EMSPREMIUM":                        "Enterprise Mobility + Security E5",
	"ENTERPRISEPACK":                    "Office 365 E3",
	"ENTERPRISEPACKPLUS_FACULTY":        "Office 365 A3 for faculty",
	"ENTERPRISEPACKPLUS_STUDENT":        "Office 365 A3 for students",
	"ENTERPRISEPREMIUM":                 "Office 365 E5",
	"ENTERPRISEPREMIUM_FACULTY":         "Office 365 A5 for faculty",
	"ENTERPRISEPREMIUM_NOPSTNCONF":      "Office 365 E5 without Audio Conferencing",
	"ENTERPRISEPREMIUM_STUDENT":         "Office 365 A5 for students",
	"EXCHANGEARCHIVE_ADDON":             "Exchange Online Archiving for Exchange Online",
	"EXCHANGEDESKLESS":                  "Exchange Online Kiosk",
	"EXCHANGEENTERPRISE":                "Exchange Online (Plan 2)",
	"EXCHANGESTANDARD":                  "Exchange Online (Plan 1)",
	"FLOW_FREE":                         "Microsoft Power Automate Free",
	"IDENTITY_THREAT_PROTECTION":        "Microsoft 365 E5 Security",
	"INFORMATION_PROTECTION_COMPLIANCE": "Microsoft 365 E5 Compliance",
	"INTUNE_A":                          "Microsoft Intune Plan 1",
	"M365EDU_A1":                        "Microsoft 365 A1",
	"M365EDU_A3_FACULTY":                "Microsoft 365 A3 for faculty",
	"M365EDU_A3_STUDENT":                "Microsoft 365 A3 for students",
	"M365EDU_A5_FACULTY":                "Microsoft 365 A5 for faculty",
	"M365EDU_A5_STUDENT":                "Microsoft 365 A5 for students",
	"M365_F1":                           "Microsoft 365 F1",
	"MCOEV":                             "Microsoft Teams Phone Standard",
	"MCOMEETADV":                        "Microsoft 365 Audio Conferencing",
	"MCOPSTN1":                          "Microsoft 365 Domestic Calling Plan",
	"MCOPSTN2":                          "Microsoft 365 Domestic and International Calling Plan",
	"MEETING_ROOM":                      "Microsoft Teams Rooms Standard",
	"MICROSOFT_365_COPILOT":             "Microsoft 365 Copilot",
	"MICROSOFT_365_E3_(NO_TEAMS)":       "Microsoft 365 E3 (no Teams)",
	"MICROSOFT_365_E5_(NO_TEAMS)":       "Microsoft 365 E5 (no Teams)",
	"MICROSOFT_INTUNE_SUITE":            "Microsoft Intune Suite",
	"MICROSOFT_TEAMS_PREMIUM":           "Microsoft Teams Premium",
	"MICROSOFT_TEAMS_ROOMS_BASIC":       "Microsoft Teams Rooms Basic",
	"MICROSOFT_TEAMS_ROOMS_PRO":         "Microsoft Teams Rooms Pro",
	"O365_BUSINESS":                     "Microsoft 365 Apps for business",
	"O365_BUSINESS_ESSENTIALS":          "Microsoft 365 Business Basic",
	"O365_BUSINESS_PREMIUM":             "Microsoft 365 Business Standard",
	"OFFICESUBSCRIPTION":                "Microsoft 365 Apps for enterprise",
	"OFFICE_365_E3_(NO_TEAMS)":          "Office 365 E3 (no Teams)",
	"PBI_PREMIUM_PER_USER":              "Power BI Premium Per User",
	"PHONESYSTEM_VIRTUALUSER":           "Microsoft Teams Phone Resource Account",
	"POWERAPPS_DEV":                     "Microsoft Power Apps for Developer",
	"POWERAPPS_VIRAL":                   "Microsoft Power Apps Plan 2 Trial",
	"POWER_BI_PRO":                      "Power BI Pro",
	"POWER_BI_STANDARD":                 "Power BI (free)",
	"PROJECTPREMIUM":                    "Project Plan 5",
	"PROJECTPROFESSIONAL":               "Project Plan 3",
	"PROJECT_P1":                        "Project Plan 1",
	"RIGHTSMANAGEMENT":                  "Azure Information Protection Plan 1",
	"SHAREPOINTENTERPRISE":              "SharePoint Online (Plan 2)",
	"SHAREPOINTSTANDARD":                "SharePoint Online (Plan 1)",
	"SPB":                               "Microsoft 365 Business Premium",
	"SPE_E3":                            "Microsoft 365 E3",
	"SPE_E5":                            "Microsoft 365 E5",
	"SPE_F1":                            "Microsoft 365 F3",
	"STANDARDPACK":                      "Office 365 E1",
	"STANDARDWOFFPACK_FACULTY":          "Office 365 A1 for faculty",
	"STANDARDWOFFPACK_STUDENT":          "Office 365 A1 for students",
	"STREAM":                            "Microsoft Stream",
	"TEAMS_EXPLORATORY":                 "Microsoft Teams Exploratory",
	"THREAT_INTELLIGENCE":               "Microsoft Defender for Office 365 (Plan 2)",
	"VISIOCLIENT":                       "Visio Plan 2",
	"VISIOONLINE_PLAN1":                 "Visio Plan 1",
	"WACONEDRIVEENTERPRISE":             "OneDrive for Business (Plan 2)",
	"WACONEDRIVESTANDARD":               "OneDrive for Business (Plan 1)",
	"WINDOWS_STORE":                     "Windows Store for Business",
	"WIN_DEF_ATP":                       "Microsoft Defender for Endpoint P2",
	"WORKPLACE_ANALYTICS":               "Microsoft Workplace Analytics",
}
