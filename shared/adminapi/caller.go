package adminapi

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"bindery/shared/connect"
	"bindery/shared/directory"
	"bindery/shared/roster"
)

// The scopes of operations, and those that say which source a caller is.
const (
	ScopeRead    = "bindery/read"
	ScopeWrite   = "bindery/write"
	ScopeAdmin   = "bindery/admin"
	ScopeApprove = "bindery/approve"

	scopeSource = "bindery/source."
)

const bearer = "bearer" // the name of the security scheme

// Caller is who sent a request, as the token says.
type Caller struct {
	Subject string
	Source  directory.Source
	Scopes  []string
}

func (c Caller) has(scope string) bool { return slices.Contains(c.Scopes, scope) }

func (c Caller) roster() roster.Caller {
	return roster.Caller{Subject: c.Subject, Source: c.Source, Approve: c.has(ScopeApprove)}
}

func (c Caller) connect() connect.Caller {
	return connect.Caller{Subject: c.Subject, Approve: c.has(ScopeApprove)}
}

type callerKey struct{}

func callerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// authorize lets a request through to its operation when its token has the
// operation's scope, and notes who sent it.
func (a *API) authorize(ctx huma.Context, next func(huma.Context)) {
	_, w := humago.Unwrap(ctx)
	var claims func(string) []string
	if a.Claims != nil {
		claims = a.Claims(ctx.Context())
	}
	if claims == nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
		a.write(w, &Problem{Status: http.StatusUnauthorized, Code: "no-token", Detail: "The request has no valid token.",
			NextStep: "Send one in the Authorization header: Bearer <token>."})
		return
	}
	c, p := readCaller(claims)
	if p == nil {
		p = allowed(c, ctx.Operation().Security[0][bearer][0])
	}
	if p != nil {
		a.write(w, p)
		return
	}
	if p := wrongType(ctx); p != nil {
		a.write(w, p)
		return
	}
	next(huma.WithValue(ctx, callerKey{}, c))
}

func allowed(c Caller, scope string) *Problem {
	if c.has(scope) {
		return nil
	}
	return &Problem{Status: http.StatusForbidden, Code: "scope-missing", Detail: "The token lacks the scope " + scope + ".",
		NextStep: "Use a token with that scope; none implies another."}
}

// readCaller reads a token's claims. A token that speaks for two sources is refused.
func readCaller(claims func(string) []string) (Caller, *Problem) {
	c := Caller{Subject: strings.Join(claims("sub"), " "), Source: directory.SourceManual}
	for _, name := range []string{"scope", "scp", "roles"} {
		c.Scopes = append(c.Scopes, claims(name)...)
	}
	var sources []directory.Source
	for _, source := range []directory.Source{directory.SourceAD, directory.SourceSCIM} {
		if c.has(scopeSource + string(source)) {
			sources = append(sources, source)
		}
	}
	switch len(sources) {
	case 0:
	case 1:
		c.Source = sources[0]
	default:
		return c, &Problem{Status: http.StatusForbidden, Code: "two-sources", Detail: "The token speaks for two sources, ad and scim.",
			NextStep: "Use a token with at most one scope " + scopeSource + "*."}
	}
	return c, nil
}
