// Command admin is the Lambda function behind the admins' HTTP API: all of /v1
// but deactivate, which has a function of its own.
package main

import (
	"bindery/shared/boot/app"
	"bindery/shared/boot/lambda"
	"bindery/shared/boot/web"
	"bindery/shared/core/connect"
	"bindery/shared/core/people"
	"bindery/shared/entra"
	"bindery/shared/platform/workbook"
)

func main() { lambda.Main(app.Admin, wire) }

func wire(a *app.AWS) (lambda.Handler, error) {
	graph, err := entra.New(entra.Config{BaseURL: a.Config.GraphBaseURL, Log: a.Log})
	if err != nil {
		return lambda.Handler{}, err
	}
	parts := a.Parts
	parts.Tenant = func(ts connect.TokenSource) app.Tenant { return graph.Tenant(ts) }
	parts.OpenSheet = people.Sheets(workbook.Open)
	core := app.NewCore(parts)
	api, err := web.API(core, lambda.Gateway{})
	if err != nil {
		return lambda.Handler{}, err
	}
	return lambda.Handler{HTTP: api}, nil
}
