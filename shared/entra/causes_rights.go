package entra

import "bindery/shared/directory"

const (
	denied       = "authorization_requestdenied|accessdenied|erroraccessdenied"
	insufficient = "insufficient privileges|do not have sufficient privileges"
)

// causesOfRights: Microsoft says the same words to all of them; what was asked
// tells them apart, G 1.5.
var causesOfRights = []cause{
	{code: "premium-license-missing", kind: directory.ProblemTenant,
		says: "The tenant's licence does not cover this.", next: "It needs Entra ID P1 or P2; everything else works without.",
		signs: []sign{{status: []int{403}, code: "authentication_requestfromnonpremiumtenantorb2ctenant"}, {status: []int{403}, words: "premium license"}}},
	{code: "scope-missing", kind: directory.ProblemAuthorization,
		says: "The connection was authorised without a permission that this needs.", next: "An admin must authorise the connection again and consent to all permissions.", steps: steps(callAuthorize),
		signs: []sign{{status: []int{403}, code: "authentication_msgraphpermissionmissing|missingscope"},
			{status: []int{403}, words: "missing scope permissions|scopes are missing in the token|does not have required msgraph permissions|required scopes"}}},
	{code: "admin-role-lost", kind: directory.ProblemTenant,
		says: "The admin who authorised the connection does not have a role that this needs, or has lost it.", next: "Give that admin the role back, or let another one authorise the connection.", steps: steps(callAuthorize),
		signs: []sign{{status: []int{403}, code: "authentication_requestfromunsupporteduserrole"},
			{status: []int{403}, words: "not in the allowed roles"},
			{status: []int{403}, code: denied, on: []act{actUpdate, actCreate}},
			{status: []int{403}, words: insufficient, on: []act{actUpdate, actCreate}}}},
	{code: "target-protected", kind: directory.ProblemTenant,
		says: "The administrator who authorised the connection may not do this to this account. Microsoft guards sign-in names, phones, other addresses and the state of holders of admin roles and of members of role-assignable groups.",
		next: "Let an administrator with a higher role authorise the connection, or change this account by hand.", steps: steps(callAuthorize, callRelease),
		signs: []sign{{status: []int{403}, code: denied, on: []act{actSensitive, actRestore}},
			{status: []int{403}, words: insufficient, on: []act{actSensitive, actRestore}}}},
	{code: "rights-missing", kind: directory.ProblemTenant,
		says: "The administrator who authorised the connection may not do this.", next: "Let an administrator with a higher role authorise the connection, and consent to all permissions.", steps: steps(callAuthorize),
		signs: []sign{{status: []int{403}, code: denied}, {status: []int{403}, words: insufficient}}},
}

// causesOfObjects: the object, or one that it refers to, is not there.
var causesOfObjects = []cause{
	{code: "account-soft-deleted", kind: directory.ProblemConflict,
		says: "The account is among the deleted users.", next: "Restore it in Entra under deleted users, or release the user.", steps: steps(callRelease),
		signs: []sign{{status: []int{400, 404, 409}, words: "is soft-deleted|is soft deleted|has been soft-deleted|in the recycle bin"}}},
	{code: "account-not-ready", kind: directory.ProblemTransient,
		says: "A part of Microsoft's directory has not heard of the account yet.", next: itself, steps: steps(callRun),
		signs: []sign{{status: []int{400, 404}, code: "directory_objectnotfound"}}},
	{code: "reference-missing", kind: directory.ProblemTransient,
		says: "An object that the request refers to is not there, or not yet in all parts of Microsoft's directory.", next: itself, steps: steps(callRun),
		signs: []sign{{status: []int{400}, code: "request_resourcenotfound"}, {status: []int{400}, words: "queried reference-property objects are not present"},
			{status: []int{404}, code: "request_resourcenotfound", on: []act{actCreate}}}},
	{code: "deleted-account-gone", kind: directory.ProblemConflict,
		says: "The deleted account is gone for good; Microsoft keeps deleted accounts for 30 days.", next: "Bind the user again to create a new account.", steps: steps(callBind),
		signs: []sign{{status: []int{404}, code: "request_resourcenotfound|resourcenotfound|itemnotfound", on: []act{actRestore}}}},
	{code: CodeGone, kind: directory.ProblemConflict,
		says: "There is no such object in the tenant.", next: "If it was deleted, restore it in Microsoft 365 or release the user.", steps: steps(callRelease),
		signs: []sign{{status: []int{404}, code: "request_resourcenotfound|resourcenotfound|itemnotfound"}}},
	{code: "object-id-invalid", kind: directory.ProblemDefect,
		says: "Microsoft does not take the account's id for one.", next: report,
		signs: []sign{{status: []int{400}, words: "invalid object identifier"}}},
}

// causesOfFaults pass, or say nothing; they stand last, the very last for all
// that nothing else fits.
var causesOfFaults = []cause{
	{code: "concurrent-change", kind: directory.ProblemTransient, does: again,
		says: "Somebody else was changing the same object.", next: itself,
		signs: []sign{{status: []int{4}, code: "directory_concurrencyviolation|directory_concurrencyerror"}, {status: []int{409}}}},
	{code: "precondition-failed", kind: directory.ProblemTransient,
		says: "The object was changed meanwhile.", next: "The next run looks at it anew.", steps: steps(callRun),
		signs: []sign{{status: []int{412}}}},
	{code: "locked", kind: directory.ProblemTransient, does: again,
		says: "The object is locked for the moment.", next: itself,
		signs: []sign{{status: []int{423}}}},
	{code: "dependency-failed", kind: directory.ProblemTransient, does: again,
		says: "The batch around this request failed.", next: itself,
		signs: []sign{{status: []int{424}}}},
	{code: "service-timeout", kind: directory.ProblemTransient, does: inDoubt,
		says: "Microsoft did not answer in time.", next: looked,
		signs: []sign{{status: []int{408, 504}}}},
	// A gateway's 404 proves nothing.
	{code: "not-found-unclear", kind: directory.ProblemTransient, does: inDoubt,
		says: "Something on the way to Microsoft Graph answered 404.", next: itself,
		signs: []sign{{status: []int{404}}}},
	{code: "gateway-fault", kind: directory.ProblemTransient, does: inDoubt,
		says: "Something on the way to Microsoft Graph failed.", next: looked,
		signs: []sign{{status: []int{5}, foreign: true}}},
	{code: "gateway-refused", kind: directory.ProblemTransient, does: inDoubt,
		says: "Something on the way to Microsoft Graph, such as a proxy, refused the request; the answer is not of Microsoft's.", next: "Let Bindery reach graph.microsoft.com without a proxy that changes answers. It is tried again by itself.",
		signs: []sign{{status: []int{4}, foreign: true}}},
	{code: "service-busy", kind: directory.ProblemTransient, does: inDoubt,
		says: "Microsoft Graph is busy and asks to come back later.", next: itself,
		signs: []sign{{status: []int{503}, waits: true}}},
	{code: "service-unavailable", kind: directory.ProblemTransient, does: inDoubt,
		says: "Microsoft Graph had a fault.", next: itself,
		signs: []sign{{status: []int{5}}}},
	{code: "forbidden", kind: directory.ProblemTenant,
		says: "Microsoft does not allow this.", next: "Look at the original message; a policy of the tenant may forbid it.",
		signs: []sign{{status: []int{403}}}},
	{code: "graph-error", kind: directory.ProblemDefect,
		says: "Microsoft Graph refused the request.", next: "Look at the original message, and report it with the request id if it does not explain itself.",
		signs: []sign{{status: []int{4}}}},
	{code: "outcome-unknown", kind: directory.ProblemTransient, does: inDoubt,
		says: "Microsoft Graph gave an answer that cannot be read.", next: looked,
		signs: []sign{{}}},
}
