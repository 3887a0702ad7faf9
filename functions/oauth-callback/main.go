// Command oauth-callback is the Lambda function of the pages around a sign-in at
// Microsoft: the one before it, which says who asks, and the one to which
// Microsoft sends the admin back, which turns state and code into a connection's
// tokens.
package main

import (
	"net/http"

	"bindery/shared/boot/app"
	"bindery/shared/boot/lambda"
	"bindery/shared/core/connect"
	"bindery/shared/entra"
)

func main() { lambda.Main(app.OAuthCallback, wire) }

func wire(a *app.AWS) (lambda.Handler, error) {
	graph, err := entra.New(entra.Config{BaseURL: a.Config.GraphBaseURL, Log: a.Log})
	if err != nil {
		return lambda.Handler{}, err
	}
	parts := a.Parts
	parts.Tenant = func(ts connect.TokenSource) app.Tenant { return graph.Tenant(ts) }
	core := app.NewCore(parts)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /oauth/start", core.Connect.ServeSignIn)
	mux.HandleFunc("GET /oauth/callback", core.Connect.ServeSignIn)
	return lambda.Handler{HTTP: mux}, nil
}
