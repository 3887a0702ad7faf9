package odata

import (
	"fmt"
	"net/http"
	"time"
)

// Error is a refusal: what Graph answers instead of what was asked for.
type Error struct {
	Status  int
	Code    string
	Message string
	Details []Detail
	Header  map[string]string
	Free    bool // it costs no resource units
}

// Detail is one of the details of an error.
type Detail struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Target  string `json:"target,omitempty"`

	// Of naming rules only.
	Prefix      string `json:"prefix,omitempty"`
	Suffix      string `json:"suffix,omitempty"`
	BlockedWord string `json:"blockedWord,omitempty"`
}

// Refuse is a refusal with status 400, which costs nothing.
func Refuse(code, format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Code: code, Message: fmt.Sprintf(format, args...), Free: true}
}

// BadRequest refuses what is not well-formed.
func BadRequest(format string, args ...any) *Error { return Refuse("BadRequest", format, args...) }

// Unsupported refuses a query that is well-formed and not served.
func Unsupported(format string, args ...any) *Error {
	return Refuse("Request_UnsupportedQuery", format, args...)
}

// NeedsAdvanced refuses a query that is served only as an advanced one.
func NeedsAdvanced(what string) *Error {
	return Unsupported("%s is not supported or required parameters might be missing. Try adding $count=true query parameter and ConsistencyLevel:eventual header. Refer to https://aka.ms/graph-docs/advanced-queries for more information.", what)
}

// NoSuchPath refuses a path with a segment that does not exist.
func NoSuchPath(method, segment string) *Error {
	return BadRequest("Resource not found for the segment '%s'. (%s)", segment, method)
}

// With adds details.
func (e *Error) With(d ...Detail) *Error {
	e.Details = append(e.Details, d...)
	return e
}

// Body is the error as it is answered. An empty clientRequestID is the request's own
// id, as at Microsoft.
func (e *Error) Body(at time.Time, requestID, clientRequestID string) map[string]any {
	if clientRequestID == "" {
		clientRequestID = requestID
	}
	body := map[string]any{"code": e.Code, "message": e.Message, "innerError": map[string]any{
		"date": at.Format("2006-01-02T15:04:05"), "request-id": requestID, "client-request-id": clientRequestID,
	}}
	if len(e.Details) > 0 {
		body["details"] = e.Details
	}
	return map[string]any{"error": body}
}
