package entra

import "bindery/shared/directory"

// causesOfLicences come of giving and taking licences.
var causesOfLicences = []cause{
	{code: directory.CodeLicenseUsageLocation,
		signs: []sign{{status: []int{400}, words: "invalid usage location|without a usage location"}}},
	{code: directory.CodeLicenseLocationProhibited,
		signs: []sign{{status: []int{400}, code: "prohibitedinusagelocationviolation"}, {status: []int{400}, words: "not available in the user's usage location|prohibited in usage location"}}},
	{code: directory.CodeLicenseNoneLeft,
		signs: []sign{{status: []int{400}, code: "countviolation"}, {status: []int{400}, words: "does not have any available licenses|does not have enough licenses|no available licenses"}}},
	{code: directory.CodeLicenseDependency,
		signs: []sign{{status: []int{400}, code: "dependencyviolation"}, {status: []int{400}, words: "depends on the service plan|dependency on service plan"}}},
	{code: directory.CodeLicenseExclusive,
		signs: []sign{{status: []int{400}, code: "mutuallyexclusiveviolation"}, {status: []int{400}, words: "mutually exclusive|conflicting service plans|conflicts with service plan"}}},
	{code: directory.CodeLicenseNotHeld,
		signs: []sign{{status: []int{400}, words: "does not have a corresponding license"}}},
	{code: directory.CodeLicenseNotAssignable,
		signs: []sign{{status: []int{400}, words: "cannot be assigned to a user|does not correspond to a valid company license"}}},
	{code: directory.CodeGroupNotSecurityEnabled,
		signs: []sign{{status: []int{400}, words: "for a group that is not security enabled", on: []act{actGroupLicence}}}},
	// What Microsoft says to this is not known for sure (GG 22 row 44, [K]).
	{code: directory.CodeLicensePlanUnknown,
		signs: []sign{{status: []int{400}, words: "is not part of license|is not part of the license|service plans that are not part of"}}},
	{code: directory.CodeLicenseFromGroup,
		signs: []sign{{status: []int{400, 403}, words: "inherited from a group|group membership and cannot be removed"}}},
}

const (
	invalid = "invalidvalue|invalidlength"
	tooLong = "exceeds the maximum length|maximum length of|exceeded the maximum length"
)

// causesOfData: the user's data, or the password that we made, is not what
// Microsoft takes. What concerns one property stands before what is true of all.
var causesOfData = []cause{
	{code: directory.CodeDomainNotVerified, one: true,
		signs: []sign{
			{status: []int{400}, code: "invalidvalue", target: "userprincipalname", words: "domain portion of the userprincipalname|verified domain"},
			{status: []int{400}, words: "domain portion of the userprincipalname"}}},
	{code: directory.CodeImmutableIDRequired,
		signs: []sign{
			{status: []int{400}, words: "required for property 'onpremisesimmutableid'|required for property 'immutableid'|immutableid is required|required for federated users"},
			{status: []int{400}, code: "invalidvalue|propertyrequired|missingproperty", target: "onpremisesimmutableid|immutableid", words: "federated|is required"}}},
	{code: directory.CodePasswordFederated,
		signs: []sign{
			{status: []int{400}, code: "invalidvalue", target: "passwordprofile|password", words: "federated"},
			{status: []int{400}, words: "password of a federated|password of a user whose domain is federated"}}},
	{code: directory.CodePasswordBanned,
		signs: []sign{
			{status: []int{400}, code: "passwordbanned|bannedpassword"},
			{status: []int{400}, code: "invalidvalue", target: "passwordprofile|password", words: "banned|too common|easily guessed"},
			{status: []int{400}, words: "banned password|password that is banned|password is banned|password contains words|too many times before"}}},
	{code: directory.CodePasswordTooShort,
		signs: []sign{
			{status: []int{400}, code: "invalidlength", target: "passwordprofile|password"},
			{status: []int{400}, words: "password is too short|password must be at least|minimum password length"}}},
	{code: directory.CodePasswordInHistory,
		signs: []sign{
			{status: []int{400}, code: "passwordhistory"},
			{status: []int{400}, code: "invalidvalue", target: "passwordprofile|password", words: "history|used before|recently used"},
			{status: []int{400}, words: "password history|password has been used before|password was used recently|recently used password"}}},
	{code: directory.CodePasswordRefused,
		signs: []sign{
			{status: []int{400}, code: "passwordvalidationfailed|invalidpassword|passwordcomplexity"},
			{status: []int{400}, code: "invalidvalue", target: "passwordprofile|password"},
			{status: []int{400}, words: "password complexity|does not comply with password|password does not meet|password is too weak"}}},
	{code: directory.CodeUserPrincipalNameTooLong, one: true,
		signs: []sign{
			{status: []int{400}, code: "invalidlength", target: "userprincipalname"},
			{status: []int{400}, code: "invalidvalue", target: "userprincipalname", words: tooLong}}},
	{code: directory.CodeUserPrincipalNameInvalid, one: true,
		signs: []sign{
			{status: []int{400}, code: "invalidvalue", target: "userprincipalname"},
			{status: []int{400}, words: "property userprincipalname is invalid|specified for property 'userprincipalname'"}}},
	{code: directory.CodeMailNicknameInvalid, one: true,
		signs: []sign{
			{status: []int{400}, code: invalid, target: "mailnickname"},
			{status: []int{400}, words: "property mailnickname is invalid|specified for property 'mailnickname'"}}},
	{code: directory.CodeUsageLocationInvalid, one: true,
		signs: []sign{
			{status: []int{400}, code: invalid, target: "usagelocation"},
			{status: []int{400}, words: "specified for property 'usagelocation'|property usagelocation is invalid|usage location is not"}}},
	{code: directory.CodePropertyRequired, one: true,
		signs: []sign{{status: []int{400}, words: "a value is required for property|required property"}}},
	{code: directory.CodeObjectTooLarge,
		signs: []sign{{code: "directory_resourcesizeexceeded"}}},
	{code: directory.CodePropertyTooLong, one: true,
		signs: []sign{
			{status: []int{4}, code: "invalidlength|stringlengthexceeded"},
			{status: []int{4}, code: "invalidvalue", words: tooLong},
			{status: []int{4}, words: tooLong}}},
	{code: directory.CodePropertyNotClearable, one: true,
		signs: []sign{
			{status: []int{4}, code: "propertynotnullable|nonnullableproperty"},
			{status: []int{4}, words: "not nullable|cannot be null|cannot be set to null"}}},
	{code: directory.CodePropertyUnknown, one: true,
		signs: []sign{{status: []int{400}, words: "does not exist on type|could not find a property named"}}},
	{code: directory.CodePropertyReadOnly, one: true,
		signs: []sign{{status: []int{400}, words: "is read-only|cannot be set|not supported to be updated"}}},
	{code: directory.CodePropertyInvalid, one: true,
		signs: []sign{
			{status: []int{4}, code: "invalidvalue"},
			{status: []int{400}, words: "invalid value specified for property|invalid property value|property values specified are invalid|properties contains invalid values|cannot convert the literal"}}},
	{code: directory.CodeTenantFull,
		signs: []sign{{status: []int{4}, code: "directory_quotaexceeded|quotaexceeded"}, {status: []int{4}, words: "object quota limit"}}},
}
