package admin

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"

	"bindery/shared/api/endpoint"
)

// IfNone is what a reader has already. Whoever looks at a run every two seconds need not
// be told again what has not changed.
type IfNone struct {
	IfNoneMatch string `header:"If-None-Match" maxLength:"2000" doc:"ETags that the caller has; 304 when the answer would be one of them"`
}

const unchangedText = "With If-None-Match, 304 while nothing has changed: so it can be looked at every two seconds."

// conditional is an answer that is left out when the reader has it.
type conditional[T any] struct {
	Status int
	ETag   string `header:"ETag"`
	Body   T
}

// conditionally answers with a body, or that it has not changed. The ETag is that of the
// answer as it is written, to the letter: of a run the numbers of what was done change
// without its version.
func conditionally[T any](in IfNone, body T) (*conditional[T], error) {
	data, err := endpoint.JSON(body)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	out := &conditional[T]{Status: http.StatusOK, ETag: `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`, Body: body}
	if holds(in.IfNoneMatch, out.ETag) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}
