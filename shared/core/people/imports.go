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

// ImportRequest says which accounts become users: those named, or all.
type ImportRequest struct {
	AccountIDs []directory.AccountID
	All        bool
	Bind       bool // also make them members of the connection
}

// ImportsConfig is what Imports stand on.
type ImportsConfig struct {
	Stores   Stores
	Users    *Users
	Accounts Accounts
	Bindings Bindings
	Photos   *Photos
	Jobs     *jobs.Service
	Now      func() time.Time // nil means time.Now
	Log      *slog.Logger     // nil means silence
}

// Accounts opens a tenant's accounts; *assign.Candidates does.
type Accounts interface {
	Judge(ctx context.Context, c *directory.Connection) (*assign.Judge, error)
}

// Bindings binds users to accounts that are known; *assign.Bindings does.
type Bindings interface {
	BindChoices(ctx context.Context, by directory.Caller, c *directory.Connection, list []assign.Choice) (assign.Verdicts, error)
}

// Imports makes users of accounts. It may be used by many goroutines.
type Imports struct {
	connections connectionReader
	write       userWriter
	pages       pageStore
	users       *Users
	accounts    Accounts
	bindings    Bindings
	photos      *Photos
	jobs        *jobs.Service
	now         func() time.Time
	log         *slog.Logger
}

// NewImports returns Imports.
func NewImports(cfg ImportsConfig) *Imports {
	return &Imports{
		connections: cfg.Stores.Connections, write: cfg.Stores.Write, pages: cfg.Stores.Pages,
		users: cfg.Users, accounts: cfg.Accounts, bindings: cfg.Bindings, photos: cfg.Photos, jobs: cfg.Jobs,
		now: orNow(cfg.Now), log: orSilent(cfg.Log),
	}
}

// importInput is the input of an import; named accounts are in its parts.
type importInput struct {
	All    bool   `json:"all,omitempty"`
	Bind   bool   `json:"bind,omitempty"`
	Epoch  int64  `json:"epoch"`
	Caller string `json:"caller"` // for workers of an older version; see store.JobRecord.By
}

// StartImport starts an import.
func (s *Imports) StartImport(ctx context.Context, by directory.Caller, id directory.ConnectionID, req ImportRequest) (directory.Job, error) {
	if req.All == (len(req.AccountIDs) > 0) {
		return directory.Job{}, directory.Refuse(directory.ErrInvalid, directory.CodeInvalidBody,
			"An import is of the accounts in accountIds, or of all.", "Name accounts, or set all to true, not both.")
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
		Input: importInput{All: req.All, Bind: req.Bind, Epoch: c.Epoch, Caller: by.Subject}, Total: len(ids), Parts: parts,
	})
}

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
