package entra

import "bindery/shared/directory"

const (
	conflicting = "objectconflict|conflictingobjects"
	addresses   = "proxyaddresses|mail|othermails"
	proxyTaken  = "same value for property proxyaddresses already exists|same value for property mail already exists"
	nameTaken   = "same value for property userprincipalname already exists"
	// conflictingObject says of which value it is only by what was written.
	conflictingObject = "conflicting object with one or more"
)

// Writes that do not bring an address of their own.
const addressProperties = "mail|proxyaddresses|othermails|userprincipalname"

// causesOfConflict: another object has a value that must be unique. A restore
// brings back old addresses, and an unrelated update may meet a conflict that was
// there before.
var causesOfConflict = []cause{
	{code: directory.CodeRestoreNameTaken, held: true,
		signs: []sign{
			{status: []int{400, 409}, code: "objectconflict", target: "userprincipalname", on: []act{actRestore}},
			{status: []int{400, 409}, words: nameTaken, on: []act{actRestore}}}},
	{code: directory.CodeRestoreAddressTaken, held: true,
		signs: []sign{
			{status: []int{400, 409}, code: conflicting, target: addresses, on: []act{actRestore}},
			{status: []int{400, 409}, words: proxyTaken, on: []act{actRestore}}}},
	{code: directory.CodeUserPrincipalNameTaken, held: true,
		signs: []sign{
			{status: []int{400, 409}, code: "objectconflict", target: "userprincipalname"},
			{status: []int{400, 409}, words: nameTaken}}},
	{code: directory.CodeAddressTakenByGroup, held: true, one: true,
		signs: []sign{
			{status: []int{400, 409}, code: conflicting, target: addresses, holder: directory.HolderGroup},
			{status: []int{400, 409}, code: "conflictingobjects", words: proxyTaken, holder: directory.HolderGroup}}},
	{code: directory.CodeAddressTakenByContact, held: true, one: true,
		signs: []sign{
			{status: []int{400, 409}, code: conflicting, target: addresses, holder: directory.HolderContact},
			{status: []int{400, 409}, code: "conflictingobjects", words: proxyTaken, holder: directory.HolderContact}}},
	{code: directory.CodeAddressTakenBefore, held: true,
		signs: []sign{
			{status: []int{400, 409}, code: conflicting, target: addresses, on: []act{actUpdate, actSensitive}, spares: addressProperties},
			{status: []int{400, 409}, words: proxyTaken, on: []act{actUpdate, actSensitive}, spares: addressProperties}}},
	{code: directory.CodeAddressTaken, held: true, one: true,
		signs: []sign{
			{status: []int{400, 409}, code: conflicting, target: addresses},
			{status: []int{400, 409}, words: proxyTaken}}},
	{code: directory.CodeSignInNameTaken,
		signs: []sign{{status: []int{4}, words: "property netid is invalid"}, {status: []int{400, 409}, code: "objectconflict|invalidvalue", target: "netid"}}},
	{code: directory.CodeImmutableIDTaken, held: true,
		signs: []sign{
			{status: []int{400, 409}, code: "objectconflict", target: "onpremisesimmutableid|immutableid"},
			{status: []int{400, 409}, words: "same value for property onpremisesimmutableid|same value for property immutableid"}}},
	{code: directory.CodeMailNicknameTaken, held: true, one: true,
		signs: []sign{
			{status: []int{400, 409}, code: "objectconflict", target: "mailnickname"},
			{status: []int{400, 409}, words: "same value for property mailnickname already exists"}}},
	{code: directory.CodeObjectConflict, held: true,
		signs: []sign{
			{status: []int{400, 409}, code: "objectconflict|conflictingobjects|request_multipleobjectswithsamekeyvalue"},
			{status: []int{400, 409}, words: conflictingObject + "|another object with the same value"}}},
}

// causesOfMastery: the value, or the account, is changed somewhere else.
var causesOfMastery = []cause{
	{code: directory.CodePropertySyncedOnPremises, one: true,
		signs: []sign{{status: []int{4}, words: "on-premises mastered|mastered on-premises", property: true}}},
	{code: directory.CodeSyncedOnPremises,
		signs: []sign{{status: []int{4}, words: "on-premises mastered|originated within your on-premises|mastered on-premises"}}},
	{code: directory.CodeExtensionAttributesMastered, one: true,
		signs: []sign{{status: []int{4}, words: "originated within an external service", touches: "extensionattribute"}}},
	{code: directory.CodeMasteredByExchange, one: true,
		signs: []sign{{status: []int{4}, words: "originated within an external service"}}},
	{code: directory.CodeGuestReadOnly,
		signs: []sign{{status: []int{400, 403}, words: "guest user|external user|b2b user|invited user"}}},
	{code: directory.CodeRestrictedManagement,
		signs: []sign{{status: []int{400, 403}, words: "restricted management administrative unit|restricted administrative unit|management restricted"}}},
}
