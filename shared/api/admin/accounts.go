package admin

import (
	"context"
	"net/http"

	"bindery/shared/core/assign"
	"bindery/shared/core/people"
	"bindery/shared/directory"
)

// Accounts gives the accounts of tenants their verdicts; *assign.Candidates does.
type Accounts interface {
	List(ctx context.Context, id directory.ConnectionID, f assign.AccountFilter, cursor string, limit int) ([]assign.Candidate, string, error)
	// Names tells the userPrincipalNames of accounts, by folded ID, as far as it can.
	Names(ctx context.Context, c *directory.Connection, ids []directory.AccountID) (map[directory.AccountID]string, error)
}

// Imports makes users of accounts; *people.Imports does.
type Imports interface {
	StartImport(ctx context.Context, by directory.Caller, id directory.ConnectionID, req people.ImportRequest) (directory.Job, error)
}

// Import is the body of an import: accountIds or all, or groupIds.
type Import struct {
	AccountIDs []directory.AccountID     `json:"accountIds,omitempty"`
	All        bool                      `json:"all,omitempty"`
	GroupIDs   []directory.TenantGroupID `json:"groupIds,omitempty" doc:"Groups of the tenant that become groups of the directory, with those of their members who are in it"`
	Bind       bool                      `json:"bind,omitempty" doc:"Bind the users in the same step."`
	Managers   bool                      `json:"managers,omitempty" doc:"Take over who is whose manager as well, where both are in the directory and the user has none."`
}

func (a *API) accounts() {
	register(a, operation{id: "listAccounts", method: http.MethodGet, path: "/v1/connections/{id}/accounts", scope: ScopeRead,
		summary: "List the tenant's accounts, each with its verdict"}, a.listAccounts)
	register(a, operation{id: "startImport", method: http.MethodPost, path: "/v1/connections/{id}/imports", scope: ScopeWrite, status: 202,
		summary: "Make users of accounts, or groups of the tenant's groups", body: schema[Import](a), also: later(schema[Job](a))}, a.startImport)
}

type accountsInput struct {
	ConnectionPath
	Paging
	Filter string `query:"filter" maxLength:"200" pattern:"^[^\\x00-\\x1F\\x7F-\\x9F]*$" doc:"A verdict (new, in-directory, bound, external, excluded), or a part of a name or address"`
	Bound  string `query:"bound" enum:"true,false" doc:"Only accounts that are, or are not, bound through this connection"`
}

func (a *API) listAccounts(ctx context.Context, _ Caller, in *accountsInput) (*listOutput[assign.Candidate], error) {
	f := assign.AccountFilter{Text: in.Filter}
	if in.Bound != "" {
		yes := in.Bound == "true"
		f.Bound = &yes
	}
	return listOf(ctx, a, in.Limit, func(limit int) ([]assign.Candidate, string, error) {
		return a.Accounts.List(ctx, directory.ConnectionID(in.ID), f, in.Next, limit)
	})
}

func (a *API) startImport(ctx context.Context, by Caller, in *struct {
	ConnectionPath
	sent[Import]
}) (*accepted, error) {
	return acceptedJob(a.Imports.StartImport(ctx, by.Caller, directory.ConnectionID(in.ID), people.ImportRequest(in.body)))
}
