package doctor

import (
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

// managesUsers are the roles, by template id, that may manage the accounts of
// people without a role of their own (G 1.5).
var managesUsers = []string{
	"62e90394-69f5-4237-9190-012177145e10", // Global Administrator
	"fe930be7-5e62-47db-91af-98c3a49a38b1", // User Administrator
}

func ofConnection(f *Facts) []Finding {
	c := f.Connection
	if c == nil {
		return nil
	}
	var out []Finding
	add := func(code string, s Severity, evidence, consequence, next string) {
		out = append(out, Finding{Code: code, Severity: s, Evidence: evidence, Consequence: consequence, Next: next})
	}
	if c.Status == directory.StatusNeedsAuthorization {
		evidence := "The connection needs authorisation."
		code := "authorization-lost"
		if c.Trouble != nil {
			evidence = c.Trouble.Message
			if strings.Contains(c.Trouble.MicrosoftCode, "65001") || strings.Contains(c.Trouble.MicrosoftCode, "700016") {
				code = "consent-removed"
			}
		}
		add(code, Critical, evidence, "Nothing is synced until an admin authorises the connection again; people who leave keep their access.",
			"Authorise the connection again: POST /v1/connections/{id}/authorize.")
	}
	if age := f.Now.Sub(f.TokensUsed); !f.TokensUsed.IsZero() && age >= tokenWarning {
		add("token-unused", Warning, fmt.Sprintf("The authorisation was last used %d days ago.", int(age.Hours()/24)),
			fmt.Sprintf("Microsoft forgets an authorisation that nobody uses for %d days.", int(tokenLife.Hours()/24)),
			"Find out why nothing is synced; authorise the connection again if need be.")
	}
	if a := f.Admin; a != nil && c.AuthorizedBy != nil {
		who := c.AuthorizedBy.UserPrincipalName
		switch {
		case !a.Found:
			add("admin-gone", Critical, "The account "+who+", which authorised the connection, is not there any more.",
				"The authorisation ends with it, within the hour or at the next renewal.", "Let another admin authorise the connection.")
		case !a.Enabled:
			add("admin-disabled", Critical, "The account "+who+", which authorised the connection, is blocked.",
				"Microsoft refuses the next renewal of the authorisation.", "Unblock it, or let another admin authorise the connection.")
		case f.Unread["roles"] == "" && !slices.ContainsFunc(a.Roles, func(r string) bool { return slices.Contains(managesUsers, strings.ToLower(r)) }):
			add("admin-role-lost", Critical, "The account "+who+" has none of the roles that may manage users any more.",
				"Microsoft refuses every change to accounts.", "Give it the role User Administrator back, or let another admin authorise the connection.")
		}
	}
	for _, scope := range f.Needed {
		if !slices.ContainsFunc(c.Scopes, func(s string) bool { return strings.EqualFold(s[strings.LastIndexByte(s, '/')+1:], scope) }) {
			add("scope-missing", Warning, "The permission "+scope+" was not granted.", "What needs it does not work.",
				"Authorise the connection again and consent to all permissions.")
		}
	}
	active := c.Status == directory.StatusActive
	if wait := f.Now.Sub(f.OldestMark); active && !f.OldestMark.IsZero() && wait > longWait && f.HeldRuns == 0 {
		add("changes-wait", Warning, fmt.Sprintf("A change has been waiting for %s.", wait.Round(time.Minute)), "Accounts are not as the directory says.",
			"Look at the open runs: GET /v1/connections/{id}/runs, and at waiting.why of the newest.")
	}
	if f.HeldRuns > 0 {
		add("run-held", Warning, fmt.Sprintf("%d runs are held for a decision.", f.HeldRuns), "Their changes are not made until an admin decides.",
			"GET /v1/connections/{id}/runs, then approve or decline them.")
	}
	good := c.AuthorizedAt
	if c.LastRun != nil && c.LastRun.SucceededAt.After(good) {
		good = c.LastRun.SucceededAt
	}
	if late := f.Now.Sub(good); active && !good.IsZero() && late > 2*time.Duration(c.Settings.Defaulted().Interval)+time.Hour {
		add("no-good-run", Critical, fmt.Sprintf("The last run that ended well was %s ago.", late.Round(time.Minute)), "Changes at Microsoft and in the directory go unnoticed.",
			"Look at the newest run: GET /v1/connections/{id}/runs.")
	}
	return out
}
