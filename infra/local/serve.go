package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"bindery/infra/stack"
	"bindery/shared/boot/telemetry"
	"bindery/shared/entra/entratest"
	"bindery/shared/platform/resolver"
)

// serve runs the local stack on its ports until ctx ends.
func serve(ctx context.Context, getenv func(string) string, out io.Writer) (err error) {
	set, err := readSettings(getenv)
	if err != nil {
		return err
	}
	api, err := listen(set.APIPort, "LOCAL_API_PORT")
	if err != nil {
		return err
	}
	defer api.Close()
	cfg := stack.Config{
		Dir: set.State, PublicURL: fmt.Sprintf("http://localhost:%d", set.APIPort),
		Hosts: set.Hosts, Log: telemetry.NewLogger(out, slog.LevelWarn),
	}
	var m365 net.Listener
	if set.simulated() {
		if m365, err = listen(set.M365Port, "LOCAL_M365_PORT"); err != nil {
			return err
		}
		defer m365.Close()
		cfg.Simulator = stack.Simulator{URL: fmt.Sprintf("http://localhost:%d", set.M365Port), Served: true, Dir: filepath.Join(set.State, "m365")}
	} else {
		cfg.External = &set.Microsoft
		cfg.Look = resolver.NewDNS(resolver.DNSConfig{Server: set.DNSServer}).Look
	}
	s, err := stack.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var servers []*http.Server
	failed := make(chan error, 2)
	start := func(l net.Listener, h http.Handler) {
		srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
		servers = append(servers, srv)
		go func() { failed <- srv.Serve(l) }()
	}
	start(api, s.Handler())
	if m365 != nil {
		start(m365, s.Sim)
		if err := sampleTenant(s.Sim); err != nil {
			return err
		}
	}
	announce(out, set, s.Sim)

	workCtx, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	worked := make(chan error, 1)
	go func() { worked <- s.Work(workCtx) }()
	select {
	case err = <-failed:
	case <-ctx.Done():
		fmt.Fprintln(out, "stopping")
	}
	stopWork()
	err = errors.Join(ignoreClosed(err), <-worked)
	for _, srv := range servers {
		grace, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		if srv.Shutdown(grace) != nil {
			err = errors.Join(err, srv.Close())
		}
		cancel()
	}
	return err
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func listen(port int, name string) (net.Listener, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is in use by another program: stop it, or choose another port by %s", port, name)
	}
	if err != nil {
		return nil, fmt.Errorf("port %d (%s): %w", port, name, err)
	}
	return l, nil
}

// sampleTenant gives an empty simulator a tenant to play with.
func sampleTenant(sim *entratest.Server) error {
	if len(sim.Tenants()) > 0 {
		return nil
	}
	_, err := sim.CreateTenant(entratest.TenantSpec{
		Name: "Contoso (simulated)", Count: 200, Seed: 1,
		Domains: []entratest.DomainSpec{{Name: "contoso.example", AuthenticationType: "Managed", IsDefault: true}},
		Admins:  []entratest.AdminSpec{{UserPrincipalName: "admin@contoso.example", DisplayName: "Contoso Admin", Roles: []string{"Global Administrator"}}},
	})
	return err
}

// announce prints what a new user needs: addresses, tokens, calls to paste. sim is
// nil with another Microsoft 365.
func announce(out io.Writer, set settings, sim *entratest.Server) {
	base := fmt.Sprintf("http://localhost:%d", set.APIPort)
	admin := filepath.Join(set.State, "admin-token")
	fmt.Fprintf(out, "Open %s/console in a browser: one button signs you in.\n\n", base)
	fmt.Fprintf(out, "Bindery API            %s/v1   (description: %s/v1/openapi.json)\n", base, base)
	if sim != nil {
		fmt.Fprintf(out, "simulated Microsoft    http://localhost:%d   (switches: /_control)\n", set.M365Port)
		for _, t := range sim.Tenants() {
			for _, a := range t.Admins {
				fmt.Fprintf(out, "  sign in as           %s   (tenant %s)\n", a.UserPrincipalName, t.ID)
			}
		}
	} else {
		fmt.Fprintf(out, "Microsoft              %s\n", set.Microsoft.GraphBaseURL)
	}
	fmt.Fprintf(out, "state                  %s   (tokens: %s)\n\n", set.State, strings.Join(slices.Sorted(maps.Keys(stack.TokenFiles)), " "))
	fmt.Fprintf(out, "curl -s -H \"Authorization: Bearer $(cat %s)\" %s/v1/connections\n", admin, base)
	fmt.Fprintf(out, "curl -s -H \"Authorization: Bearer $(cat %s)\" -H 'Content-Type: application/json' -d '{\"name\":\"Contoso\"}' %s/v1/connections\n", admin, base)
	fmt.Fprintf(out, "curl -s -H \"Authorization: Bearer $(cat %s)\" -H 'Content-Type: application/json' -d '{\"email\":\"ann@contoso.example\",\"givenName\":\"Ann\",\"familyName\":\"Example\"}' %s/v1/users\n\n", admin, base)
	fmt.Fprintln(out, "Open the authorizationUrl of a new connection in a browser. Ctrl-C stops.")
}
