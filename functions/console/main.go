// Command console is the Lambda function behind the admins' pages: all below /console.
package main

import (
	"bindery/shared/api/console"
	"bindery/shared/boot/app"
	"bindery/shared/boot/lambda"
)

func main() { lambda.Main(app.Console, wire) }

func wire(a *app.AWS) (lambda.Handler, error) {
	c := a.Config
	pages, err := console.New(console.Config{
		PublicURL: c.PublicBaseURL, Issuer: c.ConsoleIssuer, ClientID: c.ConsoleClientID, ClientSecret: a.ConsoleSecret,
		Scopes: c.ConsoleScopes, AuthParams: c.ConsoleAuthParams, Sessions: a.Parts.Store.Sessions, Environment: c.ConsoleEnvironment,
		RequestID: lambda.Gateway{}.RequestID, Log: a.Log,
	})
	if err != nil {
		return lambda.Handler{}, err
	}
	return lambda.Handler{HTTP: pages}, nil
}
