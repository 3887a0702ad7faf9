package connect

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"bindery/shared/directory"
)

const startAgain = "Start the authorisation in Bindery once more, and use the new link within 10 minutes."

// Pages whose texts depend on nothing.
var (
	pageAmbiguous = Page{Status: http.StatusBadRequest, Code: directory.CodeAmbiguous, Title: "This link is damaged",
		Message: "A parameter stands in it more than once. Nothing was changed.", Next: startAgain}
	pageNoState = Page{Status: http.StatusBadRequest, Code: directory.CodeStateMissing, Title: "This link is incomplete",
		Message: "It does not say which authorisation it belongs to. Nothing was changed.", Next: startAgain}
	pageUnknownState = Page{Status: http.StatusBadRequest, Code: directory.CodeStateUnknown, Title: "This link is not valid, or was used already",
		Message: "Each authorisation link works once, and for ten minutes. Reloading the page or going back sends it a second time. Nothing was changed.",
		Next:    "Look in Bindery whether the connection waits for its confirmation. If not: " + startAgain}
	pageExpiredState = Page{Status: http.StatusBadRequest, Code: directory.CodeStateExpired, Title: "This link has expired",
		Message: "It was more than 10 minutes old. Nothing was changed.", Next: startAgain}
	pageWrongBrowser = Page{Status: http.StatusForbidden, Code: directory.CodeWrongBrowser, Title: "This was begun in another browser",
		Message: "An authorisation ends in the browser in which it was begun, on the page that says who asks for it. This browser was not on that page, or did not go on from there. Nothing was changed, and in the browser in which it was begun it can still be finished.",
		Warn:    "If somebody sent you a link that led straight to Microsoft's sign-in: you were meant to give access to your organisation without being told to whom.",
		Next:    "If you know who asked you: open the link that Bindery made in this browser, and go on from that page. It begins with the address of Bindery and /oauth/start."}
	pageAdminConsent = Page{Status: http.StatusOK, Code: directory.CodeAdminConsent, Title: "Back from Microsoft's page for consent",
		Message: "If consent was given, Microsoft keeps it. Bindery was told nothing that it could rely on, and nothing was changed here.",
		Next:    "Start the authorisation in Bindery, if that was not done yet. You can close this window."}
	pageOutdated = Page{Status: http.StatusConflict, Code: directory.CodeOutdated, Title: "The connection has changed meanwhile",
		Message: "It was deactivated, deleted or set back after this authorisation had been started. Nothing was changed.", Next: startAgain}
	pageDeleted = Page{Status: http.StatusNotFound, Code: directory.CodeConnectionDeleted, Title: "The connection does not exist any more",
		Message: "It was deleted after this authorisation had been started.", Next: "Make a new connection in Bindery."}
	pageNoCode = Page{Status: http.StatusBadRequest, Code: directory.CodeCodeMissing, Title: "This link is incomplete",
		Message: "Microsoft's code is missing. Nothing was changed.", Next: startAgain}
	pageBusy = Page{Status: http.StatusServiceUnavailable, Code: directory.CodeUnavailable, Title: "Bindery is not available for the moment",
		Message: "Something that it needs did not answer. Nothing was changed.", Next: "Wait a minute. " + startAgain}
	pageNotStored = Page{Status: http.StatusServiceUnavailable, Code: directory.CodeNotStored, Title: "The authorisation could not be stored",
		Message: "The sign-in was good, but Bindery could not store all of it.", Next: "Wait a minute. " + startAgain}
	pageConsumer = Page{Status: http.StatusBadRequest, Code: directory.CodeConsumerAccount, Title: "This is a personal Microsoft account",
		Message: "Bindery manages the accounts of organisations. Nothing was changed.",
		Next:    "Start once more and sign in with the work account of an admin of the Microsoft 365 tenant."}
	pageIdentity = Page{Status: http.StatusBadRequest, Code: directory.CodeIdentity, Title: "The sign-in could not be verified",
		Message: "Microsoft's answer does not prove who signed in for this authorisation. Nothing was changed.", Next: startAgain}
	pageNoRefresh = Page{Status: http.StatusBadRequest, Code: directory.CodeNoRefreshToken, Title: "Microsoft gave no lasting authorisation",
		Message: "Its answer holds no refresh token (offline_access). Nothing was changed.",
		Next:    "Check that nothing in the tenant forbids the permission \"maintain access\". " + startAgain}
	pageGraph = Page{Status: http.StatusBadGateway, Code: directory.CodeGraph, Title: "Microsoft Graph did not answer as it should",
		Message: "The sign-in was good, but the tenant, the account or its roles could not be read. Nothing was changed.",
		Next:    "Wait a minute. " + startAgain}
)

// pageStart says who asks for what, before anybody signs in.
func (s *Service) pageStart(c *directory.Connection, st *directory.OAuthState) Page {
	at := "of the organisation whose account you sign in with"
	switch {
	case c.Tenant != nil:
		at = "of " + tenantName(c.Tenant)
	case c.ExpectedDomain != "":
		at = "of the organisation that has verified the domain " + c.ExpectedDomain
	}
	host := s.cfg.RedirectURL
	if u, err := url.Parse(host); err == nil && u.Host != "" {
		host = u.Host
	}
	permissions := slices.DeleteFunc(slices.Clone(st.Scopes), func(scope string) bool { return slices.Contains(oidcScopes, scope) })
	return Page{Status: http.StatusOK, Code: directory.CodeStart, Title: "Bindery asks for access to Microsoft 365",
		Message: "If you go on, you sign in at Microsoft and let this installation of Bindery read and manage the user accounts " + at + ", in your name, until somebody takes that back.",
		Facts: []Fact{{"Asked for by", st.RequestedBy}, {"Connection", c.Name}, {"Installation", host},
			{"Permissions", strings.Join(permissions, ", ")}, {"This page is good until", st.Expires.UTC().Format("2006-01-02 15:04 MST")}},
		Warn: "If you did not expect this, or do not know who asks, close this page. It is no page of Microsoft, and whoever gave you its address may not be who they say.",
		Next: "If all of this is right: go on to Microsoft, and sign in with the account that is to act for Bindery. Afterwards somebody at Bindery's side has to confirm your organisation and your account."}
}

func pageScopes(missing []string) *Page {
	return &Page{Status: http.StatusBadRequest, Code: directory.CodePermissionMissing, Title: "A permission is missing",
		Message: "The sign-in was good, but Microsoft granted less than Bindery asked for. Nothing was changed.",
		Facts:   []Fact{{"Missing permissions", strings.Join(missing, ", ")}},
		Next:    "Start once more and accept all permissions; an admin may have to consent to them for the organisation."}
}

func tenantName(t *directory.Tenant) string {
	return fmt.Sprintf("%s (%s)", t.DisplayName, t.ID)
}

func pageOtherTenant(own, other *directory.Tenant) *Page {
	return &Page{Status: http.StatusConflict, Code: directory.CodeOtherTenant, Title: "This is another tenant",
		Message: "The connection belongs to one tenant and can only be authorised by it again. Nothing was changed.",
		Facts:   []Fact{{"The connection's tenant", tenantName(own)}, {"The tenant of this sign-in", tenantName(other)}},
		Next:    "Start once more and sign in as an admin of " + own.DisplayName + ". For " + other.DisplayName + " make a connection of its own."}
}

func pageDomain(expected string, t *directory.Tenant) *Page {
	names := domainNames(t)
	if len(names) > 10 {
		names = append(names[:10], fmt.Sprintf("and %d more", len(t.Domains)-10))
	}
	return &Page{Status: http.StatusConflict, Code: directory.CodeExpectedDomain, Title: "The expected domain is not in this tenant",
		Message: "The connection was made for the domain " + expected + ", which this tenant has not verified. Nothing was changed.",
		Facts:   []Fact{{"Tenant", tenantName(t)}, {"Its verified domains", strings.Join(names, ", ")}},
		Next:    "Sign in to the tenant that has " + expected + ", or verify the domain in this one, and start once more."}
}

func pageRole(a *directory.Administrator) *Page {
	roles := "none"
	if len(a.Roles) > 0 {
		roles = strings.Join(a.Roles, ", ")
	}
	return &Page{Status: http.StatusForbidden, Code: directory.CodeRoleMissing, Title: "A role is missing: User Administrator",
		Message: "The account has no directory role that may manage users, so Bindery could not do so in its name. Nothing was changed.",
		Facts:   []Fact{{"Account", a.UserPrincipalName}, {"Its roles", roles}, {"Needed", "User Administrator or Global Administrator"}},
		Next:    "Give the account the role User Administrator (activate it, if it is only eligible), or sign in with another account, and start once more."}
}

// pageGoDaddy refuses a tenant that GoDaddy sold, and says how it is freed.
func pageGoDaddy(t *directory.Tenant, evidence []string) *Page {
	return &Page{Status: http.StatusConflict, Code: directory.CodeGoDaddyTenant, Title: "This Microsoft 365 was bought at GoDaddy",
		Message: "People sign in through GoDaddy, and Microsoft lets nobody else manage their accounts. Nothing was changed.",
		Facts:   []Fact{{"Organisation", t.DisplayName}, {"Signs", strings.Join(evidence, "; ")}},
		Next:    directory.GoDaddyNext + " To connect it all the same, set allowGoDaddy to true."}
}

// pageClaimed names who holds the tenant.
func (s *Service) pageClaimed(ctx context.Context, e *directory.Claimed, t *directory.Tenant) *Page {
	return &Page{Status: http.StatusConflict, Code: directory.CodeTenantClaimed, Title: "Another connection has this tenant",
		Message: "A tenant can belong to one connection only. Nothing was changed.",
		Facts:   []Fact{{"Tenant", tenantName(t)}, {"Held by the connection", s.connectionName(ctx, e.Holder)}},
		Next:    "Use that connection, or deactivate it first; then start once more."}
}

// connectionName names a connection for people.
func (s *Service) connectionName(ctx context.Context, id directory.ConnectionID) string {
	c, err := s.stores.Connections.Connection(ctx, id)
	if err != nil || c.Name == "" {
		return string(id)
	}
	return fmt.Sprintf("%s (%s)", c.Name, id)
}

func identityFacts(connection, requestedBy string, t *directory.Tenant, a *directory.Administrator) []Fact {
	roles := "none"
	if len(a.Roles) > 0 {
		roles = strings.Join(a.Roles, ", ")
	}
	return []Fact{{"Tenant", t.DisplayName}, {"Tenant ID", string(t.ID)},
		{"Signed in as", a.UserPrincipalName}, {"Object ID", string(a.ObjectID)}, {"Roles", roles},
		{"Asked for by", requestedBy}, {"Connection", connection}}
}

// withLacking adds the permissions that a sign-in did not grant and that something wants.
func withLacking(facts []Fact, c *directory.Connection, granted []string) []Fact {
	signedIn := *c
	signedIn.Scopes = granted
	for _, p := range signedIn.Lacking() {
		facts = append(facts, Fact{"Not granted", p.Scope + ". " + p.Without})
	}
	return facts
}

func pageWaiting(c *directory.Connection) Page {
	in := c.Waiting
	cause := "Bindery has the authorisation, and does not use it before somebody at its side has confirmed that this is the right tenant and the right account."
	if c.InEffect() {
		cause = "This is another account than the one that the connection works with, or nobody has confirmed that one yet. Bindery does not use the new authorisation before it is confirmed; until then the one before stays in use."
	}
	return Page{Status: http.StatusOK, Code: directory.CodeAwaitingConfirmation, Title: "Signed in to " + in.Tenant.DisplayName, Message: cause,
		Facts: withLacking(identityFacts(c.Name, in.RequestedBy, &in.Tenant, &in.AuthorizedBy), c, in.Scopes),
		Next: fmt.Sprintf("Have %s, or whoever runs Bindery, see to it within 24 hours that somebody with the scope bindery/approve confirms it: in Bindery's console, on the page of this connection. Where there is no console, by a call: POST /v1/connections/%s/confirm with {\"tenantId\": \"%s\", \"objectId\": \"%s\"}. After that time Bindery deletes the authorisation. You can close this window.",
			in.RequestedBy, c.ID, in.Tenant.ID, in.AuthorizedBy.ObjectID)}
}

func pageReauthorized(c *directory.Connection) Page {
	return Page{Status: http.StatusOK, Code: directory.CodeRenewed, Title: "Authorised again: " + c.Tenant.DisplayName,
		Message: "The connection goes on where it stood; its bindings are as they were.",
		Facts:   withLacking(identityFacts(c.Name, c.RequestedBy, c.Tenant, c.AuthorizedBy), c, c.Scopes), Next: "Nothing more is to be done. You can close this window."}
}

var (
	numberPattern = directory.Pattern(`^AADSTS([0-9]{5,8}):`)
	tracePattern  = directory.Pattern(`Trace ID: ([0-9a-fA-F-]{36})(?:\s|$)`)
	correlation   = directory.Pattern(`Correlation ID: ([0-9a-fA-F-]{36})(?:\s|$)`)
	guidPattern   = directory.Pattern(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
)

// callbackError explains the error parameters of a callback. Nothing of them is
// shown but Microsoft's number and ids, in their own form: anybody can write such a
// link.
func callbackError(q url.Values) Page {
	text := q.Get("error_description")
	part := func(pattern func() *regexp.Regexp) string {
		if m := pattern().FindStringSubmatch(text); m != nil {
			return m[1]
		}
		return ""
	}
	r, code := refusal{word: q.Get("error")}, ""
	if n, err := strconv.Atoi(part(numberPattern)); err == nil {
		r.numbers, code = []int{n}, fmt.Sprintf("AADSTS%d", n)
	}
	v := explain(atSignIn, r)
	return Page{Status: v.remedy.status(), Code: v.code, Title: v.title, Message: v.message + " Nothing was changed.", Next: v.next,
		Facts: microsoftFacts(code, part(tracePattern), part(correlation))}
}

// Names of the facts that Microsoft's support asks for, and whoever runs Bindery.
const (
	factIncident    = "Incident, to be found in Bindery's log"
	factCode        = "Microsoft's code"
	factTrace       = "Trace ID"
	factCorrelation = "Correlation ID"
)

// microsoftFacts are what Microsoft's support asks for, as far as it is known. Ids
// that have another form than Microsoft's are left out.
func microsoftFacts(code, trace, correlation string) []Fact {
	var facts []Fact
	if code != "" {
		facts = append(facts, Fact{factCode, code})
	}
	for _, f := range []Fact{{factTrace, trace}, {factCorrelation, correlation}} {
		if guidPattern().MatchString(f.Value) {
			facts = append(facts, f)
		}
	}
	return facts
}
