package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"bindery/shared/entra/entratest"
)

// serve opens the state, listens, prints where, and ends cleanly with ctx.
func serve(ctx context.Context, addr string, options entratest.Options, out io.Writer) (err error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use by another program: stop it, or choose a port by LOCAL_M365_PORT or -addr", addr)
	}
	if err != nil {
		return fmt.Errorf("listening on %s: %w", addr, err)
	}
	defer l.Close()
	m365, err := entratest.New(options)
	if err != nil {
		return fmt.Errorf("opening the state: %w", err)
	}
	defer func() { err = errors.Join(err, m365.Close()) }()
	if err := sample(m365); err != nil {
		return fmt.Errorf("creating the sample tenant: %w", err)
	}
	announce(m365, "http://"+l.Addr().String(), out)

	server := &http.Server{Handler: m365, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	fmt.Fprintln(out, "stopping")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err = server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) { // a slow answer, perhaps one that was asked for
		err = server.Close()
	}
	<-done
	return err
}
