package reconcile

import (
	"context"
	"iter"
	"time"

	"bindery/shared/core/protect"
	"bindery/shared/core/quota"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Reader reads accounts of one tenant. The properties of a delta item may be
// incomplete; those of a direct read are complete. A select list names flat
// properties; id, userType, onPremisesSyncEnabled, proxyAddresses, mail and
// createdDateTime come in any case.
type Reader interface {
	List(ctx context.Context, selected []string, link string) (directory.AccountPage, error)
	Delta(ctx context.Context, selected []string, link string) (directory.AccountPage, error)
	Lookup(ctx context.Context, refs []string, selected []string) ([]directory.Found, error)
	Search(ctx context.Context, addresses []string, selected []string) ([]directory.Found, error)
	// Externals finds the external accounts whose persons have addresses at home.
	Externals(ctx context.Context, addresses []string, selected []string) ([]directory.Found, error)
	Deleted(ctx context.Context, ids []directory.AccountID, selected []string) ([]directory.Found, error)
}

// DomainReader lists all domains of a tenant, verified or not.
type DomainReader interface {
	TenantDomains(ctx context.Context) ([]directory.TenantDomain, error)
}

// RoleReader lists the accounts that hold a directory role.
type RoleReader interface {
	RoleHolders(ctx context.Context) (directory.Privileged, error)
}

// HolderFinder finds who has addresses: users, groups and deleted users.
type HolderFinder interface {
	Holders(ctx context.Context, addresses []string) (directory.Holders, error)
}

// Attribution tells who changed properties of an account at Microsoft since a time, as
// far as Microsoft's audit log says. It does not wait for a quota: an error
// means that it is not found out now.
type Attribution func(ctx context.Context, c *directory.Connection, account directory.AccountID, properties []string, since time.Time) (map[string]directory.Actor, error)

// Tenant is one tenant's API.
type Tenant interface {
	Reader
	protect.Writer
	RoleReader
	HolderFinder
	DomainReader
}

// Open returns the API of a connection's tenant.
type Open func(ctx context.Context, c *directory.Connection) (Tenant, error)

// Send queues a wake-up.
type Send func(ctx context.Context, w directory.WakeUp, delay time.Duration) error

// Uses brings bindings, and records of kinds, up to date with what a connection does
// with groups of the directory, while the lease is the caller's.
type Uses interface {
	// Due reports whether there is anything to be brought up to date.
	Due(ctx context.Context, c *directory.Connection) (bool, error)
	// Selects reports whether something is due by which users may be selected who are let
	// go yet, since they have left another group.
	Selects(ctx context.Context, c *directory.Connection) (bool, error)
	// Expand does it, or a part of it: more says that it is to be called again. attend is
	// called between its parts, and an error of it ends it there. What is left stays due.
	Expand(ctx context.Context, l *store.Lease, c *directory.Connection, attend func(context.Context) error) (more bool, err error)
	// Anew makes all due, whatever was edited. It belongs to each full round.
	Anew(ctx context.Context, c *directory.Connection) error
}

// BatchSize is how many changes go into one request (Graph JSON batching).
const BatchSize = 20

// Stores is what the engine needs of package store, by concern.
type Stores struct {
	Leases      leaseStore
	Connections connectionStore
	Runs        runStore
	OpenRuns    openRunStore
	Chunks      chunkStore
	Journal     journalStore
	Marks       markStore
	Bindings    bindingStore
	Accounts    accountStore
	Standings   standingStore
	Counts      countStore
	Users       userStore
	Clients     scimClientStore
	Rounds      roundStore
	Seen        seenStore
	Quota       quota.App
	Protections protect.Store
	Calls       callCounter
}

// StoresOf are those of a store.
func StoresOf(s *store.Store) Stores {
	return Stores{
		Leases: s.Leases, Connections: s.Connections, Runs: s.Runs, OpenRuns: s.Runs, Chunks: s.Runs, Journal: s.Runs,
		Marks: s.Marks, Bindings: s.Bindings, Accounts: accountStores{s.Claims, s.Bindings, s.Users}, Standings: s.Bindings,
		Counts: s.Counters, Users: s.Users, Clients: s.ScimClients, Rounds: s.Leases, Seen: s.Runs, Quota: s.Quotas, Protections: s.Protection, Calls: s,
	}
}

// callCounter counts the calls of the table that the stores make.
type callCounter interface{ Calls() int64 }

// leaseStore is the right to work on a connection.
type leaseStore interface {
	AcquireLease(ctx context.Context, id directory.ConnectionID, holder string, ttl time.Duration) (store.Lease, directory.Connection, error)
	// TakeLease is AcquireLease for whoever has just looked at it by PeekLease.
	TakeLease(ctx context.Context, peeked *store.Lease, holder string, ttl time.Duration) (store.Lease, directory.Connection, error)
	RenewLease(ctx context.Context, l *store.Lease, ttl time.Duration) error
	ReleaseLease(ctx context.Context, l *store.Lease, end store.RunEnd, force bool) error
	// PeekLease reads it with its connection, and takes nothing.
	PeekLease(ctx context.Context, id directory.ConnectionID) (store.Lease, directory.Connection, error)
}

// connectionStore reads connections, and notes what was found of them without a
// lease.
type connectionStore interface {
	Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error)
	NoteDomains(ctx context.Context, read *directory.Connection, verified []directory.Domain) (directory.Connection, error)
}

// runStore is the records of runs.
type runStore interface {
	Run(ctx context.Context, id directory.RunID) (store.RunRecord, error)
	SaveRun(ctx context.Context, l *store.Lease, r *store.RunRecord, notes ...store.Note) error
	SubmitRun(ctx context.Context, l *store.Lease, r *store.RunRecord, notes ...store.Note) error
	Note(ctx context.Context, id directory.RunID, name string, v any) error
}

// openRunStore lists the runs that have not ended.
type openRunStore interface {
	OpenRunsUnder(ctx context.Context, l *store.Lease) ([]directory.RunID, error)
	RunsByID(ctx context.Context, ids []directory.RunID) (map[directory.RunID]store.RunRecord, error)
	CloseRun(ctx context.Context, l *store.Lease, id directory.RunID) error
}

// chunkStore is the changes of runs.
type chunkStore interface {
	AppendChunk(ctx context.Context, l *store.Lease, r *store.RunRecord, changes []directory.Change, notes ...store.Note) error
	// BeginRun stores a run with the whole of its plan, and renews the lease with it.
	BeginRun(ctx context.Context, l *store.Lease, r *store.RunRecord, changes []directory.Change, ttl time.Duration, notes ...store.Note) error
	Chunk(ctx context.Context, id directory.RunID, chunk int) ([]directory.Change, int, error)
	SealedChunk(ctx context.Context, id directory.RunID, chunk int) ([]directory.Change, int, store.SealState, error)
}

// journalStore records what became of changes, with what it means for bindings.
type journalStore interface {
	Journal(ctx context.Context, l *store.Lease, c *directory.Connection, j store.Journal) error
	JournalLate(ctx context.Context, j store.Journal) error
}

// markStore is the marks on bindings.
type markStore interface {
	ListMarks(ctx context.Context, c directory.ConnectionID, epoch int64, cursor string, limit int) ([]store.Mark, string, error)
	UrgentMarks(ctx context.Context, c directory.ConnectionID, epoch int64, cursor string, limit int) ([]store.Mark, string, error)
	MarkedSince(ctx context.Context, c directory.ConnectionID, epoch int64, since time.Time) iter.Seq2[[]store.Mark, error]
	MarkRecheck(ctx context.Context, l *store.Lease, refs []directory.Ref, at time.Time) error
}

// bindingStore is users with their bindings.
type bindingStore interface {
	Subjects(ctx context.Context, ids []directory.UserID) (map[directory.UserID]store.Subject, error)
	BindingsOf(ctx context.Context, c directory.ConnectionID, refs []directory.Ref) (map[directory.Ref]directory.Binding, error)
	ListBindings(ctx context.Context, kind directory.Kind, c directory.ConnectionID, epoch int64, cursor string, limit int) ([]directory.Binding, string, error)
	ListProblems(ctx context.Context, c directory.ConnectionID, epoch int64, code, cursor string, limit int) ([]store.ProblemRecord, string, error)
	Retract(ctx context.Context, act directory.AuditEvent, l *store.Lease, c *directory.Connection, b *directory.Binding) error
}

// accountStore is what is known of accounts: whose they are, and were.
type accountStore interface {
	accountOwners
	accountHistory
	accountImports
}

// accountStores is that of several aggregates.
type accountStores struct {
	accountOwners
	accountHistory
	accountImports
}

type accountOwners interface {
	AccountOwners(ctx context.Context, c *directory.Connection, ids []directory.AccountID) (map[directory.AccountID]directory.UserID, error)
}

type accountHistory interface {
	KnownAccounts(ctx context.Context, c *directory.Connection, users []*directory.User) (map[directory.UserID]directory.AccountRef, error)
	BeforeImages(ctx context.Context, tenant directory.TenantID, accounts []directory.AccountID, refs []directory.Ref) (map[directory.AccountID]store.BeforeImage, error)
}

type accountImports interface {
	ImportedUsers(ctx context.Context, tenant directory.TenantID, accounts []directory.AccountID) (map[directory.AccountID]directory.User, error)
}

// standingStore is what of bindings a round compares with.
type standingStore interface {
	BindingSummaries(ctx context.Context, l *store.Lease, refs []directory.Ref) (map[directory.Ref]store.BindingSummary, error)
	ListBindingSummaries(ctx context.Context, kind directory.Kind, l *store.Lease, cursor string, limit int, weak bool) ([]store.BindingSummary, string, error)
}

// countStore is what the guard counts by.
type countStore interface {
	AppliedSince(ctx context.Context, c directory.ConnectionID, since time.Time) (map[int64]map[string]int64, error)
	BoundAccounts(ctx context.Context, id directory.ConnectionID, epoch int64) (store.Accounts, error)
	CountAccounts(ctx context.Context, l *store.Lease, a store.Accounts, all, gained int) error
	BoundObjects(ctx context.Context, kind directory.Kind, id directory.ConnectionID, epoch int64) (bound, inTenant int, err error)
}

// scimClientStore says what admins call a client that pushes users.
type scimClientStore interface {
	ScimClient(ctx context.Context, id directory.ScimClientID) (directory.ScimClient, error)
}

// userStore is the users themselves.
type userStore interface {
	CountUsers(ctx context.Context) (int, error)
	ExpireUser(ctx context.Context, u *directory.User) error
}

// roundStore is where the reading of a tenant stands.
type roundStore interface {
	SaveLink(ctx context.Context, l *store.Lease, r store.ReadLink) error
	SaveKindLink(ctx context.Context, l *store.Lease, kind directory.Kind, k store.KindLink) error
	// RecordNoOp does it without a lease, when nothing was read.
	RecordNoOp(ctx context.Context, l store.Lease, link store.ReadLink, at time.Time) error
}

// seenStore is which accounts a round has read.
type seenStore interface {
	SaveSeen(ctx context.Context, id directory.RunID, n int, data []byte) error
	Seen(ctx context.Context, id directory.RunID) iter.Seq2[[]byte, error]
}
