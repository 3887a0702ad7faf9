// Package roles is the catalogue of Microsoft's directory roles, by the ids of their
// templates, which are the same in every tenant. Who holds a role is the state's to
// know, and what a role lets its holder do is the rule of the room that asks.
package roles

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Template ids of the roles that rules here name.
const (
	GlobalAdministrator                   = "62e90394-69f5-4237-9190-012177145e10"
	UserAdministrator                     = "fe930be7-5e62-47db-91af-98c3a49a38b1"
	PrivilegedAuthenticationAdministrator = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
	PrivilegedRoleAdministrator           = "e8611ab8-c189-46e8-94e1-60213ab1f814"
	AuthenticationAdministrator           = "c4e39bd9-1100-46d3-8c65-fb160da0071f"
	GroupsAdministrator                   = "fdd7a751-b60b-444a-984c-02652fe8fa1c"
	HelpdeskAdministrator                 = "729827e3-9c14-49f7-bb1b-9608f156bbb8"
	PasswordAdministrator                 = "966707d0-3269-4727-9be2-8c3a10f19b9d"
	DirectoryReaders                      = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
	DirectoryWriters                      = "9360feb5-f418-4baa-8175-e2a00bac4301"
	GuestInviter                          = "95e79109-95c0-4d8e-aee3-d01accf2d47b"
	MessageCenterReader                   = "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b"
	ReportsReader                         = "4a5d8f65-41da-4de4-8968-e035b65339cf"
	UsageSummaryReportsReader             = "75934031-6c7e-415a-99d7-48dbd49e875e"
	GlobalReader                          = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
	SecurityReader                        = "5d6b6bb7-de71-4623-b4af-96380a352509"
	SecurityAdministrator                 = "194ae4cb-b126-40b2-bd5b-6091b380977d"
	LicenseAdministrator                  = "4d6ac14f-3453-41d0-bef0-a3e0c569773a"
	ApplicationAdministrator              = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
	CloudApplicationAdministrator         = "158c047a-c907-4556-b7ef-446551a6b5f7"
	ExchangeAdministrator                 = "29232cdf-9323-42fd-ade2-1d097af3e4de"
	DomainNameAdministrator               = "8329153b-31d0-4727-b945-745eb3bc5f31"
	HybridIdentityAdministrator           = "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2"
	IdentityGovernanceAdministrator       = "45d8d3c5-c802-45c6-b32a-1d70b5e1e86e"
	IntuneAdministrator                   = "3a2c62db-5318-420d-8d74-23affee5d9d5"
	SharePointAdministrator               = "f28a1f50-f6e7-4571-818b-6a12f2af6b6c"
	TeamsAdministrator                    = "69091246-20e8-4a56-aa4d-066075b2a7a8"
	YammerAdministrator                   = "810a2642-a034-447f-a5e8-41beaa378541"
)

// names are the built-in roles that exist, by template id.
var names = map[string]string{
	GlobalAdministrator:                   "Global Administrator",
	UserAdministrator:                     "User Administrator",
	PrivilegedAuthenticationAdministrator: "Privileged Authentication Administrator",
	PrivilegedRoleAdministrator:           "Privileged Role Administrator",
	AuthenticationAdministrator:           "Authentication Administrator",
	GroupsAdministrator:                   "Groups Administrator",
	HelpdeskAdministrator:                 "Helpdesk Administrator",
	PasswordAdministrator:                 "Password Administrator",
	DirectoryReaders:                      "Directory Readers",
	DirectoryWriters:                      "Directory Writers",
	GuestInviter:                          "Guest Inviter",
	MessageCenterReader:                   "Message Center Reader",
	ReportsReader:                         "Reports Reader",
	UsageSummaryReportsReader:             "Usage Summary Reports Reader",
	GlobalReader:                          "Global Reader",
	SecurityReader:                        "Security Reader",
	SecurityAdministrator:                 "Security Administrator",
	LicenseAdministrator:                  "License Administrator",
	ApplicationAdministrator:              "Application Administrator",
	CloudApplicationAdministrator:         "Cloud Application Administrator",
	ExchangeAdministrator:                 "Exchange Administrator",
	DomainNameAdministrator:               "Domain Name Administrator",
	HybridIdentityAdministrator:           "Hybrid Identity Administrator",
	IdentityGovernanceAdministrator:       "Identity Governance Administrator",
	IntuneAdministrator:                   "Intune Administrator",
	SharePointAdministrator:               "SharePoint Administrator",
	TeamsAdministrator:                    "Teams Administrator",
	YammerAdministrator:                   "Yammer Administrator",
}

// BuiltIn lists the template ids of the roles that every tenant has, sorted.
func BuiltIn() []string {
	var out []string
	for template := range names {
		out = append(out, template)
	}
	slices.Sort(out)
	return out
}

// IsBuiltIn tells a built-in role from a custom one.
func IsBuiltIn(template string) bool { return names[template] != "" }

// Name is what people call a role. Every GUID that is not a built-in role stands
// for a custom one.
func Name(template string) string {
	if name, ok := names[template]; ok {
		return name
	}
	return "Custom role " + template[:8]
}

var guidRE = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// Templates turns English names and template ids into template ids, each once.
func Templates(refs []string) ([]string, error) {
	var out []string
	for _, ref := range refs {
		id := strings.ToLower(ref)
		for template, name := range names {
			if strings.EqualFold(name, ref) {
				id = template
			}
		}
		if !guidRE.MatchString(id) {
			return nil, fmt.Errorf("there is no directory role %q: give the English name or the template id", ref)
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
}
