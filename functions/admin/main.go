// Command admin is the Lambda function behind the admins' HTTP API: all of /v1
// but deactivate, which has a function of its own.
package main

import (
	"context"

	"bindery/shared/adminapi"
	"bindery/shared/boot"
	"bindery/shared/connect"
	"bindery/shared/directory"
	"bindery/shared/entra"
)

func main() { boot.Main(boot.Admin, wire) }

func wire(_ context.Context, app *boot.App) (boot.Handler, error) {
	graph, err := entra.New(entra.Config{BaseURL: app.Config.GraphBaseURL, Log: app.Log})
	if err != nil {
		return boot.Handler{}, err
	}
	core := app.Core(func(ts connect.TokenSource) boot.Tenant { return graph.Tenant(ts) })
	api, err := adminapi.New(adminapi.Config{
		Connections: core.Connect, Roster: core.Roster, Runs: core.Runs, Passwords: core.Passwords, Store: app.Store, Activity: core.Activity,
		Claims: boot.ClaimReader, Log: app.Log,
		Wake: func(ctx context.Context, id directory.ConnectionID) error {
			return app.Send(ctx, directory.WakeUp{ConnectionID: id}, 0)
		},
	})
	if err != nil {
		return boot.Handler{}, err
	}
	return boot.Handler{HTTP: api.Handler()}, nil
}
