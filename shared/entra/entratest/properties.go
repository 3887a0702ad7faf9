package entratest

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// kinds of property values.
const (
	aText   = "string"
	aBool   = "boolean"
	aList   = "strings"
	aTime   = "dateTimeOffset"
	aRecord = "record" // of members in property.members
	aThing  = "thing"  // anything: only Graph itself writes it
)

// rights groups of properties: which permission and which role may write them.
const (
	sEnabled  = "enabled"
	sPassword = "password"
	sPhone    = "phone"
	sMail     = "mail"
	sIdentity = "identity"
	sName     = "name"   // userPrincipalName: sensitive, ordinary permission
	sAnchor   = "anchor" // onPremisesImmutableId: likewise
)

// property is what Graph knows of one property of a user or group.
type property struct {
	kind     string
	max      int // characters of a text, or of each in a list; 0: no limit
	write    bool
	clear    bool // may be null
	basic    bool // can be filtered without ConsistencyLevel
	single   bool // only when one object is read
	rights   string
	members  []string
	standard bool // in the default set
}

// userProperties are the properties of users (G 2.1, G 2.4, G 2.5). What is not in
// it does not exist.
var userProperties = map[string]property{
	"id":                              {kind: aText, basic: true, standard: true},
	"deletedDateTime":                 {kind: aTime, basic: true},
	"accountEnabled":                  {kind: aBool, write: true, basic: true, rights: sEnabled},
	"ageGroup":                        {kind: aText, write: true, clear: true, basic: true},
	"assignedLicenses":                {kind: aThing, basic: true},
	"assignedPlans":                   {kind: aThing, basic: true},
	"authorizationInfo":               {kind: aThing},
	"businessPhones":                  {kind: aList, max: 64, write: true, clear: true, basic: true, rights: sPhone, standard: true},
	"city":                            {kind: aText, max: 128, write: true, clear: true, basic: true},
	"companyName":                     {kind: aText, max: 64, write: true, clear: true, basic: true},
	"consentProvidedForMinor":         {kind: aText, write: true, clear: true, basic: true},
	"country":                         {kind: aText, max: 128, write: true, clear: true, basic: true},
	"createdDateTime":                 {kind: aTime, basic: true},
	"creationType":                    {kind: aText, basic: true},
	"customSecurityAttributes":        {kind: aThing},
	"department":                      {kind: aText, max: 64, write: true, clear: true, basic: true},
	"displayName":                     {kind: aText, max: 256, write: true, basic: true, standard: true},
	"employeeHireDate":                {kind: aTime, write: true, clear: true, basic: true},
	"employeeId":                      {kind: aText, max: 16, write: true, clear: true, basic: true},
	"employeeLeaveDateTime":           {kind: aTime},
	"employeeOrgData":                 {kind: aRecord, write: true, clear: true, members: []string{"costCenter", "division"}},
	"employeeType":                    {kind: aText, max: 256, write: true, clear: true, basic: true},
	"externalUserState":               {kind: aText, basic: true},
	"externalUserStateChangeDateTime": {kind: aText},
	"faxNumber":                       {kind: aText, max: 64, write: true, clear: true, basic: true},
	"givenName":                       {kind: aText, max: 64, write: true, clear: true, basic: true, standard: true},
	"identities":                      {kind: aThing, write: true, basic: true, rights: sIdentity},
	"imAddresses":                     {kind: aList, basic: true},
	"isManagementRestricted":          {kind: aBool},
	"isResourceAccount":               {kind: aBool, basic: true},
	"jobTitle":                        {kind: aText, max: 128, write: true, clear: true, basic: true, standard: true},
	"lastPasswordChangeDateTime":      {kind: aTime},
	"legalAgeGroupClassification":     {kind: aText, basic: true},
	"licenseAssignmentStates":         {kind: aThing, basic: true},
	"mail":                            {kind: aText, max: 256, write: true, basic: true, standard: true},
	"mailNickname":                    {kind: aText, max: 64, write: true, basic: true},
	"mobilePhone":                     {kind: aText, max: 64, write: true, clear: true, basic: true, rights: sPhone, standard: true},
	"officeLocation":                  {kind: aText, max: 128, write: true, clear: true, basic: true, standard: true},
	"onPremisesDistinguishedName":     {kind: aText},
	"onPremisesDomainName":            {kind: aText},
	"onPremisesExtensionAttributes":   {kind: aRecord, write: true, basic: true, members: extensionAttributes},
	"onPremisesImmutableId":           {kind: aText, max: 256, write: true, clear: true, basic: true, rights: sAnchor},
	"onPremisesLastSyncDateTime":      {kind: aTime, basic: true},
	"onPremisesProvisioningErrors":    {kind: aThing, basic: true},
	"onPremisesSamAccountName":        {kind: aText, basic: true},
	"onPremisesSecurityIdentifier":    {kind: aText, basic: true},
	"onPremisesSyncEnabled":           {kind: aBool, basic: true},
	"onPremisesUserPrincipalName":     {kind: aText, basic: true},
	"otherMails":                      {kind: aList, max: 250, write: true, clear: true, basic: true, rights: sMail},
	"passwordPolicies":                {kind: aText, write: true, clear: true, basic: true},
	"passwordProfile":                 {kind: aThing, write: true, rights: sPassword},
	"postalCode":                      {kind: aText, max: 40, write: true, clear: true, basic: true},
	"preferredDataLocation":           {kind: aText, write: true, clear: true},
	"preferredLanguage":               {kind: aText, max: 64, write: true, clear: true, basic: true, standard: true},
	"provisionedPlans":                {kind: aThing, basic: true},
	"proxyAddresses":                  {kind: aList, basic: true},
	"securityIdentifier":              {kind: aText, basic: true},
	"serviceProvisioningErrors":       {kind: aThing},
	"showInAddressList":               {kind: aBool, write: true, clear: true, basic: true},
	"signInSessionsValidFromDateTime": {kind: aTime},
	"state":                           {kind: aText, max: 128, write: true, clear: true, basic: true},
	"streetAddress":                   {kind: aText, max: 1024, write: true, clear: true, basic: true},
	"surname":                         {kind: aText, max: 64, write: true, clear: true, basic: true, standard: true},
	"usageLocation":                   {kind: aText, write: true, basic: true},
	"userPrincipalName":               {kind: aText, max: 113, write: true, basic: true, rights: sName, standard: true},
	"userType":                        {kind: aText, write: true, clear: true, basic: true},
	// Of other services than the directory: alone in a PATCH, read one by one.
	"aboutMe":               {kind: aText, write: true, clear: true, single: true},
	"birthday":              {kind: aTime, write: true, clear: true, single: true},
	"hireDate":              {kind: aTime, write: true, clear: true, single: true},
	"interests":             {kind: aList, write: true, clear: true, single: true},
	"mySite":                {kind: aText, write: true, clear: true, single: true},
	"pastProjects":          {kind: aList, write: true, clear: true, single: true},
	"preferredName":         {kind: aText, write: true, clear: true, single: true},
	"responsibilities":      {kind: aList, write: true, clear: true, single: true},
	"schools":               {kind: aList, write: true, clear: true, single: true},
	"skills":                {kind: aList, write: true, clear: true, single: true},
	"mailboxSettings":       {kind: aThing, single: true},
	"signInActivity":        {kind: aThing},
	"deviceEnrollmentLimit": {kind: aThing, single: true},
}

// groupProperties is the same for groups.
var groupProperties = map[string]property{
	"id":                            {kind: aText, basic: true, standard: true},
	"deletedDateTime":               {kind: aTime, basic: true, standard: true},
	"classification":                {kind: aText, write: true, clear: true, standard: true},
	"createdDateTime":               {kind: aTime, basic: true, standard: true},
	"description":                   {kind: aText, max: 1024, write: true, clear: true, basic: true, standard: true},
	"displayName":                   {kind: aText, max: 256, write: true, basic: true, standard: true},
	"expirationDateTime":            {kind: aTime, standard: true},
	"groupTypes":                    {kind: aList, write: true, basic: true, standard: true},
	"isAssignableToRole":            {kind: aBool, basic: true, standard: true},
	"isManagementRestricted":        {kind: aBool},
	"mail":                          {kind: aText, basic: true, standard: true},
	"mailEnabled":                   {kind: aBool, write: true, basic: true, standard: true},
	"mailNickname":                  {kind: aText, max: 64, write: true, basic: true, standard: true},
	"membershipRule":                {kind: aText, standard: true},
	"membershipRuleProcessingState": {kind: aText, standard: true},
	"onPremisesLastSyncDateTime":    {kind: aTime, basic: true, standard: true},
	"onPremisesSamAccountName":      {kind: aText, basic: true, standard: true},
	"onPremisesSecurityIdentifier":  {kind: aText, basic: true, standard: true},
	"onPremisesSyncEnabled":         {kind: aBool, basic: true, standard: true},
	"preferredLanguage":             {kind: aText, write: true, clear: true, basic: true, standard: true},
	"proxyAddresses":                {kind: aList, basic: true, standard: true},
	"renewedDateTime":               {kind: aTime, standard: true},
	"securityEnabled":               {kind: aBool, write: true, basic: true, standard: true},
	"securityIdentifier":            {kind: aText, basic: true, standard: true},
	"uniqueName":                    {kind: aText, basic: true},
	"visibility":                    {kind: aText, write: true, clear: true, standard: true},
}

var extensionAttributes = []string{
	"extensionAttribute1", "extensionAttribute2", "extensionAttribute3", "extensionAttribute4", "extensionAttribute5",
	"extensionAttribute6", "extensionAttribute7", "extensionAttribute8", "extensionAttribute9", "extensionAttribute10",
	"extensionAttribute11", "extensionAttribute12", "extensionAttribute13", "extensionAttribute14", "extensionAttribute15",
}

// alone are the properties that no other may accompany in a PATCH.
var alone = []string{"aboutMe", "birthday", "interests", "mySite", "pastProjects", "responsibilities", "schools", "skills"}

// table returns the properties of a kind of object, and its name in messages.
func table(kind string) (map[string]property, string) {
	if kind == kindGroup {
		return groupProperties, "Group"
	}
	return userProperties, "User"
}

// standardSet is what is answered without $select.
func standardSet(kind string) []string {
	props, _ := table(kind)
	var out []string
	for name, p := range props {
		if p.standard {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// propertyName finds a property whatever its case.
func propertyName(kind, name string) (string, property, bool) {
	props, _ := table(kind)
	if p, ok := props[name]; ok {
		return name, p, true
	}
	for known, p := range props {
		if strings.EqualFold(known, name) {
			return known, p, true
		}
	}
	return "", property{}, false
}

var (
	guidRE     = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	upnRE      = regexp.MustCompile(`^[A-Za-z0-9'.\-_!#^~]{1,64}@[A-Za-z0-9.\-]{1,48}$`)
	nicknameRE = regexp.MustCompile(`^[!#$%&'*+\-./0-9=?A-Z^_` + "`" + `a-z{|}~]+$`)
	languageRE = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
	countryRE  = regexp.MustCompile(`^[A-Za-z]{2}$`)
	mailRE     = regexp.MustCompile(`^[!-?A-~]+@[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)+$`)
)

func isGUID(s string) bool { return guidRE.MatchString(s) }

// checkValue validates one value that a client sends and returns it as it is kept.
func checkValue(resource, name string, p property, v any) (any, *graphError) {
	if v == nil {
		switch {
		case p.clear && p.kind == aList:
			return []any{}, nil
		case p.clear:
			return nil, nil
		}
		return nil, invalidValue(resource, name)
	}
	switch p.kind {
	case aText:
		s, ok := v.(string)
		if !ok {
			return nil, wrongType(name, "Edm.String")
		}
		return s, checkText(resource, name, p, s)
	case aBool:
		if _, ok := v.(bool); !ok {
			return nil, wrongType(name, "Edm.Boolean")
		}
	case aTime:
		s, ok := v.(string)
		if !ok {
			return nil, wrongType(name, "Edm.DateTimeOffset")
		}
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return nil, wrongType(name, "Edm.DateTimeOffset")
		}
		return stamp(at), nil
	case aList:
		return checkList(resource, name, p, v)
	case aRecord:
		return checkRecord(resource, name, p, v)
	}
	return v, nil
}

func checkText(resource, name string, p property, s string) *graphError {
	switch {
	case strings.TrimSpace(s) == "":
		return invalidValue(resource, name)
	case p.max > 0 && utf8.RuneCountInString(s) > p.max:
		return invalidLength(resource, name)
	}
	ok := true
	switch name {
	case "usageLocation":
		ok = countryRE.MatchString(s)
	case "preferredLanguage":
		ok = languageRE.MatchString(s)
	case "mailNickname":
		ok = nicknameRE.MatchString(s)
		if resource == "Group" {
			ok = !strings.ContainsAny(s, "@()\\[]\";:.<>, ") && isASCII(s)
		}
	case "mail":
		ok = mailRE.MatchString(s)
	case "onPremisesImmutableId":
		ok = !strings.ContainsAny(s, "$_")
	case "userPrincipalName":
		ok = upnRE.MatchString(s) && !strings.HasPrefix(s, ".") && !strings.Contains(s, ".@")
	case "userType":
		ok = s == "Member" || s == "Guest"
	case "ageGroup":
		ok = slices.Contains([]string{"Minor", "NotAdult", "Adult"}, s)
	case "consentProvidedForMinor":
		ok = slices.Contains([]string{"Granted", "Denied", "NotRequired"}, s)
	case "passwordPolicies":
		for _, part := range strings.Split(s, ",") {
			ok = ok && slices.Contains([]string{"None", "DisableStrongPassword", "DisablePasswordExpiration"}, strings.TrimSpace(part))
		}
	}
	if !ok || strings.ContainsAny(s, "\x00") || !utf8.ValidString(s) {
		return invalidValue(resource, name)
	}
	return nil
}

func checkList(resource, name string, p property, v any) (any, *graphError) {
	list, ok := v.([]any)
	if !ok {
		return nil, wrongType(name, "Collection(Edm.String)")
	}
	if name == "businessPhones" && len(list) > 1 || name == "otherMails" && len(list) > 250 {
		return nil, invalidValue(resource, name)
	}
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return nil, wrongType(name, "Collection(Edm.String)")
		}
		if err := checkText(resource, name, p, s); err != nil {
			return nil, err
		}
		if name == "otherMails" && !mailRE.MatchString(s) {
			return nil, invalidValue(resource, name)
		}
	}
	return list, nil
}

func checkRecord(resource, name string, p property, v any) (any, *graphError) {
	in, ok := v.(map[string]any)
	if !ok {
		return nil, wrongType(name, "a complex type")
	}
	out := map[string]any{}
	for key, value := range in {
		if strings.Contains(key, "@odata.") {
			continue
		}
		if !slices.Contains(p.members, key) {
			return nil, unknownProperty(key, name)
		}
		if value != nil {
			s, ok := value.(string)
			if !ok {
				return nil, wrongType(key, "Edm.String")
			}
			if strings.TrimSpace(s) == "" {
				return nil, invalidValue(resource, key)
			}
			if utf8.RuneCountInString(s) > 1024 {
				return nil, invalidLength(resource, key)
			}
		}
		out[key] = value
	}
	return out, nil
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}
