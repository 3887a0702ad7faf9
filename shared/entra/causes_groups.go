package entra

import (
	"slices"

	"bindery/shared/directory"
)

// actsOfLicences change licences.
var actsOfLicences = []act{actLicence, actGroupLicence}

// causesOfGroups come of writing to tenant groups. They stand before those of accounts,
// whose words they share, and show only where a group was written to.
var causesOfGroups = []cause{
	{code: directory.CodeGroupNamingPolicy,
		signs: []sign{
			{status: []int{400, 422}, code: "missingprefixsuffix|containsblockedword", on: actsOnGroups},
			{status: []int{422}, on: actsOnGroups}}},
	{code: directory.CodeUniqueNameTaken,
		signs: []sign{
			{status: []int{400, 409}, code: "objectconflict", target: "uniquename", on: actsOnGroups},
			{status: []int{400, 409}, words: "same value for property uniquename already exists", on: actsOnGroups}}},
	{code: directory.CodeGroupMailNicknameTaken, held: true, one: true,
		signs: []sign{
			{status: []int{400, 409}, code: "objectconflict", target: "mailnickname", on: actsOnGroups},
			{status: []int{400, 409}, words: "same value for property mailnickname already exists", on: actsOnGroups},
			// An alias may clash with an address of an account, too (GG 22 row 24).
			{status: []int{400, 409}, words: conflictingObject, on: []act{actGroup}, touches: "mailnickname"}}},
	{code: directory.CodeUniqueNameRefused,
		signs: []sign{{status: []int{4}, words: "armuniquename cannot be updated"}}},
	{code: directory.CodeGroupHasLicenses,
		signs: []sign{{status: []int{400, 409}, words: "group with active licenses assigned cannot be deleted"}}},
	{code: directory.CodeGroupRestricted,
		signs: []sign{{status: []int{400, 403}, words: "restricted management administrative unit|restricted administrative unit|management restricted", on: slices.Concat(actsOnGroups, []act{actGroupLicence})}}},
	{code: directory.CodeGroupSynced,
		signs: []sign{{status: []int{4}, words: "on-premises mastered|originated within your on-premises|mastered on-premises", on: actsOnGroups}}},
	{code: directory.CodeGroupMailEnabled,
		signs: []sign{
			{status: []int{4}, words: "cannot update a mail-enabled security groups and or distribution list"},
			{status: []int{4}, words: "originated within an external service", on: actsOnGroups}}},
	{code: directory.CodeGroupLastOwner,
		signs: []sign{{status: []int{4}, words: "must have at least one owner"}}},
	{code: directory.CodeGroupOwnersFull,
		signs: []sign{{status: []int{4}, code: "directory_quotaexceeded", words: "unable to perform operation as", on: actsOnGroups}}},
}

// causesOfMembers come of memberships, and of requests that are formed otherwise than
// Graph asks for, which those of references are easily.
var causesOfMembers = []cause{
	{code: directory.CodeMemberAlready,
		signs: []sign{{status: []int{400, 409}, words: "added object references already exist"}}},
	{code: directory.CodeMemberAbsent,
		signs: []sign{{status: []int{400, 404}, words: "removed object references do not exist"}}},
	{code: directory.CodeGroupInMicrosoft365Group,
		signs: []sign{
			{status: []int{400}, code: "invalidvalue", target: "memberswithlicenseerrors.members"},
			{status: []int{400}, words: "unified groups cannot be added to unified groups"}}},
	{code: directory.CodeGroupInRoleAssignable,
		signs: []sign{{status: []int{4}, words: "nesting is currently not supported for groups that can be assigned to a role"}}},
	{code: directory.CodeMemberUnclear,
		signs: []sign{{status: []int{400}, words: "property values specified are invalid", on: []act{actMember}}}},
	{code: directory.CodeRequestForm,
		signs: []sign{{status: []int{400}, words: "only be present once as an add/remove change|unexpected 'endofinput' node|only supported on contained entities|" +
			"not supported on the targeted entity set|request uri is not valid. since the segment|property with duplicate values|" +
			"that does not match schema|cannot convert a primitive value|missing from the request payload"}}},
	{code: directory.CodeLicenseBusy, does: again,
		signs: []sign{
			{status: []int{4}, words: "concurrent requests being made to the tenant"},
			{status: []int{4}, code: "directory_concurrencyviolation", on: actsOfLicences}}},
	{code: directory.CodeLicenseAddressTaken, held: true,
		signs: []sign{
			{status: []int{400, 409}, code: conflicting, target: addresses, on: actsOfLicences},
			{status: []int{400, 409}, words: proxyTaken, on: actsOfLicences}}},
}
