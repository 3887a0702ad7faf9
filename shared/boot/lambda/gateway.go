package lambda

import (
	"context"

	"github.com/aws/aws-lambda-go/events"
)

// Gateway is what API Gateway hands on of the request of a context: a Gateway of
// package admin, which is not imported here since functions without an API link
// nothing of it.
type Gateway struct{}

type requestKey struct{}

// withRequest puts into a context what API Gateway says of the request.
func withRequest(ctx context.Context, of *events.APIGatewayV2HTTPRequestContext) context.Context {
	return context.WithValue(ctx, requestKey{}, of)
}

func requestOf(ctx context.Context) *events.APIGatewayV2HTTPRequestContext {
	of, _ := ctx.Value(requestKey{}).(*events.APIGatewayV2HTTPRequestContext)
	if of == nil {
		return &events.APIGatewayV2HTTPRequestContext{}
	}
	return of
}

// Claims returns the claims of the token that the JWT authorizer checked, each as
// text, an array as "[a b]"; nil when the route has no authorizer.
func (Gateway) Claims(ctx context.Context) func(name string) (text string, there bool) {
	a := requestOf(ctx).Authorizer
	if a == nil || a.JWT == nil || len(a.JWT.Claims) == 0 {
		return nil
	}
	return func(name string) (string, bool) {
		text, there := a.JWT.Claims[name]
		return text, there
	}
}

// RequestID is the ID that API Gateway gave the request; the access log has it, and
// so has the function's line, as apiRequestId.
func (Gateway) RequestID(ctx context.Context) string { return requestOf(ctx).RequestID }
