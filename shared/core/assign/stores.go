package assign

import (
	"context"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Stores are the records that this package works on, by concern. Each of its types
// keeps those that it uses.
type Stores struct {
	Connections connections
	Bindings    bindingStore
	Subjects    subjectReader
	Selections  selectionLister
	Uses        useReader
	Moves       moveStore
	Users       userFinder
	AllUsers    userLister
	Expiry      userExpiry
	Owners      accountOwners
	Groups      groupFinder
	Objects     objectOwners
}

// StoresOf are those of a store.
func StoresOf(s *store.Store) Stores {
	return Stores{Connections: s.Connections, Bindings: s.Bindings, Subjects: s.Bindings, Selections: s.Bindings, Uses: s.Uses, Moves: s.Bindings,
		Users: s.Users, AllUsers: s.Users, Expiry: s.Users, Owners: s.Claims, Groups: s.Groups, Objects: s.Claims}
}

// connections reads connections; directory.ErrNotFound.
type connections interface {
	Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error)
}

// bindingStore makes, reads, edits and ends bindings.
type bindingStore interface {
	Bind(ctx context.Context, act directory.AuditEvent, c *directory.Connection, by string, list []store.Selection) error
	Binding(ctx context.Context, u directory.UserID) (directory.Binding, error)
	UpdateBinding(ctx context.Context, act directory.AuditEvent, b *directory.Binding, mark, urgent bool) error
	Retract(ctx context.Context, act directory.AuditEvent, l *store.Lease, c *directory.Connection, b *directory.Binding) error
}

// subjectReader reads users with their bindings, and what is kept of them besides.
type subjectReader interface {
	Subjects(ctx context.Context, ids []directory.UserID) (map[directory.UserID]store.Subject, error)
	BindingsOf(ctx context.Context, c directory.ConnectionID, refs []directory.Ref) (map[directory.Ref]directory.Binding, error)
}

// selectionLister lists who is bound in an epoch, and who was before.
type selectionLister interface {
	ListBindings(ctx context.Context, kind directory.Kind, c directory.ConnectionID, epoch int64, cursor string, limit int) ([]directory.Binding, string, error)
	Former(ctx context.Context, c directory.ConnectionID, cursor string, limit int) ([]directory.Former, string, error)
}

// useReader reads what a connection does with groups.
type useReader interface {
	UsesAmong(ctx context.Context, c *directory.Connection, ids []directory.GroupID) (map[directory.GroupID]directory.GroupUse, error)
}

// moveStore moves bindings to another connection.
type moveStore interface {
	MoveNow(ctx context.Context, act directory.AuditEvent, from, to *directory.Connection, old, u *directory.User, b *directory.Binding, by string) error
	MoveAfter(ctx context.Context, act directory.AuditEvent, old, u *directory.User, b *directory.Binding) error
	TakeMoveBack(ctx context.Context, act directory.AuditEvent, old, u *directory.User, b *directory.Binding) error
}

// userFinder says who of the directory an account may be.
type userFinder interface {
	UsersByID(ctx context.Context, ids []directory.UserID) (map[directory.UserID]directory.User, error)
	ImportedUsers(ctx context.Context, tenant directory.TenantID, accounts []directory.AccountID) (map[directory.AccountID]directory.User, error)
	UserIDsByEmail(ctx context.Context, addresses []string) (map[string]directory.UserID, error)
}

type userLister interface {
	ListUsers(ctx context.Context, cursor string, limit int, keep func(*directory.User) bool) (store.UserPage, error)
}

// userExpiry dates a deleted user that nothing is left to be done for.
type userExpiry interface {
	User(ctx context.Context, id directory.UserID) (directory.User, error)
	ExpireUser(ctx context.Context, u *directory.User) error
}

// accountOwners says to whom accounts are bound.
type accountOwners interface {
	AccountOwners(ctx context.Context, c *directory.Connection, ids []directory.AccountID) (map[directory.AccountID]directory.UserID, error)
}

// groupFinder says which group of the directory a group of a tenant may be.
type groupFinder interface {
	GroupsByID(ctx context.Context, ids []directory.GroupID) (map[directory.GroupID]directory.Group, error)
	GroupIDsByName(ctx context.Context, names []string) (map[string]directory.GroupID, error)
}

// objectOwners says to what of ours objects of a tenant are bound.
type objectOwners interface {
	ObjectOwners(ctx context.Context, kind directory.Kind, c *directory.Connection, ids []directory.AccountID) (map[directory.AccountID]directory.Ref, error)
}
