// Command oauth-callback is the Lambda function of the pages around a sign-in at
// Microsoft: the one before it, which says who asks, and the one to which
// Microsoft sends the admin back, which turns state and code into a connection's
// tokens.
package main

import (
	"context"
	"net/http"

	"bindery/shared/boot"
	"bindery/shared/core/connect"
	"bindery/shared/entra"
)

func main() { boot.Main(boot.OAuthCallback, wire) }

func wire(_ context.Context, app *boot.App) (boot.Handler, error) {
	graph, err := entra.New(entra.Config{BaseURL: app.Config.GraphBaseURL, Log: app.Log})
	if err != nil {
		return boot.Handler{}, err
	}
	core := app.Core(func(ts connect.TokenSource) boot.Tenant { return graph.Tenant(ts) })
	mux := http.NewServeMux()
	mux.Handle("GET /oauth/start", core.Connect)
	mux.Handle("GET /oauth/callback", core.Connect)
	return boot.Handler{HTTP: mux}, nil
}
