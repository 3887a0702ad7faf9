package scim

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"bindery/shared/directory"
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
	// Code is ours, which stands in brackets behind the detail; "" is that of Type, or else
	// of Status.
	Code string
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
	o.set("detail", p.text())
	return o
}

// codesOf are the codes of problems without a keyword.
var codesOf = map[int]string{
	http.StatusUnauthorized: "unauthorized", http.StatusForbidden: directory.CodeForbidden, http.StatusNotFound: directory.CodeNotFound,
	http.StatusMethodNotAllowed: directory.CodeMethodNotAllowed, http.StatusPreconditionFailed: directory.CodeVersionMismatch,
	http.StatusUnsupportedMediaType: directory.CodeUnsupportedMediaType, http.StatusRequestEntityTooLarge: directory.CodeTooLarge, http.StatusTooManyRequests: "too-many-requests",
	http.StatusInternalServerError: "internal", http.StatusNotImplemented: "not-offered", http.StatusServiceUnavailable: directory.CodeBusy,
}

// text is the detail with the code behind it, as those of the API have: that of a keyword
// is spelt as they are. A token that was sent in the place of something else is not told.
func (p *Problem) text() string {
	code := cmp.Or(p.Code, codesOf[p.Status])
	if p.Code == "" && p.Type != "" {
		var b strings.Builder
		for _, r := range p.Type {
			if unicode.IsUpper(r) {
				b.WriteByte('-')
			}
			b.WriteRune(unicode.ToLower(r))
		}
		code = b.String()
	}
	return untokened(p.Detail) + " [" + code + "]"
}
