// Command schedule is the Lambda function that, every few minutes, wakes the
// connections and jobs that have work which nobody does, and tends to
// authorisations that nobody confirmed or uses.
package main

import (
	"context"

	"bindery/shared/boot"
)

func main() { boot.Main(boot.Schedule, wire) }

func wire(_ context.Context, app *boot.App) (boot.Handler, error) {
	return boot.Handler{Tick: app.Core(nil).Tick}, nil
}
