package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"bindery/shared/boot"
	"bindery/shared/core/audit"
	"bindery/shared/core/connect"
	"bindery/shared/core/doctor"
	"bindery/shared/core/roster"
	"bindery/shared/directory"
	"bindery/shared/entra"
	"bindery/shared/entra/entratest"
	"bindery/shared/platform/heads"
	"bindery/shared/platform/notify"
	"bindery/shared/platform/ownfile"
	"bindery/shared/platform/queue"
	"bindery/shared/platform/signer"
	"bindery/shared/platform/upload"
	"bindery/shared/platform/vault"
	"bindery/shared/platform/workbook"
	"bindery/shared/store"
	"bindery/shared/table/bolt"
)

// The application's registration at the simulated Microsoft 365.
const simulatedClient = "b1de7e00-0000-4000-8000-000000000001"

// functionTime is how long one call of a function may take, as on AWS.
const functionTime = 3 * time.Minute

// tickEvery is shorter than the five minutes of AWS's schedule: after a crash a
// laptop's user is watching. When the tenant is read is the settings' matter.
const tickEvery = 10 * time.Second

// StackConfig says where the stack lives and which Microsoft 365 it talks to.
type StackConfig struct {
	Dir string
	Log *slog.Logger // nil: silent
	// PublicURL is the API's own address, for the redirect URI.
	PublicURL string
	// M365URL is where the simulated Microsoft 365 is served; empty: it is
	// called in process, without a port.
	M365URL string
	// Hosts are names besides localhost and those of the two addresses under
	// which requests over a listener may come.
	Hosts []string
	// External replaces the simulated one.
	External *settings
	// Look asks name servers about the mail of domains; nil: nobody does.
	Look func(ctx context.Context, domain string) *doctor.DNS
	// Drivers replace those of a laptop; nil: a bbolt file, an encrypted
	// folder and queues in memory.
	Drivers *Drivers
}

// Keeper is a vault.
type Keeper interface {
	Get(ctx context.Context, name string) (directory.Secret, error)
	Create(ctx context.Context, name string, value directory.Secret) error
	Put(ctx context.Context, name string, value directory.Secret) error
	Delete(ctx context.Context, name string) error
}

// Handle does what a message asks for.
type Handle func(ctx context.Context, body []byte) error

// Drivers are where the stack keeps things.
type Drivers struct {
	Table store.Table
	Vault Keeper
	Queue boot.Queue
	// Files are the uploaded files; nil: a folder, which the gateway serves.
	Files roster.Files
	// Heads keeps the heads of the chains; nil: a folder.
	Heads audit.Keeper
	// Run hands messages to the two handlers until ctx ends.
	Run   func(ctx context.Context, work, sweep Handle)
	Close func() error
}

// laptop opens the drivers that need nothing but a folder.
func laptop(dir string, log *slog.Logger) (*Drivers, error) {
	table, err := bolt.Open(filepath.Join(dir, "table.db"), time.Now())
	if err != nil {
		return nil, err
	}
	keys, err := vault.OpenFile(filepath.Join(dir, "vault"))
	if err != nil {
		return nil, errors.Join(err, table.Close())
	}
	q := queues{
		work:   &queue.Local{Retry: 2 * time.Second, Visibility: functionTime + time.Minute, Log: log},
		sweeps: &queue.Local{Retry: 5 * time.Second, Visibility: functionTime + time.Minute, Log: log},
	}
	return &Drivers{Table: table, Vault: keys, Queue: q, Run: q.run, Close: table.Close}, nil
}

// breakLeases frees what a process before us held when it was killed: the
// table's file is locked by one process, so that no holder can be alive.
func breakLeases(ctx context.Context, s *store.Store) error {
	cursor := ""
	for {
		list, next, err := s.ListConnections(ctx, cursor, 0)
		if err != nil {
			return err
		}
		for i := range list {
			if err := s.BreakLease(ctx, list[i].ID); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// Stack is the bundle in one process.
type Stack struct {
	Sim  *entratest.Server // nil with an external Microsoft 365
	Core *boot.Core

	// Notices are what the stack told its admins.
	Notices *notify.Log

	drivers *Drivers
	uploads *upload.Folder // nil when Drivers bring their own
	events  *os.File       // where the notices go
	tokens  *issuer
	admin   string
	handler http.Handler
	log     *slog.Logger
}

// OpenStack opens or makes the state in a folder and joins everything.
func OpenStack(ctx context.Context, cfg StackConfig) (_ *Stack, err error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
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
	if s.drivers = cfg.Drivers; s.drivers == nil {
		if s.drivers, err = laptop(cfg.Dir, cfg.Log); err != nil {
			return s, err
		}
	}
	if cfg.Drivers == nil {
		if err = breakLeases(ctx, store.New(s.drivers.Table, store.Options{})); err != nil {
			return s, err
		}
	}
	if s.tokens, err = openIssuer(cfg.Dir, time.Now); err != nil {
		return s, err
	}
	if err = s.tokens.writeTokens(cfg.Dir); err != nil {
		return s, err
	}
	if s.admin, err = s.tokens.issue("admin@local", adminScopes...); err != nil {
		return s, err
	}
	login, graph, err := s.microsoft(ctx, &cfg)
	if err != nil {
		return s, err
	}
	return s, s.join(cfg, login, graph)
}

// microsoft prepares the Microsoft 365 to talk to: what connect and entra are told.
func (s *Stack) microsoft(ctx context.Context, cfg *StackConfig) (connect.Config, entra.Config, error) {
	if cfg.PublicURL == "" {
		cfg.PublicURL = "https://bindery.invalid"
	}
	login := connect.Config{
		RedirectURL: cfg.PublicURL + "/oauth/callback", Log: cfg.Log,
		StateKey: key(s.drivers.Vault, "keys/state"),
	}
	graph := entra.Config{Log: cfg.Log}
	if x := cfg.External; x != nil {
		login.LoginBaseURL, login.ClientID = x.LoginBaseURL, x.ClientID
		login.ClientSecret = func(context.Context) (directory.Secret, error) { return x.ClientSecret, nil }
		graph.BaseURL = x.GraphBaseURL
		return login, graph, nil
	}
	secret := key(s.drivers.Vault, "keys/client-secret")
	base, dir := cfg.M365URL, filepath.Join(cfg.Dir, "m365")
	if base == "" {
		base, dir = "https://m365.invalid", ""
	}
	var err error
	if s.Sim, err = entratest.New(entratest.Options{BaseURL: base, Dir: dir, Hosts: cfg.Hosts}); err != nil {
		return login, graph, fmt.Errorf("the simulated Microsoft 365: %w", err)
	}
	value, err := secret(ctx)
	if err != nil {
		return login, graph, err
	}
	err = s.Sim.RegisterApp(entratest.App{
		ID: simulatedClient, Name: "Bindery", Secret: value.Reveal(), RedirectURIs: []string{login.RedirectURL}, MultiTenant: true,
	})
	login.LoginBaseURL, login.ClientID, login.ClientSecret = base, simulatedClient, secret
	graph.BaseURL = base + "/v1.0"
	if cfg.M365URL == "" {
		login.HTTP = &http.Client{Transport: s.Sim.Transport()}
		graph.Transport = s.Sim.Transport()
	}
	return login, graph, err
}

// join wires the core as the functions' boot does, over the local drivers.
func (s *Stack) join(cfg StackConfig, login connect.Config, graph entra.Config) error {
	g, err := entra.New(graph)
	if err != nil {
		return err
	}
	if s.events, err = ownfile.Open(filepath.Join(cfg.Dir, "events.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY); err != nil {
		return err
	}
	s.Notices = &notify.Log{Writer: s.events}
	passwords := key(s.drivers.Vault, "keys/password")
	files := s.drivers.Files
	if files == nil {
		if s.uploads, err = upload.OpenFolder(filepath.Join(cfg.Dir, "uploads"), cfg.PublicURL, key(s.drivers.Vault, "keys/uploads"), nil); err != nil {
			return err
		}
		files = s.uploads
	}
	keep := s.drivers.Heads
	if keep == nil {
		keep = heads.NewFolder(headsIn(cfg.Dir))
	}
	macs := signer.Local{Key: key(s.drivers.Vault, sealKeyName)}
	records := store.New(s.drivers.Table, store.Options{Sealer: signer.NewSessions(macs)})
	s.Core = boot.NewCore(boot.Parts{
		Store: records, Vault: s.drivers.Vault, Queue: s.drivers.Queue, Files: files, Connect: login,
		PasswordKey: passwords, ShowingKey: passwords, Log: cfg.Log,
		Seal: macs, Publish: s.Notices, Keep: keep,
		Tenant: func(ts connect.TokenSource) boot.Tenant { return g.Tenant(ts) }, Look: cfg.Look,
	})
	s.Core.Roster.OpenSheet = roster.Sheets(workbook.Open)
	s.handler, err = s.gateway(cfg)
	return err
}

// queues are the two queues by boot's names.
type queues struct{ work, sweeps *queue.Local }

func (q queues) Send(ctx context.Context, w directory.WakeUp, delay time.Duration) error {
	return q.work.Send(ctx, w.Encode(), delay)
}

func (q queues) SendAll(ctx context.Context, list []directory.WakeUp) error {
	messages := make([]queue.Message, len(list))
	for i, w := range list {
		messages[i].Body = w.Encode()
	}
	return q.work.SendMany(ctx, messages)
}

func (q queues) SendSweep(ctx context.Context, w directory.WakeUp, delay time.Duration) error {
	return q.sweeps.Send(ctx, w.Encode(), delay)
}

func (q queues) run(ctx context.Context, work, sweep Handle) {
	var group sync.WaitGroup
	group.Go(func() { q.work.Run(ctx, 4, work) })
	group.Go(func() { q.sweeps.Run(ctx, 1, sweep) })
	group.Wait()
}

// headsIn is where the heads of the chains are kept within a state folder.
func headsIn(state string) string { return filepath.Join(state, "heads") }

// sealKeyName is the key in the vault that the activity's chains are sealed with.
const sealKeyName = "keys/seal"

// fixed returns a function that returns a key.
func fixed(k directory.Secret) func(context.Context) (directory.Secret, error) {
	return func(context.Context) (directory.Secret, error) { return k, nil }
}

// key returns a function that reads a random key from the vault, made at its
// first use.
func key(keys Keeper, name string) func(context.Context) (directory.Secret, error) {
	var mu sync.Mutex
	return func(ctx context.Context) (directory.Secret, error) {
		mu.Lock()
		defer mu.Unlock()
		k, err := keys.Get(ctx, name)
		if errors.Is(err, vault.ErrNotFound) {
			k = directory.NewSecret(rand.Text() + rand.Text())
			if err = keys.Create(ctx, name, k); errors.Is(err, vault.ErrExists) {
				k, err = keys.Get(ctx, name) // another process was faster
			}
		}
		return k, err
	}
}

// AdminToken is a bearer token with every scope of an admin.
func (s *Stack) AdminToken() string { return s.admin }

// Handler is the HTTP API with its gateway.
func (s *Stack) Handler() http.Handler { return s.handler }

// Work runs queues and schedule until ctx ends.
func (s *Stack) Work(ctx context.Context) error {
	var group sync.WaitGroup
	call := func(what string, do Handle) Handle {
		return func(ctx context.Context, body []byte) error {
			ctx, cancel := context.WithTimeout(ctx, functionTime)
			defer cancel()
			err := do(ctx, body)
			if err != nil && ctx.Err() == nil {
				s.log.Error(what+" failed", "error", err)
			}
			return err
		}
	}
	group.Go(func() { s.drivers.Run(ctx, call("sync", s.Core.Work), call("sweep", s.Core.Sweep)) })
	group.Go(func() {
		t := time.NewTicker(tickEvery)
		defer t.Stop()
		for {
			if err := s.Core.Tick(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("schedule failed", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-t.C:
			}
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
	if s.drivers != nil {
		errs = append(errs, s.drivers.Close())
	}
	if s.events != nil {
		errs = append(errs, s.events.Close())
	}
	return errors.Join(errs...)
}
