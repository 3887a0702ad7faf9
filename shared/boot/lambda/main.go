package lambda

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"bindery/shared/boot/app"
	"bindery/shared/boot/telemetry"
)

// Main is what a function's main calls: it reads the environment, wires,
// and serves events until Lambda ends the process. A fault before the first
// event is one log line and exit code 1.
func Main(name app.Function, wire func(a *app.AWS) (Handler, error)) {
	a, err := app.Start(name, os.Getenv, os.Stdout)
	if err != nil {
		fail(telemetry.NewLogger(os.Stdout, slog.LevelInfo), name, err)
	}
	h, err := wire(a)
	if err != nil {
		fail(a.Log, name, err)
	}
	lambda.Start(New(Config{
		Name: name, Handler: h, Own: a.Own(),
		Telemetry: telemetry.Config{Log: a.Log, Metrics: a.Metrics},
	}))
}

func fail(log *slog.Logger, name app.Function, err error) {
	log.Error("cannot start", "function", string(name), "error", err)
	os.Exit(1)
}
