// Command sync is the Lambda function that does the work: for each wake-up of
// its queue one slice of one connection's run, or of one job that reads no file.
package main

import (
	"bindery/shared/boot/app"
	"bindery/shared/boot/lambda"
	"bindery/shared/core/connect"
	"bindery/shared/entra"
	"bindery/shared/platform/resolver"
)

func main() { lambda.Main(app.Sync, wire) }

func wire(a *app.AWS) (lambda.Handler, error) {
	graph, err := entra.New(entra.Config{BaseURL: a.Config.GraphBaseURL, Log: a.Log})
	if err != nil {
		return lambda.Handler{}, err
	}
	parts := a.Parts
	parts.Tenant = func(ts connect.TokenSource) app.Tenant { return graph.Tenant(ts) }
	parts.Look = resolver.NewDNS(resolver.DNSConfig{Server: a.Config.DNSServer}).Look
	core := app.NewCore(parts)
	return lambda.Handler{Message: core.Work}, nil
}
