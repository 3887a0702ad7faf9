package scim

import (
	"fmt"
	"net/http"
	"strconv"
)

// Problem is an error as a client of SCIM is told it (RFC 7644, 3.12).
type Problem struct {
	Status int
	// Type is the RFC's keyword, which a client may act upon; "" for none.
	Type string
	// Detail is the only thing that an identity provider shows to its admin: what was
	// wrong, and what to do.
	Detail string
	// RetryAfter is in how many seconds to try again; 0 says nothing.
	RetryAfter int
	// Allow are the methods of a path that does not take the one that was tried.
	Allow string
	// Cause is ours, for the log alone.
	Cause error
}

func (p *Problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Type, p.Detail) }

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Cause }

// The keywords of RFC 7644, 3.12, and of RFC 9865.
const (
	typeInvalidFilter = "invalidFilter"
	typeTooMany       = "tooMany"
	typeUniqueness    = "uniqueness"
	typeMutability    = "mutability"
	typeInvalidSyntax = "invalidSyntax"
	typeInvalidPath   = "invalidPath"
	typeNoTarget      = "noTarget"
	typeInvalidValue  = "invalidValue"
	typeInvalidCursor = "invalidCursor"
	typeExpiredCursor = "expiredCursor"
	typeInvalidCount  = "invalidCount"
)

// badRequest is a request that its sender must correct.
func badRequest(keyword, format string, args ...any) *Problem {
	return &Problem{Status: http.StatusBadRequest, Type: keyword, Detail: fmt.Sprintf(format, args...)}
}

const schemaError = "urn:ietf:params:scim:api:messages:2.0:Error"

// body is the problem as it is answered. The status is a text.
func (p *Problem) body() *object {
	o := &object{}
	o.set("schemas", []any{schemaError})
	o.set("status", strconv.Itoa(p.Status))
	if p.Type != "" {
		o.set("scimType", p.Type)
	}
	o.set("detail", p.Detail)
	return o
}
