package connect

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"bindery/shared/directory"
)

// remedy is who can do something about a cause.
type remedy int

const (
	// bySignIn: whoever signs in, by signing in once more or otherwise.
	bySignIn remedy = iota
	// byTenant: an admin of the tenant.
	byTenant
	// byOperator: whoever runs Bindery; no admin of a tenant can help.
	byOperator
	// byNobody: Microsoft, or the service that a tenant has put in front of it; it
	// passes, or not.
	byNobody
)

// status is the page's, for each side.
func (s remedy) status() int {
	switch s {
	case byTenant:
		return http.StatusForbidden
	case byOperator:
		return http.StatusInternalServerError
	case byNobody:
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// refusalRule is one row of what is known about Microsoft's refusals: of a sign-in (the
// callback, the code that it brings) and of the tokens in use (their renewal). A row
// matches when every member that it has does: the OAuth error, one of the numbers
// after AADSTS, the suberror.
type refusalRule struct {
	errors        []string
	numbers       []int
	suberrors     []string
	withoutNumber bool // only when Microsoft gives no number

	// class is what it means for tokens in use. Only ErrNeedsAuthorization loses
	// them: an admin must authorise again. With the others they are kept and tried
	// again.
	class error
	// signInOnly: the row is about one sign-in, whosever it was, and says nothing of
	// tokens in use.
	signInOnly bool
	remedy     remedy
	problemText
	// atSignIn are the words for a sign-in, where the number means another thing
	// there than for tokens in use.
	atSignIn *problemText
	// source says what Microsoft's published list does not: what the row, or those
	// of its numbers that it names, is taken from. Empty: the list, or OAuth's
	// specification, says it.
	source string
}

// problemText are our stable code, and what people read.
type problemText struct {
	code, title   string
	message, next string // the cause and what to do, in sentences
}

const (
	nextAgain   = "Authorise the connection again."
	nextOurs    = "Whoever runs Bindery must correct it; the tenant's admin can do nothing."
	nextWait    = "Nothing is to be done; it is tried again."
	nextConsent = "Authorise the connection again and accept the permissions."
	nextBug     = "Report it to whoever runs Bindery; it is a fault of the program or of its set-up."
	nextOther   = "Start once more and sign in with the work account of an admin of the tenant that is to be connected."
	nextMFA     = "Authorise the connection again, and complete what Microsoft asks for."
	nextPolicy  = "Sign in from a place and device that the policy admits, or let it admit the admin account and Bindery's address; then authorise the connection again."
	nextUnknown = "Look the code up in the tenant's sign-in log, or at Microsoft. " + startAgain
	nextSupport = "It is tried again. If it lasts, ask Microsoft's support, with the code and the ids."
)

const (
	titleAccount = "This account does not belong here"
	titlePolicy  = "A policy of the tenant refuses the sign-in"
	titleMFA     = "Microsoft asks for another proof"
	titleApp     = "The tenant does not admit Bindery's app"
	titleSetUp   = "Bindery is not set up correctly"
	titleOutage  = "Microsoft is not available for the moment"
	titleConsent = "The consent is missing"
	titleEnded   = "The sign-in cannot be used"
)

// refusalRules, from the top: the first that matches decides. Words that leave no doubt
// come first, then Microsoft's numbers, which say more but may change, then the
// suberror, then OAuth's word alone. The numbers follow Microsoft's list "Microsoft
// Entra authentication and authorization error codes"; those of protocols that
// Bindery does not speak (SAML, WS-Federation, device codes, sign-out) are not here.
var refusalRules = []refusalRule{
	{errors: []string{"temporarily_unavailable", "server_error", "slow_down"}, class: ErrTransient, remedy: byNobody, problemText: problemText{directory.CodeMicrosoftUnavailable, titleOutage,
		"Microsoft's identity platform is not available for the moment.", nextWait}},
	{numbers: []int{7000222}, class: ErrConfiguration, remedy: byOperator, problemText: problemText{directory.CodeClientSecretExpired, titleSetUp,
		"The client secret of Bindery's Entra app has expired.", "Make a new client secret in Entra and store it; " + nextOurs}},
	{numbers: []int{7000215, 7000218, 70002}, class: ErrConfiguration, remedy: byOperator, problemText: problemText{directory.CodeClientSecretWrong, titleSetUp,
		"The client secret of Bindery's Entra app is missing or wrong.", "Store the secret's value, not its ID; " + nextOurs}},

	// Microsoft's own trouble. None of it says anything about the authorisation.
	{numbers: []int{90033, 90006, 90012, 90024, 90090, 90091, 50033, 50087, 50000, 70012, 90085}, class: ErrTransient, remedy: byNobody, problemText: problemText{directory.CodeMicrosoftUnavailable, titleOutage,
		"Microsoft's identity platform is not available for the moment.", nextWait}},
	{numbers: []int{90036, 90092, 50086, 50042, 50043, 50007}, class: ErrTransient, remedy: byNobody, problemText: problemText{directory.CodeMicrosoftFailed, "Microsoft's identity platform failed",
		"Microsoft's identity platform met an error of its own, of which it says that it does not pass by itself.", nextSupport}},
	{numbers: []int{90055}, class: ErrTransient, remedy: byNobody, problemText: problemText{directory.CodeTenantThrottled, "Microsoft throttles this tenant",
		"Microsoft throttles sign-ins of this tenant.", nextWait}},
	{numbers: []int{50196}, class: errLoop, remedy: byNobody, problemText: problemText{directory.CodeClientLoop, "Microsoft pauses Bindery",
		"Microsoft saw too many equal requests.", nextWait}},

	// The authorisation itself has ended.
	{numbers: []int{50173}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodeGrantRevoked, titleEnded,
		"The authorisation was revoked: an admin ended the account's sessions, or its password was reset.", nextAgain}},
	{numbers: []int{50132, 50133}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodeSessionEnded, titleEnded,
		"The session has ended, because the password has expired or was changed lately.", nextAgain}},
	{numbers: []int{700082}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodeGrantIdle, titleEnded,
		"The authorisation was not used for 90 days and has ended.", nextAgain}},
	{numbers: []int{70043, 70046}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodeSignInFrequency, titlePolicy,
		"A Conditional Access policy of the tenant (sign-in frequency) ended the authorisation.",
		"Exclude the admin account from sign-in frequency policies, then authorise the connection again."},
		source: "70046 is not in the list; it is known as the answer to a policy's re-authentication."},
	{numbers: []int{70008, 70000, 50089, 50085, 50139, 700081}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodeGrantExpired, titleEnded,
		"The authorisation has expired or is not valid any more.", nextAgain},
		source: "700081 is not in the list; it is known as the refresh token's greatest age."},
	{numbers: []int{700084}, class: ErrNeedsAuthorization, remedy: byOperator, problemText: problemText{directory.CodeRedirectURIKind, titleSetUp,
		"The authorisation has ended after a day, since the redirect URI of Bindery's Entra app is registered for a single-page application.",
		"Whoever runs Bindery must register it under the platform Web; then authorise the connection again."}},
	{numbers: []int{700020}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodeInteractionRequired, "Microsoft wants the admin to sign in",
		"Microsoft wants the admin to sign in once more, and does not say why.", nextAgain}},

	// The one sign-in, and its code.
	{numbers: []int{54005, 501481, 50147, 501491, 700005}, class: ErrNeedsAuthorization, signInOnly: true, problemText: problemText{directory.CodeSignInExpired, titleEnded,
		"The sign-in cannot be used, or was used already.", "Start the authorisation once more."}},
	{numbers: []int{65004}, class: ErrNeedsAuthorization, signInOnly: true, problemText: problemText{directory.CodeDeclined, "The sign-in was declined",
		"The consent page was cancelled.", "Start once more and accept the permissions; Bindery cannot work with less."}},
	{numbers: []int{50058, 16001, 16002, 160021, 50140, 50143, 50168, 50199, 51005, 90007, 90013, 900561}, class: ErrNeedsAuthorization, signInOnly: true, problemText: problemText{directory.CodeSignInRequired, "The sign-in was not finished",
		"The browser has no session at Microsoft that fits, or the sign-in was left, gone back in or interrupted.", startAgain}},
	{numbers: []int{50126, 50056, 50064}, class: ErrNeedsAuthorization, signInOnly: true, problemText: problemText{directory.CodePasswordWrong, "Microsoft does not accept name and password",
		"The password, or the name, is not right.", "Start once more; if the password is lost, have it reset."}},
	{numbers: []int{50053}, class: ErrNeedsAuthorization, signInOnly: true, problemText: problemText{directory.CodeAccountLocked, "Microsoft has locked the sign-in",
		"The account is locked after too many wrong passwords, or Microsoft holds the network address for a malicious one.",
		"Wait some minutes and start once more; the failure reason stands in the tenant's sign-in log."}},
	{numbers: []int{50125, 50135, 120000, 120002, 120003, 120004, 120005, 120008, 120011, 120012, 120013, 120014, 120015, 120016, 120018, 120020, 120021}, class: ErrNeedsAuthorization, signInOnly: true,
		problemText: problemText{directory.CodePasswordChange, "The password must be changed first",
			"Microsoft wants the password to be changed or set up before the account signs in, and that was not finished.", "Change the password at Microsoft, then start once more."}},
	{numbers: []int{50192, 50017, 130004, 130005, 130006, 130007, 130008, 135010, 135011}, class: ErrNeedsAuthorization, signInOnly: true, problemText: problemText{directory.CodeSignInKey, "The sign-in key was not accepted",
		"The certificate, or the key of the device, that the account signed in with is missing, disabled or not valid.",
		"Start once more and sign in in another way; an admin of the tenant sees to the key."}},
	{numbers: []int{81004, 81005, 81006, 81007, 81009, 81010, 81011, 81012, 50180, 51006}, class: ErrNeedsAuthorization, signInOnly: true, problemText: problemText{directory.CodeDesktopSignOn, "The sign-in by this computer's account failed",
		"The tenant signs people in by their computer's account, and that failed or is another account.", "Start once more in a private window, and sign in with the admin's name and password."}},
	{numbers: []int{80001, 80002, 80005, 80007, 80010, 80012, 80013, 80014}, class: ErrNeedsAuthorization, signInOnly: true, remedy: byTenant, problemText: problemText{directory.CodeOnPremisesSignIn, "The tenant's own Active Directory did not confirm the password",
		"Microsoft asks the tenant's Active Directory for the password, and it did not answer, failed, or does not admit the account at this hour.",
		"Have an admin of the tenant see to its authentication agents, or start once more with an account that exists in the cloud alone."}},
	{numbers: []int{20001, 20012, 20033, 40008, 40009, 40010, 40015, 50008, 5000819, 50107, 50169, 90123}, class: ErrNeedsAuthorization, signInOnly: true, remedy: byTenant, problemText: problemText{directory.CodeFederatedSignIn, "The organisation's own sign-in service failed",
		"The domain of the account is federated, and its sign-in service refused, failed, or is not set up as Microsoft expects.",
		"Have an admin of the tenant see to that service, or start once more with an account of the tenant's onmicrosoft.com domain."}},
	{numbers: []int{90095}, class: ErrNeedsAuthorization, signInOnly: true, remedy: byTenant, problemText: problemText{directory.CodeAdminConsentRequested, "An admin must approve the request",
		"The tenant lets only its admins grant these permissions; the request was sent to them.", "Wait for the approval, then start once more."}},

	// The account that signs in, or that authorised.
	{numbers: []int{50057}, class: ErrNeedsAuthorization, remedy: byTenant, problemText: problemText{directory.CodeAdminDisabled, "The account is blocked",
		"The account that authorised the connection is blocked.", "Unblock it or take another admin account, then authorise the connection again."},
		atSignIn: &problemText{directory.CodeAccountDisabled, "The account is blocked", "The account is blocked in its tenant.", "Unblock it, or start once more with another admin account."}},
	{numbers: []int{50034, 50020, 16000, 16003, 50014, 51004}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodeAdminDeleted, titleAccount,
		"The account that authorised the connection does not exist in the tenant.", "Restore it or take another admin account, then authorise the connection again."},
		atSignIn: &problemText{directory.CodeWrongAccount, titleAccount, "The account does not exist in the tenant: it is mistyped, or one of another organisation.", nextOther}},
	{numbers: []int{90072, 50177, 50178}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodeAccountOfAnotherTenant, titleAccount,
		"The account is one of another organisation and no member or guest of the tenant, so that it cannot meet what the tenant asks for (multi-factor authentication). With accounts that are synced from Active Directory, it may be that the immutable ID (source anchor) does not match.",
		nextOther + " For a synced account, have the mismatch of its immutable ID mended first."}},
	{numbers: []int{90084}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodeGuestAccount, titleAccount,
		"The account is a guest, and guests are not admitted.", nextOther}},
	{numbers: []int{9002332, 500200, 500201, 500208, 50136, 90027}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodePersonalAccount, "This is no work account",
		"The account is a personal one, or of a kind that the tenant does not take.", nextOther},
		source: "500200 and 500201 are not in the list; they are known as the refusal of personal accounts."},
	{numbers: []int{50128, 50059, 50197, 90019, 90125, 90126, 90101}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodeAccountUnknown, "Microsoft does not find the account",
		"Microsoft finds no organisation, or no account, for the name that was typed.", "Start once more, and type the whole sign-in name of an admin of the tenant."}},
	{numbers: []int{50055, 50144}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodePasswordExpired, "The password has expired",
		"The password of the account has expired.", "Set a new password, then authorise the connection again."}},
	{numbers: []int{54000, 50015}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodeAgeConsent, titleAccount,
		"Microsoft holds the account for that of a minor, who may not use the app without consent.", nextOther}},

	// What the tenant asks for besides a password.
	{numbers: []int{50076, 50079, 50074, 50072, 50078, 500121}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodeMFARequired, titleMFA,
		"Microsoft asks the admin for multi-factor authentication.", nextMFA},
		source: "500121 is not in the list; it is known as a second factor that was not given."},
	{numbers: []int{50088}, class: ErrTransient, remedy: byNobody, problemText: problemText{directory.CodeMFALimit, titleMFA,
		"Microsoft makes no more calls and text messages for multi-factor authentication for the moment.", nextWait}},
	{numbers: []int{53004, 53010}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodeMFARegistration, titleMFA,
		"The account must register for multi-factor authentication first, and may do so only from places or devices that the organisation has set, or not while it is at risk.",
		"Register at Microsoft from a place that the organisation admits, then authorise the connection again."}},
	{numbers: []int{50158, 50161, 50166, 50170}, class: ErrNeedsAuthorization, remedy: byTenant, problemText: problemText{directory.CodeExternalChallenge, titleMFA,
		"The tenant asks another company's service for a second proof, and that was not given, failed, or is not set up as Microsoft expects.",
		"Complete it, or have an admin of the tenant see to its external authentication; then authorise the connection again."}},
	{numbers: []int{53000, 53001, 50097, 50129, 50155, 50187, 50005, 50127, 53002, 530003}, class: ErrNeedsAuthorization, remedy: byTenant, problemText: problemText{directory.CodeConditionalAccess, titlePolicy,
		"A Conditional Access policy of the tenant asks for a device, platform or app that this sign-in did not have.",
		"Let the policy admit the admin account with Bindery's app, or sign in from such a device; then authorise the connection again."},
		source: "530003 is not in the list; it is known as a device's state that a policy asks for."},
	{numbers: []int{53003, 530031, 530032, 530035, 50131}, class: ErrNeedsAuthorization, remedy: byTenant, problemText: problemText{directory.CodeConditionalAccess, titlePolicy,
		"A Conditional Access policy, a security policy or the security defaults of the tenant refuse Bindery.", nextPolicy},
		source: "530031 is not in the list; it is known as an access policy that lets no token be issued."},
	{numbers: []int{53011, 530034}, class: ErrNeedsAuthorization, remedy: byTenant, problemText: problemText{directory.CodeAccountAtRisk, "Microsoft holds the account for one at risk",
		"The account is blocked for the time being, because its own tenant reports it as at risk.",
		"Have the risk examined and dismissed in the account's own tenant, or take another admin account; then authorise the connection again."}},

	// Borders between tenants, networks and clouds.
	{numbers: []int{50002, 500021, 500022}, class: ErrNeedsAuthorization, signInOnly: true, remedy: byTenant, problemText: problemText{directory.CodeTenantRestrictions, "This network does not let people sign in to the tenant",
		"The network of this browser, or its organisation, admits sign-ins to certain tenants only (tenant restrictions), and this is none of them.",
		"Start once more from another network, or have the tenant put on the list."}},
	{numbers: []int{500212, 500213}, class: ErrNeedsAuthorization, remedy: byTenant, problemText: problemText{directory.CodeCrossTenantAccess, titlePolicy,
		"The cross-tenant access settings of the account's own organisation, or those of the tenant, do not admit the account.",
		"Take an account of the tenant itself, or have the cross-tenant access settings changed; then authorise the connection again."}},
	{numbers: []int{90038, 90043, 90051, 900432, 900382, 1000104}, class: ErrConfiguration, remedy: byOperator, problemText: problemText{directory.CodeOtherCloud, "The tenant is in another of Microsoft's clouds",
		"The tenant or the account belongs to another of Microsoft's clouds (a government's, or China's) than this installation of Bindery.",
		"It can be connected only by an installation for that cloud; whoever runs Bindery knows for which this one is."}},

	// Consent, and the app in the tenant.
	{numbers: []int{65001, 90008}, class: ErrNeedsAuthorization, remedy: byTenant, problemText: problemText{directory.CodeConsentRemoved, titleConsent,
		"The consent to Bindery's permissions is missing or was removed.", nextConsent},
		atSignIn: &problemText{directory.CodeConsentRequired, titleConsent, "Nobody has accepted Bindery's permissions for this account.", "Start once more and accept the permissions."}},
	{numbers: []int{90094}, class: ErrNeedsAuthorization, remedy: byTenant, problemText: problemText{directory.CodeAdminConsentRequired, "An admin must give the consent",
		"The tenant lets only its admins grant these permissions.", "Start once more and sign in as a Global Administrator, or let one grant the permissions first."}},
	{numbers: []int{90093}, class: ErrTransient, remedy: byTenant, problemText: problemText{directory.CodeConsentNotAllowed, "This account may not give the consent",
		"Microsoft's directory refused what was done in the account's name: the account has no right to grant the permissions that Bindery asks for.",
		"Start once more and sign in as a Global Administrator, or let one grant the permissions for the organisation first."}},
	{numbers: []int{90099}, class: ErrNeedsAuthorization, remedy: byTenant, problemText: problemText{directory.CodePartnerNotAuthorized, titleApp,
		"The account is a partner's delegated admin, and Bindery's app was not authorised in this customer's tenant.",
		"Let an admin of the tenant itself sign in, or authorise the app for the customer in Partner Center first."}},
	{numbers: []int{650052, 650051, 650054, 500014}, class: ErrTransient, remedy: byTenant, problemText: problemText{directory.CodeServiceMissing, "The tenant lacks a service that Bindery needs",
		"The organisation has not subscribed to, or has not enabled, a service that Bindery asks for access to (Microsoft Graph), or it was removed or disabled there.",
		"Have an admin of the tenant check its subscriptions, and that Microsoft Graph is there and enabled under Enterprise applications, or let a Global Administrator sign in and consent, which adds it; then start once more."},
		source: "500014 and 650051 are not in the list; the one is known as a service principal that is disabled, or whose subscription has lapsed, the other as 650052's forerunner."},
	{numbers: []int{700016, 700011, 7000229}, class: ErrNeedsAuthorization, remedy: byTenant, problemText: problemText{directory.CodeAppRemoved, titleApp,
		"Bindery's app is not, or no longer, in the tenant.", nextConsent},
		atSignIn: &problemText{directory.CodeAppUnknown, titleApp, "Microsoft does not find Bindery's app: it is not in this tenant, or its client ID is wrong.",
			"Start once more, sign in to the right tenant and accept the permissions. If it is refused again, whoever runs Bindery must check the app's client ID."},
		source: "7000229 is not in the list; it is known as the missing service principal of an app that signs in by itself."},
	{numbers: []int{7000112, 70001, 1000031}, class: ErrNeedsAuthorization, remedy: byTenant, problemText: problemText{directory.CodeAppDisabled, titleApp,
		"Bindery's app is disabled in the tenant.", "Enable it under Enterprise applications, then authorise the connection again."}},
	{numbers: []int{50105}, class: ErrNeedsAuthorization, remedy: byTenant, problemText: problemText{directory.CodeAppNotAssigned, "The account is not assigned to Bindery",
		"The tenant admits only assigned users to Bindery's app, and the admin is not one.",
		"Assign the admin under Enterprise applications, then authorise the connection again."}},
	{numbers: []int{90002, 50049}, class: ErrNeedsAuthorization, remedy: byTenant, problemText: problemText{directory.CodeTenantNotFound, "Microsoft does not find the tenant",
		"Microsoft does not find the tenant; it may have been deleted, have no subscription, or be in another cloud.", "Check the tenant, then authorise the connection again."}},

	// Our own app, its registration and our requests.
	{numbers: []int{50011, 500112, 70004, 900971, 90102}, class: ErrConfiguration, remedy: byOperator, problemText: problemText{directory.CodeRedirectURI, titleSetUp,
		"The redirect URI is not the one registered with Bindery's Entra app.", nextOurs}},
	{numbers: []int{50194, 90130, 90124, 9001023}, class: ErrConfiguration, remedy: byOperator, problemText: problemText{directory.CodeSingleTenantApp, titleSetUp,
		"Bindery's Entra app is registered for one tenant only.", "Register it for accounts in any organisational directory. " + nextOurs}},
	{numbers: []int{650056}, class: ErrConfiguration, remedy: byOperator, problemText: problemText{directory.CodeAppPermissions, titleSetUp,
		"The registration of Bindery's Entra app asks for no permissions of the service that is needed, or no admin of the tenant has consented to them.",
		"Sign in as a Global Administrator and accept the permissions for the organisation. If it is refused again, whoever runs Bindery must correct the app's API permissions."}},
	{numbers: []int{650053, 650057, 65005, 65002}, class: ErrConfiguration, remedy: byOperator, problemText: problemText{directory.CodeAppPermissions, titleSetUp,
		"The permissions that Bindery asks for do not agree with those of its Entra app's registration.", "Correct the app's API permissions. " + nextOurs}},
	{numbers: []int{700213, 70021, 700211, 7002138, 700222, 700229}, class: ErrConfiguration, remedy: byOperator, problemText: problemText{directory.CodeFederatedCredential, titleSetUp,
		"No federated credential of Bindery's Entra app matches the proof that was sent.", "Correct issuer, subject and audience of the credential, letter by letter. " + nextOurs},
		source: "Only 700229 is in the list; the others are known as federated credentials that do not match."},
	{numbers: []int{700027, 700030, 50012, 50013, 500133, 50027, 50048, 700024}, class: ErrConfiguration, remedy: byOperator, problemText: problemText{directory.CodeClientAssertion, titleSetUp,
		"Microsoft does not accept the proof by which Bindery's Entra app signs in: its certificate, its signature or its time.", "Check the certificate, and the clock. " + nextOurs},
		source: "700024 is not in the list; it is known as a proof outside its time."},
	{numbers: []int{50003, 50146, 501461, 501241, 50124, 501621, 50010}, class: ErrConfiguration, remedy: byTenant, problemText: problemText{directory.CodeAppClaims, titleApp,
		"The tenant's own settings of Bindery's app (claims, signing key) hinder Microsoft in issuing tokens.",
		"Have an admin of the tenant remove them under Enterprise applications, then start once more."}},
	{errors: []string{"invalid_client"}, class: ErrConfiguration, remedy: byOperator, problemText: problemText{directory.CodeClientRefused, titleSetUp,
		"Microsoft does not accept the credential or address of Bindery's Entra app.", nextOurs}},
	{numbers: []int{70011, 28002, 28003, 700022, 700023, 900144, 90014, 9002313, 500011, 50001, 70003, 70005, 70007, 700054, 700025, 7000114, 90004, 90005, 90009, 90015, 90023, 90056, 90100, 90117, 90121, 901002, 50050, 50029},
		class: ErrConfiguration, remedy: byOperator, problemText: problemText{directory.CodeMalformedRequest, titleSetUp,
			"Microsoft does not understand Bindery's request, or finds nothing under what it asks for.", nextBug}},

	{suberrors: []string{"consent_required"}, class: ErrNeedsAuthorization, remedy: byTenant, problemText: problemText{directory.CodeConsentRemoved, titleConsent,
		"The consent to Bindery's permissions is missing or was removed.", nextConsent}},
	{suberrors: []string{"user_password_expired"}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodePasswordExpired, "The password has expired",
		"The password of the account has expired.", "Set a new password, then authorise the connection again."}},
	{suberrors: []string{"basic_action", "additional_action"}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodeMFARequired, titleMFA,
		"Microsoft asks the admin to sign in once more, perhaps with another factor.", nextAgain}},
	{suberrors: []string{"message_only"}, class: ErrNeedsAuthorization, remedy: byTenant, problemText: problemText{directory.CodeConditionalAccess, titlePolicy,
		"A policy of the tenant refuses Bindery.", nextPolicy}},

	{errors: []string{"consent_required"}, class: ErrNeedsAuthorization, remedy: byTenant, problemText: problemText{directory.CodeConsentRemoved, titleConsent,
		"The consent to Bindery's permissions is missing or was removed.", nextConsent},
		atSignIn: &problemText{directory.CodeConsentRequired, titleConsent, "Nobody has accepted Bindery's permissions for this account.", "Start once more and accept the permissions."}},
	{errors: []string{"access_denied"}, withoutNumber: true, class: ErrNeedsAuthorization, signInOnly: true, problemText: problemText{directory.CodeDeclined, "The sign-in was declined",
		"It was cancelled, or the permissions were not accepted.", "Start once more and accept the permissions; Bindery cannot work with less."}},
	{errors: []string{"access_denied"}, class: ErrTransient, problemText: problemText{directory.CodeAccessDenied, "Microsoft did not authorise the connection",
		"Microsoft says that access was denied.", nextSupport},
		atSignIn: &problemText{directory.CodeAccessDenied, "Microsoft did not authorise the connection", "Microsoft says that access was denied.", nextUnknown}},
	{errors: []string{"login_required", "interaction_required"}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodeAuthorizationRefused, "Microsoft refused the sign-in",
		"Microsoft wants the admin to sign in once more.", nextAgain},
		atSignIn: &problemText{directory.CodeSignInRequired, "The sign-in was not finished", "Microsoft wants the admin to sign in, and the sign-in was not finished.", startAgain}},
	{errors: []string{"invalid_grant"}, class: ErrNeedsAuthorization, problemText: problemText{directory.CodeAuthorizationRefused, "Microsoft refused the sign-in",
		"Microsoft no longer accepts the authorisation.", nextAgain}},
	{errors: []string{"unauthorized_client"}, class: ErrNeedsAuthorization, remedy: byTenant, problemText: problemText{directory.CodeAppRefused, titleApp,
		"Microsoft does not let Bindery's app do this: it is not added to the tenant, not registered, or not enabled for it.", nextConsent}},
	{errors: []string{"invalid_request", "invalid_scope", "invalid_resource", "unsupported_grant_type", "unsupported_response_type"}, class: ErrConfiguration, remedy: byOperator, problemText: problemText{directory.CodeMalformedRequest, titleSetUp,
		"Microsoft does not understand Bindery's request.", nextBug}},
}

// misplacedText are the words for what belongs to a sign-in and comes as the answer to a
// renewal: nothing that an authorisation could be ended by.
var misplacedText = problemText{directory.CodeRefusalMisplaced, "Microsoft's answer does not fit",
	"Microsoft answered the renewal of the authorisation with an error that belongs to a sign-in.", nextSupport}

// unknownText are the words for what no row matches.
var unknownText = problemText{directory.CodeMicrosoftError, "Microsoft did not authorise the connection",
	"Microsoft refused, and gave a reason that Bindery does not know.", nextSupport}

// tokenStep is where Microsoft refuses.
type tokenStep int

const (
	atSignIn  tokenStep = iota // the callback, and the code that it brings
	atRenewal                  // of the tokens in use
)

// refusal is what Microsoft says, as far as it decides anything.
type refusal struct {
	word, suberror string // OAuth's error, and Microsoft's addition to it
	numbers        []int  // after AADSTS
}

// verdict is what a refusal means where it was met.
type verdict struct {
	class  error
	remedy remedy
	problemText
}

// explain finds the row of a refusal.
func explain(at tokenStep, r refusal) verdict {
	i := slices.IndexFunc(refusalRules, func(c refusalRule) bool { return c.matches(at, r) })
	if i < 0 {
		v := verdict{ErrTransient, byNobody, unknownText}
		if at == atSignIn {
			v.remedy, v.next = bySignIn, nextUnknown
		}
		return v
	}
	c := &refusalRules[i]
	v := verdict{c.class, c.remedy, c.problemText}
	switch {
	case at == atRenewal && c.signInOnly:
		return verdict{ErrTransient, byNobody, misplacedText}
	case at == atSignIn && c.atSignIn != nil:
		v.problemText = *c.atSignIn
	}
	if at == atSignIn && c.remedy == byNobody {
		again := "Wait a minute. " + startAgain
		if v.next == nextSupport {
			again += " If it lasts, ask Microsoft's support, with the code and the ids."
		}
		v.next = again
	}
	if c.byWord() && len(r.numbers) > 0 && c.remedy != byNobody {
		v.message += fmt.Sprintf(" Its reason, AADSTS%d, is none that Bindery knows.", r.numbers[0])
	}
	return v
}

// byWord reports whether the row goes by OAuth's word alone, so that a number beside
// it is one that no row knows.
func (c *refusalRule) byWord() bool { return c.numbers == nil && c.suberrors == nil }

func (c *refusalRule) matches(at tokenStep, r refusal) bool {
	switch {
	case c.errors != nil && !slices.Contains(c.errors, r.word),
		c.suberrors != nil && !slices.Contains(c.suberrors, r.suberror),
		c.withoutNumber && len(r.numbers) > 0,
		// Microsoft does not take our app for what it says: it has not looked at
		// anybody's tokens.
		at == atRenewal && r.word == "invalid_client" && (errors.Is(c.class, ErrNeedsAuthorization) || errors.Is(c.class, errLoop)):
		return false
	}
	return c.numbers == nil || slices.ContainsFunc(r.numbers, func(n int) bool { return slices.Contains(c.numbers, n) })
}

// rowOfCode is a row that has a code: who can do something, and the title. The rows
// with one code agree in both.
func rowOfCode(code string) (verdict, bool) {
	for i := range refusalRules {
		c := &refusalRules[i]
		if c.atSignIn != nil && c.atSignIn.code == code {
			return verdict{c.class, c.remedy, *c.atSignIn}, true
		}
		if c.code == code {
			return verdict{c.class, c.remedy, c.problemText}, true
		}
	}
	return verdict{}, false
}

// kind says what mends it.
func (v *verdict) kind() directory.ProblemKind {
	switch {
	case errors.Is(v.class, ErrNeedsAuthorization):
		return directory.ProblemAuthorization
	case v.remedy == byTenant:
		return directory.ProblemTenant
	case errors.Is(v.class, ErrConfiguration):
		return directory.ProblemDefect
	}
	return directory.ProblemTransient
}
