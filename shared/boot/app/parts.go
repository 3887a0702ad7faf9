package app

import (
	"context"
	"log/slog"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/core/audit"
	"bindery/shared/core/connect"
	"bindery/shared/core/doctor"
	"bindery/shared/core/jobs"
	"bindery/shared/core/people"
	"bindery/shared/core/reconcile"
	"bindery/shared/core/seats"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Tenant is what the core asks of one tenant's API.
type Tenant interface {
	reconcile.Tenant
	assign.Tenant
	assign.GroupTenant
	seats.Tenant
	people.PhotoReader
	people.ManagerReader
	connect.Graph
	audit.AuditTenant
	doctor.Tenant
}

// Queue carries wake-ups.
type Queue interface {
	// Send queues a wake-up for sync.
	Send(ctx context.Context, w directory.WakeUp, delay time.Duration) error
	// SendAll queues wake-ups for sync, without delay. On an error some may have
	// been queued.
	SendAll(ctx context.Context, list []directory.WakeUp) error
	// SendLoad queues a wake-up for load.
	SendLoad(ctx context.Context, w directory.WakeUp, delay time.Duration) error
	// SendSweep queues a wake-up for deactivate.
	SendSweep(ctx context.Context, w directory.WakeUp, delay time.Duration) error
}

// Parts are the drivers that a core is joined to: those of AWS in a function,
// others on a laptop.
type Parts struct {
	Store *store.Store
	// Retention is how long history is kept; 0 means store.DefaultRetention.
	Retention time.Duration
	Vault     connect.Vault
	Queue     Queue
	Connect   connect.Config
	// PasswordKey is the key that temporary passwords are derived with; ShowingKey
	// reads it as it is now, for one that is to be shown. nil in a function that has
	// nothing to do with them.
	PasswordKey func(ctx context.Context) (directory.Secret, error)
	ShowingKey  func(ctx context.Context) (directory.Secret, error)
	// Files are the uploaded files, and OpenSheet reads workbooks; nil in a function
	// that has nothing to do with them.
	Files     jobs.Files
	OpenSheet people.OpenSheet
	// ClientSecret is the Entra app's, of which the schedule tells when it ends;
	// nil: nobody looks.
	ClientSecret *connect.ClientSecret
	// Signer and Publisher are of those functions that link and tell what was done;
	// nil in the others.
	Signer    audit.Signer
	Publisher audit.Publisher
	// Heads keeps the heads of the chains outside of the table; nil: nobody does.
	Heads audit.Keeper
	// Tenant opens a tenant's API; nil in a function that never reaches Graph.
	Tenant func(ts connect.TokenSource) Tenant
	// Look asks name servers about a domain's mail; nil: nobody does.
	Look func(ctx context.Context, domain string) *doctor.DNS
	Now  func() time.Time // nil means time.Now
	Log  *slog.Logger
}
