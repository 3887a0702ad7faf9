// Package gateway stands where a stack's HTTP API stands: it finds the route of
// a request, checks the token as the JWT authorizer does, and has package
// apigateway make the event and the answer, with their limits.
//
// What a function did wrong is answered as an HTTP API does: 500 when it failed
// or answered nonsense, 503 when it took more than 30 seconds or could not be
// called, 413 for an event of more than 6 MB. (Where AWS's pages name 502 and
// 504 they speak of REST APIs.) Rates are not limited here.
package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"bindery/infra/apigateway"
	"bindery/infra/lambdas/runtime"
)

// callTime is how long a function may take to answer.
const callTime = 30 * time.Second

// source is the callers' address: one that is reserved for documentation.
const source = "192.0.2.1"

// Route is a route of the API.
type Route struct {
	Key      string // "POST /v1/connections/{id}/deactivate"
	Function string
	// Authorized: the route asks for a token, with one of the scopes if there are any.
	Authorized bool
	Scopes     []string
}

// Gateway is the API. Its members are set before the first request.
type Gateway struct {
	Routes []Route
	// Verify checks a bearer token as the authorizer does: signature, issuer,
	// audience, time.
	Verify func(token string) (claims map[string]any, err error)
	// Invoke calls a function. trace is X-Ray's header.
	Invoke func(function string, payload []byte, trace string) ([]byte, error)
	// Domain is the API's host name.
	Domain string
}

// RouteKey is the route that takes a request, as an access log has it.
func (g *Gateway) RouteKey(r *http.Request) string {
	if route, _ := find(g.Routes, r.Method, r.URL.Path); route != nil {
		return route.Key
	}
	return "-"
}

func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route, parameters := find(g.Routes, r.Method, r.URL.Path)
	if route == nil {
		apigateway.Refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	to := apigateway.Route{Key: route.Key, Parameters: parameters}
	if route.Authorized {
		claims, status := g.authorize(r, route)
		if status != 0 {
			apigateway.Refuse(w, status, http.StatusText(status))
			return
		}
		to.Claims, to.Scopes = claims, route.Scopes
	}
	trace := fmt.Sprintf("Root=1-%08x-%s", time.Now().Unix(), random(12))
	r = r.Clone(r.Context())
	r.Host, r.RemoteAddr = g.Domain, source+":443"
	for name, value := range map[string]string{"X-Amzn-Trace-Id": trace, "X-Forwarded-For": source, "X-Forwarded-Port": "443", "X-Forwarded-Proto": "https"} {
		r.Header.Set(name, value)
	}
	to.Invoke = func(_ context.Context, event []byte) ([]byte, error) { return g.call(route.Function, event, trace) }
	to.Serve(w, r)
}

// authorize checks the token and returns its claims, or the status to refuse with.
func (g *Gateway) authorize(r *http.Request, route *Route) (map[string]string, int) {
	token := r.Header.Get("Authorization")
	if kind, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(kind, "Bearer") {
		token = rest
	}
	all, err := g.Verify(strings.TrimSpace(token))
	if err != nil {
		return nil, http.StatusUnauthorized
	}
	claims := apigateway.Claims(all)
	if len(route.Scopes) == 0 {
		return claims, 0
	}
	for _, name := range []string{"scope", "scp"} {
		for _, scope := range strings.Fields(strings.Trim(claims[name], "[]")) {
			if slices.Contains(route.Scopes, scope) {
				return claims, 0
			}
		}
	}
	return nil, http.StatusForbidden
}

// call calls a function and waits as long as the gateway does; a function that
// is late goes on by itself.
func (g *Gateway) call(function string, event []byte, trace string) ([]byte, error) {
	type result struct {
		answer []byte
		err    error
	}
	done := make(chan result, 1)
	go func() {
		answer, err := g.Invoke(function, event, trace)
		done <- result{answer, err}
	}()
	timer := time.NewTimer(callTime)
	defer timer.Stop()
	select {
	case got := <-done:
		switch {
		case errors.Is(got.err, runtime.ErrThrottled):
			return nil, apigateway.Status(http.StatusServiceUnavailable)
		case errors.Is(got.err, runtime.ErrTooLarge):
			return nil, apigateway.Status(http.StatusRequestEntityTooLarge)
		}
		return got.answer, got.err
	case <-timer.C:
		return nil, apigateway.Status(http.StatusServiceUnavailable)
	}
}

// random is so many random bytes in hexadecimal.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}
