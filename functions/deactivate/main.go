// Command deactivate is the Lambda function that lets a connection go, and
// sweeps away what its past epochs left. It reaches no Microsoft: letting go
// must work when Microsoft does not answer.
package main

import (
	"context"

	"bindery/shared/boot"
)

func main() { boot.Main(boot.Deactivate, wire) }

// The API is the whole of /v1; API Gateway sends only
// POST /v1/connections/{id}/deactivate here, and the role allows no more.
func wire(_ context.Context, app *boot.App) (boot.Handler, error) {
	core := app.Core(nil)
	api, err := core.API()
	if err != nil {
		return boot.Handler{}, err
	}
	return boot.Handler{HTTP: api, Message: core.Sweep}, nil
}
