package state

import "slices"

// Group is the kind of groups.
const Group = "group"

// Groups is what there is of groups (GG 2.1). What is not in it does not exist.
var Groups = &Table{
	Kind: Group, Resource: "Group",
	Unique: []Unique{
		{Index: ByAddress, Property: "proxyAddresses"}, {Index: ByUniqueName, Property: "uniqueName"},
		{Index: ByAlias, Property: "mailNickname", Of: (*Object).Unified},
	},
	Properties: map[string]Property{
		"id":                            {Type: String, Basic: true, Standard: true},
		"deletedDateTime":               {Type: Time, Basic: true, Standard: true},
		"allowExternalSenders":          {Type: Bool, Write: true, Single: true},
		"assignedLicenses":              {Type: Thing, Basic: true},
		"autoSubscribeNewMembers":       {Type: Bool, Write: true, Single: true},
		"classification":                {Type: String, Write: true, Clear: true, Standard: true},
		"createdDateTime":               {Type: Time, Basic: true, Standard: true},
		"description":                   {Type: String, Max: 1024, Write: true, Clear: true, Basic: true, Standard: true},
		"displayName":                   {Type: String, Max: 256, Write: true, Basic: true, Standard: true},
		"expirationDateTime":            {Type: Time, Basic: true, Standard: true},
		"groupTypes":                    {Type: Strings, Write: true, Basic: true, Standard: true},
		"hasMembersWithLicenseErrors":   {Type: Bool, Basic: true}, // to filter by, never shown
		"hideFromAddressLists":          {Type: Bool, Write: true, Single: true},
		"hideFromOutlookClients":        {Type: Bool, Write: true, Single: true},
		"isAssignableToRole":            {Type: Bool, Create: true, Basic: true, Standard: true},
		"isManagementRestricted":        {Type: Bool},
		"isSubscribedByMail":            {Type: Bool, Write: true, Single: true},
		"licenseProcessingState":        {Type: Thing},
		"mail":                          {Type: String, Basic: true, Standard: true},
		"mailEnabled":                   {Type: Bool, Write: true, Basic: true, Standard: true},
		"mailNickname":                  {Type: String, Max: 64, Write: true, Basic: true, Standard: true},
		"membershipRule":                {Type: String, Max: 3072, Write: true, Clear: true, Standard: true},
		"membershipRuleProcessingState": {Type: String, Write: true, Clear: true, Standard: true},
		"onPremisesDomainName":          {Type: String},
		"onPremisesLastSyncDateTime":    {Type: Time, Basic: true, Standard: true},
		"onPremisesNetBiosName":         {Type: String},
		"onPremisesProvisioningErrors":  {Type: Thing, Standard: true},
		"onPremisesSamAccountName":      {Type: String, Basic: true},
		"onPremisesSecurityIdentifier":  {Type: String, Basic: true, Standard: true},
		"onPremisesSyncEnabled":         {Type: Bool, Basic: true, Standard: true},
		"preferredDataLocation":         {Type: String, Create: true, Standard: true},
		"preferredLanguage":             {Type: String, Write: true, Clear: true, Basic: true, Standard: true},
		"proxyAddresses":                {Type: Strings, Basic: true, Standard: true},
		"renewedDateTime":               {Type: Time, Basic: true, Standard: true},
		"resourceBehaviorOptions":       {Type: Strings, Create: true, Standard: true},
		"resourceProvisioningOptions":   {Type: Strings, Standard: true},
		"securityEnabled":               {Type: Bool, Write: true, Basic: true, Standard: true},
		"securityIdentifier":            {Type: String, Basic: true, Standard: true},
		"serviceProvisioningErrors":     {Type: Thing, Standard: true},
		"theme":                         {Type: String, Write: true, Clear: true, Standard: true},
		"uniqueName":                    {Type: String, Max: maxUniqueName, Write: true, Basic: true, Standard: true},
		"visibility":                    {Type: String, Write: true, Standard: true},
	},
}

// maxUniqueName is how long a uniqueName may be. [K]: no document gives a number.
const maxUniqueName = 128

// Unified tells whether a group is a Microsoft 365 group.
func (o *Object) Unified() bool { return slices.Contains(o.List("groupTypes"), "Unified") }

// Dynamic tells whether a rule makes the members of a group.
func (o *Object) Dynamic() bool { return slices.Contains(o.List("groupTypes"), "DynamicMembership") }

// Team tells whether Teams has made a team of a group.
func (o *Object) Team() bool { return slices.Contains(o.List("resourceProvisioningOptions"), "Team") }

// InExchange tells whether a group is a distribution list or a mail-enabled security
// group: Exchange keeps it, and Graph only shows it.
func (o *Object) InExchange() bool { return o.Flag("mailEnabled") && !o.Unified() }

// DeletedForGood tells whether a group that is deleted cannot be restored: one that
// comes from elsewhere has no place in the deleted items (GG 2.4).
func (o *Object) DeletedForGood() bool { return o.InExchange() || o.Flag("onPremisesSyncEnabled") }

// WelcomesMembers tells whether a mail goes to each new member of a Microsoft 365
// group: it does unless its maker said no (GG 6).
func (o *Object) WelcomesMembers() bool {
	return o.Unified() && !slices.Contains(o.List("resourceBehaviorOptions"), "WelcomeEmailDisabled")
}

// keepsNames tells whether an object that is deleted and can be restored keeps its
// unique values from others: a Microsoft 365 group its mailNickname and address (GG 5),
// and every group its uniqueName. The latter is [K]: it is seen of applications.
func (o *Object) keepsNames(property string) bool {
	return o.Kind == Group && !o.Gone && (property == "uniqueName" || o.Unified())
}
