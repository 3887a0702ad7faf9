// Command sync is the Lambda function that does the work: for each wake-up of
// its queue one slice of one connection's run, or of one job.
package main

import (
	"context"

	"bindery/shared/boot"
	"bindery/shared/core/connect"
	"bindery/shared/core/people"
	"bindery/shared/entra"
	"bindery/shared/platform/resolver"
	"bindery/shared/platform/workbook"
)

func main() { boot.Main(boot.Sync, wire) }

func wire(_ context.Context, app *boot.App) (boot.Handler, error) {
	graph, err := entra.New(entra.Config{BaseURL: app.Config.GraphBaseURL, Log: app.Log})
	if err != nil {
		return boot.Handler{}, err
	}
	core := app.Core(func(ts connect.TokenSource) boot.Tenant { return graph.Tenant(ts) })
	core.Loads.Sheets = people.Sheets(workbook.Open)
	core.Doctor.Look = resolver.NewDNS(resolver.DNSConfig{Server: app.Config.DNSServer}).Look
	return boot.Handler{Message: core.Work}, nil
}
