package entra

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

func graphError(code, message, more string) string {
	return `{"error":{"code":"` + code + `","message":"` + message + `"` + more + `,"innerError":{"request-id":"r-1"}}}`
}

func TestClassify(t *testing.T) {
	t.Parallel()
	holder := `{"code":"ConflictingObjects","message":"The conflicting objects are: Group_99999999-aaaa-4bbb-8ccc-000000000001.","target":"proxyAddresses"}`
	rows := []struct {
		name   string
		status int
		body   string
		want   string
		act    verdict // only its flags
	}{
		{"name taken", 400, graphError("Request_BadRequest", "x", `,"details":[{"code":"ObjectConflict","message":"x","target":"userPrincipalName"}]`), directory.CodeUserPrincipalNameTaken, verdict{}},
		{"name taken, another case", 400, graphError("REQUEST_BADREQUEST", "x", `,"details":[{"code":"objectconflict","message":"x","target":"USERPRINCIPALNAME"}]`), directory.CodeUserPrincipalNameTaken, verdict{}},
		{"name taken, text only", 400, graphError("Request_BadRequest", "Another object with the same value for property userPrincipalName already exists.", ""), directory.CodeUserPrincipalNameTaken, verdict{}},
		{"address taken", 400, graphError("Request_BadRequest", "x", `,"details":[{"code":"ObjectConflict","message":"x","target":"proxyAddresses"},`+holder+`]`), "address-taken-by-group", verdict{}},
		{"address taken, another detail about the name", 400, graphError("Request_BadRequest", "x", `,"details":[{"code":"ObjectConflict","message":"x","target":"proxyAddresses"},{"code":"InvalidValue","message":"x","target":"userPrincipalName"}]`), directory.CodeAddressTaken, verdict{}},
		{"immutable id taken", 400, graphError("Request_BadRequest", "x", `,"details":[{"code":"ObjectConflict","message":"x","target":"onPremisesImmutableId"}]`), "immutable-id-taken", verdict{}},
		{"some conflict", 400, graphError("Request_BadRequest", "A conflicting object with one or more of the specified property values is present in the directory.", ""), directory.CodeObjectConflict, verdict{}},
		{"same key", 400, graphError("Request_MultipleObjectsWithSameKeyValue", "x", ""), directory.CodeObjectConflict, verdict{}},
		{"domain", 400, graphError("Request_BadRequest", "The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain names in your organization.", `,"details":[{"code":"InvalidValue","message":"x","target":"userPrincipalName"}]`), "domain-not-verified", verdict{}},
		{"invalid name", 400, graphError("Request_BadRequest", "Invalid value specified for property 'userPrincipalName' of resource 'User'.", `,"details":[{"code":"InvalidValue","message":"x","target":"userPrincipalName"}]`), "user-principal-name-invalid", verdict{}},
		{"password", 400, graphError("Request_BadRequest", "The specified password does not comply with password complexity requirements. Please provide a different password.", ""), "password-refused", verdict{}},
		{"missing", 400, graphError("Request_BadRequest", "A value is required for property 'displayName' of resource 'User'.", ""), "property-required", verdict{}},
		{"missing immutable id", 400, graphError("Request_BadRequest", "A value is required for property 'onPremisesImmutableId' of resource 'User'.", ""), "immutable-id-required", verdict{}},
		{"too long", 400, graphError("Request_BadRequest", "Invalid value specified for property 'employeeId' of resource 'User'.", `,"details":[{"code":"InvalidLength","message":"x","target":"employeeId"}]`), "property-too-long", verdict{}},
		{"synced", 400, graphError("Request_BadRequest", "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.", ""), "synced-on-premises", verdict{}},
		{"exchange", 400, graphError("Request_BadRequest", "Unable to update the specified properties for objects that have originated within an external service.", ""), "mastered-by-exchange", verdict{}},
		{"rights", 403, graphError("Authorization_RequestDenied", "Insufficient privileges to complete the operation.", ""), "rights-missing", verdict{}},
		{"premium", 403, graphError("Authentication_RequestFromNonPremiumTenantOrB2CTenant", "Neither tenant is B2C or tenant doesn't have premium license", ""), "premium-license-missing", verdict{}},
		{"another 403", 403, graphError("Forbidden", "x", ""), "forbidden", verdict{}},
		{"gone", 404, graphError("Request_ResourceNotFound", "Resource 'x' does not exist or one of its queried reference-property objects are not present.", ""), directory.CodeAccountNotFound, verdict{missing: true}},
		{"a gateway's 404", 404, "<html>", "not-found-unclear", verdict{unknown: true}},
		{"a reference that is not there", 400, graphError("Request_ResourceNotFound", "x", ""), "reference-missing", verdict{}},
		{"concurrent", 409, graphError("Directory_ConcurrencyViolation", "x", ""), "concurrent-change", verdict{retry: true}},
		{"concurrent, another status", 400, graphError("Directory_ConcurrencyViolation", "x", ""), "concurrent-change", verdict{retry: true}},
		{"409 that is a conflict", 409, graphError("Request_BadRequest", "x", `,"details":[{"code":"ObjectConflict","message":"x","target":"userPrincipalName"}]`), directory.CodeUserPrincipalNameTaken, verdict{}},
		{"412", 412, "", "precondition-failed", verdict{}},
		{"423", 423, "", "locked", verdict{retry: true}},
		{"424", 424, "", "dependency-failed", verdict{retry: true}},
		{"429", 429, graphError("TooManyRequests", "Please retry again later.", ""), "throttled", verdict{throttled: true, retry: true}},
		{"429 of the directory", 429, graphError("Request_ThrottledTemporarily", "x", ""), "throttled", verdict{throttled: true, retry: true}},
		{"throttled by another status", 403, graphError("Request_ThrottledTemporarily", "x", ""), "throttled", verdict{throttled: true, retry: true}},
		{"401", 401, graphError("InvalidAuthenticationToken", "Access token has expired or is not yet valid.", ""), "access-token-expired", verdict{retry: true}},
		{"500", 500, graphError("InternalServerError", "x", ""), "service-unavailable", verdict{unknown: true}},
		{"502 of a gateway", 502, "<html>Bad gateway</html>", "gateway-fault", verdict{unknown: true}},
		{"503", 503, graphError("ServiceUnavailable", "x", ""), "service-unavailable", verdict{unknown: true}},
		{"504", 504, "", "service-timeout", verdict{unknown: true}},
		{"408", 408, "", "service-timeout", verdict{unknown: true}},
		{"no status", 0, "", "outcome-unknown", verdict{unknown: true}},
		{"302", 302, "", "outcome-unknown", verdict{unknown: true}},
		{"410", 410, "", "sync-state-expired", verdict{expired: true}},
		{"state lost", 400, graphError("SyncStateNotFound", "x", ""), "sync-state-expired", verdict{expired: true}},
		{"state lost, told within", 400, `{"error":{"code":"","message":"x","innererror":{"code":"UnknownError","innerError":{"code":"resyncRequired"}}}}`, "sync-state-expired", verdict{expired: true}},
		{"page expired", 400, graphError("Directory_ExpiredPageToken", "x", ""), "page-link-expired", verdict{expired: true}},
		{"licence, location", 400, graphError("Request_BadRequest", "License assignment cannot be done for user with invalid usage location.", ""), "license-usage-location", verdict{}},
		{"licence, seats", 400, graphError("Request_BadRequest", "Subscription with SKU x does not have any available licenses.", ""), "license-none-left", verdict{}},
		{"quota", 403, graphError("Directory_QuotaExceeded", "x", ""), "tenant-full", verdict{}},
		{"query", 400, graphError("Request_UnsupportedQuery", "x", ""), "query-unsupported", verdict{}},
		{"unknown", 400, graphError("SomethingNew", "x", ""), "graph-error", verdict{}},
		{"unreadable", 400, "<html>", "gateway-refused", verdict{unknown: true}},
		{"details of another shape", 400, `{"error":{"code":"a","details":"b"}}`, "graph-error", verdict{}},
	}
	for _, row := range rows {
		v := classify(row.status, nil, []byte(row.body), asked{})
		p := v.problem
		if p.Code != row.want {
			t.Errorf("%s: Classify = %s, want %s", row.name, p.Code, row.want)
		}
		if v.problem = nil; v != row.act {
			t.Errorf("%s: it asks for %+v, want %+v", row.name, v, row.act)
		}
		if p.Message == "" || p.Next == "" || p.MicrosoftStatus != row.status {
			t.Errorf("%s: Classify = %+v", row.name, p)
		}
	}
	p := classify(400, http.Header{"Request-Id": {"r-2"}}, []byte(rows[3].body), asked{}).problem
	if p.RequestID != "r-2" || p.MicrosoftCode != "Request_BadRequest" || p.MicrosoftMessage != "x" || p.Holder != "Group 99999999-aaaa-4bbb-8ccc-000000000001" {
		t.Errorf("classify = %+v", p)
	}
	if p := classify(400, nil, []byte(rows[0].body), asked{}).problem; p.RequestID != "r-1" {
		t.Errorf("the request id of the body = %q", p.RequestID)
	}
	if p := classify(400, nil, []byte(rows[11].body), asked{}).problem; p.Message != "Microsoft needs a value of displayName." {
		t.Errorf("the message = %q", p.Message)
	}
}

// TestOddErrors: an error of another shape keeps what can be read of it.
func TestOddErrors(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"error":"invalid_request"}`: "invalid_request",
		`{"error":{"code":"a","message":{"lang":"en","value":"A value is required for property 'x'."},"details":"b","innerError":7}}`: "a",
		`{"error":{"code":7,"message":"m"}}`: "",
	} {
		if p := classify(400, nil, []byte(body), asked{}).problem; p.MicrosoftCode != want {
			t.Errorf("Microsoft's code of %s = %q, want %q", body, p.MicrosoftCode, want)
		}
	}
	wrapped := `{"error":{"code":"a","message":{"lang":"en","value":"A value is required for property 'x' of resource 'User'."},"details":[7,{"code":"c","target":"y/z"}]}}`
	if p := classify(400, nil, []byte(wrapped), asked{}).problem; p.Code != "property-required" || p.Message != "Microsoft needs a value of z." {
		t.Errorf("classify(%s) = %+v", wrapped, p)
	}
	long := graphError("Request_BadRequest", strings.Repeat("x", 5000), "")
	if p := classify(400, nil, []byte(long), asked{}).problem; len(p.MicrosoftMessage) > maxMessage+10 {
		t.Errorf("a message of 5000 characters is kept in %d", len(p.MicrosoftMessage))
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	for _, row := range []struct {
		text  string
		want  time.Duration
		asked bool
	}{
		{"", defaultWait, false}, {"2.128", 2128 * time.Millisecond, true}, {"1", time.Second, true}, {"0", minWait, true},
		{"-5", minWait, true}, {" 10 ", 10 * time.Second, true}, {"86400", maxWait, true}, {"1e30", maxWait, true}, {"Inf", maxWait, true},
		{"-Inf", minWait, true}, {"NaN", defaultWait, false}, {"soon", defaultWait, false},
		{"Mon, 04 May 2026 03:02:31 GMT", 30 * time.Second, true}, {"Mon, 04 May 2020 03:02:31 GMT", minWait, true},
		{"Mon, 04 May 2030 03:02:31 GMT", maxWait, true},
	} {
		h := http.Header{}
		h.Set("Retry-After", row.text)
		if got, asked := retryAfter(h, now); got != row.want || asked != row.asked {
			t.Errorf("retryAfter(%q) = %s, %v; want %s, %v", row.text, got, asked, row.want, row.asked)
		}
	}
	h := http.Header{"Retry-After": {"Mon, 04 May 2026 03:02:31 GMT"}, "Date": {"Mon, 04 May 2026 03:02:21 GMT"}}
	if got, _ := retryAfter(h, now.Add(time.Hour)); got != 10*time.Second {
		t.Errorf("retryAfter with the service's clock = %s, want 10s", got)
	}
}
