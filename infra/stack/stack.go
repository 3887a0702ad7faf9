package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"bindery/shared/boot/app"
	"bindery/shared/clock"
	"bindery/shared/core/audit"
	"bindery/shared/core/doctor"
	"bindery/shared/entra/entratest"
	"bindery/shared/entra/entratest/browser"
	"bindery/shared/platform/heads"
	"bindery/shared/platform/notify"
	"bindery/shared/platform/ownfile"
	"bindery/shared/platform/signer"
	"bindery/shared/platform/upload"
	"bindery/shared/platform/vault"
	"bindery/shared/store"
)

const (
	// FunctionTime is how long one call of a function may take, as on AWS.
	FunctionTime = 3 * time.Minute
	// TickEvery is shorter than the five minutes of AWS's schedule: after a crash a
	// laptop's user is watching. When the tenant is read is the settings' matter.
	TickEvery = 10 * time.Second
)

// Config says where the stack lives and which Microsoft 365 it talks to.
type Config struct {
	Dir string
	Log *slog.Logger // nil: silent
	// PublicURL is the API's own address, for the redirect URI.
	PublicURL string
	// Hosts are names besides localhost and those of the two addresses under
	// which requests over a listener may come.
	Hosts []string
	// Simulator is the simulated Microsoft 365 that the stack brings.
	Simulator Simulator
	// External replaces the simulated one.
	External *Microsoft
	// Look asks name servers about the mail of domains; nil: nobody does.
	Look func(ctx context.Context, domain string) *doctor.DNS
	// Drivers replace those of a laptop.
	Drivers *Drivers
}

// Simulator says how the simulated Microsoft 365 is reached. The zero one is
// called in process and kept in memory.
type Simulator struct {
	URL    string // its address; "": one that is nowhere
	Served bool   // at its address, by whoever opens the stack; else it is called in process
	Dir    string // where its state is kept; "": in memory
	// Wrap goes between the stack and the simulator that it calls in process; nil:
	// nothing does.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// Stack is the bundle in one process.
type Stack struct {
	Sim  *entratest.Server // nil with an external Microsoft 365
	Core *app.Core

	// Notices are what the stack told its admins.
	Notices *notify.Log
	// Tokens are those of the API's callers.
	Tokens *Issuer
	// Drivers are where the stack keeps things.
	Drivers *Drivers

	uploads *upload.Folder // nil when Drivers bring their own
	events  *os.File       // where the notices go
	admin   string
	handler http.Handler
	log     *slog.Logger
}

// Open opens or makes the state in a folder and joins everything.
func Open(ctx context.Context, cfg Config) (_ *Stack, err error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.PublicURL == "" {
		cfg.PublicURL = "https://bindery.invalid"
	}
	if err := ownfile.Folder(cfg.Dir); err != nil {
		return nil, fmt.Errorf("the state folder cannot be made: %w", err)
	}
	s := &Stack{log: cfg.Log}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err = s.openDrivers(ctx, &cfg); err != nil {
		return s, err
	}
	if s.Tokens, err = OpenIssuer(cfg.Dir); err != nil {
		return s, err
	}
	if err = s.Tokens.writeFiles(cfg.Dir); err != nil {
		return s, err
	}
	if s.admin, err = s.Tokens.Issue("admin@local", AdminScopes...); err != nil {
		return s, err
	}
	m := cfg.External
	if m == nil {
		if m, err = s.simulate(ctx, &cfg); err != nil {
			return s, err
		}
	}
	if err = s.join(&cfg, m); err != nil {
		return s, err
	}
	s.handler, err = s.gateway(&cfg)
	return s, err
}

// openDrivers takes the drivers that are given, or those of a laptop. The table's
// file is locked by one process: whoever held a lease in it is gone.
func (s *Stack) openDrivers(ctx context.Context, cfg *Config) (err error) {
	if cfg.Drivers != nil {
		s.Drivers = cfg.Drivers
		return nil
	}
	if s.Drivers, err = Laptop(cfg.Dir, cfg.Log); err != nil {
		return err
	}
	return breakLeases(ctx, store.New(s.Drivers.Table, store.Options{}))
}

// simulate opens the simulated Microsoft 365, with our application registered in it.
func (s *Stack) simulate(ctx context.Context, cfg *Config) (*Microsoft, error) {
	sim := cfg.Simulator
	if sim.URL == "" {
		sim.URL = "https://m365.invalid"
	}
	var err error
	if s.Sim, err = entratest.New(entratest.Options{BaseURL: sim.URL, Dir: sim.Dir, Hosts: cfg.Hosts}); err != nil {
		return nil, fmt.Errorf("the simulated Microsoft 365: %w", err)
	}
	secret, err := key(s.Drivers.Vault, clientSecretName)(ctx)
	if err != nil {
		return nil, err
	}
	m, err := Simulated(s.Sim, sim.URL, secret, cfg.PublicURL)
	if err != nil {
		return nil, err
	}
	switch {
	case sim.Served:
		m.Transport = nil
	case sim.Wrap != nil:
		m.Transport = sim.Wrap(m.Transport)
	}
	return &m, nil
}

// join wires the core as the functions' boot does, over the stack's drivers.
func (s *Stack) join(cfg *Config, m *Microsoft) (err error) {
	if s.events, err = ownfile.Open(filepath.Join(cfg.Dir, "events.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY); err != nil {
		return err
	}
	s.Notices = notify.NewLog(notify.LogConfig{Writer: s.events})
	p := Process{
		Drivers: *s.Drivers, Microsoft: *m, Notices: s.Notices, Log: cfg.Log, Look: cfg.Look, PublicURL: cfg.PublicURL,
		Key: func(name string) Key { return key(s.Drivers.Vault, name) },
	}
	if p.Files == nil {
		if s.uploads, err = upload.NewFolder(upload.FolderConfig{Path: filepath.Join(cfg.Dir, "uploads"), BaseURL: cfg.PublicURL, Key: p.Key("keys/uploads")}); err != nil {
			return err
		}
		p.Files = s.uploads
	}
	if p.Heads == nil {
		p.Heads = Heads(cfg.Dir)
	}
	s.Core, err = p.Start()
	return err
}

// Heads is the folder where the stack of a state folder keeps the heads of its chains.
func Heads(state string) audit.Keeper {
	return heads.NewFolder(heads.FolderConfig{Path: filepath.Join(state, "heads")})
}

// Seal is what the stack of a state folder seals its chains with, while the stack is
// closed.
func Seal(ctx context.Context, state string) (*signer.Local, error) {
	dir := filepath.Join(state, "vault")
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("%s is no state folder of a local stack: %w", state, err)
	}
	keys, err := vault.NewFolder(vault.FolderConfig{Path: dir})
	if err != nil {
		return nil, err
	}
	value, err := keys.Get(ctx, sealKeyName)
	if err != nil {
		return nil, err
	}
	return signer.NewLocal(signer.LocalConfig{Key: fixed(value)}), nil
}

// AdminToken is a bearer token with every scope of an admin.
func (s *Stack) AdminToken() string { return s.admin }

// Handler is the HTTP API with its gateway.
func (s *Stack) Handler() http.Handler { return s.handler }

// Client calls the API as an admin with every scope.
func (s *Stack) Client() *Client { return &Client{Handler: s.handler, Token: s.admin} }

// SignIn is an admin of a tenant with a browser, at a stack whose Microsoft 365 is
// simulated: from our start page to the page after the sign-in.
func (s *Stack) SignIn(ctx context.Context, authorizationURL, admin string) (status int, page string, err error) {
	return browser.Open(browser.Serve(s.handler)).SignIn(ctx, s.Sim.Transport(), authorizationURL, admin)
}

// Work runs queues and schedule until ctx ends.
func (s *Stack) Work(ctx context.Context) error {
	var group sync.WaitGroup
	call := func(what string, do Handle) Handle {
		return func(ctx context.Context, body []byte) error {
			ctx, cancel := context.WithTimeout(ctx, FunctionTime)
			defer cancel()
			err := do(ctx, body)
			if err != nil && ctx.Err() == nil {
				s.log.Error("function failed", "function", what, "error", err)
			}
			return err
		}
	}
	group.Go(func() {
		s.Drivers.Run(ctx, call("sync", s.Core.Work), call("load", s.Core.Load), call("sweep", s.Core.Sweep))
	})
	group.Go(func() {
		for ctx.Err() == nil {
			if err := s.Core.Tick(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("schedule failed", "error", err)
			}
			_ = clock.Sleep(ctx, TickEvery) // an error: the loop ends
		}
	})
	group.Wait()
	return nil
}

// Close closes what is open.
func (s *Stack) Close() error {
	var errs []error
	if s.Sim != nil {
		errs = append(errs, s.Sim.Close())
	}
	if s.Drivers != nil && s.Drivers.Close != nil {
		errs = append(errs, s.Drivers.Close())
	}
	if s.events != nil {
		errs = append(errs, s.events.Close())
	}
	return errors.Join(errs...)
}
