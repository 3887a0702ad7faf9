package people

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/core/jobs"
	"bindery/shared/directory"
)

// ImportRequest says which accounts become users, those named or all, or which groups of
// the tenant become groups.
type ImportRequest struct {
	AccountIDs []directory.AccountID
	All        bool
	GroupIDs   []directory.TenantGroupID
	Bind       bool // also make them members of the connection
	Managers   bool // also take over who is whose manager
}

// ImportsConfig is what Imports stand on.
type ImportsConfig struct {
	Stores   Stores
	Users    *Users
	Groups   *Groups
	Accounts Accounts
	// TenantGroups and Managers open what else a tenant tells of.
	TenantGroups TenantGroups
	Managers     func(ctx context.Context, c *directory.Connection) (ManagerReader, error)
	Bindings     Bindings
	Photos       *Photos
	Jobs         *jobs.Service
	Now          func() time.Time // nil means time.Now
	Log          *slog.Logger     // nil means silence
}

// Accounts opens a tenant's accounts; *assign.Candidates does.
type Accounts interface {
	Judge(ctx context.Context, c *directory.Connection) (*assign.Judge, error)
}

// TenantGroups opens a tenant's groups; *assign.GroupCandidates does.
type TenantGroups interface {
	Tenant(ctx context.Context, c *directory.Connection) (assign.GroupTenant, error)
}

// ManagerReader reads who is whose manager in a tenant.
type ManagerReader interface {
	Managers(ctx context.Context, ids []directory.AccountID) ([]directory.Read[directory.AccountID], error)
	ListManagers(ctx context.Context, link string) (directory.ManagerPage, error)
}

// Bindings binds users to accounts that are known; *assign.Bindings does.
type Bindings interface {
	BindChoices(ctx context.Context, by directory.Caller, c *directory.Connection, list []assign.Choice) (assign.Verdicts, error)
}

// Imports makes users of accounts. It may be used by many goroutines.
type Imports struct {
	connections  connectionReader
	write        userWriter
	find         userFinder
	owners       owners
	pages        pageStore
	users        *Users
	groups       *Groups
	accounts     Accounts
	tenantGroups TenantGroups
	managers     func(ctx context.Context, c *directory.Connection) (ManagerReader, error)
	bindings     Bindings
	photos       *Photos
	jobs         *jobs.Service
	now          func() time.Time
	log          *slog.Logger
}

// NewImports returns Imports.
func NewImports(cfg ImportsConfig) *Imports {
	return &Imports{
		connections: cfg.Stores.Connections, write: cfg.Stores.Write, find: cfg.Stores.Find, owners: cfg.Stores.Owners, groups: cfg.Groups,
		tenantGroups: cfg.TenantGroups, managers: cfg.Managers, pages: cfg.Stores.Pages,
		users: cfg.Users, accounts: cfg.Accounts, bindings: cfg.Bindings, photos: cfg.Photos, jobs: cfg.Jobs,
		now: orNow(cfg.Now), log: orSilent(cfg.Log),
	}
}

// importInput is the input of an import; named accounts are in its parts.
type importInput struct {
	All      bool   `json:"all,omitempty"`
	Bind     bool   `json:"bind,omitempty"`
	Managers bool   `json:"managers,omitempty"`
	Epoch    int64  `json:"epoch"`
	Caller   string `json:"caller"` // for workers of an older version; see store.JobRecord.By
}

// StartImport starts an import.
func (s *Imports) StartImport(ctx context.Context, by directory.Caller, id directory.ConnectionID, req ImportRequest) (directory.Job, error) {
	if len(req.GroupIDs) > 0 {
		return s.startGroups(ctx, by, id, req)
	}
	if req.All == (len(req.AccountIDs) > 0) {
		return directory.Job{}, directory.Refuse(directory.ErrInvalid, directory.CodeInvalidBody,
			"An import is of the accounts in accountIds, or of all, or of the groups in groupIds.", "Name accounts, or set all to true, or name groups; one of them.")
	}
	for i, a := range req.AccountIDs {
		if directory.TidyAddress(string(a)) == "" || len(a) > 320 {
			r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidBody, "The import was not started.", "Correct the members named in errors.")
			r.Fields = []directory.FieldError{{Field: fmt.Sprintf("accountIds[%d]", i), Detail: "is not the ID of an account"}}
			return directory.Job{}, r
		}
	}
	c, err := assign.Working(ctx, s.connections, id)
	if err != nil {
		return directory.Job{}, err
	}
	ids := distinctAccounts(req.AccountIDs)
	parts, err := jobs.Parts(ids)
	if err != nil {
		return directory.Job{}, err
	}
	return s.jobs.Start(ctx, jobs.Order{
		Kind: directory.JobImport, ConnectionID: c.ID, By: by, Audit: directory.AuditStartImport,
		Input: importInput{All: req.All, Bind: req.Bind, Managers: req.Managers, Epoch: c.Epoch, Caller: by.Subject}, Total: len(ids), Parts: parts,
	})
}

// startGroups starts an import of groups.
func (s *Imports) startGroups(ctx context.Context, by directory.Caller, id directory.ConnectionID, req ImportRequest) (directory.Job, error) {
	if req.All || len(req.AccountIDs) > 0 || req.Bind || req.Managers {
		return directory.Job{}, directory.Refuse(directory.ErrInvalid, directory.CodeInvalidBody,
			"An import of groups is of the groups in groupIds, and nothing else.", "Import the accounts of their members in an import before it.")
	}
	for i, g := range req.GroupIDs {
		if len(g) > 64 || !tenantID().MatchString(string(g)) {
			r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidBody, "The import was not started.", "Correct the members named in errors.")
			r.Fields = []directory.FieldError{{Field: fmt.Sprintf("groupIds[%d]", i), Detail: "is not the ID of a group: GET …/tenant-groups lists them"}}
			return directory.Job{}, r
		}
	}
	c, err := assign.Working(ctx, s.connections, id)
	if err != nil {
		return directory.Job{}, err
	}
	if _, err := s.tenantGroups.Tenant(ctx, &c); err != nil { // which it may lack the permission for
		return directory.Job{}, err
	}
	ids := distinctGroups(req.GroupIDs)
	parts, err := jobs.Parts(ids)
	if err != nil {
		return directory.Job{}, err
	}
	return s.jobs.Start(ctx, jobs.Order{
		Kind: directory.JobImportGroups, ConnectionID: c.ID, By: by, Audit: directory.AuditStartImport,
		Input: importInput{Epoch: c.Epoch, Caller: by.Subject}, Total: len(ids), Parts: parts,
	})
}

// tenantID is what an ID of Microsoft's looks like.
var tenantID = directory.Pattern(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// distinctAccounts names each account once, in the form that is looked up.
func distinctAccounts(named []directory.AccountID) []directory.AccountID {
	seen := make(map[string]bool, len(named))
	var ids []directory.AccountID
	for _, a := range named {
		a = directory.AccountID(directory.TidyAddress(string(a)))
		folded := directory.FoldAddress(string(a))
		if seen[folded] {
			continue
		}
		seen[folded] = true
		ids = append(ids, a)
	}
	return ids
}
