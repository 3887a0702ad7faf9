package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"bindery/infra/demo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, demo.ErrChecksFailed) {
			fmt.Fprintln(os.Stderr, "bindery:", err)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "verify" {
		return verify(ctx, args[1:], os.Stdout)
	}
	if len(args) != 1 {
		return errors.New("usage: local run | demo | verify")
	}
	switch args[0] {
	case "run":
		return serve(ctx, os.Getenv, os.Stdout)
	case "demo":
		return demo.Run(ctx, os.Stdout)
	}
	return fmt.Errorf("there is no command %q; there are run, demo and verify", args[0])
}
