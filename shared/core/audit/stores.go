package audit

import (
	"context"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// ChainStores are the records that chains are made of and kept in, by concern.
type ChainStores struct {
	Heads       headStore
	Links       linkStore
	Leaves      leafStore
	Pending     pendingStore
	Runs        runReader
	Journals    journalReader
	AuditEvents auditEventReader
	Listing     activityLister
	Connections connectionLister
}

// ChainStoresOf are those of a store.
func ChainStoresOf(s *store.Store) ChainStores {
	return ChainStores{Heads: s.Chains, Links: s.Chains, Leaves: s.Chains, Pending: s.Chains, Runs: s.Runs, Journals: s.Runs,
		AuditEvents: s.Audit, Listing: s.Audit, Connections: s.Connections}
}

// VerifyStores are the records that a Verifier holds the chains against.
type VerifyStores struct {
	Links       linkLister
	Pending     pendingReader
	Runs        runLister
	Connections connectionReader
}

// VerifyStoresOf are those of a store.
func VerifyStoresOf(s *store.Store) VerifyStores {
	return VerifyStores{Links: s.Chains, Pending: s.Chains, Runs: s.Runs, Connections: s.Connections}
}

// WatchStores are the records that a Watch looks at, and what it has told.
type WatchStores struct {
	Notifications notificationStore
	Runs          runReader
	Counts        countReader
	Connections   connectionLister
	Days          dayReader
	Clients       clientReader
}

// clientReader reads the clients of SCIM with their tokens.
type clientReader interface {
	ListScimClients(ctx context.Context, after directory.ScimClientID, limit int) ([]directory.ScimClient, directory.ScimClientID, error)
	ScimTokens(ctx context.Context, c directory.ScimClientID) ([]directory.ScimToken, error)
}

// WatchStoresOf are those of a store.
func WatchStoresOf(s *store.Store) WatchStores {
	return WatchStores{Notifications: s.Notifications, Runs: s.Runs, Counts: s.Counters, Connections: s.Connections, Days: s.Audit, Clients: s.ScimClients}
}

// ReportStores are the records that a Report lists.
type ReportStores struct {
	Listing activityLister
	Runs    plannedReader
}

// ReportStoresOf are those of a store.
func ReportStoresOf(s *store.Store) ReportStores {
	return ReportStores{Listing: s.Audit, Runs: s.Runs}
}

// SummaryStores are the records that a Summary counts.
type SummaryStores struct {
	Connections connectionReader
	All         connectionLister
	Days        dayReader
}

// SummaryStoresOf are those of a store.
func SummaryStoresOf(s *store.Store) SummaryStores {
	return SummaryStores{Connections: s.Connections, All: s.Connections, Days: s.Audit}
}

// AuditStores are the records that an Audit holds against Microsoft's log, and the
// pace at which it may read that.
type AuditStores struct {
	Reports     ReportStores
	Connections connectionReader
	Pace        reportPace
}

// AuditStoresOf are those of a store.
func AuditStoresOf(s *store.Store) AuditStores {
	return AuditStores{Reports: ReportStoresOf(s), Connections: s.Connections, Pace: s.Quotas}
}

// headStore is where each chain ends, and what is known of that.
type headStore interface {
	Head(ctx context.Context, chain string) (store.Head, error)
	Heads(ctx context.Context) ([]store.Head, error)
	PassHours(ctx context.Context, h store.Head, through int64) error
	HeadPublished(ctx context.Context, chain string, seq int64) error
}

// linkStore is the links of chains, one by one.
type linkStore interface {
	AddLink(ctx context.Context, h store.Head, l *directory.ChainLink, mark *store.PendingLink) error
	Link(ctx context.Context, chain string, seq int64) (directory.ChainLink, error)
	LinksBefore(ctx context.Context, chain string, before int64, limit int) ([]directory.ChainLink, error)
	LinkOf(ctx context.Context, chain, subject string) (int64, error)
}

// linkLister reads links of chains in their order.
type linkLister interface {
	Links(ctx context.Context, chain string, after int64, limit int) ([]directory.ChainLink, error)
	LinksAt(ctx context.Context, chain string, seqs []int64) (map[int64]directory.ChainLink, error)
}

// leafStore is the leaves of links.
type leafStore interface {
	PutLeaves(ctx context.Context, st *directory.ChainStatement, leaves []directory.ChainLeaf) error
	Leaves(ctx context.Context, l *directory.ChainLink) ([]directory.ChainLeaf, error)
}

// pendingStore is the runs that have ended and are not linked.
type pendingStore interface {
	PendingLinks(ctx context.Context, c directory.ConnectionID, after *store.PendingLink, limit int) ([]store.PendingLink, error)
	IsPending(ctx context.Context, u *store.PendingLink) (bool, error)
	DropPendingLink(ctx context.Context, u *store.PendingLink) error
}

// pendingReader tells whether a run waits for its link.
type pendingReader interface {
	PendingLinkOf(ctx context.Context, c directory.ConnectionID, r directory.RunID) (*store.PendingLink, error)
}

// runReader reads runs, and which have not ended.
type runReader interface {
	Run(ctx context.Context, id directory.RunID) (store.RunRecord, error)
	OpenRuns(ctx context.Context, c directory.ConnectionID) ([]directory.RunID, error)
}

// runLister lists the runs of a connection, and tells whether one is listed.
type runLister interface {
	ListRuns(ctx context.Context, c directory.ConnectionID, cursor string, limit int) ([]store.RunRecord, string, error)
	RunListed(ctx context.Context, id directory.RunID) (bool, error)
}

// plannedReader reads runs and what they planned.
type plannedReader interface {
	Run(ctx context.Context, id directory.RunID) (store.RunRecord, error)
	PlannedChunk(ctx context.Context, id directory.RunID, chunk int) ([]directory.Change, error)
}

// journalReader reads what the digest of a run is made of, and its seals.
type journalReader interface {
	RunJournal(ctx context.Context, id directory.RunID, each func(*store.RunRecord, *store.ChunkItems) error) (store.RunRecord, time.Time, error)
	RunState(ctx context.Context, r *store.RunRecord) (store.SealState, error)
	ChunkState(ctx context.Context, c *store.ChunkItems, results int) (store.SealState, error)
}

// auditEventReader reads what the digest of an hour is made of, and its seals.
type auditEventReader interface {
	AuditEvents(ctx context.Context, hour int64) ([]store.AuditRecord, error)
	AuditState(ctx context.Context, a *store.AuditRecord) (store.SealState, error)
}

// activityLister lists the records that entries are made of.
type activityLister interface {
	Activity(ctx context.Context, q store.ActivityQuery) ([]store.ActivityRecord, string, error)
}

// dayReader reads the counts of days.
type dayReader interface {
	Days(ctx context.Context, c directory.ConnectionID, since, until time.Time) ([]store.DayCounts, error)
}

// countReader reads how many are bound.
type countReader interface {
	BoundCount(ctx context.Context, id directory.ConnectionID, epoch int64) (int, error)
}

// notificationStore is what was told of a connection; of all of them under "".
type notificationStore interface {
	NotificationState(ctx context.Context, c directory.ConnectionID) (store.NotificationState, error)
	SaveNotificationState(ctx context.Context, c directory.ConnectionID, t *store.NotificationState) error
}

// connectionReader reads a connection.
type connectionReader interface {
	Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error)
}

// connectionLister lists connections, a page at a time.
type connectionLister interface {
	ListConnections(ctx context.Context, cursor string, limit int) ([]directory.Connection, string, error)
}

// reportPace says how long to wait for a call of Microsoft's reports.
type reportPace interface {
	TakeReport(ctx context.Context, tenant directory.TenantID) (time.Duration, error)
}
