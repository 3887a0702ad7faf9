package lambda

import (
	"context"

	"bindery/shared/api/admin"
)

// Claims are those of the caller's token, as API Gateway checked them and hands
// them on: each as text, an array as "[a b]".
type Claims map[string]string

type claimsKey struct{}

// ClaimsOf returns the claims of a request that came through the JWT
// authorizer; nil when the route has none.
func ClaimsOf(ctx context.Context) Claims {
	c, _ := ctx.Value(claimsKey{}).(Claims)
	return c
}

// WithClaims puts the claims of a checked token into a context, where another
// gateway than API Gateway has checked it.
func WithClaims(ctx context.Context, c Claims) context.Context {
	return context.WithValue(ctx, claimsKey{}, c)
}

// ClaimReader returns what reads the claims of a request that came through the
// JWT authorizer; nil when the route has none.
func ClaimReader(ctx context.Context) admin.Claims {
	claims := ClaimsOf(ctx)
	if claims == nil {
		return nil
	}
	return func(name string) (string, bool) {
		text, there := claims[name]
		return text, there
	}
}
