// Command scim is the Lambda function that identity providers push people and groups to:
// all below /scim. Its callers bring tokens that it checks itself; it reaches no Microsoft
// and no token of a connection.
package main

import (
	"bindery/shared/api/scim"
	"bindery/shared/boot/app"
	"bindery/shared/boot/lambda"
)

func main() { lambda.Main(app.Scim, wire) }

func wire(a *app.AWS) (lambda.Handler, error) {
	pushes, clients := app.Provisioning(a.Parts)
	return lambda.Handler{HTTP: scim.New(scim.Config{
		Pushes: pushes, Clients: clients, PublicURL: a.Config.PublicBaseURL, Claims: lambda.Gateway{}.Claims, RequestID: lambda.Gateway{}.RequestID, Log: a.Log,
	})}, nil
}
