package store

import (
	"context"
	"time"

	"bindery/shared/table"
)

// Table is what the store needs of a table; package table has the contract.
type Table interface {
	Get(ctx context.Context, key table.Key) (table.Item, error)
	GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error)
	Query(ctx context.Context, q table.Query) (table.Page, error)
	Write(ctx context.Context, writes ...table.Write) error
}

// Store has all records of a table, by aggregate. Whoever uses records takes the
// aggregates that it needs, as interfaces of the few methods that it calls.
type Store struct {
	Users         *Users
	Groups        *Groups
	Documents     *Documents
	ScimClients   *ScimClients
	Uses          *Uses
	Bindings      *Bindings
	Marks         *Marks
	Counters      *Counters
	Claims        *Claims
	Connections   *Connections
	SignIns       *SignIns
	Sessions      *Sessions
	Leases        *Leases
	Protection    *Protection
	Runs          *Runs
	Jobs          *Jobs
	Audit         *Audit
	Chains        *Chains
	Photos        *Photos
	Quotas        *Quotas
	Notifications *Notifications
	Schedule      *Schedule
}

// Options say what a store is besides its table.
type Options struct {
	Now func() time.Time // nil means time.Now
	// Retention is how long runs, changes, jobs and what was done are kept; 0
	// means DefaultRetention.
	Retention time.Duration
	// Sealer seals what history is made of; nil, in tests, leaves it unsealed.
	Sealer Sealer
}

// DefaultRetention is how long history is kept unless Options say otherwise.
const DefaultRetention = 400 * 24 * time.Hour

// New returns the store over a table.
func New(t Table, o Options) *Store {
	d := &db{now: o.Now, sealer: o.Sealer, retention: o.Retention}
	if d.now == nil {
		d.now = time.Now
	}
	if d.retention <= 0 {
		d.retention = DefaultRetention
	}
	d.table = sealing{counting{t, &d.calls}, d}
	return &Store{
		Users: &Users{d}, Groups: &Groups{d}, Documents: &Documents{d}, ScimClients: &ScimClients{d}, Uses: &Uses{d}, Bindings: &Bindings{d}, Marks: &Marks{d}, Counters: &Counters{d}, Claims: &Claims{d},
		Connections: &Connections{d}, SignIns: &SignIns{d}, Sessions: &Sessions{d}, Leases: &Leases{d}, Protection: &Protection{d},
		Runs: &Runs{d}, Jobs: &Jobs{d}, Audit: &Audit{d}, Chains: &Chains{d}, Photos: &Photos{d}, Quotas: &Quotas{d},
		Notifications: &Notifications{d}, Schedule: &Schedule{d},
	}
}
