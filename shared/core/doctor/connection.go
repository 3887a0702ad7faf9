package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
)

// A refresh token that nobody uses dies after 90 days (Microsoft identity
// platform, refresh token lifetime).
const (
	tokenLife    = 90 * 24 * time.Hour
	tokenWarning = 60 * 24 * time.Hour
	longWait     = time.Hour
)

// again is what to do about most lost authorisations, as core/connect says it: beside the
// next step of every one it says nothing.
const again = "Authorise the connection again."

// lostBy are the findings of those codes of a lost authorisation that are about
// one side of it; the others are authorization-lost.
var lostBy = map[string]string{
	directory.CodeAdminDeleted: directory.CodeAdminGone, directory.CodeAdminDisabled: directory.CodeAdminDisabled,
	directory.CodeConsentRemoved: directory.CodeConsentRemoved, directory.CodeAdminConsentRequired: directory.CodeConsentRemoved, directory.CodeAppRemoved: directory.CodeConsentRemoved, directory.CodeAppDisabled: directory.CodeConsentRemoved, directory.CodeAppRefused: directory.CodeConsentRemoved,
}

func ofConnection(f *Facts) []Finding {
	c := f.Connection
	if c == nil {
		return nil
	}
	var out []Finding
	add := func(code, variant string, with map[string]any, s Severity, evidence, consequence, next string) {
		out = append(out, Finding{Code: code, Variant: variant, Values: with, Severity: s, Evidence: evidence, Consequence: consequence, Next: next})
	}
	if c.Status == directory.StatusNeedsAuthorization {
		out = append(out, lost(c))
	}
	if age := f.Now.Sub(f.TokensUsed); !f.TokensUsed.IsZero() && age >= tokenWarning {
		ends := f.TokensUsed.Add(tokenLife).Format(time.DateOnly)
		add(directory.CodeTokenUnused, "", values("days", int(age.Hours()/24), "of", int(tokenLife.Hours()/24), "ends", ends), Warning, fmt.Sprintf("The authorisation has not been used for %d of %d days.", int(age.Hours()/24), int(tokenLife.Hours()/24)),
			"Unused, it ends on "+ends+": then nothing is synced until an admin authorises again.",
			"Find out why nothing is synced; authorise the connection again if need be.")
	}
	if a := f.Admin; a != nil && c.AuthorizedBy != nil {
		who, roles := c.AuthorizedBy.UserPrincipalName, lostRoles(f)
		switch {
		case !a.Found:
			add(directory.CodeAdminGone, "", values("account", who), Critical, "The account "+who+", which authorised the connection, is not there any more.",
				"The authorisation ends with it, within the hour or at the next renewal.", "Let another admin authorise the connection.")
		case !a.Enabled:
			add(directory.CodeAdminDisabled, "", values("account", who), Critical, "The account "+who+", which authorised the connection, is blocked.",
				"Microsoft refuses the next renewal of the authorisation.", "Unblock it, or let another admin authorise the connection.")
		case f.Unread["roles"] == "" && !directory.ManagesUsers(a.Roles):
			add(directory.CodeAdminRoleLost, "", values("account", who, "roles", roles), Critical, "The account "+who+" has no role any more that may manage users."+itWas(roles),
				"Microsoft refuses every change to accounts.", "Give it the role User Administrator back, or let another admin authorise the connection.")
		case f.Unread["roles"] == "" && roles != "":
			add(directory.CodeAdminRolesFewer, "", values("account", who, "roles", roles), Info, "The account "+who+" has fewer roles than when it authorised the connection."+itWas(roles),
				"What only that role may do is refused: a User Administrator may not change accounts that hold roles.", "Nothing, if it was meant so.")
		}
	}
	for _, scope := range f.Needed {
		if !slices.ContainsFunc(c.Scopes, func(s string) bool { return strings.EqualFold(s[strings.LastIndexByte(s, '/')+1:], scope) }) {
			add(directory.CodeScopeMissing, "", values("scope", scope), Warning, "The permission "+scope+" was not granted.", "What needs it does not work.",
				"Authorise the connection again and consent to all permissions.")
		}
	}
	for _, p := range c.Lacking() {
		add(directory.CodeScopeMissing, p.Scope, values("scope", p.Scope), Warning, "The permission "+p.Scope+" was not granted. "+p.For, p.Without, p.Problem().Next)
	}
	active := c.Status == directory.StatusActive
	if wait := f.Now.Sub(f.OldestMark); active && !f.OldestMark.IsZero() && wait > longWait && f.HeldRuns == 0 && f.SlowRun == nil {
		add(directory.CodeChangesWait, "", values("since", f.OldestMark), Warning, fmt.Sprintf("A change has been waiting for %s.", wait.Round(time.Minute)), "Accounts are not as the directory says.",
			"Nobody works on it: look at the alarms of sync and of its dead-letter queue; POST /v1/connections/{id}/runs starts a run.")
	}
	if r := f.SlowRun; active && r != nil {
		why, waits, s := "", "", Warning
		if r.Waiting != nil {
			why, waits = r.Waiting.Why, " It waits: "+r.Waiting.Why+"."
		}
		if r.Applied > 0 {
			s = Info // a large load takes its time
		}
		add(directory.CodeRunSlow, "", values("since", r.StartedAt, "changes", r.Applied, "runId", string(r.ID), "why", why), s, fmt.Sprintf("A run has been open for %s, with %d changes made.%s", f.Now.Sub(r.StartedAt).Round(time.Minute), r.Applied, waits),
			"Accounts are not as the directory says until it is through.", "Look at it: GET /v1/runs/"+string(r.ID)+".")
	}
	if f.HeldRuns > 0 {
		add(directory.CodeRunHeld, "", values("runs", f.HeldRuns), Warning, fmt.Sprintf("%d runs are held for a decision.", f.HeldRuns), "Their changes are not made until an admin decides.",
			"GET /v1/connections/{id}/runs, then approve or decline them.")
	}
	if p := f.ReadLoop; active && p != nil {
		add(directory.CodePagingLoop, directory.VariantRounds, values("why", p.Message, "times", p.Attempts, "since", p.Since, "first", p.Next), Critical, fmt.Sprintf("%s That was so %d times in a row, since %s.", p.Message, p.Attempts, p.Since.UTC().Format(time.RFC3339)),
			"What others change at Microsoft goes unnoticed; edits of the directory are written all the same.", p.Next)
	}
	for _, p := range f.Loops {
		add(directory.CodePagingLoop, "", values("why", p.Message), Warning, p.Message, "What was not read was not checked.", "Check again later. If it stays so, open a case with Microsoft's support.")
	}
	if c.Overdue(f.Now) {
		late := f.Now.Sub(c.LastSuccess())
		add(directory.CodeNoGoodRun, "", values("since", c.LastSuccess()), Critical, fmt.Sprintf("The last run that ended well was %s ago.", late.Round(time.Minute)), "Changes at Microsoft and in the directory go unnoticed.",
			"Look at the newest run: GET /v1/connections/{id}/runs.")
	}
	return out
}

// lost is the finding of a connection whose authorisation Microsoft does not accept.
func lost(c *directory.Connection) Finding {
	f := Finding{Code: directory.CodeAuthorizationLost, Severity: Critical, Evidence: "The connection needs authorisation.",
		Consequence: "Nothing is synced until an admin authorises the connection again; people who leave keep their access."}
	first := ""
	if p := c.Problem; p != nil {
		f.Code, f.Evidence, first = cmp.Or(lostBy[p.Code], f.Code), p.Message, strings.TrimSuffix(p.Next, again)
	}
	if f.Code == directory.CodeAdminGone || f.Code == directory.CodeAdminDisabled {
		f.Variant = directory.VariantLost
	}
	f.Values = values("why", f.Evidence, "first", first)
	f.Next = strings.TrimPrefix(first+" ", " ") + "Authorise on the connection's page in the console, or by POST /v1/connections/{id}/authorize."
	return f
}

// lostRoles are the roles that the admin had when authorising and has no more, "" for none.
func lostRoles(f *Facts) string {
	var lost []string
	for _, had := range f.Connection.AuthorizedBy.Roles {
		if !slices.ContainsFunc(f.Admin.Roles, func(r directory.Role) bool { return r.DisplayName == had }) {
			lost = append(lost, had)
		}
	}
	return strings.Join(lost, ", ")
}

// itWas is a sentence about roles that are lost.
func itWas(roles string) string {
	if roles == "" {
		return ""
	}
	return " It was " + roles + "."
}

// AuthorizationHealth is how a connection stands with Microsoft.
type AuthorizationHealth struct {
	By           string    `json:"by"` // userPrincipalName
	At           time.Time `json:"at"`
	LastUsed     time.Time `json:"lastUsed,omitzero"`
	EndsIfUnused time.Time `json:"endsIfUnused,omitzero"`
	// AccountEnabled and Roles are those of now; absent when they could not be
	// read.
	AccountEnabled *bool    `json:"accountEnabled,omitempty"`
	Roles          []string `json:"roles,omitempty"`
	Scopes         []string `json:"scopes"`
}

func authorizationOf(f *Facts) *AuthorizationHealth {
	c := f.Connection
	if c == nil || c.AuthorizedBy == nil {
		return nil
	}
	a := &AuthorizationHealth{By: c.AuthorizedBy.UserPrincipalName, At: c.AuthorizedAt, LastUsed: f.TokensUsed, Scopes: c.Scopes}
	if !f.TokensUsed.IsZero() {
		a.EndsIfUnused = f.TokensUsed.Add(tokenLife)
	}
	if f.Admin != nil {
		enabled := f.Admin.Found && f.Admin.Enabled
		a.AccountEnabled = &enabled
		for _, r := range f.Admin.Roles {
			a.Roles = append(a.Roles, r.DisplayName)
		}
	}
	return a
}
