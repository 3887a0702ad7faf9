package people

import (
	"context"
	"iter"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Stores are the records that this package works on, by concern. Each of its types
// keeps those that it uses.
type Stores struct {
	Read         userReader
	Find         userFinder
	Write        userWriter
	Groups       groupStore
	Documents    documentStore
	Pushed       pushedWriter
	PushedGroups pushedGroupWriter
	Addresses    addressForms
	Connections  connectionReader
	Bindings     bindingLister
	Owners       owners
	Pages        pageStore
	Photos       photoRecords
	PhotosDue    photosDue
	PhotoPlans   photoPlans
}

// StoresOf are those of a store.
func StoresOf(s *store.Store) Stores {
	return Stores{Read: s.Users, Find: s.Users, Write: s.Users, Groups: s.Groups, Documents: s.Documents, Pushed: s.Users, PushedGroups: s.Groups, Addresses: s.Users, Connections: s.Connections, Bindings: s.Bindings,
		Owners: s.Claims, Pages: s.Jobs, Photos: s.Photos, PhotosDue: s.Photos, PhotoPlans: s.Photos}
}

// userReader reads users.
type userReader interface {
	User(ctx context.Context, id directory.UserID) (directory.User, error)
	UsersByID(ctx context.Context, ids []directory.UserID) (map[directory.UserID]directory.User, error)
	CountUsers(ctx context.Context) (int, error)
	ListUsers(ctx context.Context, cursor string, limit int, keep func(*directory.User) bool) (store.UserPage, error)
	ListDeletedUsers(ctx context.Context, cursor string, limit int, keep func(*directory.User) bool) (store.UserPage, error)
	UserIDsByEmail(ctx context.Context, addresses []string) (map[string]directory.UserID, error)
}

// userFinder finds the users that the lines of a file are about.
type userFinder interface {
	UsersByID(ctx context.Context, ids []directory.UserID) (map[directory.UserID]directory.User, error)
	UserIDsByEmail(ctx context.Context, addresses []string) (map[string]directory.UserID, error)
	ImportedUsers(ctx context.Context, tenant directory.TenantID, accounts []directory.AccountID) (map[directory.AccountID]directory.User, error)
	UserIDsByName(ctx context.Context, names []string) (map[string]directory.UserID, error)
}

// userWriter writes users.
type userWriter interface {
	CreateUsers(ctx context.Context, act directory.AuditEvent, users ...*directory.User) error
	UpdateUser(ctx context.Context, act directory.AuditEvent, old, u *directory.User) (directory.ConnectionID, error)
	UserToEdit(ctx context.Context, id directory.UserID) (store.Subject, error)
	UpdateRead(ctx context.Context, act directory.AuditEvent, old *store.Subject, u *directory.User) (directory.ConnectionID, error)
}

// groupStore reads and writes groups and their members.
type groupStore interface {
	Group(ctx context.Context, id directory.GroupID) (directory.Group, error)
	GroupsByID(ctx context.Context, ids []directory.GroupID) (map[directory.GroupID]directory.Group, error)
	GroupIDsByName(ctx context.Context, names []string) (map[string]directory.GroupID, error)
	ListGroups(ctx context.Context, cursor string, limit int, keep func(*directory.Group) bool) (store.GroupPage, error)
	ImportedGroups(ctx context.Context, tenant directory.TenantID, ids []directory.TenantGroupID) (map[directory.TenantGroupID]directory.Group, error)
	CreateGroups(ctx context.Context, act directory.AuditEvent, groups ...*directory.Group) error
	UpdateGroup(ctx context.Context, act directory.AuditEvent, old, g *directory.Group) (told bool, err error)
	Members(ctx context.Context, q store.MembersQuery) ([]directory.Membership, directory.MemberRef, error)
	MembershipsAmong(ctx context.Context, g directory.GroupID, members []directory.MemberRef) (map[directory.MemberRef]directory.Membership, error)
	GroupsOf(ctx context.Context, m directory.MemberRef, after directory.GroupID, limit int) ([]directory.GroupID, directory.GroupID, error)
	ChangeMembers(ctx context.Context, act directory.AuditEvent, g *directory.Group, c store.MemberChange) (told bool, err error)
	Changed(ctx context.Context, limit int) ([]directory.MemberRef, error)
	TellUsers(ctx context.Context, m directory.MemberRef) ([]directory.ConnectionID, error)
	PurgeMembers(ctx context.Context) (none bool, err error)
	CountGroups(ctx context.Context) (n int, known bool, err error)
	CountUncounted(ctx context.Context) (none bool, err error)
}

// addressForms brings stored addresses to the present form.
type addressForms interface {
	AddressFormsSince(ctx context.Context) (time.Time, error)
	RenewAddressForms(ctx context.Context, cursor string) (twins []directory.User, next string, err error)
}

type connectionReader interface {
	Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error)
}

type bindingLister interface {
	ListBindings(ctx context.Context, kind directory.Kind, c directory.ConnectionID, epoch int64, cursor string, limit int) ([]directory.Binding, string, error)
}

// pageStore remembers which accounts an import has dealt with.
type pageStore interface {
	SavePage(ctx context.Context, id directory.JobID, n int, data []byte) error
	Pages(ctx context.Context, id directory.JobID, n int) iter.Seq2[[]byte, error]
}

type photoRecords interface {
	Photo(ctx context.Context, u directory.UserID) (directory.Photo, error)
	SavePhoto(ctx context.Context, epoch int64, p *directory.Photo) error
}

// photosDue are the pictures that an import made due.
type photosDue interface {
	AddPhotosDue(ctx context.Context, c directory.ConnectionID, epoch int64, list []store.PhotoDue) error
	PhotosDue(ctx context.Context, c directory.ConnectionID, epoch int64, limit int) ([]store.PhotoDue, error)
	RemovePhotosDue(ctx context.Context, c directory.ConnectionID, epoch int64, list []store.PhotoDue) error
}

// photoPlans say until which day pictures were read, and by which job.
type photoPlans interface {
	PhotoPlan(ctx context.Context, c directory.ConnectionID) (store.PhotoPlan, error)
	SavePhotoPlan(ctx context.Context, c directory.ConnectionID, p *store.PhotoPlan) error
}

// owners says to what of ours objects of a tenant are bound.
type owners interface {
	AccountOwners(ctx context.Context, c *directory.Connection, ids []directory.AccountID) (map[directory.AccountID]directory.UserID, error)
	ObjectOwners(ctx context.Context, kind directory.Kind, c *directory.Connection, ids []directory.AccountID) (map[directory.AccountID]directory.Ref, error)
}
