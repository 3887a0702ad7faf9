package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"bindery/shared/directory"
)

// The three classes of token errors.
var (
	// ErrNeedsAuthorization: an admin of the tenant must authorise again.
	ErrNeedsAuthorization = errors.New("connect: the connection needs authorisation")
	// ErrConfiguration: our own app or code is at fault; no admin of a tenant
	// can help.
	ErrConfiguration = errors.New("connect: the app's configuration is wrong")
	// ErrTransient: it may pass; try again later with the same tokens.
	ErrTransient = errors.New("connect: no token for now")
)

// errLoop is ErrTransient when it is seen for the first time, and
// ErrNeedsAuthorization when it is seen again some minutes later.
var errLoop = fmt.Errorf("client loop: %w", ErrTransient)

// TokenError says why there is no token. It is one of the three classes above;
// as ErrNeedsAuthorization it is a directory.ErrUnauthorized too, and as one of
// the others a directory.ErrUnavailable, so that work waits and is not lost.
type TokenError struct {
	Class   error
	Problem directory.Problem
}

func (e *TokenError) Error() string { return e.Problem.Error() }

// Unwrap returns the class and what it means to those who only want a token.
func (e *TokenError) Unwrap() []error {
	if errors.Is(e.Class, ErrNeedsAuthorization) {
		return []error{e.Class, directory.ErrUnauthorized}
	}
	return []error{e.Class, directory.ErrUnavailable}
}

// Codes of problems that something branches on.
const (
	codeConsentRemoved = "consent-removed"
	codeSignInOver     = "sign-in-expired"
	codeRenewed        = "authorization-renewed"
)

// tokenRow is one rule of the classification. A row matches when every member
// that it has does: the OAuth error, a number of error_codes, the suberror.
type tokenRow struct {
	errors    []string
	numbers   []int
	suberrors []string

	class         error
	code          string
	message, next string
}

const (
	nextAgain   = "Authorise the connection again."
	nextOurs    = "Whoever runs Bindery must correct it; the tenant's admin can do nothing."
	nextWait    = "Nothing is to be done; it is tried again."
	nextConsent = "Authorise the connection again and accept the permissions."
	nextBug     = "Report it to whoever runs Bindery; it is a fault of the program or of its set-up."
)

// tokenRows, from the top: the first that matches decides. Words that leave no
// doubt come first, then Microsoft's numbers, which say more but may change,
// then the suberror, then OAuth's word alone.
var tokenRows = []tokenRow{
	{errors: []string{"temporarily_unavailable", "server_error", "slow_down"}, class: ErrTransient, code: "microsoft-unavailable",
		message: "Microsoft's identity platform is not available for the moment.", next: nextWait},
	{errors: []string{"invalid_client"}, numbers: []int{7000222}, class: ErrConfiguration, code: "client-secret-expired",
		message: "The client secret of Bindery's Entra app has expired.", next: "Make a new client secret in Entra and store it; " + nextOurs},
	{errors: []string{"invalid_client"}, numbers: []int{7000215, 7000218}, class: ErrConfiguration, code: "client-secret-wrong",
		message: "The client secret of Bindery's Entra app is missing or wrong.", next: "Store the secret's value, not its ID; " + nextOurs},
	{errors: []string{"invalid_client"}, class: ErrConfiguration, code: "client-refused",
		message: "Microsoft does not accept the credential or address of Bindery's Entra app.", next: nextOurs},

	{numbers: []int{90033, 90006, 90012, 90024, 90090, 50033, 50087}, class: ErrTransient, code: "microsoft-unavailable",
		message: "Microsoft's identity platform is not available for the moment.", next: nextWait},
	{numbers: []int{90055}, class: ErrTransient, code: "tenant-throttled",
		message: "Microsoft throttles sign-ins of this tenant.", next: nextWait},
	{numbers: []int{50196}, class: errLoop, code: "client-loop",
		message: "Microsoft saw too many equal requests.", next: nextWait},
	{numbers: []int{50173}, class: ErrNeedsAuthorization, code: "grant-revoked",
		message: "The authorisation was revoked: an admin ended the account's sessions, or its password was reset.", next: nextAgain},
	{numbers: []int{700082}, class: ErrNeedsAuthorization, code: "grant-idle",
		message: "The authorisation was not used for 90 days and has ended.", next: nextAgain},
	{numbers: []int{70043}, class: ErrNeedsAuthorization, code: "sign-in-frequency",
		message: "A Conditional Access policy of the tenant (sign-in frequency) ended the authorisation.",
		next:    "Exclude the admin account from sign-in frequency policies, then authorise the connection again."},
	{numbers: []int{54005, 501481, 50147, 501491, 700005}, class: ErrNeedsAuthorization, code: codeSignInOver,
		message: "The sign-in cannot be used, or was used already.", next: "Start the authorisation once more."},
	{numbers: []int{70008, 70000}, class: ErrNeedsAuthorization, code: "grant-expired",
		message: "The authorisation has expired or is not valid any more.", next: nextAgain},
	{numbers: []int{50057}, class: ErrNeedsAuthorization, code: "admin-disabled",
		message: "The account that authorised the connection is blocked.", next: "Unblock it or take another admin account, then authorise the connection again."},
	{numbers: []int{50034, 50020}, class: ErrNeedsAuthorization, code: "admin-deleted",
		message: "The account that authorised the connection does not exist in the tenant.", next: "Restore it or take another admin account, then authorise the connection again."},
	{numbers: []int{50055, 50144}, class: ErrNeedsAuthorization, code: "password-expired",
		message: "The password of the account that authorised the connection has expired.", next: "Set a new password, then authorise the connection again."},
	{numbers: []int{50076, 50079, 50074, 50072, 50078}, class: ErrNeedsAuthorization, code: "mfa-required",
		message: "Microsoft asks the admin for multi-factor authentication.", next: nextAgain},
	{numbers: []int{53003, 53000, 530035, 50131}, class: ErrNeedsAuthorization, code: "conditional-access",
		message: "A Conditional Access policy or the security defaults of the tenant refuse Bindery.",
		next:    "Let the policy admit the admin account from Bindery's address, then authorise the connection again."},
	{numbers: []int{65001}, class: ErrNeedsAuthorization, code: codeConsentRemoved,
		message: "The consent to Bindery's permissions is missing or was removed.", next: nextConsent},
	{numbers: []int{700016}, class: ErrNeedsAuthorization, code: "app-removed",
		message: "Bindery's app is not, or no longer, in the tenant.", next: nextConsent},
	{numbers: []int{7000112, 70001}, class: ErrNeedsAuthorization, code: "app-disabled",
		message: "Bindery's app is disabled in the tenant.", next: "Enable it under Enterprise applications, then authorise the connection again."},
	{numbers: []int{50105}, class: ErrNeedsAuthorization, code: "app-not-assigned",
		message: "The tenant admits only assigned users to Bindery's app, and the admin is not one.",
		next:    "Assign the admin under Enterprise applications, then authorise the connection again."},
	{numbers: []int{90002}, class: ErrNeedsAuthorization, code: "tenant-not-found",
		message: "Microsoft does not find the tenant; it may have been deleted or have no subscription.", next: "Check the tenant, then authorise the connection again."},
	{numbers: []int{50011, 500112}, class: ErrConfiguration, code: "redirect-uri",
		message: "The redirect URI is not the one registered with Bindery's Entra app.", next: nextOurs},
	{numbers: []int{50194}, class: ErrConfiguration, code: "single-tenant-app",
		message: "Bindery's Entra app is registered for one tenant only.", next: "Register it for accounts in any organisational directory. " + nextOurs},
	{numbers: []int{70011, 28002, 28003, 700022, 900144, 90014, 9002313, 650053, 500011, 700027}, class: ErrConfiguration, code: "malformed-request",
		message: "Microsoft does not understand Bindery's request for a token.", next: nextBug},

	{suberrors: []string{"consent_required"}, class: ErrNeedsAuthorization, code: codeConsentRemoved,
		message: "The consent to Bindery's permissions is missing or was removed.", next: nextConsent},
	{suberrors: []string{"user_password_expired"}, class: ErrNeedsAuthorization, code: "password-expired",
		message: "The password of the account that authorised the connection has expired.", next: "Set a new password, then authorise the connection again."},
	{suberrors: []string{"basic_action", "additional_action"}, class: ErrNeedsAuthorization, code: "mfa-required",
		message: "Microsoft asks the admin to sign in once more, perhaps with another factor.", next: nextAgain},
	{suberrors: []string{"message_only"}, class: ErrNeedsAuthorization, code: "conditional-access",
		message: "A policy of the tenant refuses Bindery.", next: "Let the policy admit the admin account, then authorise the connection again."},

	{errors: []string{"consent_required"}, class: ErrNeedsAuthorization, code: codeConsentRemoved,
		message: "The consent to Bindery's permissions is missing or was removed.", next: nextConsent},
	{errors: []string{"invalid_grant", "interaction_required", "login_required", "access_denied"}, class: ErrNeedsAuthorization, code: "authorization-refused",
		message: "Microsoft no longer accepts the authorisation.", next: nextAgain},
	{errors: []string{"unauthorized_client"}, class: ErrNeedsAuthorization, code: "app-refused",
		message: "The tenant does not admit Bindery's app.", next: nextConsent},
	{errors: []string{"invalid_request", "invalid_scope", "invalid_resource", "unsupported_grant_type", "unsupported_response_type"}, class: ErrConfiguration, code: "malformed-request",
		message: "Microsoft does not understand Bindery's request for a token.", next: nextBug},
}

func (r *tokenRow) matches(word, sub string, numbers []int) bool {
	if r.errors != nil && !slices.Contains(r.errors, word) || r.suberrors != nil && !slices.Contains(r.suberrors, sub) {
		return false
	}
	return r.numbers == nil || slices.ContainsFunc(numbers, func(n int) bool { return slices.Contains(r.numbers, n) })
}

// tokenAnswer is the body of a refusal.
type tokenAnswer struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Codes       []int  `json:"error_codes"`
	SubError    string `json:"suberror"`
	TraceID     string `json:"trace_id"`
}

// classify sorts a refusal of the token endpoint. What cannot be understood is
// transient: only Microsoft's own word ends an authorisation. The secrets are
// those of the request, in case the answer repeats one.
func classify(status int, body []byte, secrets ...directory.Secret) *TokenError {
	var a tokenAnswer
	if json.Unmarshal(body, &a) != nil {
		a = tokenAnswer{}
	}
	p := directory.Problem{
		Code: "microsoft-unavailable", Message: "Microsoft's identity platform gave no answer that can be understood.", Next: nextWait,
		MicrosoftStatus: status, MicrosoftCode: hide(a.Error, secrets), RequestID: hide(a.TraceID, secrets),
		MicrosoftMessage: hide(firstSentences(a.Description), secrets),
	}
	if len(a.Codes) > 0 {
		p.MicrosoftCode = fmt.Sprintf("AADSTS%d", a.Codes[0])
	}
	if status == http.StatusTooManyRequests || status >= 500 {
		p.Message = "Microsoft's identity platform is not available for the moment."
		return &TokenError{ErrTransient, p}
	}
	for _, r := range tokenRows {
		if r.matches(a.Error, a.SubError, a.Codes) {
			p.Code, p.Message, p.Next = r.code, r.message, r.next
			return &TokenError{r.class, p}
		}
	}
	return &TokenError{ErrTransient, p}
}

// firstSentences leaves out the identifiers at the end of a description.
func firstSentences(s string) string {
	for _, end := range []string{"\r", "\n", " Trace ID:"} {
		s, _, _ = strings.Cut(s, end)
	}
	if r := []rune(s); len(r) > 400 {
		s = string(r[:400]) + "…"
	}
	return s
}

func hide(s string, secrets []directory.Secret) string {
	for _, secret := range secrets {
		if !secret.IsZero() {
			s = strings.ReplaceAll(s, secret.Reveal(), secret.String())
		}
	}
	if len(s) > 2000 {
		s = s[:2000]
	}
	return strings.ToValidUTF8(s, "")
}

// tokenError sorts whatever golang.org/x/oauth2 returns. Its own texts may hold
// the answer's whole body and are never passed on.
func tokenError(err error, secrets ...directory.Secret) *TokenError {
	if r, ok := errors.AsType[*oauth2.RetrieveError](err); ok && r.Response != nil {
		return classify(r.Response.StatusCode, r.Body, secrets...)
	}
	p := directory.Problem{Code: "microsoft-unreachable", Message: "Microsoft's identity platform cannot be reached, or broke off.", Next: nextWait}
	if errors.Is(err, context.DeadlineExceeded) {
		p.Message = "Microsoft's identity platform did not answer in time."
	}
	return &TokenError{ErrTransient, p}
}
