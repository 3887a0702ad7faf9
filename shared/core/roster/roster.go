package roster

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"bindery/shared/core/recall"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Caller is who asks. Source comes from the caller's scope, never from a body.
type Caller struct {
	Subject string
	Source  directory.Source // "" means manual
}

func (c Caller) source() directory.Source {
	if c.Source == "" {
		return directory.SourceManual
	}
	return c.Source
}

// Tenant reads the accounts of one tenant. A list of properties names flat
// ones; id, userType, onPremisesSyncEnabled and mail come in any case.
type Tenant interface {
	List(ctx context.Context, selected []string, link string) (directory.AccountPage, error)
	Lookup(ctx context.Context, refs []string, selected []string) ([]directory.Found, error)
	RoleHolders(ctx context.Context) (directory.Privileged, error)
}

// RunRequest asks for a run of the engine.
type RunRequest struct {
	Kind    directory.RunKind // "" means sync
	DryRun  bool
	UserIDs []directory.UserID
	Trigger directory.Trigger
	By      string
}

// Store is what the roster needs of package store, by concern.
type Store interface {
	userStore
	bindingStore
	jobStore
	photoStore
	Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error)
}

type userStore interface {
	CreateUsers(ctx context.Context, act directory.Act, users ...*directory.User) error
	User(ctx context.Context, id directory.UserID) (directory.User, error)
	UsersByID(ctx context.Context, ids []directory.UserID) (map[directory.UserID]directory.User, error)
	ImportedUsers(ctx context.Context, tenant directory.TenantID, accounts []directory.AccountID) (map[directory.AccountID]directory.User, error)
	UserIDsByEmail(ctx context.Context, addresses []string) (map[string]directory.UserID, error)
	UserIDsByName(ctx context.Context, names []string) (map[string]directory.UserID, error)
	UpdateUser(ctx context.Context, act directory.Act, old, u *directory.User) (directory.ConnectionID, error)
	ListUsers(ctx context.Context, cursor string, limit int, keep func(*directory.User) bool) (store.UserPage, error)
	ExpireUser(ctx context.Context, u *directory.User) error
	AddressFormsSince(ctx context.Context) (time.Time, error)
	RenewAddressForms(ctx context.Context, cursor string) (twins []directory.User, next string, err error)
}

type bindingStore interface {
	Binding(ctx context.Context, u directory.UserID) (directory.Binding, error)
	Subjects(ctx context.Context, ids []directory.UserID) (map[directory.UserID]store.Subject, error)
	Bind(ctx context.Context, act directory.Act, c *directory.Connection, by string, list []store.Selection) error
	Retract(ctx context.Context, act directory.Act, l *store.Lease, c *directory.Connection, b *directory.Binding) error
	UpdateBinding(ctx context.Context, act directory.Act, b *directory.Binding, mark, urgent bool) error
	MoveNow(ctx context.Context, act directory.Act, from, to *directory.Connection, old, u *directory.User, b *directory.Binding, by string) error
	MoveAfter(ctx context.Context, act directory.Act, old, u *directory.User, b *directory.Binding) error
	TakeMoveBack(ctx context.Context, act directory.Act, old, u *directory.User, b *directory.Binding) error
	ListBindings(ctx context.Context, kind directory.Kind, c directory.ConnectionID, epoch int64, cursor string, limit int) ([]directory.Binding, string, error)
	Former(ctx context.Context, c directory.ConnectionID, cursor string, limit int) ([]directory.Former, string, error)
	AccountOwners(ctx context.Context, c *directory.Connection, ids []directory.AccountID) (map[directory.AccountID]directory.UserID, error)
}

type jobStore interface {
	CreateJob(ctx context.Context, act directory.Act, j *store.JobRecord, inputs ...[]byte) error
	CreateUpload(ctx context.Context, act directory.Act, u *directory.Upload) error
	Upload(ctx context.Context, id directory.UploadID) (directory.Upload, error)
	CreateLoad(ctx context.Context, act directory.Act, j *store.JobRecord, id directory.UploadID) error
	Job(ctx context.Context, id directory.JobID) (store.JobRecord, error)
	JobInput(ctx context.Context, j *store.JobRecord, n int) ([]byte, error)
	AddJobInput(ctx context.Context, l store.JobLease, j *store.JobRecord, n int, part []byte, ttl time.Duration) error
	AcquireJob(ctx context.Context, id directory.JobID, ttl time.Duration) (store.JobLease, store.JobRecord, error)
	SaveJob(ctx context.Context, l store.JobLease, j *store.JobRecord, refused []directory.RefusedItem, ttl time.Duration) error
	Refused(ctx context.Context, id directory.JobID, cursor string) ([]directory.RefusedItem, string, error)
	SavePage(ctx context.Context, id directory.JobID, n int, data []byte) error
	Pages(ctx context.Context, id directory.JobID, n int, each func([]byte)) error
}

// Service does what admins and sources ask of the directory. Its methods may
// be called by many goroutines.
type Service struct {
	Store Store
	// Open returns the reader of a connection's tenant.
	Open func(ctx context.Context, c *directory.Connection) (Tenant, error)
	// OpenPhotos returns the reader of a tenant's pictures.
	OpenPhotos func(ctx context.Context, c *directory.Connection) (PhotoReader, error)
	// PhotoPause lies between two requests for pictures; 0 means 200 ms,
	// negative none.
	PhotoPause time.Duration
	// Files are the uploaded files; nil in a process that has nothing to do with
	// them.
	Files Files
	// OpenSheet reads workbooks; nil in a process that reads no files.
	OpenSheet OpenSheet
	// StartRun asks the engine for a run.
	StartRun func(ctx context.Context, c *directory.Connection, req RunRequest) (directory.Run, error)
	// Wake asks for a slice of a connection, WakeJob for one of a job. The
	// work stands in the table: a failing wake-up is logged and no error.
	Wake    func(ctx context.Context, id directory.ConnectionID) error
	WakeJob func(ctx context.Context, id directory.ConnectionID, job directory.JobID) error
	Now     func() time.Time // nil means time.Now
	Log     *slog.Logger     // nil means slog.Default

	once    sync.Once // sets what is remembered up
	holders recall.Memory[directory.ConnectionID, map[string]bool]
}

func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Service) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}

func (s *Service) wake(ctx context.Context, id directory.ConnectionID) {
	if id == "" || s.Wake == nil {
		return
	}
	if err := s.Wake(ctx, id); err != nil {
		s.log().Warn("wake-up not sent; the schedule makes up for it", "connection", id, "error", err)
	}
}

func (s *Service) wakeJob(ctx context.Context, j *store.JobRecord) {
	if s.WakeJob == nil {
		return
	}
	if err := s.WakeJob(ctx, j.ConnectionID, j.ID); err != nil {
		s.log().Warn("wake-up not sent; the schedule makes up for it", "job", j.ID, "error", err)
	}
}

// working reads a connection through which users can be bound.
func (s *Service) working(ctx context.Context, id directory.ConnectionID) (directory.Connection, error) {
	c, err := s.Store.Connection(ctx, id)
	if err != nil {
		return c, err
	}
	return c, checkWorking(&c)
}

func checkWorking(c *directory.Connection) error {
	if (c.Status == directory.StatusActive || c.Status == directory.StatusNeedsAuthorization) && c.Tenant != nil {
		return nil
	}
	return directory.Refuse(directory.ErrConflict, "connection-not-active",
		"The connection \""+c.Name+"\" is "+string(c.Status)+".", "Authorise and confirm the connection first.")
}
