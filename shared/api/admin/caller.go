package admin

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"bindery/shared/api/claims"
	"bindery/shared/directory"
)

// The scopes of operations, and those that say which source a caller is.
const (
	ScopeRead    = "bindery/read"
	ScopeWrite   = "bindery/write"   // users, bindings, imports, runs, undo
	ScopeAdmin   = "bindery/admin"   // connections
	ScopeApprove = "bindery/approve" // decisions

	scopePrefix = "bindery/"
	scopeSource = scopePrefix + "source."
)

const bearer = "bearer" // the name of the security scheme

// Caller is who sent a request, as the token says.
type Caller struct {
	directory.Caller
	Scopes []string
}

func (c Caller) has(scope string) bool { return slices.Contains(c.Scopes, scope) }

type callerKey struct{}

func callerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// authorize lets a request through to its operation when its token may do it,
// and notes who sent it.
func (a *API) authorize(ctx huma.Context, next func(huma.Context)) {
	_, w := humago.Unwrap(ctx)
	claim := a.Gateway.Claims(ctx.Context())
	if claim == nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
		a.write(w, &Problem{Status: http.StatusUnauthorized, Code: directory.CodeNoToken, Detail: "The request has no valid token.",
			NextStep: "Send one in the Authorization header: Bearer <token>."})
		return
	}
	c, p := readCaller(claim)
	c.RequestID = a.Gateway.RequestID(ctx.Context())
	if p == nil {
		p = allowed(c, ctx.Operation())
	}
	if p != nil {
		if p.Status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		}
		a.write(w, p)
		return
	}
	if p := wrongType(ctx); p != nil {
		a.write(w, p)
		return
	}
	if p := strange(ctx, a.huma.OpenAPI().Components.Schemas); p != nil {
		a.write(w, p)
		return
	}
	r, _ := humago.Unwrap(ctx)
	next(huma.WithValue(huma.WithValue(ctx, callerKey{}, c), listingKey{}, listing{ctx.Operation().OperationID, r.URL}))
}

// forSources marks the operations that a token of a source may be used for.
const forSources = "for-sources"

// allowed says whether a caller may do an operation: its token has the one scope
// that the operation names, if any, and is not of a source unless the operation is one
// of those about users.
func allowed(c Caller, op *huma.Operation) *Problem {
	if c.Feeds() && op.Metadata[forSources] == nil {
		return refuseSource(c.Source)
	}
	needed := op.Security[0][bearer]
	if len(needed) == 0 || c.has(needed[0]) {
		return nil
	}
	return scopeMissing(needed[0])
}

func scopeMissing(scope string) *Problem {
	return &Problem{Status: http.StatusForbidden, Code: directory.CodeScopeMissing, Detail: "The token lacks the scope " + scope + ".",
		NextStep: "Use a token with that scope; none implies another."}
}

func refuseSource(s directory.Source) *Problem {
	return &Problem{Status: http.StatusForbidden, Code: directory.CodeSourceToken,
		Detail:   "The token has the scope " + scopeSource + string(s) + ": it feeds the directory, and may read and edit users only, whatever else it has.",
		NextStep: "Use another token, without a scope " + scopeSource + "*."}
}

// readCaller reads a token's claims. A token is refused whose subject is odd, or
// that speaks for two sources, or for one that is not known: what a source may
// not touch must not be open to it because of how its scope is spelt.
func readCaller(claim Claims) (Caller, *Problem) {
	subject, _ := claim("sub")
	c := Caller{Scopes: claims.ScopesOf(claim)}
	c.Subject = subject
	c.Source = directory.SourceManual
	c.Approve = c.has(ScopeApprove)
	c.Client = clientOf(claim)
	if why := directory.SubjectFault(subject); why != "" {
		return c, &Problem{Status: http.StatusUnauthorized, Code: directory.CodeInvalidSubject, Detail: "The token's subject (the claim sub) " + why + ".",
			NextStep: "Use a token of an issuer that names its callers by a plain text."}
	}
	known := []string{scopeSource + string(directory.SourceAD), scopeSource + string(directory.SourceSCIM)}
	for _, scope := range c.Scopes {
		if strings.HasPrefix(strings.ToLower(scope), scopeSource) && !slices.Contains(known, scope) {
			return c, &Problem{Status: http.StatusForbidden, Code: directory.CodeUnknownSource, Detail: "The token has a scope of a source that is not known.",
				NextStep: "Use a token with one of " + strings.Join(known, " and ") + ", or with no scope " + scopeSource + "*."}
		}
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
		return c, &Problem{Status: http.StatusForbidden, Code: directory.CodeTwoSources, Detail: "The token speaks for two sources, ad and scim.",
			NextStep: "Use a token with at most one scope " + scopeSource + "*."}
	}
	return c, nil
}

// clientOf is the app that a token was given to, by whichever claim its issuer
// names it; "" when none does.
func clientOf(claim Claims) string {
	for _, name := range []string{"client_id", "azp", "appid"} {
		if client, _ := claim(name); client != "" {
			return client
		}
	}
	return ""
}
