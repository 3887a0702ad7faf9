package audit

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
)

// mayRead says why Microsoft's log need not be asked for.
func mayRead(c *directory.Connection) *directory.Problem {
	granted := slices.ContainsFunc(c.Scopes, func(s string) bool {
		return strings.EqualFold(s[strings.LastIndexByte(s, '/')+1:], directory.ScopeAuditLog)
	})
	switch {
	case c.Tenant == nil || c.AuthorizedBy == nil || c.Status != directory.StatusActive:
		return &directory.Problem{Code: directory.CodeAuditNeedsAuthorization, Kind: directory.ProblemAuthorization,
			Message: fmt.Sprintf("The connection is %s, so that Microsoft's audit log cannot be read.", c.Status), Next: "Authorise the connection, then ask again."}
	case granted:
		return nil
	case c.Settings.AuditLog:
		return &directory.Problem{Code: directory.CodeAuditScopeMissing, Kind: directory.ProblemAuthorization,
			Message: "The setting auditLog is on, and the connection was authorised without the permission " + directory.ScopeAuditLog + ".",
			Next:    "Authorise the connection again and accept the permission; nothing else changes.",
			Steps:   []directory.Step{{Text: "Get the address to authorise at", Call: "POST /v1/connections/{connectionId}/authorize"}}}
	}
	return &directory.Problem{Code: directory.CodeAuditNotWanted, Kind: directory.ProblemAuthorization,
		Message: "Microsoft's audit log is not asked for: the setting auditLog is off.",
		Next:    "Set auditLog to true (in the console: Settings, Permissions of the next authorisation), then authorise the connection again and accept the permission " + directory.ScopeAuditLog + ".",
		Steps: []directory.Step{{Text: "Set auditLog to true", Call: "PATCH /v1/connections/{connectionId}"},
			{Text: "Get the address to authorise at", Call: "POST /v1/connections/{connectionId}/authorize"}}}
}

// readProblem says which of licence, scope, role or service is missing.
func readProblem(err error) *directory.Problem {
	out := &directory.Problem{Code: directory.CodeAuditUnavailable, Kind: directory.ProblemTransient,
		Message: "Microsoft's audit log could not be read for the moment.", Next: "Ask again in a few minutes. Syncing is not concerned."}
	cause, ok := errors.AsType[*directory.Problem](err)
	if ok {
		out.RequestID, out.MicrosoftCode, out.MicrosoftMessage, out.MicrosoftStatus = cause.RequestID, cause.MicrosoftCode, cause.MicrosoftMessage, cause.MicrosoftStatus
	}
	switch {
	case errors.Is(err, directory.ErrUnauthorized):
		out.Code, out.Kind = directory.CodeAuditNeedsAuthorization, directory.ProblemAuthorization
		out.Message, out.Next = "Microsoft does not accept the connection's authorisation any more.", "Authorise the connection again."
	case ok && cause.Code == directory.CodePagingLoop:
		return cause
	case ok && cause.Code == directory.CodePremiumLicenseMissing:
		out.Code, out.Kind = directory.CodeAuditLicenceMissing, directory.ProblemTenant
		out.Message = "Microsoft gives the audit log out only to tenants with a premium licence (Entra ID P1 or P2)."
		out.Next = "Nothing need be done: everything else works without. With a licence the log is read by itself."
	case ok && cause.MicrosoftStatus == http.StatusForbidden:
		out.Code, out.Kind = directory.CodeAuditRoleMissing, directory.ProblemTenant
		out.Message = "The account that authorised the connection has no role that may read the audit log."
		out.Next = "Give it the role Reports Reader, Security Reader or Global Reader in Entra; it works a few minutes later."
	}
	return out
}

func throttledProblem(wait time.Duration) *directory.Problem {
	return &directory.Problem{Code: directory.CodeAuditThrottled, Kind: directory.ProblemTransient,
		Message: "Microsoft allows five reads of the audit log in ten seconds; this page is not complete.",
		Next:    fmt.Sprintf("Ask again in %s.", max(time.Second, wait.Round(time.Second)))}
}
