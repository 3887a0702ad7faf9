// Command admin is the Lambda function behind the admins' HTTP API: all of /v1
// but deactivate, which has a function of its own.
package main

import (
	"context"

	"bindery/shared/boot"
	"bindery/shared/core/connect"
	"bindery/shared/core/people"
	"bindery/shared/entra"
	"bindery/shared/platform/workbook"
)

func main() { boot.Main(boot.Admin, wire) }

func wire(_ context.Context, app *boot.App) (boot.Handler, error) {
	graph, err := entra.New(entra.Config{BaseURL: app.Config.GraphBaseURL, Log: app.Log})
	if err != nil {
		return boot.Handler{}, err
	}
	core := app.Core(func(ts connect.TokenSource) boot.Tenant { return graph.Tenant(ts) })
	core.Loads.Sheets = people.Sheets(workbook.Open)
	api, err := core.API()
	if err != nil {
		return boot.Handler{}, err
	}
	return boot.Handler{HTTP: api}, nil
}
