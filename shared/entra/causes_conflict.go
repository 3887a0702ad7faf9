package entra

import "bindery/shared/directory"

const (
	conflicting = "objectconflict|conflictingobjects"
	addresses   = "proxyaddresses|mail|othermails"
	proxyTaken  = "same value for property proxyaddresses already exists|same value for property mail already exists"
	nameTaken   = "same value for property userprincipalname already exists"
	otherName   = "Take the address from the object that holds it, or change the user's address."
)

// Writes that do not bring an address of their own.
const addressProperties = "mail|proxyaddresses|othermails|userprincipalname"

// causesOfConflict: another object has a value that must be unique. A restore
// brings back old addresses, and an unrelated update may meet a conflict that was
// there before.
var causesOfConflict = []cause{
	{code: "restore-name-taken", kind: directory.ProblemConflict, held: true,
		says: "The deleted account cannot be restored: another object has its userPrincipalName now.", next: "Rename the other account in Microsoft 365, then try again.", steps: steps(callAccounts, callRun),
		signs: []sign{
			{status: []int{400, 409}, code: "objectconflict", target: "userprincipalname", on: []act{actRestore}},
			{status: []int{400, 409}, words: nameTaken, on: []act{actRestore}}}},
	{code: "restore-address-taken", kind: directory.ProblemConflict, held: true,
		says: "The deleted account cannot be restored: another object has one of its e-mail addresses now.", next: "Take the address from the object that holds it, then try again.", steps: steps(callAccounts, callRun),
		signs: []sign{
			{status: []int{400, 409}, code: conflicting, target: addresses, on: []act{actRestore}},
			{status: []int{400, 409}, words: proxyTaken, on: []act{actRestore}}}},
	{code: CodeNameTaken, kind: directory.ProblemConflict, held: true,
		says: "Another object in the tenant has the userPrincipalName{value}.", next: "Adopt that account, rename it in Microsoft 365, or change the user's address.", steps: steps(callAccounts, callEditUser),
		signs: []sign{
			{status: []int{400, 409}, code: "objectconflict", target: "userprincipalname"},
			{status: []int{400, 409}, words: nameTaken}}},
	{code: "address-taken-by-group", kind: directory.ProblemConflict, held: true, one: true,
		says: "A group in the tenant has {address}.", next: "Take the address from the group in Microsoft 365, or change the user's address.", steps: steps(callEditUser, callRun),
		signs: []sign{
			{status: []int{400, 409}, code: conflicting, target: addresses, holder: directory.HolderGroup},
			{status: []int{400, 409}, code: "conflictingobjects", words: proxyTaken, holder: directory.HolderGroup}}},
	{code: "address-taken-by-contact", kind: directory.ProblemConflict, held: true, one: true,
		says: "A contact in the tenant has {address}.", next: "Take the address from the contact in the Exchange admin center, or change the user's address.", steps: steps(callEditUser, callRun),
		signs: []sign{
			{status: []int{400, 409}, code: conflicting, target: addresses, holder: directory.HolderContact},
			{status: []int{400, 409}, code: "conflictingobjects", words: proxyTaken, holder: directory.HolderContact}}},
	{code: "address-taken-before", kind: directory.ProblemConflict, held: true,
		says: "The account shares an e-mail address with another object in the tenant. This change has nothing to do with it, but Microsoft writes nothing to the account until that is mended.", next: "Take the address from one of the two in Microsoft 365, then try again.", steps: steps(callRun),
		signs: []sign{
			{status: []int{400, 409}, code: conflicting, target: addresses, on: []act{actUpdate, actSensitive}, spares: addressProperties},
			{status: []int{400, 409}, words: proxyTaken, on: []act{actUpdate, actSensitive}, spares: addressProperties}}},
	{code: CodeAddressTaken, kind: directory.ProblemConflict, held: true, one: true,
		says: "Another object in the tenant has {address}. It may be a group, a contact or a deleted user.", next: otherName, steps: steps(callAccounts, callEditUser),
		signs: []sign{
			{status: []int{400, 409}, code: conflicting, target: addresses},
			{status: []int{400, 409}, words: proxyTaken}}},
	{code: "sign-in-name-taken", kind: directory.ProblemConflict,
		says: "Microsoft keeps the sign-in name{value} for another account, which may be deleted or be outside of the tenant's users.", next: "Look for it among the deleted users in Entra and delete it for good, or change the user's address.", steps: steps(callEditUser, callRun),
		signs: []sign{{status: []int{4}, words: "property netid is invalid"}, {status: []int{400, 409}, code: "objectconflict|invalidvalue", target: "netid"}}},
	{code: "immutable-id-taken", kind: directory.ProblemConflict, held: true,
		says: "Another object in the tenant has the same onPremisesImmutableId.", next: "Find that object in Entra, under active and deleted users, and remove the value or the object.", steps: steps(callAccounts),
		signs: []sign{
			{status: []int{400, 409}, code: "objectconflict", target: "onpremisesimmutableid|immutableid"},
			{status: []int{400, 409}, words: "same value for property onpremisesimmutableid|same value for property immutableid"}}},
	{code: "mail-nickname-taken", kind: directory.ProblemConflict, held: true, one: true,
		says: "Another object in the tenant has the mailNickname{value}.", next: "Change the user's address, or the alias of the other object.", steps: steps(callEditUser),
		signs: []sign{
			{status: []int{400, 409}, code: "objectconflict", target: "mailnickname"},
			{status: []int{400, 409}, words: "same value for property mailnickname already exists"}}},
	{code: CodeConflict, kind: directory.ProblemConflict, held: true,
		says: "Another object in the tenant has a value that must be unique.", next: "Look for the user's addresses among users, groups, contacts and deleted users in Entra.", steps: steps(callAccounts),
		signs: []sign{
			{status: []int{400, 409}, code: "objectconflict|conflictingobjects|request_multipleobjectswithsamekeyvalue"},
			{status: []int{400, 409}, words: "conflicting object with one or more|another object with the same value"}}},
}

// causesOfMastery: the value, or the account, is changed somewhere else.
var causesOfMastery = []cause{
	{code: "property-synced-on-premises", kind: directory.ProblemReadOnly, one: true,
		says: "Microsoft takes {property} from an Active Directory of the tenant, where alone it can be changed.", next: "Change it there, or switch this attribute off.", steps: steps(callSettings),
		signs: []sign{{status: []int{4}, words: "on-premises mastered|mastered on-premises", property: true}}},
	{code: "synced-on-premises", kind: directory.ProblemReadOnly,
		says: "The account is synchronised from an Active Directory of the tenant, where alone it can be changed.", next: "Change it there, end its synchronisation, or release the user.", steps: steps(callRelease),
		signs: []sign{{status: []int{4}, words: "on-premises mastered|originated within your on-premises|mastered on-premises"}}},
	{code: "extension-attributes-mastered", kind: directory.ProblemReadOnly, one: true,
		says: "The account was synchronised from an Active Directory once, or has a mailbox; its extension attributes belong to Exchange since.", next: "Change them in the Exchange admin center, or switch the extension attributes off.", steps: steps(callSettings),
		signs: []sign{{status: []int{4}, words: "originated within an external service", touches: "extensionattribute"}}},
	{code: "mastered-by-exchange", kind: directory.ProblemReadOnly, one: true,
		says: "The value is owned by Exchange and cannot be changed through Microsoft Graph.", next: "Change it in the Exchange admin center, or switch this attribute off.", steps: steps(callSettings),
		signs: []sign{{status: []int{4}, words: "originated within an external service"}}},
	{code: "guest-read-only", kind: directory.ProblemReadOnly,
		says: "The account is a guest; its home is another tenant, where alone this can be changed.", next: "Release the user, or change the account there.", steps: steps(callRelease),
		signs: []sign{{status: []int{400, 403}, words: "guest user|external user|b2b user|invited user"}}},
	{code: "restricted-management", kind: directory.ProblemReadOnly,
		says: "The account is in a restricted management administrative unit, whose own admins alone may change it.", next: "Give the admin who authorised the connection a role in that unit, or release the user.", steps: steps(callRelease),
		signs: []sign{{status: []int{400, 403}, words: "restricted management administrative unit|restricted administrative unit|management restricted"}}},
}
