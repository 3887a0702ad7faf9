// Command deactivate is the Lambda function that lets a connection go, and
// sweeps away what its past epochs left. It reaches no Microsoft: letting go
// must work when Microsoft does not answer.
package main

import (
	"bindery/shared/boot/app"
	"bindery/shared/boot/lambda"
	"bindery/shared/boot/web"
)

func main() { lambda.Main(app.Deactivate, wire) }

// API Gateway sends only POST /v1/connections/{id}/deactivate here, and the role
// allows no more.
func wire(a *app.AWS) (lambda.Handler, error) {
	core := app.NewCore(a.Parts)
	api, err := web.Deactivation(core, lambda.Gateway{})
	if err != nil {
		return lambda.Handler{}, err
	}
	return lambda.Handler{HTTP: api, Message: core.Sweep}, nil
}
