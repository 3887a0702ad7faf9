package admin

import (
	"context"

	"bindery/shared/api/claims"
)

// Gateway says what whoever let a request in knows of it: API Gateway, or the
// gateway of the local stack. lambda.Gateway does.
type Gateway interface {
	// Claims returns the claims of the request's token; nil when it has none.
	Claims(ctx context.Context) Claims
	// RequestID is the request's, as the log has it (apiRequestId).
	RequestID(ctx context.Context) string
}

// Claims reads a claim of the request's token as text.
type Claims = claims.Claims
