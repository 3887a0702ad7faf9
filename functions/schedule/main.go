// Command schedule is the Lambda function that, every few minutes, wakes the
// connections and jobs that have work which nobody does, and tends to
// authorisations that nobody confirmed or uses.
package main

import (
	"bindery/shared/boot/app"
	"bindery/shared/boot/lambda"
)

func main() { lambda.Main(app.Schedule, wire) }

func wire(a *app.AWS) (lambda.Handler, error) {
	return lambda.Handler{Tick: app.NewCore(a.Parts).Tick}, nil
}
