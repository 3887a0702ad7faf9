package adminapi

import (
	"context"
	"encoding/json"
	"net/http"

	"bindery/shared/directory"
	"bindery/shared/reconcile"
)

// NewRun is the body of a run; left out, it is "sync now".
type NewRun struct {
	DryRun  bool               `json:"dryRun,omitempty" doc:"Only plan."`
	UserIDs []directory.UserID `json:"userIds,omitempty" doc:"Only these users."`
	Full    bool               `json:"full,omitempty" doc:"Read and compare every bound account."`
	// Settings are merged into the connection's, for this plan only.
	Settings *directory.Settings `json:"settings,omitempty" doc:"What if; only with dryRun."`
}

type runOutput struct{ Body directory.Run }

func runPath(id directory.RunID) string { return "/v1/runs/" + string(id) }

func viewRun(r directory.Run) directory.Run {
	if r.Counts == nil {
		r.Counts = map[directory.Effect]int{}
	}
	return r
}

// RunPath names a run in a path.
type RunPath struct {
	ID string `path:"id" maxLength:"64" pattern:"^[!-~]+$" doc:"ID of the run"`
}

func (a *API) runs() {
	register(a, operation{id: "startRun", method: http.MethodPost, path: "/v1/connections/{id}/runs", scope: ScopeWrite, status: 202,
		summary: "Sync now, or plan only", body: schema[NewRun](a), optional: true, also: later(schema[directory.Run](a))}, a.startRun)
	register(a, operation{id: "listRuns", method: http.MethodGet, path: "/v1/connections/{id}/runs", scope: ScopeRead,
		summary: "List a connection's runs, newest first"}, a.listRuns)
	register(a, operation{id: "getRun", method: http.MethodGet, path: "/v1/runs/{id}", scope: ScopeRead,
		summary: "Read a run"}, a.getRun)
	register(a, operation{id: "listChanges", method: http.MethodGet, path: "/v1/runs/{id}/changes", scope: ScopeRead,
		summary: "List a run's changes: its plan and its journal"}, a.listChanges)
	register(a, operation{id: "cancelRun", method: http.MethodPost, path: "/v1/runs/{id}/cancel", scope: ScopeWrite,
		summary: "End a run before its next batch"}, a.cancelRun)
	register(a, operation{id: "approveRun", method: http.MethodPost, path: "/v1/runs/{id}/approve", scope: ScopeApprove,
		summary: "Let a held run go on with all of its changes"}, a.approveRun)
}

func (a *API) startRun(ctx context.Context, by Caller, in *struct {
	ConnectionPath
	raw
}) (*accepted, error) {
	var body struct {
		DryRun   bool               `json:"dryRun"`
		UserIDs  []directory.UserID `json:"userIds"`
		Full     bool               `json:"full"`
		Settings json.RawMessage    `json:"settings"`
	}
	if err := decode(in.RawBody, &body, true); err != nil {
		return nil, err
	}
	c, err := a.connection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if body.UserIDs != nil && len(body.UserIDs) == 0 {
		return nil, directory.Refuse(directory.ErrInvalid, "no-users", "The list userIds is empty, so the run would concern nobody.",
			"Name users, or leave userIds out to sync everybody.")
	}
	req := reconcile.Request{DryRun: body.DryRun, Full: body.Full, UserIDs: body.UserIDs, By: by.Subject}
	if body.Settings != nil && string(body.Settings) != "null" {
		s, err := mergeSettings(c.Settings, body.Settings)
		if err != nil {
			return nil, err
		}
		req.Settings = &s
	}
	return acceptedRun(a.Runs.Start(ctx, &c, req))
}

func (a *API) listRuns(ctx context.Context, _ Caller, in *struct {
	ConnectionPath
	Paging
}) (*listOutput[directory.Run], error) {
	c, err := a.connection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	runs, next, err := a.Runs.List(ctx, c.ID, in.Next, in.Limit)
	for i := range runs {
		runs[i] = viewRun(runs[i])
	}
	return page(runs, next), err
}

func (a *API) getRun(ctx context.Context, _ Caller, in *RunPath) (*runOutput, error) {
	r, err := a.Runs.Run(ctx, directory.RunID(in.ID))
	return &runOutput{viewRun(r)}, err
}

func (a *API) listChanges(ctx context.Context, _ Caller, in *struct {
	RunPath
	Paging
}) (*listOutput[directory.Change], error) {
	changes, next, err := a.Runs.Changes(ctx, directory.RunID(in.ID), in.Next, in.Limit)
	for i := range changes {
		changes[i].Properties = orEmpty(changes[i].Properties)
	}
	return page(changes, next), err
}

func (a *API) cancelRun(ctx context.Context, _ Caller, in *RunPath) (*runOutput, error) {
	r, err := a.Runs.Cancel(ctx, directory.RunID(in.ID))
	return &runOutput{viewRun(r)}, err
}

func (a *API) approveRun(ctx context.Context, by Caller, in *RunPath) (*runOutput, error) {
	r, err := a.Runs.Approve(ctx, directory.RunID(in.ID), by.Subject)
	return &runOutput{viewRun(r)}, err
}
