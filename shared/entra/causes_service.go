package entra

import "bindery/shared/directory"

const (
	throttling = "toomanyrequests|request_throttledtemporarily|throttledrequest|activitylimitreached"
	dropped    = "resyncrequired|resyncchangesapplydifferences|resyncchangesuploaddifferences|directory_resyncrequired|syncstatenotfound|syncstateinvalid"
)

// causesOfService concern the service and the links that it hands out; they are
// told by code before anything else, since their statuses vary.
var causesOfService = []cause{
	{code: directory.CodeThrottledForGood,
		signs: []sign{{code: "request_throttledpermanently"}}},
	{code: directory.CodeThrottledApp, does: throttled,
		signs: []sign{{status: []int{429}, scope: directory.ThrottledApp}, {status: []int{4, 503}, code: throttling, scope: directory.ThrottledApp}}},
	{code: directory.CodeThrottledTenant, does: throttled,
		signs: []sign{{status: []int{429}, scope: directory.ThrottledTenant}, {status: []int{4, 503}, code: throttling, scope: directory.ThrottledTenant}}},
	{code: directory.CodeThrottled, does: throttled,
		signs: []sign{{status: []int{429}}, {status: []int{4, 503}, code: throttling}}},
	{code: directory.CodeSyncStateExpired, does: restart,
		signs: []sign{{status: []int{410}}, {status: []int{4}, code: dropped},
			{status: []int{4}, words: "sync must reach steady state|badly formed token|skiptoken and deltatoken|deltatoken is|delta token"}}},
	{code: directory.CodePageLinkExpired, does: restart,
		signs: []sign{{status: []int{4}, code: "directory_expiredpagetoken|directorypagetokennotfoundexception"},
			{status: []int{4}, words: "page token value|skiptoken is|skip token is"}}},
	{code: directory.CodeRequestTooLarge,
		signs: []sign{{status: []int{413}}}},
	{code: directory.CodeResultTooLarge,
		signs: []sign{{code: "directory_resultsizelimitexceeded"}}},
	{code: directory.CodeQueryUnsupported,
		signs: []sign{{status: []int{400}, code: "request_unsupportedquery"}}},
}

// causesOfAccess concern the connection: its token, its admin, its tenant. A 401
// proves that nothing was done.
var causesOfAccess = []cause{
	{code: directory.CodeTenantNotFound,
		signs: []sign{{code: "directory_companynotfound"}, {status: []int{401, 403, 404}, words: "unable to read the company information|tenant not found|tenant does not exist"}}},
	{code: directory.CodeTenantDisabled,
		signs: []sign{{status: []int{401, 403}, words: "tenant is disabled|tenant has been disabled|tenant is blocked|tenant is suspended|company is disabled"}}},
	{code: directory.CodeAppDisabled, does: again,
		signs: []sign{{status: []int{401, 403}, code: "authorization_identitydisabled"}}},
	{code: directory.CodeAppRemoved, does: again,
		signs: []sign{{status: []int{401, 403}, code: "authorization_identitynotfound"}}},
	{code: directory.CodeAccessBlockedByLocation, does: again,
		signs: []sign{{status: []int{401}, words: "code: locationcondition|locationconditionevaluationsatisfied"}}},
	{code: directory.CodeSessionsRevoked, does: again,
		signs: []sign{{status: []int{401}, words: "tokenissuedbeforerevocationtimestamp|code: userdisabled|code: userdeleted"}}},
	{code: directory.CodeClaimsChallenge, does: again,
		signs: []sign{{status: []int{401}, asks: `insufficient_claims|claims=`}, {status: []int{401}, words: "continuous access evaluation resulted in"}}},
	{code: directory.CodeAccessTokenExpired, does: again,
		signs: []sign{{status: []int{401}, code: "authentication_expiredtoken"}, {status: []int{401}, words: "token has expired|token is expired"}}},
	{code: directory.CodeAccessTokenRefused, does: again,
		signs: []sign{{status: []int{401}}, {status: []int{403}, code: "authentication_unauthorized"}}},
	{code: directory.CodeConditionalAccessDenied,
		signs: []sign{{status: []int{403}, words: "blocked by conditional access|conditional access polic"}}},
}
