package admin

import (
	"context"
	"net/http"

	"bindery/shared/core/assign"
	"bindery/shared/directory"
)

// TenantGroups gives the groups of tenants their verdicts; *assign.GroupCandidates does.
type TenantGroups interface {
	List(ctx context.Context, id directory.ConnectionID, f assign.GroupFilter, cursor string, limit int) ([]assign.GroupCandidate, string, error)
}

func (a *API) tenantGroups() {
	register(a, operation{id: "listTenantGroups", method: http.MethodGet, path: "/v1/connections/{id}/tenant-groups", scope: ScopeRead,
		summary: "List the tenant's groups, each with its verdict: may an export take it over",
		more:    "The groups are read from Microsoft as they are now, up to three pages a call: a page may be short, or empty, and have a next. How many members a group has is not told, since that takes a request for each."}, a.listTenantGroups)
}

type tenantGroupsInput struct {
	ConnectionPath
	Paging
	Name    string `query:"name" maxLength:"256" pattern:"^[^\\x00-\\x1F\\x7F-\\x9F]*$" doc:"The beginning of the group's name, without regard to case; Microsoft looks for it"`
	Verdict string `query:"verdict" enum:"free,same-name,ours,dynamic,synced,mail-enabled,role-assignable,restricted" doc:"Only groups with this verdict"`
}

func (a *API) listTenantGroups(ctx context.Context, _ Caller, in *tenantGroupsInput) (*listOutput[assign.GroupCandidate], error) {
	f := assign.GroupFilter{Name: in.Name, Verdict: assign.GroupVerdict(in.Verdict)}
	return listOf(ctx, a, in.Limit, func(limit int) ([]assign.GroupCandidate, string, error) {
		return a.TenantGroups.List(ctx, directory.ConnectionID(in.ID), f, in.Next, limit)
	})
}
