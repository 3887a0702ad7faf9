package identity

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// stsError is a refusal of the identity platform: the OAuth error, the AADSTS
// number and what goes with them.
type stsError struct {
	Code     int    // the number after AADSTS
	Error    string // OAuth's word
	SubError string
	Subcode  string // error_subcode of a callback
	Status   int    // of the token endpoint; 0 means 400
	Text     string
	Claims   string
}

// stsErrors is Microsoft's catalogue as far as it matters here: what state can
// cause, and what only a fault can. Texts take the values that name the case.
var stsErrors = map[int]stsError{
	50173:   {Error: "invalid_grant", SubError: "bad_token", Text: "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password. The grant was issued on '%s' and the TokensValidFrom date (before which tokens are not valid) for this user is '%s'."},
	700082:  {Error: "invalid_grant", Text: "The refresh token has expired due to inactivity. The token was issued on %s and was inactive for 90.00:00:00."},
	70008:   {Error: "invalid_grant", Text: "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource."},
	70043:   {Error: "invalid_grant", SubError: "token_expired", Text: "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access. The token was issued on %s and the maximum allowed lifetime for this request is 3600."},
	70000:   {Error: "invalid_grant", Text: "Provided grant is invalid or malformed."},
	50057:   {Error: "invalid_grant", Text: "The user account is disabled."},
	50034:   {Error: "invalid_grant", Text: "The user account does not exist in the %s directory. To sign into this application, the account must be added to the directory."},
	50055:   {Error: "invalid_grant", SubError: "user_password_expired", Text: "The password is expired."},
	50144:   {Error: "invalid_grant", SubError: "user_password_expired", Text: "The user's Active Directory password has expired."},
	50076:   {Error: "interaction_required", SubError: "basic_action", Text: "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '00000003-0000-0000-c000-000000000000'."},
	50079:   {Error: "interaction_required", SubError: "basic_action", Text: "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '00000003-0000-0000-c000-000000000000'."},
	50074:   {Error: "interaction_required", SubError: "basic_action", Text: "Strong Authentication is required."},
	50072:   {Error: "interaction_required", SubError: "basic_action", Text: "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication."},
	50078:   {Error: "invalid_grant", SubError: "basic_action", Text: "Presented multi-factor authentication has expired due to policies configured by your administrator, you must refresh your multi-factor authentication to access '00000003-0000-0000-c000-000000000000'."},
	53003:   {Error: "invalid_grant", SubError: "message_only", Text: "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."},
	53000:   {Error: "invalid_grant", SubError: "message_only", Text: "Device is not in required device state: compliant. Conditional Access policy requires a compliant device, and the device is not compliant."},
	530035:  {Error: "interaction_required", SubError: "message_only", Text: "Access has been blocked by security defaults. This can happen when the request does not meet security standards."},
	50131:   {Error: "interaction_required", SubError: "message_only", Text: "Device is not in required device state, or the request was blocked due to suspicious activity, access policy, or security policy decisions."},
	65001:   {Error: "invalid_grant", SubError: "consent_required", Text: "The user or administrator has not consented to use the application with ID '%s' named '%s'. Send an interactive authorization request for this user and resource."},
	65004:   {Error: "access_denied", Subcode: "cancel", Text: "User declined to consent to access the app."},
	90094:   {Error: "access_denied", Text: "An administrator of %s has set a policy that prevents you from granting %s the permissions it is requesting. Contact an administrator of %s, who can grant permissions to this application on your behalf."},
	90093:   {Error: "access_denied", Text: "%s is requesting one or more permissions that you are not authorized to grant. Contact an administrator, who can consent to this application on your behalf."},
	650052:  {Error: "invalid_client", Text: "The app is trying to access a service '00000003-0000-0000-c000-000000000000'(Microsoft Graph) that your organization '%s' lacks a service principal for. Contact your IT Admin to review the configuration of your service subscriptions or consent to the application in order to create the required service principal."},
	90072:   {Error: "interaction_required", Text: "User account '{EmailHidden}' from identity provider 'https://sts.windows.net/%s/' does not exist in tenant '%s' and cannot access the application '%s' in that tenant. The account needs to be added as an external user in the tenant first. Sign out and sign in again with a different Azure Active Directory user account."},
	90095:   {Error: "access_denied", Text: "Admin consent is required. The request for approval was sent to an administrator."},
	700016:  {Error: "unauthorized_client", Text: "Application with identifier '%s' was not found in the directory '%s'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."},
	7000112: {Error: "unauthorized_client", Text: "Application '%s'(%s) is disabled."},
	70001:   {Error: "unauthorized_client", Text: "Application '%s' is disabled or is not supported in this directory."},
	50105:   {Error: "invalid_grant", Text: "Your administrator has configured the application %s ('%s') to block users unless they are specifically granted ('assigned') access to the application."},
	54005:   {Error: "invalid_grant", Text: "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token."},
	501481:  {Error: "invalid_grant", Text: "The Code_Verifier does not match the code_challenge supplied in the authorization request."},
	50147:   {Error: "invalid_request", Text: "Invalid size of Code_Challenge parameter."},
	501491:  {Error: "invalid_request", Text: "Invalid size of Code_Verifier parameter."},
	50011:   {Error: "invalid_request", Text: "The redirect URI '%s' specified in the request does not match the redirect URIs configured for the application '%s'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal."},
	7000215: {Error: "invalid_client", Status: http.StatusUnauthorized, Text: "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'."},
	7000222: {Error: "invalid_client", Status: http.StatusUnauthorized, Text: "The provided client secret keys for app '%s' are expired. Visit the Azure portal to create new keys for your app, or consider using certificate credentials for added security."},
	7000218: {Error: "invalid_client", Status: http.StatusUnauthorized, Text: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."},
	700027:  {Error: "invalid_client", Status: http.StatusUnauthorized, Text: "The certificate with identifier used to sign the client assertion is not registered on application, or the assertion is not valid: %s"},
	900144:  {Error: "invalid_request", Text: "The request body must contain the following parameter: '%s'."},
	90014:   {Error: "invalid_request", Text: "The required field '%s' is missing from the credential. Ensure that you have all the necessary parameters for the login request."},
	9002313: {Error: "invalid_request", Text: "Invalid request. Request is malformed or invalid."},
	90002:   {Error: "invalid_request", Text: "Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."},
	50194:   {Error: "invalid_request", Text: "Application '%s'(%s) is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps created after '10/15/2018'. Use a tenant-specific endpoint or configure the application to be multi-tenant."},
	70011:   {Error: "invalid_scope", Text: "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope %s is not valid."},
	28002:   {Error: "invalid_request", Text: "Provided value for the input parameter scope '%s' is not valid when requesting an access token. Please specify a valid scope."},
	28003:   {Error: "invalid_request", Text: "Provided value for the input parameter scope cannot be empty when requesting an access token using the provided authorization code. Please specify a valid scope."},
	700022:  {Error: "invalid_scope", Text: "The provided value for the input parameter scope is not valid because it contains more than one resource. Scope %s is not valid."},
	700005:  {Error: "invalid_grant", Text: "Provided Authorization Code is intended to use against other tenant, thus rejected. OAuth2 Authorization Code must be redeemed against same tenant it was acquired for (/common or /{tenant-ID} as appropriate)."},
	500112:  {Error: "invalid_client", Status: http.StatusUnauthorized, Text: "The reply address '%s' does not match the reply address '%s' provided when requesting Authorization code."},
	900561:  {Error: "invalid_request", Text: "The endpoint only accepts POST requests. Received a %s request."},
	70003:   {Error: "unsupported_grant_type", Text: "The app requested an unsupported grant type '%s'."},
	650053:  {Error: "invalid_client", Text: "The application '%s' asked for scope '%s' that doesn't exist on the resource '00000003-0000-0000-c000-000000000000'. Contact the app vendor."},
	500011:  {Error: "invalid_resource", Text: "The resource principal named %s was not found in the tenant. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant."},
	50058:   {Error: "login_required", Text: "Session information is not sufficient for single-sign-on."},
	50020:   {Error: "invalid_grant", Text: "User account '%s' from identity provider does not exist in tenant '%s' and cannot access the application in that tenant."},
	70007:   {Error: "unsupported_response_type", Text: "'%s' is not a supported value of 'response_mode' or 'response_type' when requesting a token."},
	90023:   {Error: "invalid_request", Text: "Invalid STS request: %s"},
	50196:   {Error: "invalid_grant", Text: "The server terminated an operation because it encountered a client request loop."},
	90033:   {Error: "temporarily_unavailable", Status: http.StatusServiceUnavailable, Text: "A transient error has occurred. Please try again."},
	90006:   {Error: "server_error", Status: http.StatusServiceUnavailable, Text: "A transient error has occurred. Please try again."},
	90012:   {Error: "temporarily_unavailable", Status: http.StatusGatewayTimeout, Text: "The request to the service timed out."},
	90024:   {Error: "temporarily_unavailable", Status: http.StatusServiceUnavailable, Text: "The request budget was exceeded, a transient error has occurred. Please try again."},
	90090:   {Error: "server_error", Status: http.StatusServiceUnavailable, Text: "A transient error has occurred. Please try again."},
	50033:   {Error: "server_error", Status: http.StatusServiceUnavailable, Text: "A transient error has occurred. Please try again."},
	50087:   {Error: "server_error", Status: http.StatusServiceUnavailable, Text: "A transient error has occurred during single sign-out. Please try again."},
	90055:   {Error: "temporarily_unavailable", Status: http.StatusTooManyRequests, Text: "The tenant requests are throttled due to too many incoming requests. Please try again later."},
}

// aadsts takes an error from the catalogue and puts the values into its text.
// Missing values become a dash, so that a fault needs none.
func aadsts(code int, values ...any) *stsError {
	e, ok := stsErrors[code]
	if !ok {
		e = stsError{Error: "invalid_grant", Text: "The request was refused."}
	}
	e.Code = code
	for strings.Count(e.Text, "%s") > len(values) {
		values = append(values, "-")
	}
	e.Text = fmt.Sprintf(e.Text, values[:strings.Count(e.Text, "%s")]...)
	return &e
}

// stsTime is how the identity platform writes a time in its texts and bodies.
func stsTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// description is the text with everything that Microsoft appends to it.
func (e *stsError) description(trace, correlation string, now time.Time) string {
	return fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
		e.Code, e.Text, trace, correlation, stsTime(now))
}

// writeTokenError answers a request to the token endpoint with a refusal.
func (s *Platform) writeTokenError(w http.ResponseWriter, r *http.Request, e *stsError) {
	now, trace, correlation := s.state.Now(), s.state.Random.ID(), correlationID(s, r)
	body := map[string]any{
		"error":             e.Error,
		"error_description": e.description(trace, correlation, now),
		"error_codes":       []int{e.Code},
		"timestamp":         stsTime(now),
		"trace_id":          trace,
		"correlation_id":    correlation,
		"error_uri":         fmt.Sprintf("%s/error?code=%d", s.base(r), e.Code),
	}
	if e.SubError != "" {
		body["suberror"] = e.SubError
	}
	if e.Claims != "" {
		body["claims"] = e.Claims
	}
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	if status == http.StatusUnauthorized && r.Header.Get("Authorization") != "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="entra"`)
	}
	s.writeIdentityJSON(w, r, status, body)
}

// writeIdentityJSON answers with the headers that every answer of the identity
// platform has.
func (s *Platform) writeIdentityJSON(w http.ResponseWriter, r *http.Request, status int, body any) {
	out, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store, no-cache")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	h.Set("x-ms-request-id", s.state.Random.ID())
	w.WriteHeader(status)
	w.Write(out)
}

// correlationID is the caller's own id when it sent one.
func correlationID(s *Platform, r *http.Request) string {
	if id := r.Header.Get("client-request-id"); id != "" && len(id) <= 64 && !strings.ContainsAny(id, "\r\n<>\"") {
		return id
	}
	return s.state.Random.ID()
}

// callbackError is the query of a redirect that tells an application of a refusal.
func (s *Platform) callbackError(r *http.Request, e *stsError, state string) url.Values {
	v := url.Values{}
	v.Set("error", e.Error)
	if e.Subcode != "" {
		v.Set("error_subcode", e.Subcode)
	}
	v.Set("error_description", e.description(s.state.Random.ID(), correlationID(s, r), s.state.Now()))
	v.Set("error_uri", fmt.Sprintf("%s/error?code=%d", s.base(r), e.Code))
	if state != "" {
		v.Set("state", state)
	}
	return v
}
