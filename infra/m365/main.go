// Command m365 serves the simulated Microsoft 365 alone on a port: identity
// platform, Graph and the control API under /_control. main reads the flags,
// serve.go holds the server's life, sample.go the tenant that an empty one gets.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"bindery/shared/entra/entratest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "m365:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	port := getenv("LOCAL_M365_PORT")
	if port == "" {
		port = "8365"
	}
	flags := flag.NewFlagSet("m365", flag.ContinueOnError)
	flags.SetOutput(out)
	addr := flags.String("addr", "127.0.0.1:"+port, "`address` to listen on; without -addr LOCAL_M365_PORT sets the port")
	dir := flags.String("state", "", "`folder` to keep the state in; empty: memory only")
	hosts := flags.String("hosts", "", "further `names`, by commas, under which it may be reached; localhost and the address of the connection always may")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see m365 -help", flags.Arg(0))
	}
	return serve(ctx, *addr, entratest.Options{Dir: *dir, Hosts: strings.Split(*hosts, ",")}, out)
}
