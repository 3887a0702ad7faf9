package state

// Group is the kind of groups.
const Group = "group"

// Groups is what there is of groups.
var Groups = &Table{
	Kind: Group, Resource: "Group",
	Unique: []Unique{{ByAddress, "proxyAddresses"}},
	Properties: map[string]Property{
		"assignedLicenses":              {Type: Thing, Basic: true},
		"hasMembersWithLicenseErrors":   {Type: Bool, Basic: true}, // to filter by, never shown
		"licenseProcessingState":        {Type: Thing},
		"id":                            {Type: String, Basic: true, Standard: true},
		"deletedDateTime":               {Type: Time, Basic: true, Standard: true},
		"classification":                {Type: String, Write: true, Clear: true, Standard: true},
		"createdDateTime":               {Type: Time, Basic: true, Standard: true},
		"description":                   {Type: String, Max: 1024, Write: true, Clear: true, Basic: true, Standard: true},
		"displayName":                   {Type: String, Max: 256, Write: true, Basic: true, Standard: true},
		"expirationDateTime":            {Type: Time, Standard: true},
		"groupTypes":                    {Type: Strings, Write: true, Basic: true, Standard: true},
		"isAssignableToRole":            {Type: Bool, Basic: true, Standard: true},
		"isManagementRestricted":        {Type: Bool},
		"mail":                          {Type: String, Basic: true, Standard: true},
		"mailEnabled":                   {Type: Bool, Write: true, Basic: true, Standard: true},
		"mailNickname":                  {Type: String, Max: 64, Write: true, Basic: true, Standard: true},
		"membershipRule":                {Type: String, Standard: true},
		"membershipRuleProcessingState": {Type: String, Standard: true},
		"onPremisesLastSyncDateTime":    {Type: Time, Basic: true, Standard: true},
		"onPremisesSamAccountName":      {Type: String, Basic: true, Standard: true},
		"onPremisesSecurityIdentifier":  {Type: String, Basic: true, Standard: true},
		"onPremisesSyncEnabled":         {Type: Bool, Basic: true, Standard: true},
		"preferredLanguage":             {Type: String, Write: true, Clear: true, Basic: true, Standard: true},
		"proxyAddresses":                {Type: Strings, Basic: true, Standard: true},
		"renewedDateTime":               {Type: Time, Standard: true},
		"securityEnabled":               {Type: Bool, Write: true, Basic: true, Standard: true},
		"securityIdentifier":            {Type: String, Basic: true, Standard: true},
		"uniqueName":                    {Type: String, Basic: true},
		"visibility":                    {Type: String, Write: true, Clear: true, Standard: true},
	},
}
