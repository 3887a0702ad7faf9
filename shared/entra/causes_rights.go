package entra

import "bindery/shared/directory"

const (
	denied       = "authorization_requestdenied|accessdenied|erroraccessdenied"
	insufficient = "insufficient privileges|do not have sufficient privileges"
	notThere     = "request_resourcenotfound|resourcenotfound|itemnotfound"
)

// causesOfRights: Microsoft says the same words to all of them; what was asked
// tells them apart, G 1.5.
var causesOfRights = []cause{
	{code: directory.CodePremiumLicenseMissing,
		signs: []sign{{status: []int{403}, code: "authentication_requestfromnonpremiumtenantorb2ctenant"}, {status: []int{403}, words: "premium license"}}},
	{code: directory.CodeScopeMissing,
		signs: []sign{{status: []int{403}, code: "authentication_msgraphpermissionmissing|missingscope"},
			{status: []int{403}, words: "missing scope permissions|scopes are missing in the token|does not have required msgraph permissions|required scopes"}}},
	{code: directory.CodeGroupForbidden,
		signs: []sign{{status: []int{403}, code: denied, on: actsOnGroups}, {status: []int{403}, words: insufficient, on: actsOnGroups},
			{status: []int{403}, words: "do not have permission to perform this operation", on: actsOnGroups}}},
	{code: directory.CodeGroupLicenseForbidden,
		signs: []sign{{status: []int{403}, code: denied, on: []act{actGroupLicence}}, {status: []int{403}, words: insufficient, on: []act{actGroupLicence}}}},
	{code: directory.CodeLicenseForbidden,
		signs: []sign{{status: []int{403}, code: denied, on: []act{actLicence}}, {status: []int{403}, words: insufficient, on: []act{actLicence}}}},
	{code: directory.CodeAdminRoleLost,
		signs: []sign{{status: []int{403}, code: "authentication_requestfromunsupporteduserrole"},
			{status: []int{403}, words: "not in the allowed roles"},
			{status: []int{403}, code: denied, on: []act{actUpdate, actCreate, actManager, actManagerClear}},
			{status: []int{403}, words: insufficient, on: []act{actUpdate, actCreate, actManager, actManagerClear}}}},
	{code: directory.CodeTargetProtected,
		signs: []sign{{status: []int{403}, code: denied, on: []act{actSensitive, actRestore}},
			{status: []int{403}, words: insufficient, on: []act{actSensitive, actRestore}}}},
	{code: directory.CodeRightsMissing,
		signs: []sign{{status: []int{403}, code: denied}, {status: []int{403}, words: insufficient}}},
}

// causesOfObjects: the object, or one that it refers to, is not there.
var causesOfObjects = []cause{
	{code: directory.CodeAccountSoftDeleted,
		signs: []sign{{status: []int{400, 404, 409}, words: "is soft-deleted|is soft deleted|has been soft-deleted|in the recycle bin"}}},
	{code: directory.CodeAccountNotReady,
		signs: []sign{{status: []int{400, 404}, code: "directory_objectnotfound"}}},
	{code: directory.CodeManagerNone,
		signs: []sign{{status: []int{404}, code: notThere, words: "resource 'manager' does not exist", on: []act{actManager, actManagerClear}}}},
	{code: directory.CodeReferenceMissing,
		signs: []sign{{status: []int{400}, code: "request_resourcenotfound"}, {status: []int{400}, words: "queried reference-property objects are not present"},
			{status: []int{400}, words: "source resource object or one of the objects being referenced|not a valid reference update"},
			{status: []int{404}, code: "request_resourcenotfound", on: []act{actCreate}},
			{status: []int{404}, code: notThere, on: []act{actMember, actMemberRemove, actManager}}}},
	{code: directory.CodeDeletedGroupGone,
		signs: []sign{{status: []int{404}, code: notThere, on: []act{actGroupRestore}}}},
	{code: directory.CodeTenantGroupNotFound,
		signs: []sign{{status: []int{404}, code: notThere, on: []act{actGroup, actGroupLicence}}}},
	{code: directory.CodeDeletedAccountGone,
		signs: []sign{{status: []int{404}, code: notThere, on: []act{actRestore}}}},
	{code: directory.CodeAccountNotFound,
		signs: []sign{{status: []int{404}, code: notThere}}},
	{code: directory.CodeObjectIDInvalid,
		signs: []sign{{status: []int{400}, words: "invalid object identifier"}}},
}

// causesOfFaults pass, or say nothing; they stand last, the very last for all
// that nothing else fits.
var causesOfFaults = []cause{
	{code: directory.CodeConcurrentChange, does: again,
		signs: []sign{{status: []int{4}, code: "directory_concurrencyviolation|directory_concurrencyerror"}, {status: []int{409}}}},
	{code: directory.CodePreconditionFailed,
		signs: []sign{{status: []int{412}}}},
	{code: directory.CodeLocked, does: again,
		signs: []sign{{status: []int{423}}}},
	{code: directory.CodeDependencyFailed, does: again,
		signs: []sign{{status: []int{424}}}},
	{code: directory.CodeServiceTimeout, does: inDoubt,
		signs: []sign{{status: []int{408, 504}}}},
	// A gateway's 404 proves nothing.
	{code: directory.CodeNotFoundUnclear, does: inDoubt,
		signs: []sign{{status: []int{404}}}},
	{code: directory.CodeGatewayFault, does: inDoubt,
		signs: []sign{{status: []int{5}, foreign: true}}},
	{code: directory.CodeGatewayRefused, does: inDoubt,
		signs: []sign{{status: []int{4}, foreign: true}}},
	{code: directory.CodeServiceBusy, does: inDoubt,
		signs: []sign{{status: []int{503}, waits: true}}},
	{code: directory.CodeServiceUnavailable, does: inDoubt,
		signs: []sign{{status: []int{5}}}},
	{code: directory.CodeForbidden,
		signs: []sign{{status: []int{403}}}},
	{code: directory.CodeGraphError,
		signs: []sign{{status: []int{4}}}},
	{code: directory.CodeOutcomeUnknown, does: inDoubt,
		signs: []sign{{}}},
}
