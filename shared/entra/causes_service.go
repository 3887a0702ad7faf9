package entra

import "bindery/shared/directory"

const (
	itself     = "It is tried again by itself."
	looked     = "It is looked up and tried again by itself."
	fromStart  = "The tenant is read from the start."
	report     = "Report this with the request id; it is a fault of Bindery."
	reauth     = "An admin must authorise the connection again."
	throttling = "toomanyrequests|request_throttledtemporarily|throttledrequest|activitylimitreached"
	dropped    = "resyncrequired|resyncchangesapplydifferences|resyncchangesuploaddifferences|directory_resyncrequired|syncstatenotfound|syncstateinvalid"
)

// causesOfService concern the service and the links that it hands out; they are
// told by code before anything else, since their statuses vary.
var causesOfService = []cause{
	{code: "throttled-for-good", kind: directory.ProblemTenant,
		says: "Microsoft throttles this tenant until somebody talks to its support.", next: "Open a case with Microsoft's support and name the request id.",
		signs: []sign{{code: "request_throttledpermanently"}}},
	{code: "throttled-app", kind: directory.ProblemTransient, does: throttled,
		says: "Microsoft has throttled Bindery in all tenants together.", next: itself,
		signs: []sign{{status: []int{429}, scope: directory.ThrottledApp}, {status: []int{4, 503}, code: throttling, scope: directory.ThrottledApp}}},
	{code: "throttled-tenant", kind: directory.ProblemTransient, does: throttled,
		says: "Microsoft has throttled the tenant; other apps use up its quota as well.", next: itself,
		signs: []sign{{status: []int{429}, scope: directory.ThrottledTenant}, {status: []int{4, 503}, code: throttling, scope: directory.ThrottledTenant}}},
	{code: "throttled", kind: directory.ProblemTransient, does: throttled,
		says: "Microsoft has throttled this connection.", next: itself,
		signs: []sign{{status: []int{429}}, {status: []int{4, 503}, code: throttling}}},
	{code: "sync-state-expired", kind: directory.ProblemTransient, does: restart,
		says: "Microsoft has dropped the state from which changes are read.", next: fromStart,
		signs: []sign{{status: []int{410}}, {status: []int{4}, code: dropped},
			{status: []int{4}, words: "sync must reach steady state|badly formed token|skiptoken and deltatoken|deltatoken is|delta token"}}},
	{code: "page-link-expired", kind: directory.ProblemTransient, does: restart,
		says: "The link to the next page has expired or is not known any more.", next: fromStart,
		signs: []sign{{status: []int{4}, code: "directory_expiredpagetoken|directorypagetokennotfoundexception"},
			{status: []int{4}, words: "page token value|skiptoken is|skip token is"}}},
	{code: "request-too-large", kind: directory.ProblemDefect,
		says: "The request was larger than Microsoft takes.", next: report,
		signs: []sign{{status: []int{413}}}},
	{code: "result-too-large", kind: directory.ProblemDefect,
		says: "The answer would have been larger than Microsoft gives.", next: report,
		signs: []sign{{code: "directory_resultsizelimitexceeded"}}},
	{code: "query-unsupported", kind: directory.ProblemDefect,
		says: "Microsoft Graph does not support this question.", next: report,
		signs: []sign{{status: []int{400}, code: "request_unsupportedquery"}}},
}

// causesOfAccess concern the connection: its token, its admin, its tenant. A 401
// proves that nothing was done.
var causesOfAccess = []cause{
	{code: "tenant-not-found", kind: directory.ProblemAuthorization,
		says: "Microsoft does not know the tenant any more.", next: "If the tenant was deleted, deactivate the connection; if it was restored, authorise it again.",
		steps: steps(callAuthorize, directory.Step{Text: "Deactivate the connection.", Call: "POST /v1/connections/{connectionId}/deactivate"}),
		signs: []sign{{code: "directory_companynotfound"}, {status: []int{401, 403, 404}, words: "unable to read the company information|tenant not found|tenant does not exist"}}},
	{code: "tenant-disabled", kind: directory.ProblemAuthorization,
		says: "Microsoft has disabled the tenant.", next: "Look at its subscriptions and messages in the Microsoft 365 admin center, then authorise the connection again.", steps: steps(callAuthorize),
		signs: []sign{{status: []int{401, 403}, words: "tenant is disabled|tenant has been disabled|tenant is blocked|tenant is suspended|company is disabled"}}},
	{code: "app-disabled", kind: directory.ProblemAuthorization, does: again,
		says: "Bindery's enterprise application is disabled in the tenant.", next: "Enable users to sign in to it in Entra under enterprise applications, then authorise the connection again.", steps: steps(callAuthorize),
		signs: []sign{{status: []int{401, 403}, code: "authorization_identitydisabled"}}},
	{code: "app-removed", kind: directory.ProblemAuthorization, does: again,
		says: "Bindery's enterprise application is not in the tenant any more.", next: reauth, steps: steps(callAuthorize),
		signs: []sign{{status: []int{401, 403}, code: "authorization_identitynotfound"}}},
	{code: "access-blocked-by-location", kind: directory.ProblemAuthorization, does: again,
		says: "A Conditional Access policy of the tenant does not allow access from Bindery's address.", next: "Exempt the admin who authorised the connection, or Bindery's addresses, from the policy, then authorise again.", steps: steps(callAuthorize),
		signs: []sign{{status: []int{401}, words: "code: locationcondition|locationconditionevaluationsatisfied"}}},
	{code: "sessions-revoked", kind: directory.ProblemAuthorization, does: again,
		says: "The sessions of the admin who authorised the connection were revoked, or the password was changed.", next: reauth, steps: steps(callAuthorize),
		signs: []sign{{status: []int{401}, words: "tokenissuedbeforerevocationtimestamp|code: userdisabled|code: userdeleted"}}},
	{code: "claims-challenge", kind: directory.ProblemAuthorization, does: again,
		says: "A Conditional Access policy of the tenant asks the admin who authorised the connection for more, such as a second factor.", next: "Authorise the connection again, and exempt that admin from the policy if it asks each time.", steps: steps(callAuthorize),
		signs: []sign{{status: []int{401}, asks: `insufficient_claims|claims=`}, {status: []int{401}, words: "continuous access evaluation resulted in"}}},
	{code: "access-token-expired", kind: directory.ProblemTransient, does: again,
		says: "The access token has expired.", next: "It is renewed by itself. If this stays, an admin must authorise the connection again.",
		signs: []sign{{status: []int{401}, code: "authentication_expiredtoken"}, {status: []int{401}, words: "token has expired|token is expired"}}},
	{code: "access-token-refused", kind: directory.ProblemAuthorization, does: again,
		says: "Microsoft Graph refused the access token.", next: "It is renewed by itself. If this stays, an admin must authorise the connection again.", steps: steps(callAuthorize),
		signs: []sign{{status: []int{401}}, {status: []int{403}, code: "authentication_unauthorized"}}},
	{code: "conditional-access-denied", kind: directory.ProblemAuthorization,
		says: "A Conditional Access policy of the tenant denies access to the admin who authorised the connection.", next: "Exempt that admin from the policy, then authorise the connection again.", steps: steps(callAuthorize),
		signs: []sign{{status: []int{403}, words: "blocked by conditional access|conditional access polic"}}},
}
