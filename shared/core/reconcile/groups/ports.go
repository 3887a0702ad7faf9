package groups

import (
	"context"
	"time"

	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Tenant is what the kinds ask of a tenant besides what the engine writes. Each answer
// is in its question's place.
type Tenant interface {
	Groups(ctx context.Context, ids []directory.TenantGroupID) ([]directory.Read[directory.TenantGroup], error)
	GroupsByUniqueName(ctx context.Context, names []string) ([]directory.Read[directory.TenantGroup], error)
	DeletedGroups(ctx context.Context, ids []directory.TenantGroupID) ([]directory.Read[directory.TenantGroup], error)
	// Members reads first pages, and MoreMembers the page that a link leads to.
	Members(ctx context.Context, groups []directory.TenantGroupID) ([]directory.Read[directory.MemberPage], error)
	MoreMembers(ctx context.Context, link string) (directory.MemberPage, error)
	// MemberOf reads the groups that accounts of users are direct members of, their first
	// pages, each in its place; no value: there is no such account.
	MemberOf(ctx context.Context, ids []directory.AccountID) ([]directory.Read[directory.MemberPage], error)
	// Lookup reads accounts by ID.
	Lookup(ctx context.Context, refs []string, selected []string) ([]directory.Found, error)
	// GroupDelta reads a page of changes from a link; GroupDeltaFromNow begins with
	// those to come, of at most MostStreamed groups, or of all.
	GroupDelta(ctx context.Context, groups []directory.TenantGroupID, link string) (directory.TenantGroupDelta, error)
	GroupDeltaFromNow(ctx context.Context, groups []directory.TenantGroupID) (directory.TenantGroupDelta, error)
}

// Source says how a connection exports groups.
type Source interface {
	// Exports returns those of some groups that the connection exports.
	Exports(ctx context.Context, c *directory.Connection, ids []directory.GroupID) (map[directory.GroupID]Export, error)
}

// Records are the bindings of groups, memberships and users.
type Records interface {
	BindingsOf(ctx context.Context, c directory.ConnectionID, refs []directory.Ref) (map[directory.Ref]directory.Binding, error)
	// ListBindingsUnder lists the bindings of a kind whose IDs begin with a text.
	ListBindingsUnder(ctx context.Context, kind directory.Kind, prefix string, c directory.ConnectionID, epoch int64, cursor string, limit int) ([]directory.Binding, string, error)
	Subjects(ctx context.Context, ids []directory.UserID) (map[directory.UserID]store.Subject, error)
}

// Owners say what of ours the objects of a tenant are.
type Owners interface {
	ObjectOwners(ctx context.Context, kind directory.Kind, c *directory.Connection, ids []directory.AccountID) (map[directory.AccountID]directory.Ref, error)
}

// Befores keep what tenant groups were before an export that has ended.
type Befores interface {
	BeforeImages(ctx context.Context, tenant directory.TenantID, accounts []directory.AccountID, refs []directory.Ref) (map[directory.AccountID]store.BeforeImage, error)
	// DeletedWithExport are the tenant groups that we made for groups, and deleted when
	// their export ended. None that others deleted is among them, nor one that has been an
	// export again since.
	DeletedWithExport(ctx context.Context, tenant directory.TenantID, refs []directory.Ref) (map[directory.Ref]directory.TenantGroupID, error)
}

// Marks ask for records to be looked at.
type Marks interface {
	MarkRecheck(ctx context.Context, l *store.Lease, refs []directory.Ref, at time.Time) error
}

// Journal notes on records what is about to be sent.
type Journal interface {
	Journal(ctx context.Context, l *store.Lease, c *directory.Connection, j store.Journal) error
}

// Directory is which groups somebody is in.
type Directory interface {
	GroupsByID(ctx context.Context, ids []directory.GroupID) (map[directory.GroupID]directory.Group, error)
	GroupsOf(ctx context.Context, m directory.MemberRef, after directory.GroupID, limit int) ([]directory.GroupID, directory.GroupID, error)
}

// Attribution tells who at Microsoft added or removed members of a tenant group since a
// time, as far as Microsoft's audit log says. An error means that it is not found out.
type Attribution func(ctx context.Context, c *directory.Connection, group directory.TenantGroupID, members []directory.AccountID, since time.Time) (map[directory.AccountID]directory.Actor, error)

// Config is what the kinds stand on. All but Attribution are needed.
type Config struct {
	Source      Source
	Records     Records
	Owners      Owners
	Befores     Befores
	Marks       Marks
	Journal     Journal
	Directory   Directory
	Attribution Attribution // nil: nobody asks
}

// Of returns the Config of a store.
func Of(s *store.Store, source Source) Config {
	return Config{Source: source, Records: s.Bindings, Befores: s.Bindings, Owners: s.Claims, Marks: s.Marks, Journal: s.Runs, Directory: s.Groups}
}

// Kinds are the kinds of tenant groups and of their members.
func Kinds(c Config) []reconcile.Kind {
	return []reconcile.Kind{&groupKind{c}, &memberKind{c}}
}
