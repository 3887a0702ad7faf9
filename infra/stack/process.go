package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"bindery/shared/boot/app"
	"bindery/shared/core/audit"
	"bindery/shared/core/connect"
	"bindery/shared/core/doctor"
	"bindery/shared/core/people"
	"bindery/shared/directory"
	"bindery/shared/entra"
	"bindery/shared/entra/entratest"
	"bindery/shared/platform/signer"
	"bindery/shared/platform/vault"
	"bindery/shared/platform/workbook"
	"bindery/shared/store"
)

// Process is one process of the bundle: all that a function joins to the
// drivers of AWS, joined to others. Processes of the same drivers are the same
// Bindery. What goes wrong between a process and the outside is a matter of the
// drivers and the transport that it is given.
type Process struct {
	Drivers
	Microsoft Microsoft
	// PublicURL is the API's own address: Microsoft sends people back to it.
	PublicURL string
	// Key finds the process's own keys, by name.
	Key func(name string) Key
	// Notices is told what admins should know.
	Notices audit.Publisher
	// Look asks name servers about the mail of domains; nil: nobody does.
	Look func(ctx context.Context, domain string) *doctor.DNS
	Now  func() time.Time // nil means time.Now
	Log  *slog.Logger     // nil: silent
}

// Key reads a key.
type Key func(ctx context.Context) (directory.Secret, error)

// OneKey is the only key that there is: a Process's Key where its keys need not be
// told apart.
func OneKey(k directory.Secret) func(name string) Key { return func(string) Key { return fixed(k) } }

// Names of the keys of a process.
const (
	sealKeyName      = "keys/seal"
	stateKeyName     = "keys/state"
	passwordKeyName  = "keys/password"
	clientSecretName = "keys/client-secret"
)

// Start joins the process to everything.
func (p Process) Start() (*app.Core, error) {
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	graph, err := entra.New(entra.Config{BaseURL: p.Microsoft.GraphBaseURL, Transport: p.Microsoft.Transport, Log: p.Log})
	if err != nil {
		return nil, err
	}
	login := connect.Config{
		LoginBaseURL: p.Microsoft.LoginBaseURL, ClientID: p.Microsoft.ClientID, ClientSecret: fixed(p.Microsoft.ClientSecret),
		RedirectURL: redirectURL(p.PublicURL), StateKey: p.Key(stateKeyName), Log: p.Log,
	}
	if p.Microsoft.Transport != nil {
		login.HTTP = &http.Client{Transport: p.Microsoft.Transport}
	}
	// Each process has a session of seals of its own, as each process of a function has.
	macs := signer.NewLocal(signer.LocalConfig{Key: p.Key(sealKeyName)})
	records := store.New(p.Table, store.Options{Now: p.Now, Sealer: signer.NewSessions(macs)})
	return app.NewCore(app.Parts{
		Store: records, Vault: p.Vault, Queue: p.Queue, Files: p.Files, OpenSheet: people.Sheets(workbook.Open), Connect: login,
		PasswordKey: p.Key(passwordKeyName), ShowingKey: p.Key(passwordKeyName),
		Signer: macs, Publisher: p.Notices, Heads: p.Heads,
		Tenant: func(ts connect.TokenSource) app.Tenant { return graph.Tenant(ts) },
		Look:   p.Look, Now: p.Now, Log: p.Log,
	}), nil
}

// Microsoft says where Microsoft 365 is, and who we are there.
type Microsoft struct {
	LoginBaseURL, GraphBaseURL string
	ClientID                   string
	ClientSecret               directory.Secret
	Transport                  http.RoundTripper // nil: over the network
}

// ClientID is that of our application at the simulated Microsoft 365.
const ClientID = "b1de7e00-0000-4000-8000-000000000001"

// Simulated registers our application at the simulated Microsoft 365 of an
// address, and returns how it is reached in process.
func Simulated(sim *entratest.Server, address string, secret directory.Secret, publicURL string) (Microsoft, error) {
	err := sim.RegisterApp(entratest.App{
		ID: ClientID, Name: "Bindery", Secret: secret.Reveal(), RedirectURIs: []string{redirectURL(publicURL)}, MultiTenant: true,
	})
	return Microsoft{
		LoginBaseURL: address, GraphBaseURL: address + "/v1.0", ClientID: ClientID, ClientSecret: secret, Transport: sim.Transport(),
	}, err
}

func redirectURL(publicURL string) string { return publicURL + "/oauth/callback" }

// fixed returns a function that returns a key.
func fixed(k directory.Secret) Key {
	return func(context.Context) (directory.Secret, error) { return k, nil }
}

// key returns a function that reads a random key from the vault, made at its
// first use.
func key(keys vault.Vault, name string) Key {
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
