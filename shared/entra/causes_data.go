package entra

import "bindery/shared/directory"

// causesOfLicences come of giving and taking licences.
var causesOfLicences = []cause{
	{code: "license-usage-location", kind: directory.ProblemData,
		says: "A licence needs a usageLocation, and the account has none that is valid.", next: "Set the user's usageLocation, a two-letter country code.", steps: steps(callEditUser),
		signs: []sign{{status: []int{400}, words: "invalid usage location|without a usage location"}}},
	{code: "license-location-prohibited", kind: directory.ProblemTenant,
		says: "A service of the licence is not available at the account's usageLocation.", next: "Leave that service out of the licence, or correct the user's usageLocation.", steps: steps(callEditUser),
		signs: []sign{{status: []int{400}, code: "prohibitedinusagelocationviolation"}, {status: []int{400}, words: "not available in the user's usage location|prohibited in usage location"}}},
	{code: codeNoSeats, kind: directory.ProblemTenant,
		says: "All seats of the subscription {sku} are taken.", next: "Buy more seats or take some back.", steps: steps(callRun),
		signs: []sign{{status: []int{400}, code: "countviolation"}, {status: []int{400}, words: "does not have any available licenses|does not have enough licenses|no available licenses"}}},
	{code: "license-dependency", kind: directory.ProblemTenant,
		says: "A service of the licence needs another one that the account does not have, or another one needs what is to be taken.", next: "Give or take the two together.",
		signs: []sign{{status: []int{400}, code: "dependencyviolation"}, {status: []int{400}, words: "depends on the service plan|dependency on service plan"}}},
	{code: "license-exclusive", kind: directory.ProblemTenant,
		says: "The licence has a service that excludes one that the account has already.", next: "Take the other licence, or leave that service out.",
		signs: []sign{{status: []int{400}, code: "mutuallyexclusiveviolation"}, {status: []int{400}, words: "mutually exclusive|conflicting service plans"}}},
	{code: "license-from-group", kind: directory.ProblemTenant,
		says: "The licence comes from a group and cannot be taken from the account alone.", next: "Take the account out of that group.",
		signs: []sign{{status: []int{400, 403}, words: "inherited from a group|group membership and cannot be removed"}}},
}

const (
	invalid = "invalidvalue|invalidlength"
	tooLong = "exceeds the maximum length|maximum length of|exceeded the maximum length"
	refused = "Give the user another value."
)

// causesOfData: the user's data, or the password that we made, is not what
// Microsoft takes. What concerns one property stands before what is true of all.
var causesOfData = []cause{
	{code: "domain-not-verified", kind: directory.ProblemData, one: true,
		says: "The domain of the userPrincipalName{value} is not a verified domain of the tenant.", next: "Verify the domain in Microsoft 365, or map it to a verified one in the connection's domainMap.", steps: steps(callSettings, callEditUser),
		signs: []sign{
			{status: []int{400}, code: "invalidvalue", target: "userprincipalname", words: "domain portion of the userprincipalname|verified domain"},
			{status: []int{400}, words: "domain portion of the userprincipalname"}}},
	{code: "immutable-id-required", kind: directory.ProblemTenant,
		says: "The domain is federated, and an account there needs an onPremisesImmutableId that its identity provider knows.", next: "Use a managed domain for new accounts, or create this one at the identity provider.", steps: steps(callSettings),
		signs: []sign{
			{status: []int{400}, words: "required for property 'onpremisesimmutableid'|required for property 'immutableid'|immutableid is required|required for federated users"},
			{status: []int{400}, code: "invalidvalue|propertyrequired|missingproperty", target: "onpremisesimmutableid|immutableid", words: "federated|is required"}}},
	{code: "password-federated", kind: directory.ProblemTenant,
		says: "The account's domain is federated, so that its password is not Microsoft's to set.", next: "Set the password at the identity provider, or use a managed domain.", steps: steps(callSettings),
		signs: []sign{
			{status: []int{400}, code: "invalidvalue", target: "passwordprofile|password", words: "federated"},
			{status: []int{400}, words: "password of a federated|password of a user whose domain is federated"}}},
	{code: "password-banned", kind: directory.ProblemTransient,
		says: "The initial password holds a word that the tenant has banned.", next: "It is tried again with another one; if this stays, look at the tenant's list of banned passwords.", steps: steps(callRun),
		signs: []sign{
			{status: []int{400}, code: "passwordbanned|bannedpassword"},
			{status: []int{400}, code: "invalidvalue", target: "passwordprofile|password", words: "banned|too common|easily guessed"},
			{status: []int{400}, words: "banned password|password that is banned|password is banned|password contains words|too many times before"}}},
	{code: "password-too-short", kind: directory.ProblemTenant,
		says: "The tenant asks for longer passwords than Bindery makes.", next: "Lower the tenant's minimal length, or ask for a release with longer ones.",
		signs: []sign{
			{status: []int{400}, code: "invalidlength", target: "passwordprofile|password"},
			{status: []int{400}, words: "password is too short|password must be at least|minimum password length"}}},
	{code: "password-in-history", kind: directory.ProblemTransient,
		says: "The account had this password before.", next: "It is tried again with another one.", steps: steps(callRun),
		signs: []sign{
			{status: []int{400}, code: "passwordhistory"},
			{status: []int{400}, code: "invalidvalue", target: "passwordprofile|password", words: "history|used before|recently used"},
			{status: []int{400}, words: "password history|password has been used before|password was used recently|recently used password"}}},
	{code: "password-refused", kind: directory.ProblemTransient,
		says: "The tenant's password policy refused the initial password.", next: "It is tried again with another one; if this stays, look at the tenant's password policy.", steps: steps(callRun),
		signs: []sign{
			{status: []int{400}, code: "passwordvalidationfailed|invalidpassword|passwordcomplexity"},
			{status: []int{400}, code: "invalidvalue", target: "passwordprofile|password"},
			{status: []int{400}, words: "password complexity|does not comply with password|password does not meet|password is too weak"}}},
	{code: "user-principal-name-too-long", kind: directory.ProblemData, one: true,
		says: "The userPrincipalName{value} is longer than Microsoft takes: 64 characters before the @ and 48 behind it.", next: "Shorten the user's address.", steps: steps(callEditUser),
		signs: []sign{
			{status: []int{400}, code: "invalidlength", target: "userprincipalname"},
			{status: []int{400}, code: "invalidvalue", target: "userprincipalname", words: tooLong}}},
	{code: "user-principal-name-invalid", kind: directory.ProblemData, one: true,
		says: "The userPrincipalName{value} has characters that Microsoft does not take; it takes letters without accents, digits and ' . - _ ! # ^ ~.", next: "Correct the user's address.", steps: steps(callEditUser),
		signs: []sign{
			{status: []int{400}, code: "invalidvalue", target: "userprincipalname"},
			{status: []int{400}, words: "property userprincipalname is invalid|specified for property 'userprincipalname'"}}},
	{code: "mail-nickname-invalid", kind: directory.ProblemData, one: true,
		says: "The mailNickname{value} has characters that Microsoft does not take, or more than 64.", next: "Correct the user's address, from which it is made.", steps: steps(callEditUser),
		signs: []sign{
			{status: []int{400}, code: invalid, target: "mailnickname"},
			{status: []int{400}, words: "property mailnickname is invalid|specified for property 'mailnickname'"}}},
	{code: "usage-location-invalid", kind: directory.ProblemData, one: true,
		says: "The usageLocation{value} is not a two-letter country code.", next: "Correct it in the directory.", steps: steps(callEditUser),
		signs: []sign{
			{status: []int{400}, code: invalid, target: "usagelocation"},
			{status: []int{400}, words: "specified for property 'usagelocation'|property usagelocation is invalid|usage location is not"}}},
	{code: "property-required", kind: directory.ProblemData, one: true,
		says: "Microsoft needs a value of {property}.", next: "Give the user that value.", steps: steps(callEditUser),
		signs: []sign{{status: []int{400}, words: "a value is required for property|required property"}}},
	{code: "object-too-large", kind: directory.ProblemData,
		says: "The account has more values than Microsoft keeps for one.", next: "Take some values from it, of otherMails for one.", steps: steps(callEditUser),
		signs: []sign{{code: "directory_resourcesizeexceeded"}}},
	{code: "property-too-long", kind: directory.ProblemData, one: true,
		says: "{length} is longer than Microsoft takes.", next: "Shorten it in the directory.", steps: steps(callEditUser),
		signs: []sign{
			{status: []int{4}, code: "invalidlength|stringlengthexceeded"},
			{status: []int{4}, code: "invalidvalue", words: tooLong},
			{status: []int{4}, words: tooLong}}},
	{code: "property-not-clearable", kind: directory.ProblemData, one: true,
		says: "Microsoft does not let {property} be emptied.", next: "Give the user a value, or switch clearing off for this attribute.", steps: steps(callEditUser, callSettings),
		signs: []sign{
			{status: []int{4}, code: "propertynotnullable|nonnullableproperty"},
			{status: []int{4}, words: "not nullable|cannot be null|cannot be set to null"}}},
	{code: "property-unknown", kind: directory.ProblemDefect, one: true,
		says: "Microsoft does not know {property}.", next: report,
		signs: []sign{{status: []int{400}, words: "does not exist on type|could not find a property named"}}},
	{code: "property-read-only", kind: directory.ProblemReadOnly, one: true,
		says: "Microsoft does not let {property} be written.", next: "Switch this attribute off.", steps: steps(callSettings),
		signs: []sign{{status: []int{400}, words: "is read-only|cannot be set|not supported to be updated"}}},
	{code: "property-invalid", kind: directory.ProblemData, one: true,
		says: "Microsoft refused the value of {property}{value}.", next: refused, steps: steps(callEditUser),
		signs: []sign{
			{status: []int{4}, code: "invalidvalue"},
			{status: []int{400}, words: "invalid value specified for property|invalid property value|property values specified are invalid|properties contains invalid values|cannot convert the literal"}}},
	{code: "tenant-full", kind: directory.ProblemTenant,
		says: "The tenant, or the admin who authorised the connection, has as many objects as the quota allows.", next: "Delete objects for good, verify a domain, or ask Microsoft for a larger quota.", steps: steps(callRun),
		signs: []sign{{status: []int{4}, code: "directory_quotaexceeded|quotaexceeded"}, {status: []int{4}, words: "object quota limit"}}},
}
