package entra

// Codes of problems that callers compare with; the others stand in the table
// below.
const (
	CodeNameTaken    = "user-principal-name-taken"
	CodeAddressTaken = "address-taken"
	CodeConflict     = "object-conflict"
	CodeGone         = "account-not-found"
)

// does is what a kind of error asks for.
type does int

const (
	stop      does = iota // permanent: only other data, rights or settings help
	again                 // was not applied; try again
	throttled             // was not applied; wait and try again
	inDoubt               // a write may have taken effect
	restart               // the link is dead: read from the start
)

// rule maps errors of Graph to a problem. What is given must hold: one of the
// statuses (a single digit stands for its hundred), and either the code (with the
// target, in the same detail) or the words in a message. Codes come first,
// Microsoft changes its texts. {property} is what the error is about.
type rule struct {
	status []int
	code   string // of the error, a detail or an inner error, in lower case, by |
	target string // of the detail with the code, in lower case, by |
	words  string // in a message, in lower case, by |

	name, cause, next string
	does              does
}

// rules are tried in order. Throttling and dead links are told by code before
// anything else, since their statuses vary.
var rules = []rule{
	{status: []int{429}, name: "throttled", does: throttled,
		cause: "Microsoft has throttled this connection.", next: "It is tried again by itself."},
	{code: "toomanyrequests|request_throttledtemporarily|throttledrequest|activitylimitreached", status: []int{4}, name: "throttled", does: throttled,
		cause: "Microsoft has throttled this connection.", next: "It is tried again by itself."},
	{status: []int{410}, name: "link-expired", does: restart,
		cause: "Microsoft has dropped the state of this reading.", next: "The tenant is read from the start."},
	{status: []int{4}, code: "syncstatenotfound|syncstateinvalid|resyncrequired|resyncchangesapplydifferences|resyncchangesuploaddifferences|directory_expiredpagetoken|directorypagetokennotfoundexception|directory_resyncrequired",
		words: "page token|badly formed token|skiptoken|deltatoken|delta token", name: "link-expired", does: restart,
		cause: "The link to the next page or changes has expired or is not known any more.", next: "The tenant is read from the start."},

	{status: []int{401}, code: "", words: "", name: "access-token-refused", does: again,
		cause: "Microsoft Graph refused the access token.", next: "If this stays, an admin must authorise the connection again."},

	{status: []int{400, 409}, code: "objectconflict", target: "userprincipalname", words: "same value for property userprincipalname already exists", name: CodeNameTaken,
		cause: "Another object in the tenant has this userPrincipalName.", next: "Adopt that account, rename it in Microsoft 365, or change the user's address."},
	{status: []int{400, 409}, code: "objectconflict|conflictingobjects", target: "proxyaddresses|mail|othermails", words: "same value for property proxyaddresses already exists|same value for property mail already exists", name: CodeAddressTaken,
		cause: "Another object in the tenant has one of the account's e-mail addresses. It may be a group, a contact or a deleted mailbox, and the conflict may be older than this change.",
		next:  "Remove the address from the object that holds it, or change the user's address."},
	{status: []int{400, 409}, code: "objectconflict", target: "onpremisesimmutableid|immutableid", words: "same value for property onpremisesimmutableid|same value for property immutableid", name: "immutable-id-taken",
		cause: "Another object in the tenant has the same onPremisesImmutableId.", next: "Find that object in Entra, under active and deleted users, and remove the value or the object."},
	{status: []int{400, 409}, code: "objectconflict|conflictingobjects|request_multipleobjectswithsamekeyvalue", words: "conflicting object with one or more|another object with the same value", name: CodeConflict,
		cause: "Another object in the tenant has a value that must be unique.", next: "Look for the user's addresses among users, groups, contacts and deleted users in Entra."},

	{status: []int{4}, words: "on-premises mastered|originated within your on-premises|mastered on-premises", name: "synced-on-premises",
		cause: "The account is synchronised from an Active Directory of the tenant, where alone it can be changed.", next: "Change it there, end its synchronisation, or release the user."},
	{status: []int{4}, words: "originated within an external service", name: "mastered-by-exchange",
		cause: "The value is owned by Exchange and cannot be changed through Microsoft Graph.", next: "Change it in the Exchange admin center, or switch this attribute off."},

	{status: []int{400}, words: "domain portion of the userprincipalname", name: "domain-not-verified",
		cause: "The domain of the userPrincipalName is not a verified domain of the tenant.", next: "Verify the domain in Microsoft 365, or map it to a verified one in the connection's domainMap."},
	{status: []int{400}, code: "passwordvalidationfailed|invalidpassword|passwordcomplexity", words: "password complexity|does not comply with password|password does not meet|banned password|password is too weak", name: "password-refused",
		cause: "The tenant's password policy refused the initial password.", next: "It is tried again with another one; if this stays, look at the tenant's list of banned passwords."},
	{status: []int{400}, words: "required for property 'onpremisesimmutableid'|required for property 'immutableid'|immutableid is required|federated user", name: "immutable-id-required",
		cause: "The domain is federated, and an account there needs an onPremisesImmutableId that its identity provider knows.", next: "Use a managed domain for new accounts, or create this one at the identity provider."},
	{status: []int{400}, words: "a value is required for property|required property", name: "property-required",
		cause: "Microsoft needs a value of {property}.", next: "Give the user that value."},
	{status: []int{400}, words: "invalid usage location|usage location is not|without a usage location", name: "license-usage-location",
		cause: "A licence needs a usageLocation, and the account has none that is valid.", next: "Set the user's usageLocation, a two-letter country code."},
	{status: []int{400}, words: "does not have any available licenses|does not have enough licenses|no available licenses", name: "license-none-left",
		cause: "All seats of the subscription are taken.", next: "Buy more seats or take some back."},
	{status: []int{400, 403}, words: "inherited from a group|group membership and cannot be removed", name: "license-from-group",
		cause: "The licence comes from a group and cannot be taken from the account alone.", next: "Take the account out of that group."},
	{status: []int{4}, code: "invalidlength|stringlengthexceeded", words: "exceeds the maximum length|maximum length of", name: "property-too-long",
		cause: "The value of {property} is longer than Microsoft takes.", next: "Shorten it in the directory."},
	{status: []int{4}, code: "propertynotnullable|nonnullableproperty", words: "not nullable|cannot be null|cannot be set to null", name: "property-not-clearable",
		cause: "Microsoft does not let {property} be emptied.", next: "Give the user a value, or switch clearing off for this attribute."},
	{status: []int{400}, code: "invalidvalue", words: "invalid value specified for property|invalid property value|property values specified are invalid|cannot convert the literal", name: "property-invalid",
		cause: "Microsoft refused the value of {property}.", next: "Correct it in the directory."},
	{status: []int{400}, words: "is read-only|cannot be set|not supported to be updated", name: "property-read-only",
		cause: "The property {property} cannot be written.", next: "Switch this attribute off."},
	{status: []int{4}, code: "directory_quotaexceeded|quotaexceeded", words: "quota limit exceeded|directory object quota", name: "tenant-full",
		cause: "The tenant has as many objects as its quota allows.", next: "Delete objects for good, verify a domain, or ask Microsoft for a larger quota."},

	{status: []int{403}, code: "authentication_requestfromnonpremiumtenantorb2ctenant", words: "premium license", name: "premium-license-missing",
		cause: "The tenant's licence does not cover this.", next: "It needs Entra ID P1 or P2; everything else works without."},
	{status: []int{403}, code: "authorization_requestdenied|authorization_identitynotfound|accessdenied|erroraccessdenied", words: "insufficient privileges", name: "rights-missing",
		cause: "The administrator who authorised the connection may not do this to this account; Microsoft protects holders of admin roles and members of role-assignable groups.",
		next:  "Let an administrator with a higher role authorise the connection, or change this account by hand."},
	{status: []int{403}, name: "forbidden",
		cause: "Microsoft does not allow this.", next: "Look at the original message; a policy of the tenant may forbid it."},
	{status: []int{404}, code: "request_resourcenotfound|resourcenotfound|itemnotfound", name: CodeGone,
		cause: "There is no such object in the tenant.", next: "If it was deleted, restore it in Microsoft 365 or release the user."},
	// Not by Graph's directory itself: a gateway's 404 proves nothing.
	{status: []int{404}, name: "not-found-unclear", does: inDoubt,
		cause: "Something on the way to Microsoft Graph answered 404.", next: "It is tried again by itself."},
	{code: "directory_concurrencyviolation|directory_concurrencyerror", status: []int{4}, name: "concurrent-change", does: again,
		cause: "Somebody else was changing the same object.", next: "It is tried again by itself."},
	{status: []int{408}, name: "outcome-unknown", does: inDoubt,
		cause: "Microsoft did not answer in time.", next: "It is looked up and tried again by itself."},
	{status: []int{409}, name: "concurrent-change", does: again,
		cause: "Somebody else was changing the same object.", next: "It is tried again by itself."},
	{status: []int{412}, name: "precondition-failed",
		cause: "The object was changed meanwhile.", next: "The next run looks at it anew."},
	{status: []int{423}, name: "locked", does: again,
		cause: "The object is locked for the moment.", next: "It is tried again by itself."},
	{status: []int{424}, name: "dependency-failed", does: again,
		cause: "The batch around this request failed.", next: "It is tried again by itself."},
	{status: []int{5}, name: "service-unavailable", does: inDoubt,
		cause: "Microsoft Graph had a fault.", next: "It is tried again by itself."},
	{status: []int{400}, code: "request_unsupportedquery", name: "query-unsupported",
		cause: "Microsoft Graph does not support this question.", next: "Report this with the request id; it is a fault of Bindery."},
	{status: []int{4}, name: "graph-error",
		cause: "Microsoft Graph refused the request.", next: "Look at the original message, and report it with the request id if it does not explain itself."},
	{name: "outcome-unknown", does: inDoubt,
		cause: "Microsoft Graph gave an answer that cannot be read.", next: "It is looked up and tried again by itself."},
}
